//! Who is calling: tokens that live and those that do not, and who may do what.

mod matrix;

use lockstep_core::id::{ClientId, IdentityId};
use lockstep_store::{client, identity, personal_access_token};
use lockstep_vault::token::Claims;
use serde_json::json;

use crate::harness::{Answer, Harness};

#[tokio::test]
async fn nobody_without_a_living_token_is_answered() {
    let harness = Harness::start_without_worker().await;
    let expired = token(&harness, harness.client("sp:scopes:all").await.id, -1).await;
    let unknown = token(&harness, "e1267ecd-fcd9-4c73-9c55-12555efad136".to_owned(), 100).await;
    let mut altered = harness.client_token("sp:scopes:all").await;
    altered.replace_range(altered.len() - 20..altered.len() - 16, "AAAA");
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    for (token, cause) in [
        ("", "JWT is missing"),
        ("nonsense", "JWT is malformed"),
        (unsigned, "JWT"),
        (altered.as_str(), "JWT signature is invalid"),
        (expired.as_str(), "JWT is expired"),
        (unknown.as_str(), "JWT is revoked"),
    ] {
        let answer = harness.post("/v2024/query-password-info", token, &json!({ "userName": "Abby.Smith" })).await;
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        let body = answer.with_status(401);
        let error = body["error"].as_str().expect("a sentence");
        assert!(error.starts_with(&format!("JWT validation failed: {cause}")), "{error}");
        assert_eq!(body.as_object().expect("an object").len(), 1);
    }
    harness.stop().await;
}

/// Whether whoever asks there shows a client's credentials instead of a token.
fn by_credentials(path: &str) -> bool {
    matches!(path, "/oauth/token" | "/oauth/revoke" | "/oauth/introspect")
}

#[tokio::test]
async fn no_address_is_open() {
    let harness = Harness::start_without_worker().await;
    let document = serde_json::to_value(lockstep::api::document()).expect("written");
    let mut addresses = 0;
    for (path, item) in document["paths"].as_object().expect("paths").iter().filter(|(path, _)| !by_credentials(path)) {
        for method in item.as_object().expect("methods").keys() {
            let url = harness.url(&path.replace("{id}", "00000000000000000000000000000009"));
            let request = harness.http.request(method.to_uppercase().parse().expect("a method"), url);
            let answer = Answer::of(request.header("x-sailpoint-experimental", "true").json(&json!({}))).await;
            // OAuth has a word of its own for it (RFC 6750, 3.1).
            let error = if path == "/oauth/info" { "invalid_token" } else { "JWT validation failed: JWT is missing" };
            assert_eq!(answer.with_status(401)["error"], error, "{method} {path}");
            addresses += 1;
        }
    }
    assert_eq!(addresses, 1 + 6 * matrix::ROWS.len(), "/oauth/info, and six addresses an operation");
    harness.stop().await;
}

#[tokio::test]
async fn a_person_is_not_told_who_exists() {
    let harness = Harness::start_without_worker().await;
    let bea = harness.person_token(harness.world.bea).await;
    digit_tokens_on(&harness).await;
    let texts = |answer: Answer| (answer.status, answer.body["messages"].clone(), answer.body["causes"].clone());
    for (path, field) in
        [("/v2024/query-password-info", "userName"), ("/beta/generate-password-reset-token/digit", "userId")]
    {
        let known = harness.post(path, &bea, &json!({ field: "Abby.Smith" })).await;
        let unknown = harness.post(path, &bea, &json!({ field: "Nobody" })).await;
        assert_eq!(texts(known), texts(unknown), "{path}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn whatever_ends_a_token_ends_it_at_once() {
    let harness = Harness::start_without_worker().await;
    let (now, bea) = (harness.app.clock.utc(), harness.world.bea);
    let ask = |token: String| {
        let harness = &harness;
        async move { harness.post("/v2024/query-password-info", &token, &json!({ "userName": "Bea.Jones" })).await.status }
    };

    let credentials = harness.client("sp:scopes:all").await;
    let program = harness.token(&credentials).await;
    assert_eq!(ask(program.clone()).await, 200);
    let id: ClientId = credentials.id.parse().expect("an id");
    harness.write(move |tx| Box::pin(async move { disable_client(tx, id, now).await })).await;
    assert_eq!(ask(program).await, 401, "a disabled client");

    let credentials = harness.personal_access_token(bea, "sp:scopes:all").await;
    let person = harness.token(&credentials).await;
    assert_eq!(ask(person.clone()).await, 200);
    let id = credentials.id.parse().expect("an id");
    harness.write(move |tx| Box::pin(async move { personal_access_token::remove(tx, id).await })).await;
    assert_eq!(ask(person).await, 401, "a revoked personal access token");

    let credentials = harness.personal_access_token(bea, "sp:scopes:all").await;
    let before = harness.token(&credentials).await;
    assert_eq!(ask(before.clone()).await, 200);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let ended = harness.app.clock.utc();
    harness.write(move |tx| Box::pin(async move { identity::end_tokens(tx, bea, None, ended).await })).await;
    assert_eq!(ask(before).await, 401, "tokens from before the password was changed");
    let after = harness.token(&credentials).await;
    assert_eq!(ask(after.clone()).await, 200, "a token from after it, in the same second");

    harness.write(move |tx| Box::pin(async move { disable(tx, bea, now).await })).await;
    assert_eq!(ask(after).await, 401, "a disabled identity");
    harness.stop().await;
}

async fn disable_client(
    tx: &mut lockstep_store::Tx<'_>,
    id: ClientId,
    now: chrono::DateTime<chrono::Utc>,
) -> lockstep_store::Result<()> {
    let row = client::find(tx, id).await?.expect("the client");
    client::put(tx, &client::Client { enabled: false, ..row }, now).await
}

async fn disable(
    tx: &mut lockstep_store::Tx<'_>,
    id: IdentityId,
    now: chrono::DateTime<chrono::Utc>,
) -> lockstep_store::Result<()> {
    let mut row = identity::get(tx, id).await?;
    row.enabled = false;
    identity::put(tx, &row, now).await
}

async fn token(harness: &Harness, client_id: String, seconds: i64) -> String {
    let now = harness.app.clock.utc().timestamp();
    let claims = Claims {
        tenant_id: String::new(),
        org: String::new(),
        pod: String::new(),
        identity_id: None,
        user_name: None,
        authorities: Vec::new(),
        client_id,
        scope: vec!["sp:scopes:all".to_owned()],
        strong_auth: false,
        exp: now + seconds,
        iat: now - 1000,
        jti: String::new(),
        sid: None,
        generation: None,
    };
    harness.app.vault.issue_token(&claims).expect("a token")
}

async fn digit_tokens_on(harness: &Harness) {
    let config = lockstep_core::org_config::PasswordOrgConfig { digit_token_enabled: true, ..Default::default() };
    let now = harness.app.clock.utc();
    harness.write(move |tx| Box::pin(async move { lockstep_store::org_config::put(tx, &config, now).await })).await;
}
