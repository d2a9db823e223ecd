//! What the straight line has of the product's keys: the private half of the transport key, and the password hasher.
//!
//! The ciphertexts are those that the product gets, opened by the same library in the product's own kind of threads.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep::app::{App, Role};
use lockstep::compute::Computing;
use lockstep::config::Config;
use lockstep_core::id::TransportKeyId;
use lockstep_core::password::Password;
use lockstep_store::{Tx, transport_key};
use lockstep_vault::Vault;
use lockstep_vault::hash::Salt;
use lockstep_vault::seal::Binding;
use zeroize::Zeroizing;

use crate::jobs::Job;

/// Opens ciphertexts and hashes passwords, in as many threads as there are processors.
#[derive(Clone)]
pub(crate) struct Opener {
    key: Arc<Pkcs1PrivateDecryptingKey>,
    vault: Vault,
    threads: Computing,
}

impl Opener {
    /// The key that the changes in a file are encrypted with, of the installation that `config` names.
    pub(crate) async fn of(config: &Path, job: &Job) -> Result<Self> {
        let app = App::open(Config::read(config)?, Role::Tool).await.context("cannot open the installation")?;
        let id = STANDARD.decode(&job.public_key_id).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let id = id.context("no name of a key")?.parse::<TransportKeyId>().context("no name of a key")?;
        let found = app.store.read(move |tx: &mut Tx<'_>| Box::pin(transport_key::find(tx, id))).await?;
        let sealed = found.and_then(|key| key.sealed_private).context("there is no such key")?;
        let opened = app.vault.open(&Binding::TransportKey(id), &sealed).ok().context("the key cannot be opened")?;
        // The first byte says which padding it is for.
        let key = PrivateDecryptingKey::from_pkcs8(&opened[1..]).ok().context("the key cannot be read")?;
        let key = Pkcs1PrivateDecryptingKey::new(key).ok().context("the key cannot be used")?;
        let vault = app.vault.clone();
        app.close().await;
        let threads = Computing::start().context("cannot start threads")?;
        Ok(Self { key: Arc::new(key), vault, threads })
    }

    /// The password in a ciphertext.
    pub(crate) async fn open(&self, ciphertext: Vec<u8>) -> Result<Password> {
        let key = Arc::clone(&self.key);
        self.threads.compute(move || open(&key, &ciphertext)).await?
    }

    /// One evaluation of the hash that histories are kept in.
    pub(crate) async fn hash(&self, password: Password) -> Result<()> {
        let vault = self.vault.clone();
        let hash = move || {
            black_box(vault.passwords().hash(&password, &Salt::draw()));
        };
        Ok(self.threads.compute(hash).await?)
    }

    /// Opens ciphertexts in every processor at once and as fast as it goes; gives how many were opened.
    pub(crate) fn open_all(&self, ciphertexts: &[Vec<u8>]) -> Result<usize> {
        let share = ciphertexts.len().div_ceil(processors()).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = ciphertexts
                .chunks(share)
                .map(|share| scope.spawn(|| share.iter().try_for_each(|one| open(&self.key, one).map(drop))))
                .collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a fault")))
        })?;
        Ok(ciphertexts.len())
    }

    /// Hashes in every processor at once.
    pub(crate) fn hash_all(&self, count: usize) -> Result<usize> {
        let password = Password::try_from(crate::jobs::fresh_password().as_str())?;
        std::thread::scope(|scope| {
            for _ in 0..processors() {
                scope.spawn(|| {
                    for _ in 0..count / processors() {
                        black_box(self.vault.passwords().hash(&password, &Salt::draw()));
                    }
                });
            }
        });
        Ok(count / processors() * processors())
    }
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

fn open(key: &Pkcs1PrivateDecryptingKey, ciphertext: &[u8]) -> Result<Password> {
    let mut opened = Zeroizing::new(vec![0; key.key_size_bytes()]);
    let plaintext = key.decrypt(ciphertext, &mut opened).ok().context("a ciphertext cannot be opened")?;
    let length = plaintext.len();
    opened.truncate(length);
    Ok(Password::from_bytes(opened)?)
}
