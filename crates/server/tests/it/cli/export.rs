//! What is given out can be taken over again, and holds no secret.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::import::{installation, prepare};
use super::{Installation, Ran};

fn done(ran: Ran) -> String {
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout
}

/// A text as people, directories and spreadsheets have it.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        ",", "\"", "\"\"", ";", "=1+1", "+49", "-1", "@x", "'", "007", " lead", "trail ", "\u{202e}", "\u{feff}", "é",
        "e\u{301}", "ﷺ", "𝒜", "\\", "#", "null", "true", "{}", "ß", "İ",
    ]);
    let part = prop_oneof![odd.prop_map(str::to_owned), "[a-zA-Z0-9 ]{1,6}", "\\PC{1,4}"];
    let joined = prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat());
    joined.prop_filter("it is something", |text| !text.trim().is_empty() && !text.chars().any(char::is_control))
}

/// A value: any text, empty too, on several lines too.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![3 => text(), 1 => Just(String::new()), 1 => (text(), text()).prop_map(|(one, two)| format!("{one}\r\n{two}\n"))]
}

fn attributes() -> impl Strategy<Value = BTreeMap<String, String>> {
    let own = prop::sample::select(vec![
        "alias",
        "id",
        "Display Name",
        "attributes",
        "attributes.x",
        " x ",
        "levels",
        "gone",
    ]);
    let name = prop_oneof![own.prop_map(str::to_owned), text()];
    let no_password = |map: &BTreeMap<String, String>| {
        !map.keys().any(|name| name.to_lowercase().contains("pass") || name.to_lowercase().contains("pwd"))
    };
    prop::collection::btree_map(name, value(), 0..4).prop_filter("no passwords", no_password)
}

fn people() -> impl Strategy<Value = Vec<Value>> {
    let person = (text(), text(), prop::option::of(text()), any::<bool>(), attributes(), any::<bool>());
    let people = prop::collection::vec(person, 1..8);
    people.prop_map(|people| {
        people
            .into_iter()
            .enumerate()
            .map(|(number, (alias, name, email, enabled, attributes, boss))| {
                let mut person = json!({
                    "alias": format!("{alias}{number}"), "displayName": name, "enabled": enabled,
                    "signInSource": "Directory", "attributes": attributes,
                });
                if let Some(email) = email {
                    person["email"] = json!(email);
                }
                if boss {
                    person["levels"] = json!(["HELPDESK"]);
                }
                person
            })
            .collect()
    })
}

fn accounts() -> impl Strategy<Value = Vec<Value>> {
    let account = (text(), text(), text(), any::<bool>(), any::<bool>(), any::<bool>(), attributes());
    prop::collection::vec(account, 0..8).prop_map(|accounts| {
        accounts
            .into_iter()
            .enumerate()
            .map(|(number, (native, stable, name, sync, gone, directory, attributes))| {
                json!({
                    "source": if directory { "Directory" } else { "Billing" },
                    // Tombstones may share their native id with a living account.
                    "nativeId": if gone { native.clone() } else { format!("{native}{number}") },
                    "stableId": format!("{stable}{number}"), "name": name, "passwordSync": sync, "gone": gone,
                    "attributes": attributes,
                })
            })
            .collect()
    })
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

#[test]
fn what_is_given_out_and_taken_over_elsewhere_is_the_same() {
    let mut runner = TestRunner::new(Config { cases: 4, max_shrink_iters: 4, ..Config::default() });
    let round = |(people, mut accounts): (Vec<Value>, Vec<Value>)| {
        for (number, account) in accounts.iter_mut().enumerate().filter(|(number, _)| number % 3 > 0) {
            account["identity"] = people[number % people.len()]["alias"].clone();
        }
        let first = installation();
        first.write("people.jsonl", &lines(&people));
        first.write("accounts.jsonl", &lines(&accounts));
        done(first.run(&["import", "identities", "people.jsonl", "--levels"]));
        done(first.run(&["import", "accounts", "accounts.jsonl"]));
        for format in ["csv", "jsonl"] {
            let second = installation();
            for (what, more) in [("identities", &["--levels"][..]), ("accounts", &[])] {
                let name = format!("{what}.{format}");
                let given = done(first.run(&["export", what, "--format", format]));
                second.write(&name, &given);
                done(second.run(&[&["import", what, &name], more].concat()));
                prop_assert_eq!(&done(second.run(&["export", what, "--format", format])), &given);
                // There, too, it changes nothing.
                let again =
                    done(first.run(&[&["import", what, second.path().join(&name).to_str().unwrap()], more].concat()));
                prop_assert!(again.contains(" 0 created, 0 changed"), "{}", again);
            }
        }
        Ok(())
    };
    runner.run(&(people(), accounts()), round).unwrap();
}

const SETTINGS: &str = r#"dictionary = { file = "words.txt" }

[org-config]
digitTokenEnabled = true
digitTokenLength = 8

[security-questions]
answers = 2

[[security-questions.questions]]
name = "teacher"
text = { en = "Who was your first teacher?", de = "Wer war Ihre erste Lehrerin?" }

[[security-questions.questions]]
name = "street"
text = { en = "In which street did you grow up?" }

[network-config]
range = ["192.0.2.0/24", "2001:db8::7"]
geolocation = ["DE"]
whitelisted = true

[lockout-config]
maximumAttempts = 3

[session-config]
maxSessionTime = 60

[[password-policy]]
name = "Staff \"quoted\""
description = "Zürich, #1"
minLength = 12
history = 3

[[source]]
name = "IdentityNow"
policies = [{ policy = "Default" }]

[[source]]
name = "Wiki"
description = "x"
connector = "sql"
features = ["PASSWORD", "ENABLE"]
concurrency = 3
policies = [{ policy = "Staff \"quoted\"", when = { "dot.ted" = "Fin'ance", a = "b" } }, { policy = "Default" }]
config = { url = "sqlite:/nowhere/wiki.db", hash = "bcrypt", statement = "UPDATE users SET password = :hash WHERE login = :account" }

[[sync-group]]
name = "Office"
policy = "Staff \"quoted\""
sources = ["Billing", "Directory"]

[[application]]
name = "Invoices"
source = "Billing"
use-for-password-management = false

[[identity]]
alias = "abby"
[[client]]
name = "Portal"
scopes = ["idn:password-info:read"]
levels = ["HELPDESK"]
token-lifetime = "10m"
secret = { file = "portal.secret" }
[[client]]
name = "Portal"
id = "c9a646d3-9c61-4cb7-bfcd-ee2522c8f633"
secret = { file = "portal.secret" }
[[personal-access-token]]
name = "laptop"
identity = "abby"
"#;

fn configured() -> Installation {
    let installation = installation();
    installation.write("words.txt", "# ours\nacme\n");
    installation.write("portal.secret", "portal-secret-portal-secret-portal-secret\n");
    installation.write("state.toml", SETTINGS);
    assert_eq!(installation.run(&["apply", "state.toml"]).code, 0);
    installation
}

#[test]
fn settings_are_an_apply_file_that_changes_nothing_here() {
    let installation = configured();
    done(installation.run(&["export", "settings", "--output", "settings.toml"]));
    let text = fs::read_to_string(installation.path().join("settings.toml")).unwrap();
    assert_eq!(fs::read_to_string(installation.path().join("settings.words.txt")).unwrap(), "# ours\nacme\n");
    let again = installation.run(&["apply", "settings.toml"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, "There is nothing to change.\n"), "{again:?}\n{text}");
    assert!(text.contains("# \"password\" = { file = ") || text.contains("# password = { file = "), "{text}");
    // On standard output there is no place for the words, and nothing else is missing.
    let printed = done(installation.run(&["export", "settings"]));
    installation.write("printed.toml", &printed);
    assert_eq!(done(installation.run(&["apply", "printed.toml"])), "There is nothing to change.\n");

    let over = installation.run(&["export", "settings", "--output", "settings.toml"]);
    assert!(over.code == 1 && over.stderr.contains("exists already"), "{over:?}");
}

#[test]
fn everything_goes_into_a_new_folder_and_makes_another_server_the_same() {
    let first = configured();
    first.write("people.csv", "alias,displayName,department\nbea,Bea,\"x,y\"\n");
    done(first.run(&["import", "identities", "people.csv"]));
    first.write("accounts.csv", "nativeId,identity\nbea,bea\n");
    done(first.run(&["import", "accounts", "accounts.csv", "--source", "Billing"]));
    done(first.run(&["export", "all", "--output", "everything"]));
    let folder = first.path().join("everything");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["accounts.csv", "identities.csv", "state.toml", "words.txt"]);
    for name in &names {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        for secret in ["svcsecret", "portal-secret", "$argon2"] {
            assert!(!text.contains(secret), "{secret} is in {name:?}");
        }
        assert_eq!(fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = first.run(&["export", "all", "--output", "everything"]);
    assert!(again.code == 1 && again.stderr.contains("exists already"), "{again:?}");

    let second = Installation::new();
    prepare(&second);
    for name in &names {
        fs::copy(folder.join(name), second.path().join(name)).unwrap();
    }
    assert_eq!(second.run(&["apply", "state.toml"]).code, 0);
    done(second.run(&["import", "identities", "identities.csv", "--levels"]));
    done(second.run(&["import", "accounts", "accounts.csv"]));
    for what in ["identities", "accounts"] {
        assert_eq!(done(second.run(&["export", what])), done(first.run(&["export", what])));
    }
    let settings = |installation: &Installation| done(installation.run(&["export", "settings"]));
    assert_eq!(settings(&second), settings(&first));
}

#[test]
fn a_source_that_does_not_exist_is_no_empty_export() {
    let installation = installation();
    let ran = installation.run(&["export", "accounts", "--source", "Moon", "--output", "moon.csv"]);
    assert!(ran.code == 1 && ran.stderr.contains("there is no source \"Moon\""), "{ran:?}");
    assert!(!installation.path().join("moon.csv").exists());
    let header = done(installation.run(&["export", "accounts"]));
    assert_eq!(header, "source,nativeId,stableId,name,passwordSync,identity,gone,attributes\n");
}
