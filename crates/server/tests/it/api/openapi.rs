//! Our own OpenAPI document.

use lockstep_core::operation::Operation;
use serde_json::Value;

use crate::harness::{Answer, Harness};

fn document() -> String {
    let mut text = lockstep::api::document().to_pretty_json().expect("written");
    text.push('\n');
    text
}

#[test]
fn the_committed_document_is_the_one_that_the_code_describes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/lockstep.json");
    let committed = std::fs::read_to_string(path).expect("openapi/lockstep.json");
    assert!(committed == document(), "run `lockstep openapi > openapi/lockstep.json`");
}

#[tokio::test]
async fn it_is_served() {
    let harness = Harness::start_without_worker().await;
    let served = Answer::of(harness.http.get(harness.url("/openapi.json"))).await.with_status(200);
    assert_eq!(served, serde_json::from_str::<Value>(&document()).expect("JSON"));
    harness.stop().await;
}

#[test]
fn operations_have_ids_of_their_own_and_say_how_they_fail() {
    let document: Value = serde_json::from_str(&document()).expect("JSON");
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for operation in item.as_object().expect("operations").values() {
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            assert!(ids.insert(id.clone()), "{id} is there twice");
            assert!(operation["summary"].is_string() && operation["description"].is_string(), "{path}");
            for status in ["401", "406", "413", "415", "429", "500"] {
                assert!(operation["responses"].get(status).is_some(), "{path} does not declare {status}");
            }
        }
    }
    assert_eq!(ids.len(), 4 + 6 * Operation::ALL.len(), "those of tokens, and each operation at six addresses");
}

#[test]
fn the_experimental_header_is_asked_for_where_clients_can_send_it() {
    let document: Value = serde_json::from_str(&document()).expect("JSON");
    for (path, asked) in [
        ("/v2024/generate-password-reset-token/digit", true),
        ("/v3/generate-password-reset-token/digit", true),
        ("/v2026/generate-password-reset-token/digit", true),
        ("/beta/generate-password-reset-token/digit", false),
        ("/generate-password-reset-token/v1/digit", false),
    ] {
        let parameters = document["paths"][path]["post"]["parameters"].as_array().cloned().unwrap_or_default();
        let found = parameters.iter().any(|parameter| parameter["name"] == "X-SailPoint-Experimental");
        assert_eq!(found, asked, "{path}");
    }
}
