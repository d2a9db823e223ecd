//! The sign-in settings: told, changed, refused.

use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

const LOCKOUT: &str = "/v2024/auth-org/lockout-config";
const NETWORK: &str = "/v2024/auth-org/network-config";
const SESSION: &str = "/v2024/auth-org/session-config";

fn replace(field: &str, value: Value) -> Value {
    json!([{"op": "replace", "path": format!("/{field}"), "value": value}])
}

#[tokio::test]
async fn each_part_of_the_sign_in_settings_is_changed_by_itself() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let lockout = json!({"maximumAttempts": 5, "lockoutDuration": 15, "lockoutWindow": 5});
    let session = json!({"maxIdleTime": 30, "rememberMe": false, "maxSessionTime": 720});
    for (path, defaults, field, value) in
        [(LOCKOUT, lockout, "maximumAttempts", 3), (SESSION, session, "maxSessionTime", 480)]
    {
        let told = harness.get(path, &token).await;
        let tag = told.etag();
        assert_eq!(told.with_status(200), defaults);
        let changed = harness.patch(path, &token, &replace(field, json!(value))).await;
        let now = changed.etag();
        assert_ne!(now, tag);
        let changed = changed.with_status(200);
        let mut expected = defaults.clone();
        expected[field] = json!(value);
        assert_eq!(changed, expected);

        let outdated = harness.ask("PATCH", path, &token).header("if-match", &tag).json(&replace(field, json!(9)));
        Answer::of(outdated).await.refused(412, "412 Precondition failed");
        let read = harness.get(&path.replace("/v2024/auth-org", "/auth-org/v1"), &token).await;
        assert_eq!((read.etag(), read.with_status(200)), (now, changed));
        // What is taken away has its default.
        let removed = json!([{"op": "remove", "path": format!("/{field}")}]);
        assert_eq!(harness.patch(path, &token, &removed).await.with_status(200), defaults);
    }
    let told = harness.get(NETWORK, &token).await.with_status(200);
    assert_eq!(told, json!({"range": null, "geolocation": null, "whitelisted": false}));
    let audited = ["LOCKOUT", "LOCKOUT", "SESSION", "SESSION"].map(|part| format!("AUTH_ORG_{part}_CONFIG_UPDATE"));
    assert_eq!(harness.audited().await, audited);
    harness.stop().await;
}

#[tokio::test]
async fn networks_and_countries_are_made_once_and_changed_in_part() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let made = json!({"range": ["192.0.2.0/24"], "geolocation": null, "whitelisted": true, "extra": 1});
    let made = harness.post(NETWORK, &token, &made).await;
    let tag = made.etag();
    let expected = json!({"range": ["192.0.2.0/24"], "geolocation": null, "whitelisted": true});
    assert_eq!(made.with_status(200), expected);
    harness.post(NETWORK, &token, &json!({})).await.refused(400, "400.1.409 Reference conflict");

    let patch = json!([
        {"op": "add", "path": "/range/-", "value": "2001:db8::7"},
        {"op": "add", "path": "/geolocation", "value": ["DE", "AT"]},
    ]);
    let changed = harness.ask("PATCH", NETWORK, &token).header("if-match", &tag).json(&patch);
    let changed = Answer::of(changed).await.with_status(200);
    let expected = json!({"range": ["192.0.2.0/24", "2001:db8::7"], "geolocation": ["DE", "AT"], "whitelisted": true});
    assert_eq!(changed, expected);
    let outdated = harness.ask("PATCH", NETWORK, &token).header("if-match", &tag).json(&patch);
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    assert_eq!(harness.get(NETWORK, &token).await.with_status(200), expected);
    let actions = ["CREATE", "UPDATE"].map(|what| format!("AUTH_ORG_NETWORK_CONFIG_{what}"));
    assert_eq!(harness.audited().await, actions);
    harness.stop().await;
}

#[tokio::test]
async fn sign_in_settings_that_cannot_be_are_refused_by_name() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    for (path, field, value) in [
        (LOCKOUT, "maximumAttempts", json!(0)),
        (LOCKOUT, "maximumAttempts", json!(16)),
        (LOCKOUT, "maximumAttempts", json!("7")),
        (LOCKOUT, "maximumAttempts", json!(7.0)),
        (LOCKOUT, "lockoutDuration", json!(4)),
        (LOCKOUT, "lockoutWindow", json!(61)),
        (SESSION, "maxSessionTime", json!(10081)),
        (SESSION, "maxSessionTime", json!(30)),
        (SESSION, "maxIdleTime", json!(0)),
        (SESSION, "rememberMe", json!(true)),
        (NETWORK, "range", json!(["192.0.2.0/24", "the office"])),
        (NETWORK, "range", json!("192.0.2.0/24")),
        (NETWORK, "geolocation", json!(["de"])),
        (NETWORK, "whitelisted", json!("yes")),
    ] {
        let refused = harness.patch(path, &token, &replace(field, value.clone())).await;
        let text = refused.refused(400, "400.1.3 Illegal value");
        assert!(text.contains(field) && !text.contains("office"), "{text}");
        if path == NETWORK {
            let refused = harness.post(path, &token, &json!({ field: value })).await;
            let text = refused.refused(400, "400.1.3 Illegal value");
            assert!(text.contains(field) && !text.contains("office"), "{text}");
        }
    }
    let other = harness.patch(SESSION, &token, &replace("other", json!(1))).await;
    other.refused(400, "400.1.1 Illegal update attempt");
    assert_eq!(harness.audited().await, Vec::<String>::new(), "nothing was changed");
    harness.stop().await;
}
