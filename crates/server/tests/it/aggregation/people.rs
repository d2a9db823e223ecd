//! A source that says who there is: its accounts make identities, change them and retire them.

use lockstep::app::aggregate::Wanted;
use lockstep_core::id::IdentityId;
use lockstep_core::identity::Identity;
use lockstep_core::task::TaskState;
use lockstep_store::identity;
use serde_json::json;

use super::staff::{Staff, aggregate_source, apply};
use crate::harness::{Engine, Harness, encrypt};

const HR: &str = "authoritative = true\ncorrelation = [{ account = \"number\", identity = \"number\" }]\n\
     mapping = { alias = \"name\", email = \"mail\", attributes = { number = \"number\" } }";

fn full() -> Wanted {
    Wanted { full: true, ..Wanted::default() }
}

async fn person(harness: &Harness, alias: &'static str) -> Option<Identity> {
    harness.read(move |tx| Box::pin(identity::find_by_alias(tx, alias))).await
}

async fn enabled(harness: &Harness, id: IdentityId) -> bool {
    harness.read(move |tx| Box::pin(identity::get(tx, id))).await.enabled
}

#[tokio::test]
async fn its_accounts_make_identities_change_them_retire_them_and_bring_them_back() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(600).await;
        staff.apply(&harness, HR).await;
        let first = staff.aggregate(&harness).await;
        assert_eq!((first.state, first.counters.identities_created), (TaskState::Done, 600), "{first:?}");
        let seven = person(&harness, "USER7").await.expect("made");
        assert_eq!((seven.email.as_deref(), seven.attributes["number"].as_str()), (Some("user7@example.test"), "N7"));
        let before = staff.written(&harness).await;
        let again = staff.aggregate_with(&harness, full()).await;
        assert_eq!((again.counters.unchanged, again.counters.identities_changed), (600, 0));
        assert_eq!(staff.written(&harness).await, before);

        staff.run("UPDATE staff SET login = 'seven', mail = NULL, changed = '0002' WHERE id = 7").await;
        let changed = staff.aggregate(&harness).await;
        assert_eq!(changed.counters.identities_changed, 1, "{changed:?}");
        let renamed = person(&harness, "seven").await.expect("renamed");
        assert_eq!((renamed.id, renamed.email), (seven.id, None));

        staff.run("DELETE FROM staff WHERE id = 7").await;
        staff.run("UPDATE staff SET enabled = 0, changed = '0003' WHERE id = 8").await;
        let eight = person(&harness, "user8").await.expect("made").id;
        let left = staff.aggregate_with(&harness, full()).await;
        assert_eq!((left.counters.gone, left.counters.identities_retired), (1, 2), "{left:?}");
        assert!(!enabled(&harness, seven.id).await && !enabled(&harness, eight).await);
        staff.buried(&harness, 7).await;
        assert_eq!(staff.aggregate_with(&harness, full()).await.counters.identities_retired, 0);

        staff.run("INSERT INTO staff (id, login, number) VALUES (7, 'seven', 'N7')").await;
        staff.run("UPDATE staff SET enabled = 1 WHERE id = 8").await;
        let back = staff.aggregate_with(&harness, full()).await;
        assert_eq!((back.counters.returned, back.counters.identities_returned), (1, 2), "{back:?}");
        assert!(enabled(&harness, seven.id).await && enabled(&harness, eight).await);
        let audited = harness.audited().await;
        let times = |action: &str| audited.iter().filter(|other| *other == action).count();
        assert_eq!((times("ACCOUNT_DISABLED"), times("ACCOUNT_ENABLED")), (2, 2), "{audited:?}");

        // Whom somebody disabled otherwise, the source does not bring back.
        apply(&harness, "[[identity]]\nalias = \"user9\"\nenabled = false").await;
        staff.aggregate_with(&harness, full()).await;
        assert!(!person(&harness, "user9").await.expect("there").enabled);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_login_name_that_another_has_is_reported_and_nobody_is_taken_for_another() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(20).await;
        apply(
            &harness,
            "[[identity]]\nalias = \"USER3\"\n[[identity]]\nalias = \"Karl\"\nattributes = { number = \"N4\" }",
        )
        .await;
        let karl = person(&harness, "Karl").await.expect("made").id;
        staff.apply(&harness, HR).await;
        let first = staff.aggregate(&harness).await;
        assert_eq!(
            (first.counters.conflicts, first.counters.identities_created, first.counters.correlated),
            (1, 18, 1)
        );
        assert!(first.reports[0].text.contains("user3: another identity has its login name"), "{:?}", first.reports);
        assert_eq!(staff.known(&harness, 3).await.account.identity, None);
        // Karl is the same person by his number, and is called as the source says.
        assert_eq!(staff.known(&harness, 4).await.account.identity, Some(karl));
        assert_eq!(person(&harness, "user4").await.expect("renamed").id, karl);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_second_authoritative_source_does_not_contradict_the_first() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let (staff, contractors) = (Staff::with(20).await, Staff::with(3).await);
        staff.apply(&harness, HR).await;
        contractors.run("UPDATE staff SET mail = 'other' || id || '@example.test', login = 'other' || id").await;
        contractors.apply_as(&harness, "Contractors", HR).await;
        staff.aggregate(&harness).await;
        let second = aggregate_source(&harness, "Contractors", full()).await;
        assert_eq!((second.counters.correlated, second.counters.identities_created), (3, 0), "{second:?}");
        assert_eq!(second.counters.identities_changed, 0);
        let two = person(&harness, "user2").await.expect("as the first says");
        assert_eq!(two.email.as_deref(), Some("user2@example.test"));

        // Gone from the first, and still there in the second: that one says who it is from now on.
        staff.run("DELETE FROM staff WHERE id = 2").await;
        let left = staff.aggregate_with(&harness, full()).await;
        assert_eq!((left.counters.gone, left.counters.identities_retired), (1, 0), "{left:?}");
        staff.buried(&harness, 2).await;
        let taken = aggregate_source(&harness, "Contractors", full()).await;
        assert_eq!(taken.counters.identities_changed, 1, "{taken:?}");
        assert_eq!(person(&harness, "other2").await.expect("renamed").id, two.id);
        harness.stop().await;
    }
}

#[tokio::test]
async fn who_left_is_refused_at_once_and_what_waits_is_not_delivered() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(20).await;
        staff.apply(&harness, HR).await;
        staff.aggregate(&harness).await;
        let seven = person(&harness, "user7").await.expect("made").id;
        // A system that is down: what is to be delivered there waits.
        let down = "[[source]]\nname = \"Down\"\nconnector = \"sql\"\n[source.config]\nurl = \"sqlite:/nowhere/down.db\"\n\
         statement = \"UPDATE t SET a = :hash WHERE b = :account\"\nhash = \"pbkdf2-sha256\"\n\
         [[identity]]\nalias = \"user7\"\n[[identity.account]]\nsource = \"Down\"\nnative-id = \"seven\"";
        apply(&harness, down).await;
        let program = harness.client_token("sp:scopes:all").await;
        let token = harness.person_token(seven).await;
        let question = json!({ "userName": "user7", "sourceName": "Down" });
        let info = harness.post("/v2024/query-password-info", &token, &question).await.with_status(200);
        let request = json!({
            "identityId": info["identityId"], "sourceId": info["sourceId"], "publicKeyId": info["publicKeyId"],
            "accountId": "seven", "encryptedPassword": encrypt(&info, b"Never-Delivered-123"),
        });
        let change = harness.post("/v2024/set-password", &program, &request).await.with_status(202);
        let change = change["requestId"].as_str().expect("an id").to_owned();

        staff.run("DELETE FROM staff WHERE id = 7").await;
        let left = staff.aggregate_with(&harness, full()).await;
        assert_eq!(left.counters.identities_retired, 1, "{left:?}");
        let asked = harness.post("/v2024/query-password-info", &token, &question).await;
        assert_eq!(asked.status, 401, "a token of somebody who left");
        let status = harness.final_status(&program, &change).await;
        assert!(status["errors"].to_string().contains("the identity was disabled"), "{status}");
        harness.stop().await;
    }
}

#[tokio::test]
async fn an_identity_that_administers_is_not_changed_by_an_account_that_a_rule_finds() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(20).await;
        apply(&harness, "[[identity]]\nalias = \"Boss\"\nattributes = { number = \"N4\" }\nlevels = [\"ORG_ADMIN\"]")
            .await;
        let boss = person(&harness, "Boss").await.expect("made");
        staff.apply(&harness, HR).await;
        let first = staff.aggregate(&harness).await;
        assert_eq!((first.counters.conflicts, first.counters.identities_changed), (1, 0), "{first:?}");
        staff.run("UPDATE staff SET enabled = 0, changed = '0002' WHERE id = 4").await;
        assert_eq!(staff.aggregate(&harness).await.counters.identities_retired, 0);
        assert_eq!(person(&harness, "Boss").await, Some(boss));
        harness.stop().await;
    }
}

#[tokio::test]
async fn whom_an_administrator_disables_no_source_brings_back() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let ada = harness.person_token(harness.world.ada).await;
        let staff = Staff::with(20).await;
        staff.apply(&harness, HR).await;
        staff.aggregate(&harness).await;
        let seven = person(&harness, "user7").await.expect("made").id;
        staff.run("UPDATE staff SET enabled = 0, changed = '0002' WHERE id = 7").await;
        assert_eq!(staff.aggregate(&harness).await.counters.identities_retired, 1);
        harness.post(&format!("/v2024/accounts/{seven}/disable"), &ada, &json!({})).await.with_status(202);
        staff.run("UPDATE staff SET enabled = 1, changed = '0003' WHERE id = 7").await;
        assert_eq!(staff.aggregate(&harness).await.counters.identities_returned, 0);
        assert!(!enabled(&harness, seven).await);
        harness.stop().await;
    }
}

/// Somebody's row was deleted and made anew, with another key: it is still the same person.
#[tokio::test]
async fn whose_account_was_made_anew_stays() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(30).await;
        staff.apply(&harness, HR).await;
        staff.aggregate(&harness).await;
        let seven = person(&harness, "user7").await.expect("made").id;
        staff.run("DELETE FROM staff WHERE id = 7").await;
        staff.run("INSERT INTO staff (id, login, number, mail) VALUES (70, 'user7', 'N7', 'user7@example.test')").await;
        let read = staff.aggregate_with(&harness, full()).await;
        let counted = (read.counters.gone, read.counters.identities_retired, read.counters.conflicts);
        assert_eq!((read.state, counted), (TaskState::Done, (1, 0, 0)), "{read:?}");
        assert!(enabled(&harness, seven).await);
        assert_eq!(staff.known(&harness, 70).await.account.identity, Some(seven));
        staff.buried(&harness, 7).await;
        harness.stop().await;
    }
}

/// Who administers is not changed by whatever account a rule finds, but by the one that has said who they are all along.
#[tokio::test]
async fn an_administrator_who_comes_back_is_enabled_again() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(30).await;
        staff.apply(&harness, HR).await;
        staff.aggregate(&harness).await;
        let seven = person(&harness, "user7").await.expect("made").id;
        apply(&harness, "[[identity]]\nalias = \"user7\"\nlevels = [\"HELPDESK\"]").await;
        staff.run("DELETE FROM staff WHERE id = 7").await;
        let left = staff.aggregate_with(&harness, full()).await;
        assert_eq!(left.counters.identities_retired, 1, "{left:?}");
        staff.buried(&harness, 7).await;
        assert!(!enabled(&harness, seven).await);
        staff.run("INSERT INTO staff (id, login, number) VALUES (7, 'user7', 'N7')").await;
        let back = staff.aggregate_with(&harness, full()).await;
        assert_eq!((back.counters.identities_returned, back.counters.conflicts), (1, 0), "{back:?}");
        assert!(enabled(&harness, seven).await);
        harness.stop().await;
    }
}

#[tokio::test]
async fn whom_a_file_disables_after_they_have_left_stays_so() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(30).await;
        staff.apply(&harness, HR).await;
        staff.aggregate(&harness).await;
        let seven = person(&harness, "user7").await.expect("made").id;
        staff.run("UPDATE staff SET enabled = 0, changed = '0002' WHERE id = 7").await;
        assert_eq!(staff.aggregate(&harness).await.counters.identities_retired, 1);
        apply(&harness, "[[identity]]\nalias = \"user7\"\nenabled = false").await;
        staff.run("UPDATE staff SET enabled = 1, changed = '0003' WHERE id = 7").await;
        assert_eq!(staff.aggregate(&harness).await.counters.identities_returned, 0);
        assert!(!enabled(&harness, seven).await);
        harness.stop().await;
    }
}
