//! user-apps.

use serde_json::{Value, json};

use super::source_apps::create;
use crate::harness::{Answer, Harness};

const PATH: &str = "/v2024/user-apps";

async fn get(harness: &Harness, path: &str, token: &str) -> Answer {
    Answer::of(harness.ask("GET", path, token)).await
}

fn names(list: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        list.as_array().expect("a list").iter().filter_map(|one| one["sourceApp"]["name"].as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_person_sees_the_applications_they_have_accounts_for() {
    let harness = Harness::start_without_worker().await;
    let admin = harness.admin_token().await;
    let world = &harness.world;
    for (name, source, shown) in [
        ("Mail", world.billing, true),
        ("Both", world.twins, true),
        ("None", world.empty, true),
        ("Hidden", world.lone, false),
    ] {
        create(&harness, &admin, name, source, shown).await;
    }
    let (abby, bea) = (harness.person_token(world.abby).await, harness.person_token(world.bea).await);
    let own = get(&harness, PATH, &abby).await.with_status(200);
    assert_eq!(names(&own), ["Both", "Mail"]);
    let both = own.as_array().expect("a list").iter().find(|one| one["sourceApp"]["name"] == "Both").expect("both");
    assert_eq!((&both["hasMultipleAccounts"], &both["useForPasswordManagement"]), (&json!(true), &json!(true)));
    assert_eq!((&both["account"]["name"], &both["owner"]["alias"]), (&json!("abby1"), &json!("Abby.Smith")));
    assert_eq!(names(&get(&harness, PATH, &bea).await.with_status(200)), ["Mail"]);

    let id = both["id"].as_str().expect("an id");
    let path = format!("{PATH}/{id}/available-accounts");
    let accounts = get(&harness, &path, &abby).await.with_status(200);
    let natives: Vec<_> =
        accounts.as_array().expect("a list").iter().map(|one| one["sourceAccount"]["nativeIdentity"].clone()).collect();
    assert_eq!(natives, [json!("abby1"), json!("abby2")]);
    get(&harness, &path, &bea).await.refused(404, "404 Not found");

    let asked = |filter: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("filters", filter).finish();
        format!("{PATH}/all?{query}")
    };
    let (app, account) = (&both["sourceApp"]["id"], &both["account"]["id"]);
    for (filter, found) in [
        (format!("ownerId eq \"{}\"", world.abby), vec!["Both", "Mail"]),
        ("ownerAlias eq \"abby.smith\"".to_owned(), vec!["Both", "Mail"]),
        (format!("sourceAppId eq {app} and ownerAlias eq \"abby.smith\""), vec!["Both"]),
        (format!("accountId eq {account}"), vec!["Both"]),
    ] {
        assert_eq!(names(&get(&harness, &asked(&filter), &admin).await.with_status(200)), found, "{filter}");
    }
    assert_eq!(names(&get(&harness, &format!("{PATH}?filters=id%20eq%20%22{id}%22"), &abby).await.body), ["Both"]);
    let nobody = format!("{PATH}/all?filters=ownerAlias%20eq%20%22nobody%22");
    assert_eq!(get(&harness, &nobody, &admin).await.with_status(200), json!([]));
    get(&harness, &format!("{PATH}/all"), &admin).await.refused(400, "400.1.0 Required Data Missing Or Empty");
    let by_app = format!("sourceAppId eq {app}");
    for filter in
        ["x", "ownerId eq \"x\"", "not (ownerAlias eq \"abby.smith\")", "ownerAlias sw \"a\"", by_app.as_str()]
    {
        let answer = get(&harness, &asked(filter), &admin).await;
        answer.refused(400, "400.1.3 Illegal value");
    }
    harness.stop().await;
}

#[tokio::test]
async fn no_account_is_chosen_beforehand() {
    let harness = Harness::start_without_worker().await;
    let admin = harness.admin_token().await;
    create(&harness, &admin, "Both", harness.world.twins, true).await;
    let abby = harness.person_token(harness.world.abby).await;
    let own = get(&harness, PATH, &abby).await.with_status(200)[0].clone();
    let path = format!("{PATH}/{}", own["id"].as_str().expect("an id"));
    let accounts = get(&harness, &format!("{path}/available-accounts"), &abby).await.with_status(200);
    let choose = async |id: &Value| {
        let patch = json!([{ "op": "replace", "path": "/account", "value": { "id": id, "type": "ACCOUNT" } }]);
        Answer::of(harness.ask("PATCH", &path, &abby).json(&patch)).await
    };
    let kept = choose(&own["account"]["id"]).await;
    let tag = kept.etag();
    assert_eq!(kept.with_status(200), own);
    choose(&accounts[1]["sourceAccount"]["id"]).await.refused(400, "400.1 Bad Request Content");
    choose(&own["id"]).await.refused(400, "400.1.404 Referenced object not found");
    choose(&json!("x")).await.refused(400, "400.1.3 Illegal value");
    let other = json!([{ "op": "replace", "path": "/owner", "value": {} }]);
    Answer::of(harness.ask("PATCH", &path, &abby).json(&other)).await.refused(400, "400.1.1 Illegal update attempt");
    let outdated = harness.ask("PATCH", &path, &abby).header("if-match", "\"x\"").json(&json!([]));
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    let seen = harness.ask("PATCH", &path, &abby).header("if-match", tag).json(&json!([]));
    Answer::of(seen).await.with_status(200);
    harness.stop().await;
}
