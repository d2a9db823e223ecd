//! Sessions on the pages: signing in, being known by what the browser has, and signing out.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use lockstep_core::audit::Action;
use lockstep_core::auth_org::{AuthOrg, SessionConfig};
use lockstep_core::id::{IdentityId, SessionId, SourceId};
use lockstep_core::scope::UserLevel;
use lockstep_core::session::{Origin, Session};
use lockstep_store::session::{self, Renewal};
use lockstep_store::{Tx, aggregation};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_token};

use super::configuration::Configuration;
use super::second_factor::{self, Second};
use super::sign_in::{self, Entered, SignedIn};
use super::{App, Error};

/// A session that goes on, and whose it is.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// The session.
    pub session: Session,
    /// What the person is in the organisation.
    pub levels: BTreeSet<UserLevel>,
    /// What the person is called.
    pub display_name: String,
    /// The name that they sign in with.
    pub alias: String,
    /// With whose password they sign in.
    pub sign_in_source: SourceId,
    /// Whether they show a second factor when they are asked who they are, and not the password.
    pub has_second_factor: bool,
    /// The sign-in settings that are in force.
    pub settings: Arc<AuthOrg>,
    /// The hash of the token that their browser has.
    held: [u8; 32],
}

impl OpenSession {
    /// A token in place of the one that the browser has, and what is stored for that.
    pub(super) fn renew(&self, app: &App) -> (Secret, Renewal) {
        let token = draw_token();
        let next = digest(app, token.expose());
        (token, Renewal { held: self.held, next })
    }
}

/// Begins a session. Gives the token that the browser is to have; none where the sign-in is worth nothing any more.
pub async fn begin(app: &App, signed_in: SignedIn, origin: Origin) -> Result<Option<Entered<Secret>>, Error> {
    let (now, token, within) = (app.clock.utc(), draw_token(), app.clone());
    let hash = digest(app, token.expose());
    let session = sign_in::session_of(&signed_in, now);
    let begun = Arc::new((signed_in, origin, session));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let (within, begun) = (within.clone(), begun.clone());
        Box::pin(async move {
            let (signed_in, origin, session) = &*begun;
            let entered = sign_in::confirm(&within, tx, signed_in, origin, now).await?;
            if let Some(Entered::In(())) = entered {
                session::insert(tx, session, origin, &hash, signed_in.worn.as_deref()).await?;
            }
            Ok::<_, Error>(entered)
        })
    });
    Ok(written.await?.map(|entered| entered.worth(token)))
}

/// The session of a token, as the database has it at this moment; none where it does not go on. That it is used is written
/// down.
pub async fn find(app: &App, token: &str) -> Result<Option<OpenSession>, Error> {
    let found = find_and(app, token, |_: &mut Tx<'_>, _: &OpenSession, _| Box::pin(async {})).await?;
    Ok(found.map(|(open, ())| open))
}

/// The same, and what else is read for whoever it is of, under the same configuration: in one transaction, as it is for a page.
pub(super) async fn find_and<T, F>(app: &App, token: &str, read: F) -> Result<Option<(OpenSession, T)>, Error>
where
    F: for<'a> FnOnce(&'a mut Tx<'_>, &OpenSession, Arc<Configuration>) -> BoxFuture<'a, T> + Send + 'static,
    T: Send + 'static,
{
    let (now, hash, within) = (app.clock.utc(), digest(app, token), app.clone());
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let Some((open, configuration)) = standing(&within, tx, hash, now).await? else { return Ok(None) };
            let besides = read(tx, &open, configuration).await;
            Ok::<_, Error>(Some((open, besides)))
        })
    });
    let found = found.await?;
    if let Some((OpenSession { session, .. }, _)) = &found
        && session.is_noted(now)
    {
        let id = session.id;
        let note = app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { session::used(tx, id, now).await }));
        note.await.map_err(Error::Store)?;
    }
    Ok(found)
}

/// The same for a page that asks by itself: nobody may be sitting before it.
pub async fn look(app: &App, token: &str) -> Result<Option<OpenSession>, Error> {
    let (now, hash, within) = (app.clock.utc(), digest(app, token), app.clone());
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move { Ok(standing(&within, tx, hash, now).await?.map(|(open, _)| open)) })
    });
    read.await
}

async fn standing(
    app: &App,
    tx: &mut Tx<'_>,
    hash: [u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<(OpenSession, Arc<Configuration>)>, Error> {
    let found = session::standing(tx, &hash).await?;
    let Some(found) = found.filter(|found| found.enabled && !found.session.half_open) else { return Ok(None) };
    let configuration = app.configuration.of(found.configuration);
    let settings = configuration.auth_org(tx).await?;
    if !found.session.lives(now, &settings.session) {
        return Ok(None);
    }
    let open = OpenSession {
        session: found.session,
        levels: found.levels,
        display_name: found.display_name,
        alias: found.alias,
        sign_in_source: found.sign_in_source,
        has_second_factor: found.has_second_factor,
        settings,
        held: hash,
    };
    Ok(Some((open, configuration)))
}

/// With what a person shows once more who they are.
pub enum Proof {
    /// The sign-in password: whoever has no second factor.
    Password(Box<SignedIn>),
    /// The second factor: whoever has one.
    Second(Second),
}

/// The person shows once more who they are. Gives the token that the browser is to have from now on; none where the proof is
/// wrong, somebody else's, or not the one that is asked for.
///
/// # Errors
/// [`Error::Outdated`] when the session has ended meanwhile, or goes on under another token already.
pub async fn prove(app: &App, open: &mut OpenSession, proof: Proof) -> Result<Option<Secret>, Error> {
    let (now, id, identity) = (app.clock.utc(), open.session.id, open.session.identity);
    let (token, renewal) = open.renew(app);
    let (proof, within) = (Arc::new(proof), app.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let (proof, within) = (proof.clone(), within.clone());
        Box::pin(async move {
            let stands = match (second_factor::is_asked_for(tx, identity).await?, &*proof) {
                (true, Proof::Second(second)) => {
                    // As everybody who holds a person and their sessions.
                    aggregation::hold_people(tx, &[identity]).await?;
                    second_factor::show_again(&within, tx, identity, second, now).await?
                }
                (false, Proof::Password(signed_in)) if signed_in.identity == identity => {
                    sign_in::prove(tx, signed_in, now).await?
                }
                _ => false,
            };
            Ok::<_, Error>((stands, stands && session::proved(tx, id, &renewal, now).await?))
        })
    });
    match written.await? {
        (false, _) => return Ok(None),
        (true, false) => return Err(Error::Outdated),
        (true, true) => {}
    }
    (open.session.proved_at, open.held) = (now, renewal.next);
    Ok(Some(token))
}

/// A session in the list of a person's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The session.
    pub session: Session,
    /// Where it began.
    pub origin: Origin,
}

/// The sessions in which a person is signed in, under these settings.
pub async fn list(app: &App, identity: IdentityId, settings: &SessionConfig) -> Result<Vec<Listed>, Error> {
    let now = app.clock.utc();
    let since = now - settings.longest();
    let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(session::list_of(tx, identity, since)));
    let all = read.await.map_err(Error::Store)?.into_iter();
    let living = all.filter(|(session, _)| session.lives(now, settings) && !session.half_open);
    Ok(living.map(|(session, origin)| Listed { session, origin }).collect())
}

/// Ends a session of whoever this one is of, or all the others.
pub async fn end_own(app: &App, open: &OpenSession, which: Option<SessionId>) -> Result<(), Error> {
    let (now, identity, own) = (app.clock.utc(), open.session.identity, open.session.id);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            // As everybody does who ends several: in no order of theirs do two wait for each other.
            aggregation::hold_people(tx, &[identity]).await?;
            let ended = match which {
                Some(id) => session::end_own(tx, identity, id, now).await?,
                None => session::end_others(tx, identity, Some(own), now).await? > 0,
            };
            if ended {
                sign_in::audited(tx, Action::SignedOut, identity, now).await?;
            }
            Ok::<_, Error>(())
        })
    });
    written.await
}

/// Ends a session: the person signs out.
pub async fn end(app: &App, open: &OpenSession) -> Result<(), Error> {
    end_own(app, open, Some(open.session.id)).await
}

fn digest(app: &App, token: &str) -> [u8; 32] {
    app.vault.keyed_hash(HashPurpose::Session, token.as_bytes())
}
