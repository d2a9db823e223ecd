//! `…/personal-access-tokens`.

use chrono::{DateTime, Utc};
use lockstep_core::id::PersonalAccessTokenId;
use lockstep_store::{Tx, personal_access_token};
use lockstep_vault::secret::Secret;
use serde_json::{Value, json};

use crate::harness::{Answer, Credentials, Harness};

const PATHS: [&str; 2] = ["/v2024/personal-access-tokens", "/personal-access-tokens/v1"];

fn credentials(made: &Value) -> Credentials {
    let text = |field: &str| made[field].as_str().expect("text").to_owned();
    Credentials { id: text("id"), secret: Secret::new(text("secret")) }
}

#[tokio::test]
async fn a_person_makes_uses_changes_and_deletes_one() {
    let harness = Harness::start_without_worker().await;
    let abby = harness.person_token(harness.world.abby).await;
    for path in PATHS {
        let made = harness.post(path, &abby, &json!({ "name": "laptop" })).await.with_status(200);
        assert_eq!(made["secret"].as_str().map(str::len), Some(64));
        assert_eq!((&made["scope"], &made["accessTokenValiditySeconds"]), (&json!(["sp:scopes:all"]), &json!(43200)));
        let owner = json!({ "type": "IDENTITY", "id": harness.world.abby.to_string(), "name": "Abby Smith" });
        assert_eq!((&made["owner"], &made["managed"]), (&owner, &json!(false)));
        assert!(made["expirationDate"].is_string());
        harness.post(path, &abby, &json!({ "name": "laptop" })).await.refused(400, "400.1.3 Illegal value");

        let token = harness.token(&credentials(&made)).await;
        harness.info(&token, "Abby.Smith", "Billing").await;
        let one = format!("{path}/{}", made["id"].as_str().expect("an id"));
        let patch = json!([
            { "op": "replace", "path": "/name", "value": "desk" },
            { "op": "replace", "path": "/scope", "value": ["idn:password-change:read"] }
        ]);
        let changed = harness.patch(&one, &abby, &patch).await.with_status(200);
        assert_eq!((&changed["name"], &changed["scope"]), (&json!("desk"), &json!(["idn:password-change:read"])));
        assert!(changed.get("secret").is_none() && changed["lastUsed"].is_string());
        let question = json!({ "userName": "Abby.Smith" });
        harness.post("/v3/query-password-info", &token, &question).await.refused(403, "403 Forbidden");
        for path in ["/id", "/secret", "/owner", "/created", "/managed", "/expirationDate"] {
            let patch = json!([{ "op": "replace", "path": path, "value": "x" }]);
            harness.patch(&one, &abby, &patch).await.refused(400, "400.1.1 Illegal update attempt");
        }
        let mine = harness.get(&format!("{path}?owner-id=me"), &abby).await.with_status(200);
        assert!(mine.as_array().expect("a list").iter().any(|token| token["id"] == made["id"]));
        assert_eq!(harness.delete(&one, &abby).await.status, 204);
        harness.post("/v3/query-password-info", &token, &question).await.with_status(401);
        harness.delete(&one, &abby).await.refused(404, "404 Not found");
    }
    harness.stop().await;
}

#[tokio::test]
async fn others_are_an_administrators_and_nobody_elses() {
    let harness = Harness::start_without_worker().await;
    let (abby, bea) = (harness.person_token(harness.world.abby).await, harness.person_token(harness.world.bea).await);
    let ada = harness.person_token(harness.world.ada).await;
    let program = harness.token(&harness.administrator("sp:scopes:all").await).await;
    let made = harness.post(PATHS[0], &abby, &json!({ "name": "laptop" })).await.with_status(200);
    let one = format!("{}/{}", PATHS[0], made["id"].as_str().expect("an id"));
    let of_abby = format!("{}?owner-id={}", PATHS[0], harness.world.abby);

    for (path, token, status) in [
        (of_abby.as_str(), &abby, 200),
        (&of_abby, &bea, 403),
        (PATHS[0], &bea, 403),
        (&of_abby, &ada, 200),
        (PATHS[0], &ada, 200),
        (PATHS[0], &program, 200),
        ("/v2024/personal-access-tokens?owner-id=me", &program, 400),
        ("/v2024/personal-access-tokens?owner-id=x", &ada, 400),
        ("/v2024/personal-access-tokens?filters=lastUsed%20isnull", &ada, 200),
        ("/v2024/personal-access-tokens?filters=name%20isnull", &ada, 400),
    ] {
        assert_eq!(harness.get(path, token).await.status, status, "{path}");
    }
    harness.post(PATHS[0], &program, &json!({ "name": "x" })).await.refused(403, "403 Forbidden");
    let patch = json!([{ "op": "replace", "path": "/name", "value": "x" }]);
    harness.patch(&one, &bea, &patch).await.refused(404, "404 Not found");
    harness.patch(&one, &ada, &patch).await.refused(404, "404 Not found");
    harness.delete(&one, &bea).await.refused(404, "404 Not found");
    assert_eq!(harness.delete(&one, &ada).await.status, 204);
    harness.stop().await;
}

#[tokio::test]
async fn a_token_gives_no_more_than_it_has() {
    let harness = Harness::start_without_worker().await;
    let narrow = "sp:my-personal-access-tokens:manage idn:password-info:read";
    let narrow = harness.token(&harness.personal_access_token(harness.world.abby, narrow).await).await;
    for scope in ["sp:scopes:all", "idn:password-change:manage"] {
        let answer = harness.post(PATHS[0], &narrow, &json!({ "name": "x", "scope": [scope] })).await;
        answer.refused(403, "403 Forbidden");
    }
    let made = harness.post(PATHS[0], &narrow, &json!({ "name": "x" })).await.with_status(200);
    assert_eq!(made["scope"], json!(["idn:password-info:read", "sp:my-personal-access-tokens:manage"]));
    let one = format!("{}/{}", PATHS[0], made["id"].as_str().expect("an id"));
    let patch = json!([{ "op": "add", "path": "/scope/-", "value": "sp:scopes:all" }]);
    harness.patch(&one, &narrow, &patch).await.refused(403, "403 Forbidden");
    harness.stop().await;
}

#[tokio::test]
async fn a_person_has_ten_at_most_however_many_are_asked_for_at_once() {
    let harness = Harness::start_without_worker().await;
    let abby = harness.person_token(harness.world.abby).await;
    let asked = (0..14).map(|number| harness.post_owned(PATHS[0], &abby, json!({ "name": number.to_string() })));
    let answers: Vec<Answer> = futures_util::future::join_all(asked).await;
    // The one that asks is the tenth.
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 9);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 400)));
    harness.stop().await;
}

#[tokio::test]
async fn a_token_that_is_over_gives_nothing_and_what_it_gave_is_dead() {
    let harness = Harness::start_without_worker().await;
    let abby = harness.person_token(harness.world.abby).await;
    let never = json!({ "name": "never", "userAwareTokenNeverExpires": true });
    assert_eq!(harness.post(PATHS[0], &abby, &never).await.with_status(200)["expirationDate"], Value::Null);
    for wrong in [json!("2020-01-01T00:00:00Z"), json!("2099-01-01T00:00:00Z"), json!("soon"), json!(1)] {
        let answer = harness.post(PATHS[0], &abby, &json!({ "name": "x", "expirationDate": wrong })).await;
        answer.refused(400, "400.1.3 Illegal value");
    }
    let made = harness.post(PATHS[0], &abby, &json!({ "name": "short" })).await.with_status(200);
    let token = harness.token(&credentials(&made)).await;
    harness.info(&token, "Abby.Smith", "Billing").await;
    let (id, now) = (made["id"].as_str().expect("an id").parse().expect("an id"), harness.app.clock.utc());
    harness.write(move |tx| Box::pin(end(tx, id, now))).await;
    harness.post("/v3/query-password-info", &token, &json!({ "userName": "Abby.Smith" })).await.with_status(401);
    let credentials = credentials(&made);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", credentials.id.as_str()),
        ("client_secret", credentials.secret.expose()),
    ];
    Answer::of(harness.http.post(harness.url("/oauth/token")).form(&form)).await.with_status(401);
    harness.stop().await;
}

/// As if its time had come.
async fn end(tx: &mut Tx<'_>, id: PersonalAccessTokenId, now: DateTime<Utc>) -> lockstep_store::Result<()> {
    let mut token = personal_access_token::find(tx, id).await?.expect("the token");
    token.expires_at = Some(now);
    personal_access_token::remove(tx, id).await?;
    personal_access_token::insert(tx, &token).await
}
