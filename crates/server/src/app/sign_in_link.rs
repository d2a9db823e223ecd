//! A link that signs somebody in once, for trying the pages out: the demo prints one. Nobody gets it by asking the server; whoever
//! makes it runs a command on the host. It is good for nobody who has a second factor.

use chrono::TimeDelta;
use lockstep_core::audit::Action;
use lockstep_core::id::{IdentityId, SessionId};
use lockstep_core::session::{Origin, Session};
use lockstep_store::{Tx, aggregation, identity, session, sign_in_link};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id_at, draw_token};

use super::sign_in::audited;
use super::{App, Error, second_factor};

/// How long a link is good.
const LIFE: TimeDelta = TimeDelta::hours(24);

/// The address of a new link for this person, in place of the one before; the code behind the `#`, which browsers send to nobody.
pub async fn make(app: &App, whom: IdentityId) -> Result<Secret, Error> {
    let (now, code) = (app.clock.utc(), draw_token());
    let hash = app.vault.keyed_hash(HashPurpose::SignInLink, code.expose().as_bytes());
    let written = app
        .store
        .write(move |tx: &mut Tx<'_>| Box::pin(async move { sign_in_link::put(tx, whom, &hash, now + LIFE).await }));
    written.await.map_err(Error::Store)?;
    Ok(Secret::new(format!("{}/sign-in/link#{}", app.config.public_url(), code.expose())))
}

/// Begins the session of whoever has the link. Gives the token that the browser is to have; none where the link is good for
/// nothing.
pub async fn follow(app: &App, code: &str, origin: Origin) -> Result<Option<Secret>, Error> {
    let (now, token) = (app.clock.utc(), draw_token());
    let code = app.vault.keyed_hash(HashPurpose::SignInLink, code.trim().as_bytes());
    let hash = app.vault.keyed_hash(HashPurpose::Session, token.expose().as_bytes());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let origin = origin.clone();
        Box::pin(async move {
            let Some(identity) = sign_in_link::find(tx, &code, now).await? else { return Ok(false) };
            aggregation::hold_people(tx, &[identity]).await?;
            if !sign_in_link::take(tx, &code).await? {
                return Ok(false);
            }
            let enabled = identity::is_enabled(tx, identity).await? == Some(true);
            if !enabled || second_factor::is_asked_for(tx, identity).await? {
                return Ok(false);
            }
            let session = Session::begin(SessionId(draw_id_at(now)), identity, now);
            session::insert(tx, &session, &origin, &hash, None).await?;
            audited(tx, Action::AuthenticationPassed, identity, now).await?;
            Ok::<_, Error>(true)
        })
    });
    Ok(written.await?.then_some(token))
}
