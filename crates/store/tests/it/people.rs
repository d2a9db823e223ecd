//! Identities, accounts, personal access tokens and audit.

use chrono::TimeDelta;
use lockstep_core::audit::{Action, Actor, Detail, Event, Outcome};
use lockstep_core::id::{ClientId, PersonalAccessTokenId, SourceId};
use lockstep_core::scope::{Scope, UserLevel};
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_store::{Error, Window, account, audit, identity, personal_access_token, source};

use crate::harness::{Database, on_both_engines};
use crate::sample::{
    account as sample_account, account_id, at, change_id, identity as sample_identity, identity_id,
    source as sample_source, source_id, uuid,
};

/// Abby (1) and Bo (2), and a source (1).
async fn populate(database: &Database) {
    let work = database.write(|tx| {
        Box::pin(async move {
            source::put(tx, &sample_source(1, "Directory"), at(1)).await?;
            identity::put(tx, &sample_identity(2, "Bo"), at(1)).await?;
            identity::put(tx, &sample_identity(1, "Abby.Smith"), at(1)).await
        })
    });
    work.await;
}

on_both_engines! {
    async fn an_identity_is_found_by_id_and_by_any_spelling_of_its_alias(database) {
        populate(&database).await;
        let abby = sample_identity(1, "Abby.Smith");
        assert_eq!(database.read(|tx| Box::pin(identity::get(tx, identity_id(1)))).await, abby);
        for alias in ["Abby.Smith", "abby.smith", "ABBY.SMITH"] {
            assert_eq!(database.read(|tx| Box::pin(identity::find_by_alias(tx, alias))).await, Some(abby.clone()));
        }
        for alias in ["", "abby", "abby_smith", "%", "Abby.Smith' OR 1=1 --", "Abby\u{0}"] {
            let found = database.store.read(|tx| Box::pin(identity::find_by_alias(tx, alias))).await;
            // PostgreSQL refuses NUL in a text; a name with it is nobody's either way.
            assert!(matches!(found, Ok(None) | Err(Error::Query { .. })), "{alias:?}: {found:?}");
        }
        let unknown = database.store.read(|tx| Box::pin(identity::get(tx, identity_id(9)))).await;
        assert!(matches!(unknown, Err(Error::NotFound("identity"))), "{unknown:?}");
    }

    async fn an_identity_is_replaced_and_its_levels_and_tokens_stay(database) {
        populate(&database).await;
        let levels = [UserLevel::OrgAdmin, UserLevel::HelpDesk].into();
        database
            .write(move |tx| {
                Box::pin(async move {
                    identity::set_levels(tx, identity_id(1), &levels, at(2)).await?;
                    identity::end_tokens(tx, identity_id(1), None, at(3)).await
                })
            })
            .await;
        let mut renamed = sample_identity(1, "Abby.Jones");
        (renamed.enabled, renamed.email, renamed.sign_in_source) = (false, None, source_id(1));
        renamed.attributes.clear();
        let put = renamed.clone();
        database.write(move |tx| Box::pin(async move { identity::put(tx, &put, at(4)).await })).await;
        assert_eq!(database.read(|tx| Box::pin(identity::get(tx, identity_id(1)))).await, renamed);
        let levels = database.read(|tx| Box::pin(identity::levels(tx, identity_id(1)))).await;
        assert_eq!(levels, [UserLevel::OrgAdmin, UserLevel::HelpDesk].into());
        let valid_from = async |n| database.read(move |tx| Box::pin(identity::tokens_valid_from(tx, identity_id(n)))).await;
        assert_eq!(valid_from(1).await, Some(at(3)));
        assert_eq!(valid_from(2).await, None);
        assert!(database.read(|tx| Box::pin(identity::levels(tx, identity_id(2)))).await.is_empty());
        let unknown = database
            .try_write(|tx| Box::pin(async move { identity::set_levels(tx, identity_id(9), &[].into(), at(1)).await }))
            .await;
        assert!(matches!(unknown, Err(Error::NotFound("identity"))), "{unknown:?}");
    }

    async fn those_who_are_more_than_users_are_found_while_they_are_enabled(database) {
        populate(&database).await;
        let some = async || database.read(|tx| Box::pin(identity::list_of_levels(tx))).await;
        assert!(some().await.is_empty());
        let set = async |n, levels: &[UserLevel]| {
            let levels = levels.iter().copied().collect();
            let set = database
                .write(move |tx| Box::pin(async move { identity::set_levels(tx, identity_id(n), &levels, at(2)).await }));
            set.await;
        };
        set(1, &[UserLevel::OrgAdmin]).await;
        set(2, &[UserLevel::HelpDesk]).await;
        assert_eq!(some().await.len(), 2);
        set(2, &[]).await;
        assert_eq!(some().await, [(identity_id(1), [UserLevel::OrgAdmin].into())]);
        let disabled = lockstep_core::identity::Identity { enabled: false, ..sample_identity(1, "Abby.Smith") };
        database.write(move |tx| Box::pin(async move { identity::put(tx, &disabled, at(3)).await })).await;
        assert!(some().await.is_empty());
    }

    async fn tokens_end_though_the_calendar_of_who_issued_them_was_ahead(database) {
        populate(&database).await;
        let token = PersonalAccessToken {
            id: PersonalAccessTokenId(uuid(77)),
            identity: identity_id(1),
            name: "a program".to_owned(),
            secret_hash: vec![7; 32],
            scopes: "sp:scopes:all".parse().expect("scopes"),
            token_seconds: 750,
            created_at: at(0),
            expires_at: None,
            last_used_at: None,
        };
        let id = token.id;
        let ended = async |now| {
            let end = database.write(move |tx| {
                Box::pin(async move {
                    identity::end_tokens(tx, identity_id(1), None, now).await?;
                    identity::tokens_valid_from(tx, identity_id(1)).await
                })
            });
            end.await.expect("a time")
        };
        database.write(move |tx| Box::pin(async move { personal_access_token::insert(tx, &token).await })).await;
        assert_eq!(ended(at(5)).await, at(5));
        // Issued by a node that is ten minutes ahead, and then by one that is not.
        for now in [at(600), at(7)] {
            database.write(move |tx| Box::pin(async move { personal_access_token::used(tx, id, now).await })).await;
        }
        let from = ended(at(8)).await;
        assert!(from > at(600), "the token that was issued first is still good: {from}");
        // What was issued after that is dated to the next second at the latest.
        assert!(ended(at(9)).await > from + TimeDelta::seconds(1));
        assert_eq!(ended(at(700)).await, at(700));
    }

    async fn identities_are_listed_by_windows(database) {
        populate(&database).await;
        let aliases = async |offset, limit| {
            let listed = database.read(move |tx| Box::pin(identity::list(tx, Window { offset, limit }))).await;
            listed.into_iter().map(|identity| identity.alias).collect::<Vec<_>>()
        };
        assert_eq!(aliases(0, 250).await, ["Abby.Smith", "Bo"]);
        assert_eq!(aliases(1, 1).await, ["Bo"]);
        assert!(aliases(0, 0).await.is_empty());
        assert_eq!(database.read(|tx| Box::pin(identity::list(tx, Window::ALL))).await.len(), 2);
        assert_eq!(database.read(|tx| Box::pin(identity::count(tx))).await, 2);
    }

    async fn an_account_is_found_by_each_of_its_ids(database) {
        populate(&database).await;
        let abbys = sample_account(1, Some(identity_id(1)), source_id(1));
        let nobodys = sample_account(2, None, source_id(1));
        for (account, key) in [(abbys.clone(), "cn=person 1"), (nobodys.clone(), "cn=person 2")] {
            database.write(move |tx| Box::pin(async move { account::put(tx, &account, key, at(1)).await })).await;
        }
        assert_eq!(database.read(|tx| Box::pin(account::get(tx, account_id(1)))).await, abbys);
        let by_stable = database.read(|tx| Box::pin(account::find_by_stable_id(tx, source_id(1), "stable-2"))).await;
        assert_eq!(by_stable, Some(nobodys.clone()));
        let by_key = async |key: &'static str| {
            database.read(move |tx| Box::pin(account::find_by_native_key(tx, source_id(1), key))).await
        };
        assert_eq!(by_key("cn=person 1").await, Some(abbys.clone()));
        assert_eq!(by_key("CN=Person 1").await, None, "the caller normalises");
        assert_eq!(database.read(|tx| Box::pin(account::list_of(tx, identity_id(1)))).await, std::slice::from_ref(&abbys));
        let on_source = database.read(|tx| Box::pin(account::list_on(tx, source_id(1), Window::ALL))).await;
        assert_eq!(on_source, [abbys, nobodys]);
    }

    async fn a_native_id_is_free_again_when_its_account_vanished(database) {
        populate(&database).await;
        let mut first = sample_account(1, Some(identity_id(1)), source_id(1));
        let second = sample_account(2, Some(identity_id(2)), source_id(1));
        let put = async |account: lockstep_core::account::Account| {
            database.try_write(move |tx| Box::pin(async move { account::put(tx, &account, "cn=x", at(1)).await })).await
        };
        put(first.clone()).await.expect("free");
        let taken = put(second.clone()).await.expect_err("taken");
        assert_eq!(taken.constraint(), Some("account_source_native_key_key"));
        first.vanished = true;
        put(first.clone()).await.expect("a tombstone");
        put(second.clone()).await.expect("free again");
        let found = database.read(|tx| Box::pin(account::find_by_native_key(tx, source_id(1), "cn=x"))).await;
        assert_eq!(found, Some(second));
        let mut double = sample_account(3, None, source_id(1));
        (double.stable_id, double.vanished) = (first.stable_id.clone(), true);
        let taken = put(double).await.expect_err("tombstones keep their stable id");
        assert_eq!(taken.constraint(), Some("account_source_stable_id_key"));
    }

    async fn an_account_needs_its_source(database) {
        let orphan = sample_account(1, None, source_id(99));
        let refused = database
            .try_write(move |tx| Box::pin(async move { account::put(tx, &orphan, "x", at(1)).await }))
            .await
            .expect_err("no such source");
        assert!(refused.is_reference_violation(), "{refused:?}");
        assert_eq!(refused.to_string(), "cannot store an account");
    }

    async fn an_error_quotes_no_value(database) {
        populate(&database).await;
        let taken = sample_identity(9, "abby.smith");
        let refused = database
            .try_write(move |tx| Box::pin(async move { identity::put(tx, &taken, at(1)).await }))
            .await
            .expect_err("taken");
        let told = format!("{refused} {refused:?} {}", std::error::Error::source(&refused).expect("a cause"));
        assert!(told.contains("identity_alias_key_key"), "{told}");
        assert!(!told.contains("abby"), "{told}");
    }

    async fn a_personal_access_token_remembers_its_use(database) {
        populate(&database).await;
        let id = PersonalAccessTokenId(uuid(5));
        let mut token = PersonalAccessToken {
            id,
            identity: identity_id(1),
            name: "laptop".to_owned(),
            secret_hash: vec![7; 32],
            scopes: [Scope::All].into_iter().collect(),
            token_seconds: 43_200,
            created_at: at(1),
            expires_at: None,
            last_used_at: None,
        };
        let stored = token.clone();
        database.write(move |tx| Box::pin(async move { personal_access_token::insert(tx, &stored).await })).await;
        assert!(database.read(move |tx| Box::pin(personal_access_token::find(tx, id))).await == Some(token.clone()));
        database.write(move |tx| Box::pin(personal_access_token::used(tx, id, at(9)))).await;
        token.last_used_at = Some(at(9));
        let of = async |n| database.read(move |tx| Box::pin(personal_access_token::list_of(tx, identity_id(n)))).await;
        assert!(of(1).await == [token]);
        assert!(of(2).await.is_empty());
        assert!(database.write(move |tx| Box::pin(personal_access_token::remove(tx, id))).await);
        assert!(!database.write(move |tx| Box::pin(personal_access_token::remove(tx, id))).await);
    }

    async fn audit_events_are_listed_for_whom_they_are_about(database) {
        let client = ClientId(uuid(8));
        let event = Event {
            action: Action::PasswordChange,
            actor: Actor::Client(client),
            identity: Some(identity_id(1)),
            source: Some(SourceId::IDENTITY_NOW),
            account: Some(account_id(1)),
            change: Some(change_id(identity_id(1), 1)),
            at: at(5),
            outcome: Outcome::Passed,
            detail: [("targets", Detail::Count(3)), ("kind", Detail::Word("timeout"))].into(),
        };
        let earlier = Event { at: at(4), outcome: Outcome::Failed, detail: [].into(), ..event.clone() };
        let other = Event { identity: None, change: None, actor: Actor::Nobody, ..event.clone() };
        database
            .write(move |tx| {
                Box::pin(async move {
                    for (id, event) in [(2, &event), (1, &earlier), (3, &other)] {
                        audit::append(tx, uuid(id), event).await?;
                    }
                    Ok(())
                })
            })
            .await;
        let entries = database.read(|tx| Box::pin(audit::list_of(tx, identity_id(1), 10))).await;
        assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [uuid(2), uuid(1)]);
        let newest = &entries[0];
        assert_eq!((newest.at, newest.action, newest.outcome), (at(5), Action::PasswordChange, Outcome::Passed));
        assert_eq!(newest.actor, serde_json::json!({"client": client.to_string()}));
        assert_eq!(newest.detail, serde_json::json!({"targets": 3, "kind": "timeout"}));
        assert_eq!((newest.source, newest.account), (Some(SourceId::IDENTITY_NOW), Some(account_id(1))));
        assert_eq!(newest.change, Some(change_id(identity_id(1), 1)));
        assert_eq!(entries[1].outcome, Outcome::Failed);
    }
}
