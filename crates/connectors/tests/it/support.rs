//! What the tests share: where the servers are, connectors, passwords that no run has used before, broken servers.

pub(crate) mod directory;
pub(crate) mod network;
pub(crate) mod own_directory;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use lockstep_connectors::{
    AccountEntry, AccountRef, Clock, Connector, Failure, Reading, Refusal, RefusalKind, Secrets, Written, build,
};
use lockstep_core::password::Password;
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::Value;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// What the test command says about a server. Without it there is nothing to test against.
pub(crate) fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run cargo xtask test, which starts the servers"))
}

/// A connector, or what is wrong with the configuration.
pub(crate) fn connector(kind: &str, config: &Value, password: &str) -> Box<dyn Connector> {
    let secret = ("password".to_owned(), Zeroizing::new(password.to_owned()));
    build(kind, config, &Secrets::from_iter([secret]), clock()).unwrap_or_else(|error| panic!("{config}: {error}"))
}

/// The day 20000 after 1970-01-01: 2024-10-04.
pub(crate) fn clock() -> Clock {
    Arc::new(|| DateTime::<Utc>::from_timestamp(20_000 * 86_400 + 5, 0).expect("in range"))
}

/// Some letters and digits that no run has used before.
pub(crate) fn fresh() -> String {
    let mut bytes = [0; 6];
    SysRng.try_fill_bytes(&mut bytes).expect("randomness");
    hex::encode(bytes)
}

/// A password with much that breaks careless code, never used before.
pub(crate) fn fresh_password() -> Password {
    password(&format!("Aa1:'\"\\;--%s $(x) é\u{1F511} {}", fresh()))
}

pub(crate) fn password(text: &str) -> Password {
    Password::try_from(text).expect("printable")
}

pub(crate) fn account(native_id: &str) -> AccountRef {
    AccountRef { native_id: native_id.to_owned(), name: "Abby.Smith".to_owned() }
}

/// The refusal, which must be of this kind and must not contain the password.
pub(crate) fn refused(written: Written, kind: RefusalKind, secret: &Password) -> String {
    match written {
        Written::Refused(Refusal { kind: found, detail }) if found == kind => {
            assert!(!detail.contains(secret.expose()), "the password is in {detail}");
            detail
        }
        other => panic!("expected a refusal of kind {kind}, got {other:?}"),
    }
}

/// What came of a reading.
pub(crate) struct Read {
    pub(crate) reading: Result<Reading, Failure>,
    /// How many accounts each page had.
    pub(crate) pages: Vec<usize>,
    /// By the names that the source has for them.
    pub(crate) accounts: BTreeMap<String, AccountEntry>,
}

impl Read {
    /// The mark of a reading that ended well.
    pub(crate) fn mark(&self) -> Option<&str> {
        self.reading.as_ref().expect("read").mark.as_deref()
    }
}

/// Reads accounts, taking each page at once.
pub(crate) async fn read(connector: &dyn Connector, since: Option<&str>) -> Read {
    let (sender, mut receiver) = mpsc::channel::<Vec<AccountEntry>>(1);
    let (mut pages, mut accounts) = (Vec::new(), BTreeMap::new());
    let take = async {
        while let Some(page) = receiver.recv().await {
            pages.push(page.len());
            accounts.extend(page.into_iter().map(|account| (account.native_id.clone(), account)));
        }
    };
    let (reading, ()) = tokio::join!(connector.accounts(since, sender), take);
    Read { reading, pages, accounts }
}
