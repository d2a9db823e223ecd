//! What a task does outside its lane: opens payloads, hashes, and calls connectors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lockstep_connectors::{AccountRef, RefusalKind, SignIn as Answer, Written};
use lockstep_core::change::{Change, Outcome, Refusal, SignIn, Target};
use lockstep_core::password::Password;
use lockstep_core::password_policy::rules::Violation;
use lockstep_store::history::{self, Holder};
use lockstep_store::{Tx, lane, transport_key};
use lockstep_vault::hash::{Fingerprint, PasswordHash, Salt};
use lockstep_vault::seal::Binding;

use super::event::Call;
use super::gate::Pass;
use super::judge::Facts;
use super::sources::SourcesError;
use crate::app::App;

/// The longest a connector is waited for, whatever its own settings, or half the grace: then the write is in doubt.
const PATIENCE: Duration = Duration::from_secs(120);

/// An opened payload and what comes of it.
pub(super) struct Payload {
    /// The new password.
    pub(super) password: Password,
    /// Stands for it when two changes are compared.
    pub(super) fingerprint: Fingerprint,
    /// What the history will hold of it, where there is one.
    pub(super) history: Option<Entry>,
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

/// The payload of a change that passed: the one in memory, or opened again.
pub(super) async fn payload(app: &App, change: &Change, known: Option<Arc<Payload>>) -> anyhow::Result<Arc<Payload>> {
    if let Some(payload) = known {
        return Ok(payload);
    }
    let facts = Facts::load(app, change).await?;
    let password = open(app, change, facts.minimum()).await?.context("the payload of a judged change is invalid")?;
    let history = facts.entry(app, change, &password).await?;
    let fingerprint = app.vault.fingerprint(&password);
    Ok(Arc::new(Payload { password, fingerprint, history }))
}

/// Opens what the client encrypted. Nothing means that it is no password, for whatever reason.
pub(super) async fn open(app: &App, change: &Change, minimum: usize) -> anyhow::Result<Option<Password>> {
    let (id, key_id) = (change.id, change.transport_key);
    let cached = app.vault.cached_transport_key(key_id);
    let wanted = cached.is_none();
    let (sealed, sealed_key) = app
        .store
        .read(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let sealed = lockstep_store::change::payload(tx, id).await?;
                let key = if wanted { transport_key::find(tx, key_id).await? } else { None };
                Ok::<_, lockstep_store::Error>((sealed, key.and_then(|key| key.sealed_private)))
            })
        })
        .await
        .context("cannot read a queued payload")?;
    let key = match (cached, sealed_key) {
        (Some(key), _) => key,
        (None, Some(sealed)) => app.vault.transport_key(key_id, &sealed).context("cannot open a transport key")?,
        // Destroyed: what was encrypted with it is gone for good.
        (None, None) => return Ok(None),
    };
    let Some(sealed) = sealed else { return Ok(None) };
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
    let salt = <[u8; 16]>::try_from(salt).ok().context("an identity's salt has the wrong length")?;
    Ok(Salt(salt))
}

/// Writes the password to one target, once. The row says already that it is being done.
pub(super) async fn write(app: &App, call: &Call, payload: &Payload, pass: Pass) -> Outcome {
    let Call { change, target, begun, .. } = call;
    let source = match app.sources.get(target.source).await {
        Ok(source) => source,
        Err(error @ SourcesError::Store(_)) => return Outcome::Unavailable(error.to_string()),
        Err(error) => return Outcome::Refused(Refusal { reason: error.to_string(), ask: false }),
    };
    let account = AccountRef { native_id: target.native_id.clone(), name: target.name.clone() };
    // Whoever takes over waits a grace for what this node may still send. A node that was held up for long since the row
    // said so sends nothing.
    let grace = app.config.engine.grace;
    if app.clock.monotonic().saturating_sub(*begun) > grace / 4 {
        return Outcome::Unavailable("the server was held up before it could begin".to_owned());
    }
    let writing = source.connector.set_password(&account, &payload.password, None);
    let written = match tokio::time::timeout(PATIENCE.min(grace / 2), writing).await {
        Ok(written) => written,
        Err(_) => {
            pass.report(false);
            app.metrics.delivery(&source.name, "unknown");
            return Outcome::Unknown("no answer in time".to_owned());
        }
    };
    let (label, answered, outcome) = match written {
        Written::Applied => ("applied", true, Outcome::Applied),
        Written::Refused(refusal) => {
            let history = refusal.kind == RefusalKind::PolicyHistory;
            let ask = history && got_part_way(app, change, target).await;
            ("refused", true, Outcome::Refused(Refusal { reason: refusal.detail, ask }))
        }
        Written::Unreachable(failure) => ("unreachable", false, Outcome::Unavailable(failure.detail)),
        Written::Busy(failure) => ("busy", true, Outcome::Unavailable(failure.detail)),
        Written::Unknown(failure) => ("unknown", false, Outcome::Unknown(failure.detail)),
    };
    pass.report(answered);
    app.metrics.delivery(&source.name, label);
    if let Outcome::Unavailable(reason) | Outcome::Unknown(reason) = &outcome {
        tracing::warn!(
            change.id = %change.id, source.name = source.name, account.id = %target.key.account, outcome = label, reason,
            "a delivery is tried again"
        );
    }
    outcome
}

/// Signs in with the new password, once.
pub(super) async fn sign_in(app: &App, call: &Call, payload: &Payload, pass: Pass) -> SignIn {
    let target = &call.target;
    let source = match app.sources.get(target.source).await {
        Ok(source) => source,
        Err(error) => return SignIn::Unable(error.to_string()),
    };
    let account = AccountRef { native_id: target.native_id.clone(), name: target.name.clone() };
    let answer = tokio::time::timeout(PATIENCE, source.connector.sign_in(&account, &payload.password)).await;
    let answer = match answer {
        Ok(Answer::Right) => SignIn::Right,
        Ok(Answer::Wrong) => SignIn::Wrong,
        // Proves nothing about the source either: the pass is given back without a report.
        Ok(Answer::Unable(failure)) => return SignIn::Unable(failure.detail),
        Ok(Answer::Unsupported) => return SignIn::Unable("nobody can sign in on this source".to_owned()),
        Err(_) => return SignIn::Unable("no answer in time".to_owned()),
    };
    pass.report(true);
    answer
}

/// Whether a change before this one got no further than this account: then its history may refuse the very password it
/// has, and a sign-in is worth its risk.
async fn got_part_way(app: &App, change: &Change, target: &Target) -> bool {
    let (identity, account, seq) = (change.identity, target.key.account, change.seq);
    let asked = app
        .store
        .read(move |tx: &mut Tx<'_>| Box::pin(async move { lane::got_part_way(tx, identity, account, seq).await }))
        .await;
    asked.unwrap_or_else(|error| {
        tracing::error!(%error, "an earlier change could not be looked up");
        false
    })
}

/// A random number for the jitter of the next try.
pub(super) fn draw() -> u32 {
    u32::from_be_bytes(*lockstep_vault::secret::draw_bytes())
}
