//! The demo: what it prints works, copied as it is; it goes on with what it kept; and `change-password` works with it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::running::{Demo, read_until, signal, wait};
use super::{Ran, command, ran};

/// `change-password` against a running demo, with the password on standard input.
fn change_password(demo: &Demo, arguments: &[&str], password: &str) -> Ran {
    let mut child = command(Path::new("/"))
        .args(["change-password", "--stdin"])
        .args(arguments)
        .env("SAIL_BASE_URL", demo.fact("baseUrl"))
        .env("SAIL_CLIENT_ID", demo.fact("clientId"))
        .env("SAIL_CLIENT_SECRET", demo.fact("clientSecret"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // A command that refuses before it reads has closed its end.
    let _ = writeln!(child.stdin.take().expect("piped"), "{password}");
    ran(child.wait_with_output().expect("it ends"))
}

/// The hash that an application has for a login.
fn hash(demo: &Demo, source: &str, login: &str) -> String {
    let source =
        demo.facts["sources"].as_array().expect("a list").iter().find(|fact| fact["name"] == source).expect("a source");
    let database = source["database"].as_str().expect("a path").to_owned();
    let login = login.to_owned();
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async move {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database).read_only(true);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.expect("the application's database");
        let (hash,): (String,) = sqlx::query_as("SELECT password FROM users WHERE login = $1")
            .bind(login)
            .fetch_one(&mut connection)
            .await
            .expect("a row");
        hash
    })
}

/// Whether a password signs in to an application, asked as the application would ask.
fn signs_in(demo: &Demo, source: &str, password: &str) -> bool {
    use argon2::{Argon2, PasswordVerifier, password_hash::phc::PasswordHash};

    let hash = hash(demo, source, "abby.smith");
    let hash = PasswordHash::new(&hash).expect("an argon2id hash");
    assert_eq!(hash.algorithm.as_str(), "argon2id");
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

#[test]
fn the_facts_are_complete_and_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let demo = Demo::start(&data);
    for name in
        ["baseUrl", "clientId", "clientSecret", "patId", "patSecret", "userName", "identityId", "currentPassword"]
    {
        assert!(!demo.fact(name).is_empty(), "{name}");
    }
    assert_eq!(demo.fact("userName"), "Abby.Smith");
    assert!(demo.fact("signInLink").starts_with(&format!("{}/sign-in/link#", demo.fact("baseUrl"))));
    assert!(demo.fact("enrolmentLink").starts_with(&format!("{}/enrol#", demo.fact("baseUrl"))));
    let shape: Vec<_> = demo.facts["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| {
            assert_eq!(source["id"].as_str().unwrap().len(), 32);
            assert!(Path::new(source["database"].as_str().unwrap()).exists());
            assert_eq!(source["accountId"], "abby.smith");
            (source["name"].as_str().unwrap(), source["group"].as_str())
        })
        .collect();
    assert_eq!(shape, [("Billing", Some("Office")), ("Helpdesk", Some("Office")), ("Wiki", None)]);
    for source in ["Billing", "Helpdesk", "Wiki"] {
        assert!(signs_in(&demo, source, demo.fact("currentPassword")), "{source}");
    }

    let changed = change_password(&demo, &["--user", "Abby.Smith", "--source", "Wiki"], "myPassword");
    assert_eq!(changed.code, 0, "{changed:?}");
    let before = demo.facts.clone();
    assert_eq!(demo.stop(), 0);

    let demo = Demo::start(&data);
    let mut after = demo.facts.clone();
    let note = after["currentPasswordNote"].take();
    assert!(note.as_str().unwrap().ends_with("changed since in Wiki"), "{note}");
    assert_ne!(after["enrolmentLink"], before["enrolmentLink"], "each works once");
    for other in ["baseUrl", "enrolmentLink", "signInLink"] {
        after[other] = before[other].clone();
    }
    assert_eq!(after, before);
    assert!(signs_in(&demo, "Wiki", "myPassword") && !signs_in(&demo, "Billing", "myPassword"));
    assert_eq!(demo.stop(), 0);
}

#[test]
fn the_printed_lines_do_what_they_say_in_a_plain_shell() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut child = command(folder.path())
        .args(["demo", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = read_until(child.stdout.take().unwrap(), |line| line.contains("Ctrl-C"));
    let rule = "-".repeat(78);
    let script = printed.split(&rule).nth(1).expect("lines between two rules");
    let output = Command::new("sh").args(["-e", "-u", "-c", script]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}{complaints}");

    let answers: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let last_status = answers.iter().rfind(|answer| answer["state"].is_string()).expect("a status");
    assert_eq!(last_status["state"], "FINISHED", "{said}");
    assert_eq!(last_status["sourceIds"].as_array().unwrap().len(), 2, "{said}");
    let code = answers.last().unwrap()["digitToken"].as_str().expect("a code");
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");

    // The same facts from a second start, to look into the applications with.
    signal("TERM", child.id());
    assert_eq!(wait(&mut child, Duration::from_secs(60)), 0);
    let demo = Demo::start(&data);
    let first = demo.fact("currentPassword");
    assert!(signs_in(&demo, "Billing", "myPassword") && signs_in(&demo, "Helpdesk", "myPassword"));
    assert!(!signs_in(&demo, "Billing", first) && !signs_in(&demo, "Helpdesk", first));
    assert!(signs_in(&demo, "Wiki", first), "the application alone was changed too");
}

#[test]
fn change_password_follows_the_change_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());

    let changed =
        change_password(&demo, &["--user", "abby.smith", "--source", "Billing"], "p\u{e4}ss W\u{f6}rd: \"'`$");
    assert_eq!(changed.code, 0, "{changed:?}");
    assert!(changed.stdout.contains("Billing: has the new password"), "{}", changed.stdout);
    assert_eq!(changed.stdout.matches("has the new password").count(), 2, "{}", changed.stdout);
    assert!(!format!("{changed:?}").contains("W\u{f6}rd"), "the password was told");
    assert!(signs_in(&demo, "Helpdesk", "p\u{e4}ss W\u{f6}rd: \"'`$"));

    // The policy says no: the change is accepted, judged and failed.
    let refused = change_password(&demo, &["--user", "Abby.Smith", "--source", "Billing"], "short");
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("passwordMinLength is 8"), "{}", refused.stderr);
    assert!(signs_in(&demo, "Billing", "p\u{e4}ss W\u{f6}rd: \"'`$"));

    // The sign-in password, which is the built-in source's.
    let own = change_password(&demo, &["--user", "Abby.Smith"], "anotherPassword");
    assert_eq!(own.code, 0, "{own:?}");

    for (arguments, password, complaint) in [
        (&["--user", "Nobody"][..], "myPassword", "userName"),
        (&["--user", "Abby.Smith", "--source", "Nothing"], "myPassword", "sourceName"),
        (&["--user", "Abby.Smith", "--source", "Wiki", "--account", "other"], "myPassword", "no account other"),
        (&["--user", "Abby.Smith", "--source", "Wiki"], "", "empty"),
        (&["--user", "Abby.Smith", "--source", "Wiki"], "a\tb", "control characters"),
    ] {
        let ran = change_password(&demo, arguments, password);
        assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(complaint), "{arguments:?}: {}", ran.stderr);
    }
    assert!(signs_in(&demo, "Wiki", demo.fact("currentPassword")));
}

#[test]
fn change_password_says_when_it_cannot_sign_in_or_wait_any_longer() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let mut child = command(Path::new("/"))
        .args(["change-password", "--stdin", "--user", "Abby.Smith"])
        .env("SAIL_BASE_URL", demo.fact("baseUrl"))
        .env("SAIL_CLIENT_ID", demo.fact("clientId"))
        .env("SAIL_CLIENT_SECRET", "wrong")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    let refused = ran(child.wait_with_output().unwrap());
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("cannot sign in"), "{}", refused.stderr);

    // An application whose file is away cannot take the password; the server keeps trying, the command does not.
    let source = demo.facts["sources"].as_array().unwrap().iter().find(|fact| fact["name"] == "Wiki").unwrap();
    let database = source["database"].as_str().unwrap();
    let away = format!("{database}.away");
    std::fs::rename(database, &away).unwrap();
    let waiting =
        change_password(&demo, &["--user", "Abby.Smith", "--source", "Wiki", "--timeout", "2s"], "myPassword");
    assert_eq!(waiting.code, 4, "{waiting:?}");
    assert!(waiting.stdout.contains("Still in progress"), "{}", waiting.stdout);
    std::fs::rename(&away, database).unwrap();

    let address = demo.fact("baseUrl").to_owned();
    assert_eq!(demo.stop(), 0);
    let mut command = command(Path::new("/"));
    command.args(["change-password", "--stdin", "--user", "a", "--client-id", "c", "--base-url", &address]);
    let unreachable = ran(command.env("SAIL_CLIENT_SECRET", "s").stdin(Stdio::null()).output().unwrap());
    assert_eq!(unreachable.code, 1);
    assert!(unreachable.stderr.contains(&format!("cannot reach {address}")), "{}", unreachable.stderr);
}

#[test]
fn two_servers_do_not_share_a_folder_or_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path());
    let second = super::lockstep(
        Path::new("/"),
        &["demo", "--json", "--listen", "127.0.0.1:0", "--data", folder.path().to_str().unwrap()],
    );
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another process"), "{}", second.stderr);

    let other = tempfile::tempdir().unwrap();
    let address = demo.fact("baseUrl").trim_start_matches("http://");
    let taken =
        super::lockstep(Path::new("/"), &["demo", "--listen", address, "--data", other.path().to_str().unwrap()]);
    assert_eq!(taken.code, 1);
    assert!(taken.stderr.contains("cannot listen"), "{}", taken.stderr);
}
