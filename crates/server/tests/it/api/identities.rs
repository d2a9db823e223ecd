//! People over the API: lists, one of them, and what everybody may know.

use serde_json::{Value, json};

use crate::harness::Harness;

fn column(list: &Value, field: &str) -> Vec<String> {
    let rows = list.as_array().expect("a list").iter();
    rows.map(|row| row[field].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn people_are_found_sorted_and_counted() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let answer = harness.get("/v2024/identities?sorters=-alias&limit=2&count=true", &ada).await;
    assert_eq!(answer.headers["x-total-count"], "5");
    assert_eq!(column(&answer.with_status(200), "alias"), ["Helga.Desk", "Dora.Gone"]);
    let found = harness.get("/v2024/identities?filters=alias+sw+%22a%22&sorters=alias", &ada).await.with_status(200);
    assert_eq!(column(&found, "alias"), ["Abby.Smith", "Ada.Admin"]);
    let gone = harness.get("/v2024/identities?filters=cloudStatus+eq+%22DISABLED%22", &ada).await.with_status(200);
    assert_eq!(
        (column(&gone, "alias"), column(&gone, "identityStatus")),
        (vec!["Dora.Gone".to_owned()], vec!["DISABLED".to_owned()])
    );
    let wrong =
        harness.get("/v2024/identities?filters=shoe+eq+%22x%22", &ada).await.refused(400, "400.1.3 Illegal value");
    assert!(wrong.starts_with("filters cannot be read at character 1"), "{wrong}");
    harness.get("/v2024/identities?sorters=email", &ada).await.refused(400, "400.1.3 Illegal value");
    harness.stop().await;
}

#[tokio::test]
async fn a_list_is_walked_page_by_page() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let whole = column(&harness.get("/v2024/identities?sorters=name", &ada).await.with_status(200), "name");
    let mut walked = Vec::new();
    for offset in 0..5 {
        let path = format!("/identities/v1?sorters=name&limit=1&offset={offset}");
        walked.extend(column(&harness.get(&path, &ada).await.with_status(200), "name"));
    }
    assert_eq!(walked, whole);
    assert_eq!(harness.get("/v2024/identities?offset=5", &ada).await.with_status(200), json!([]));
    harness.stop().await;
}

#[tokio::test]
async fn one_person_is_told_whole_and_everybody_else_a_little() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let abby = harness.get(&format!("/v2024/identities/{}", harness.world.abby), &ada).await.with_status(200);
    assert_eq!(
        (&abby["name"], &abby["alias"], &abby["identityStatus"]),
        (&json!("Abby Smith"), &json!("Abby.Smith"), &json!("ACTIVE"))
    );
    harness.get("/v2024/identities/00000000000000000000000000000000", &ada).await.refused(404, "404 Not found");

    let bea = harness.person_token(harness.world.bea).await;
    harness.get("/v2024/identities", &bea).await.refused(403, "403 Forbidden");
    let public = harness.get("/v2024/public-identities?filters=alias+eq+%22abby.smith%22", &bea).await.with_status(200);
    assert_eq!(column(&public, "name"), ["Abby Smith"]);
    assert_eq!(public[0]["attributes"], json!([]));
    harness
        .get("/v2024/public-identities?filters=cloudStatus+eq+%22ACTIVE%22", &bea)
        .await
        .refused(400, "400.1.3 Illegal value");
    harness.stop().await;
}
