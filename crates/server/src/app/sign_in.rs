//! Signing a person in with the password of the built-in source.
//!
//! Whoever is refused learns nothing: not whether there is such a person, whether they are disabled, locked out or must change
//! their password first, or whether the password was right all the same. The same work is done for all of them, and the try
//! is counted before the password is looked at, so that many at once are no more than many one after another.

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::id::{IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_core::sign_in::{TRIES, Tries};
use lockstep_store::sign_in_password::SignInPassword;
use lockstep_store::{Tx, audit, history, identity, sign_in_password};
use lockstep_vault::hash::{PasswordHash, Salt};
use lockstep_vault::secret::draw_id_at;

use super::{App, Error, passed};

/// A person whose password was right a moment ago.
pub struct SignedIn {
    /// Who.
    pub identity: IdentityId,
    /// The hash of it, which is still the stored one or the proof is worth nothing.
    hash: Vec<u8>,
}

/// What a try found before the password is looked at.
struct Attempt {
    person: Option<Identity>,
    stored: Option<SignInPassword>,
    salt: Option<Salt>,
    /// How many tries in a row this makes; none where nobody is let in for now.
    tries: Option<i64>,
}

/// Tries a password. None: not let in.
pub async fn sign_in(app: &App, alias: &str, password: Password) -> Result<Option<SignedIn>, Error> {
    let now = app.clock.utc();
    // What can be no login name is nobody's.
    let sought = if alias.chars().any(char::is_control) { String::new() } else { alias.to_owned() };
    let begun = app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { attempt(tx, &sought, now).await }));
    let attempt: Attempt = begun.await.map_err(Error::Store)?;
    let hash = attempt.stored.as_ref().and_then(|stored| PasswordHash::from_bytes(&stored.hash).ok());
    let known = hash.zip(attempt.salt).filter(|_| attempt.tries.is_some());
    let vault = app.vault.clone();
    let right = app.compute(move || match known {
        Some((hash, salt)) => vault.passwords().verify(&password, &salt, &hash),
        None => {
            vault.passwords().spend(&password);
            false
        }
    });
    let right = right.await.map_err(|_| Error::Lacking("what computes hashes"))?;

    // Only the built-in source's password signs in here, and only those whose password it is.
    let usable = |person: &Identity| person.enabled && person.sign_in_source == SourceId::IDENTITY_NOW;
    match (&attempt.person, &attempt.stored) {
        (Some(person), Some(stored)) if right && usable(person) && !stored.must_change => {
            Ok(Some(SignedIn { identity: person.id, hash: stored.hash.clone() }))
        }
        _ => {
            refuse(app, &attempt).await?;
            Ok(None)
        }
    }
}

/// Writes down, with whatever the sign-in leads to, that it was right. Gives whether it still is: the password may have been
/// changed since, and cannot be until the transaction ends.
pub(super) async fn confirm(
    tx: &mut Tx<'_>,
    signed_in: &SignedIn,
    now: DateTime<Utc>,
) -> Result<bool, lockstep_store::Error> {
    stands(tx, signed_in, Action::AuthenticationPassed, now).await
}

/// The same where the person was signed in already, and has shown once more who they are.
pub(super) async fn prove(
    tx: &mut Tx<'_>,
    signed_in: &SignedIn,
    now: DateTime<Utc>,
) -> Result<bool, lockstep_store::Error> {
    stands(tx, signed_in, Action::UserStepUpAuth, now).await
}

async fn stands(
    tx: &mut Tx<'_>,
    signed_in: &SignedIn,
    action: Action,
    now: DateTime<Utc>,
) -> Result<bool, lockstep_store::Error> {
    let identity = signed_in.identity;
    let stands = sign_in_password::forgive(tx, identity, &signed_in.hash).await?;
    if stands {
        let event = passed(action, Actor::Identity(identity), Some(identity), now);
        audit::append(tx, draw_id_at(now), &event).await?;
    }
    Ok(stands)
}

async fn attempt(tx: &mut Tx<'_>, alias: &str, now: DateTime<Utc>) -> Result<Attempt, lockstep_store::Error> {
    let person = identity::find_by_alias(tx, alias).await?;
    let id = person.as_ref().map_or(IdentityId(uuid::Uuid::nil()), |person| person.id);
    let stored = sign_in_password::hold(tx, id).await?.filter(|_| person.is_some());
    let salt = history::find_salt(tx, id).await?.and_then(|salt| salt.try_into().ok()).map(Salt);
    let tries = stored
        .as_ref()
        .and_then(|stored| Tries { failures: stored.failures, failed_at: stored.failed_at }.one_more(now));
    match tries {
        Some(tries) => sign_in_password::tried(tx, id, tries, now).await?,
        None => sign_in_password::tried_at_nobodys(tx, now).await?,
    }
    Ok(Attempt { person, stored, salt, tries })
}

async fn refuse(app: &App, attempt: &Attempt) -> Result<(), Error> {
    let now = app.clock.utc();
    let locked = attempt.stored.is_some() && attempt.tries.is_none();
    let action = if locked { Action::AuthenticationLocked } else { Action::AuthenticationFailed };
    let identity = attempt.person.as_ref().map(|person| person.id);
    let refused = Event { outcome: Outcome::Failed, ..passed(action, Actor::Nobody, identity, now) };
    let lock = (attempt.tries == Some(TRIES)).then(|| passed(Action::UserLock, Actor::Nobody, identity, now));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            for event in [Some(&refused), lock.as_ref()].into_iter().flatten() {
                audit::append(tx, draw_id_at(now), event).await?;
            }
            Ok(())
        })
    });
    written.await.map_err(Error::Store)
}
