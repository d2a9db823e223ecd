//! Hashes of what a person alone knows, with the one salt that they have: the password that a session waits to be rid of, the
//! answers to their security questions. Those of the sign-in password are the sign-in's.

use lockstep_core::id::IdentityId;
use lockstep_core::password::Password;
use lockstep_store::{Tx, history};
use lockstep_vault::hash::{PasswordHash, Salt};

use super::{App, Error};

const NO_HASHES: Error = Error::Lacking("what computes hashes");

/// The hash under which it is kept. Who has no salt yet gets one.
pub(super) async fn hash(app: &App, whose: IdentityId, known: Password) -> Result<Vec<u8>, Error> {
    let fresh = Salt::draw();
    let salting =
        app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { history::salt(tx, whose, &fresh.0).await }));
    let salt = salt_of(salting.await.map_err(Error::Store)?)?;
    let vault = app.vault.clone();
    let hash = app.compute(move || vault.passwords().hash(&known, &salt)).await.map_err(|_| NO_HASHES)?;
    Ok(hash.to_bytes())
}

/// Whether it is what one of these hashes was made of. A hash that cannot be read is of nothing.
pub(super) async fn is_one_of(
    app: &App,
    whose: IdentityId,
    tried: Password,
    hashes: Vec<Vec<u8>>,
) -> Result<bool, Error> {
    let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(history::find_salt(tx, whose)));
    let Some(salt) = read.await.map_err(Error::Store)? else { return Ok(false) };
    let (vault, salt) = (app.vault.clone(), salt_of(salt)?);
    let hashes: Vec<PasswordHash> = hashes.iter().filter_map(|hash| PasswordHash::from_bytes(hash).ok()).collect();
    let comparing = app.compute(move || vault.passwords().hash_and_find(&tried, &salt, &hashes).1.is_some());
    comparing.await.map_err(|_| NO_HASHES)
}

fn salt_of(stored: Vec<u8>) -> Result<Salt, Error> {
    stored.try_into().map(Salt).map_err(|_| Error::Lacking("the salt of a person"))
}
