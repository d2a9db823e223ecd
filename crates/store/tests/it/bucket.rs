//! Buckets and nodes.

use lockstep_core::id::Bucket;
use lockstep_store::bucket::Ownership;
use lockstep_store::{Error, bucket, dictionary, node};

use crate::harness::on_both_engines;
use crate::sample::{at, node as node_id};

on_both_engines! {
    async fn a_node_that_lost_its_bucket_writes_nothing(database) {
        let (first, second) = (node_id(1), node_id(2));
        let epoch = database.write(move |tx| Box::pin(bucket::take_over(tx, Bucket(0xab), first))).await;
        assert_eq!(epoch, 1);
        database.write(move |tx| Box::pin(bucket::hold(tx, Bucket(0xab), first, 1))).await;

        let epoch = database.write(move |tx| Box::pin(bucket::take_over(tx, Bucket(0xab), second))).await;
        assert_eq!(epoch, 2);
        let late = database
            .try_write(move |tx| {
                Box::pin(async move {
                    bucket::hold(tx, Bucket(0xab), first, 1).await?;
                    dictionary::put(tx, "too late", at(1)).await
                })
            })
            .await;
        assert!(matches!(late, Err(Error::BucketLost(Bucket(0xab)))), "{late:?}");
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await, None);
        database.write(move |tx| Box::pin(bucket::hold(tx, Bucket(0xab), second, 2))).await;
    }

    async fn the_same_node_in_an_older_epoch_is_another(database) {
        let owner = node_id(1);
        for _ in 0..2 {
            database.write(move |tx| Box::pin(bucket::take_over(tx, Bucket(3), owner))).await;
        }
        let held = database.try_write(move |tx| Box::pin(bucket::hold(tx, Bucket(3), owner, 1))).await;
        assert!(matches!(held, Err(Error::BucketLost(Bucket(3)))), "{held:?}");
    }

    async fn one_node_can_own_everything_at_once(database) {
        let owner = node_id(1);
        let taken = database.write(move |tx| Box::pin(bucket::take_over_all(tx, owner))).await;
        assert_eq!(taken.len(), 256);
        let owned = database.read(move |tx| Box::pin(bucket::owned(tx, owner))).await;
        let expected: Vec<Ownership> =
            Bucket::all().map(|bucket| Ownership { bucket, node: Some(owner), epoch: 1 }).collect();
        assert_eq!(owned, expected);
    }

    async fn a_bucket_is_given_up_by_its_owner_only(database) {
        let (first, second) = (node_id(1), node_id(2));
        database.write(move |tx| Box::pin(bucket::take_over(tx, Bucket(3), first))).await;
        database.write(move |tx| Box::pin(bucket::give_up(tx, Bucket(3), second, 1))).await;
        database.write(move |tx| Box::pin(bucket::hold(tx, Bucket(3), first, 1))).await;
        database.write(move |tx| Box::pin(bucket::give_up(tx, Bucket(3), first, 1))).await;
        assert!(database.read(move |tx| Box::pin(bucket::owned(tx, first))).await.is_empty());
        let held = database.try_write(move |tx| Box::pin(bucket::hold(tx, Bucket(3), first, 1))).await;
        assert!(matches!(held, Err(Error::BucketLost(Bucket(3)))), "{held:?}");
    }

    async fn a_node_counts_while_it_lives(database) {
        let id = node_id(1);
        database.write(move |tx| Box::pin(node::register(tx, id, "host-1", at(5)))).await;
        assert_eq!(database.write(move |tx| Box::pin(node::beat(tx, id))).await, 1);
        assert_eq!(database.write(move |tx| Box::pin(node::beat(tx, id))).await, 2);
        database.write(move |tx| Box::pin(node::stop(tx, id))).await;
        let nodes = database.read(|tx| Box::pin(node::list(tx))).await;
        let expected = node::Node { id, name: "host-1".to_owned(), beat: 2, started_at: at(5), stopped: true };
        assert_eq!(nodes, [expected]);
        database.write(move |tx| Box::pin(node::remove(tx, id))).await;
        let dead = database.try_write(move |tx| Box::pin(node::beat(tx, id))).await;
        assert!(matches!(dead, Err(Error::NotFound("node"))), "{dead:?}");
    }
}
