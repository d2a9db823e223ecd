//! After a restore: ends what the database calls unfinished, so that a server may run on it.
//!
//! It may be killed at any moment and begun again: this host's mark is put ahead first, so that no server starts here in
//! between, each bucket is one transaction, and the mark with which servers start again is set last.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Detail, Event, Outcome};
use lockstep_core::change::{LaneEvent, end_restored};
use lockstep_core::id::{Bucket, IdentityId};
use lockstep_store::{
    Tx, audit, bucket, digit_token, identity, lane, node, passkey, password_set, restore_mark, transport_key,
};
use lockstep_vault::secret::draw_id_at;

use super::restore_mark::somebody_lives;
use super::{App, Error};

/// What was ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Changes.
    pub changes: usize,
    /// Accounts that were still to get a new password.
    pub targets: usize,
    /// Transport keys.
    pub transport_keys: u64,
}

/// Ends it. `waiting` is told how long is waited for what the servers before may have sent.
pub async fn restored(app: &App, waiting: impl FnOnce(Duration)) -> Result<Ended, Error> {
    let store = &app.store;
    if !store.serves_alone() && somebody_lives(store, app.config.engine.node_timeout).await? {
        return Err(Error::Impossible("a server runs on this database: stop every one first".to_owned()));
    }
    app.restore_mark.shut(store).await?;
    let now = app.clock.utc();
    let mut ended = Ended::default();
    for row in store.read(|tx: &mut Tx<'_>| Box::pin(bucket::list(tx))).await? {
        let work = store
            .write(move |tx: &mut Tx<'_>| Box::pin(async move { end_bucket(tx, row.bucket, row.epoch, now).await }));
        let (changes, targets) = work.await?;
        ended.changes += changes;
        ended.targets += targets;
    }
    let work = store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            // What was captured after the copy was made, and what was revoked since, must not count again.
            identity::end_all_tokens(tx, now).await?;
            passkey::spend_all_before(tx, draw_id_at(now)).await?;
            node::remove_all(tx).await?;
            transport_key::destroy_all(tx, now).await
        })
    });
    ended.transport_keys = work.await?;

    // The servers before may have sent writes of which this database knows nothing, to any account, a moment before they
    // ended. The buckets are taken from whoever still runs, so nothing is sent any more; what was sent lands within the
    // grace or never. So no doubt has to outlive this.
    let grace = app.config.engine.grace;
    waiting(grace);
    tokio::time::sleep(grace).await;

    let before = store.read(|tx: &mut Tx<'_>| Box::pin(restore_mark::get(tx))).await?;
    let mark = app.restore_mark.after_restore(before).await?;
    let detail = [("changes", ended.changes), ("targets", ended.targets)];
    let detail = detail.map(|(name, count)| (name, Detail::Count(i64::try_from(count).unwrap_or(i64::MAX))));
    let event = Event { detail: detail.into(), ..event(Action::DatabaseRestored, None, Outcome::Passed, now) };
    let work = store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            // A server on a host whose mark agreed, or one that was suspended and woke, may have taken buckets meanwhile.
            let untouched = bucket::list(tx).await?.iter().all(|row| row.node.is_none());
            if !untouched || !node::list(tx).await?.is_empty() {
                let text = "a server was started on this database meanwhile: stop it and run this again".to_owned();
                return Err(Error::Impossible(text));
            }
            restore_mark::set(tx, mark).await?;
            Ok::<_, Error>(audit::append(tx, draw_id_at(event.at), &event).await?)
        })
    });
    work.await?;
    app.restore_mark.write(mark).await?;
    Ok(ended)
}

/// Takes a bucket from whoever has it, and ends what is unfinished there. Gives how many changes and targets.
async fn end_bucket(tx: &mut Tx<'_>, of: Bucket, epoch: i64, now: DateTime<Utc>) -> Result<(usize, usize), Error> {
    if !bucket::pass(tx, of, epoch, None).await? {
        return Err(Error::Impossible("a server has just started on this database: stop it first".to_owned()));
    }
    digit_token::remove_in(tx, of).await?;
    // What was set after the copy was made is not known, and was not changed outside for that.
    password_set::all_may_be_set(tx, of, now).await?;
    let (mut changes, mut targets) = (0, 0);
    for whose in lane::unfinished_in(tx, of).await? {
        let delta = end_restored(lane::load(tx, whose).await?, now);
        lane::save(tx, whose, &delta).await?;
        for happened in &delta.events {
            if let LaneEvent::Settled(change, _) = *happened {
                let event = event(Action::PasswordChangeFailure, Some(whose), Outcome::Failed, now);
                let detail = BTreeMap::from([("cause", Detail::Word("restored"))]);
                audit::append(tx, draw_id_at(event.at), &Event { change: Some(change), detail, ..event }).await?;
            }
        }
        changes += delta.changes.len();
        targets += delta.targets.len();
    }
    Ok((changes, targets))
}

/// Whoever runs this has the host and signs in nowhere.
fn event(action: Action, identity: Option<IdentityId>, outcome: Outcome, at: DateTime<Utc>) -> Event {
    let (source, account, change, detail) = (None, None, None, BTreeMap::new());
    Event { action, actor: Actor::Nobody, identity, source, account, change, at, outcome, detail }
}
