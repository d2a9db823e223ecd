//! Changes: their order, their rows, and their end.

use lockstep_core::change::{Change, ChangeState, Delta, TargetState};
use lockstep_store::{change, lane};
use tokio::task::JoinSet;

use crate::harness::{Database, on_both_engines};
use crate::sample::{at, change as sample_change, change_id, identity_id, payload, target};

/// Stores changes as if they had been accepted, in the order of their places.
pub(crate) async fn accept(database: &Database, changes: Vec<Change>) {
    let work = database.write(move |tx| {
        Box::pin(async move {
            for accepted in &changes {
                change::insert(tx, accepted, "a client", "", &payload()).await?;
                let (stored, _) = change::find(tx, accepted.id).await?.expect("stored");
                assert_eq!(stored.seq, accepted.seq);
            }
            Ok(())
        })
    });
    work.await;
}

on_both_engines! {
    async fn places_are_given_one_by_one_for_each_identity(database) {
        let mut requests = JoinSet::new();
        for n in 0..30 {
            let database = database.clone();
            requests.spawn(async move {
                let identity = identity_id(n % 3);
                let new = Change { id: change_id(identity, n), ..sample_change(identity, 1) };
                let place = database.write(move |tx| {
                    Box::pin(async move {
                        change::insert(tx, &new, "a client", "", &payload()).await?;
                        Ok(change::find(tx, new.id).await?.expect("stored").0.seq)
                    })
                });
                (n % 3, place.await)
            });
        }
        let mut places = requests.join_all().await;
        places.sort_unstable();
        let expected: Vec<(u128, i64)> = (0..3).flat_map(|n| (1..=10).map(move |seq| (n, seq))).collect();
        assert_eq!(places, expected);
    }

    async fn what_was_accepted_is_read_back(database) {
        let identity = identity_id(0xff);
        let mut accepted = sample_change(identity, 1);
        accepted.joined = Some(change_id(identity, 9));
        accepted.refusals = vec!["“Passwörter” must\nnot repeat".to_owned(), String::new()];
        accepted.settled_at = Some(at(77));
        accept(&database, vec![accepted.clone()]).await;

        let id = accepted.id;
        let found = database.read(move |tx| Box::pin(change::find(tx, id))).await;
        assert_eq!(found, Some((accepted, Vec::new())));
        assert_eq!(database.read(move |tx| Box::pin(change::payload(tx, id))).await, Some(payload()));

        let other = change_id(identity, 2);
        assert_eq!(database.read(move |tx| Box::pin(change::find(tx, other))).await, None);
        assert_eq!(database.read(move |tx| Box::pin(change::payload(tx, other))).await, None);
    }

    async fn those_who_wait_learn_which_of_many_are_final(database) {
        let identity = identity_id(3);
        let mut changes: Vec<_> = (1..=20).map(|seq| sample_change(identity, seq)).collect();
        for (place, state) in [(4, ChangeState::Finished), (17, ChangeState::Failed)] {
            changes[place].state = state;
            changes[place].settled_at = Some(at(100));
        }
        changes[18].state = ChangeState::Judged;
        let ids: Vec<_> = changes.iter().map(|change| change.id).collect();
        let expected = vec![(ids[4], ChangeState::Finished), (ids[17], ChangeState::Failed)];
        accept(&database, changes).await;
        let bucket = identity.bucket();
        let ask = async |ids: Vec<_>| {
            database.read(move |tx| Box::pin(async move { change::final_among(tx, bucket, &ids).await })).await
        };
        assert_eq!(ask(ids.clone()).await, expected);
        assert_eq!(ask(vec![ids[17], change_id(identity, 99)]).await, expected[1..]);
        assert_eq!(ask(Vec::new()).await, []);
    }

    async fn a_change_that_joined_another_shows_its_targets(database) {
        let identity = identity_id(1);
        let leader = sample_change(identity, 1);
        let mut joined = sample_change(identity, 2);
        joined.joined = Some(leader.id);
        accept(&database, vec![leader.clone(), joined.clone()]).await;
        let targets = vec![target(&leader, 1, TargetState::Pending), target(&leader, 2, TargetState::Applying)];
        let delta = Delta { targets: targets.clone(), ..Delta::default() };
        database.write(move |tx| Box::pin(async move { lane::save(tx, identity, &delta).await })).await;
        for change in [leader, joined] {
            let id = change.id;
            let found = database.read(move |tx| Box::pin(change::find(tx, id))).await;
            assert_eq!(found, Some((change, targets.clone())));
        }
    }

    async fn old_changes_are_forgotten_in_small_batches_and_unfinished_ones_never(database) {
        let identity = identity_id(1);
        let bucket = identity.bucket();
        let changes: Vec<_> = (1..=8)
            .map(|seq| {
                let mut change = sample_change(identity, seq);
                // 1 to 6 are final, 6 recently; 7 and 8 are not.
                if seq <= 6 {
                    change.state = if seq % 2 == 0 { ChangeState::Finished } else { ChangeState::Failed };
                    change.settled_at = Some(at(if seq == 6 { 1000 } else { seq }));
                }
                change
            })
            .collect();
        let old = target(&changes[0], 1, TargetState::Applied);
        let recent = target(&changes[5], 1, TargetState::Applied);
        accept(&database, changes.clone()).await;
        let delta = Delta { targets: vec![old, recent.clone()], ..Delta::default() };
        database.write(move |tx| Box::pin(async move { lane::save(tx, identity, &delta).await })).await;

        let prune = async |after| {
            let old = database.read(move |tx| Box::pin(change::old(tx, after, at(500), 3))).await;
            let last = old.last().copied();
            let remove = database.write(move |tx| Box::pin(async move { change::remove(tx, bucket, &old).await }));
            (remove.await, last)
        };
        let (some, last) = prune(None).await;
        let (rest, last) = prune(last).await;
        assert_eq!([some, rest, prune(last).await.0], [3, 2, 0]);
        let unfinished = [changes[6].id, changes[7].id];
        let removed = database.write(move |tx| Box::pin(async move { change::remove(tx, bucket, &unfinished).await }));
        assert_eq!(removed.await, 0);
        let left = database.read(move |tx| Box::pin(change::list_of(tx, identity, 100))).await;
        assert_eq!(left, [changes[7].clone(), changes[6].clone(), changes[5].clone()]);
        let id = changes[5].id;
        let found = database.read(move |tx| Box::pin(change::find(tx, id))).await.expect("kept");
        assert_eq!(found.1, [recent]);
        let id = changes[0].id;
        // The targets of a forgotten change are gone with it: a change of the same name would have none.
        let again = Change { seq: 9, ..sample_change(identity, 1) };
        accept(&database, vec![again]).await;
        assert_eq!(database.read(move |tx| Box::pin(change::find(tx, id))).await.expect("new").1, []);
    }

    async fn the_newest_change_stays_and_so_does_one_that_another_joined(database) {
        // The next place is counted from the one; the other has the targets of both.
        let [ended, alone] = [identity_id(1), identity_id(2)];
        let ends = |change| Change { state: ChangeState::Finished, settled_at: Some(at(9)), ..change };
        let leader = sample_change(ended, 2);
        let follower = Change { joined: Some(leader.id), ..sample_change(ended, 3) };
        let changes = [sample_change(ended, 1), leader, follower, sample_change(alone, 1)];
        accept(&database, changes.map(ends).to_vec()).await;

        let old = async || database.read(move |tx| Box::pin(change::old(tx, None, at(500), 9))).await;
        let remove = async |ids: Vec<_>| {
            let bucket = ended.bucket();
            database.write(move |tx| Box::pin(async move { change::remove(tx, bucket, &ids).await })).await
        };
        assert_eq!(old().await, [change_id(ended, 1)]);
        assert_eq!(remove(old().await).await, 1);
        accept(&database, vec![sample_change(ended, 4), sample_change(alone, 2)]).await;
        assert_eq!(old().await, [change_id(ended, 3), change_id(alone, 1)], "the follower first");
        assert_eq!(remove(vec![change_id(ended, 3)]).await, 1);
        assert_eq!(old().await, [change_id(ended, 2), change_id(alone, 1)]);
    }
}
