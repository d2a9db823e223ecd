//! Accounts come in from a real table, and what that makes of accounts and identities; through the worker, as in a server.

mod leavers;
mod outside;
mod people;
mod staff;

use lockstep::app::aggregate::Wanted;
use lockstep_core::account::Link;
use lockstep_core::aggregation::Counters;
use lockstep_core::task::TaskState;
use serde_json::json;

use crate::harness::{Answer, Engine, Harness};
use staff::{BY_MAIL, Staff};

#[tokio::test]
async fn a_second_run_over_the_same_accounts_writes_nothing_but_the_task() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(1201).await;
        staff.apply(&harness, BY_MAIL).await;
        let first = staff.aggregate(&harness).await;
        assert_eq!(first.state, TaskState::Done, "{first:?}");
        let expected = Counters { read: 1201, created: 1201, uncorrelated: 1201, ..Counters::default() };
        assert_eq!(first.counters, expected);

        let before = staff.written(&harness).await;
        let again = staff.aggregate_with(&harness, Wanted { full: true, ..Wanted::default() }).await;
        let expected = Counters { known: 1201, read: 1201, unchanged: 1201, uncorrelated: 1201, ..Counters::default() };
        assert_eq!((again.state, again.counters), (TaskState::Done, expected));
        assert_eq!(staff.written(&harness).await, before);
        harness.stop().await;
    }
}

#[tokio::test]
async fn only_what_changed_is_read_until_everything_is_due() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(100).await;
        staff.apply(&harness, BY_MAIL).await;
        staff.aggregate(&harness).await;
        staff.run("UPDATE staff SET mail = 'new@example.test', changed = '0002' WHERE id = 7").await;
        let delta = staff.aggregate(&harness).await;
        assert_eq!((delta.state, delta.counters.changed), (TaskState::Done, 1));
        assert!(delta.counters.read < 100, "{delta:?}");
        assert_eq!(staff.known(&harness, 7).await.account.attributes["mail"], "new@example.test");

        // Other settings may mean other accounts, so the mark says nothing any more.
        staff.apply(&harness, "correlation = []").await;
        assert_eq!(staff.aggregate(&harness).await.counters.read, 100);
        harness.stop().await;
    }
}

#[tokio::test]
async fn an_account_that_is_named_differently_stays_its_identitys() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(1201).await;
        staff.person(&harness, "Karl", "user3@example.test").await;
        staff.person(&harness, "Lena", "user1100@example.test").await;
        staff.apply(&harness, BY_MAIL).await;
        let first = staff.aggregate(&harness).await;
        assert_eq!((first.counters.correlated, first.counters.uncorrelated), (2, 1199));
        let owners = async || {
            let (three, last) = (staff.known(&harness, 3).await, staff.known(&harness, 1100).await);
            assert_eq!((three.link, last.link), (Link::Rule, Link::Rule));
            (three.account.identity, last.account.identity, three.account.native_id, last.account.native_id)
        };
        let (karl, lena, ..) = owners().await;
        assert!(karl.is_some() && lena.is_some() && karl != lena);

        staff.run("UPDATE staff SET login = 'other', changed = '0002' WHERE id = 3").await;
        assert_eq!(staff.aggregate(&harness).await.counters.renamed, 1);
        assert_eq!(owners().await, (karl, lena, "other".to_owned(), "user1100".to_owned()));

        // Two change their names with each other: in one page, and in two that are far apart.
        for (one, two) in [(3, 4), (3, 1100)] {
            let (first, second) = (staff.login(one).await, staff.login(two).await);
            staff.run(&format!("UPDATE staff SET login = '{second}', changed = '0003' WHERE id = {one}")).await;
            staff.run(&format!("UPDATE staff SET login = '{first}', changed = '0003' WHERE id = {two}")).await;
            let swapped = staff.aggregate_with(&harness, Wanted { full: true, ..Wanted::default() }).await;
            assert_eq!((swapped.state, swapped.counters.gone), (TaskState::Done, 0), "{swapped:?}");
            assert_eq!(staff.known(&harness, one).await.account.native_id, second);
            assert_eq!(staff.known(&harness, two).await.account.native_id, first);
            let (a, b, ..) = owners().await;
            assert_eq!((a, b), (karl, lena));
        }
        harness.stop().await;
    }
}

#[tokio::test]
async fn an_account_that_was_told_of_by_its_name_alone_is_found_and_kept() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(20).await;
        staff.apply(&harness, BY_MAIL).await;
        let text = "[[identity]]\nalias = \"Karl\"\n[[identity.account]]\nsource = \"Staff\"\nnative-id = \"user5\"";
        staff::apply(&harness, text).await;
        let first = staff.aggregate(&harness).await;
        assert_eq!(
            (first.state, first.counters.created, first.counters.changed),
            (TaskState::Done, 19, 1),
            "{first:?}"
        );
        let karls = staff.known(&harness, 5).await;
        assert_eq!((karls.link, karls.account.stable_id.as_str()), (Link::Manual, "5"));
        assert!(karls.account.identity.is_some());
        harness.stop().await;
    }
}

#[tokio::test]
async fn two_people_with_the_value_are_reported_and_never_guessed_about() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(20).await;
        staff.person(&harness, "Karl", "user3@example.test").await;
        staff.person(&harness, "Lena", "USER3@example.test").await;
        staff.apply(&harness, BY_MAIL).await;
        let first = staff.aggregate(&harness).await;
        assert_eq!((first.counters.ambiguous, first.counters.correlated), (1, 0));
        assert!(first.reports[0].text.contains("user3: 2 identities have its email"), "{:?}", first.reports);
        assert_eq!(staff.known(&harness, 3).await.account.identity, None);
        harness.stop().await;
    }
}

#[tokio::test]
async fn whoever_writes_somebodys_address_into_their_own_account_gets_nothing_of_theirs() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(20).await;
        let karl = staff.person(&harness, "Karl", "user3@example.test").await;
        let lena = staff.person(&harness, "Lena", "user5@example.test").await;
        staff.apply(&harness, BY_MAIL).await;
        staff.aggregate(&harness).await;
        assert_eq!(staff.known(&harness, 3).await.account.identity, Some(karl));
        assert_eq!(staff.known(&harness, 5).await.account.identity, Some(lena));

        // One that is nobody's, and one that is hers.
        staff.run("UPDATE staff SET mail = 'user3@example.test', changed = '0002' WHERE id IN (4, 5)").await;
        let second = staff.aggregate(&harness).await;
        assert_eq!(
            (second.state, second.counters.correlated, second.counters.ambiguous),
            (TaskState::Done, 0, 2),
            "{second:?}"
        );
        assert!(second.reports[0].text.contains("has another account here"), "{:?}", second.reports);
        assert_eq!(staff.known(&harness, 4).await.account.identity, None);
        assert_eq!(staff.known(&harness, 5).await.account.identity, Some(lena));
        harness.settled().await;
        assert_eq!(staff.known(&harness, 5).await.account.identity, Some(lena));
        harness.stop().await;
    }
}

#[tokio::test]
async fn nobody_says_that_an_account_is_their_own() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(5).await;
        staff.apply(&harness, BY_MAIL).await;
        staff.aggregate(&harness).await;
        let ada = harness.person_token(harness.world.ada).await;
        let path = format!("/v2024/accounts/{}", staff.known(&harness, 3).await.account.id);
        let to = |whom: String| json!([{ "op": "replace", "path": "/identityId", "value": whom }]);
        harness.patch(&path, &ada, &to(harness.world.ada.to_string())).await.refused(403, "403 Forbidden");
        assert_eq!(staff.known(&harness, 3).await.account.identity, None);
        harness.patch(&path, &ada, &to(harness.world.abby.to_string())).await.with_status(202);
        assert_eq!(staff.known(&harness, 3).await.account.identity, Some(harness.world.abby));
        assert!(harness.audited().await.contains(&"ACCOUNT_LINKED".to_owned()));
        harness.stop().await;
    }
}

#[tokio::test]
async fn what_a_person_says_stays_whatever_the_rules_say() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let token = harness.admin_token().await;
        let staff = Staff::with(20).await;
        let karl = staff.person(&harness, "Karl", "user3@example.test").await;
        let lena = staff.person(&harness, "Lena", "nobody@example.test").await;
        staff.apply(&harness, BY_MAIL).await;
        staff.aggregate(&harness).await;
        let three = staff.known(&harness, 3).await;
        assert_eq!(three.account.identity, Some(karl));
        let path = format!("/v2024/accounts/{}", three.account.id);
        let patch = async |patch: serde_json::Value| {
            let request = harness.http.patch(harness.url(&path)).bearer_auth(&token);
            let request = request.header("content-type", "application/json-patch+json").body(patch.to_string());
            Answer::of(request).await
        };
        let full = || Wanted { full: true, ..Wanted::default() };

        let to_lena = json!([{ "op": "replace", "path": "/identityId", "value": lena.to_string() }]);
        assert_eq!(patch(to_lena).await.with_status(202), json!({}));
        staff.owned_by(&harness, 3, Some(lena)).await;
        staff.aggregate_with(&harness, full()).await;
        assert_eq!(staff.known(&harness, 3).await.account.identity, Some(lena));

        patch(json!([{ "op": "remove", "path": "/identityId" }])).await.with_status(202);
        staff.owned_by(&harness, 3, None).await;
        staff.aggregate_with(&harness, full()).await;
        assert_eq!(staff.known(&harness, 3).await.account.identity, None, "that it is nobody's was said, too");

        patch(json!([{ "op": "replace", "path": "/manuallyCorrelated", "value": false }])).await.with_status(202);
        staff.aggregate_with(&harness, full()).await;
        assert_eq!(staff.known(&harness, 3).await.account.identity, Some(karl), "the rules are asked again");

        let nobody = json!([{ "op": "add", "path": "/identityId", "value": "00000000000000000000000000000001" }]);
        patch(nobody).await.refused(400, "400.1.404 Referenced object not found");
        harness.stop().await;
    }
}

#[tokio::test]
async fn the_api_starts_a_task_and_says_how_far_it_is() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let token = harness.admin_token().await;
        let staff = Staff::with(20).await;
        staff.apply(&harness, BY_MAIL).await;
        let source = staff.id(&harness).await;
        let path = format!("/v2024/sources/{source}/load-accounts");
        let form = "--x\r\nContent-Disposition: form-data; name=\"disableOptimization\"\r\n\r\ntrue\r\n--x--\r\n";
        let multipart = |body: &str| {
            let request = harness.http.post(harness.url(&path)).bearer_auth(&token);
            Answer::of(request.header("content-type", "multipart/form-data; boundary=x").body(body.to_owned()))
        };
        let asked = multipart(form).await.with_status(202);
        assert_eq!((&asked["success"], &asked["task"]["type"]), (&json!(true), &json!("QUARTZ")));
        assert_eq!(
            asked["task"]["attributes"],
            json!({ "appId": source.to_string(), "optimizedAggregation": "disabled" })
        );
        let id = asked["task"]["id"].as_str().expect("an id").parse().expect("an id");
        staff::ended(&harness, id).await;

        let status = harness.get(&format!("/v2024/task-status/{id}"), &token).await.with_status(200);
        assert_eq!(
            (&status["completionStatus"], &status["percentComplete"]),
            (&json!("SUCCESS"), &json!(100)),
            "{status}"
        );
        assert_eq!((&status["attributes"]["created"], &status["target"]["name"]), (&json!(20), &json!("Staff")));
        let list = harness.get("/task-status/v1?limit=1&count=true", &token).await;
        assert_eq!(list.headers["x-total-count"], "1");
        assert_eq!(list.with_status(200)[0]["id"], status["id"]);

        // Without a body at all; a file is not taken.
        let bare = Answer::of(harness.http.post(harness.url(&path)).bearer_auth(&token)).await.with_status(202);
        staff::ended(&harness, bare["task"]["id"].as_str().expect("an id").parse().expect("an id")).await;
        let file =
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nid\r\n1\r\n--x--\r\n";
        multipart(file).await.refused(400, "400.1 Bad Request Content");

        // One account alone.
        staff.run("UPDATE staff SET mail = 'late@example.test' WHERE id = 4").await;
        let four = staff.known(&harness, 4).await.account.id;
        let reload = format!("/v2024/accounts/{four}/reload");
        let asked = Answer::of(harness.http.post(harness.url(&reload)).bearer_auth(&token)).await.with_status(202);
        let task = asked["id"].as_str().expect("an id");
        let status = harness.get(&format!("/v2024/task-status/{task}"), &token).await.with_status(200);
        assert_eq!((&status["uniqueName"], &status["attributes"]["changed"]), (&json!("Account Reload"), &json!(1)));
        assert_eq!(staff.known(&harness, 4).await.account.attributes["mail"], "late@example.test");
        harness.stop().await;
    }
}

#[tokio::test]
async fn what_time_makes_due_is_read_without_being_asked_for() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(20).await;
        staff.apply(&harness, "every = \"1h\"").await;
        let id = staff.id(&harness).await;
        let latest = || harness.read(move |tx| Box::pin(lockstep_store::task::latest(tx, id)));
        let mut read = None;
        for _ in 0..600 {
            read = latest().await.filter(|task| task.state.is_final());
            if read.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let task = read.expect("somebody read it");
        let read = (task.state, task.launcher.as_str(), task.counters.created);
        assert_eq!(read, (TaskState::Done, "schedule", 20));
        harness.stop().await;
    }
}
