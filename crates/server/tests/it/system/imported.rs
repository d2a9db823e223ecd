//! An import on PostgreSQL is one transaction: killed in the middle, nothing of it is there.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use serde_json::Value;

use super::own_postgres::OwnPostgres;
use crate::cli::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn an_import_on_postgresql_is_there_as_a_whole_or_not_at_all() {
    let postgres = OwnPostgres::new().await;
    postgres.sql("CREATE DATABASE lockstep").await;
    let installation = Installation::new();
    let path = installation.path().join("lockstep.toml");
    let mut config: toml::Table = fs::read_to_string(&path).expect("a configuration").parse().expect("TOML");
    config["store"]["url"] = postgres.url("lockstep").into();
    config["store"].as_table_mut().expect("a table").insert("restore-mark".to_owned(), "restore.mark".into());
    fs::write(&path, config.to_string()).expect("written");

    let rows: String =
        (0..2_000).map(|number| format!("Bär{number:04},\"d, {}\",{number}@example.test\n", number % 7)).collect();
    installation.write("people.csv", &format!("alias,department,email\n{rows}"));
    let mut command = crate::cli::command(installation.path());
    let ended = command
        .args(["import", "identities", "people.csv"])
        .env("LOCKSTEP_FAILPOINT", "import.within-commit:kill@2")
        .output()
        .expect("it runs");
    assert_eq!(ended.status.signal(), Some(9), "it was not killed: {ended:?}");
    let exported = || installation.run(&["export", "identities"]);
    assert_eq!(exported().stdout.lines().count(), 1, "a part of it is there");

    for [created, unchanged] in [[2_000, 0], [0, 2_000]] {
        let ran = installation.run(&["import", "identities", "people.csv", "--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let summary: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!((summary["created"].as_u64(), summary["unchanged"].as_u64()), (Some(created), Some(unchanged)));
    }
    let given = exported();
    assert_eq!((given.code, given.stdout.lines().count()), (0, 2_001), "{}", given.stderr);

    // What one engine gives out, the other takes over.
    let elsewhere = Installation::new();
    elsewhere.write("people.csv", &given.stdout);
    assert_eq!(elsewhere.run(&["import", "identities", "people.csv"]).code, 0);
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert!(sorted(&elsewhere.run(&["export", "identities"]).stdout) == sorted(&given.stdout));
}
