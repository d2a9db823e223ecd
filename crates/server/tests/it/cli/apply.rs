//! Wanted state from a file: all or nothing, the same twice, and problems with their places.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Installation;

/// A file with one of everything. The databases of its sources are never opened by `apply`.
const STATE: &str = r#"dictionary = { file = "words.txt" }

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
range = ["192.0.2.0/24"]
whitelisted = true

[lockout-config]
maximumAttempts = 3

[session-config]
maxIdleTime = 15

[[password-policy]]
name = "Staff"
minLength = 12

[[source]]
name = "Billing"
connector = "sql"
config = { url = "sqlite:/nowhere/billing.db", hash = "argon2id", statement = "UPDATE users SET password = :hash WHERE login = :account" }

[[source]]
name = "Directory"
connector = "ldap"
secrets = { password = { file = "directory.password" } }
[source.config]
url = "ldaps://directory.example.test"
bind_dn = "cn=svc,dc=example,dc=test"

[[source]]
name = "Wiki"
connector = "sql"
policies = [{ policy = "Staff", when = { department = "Finance" } }, { policy = "Default" }]
config = { url = "sqlite:/nowhere/wiki.db", hash = "bcrypt", statement = "UPDATE users SET password = :hash WHERE login = :account" }

[[sync-group]]
name = "Office"
policy = "Staff"
sources = ["Billing", "Directory"]

[[application]]
name = "Invoices"
source = "Billing"

[[identity]]
alias = "Abby.Smith"
display-name = "Abby Smith"
attributes = { department = "Finance" }
levels = ["HELPDESK"]
password = { env = "ABBY_FIRST" }
[[identity.account]]
source = "Billing"
native-id = "abby"
[[identity.account]]
source = "Directory"
native-id = "uid=abby,ou=people,dc=example,dc=test"
stable-id = "7f1c6d0e"
password-sync = false

[[identity]]
alias = "Bruno.Keller"

[[client]]
name = "Portal"
scopes = ["idn:password-info:read"]
token-lifetime = "10m"

[[personal-access-token]]
name = "laptop"
identity = "abby.smith"
"#;

fn installation() -> Installation {
    let installation = Installation::new();
    installation.write("words.txt", "# ours\nacme\n");
    installation.write("directory.password", "svcsecret\n");
    installation
}

/// Applies with Abby's first password in the environment.
fn apply(installation: &Installation, text: &str, more: &[&str]) -> super::Ran {
    installation.write("state.toml", text);
    let mut command = super::command(installation.path());
    command.args(["apply", "state.toml"]).args(more).env("ABBY_FIRST", "correct horse");
    super::ran(command.output().expect("the binary runs"))
}

fn json(ran: &super::Ran) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

fn sources(installation: &Installation) -> Value {
    json(&installation.run(&["status", "--json"]))["sources"].clone()
}

#[test]
fn a_dry_run_says_what_apply_then_does_and_a_second_apply_does_nothing() {
    let installation = installation();
    let dry = apply(&installation, STATE, &["--dry-run"]);
    assert_eq!((dry.code, dry.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("apply_dry_run", dry.stdout);
    assert_eq!(sources(&installation).as_array().unwrap().len(), 1, "a dry run wrote");

    let done = apply(&installation, STATE, &[]);
    let plan =
        |text: &str| text.lines().filter(|line| line.starts_with(['+', '~'])).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(plan(&done.stdout), plan(&dry.stdout));
    assert!(done.stdout.contains("The secret of the client Portal, shown only now:"), "{}", done.stdout);
    assert!(done.stdout.contains("The secret of the personal access token laptop of abby.smith"), "{}", done.stdout);

    for more in [&[][..], &["--dry-run"]] {
        let again = apply(&installation, STATE, more);
        assert_eq!((again.code, again.stdout.as_str()), (0, "There is nothing to change.\n"), "{again:?}");
    }
    let features = |name: &str| {
        let sources = sources(&installation);
        sources.as_array().unwrap().iter().find(|source| source["name"] == name).unwrap()["features"].clone()
    };
    // What a connector can do is what the source can do, where the file does not say.
    assert_eq!(features("Billing"), serde_json::json!(["PASSWORD"]));
    assert_eq!(features("Directory"), serde_json::json!(["AUTHENTICATE", "PASSWORD", "UNLOCK"]));
}

#[test]
fn only_what_differs_is_changed_and_named() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    let changed = STATE
        .replace("minLength = 12", "minLength = 14\nminNumeric = 1")
        .replace("Abby Smith", "Abby M. Smith")
        .replace("/nowhere/wiki.db", "/elsewhere/wiki.db")
        .replace("password-sync = false", "password-sync = true")
        .replace("digitTokenLength = 8", "digitTokenLength = 9")
        .replace("10m", "20m");
    installation.write("directory.password", "another\n");
    let done = json(&apply(&installation, &changed, &["--json"]));
    assert_eq!(done["created"], serde_json::json!([]));
    assert_eq!(
        done["changed"],
        serde_json::json!([
            { "kind": "settings", "name": "the organisation's settings", "fields": ["digitTokenLength"] },
            { "kind": "password policy", "name": "Staff", "fields": ["minLength", "minNumeric"] },
            { "kind": "source", "name": "Directory", "fields": ["secrets.password"] },
            { "kind": "source", "name": "Wiki", "fields": ["config.url"] },
            { "kind": "identity", "name": "Abby.Smith", "fields": ["display-name"] },
            {
                "kind": "account",
                "name": "uid=abby,ou=people,dc=example,dc=test on Directory",
                "fields": ["password-sync"]
            },
            { "kind": "client", "name": "Portal", "fields": ["token-lifetime"] },
        ])
    );
    assert_eq!(done["secrets"], serde_json::json!([]));
}

#[test]
fn what_a_file_leaves_out_stays() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    let part = "[[identity]]\nalias = \"Abby.Smith\"\nemail = \"abby@example.test\"\n";
    let done = json(&apply(&installation, part, &["--json"]));
    assert_eq!(done["changed"], serde_json::json!([{ "kind": "identity", "name": "Abby.Smith", "fields": ["email"] }]));
    let again = json(&apply(
        &installation,
        &STATE.replace("alias = \"Bruno.Keller\"", "alias = \"bruno.keller\""),
        &["--json"],
    ));
    assert_eq!(
        again["changed"],
        serde_json::json!([{ "kind": "identity", "name": "bruno.keller", "fields": ["alias"] }])
    );
}

#[test]
fn every_problem_is_told_with_its_place_and_nothing_is_written() {
    let installation = installation();
    let wrong = STATE
        .replace("minLength = 12", "minLength = 12\nmaxLength = 8")
        .replace("digitTokenLength = 8", "digitTokenLength = 99\nnoSuchField = 1")
        .replace("[\"192.0.2.0/24\"]", "[\"192.0.2.0/24\", \"the office\"]")
        .replace("maximumAttempts = 3", "maximumAttempts = 16\nlockout = 5")
        .replace("maxIdleTime = 15", "maxIdleTime = 720")
        .replace("sources = [\"Billing\", \"Directory\"]", "sources = [\"Billing\", \"Directori\"]")
        .replace("hash = \"bcrypt\"", "hash = \"rot13\"")
        .replace("source = \"Billing\"\nnative-id", "source = \"Biling\"\nnative-id")
        .replace("identity = \"abby.smith\"", "identity = \"Nobody\"")
        .replace("directory.password", "no.password")
        .replace("{ policy = \"Default\" }", "{ policy = \"Stuff\" }");
    let ran = apply(&installation, &wrong, &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    insta::assert_snapshot!("apply_problems", ran.stderr);
    assert_eq!(sources(&installation).as_array().unwrap().len(), 1, "half a file was written");
}

#[test]
fn what_does_not_parse_is_told_with_its_place() {
    let installation = installation();
    for (text, message) in [
        ("[[identity]]\nalais = \"x\"\n", "state.toml:2:1: unknown field `alais`"),
        ("[[identity]]\n", "state.toml:1:1: missing field `alias`"),
        ("[[source]]\nname = \"x\"\nfeatures = [\"FLY\"]\n", "state.toml:3:13: unknown variant `FLY`"),
        ("[[identity]]\nalias = \"x\"\nid = \"12\"\n", "state.toml:3:6: not an id"),
        ("[[client]]\nname = \"x\"\nscopes = [\"idn:nope\"]\n", "state.toml:3:10: unknown scope \"idn:nope\""),
        ("[[password-policy]]\nminLength = 8\n", "state.toml:1:1: missing field `name`"),
        ("[[password-policy]]\nname = \"x\"\nminLength = \"8\"\n", "state.toml:3:13: minLength: invalid type"),
        ("[[password-policy]]\nname = \"x\"\ndefaultPolicy = true\n", "state.toml:3:1: unknown field `defaultPolicy`"),
        ("what?\n", "state.toml:1:"),
    ] {
        let ran = apply(&installation, text, &[]);
        assert_eq!(ran.code, 1, "{text}: {ran:?}");
        assert!(ran.stderr.contains(message), "{text}: {}", ran.stderr);
    }
    let none = installation.run(&["apply", "none.toml"]);
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("none.toml"), "{}", none.stderr);
}

#[test]
fn a_secret_is_never_told() {
    let installation = installation();
    let inline = STATE.replace("{ file = \"directory.password\" }", "\"hunter2hunter2\"");
    let mut told = apply(&installation, &inline, &[]).stderr;
    assert!(told.contains("{ file = \"path\" }"), "{told}");
    installation.write("short", "hunter2");
    let short = STATE.replace("name = \"Portal\"", "name = \"Portal\"\nsecret = { file = \"short\" }");
    let ran = apply(&installation, &short, &[]);
    assert!(ran.stderr.contains("at least 32 characters"), "{}", ran.stderr);
    told.push_str(&ran.stderr);
    let done = apply(&installation, STATE, &["--json"]);
    told.push_str(&done.stdout);
    for secret in ["hunter2", "svcsecret", "correct horse"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    // Nor is it in the database in the clear.
    for entry in std::fs::read_dir(installation.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_name().unwrap().to_string_lossy().starts_with("lockstep.db") {
            let bytes = std::fs::read(&entry).unwrap();
            for secret in ["svcsecret", "correct horse"] {
                assert!(
                    !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                    "{secret} in {entry:?}"
                );
            }
        }
    }
}

#[test]
fn a_source_that_moves_needs_its_secrets_again() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    let moved = "[[source]]\nname = \"Directory\"\n[source.config]\nurl = \"ldaps://evil.example.test\"\n\
                 bind_dn = \"cn=svc,dc=example,dc=test\"\n";
    let ran = apply(&installation, moved, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("must be given again under secrets"), "{}", ran.stderr);
    let with_secret = format!("{moved}[source.secrets]\npassword = {{ file = \"directory.password\" }}\n");
    let done = json(&apply(&installation, &with_secret, &["--json"]));
    assert_eq!(done["changed"][0]["fields"], serde_json::json!(["config.url"]));
}

#[test]
fn a_source_moves_between_groups_in_one_file() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    let extra = "[[source]]\nname = \"Fourth\"\nconnector = \"sql\"\nconfig = { url = \"sqlite:/nowhere/4.db\", \
                 hash = \"argon2id\", statement = \"UPDATE u SET p = :hash WHERE l = :account\" }\n";
    let moved = format!(
        "{extra}[[sync-group]]\nname = \"Archive\"\npolicy = \"Staff\"\nsources = [\"Directory\", \"Wiki\"]\n\
         [[sync-group]]\nname = \"Office\"\nsources = [\"Fourth\", \"Billing\"]\n"
    );
    let done = json(&apply(&installation, &moved, &["--json"]));
    assert_eq!(done["changed"][0]["fields"], serde_json::json!(["sources"]), "{done}");
    let groups: Vec<_> = sources(&installation)
        .as_array()
        .unwrap()
        .iter()
        .map(|source| (source["name"].as_str().unwrap().to_owned(), source["syncGroup"].as_str().map(str::to_owned)))
        .collect();
    let expected = [
        ("Billing", Some("Office")),
        ("Directory", Some("Archive")),
        ("Fourth", Some("Office")),
        ("IdentityNow", None),
        ("Wiki", Some("Archive")),
    ];
    let expected = expected.map(|(name, group)| (name.to_owned(), group.map(str::to_owned)));
    assert_eq!(groups, expected);

    // A source in two groups is refused, also where the other group is not in the file.
    let twice = "[[sync-group]]\nname = \"Archive\"\nsources = [\"Directory\", \"Wiki\", \"Billing\"]\n";
    let ran = apply(&installation, twice, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("state.toml:3:") && ran.stderr.contains("Office"), "{}", ran.stderr);
}

/// What is left when the file of [`STATE`] has lost this and that.
const LESS: &str = r#"
[[password-policy]]
name = "Contractors"
minLength = 16

[[source]]
name = "Billing"

[[source]]
name = "Directory"

[[sync-group]]
name = "Archive"
policy = "Contractors"
sources = ["Directory", "Billing"]

[[application]]
name = "Letters"
source = "Directory"

[[client]]
name = "Kiosk"
"#;

#[test]
fn what_the_file_does_not_name_goes_where_that_is_asked_for() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    // A source is in one group only, and the other is still there.
    let kept = apply(&installation, LESS, &["--dry-run"]);
    assert!(kept.code == 1 && kept.stderr.contains("Office"), "{kept:?}");

    let drift = apply(&installation, LESS, &["--prune", "--dry-run"]);
    assert_eq!(drift.code, 0, "{drift:?}");
    insta::assert_snapshot!("apply_prune", drift.stdout);
    let names = || -> Vec<String> {
        let all = sources(&installation);
        all.as_array().unwrap().iter().map(|source| source["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(), ["Billing", "Directory", "IdentityNow", "Wiki"], "a dry run wrote");
    let done = json(&apply(&installation, LESS, &["--prune", "--json"]));
    let removed = |kind: &str, name: &str| serde_json::json!({ "kind": kind, "name": name });
    let expected = [
        removed("sync group", "Office"),
        removed("application", "Invoices"),
        removed("source", "Wiki"),
        removed("password policy", "Staff"),
        removed("client", "Portal"),
    ];
    assert_eq!(done["removed"].as_array().unwrap(), &expected);
    assert_eq!(names(), ["Billing", "Directory", "IdentityNow"]);
    let again = apply(&installation, LESS, &["--prune"]);
    assert_eq!(again.stdout, "There is nothing to change.\n");
}

#[test]
fn a_kind_of_which_the_file_names_none_is_left_alone() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    let people = "[[identity]]\nalias = \"Carla.Diaz\"\n";
    let done = json(&apply(&installation, people, &["--prune", "--json"]));
    assert_eq!((&done["removed"], &done["created"][0]["name"]), (&serde_json::json!([]), &"Carla.Diaz".into()));
}

#[test]
fn what_others_need_is_not_removed_and_nothing_else_is() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    // Abby has an account on Billing, Invoices stands for it, Office has it and needs Staff.
    let one = "[[source]]\nname = \"Wiki\"\n[[password-policy]]\nname = \"Guests\"\n";
    let ran = apply(&installation, one, &["--prune"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let expected = [
        "the source \"Billing\" is not in this file and cannot be removed: the sync group \"Office\" has it; the \
         application \"Invoices\" stands for it; it has 1 accounts of people",
        "the source \"Directory\" is not in this file and cannot be removed: the sync group \"Office\" has it; it has 1 \
         accounts of people",
        "the password policy \"Staff\" is not in this file and cannot be removed: the sync group \"Office\" has it; the \
         source \"Wiki\" names it",
    ];
    for text in expected {
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
    }
    assert!(ran.stderr.ends_with("Nothing was changed.\n"), "{}", ran.stderr);
    assert_eq!(sources(&installation).as_array().unwrap().len(), 4);
}

#[test]
fn what_the_same_file_puts_on_a_source_keeps_it() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    // Nobody has anything on the wiki yet.
    let file = "[[source]]\nname = \"Billing\"\n[[source]]\nname = \"Directory\"\n[[identity]]\nalias = \"Bruno.Keller\"\n\
                [[identity.account]]\nsource = \"Wiki\"\nnative-id = \"bruno\"\n";
    for more in [&["--prune", "--dry-run"][..], &["--prune"]] {
        let ran = apply(&installation, file, more);
        assert!(ran.code == 1 && ran.stderr.contains("\"Wiki\" is not in this file"), "{ran:?}");
        assert!(ran.stderr.contains("1 accounts of people"), "{ran:?}");
    }
    // What is built in counts for no kind.
    let file = "[[source]]\nname = \"IdentityNow\"\n[[password-policy]]\nname = \"Default\"\n";
    assert_eq!(apply(&installation, file, &["--prune"]).stdout, "There is nothing to change.\n");
}

#[test]
fn the_policy_of_a_group_that_goes_binds_on_its_members() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    let file = "[[sync-group]]\nname = \"Archive\"\npolicy = \"Staff\"\nsources = [\"Directory\", \"Wiki\"]\n";
    let done = json(&apply(&installation, file, &["--prune", "--json"]));
    assert_eq!(done["removed"][0]["name"], "Office", "{done}");
    let exported = installation.run(&["export", "settings"]).stdout;
    let billing = exported.split("[[source]]").find(|part| part.contains("\"Billing\"")).expect("Billing");
    assert!(billing.contains("Staff"), "{billing}");
}

#[test]
fn an_account_of_one_person_that_is_listed_under_another_goes_over_once() {
    let installation = installation();
    json(&apply(&installation, STATE, &["--json"]));
    let taken =
        "[[identity]]\nalias = \"Bruno.Keller\"\n[[identity.account]]\nsource = \"Billing\"\nnative-id = \"abby\"\n";
    let done = json(&apply(&installation, taken, &["--json"]));
    assert_eq!(done["changed"][0]["fields"], serde_json::json!(["identity"]), "{done}");
    assert_eq!(apply(&installation, taken, &[]).stdout, "There is nothing to change.\n", "it is on its way");

    let same_dn = "[[identity]]\nalias = \"Bruno.Keller\"\n[[identity.account]]\nsource = \"Directory\"\n\
                   native-id = \"UID=abby, ou=people,dc=example,dc=test\"\nstable-id = \"other\"\n";
    let ran = apply(&installation, same_dn, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("state.toml:5:") && ran.stderr.contains("another account"), "{}", ran.stderr);
}

#[test]
fn the_built_in_source_takes_policies_and_no_connector() {
    let installation = installation();
    let policies = "[[source]]\nname = \"IdentityNow\"\npolicies = [{ policy = \"Default\" }]\n";
    let done = json(&apply(&installation, policies, &["--json"]));
    assert_eq!(done["changed"][0]["fields"], serde_json::json!(["policies"]));
    let connector = "[[source]]\nname = \"IdentityNow\"\nconnector = \"sql\"\n";
    let ran = apply(&installation, connector, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("built in"), "{}", ran.stderr);
    let account = "[[identity]]\nalias = \"x\"\n[[identity.account]]\nsource = \"IdentityNow\"\nnative-id = \"x\"\n";
    let ran = apply(&installation, account, &[]);
    assert!(ran.stderr.contains("is made with the identity"), "{}", ran.stderr);
}

#[test]
fn ten_thousand_people_are_a_matter_of_seconds() {
    let installation = installation();
    let mut text = STATE.to_owned();
    for number in 0..10_000 {
        text.push_str(&format!(
            "[[identity]]\nalias = \"user{number:05}\"\n[[identity.account]]\nsource = \"Billing\"\n\
             native-id = \"u{number}\"\n[[identity.account]]\nsource = \"Wiki\"\nnative-id = \"u{number}\"\n"
        ));
    }
    let started = Instant::now();
    let done = json(&apply(&installation, &text, &["--json"]));
    let first = started.elapsed();
    assert!(done["created"].as_array().unwrap().len() > 30_000);
    let started = Instant::now();
    let again = apply(&installation, &text, &[]);
    let second = started.elapsed();
    assert_eq!(again.stdout, "There is nothing to change.\n", "{}", again.stderr);
    eprintln!("10,000 people with two accounts each: applied in {first:?}, compared in {second:?}");
    // An unoptimised build on a busy machine: a release build takes a fraction, something quadratic much more.
    assert!(first < Duration::from_secs(120) && second < Duration::from_secs(60), "{first:?}, {second:?}");
}

#[test]
fn an_application_has_the_icon_of_the_file_and_loses_it_where_that_is_said() {
    let installation = installation();
    let state = |icon: &str| {
        format!("[[application]]\nname = \"Portal\"\nsource = \"IdentityNow\"\nicon = {{ file = \"{icon}\" }}\n")
    };
    installation.write("portal.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    let done = |icon: &str| json(&apply(&installation, &state(icon), &["--json"]));
    assert_eq!(done("portal.svg")["created"].as_array().expect("a list").len(), 1);
    assert_eq!(done("portal.svg")["changed"].as_array().expect("a list").len(), 0, "applied again it changes nothing");
    let exported = installation.run(&["export", "settings"]).stdout;
    assert!(exported.contains("# icon = "), "{exported}");
    installation.write("portal.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><g/></svg>");
    for (icon, changed) in [("portal.svg", 1), ("", 1), ("", 0)] {
        let told = done(icon)["changed"].clone();
        assert_eq!(told.as_array().expect("a list").len(), changed, "{icon}: {told}");
        assert!(changed == 0 || told.to_string().contains("icon"), "{told}");
    }
    installation.write("big.svg", &format!("<svg>{}</svg>", " ".repeat(16 * 1024)));
    installation.write("page.html", "<html></html>");
    for wrong in ["big.svg", "page.html", "missing.svg"] {
        let ran = apply(&installation, &state(wrong), &[]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("state.toml:4:8: ") && ran.stderr.contains(wrong), "{}", ran.stderr);
    }
}
