//! The lane against a small world of accounts that lose answers, land writes late and refuse by history, and against
//! an owner that dies at any moment.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::change::{Outcome, Refusal, SignIn};
use crate::id::{SourceId, TransportKeyId};

const IDENTITY: IdentityId = IdentityId(Uuid::from_u128(7));

fn at(seconds: u64) -> Now {
    let start = DateTime::<Utc>::from_timestamp(1_700_000_000, 0).expect("a date");
    Now { utc: start + TimeDelta::seconds(seconds as i64), mono: Duration::from_secs(seconds) }
}

fn account(n: u128) -> AccountId {
    AccountId(Uuid::from_u128(n))
}

fn change(seq: i64, now: Now) -> Change {
    Change {
        id: ChangeId::of(IDENTITY, Uuid::from_u128((seq as u128) << 8)),
        identity: IDENTITY,
        seq,
        source: SourceId(Uuid::from_u128(1)),
        account: account(1),
        transport_key: TransportKeyId(Uuid::nil()),
        state: ChangeState::Accepted,
        joined: None,
        refusals: Vec::new(),
        created_at: now.utc,
        expires_at: now.utc + TimeDelta::hours(1),
        settled_at: None,
    }
}

fn targets(accounts: &[u128], sign_in: Option<u128>) -> Vec<NewTarget> {
    let target = |n: &u128| NewTarget {
        account: account(*n),
        source: SourceId(Uuid::from_u128(*n)),
        native_id: n.to_string(),
        name: n.to_string(),
        sign_in: sign_in == Some(*n),
    };
    accounts.iter().map(target).collect()
}

/// A lane with one judged change for each list of accounts, numbered from 1.
fn lane(changes: &[(&[u128], Option<u128>)]) -> Lane {
    let mut lane = Lane::new(IDENTITY, LaneRows::default(), LaneSettings::default(), at(0));
    for (index, (accounts, sign_in)) in changes.iter().enumerate() {
        accept(&mut lane, index as i64 + 1, accounts, *sign_in, at(0));
    }
    lane
}

fn accept(lane: &mut Lane, seq: i64, accounts: &[u128], sign_in: Option<u128>, now: Now) -> ChangeId {
    let change = change(seq, now);
    let id = change.id;
    lane.add(change);
    lane.judged(id, Judgement::Passed(targets(accounts, sign_in)), now);
    id
}

/// Begins the only thing that is ready on `account`.
fn begin(lane: &mut Lane, n: u128, now: Now) -> Attempt {
    let ready = lane.ready(now);
    let attempt = *ready.iter().find(|a| a.key.account == account(n)).expect("ready");
    assert!(lane.begin(attempt, now));
    attempt
}

fn state(lane: &Lane, key: TargetKey) -> TargetState {
    lane.target(key).expect("unfinished").state
}

#[test]
fn a_confirmed_write_finishes_the_change() {
    let mut lane = lane(&[(&[1, 2], None)]);
    for n in [1, 2] {
        let attempt = begin(&mut lane, n, at(1));
        lane.settle(attempt.key, Outcome::Applied, at(1), 0);
    }
    let delta = lane.take_delta();
    assert_eq!(delta.changes[0].state, ChangeState::Finished);
    assert!(lane.is_idle());
}

#[test]
fn others_wait_for_the_sign_in_source_also_while_it_retries() {
    let mut lane = lane(&[(&[1, 2], Some(1))]);
    assert_eq!(lane.ready(at(0)).len(), 1);
    let attempt = begin(&mut lane, 1, at(0));
    lane.settle(attempt.key, Outcome::Unavailable("not reached".into()), at(1), u32::MAX);
    assert!(lane.ready(at(1)).is_empty());
    let attempt = begin(&mut lane, 1, at(60));
    lane.settle(attempt.key, Outcome::Applied, at(60), 0);
    assert_eq!(lane.ready(at(60)).len(), 1);
}

#[test]
fn others_are_not_attempted_when_the_sign_in_source_refuses() {
    let mut lane = lane(&[(&[1, 2, 3], Some(1))]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.settle(attempt.key, Outcome::Refused(Refusal { reason: "too short".into(), ask: false }), at(1), 0);
    let delta = lane.take_delta();
    let states: Vec<TargetState> = delta.targets.iter().map(|target| target.state).collect();
    assert_eq!(states, [TargetState::Failed, TargetState::NotAttempted, TargetState::NotAttempted]);
    assert_eq!(delta.changes[0].state, ChangeState::Failed);
}

#[test]
fn a_newer_target_supersedes_only_when_it_is_begun() {
    let mut lane = lane(&[(&[1], None), (&[1], None)]);
    let ready = lane.ready(at(0));
    assert_eq!(ready.len(), 1, "one at a time for one account");
    let older = lane.keys(|target| target.seq == 1)[0];
    assert_eq!(state(&lane, older), TargetState::Pending);
    assert!(lane.begin(ready[0], at(0)));
    let delta = lane.take_delta();
    let older = delta.targets.iter().find(|target| target.seq == 1).expect("written");
    assert_eq!(older.state, TargetState::Superseded);
    assert_eq!(delta.changes.iter().find(|change| change.seq == 1).expect("written").state, ChangeState::Failed);
    let line = older.line("Directory").expect("not applied");
    assert_eq!(line, format!("Directory: superseded by {}", ready[0].key.change));
}

#[test]
fn a_newer_change_waits_while_an_older_one_is_being_written() {
    let mut lane = lane(&[(&[1], None)]);
    let older = begin(&mut lane, 1, at(0));
    accept(&mut lane, 2, &[1], None, at(0));
    assert!(lane.ready(at(0)).is_empty());
    lane.settle(older.key, Outcome::Applied, at(1), 0);
    assert_eq!(lane.ready(at(1)).len(), 1);
}

#[test]
fn an_older_lost_write_keeps_a_newer_one_open_until_it_can_land_no_more() {
    let mut lane = lane(&[(&[1], None)]);
    let older = begin(&mut lane, 1, at(0));
    lane.settle(older.key, Outcome::Unknown("no answer".into()), at(1), 0);
    accept(&mut lane, 2, &[1], None, at(2));
    let newer = begin(&mut lane, 1, at(2));
    lane.settle(newer.key, Outcome::Applied, at(3), 0);
    assert_eq!(state(&lane, newer.key), TargetState::Retrying);
    assert!(lane.ready(at(100)).is_empty(), "a sign-in inside the grace would prove nothing");
    lane.sweep(at(181));
    let asked = begin(&mut lane, 1, at(181));
    assert_eq!(asked.step, Step::SignIn);
    lane.settle_sign_in(asked.key, SignIn::Wrong, at(182), 0);
    lane.sweep(at(200));
    let again = begin(&mut lane, 1, at(200));
    assert_eq!(again.step, Step::Write);
    lane.settle(again.key, Outcome::Applied, at(201), 0);
    let delta = lane.take_delta();
    assert_eq!(delta.changes.iter().find(|change| change.seq == 2).expect("settled").state, ChangeState::Finished);
    assert!(lane.is_idle());
}

#[test]
fn a_superseded_lost_write_says_so() {
    let mut lane = lane(&[(&[1], None)]);
    let older = begin(&mut lane, 1, at(0));
    lane.settle(older.key, Outcome::Unknown("no answer".into()), at(1), 0);
    accept(&mut lane, 2, &[1], None, at(2));
    begin(&mut lane, 1, at(2));
    let delta = lane.take_delta();
    let line = delta.targets.iter().find(|t| t.seq == 1).and_then(|t| t.line("Directory")).expect("superseded");
    assert!(line.contains("may or may not have the new password"), "{line}");
}

#[test]
fn a_history_refusal_after_a_lost_reply_is_asked_about_once() {
    let mut lane = lane(&[(&[1], None)]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.settle(attempt.key, Outcome::Unknown("no answer".into()), at(1), 0);
    let again = begin(&mut lane, 1, at(2));
    lane.settle(again.key, Outcome::Refused(Refusal { reason: "in history".into(), ask: false }), at(2), 0);
    let asked = begin(&mut lane, 1, at(2));
    assert_eq!(asked.step, Step::SignIn);
    lane.settle_sign_in(asked.key, SignIn::Right, at(3), 0);
    assert_eq!(lane.take_delta().changes[0].state, ChangeState::Finished);
    assert!(!lane.is_idle(), "the doubt outlives the change, for the sake of a newer one");
    lane.sweep(at(400));
    assert!(lane.is_idle());
}

#[test]
fn a_take_over_puts_what_was_under_way_in_doubt() {
    let mut lane = lane(&[(&[1], None)]);
    begin(&mut lane, 1, at(0));
    let delta = lane.take_delta();
    let rows = LaneRows { changes: delta.changes, targets: delta.targets, doubts: Vec::new() };
    let mut lane = Lane::new(IDENTITY, rows, LaneSettings::default(), at(0));
    let delta = lane.take_delta();
    assert_eq!(delta.doubts_raised.len(), 1);
    assert!(delta.targets[0].unsure);
    let again = begin(&mut lane, 1, at(0));
    lane.settle(again.key, Outcome::Applied, at(1), 0);
    let asked = begin(&mut lane, 1, at(1));
    assert_eq!(asked.step, Step::SignIn);
    lane.settle_sign_in(asked.key, SignIn::Right, at(1), 0);
    assert_eq!(lane.take_delta().changes[0].state, ChangeState::Finished);
}

/// The older write of another change keeps the newer one open after its sign-in succeeded; the owner dies meanwhile.
/// The next one writes again, is refused by the history that holds this very password, and may ask once more.
#[test]
fn a_sign_in_that_succeeded_does_not_use_up_the_one_that_may_fail() {
    let mut lane = lane(&[(&[1], None)]);
    let older = begin(&mut lane, 1, at(0));
    lane.settle(older.key, Outcome::Unknown("no answer".into()), at(1), 0);
    accept(&mut lane, 2, &[1], None, at(2));
    let newer = begin(&mut lane, 1, at(2));
    lane.settle(newer.key, Outcome::Unknown("landed, answer lost".into()), at(3), 0);
    let in_history = || Outcome::Refused(Refusal { reason: "in history".into(), ask: false });
    begin(&mut lane, 1, at(4));
    lane.settle(newer.key, in_history(), at(4), 0);
    assert_eq!(begin(&mut lane, 1, at(4)).step, Step::SignIn);
    lane.settle_sign_in(newer.key, SignIn::Right, at(5), 0);
    let delta = lane.take_delta();

    let change = lane.change(newer.key.change).expect("unfinished").clone();
    let targets = delta.targets.into_iter().filter(|target| target.key == newer.key).collect();
    let rows = LaneRows { changes: vec![change], targets, doubts: delta.doubts_raised };
    let mut lane = Lane::new(IDENTITY, rows, LaneSettings::default(), at(10));
    assert_eq!(begin(&mut lane, 1, at(10)).step, Step::Write);
    lane.settle(newer.key, in_history(), at(10), 0);
    assert_eq!(begin(&mut lane, 1, at(10)).step, Step::SignIn);
    lane.settle_sign_in(newer.key, SignIn::Right, at(11), 0);
    lane.sweep(at(200));
    assert_eq!(begin(&mut lane, 1, at(200)).step, Step::SignIn);
    lane.settle_sign_in(newer.key, SignIn::Right, at(200), 0);
    assert_eq!(lane.take_delta().changes[0].state, ChangeState::Finished);
}

#[test]
fn what_waits_expires_and_what_is_under_way_settles() {
    let mut lane = lane(&[(&[1, 2], None)]);
    let under_way = begin(&mut lane, 1, at(0));
    lane.sweep(at(3600));
    let states: Vec<TargetState> = lane.targets.iter().map(|delivery| delivery.target.state).collect();
    assert_eq!(states, [TargetState::Applying, TargetState::Expired]);
    lane.settle(under_way.key, Outcome::Applied, at(3601), 0);
    let delta = lane.take_delta();
    assert_eq!(delta.changes[0].state, ChangeState::Failed);
}

#[test]
fn a_change_past_its_end_or_without_a_target_fails_at_judging() {
    let mut lane = lane(&[]);
    let late = change(1, at(0));
    lane.add(late.clone());
    lane.judged(late.id, Judgement::Passed(targets(&[1], None)), at(3600));
    accept(&mut lane, 2, &[], None, at(3600));
    let delta = lane.take_delta();
    assert!(delta.changes.iter().all(|change| change.state == ChangeState::Failed && change.refusals.len() == 1));
    assert!(delta.targets.is_empty());
}

#[test]
fn the_same_password_again_shares_the_targets_and_the_end() {
    let mut lane = lane(&[(&[1, 2], None)]);
    let second = change(2, at(0));
    lane.add(second.clone());
    assert_eq!(lane.joinable(&targets(&[1], None)), None, "other accounts");
    let leader = lane.joinable(&targets(&[2, 1], None)).expect("the same accounts");
    lane.judged(second.id, Judgement::Joined(leader), at(0));
    for n in [1, 2] {
        let attempt = begin(&mut lane, n, at(1));
        lane.settle(attempt.key, Outcome::Applied, at(1), 0);
    }
    let delta = lane.take_delta();
    assert_eq!(delta.changes.len(), 2);
    assert!(delta.changes.iter().all(|change| change.state == ChangeState::Finished));
}

/// An account of the simulated world.
#[derive(Debug, Default)]
struct Real {
    /// The place of the change whose password it has; 0 before the first.
    holds: i64,
    /// Writes that were sent and have not landed: when they land, and whose password they carry.
    late: Vec<(u64, i64)>,
    /// Passwords it had, where it keeps a history.
    history: Option<Vec<i64>>,
    wrong_sign_ins: BTreeMap<i64, u32>,
}

impl Real {
    fn land(&mut self, now: u64) {
        let (landed, late): (Vec<_>, Vec<_>) = self.late.drain(..).partition(|(when, _)| *when <= now);
        self.late = late;
        for (_, seq) in landed {
            self.write(seq);
        }
    }

    fn write(&mut self, seq: i64) -> bool {
        if self.history.as_ref().is_some_and(|history| history.contains(&seq)) {
            return false;
        }
        self.holds = seq;
        if let Some(history) = &mut self.history {
            history.push(seq);
        }
        true
    }
}

/// What happens next in the world.
#[derive(Debug, Clone)]
enum Happening {
    Accept { accounts: u8, sign_in: bool },
    Answer { which: u8, fate: u8, delay: u8 },
    Pass { seconds: u8 },
    Die,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => (1u8..8, any::<bool>()).prop_map(|(accounts, sign_in)| Happening::Accept { accounts, sign_in }),
        8 => (any::<u8>(), any::<u8>(), 0u8..58).prop_map(|(which, fate, delay)| Happening::Answer { which, fate, delay }),
        4 => (1u8..90).prop_map(|seconds| Happening::Pass { seconds }),
        1 => Just(Happening::Die),
    ]
}

/// The rows as a database would keep them.
#[derive(Debug, Default)]
struct Rows {
    changes: BTreeMap<i64, Change>,
    targets: BTreeMap<TargetKey, Target>,
    doubts: Vec<(AccountId, ChangeId)>,
}

impl Rows {
    fn commit(&mut self, delta: Delta) {
        for change in delta.changes {
            let before = self.changes.insert(change.seq, change);
            assert!(before.is_none_or(|before| !before.state.is_final()), "a final change was reopened");
        }
        for target in delta.targets {
            let before = self.targets.insert(target.key, target);
            assert!(before.is_none_or(|before| !before.state.is_final()), "a final target was reopened");
        }
        self.doubts.extend(delta.doubts_raised);
        self.doubts.retain(|doubt| !delta.doubts_ended.contains(doubt));
        for account in 1..=3 {
            let under_way =
                |target: &&Target| target.key.account == self::account(account) && target.state.is_under_way();
            assert!(self.targets.values().filter(under_way).count() <= 1, "two connectors at one account");
        }
    }

    fn load(&self) -> LaneRows {
        let changes: Vec<Change> = self.changes.values().filter(|change| !change.state.is_final()).cloned().collect();
        let unfinished = |target: &&Target| changes.iter().any(|change| change.id == target.key.change);
        let targets = self.targets.values().filter(unfinished).cloned().collect();
        LaneRows { targets, doubts: self.doubts.clone(), changes }
    }
}

struct World {
    rows: Rows,
    real: BTreeMap<u128, Real>,
    lane: Lane,
    calls: Vec<(Attempt, i64)>,
    now: u64,
    seq: i64,
    fair: bool,
}

const GRACE: u64 = 60;

impl World {
    fn new(history: bool) -> Self {
        let real = |n| (n, Real { history: (history && n == 1).then(Vec::new), ..Real::default() });
        Self {
            rows: Rows::default(),
            real: (1..=3).map(real).collect(),
            lane: Self::lane(LaneRows::default(), 0),
            calls: Vec::new(),
            now: 0,
            seq: 0,
            fair: false,
        }
    }

    fn lane(rows: LaneRows, now: u64) -> Lane {
        let settings = LaneSettings { grace: Duration::from_secs(GRACE), backoff: Backoff::default() };
        Lane::new(IDENTITY, rows, settings, at(now))
    }

    fn step(&mut self, happening: &Happening) {
        match happening {
            Happening::Accept { accounts, sign_in } => {
                self.seq += 1;
                let named: Vec<u128> = (1..=3).filter(|n| accounts >> (n - 1) & 1 == 1).collect();
                let first = sign_in.then(|| named[0]);
                accept(&mut self.lane, self.seq, &named, first, at(self.now));
            }
            Happening::Answer { which, fate, delay } if !self.calls.is_empty() => {
                let call = self.calls.remove(usize::from(*which) % self.calls.len());
                self.answer(call, if self.fair { 0 } else { *fate }, u64::from(*delay));
            }
            Happening::Answer { .. } => {}
            Happening::Pass { seconds } => self.now += u64::from(*seconds),
            Happening::Die => {
                // Calls that were under way are cut: each may have been sent, and then lands within the grace.
                for (attempt, seq) in std::mem::take(&mut self.calls) {
                    if attempt.step == Step::Write {
                        let real = self.account(attempt);
                        real.late.push((0, seq));
                        let lands = self.now + seq as u64 % GRACE;
                        self.account(attempt).late.last_mut().expect("just pushed").0 = lands;
                    }
                }
                self.lane = Self::lane(self.rows.load(), self.now);
            }
        }
        self.settle();
    }

    fn account(&mut self, attempt: Attempt) -> &mut Real {
        self.real.get_mut(&attempt.key.account.0.as_u128()).expect("an account of the world")
    }

    /// Everything that an owner does without waiting: sweep, begin, commit, and only then call.
    fn settle(&mut self) {
        let now = self.now;
        self.real.values_mut().for_each(|real| real.land(now));
        self.lane.sweep(at(now));
        let begun: Vec<Attempt> =
            self.lane.ready(at(now)).into_iter().filter(|a| self.lane.begin(*a, at(now))).collect();
        for attempt in begun {
            let seq = self.lane.target(attempt.key).expect("just begun").seq;
            self.calls.push((attempt, seq));
        }
        self.rows.commit(self.lane.take_delta());
    }

    fn answer(&mut self, (attempt, seq): (Attempt, i64), fate: u8, delay: u64) {
        let now = self.now;
        let real = self.account(attempt);
        if attempt.step == Step::SignIn {
            let answer = match (fate % 8 == 7, real.holds == seq) {
                (true, _) => SignIn::Unable("locked".into()),
                (_, true) => SignIn::Right,
                (_, false) => {
                    *real.wrong_sign_ins.entry(seq).or_default() += 1;
                    SignIn::Wrong
                }
            };
            return self.lane.settle_sign_in(attempt.key, answer, at(now), 0);
        }
        let outcome = match fate % 10 {
            0..=3 => match real.write(seq) {
                true => Outcome::Applied,
                false => Outcome::Refused(Refusal { reason: "in history".into(), ask: false }),
            },
            4 => Outcome::Unavailable("busy".into()),
            5 => {
                real.late.push((now + delay, seq));
                Outcome::Unknown("lost, lands late".into())
            }
            6 => {
                real.write(seq);
                Outcome::Unknown("landed, answer lost".into())
            }
            7 | 8 => Outcome::Refused(Refusal { reason: "too young".into(), ask: fate % 10 == 8 }),
            _ => Outcome::Unknown("never arrived".into()),
        };
        self.lane.settle(attempt.key, outcome, at(now), u32::from(fate));
    }

    /// Lets everything come to its end with systems that answer.
    fn finish(&mut self) {
        self.fair = true;
        for _ in 0..500 {
            match self.calls.is_empty() {
                false => self.step(&Happening::Answer { which: 0, fate: 0, delay: 0 }),
                true if self.lane.is_idle() => return,
                true => self.step(&Happening::Pass { seconds: 20 }),
            }
        }
        panic!("a change did not come to its end: {:?}", self.lane);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_said_of_every_account_is_so(
        happenings in proptest::collection::vec(happening(), 1..60),
        history in any::<bool>(),
    ) {
        let mut world = World::new(history);
        for happening in &happenings {
            world.step(happening);
        }
        world.finish();
        for change in world.rows.changes.values() {
            prop_assert!(change.state.is_final());
        }
        for (n, real) in &world.real {
            prop_assert!(real.late.is_empty(), "a write outlived the grace");
            prop_assert!(real.wrong_sign_ins.values().all(|wrong| *wrong <= 1), "{:?}", real.wrong_sign_ins);
            let targets: Vec<&Target> = world.rows.targets.values().filter(|t| t.key.account == account(*n)).collect();
            let applied = targets.iter().filter(|t| t.state == TargetState::Applied).map(|t| t.seq).max().unwrap_or(0);
            // Either the newest that is said to be applied is there, or one that is said to be perhaps there.
            let perhaps = targets.iter().any(|t| t.seq == real.holds && t.unsure && t.state != TargetState::Applied);
            prop_assert!(real.holds == applied || (perhaps && real.holds > applied),
                "account {n} holds {} and {applied} is said to be applied", real.holds);
        }
    }
}
