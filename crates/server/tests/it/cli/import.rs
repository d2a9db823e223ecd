//! People and accounts from files: every row is checked first, all or nothing, the same twice.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Installation, Ran};

/// Two sources that `import` never connects to.
const SOURCES: &str = r#"
[[source]]
name = "Billing"
connector = "sql"
config = { url = "sqlite:/nowhere/billing.db", hash = "argon2id", statement = "UPDATE users SET password = :hash WHERE login = :account" }

[[source]]
name = "Directory"
connector = "ldap"
config = { url = "ldaps://127.0.0.1:9", bind_dn = "cn=svc,dc=example,dc=test" }
secrets = { password = { file = "directory.password" } }
"#;

pub(super) fn installation() -> Installation {
    let installation = Installation::new();
    prepare(&installation);
    installation
}

pub(super) fn prepare(installation: &Installation) {
    installation.write("directory.password", "svcsecret\n");
    installation.write("sources.toml", SOURCES);
    let applied = installation.run(&["apply", "sources.toml"]);
    assert_eq!(applied.code, 0, "{applied:?}");
}

fn summary(ran: &Ran) -> Value {
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

/// How many rows were created, changed, unchanged and rejected.
fn counts(ran: &Ran) -> [u64; 4] {
    let summary = summary(ran);
    ["created", "changed", "unchanged", "rejected"].map(|name| summary[name].as_u64().expect("a number"))
}

fn import(installation: &Installation, what: &str, name: &str, text: &str, more: &[&str]) -> Ran {
    installation.write(name, text);
    installation.run(&[&["import", what, name, "--json"], more].concat())
}

fn export(installation: &Installation, what: &str) -> Vec<Value> {
    let ran = installation.run(&["export", what, "--format", "jsonl"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Without what is drawn anew each time.
fn without_ids(mut rows: Vec<Value>) -> Vec<Value> {
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().expect("an object").remove("id")));
    rows
}

#[test]
fn people_come_from_csv_and_the_same_file_changes_nothing() {
    let installation = installation();
    let text = "\u{feff}alias,Display Name,email,department,enabled,note\r\n\
                abby.smith,\"Smith, Abby\",abby@example.test,Finance,true,\"two\nlines \"\"quoted\"\"\"\r\n\
                00123,,,=1+1,no,\r\n";
    let dry = import(&installation, "identities", "people.csv", text, &["--dry-run"]);
    assert_eq!((dry.code, counts(&dry)), (0, [2, 0, 0, 0]), "{dry:?}");
    assert_eq!(export(&installation, "identities").len(), 0, "a dry run wrote");

    let done = import(&installation, "identities", "people.csv", text, &[]);
    assert_eq!((done.code, counts(&done), done.stderr.as_str()), (0, [2, 0, 0, 0], ""));
    assert_eq!(
        without_ids(export(&installation, "identities")),
        [
            json!({ "alias": "00123", "displayName": "00123", "enabled": false, "signInSource": "IdentityNow",
                    "attributes": { "department": "=1+1" } }),
            json!({ "alias": "abby.smith", "displayName": "Smith, Abby", "email": "abby@example.test", "enabled": true,
                    "signInSource": "IdentityNow",
                    "attributes": { "department": "Finance", "note": "two\nlines \"quoted\"" } }),
        ]
    );
    for more in [&[][..], &["--dry-run"]] {
        let again = import(&installation, "identities", "people.csv", text, more);
        assert_eq!((again.code, counts(&again)), (0, [0, 0, 2, 0]));
    }
    let changed = import(&installation, "identities", "people.csv", &text.replace("Finance", "Sales"), &[]);
    assert_eq!(counts(&changed), [0, 1, 1, 0]);
    // An empty cell says nothing about a field, and the attributes of a row replace those there were.
    let less = import(&installation, "identities", "less.csv", "alias,email,department\nABBY.Smith,,Sales\n", &[]);
    assert_eq!(counts(&less), [0, 1, 0, 0]);
    let abby = &export(&installation, "identities")[1];
    assert_eq!((&abby["email"], &abby["attributes"]), (&json!("abby@example.test"), &json!({ "department": "Sales" })));
    assert_eq!(abby["alias"], "ABBY.Smith");
}

#[test]
fn one_bad_row_and_nothing_is_written_unless_it_is_to_keep_going() {
    let installation = installation();
    let text = "alias,id,signInSource,enabled,levels\n\
                good,,,,\n\
                Zo\u{eb},,,,\n\
                zoe\u{308},,,,\n\
                short\n\
                badid,12,,,\n\
                nowhere,,Moon,,\n\
                maybe,,,perhaps,\n\
                ,,,,\n\
                boss,,,,ORG_ADMIN\n\
                \"con\u{1}trol\",,,,\n\
                good2,0123456789abcdef0123456789abcdef,,,\n\
                good3,0123456789abcdef0123456789abcdef,,,\n";
    let expected = [
        ("4", "alias", "line 3 already"),
        ("5", "", "1 columns"),
        ("6", "id", "32 hexadecimal"),
        ("7", "signInSource", "no source"),
        ("8", "enabled", "true or false"),
        ("9", "alias", "is missing"),
        ("10", "levels", "--levels"),
        ("11", "alias", "control characters"),
        ("13", "id", "line 12 already"),
    ];
    for more in [&[][..], &["--dry-run"]] {
        let ran = import(&installation, "identities", "people.csv", text, &[more, &["--report", "bad.csv"]].concat());
        assert_eq!((ran.code, counts(&ran)), (1, [3, 0, 0, 9]), "{ran:?}");
        let told = ran.stderr.lines().filter(|line| line.starts_with("rejected: line ")).count();
        assert_eq!(told, 9, "{}", ran.stderr);
        assert_eq!(export(&installation, "identities").len(), 0, "it wrote");
        let report = fs::read_to_string(installation.path().join("bad.csv")).unwrap();
        let lines: Vec<&str> = report.lines().collect();
        assert_eq!(lines[0], "line,field,reason");
        assert_eq!(lines.len(), 10, "{report}");
        for ((line, field, reason), found) in expected.iter().zip(&lines[1..]) {
            assert!(found.starts_with(&format!("{line},{field},")) && found.contains(reason), "{found}");
        }
    }
    let ran = import(&installation, "identities", "people.csv", text, &["--keep-going", "--report", "bad.jsonl"]);
    assert_eq!((ran.code, counts(&ran)), (3, [3, 0, 0, 9]), "{ran:?}");
    assert_eq!(export(&installation, "identities").len(), 3);
    let report = fs::read_to_string(installation.path().join("bad.jsonl")).unwrap();
    let first: Value = serde_json::from_str(report.lines().next().unwrap()).unwrap();
    assert_eq!((&first["line"], &first["field"]), (&json!(4), &json!("alias")));
    let again = import(&installation, "identities", "people.csv", text, &["--keep-going"]);
    assert_eq!((again.code, counts(&again)), (3, [0, 0, 3, 9]));
}

#[test]
fn what_cannot_be_taken_as_a_whole_is_refused_with_the_reason() {
    let installation = installation();
    let long = format!("alias,note\nx,\"{}", "y".repeat(2 << 20));
    for (name, text, reason) in [
        ("a.csv", "alias,password\nx,hunter2\n", "never imported"),
        ("a.csv", "alias,userPassword\nx,hunter2\n", "--ignore userPassword"),
        ("a.jsonl", "{\"alias\":\"x\",\"attributes\":{\"Initial Password\":\"hunter2\"}}\n", "never imported"),
        ("a.csv", "login,mail\nx,y\n", "there is no column alias"),
        ("a.csv", "alias;email\nx;y\n", "--delimiter ';'"),
        ("a.csv", "", "there is no column alias"),
        ("a.csv", "alias,,email\n", "a column has no name"),
        ("a.csv", "alias,display-name,DisplayName\n", "say the same"),
        ("a.csv", long.as_str(), "a quotation mark is not closed"),
        ("a.ldif", "version: 2\n", "version 1"),
    ] {
        let ran = import(&installation, "identities", name, text, &["--keep-going"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains(reason) && !ran.stderr.contains("hunter2"), "{reason}: {}", ran.stderr);
    }
    fs::write(installation.path().join("wide.csv"), b"\xff\xfea\0l\0i\0a\0s\0").unwrap();
    assert!(installation.run(&["import", "identities", "wide.csv"]).stderr.contains("UTF-16"));
    fs::write(installation.path().join("latin.csv"), b"alias,email\nx,Z\xfcrich\n").unwrap();
    let ran = installation.run(&["import", "identities", "latin.csv"]);
    assert!(ran.code == 1 && ran.stderr.contains("line 2: email: is not UTF-8"), "{ran:?}");
    let ran = import(&installation, "identities", "a.csv", "alias,password\nx,hunter2\n", &["--ignore", "password"]);
    assert_eq!((ran.code, counts(&ran)), (0, [1, 0, 0, 0]), "{ran:?}");
}

#[test]
fn levels_are_taken_over_only_when_that_is_said() {
    let installation = installation();
    let text = "{\"alias\":\"boss\",\"levels\":[\"ORG_ADMIN\",\"HELPDESK\"]}\n\n{\"alias\":\"x\",\"email\":null}\n";
    let ran = import(&installation, "identities", "p.jsonl", text, &[]);
    assert!(ran.code == 1 && ran.stderr.contains("line 1: levels: "), "{ran:?}");
    assert_eq!(import(&installation, "identities", "p.jsonl", text, &["--ignore", "levels"]).code, 0);
    assert_eq!(export(&installation, "identities")[0].get("levels"), None);
    let ran = import(&installation, "identities", "p.jsonl", text, &["--levels"]);
    assert_eq!(counts(&ran), [0, 1, 1, 0], "{ran:?}");
    assert_eq!(export(&installation, "identities")[0]["levels"], json!(["ORG_ADMIN", "HELPDESK"]));
    for (line, reason) in [
        ("[]", "not a JSON object"),
        ("{\"alias\":5}", "alias: must be a text"),
        ("{\"alias\":\"y\",\"departement\":\"z\"}", "unknown field \"departement\""),
        ("{\"alias\":\"y\",\"attributes\":{\"n\":5}}", "attributes: \"n\" must be a text"),
        ("{\"alias\":\"y\",\"levels\":[\"KING\"]}", "levels: known are"),
    ] {
        let ran = import(&installation, "identities", "p.jsonl", line, &["--levels"]);
        assert!(ran.code == 1 && ran.stderr.contains(reason), "{reason}: {ran:?}");
    }
}

#[test]
fn accounts_name_their_source_and_whose_they_are() {
    let installation = installation();
    import(&installation, "identities", "p.csv", "alias\nabby\nbea\n", &[]);
    let text = "nativeId,identity,passwordSync,tier\nabby,ABBY,,1\nbea,bea,false,\nservice,,,\n";
    let done = import(&installation, "accounts", "a.csv", text, &["--source", "billing"]);
    assert_eq!((done.code, counts(&done)), (0, [3, 0, 0, 0]), "{done:?}");
    let again = import(&installation, "accounts", "a.csv", text, &["--source", "Billing"]);
    assert_eq!(counts(&again), [0, 0, 3, 0]);
    let rows = export(&installation, "accounts");
    assert_eq!(
        rows[0],
        json!({ "source": "Billing", "nativeId": "abby", "stableId": "abby", "name": "abby", "passwordSync": true,
                "identity": "abby", "gone": false, "attributes": { "tier": "1" } })
    );
    assert_eq!((rows[1]["passwordSync"].clone(), rows[2].get("identity")), (json!(false), None));

    // A service account finds its owner; one that is listed under another goes over to that one by an intent.
    let given = import(
        &installation,
        "accounts",
        "b.csv",
        "nativeId,identity\nservice,bea\nabby,bea\n",
        &["--source", "Billing"],
    );
    assert_eq!(counts(&given), [0, 2, 0, 0], "{given:?}");
    let again = import(
        &installation,
        "accounts",
        "b.csv",
        "nativeId,identity\nservice,bea\nabby,bea\n",
        &["--source", "Billing"],
    );
    assert_eq!(counts(&again), [0, 0, 2, 0], "it is on its way");
    let silent = import(&installation, "accounts", "c.csv", "nativeId\nabby\nbea\n", &["--source", "Billing"]);
    assert_eq!(counts(&silent), [0, 0, 2, 0], "who says nothing takes nothing back");

    let wrong = "{\"source\":\"Directory\",\"nativeId\":\"uid=x,dc=a\",\"stableId\":\"1\"}\n\
                 {\"source\":\"directory\",\"nativeId\":\"UID=x, DC=a\",\"stableId\":\"2\"}\n\
                 {\"source\":\"Directory\",\"nativeId\":\"uid=y,dc=a\",\"stableId\":\"1\"}\n\
                 {\"source\":\"Moon\",\"nativeId\":\"x\"}\n{\"nativeId\":\"x\"}\n\
                 {\"source\":\"Billing\",\"nativeId\":\"x\",\"identity\":\"nobody\"}\n\
                 {\"source\":\"IdentityNow\",\"nativeId\":\"x\"}\n{\"source\":\"Billing\"}\n";
    let ran = import(&installation, "accounts", "w.jsonl", wrong, &[]);
    assert_eq!((ran.code, counts(&ran)), (1, [1, 0, 0, 7]), "{ran:?}");
    for told in [
        "line 2: nativeId: the same stands on line 1",
        "line 3: stableId: the same stands on line 1",
        "line 4: source: there is no source",
        "line 5: source: is missing",
        "line 6: identity: there is no identity",
        "line 7: source: the account on IdentityNow",
        "line 8: nativeId: is missing",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
}

#[test]
fn a_directorys_export_is_taken_through_a_pipe() {
    let installation = installation();
    let ldif = "version: 1\n\ndn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: example\n\n\
                dn: uid=abby,dc=example,dc=test\nobjectClass: inetOrgPerson\nobjectClass: person\nuid: abby\nuid: asmith\n\
                cn:: QWJieSBTbcOvdGg=\nmail: abby@exa\n mple.test\nuserPassword:: e1NTSEF9c2VjcmV0\nou: Finance\n\
                entryUUID: 7f1c6d0e\njpegPhoto:: /9j/4AAQ\n";
    let pipe = |arguments: &[&str]| {
        let mut command = super::command(installation.path());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        super::ran(child.wait_with_output().unwrap())
    };
    let people = pipe(&["import", "identities", "-", "--format", "ldif", "--map", "department=ou", "--json"]);
    assert_eq!((people.code, counts(&people)), (0, [1, 0, 0, 0]), "{people:?}");
    assert_eq!(summary(&people)["skipped"], 1);
    let accounts = pipe(&["import", "accounts", "-", "--format", "ldif", "--source", "Directory", "--json"]);
    assert_eq!((accounts.code, counts(&accounts)), (0, [1, 0, 0, 0]), "{accounts:?}");
    assert_eq!(
        without_ids(export(&installation, "identities")),
        [json!({ "alias": "abby", "displayName": "Abby Smïth", "email": "abby@example.test", "enabled": true,
                 "signInSource": "IdentityNow", "attributes": { "department": "Finance" } })]
    );
    let account = &export(&installation, "accounts")[0];
    assert_eq!(account["nativeId"], "uid=abby,dc=example,dc=test");
    assert_eq!((&account["stableId"], &account["identity"]), (&json!("7f1c6d0e"), &json!("abby")));
    for entry in fs::read_dir(installation.path()).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = fs::read(&entry).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"SSHA}s"), "the directory's hash is in {entry:?}");
    }
}

/// Kills an import of 12,000 rows where it is told to, and gives the installation.
fn killed(installation: &Installation, failpoint: &str) {
    let text: String = (0..12_000).map(|number| format!("user{number:05},User {number},dep{}\n", number % 7)).collect();
    installation.write("people.csv", &format!("alias,displayName,department\n{text}"));
    let mut command = super::command(installation.path());
    let ended = command.args(["import", "identities", "people.csv"]).env("LOCKSTEP_FAILPOINT", failpoint).output();
    assert_eq!(ended.expect("it runs").status.signal(), Some(9), "it was not killed");
}

#[test]
fn an_import_that_is_killed_and_run_again_ends_as_if_it_had_not_been() {
    let undisturbed = installation();
    let text: String = (0..12_000).map(|number| format!("user{number:05},User {number},dep{}\n", number % 7)).collect();
    let whole = import(&undisturbed, "identities", "people.csv", &format!("alias,displayName,department\n{text}"), &[]);
    assert_eq!((whole.code, counts(&whole)), (0, [12_000, 0, 0, 0]), "{whole:?}");
    let expected = without_ids(export(&undisturbed, "identities"));

    for (failpoint, durable) in [
        ("import.within-commit:kill@3", 0),
        ("import.after-commit:kill@1", 10_000),
        ("import.within-commit:kill@11", 10_000),
    ] {
        let installation = installation();
        killed(&installation, failpoint);
        assert_eq!(export(&installation, "identities").len() as u64, durable, "{failpoint}");
        let again = installation.run(&["import", "identities", "people.csv", "--json"]);
        assert_eq!((again.code, counts(&again)), (0, [12_000 - durable, 0, durable, 0]), "{failpoint}: {again:?}");
        assert!(without_ids(export(&installation, "identities")) == expected, "{failpoint}");
    }
}

#[test]
fn an_import_runs_beside_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let demo = super::running::Demo::start(&data);
    let text: String = (0..1_000).map(|number| format!("beside{number}\n")).collect();
    fs::write(folder.path().join("people.csv"), format!("alias\n{text}")).unwrap();
    let config = data.join("lockstep.toml");
    let ran = super::lockstep(
        folder.path(),
        &["--config", config.to_str().unwrap(), "import", "identities", "people.csv", "--json"],
    );
    assert_eq!((ran.code, counts(&ran)), (0, [1_000, 0, 0, 0]), "{ran:?}");
    assert_eq!(demo.stop(), 0);
}
