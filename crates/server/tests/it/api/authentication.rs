//! Every operation of the document is called without a token, with one that does not live, with a wrong scope and as
//! another identity. An operation that this table does not know fails the test.

use lockstep_core::id::{ClientId, IdentityId};
use lockstep_store::{client, identity, personal_access_token};
use lockstep_vault::token::Claims;
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

/// An operation of the document at one address.
struct Operation {
    method: &'static str,
    path: String,
    scope: String,
    body: Value,
}

impl Operation {
    async fn call(&self, harness: &Harness, token: Option<&str>) -> Answer {
        let url = harness.url(&self.path);
        let request = match self.method {
            "get" => harness.http.get(url),
            _ => harness.http.post(url).json(&self.body),
        };
        let request = request.header("x-sailpoint-experimental", "true");
        Answer::of(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }
}

/// Every operation that asks for a token, about Abby.
async fn operations(harness: &Harness) -> Vec<Operation> {
    let admin = harness.client_token("sp:scopes:all").await;
    let request = harness.change_request(&admin, "Some-Password-1").await;
    let change = harness.post("/v2024/set-password", &admin, &request).await.with_status(202);
    let id = change["requestId"].as_str().expect("an id").to_owned();
    harness.final_status(&admin, &id).await;

    let document = serde_json::to_value(lockstep::api::document()).expect("written");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let Some(scope) = operation["security"][0]["bearer"][0].as_str() else { continue };
            let name = operation["operationId"].as_str().expect("an id");
            let body = match name {
                name if name.starts_with("queryPasswordInfo") => json!({ "userName": "Abby.Smith" }),
                name if name.starts_with("setPassword") => request.clone(),
                name if name.starts_with("getPasswordChangeStatus") => Value::Null,
                name if name.starts_with("createDigitToken") => json!({ "userId": "Abby.Smith" }),
                unknown => panic!("{unknown} is missing from this table"),
            };
            let method = if method == "get" { "get" } else { "post" };
            operations.push(Operation { method, path: path.replace("{id}", &id), scope: scope.to_owned(), body });
        }
    }
    assert_eq!(operations.len(), 24, "four operations at six addresses");
    operations
}

#[tokio::test]
async fn nobody_without_a_living_token_is_answered() {
    let harness = Harness::start().await;
    let expired = token(&harness, harness.client("sp:scopes:all").await.id, -1).await;
    let unknown = token(&harness, "e1267ecd-fcd9-4c73-9c55-12555efad136".to_owned(), 100).await;
    let mut altered = harness.client_token("sp:scopes:all").await;
    altered.replace_range(altered.len() - 20..altered.len() - 16, "AAAA");
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    for operation in operations(&harness).await {
        for (token, cause) in [
            (None, "JWT is missing"),
            (Some(""), "JWT is missing"),
            (Some("nonsense"), "JWT is malformed"),
            (Some(unsigned), "JWT"),
            (Some(altered.as_str()), "JWT signature is invalid"),
            (Some(expired.as_str()), "JWT is expired"),
            (Some(unknown.as_str()), "JWT is revoked"),
        ] {
            let answer = operation.call(&harness, token).await;
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            let body = answer.with_status(401);
            let error = body["error"].as_str().expect("a sentence");
            assert!(error.starts_with(&format!("JWT validation failed: {cause}")), "{} {error}", operation.path);
            assert_eq!(body.as_object().expect("an object").len(), 1);
        }
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_token_without_the_scope_is_refused_and_the_scope_named() {
    let harness = Harness::start().await;
    let every = ["idn:password-info:read", "idn:password-change:manage", "idn:password-change:read"];
    let every = every.into_iter().chain(["idn:password-digit-token:create"]);
    let default = harness.client_token("sp:scopes:default").await;
    for operation in operations(&harness).await {
        let others: Vec<&str> = every.clone().filter(|scope| *scope != operation.scope).collect();
        let others = harness.client_token(&others.join(" ")).await;
        for token in [&default, &others] {
            let answer = operation.call(&harness, Some(token)).await;
            assert!(answer.body["causes"][0]["text"].as_str().expect("a cause").contains(&operation.scope));
            answer.refused(403, "403 Forbidden");
        }
        let right = harness.client_token(&operation.scope).await;
        let answer = operation.call(&harness, Some(&right)).await;
        assert!(!matches!(answer.status, 401 | 403), "{} {}", operation.path, answer.body);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_person_reaches_nobody_else() {
    let harness = Harness::start().await;
    let bea = harness.person_token(harness.world.bea).await;
    let helga = harness.person_token(harness.world.helga).await;
    let ada = harness.person_token(harness.world.ada).await;
    let abby = harness.person_token(harness.world.abby).await;
    digit_tokens_on(&harness).await;
    for operation in operations(&harness).await {
        operation.call(&harness, Some(&bea)).await.refused(403, "403 Forbidden");
        let changes = operation.scope == "idn:password-change:manage";
        for sees_everybody in [&helga, &ada] {
            let answer = operation.call(&harness, Some(sees_everybody)).await;
            assert_eq!(answer.status, if changes { 403 } else { 200 }, "{} {}", operation.path, answer.body);
        }
        // The very request of the program is the program's; Abby sends her own.
        if !changes {
            operation.call(&harness, Some(&abby)).await.with_status(200);
        }
    }
    let own = harness.change_request(&abby, "Some-Password-2").await;
    let change = harness.post("/v2024/set-password", &abby, &own).await.with_status(202);
    let id = change["requestId"].as_str().expect("an id");
    assert_eq!(harness.final_status(&abby, id).await["state"], "FINISHED");
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
    harness.write(move |tx| Box::pin(async move { identity::end_tokens(tx, bea, ended).await })).await;
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
    };
    harness.app.vault.issue_token(&claims).expect("a token")
}

async fn digit_tokens_on(harness: &Harness) {
    let config = lockstep_core::org_config::PasswordOrgConfig { digit_token_enabled: true, ..Default::default() };
    let now = harness.app.clock.utc();
    harness.write(move |tx| Box::pin(async move { lockstep_store::org_config::put(tx, &config, now).await })).await;
}
