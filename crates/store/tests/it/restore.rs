//! What a restore needs of the store: the mark, the end of everything unfinished, a copy.

use lockstep_core::change::{ChangeState, Delta, TargetState, end_restored};
use lockstep_core::id::Bucket;
use lockstep_core::restore_mark::Mark;
use lockstep_store::{Error, Options, Store, change, lane, node, restore_mark, transport_key};

use crate::change::accept;
use crate::harness::{on_both_engines, on_postgres, on_sqlite};
use crate::keys::key;
use crate::sample::{
    account_id, at, change as sample_change, identity_id, node as node_id, payload, target, transport_key_id, uuid,
};

on_both_engines! {
    async fn the_mark_is_made_once_and_only_rises(database) {
        let create = async |n| database.write(move |tx| Box::pin(restore_mark::create(tx, uuid(n)))).await;
        let mark = |value| Mark { database: uuid(1), value };
        assert_eq!(create(1).await, mark(0));
        assert_eq!(create(2).await, mark(0), "it has its name already");

        let raise = async |seen| database.write(move |tx| Box::pin(restore_mark::raise(tx, seen))).await;
        assert_eq!(raise(0).await, Some(mark(1)));
        assert_eq!(raise(1).await, Some(mark(2)));
        assert_eq!(raise(0).await, Some(mark(3)), "others may have raised it");
        assert_eq!(raise(4).await, None, "it is behind what was seen");
        assert_eq!(database.read(|tx| Box::pin(restore_mark::get(tx))).await, mark(3), "and stays where it is");

        for (to, expected) in [(9, 9), (5, 9)] {
            database.write(move |tx| Box::pin(restore_mark::set(tx, mark(to)))).await;
            assert_eq!(database.read(|tx| Box::pin(restore_mark::get(tx))).await, mark(expected));
        }
    }

    async fn nothing_of_a_restored_database_is_left_to_deliver(database) {
        let (one, two) = (identity_id(0x42), identity_id(0x142));
        accept(&database, vec![sample_change(one, 1), sample_change(one, 2), sample_change(two, 1)]).await;
        accept(&database, vec![sample_change(identity_id(0x43), 1)]).await;
        let mut judged = sample_change(one, 1);
        judged.state = ChangeState::Judged;
        let targets = [TargetState::Applying, TargetState::Applied, TargetState::Waiting];
        let targets = (1..).zip(targets).map(|(n, state)| target(&judged, n, state)).collect();
        let doubts_raised = vec![(account_id(1), judged.id)];
        let delta = Delta { changes: vec![judged.clone()], targets, doubts_raised, ..Delta::default() };
        database.write(move |tx| Box::pin(async move { lane::save(tx, one, &delta).await })).await;

        let bucket = Bucket(0x42);
        let mut unfinished = database.read(move |tx| Box::pin(lane::unfinished_in(tx, bucket))).await;
        unfinished.sort_unstable();
        assert_eq!(unfinished, [one, two]);
        for whose in unfinished {
            let work = database.write(move |tx| {
                Box::pin(async move {
                    let delta = end_restored(lane::load(tx, whose).await?, at(99));
                    lane::save(tx, whose, &delta).await
                })
            });
            work.await;
        }
        assert!(database.read(move |tx| Box::pin(lane::unfinished_in(tx, bucket))).await.is_empty());
        assert_eq!(database.read(|tx| Box::pin(lane::unfinished_in(tx, Bucket(0x43)))).await.len(), 1);
        let (ended, targets) = database.read(move |tx| Box::pin(change::find(tx, judged.id))).await.expect("there");
        assert_eq!((ended.state, ended.settled_at), (ChangeState::Failed, Some(at(99))));
        let states: Vec<_> = targets.iter().map(|target| (target.state, target.unsure)).collect();
        assert_eq!(states, [(TargetState::Failed, true), (TargetState::Applied, false), (TargetState::Failed, true)]);
        assert_eq!(database.read(move |tx| Box::pin(change::payload(tx, judged.id))).await, None, "it is erased");
    }

    async fn every_transport_key_is_destroyed_also_one_that_is_needed(database) {
        accept(&database, vec![sample_change(identity_id(1), 1)]).await;
        for (n, state) in [(1, "published"), (2, "ready"), (3, "accepting"), (4, "retired")] {
            database.write(move |tx| Box::pin(async move { transport_key::insert(tx, &key(n, state)).await })).await;
        }
        assert_eq!(database.write(|tx| Box::pin(transport_key::destroy_all(tx, at(9)))).await, 4);
        assert_eq!(database.write(|tx| Box::pin(transport_key::destroy_all(tx, at(10)))).await, 0);
        for n in 1..=4 {
            let gone = database.read(move |tx| Box::pin(transport_key::find(tx, transport_key_id(n)))).await;
            let gone = gone.expect("a tombstone");
            assert_eq!((gone.sealed_private, gone.state.as_str(), gone.since), (None, "destroyed", at(9)));
        }
    }

    async fn every_node_is_forgotten(database) {
        for n in 1..=2 {
            database.write(move |tx| Box::pin(node::register(tx, node_id(n), "host", at(1)))).await;
        }
        database.write(|tx| Box::pin(node::remove_all(tx))).await;
        let beat = database.try_write(|tx| Box::pin(node::beat(tx, node_id(1)))).await;
        assert!(matches!(beat, Err(Error::NotFound("node"))), "{beat:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_private_whole_and_of_one_moment_while_others_write() {
    use std::os::unix::fs::PermissionsExt;

    on_sqlite(async |database| {
        let mark = |n| database.write(move |tx| Box::pin(restore_mark::create(tx, uuid(n))));
        mark(1).await;
        let writing = {
            let database = database.clone();
            tokio::spawn(async move {
                for n in 0..500 {
                    // Each pair in one transaction.
                    let pair = [identity_id(n), identity_id(0x1000 + n)];
                    let work = database.write(move |tx| {
                        Box::pin(async move {
                            for identity in pair {
                                change::insert(tx, &sample_change(identity, 1), "a client", "", &payload()).await?;
                            }
                            Ok(())
                        })
                    });
                    work.await;
                }
            })
        };
        let path = std::path::PathBuf::from(database.address.strip_prefix("sqlite:").expect("a path"));
        let copy = path.with_file_name("copy.db");
        database.store.copy_to(&copy).await.expect("copied");
        writing.await.expect("written");
        assert_eq!(std::fs::metadata(&copy).expect("a file").permissions().mode() & 0o777, 0o600);
        let again = database.store.copy_to(&copy).await.expect_err("there is one");
        assert!(matches!(again, Error::Create { .. }), "{again:?}");

        let copied = Store::open(&format!("sqlite:{}", copy.display()), Options::default()).await.expect("opened");
        let count = copied.read(|tx| {
            Box::pin(async move {
                let lockstep_store::Tx::Sqlite(connection) = tx else { panic!("on SQLite") };
                let count = connection.query_row("SELECT count(*) FROM change", [], |row| row.get::<_, i64>(0));
                Ok::<_, Error>(count.expect("a count"))
            })
        });
        let count = count.await.expect("read");
        assert_eq!(count % 2, 0, "half of a transaction was copied");
        copied.migrate(at(1)).await.expect("it is a database like any other");
        copied.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_not_copied_to_a_file() {
    on_postgres(async |database| {
        let refused = database.store.copy_to(std::path::Path::new("/tmp/nowhere.db")).await.expect_err("refused");
        assert!(matches!(refused, Error::NotAFile), "{refused:?}");
    })
    .await;
}
