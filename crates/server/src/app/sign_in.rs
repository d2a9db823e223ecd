//! Signing a person in: with the password of the source that keeps it (the built-in one, or another that has `AUTHENTICATE`),
//! and with their second factor if they have one; or with a passkey.
//!
//! Whoever is refused learns nothing: not whether there is such a person, whether they are disabled, locked out or must change
//! their password first, or whether the password was right all the same. The same work is done for all of them, and the try
//! is counted before the password is looked at, so that many at once are no more than many one after another.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lockstep_connectors::{AccountRef, MustChange, SignIn as Answer};
use lockstep_core::account::Account;
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::id::{IdentityId, SessionId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_core::session::{Origin, Session};
use lockstep_core::sign_in::Tries;
use lockstep_core::source::Feature;
use lockstep_store::sign_in_password::SignInPassword;
use lockstep_store::{
    Tx, account, aggregation, audit, history, identity, session, sign_in_password, source, source_sign_in,
};
use lockstep_vault::hash::{HashPurpose, PasswordHash, Salt};
use lockstep_vault::secret::{Secret, draw_id_at, draw_token};

use super::must_change::is_to_be_changed;
use super::passkey::Assertion;
use super::second_factor::{self, Second};
use super::{App, Error, own_hash, passed, passkey};

/// A person who has shown a moment ago who they are.
pub struct SignedIn {
    /// Who.
    pub identity: IdentityId,
    /// Whether their password must be changed before anything else.
    pub(super) must_change: bool,
    /// The hash of that password, where it was shown.
    pub(super) worn: Option<Vec<u8>>,
    /// What was shown.
    shown: Shown,
    /// What was shown besides.
    second: Option<Besides>,
}

/// What somebody came in with.
enum Shown {
    /// The built-in source's password of this hash, which is still the stored one or the proof is worth nothing.
    Password(Vec<u8>),
    /// The password of this account, which is still the one that the person signs in with, and was not changed since.
    OfSource(Account, Option<DateTime<Utc>>),
    /// A passkey, which asks for nothing besides: the device has verified its person itself.
    Passkey(Assertion),
}

/// What was shown after the password.
struct Besides {
    /// The half-open session that goes with the password.
    half: SessionId,
    second: Second,
}

/// How far somebody has come in whose password was right.
pub enum Entered<T> {
    /// In: what that is worth.
    In(T),
    /// Their second factor is asked for. What the next form has to bring back.
    Halfway(Secret),
}

impl<T> Entered<T> {
    /// The same, where being in is worth this.
    pub(super) fn worth<U>(self, worth: U) -> Entered<U> {
        match self {
            Self::In(_) => Entered::In(worth),
            Self::Halfway(token) => Entered::Halfway(token),
        }
    }
}

/// What a password is tried for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A session on the pages, which may begin with a password that must be changed.
    Session,
    /// Signing in at a client.
    Client,
    /// Showing once more who one is.
    Proof,
}

/// What a try found before the password is looked at.
struct Attempt {
    person: Option<Identity>,
    keeper: Option<Keeper>,
    /// How many tries in a row this makes; none where nobody is let in for now.
    tries: Option<i64>,
    /// How many lock.
    most_tries: i64,
    /// Whether sources are asked for anybody.
    asks_sources: bool,
}

/// Who knows whether a password is a person's.
enum Keeper {
    /// The built-in source.
    Here { stored: SignInPassword, salt: Option<Salt> },
    /// The source of this account; and from when on the person's tokens count, which is later after every change of the
    /// password.
    Source(Account, Option<DateTime<Utc>>),
}

/// Where sources are asked, an answer comes at the end of one of these after it was asked for, so that its time does not tell
/// whether one was.
const GRAIN: Duration = Duration::from_millis(250);

/// Tries a password. None: not let in.
///
/// # Errors
/// [`Error::Unavailable`] when it is a source's and the source cannot be asked now; then it counts for nothing.
pub async fn sign_in(app: &App, alias: &str, password: Password, purpose: Purpose) -> Result<Option<SignedIn>, Error> {
    let (now, begun) = (app.clock.utc(), app.clock.monotonic());
    // What can be no login name is nobody's.
    let sought = if alias.chars().any(char::is_control) { String::new() } else { alias.to_owned() };
    let within = app.clone();
    let attempting =
        app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { attempt(&within, tx, &sought, now).await }));
    let attempt: Attempt = attempting.await.map_err(Error::Store)?;
    let asks_sources = attempt.asks_sources;
    // Whoever does not wait for the answer must not leave a try behind that was none.
    let within = app.clone();
    let judging = tokio::spawn(async move { judge(&within, &attempt, password, purpose).await });
    let answer = judging.await.map_err(|_| Error::Lacking("what judges a sign-in"))?;
    if asks_sources {
        let past = app.clock.monotonic().saturating_sub(begun).as_micros() % GRAIN.as_micros();
        tokio::time::sleep(GRAIN - Duration::from_micros(past as u64)).await;
    }
    answer
}

async fn judge(app: &App, attempt: &Attempt, password: Password, purpose: Purpose) -> Result<Option<SignedIn>, Error> {
    let known = match (&attempt.keeper, attempt.tries) {
        (Some(Keeper::Here { stored, salt }), Some(_)) => PasswordHash::from_bytes(&stored.hash).ok().zip(*salt),
        _ => None,
    };
    let (vault, tried) = (app.vault.clone(), password.clone());
    let right_here = app.compute(move || match known {
        Some((hash, salt)) => vault.passwords().verify(&tried, &salt, &hash),
        None => {
            vault.passwords().spend(&tried);
            false
        }
    });
    let right_here = right_here.await.map_err(|_| Error::Lacking("what computes hashes"))?;
    let let_in = match (&attempt.person, &attempt.keeper) {
        (Some(person), Some(Keeper::Here { stored, .. })) if right_here && person.enabled => {
            Some((person, stored.must_change, None, Shown::Password(stored.hash.clone())))
        }
        (Some(person), Some(Keeper::Source(account, since))) if attempt.tries.is_some() && person.enabled => {
            let right = ask(app, person.id, account, &password).await?;
            right.map(|Said(why)| (person, false, why, Shown::OfSource(account.clone(), *since)))
        }
        _ => None,
    };
    let Some((person, is_wanted, said, shown)) = let_in else {
        refuse(app, attempt, Action::AuthenticationFailed, purpose).await?;
        return Ok(None);
    };
    // Asked of nobody whose password was wrong: it takes longer for whoever is known. Whoever knows the password comes in on the pages.
    let asking = async {
        let must_change = is_wanted || is_to_be_changed(app, person.clone(), said, Some(password.clone())).await?;
        let worn = match &shown {
            _ if !must_change || purpose != Purpose::Session => None,
            Shown::Password(hash) => Some(hash.clone()),
            _ => Some(own_hash::hash(app, person.id, password).await?),
        };
        Ok((must_change, worn))
    };
    let (must_change, worn) = match asking.await {
        Ok(known) => known,
        Err(error) => {
            // It was right.
            take_back(app, person).await?;
            return Err(error);
        }
    };
    if must_change && purpose == Purpose::Client {
        // It was right: a client that tries again and again keeps nobody out of where they change it.
        take_back(app, person).await?;
        refuse(app, attempt, Action::AuthenticationExpired, purpose).await?;
        return Ok(None);
    }
    Ok(Some(SignedIn { identity: person.id, must_change, worn, shown, second: None }))
}

/// Takes a try back that was no wrong one.
async fn take_back(app: &App, person: &Identity) -> Result<(), Error> {
    let (id, is_here) = (person.id, person.sign_in_source == SourceId::IDENTITY_NOW);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            match is_here {
                true => sign_in_password::take_back(tx, id).await,
                false => source_sign_in::take_back(tx, id).await,
            }
        })
    });
    written.await.map_err(Error::Store)
}

/// Asks the source of an account whether the password is its, and what it says of a right one. What it did not compare is no wrong
/// try.
async fn ask(app: &App, whose: IdentityId, account: &Account, password: &Password) -> Result<Option<Said>, Error> {
    let source = account.source;
    let there = AccountRef { native_id: account.native_id.clone(), name: account.name.clone() };
    let error = match app.sources.sign_in(source, &there, password).await {
        Ok(Answer::Right) => return Ok(Some(Said(None))),
        Ok(Answer::MustChange(why)) => return Ok(Some(Said(Some(why)))),
        // Not accepted counts, too: where a right password would have been, not to count the others is to let them be guessed.
        Ok(Answer::Wrong | Answer::NotAccepted(_)) => return Ok(None),
        Ok(Answer::Unable(failure)) => failure.to_string(),
        Ok(Answer::Unsupported) => "its settings do not say how a password is tried".to_owned(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(error, source.id = %source, identity.id = %whose, "a source could not be asked for a password");
    let taking =
        app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { source_sign_in::take_back(tx, whose).await }));
    taking.await.map_err(Error::Store)?;
    Err(Error::Unavailable("the system that knows the password cannot be asked now".to_owned()))
}

/// What a source says of a right password: why it must be changed, if it must.
struct Said(Option<MustChange>);

/// Whoever has shown a passkey, as a page with this form token sends it on. None: not let in.
pub async fn with_passkey(
    app: &App,
    response: &str,
    form_token: &str,
    purpose: Purpose,
) -> Result<Option<SignedIn>, Error> {
    let assertion = match passkey::check(app, response, form_token).await? {
        Ok(assertion) => assertion,
        Err(whose) => return not_let_in(app, whose, Action::AuthenticationFailed).await,
    };
    let identity = assertion.identity;
    let Some(Known { person, must_change, worn }) = person(app, identity).await?.filter(|known| known.person.enabled)
    else {
        return not_let_in(app, Some(identity), Action::AuthenticationFailed).await;
    };
    // Its source is not asked: without a password there is nothing to ask it for.
    let must_change = must_change || is_to_be_changed(app, person, None, None).await?;
    if must_change && purpose == Purpose::Client {
        return not_let_in(app, Some(identity), Action::AuthenticationExpired).await;
    }
    let worn = worn.filter(|_| must_change);
    Ok(Some(SignedIn { identity, must_change, worn, shown: Shown::Passkey(assertion), second: None }))
}

/// Somebody as they are now, and whether an administrator wants their built-in password changed.
struct Known {
    person: Identity,
    must_change: bool,
    /// The hash of that one.
    worn: Option<Vec<u8>>,
}

async fn person(app: &App, identity: IdentityId) -> Result<Option<Known>, Error> {
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let Some(person) = identity::find(tx, identity).await? else { return Ok(None) };
            // A passkey is no way around a source that signs its person in no more.
            if person.sign_in_source != SourceId::IDENTITY_NOW && keeper(tx, &person).await?.is_none() {
                return Ok(None);
            }
            let stored = sign_in_password::find(tx, identity).await?;
            let stored = stored.filter(|_| person.sign_in_source == SourceId::IDENTITY_NOW);
            let must_change = stored.as_ref().is_some_and(|stored| stored.must_change);
            Ok(Some(Known { person, must_change, worn: stored.map(|stored| stored.hash) }))
        })
    });
    read.await.map_err(Error::Store)
}

/// Whoever is halfway in by a token.
pub struct Halfway {
    /// Who.
    pub identity: IdentityId,
    half: SessionId,
    must_change: bool,
    worn: Option<Vec<u8>>,
    shown: Shown,
}

impl Halfway {
    /// All the way, with their second factor. Whether it is right is asked when it is used up.
    pub fn with(self, second: Second) -> SignedIn {
        let Self { identity, half, must_change, worn, shown } = self;
        SignedIn { identity, must_change, worn, shown, second: Some(Besides { half, second }) }
    }
}

/// Whoever is half in by this token; none where it is good for nothing any more.
pub async fn halfway(app: &App, token: &str, purpose: Purpose) -> Result<Option<Halfway>, Error> {
    let (now, within) = (app.clock.utc(), app.clone());
    let hash = app.vault.keyed_hash(HashPurpose::Session, token.as_bytes());
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let found = session::standing(tx, &hash).await?;
            let Some(found) = found.filter(|found| found.enabled && found.session.half_open) else { return Ok(None) };
            let settings = within.configuration.of(found.configuration).auth_org(tx).await?;
            if !found.session.lives(now, &settings.session) {
                return Ok(None);
            }
            let Session { identity, id: half, must_change, .. } = found.session;
            if must_change && purpose == Purpose::Client {
                return Ok(None);
            }
            let worn = session::worn(tx, half).await?;
            let person = identity::get(tx, identity).await?;
            if person.sign_in_source != SourceId::IDENTITY_NOW {
                // Whoever signs in with another since was signed out, half-open sessions too.
                let since = identity::tokens_valid_from(tx, identity).await?;
                let shown = keeper(tx, &person).await?.map(|account| Shown::OfSource(account, since));
                return Ok(shown.map(|shown| Halfway { identity, half, must_change, worn, shown }));
            }
            let stored = sign_in_password::find(tx, identity).await?;
            let shown = stored.map(|stored| Shown::Password(stored.hash));
            Ok(shown.map(|shown| Halfway { identity, half, must_change, worn, shown }))
        })
    });
    read.await.map_err(Error::Store)
}

/// Writes down, with whatever the sign-in leads to, that it was right. None where it is not any more: the password may have been
/// changed since, or the person been disabled, which nobody may until the transaction ends; or the second factor was wrong.
/// Whoever has one and has not shown it is halfway in.
pub(super) async fn confirm(
    app: &App,
    tx: &mut Tx<'_>,
    signed_in: &SignedIn,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Option<Entered<()>>, Error> {
    let identity = signed_in.identity;
    if !still_stands(tx, signed_in, now).await? {
        second_factor::refused(tx, Action::AuthenticationFailed, identity, now).await?;
        return Ok(None);
    }
    match (&signed_in.shown, second_factor::is_asked_for(tx, identity).await?, &signed_in.second) {
        // The device has verified its person.
        (Shown::Passkey(_), _, _) | (_, false, None) => {}
        // It was taken away meanwhile.
        (_, false, Some(besides)) => {
            if !session::end(tx, besides.half, now).await? {
                return Ok(None);
            }
        }
        (_, true, None) => {
            let token = draw_token();
            let half = Session { half_open: true, ..session_of(signed_in, now) };
            let hash = app.vault.keyed_hash(HashPurpose::Session, token.expose().as_bytes());
            session::insert(tx, &half, origin, &hash, signed_in.worn.as_deref()).await?;
            return Ok(Some(Entered::Halfway(token)));
        }
        (_, true, Some(besides)) => {
            let right =
                second_factor::show(app, tx, identity, &besides.second, Action::MfaVerificationFailed, now).await?;
            // Of two who are halfway in by the same token only the first comes in.
            if !right || !session::end(tx, besides.half, now).await? {
                return Ok(None);
            }
        }
    }
    audited(tx, Action::AuthenticationPassed, identity, now).await?;
    Ok(Some(Entered::In(())))
}

/// Holds a person, and sees that what they have shown still lets them in; what is good once is used up. The wrong tries before it
/// are forgotten.
async fn still_stands(tx: &mut Tx<'_>, signed_in: &SignedIn, now: DateTime<Utc>) -> Result<bool, Error> {
    let identity = signed_in.identity;
    // Before the person, as everybody who changes a password holds them.
    let stands = match &signed_in.shown {
        Shown::Password(hash) => sign_in_password::forgive(tx, identity, hash).await?,
        Shown::OfSource(..) | Shown::Passkey(_) => true,
    };
    aggregation::hold_people(tx, &[identity]).await?;
    let person = identity::find(tx, identity).await?.filter(|person| person.enabled);
    let Some(person) = person.filter(|_| stands) else { return Ok(false) };
    let (account, since) = match &signed_in.shown {
        Shown::Password(_) => return Ok(person.sign_in_source == SourceId::IDENTITY_NOW),
        Shown::Passkey(assertion) => {
            let is_let_in = person.sign_in_source == SourceId::IDENTITY_NOW || keeper(tx, &person).await?.is_some();
            return Ok(is_let_in && passkey::count(tx, assertion, now).await?);
        }
        Shown::OfSource(account, since) => (account, since),
    };
    source_sign_in::forgive(tx, identity).await?;
    let is_theirs = keeper(tx, &person).await?.is_some_and(|own| own.id == account.id && own.source == account.source);
    Ok(is_theirs && identity::tokens_valid_from(tx, identity).await? == *since)
}

/// The session that a sign-in begins.
pub(super) fn session_of(signed_in: &SignedIn, now: DateTime<Utc>) -> Session {
    let session = Session::begin(SessionId(draw_id_at(now)), signed_in.identity, now);
    Session { must_change: signed_in.must_change, ..session }
}

/// The same where the person was signed in already, and has shown once more who they are.
pub(super) async fn prove(tx: &mut Tx<'_>, signed_in: &SignedIn, now: DateTime<Utc>) -> Result<bool, Error> {
    let stands = still_stands(tx, signed_in, now).await?;
    if stands {
        audited(tx, Action::UserStepUpAuth, signed_in.identity, now).await?;
    }
    Ok(stands)
}

/// Writes down that a person did this themselves.
pub(super) async fn audited(
    tx: &mut Tx<'_>,
    action: Action,
    identity: IdentityId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let event = passed(action, Actor::Identity(identity), Some(identity), now);
    Ok(audit::append(tx, draw_id_at(now), &event).await?)
}

/// Writes down that somebody was not let in who did not show a password.
async fn not_let_in(app: &App, whose: Option<IdentityId>, why: Action) -> Result<Option<SignedIn>, Error> {
    let now = app.clock.utc();
    let refused = Event { outcome: Outcome::Failed, ..passed(why, Actor::Nobody, whose, now) };
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let refused = refused.clone();
        Box::pin(async move { audit::append(tx, draw_id_at(now), &refused).await })
    });
    written.await.map_err(Error::Store)?;
    Ok(None)
}

async fn attempt(
    app: &App,
    tx: &mut Tx<'_>,
    alias: &str,
    now: DateTime<Utc>,
) -> Result<Attempt, lockstep_store::Error> {
    let lockout = app.configuration.read(tx).await?.auth_org(tx).await?.lockout;
    let most_tries = lockout.maximum_attempts;
    let person = identity::find_by_alias(tx, alias).await?;
    let asks_sources = identity::sign_in_elsewhere(tx).await?;
    if let Some(person) = person.as_ref().filter(|person| person.sign_in_source != SourceId::IDENTITY_NOW) {
        let since = identity::tokens_valid_from(tx, person.id).await?;
        let keeper = keeper(tx, person).await?.map(|account| Keeper::Source(account, since));
        let tries = source_sign_in::hold(tx, person.id).await?.one_more(now, &lockout);
        if let Some(tries) = tries {
            source_sign_in::tried(tx, person.id, tries, now).await?;
        }
        return Ok(Attempt { person: Some(person.clone()), keeper, tries, most_tries, asks_sources });
    }
    let id = person.as_ref().map_or(IdentityId(uuid::Uuid::nil()), |person| person.id);
    let stored = sign_in_password::hold(tx, id).await?.filter(|_| person.is_some());
    let salt = history::find_salt(tx, id).await?.and_then(|salt| salt.try_into().ok()).map(Salt);
    let tries = stored
        .as_ref()
        .and_then(|stored| Tries { failures: stored.failures, failed_at: stored.failed_at }.one_more(now, &lockout));
    match tries {
        Some(tries) => sign_in_password::tried(tx, id, tries, now).await?,
        None => sign_in_password::tried_at_nobodys(tx, now).await?,
    }
    let keeper = stored.map(|stored| Keeper::Here { stored, salt });
    Ok(Attempt { person, keeper, tries, most_tries, asks_sources })
}

/// The account with whose password a person signs in: that of their name on the source, or the only one they have there. None
/// where the source signs nobody in, and for the built-in one.
pub(crate) async fn keeper(tx: &mut Tx<'_>, person: &Identity) -> Result<Option<Account>, lockstep_store::Error> {
    if person.sign_in_source == SourceId::IDENTITY_NOW {
        return Ok(None);
    }
    let source = source::find(tx, person.sign_in_source).await?;
    let Some(source) = source.filter(|source| source.features.contains(&Feature::Authenticate)) else {
        return Ok(None);
    };
    let mut there = account::list_of(tx, person.id).await?;
    there.retain(|account| account.source == source.id && !account.vanished);
    let named = there.iter().position(|account| account.name.eq_ignore_ascii_case(&person.alias));
    Ok(match (named, there.len()) {
        (Some(named), _) => Some(there.swap_remove(named)),
        (None, 1) => Some(there.swap_remove(0)),
        _ => None,
    })
}

async fn refuse(app: &App, attempt: &Attempt, why: Action, purpose: Purpose) -> Result<(), Error> {
    let now = app.clock.utc();
    let locked = attempt.keeper.is_some() && attempt.tries.is_none();
    let action = match purpose {
        Purpose::Proof => Action::UserStepUpAuthFailure,
        _ if locked => Action::AuthenticationLocked,
        _ => why,
    };
    let identity = attempt.person.as_ref().map(|person| person.id);
    let refused = Event { outcome: Outcome::Failed, ..passed(action, Actor::Nobody, identity, now) };
    let is_last =
        attempt.tries.is_some_and(|tries| tries >= attempt.most_tries) && why != Action::AuthenticationExpired;
    let lock = is_last.then(|| passed(Action::UserLock, Actor::Nobody, identity, now));
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
