//! One change, three systems of three kinds: all accept the new password and refuse the old.

use super::directory::{DIRECTORY, Directory, dn};
use super::fresh_password;
use super::installation::{Installation, quick};
use super::state::State;
use super::tables::{BILLING, MariaDbTable, PostgresTable, WAREHOUSE};

const NUMBER: usize = 1;

#[tokio::test(flavor = "multi_thread")]
async fn one_change_reaches_a_directory_and_two_tables() {
    let old = fresh_password("old");
    let login = ["abby".to_owned()];
    let directory = Directory::shared();
    directory.reset([NUMBER], &old).await;
    let billing = PostgresTable::new("system_three_systems", &login, &old).await;
    let warehouse = MariaDbTable::new("system_three_systems", &login, &old).await;

    // PostgreSQL hashes by itself; MariaDB's application keeps the hashes of the C library.
    let by_database = toml::toml! {
        statement = "UPDATE people SET password = crypt(:password, gen_salt('bf', 8)) WHERE login = :account"
        verify = "SELECT password = crypt(:password, password) FROM people WHERE login = :account"
        hash = "database"
    };
    let by_crypt = toml::toml! {
        statement = "UPDATE people SET password = :hash WHERE login = :account"
        verify = "SELECT password FROM people WHERE login = :account"
        hash = "sha512-crypt"
        hash_rounds = 10000
    };
    let sources = vec![directory.source(), billing.source(by_database), warehouse.source(by_crypt)];
    let mut state = State::one_group(toml::toml! { minLength = 8 }, sources);
    state.person("abby.smith", None, |source| if source == DIRECTORY { dn(NUMBER) } else { login[0].clone() });
    let mut installation = Installation::new(quick(), &state).await;
    installation.start().await;
    let api = installation.api().await;

    let new = fresh_password("new");
    let status = api.change("abby.smith", WAREHOUSE, &new).await;

    assert_eq!(status.state, "FINISHED");
    assert_eq!(status.errors, [""; 0]);
    let mut expected = Vec::new();
    for source in [DIRECTORY, BILLING, WAREHOUSE] {
        expected.push(api.ask("abby.smith", source).await.source_id);
    }
    let mut told = status.source_ids;
    expected.sort();
    told.sort();
    assert_eq!(told, expected);

    for (password, works) in [(&new, true), (&old, false)] {
        assert_eq!(directory.signs_in(NUMBER, password).await, works, "the directory");
        assert_eq!(billing.holds(&login[0], password).await, works, "PostgreSQL");
        assert_eq!(warehouse.holds(&login[0], password).await, works, "MariaDB");
    }
    assert!(installation.stop().await.success());
}
