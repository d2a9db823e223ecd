//! `lockstep doctor` on PostgreSQL, with a directory and a table: what it finds beside a server, and of systems that are gone
//! or do not let it in. Nobody's password is touched.

use serde_json::Value;

use super::directory::{DIRECTORY, Directory, dn};
use super::fresh_password;
use super::installation::{Installation, quick};
use super::own_postgres::OwnPostgres;
use super::state::State;
use super::tables::{BILLING, PostgresTable};

const NUMBER: usize = 1;

/// Runs it, and gives its exit code and every finding as `mark area: text`.
async fn examine(installation: &Installation) -> (i32, String) {
    let output = installation.command(&["doctor", "--json"]).output().await.expect("it runs");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let lines = said["findings"].as_array().expect("findings").iter().map(|finding| {
        let word = |name: &str| finding[name].as_str().expect("text").to_owned();
        format!("{} {}: {}\n", word("mark"), word("area"), word("text"))
    });
    (output.status.code().expect("it ended"), lines.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_looks_at_real_systems_and_touches_nobody() {
    let old = fresh_password("old");
    let login = ["abby".to_owned()];
    let mut directory = Directory::own().await;
    directory.reset([NUMBER], &old).await;
    let billing = PostgresTable::new("system_doctor", &login, &old).await;
    let table = billing.source(toml::toml! {
        statement = "UPDATE people SET password = crypt(:password, gen_salt('bf', 8)) WHERE login = :account"
        verify = "SELECT password = crypt(:password, password) FROM people WHERE login = :account"
        hash = "database"
    });
    let mut state = State::one_group(toml::toml! { minLength = 8 }, vec![directory.source(), table]);
    state.person("abby.smith", None, |source| if source == DIRECTORY { dn(NUMBER) } else { login[0].clone() });
    let mut postgres = OwnPostgres::new().await;
    let mut settings = quick();
    let url = postgres.url("postgres");
    settings.insert("store".to_owned(), toml::toml! { url = url }.into());
    let mut installation = Installation::new(settings, &state).await;
    installation.start().await;

    let (code, found) = examine(&installation).await;
    assert_eq!(code, 0, "{found}");
    for line in [
        "good Database: commits survive a crash: fsync",
        "good Restore mark: ",
        "good Keys: the transport key for pkcs1v15 is published",
        &format!("good Source {BILLING}: the statement fits the database"),
        &format!("good Source {DIRECTORY}: the service account"),
    ] {
        assert!(found.contains(line), "no {line:?} in\n{found}");
    }
    assert!(directory.signs_in(NUMBER, &old).await && billing.holds(&login[0], &old).await);

    // One that is gone does not keep the other from being looked at.
    directory.stop().await;
    let (code, found) = examine(&installation).await;
    assert_eq!(code, 1, "{found}");
    assert!(found.contains(&format!("problem Source {DIRECTORY}: ")), "{found}");
    assert!(found.contains(&format!("good Source {BILLING}: the statement fits the database")), "{found}");
    assert!(installation.stop().await.success());

    postgres.cut_off().await;
    let (code, found) = examine(&installation).await;
    assert_eq!(code, 1, "{found}");
    assert!(found.contains("problem Database: cannot open the database postgres on 127.0.0.1"), "{found}");
    for line in ["good Master key: ", "skipped Keys: ", "skipped Sources: "] {
        assert!(found.contains(line), "no {line:?} in\n{found}");
    }
}
