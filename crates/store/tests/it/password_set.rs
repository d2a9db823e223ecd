//! When passwords were set, as rows.

use lockstep_core::change::{Change, ChangeState, Delta, Intent, IntentKind, TargetState};
use lockstep_core::id::{AccountId, IdentityId, IntentId};
use lockstep_core::password_set::PasswordSet;
use lockstep_store::{account, aggregation, identity, intent, lane, password_set, source};

use crate::change::accept;
use crate::harness::{Database, on_both_engines};
use crate::migrate::raw;
use crate::sample::{
    account as sample_account, account_id, at, change as sample_change, identity as sample_identity, identity_id,
    source as sample_source, source_id, target, uuid,
};

/// Abby (1) with the accounts 1 to 3 on a source, of which one says when its password was changed; Bo (2) has the account 4.
async fn populate(database: &Database) {
    let work = database.write(|tx| {
        Box::pin(async move {
            source::put(tx, &sample_source(1, "Directory"), at(1)).await?;
            identity::put(tx, &sample_identity(1, "Abby.Smith"), at(1)).await?;
            identity::put(tx, &sample_identity(2, "Bo"), at(1)).await?;
            for n in 1..=4 {
                let account = sample_account(n, Some(identity_id(if n == 4 { 2 } else { 1 })), source_id(1));
                account::put(tx, &account, &account.native_id, at(1)).await?;
            }
            let mut known = aggregation::get(tx, account_id(1)).await?;
            known.password_changed_at = Some(at(50));
            aggregation::update(tx, &known, at(2)).await
        })
    });
    work.await;
}

async fn of(database: &Database, identity: IdentityId) -> Vec<(AccountId, PasswordSet)> {
    let list = database.read(move |tx| Box::pin(password_set::list_of(tx, identity))).await;
    let accounts = database.read(move |tx| Box::pin(account::list_of(tx, identity))).await;
    assert_eq!(list.iter().map(|(account, _)| account.clone()).collect::<Vec<_>>(), accounts);
    list.into_iter().map(|(account, set)| (account.id, set)).collect()
}

fn set(set: Option<i64>, written: Option<i64>, said: Option<i64>) -> PasswordSet {
    PasswordSet { set_at: set.map(at), written_at: written.map(at), said_at: said.map(at) }
}

async fn save(database: &Database, delta: Delta) {
    let saved = database.write(move |tx| {
        let delta = delta.clone();
        Box::pin(async move { lane::save(tx, identity_id(1), &delta).await })
    });
    saved.await;
}

fn judged(seq: i64) -> Change {
    Change { state: ChangeState::Judged, ..sample_change(identity_id(1), seq) }
}

on_both_engines! {
    async fn what_lockstep_did_stands_beside_what_the_source_says(database) {
        populate(&database).await;
        let abby = identity_id(1);
        database.write(move |tx| Box::pin(async move {
            password_set::put(tx, abby, account_id(1), at(10)).await?;
            password_set::put_again(tx, abby, account_id(1), at(20)).await?;
            password_set::put_again(tx, abby, account_id(2), at(20)).await?;
            // Nobody knows that one was ever set there.
            password_set::may_be_set(tx, abby, account_id(3), at(30)).await?;
            password_set::put(tx, identity_id(2), account_id(4), at(40)).await
        })).await;
        let expected = [
            (account_id(1), set(Some(10), Some(20), Some(50))),
            (account_id(2), set(Some(20), Some(20), None)),
            (account_id(3), set(None, None, None)),
        ];
        assert_eq!(of(&database, abby).await, expected);

        database.write(move |tx| Box::pin(async move {
            password_set::may_be_set(tx, abby, account_id(1), at(60)).await?;
            password_set::put(tx, abby, account_id(2), at(60)).await?;
            password_set::all_may_be_set(tx, identity_id(2).bucket(), at(70)).await
        })).await;
        assert_eq!(of(&database, abby).await[..2], [
            (account_id(1), set(Some(10), Some(60), Some(50))),
            (account_id(2), set(Some(60), Some(60), None)),
        ]);
        assert_eq!(of(&database, identity_id(2)).await, [(account_id(4), set(Some(40), Some(70), None))]);
    }

    async fn an_account_that_was_given_away_comes_back_unknown(database) {
        populate(&database).await;
        database.write(|tx| Box::pin(password_set::put(tx, identity_id(1), account_id(1), at(10)))).await;
        let given = Intent { id: IntentId(uuid(1)), kind: IntentKind::Give { account: account_id(1), to: None } };
        database.write(move |tx| Box::pin(intent::put(tx, identity_id(1), given, at(20)))).await;
        save(&database, Delta { intents_done: vec![given], ..Delta::default() }).await;
        assert_eq!(of(&database, identity_id(1)).await.len(), 2);
        database.write(|tx| Box::pin(async move {
            let account = account::get(tx, account_id(1)).await?;
            let back = lockstep_core::account::Account { identity: Some(identity_id(1)), ..account };
            account::put(tx, &back, &back.native_id, at(30)).await
        })).await;
        assert_eq!(of(&database, identity_id(1)).await[0], (account_id(1), set(None, None, Some(50))));
    }

    async fn what_is_being_changed_is_known(database) {
        populate(&database).await;
        let change = judged(1);
        accept(&database, vec![sample_change(identity_id(1), 1), sample_change(identity_id(2), 1)]).await;
        let targets = [(1, TargetState::Applied), (2, TargetState::Retrying), (3, TargetState::Applying)];
        let targets = targets.map(|(account, state)| target(&change, account, state)).to_vec();
        save(&database, Delta { changes: vec![change], targets, ..Delta::default() }).await;
        let mut under_way = database.read(|tx| Box::pin(lane::under_way(tx, identity_id(1)))).await;
        under_way.sort_unstable();
        assert_eq!(under_way, [account_id(2), account_id(3)]);
        assert!(database.read(|tx| Box::pin(lane::under_way(tx, identity_id(2)))).await.is_empty());
    }

    async fn the_deliveries_of_before_are_taken_over(database) {
        populate(&database).await;
        accept(&database, vec![sample_change(identity_id(1), 1)]).await;
        let (change, [applied, mut lost, mut refused]) = (judged(1), [1, 2, 3].map(|account| {
            target(&judged(1), account, if account == 1 { TargetState::Applied } else { TargetState::Expired })
        }));
        (lost.unsure, refused.unsure) = (true, false);
        save(&database, Delta { changes: vec![change], targets: vec![applied, lost, refused], ..Delta::default() }).await;
        database.write(|tx| Box::pin(async move {
            for account in [1, 3] {
                password_set::put(tx, identity_id(1), account_id(account), at(10)).await?;
            }
            raw(tx, "ALTER TABLE account DROP COLUMN password_changed_at;
                     ALTER TABLE password_set DROP COLUMN written_at;
                     DELETE FROM migration WHERE name = '20261128120000_password_changed_at'").await
        })).await;
        database.store.migrate(at(200)).await.expect("migrated");
        assert_eq!(of(&database, identity_id(1)).await, [
            (account_id(1), set(Some(10), Some(100), None)),
            (account_id(2), set(None, None, None)),
            (account_id(3), set(Some(10), None, None)),
        ]);
    }
}
