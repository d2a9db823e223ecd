//! Keys: transport keys, data keys, signing keys.

use lockstep_core::change::{ChangeState, Delta};
use lockstep_store::data_key::{self, DataKey};
use lockstep_store::transport_key::{self, TransportKey};
use lockstep_store::{Error, lane, signing_key};
use tokio::task::JoinSet;

use crate::change::accept;
use crate::harness::{Database, on_both_engines};
use crate::sample::{at, change, identity_id, transport_key_id, uuid};

pub(crate) fn key(n: u128, state: &str) -> TransportKey {
    TransportKey {
        id: transport_key_id(n),
        padding: "pkcs1v15".to_owned(),
        size: 2048,
        public_key: "TUlJQg==".to_owned(),
        sealed_private: Some(vec![3; 64]),
        state: state.to_owned(),
        since: at(1),
        created_at: at(1),
    }
}

async fn put(database: &Database, key: TransportKey) -> Result<(), Error> {
    database.try_write(move |tx| Box::pin(async move { transport_key::insert(tx, &key).await })).await
}

async fn advance(database: &Database, n: u128, from: &'static str, to: &'static str) -> Result<bool, Error> {
    database.try_write(move |tx| Box::pin(transport_key::advance(tx, transport_key_id(n), from, to, at(2)))).await
}

on_both_engines! {
    async fn one_transport_key_a_padding_is_published(database) {
        put(&database, key(1, "published")).await.expect("the first");
        put(&database, key(2, "ready")).await.expect("kept ready");
        let mut oaep = key(3, "published");
        oaep.padding = "oaep-sha256".to_owned();
        put(&database, oaep).await.expect("another padding");
        let published = async || database.read(|tx| Box::pin(transport_key::published(tx, "pkcs1v15"))).await;
        assert!(published().await == Some(key(1, "published")));

        let second = advance(&database, 2, "ready", "published").await.expect_err("one is published");
        assert_eq!(second.constraint(), Some("transport_key_padding_key"));
        assert!(advance(&database, 1, "published", "accepting").await.expect("moved"));
        assert!(!advance(&database, 1, "published", "accepting").await.expect("moved by somebody else"));
        assert!(advance(&database, 2, "ready", "published").await.expect("moved"));
        let next = published().await.expect("published");
        assert_eq!((next.id, next.since), (transport_key_id(2), at(2)));
        assert_eq!(database.read(|tx| Box::pin(transport_key::list(tx))).await.len(), 3);
    }

    async fn a_transport_key_is_destroyed_when_no_unfinished_change_needs_it(database) {
        let identity = identity_id(1);
        put(&database, key(1, "accepting")).await.expect("stored");
        accept(&database, vec![change(identity, 1)]).await;
        let destroy = async || {
            database.write(|tx| Box::pin(transport_key::destroy(tx, transport_key_id(1), at(9)))).await
        };
        assert!(!destroy().await, "a change is unfinished");
        let mut finished = change(identity, 1);
        (finished.state, finished.settled_at) = (ChangeState::Finished, Some(at(5)));
        let delta = Delta { changes: vec![finished], ..Delta::default() };
        database.write(move |tx| Box::pin(async move { lane::save(tx, identity, &delta).await })).await;
        assert!(!destroy().await, "it still accepts");
        assert!(advance(&database, 1, "accepting", "retired").await.expect("moved"));
        assert!(destroy().await);
        assert!(!destroy().await, "it is gone already");
        let gone = database.read(|tx| Box::pin(transport_key::find(tx, transport_key_id(1)))).await.expect("a tombstone");
        assert_eq!((gone.sealed_private, gone.state.as_str(), gone.since), (None, "destroyed", at(9)));
        assert!(database.read(|tx| Box::pin(transport_key::list(tx))).await.is_empty());
    }

    async fn all_who_start_at_once_get_one_key_ring(database) {
        let mut starts = JoinSet::new();
        for n in 0..8_u8 {
            let database = database.clone();
            starts.spawn(async move {
                let keys: Vec<DataKey> = (0..6_u8)
                    .map(|purpose| DataKey {
                        id: uuid(u128::from(n) * 100 + u128::from(purpose)),
                        purpose: format!("purpose {purpose}"),
                        master_key_id: "m1".to_owned(),
                        wrapped: vec![n; 61],
                    })
                    .collect();
                database.write(move |tx| Box::pin(async move { data_key::create(tx, &keys, at(1)).await })).await
            });
        }
        let rings = starts.join_all().await;
        assert_eq!(rings[0].len(), 6);
        assert!(rings[0].iter().all(|key| key.wrapped == rings[0][0].wrapped), "keys of one start only");
        assert!(rings.iter().all(|ring| *ring == rings[0]));

        let mut rewrapped = rings[0][2].clone();
        (rewrapped.master_key_id, rewrapped.wrapped) = ("m2".to_owned(), vec![99]);
        let (put, mut expected) = (rewrapped.clone(), rings[0].clone());
        let before = expected[2].wrapped.clone();
        let rewrap = async |before: Vec<u8>| {
            let put = put.clone();
            database.try_write(move |tx| Box::pin(async move { data_key::rewrap(tx, &before, &put).await })).await
        };
        rewrap(before.clone()).await.expect("as it was read");
        let overtaken = rewrap(before).await.expect_err("another was faster");
        assert!(matches!(overtaken, lockstep_store::Error::NotFound(_)), "{overtaken:?}");
        expected[2] = rewrapped;
        assert!(database.read(|tx| Box::pin(data_key::list(tx))).await == expected);
    }

    async fn signing_keys_are_listed_newest_first(database) {
        for n in [1, 2, 3] {
            database
                .write(move |tx| Box::pin(async move { signing_key::insert(tx, uuid(n), &[n as u8], at(n as i64)).await }))
                .await;
        }
        assert!(database.write(|tx| Box::pin(signing_key::remove(tx, uuid(2)))).await);
        let keys = database.read(|tx| Box::pin(signing_key::list(tx))).await;
        assert_eq!(keys, [(uuid(3), vec![3], at(3)), (uuid(1), vec![1], at(1))]);
    }
}
