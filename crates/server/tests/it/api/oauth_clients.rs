//! `…/oauth-clients`.

use serde_json::{Value, json};

use crate::harness::{Answer, Credentials, Harness};

const PATHS: [&str; 6] = [
    "/v2024/oauth-clients",
    "/v3/oauth-clients",
    "/beta/oauth-clients",
    "/v2025/oauth-clients",
    "/v2026/oauth-clients",
    "/oauth-clients/v1",
];

fn portal() -> Value {
    json!({
        "name": "Portal", "description": "The people's own", "businessName": "Acme", "homepageUrl": null,
        "accessTokenValiditySeconds": 750, "refreshTokenValiditySeconds": 86400,
        "redirectUris": ["https://portal.example.org/callback"],
        "grantTypes": ["AUTHORIZATION_CODE", "REFRESH_TOKEN", "CLIENT_CREDENTIALS"],
        "accessType": "OFFLINE", "type": "CONFIDENTIAL", "internal": false, "enabled": true,
        "strongAuthSupported": false, "claimsSupported": false,
        "scope": ["idn:password-info:read"], "authorities": ["HELPDESK", "ORG_ADMIN"], "unknown": 1
    })
}

async fn admin(harness: &Harness) -> String {
    harness.person_token(harness.world.ada).await
}

#[tokio::test]
async fn a_client_is_made_read_changed_and_deleted_at_every_address() {
    let harness = Harness::start_without_worker().await;
    let ada = admin(&harness).await;
    for path in PATHS {
        let wanted =
            json!({ "name": "Portal", "grantTypes": ["CLIENT_CREDENTIALS"], "scope": ["idn:password-info:read"] });
        let mut made = harness.post(path, &ada, &wanted).await.with_status(200);
        let id = made["id"].as_str().expect("an id").to_owned();
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        let credentials = Credentials { id: id.clone(), secret: lockstep_vault::secret::Secret::new(secret) };
        let token = harness.token(&credentials).await;
        harness.info(&token, "Abby.Smith", "Billing").await;

        let one = format!("{path}/{id}");
        let found = harness.get(&one, &ada).await.with_status(200);
        made.as_object_mut().expect("an object").remove("secret");
        assert!(found["lastUsed"].is_string() && found.get("secret").is_none());
        made["lastUsed"] = found["lastUsed"].clone();
        assert_eq!(found, made);
        let patch = json!([{ "op": "replace", "path": "/enabled", "value": false }]);
        let changed = harness.patch(&one, &ada, &patch).await.with_status(200);
        assert_eq!((&changed["enabled"], &changed["name"]), (&json!(false), &json!("Portal")));
        harness.post("/v3/query-password-info", &token, &json!({ "userName": "Abby.Smith" })).await.with_status(401);

        assert_eq!(harness.delete(&one, &ada).await.status, 204);
        for gone in
            [harness.get(&one, &ada).await, harness.delete(&one, &ada).await, harness.patch(&one, &ada, &patch).await]
        {
            gone.refused(404, "404 Not found");
        }
    }
    harness.stop().await;
}

#[tokio::test]
async fn what_is_set_is_told_and_the_list_has_it() {
    let harness = Harness::start_without_worker().await;
    let ada = admin(&harness).await;
    harness.post(PATHS[0], &ada, &portal()).await.refused(403, "403 Forbidden");
    let mut wanted = portal();
    wanted["authorities"] = json!(["ORG_ADMIN"]);
    let made = harness.post(PATHS[0], &ada, &wanted).await.with_status(200);
    for (field, value) in wanted.as_object().expect("an object") {
        match field.as_str() {
            "unknown" => assert!(made.get(field).is_none()),
            "grantTypes" => assert_eq!(made[field].as_array().map(Vec::len), Some(3)),
            // Sent as null. The vendor's clients want a text.
            "homepageUrl" => assert_eq!((value, &made[field]), (&Value::Null, &json!(""))),
            _ => assert_eq!(made[field], *value, "{field}"),
        }
    }
    assert_eq!(made["secret"].as_str().map(str::len), Some(64));
    let list = harness.get(PATHS[5], &ada).await.with_status(200);
    let list = list.as_array().expect("a list");
    assert!(list.iter().any(|client| client["id"] == made["id"]));
    assert!(list.iter().all(|client| client.get("secret").is_none()));
    let filtered = format!("{}?filters=lastUsed%20isnull", PATHS[0]);
    let unused = harness.get(&filtered, &ada).await.with_status(200);
    assert!(unused.as_array().expect("a list").iter().any(|client| client["id"] == made["id"]));
    harness.stop().await;
}

#[tokio::test]
async fn nobody_gives_what_they_have_not() {
    let harness = Harness::start_without_worker().await;
    let narrow = harness.administrator("sp:oauth-client:manage idn:password-info:read").await;
    let narrow = harness.token(&narrow).await;
    let create = async |more: Value| {
        let mut wanted = json!({ "name": "x", "grantTypes": ["CLIENT_CREDENTIALS"] });
        wanted.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        harness.post(PATHS[1], &narrow, &wanted).await
    };
    for scope in ["sp:scopes:all", "idn:password-change:manage"] {
        create(json!({ "scope": [scope] })).await.refused(403, "403 Forbidden");
    }
    for level in ["HELPDESK", "SOURCE_ADMIN"] {
        create(json!({ "authorities": [level] })).await.refused(403, "403 Forbidden");
    }
    let made = create(json!({})).await.with_status(200);
    assert_eq!(made["scope"], json!(["idn:password-info:read", "sp:oauth-client:manage"]));
    assert_eq!(made["authorities"], json!([]));
    let one = format!("{}/{}", PATHS[1], made["id"].as_str().expect("an id"));
    let patch = json!([{ "op": "add", "path": "/authorities/-", "value": "HELPDESK" }]);
    harness.patch(&one, &narrow, &patch).await.refused(403, "403 Forbidden");
    harness.stop().await;
}

#[tokio::test]
async fn fields_that_cannot_be_so_are_named() {
    let harness = Harness::start_without_worker().await;
    let ada = admin(&harness).await;
    let code = |uris: Value| json!({ "grantTypes": ["AUTHORIZATION_CODE"], "redirectUris": uris });
    for (change, code, named) in [
        (json!({ "name": "" }), "400.1.0 Required Data Missing Or Empty", "name"),
        (json!({ "name": 1 }), "400.1.3 Illegal value", "name"),
        (json!({ "name": "x".repeat(256) }), "400.1.4 Limit violation", "name"),
        (json!({ "grantTypes": null }), "400.1.0 Required Data Missing Or Empty", "grantTypes"),
        (json!({ "grantTypes": [] }), "400.1.3 Illegal value", "grantTypes"),
        (json!({ "grantTypes": ["PASSWORD"] }), "400.1.3 Illegal value", "grantTypes"),
        (json!({ "type": "PUBLIC" }), "400.1.3 Illegal value", "grantTypes"),
        (json!({ "accessTokenValiditySeconds": 14 }), "400.1.3 Illegal value", "accessTokenValiditySeconds"),
        (json!({ "accessTokenValiditySeconds": 43201 }), "400.1.3 Illegal value", "accessTokenValiditySeconds"),
        (json!({ "scope": ["idn:nothing"] }), "400.1.3 Illegal value", "scope"),
        (json!({ "authorities": ["KING"] }), "400.1.3 Illegal value", "authorities"),
        (code(json!([])), "400.1.3 Illegal value", "redirectUris"),
        (code(json!(["http://portal.example.org/"])), "400.1.3 Illegal value", "redirectUris"),
        (code(json!(["https://portal.example.org/#x"])), "400.1.3 Illegal value", "redirectUris"),
        (code(json!(["https://*.example.org/"])), "400.1.3 Illegal value", "redirectUris"),
        (code(json!(["javascript:alert(1)"])), "400.1.3 Illegal value", "redirectUris"),
    ] {
        let mut wanted = json!({ "name": "x", "grantTypes": ["CLIENT_CREDENTIALS"] });
        wanted.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let said = harness.post(PATHS[0], &ada, &wanted).await.refused(400, code);
        assert!(said.starts_with(named), "{said}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn what_is_not_to_be_changed_stays_and_a_patch_is_all_or_nothing() {
    let harness = Harness::start_without_worker().await;
    let ada = admin(&harness).await;
    let mut wanted = portal();
    wanted["authorities"] = json!([]);
    let made = harness.post(PATHS[0], &ada, &wanted).await.with_status(200);
    let one = format!("{}/{}", PATHS[0], made["id"].as_str().expect("an id"));
    for path in ["/id", "/secret", "/created", "/modified", "/type", "/internal", "/scope", "/lastUsed", "/nothing", ""]
    {
        let patch =
            json!([{ "op": "replace", "path": "/name", "value": "y" }, { "op": "add", "path": path, "value": "x" }]);
        harness.patch(&one, &ada, &patch).await.refused(400, "400.1.1 Illegal update attempt");
    }
    let unfit =
        json!([{ "op": "replace", "path": "/name", "value": "y" }, { "op": "test", "path": "/name", "value": "z" }]);
    harness.patch(&one, &ada, &unfit).await.refused(400, "400.1 Bad Request Content");
    let alone = json!([{ "op": "replace", "path": "/redirectUris", "value": [] }]);
    harness.patch(&one, &ada, &alone).await.refused(400, "400.1.3 Illegal value");
    for (body, kind, status) in
        [("{}", "application/json", 400), ("[", "application/json-patch+json", 400), ("[]", "text/plain", 415)]
    {
        let request = harness.http.patch(harness.url(&one)).bearer_auth(&ada).header("content-type", kind).body(body);
        assert_eq!(Answer::of(request).await.status, status, "{body} {kind}");
    }
    let found = harness.get(&one, &ada).await.with_status(200);
    assert_eq!((&found["name"], &found["redirectUris"]), (&json!("Portal"), &wanted["redirectUris"]));
    harness.stop().await;
}

#[tokio::test]
async fn a_public_client_has_no_secret() {
    let harness = Harness::start_without_worker().await;
    let ada = admin(&harness).await;
    let wanted = json!({
        "name": "Phone", "type": "PUBLIC", "grantTypes": ["AUTHORIZATION_CODE"], "redirectUris": ["com.example.phone:/cb"]
    });
    let made = harness.post(PATHS[0], &ada, &wanted).await.with_status(200);
    assert_eq!(made["secret"], "");
    for secret in ["", "x"] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", made["id"].as_str().expect("an id")),
            ("client_secret", secret),
        ];
        let answer = Answer::of(harness.http.post(harness.url("/oauth/token")).form(&form)).await;
        assert!(matches!(answer.status, 400 | 401), "{}", answer.body);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_client_is_changed_by_whoever_has_its_scopes() {
    let harness = Harness::start_without_worker().await;
    let (wide, narrow) = (admin(&harness).await, harness.administrator("sp:oauth-client:manage").await);
    let narrow = harness.token(&narrow).await;
    let wanted = json!({ "name": "x", "grantTypes": ["CLIENT_CREDENTIALS"] });
    let made = harness.post(PATHS[0], &wide, &wanted).await.with_status(200);
    let one = format!("{}/{}", PATHS[0], made["id"].as_str().expect("an id"));
    let patch = json!([{ "op": "add", "path": "/authorities/-", "value": "ORG_ADMIN" }]);
    harness.patch(&one, &narrow, &patch).await.refused(403, "403 Forbidden");
    assert_eq!(harness.get(&one, &wide).await.with_status(200)["authorities"], json!([]));
    harness.patch(&one, &wide, &patch).await.with_status(200);
    harness.stop().await;
}
