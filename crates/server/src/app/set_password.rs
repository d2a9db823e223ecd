//! Accepting a password change: the only way in, for programs and pages alike.
//!
//! Everything here is judged without opening the payload; what needs the plaintext is the worker's, and shows in the
//! status. The same request again is the stored change, whatever became of key or account meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::change::{Change, ChangeState, DEFAULT_LIFETIME};
use lockstep_core::id::{AccountId, ChangeId, IdentityId, SessionId, SourceId, TransportKeyId};
use lockstep_core::password::Password;
use lockstep_store::change::Payload;
use lockstep_store::session::{self, Renewal};
use lockstep_store::submission::{self, Claim, Submission};
use lockstep_store::{Tx, account, audit, change, identity, recovery};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::seal::Binding;
use lockstep_vault::secret::draw_id_at;
use lockstep_vault::transport::rotation::KeyState;
use lockstep_vault::transport::{TransportPadding, encrypt};

use super::query_password_info::padding_name;
use super::{App, Error};
use crate::auth::Permit;
use crate::failpoint::failpoint;

/// A request for a change.
pub struct Request {
    /// Whose password.
    pub identity: IdentityId,
    /// Where; none: the built-in source.
    pub source: Option<SourceId>,
    /// The account's native id as it was sent; none: the only one there.
    pub account: Option<String>,
    /// What the password was encrypted with.
    pub key: TransportKeyId,
    /// The encrypted password.
    pub ciphertext: Vec<u8>,
    /// What goes on, or is used up, with a change that is accepted.
    pub within: Option<Within>,
}

/// What a change is asked for within.
#[derive(Debug, Clone, Copy)]
pub enum Within {
    /// A session, and what the browser is known by from then on. Whoever has the token of before has none.
    Session(SessionId, Renewal),
    /// A recovery, by the hash of its token. There is no second change unless this one fails.
    Recovery([u8; 32]),
}

/// A change that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: ChangeId,
    /// How far it is.
    pub state: ChangeState,
}

/// Encrypts a password for the caller themselves, and asks for the change. None where it is too long to be carried.
///
/// # Errors
/// Those of [`set_password`].
pub async fn encrypt_and_set(
    app: &App,
    permit: &Permit,
    source: SourceId,
    account: Option<String>,
    password: &Password,
    within: Option<Within>,
) -> Result<Option<Accepted>, Error> {
    let (identity, reading) = (permit.person()?, app.clone());
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let configuration = reading.configuration.read(tx).await?;
            let key = configuration.published_key(tx, padding_name(TransportPadding::Pkcs1v15)).await?;
            let key = key.ok_or(Error::Lacking("a published transport key"))?;
            Ok::<_, Error>((key.id, key.public_key.clone()))
        })
    });
    let (key, public_key) = read.await?;
    let Ok(ciphertext) = encrypt(&public_key, password) else { return Ok(None) };
    let request = Request { identity, source: Some(source), account, key, ciphertext, within };
    set_password(app, permit, request).await.map(Some)
}

/// A request with its caller.
struct Sent {
    digest: [u8; 16],
    caller: String,
    actor: Actor,
    identity: IdentityId,
    key: TransportKeyId,
    source: SourceId,
    account_sent: String,
    ciphertext: Vec<u8>,
    within: Option<Within>,
}

/// Accepts a change, or finds the one that the same request became before.
///
/// All of it is one transaction, which reads before it writes: what is refused, or was accepted before, has written
/// nothing, and disturbs nobody who shares the commit.
///
/// # Errors
/// [`Error::Outdated`] when what it is asked for within has ended, or has gone on without it.
pub async fn set_password(app: &App, permit: &Permit, request: Request) -> Result<Accepted, Error> {
    permit.reaches(Some(request.identity))?;
    let hash = app.vault.keyed_hash(HashPurpose::Ciphertext, &request.ciphertext);
    let sent = Arc::new(Sent {
        digest: std::array::from_fn(|at| hash[at]),
        caller: permit.caller().name(),
        actor: permit.caller().actor(),
        identity: request.identity,
        key: request.key,
        source: request.source.unwrap_or(SourceId::IDENTITY_NOW),
        account_sent: request.account.unwrap_or_default(),
        ciphertext: request.ciphertext,
        within: request.within,
    });
    failpoint!(app, AcceptBeforeCommit);
    let within = app.clone();
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let accepted = accept(&within, tx, &sent).await?;
            failpoint!(within, AcceptWithinCommit, |failed| Err(Error::from(failed).into()));
            Ok::<_, NotAccepted>(accepted)
        })
    });
    let accepted = match written.await {
        Ok(accepted) => accepted,
        Err(NotAccepted::Before(accepted)) => return Ok(accepted),
        Err(NotAccepted::Refused(error)) => return Err(error),
    };
    failpoint!(app, AcceptAfterCommit);
    app.waker.wake(request.identity);
    failpoint!(app, AcceptBeforeAnswer);
    Ok(accepted)
}

/// The same request became this change before.
async fn before(tx: &mut Tx<'_>, id: ChangeId) -> Result<NotAccepted, lockstep_store::Error> {
    let found = change::find(tx, id).await?;
    Ok(match found {
        Some((change, _)) => NotAccepted::Before(Accepted { id, state: change.state }),
        None => Error::Lacking("the change of a submission").into(),
    })
}

/// Refuses what cannot become a change; otherwise gives the account that is meant.
async fn judge(app: &App, tx: &mut Tx<'_>, sent: &Sent) -> Result<AccountId, Error> {
    let configuration = app.configuration.read(tx).await?;
    let key = configuration.transport_key(tx, sent.key).await?;
    let key = key.ok_or(Error::Unknown { field: "publicKeyId", what: "a transport key" })?;
    let accepts = KeyState::NAMES.iter().any(|(state, name)| state.accepts() && *name == key.state);
    if !accepts {
        let reason = "names a transport key that is not accepted any more: ask for the password info again".to_owned();
        return Err(Error::Illegal { field: "publicKeyId", reason });
    }
    let (length, expected) = (sent.ciphertext.len(), usize::from(key.size / 8));
    if length != expected {
        let reason = format!("must be {expected} bytes long when decoded, but is {length}");
        return Err(Error::Illegal { field: "encryptedPassword", reason });
    }

    let enabled = identity::is_enabled(tx, sent.identity).await?;
    if !enabled.ok_or(Error::Unknown { field: "identityId", what: "an identity" })? {
        return Err(Error::Impossible("the identity is disabled".to_owned()));
    }
    let place = configuration.source(tx, sent.source).await?;
    let place = place.ok_or(Error::Unknown { field: "sourceId", what: "a source" })?;
    if !place.takes_passwords() {
        return Err(Error::no_passwords());
    }
    meant(&account::native_ids(tx, sent.identity, place.id).await?, &sent.account_sent)
}

/// The account among those that the identity has on the source. Directories compare names without regard to case; where
/// that leaves just one, it is meant.
fn meant(there: &[(AccountId, String)], sent: &str) -> Result<AccountId, Error> {
    if sent.is_empty() {
        return match there {
            [(only, _)] => Ok(*only),
            [] => Err(Error::Impossible("the identity has no account on this source".to_owned())),
            _ => Err(Error::Impossible("the identity has several accounts on this source: name one".to_owned())),
        };
    }
    if let Some((exact, _)) = there.iter().find(|(_, native_id)| native_id == sent) {
        return Ok(*exact);
    }
    let folded = sent.to_lowercase();
    let mut alike = there.iter().filter(|(_, native_id)| native_id.to_lowercase() == folded);
    match (alike.next(), alike.next()) {
        (Some((only, _)), None) => Ok(*only),
        _ => Err(Error::Unknown { field: "accountId", what: "an account of this identity on this source" }),
    }
}

fn new_change(app: &App, sent: &Sent, account: AccountId) -> Change {
    let now = app.clock.utc();
    let lifetime = TimeDelta::from_std(app.config.engine.lifetime).unwrap_or(DEFAULT_LIFETIME);
    Change {
        id: ChangeId::of(sent.identity, draw_id_at(now)),
        identity: sent.identity,
        // Taken when it is written.
        seq: 0,
        source: sent.source,
        account,
        transport_key: sent.key,
        state: ChangeState::Accepted,
        joined: None,
        refusals: Vec::new(),
        created_at: now,
        expires_at: now + lifetime,
        settled_at: None,
    }
}

/// Why the transaction was given up.
enum NotAccepted {
    /// The same request became this change before, or by another at the same time: there is nothing to be written.
    Before(Accepted),
    Refused(Error),
}

impl From<lockstep_store::Error> for NotAccepted {
    fn from(error: lockstep_store::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Error> for NotAccepted {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Judges, then writes everything at once. The claim is written first: of several identical requests at the same time all
/// but one wait there, and then find the change of the first.
async fn accept(app: &App, tx: &mut Tx<'_>, sent: &Sent) -> Result<Accepted, NotAccepted> {
    let submission = Submission {
        digest: &sent.digest,
        caller: &sent.caller,
        identity: sent.identity,
        source: sent.source,
        account_sent: &sent.account_sent,
    };
    let account = match judge(app, tx, sent).await {
        Ok(account) => account,
        Err(Error::Store(error)) => return Err(error.into()),
        Err(refusal) => {
            return Err(match submission::find(tx, &submission).await? {
                // What was accepted before stays accepted.
                Claim::Before(id) => before(tx, id).await?,
                Claim::Foreign => foreign().into(),
                Claim::New => refusal.into(),
            });
        }
    };
    let change = new_change(app, sent, account);
    match submission::claim(tx, &submission, change.id).await? {
        Claim::New => {}
        Claim::Before(id) => return Err(before(tx, id).await?),
        Claim::Foreign => return Err(foreign().into()),
    }
    let binding = Binding::Payload {
        change: change.id,
        identity: change.identity,
        account: change.account,
        source: change.source,
    };
    let payload = Payload { new: app.vault.seal(&binding, &sent.ciphertext), current: None };
    change::insert(tx, &change, &sent.caller, &sent.account_sent, &payload).await?;
    let goes_on = match &sent.within {
        None => true,
        Some(Within::Session(session, renewal)) => {
            session::asks_for(tx, *session, renewal, change.id, change.created_at).await?
        }
        Some(Within::Recovery(token)) => asks_within(tx, token, &change).await?,
    };
    if !goes_on {
        return Err(Error::Outdated.into());
    }
    let event = requested(&change, sent.actor);
    audit::append(tx, draw_id_at(event.at), &event).await?;
    if matches!(sent.within, Some(Within::Recovery(_))) {
        let forgotten = Event { action: Action::ForgotPasswordChange, ..event };
        audit::append(tx, draw_id_at(forgotten.at), &forgotten).await?;
    }
    Ok(Accepted { id: change.id, state: change.state })
}

/// Whether a recovery leads to this change; if so, to no other.
async fn asks_within(tx: &mut Tx<'_>, token: &[u8], change: &Change) -> Result<bool, lockstep_store::Error> {
    let held = recovery::hold(tx, token).await?.filter(|(whose, _)| *whose == change.identity);
    let Some(next) = held.and_then(|(_, held)| held.asks(change.id, change.created_at)) else { return Ok(false) };
    recovery::set_stage(tx, token, next.stage).await?;
    Ok(true)
}

fn requested(change: &Change, actor: Actor) -> Event {
    let at: DateTime<Utc> = change.created_at;
    Event {
        action: Action::PasswordsRequestStart,
        actor,
        identity: Some(change.identity),
        source: Some(change.source),
        account: Some(change.account),
        change: Some(change.id),
        at,
        outcome: Outcome::Passed,
        detail: BTreeMap::new(),
    }
}

/// Whoever captured a ciphertext could otherwise have it delivered to a system that they can read.
fn foreign() -> Error {
    let reason = "was sent before by somebody else, or for somebody else: encrypt the password anew".to_owned();
    Error::Illegal { field: "encryptedPassword", reason }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn account(number: u128, native_id: &str) -> (AccountId, String) {
        (AccountId(Uuid::from_u128(number)), native_id.to_owned())
    }

    #[test]
    fn an_account_that_is_not_named_is_the_only_one() {
        assert!(meant(&[], "").is_err());
        assert_eq!(meant(&[account(1, "a")], "").expect("one").0.as_u128(), 1);
        assert!(meant(&[account(1, "a"), account(2, "b")], "").is_err());
    }

    #[test]
    fn a_named_account_is_found_whatever_its_case_if_only_one_is_like_it() {
        let two = [account(1, "uid=Abby,dc=x"), account(2, "uid=abby,dc=x"), account(3, "uid=Bea,dc=x")];
        assert_eq!(meant(&two, "uid=abby,dc=x").expect("exact").0.as_u128(), 2);
        assert_eq!(meant(&two, "UID=bea,DC=X").expect("alike").0.as_u128(), 3);
        assert!(meant(&two, "UID=abby,DC=X").is_err(), "two are like it");
        assert!(meant(&two, "uid=*").is_err());
    }
}
