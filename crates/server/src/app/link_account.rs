//! Saying whose an account is, whatever the rules of its source say.
//!
//! An account that is somebody's goes to another only when nothing is under way there: that is an intent, which the engine
//! carries out.

use lockstep_core::account::Link;
use lockstep_core::audit::Action;
use lockstep_core::change::{Intent, IntentKind};
use lockstep_core::id::{AccountId, IdentityId, IntentId, SourceId};
use lockstep_store::{Tx, aggregation, identity, intent};
use lockstep_vault::secret::draw_id;

use super::record::{About, record};
use super::{App, Error};
use crate::auth::Permit;

/// What is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// Whose it is, or nobody's; left out: that stays.
    pub owner: Option<Option<IdentityId>>,
    /// Whether that stays whatever the rules say; left out: it does when it is said whose it is.
    pub manual: Option<bool>,
}

/// Says it.
///
/// # Errors
/// When there is no such account or identity, the account is one of Lockstep's own, or the caller would be its owner:
/// nobody gets at somebody's password by their level.
pub async fn link_account(app: &App, permit: &Permit, id: AccountId, said: Said) -> Result<(), Error> {
    if said.owner.flatten().is_some_and(|wanted| permit.caller().person() == Some(wanted)) {
        return Err(Error::Forbidden("nobody gives an account to themselves".to_owned()));
    }
    let (now, permit) = (app.clock.utc(), permit.clone());
    let write = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            aggregation::hold_account(tx, id).await?;
            let known = aggregation::get(tx, id).await.map_err(not_found)?;
            if known.account.source == SourceId::IDENTITY_NOW {
                return Err(Error::Impossible("this account is its identity's own".to_owned()));
            }
            let before = known.account.identity;
            let after = said.owner.unwrap_or(before);
            if let Some(wanted) = after
                && identity::is_enabled(tx, wanted).await?.is_none()
            {
                return Err(Error::Unknown { field: "identityId", what: "an identity" });
            }
            let link = match (said.manual, said.owner, after) {
                (Some(true), ..) | (None, Some(_), _) => Link::Manual,
                (Some(false), _, Some(_)) => Link::Rule,
                (Some(false), _, None) => Link::None,
                (None, None, _) => return Ok(None),
            };
            // One that is somebody's stays theirs until the intent is carried out.
            aggregation::link(tx, id, link, after, now).await?;
            let about = About::account(&known.account).word("link", link_word(link));
            let about = after.into_iter().fold(about, |about, owner| about.with("owner", owner.0));
            record(tx, &permit, Action::AccountLinked, about, now).await?;
            match (before, said.owner) {
                (Some(owner), Some(wanted)) if wanted != Some(owner) => {
                    let kind = IntentKind::Give { account: id, to: wanted };
                    intent::put(tx, owner, Intent { id: IntentId(draw_id()), kind }, now).await?;
                    Ok(Some(owner))
                }
                (Some(owner), Some(_)) => {
                    let standing = intent::find_about(tx, owner, id).await?;
                    if matches!(standing, Some(Intent { kind: IntentKind::Give { .. }, .. })) {
                        intent::withdraw(tx, owner, Some(id)).await?;
                    }
                    Ok(None)
                }
                _ => Ok(None),
            }
        })
    });
    let loser = write.await?;
    loser.into_iter().for_each(|identity| app.waker.wake(identity));
    Ok(())
}

fn link_word(link: Link) -> &'static str {
    match link {
        Link::None => "none",
        Link::Rule => "rule",
        Link::Manual => "manual",
    }
}

/// What the address names does not exist.
pub(super) fn not_found(error: lockstep_store::Error) -> Error {
    match error {
        lockstep_store::Error::NotFound(what) => Error::NotFound(what),
        error => error.into(),
    }
}
