//! What only PostgreSQL has: settings that must hold, and transactions that wait for each other.

use lockstep_core::id::Bucket;
use lockstep_store::{Error, Options, Store, Tx, bucket, hint, node};

use crate::harness::{Database, on_postgres, on_sqlite};
use crate::sample::{at, identity_id, node as node_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_lose_commits_is_refused() {
    on_postgres(async |database| {
        let separator = if database.address.contains('?') { '&' } else { '?' };
        let address = format!("{}{separator}options=-c%20synchronous_commit%3Doff", database.address);
        let refused = Store::open(&address, Options::default()).await.expect_err("not durable");
        assert!(matches!(refused, Error::NotDurable { setting: "synchronous_commit", .. }), "{refused:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_may_lose_commits_is_refused_and_one_that_becomes_so_is_overruled() {
    on_postgres(async |database| {
        let lax = "DO $$ BEGIN
                       EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
                   END $$";
        run(&database, lax).await;
        // Connections that are opened from now on have it.
        end_sessions(&database).await;
        let mut settings = Vec::new();
        for _ in 0..10 {
            // A connection that was ended while it was idle fails once.
            settings.extend(database.try_write(|tx| Box::pin(current(tx))).await.ok());
        }
        assert!(!settings.is_empty() && settings.iter().all(|setting| setting == "on"), "{settings:?}");
        let refused = Store::open(&database.address, Options::default()).await.expect_err("not durable");
        assert!(matches!(refused, Error::NotDurable { setting: "synchronous_commit", .. }), "{refused:?}");
    })
    .await;
}

async fn run(database: &Database, statement: &'static str) {
    database
        .write(move |tx| {
            Box::pin(async move {
                let Tx::Postgres(connection) = tx else { panic!("on PostgreSQL") };
                sqlx::raw_sql(statement).execute(&mut **connection).await.expect("run");
                Ok(())
            })
        })
        .await;
}

async fn current(tx: &mut Tx<'_>) -> lockstep_store::Result<String> {
    let Tx::Postgres(connection) = tx else { panic!("on PostgreSQL") };
    let query = sqlx::query_as("SELECT current_setting('synchronous_commit')");
    let found: Result<(String,), sqlx::Error> = query.fetch_one(&mut **connection).await;
    found.map(|(setting,)| setting).map_err(|_| Error::Abandoned)
}

/// Ends every session of this database; the pool opens new ones.
async fn end_sessions(database: &Database) {
    let ended = database.try_write(|tx| {
        Box::pin(async move {
            let Tx::Postgres(connection) = tx else { panic!("on PostgreSQL") };
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = current_database() AND backend_type = 'client backend'";
            let _ = sqlx::raw_sql(end).execute(&mut **connection).await;
            Ok(())
        })
    });
    ended.await.expect_err("its own session ended too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_neither_waits_nor_idles_for_ever() {
    on_postgres(async |database| {
        let settings = database
            .write(|tx| {
                Box::pin(async move {
                    let Tx::Postgres(connection) = tx else { panic!("on PostgreSQL") };
                    let settings: (String, String, String) = sqlx::query_as(
                        "SELECT current_setting('lock_timeout'), current_setting('synchronous_commit'),
                             current_setting('idle_in_transaction_session_timeout')",
                    )
                    .fetch_one(&mut **connection)
                    .await
                    .expect("settings");
                    Ok(settings)
                })
            })
            .await;
        assert_eq!(settings, ("5s".to_owned(), "on".to_owned(), "5s".to_owned()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_waits_for_the_transaction_of_the_owner() {
    on_postgres(async |database| {
        let owner = node_id(1);
        assert!(database.write(move |tx| Box::pin(bucket::pass(tx, Bucket(9), 0, Some(owner)))).await);
        let other = database.clone();
        let begun = std::sync::Arc::new(tokio::sync::Notify::new());
        let begins = begun.clone();
        let owning = tokio::spawn(async move {
            let work = other.try_write(move |tx| {
                Box::pin(async move {
                    bucket::hold(tx, Bucket(9), owner, 1).await?;
                    begins.notify_one();
                    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                    node::register(tx, owner, "written while it held the bucket", at(1)).await
                })
            });
            work.await
        });
        begun.notified().await;
        let seen = database
            .write(move |tx| {
                Box::pin(async move {
                    assert!(bucket::pass(tx, Bucket(9), 1, Some(node_id(2))).await?);
                    node::list(tx).await
                })
            })
            .await;
        assert_eq!(seen.len(), 1, "the take-over came after the owner's commit");
        owning.await.expect("ran").expect("the owner still held it");
        let lost = database.try_write(move |tx| Box::pin(bucket::hold(tx, Bucket(9), owner, 1))).await;
        assert!(matches!(lost, Err(Error::BucketLost(Bucket(9)))), "{lost:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_reaches_every_process_until_its_connection_breaks() {
    on_postgres(async |database| {
        let other = Store::open(&database.address, Options::default()).await.expect("another process");
        let mut hints = other.hints().await.expect("connected").expect("on PostgreSQL");
        // More than one notification holds.
        let sent: Vec<_> = (0..hint::LONGEST as u128 + 3).map(identity_id).collect();
        database.store.hint(&sent).await.expect("sent");
        let mut received = Vec::new();
        while received.len() < sent.len() {
            received.extend(hints.next().await.expect("a hint"));
        }
        assert_eq!(received, sent);

        let broken = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        let broken: i64 = database
            .write(move |tx| {
                Box::pin(async move {
                    let Tx::Postgres(connection) = tx else { panic!("on PostgreSQL") };
                    let broken: (i64,) = sqlx::query_as(broken).fetch_one(&mut **connection).await.expect("ended");
                    Ok(broken.0)
                })
            })
            .await;
        assert_eq!(broken, 1, "the connection is one beside the others");
        hints.next().await.expect_err("it does not wait for ever");
        let mut hints = other.hints().await.expect("connected anew").expect("on PostgreSQL");
        database.store.hint(&sent[..1]).await.expect("sent");
        assert_eq!(hints.next().await.expect("a hint"), sent[..1]);
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn on_sqlite_there_is_nobody_to_be_told() {
    on_sqlite(async |database| {
        database.store.hint(&[identity_id(1)]).await.expect("nothing to be done");
        assert!(database.store.hints().await.expect("nothing to be done").is_none());
    })
    .await;
}
