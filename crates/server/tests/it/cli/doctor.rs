//! `doctor`: what it finds, what it says to do, and that it changes nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::running::Demo;
use super::tls::Authority;
use super::{Installation, Ran};

/// What `doctor --json` found, by area and mark.
struct Findings(Vec<Value>);

impl Findings {
    fn of(ran: &Ran, code: i32) -> Self {
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(ran.stderr, "", "{ran:?}");
        let said: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        assert_eq!(said["ok"], code == 0, "{said}");
        Self(said["findings"].as_array().expect("findings").clone())
    }

    /// Panics unless something with these words was found there, and gives what to do.
    #[track_caller]
    fn has(&self, area: &str, mark: &str, words: &str) -> String {
        let found = self.0.iter().find(|finding| {
            finding["area"] == area
                && finding["mark"] == mark
                && finding["text"].as_str().expect("a text").contains(words)
        });
        let found = found.unwrap_or_else(|| panic!("no {mark} of {area} with {words:?} in {:#?}", self.0));
        found["remedy"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn has_no(&self, mark: &str) {
        let found: Vec<&Value> = self.0.iter().filter(|finding| finding["mark"] == mark).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn all_is_well_beside_a_running_server_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let demo = Demo::start(&data);
    let config = data.join("lockstep.toml");
    let doctor = |arguments: &[&str]| {
        let all = [&["--config", config.to_str().unwrap(), "doctor"], arguments].concat();
        super::lockstep(folder.path(), &all)
    };
    let found = Findings::of(&doctor(&["--json"]), 0);
    found.has_no("problem");
    found.has_no("skipped");
    for (area, words) in [
        ("Configuration", "can be read"),
        ("TLS", "plain HTTP"),
        ("Master key", "only its owner"),
        ("Database", "schema is this program's"),
        ("Database", "commits survive a crash"),
        ("Restore mark", "everything that this host has seen"),
        ("Keys", "opens all"),
        ("Keys", "signs tokens"),
        ("Keys", "transport key for pkcs1v15 is published"),
        ("Source Helpdesk", "can be opened"),
        ("Source Billing", "the statement fits the database"),
    ] {
        found.has(area, "good", words);
    }

    let one = Findings::of(&doctor(&["--json", "Billing"]), 0);
    one.has("Source Billing", "good", "the statement fits the database");
    assert!(!one.0.iter().any(|finding| finding["area"] == "Source Helpdesk"));
    let none = Findings::of(&doctor(&["--json", "Bling"]), 1);
    none.has("Sources", "problem", "there is no source \"Bling\"; there are: Billing");

    let words = doctor(&[]);
    assert_eq!(words.code, 0, "{words:?}");
    assert!(
        words.stdout.contains("\nSource Billing\n  ok  ") && words.stdout.contains("All is well."),
        "{}",
        words.stdout
    );
    assert_eq!(demo.stop(), 0);
}

#[test]
fn a_new_installation_has_warnings_only() {
    let installation = Installation::new();
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 0);
    found.has_no("problem");
    assert!(found.has("Keys", "warning", "no transport key is published").contains("server starts"));
    assert!(found.has("Sources", "warning", "none yet").contains("lockstep apply"));
    found.has("Restore mark", "good", "no server has run");
}

#[test]
fn a_wrong_master_key_and_one_that_others_may_read_are_told_apart() {
    let installation = Installation::new();
    let key = installation.path().join("master.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    found.has("Master key", "problem", "chmod 600");
    found.has("Database", "good", "it can be read");
    found.has("Keys", "skipped", "not looked at");
    found.has("Sources", "skipped", "not looked at");

    fs::copy(Installation::new().path().join("master.key"), &key).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    found.has("Master key", "good", "can be read");
    assert!(found.has("Keys", "problem", "wrapped by master key").contains("not the master key of this database"));
    let words = installation.run(&["doctor"]);
    assert!(words.code == 1 && words.stdout.contains("PROBLEM  data key"), "{words:?}");

    fs::remove_file(&key).unwrap();
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    assert!(found.has("Master key", "problem", "master.key").contains("put the copy of it back"));
}

#[test]
fn a_database_that_is_missing_damaged_newer_or_older_leaves_the_rest_to_be_looked_at() {
    let installation = Installation::new();
    let database = installation.path().join("lockstep.db");
    let sql = |text: &str| execute(&database, text);
    sql("DELETE FROM migration WHERE name = (SELECT max(name) FROM migration)");
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 0);
    assert!(found.has("Database", "warning", "1 migrations").contains("lockstep migrate"));
    sql("INSERT INTO migration VALUES ('29990101000000_future', x'00', '2999-01-01')");
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    found.has("Database", "problem", "29990101000000_future");

    fs::write(&database, "no database, but long enough to be looked at as one: ".repeat(100)).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", database.display()));
    }
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    found.has("Database", "problem", "");
    found.has("Master key", "good", "can be read");
    found.has("Keys", "skipped", "not looked at");

    fs::remove_file(&database).unwrap();
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    found.has("Database", "problem", "there is no database at");
    assert!(!database.exists(), "doctor made one");
}

#[test]
fn a_source_that_does_not_answer_and_one_that_is_wrong_are_told_each() {
    let installation = Installation::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    installation.write("password", "secret");
    installation.write(
        "state.toml",
        &format!(
            "[[source]]\nname = \"Gone\"\nconnector = \"ldap\"\nsecrets = {{ password = {{ file = \"password\" }} }}\n\
             config = {{ url = \"ldaps://127.0.0.1:{port}\", bind_dn = \"cn=x\" }}\n\
             [[source]]\nname = \"Wrong\"\nconnector = \"sql\"\n\
             config = {{ url = \"sqlite:app.db\", hash = \"bcrypt\", statement = \"UPDATE nobody SET h = :hash WHERE a = :account\" }}\n"
        ),
    );
    execute(&installation.path().join("app.db"), "CREATE TABLE person (a TEXT, h TEXT)");
    let applied = installation.run(&["apply", "state.toml"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    assert!(found.has("Source Gone", "problem", "").contains("docs/connectors/ldap.md"));
    found.has("Source Wrong", "problem", "nobody");
    let found = Findings::of(&installation.run(&["doctor", "--json", "Wrong"]), 1);
    assert!(!found.0.iter().any(|finding| finding["area"] == "Source Gone"));
}

#[test]
fn certificates_that_are_broken_expired_soon_or_for_another_name_are_told() {
    let (installation, authority) = (Installation::new(), Authority::new());
    let plain = fs::read_to_string(installation.path().join("lockstep.toml")).unwrap();
    let tls = "[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    installation.write("lockstep.toml", &format!("base-url = \"https://localhost:8443\"\n{plain}\n{tls}"));
    let look = |code| Findings::of(&installation.run(&["doctor", "--json"]), code);
    look(1).has("TLS", "problem", "cannot read server.pem");
    authority.certify(installation.path(), "server", 20);
    look(0).has("TLS", "good", "fits its key");
    authority.certify(installation.path(), "server", 3);
    look(0).has("TLS", "warning", "expires in 2 days");
    fs::write(installation.path().join("server.key"), "nonsense").unwrap();
    look(1).has("TLS", "problem", "holds no private key");

    authority.certify(installation.path(), "server", 20);
    installation.write("lockstep.toml", &format!("base-url = \"https://lockstep.example.org\"\n{plain}\n{tls}"));
    look(0).has("TLS", "warning", "not for lockstep.example.org");
}

#[test]
fn a_configuration_that_cannot_be_read_or_lets_secrets_out_is_told() {
    let installation = Installation::new();
    let plain = fs::read_to_string(installation.path().join("lockstep.toml")).unwrap();
    installation.write("lockstep.toml", &plain.replace("127.0.0.1:8080", "0.0.0.0:8080"));
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    assert!(found.has("Configuration", "problem", "in the clear").contains("allow-plain-http"));
    found.has("Configuration", "warning", "nobody's address");
    fs::set_permissions(installation.path().join("lockstep.toml"), Permissions::from_mode(0o666)).unwrap();
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    assert!(found.has("Configuration", "warning", "written by others").contains("chmod go-w"));
    installation.write("lockstep.toml", "listen = 5");
    let found = Findings::of(&installation.run(&["doctor", "--json"]), 1);
    found.has("Configuration", "problem", "line 1");
}

fn execute(database: &std::path::Path, sql: &str) {
    use sqlx::Connection as _;
    let work = async {
        let address = format!("sqlite:{}?mode=rwc", database.display());
        let mut connection = sqlx::SqliteConnection::connect(&address).await.expect("opened");
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("executed");
        connection.close().await.expect("closed");
    };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work);
}
