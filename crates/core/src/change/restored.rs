//! After a restore: how everything ends that the restored database calls unfinished.
//!
//! A restored database is an older truth. What it calls unfinished may have been delivered since, and a newer password
//! over it; carried on with, the old one would be put over the new. So nothing of it is begun, and all of it says that it
//! may have happened.

use chrono::{DateTime, Utc};

use super::{ChangeState, Delta, LaneEvent, LaneRows, TargetState};

/// Why a target ended.
const UNFINISHED: &str = "the database was restored from a copy in which this was unfinished";

/// Why a change ended that had no targets yet.
const UNJUDGED: &str = "the database was restored from a copy in which this request was not carried out yet; the accounts may or may \
                        not have the new password";

/// Ends every change of an identity, and with it what is not final of its targets. No doubt is left: whoever commits this
/// must have made sure that nothing which was sent before can land any more before anything is written again.
///
/// Intents stay. They are carried out when the server runs, since nothing is under way then.
pub fn end_restored(rows: LaneRows, now: DateTime<Utc>) -> Delta {
    let mut delta = Delta { doubts_ended: rows.doubts, ..Delta::default() };
    for mut target in rows.targets {
        if target.state.is_final() {
            continue;
        }
        target.state = TargetState::Failed;
        // Also of one that no write was begun for: it may have been since the copy was made.
        target.unsure = true;
        target.reason = Some(UNFINISHED.to_owned());
        target.settled_at = Some(now);
        delta.events.push(LaneEvent::NotApplied(target.key));
        delta.targets.push(target);
    }
    for mut change in rows.changes {
        if change.state == ChangeState::Accepted {
            change.refusals = vec![UNJUDGED.to_owned()];
        }
        change.state = ChangeState::Failed;
        change.settled_at = Some(now);
        delta.events.push(LaneEvent::Settled(change.id, ChangeState::Failed));
        delta.changes.push(change);
    }
    delta
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::change::{Change, Lane, LaneSettings, Now, Target, TargetKey};
    use crate::id::{AccountId, ChangeId, IdentityId, SourceId, TransportKeyId};
    use uuid::Uuid;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn change(seq: i64, state: ChangeState) -> Change {
        Change {
            id: ChangeId(Uuid::from_u128(seq.unsigned_abs().into())),
            identity: IdentityId(Uuid::from_u128(1)),
            seq,
            source: SourceId(Uuid::from_u128(7)),
            account: AccountId(Uuid::from_u128(1)),
            transport_key: TransportKeyId(Uuid::from_u128(1)),
            state,
            joined: None,
            refusals: Vec::new(),
            created_at: NOW,
            expires_at: NOW,
            settled_at: None,
        }
    }

    fn target(change: &Change, account: u128, state: TargetState) -> Target {
        Target {
            key: TargetKey { change: change.id, account: AccountId(Uuid::from_u128(account)) },
            source: SourceId(Uuid::from_u128(7)),
            native_id: String::new(),
            name: String::new(),
            seq: change.seq,
            sign_in: false,
            state,
            attempts: 0,
            probed: false,
            unsure: false,
            reason: None,
            settled_at: state.is_final().then_some(NOW),
        }
    }

    #[test]
    fn every_unfinished_target_ends_and_may_or_may_not_have_the_password_and_what_was_final_stays() {
        let judged = change(1, ChangeState::Judged);
        let targets: Vec<Target> =
            (1..).zip(TargetState::NAMES).map(|(n, (state, _))| target(&judged, n, state)).collect();
        let ended =
            end_restored(LaneRows { changes: vec![judged], targets: targets.clone(), ..LaneRows::default() }, NOW);
        let unfinished: Vec<_> = targets.iter().filter(|target| !target.state.is_final()).map(|t| t.key).collect();
        assert_eq!(ended.targets.iter().map(|target| target.key).collect::<Vec<_>>(), unfinished);
        assert_eq!(unfinished.len(), 5);
        for target in &ended.targets {
            let line = target.line("Payroll").expect("not applied");
            assert!(line.contains("restored") && line.contains("may or may not have the new password"), "{line}");
            assert_eq!((target.state, target.settled_at), (TargetState::Failed, Some(NOW)));
        }
    }

    #[test]
    fn every_change_fails_and_keeps_no_payload() {
        let mut joined = change(2, ChangeState::Judged);
        joined.joined = Some(change(1, ChangeState::Judged).id);
        let changes = vec![change(1, ChangeState::Judged), joined, change(3, ChangeState::Accepted)];
        let ended = end_restored(LaneRows { changes, ..LaneRows::default() }, NOW);
        assert!(ended.changes.iter().all(|change| change.state == ChangeState::Failed && !change.keeps_payload()));
        assert_eq!(ended.changes.iter().map(|change| change.refusals.len()).collect::<Vec<_>>(), [0, 0, 1]);
        assert!(ended.changes[2].refusals[0].contains("may or may not have the new password"));
        assert_eq!(ended.events.len(), 3);
    }

    #[test]
    fn a_lane_that_is_built_afterwards_has_nothing_to_do() {
        let judged = change(1, ChangeState::Judged);
        let (targets, doubt) =
            (vec![target(&judged, 1, TargetState::Applying)], (AccountId(Uuid::from_u128(1)), judged.id));
        let rows = LaneRows { changes: vec![judged], targets, doubts: vec![doubt], intents: Vec::new() };
        let ended = end_restored(rows.clone(), NOW);
        assert_eq!(ended.doubts_ended, rows.doubts);
        let left = LaneRows {
            changes: ended.changes.into_iter().filter(|change| !change.state.is_final()).collect(),
            doubts: rows.doubts.into_iter().filter(|doubt| !ended.doubts_ended.contains(doubt)).collect(),
            ..LaneRows::default()
        };
        let now = Now { utc: NOW, mono: Duration::ZERO };
        assert!(Lane::new(IdentityId(Uuid::from_u128(1)), left, LaneSettings::default(), now).is_idle());
    }
}
