//! Disabling identities, giving accounts away, burying them, and having it tried at once.

use super::*;
use crate::id::IntentId;

fn intent(kind: IntentKind) -> Intent {
    Intent { id: IntentId(Uuid::from_u128(9)), kind }
}

fn give(n: u128) -> Intent {
    intent(IntentKind::Give { account: account(n), to: Some(IdentityId(Uuid::from_u128(8))) })
}

#[test]
fn an_account_is_given_away_at_once_where_nothing_is_under_way() {
    let mut lane = lane(&[]);
    lane.intend(vec![give(1)]);
    assert!(!lane.is_idle());
    lane.sweep(at(0));
    assert_eq!(lane.take_delta().intents_done, [give(1)]);
    assert!(lane.is_idle());
}

#[test]
fn what_waits_on_an_account_that_is_given_away_ends_and_the_others_go_on() {
    let mut lane = lane(&[(&[1, 2], Some(2))]);
    lane.intend(vec![give(1)]);
    lane.sweep(at(0));
    let delta = lane.take_delta();
    assert_eq!(delta.intents_done, [give(1)]);
    let ended = delta.targets.iter().find(|target| target.key.account == account(1)).expect("told");
    assert_eq!(ended.state, TargetState::Expired);
    assert_eq!(ended.reason.as_deref(), Some("the account does not belong to this identity any more"));
    begin(&mut lane, 2, at(0));
}

#[test]
fn an_account_is_not_given_away_under_a_write_that_is_under_way() {
    let mut lane = lane(&[(&[1], None)]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.intend(vec![give(1)]);
    lane.sweep(at(0));
    assert_eq!(lane.take_delta().intents_done, []);
    lane.settle(attempt.key, Outcome::Applied, at(1), 0);
    lane.sweep(at(1));
    assert_eq!(lane.take_delta().intents_done, [give(1)]);
}

/// Given away at once, the account would be written for its new identity, and then the lost write would land.
#[test]
fn an_account_is_not_given_away_while_a_lost_write_may_land() {
    let mut lane = lane(&[(&[1], None)]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.settle(attempt.key, Outcome::Unknown("no answer".into()), at(1), 0);
    lane.intend(vec![give(1)]);
    lane.sweep(at(1));
    let delta = lane.take_delta();
    assert_eq!((delta.targets[0].state, delta.targets[0].unsure), (TargetState::Expired, true));
    assert_eq!(delta.intents_done, []);
    assert_eq!(lane.wake(at(1)), Some(at(181).mono), "it wakes when the doubt ends");
    lane.sweep(at(181));
    assert_eq!(lane.take_delta().intents_done, [give(1)]);
}

/// Otherwise it would be finished with the other accounts alone, and say so of an account that it never reached.
#[test]
fn a_change_whose_account_went_away_before_it_was_judged_is_refused() {
    let mut lane = lane(&[]);
    lane.add(change(1, at(0)));
    let judging = lane.begin_judging().expect("unjudged");
    lane.judged(judging.id, Judgement::Passed(targets(&[2, 3], None)), at(1));
    let delta = lane.take_delta();
    assert_eq!(delta.changes[0].state, ChangeState::Failed);
    assert_eq!(
        (delta.changes[0].refusals.as_slice(), delta.targets.len()),
        (&["the account that was named does not belong to this identity any more".to_owned()][..], 0)
    );
}

/// The others of the group are being written with the same password for an earlier change: joined to that one, it would be
/// finished although its own account was never reached.
#[test]
fn a_change_whose_account_went_away_joins_nobody() {
    let mut lane = lane(&[(&[2], None)]);
    let leader = begin(&mut lane, 2, at(0)).key.change;
    lane.add(change(2, at(0)));
    let judging = lane.begin_judging().expect("unjudged");
    lane.judged(judging.id, Judgement::Joined(leader), at(1));
    let delta = lane.take_delta();
    let refused = delta.changes.iter().find(|change| change.id == judging.id).expect("told");
    assert_eq!((refused.state, refused.joined), (ChangeState::Failed, None));
}

#[test]
fn an_intent_that_was_taken_back_refuses_nobody() {
    let mut lane = lane(&[(&[2], None)]);
    begin(&mut lane, 2, at(0));
    let disable = intent(IntentKind::Disable);
    lane.intend(vec![disable]);
    lane.sweep(at(1));
    // Enabled again while the write is under way; what is accepted after that is carried out.
    lane.add(change(2, at(2)));
    lane.intend(Vec::new());
    lane.sweep(at(2));
    let judging = lane.begin_judging().expect("unjudged");
    lane.judged(judging.id, Judgement::Passed(targets(&[1], None)), at(2));
    assert_eq!(lane.change(judging.id).expect("unfinished").state, ChangeState::Judged);
    assert_eq!(lane.take_delta().intents_done, []);
}

/// A judgement has read whose the account is, the intent is carried out, and then the judgement makes a target for it.
#[test]
fn an_account_is_not_given_away_while_somebody_judges() {
    let mut lane = lane(&[]);
    lane.add(change(1, at(0)));
    let judging = lane.begin_judging().expect("unjudged");
    lane.intend(vec![give(1)]);
    lane.sweep(at(0));
    assert_eq!(lane.take_delta().intents_done, []);
    lane.judged(judging.id, Judgement::Passed(targets(&[1, 2], None)), at(1));
    lane.sweep(at(1));
    let delta = lane.take_delta();
    assert_eq!(delta.changes[0].refusals, ["the account does not belong to this identity any more"]);
    assert_eq!((delta.targets.len(), delta.intents_done), (0, vec![give(1)]));
}

#[test]
fn an_account_that_is_being_given_away_is_no_target_of_a_change_that_names_another() {
    let mut lane = lane(&[(&[2], None)]);
    begin(&mut lane, 2, at(0));
    lane.intend(vec![give(2)]);
    lane.add(change(2, at(1)));
    let judging = lane.begin_judging().expect("unjudged");
    lane.judged(judging.id, Judgement::Passed(targets(&[1, 2], None)), at(1));
    let reached: Vec<AccountId> = lane.targets_of(judging.id).map(|target| target.key.account).collect();
    assert_eq!(reached, [account(1)]);
}

#[test]
fn when_an_identity_is_disabled_nothing_more_is_delivered() {
    let mut lane = lane(&[(&[1, 2], None)]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.add(change(2, at(0)));
    let disable = intent(IntentKind::Disable);
    lane.intend(vec![disable]);
    lane.sweep(at(1));
    let delta = lane.take_delta();
    let unjudged = delta.changes.iter().find(|change| change.seq == 2).expect("told");
    assert_eq!((unjudged.state, unjudged.refusals.len()), (ChangeState::Failed, 1));
    assert_eq!(state(&lane, TargetKey { account: account(2), ..attempt.key }), TargetState::Expired);
    assert_eq!(delta.intents_done, [], "a write is under way");
    // It is not tried again.
    lane.settle(attempt.key, Outcome::Unavailable("busy".into()), at(2), 0);
    lane.sweep(at(2));
    assert_eq!(lane.take_delta().intents_done, [disable]);
    assert!(lane.is_idle());
}

#[test]
fn an_intent_is_taken_in_once() {
    let mut lane = lane(&[]);
    lane.intend(vec![give(1)]);
    lane.intend(vec![give(1)]);
    lane.sweep(at(0));
    assert_eq!(lane.take_delta().intents_done, [give(1)]);
}

#[test]
fn what_waits_for_its_next_try_is_tried_at_once_when_somebody_says_so() {
    let mut lane = lane(&[(&[1, 2], None)]);
    let retry = intent(IntentKind::Retry);
    let attempt = begin(&mut lane, 1, at(0));
    begin(&mut lane, 2, at(0));
    lane.settle(attempt.key, Outcome::Unavailable("busy".into()), at(1), u32::MAX);
    assert!(lane.ready(at(1)).is_empty(), "it waits");
    lane.intend(vec![retry]);
    lane.sweep(at(1));
    assert_eq!(lane.take_delta().intents_done, [retry], "whatever else is under way");
    let again = begin(&mut lane, 1, at(1));
    assert_eq!((again.key, again.step), (attempt.key, Step::Write));
    // Once: the next failure waits as before.
    lane.settle(again.key, Outcome::Unavailable("busy".into()), at(2), u32::MAX);
    lane.sweep(at(2));
    assert!(lane.ready(at(2)).is_empty());
    assert_eq!(lane.target(again.key).expect("unfinished").attempts, 2);
}

#[test]
fn a_retry_is_done_once_also_while_somebody_judges() {
    let mut lane = lane(&[(&[1], None)]);
    let attempt = begin(&mut lane, 1, at(0));
    lane.add(change(2, at(0)));
    lane.begin_judging().expect("unjudged");
    let retry = intent(IntentKind::Retry);
    lane.intend(vec![retry]);
    lane.sweep(at(0));
    assert_eq!(lane.take_delta().intents_done, [retry]);
    lane.settle(attempt.key, Outcome::Unavailable("busy".into()), at(1), u32::MAX);
    lane.sweep(at(1));
    assert!(lane.ready(at(1)).is_empty(), "it waits as before");
}

/// A lost write may still land: what is written meanwhile could be overwritten by it, and a refusal could be its doing.
#[test]
fn what_waits_for_a_doubt_to_end_goes_on_waiting() {
    let mut lane = lane(&[(&[1], None)]);
    let first = begin(&mut lane, 1, at(0));
    lane.settle(first.key, Outcome::Unknown("no answer".into()), at(1), u32::MAX);
    let due = lane.wake(at(1));
    lane.intend(vec![intent(IntentKind::Retry)]);
    lane.sweep(at(1));
    assert!(lane.ready(at(1)).is_empty());
    assert_eq!(lane.wake(at(1)), due);
}

#[test]
fn a_retry_ends_nothing_and_refuses_nobody() {
    let mut lane = lane(&[(&[1], Some(1))]);
    lane.intend(vec![intent(IntentKind::Retry)]);
    lane.add(change(2, at(0)));
    let judging = lane.begin_judging().expect("unjudged");
    lane.judged(judging.id, Judgement::Passed(targets(&[1, 2], None)), at(1));
    lane.sweep(at(1));
    let delta = lane.take_delta();
    assert!(delta.changes.iter().all(|change| !change.state.is_final()), "{delta:?}");
    assert!(delta.targets.iter().all(|target| !target.state.is_final()), "{delta:?}");
}
