//! Transactions as every caller sees them.

use std::sync::Arc;
use std::time::Duration;

use lockstep_store::{Error, Options, Store, dictionary, identity};
use tokio::sync::Notify;

use crate::harness::on_both_engines;
use crate::sample::{at, identity};

/// An error of somebody who uses the store.
#[derive(Debug, thiserror::Error)]
enum Caller {
    #[error("the caller's own reason")]
    Own,
    #[error(transparent)]
    Store(#[from] Error),
}

on_both_engines! {
    async fn work_that_fails_leaves_nothing(database) {
        let failed: Result<(), Caller> = database
            .store
            .write(|tx| {
                Box::pin(async move {
                    dictionary::put(tx, "word", at(1)).await?;
                    Err(Caller::Own)
                })
            })
            .await;
        assert!(matches!(failed, Err(Caller::Own)));
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await, None);
    }

    async fn work_goes_on_when_nobody_waits_for_it_any_more(database) {
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let waiter = {
            let (store, begun, go) = (database.store.clone(), begun.clone(), go.clone());
            tokio::spawn(async move {
                let work = store.write::<_, Error, _>(move |tx| {
                    Box::pin(async move {
                        dictionary::put(tx, "before", at(1)).await?;
                        begun.notify_one();
                        go.notified().await;
                        dictionary::put(tx, "after", at(1)).await
                    })
                });
                work.await
            })
        };
        begun.notified().await;
        waiter.abort();
        assert!(waiter.await.expect_err("aborted").is_cancelled());
        go.notify_one();
        for _ in 0..200 {
            if database.read(|tx| Box::pin(dictionary::find(tx))).await.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await.as_deref(), Some("after"));
    }

    async fn work_that_panics_is_abandoned_and_the_next_is_not(database) {
        let panicked = database
            .try_write(|tx| {
                Box::pin(async move {
                    dictionary::put(tx, "word", at(1)).await?;
                    panic!("this panic belongs to the test");
                })
            })
            .await;
        let panicked: Result<(), Error> = panicked;
        assert!(matches!(panicked, Err(Error::Abandoned)), "{panicked:?}");
        assert_eq!(database.write(|tx| Box::pin(dictionary::find(tx))).await, None);
    }

    async fn a_reader_cannot_write(database) {
        let work = database.store.read(|tx| Box::pin(async move { identity::put(tx, &identity(1, "Abby"), at(1)).await }));
        let written = work.await;
        assert!(matches!(written, Err(Error::Query { operation: "store an identity", .. })), "{written:?}");
    }

    async fn a_reader_sees_one_state_of_the_database(database) {
        let writer = database.clone();
        let (before, after) = database
            .read(move |tx| {
                Box::pin(async move {
                    let before = identity::count(tx).await?;
                    writer.write(|tx| Box::pin(async move { identity::put(tx, &identity(1, "Abby"), at(1)).await })).await;
                    Ok((before, identity::count(tx).await?))
                })
            })
            .await;
        assert_eq!((before, after), (0, 0));
        assert_eq!(database.read(|tx| Box::pin(identity::count(tx))).await, 1);
    }

    async fn a_unique_violation_names_its_constraint(database) {
        let violated = database
            .try_write(|tx| {
                Box::pin(async move {
                    identity::put(tx, &identity(1, "Abby.Smith"), at(1)).await?;
                    identity::put(tx, &identity(2, "abby.SMITH"), at(1)).await
                })
            })
            .await
            .expect_err("the alias is taken");
        assert_eq!(violated.constraint(), Some("identity_alias_key_key"));
        assert!(!violated.is_reference_violation());
        assert!(!violated.is_transient());
    }

    async fn what_is_written_is_there_after_it_was_opened_again(database) {
        database.write(|tx| Box::pin(dictionary::put(tx, "word", at(1)))).await;
        let again = Store::open(&database.address, Options::default()).await.expect("opened again");
        let words = again.read::<_, Error, _>(|tx| Box::pin(dictionary::find(tx))).await.expect("read");
        assert_eq!(words.as_deref(), Some("word"));
        again.close().await;
    }

    async fn a_closed_store_does_no_work(database) {
        database.store.close().await;
        let late = database.try_write(|tx| Box::pin(dictionary::put(tx, "word", at(1)))).await;
        assert!(matches!(late, Err(Error::Abandoned | Error::Begin(_))), "{late:?}");
    }
}

#[tokio::test]
async fn an_address_of_no_engine_is_refused() {
    for address in ["", "mysql://localhost/x", "lockstep.db", "sqlite", "sqlite::memory:"] {
        let refused = Store::open(address, Options::default()).await;
        assert!(matches!(refused, Err(Error::UnknownEngine | Error::InvalidAddress(_))), "{address:?}: {refused:?}");
    }
}
