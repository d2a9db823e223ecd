//! What is kept in memory of the configuration on PostgreSQL, where two transactions see different states at one moment.

use std::sync::Arc;

use chrono::DateTime;
use lockstep::app::configuration::Remembered;
use lockstep_core::id::SourceId;
use lockstep_core::source::Source;
use lockstep_store::{Error, Options, Store, Tx, source};

use super::tables::postgres_database;

/// A transaction that writes reads the version, then another commits, then it reads a row: that row belongs to the next
/// version, and whoever still sees this one must not get it.
#[tokio::test]
async fn a_row_of_the_next_version_is_not_kept_under_this_one() {
    let url = postgres_database("configuration_versions").await;
    let store = Arc::new(Store::open(url.as_str(), Options::default()).await.expect("opened"));
    store.migrate(DateTime::UNIX_EPOCH).await.expect("migrated");
    let remembered = Arc::new(Remembered::default());

    let (outer, known) = (Arc::clone(&store), Arc::clone(&remembered));
    let seen = store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            known.read(tx).await?;
            let (inner, within) = (Arc::clone(&outer), Arc::clone(&known));
            let newer = outer.write(move |tx: &mut Tx<'_>| {
                Box::pin(async move {
                    let configuration = within.read(tx).await?;
                    describe(&inner, "after").await?;
                    configuration.source(tx, SourceId::IDENTITY_NOW).await
                })
            });
            let newer: Option<Arc<Source>> = newer.await?;
            let older = known.read(tx).await?.source(tx, SourceId::IDENTITY_NOW).await?;
            Ok::<_, Error>([newer, older].map(|source| source.expect("built in").description.clone()))
        })
    });
    let [newer, older] = seen.await.expect("read");
    assert_eq!(newer, "after", "read as it was at that moment");
    assert_ne!(older, "after", "a snapshot has the row of its own version");
    store.close().await;
}

async fn describe(store: &Store, text: &'static str) -> Result<(), Error> {
    let write = store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let mut identity_now = source::get(tx, SourceId::IDENTITY_NOW).await?;
            identity_now.description = text.to_owned();
            source::put(tx, &identity_now, DateTime::UNIX_EPOCH).await
        })
    });
    write.await
}
