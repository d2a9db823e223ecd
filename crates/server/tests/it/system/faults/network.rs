//! Black holes, lost answers, requests that arrive late, slow lines, and a directory that dies in the middle of a request.

use std::time::Duration;

use super::proxy::Trouble;
use super::{ABBY, Office, in_doubt, only_line};
use crate::system::directory::DIRECTORY;
use crate::system::tables::BILLING;
use crate::system::{fresh_password, until};

/// Long enough for everything that does not wait to be done.
const A_WHILE: Duration = Duration::from_secs(20);

/// Waits until the table has the password.
async fn in_table(office: &Office, password: &str) {
    until("the table has the new password", A_WHILE, async || {
        office.billing.holds(ABBY.0, password).await.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_holds_up_nobody_and_is_reached_when_it_is_none_any_more() {
    let old = fresh_password("old");
    let office = Office::open("system_black_hole", "1h", &old).await;
    office.to_directory.set(Some(Trouble::BlackHole));
    let new = fresh_password("new");
    let id = office.api.set(ABBY.0, BILLING, &new).await;
    in_table(&office, &new).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(office.api.status(&id).await.state, "IN_PROGRESS");
    assert!(office.directory.signs_in(ABBY.1, &old).await);

    office.to_directory.set(None);
    let status = office.api.settled(&id).await;
    assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
    assert!(office.directory.signs_in(ABBY.1, &new).await);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_settled_by_a_sign_in_although_history_refuses_it_the_second_time() {
    let office = Office::open("system_answer_lost", "1h", &fresh_password("old")).await;
    let new = fresh_password("new");
    office.to_directory.set(Some(Trouble::LoseAnswer(new.clone().into())));
    let id = office.api.set(ABBY.0, DIRECTORY, &new).await;
    office.to_directory.struck().await;

    let status = office.api.settled(&id).await;
    assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
    assert!(office.directory.signs_in(ABBY.1, &new).await);
    in_table(&office, &new).await;
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_and_silence_until_the_end_read_may_or_may_not() {
    let office = Office::open("system_silence", "6s", &fresh_password("old")).await;
    let new = fresh_password("new");
    office.to_directory.set(Some(Trouble::LoseAnswer(new.clone().into())));
    let id = office.api.set(ABBY.0, BILLING, &new).await;
    office.to_directory.struck().await;
    office.to_directory.set(Some(Trouble::BlackHole));

    let status = office.api.settled(&id).await;
    let line = only_line(&status.errors, DIRECTORY);
    assert!(in_doubt(line), "{line}");
    assert!(office.directory.signs_in(ABBY.1, &new).await, "it landed, which nobody here could know");
    in_table(&office, &new).await;
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_settled_by_a_sign_in() {
    let office = Office::open("system_commit_lost", "1h", &fresh_password("old")).await;
    let new = fresh_password("new");
    office.to_billing.set(Some(Trouble::LoseAnswer(b"COMMIT".to_vec())));
    let id = office.api.set(ABBY.0, DIRECTORY, &new).await;
    office.to_billing.struck().await;

    let status = office.api.settled(&id).await;
    assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
    assert!(office.billing.holds(ABBY.0, &new).await);
    assert!(office.directory.signs_in(ABBY.1, &new).await);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_lands_late_over_a_newer_password_is_written_over() {
    let office = Office::open("system_late", "1h", &fresh_password("old")).await;
    office.directory.forget_histories().await;
    let (first, second) = (fresh_password("first"), fresh_password("second"));
    office.to_directory.set(Some(Trouble::Late(first.clone().into(), Duration::from_secs(4))));
    let earlier = office.api.set(ABBY.0, BILLING, &first).await;
    office.to_directory.struck().await;
    let later = office.api.set(ABBY.0, BILLING, &second).await;
    // The newer one is there and confirmed, and must not be believed yet.
    for password in [&second, &first] {
        until("it has landed", A_WHILE, async || office.directory.holds(ABBY.1, password).await.then_some(())).await;
    }
    assert_eq!(office.api.status(&later).await.state, "IN_PROGRESS", "it was said to be finished too early");

    let status = office.api.settled(&later).await;
    assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
    assert!(office.directory.signs_in(ABBY.1, &second).await);
    assert!(office.billing.holds(ABBY.0, &second).await);
    let status = office.api.settled(&earlier).await;
    let line = only_line(&status.errors, DIRECTORY);
    assert!(in_doubt(line) && line.contains("superseded"), "{line}");
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_lands_late_in_a_directory_with_history_leaves_no_lie() {
    let office = Office::open("system_late_history", "1h", &fresh_password("old")).await;
    let (first, second) = (fresh_password("first"), fresh_password("second"));
    office.to_directory.set(Some(Trouble::Late(first.clone().into(), Duration::from_secs(4))));
    office.api.set(ABBY.0, BILLING, &first).await;
    office.to_directory.struck().await;
    let later = office.api.set(ABBY.0, BILLING, &second).await;

    // The older one has landed over it, and the directory takes nothing back from its history.
    let status = office.api.settled(&later).await;
    let has = office.directory.holds(ABBY.1, &second).await;
    match status.state.as_str() {
        "FINISHED" => assert!(has, "{status:?}"),
        _ => assert!(in_doubt(only_line(&status.errors, DIRECTORY)), "{status:?}"),
    }
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_line_takes_its_time_and_leaves_nothing_in_doubt() {
    let office = Office::open("system_slow", "1h", &fresh_password("old")).await;
    office.to_directory.set(Some(Trouble::Slow(Duration::from_millis(300))));
    office.to_billing.set(Some(Trouble::Slow(Duration::from_millis(100))));
    let new = fresh_password("new");
    let status = office.api.change(ABBY.0, BILLING, &new).await;
    assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
    assert!(office.directory.signs_in(ABBY.1, &new).await);
    assert!(office.billing.holds(ABBY.0, &new).await);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_killed_in_the_middle_of_a_request_has_the_password_in_the_end() {
    let mut office = Office::open("system_directory_killed", "1h", &fresh_password("old")).await;
    for round in 0..3 {
        let new = fresh_password(&format!("new{round}"));
        office.to_directory.set(Some(Trouble::LoseAnswer(new.clone().into())));
        let id = office.api.set(ABBY.0, BILLING, &new).await;
        office.to_directory.struck().await;
        office.directory.kill().await;
        in_table(&office, &new).await;
        assert_eq!(office.api.status(&id).await.state, "IN_PROGRESS");
        office.directory.start().await;
        let status = office.api.settled(&id).await;
        assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
        assert!(office.directory.signs_in(ABBY.1, &new).await);
    }
    office.close().await;
}
