//! password-org-config.

use serde_json::json;

use crate::harness::{Answer, Harness};

const PATH: &str = "/v2024/password-org-config";

#[tokio::test]
async fn settings_are_read_made_once_and_changed_in_part() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let defaults = harness.get(PATH, &token).await;
    let tag = defaults.etag();
    let expected = json!({
        "customInstructionsEnabled": false, "digitTokenEnabled": false,
        "digitTokenDurationMinutes": 5, "digitTokenLength": 6,
    });
    assert_eq!(defaults.with_status(200), expected);

    let made = harness.post(PATH, &token, &json!({ "digitTokenEnabled": true, "digitTokenLength": null })).await;
    assert_ne!(made.etag(), tag);
    let made = made.with_status(200);
    assert_eq!((&made["digitTokenEnabled"], &made["digitTokenLength"]), (&json!(true), &json!(6)));
    harness.post(PATH, &token, &json!({})).await.refused(400, "400.1.409 Reference conflict");

    let outdated = harness.ask("PUT", PATH, &token).header("if-match", &tag).json(&json!({ "digitTokenLength": 8 }));
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    let changed = Answer::of(harness.ask("PUT", PATH, &token).json(&json!({ "digitTokenLength": 8 }))).await;
    let tag = changed.etag();
    let changed = changed.with_status(200);
    assert_eq!((&changed["digitTokenEnabled"], &changed["digitTokenLength"]), (&json!(true), &json!(8)));
    let read = harness.get("/password-org-config/v1", &token).await;
    assert_eq!(read.etag(), tag);
    assert_eq!(read.with_status(200), changed);
    assert_eq!(harness.audited().await, ["PASSWORD_ORG_CONFIG_CREATE", "PASSWORD_ORG_CONFIG_UPDATE"]);

    // It counts at once.
    let digit =
        harness.post("/beta/generate-password-reset-token/digit", &token, &json!({ "userId": "Abby.Smith" })).await;
    assert_eq!(digit.with_status(200)["digitToken"].as_str().map(str::len), Some(8));
    harness.stop().await;
}

#[tokio::test]
async fn settings_out_of_bounds_are_refused() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    for (field, value) in [
        ("digitTokenLength", json!(5)),
        ("digitTokenLength", json!(6.0)),
        ("digitTokenDurationMinutes", json!(61)),
        ("digitTokenEnabled", json!("true")),
    ] {
        for method in ["POST", "PUT"] {
            let answer = Answer::of(harness.ask(method, PATH, &token).json(&json!({ field: value }))).await;
            assert!(answer.refused(400, "400.1.3 Illegal value").contains(field));
        }
    }
    harness.stop().await;
}
