//! What only SQLite has: group commit, the durability of its file, and the lock that proves there is one node.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_store::{Error, Options, Store, Tx, dictionary, identity};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::harness::{Database, on_sqlite};
use crate::sample::{at, identity};

/// Runs a statement that no function of the store would.
fn raw(tx: &mut Tx<'_>, sql: &'static str) {
    let Tx::Sqlite(connection) = tx else { panic!("on SQLite") };
    connection.execute_batch(sql).expect(sql);
}

/// Keeps the writer busy until the notification, so that whatever is written meanwhile waits together.
async fn hold_the_writer(database: &Database) -> Arc<Notify> {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (store, begins, goes) = (database.store.clone(), begun.clone(), go.clone());
    tokio::spawn(async move {
        let held = store.write::<_, Error, _>(move |_| {
            Box::pin(async move {
                begins.notify_one();
                goes.notified().await;
                Ok(())
            })
        });
        held.await
    });
    begun.notified().await;
    go
}

/// Lets the spawned writers get into the queue.
async fn let_them_queue() {
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_share_one_commit_and_a_failure_is_its_own() {
    on_sqlite(async |database| {
        let before = database.store.statistics();
        let go = hold_the_writer(&database).await;
        let attempts = Arc::new(AtomicUsize::new(0));
        let mut writers = JoinSet::new();
        for n in 0..300 {
            let (database, attempts) = (database.clone(), attempts.clone());
            writers.spawn(async move {
                let written = database
                    .try_write(move |tx| {
                        Box::pin(async move {
                            attempts.fetch_add(1, Ordering::Relaxed);
                            identity::put(tx, &identity(n, &format!("person{n}")), at(1)).await?;
                            match n % 100 {
                                7 => Err(Error::NotFound("reason to fail")),
                                8 => panic!("this panic belongs to the test"),
                                // The alias is taken: a statement that the engine itself refuses.
                                9 => identity::put(tx, &identity(1000 + n, &format!("person{n}")), at(1)).await,
                                _ => Ok(()),
                            }
                        })
                    })
                    .await;
                (n, written)
            });
        }
        let_them_queue().await;
        go.notify_one();
        for (n, written) in writers.join_all().await {
            match n % 100 {
                7 => assert!(matches!(written, Err(Error::NotFound("reason to fail"))), "{written:?}"),
                8 => assert!(matches!(written, Err(Error::Abandoned)), "{written:?}"),
                9 => assert_eq!(written.expect_err("refused").constraint(), Some("identity_alias_key_key")),
                _ => written.expect("written"),
            }
        }
        let after = database.store.statistics();
        assert_eq!(after.works - before.works, 1 + 291);
        // The one that was held, and the others: each of the nine who failed had written, and cut the group in two.
        let commits = after.commits - before.commits;
        assert!((2..=11).contains(&commits), "{commits}");
        let attempts = attempts.load(Ordering::Relaxed);
        assert!((300..=600).contains(&attempts), "{attempts}");
        assert_eq!(database.read(|tx| Box::pin(identity::count(tx))).await, 291);
    })
    .await;
}

/// Whoever is refused before anything is written, as most are, costs the others nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_without_a_write_leaves_the_group_whole() {
    on_sqlite(async |database| {
        let before = database.store.statistics();
        let go = hold_the_writer(&database).await;
        let mut writers = JoinSet::new();
        for n in 0..20 {
            let database = database.clone();
            writers.spawn(async move {
                let work = database.try_write(move |tx| {
                    Box::pin(async move {
                        match n % 2 {
                            0 => identity::put(tx, &identity(n, &format!("person{n}")), at(1)).await,
                            _ => Err(Error::NotFound("reason to refuse")),
                        }
                    })
                });
                work.await.is_ok()
            });
        }
        let_them_queue().await;
        go.notify_one();
        assert_eq!(writers.join_all().await.into_iter().filter(|written| *written).count(), 10);
        let after = database.store.statistics();
        assert_eq!(after.commits - before.commits, 2, "the one that was held, and all the others together");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_fails_everyone_in_it_and_nobody_after() {
    on_sqlite(async |database| {
        let go = hold_the_writer(&database).await;
        let good = {
            let database = database.clone();
            tokio::spawn(async move { database.try_write(|tx| Box::pin(dictionary::put(tx, "lost", at(1)))).await })
        };
        let bad = {
            let database = database.clone();
            tokio::spawn(async move {
                let work = database.try_write(|tx| {
                    Box::pin(async move {
                        // Checked at COMMIT only, which then fails.
                        raw(tx, "PRAGMA defer_foreign_keys = ON");
                        raw(tx, "INSERT INTO source_secret VALUES (x'01', 'orphan', x'02', '2026')");
                        Ok(())
                    })
                });
                work.await
            })
        };
        let_them_queue().await;
        go.notify_one();
        for written in [good.await.expect("ran"), bad.await.expect("ran")] {
            assert!(matches!(written, Err(Error::Commit(_))), "{written:?}");
        }
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await, None);
        database.write(|tx| Box::pin(dictionary::put(tx, "kept", at(2)))).await;
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await.as_deref(), Some("kept"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_lost_half_way_is_lost_for_everyone_in_it() {
    on_sqlite(async |database| {
        let go = hold_the_writer(&database).await;
        let mut writers = JoinSet::new();
        for n in 0..20 {
            let database = database.clone();
            writers.spawn(async move {
                let work = database.try_write(move |tx| {
                    Box::pin(async move {
                        identity::put(tx, &identity(n, &format!("person{n}")), at(1)).await?;
                        // What SQLite does by itself when the disk is full.
                        if n == 10 {
                            raw(tx, "ROLLBACK");
                        }
                        Ok(())
                    })
                });
                work.await
            });
        }
        let_them_queue().await;
        go.notify_one();
        for written in writers.join_all().await {
            assert!(matches!(written, Err(Error::Commit(_))), "{written:?}");
        }
        assert_eq!(database.write(|tx| Box::pin(identity::count(tx))).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_durable_and_what_is_erased_is_overwritten() {
    on_sqlite(async |database| {
        let settings = database
            .write(|tx| {
                Box::pin(async move {
                    let Tx::Sqlite(connection) = tx else { panic!("on SQLite") };
                    let mode: String =
                        connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode");
                    let settings = ["synchronous", "secure_delete", "foreign_keys", "busy_timeout"].map(|name| {
                        let sql = format!("PRAGMA {name}");
                        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect(name)
                    });
                    Ok((mode, settings))
                })
            })
            .await;
        // synchronous 2 is FULL.
        assert_eq!(settings, ("wal".to_owned(), [2, 1, 1, 10_000]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_fail_or_give_up_half_way_leave_room_for_others() {
    on_sqlite(async |database| {
        database.write(|tx| Box::pin(dictionary::put(tx, "word", at(1)))).await;
        let connections = Options::default().connections as usize;
        for _ in 0..2 * connections {
            let failed: Result<(), Error> =
                database.store.read(|_| Box::pin(async { Err(Error::NotFound("reason to fail")) })).await;
            assert!(matches!(failed, Err(Error::NotFound("reason to fail"))), "{failed:?}");
        }
        for _ in 0..2 * connections {
            let store = database.store.clone();
            let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let (begins, goes) = (begun.clone(), go.clone());
            let reader = tokio::spawn(async move {
                let read = store.read::<(), Error, _>(move |tx| {
                    Box::pin(async move {
                        dictionary::find(tx).await?;
                        begins.notify_one();
                        goes.notified().await;
                        Ok(())
                    })
                });
                read.await
            });
            begun.notified().await;
            reader.abort();
            assert!(reader.await.expect_err("given up").is_cancelled());
            go.notify_one();
        }
        for _ in 0..2 * connections {
            let store = database.store.clone();
            let reader = tokio::spawn(async move {
                store.read::<(), Error, _>(|_| Box::pin(async { panic!("this panic belongs to the test") })).await
            });
            assert!(reader.await.expect_err("it panicked").is_panic());
        }
        database.write(|tx| Box::pin(dictionary::put(tx, "newer", at(2)))).await;
        let read = database.read(|tx| Box::pin(dictionary::find(tx)));
        let found = tokio::time::timeout(std::time::Duration::from_secs(10), read).await.expect("there is room");
        assert_eq!(found.as_deref(), Some("newer"), "nobody reads from an old state");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_alone_leaves_nothing() {
    on_sqlite(async |database| {
        let before = database.store.statistics();
        let failed = database.try_write(|tx| {
            Box::pin(async move {
                dictionary::put(tx, "lost", at(1)).await?;
                Err::<(), _>(Error::NotFound("reason to fail"))
            })
        });
        assert!(matches!(failed.await, Err(Error::NotFound("reason to fail"))));
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await, None);
        assert_eq!(database.store.statistics(), before, "nothing was committed");
        database.write(|tx| Box::pin(dictionary::put(tx, "kept", at(2)))).await;
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await.as_deref(), Some("kept"));
    })
    .await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_owner_reads_the_file() {
    use std::os::unix::fs::PermissionsExt;

    on_sqlite(async |database| {
        database.write(|tx| Box::pin(dictionary::put(tx, "word", at(1)))).await;
        let path = database.address.strip_prefix("sqlite:").expect("a path");
        for suffix in ["", "-wal", "-shm"] {
            let mode = std::fs::metadata(format!("{path}{suffix}")).expect(suffix).permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{suffix:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_serves_and_others_may_still_write() {
    on_sqlite(async |database| {
        let exclusive = Options { exclusive: true, ..Options::default() };
        let serving = Store::open(&database.address, exclusive).await.expect("nobody serves yet");
        let second = Store::open(&database.address, exclusive).await.expect_err("one serves already");
        let Error::Served { lock } = &second else { panic!("{second:?}") };
        assert!(lock.to_string_lossy().ends_with("lockstep.db.lock"));
        assert!(second.to_string().contains("another process serves this database"), "{second}");

        database.write(|tx| Box::pin(dictionary::put(tx, "applied", at(1)))).await;
        let seen = serving.read::<_, Error, _>(|tx| Box::pin(dictionary::find(tx))).await.expect("read");
        assert_eq!(seen.as_deref(), Some("applied"));

        serving.close().await;
        drop(serving);
        Store::open(&database.address, exclusive).await.expect("nobody serves any more").close().await;
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("sqlite:{}", folder.path().join("none").join("lockstep.db").display());
    let error = Store::open(&address, Options::default()).await.expect_err("no folder");
    assert!(error.to_string().contains("none/lockstep.db"), "{error}");
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    for address in
        ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite:file::memory:", "sqlite:/tmp/lockstep.db?mode=rwc"]
    {
        let error = Store::open(address, Options::default()).await.expect_err(address);
        assert!(matches!(error, Error::InvalidAddress(_)), "{address}: {error:?}");
    }
}

/// What SQLite does by itself when the disk fails under a reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_whose_transaction_ended_by_itself_reads_from_no_old_state() {
    on_sqlite(async |database| {
        let ended = database.store.read::<(), Error, _>(|tx| {
            Box::pin(async move {
                raw(tx, "ROLLBACK");
                Ok(())
            })
        });
        ended.await.expect("read");
        for n in 0..3 {
            database
                .write(move |tx| Box::pin(async move { dictionary::put(tx, &format!("word {n}"), at(1)).await }))
                .await;
            let found = database.read(|tx| Box::pin(dictionary::find(tx))).await;
            assert_eq!(found, Some(format!("word {n}")));
        }
    })
    .await;
}
