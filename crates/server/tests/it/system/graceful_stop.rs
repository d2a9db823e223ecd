//! SIGTERM while deliveries are under way: they end, are written down, and leave nothing in doubt.

use std::time::Duration;

use super::installation::{Installation, quick};
use super::state::State;
use super::tables::{BILLING, CANTEEN, PostgresTable, SqliteTable, bcrypt};
use super::{fresh_password, until};

const PEOPLE: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_deliveries_under_way_end_and_leaves_nothing_in_doubt() {
    let logins: Vec<String> = (0..PEOPLE).map(|number| format!("person{number}")).collect();
    let old = fresh_password("old");
    let billing = PostgresTable::new("system_graceful_stop", &logins, &old).await;
    let canteen = SqliteTable::new(&logins, &billing.hash(&old).await).await;
    // A database that takes its time. It answers long after the order to stop, and commits only then.
    let mut slow = bcrypt();
    let statement = "UPDATE people SET password = :hash FROM (SELECT pg_sleep(2)) AS slept WHERE login = :account";
    slow.insert("statement".to_owned(), statement.into());
    let sources = vec![billing.source(slow), canteen.source(bcrypt())];
    let mut state = State::one_group(toml::Table::new(), sources);
    for login in &logins {
        state.person(login, None, |_| login.clone());
    }
    let mut settings = quick();
    settings.insert("engine".to_owned(), toml::toml! { grace = "1m" }.into());
    let mut installation = Installation::new(settings, &state).await;
    installation.start().await;
    let api = installation.api().await;

    let new = fresh_password("new");
    for login in &logins {
        api.set(login, CANTEEN, &new).await;
    }
    // Four connections: four are being written, two wait for their turn.
    until("deliveries are under way", Duration::from_secs(10), async || {
        let rows = installation.store();
        let applying = rows.count("SELECT '', count(*) FROM target WHERE state = 'applying'").await;
        let applied = rows.count("SELECT '', count(*) FROM target WHERE state = 'applied'").await;
        (applying >= 4 && applied >= 4).then_some(())
    })
    .await;

    let status = installation.stop().await;
    assert_eq!(status.code(), Some(0));
    let rows = installation.store();
    assert_eq!(rows.count("SELECT '', count(*) FROM doubt").await, 0, "an account is in doubt");
    let under_way = "SELECT '', count(*) FROM target WHERE state IN ('applying', 'verifying')";
    assert_eq!(rows.count(under_way).await, 0, "something is still under way");
    let mut written = 0;
    for login in &logins {
        written += i64::from(billing.holds(login, &new).await);
    }
    let billing_applied = "SELECT '', count(*) FROM target t JOIN source s ON s.id = t.source
         WHERE s.name = 'Billing' AND t.state = 'applied'";
    assert_eq!(rows.count(billing_applied).await, written, "what was written down is not what {BILLING} has");
    assert!(written >= 4, "the deliveries under way did not end: {written}");

    // What had not begun goes on at the next start.
    installation.start().await;
    until("every change is final", Duration::from_secs(20), async || {
        let open = "SELECT '', count(*) FROM change WHERE state <> 'finished'";
        (installation.store().count(open).await == 0).then_some(())
    })
    .await;
    assert!(installation.stop().await.success());
}
