//! What a task does outside its lane: opens payloads, hashes, and calls connectors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lockstep_connectors::{AccountRef, RefusalKind, SignIn as Answer, Written as Said};
use lockstep_core::change::{Change, SignIn, Target};
use lockstep_core::id::{ChangeId, TransportKeyId};
use lockstep_core::password::Password;
use lockstep_core::password_policy::rules::Violation;
use lockstep_engine::{Call, Health, Written};
use lockstep_store::history::{self, Holder};
use lockstep_store::{Tx, change, transport_key};
use lockstep_vault::hash::{Fingerprint, PasswordHash, Salt};
use lockstep_vault::seal::Binding;
use lockstep_vault::transport::TransportKey;

use super::judge::Facts;
use super::sources::InUse;
use crate::app::App;
use crate::failpoint::failpoint;

/// An opened payload and what comes of it.
pub struct Payload {
    /// The new password.
    pub(super) password: Password,
    /// Stands for it when two changes are compared.
    pub(super) fingerprint: Fingerprint,
    /// What the history will hold of it, where there is one.
    pub(super) history: Option<Entry>,
    /// Whether it is another than the one before, as far as that is known: it does not become younger by being sent again.
    pub(super) renews: bool,
}

/// An entry of the password history.
pub(super) struct Entry {
    /// The sync group or lone source whose history it is.
    pub(super) holder: Holder,
    /// The hash.
    pub(super) hash: PasswordHash,
    /// How many entries are kept.
    pub(super) keep: u32,
}

/// What is to be opened, and with what.
pub(super) struct Sealed {
    payload: Option<change::Payload>,
    key: Option<Arc<TransportKey>>,
    /// The transport key as it is stored, where it was not in memory.
    sealed_key: Option<Vec<u8>>,
}

impl Sealed {
    /// Reads it. `key` is the change's transport key, if it is in memory.
    pub(super) async fn read(
        tx: &mut Tx<'_>,
        id: ChangeId,
        key_id: TransportKeyId,
        key: Option<Arc<TransportKey>>,
    ) -> lockstep_store::Result<Self> {
        let payload = change::payload(tx, id).await?;
        let stored = if key.is_none() { transport_key::find(tx, key_id).await? } else { None };
        Ok(Self { payload, key, sealed_key: stored.and_then(|key| key.sealed_private) })
    }
}

/// The payload of a change that passed, opened again.
pub(super) async fn payload(app: &App, change: &Change) -> anyhow::Result<Payload> {
    let (facts, sealed) = Facts::load(app, change).await?;
    let password = open(app, change, sealed, facts.minimum()).await?;
    let password = password.context("the payload of a judged change is invalid")?;
    let history = facts.entry(app, change, &password).await?;
    let fingerprint = app.vault.fingerprint(&password);
    let renews = facts.renews(app, change, &history).await?;
    Ok(Payload { password, fingerprint, history, renews })
}

/// Opens what the client encrypted. Nothing means that it is no password, for whatever reason.
pub(super) async fn open(
    app: &App,
    change: &Change,
    sealed: Sealed,
    minimum: usize,
) -> anyhow::Result<Option<Password>> {
    let key = match (sealed.key, sealed.sealed_key) {
        (Some(key), _) => key,
        (None, Some(stored)) => {
            app.vault.transport_key(change.transport_key, &stored).context("cannot open a transport key")?
        }
        // Destroyed: what was encrypted with it is gone for good.
        (None, None) => return Ok(None),
    };
    let Some(sealed) = sealed.payload else { return Ok(None) };
    let binding = Binding::Payload {
        change: change.id,
        identity: change.identity,
        account: change.account,
        source: change.source,
    };
    let ciphertext = app.vault.open(&binding, &sealed.new).context("cannot unseal a queued payload")?;
    let (password, took) = app
        .compute(move || {
            let started = Instant::now();
            let password = key.open_password(&ciphertext, minimum).ok();
            (password, started.elapsed())
        })
        .await?;
    app.metrics.opened(took);
    Ok(password)
}

/// The hash of a new sign-in password, under the identity's salt.
pub(super) async fn sign_in_hash(app: &App, change: &Change, payload: &Payload) -> anyhow::Result<PasswordHash> {
    match &payload.history {
        // One salt an identity: the hash for the history is the very same.
        Some(entry) => Ok(entry.hash.clone()),
        None => hash(app, change, &payload.password).await,
    }
}

/// Compares with the history of `holder`, which keeps `keep` passwords, and gives the entry to be written. The inner
/// error is the refusal. The newest one again is a re-assertion: a retry after a partial failure, which passes.
pub(super) async fn compare_with_history(
    app: &App,
    change: &Change,
    keep: u32,
    holder: Holder,
    password: &Password,
) -> anyhow::Result<Result<Option<Entry>, Violation>> {
    if keep == 0 {
        return Ok(Ok(None));
    }
    let identity = change.identity;
    let salt = salt(app, change).await?;
    let old = app
        .store
        .read(move |tx: &mut Tx<'_>| Box::pin(history::last(tx, identity, holder, keep)))
        .await
        .context("cannot read the password history")?;
    let newest_first: Vec<PasswordHash> =
        old.iter().map(|old| PasswordHash::from_bytes(old)).collect::<Result<_, _>>().context("cannot read a hash")?;
    let (vault, password) = (app.vault.clone(), password.clone());
    let ((hash, found), took) = app
        .compute(move || {
            let started = Instant::now();
            (vault.passwords().hash_and_find(&password, &salt, &newest_first), started.elapsed())
        })
        .await?;
    app.metrics.hashed(took);
    Ok(match found {
        None => Ok(Some(Entry { holder, hash, keep })),
        Some(0) => Ok(None),
        Some(_) => Err(Violation::Reused { history: i64::from(keep) }),
    })
}

async fn hash(app: &App, change: &Change, password: &Password) -> anyhow::Result<PasswordHash> {
    let salt = salt(app, change).await?;
    let (vault, password) = (app.vault.clone(), password.clone());
    let (hash, took) = app
        .compute(move || {
            let started = Instant::now();
            (vault.passwords().hash(&password, &salt), started.elapsed())
        })
        .await?;
    app.metrics.hashed(took);
    Ok(hash)
}

/// The identity's one salt, made when it is first needed.
async fn salt(app: &App, change: &Change) -> anyhow::Result<Salt> {
    let identity = change.identity;
    let fresh = Salt::draw();
    let salt: Vec<u8> = app
        .store
        .write(move |tx: &mut Tx<'_>| Box::pin(async move { history::salt(tx, identity, &fresh.0).await }))
        .await
        .context("cannot read an identity's salt")?;
    failpoint!(app, SaltStored);
    let salt = <[u8; 16]>::try_from(salt).ok().context("an identity's salt has the wrong length")?;
    Ok(Salt(salt))
}

/// Writes the password to one target, once.
pub(super) async fn write(
    app: &App,
    source: &InUse,
    call: &Call,
    payload: &Payload,
    patience: Duration,
) -> (Written, Health) {
    let account = account(&call.target);
    let writing = source.connector.set_password(&account, &payload.password, None);
    let said = tokio::time::timeout(patience, writing).await;
    let (label, written, health) = match said {
        Ok(Said::Applied) => ("applied", Written::Applied, Health::Answered),
        Ok(Said::Refused(refusal)) => {
            let by_history = refusal.kind == RefusalKind::PolicyHistory;
            ("refused", Written::Refused { reason: refusal.detail, by_history }, Health::Answered)
        }
        Ok(Said::Unreachable(failure)) => ("unreachable", Written::Unavailable(failure.detail), Health::Silent),
        Ok(Said::Busy(failure)) => ("busy", Written::Unavailable(failure.detail), Health::Answered),
        Ok(Said::Unknown(failure)) => ("unknown", Written::Unknown(failure.detail), Health::Silent),
        Err(_) => ("unknown", Written::Unknown("no answer in time".to_owned()), Health::Silent),
    };
    app.metrics.delivery(&source.name, label);
    if let Written::Unavailable(reason) | Written::Unknown(reason) = &written {
        let (change, target) = (call.change.id, call.target.key.account);
        tracing::warn!(
            change.id = %change, source.name = source.name, account.id = %target, outcome = label, reason,
            "a delivery is tried again"
        );
    }
    (written, health)
}

/// Signs in with the new password, once.
pub(super) async fn sign_in(source: &InUse, call: &Call, payload: &Payload, patience: Duration) -> (SignIn, Health) {
    let account = account(&call.target);
    match tokio::time::timeout(patience, source.connector.sign_in(&account, &payload.password)).await {
        Ok(Answer::Right | Answer::MustChange(_)) => (SignIn::Right, Health::Answered),
        Ok(Answer::Wrong) => (SignIn::Wrong, Health::Answered),
        // Proves nothing about the source either.
        Ok(Answer::NotAccepted(failure) | Answer::Unable(failure)) => {
            (SignIn::Unable(failure.detail), Health::Unproven)
        }
        Ok(Answer::Unsupported) => (SignIn::Unable("nobody can sign in on this source".to_owned()), Health::Unproven),
        Err(_) => (SignIn::Unable("no answer in time".to_owned()), Health::Silent),
    }
}

fn account(target: &Target) -> AccountRef {
    AccountRef { native_id: target.native_id.clone(), name: target.name.clone() }
}
