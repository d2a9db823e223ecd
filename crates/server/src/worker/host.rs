//! The server as the engine's host: its rows are in the store, its passwords in the vault, its systems behind connectors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lockstep_core::change::{Change, ChangeState, LaneEvent, LaneRows, Now, SignIn, TargetKey};
use lockstep_core::id::{AccountId, Bucket, ChangeId, IdentityId, NodeId, SourceId};
use lockstep_core::node::Round;
use lockstep_engine::{Call, Gate, Health, Host, Judged, Newer, Step, Unfinished, Unusable, Written};
use lockstep_store::sign_in_password::{self, SignInPassword};
use lockstep_store::{Tx, audit, bucket, history, identity, intent, lane, node, password_set, restore_mark};
use lockstep_vault::hash::{Fingerprint, PasswordHash};
use lockstep_vault::secret::{draw_bytes, draw_id, draw_id_at};

use super::call::{self, Payload};
use super::sources::{InUse, SourcesError};
use super::{event, judge};
use crate::app::{App, Role, sign_in};
use crate::failpoint::failpoint;

impl Host for App {
    type Payload = Payload;
    type Fingerprint = Fingerprint;
    type Hash = PasswordHash;
    type Source = InUse;

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn draw(&self) -> u32 {
        u32::from_be_bytes(*draw_bytes())
    }

    fn draw_node(&self) -> NodeId {
        NodeId(draw_id())
    }

    async fn register(&self, id: NodeId) -> anyhow::Result<()> {
        let name = node_name(self);
        let now = self.clock.utc();
        let registered =
            self.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { node::register(tx, id, &name, now).await }));
        registered.await.context("cannot make this node known")?;
        self.waker.is_node(id);
        failpoint!(self, NodeRegistered);
        Ok(())
    }

    async fn beat(&self, id: NodeId) -> anyhow::Result<Option<Round>> {
        let seen = self.restore_mark.seen_so_far();
        let beat = self.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move { Ok((node::beat(tx, id).await?, restore_mark::get(tx).await?)) })
        });
        let beat = beat.await;
        failpoint!(self, BeatAfter);
        match beat {
            Ok((round, mark)) => {
                self.restore_mark.beat(seen, id, &round, mark).await?;
                Ok(Some(round))
            }
            Err(lockstep_store::Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error).context("cannot say that this node lives"),
        }
    }

    async fn pass_bucket(&self, of: Bucket, epoch: i64, to: Option<NodeId>) -> anyhow::Result<bool> {
        failpoint!(self, BucketBeforePass if to.is_some());
        failpoint!(self, BucketBeforeRelease if to.is_none());
        let pass =
            self.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { bucket::pass(tx, of, epoch, to).await }));
        let passed = pass.await.context("cannot make a bucket change hands")?;
        failpoint!(self, BucketPassed if to.is_some());
        failpoint!(self, BucketReleased if to.is_none());
        Ok(passed)
    }

    async fn retire(&self, id: NodeId) -> anyhow::Result<()> {
        let stop = self.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { node::stop(tx, id).await }));
        stop.await.context("cannot record that a node stops")?;
        failpoint!(self, NodeRetired);
        Ok(())
    }

    async fn forget(&self, id: NodeId) -> anyhow::Result<()> {
        let remove = self.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { node::remove(tx, id).await }));
        remove.await.context("cannot forget a node")?;
        failpoint!(self, NodeForgotten);
        Ok(())
    }

    async fn unfinished(&self, id: NodeId) -> anyhow::Result<Vec<Unfinished>> {
        let read = self.store.scan(move |tx: &mut Tx<'_>| Box::pin(async move { lane::unfinished(tx, id).await }));
        let found: lockstep_store::Result<Vec<lane::Unfinished>> = read.await;
        let found = found.context("cannot list what is unfinished")?.into_iter();
        let found =
            found.map(|lane::Unfinished { identity, unjudged, intent }| Unfinished { identity, unjudged, intent });
        Ok(found.collect())
    }

    async fn load(&self, identity: IdentityId) -> anyhow::Result<LaneRows> {
        let rows: lockstep_store::Result<LaneRows> =
            self.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { lane::load(tx, identity).await })).await;
        let rows = rows.context("cannot read what is unfinished about an identity")?;
        failpoint!(self, LaneLoaded);
        Ok(rows)
    }

    async fn newer(&self, identity: IdentityId, after: i64) -> anyhow::Result<Newer> {
        let read = self.store.read(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let changes = lane::newer(tx, identity, after).await?;
                Ok::<_, lockstep_store::Error>(Newer { changes, intents: intent::list_of(tx, identity).await? })
            })
        });
        read.await.context("cannot read what came since")
    }

    async fn commit(&self, step: Step<Self>) -> anyhow::Result<bool> {
        #[cfg(feature = "failpoints")]
        let (begins, settles, within) = (begins(&step), !step.delta.events.is_empty(), self.clone());
        failpoint!(self, CommitBefore);
        failpoint!(self, BeginBeforeCommit if begins);
        failpoint!(self, SettleBeforeCommit if settles);
        let now = self.clock.utc();
        let events = event::events(&step, now);
        let elsewhere = changed_elsewhere(&step);
        let Step { hold, identity: whose, delta, first_applied, applied, sign_in_passwords, .. } = step;
        let committed = self.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                bucket::hold(tx, hold.bucket, hold.node, hold.epoch).await?;
                // Before the intents: whoever loses the account in this step has that forgotten too.
                for (key, payload) in &applied {
                    match payload.renews {
                        true => password_set::put(tx, whose, key.account, now).await?,
                        false => password_set::put_again(tx, whose, key.account, now).await?,
                    }
                }
                for target in delta.targets.iter().filter(|target| target.state.is_final() && target.unsure) {
                    password_set::may_be_set(tx, whose, target.key.account, now).await?;
                }
                lane::save(tx, whose, &delta).await?;
                for (change, hash) in &sign_in_passwords {
                    let hash = hash.to_bytes();
                    let password =
                        SignInPassword { hash, changed_at: now, must_change: false, failures: 0, failed_at: None };
                    sign_in_password::put(tx, whose, &password).await?;
                    identity::end_tokens(tx, whose, Some(*change), now).await?;
                }
                if !elsewhere.is_empty() {
                    let person = identity::find(tx, whose).await?;
                    let keeper = match &person {
                        Some(person) => sign_in::keeper(tx, person).await?,
                        None => None,
                    };
                    for key in elsewhere.iter().filter(|key| keeper.as_ref().is_some_and(|own| own.id == key.account)) {
                        identity::end_tokens(tx, whose, Some(key.change), now).await?;
                    }
                }
                for entry in first_applied.iter().filter_map(|payload| payload.history.as_ref()) {
                    history::push(tx, whose, entry.holder, &entry.hash.to_bytes(), entry.keep, now).await?;
                }
                for event in &events {
                    audit::append(tx, draw_id_at(event.at), event).await?;
                }
                failpoint!(within, CommitWithin, |_| Err(lockstep_store::Error::NotFound(
                    "what a failpoint took away"
                )));
                Ok::<(), lockstep_store::Error>(())
            })
        });
        let committed = committed.await;
        failpoint!(self, CommitAfter);
        failpoint!(self, SettleAfterCommit if settles);
        match committed {
            Err(lockstep_store::Error::BucketLost { .. }) => Ok(false),
            committed => Ok(committed.map(|()| true)?),
        }
    }

    async fn got_part_way(&self, identity: IdentityId, account: AccountId, before: i64) -> anyhow::Result<bool> {
        let read = self.store.read(move |tx: &mut Tx<'_>| {
            Box::pin(async move { lane::got_part_way(tx, identity, account, before).await })
        });
        let asked: lockstep_store::Result<bool> = read.await;
        asked.context("cannot look an earlier change up")
    }

    async fn judge(&self, change: &Change) -> anyhow::Result<Judged<Payload>> {
        let judged = judge::judge(self, change).await?;
        failpoint!(self, JudgeDone);
        Ok(judged)
    }

    async fn open(&self, change: &Change) -> anyhow::Result<Payload> {
        let payload = call::payload(self, change).await?;
        failpoint!(self, PayloadReopened);
        Ok(payload)
    }

    fn fingerprint(&self, payload: &Payload) -> Fingerprint {
        payload.fingerprint.clone()
    }

    async fn hash(&self, change: &Change, payload: &Payload) -> anyhow::Result<PasswordHash> {
        let hash = call::sign_in_hash(self, change, payload).await?;
        failpoint!(self, HashMade);
        Ok(hash)
    }

    fn gate(&self, source: SourceId) -> Arc<Gate> {
        self.sources.gate(source)
    }

    async fn source(&self, source: SourceId) -> Result<Arc<InUse>, Unusable> {
        self.sources.get(source).await.map_err(|error| match error {
            SourcesError::Store(_) => Unusable::ForNow(error.to_string()),
            error => Unusable::AsConfigured(error.to_string()),
        })
    }

    async fn write(&self, source: &InUse, call: &Call, payload: &Payload, patience: Duration) -> (Written, Health) {
        failpoint!(self, WriteBeforeSend, |_| (Written::Unavailable("a failpoint".to_owned()), Health::Unproven));
        let written = call::write(self, source, call, payload, patience).await;
        failpoint!(self, WriteAnswered, |_| (Written::Unknown("a failpoint".to_owned()), Health::Silent));
        written
    }

    async fn sign_in(&self, source: &InUse, call: &Call, payload: &Payload, patience: Duration) -> (SignIn, Health) {
        failpoint!(self, SignInBeforeSend, |_| (SignIn::Unable("a failpoint".to_owned()), Health::Unproven));
        let answered = call::sign_in(source, call, payload, patience).await;
        failpoint!(self, SignInAnswered, |_| (SignIn::Unable("a failpoint".to_owned()), Health::Silent));
        answered
    }

    fn stands(&self, owned: &BTreeMap<Bucket, i64>) {
        self.waker.stands(owned.keys().copied().collect(), self.clock.monotonic());
    }

    fn settled(&self, change: ChangeId, state: ChangeState) {
        self.waiters.settled(change, state);
        self.metrics.settled(state.wire());
        tracing::info!(change.id = %change, change.state = state.wire(), "a change is final");
    }
}

/// What has another password now on the source with whose password the person signs in here, if that is not the built-in one.
fn changed_elsewhere(step: &Step<App>) -> Vec<TargetKey> {
    let applied = step.delta.events.iter().filter_map(|event| match event {
        LaneEvent::FirstApplied(key) | LaneEvent::Applied(key) => Some(key),
        LaneEvent::NotApplied(_) | LaneEvent::Settled(..) => None,
    });
    let targets = applied.filter_map(|key| step.delta.targets.iter().find(|target| target.key == *key));
    let elsewhere = targets.filter(|target| target.sign_in && target.source != SourceId::IDENTITY_NOW);
    elsewhere.map(|target| target.key).collect()
}

/// Whether accounts begin to be written with this step.
#[cfg(feature = "failpoints")]
fn begins(step: &Step<App>) -> bool {
    step.delta.targets.iter().any(|target| target.state == lockstep_core::change::TargetState::Applying)
}

/// What an administrator recognises a node by: its host, where it listens if it does, and its process.
fn node_name(app: &App) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let place = match app.role {
        Role::Work => "worker".to_owned(),
        Role::Serve | Role::Restore | Role::Tool => app.config.listen.to_string(),
    };
    format!("{host} {place} pid {}", std::process::id())
}
