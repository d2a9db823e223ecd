//! query-password-info.

use aws_lc_rs::rsa::PublicEncryptingKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use lockstep_store::{Error, Options, Store, client, password_policy};
use serde_json::json;

use super::{SPECIAL_TEXTS, bad_texts};
use crate::harness::{Answer, Harness};

const PATH: &str = "/v2024/query-password-info";

#[tokio::test]
async fn it_tells_accounts_rules_and_key_at_every_address() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("idn:password-info:read").await;
    let question = json!({ "userName": "abby.SMITH", "sourceName": "billing", "extra": null, "more": {} });
    for version in [
        "/v2024/query-password-info",
        "/v3/query-password-info",
        "/beta/query-password-info",
        "/v2025/query-password-info",
        "/v2026/query-password-info",
        "/query-password-info/v1",
    ] {
        let info = harness.post(version, &token, &question).await.with_status(200);
        assert_eq!(info["identityId"], harness.world.abby.to_string());
        assert_eq!(info["sourceId"], harness.world.billing.to_string());
        assert_eq!(info["accounts"], json!([{ "accountId": "abby", "accountName": "abby" }]));
        assert_eq!(info["policies"], json!(["passwordMinAlpha is 1", "passwordMinLength is 8"]));
        let der = STANDARD.decode(info["publicKey"].as_str().expect("text")).expect("base64 on one line");
        assert_eq!(PublicEncryptingKey::from_der(&der).expect("a SubjectPublicKeyInfo").key_size_bits(), 2048);
        let id = STANDARD.decode(info["publicKeyId"].as_str().expect("text")).expect("base64");
        uuid::Uuid::try_parse_ascii(&id).expect("a UUID's text");
        assert_eq!(info.as_object().expect("an object").len(), 6);
    }
    harness.stop().await;
}

/// Sources, policies and the like are kept in memory, and another process may change them at any time.
#[tokio::test]
async fn what_another_process_changes_is_told_at_once() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("idn:password-info:read").await;
    let question = json!({ "userName": "abby.SMITH", "sourceName": "billing" });
    let other = Store::open(&harness.app.config.store.url, Options::default()).await.expect("opened");
    for length in [9, 10] {
        let changed = other.write::<_, Error, _>(move |tx| {
            Box::pin(async move {
                for mut policy in password_policy::list(tx).await? {
                    policy.min_length = length;
                    password_policy::put(tx, &policy, DateTime::UNIX_EPOCH).await?;
                }
                Ok(())
            })
        });
        changed.await.expect("changed");
        let info = harness.post(PATH, &token, &question).await.with_status(200);
        assert_eq!(info["policies"], json!(["passwordMinAlpha is 1", format!("passwordMinLength is {length}")]));
    }
    let gone = other.write::<_, Error, _>(|tx| {
        Box::pin(async move {
            for client in client::list(tx).await? {
                client::remove(tx, client.id).await?;
            }
            Ok(())
        })
    });
    gone.await.expect("removed");
    harness.post(PATH, &token, &question).await.with_status(401);
    other.close().await;
    harness.stop().await;
}

#[tokio::test]
async fn without_a_source_it_is_the_sign_in_password() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    for question in [
        json!({ "userName": "Bea.Jones" }),
        json!({ "userName": "Bea.Jones", "sourceName": null }),
        json!({ "userName": "Bea.Jones", "sourceName": "" }),
        json!({ "userName": "Bea.Jones", "sourceName": "IdentityNow" }),
    ] {
        let info = harness.post(PATH, &token, &question).await.with_status(200);
        assert_eq!(info["sourceId"], lockstep_core::id::SourceId::IDENTITY_NOW.to_string());
        assert_eq!(info["accounts"], json!([{ "accountId": "Bea.Jones", "accountName": "Bea.Jones" }]));
    }
    harness.stop().await;
}

#[tokio::test]
async fn several_accounts_are_listed_and_so_are_none() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let twins = harness.info(&token, "Abby.Smith", "Twins").await;
    let ids: Vec<_> =
        twins["accounts"].as_array().expect("a list").iter().map(|one| one["accountId"].clone()).collect();
    assert_eq!(ids, [json!("abby1"), json!("abby2")]);
    assert_eq!(harness.info(&token, "Abby.Smith", "Empty").await["accounts"], json!([]));
    harness.stop().await;
}

#[tokio::test]
async fn who_and_what_must_exist_and_take_passwords() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    for text in SPECIAL_TEXTS {
        let unknown = harness.post(PATH, &token, &json!({ "userName": text })).await;
        unknown.refused(400, "400.1.404 Referenced object not found");
        let unknown = harness.post(PATH, &token, &json!({ "userName": "Abby.Smith", "sourceName": text })).await;
        unknown.refused(400, "400.1.404 Referenced object not found");
    }
    let archive = harness.post(PATH, &token, &json!({ "userName": "Abby.Smith", "sourceName": "Archive" })).await;
    archive.refused(400, "400.1 Bad Request Content");
    harness.stop().await;
}

#[tokio::test]
async fn bad_fields_are_refused() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    harness.post(PATH, &token, &json!({})).await.refused(400, "400.1.0 Required Data Missing Or Empty");
    for (value, code) in bad_texts(2048) {
        let said = harness.post(PATH, &token, &json!({ "userName": value })).await.refused(400, code);
        assert!(said.contains("userName"), "{said}");
        let answer = harness.post(PATH, &token, &json!({ "userName": "Abby.Smith", "sourceName": value })).await;
        match code {
            "400.1.0 Required Data Missing Or Empty" => drop(answer.with_status(200)),
            code => assert!(answer.refused(400, code).contains("sourceName")),
        }
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_client_may_ask_for_a_key_of_the_other_padding() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let ask = |padding: &'static str| {
        let request = harness.http.post(harness.url(PATH)).bearer_auth(&token).header("x-lockstep-padding", padding);
        Answer::of(request.json(&json!({ "userName": "Abby.Smith" })))
    };
    let plain = harness.post(PATH, &token, &json!({ "userName": "Abby.Smith" })).await.with_status(200);
    assert_eq!(ask("pkcs1v15").await.with_status(200)["publicKeyId"], plain["publicKeyId"]);
    assert_ne!(ask("oaep-sha256").await.with_status(200)["publicKeyId"], plain["publicKeyId"]);
    for unknown in ["", "oaep", "OAEP-SHA256", "pkcs1v15, oaep-sha256"] {
        ask(unknown).await.refused(400, "400.1.3 Illegal value");
    }
    harness.stop().await;
}
