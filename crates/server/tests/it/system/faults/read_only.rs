//! A PostgreSQL that turns read-only while the server runs, as a failed-over primary does.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use toml::Table;

use crate::system::installation::{Installation, quick};
use crate::system::state::State;
use crate::system::tables::{BILLING, PostgresTable, bcrypt, postgres_database};
use crate::system::{fresh_password, told, until};

const STORE: &str = "system_read_only_store";

/// Sets it for every session of the store's database, and ends those that there are.
async fn read_only(admin: &PgPool, setting: &str) {
    for statement in [
        format!("ALTER DATABASE {STORE} SET default_transaction_read_only = {setting}"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{STORE}'"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(admin).await.expect("done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_turns_read_only_refuses_what_it_cannot_keep_and_goes_on_afterwards() {
    let old = fresh_password("old");
    let login = ["abby".to_owned()];
    let billing = PostgresTable::new("system_read_only_table", &login, &old).await;
    let mut state = State::alone(billing.source(bcrypt()));
    state.person(&login[0], None, |_| login[0].clone());
    let mut settings = quick();
    let url = postgres_database(STORE).await;
    settings.insert("store".to_owned(), Table::from_iter([("url".to_owned(), url.as_str().into())]).into());
    let mut installation = Installation::new(settings, &state).await;
    installation.start().await;
    let api = installation.api().await;
    let url = told("LOCKSTEP_TEST_POSTGRES_URL");
    let admin = PgPoolOptions::new().max_connections(1).connect(&url).await.expect("connected");

    let (first, second) = (fresh_password("first"), fresh_password("second"));
    let earlier = api.set(&login[0], BILLING, &first).await;
    let body = api.ask(&login[0], BILLING).await.change_to(&second);
    read_only(&admin, "on").await;
    until("the log says why", Duration::from_secs(30), async || {
        let answer = api.send_set(&body).await;
        assert!(answer.is_none_or(|(status, _)| status.is_server_error()), "it was taken by nobody");
        installation.log().contains("read-only").then_some(())
    })
    .await;

    read_only(&admin, "off").await;
    let later = until("it is taken", Duration::from_secs(30), async || {
        let (status, answer) = api.send_set(&body).await?;
        (status == 202).then(|| answer["requestId"].as_str().expect("an id").to_owned())
    })
    .await;
    let status = api.settled(&later).await;
    assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
    assert!(billing.holds(&login[0], &second).await);
    let status = api.settled(&earlier).await;
    let superseded = status.errors.iter().all(|line| line.contains("superseded"));
    assert!(status.state == "FINISHED" || superseded, "{status:?}");
    assert!(installation.stop().await.success());
}
