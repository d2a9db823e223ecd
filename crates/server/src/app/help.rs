//! Helping somebody, as far as a help desk may: finding them, seeing what they have and what became of their changes, letting
//! them in again, and signing them out. Nobody here sees a password or chooses one.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use lockstep_core::audit::Action;
use lockstep_core::change::{Intent, IntentKind};
use lockstep_core::filter::Query;
use lockstep_core::filter::collections::IDENTITIES;
use lockstep_core::id::{IdentityId, IntentId, SourceId};
use lockstep_core::scope::UserLevel;
use lockstep_core::sign_in::Tries;
use lockstep_store::change::{self, Failing};
use lockstep_store::listing::{self, ListedIdentity, Start};
use lockstep_store::{
    Tx, aggregation, identity, intent, second_factor, security_question, sign_in_password, source, source_sign_in,
};
use lockstep_vault::secret::draw_id;

use super::own_change::{ListedChange, changes_of};
use super::password_set::Known;
use super::record::{About, record};
use super::{App, Error, level};
use crate::auth::Permit;

/// How many people a search gives at most.
pub const FOUND: u32 = 20;

/// Where a search looks, each in an order that an index has: whoever's name begins like that.
const PLACES: [&str; 4] = ["alias", "name", "lastname", "email"];

/// A person, for whoever helps them.
#[derive(Debug)]
pub struct Helped {
    /// The person.
    pub listed: ListedIdentity,
    /// Their accounts.
    pub accounts: Vec<HelpedAccount>,
    /// Whether too many wrong passwords keep them out for now.
    pub is_locked: bool,
    /// Whether too many wrong codes of their second factor do.
    pub are_codes_locked: bool,
    /// Whether they are asked for a second factor.
    pub has_second_factor: bool,
    /// Whether they have answered security questions.
    pub has_answers: bool,
    /// In how many places they are signed in.
    pub sessions: usize,
    /// Their latest changes.
    pub changes: Vec<ListedChange>,
}

/// An account of such a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpedAccount {
    /// What its source is called.
    pub source: String,
    /// What it is called there.
    pub name: String,
    /// When somebody else changed its password after Lockstep set it.
    pub changed_outside_at: Option<DateTime<Utc>>,
}

/// The people whose login name, name, last name or address begins like that.
pub async fn search(app: &App, _: &Permit, text: &str) -> Result<Vec<ListedIdentity>, Error> {
    // Nothing that ends the text of a filter.
    let plain: String = text.trim().chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).take(100).collect();
    if plain.is_empty() {
        return Ok(Vec::new());
    }
    let mut queries = Vec::new();
    for field in PLACES {
        queries.push(Query::parse(&IDENTITIES, Some(&format!("{field} sw \"{plain}\"")), None)?);
    }
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let (mut people, mut seen) = (Vec::new(), BTreeSet::new());
            for query in &queries {
                let found = listing::identities(tx, query, &Start::default(), FOUND).await?;
                people.extend(found.entries.into_iter().filter(|one| seen.insert(one.identity.id)));
            }
            people.sort_by(|one, other| one.identity.display_name.cmp(&other.identity.display_name));
            people.truncate(FOUND as usize);
            Ok(people)
        })
    });
    read.await.map_err(Error::Store)
}

/// A person, and what they have.
pub async fn look(app: &App, permit: &Permit, id: IdentityId) -> Result<Helped, Error> {
    let listed = super::identity::get(app, permit, id).await?;
    let (now, grace, within) = (app.clock.utc(), app.config.engine.grace, app.clone());
    let listed_source = listed.identity.sign_in_source;
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let sources = source::list(tx).await?;
            let name = |id| sources.iter().find(|source| source.id == id).map(|source| source.name.clone());
            let (accounts, set) = Known::read(tx, id, now, grace).await?;
            let accounts = accounts.into_iter().filter(|account| !account.vanished);
            let accounts = accounts.map(|account| {
                let source = name(account.source).unwrap_or_default();
                HelpedAccount { source, name: account.name, changed_outside_at: set.changed_outside_at(account.id) }
            });
            let stored = sign_in_password::find(tx, id).await?;
            let factor = second_factor::find(tx, id).await?;
            let settings = within.configuration.read(tx).await?.auth_org(tx).await?;
            let tries = match listed_source {
                SourceId::IDENTITY_NOW => stored.map(|it| Tries { failures: it.failures, failed_at: it.failed_at }),
                _ => Some(source_sign_in::find(tx, id).await?),
            };
            let codes = Some(Tries { failures: factor.failures, failed_at: factor.failed_at });
            let [is_locked, are_codes_locked] =
                [tries, codes].map(|tries| tries.is_some_and(|tries| tries.one_more(now, &settings.lockout).is_none()));
            let has_second_factor = factor.is_asked_for();
            let has_answers = security_question::answers_of(tx, id).await?.is_some();
            let found = (accounts.collect(), is_locked, are_codes_locked, has_second_factor, has_answers);
            Ok((found, settings.session))
        })
    });
    let (found, settings) = read.await.map_err(Error::Store)?;
    let (accounts, is_locked, are_codes_locked, has_second_factor, has_answers) = found;
    let sessions = super::session::list(app, id, &settings).await?.len();
    let changes = changes_of(app, permit, id).await?;
    Ok(Helped { listed, accounts, is_locked, are_codes_locked, has_second_factor, has_answers, sessions, changes })
}

/// Lets somebody in again who was locked out by wrong passwords; an ORG_ADMIN those too who were by wrong codes. A help desk that
/// did, and that draws a code in place of the password, could guess at the second factor for as long as it likes.
pub async fn unlock(app: &App, permit: &Permit, id: IdentityId) -> Result<(), Error> {
    let done: Doing = match permit.caller().levels.contains(&UserLevel::OrgAdmin) {
        true => |tx, id, _| {
            Box::pin(async move {
                unlock_password(tx, id).await?;
                second_factor::unlock(tx, id).await?;
                Ok(true)
            })
        },
        false => |tx, id, _| {
            Box::pin(async move {
                unlock_password(tx, id).await?;
                Ok(true)
            })
        },
    };
    act(app, permit, id, Action::UserUnlock, done).await
}

/// Forgets the wrong passwords, whoever keeps the right one.
pub(super) async fn unlock_password(tx: &mut Tx<'_>, id: IdentityId) -> Result<(), lockstep_store::Error> {
    sign_in_password::unlock(tx, id).await?;
    source_sign_in::forgive(tx, id).await
}

/// What is tried again, and what its source is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingDelivery {
    /// What.
    pub failing: Failing,
    /// Where.
    pub source: String,
}

/// What is tried again, the oldest first.
pub async fn failing(app: &App, _: &Permit) -> Result<Vec<FailingDelivery>, Error> {
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let sources = source::list(tx).await?;
            let name = |id| sources.iter().find(|source| source.id == id).map(|source| source.name.clone());
            let named =
                |failing: Failing| FailingDelivery { source: name(failing.source).unwrap_or_default(), failing };
            Ok(change::failing(tx, FOUND).await?.into_iter().map(named).collect())
        })
    });
    read.await.map_err(Error::Store)
}

/// Has what is to be tried again for somebody tried at once.
pub async fn retry(app: &App, permit: &Permit, id: IdentityId) -> Result<(), Error> {
    act(app, permit, id, Action::DeliveryRetried, |tx, id, now| {
        Box::pin(async move {
            let intent = Intent { id: IntentId(draw_id()), kind: IntentKind::Retry };
            intent::put(tx, id, intent, now).await.map(|()| true)
        })
    })
    .await?;
    app.waker.wake(id);
    Ok(())
}

/// Signs somebody out everywhere, of the pages and at clients, those too who are halfway in.
pub async fn end_sessions(app: &App, permit: &Permit, id: IdentityId) -> Result<(), Error> {
    act(app, permit, id, Action::SignedOut, |tx, id, now| {
        Box::pin(async move { identity::sign_out(tx, id, None, now).await.map(|()| true) })
    })
    .await
}

/// Takes the second factor of somebody away whose device is gone, and the answers of somebody who has forgotten them.
pub async fn remove_second_factor(app: &App, permit: &Permit, id: IdentityId) -> Result<(), Error> {
    act(app, permit, id, Action::SecondFactorRemoved, |tx, id, now| {
        Box::pin(async move {
            let removed = second_factor::remove_all(tx, id).await?;
            if removed {
                identity::sign_out(tx, id, None, now).await?;
            }
            Ok(removed)
        })
    })
    .await
}

/// What is done to a person; whether it changed something.
type Doing =
    for<'a> fn(&'a mut Tx<'_>, IdentityId, DateTime<Utc>) -> BoxFuture<'a, Result<bool, lockstep_store::Error>>;

/// Does something to a person whom the caller reaches; audited where it changed something.
async fn act(app: &App, permit: &Permit, id: IdentityId, action: Action, done: Doing) -> Result<(), Error> {
    permit.reaches(Some(id))?;
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let permit = permit.clone();
        Box::pin(async move {
            // In the order of those who sign in.
            sign_in_password::hold(tx, id).await?;
            aggregation::hold_people(tx, &[id]).await?;
            identity::find(tx, id).await?.ok_or(Error::NotFound("identity"))?;
            level::reaches(tx, &permit, id).await?;
            if done(tx, id, now).await? {
                record(tx, &permit, action, About::identity(id), now).await?;
            }
            Ok::<_, Error>(())
        })
    });
    written.await
}
