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

async fn put(database: &Database, intent: Intent) {
    database.write(move |tx| Box::pin(intent::put(tx, identity_id(1), intent, at(2)))).await;
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
            put(&database, intent).await;
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
        put(&database, give(11, 1, Some(2))).await;
        carry_out(&database, vec![give(11, 1, Some(2))]).await;
        put(&database, give(12, 1, None)).await;
        carry_out(&database, vec![give(11, 1, Some(2))]).await;
        assert_eq!(database.read(|tx| Box::pin(intent::list_of(tx, identity_id(1)))).await, [give(12, 1, None)]);
    }

    async fn the_last_word_about_an_account_counts(database) {
        populate(&database).await;
        for intent in [give(11, 1, Some(2)), give(12, 2, None), give(13, 1, None)] {
            put(&database, intent).await;
        }
        let about = async |n| {
            database.read(move |tx| Box::pin(intent::find_about(tx, identity_id(1), account_id(n)))).await
        };
        assert_eq!((about(1).await, about(2).await), (Some(give(13, 1, None)), Some(give(12, 2, None))));
        carry_out(&database, vec![give(11, 1, Some(2))]).await;
        assert_eq!(stored(&database, 1).await.identity, Some(identity_id(1)), "its owner knew the first word only");
        carry_out(&database, vec![give(13, 1, None)]).await;
        assert_eq!(stored(&database, 1).await.identity, None);
    }

    async fn whose_disabling_is_asked_for_has_no_tokens_from_before(database) {
        populate(&database).await;
        let valid_from = async || database.read(|tx| Box::pin(identity::tokens_valid_from(tx, identity_id(1)))).await;
        put(&database, give(11, 1, Some(2))).await;
        assert_eq!(valid_from().await, None);
        put(&database, Intent { id: IntentId(uuid(13)), kind: IntentKind::Disable }).await;
        assert!(valid_from().await.is_some());
    }

    async fn what_is_taken_back_is_not_carried_out(database) {
        populate(&database).await;
        let disable = Intent { id: IntentId(uuid(13)), kind: IntentKind::Disable };
        for intent in [give(11, 1, Some(2)), give(12, 2, None), disable] {
            put(&database, intent).await;
        }
        let withdraw = async |account| {
            database.write(move |tx| Box::pin(intent::withdraw(tx, identity_id(1), account))).await;
            database.read(|tx| Box::pin(intent::list_of(tx, identity_id(1)))).await
        };
        assert_eq!(withdraw(None).await, [give(11, 1, Some(2)), give(12, 2, None)]);
        assert_eq!(withdraw(Some(account_id(1))).await, [give(12, 2, None)]);
        carry_out(&database, vec![give(11, 1, Some(2))]).await;
        assert_eq!(stored(&database, 1).await.identity, Some(identity_id(1)));
    }

    async fn a_tombstone_stays_one_until_its_account_is_found_again(database) {
        populate(&database).await;
        let bury = Intent { id: IntentId(uuid(12)), kind: IntentKind::Bury { account: account_id(2) } };
        put(&database, bury).await;
        carry_out(&database, vec![bury]).await;
        // Whoever read the account before that stores it again.
        let account = sample_account(2, Some(identity_id(1)), source_id(1));
        database.write(move |tx| Box::pin(async move { account::put(tx, &account, "b", at(3)).await })).await;
        assert!(stored(&database, 2).await.vanished);
        database.write(|tx| Box::pin(account::find_again(tx, account_id(2)))).await;
        assert!(!stored(&database, 2).await.vanished);
    }

    async fn an_account_that_is_stored_again_stays_with_its_identity(database) {
        populate(&database).await;
        let account = sample_account(1, Some(identity_id(2)), source_id(1));
        database.write(move |tx| Box::pin(async move { account::put(tx, &account, "a", at(3)).await })).await;
        assert_eq!(stored(&database, 1).await.identity, Some(identity_id(1)), "only an intent gives it away");
        put(&database, give(11, 1, None)).await;
        carry_out(&database, vec![give(11, 1, None)]).await;
        let account = sample_account(1, Some(identity_id(2)), source_id(1));
        database.write(move |tx| Box::pin(async move { account::put(tx, &account, "a", at(3)).await })).await;
        assert_eq!(stored(&database, 1).await.identity, Some(identity_id(2)), "it was nobody's");
    }

    async fn an_intent_is_work_for_whoever_owns_the_bucket(database) {
        populate(&database).await;
        put(&database, give(11, 1, None)).await;
        let owner = node(1);
        let unfinished = async || database.read(move |tx| Box::pin(lane::unfinished(tx, owner))).await;
        assert!(unfinished().await.is_empty());
        database.write(move |tx| Box::pin(bucket::pass(tx, identity_id(1).bucket(), 0, Some(owner)))).await;
        let found = unfinished().await;
        assert_eq!(found.len(), 1);
        assert!(found[0].identity == identity_id(1) && found[0].intent);
    }
}
