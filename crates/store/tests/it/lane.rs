//! The lane of an identity as rows.

use lockstep_core::change::{Change, ChangeState, Delta, Target, TargetState};
use lockstep_core::id::IdentityId;
use lockstep_store::{Error, Result, bucket, change, lane};

use crate::change::accept;
use crate::harness::{Database, on_both_engines};
use crate::sample::{account_id, at, change as sample_change, identity_id, node, target};

async fn save(database: &Database, identity: IdentityId, delta: Delta) -> Result<()> {
    database.try_write(move |tx| Box::pin(async move { lane::save(tx, identity, &delta).await })).await
}

async fn save_targets(database: &Database, targets: Vec<Target>) -> Result<()> {
    save(database, IDENTITY, Delta { targets, ..Delta::default() }).await
}

fn settled(mut change: Change, state: ChangeState) -> Change {
    change.state = state;
    change.settled_at = Some(at(50));
    change
}

const IDENTITY: IdentityId = IdentityId(uuid::Uuid::from_u128(0x1d_0000_0042));

on_both_engines! {
    async fn a_lane_is_loaded_as_it_was_saved(database) {
        let changes: Vec<Change> = (1..=4).map(|seq| sample_change(IDENTITY, seq)).collect();
        accept(&database, changes.clone()).await;
        accept(&database, vec![sample_change(identity_id(0x142), 1)]).await;

        let finished = settled(changes[0].clone(), ChangeState::Finished);
        let mut judged = changes[1].clone();
        judged.state = ChangeState::Judged;
        let mut joined = changes[2].clone();
        joined.state = ChangeState::Judged;
        joined.joined = Some(judged.id);
        let mut retrying = target(&judged, 1, TargetState::Retrying);
        (retrying.attempts, retrying.probed, retrying.unsure, retrying.sign_in) = (3, true, true, true);
        retrying.reason = Some("no answer".to_owned());
        let applied = target(&judged, 2, TargetState::Applied);
        let delta = Delta {
            changes: vec![finished.clone(), judged.clone(), joined.clone()],
            targets: vec![target(&finished, 1, TargetState::Applied), retrying.clone(), applied.clone()],
            doubts_raised: vec![(account_id(1), judged.id), (account_id(1), finished.id)],
            ..Delta::default()
        };
        save(&database, IDENTITY, delta).await.expect("saved");

        let rows = database.read(|tx| Box::pin(lane::load(tx, IDENTITY))).await;
        assert_eq!(rows.changes, [judged.clone(), joined, changes[3].clone()]);
        assert_eq!(rows.targets, [retrying, applied]);
        assert_eq!(rows.doubts, [(account_id(1), finished.id), (account_id(1), judged.id)]);

        let newer = database.read(|tx| Box::pin(lane::newer(tx, IDENTITY, 1))).await;
        assert_eq!(newer, [changes[3].clone()], "accepted ones only");
        assert!(database.read(|tx| Box::pin(lane::newer(tx, IDENTITY, 4))).await.is_empty());
    }

    async fn the_payload_goes_when_its_change_is_final(database) {
        let [first, second] = [1, 2].map(|seq| sample_change(IDENTITY, seq));
        accept(&database, vec![first.clone(), second.clone()]).await;
        let mut judged = second.clone();
        judged.state = ChangeState::Judged;
        let failed = settled(first.clone(), ChangeState::Failed);
        save(&database, IDENTITY, Delta { changes: vec![failed, judged], ..Delta::default() }).await.expect("saved");
        let payload = async |id| database.read(move |tx| Box::pin(change::payload(tx, id))).await;
        assert_eq!(payload(first.id).await, None);
        assert_eq!(payload(second.id).await, Some(crate::sample::payload()));
    }

    async fn what_is_final_stays_as_it_is(database) {
        let change = sample_change(IDENTITY, 1);
        accept(&database, vec![change.clone()]).await;
        let finished = settled(change.clone(), ChangeState::Finished);
        let applied = target(&change, 1, TargetState::Applied);
        let delta = Delta { changes: vec![finished.clone()], targets: vec![applied.clone()], ..Delta::default() };
        save(&database, IDENTITY, delta).await.expect("saved");

        let again = Delta { changes: vec![settled(change.clone(), ChangeState::Failed)], ..Delta::default() };
        let refused = save(&database, IDENTITY, again).await;
        assert!(matches!(refused, Err(Error::Stale("change"))), "{refused:?}");
        let refused = save_targets(&database, vec![target(&change, 1, TargetState::Retrying)]).await;
        assert!(matches!(refused, Err(Error::Stale("target"))), "{refused:?}");
        let id = change.id;
        let found = database.read(move |tx| Box::pin(change::find(tx, id))).await;
        assert_eq!(found, Some((finished, vec![applied])));
    }

    async fn a_change_that_is_gone_cannot_be_saved(database) {
        let delta = Delta { changes: vec![sample_change(IDENTITY, 1)], ..Delta::default() };
        let refused = save(&database, IDENTITY, delta).await;
        assert!(matches!(refused, Err(Error::Stale("change"))), "{refused:?}");
    }

    async fn an_account_has_one_target_that_is_applying(database) {
        let [older, newer] = [1, 2].map(|seq| sample_change(IDENTITY, seq));
        accept(&database, vec![older.clone(), newer.clone()]).await;
        save_targets(&database, vec![target(&older, 1, TargetState::Applying)]).await.expect("the only one");
        let second = save_targets(&database, vec![target(&newer, 1, TargetState::Applying)]).await;
        assert_eq!(second.expect_err("two at one account").constraint(), Some("target_bucket_account_key"));
        save_targets(&database, vec![target(&newer, 2, TargetState::Applying)]).await.expect("another account");

        // Handed over in one step, whichever comes first in it.
        let hand_over = vec![target(&newer, 1, TargetState::Applying), target(&older, 1, TargetState::Superseded)];
        save_targets(&database, hand_over).await.expect("one at a time");
    }

    async fn a_doubt_that_ends_and_comes_back_in_one_step_stands(database) {
        let change = sample_change(IDENTITY, 1);
        let doubt = (account_id(1), change.id);
        let doubts = async || database.read(|tx| Box::pin(lane::load(tx, IDENTITY))).await.doubts;
        for _ in 0..2 {
            let raised = Delta { doubts_raised: vec![doubt], ..Delta::default() };
            save(&database, IDENTITY, raised).await.expect("saved, also a second time");
        }
        let both = Delta { doubts_raised: vec![doubt], doubts_ended: vec![doubt], ..Delta::default() };
        save(&database, IDENTITY, both).await.expect("saved");
        assert_eq!(doubts().await, [doubt]);
        let ended = Delta { doubts_ended: vec![doubt], ..Delta::default() };
        save(&database, IDENTITY, ended).await.expect("saved");
        assert_eq!(doubts().await, []);
    }

    async fn an_owner_finds_what_is_unfinished_in_its_buckets(database) {
        let owner = node(1);
        let [waiting, doubtful, done, foreign] = [0x01, 0x101, 0x201, 0x02].map(identity_id);
        let changes = [waiting, done, foreign].map(|identity| sample_change(identity, 1));
        accept(&database, changes.to_vec()).await;
        let finished = settled(changes[1].clone(), ChangeState::Finished);
        save(&database, done, Delta { changes: vec![finished], ..Delta::default() }).await.expect("saved");
        let raised = Delta { doubts_raised: vec![(account_id(1), changes[1].id)], ..Delta::default() };
        save(&database, doubtful, raised).await.expect("saved");

        let unfinished = async || {
            let mut found = database.read(move |tx| Box::pin(lane::unfinished(tx, owner))).await;
            found.sort_unstable();
            found.into_iter().map(|found| (found.identity, found.unjudged)).collect::<Vec<_>>()
        };
        assert_eq!(unfinished().await, []);
        database.write(move |tx| Box::pin(bucket::pass(tx, waiting.bucket(), 0, Some(owner)))).await;
        assert_eq!(unfinished().await, [(waiting, 1), (doubtful, 0)]);
    }

    async fn a_request_made_again_knows_whether_the_one_before_got_part_way(database) {
        let changes: Vec<Change> = (1..=3).map(|seq| sample_change(IDENTITY, seq)).collect();
        accept(&database, changes.clone()).await;
        let got = async |before| {
            database.read(move |tx| Box::pin(lane::got_part_way(tx, IDENTITY, account_id(1), before))).await
        };
        assert!(!got(2).await, "no target before it");
        let delta = Delta {
            changes: vec![settled(changes[0].clone(), ChangeState::Failed)],
            targets: vec![target(&changes[0], 1, TargetState::Applied), target(&changes[0], 2, TargetState::Failed)],
            ..Delta::default()
        };
        save(&database, IDENTITY, delta).await.expect("saved");
        assert!(got(2).await);
        assert!(!got(1).await, "only what came before counts");
        save_targets(&database, vec![target(&changes[1], 1, TargetState::Retrying)]).await.expect("saved");
        assert!(got(3).await, "only what has settled counts");
        let delta = Delta {
            changes: vec![settled(changes[1].clone(), ChangeState::Finished)],
            targets: vec![target(&changes[1], 1, TargetState::Applied)],
            ..Delta::default()
        };
        save(&database, IDENTITY, delta).await.expect("saved");
        assert!(!got(3).await, "the latest one finished");

        let changes: Vec<Change> = (4..=6).map(|seq| sample_change(IDENTITY, seq)).collect();
        accept(&database, changes.clone()).await;
        save_targets(&database, vec![target(&changes[0], 1, TargetState::Applied)]).await.expect("saved");
        assert!(got(5).await, "its change is still being delivered elsewhere");
        let never_written = Target { attempts: 0, ..target(&changes[1], 1, TargetState::Superseded) };
        save_targets(&database, vec![never_written]).await.expect("saved");
        assert!(got(6).await, "one that was superseded before it was written says nothing");
    }

    async fn what_is_under_way_is_counted(database) {
        assert_eq!(database.read(|tx| Box::pin(lane::counts(tx))).await, lane::Counts::default());
        let changes: Vec<Change> = (1..=3).map(|seq| sample_change(IDENTITY, seq)).collect();
        accept(&database, changes.clone()).await;
        let mut judged = changes[1].clone();
        judged.state = ChangeState::Judged;
        let delta = Delta {
            changes: vec![settled(changes[0].clone(), ChangeState::Finished), judged.clone()],
            targets: vec![
                target(&changes[0], 1, TargetState::Applied),
                target(&judged, 1, TargetState::Applied),
                target(&judged, 2, TargetState::Retrying),
                target(&judged, 3, TargetState::Retrying),
            ],
            doubts_raised: vec![(account_id(2), judged.id)],
            ..Delta::default()
        };
        save(&database, IDENTITY, delta).await.expect("saved");
        let mut counts = database.read(|tx| Box::pin(lane::counts(tx))).await;
        counts.changes.sort_by_key(|(state, _)| state.wire().len() + usize::from(*state == ChangeState::Judged));
        counts.targets.sort_by_key(|(_, count)| *count);
        assert_eq!(counts.changes, [(ChangeState::Accepted, 1), (ChangeState::Judged, 1)]);
        assert_eq!(counts.targets, [(TargetState::Applied, 1), (TargetState::Retrying, 2)]);
        assert_eq!((counts.doubts, counts.oldest), (1, Some(at(2))));
    }
}
