//! Sessions on the pages: signing in, being known by what the browser has, and signing out.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_core::audit::{Action, Actor};
use lockstep_core::id::SessionId;
use lockstep_core::scope::UserLevel;
use lockstep_core::session::Session;
use lockstep_store::session::{self, Renewal};
use lockstep_store::{Tx, aggregation, audit, identity};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id_at, draw_token};

use super::sign_in::{self, SignedIn};
use super::{App, Error, passed};

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

/// Begins a session. Gives the token that the browser is to have; none where the password was changed in the same moment.
pub async fn begin(app: &App, signed_in: SignedIn) -> Result<Option<Secret>, Error> {
    let (now, token) = (app.clock.utc(), draw_token());
    let hash = digest(app, token.expose());
    let session = Session {
        id: SessionId(draw_id_at(now)),
        identity: signed_in.identity,
        created_at: now,
        used_at: now,
        proved_at: now,
        ended_at: None,
    };
    let signed_in = Arc::new(signed_in);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            // Somebody may have disabled the person since the password was looked at, and nobody may until this is done.
            let confirmed = sign_in::confirm(tx, &signed_in, now).await?;
            aggregation::hold_people(tx, &[session.identity]).await?;
            let stands = confirmed && identity::is_enabled(tx, session.identity).await? == Some(true);
            if stands {
                session::insert(tx, &session, &hash).await?;
            }
            Ok::<_, lockstep_store::Error>(stands)
        })
    });
    Ok(written.await?.then_some(token))
}

/// The session of a token, as the database has it at this moment; none where it does not go on. That it is used is written
/// down.
pub async fn find(app: &App, token: &str) -> Result<Option<OpenSession>, Error> {
    let Some(open) = look(app, token).await? else { return Ok(None) };
    let (now, id) = (app.clock.utc(), open.session.id);
    if open.session.is_noted(now) {
        let note = app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { session::used(tx, id, now).await }));
        note.await.map_err(Error::Store)?;
    }
    Ok(Some(open))
}

/// The same for a page that asks by itself: nobody may be sitting before it.
pub async fn look(app: &App, token: &str) -> Result<Option<OpenSession>, Error> {
    let (now, hash) = (app.clock.utc(), digest(app, token));
    let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { session::standing(tx, &hash).await }));
    let found = read.await.map_err(Error::Store)?;
    let found = found.filter(|found| found.enabled && found.session.lives(now));
    Ok(found.map(|found| OpenSession {
        session: found.session,
        levels: found.levels,
        display_name: found.display_name,
        alias: found.alias,
        held: hash,
    }))
}

/// The person has shown once more who they are. Gives the token that the browser is to have from now on; none where the password
/// was changed in the same moment, or is somebody else's.
///
/// # Errors
/// [`Error::Outdated`] when the session has ended meanwhile, or goes on under another token already.
pub async fn prove(app: &App, open: &mut OpenSession, signed_in: SignedIn) -> Result<Option<Secret>, Error> {
    if signed_in.identity != open.session.identity {
        return Ok(None);
    }
    let (now, id) = (app.clock.utc(), open.session.id);
    let (token, renewal) = open.renew(app);
    let signed_in = Arc::new(signed_in);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let stands = sign_in::prove(tx, &signed_in, now).await?;
            Ok::<_, lockstep_store::Error>((stands, stands && session::proved(tx, id, &renewal, now).await?))
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

/// Ends a session: the person signs out.
pub async fn end(app: &App, session: &Session) -> Result<(), Error> {
    let (now, id, identity) = (app.clock.utc(), session.id, session.identity);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            if session::end(tx, id, now).await? {
                let event = passed(Action::SignedOut, Actor::Identity(identity), Some(identity), now);
                audit::append(tx, draw_id_at(now), &event).await?;
            }
            Ok::<_, lockstep_store::Error>(())
        })
    });
    written.await.map_err(Error::Store)
}

fn digest(app: &App, token: &str) -> [u8; 32] {
    app.vault.keyed_hash(HashPurpose::Session, token.as_bytes())
}
