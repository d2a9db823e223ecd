//! Buckets and nodes.

use lockstep_core::id::Bucket;
use lockstep_core::node::{BucketRow, NodeRow};
use lockstep_store::{Error, bucket, dictionary, node};

use crate::harness::on_both_engines;
use crate::sample::{at, node as node_id};

on_both_engines! {
    async fn a_node_that_lost_its_bucket_writes_nothing(database) {
        let (first, second) = (node_id(1), node_id(2));
        assert!(database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(0xab), 0, Some(first)))).await);
        database.write(move |tx| Box::pin(bucket::hold(tx, Bucket(0xab), first, 1))).await;

        assert!(database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(0xab), 1, Some(second)))).await);
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
        for epoch in 0..2 {
            assert!(database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(3), epoch, Some(owner)))).await);
        }
        let held = database.try_write(move |tx| Box::pin(bucket::hold(tx, Bucket(3), owner, 1))).await;
        assert!(matches!(held, Err(Error::BucketLost(Bucket(3)))), "{held:?}");
    }

    async fn of_two_who_saw_the_same_orphan_one_gets_it(database) {
        let (first, second) = (node_id(1), node_id(2));
        assert!(database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(3), 0, Some(first)))).await);
        assert!(!database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(3), 0, Some(second)))).await);
        let rows = database.read(|tx| Box::pin(bucket::list(tx))).await;
        assert_eq!(rows[3], BucketRow { bucket: Bucket(3), node: Some(first), epoch: 1 });
    }

    async fn a_bucket_that_is_given_up_belongs_to_nobody(database) {
        let owner = node_id(1);
        assert!(database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(3), 0, Some(owner)))).await);
        assert!(database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(3), 1, None))).await);
        let held = database.try_write(move |tx| Box::pin(bucket::hold(tx, Bucket(3), owner, 1))).await;
        assert!(matches!(held, Err(Error::BucketLost(Bucket(3)))), "{held:?}");
    }

    async fn a_node_counts_while_it_lives_and_sees_the_others(database) {
        let (id, other) = (node_id(1), node_id(2));
        database.write(move |tx| Box::pin(node::register(tx, id, "host-1", at(5)))).await;
        database.write(move |tx| Box::pin(node::register(tx, other, "host-2", at(6)))).await;
        database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(3), 0, Some(other)))).await;
        database.write(move |tx| Box::pin(node::beat(tx, id))).await;
        database.write(move |tx| Box::pin(node::stop(tx, other))).await;
        let round = database.write(move |tx| Box::pin(node::beat(tx, id))).await;
        let row = |id, beat, stopped| NodeRow { id, beat, stopped };
        assert_eq!(round.nodes, [row(id, 2, false), row(other, 0, true)]);
        assert_eq!(round.buckets.len(), 256);
        assert_eq!(round.buckets[3], BucketRow { bucket: Bucket(3), node: Some(other), epoch: 1 });
    }

    async fn a_node_that_was_taken_for_dead_is_told_so(database) {
        let id = node_id(1);
        database.write(move |tx| Box::pin(node::register(tx, id, "host-1", at(5)))).await;
        database.write(move |tx| Box::pin(node::remove(tx, id))).await;
        let dead = database.try_write(move |tx| Box::pin(node::beat(tx, id))).await;
        assert!(matches!(dead, Err(Error::NotFound("node"))), "{dead:?}");
    }
}
