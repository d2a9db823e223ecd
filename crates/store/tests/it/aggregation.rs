//! What an aggregation reads and writes.

use lockstep_core::account::Link;
use lockstep_core::aggregation::Known;
use lockstep_core::change::{Intent, IntentKind};
use lockstep_core::id::IntentId;
use lockstep_core::identity::Identity;
use lockstep_store::aggregation::{self, State};
use lockstep_store::{account, identity, identity_value, intent, source};

use crate::harness::{Database, on_both_engines};
use crate::sample::{
    account as sample_account, account_id, at, identity as sample_identity, identity_id, source as sample_source,
    source_id, uuid,
};

fn known(n: u128) -> Known {
    let account = sample_account(n, None, source_id(1));
    let native_key = Some(format!("key-{n}"));
    Known { native_key, enabled: Some(true), password_changed_at: Some(at(1)), link: Link::None, account }
}

/// A source, Abby (1) and Bo (2), and four accounts that are nobody's.
async fn populate(database: &Database) {
    let work = database.write(|tx| {
        Box::pin(async move {
            source::put(tx, &sample_source(1, "Directory"), at(1)).await?;
            identity::put(tx, &sample_identity(1, "Abby.Smith"), at(1)).await?;
            identity::put(tx, &sample_identity(2, "Bo"), at(1)).await?;
            for n in 1..=4 {
                aggregation::insert(tx, &known(n), at(2)).await?;
            }
            Ok(())
        })
    });
    work.await;
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

on_both_engines! {
    async fn accounts_are_found_many_at_a_time(database) {
        populate(&database).await;
        let wanted = texts(&["stable-1", "stable-3", "it's \"nobody\""]);
        let mut found = database.read(move |tx| Box::pin(async move { aggregation::known(tx, source_id(1), &wanted).await })).await;
        found.sort_by_key(|known| known.account.id);
        assert_eq!(found, [known(1), known(3)]);
        let wanted = texts(&["key-2", "key-9"]);
        let holders = database.read(move |tx| Box::pin(async move { aggregation::holders(tx, source_id(1), &wanted).await })).await;
        assert_eq!(holders, [known(2)]);
        assert_eq!(database.read(|tx| Box::pin(aggregation::count_living(tx, source_id(1)))).await, 4);
        let walk = database.read(|tx| Box::pin(aggregation::living_after(tx, source_id(1), "stable-1", 2))).await;
        assert_eq!(walk.iter().map(|living| living.id).collect::<Vec<_>>(), [account_id(2), account_id(3)]);
    }

    async fn when_a_password_was_changed_follows_the_source_and_nobody_else_touches_it(database) {
        populate(&database).await;
        let told = async || database.read(|tx| Box::pin(aggregation::get(tx, account_id(1)))).await.password_changed_at;
        assert_eq!(told().await, Some(at(1)));
        database.write(|tx| Box::pin(async move {
            let account = account::get(tx, account_id(1)).await?;
            account::put(tx, &account, "key-1", at(3)).await
        })).await;
        assert_eq!(told().await, Some(at(1)), "an apply file does not say it");
        for said in [Some(at(9)), None] {
            let changed = Known { password_changed_at: said, ..known(1) };
            database.write(move |tx| {
                let changed = changed.clone();
                Box::pin(async move { aggregation::update(tx, &changed, at(4)).await })
            }).await;
            assert_eq!(told().await, said);
        }
    }

    async fn two_accounts_change_their_names_in_one_transaction(database) {
        populate(&database).await;
        let (mut one, mut two) = (known(1), known(2));
        std::mem::swap(&mut one.native_key, &mut two.native_key);
        std::mem::swap(&mut one.account.native_id, &mut two.account.native_id);
        let pair = (one.clone(), two.clone());
        database
            .write(move |tx| {
                Box::pin(async move {
                    aggregation::release(tx, &[account_id(1), account_id(2)]).await?;
                    aggregation::update(tx, &pair.0, at(3)).await?;
                    aggregation::update(tx, &pair.1, at(3)).await
                })
            })
            .await;
        assert_eq!(database.read(|tx| Box::pin(aggregation::get(tx, account_id(1)))).await, one);
        assert_eq!(database.read(|tx| Box::pin(aggregation::get(tx, account_id(2)))).await, two);
    }

    async fn only_what_is_nobodys_is_made_a_tombstone_or_given_at_once(database) {
        populate(&database).await;
        database
            .write(|tx| {
                Box::pin(async move {
                    aggregation::link(tx, account_id(1), Link::Rule, Some(identity_id(1)), at(3)).await?;
                    aggregation::link(tx, account_id(1), Link::Manual, Some(identity_id(2)), at(3)).await?;
                    aggregation::bury_nobodys(tx, &[account_id(1), account_id(2)]).await
                })
            })
            .await;
        let first = database.read(|tx| Box::pin(aggregation::get(tx, account_id(1)))).await;
        assert_eq!((first.account.identity, first.link, first.account.vanished), (Some(identity_id(1)), Link::Manual, false));
        assert!(database.read(|tx| Box::pin(account::get(tx, account_id(2)))).await.vanished);
        let mut returned = known(2);
        returned.account.identity = Some(identity_id(2));
        database.write(move |tx| Box::pin(async move { aggregation::update(tx, &returned, at(4)).await })).await;
        let second = database.read(|tx| Box::pin(account::get(tx, account_id(2)))).await;
        assert_eq!((second.vanished, second.identity), (false, Some(identity_id(2))));
    }

    async fn intents_are_found_many_at_a_time(database) {
        populate(&database).await;
        let bury = |n| Intent { id: IntentId(uuid(n)), kind: IntentKind::Bury { account: account_id(n) } };
        database
            .write(move |tx| {
                Box::pin(async move {
                    intent::put(tx, identity_id(1), bury(1), at(3)).await?;
                    intent::put(tx, identity_id(2), bury(2), at(3)).await
                })
            })
            .await;
        let wanted = [(identity_id(1), account_id(1)), (identity_id(1), account_id(2)), (identity_id(2), account_id(3))];
        let found = database.read(move |tx| Box::pin(async move { intent::list_about(tx, &wanted).await })).await;
        assert_eq!(found, [bury(1)]);
        assert_eq!(database.read(|tx| Box::pin(intent::list_about(tx, &[]))).await, []);
    }

    async fn who_says_who_somebody_is_counts_as_long_as_it_is_there(database) {
        populate(&database).await;
        database
            .write(|tx| {
                Box::pin(async move {
                    aggregation::link(tx, account_id(1), Link::Rule, Some(identity_id(1)), at(3)).await?;
                    aggregation::govern(tx, identity_id(1), account_id(1)).await?;
                    aggregation::govern(tx, identity_id(2), account_id(3)).await
                })
            })
            .await;
        let people = async || {
            let read = database.read(|tx| {
                Box::pin(async move { aggregation::people(tx, &[identity_id(1), identity_id(2)]).await })
            });
            let mut people = read.await;
            people.sort_by_key(|person| person.identity.id);
            people
        };
        let found = people().await;
        assert_eq!(found.iter().map(|person| person.authority).collect::<Vec<_>>(), [Some(account_id(1)), None]);
        assert_eq!(database.read(|tx| Box::pin(aggregation::count_governed(tx, source_id(1)))).await, 1);
        database.write(|tx| Box::pin(async move { aggregation::retire(tx, identity_id(1), at(5)).await })).await;
        let found = people().await;
        assert!(found[0].retired && !found[0].identity.enabled);
        database.write(|tx| Box::pin(aggregation::recall(tx, identity_id(1), at(6)))).await;
        assert!(!people().await[0].retired && people().await[0].identity.enabled);
        // Whom somebody disabled while the source was read is not retired by it.
        let put = async |enabled| {
            let person = sample_identity(1, "Abby.Smith");
            let person = Identity { enabled, ..person };
            database.write(move |tx| Box::pin(async move { identity::put(tx, &person, at(6)).await })).await;
        };
        put(false).await;
        assert!(!database.write(|tx| Box::pin(aggregation::retire(tx, identity_id(1), at(7)))).await);
        assert!(!people().await[0].retired);
        put(true).await;
        // Whom somebody else enables is not retired any more, and whom somebody else disables never was.
        database.write(|tx| Box::pin(async move { aggregation::retire(tx, identity_id(1), at(5)).await })).await;
        for enabled in [true, false] {
            let mut abby = sample_identity(1, "Abby.Smith");
            abby.enabled = enabled;
            database.write(move |tx| Box::pin(async move { identity::put(tx, &abby, at(7)).await })).await;
            assert!(!people().await[0].retired);
        }
        database.write(|tx| Box::pin(aggregation::recall(tx, identity_id(1), at(8)))).await;
        assert!(!people().await[0].identity.enabled);
    }

    async fn identities_are_found_by_the_values_that_rules_name(database) {
        populate(&database).await;
        let begin = async |name| database.write(move |tx| Box::pin(identity_value::begin(tx, name))).await;
        assert!(!begin("email").await);
        let mut after = None;
        let mut filled = 0;
        loop {
            after = database.write(move |tx| Box::pin(identity_value::fill(tx, "email", after, 1))).await;
            if after.is_none() {
                break;
            }
            filled += 1;
        }
        assert_eq!((filled, begin("email").await), (2, true));
        let matching = async |name: &'static str, keys: &[&str]| {
            let keys = texts(keys);
            let read = database.read(move |tx| Box::pin(async move { identity_value::matching(tx, name, &keys).await }));
            let mut found: Vec<(String, _)> = read.await;
            found.sort();
            found.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
        };
        assert_eq!(matching("email", &["person1@example.test", "x"]).await, [identity_id(1)]);
        assert_eq!(matching("alias", &["bo", "abby.smith"]).await, [identity_id(1), identity_id(2)]);
        assert_eq!(matching("department", &["räder & co"]).await, []);
        assert!(!begin("department").await);
        // Whoever stores an identity keeps its values right.
        let mut abby = sample_identity(1, "Abby.Smith");
        abby.email = Some(" Person2@EXAMPLE.test ".to_owned());
        database.write(move |tx| Box::pin(async move { identity::put(tx, &abby, at(3)).await })).await;
        assert_eq!(matching("email", &["person2@example.test"]).await, [identity_id(1), identity_id(2)]);
        assert_eq!(matching("email", &["person1@example.test"]).await, []);
        assert_eq!(matching("department", &["räder & co"]).await, [identity_id(1)]);
    }

    async fn how_far_a_source_was_read_is_no_configuration(database) {
        populate(&database).await;
        let version = database.read(|tx| Box::pin(lockstep_store::configuration::version(tx))).await;
        assert_eq!(database.read(|tx| Box::pin(aggregation::state(tx, source_id(1)))).await, None);
        for mark in [Some("20261124000000Z".to_owned()), None] {
            let state = State { mark, version: 3, full_at: at(9) };
            let put = state.clone();
            database.write(move |tx| Box::pin(async move { aggregation::put_state(tx, source_id(1), &put).await })).await;
            assert_eq!(database.read(|tx| Box::pin(aggregation::state(tx, source_id(1)))).await, Some(state));
        }
        assert_eq!(database.read(|tx| Box::pin(lockstep_store::configuration::version(tx))).await, version);
        assert_eq!(database.read(|tx| Box::pin(source::version(tx, source_id(1)))).await, 1);
    }
}
