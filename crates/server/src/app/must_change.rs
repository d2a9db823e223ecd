//! Whether a right password must be changed before anything else, and what is no new one then.
//!
//! An administrator wants it, the policy here says that it is too old, or the source that keeps it says either. Nobody is asked
//! for what they cannot change here.

use chrono::{DateTime, Utc};
use lockstep_connectors::MustChange;
use lockstep_core::id::{AccountId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_store::history::Holder;
use lockstep_store::{Tx, history, session, sign_in_password};

use super::configuration::Configuration;
use super::session::OpenSession;
use super::sign_in::keeper;
use super::{App, Error, own_hash, own_passwords, password_set};

/// Whether somebody whose password was right has to change it: what its source said of it is `said`, and what they signed in with,
/// if it was a password, is `tried`.
pub(super) async fn is_to_be_changed(
    app: &App,
    person: Identity,
    said: Option<MustChange>,
    tried: Option<Password>,
) -> Result<bool, Error> {
    let (now, within, whose) = (app.clock.utc(), app.clone(), person.id);
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        let person = person.clone();
        Box::pin(async move {
            let configuration = within.configuration.read(tx).await?;
            let (source, account) = (person.sign_in_source, keeper(tx, &person).await?.map(|own| own.id));
            let passwords = own_passwords::load(&within, &configuration, tx, &person).await?;
            let mut changeable = passwords.into_iter().filter(|password| password.source == source);
            let own = changeable.find_map(|password| {
                password.accounts.into_iter().find(|own| account.is_none_or(|account| account == own.id))
            });
            let Some(own) = own else { return Ok(Due::No) };
            // Of what was set before that was written down, the built-in source knows the date.
            let stored = sign_in_password::find(tx, person.id).await?;
            let known = stored.map(|stored| stored.changed_at).filter(|_| account.is_none());
            // What Lockstep never set does not expire here. A source's time of its latest change lets somebody in for longer, and
            // never keeps anybody out.
            let expiry = match own.since.or(known) {
                Some(since) => own_passwords::expiry(&configuration, tx, &person, source, since, now).await?,
                None => None,
            };
            match (said, account) {
                _ if expiry.is_some_and(|expiry| expiry.is_over) => Ok(Due::Yes),
                (Some(MustChange::Expired), _) => Ok(Due::Yes),
                (Some(MustChange::Reset), Some(account)) => {
                    reset(&within, &configuration, tx, &person, account, now).await
                }
                _ => Ok::<_, Error>(Due::No),
            }
        })
    });
    match (read.await?, tried) {
        (Due::Yes, _) => Ok(true),
        (Due::No, _) | (Due::UnlessOneOf(_), None) => Ok(false),
        (Due::UnlessOneOf(hashes), Some(tried)) => Ok(!own_hash::is_one_of(app, whose, tried, hashes).await?),
    }
}

/// Whether it is.
enum Due {
    Yes,
    No,
    /// Unless it is one that was set through Lockstep: of one of these hashes.
    UnlessOneOf(Vec<Vec<u8>>),
}

/// What its source calls reset: by somebody else, or by Lockstep, since some sources say so of all that is not their person's own
/// write. The history tells which, where the policy keeps one; else that nobody is known to have changed it since.
async fn reset(
    app: &App,
    configuration: &Configuration,
    tx: &mut Tx<'_>,
    person: &Identity,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Due, Error> {
    let source = person.sign_in_source;
    let place = configuration.source(tx, source).await?.ok_or(Error::NotFound("source"))?;
    let policy = configuration.policy_on(tx, &place, person).await?;
    let kept = policy.map_or(0, |policy| policy.history).clamp(0, i64::from(u32::MAX)) as u32;
    if kept == 0 {
        let (_, set) = password_set::Known::read(tx, person.id, now, app.config.engine.grace).await?;
        let is_ours = set.set_at(account).is_some() && set.changed_outside_at(account).is_none();
        return Ok(if is_ours { Due::No } else { Due::Yes });
    }
    let group = configuration.group_of(tx, source).await?;
    let holder = group.map_or(Holder::Source(source), |group| Holder::SyncGroup(group.id));
    // All of them: several accounts on one source share a history.
    Ok(Due::UnlessOneOf(history::last(tx, person.id, holder, kept).await?))
}

/// Whether this is the password that the session waits to be rid of, on this source.
pub(super) async fn is_worn(
    app: &App,
    open: &OpenSession,
    source: SourceId,
    password: &Password,
) -> Result<bool, Error> {
    if !open.session.must_change || source != open.sign_in_source {
        return Ok(false);
    }
    let (id, identity) = (open.session.id, open.session.identity);
    let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(session::worn(tx, id)));
    match read.await.map_err(Error::Store)? {
        Some(hash) => own_hash::is_one_of(app, identity, password.clone(), vec![hash]).await,
        None => Ok(false),
    }
}
