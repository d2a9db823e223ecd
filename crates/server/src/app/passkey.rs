//! Passkeys: a person's device shows who they are, by a signature that is good here only and after it has verified the person
//! itself. Alone it signs in; after a password, it is the second factor.
//!
//! What is to be signed is bound to the form that asks for it, and so to the browser that was shown the form; nothing is
//! stored until it comes back. It is good for an hour, and once.

use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::id::{IdentityId, PasskeyId};
use lockstep_store::passkey::{self, Passkey};
use lockstep_store::{Tx, second_factor};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::passkey::{Holder, Made, PublicKey, RelyingParty, Shown};
use lockstep_vault::secret::{Secret, draw_id_at};
use url::{Host, Url};
use uuid::Uuid;

use super::second_factor::{added, held_by, hold_to_add, recovery_codes, removed};
use super::session::OpenSession;
use super::{App, Error};
use crate::config::Config;

/// How long after its page was made a challenge is good: whoever opens a page need not come to it at once.
const LIFE: TimeDelta = TimeDelta::hours(1);

/// How far the calendars of two nodes may be apart.
const APART: TimeDelta = TimeDelta::minutes(15);

/// How many passkeys a person may have.
const MOST: usize = 20;

/// A passkey that has signed what it was asked to. Whether it is the first time is asked when it is used up.
pub struct Assertion {
    /// Whose it is.
    pub(super) identity: IdentityId,
    passkey: PasskeyId,
    counter: i64,
    challenge: Uuid,
}

/// What became of a new passkey.
pub enum Added {
    /// It is asked for from now on. With it, if it is the first second factor, the recovery codes.
    Done(Vec<Secret>),
    /// What came is none that was made for this page.
    Wrong,
    /// The person has too many, or this one is known.
    TooMany,
}

/// Whom passkeys are for; none where the public address has no name, for which browsers make none.
pub(super) fn relying_party(config: &Config) -> Option<RelyingParty> {
    let url = Url::parse(&config.public_url()).ok()?;
    let Some(Host::Domain(host)) = url.host() else { return None };
    let name = config.organisation.display_name.as_deref().unwrap_or("Lockstep");
    Some(RelyingParty::new(host, &url.origin().ascii_serialization(), name))
}

/// What a page with this form token asks of whichever passkey somebody chooses; none where passkeys cannot be had.
pub fn ask_anybody(app: &App, form_token: &str) -> Option<String> {
    app.passkeys.as_ref()?.ask_to_show(&challenge(app, form_token), &[]).ok()
}

/// What it asks of these; none where there are none.
pub fn ask(app: &App, known: Vec<Passkey>, form_token: &str) -> Option<String> {
    let known: Vec<PublicKey> = known.into_iter().map(public).collect();
    match known.is_empty() {
        true => None,
        false => app.passkeys.as_ref()?.ask_to_show(&challenge(app, form_token), &known).ok(),
    }
}

/// What it asks of a device that is to have a passkey of the person who is signed in.
pub async fn ask_to_make(app: &App, open: &OpenSession, form_token: &str) -> Result<Option<String>, Error> {
    let (Some(party), whose) = (&app.passkeys, open.session.identity) else { return Ok(None) };
    let known: Vec<PublicKey> = list(app, whose).await?.into_iter().map(public).collect();
    let handle = whose.0.as_bytes();
    let holder = Holder { handle, name: &open.alias, display_name: &open.display_name };
    Ok(party.ask_to_make(&challenge(app, form_token), holder, &known).ok())
}

/// The passkeys of a person.
pub async fn list(app: &App, whose: IdentityId) -> Result<Vec<Passkey>, Error> {
    let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(passkey::list_of(tx, whose)));
    read.await.map_err(Error::Store)
}

/// Verifies what a page with this form token sends on of a passkey. Where it is not right: whose passkey it says it is, if anybody's.
pub async fn check(
    app: &App,
    response: &str,
    form_token: &str,
) -> Result<Result<Assertion, Option<IdentityId>>, Error> {
    let (Some(party), Some(shown)) = (&app.passkeys, Shown::read(response)) else { return Ok(Err(None)) };
    let credential = shown.credential().to_vec();
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        let credential = credential.clone();
        Box::pin(async move { passkey::find(tx, &credential).await })
    });
    let Some(known) = read.await.map_err(Error::Store)? else { return Ok(Err(None)) };
    let (identity, passkey) = (known.identity, known.id);
    let challenge = own_challenge(app, shown.challenge(), form_token);
    let is_theirs = shown.handle().is_none_or(|handle| handle == identity.0.as_bytes());
    let Some(challenge) = challenge.filter(|_| is_theirs) else { return Ok(Err(Some(identity))) };
    match party.verify_shown(&shown, &public(known)) {
        Ok(counter) => Ok(Ok(Assertion { identity, passkey, counter, challenge })),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::info!(error, identity.id = %identity, "a passkey was refused");
            Ok(Err(Some(identity)))
        }
    }
}

/// Uses it up. Gives whether it was not yet, and the passkey is still there and only one.
pub(super) async fn count(tx: &mut Tx<'_>, shown: &Assertion, now: DateTime<Utc>) -> Result<bool, Error> {
    Ok(passkey::spend(tx, shown.challenge).await? && passkey::used(tx, shown.passkey, shown.counter, now).await?)
}

/// The person's device has made a passkey, in a browser of this name: from now on a second factor is asked for, and whoever
/// else is signed in as this person is signed out.
pub async fn add(
    app: &App,
    open: &OpenSession,
    name: String,
    response: &str,
    form_token: &str,
) -> Result<Added, Error> {
    let (Some(party), Some(made)) = (&app.passkeys, Made::read(response)) else { return Ok(Added::Wrong) };
    let Some(challenge) = own_challenge(app, made.challenge(), form_token) else { return Ok(Added::Wrong) };
    let made = match party.verify_made(&made) {
        Ok(made) => made,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::info!(error, identity.id = %open.session.identity, "a new passkey was refused");
            return Ok(Added::Wrong);
        }
    };
    let (now, identity, kept) = (app.clock.utc(), open.session.identity, open.session.id);
    let id = PasskeyId(draw_id_at(now));
    let PublicKey { credential, key: public_key, counter } = made;
    let new = Passkey { id, identity, credential, public_key, counter, name, created_at: now, used_at: None };
    let (codes, hashes) = recovery_codes(app, identity);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let (new, hashes) = (new.clone(), hashes.clone());
        Box::pin(async move {
            let held = hold_to_add(tx, identity, kept).await?;
            if !passkey::spend(tx, challenge).await? {
                return Ok(None);
            }
            if held.passkeys >= MOST as i64 || !passkey::insert(tx, &new).await? {
                return Ok(Some((false, false)));
            }
            Ok::<_, Error>(Some((true, added(tx, identity, kept, &held, &hashes, now).await?)))
        })
    });
    Ok(match written.await? {
        None => Added::Wrong,
        Some((false, _)) => Added::TooMany,
        Some((true, is_first)) => Added::Done(if is_first { codes } else { Vec::new() }),
    })
}

/// The person has this passkey no more.
pub async fn remove(app: &App, open: &OpenSession, id: PasskeyId) -> Result<(), Error> {
    let (now, identity, kept) = (app.clock.utc(), open.session.identity, open.session.id);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            held_by(tx, identity, kept).await?;
            match second_factor::remove_passkey(tx, identity, id).await? {
                true => removed(tx, identity, kept, now).await,
                false => Ok(()),
            }
        })
    });
    written.await
}

/// Forgets the challenges that are too old to come back.
pub(crate) async fn forget_spent(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<(), lockstep_store::Error> {
    // One node may have made it, another looks whether it is spent, and a third forgets.
    passkey::forget_spent(tx, first_id_of(now - LIFE - APART - APART)).await
}

/// The first id there can be of a moment.
fn first_id_of(at: DateTime<Utc>) -> Uuid {
    let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid()
}

/// A new challenge: an id with its time in it, and a keyed hash of that and of the form that asks.
fn challenge(app: &App, form_token: &str) -> Vec<u8> {
    let id = draw_id_at(app.clock.utc());
    let mut bytes = id.as_bytes().to_vec();
    bytes.extend_from_slice(&digest(app, id, form_token));
    bytes
}

/// The id of a challenge, if it is one of ours for this form, and not too old.
fn own_challenge(app: &App, bytes: &[u8], form_token: &str) -> Option<Uuid> {
    let (id, hash) = bytes.split_at_checked(16)?;
    let id = Uuid::from_slice(id).ok()?;
    let made = app.vault.verify_keyed_hash(HashPurpose::PasskeyChallenge, &hashed(id, form_token), hash);
    (made && is_good(id, app.clock.utc())).then_some(id)
}

/// Whether a challenge of ours is young enough.
fn is_good(id: Uuid, now: DateTime<Utc>) -> bool {
    first_id_of(now - LIFE) <= id && id <= first_id_of(now + APART)
}

fn digest(app: &App, id: Uuid, form_token: &str) -> [u8; 32] {
    app.vault.keyed_hash(HashPurpose::PasskeyChallenge, &hashed(id, form_token))
}

/// The id has one length, so no two pairs are the same bytes.
fn hashed(id: Uuid, form_token: &str) -> Vec<u8> {
    [id.as_bytes(), form_token.as_bytes()].concat()
}

fn public(passkey: Passkey) -> PublicKey {
    let Passkey { credential, public_key: key, counter, .. } = passkey;
    PublicKey { credential, key, counter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_for_an_hour_and_remembered_until_it_is_over() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        for (made, good) in [
            (TimeDelta::zero(), true),
            (LIFE - TimeDelta::seconds(1), true),
            (LIFE + TimeDelta::seconds(1), false),
            (TimeDelta::seconds(1) - APART, true),
            (-APART - TimeDelta::seconds(1), false),
        ] {
            let id = draw_id_at(now - made);
            assert_eq!(is_good(id, now), good, "{made}");
            // What is good on a node whose calendar is behind is not forgotten by one whose is ahead.
            assert!(!is_good(id, now - APART) || id >= first_id_of(now - LIFE - APART - APART), "{made}");
        }
    }

    #[test]
    fn there_are_passkeys_only_where_the_address_has_a_name() {
        let config = |url: &str| -> Config {
            toml::from_str(&format!("base-url = \"{url}\"\n[store]\nurl = \"sqlite:x\"\n[master-key]\nfile = \"k\""))
                .unwrap()
        };
        assert!(relying_party(&config("https://passwords.example.test/")).is_some());
        assert!(relying_party(&config("http://localhost:8080")).is_some());
        for without in ["https://192.0.2.7", "https://[2001:db8::1]:8443", "nowhere"] {
            assert!(relying_party(&config(without)).is_none(), "{without}");
        }
    }
}
