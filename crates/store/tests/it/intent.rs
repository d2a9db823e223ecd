//! Intents as rows.

use lockstep_core::account::Account;
use lockstep_core::change::{Delta, Intent, IntentKind};
use lockstep_core::id::IntentId;
use lockstep_store::{account, bucket, identity, intent, lane, source};

use crate::harness::{Database, on_both_engines};
use crate::sample::{
    account as sample_account, account_id, at, identity as sample_identity, identity_id, node, source as sample_source,
    source_id, uuid,
};

fn give(n: u128, account: u128, to: Option<u128>) -> Intent {
    let kind = IntentKind::Give { account: account_id(account), to: to.map(identity_id) };
    Intent { id: IntentId(uuid(n)), kind }
}

/// Abby (1) with two accounts (1, 2) on a source, and Bo (2).
async fn populate(database: &Database) {
    let work = database.write(|tx| {
        Box::pin(async move {
            source::put(tx, &sample_source(1, "Directory"), at(1)).await?;
            identity::put(tx, &sample_identity(1, "Abby.Smith"), at(1)).await?;
            identity::put(tx, &sample_identity(2, "Bo"), at(1)).await?;
            for n in [1, 2] {
                let account = sample_account(n, Some(identity_id(1)), source_id(1));
                account::put(tx, &account, &account.native_id, at(1)).await?;
            }
            Ok(())
        })
    });
    work.await;
}

async fn put(database: &Database, intent: Intent) -> lockstep_store::Result<()> {
    database.try_write(move |tx| Box::pin(intent::put(tx, identity_id(1), intent, at(2)))).await
}

async fn carry_out(database: &Database, intents: Vec<Intent>) {
    let delta = Delta { intents_done: intents, ..Delta::default() };
    let saved = database.write(move |tx| Box::pin(async move { lane::save(tx, identity_id(1), &delta).await }));
    saved.await;
}

async fn stored(database: &Database, n: u128) -> Account {
    database.read(move |tx| Box::pin(account::get(tx, account_id(n)))).await
}

on_both_engines! {
    async fn an_intent_is_part_of_the_lane_until_it_is_carried_out(database) {
        populate(&database).await;
        let bury = Intent { id: IntentId(uuid(12)), kind: IntentKind::Bury { account: account_id(2) } };
        let disable = Intent { id: IntentId(uuid(13)), kind: IntentKind::Disable };
        for intent in [give(11, 1, Some(2)), bury, disable] {
            put(&database, intent).await.expect("recorded");
        }
        let intents = database.read(|tx| Box::pin(lane::load(tx, identity_id(1)))).await.intents;
        assert_eq!(intents, [give(11, 1, Some(2)), bury, disable]);
        assert_eq!(stored(&database, 1).await.identity, Some(identity_id(1)), "not before nothing is under way");

        carry_out(&database, vec![give(11, 1, Some(2)), bury]).await;
        assert_eq!(stored(&database, 1).await.identity, Some(identity_id(2)));
        assert!(stored(&database, 2).await.vanished);
        assert_eq!(database.read(|tx| Box::pin(intent::list_of(tx, identity_id(1)))).await, [disable]);
    }

    // A commit whose reply was lost is made again: by then the heir may have given the account on.
    async fn an_intent_is_carried_out_once(database) {
        populate(&database).await;
        put(&database, give(11, 1, Some(2))).await.expect("recorded");
        carry_out(&database, vec![give(11, 1, Some(2))]).await;
        put(&database, give(12, 1, None)).await.expect("another may be recorded now");
        carry_out(&database, vec![give(11, 1, Some(2))]).await;
        assert_eq!(database.read(|tx| Box::pin(intent::list_of(tx, identity_id(1)))).await, [give(12, 1, None)]);
    }

    async fn an_account_goes_one_way_at_a_time(database) {
        populate(&database).await;
        put(&database, give(11, 1, Some(2))).await.expect("recorded");
        let error = put(&database, give(12, 1, None)).await.expect_err("it is promised already");
        assert_eq!(error.constraint(), Some("intent_bucket_account_key"), "{error:?}");
        put(&database, give(12, 2, None)).await.expect("another account");
    }

    async fn an_intent_is_work_for_whoever_owns_the_bucket(database) {
        populate(&database).await;
        put(&database, give(11, 1, None)).await.expect("recorded");
        let owner = node(1);
        let unfinished = async || database.read(move |tx| Box::pin(lane::unfinished(tx, owner))).await;
        assert!(unfinished().await.is_empty());
        database.write(move |tx| Box::pin(bucket::pass(tx, identity_id(1).bucket(), 0, Some(owner)))).await;
        let found = unfinished().await;
        assert_eq!(found.len(), 1);
        assert!(found[0].identity == identity_id(1) && found[0].news);
    }
}
