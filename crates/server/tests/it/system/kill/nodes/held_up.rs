//! A node is stopped where it stands, inside an accept, a settle and a connector call at once, for long enough to be
//! taken for dead; then it goes on. Nothing is lost, and intake at the other never stops for longer than the lock time
//! limit.
//!
//! It is aimed by state: the test holds what the node waits for, stops the node, and lets go. So the database does for
//! the node what it asked for, and the node does not know of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::intake::Intake;
use super::{PATIENCE, SLACK, Timing, Town, bucket, is_proof};
use crate::system::api::{Api, PasswordInfo};
use crate::system::kill::driver::{self, Driver, Person, Request, alias};
use crate::system::tables::BILLING;
use crate::system::{fresh_password, until};

/// Who is driven, who is taken in throughout, and of whom three are chosen.
const DRIVEN: usize = 24;
const TAKEN_IN: usize = 8;
const SPARE: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_in_mid_work_and_goes_on_after_it_was_taken_for_dead_does_no_harm() {
    let (timing, pause) = match is_proof() {
        false => (Timing { timeout: Duration::from_secs(3), grace: Duration::from_secs(8) }, Duration::from_secs(7)),
        true => (Timing { timeout: Duration::from_secs(10), grace: Duration::from_secs(90) }, Duration::from_secs(60)),
    };
    let mut town = Town::new("held_up", 740, DRIVEN + TAKEN_IN + SPARE, timing).await;
    town.share().await;
    let apis = town.fleet.apis().await;
    let mut people = driver::people(&apis[1], DRIVEN + TAKEN_IN + SPARE, &town.initial).await;
    let mut infos = Vec::new();
    for number in 0..people.len() {
        infos.push(apis[1].ask(&alias(number), BILLING).await);
    }
    let spare = people.split_off(DRIVEN + TAKEN_IN);
    let taken_in = people.split_off(DRIVEN);
    let spare_infos = infos.split_off(DRIVEN + TAKEN_IN);
    let mut aim = Aim::take(&town, spare, spare_infos, &infos).await;

    // Clients of the first node go to the second when they get no answer.
    let both = [apis[0].impatient(Duration::from_secs(3)), apis[1].clone()];
    let driver = Driver::start(&both, people, Duration::from_millis(300), town.begin);
    let intake = Intake::start(apis[1].clone(), taken_in, infos.split_off(DRIVEN), town.begin);

    let Stopped { at, accepting } = aim.stop_inside(&town, &both).await;
    // What the node had taken in is as good as lost; its client asks the other, while the place is still taken.
    let newer = Instant::now();
    aim.change(ACCEPT, &apis[1]).await;
    let newer = newer.elapsed();
    let took_over = town.has_everything(1, at).await;
    // Newer passwords, where the node that knows nothing of it had written.
    aim.change(SETTLE, &apis[1]).await;
    aim.change(CALL, &apis[1]).await;
    tokio::time::sleep(pause.saturating_sub(at.elapsed())).await;
    assert!(town.owners().await.values().all(|owner| *owner == 1), "a stopped node owns a bucket");
    town.fleet.signal(0, Signal::CONT);
    let paused = at.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let lost = accepting.await.expect("the client");
    aim.insist(ACCEPT, lost, &apis[1]).await;

    let taken = intake.stop().await;
    let mut people = driver.stop().await;
    people.extend(taken.people);
    people.extend(aim.people);
    let (limit, all) = (timing.lock_limit(), timing.take_over_limit());
    town.say(format_args!("stopped for {paused:.1?} inside an accept, a settle and a connector call"));
    town.say(format_args!("the other had every bucket after {took_over:.2?}, limit {all:.1?}"));
    town.say(format_args!("the person whose next place was held was taken in after {newer:.2?}, limit {limit:.1?}"));
    town.say(format_args!(
        "{} others taken in; longest gap {:.2?}, slowest answer {:.2?}",
        taken.count, taken.gap, taken.slowest
    ));
    assert!(took_over < all + SLACK, "{took_over:?}");
    assert!(newer < limit + SLACK, "{newer:?}");
    assert!(taken.gap < limit + SLACK, "intake stopped for {:?}", taken.gap);
    town.judge(&apis[1], &people).await;
    town.fleet.stop_all().await;
}

/// Whom the node is stopped for: the places of three people of [`Aim`].
const ACCEPT: usize = 0;
const SETTLE: usize = 1;
const CALL: usize = 2;

/// Whoever accepts the next change of the person who was the last in a bucket waits for this transaction.
const TAKE_THE_NEXT_PLACE: &str = "INSERT INTO change (bucket, id, identity, seq, source, account, account_sent,
        transport_key, caller, state, refusals, created_at, expires_at)
    SELECT bucket, gen_random_uuid(), identity, seq + 1, source, account, account_sent,
        transport_key, caller, state, refusals, created_at, expires_at
    FROM change WHERE bucket = $1 ORDER BY id DESC LIMIT 1";

/// Three people of the first node's buckets, among some who are left alone.
struct Aim {
    people: Vec<Person>,
    infos: Vec<PasswordInfo>,
    chosen: Vec<usize>,
    begin: Instant,
}

/// The first node is stopped.
struct Stopped {
    at: Instant,
    /// The client that it did not answer, and what that one sent.
    accepting: JoinHandle<Unanswered>,
}

/// A request without an answer.
struct Unanswered {
    body: Value,
    password: String,
    sent: Vec<(Duration, String)>,
}

impl Aim {
    /// `others` are in nobody's way: a bucket that is held is none of theirs.
    async fn take(town: &Town, people: Vec<Person>, infos: Vec<PasswordInfo>, others: &[PasswordInfo]) -> Self {
        let owners = town.owners().await;
        let mut buckets: BTreeSet<u8> = others.iter().map(|info| bucket(&info.identity_id)).collect();
        // Those with an even number sign in with Lockstep itself, so that no target of theirs waits for another.
        let places = (0..people.len()).step_by(2).filter(|place| {
            let bucket = bucket(&infos[*place].identity_id);
            owners[&bucket] == 0 && buckets.insert(bucket)
        });
        let chosen: Vec<usize> = places.take(3).collect();
        assert_eq!(chosen.len(), 3, "the first node has too few of the people");
        Self { people, infos, chosen, begin: town.begin }
    }

    /// Stops the first node inside an accept, a settle and a connector call.
    async fn stop_inside(&mut self, town: &Town, apis: &[Api]) -> Stopped {
        // So that there is a change to take the next place after.
        let first = self.change(ACCEPT, &apis[1]).await;
        apis[1].settled(&first).await;

        // Two accounts are being written, and their table does not answer.
        let call = town.world.billing.hold(&self.alias(CALL)).await;
        let settle = town.world.billing.hold(&self.alias(SETTLE)).await;
        let ids = [self.change(CALL, &apis[0]).await, self.change(SETTLE, &apis[0]).await];
        until("nothing but the table is waited for", PATIENCE, async || {
            let waiting = "SELECT count(*) FROM target WHERE change = ANY($1) AND state = 'applying'";
            let others = "SELECT count(*) FROM target WHERE change = ANY($1) AND state = 'applied'";
            let count = async |query: &'static str| -> i64 {
                let ids: Vec<Uuid> = ids.iter().map(|id| id.parse().expect("an id")).collect();
                sqlx::query_scalar(query).bind(ids).fetch_one(&town.store).await.expect("a row")
            };
            (count(waiting).await == 2 && count(others).await == 4).then_some(())
        })
        .await;

        // Somebody cannot be taken in. Then one account answers, and what it said cannot be written down: nothing slow
        // is between the two, so that neither has waited for long when the node stops.
        let store = &town.store;
        let in_accept = Hold::take(store, TAKE_THE_NEXT_PLACE, self.bucket(ACCEPT)).await;
        let in_settle =
            Hold::take(store, "SELECT 1 FROM bucket WHERE bucket = $1 FOR UPDATE", self.bucket(SETTLE)).await;
        let accepting = self.send(ACCEPT, &apis[0]);
        let accept = until("an accept waits", PATIENCE, async || in_accept.awaited_by(store).await).await;
        settle.rollback().await.expect("let go");
        let settle = until("a settle waits", PATIENCE, async || in_settle.awaited_by(store).await).await;
        town.fleet.signal(0, Signal::STOP);
        let at = Instant::now();
        assert_eq!(in_accept.awaited_by(store).await, Some(accept), "the accept gave up before the node stopped");
        in_accept.let_go().await;
        in_settle.let_go().await;
        until("the node is in the midst of both transactions", town.timing.lock_limit(), async || {
            let idle = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1) AND state = 'idle in transaction'";
            let idle: i64 = sqlx::query_scalar(idle).bind([accept, settle]).fetch_one(store).await.expect("a row");
            (idle == 2).then_some(())
        })
        .await;
        // The table carries out what it was told. Nobody hears of it.
        call.rollback().await.expect("let go");
        Stopped { at, accepting }
    }

    /// Has a change accepted, and gives its id.
    async fn change(&mut self, whose: usize, api: &Api) -> String {
        let request = self.request(whose);
        self.insist(whose, request, api).await
    }

    /// Sends a request until it is accepted.
    async fn insist(&mut self, whose: usize, request: Unanswered, api: &Api) -> String {
        let Unanswered { body, password, mut sent } = request;
        let id = until("it is accepted", PATIENCE, async || {
            let answer = api.send_set(&body).await;
            sent.push((self.begin.elapsed(), format!("{:?}", answer.as_ref().map(|(status, _)| status))));
            let (status, answer) = answer?;
            (status == 202).then(|| answer["requestId"].as_str().expect("an id").to_owned())
        })
        .await;
        let person = &mut self.people[self.chosen[whose]];
        person.requests.push(Request { password, built_in: false, id: id.clone(), sent });
        id
    }

    /// Sends a request once, to a node that does not answer.
    fn send(&self, whose: usize, api: &Api) -> JoinHandle<Unanswered> {
        let (mut request, api, begin) = (self.request(whose), api.clone(), self.begin);
        tokio::spawn(async move {
            let answer = api.send_set(&request.body).await;
            assert!(answer.is_none(), "it was to get no answer: {answer:?}");
            request.sent.push((begin.elapsed(), "no answer".to_owned()));
            request
        })
    }

    fn request(&self, whose: usize) -> Unanswered {
        let password = fresh_password(&format!("aimed{whose}"));
        let body = self.infos[self.chosen[whose]].change_to(&password);
        Unanswered { body, password, sent: Vec::new() }
    }

    fn alias(&self, whose: usize) -> String {
        alias(DRIVEN + TAKEN_IN + self.chosen[whose])
    }

    fn bucket(&self, whose: usize) -> i16 {
        i16::from(bucket(&self.infos[self.chosen[whose]].identity_id))
    }
}

/// What a transaction of the test has, and nobody else gets.
struct Hold {
    transaction: Transaction<'static, Postgres>,
    /// The server process of the transaction.
    process: i32,
}

impl Hold {
    async fn take(store: &PgPool, query: &'static str, bucket: i16) -> Self {
        let mut transaction = store.begin().await.expect("begun");
        let held = sqlx::query(query).bind(bucket).execute(&mut *transaction).await.expect("held");
        assert_eq!(held.rows_affected(), 1, "there is no row to be held");
        let process = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *transaction).await.expect("a row");
        Self { transaction, process }
    }

    /// The server process that waits for this transaction.
    async fn awaited_by(&self, store: &PgPool) -> Option<i32> {
        let waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'lockstep' AND $1 = ANY (pg_blocking_pids(pid))";
        sqlx::query_scalar(waiting).bind(self.process).fetch_optional(store).await.expect("rows")
    }

    async fn let_go(self) {
        self.transaction.rollback().await.expect("let go");
    }
}
