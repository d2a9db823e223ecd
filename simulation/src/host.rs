//! The engine's host in the simulated world: every call may fail, be slow, lose its reply, or be the last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lockstep_core::change::{Change, ChangeState, LaneRows, Now, SignIn};
use lockstep_core::id::{AccountId, Bucket, ChangeId, IdentityId, NodeId, SourceId};
use lockstep_core::node::Round;
use lockstep_engine::{Call, Gate, Health, Host, Judged, Newer, Step, Unfinished, Unusable, Written};
use rand::RngExt;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::systems::Secret;
use crate::world::{GRACE, State, World};

/// A process of the simulated world.
#[derive(Clone)]
pub(crate) struct SimHost {
    pub(crate) world: World,
    pub(crate) slot: usize,
    gates: Arc<Mutex<BTreeMap<SourceId, Arc<Gate>>>>,
}

/// An opened password.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) secret: Secret,
    /// Whether the history does not end with it.
    pub(crate) is_new: bool,
}

/// How a write ends.
enum Fate {
    /// At once and answered.
    Answered,
    /// After that time, if ever, and not answered.
    Lost(Option<Duration>),
    Busy,
    Refused,
}

impl SimHost {
    pub(crate) fn new(world: World, slot: usize) -> Self {
        Self { world, slot, gates: Arc::default() }
    }

    /// Where a process may die, be stopped for a while, or be slow.
    pub(crate) async fn step(&self, at: &str) {
        loop {
            let now = self.world.elapsed();
            let wait = self.world.with(|state| {
                let process = &state.processes[self.slot];
                if process.dead {
                    return None;
                }
                if process.paused_until > now {
                    return Some((process.paused_until - now, true));
                }
                if state.happens(|odds| odds.crash) {
                    state.processes[self.slot].dead = true;
                    state.tell(now, || format!("process {} is killed {at}", self.slot));
                    return None;
                }
                let slow = state.happens(|odds| odds.slow);
                let millis = match slow {
                    true => state.rng.random_range(0..3000),
                    // Most steps take no time that matters.
                    false => state.rng.random_range(0..9u64).saturating_sub(6),
                };
                Some((Duration::from_millis(millis), false))
            });
            match wait {
                Some((wait, again)) => {
                    if !wait.is_zero() {
                        tokio::time::sleep(wait).await;
                    }
                    if !again {
                        return;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Does something with the rows, as one transaction.
    async fn rows<T>(&self, what: &'static str, work: impl FnOnce(&mut State) -> T) -> Result<T> {
        self.step(what).await;
        let now = self.world.elapsed();
        let value = self.world.with(|state| {
            if state.database_down_until > now || state.happens(|odds| odds.database_error) {
                bail!("the database cannot be reached");
            }
            let value = work(state);
            if state.happens(|odds| odds.lost_reply) {
                state.tell(now, || format!("process {}: the reply to `{what}` is lost", self.slot));
                bail!("the reply is lost");
            }
            Ok(value)
        });
        self.step("before it hears of a commit").await;
        value
    }

    fn fate(&self, call: &Call) -> Fate {
        let now = self.world.elapsed();
        self.world.with(|state| {
            if state.systems.is_down(call.target.source, now) || state.happens(|odds| odds.busy) {
                return Fate::Busy;
            }
            if state.happens(|odds| odds.refusal) {
                return Fate::Refused;
            }
            if !state.happens(|odds| odds.lost_answer) {
                return Fate::Answered;
            }
            let at_most = match state.happens(|odds| odds.late) {
                true => GRACE.mul_f64(0.7),
                false => Duration::from_millis(20),
            };
            let lands = state.rng.random_range(0..4) > 0;
            Fate::Lost(lands.then(|| at_most.mul_f64(state.rng.random_range(0.0..1.0))))
        })
    }

    /// Sends a write on its way. It lands whatever becomes of the process, and tells who still listens.
    fn send(&self, call: &Call, secret: Secret, after: Duration) -> oneshot::Receiver<bool> {
        let (told, landed) = oneshot::channel();
        let (world, call) = (self.world.clone(), call.clone());
        let key = call.target.key;
        world.with(|state| state.systems.account(key.account).on_their_way += 1);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let took = world.with(|state| {
                state.systems.account(key.account).on_their_way -= 1;
                state.systems.land(call.target.source, key.account, secret)
            });
            world.tell(|| {
                let took = if took { "lands on" } else { "is refused by the history of" };
                format!("password {secret} of change {} {took} {}", call.target.seq, key.account)
            });
            let _ = told.send(took);
        });
        landed
    }
}

impl Host for SimHost {
    type Payload = Opened;
    type Fingerprint = Secret;
    type Hash = Secret;
    type Source = SourceId;

    fn now(&self) -> Now {
        self.world.now(self.slot)
    }

    fn draw(&self) -> u32 {
        self.world.with(|state| state.rng.random())
    }

    fn draw_node(&self) -> NodeId {
        NodeId(Uuid::from_u128(self.world.with(|state| state.rng.random())))
    }

    async fn register(&self, node: NodeId) -> Result<()> {
        self.rows("register", |state| state.database.register(node)).await
    }

    async fn beat(&self, node: NodeId) -> Result<Option<Round>> {
        self.rows("beat", |state| state.database.beat(node)).await
    }

    async fn pass_bucket(&self, bucket: Bucket, epoch: i64, to: Option<NodeId>) -> Result<bool> {
        let passed = self.rows("pass a bucket", |state| state.database.pass_bucket(bucket, epoch, to)).await;
        self.world.tell(|| {
            let to = to.map_or("nobody".to_owned(), |node| node.to_string());
            format!("process {}: bucket {} in epoch {epoch} goes to {to}: {passed:?}", self.slot, bucket.0)
        });
        passed
    }

    async fn retire(&self, node: NodeId) -> Result<()> {
        self.rows("retire", |state| state.database.retire(node)).await
    }

    async fn forget(&self, node: NodeId) -> Result<()> {
        self.rows("forget a node", |state| state.database.forget(node)).await
    }

    async fn unfinished(&self, node: NodeId) -> Result<Vec<Unfinished>> {
        self.rows("list what is unfinished", |state| state.database.unfinished(node)).await
    }

    async fn load(&self, identity: IdentityId) -> Result<LaneRows> {
        self.rows("load a lane", |state| state.database.load(identity)).await
    }

    async fn newer(&self, identity: IdentityId, after: i64) -> Result<Newer> {
        let read = |state: &mut State| Newer {
            changes: state.database.newer(identity, after),
            intents: state.database.intents_of(identity),
        };
        self.rows("load what is newer", read).await
    }

    async fn commit(&self, step: Step<Self>) -> Result<bool> {
        let now = self.world.elapsed();
        self.rows("commit a step", |state| {
            let State { database, systems, .. } = state;
            let committed = database.commit(&step, systems);
            state.tell_step(now, self.slot, &step, &committed);
            committed
        })
        .await?
    }

    async fn got_part_way(&self, _: IdentityId, account: AccountId, before: i64) -> Result<bool> {
        self.rows("look an earlier change up", |state| state.database.got_part_way(account, before)).await
    }

    async fn judge(&self, change: &Change) -> Result<Judged<Opened>> {
        let opened = self.open(change).await?;
        if opened.secret == 0 {
            return Ok(Judged::Refused(vec!["too short".to_owned()]));
        }
        self.rows("judge", |state| {
            let (refused, _) = state.database.history(change.identity, opened.secret);
            if refused {
                return Judged::Refused(vec!["used before".to_owned()]);
            }
            let targets = state.systems.targets(change.identity, change.account);
            Judged::Passed { targets, payload: Arc::new(opened) }
        })
        .await
    }

    async fn open(&self, change: &Change) -> Result<Opened> {
        let opened = self.rows("open a payload", |state| {
            let secret = state.database.changes.get(&change.id).and_then(|stored| stored.payload)?;
            Some(Opened { secret, is_new: state.database.history(change.identity, secret).1 })
        });
        opened.await?.context("the payload is erased")
    }

    fn fingerprint(&self, payload: &Opened) -> Secret {
        payload.secret
    }

    async fn hash(&self, _: &Change, payload: &Opened) -> Result<Secret> {
        self.step("while it hashes").await;
        Ok(payload.secret)
    }

    fn gate(&self, source: SourceId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let host = self.clone();
        let new = || Gate::new(Arc::new(move || host.now().mono), 2);
        Arc::clone(gates.entry(source).or_insert_with(new))
    }

    async fn source(&self, source: SourceId) -> Result<Arc<SourceId>, Unusable> {
        self.step("before it calls a system").await;
        Ok(Arc::new(source))
    }

    async fn write(&self, _: &SourceId, call: &Call, payload: &Opened, patience: Duration) -> (Written, Health) {
        self.world.tell(|| {
            let (seq, account) = (call.target.seq, call.target.key.account);
            format!("process {}: writes password {} of change {seq} to {account}", self.slot, payload.secret)
        });
        // Between the last look at the clock and the sending a process can be stopped, too; that time is part of how late
        // a write may land.
        let (written, health) = match self.fate(call) {
            Fate::Busy => (Written::Unavailable("busy".to_owned()), Health::Silent),
            Fate::Refused => (Written::Refused { reason: "too young".to_owned(), by_history: false }, Health::Answered),
            Fate::Lost(lands) => {
                if let Some(after) = lands {
                    drop(self.send(call, payload.secret, after));
                }
                let wait = Duration::from_millis(self.world.draw(0..12_000));
                tokio::time::sleep(wait.min(patience)).await;
                (Written::Unknown("no answer".to_owned()), Health::Silent)
            }
            Fate::Answered => {
                let landed = self.send(call, payload.secret, Duration::from_millis(self.world.draw(0..20)));
                match landed.await {
                    Ok(true) => (Written::Applied, Health::Answered),
                    _ => (Written::Refused { reason: "used before".to_owned(), by_history: true }, Health::Answered),
                }
            }
        };
        self.step("after a system answered").await;
        (written, health)
    }

    async fn sign_in(&self, source: &SourceId, call: &Call, payload: &Opened, _: Duration) -> (SignIn, Health) {
        self.step("before it signs in").await;
        let (now, key) = (self.world.elapsed(), call.target.key);
        let answer = self.world.with(|state| state.systems.sign_in(*source, key, payload.secret, now));
        self.world.tell(|| {
            let (seq, account) = (call.target.seq, key.account);
            format!("process {}: signs in to {account} for change {seq}: {answer:?}", self.slot)
        });
        self.step("after a sign-in").await;
        match answer {
            Some(true) => (SignIn::Right, Health::Answered),
            Some(false) => (SignIn::Wrong, Health::Answered),
            None => (SignIn::Unable("nobody can sign in".to_owned()), Health::Unproven),
        }
    }

    fn stands(&self, _: &BTreeMap<Bucket, i64>) {}

    fn settled(&self, _: ChangeId, _: ChangeState) {}
}
