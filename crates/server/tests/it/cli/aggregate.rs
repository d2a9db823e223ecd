//! `lockstep aggregate`, without a server: it does the work itself; and whenever it is killed, running it again comes to the
//! same end.

use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::{Installation, Ran};

/// What an aggregation brings about, as rows that hold no drawn id.
type Rows = Vec<String>;

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// Makes or changes a table of people.
fn people(file: &Path, statements: &[&str]) {
    block(async {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut database = options.connect().await.expect("a database");
        for statement in statements {
            let statement = sqlx::query(AssertSqlSafe((*statement).to_owned()));
            statement.execute(&mut database).await.expect("done");
        }
        database.close().await.expect("closed");
    });
}

/// Everything of accounts and identities but their drawn ids and times.
fn rows(file: &Path) -> Rows {
    block(async {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut database = options.connect().await.expect("a database");
        let sql = "SELECT 'a ' || a.native_id || ' ' || a.attributes || ' ' || a.vanished || a.correlated || ' '
                 || COALESCE(i.alias, '-') FROM account a LEFT JOIN identity i ON i.id = a.identity
             UNION ALL SELECT 'i ' || alias || COALESCE(email, '-') || attributes || enabled || retired
                 || (authority IS NULL) FROM identity
             UNION ALL SELECT 'n ' || kind FROM intent
             UNION ALL SELECT 's ' || COALESCE(mark, '-') || version FROM aggregation_state ORDER BY 1";
        let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(&mut database).await.expect("read");
        database.close().await.expect("closed");
        rows.into_iter().map(|(row,)| row).collect()
    })
}

/// An installation with an authoritative table of 1201 people.
fn installed() -> Installation {
    let installation = Installation::new();
    people(
        &installation.path().join("staff.db"),
        &[
            "CREATE TABLE staff (id INTEGER PRIMARY KEY, login TEXT, mail TEXT, secret TEXT)",
            "INSERT INTO staff (id, login, mail)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1201)
             SELECT i, 'user' || i, 'user' || i || '@example.test' FROM n",
        ],
    );
    let columns = "id AS stable_id, login AS account, mail";
    let state = format!(
        "[[source]]\nname = \"Staff\"\nconnector = \"sql\"\n[source.config]\nurl = \"sqlite:{path}\"\n\
         statement = \"UPDATE staff SET secret = :hash WHERE login = :account\"\nhash = \"pbkdf2-sha256\"\n\
         [source.config.accounts]\nstatement = \"SELECT {columns} FROM staff ORDER BY id\"\n\
         one = \"SELECT {columns} FROM staff WHERE id = :stable_id\"\n\
         [source.aggregation]\nauthoritative = true\nmapping = {{ alias = \"name\", email = \"mail\" }}\n",
        path = installation.path().join("staff.db").display()
    );
    installation.write("state.toml", &state);
    let applied = installation.run(&["--config", "lockstep.toml", "apply", "state.toml"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    installation
}

fn aggregate(folder: &Path, more: &[&str]) -> Ran {
    let arguments = [&["--config", "lockstep.toml", "aggregate", "staff", "--json"], more].concat();
    super::lockstep(folder, &arguments)
}

/// What is different the second time: some are gone, renamed, changed, and two have changed their names with each other.
fn change(installation: &Installation) {
    people(
        &installation.path().join("staff.db"),
        &[
            "DELETE FROM staff WHERE id % 50 = 0",
            "UPDATE staff SET mail = 'new' || id || '@example.test' WHERE id % 7 = 0",
            "UPDATE staff SET login = 'other' || id WHERE id % 11 = 0",
            "UPDATE staff SET login = CASE id WHEN 1 THEN 'user1201' ELSE 'user1' END WHERE id IN (1, 1201)",
        ],
    );
}

/// The rows once the engine has carried out what it was asked to.
fn settled(installation: &Installation) -> Rows {
    for _ in 0..20 {
        let rows = rows(&installation.path().join("lockstep.db"));
        if !rows.iter().any(|row| row.starts_with("n ")) {
            return rows;
        }
        // A worker carries intents out; this is one for as long as it takes.
        let again = aggregate(installation.path(), &["--full"]);
        assert_eq!(again.code, 0, "{again:?}");
    }
    panic!("an intent was never carried out");
}

#[test]
fn it_works_without_a_server_and_says_what_it_did() {
    let installation = installed();
    let first = aggregate(installation.path(), &[]);
    assert_eq!(first.code, 0, "{first:?}");
    let said: Value = serde_json::from_str(&first.stdout).expect("JSON");
    assert_eq!((&said["state"], &said["counters"]["identitiesCreated"]), (&"done".into(), &1201.into()));

    people(&installation.path().join("staff.db"), &["DELETE FROM staff WHERE id > 900"]);
    let asks = aggregate(installation.path(), &[]);
    assert_eq!(asks.code, 3, "{asks:?}");
    let said: Value = serde_json::from_str(&asks.stdout).expect("JSON");
    assert_eq!((&said["state"], &said["counters"]["gone"]), (&"unconfirmed".into(), &301.into()));
    let agreed = aggregate(installation.path(), &["--accept-deletes", "301"]);
    assert_eq!(agreed.code, 0, "{agreed:?}");

    people(&installation.path().join("staff.db"), &["ALTER TABLE staff RENAME TO other"]);
    let failed = super::lockstep(installation.path(), &["--config", "lockstep.toml", "aggregate", "Staff"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("the source could not be read"), "{failed:?}");
    let unknown = installation.run(&["--config", "lockstep.toml", "aggregate", "Nowhere"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("there are \"Staff\""), "{unknown:?}");
}

#[test]
fn whenever_it_is_killed_it_comes_to_the_same_end() {
    let undisturbed = installed();
    assert_eq!(aggregate(undisturbed.path(), &[]).code, 0);
    let first = rows(&undisturbed.path().join("lockstep.db"));
    change(&undisturbed);
    assert_eq!(aggregate(undisturbed.path(), &[]).code, 0);
    let second = settled(&undisturbed);

    let killed = |installation: &Installation, point: &str| {
        let mut command = super::command(installation.path());
        command.args(["--config", "lockstep.toml", "aggregate", "Staff"]);
        let output = command.env("LOCKSTEP_FAILPOINT", point).output().expect("it runs");
        assert_eq!(output.status.code(), None, "{point}: it was not killed");
    };
    let disturbed = installed();
    for point in ["aggregation.within-page:kill@2", "aggregation.page-written:kill@2", "aggregation.before-end:kill"] {
        killed(&disturbed, point);
    }
    assert_eq!(aggregate(disturbed.path(), &[]).code, 0);
    assert_eq!(rows(&disturbed.path().join("lockstep.db")), first);
    change(&disturbed);
    let points = [
        "aggregation.page-written:kill",
        "aggregation.within-page:kill@2",
        "aggregation.part-gone:kill",
        "aggregation.before-end:kill",
    ];
    for point in points {
        killed(&disturbed, point);
    }
    assert_eq!(aggregate(disturbed.path(), &[]).code, 0);
    assert_eq!(settled(&disturbed), second);
}
