//! The lane, one interleaving after another. Those that taught a rule say how it went wrong.

mod intents;
mod world;

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
    let mut change = change(seq, now);
    change.account = account(accounts.first().copied().unwrap_or(1));
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
    let rows = LaneRows { changes: delta.changes, targets: delta.targets, doubts: Vec::new(), intents: Vec::new() };
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

/// The write lands and its answer is lost. The directory is away for longer than the grace. When it is back, its history
/// refuses the password that the account has.
#[test]
fn a_refusal_after_the_grace_is_asked_about_when_a_write_was_lost_before() {
    for (answer, state) in [(SignIn::Right, TargetState::Applied), (SignIn::Wrong, TargetState::Failed)] {
        let mut lane = lane(&[(&[1], None)]);
        let attempt = begin(&mut lane, 1, at(0));
        lane.settle(attempt.key, Outcome::Unknown("no answer".into()), at(1), 0);
        lane.sweep(at(300));
        begin(&mut lane, 1, at(300));
        lane.settle(attempt.key, Outcome::Refused(Refusal { reason: "in history".into(), ask: false }), at(300), 0);
        assert_eq!(begin(&mut lane, 1, at(300)).step, Step::SignIn);
        lane.settle_sign_in(attempt.key, answer, at(301), 0);
        let delta = lane.take_delta();
        assert_eq!((delta.targets[0].state, delta.targets[0].unsure), (state, false));
        assert!(lane.is_idle());
    }
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
    let rows = LaneRows { changes: vec![change], targets, doubts: delta.doubts_raised, intents: Vec::new() };
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

fn refused(ask: bool) -> Outcome {
    Outcome::Refused(Refusal { reason: "in history".into(), ask })
}

#[test]
fn what_becomes_due_while_a_step_is_committed_wakes_the_lane() {
    let mut lane = lane(&[(&[1], None)]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.settle(attempt.key, Outcome::Unavailable("busy".into()), at(1), 0);
    lane.take_delta();
    let wake = lane.wake(at(1)).expect("a retry is due");
    assert!(wake > at(1).mono && wake < at(2).mono, "the time that the step began with, not that of its commit");
    assert_eq!(lane.ready(at(2)).len(), 1);
}

/// A writes 1 and 2; 1 has it, 2 is down. B writes 1 only and is finished. C has A's password again: were it to join A,
/// both would be finished when 2 is back, and 1 would have B's.
#[test]
fn a_change_does_not_join_across_one_that_came_between() {
    let mut lane = lane(&[(&[1, 2], None)]);
    let first = begin(&mut lane, 1, at(0));
    lane.settle(first.key, Outcome::Applied, at(0), 0);
    let second = begin(&mut lane, 2, at(0));
    lane.settle(second.key, Outcome::Unavailable("down".into()), at(0), 0);
    lane.take_delta();
    accept(&mut lane, 2, &[1], None, at(1));
    let between = begin(&mut lane, 1, at(1));
    lane.settle(between.key, Outcome::Applied, at(1), 0);
    assert_eq!(lane.take_delta().changes[0].state, ChangeState::Finished);
    lane.add(change(3, at(2)));
    assert_eq!(lane.joinable(&targets(&[1, 2], None)), None);
}

/// The sign-in that would have told is cut off by a crash; the password is written again and refused again. Nobody knows
/// whether the account has it, and nobody may ask a second time.
#[test]
fn a_question_that_was_cut_off_leaves_the_target_unsure() {
    let mut lane = lane(&[(&[1], None)]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.settle(attempt.key, refused(true), at(0), 0);
    assert_eq!(begin(&mut lane, 1, at(0)).step, Step::SignIn);
    let delta = lane.take_delta();
    let change = lane.change(attempt.key.change).expect("unfinished").clone();
    let rows = LaneRows { changes: vec![change], targets: delta.targets, doubts: Vec::new(), intents: Vec::new() };
    let mut lane = Lane::new(IDENTITY, rows, LaneSettings::default(), at(10));
    begin(&mut lane, 1, at(10));
    lane.settle(attempt.key, refused(true), at(10), 0);
    let delta = lane.take_delta();
    let target = delta.targets.last().expect("ended");
    assert_eq!((target.state, target.unsure), (TargetState::Failed, true));
}

#[test]
fn a_question_that_expires_unasked_leaves_the_target_unsure() {
    let mut lane = lane(&[(&[1], None)]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.settle(attempt.key, refused(true), at(0), 0);
    lane.sweep(at(3600));
    let delta = lane.take_delta();
    assert_eq!((delta.targets[0].state, delta.targets[0].unsure), (TargetState::Expired, true));
}

/// An older write was lost, the newer one is refused by a history that may hold it, and the sign-in proves nothing.
#[test]
fn a_question_that_nobody_could_answer_leaves_the_target_unsure() {
    let mut lane = lane(&[(&[1], None)]);
    let older = begin(&mut lane, 1, at(0));
    lane.settle(older.key, Outcome::Unknown("no answer".into()), at(1), 0);
    accept(&mut lane, 2, &[1], None, at(2));
    let newer = begin(&mut lane, 1, at(2));
    lane.settle(newer.key, refused(true), at(2), 0);
    assert_eq!(begin(&mut lane, 1, at(2)).step, Step::SignIn);
    lane.settle_sign_in(newer.key, SignIn::Unable("locked".into()), at(2), 0);
    lane.sweep(at(182));
    assert_eq!(begin(&mut lane, 1, at(182)).step, Step::Write);
    lane.settle(newer.key, refused(true), at(182), 0);
    let delta = lane.take_delta();
    let target = delta.targets.iter().find(|target| target.seq == 2).expect("ended");
    assert_eq!((target.state, target.unsure), (TargetState::Failed, true));
}

#[test]
fn a_change_that_nobody_can_judge_ends_too() {
    let mut lane = lane(&[]);
    lane.add(change(1, at(0)));
    assert_eq!(lane.wake(at(0)), Some(Duration::from_secs(3600)));
    lane.sweep(at(3600));
    assert_eq!(lane.take_delta().changes[0].state, ChangeState::Failed);
    assert!(lane.is_idle());
}
