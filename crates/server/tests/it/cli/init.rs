//! A new installation, and configurations that cannot be read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Installation, lockstep};

#[test]
fn init_makes_what_every_other_command_needs() {
    let installation = Installation::new();
    let mode = |name: &str| fs::metadata(installation.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("master.key"), 0o600);
    assert_eq!(mode("lockstep.db") & 0o077, 0);

    let migrated = installation.run(&["migrate"]);
    assert_eq!((migrated.code, migrated.stderr.as_str()), (0, ""));
    let status = installation.run(&["status", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(report["orphanedBuckets"], 256);
    assert_eq!(report["queue"]["unfinished"], 0);
    assert_eq!(report["sources"][0]["name"], "IdentityNow");
    let words = installation.run(&["status"]).stdout;
    assert!(words.contains("256 of 256 buckets") && words.contains("IdentityNow (built-in)"), "{words}");
}

#[test]
fn keys_are_listed_and_rotated_without_their_secrets() {
    let installation = Installation::new();
    let before: serde_json::Value = serde_json::from_str(&installation.run(&["keys", "--json"]).stdout).unwrap();
    assert_eq!(before["transportKeys"].as_array().unwrap().len(), 0);
    assert!(before["dataKeys"].as_array().unwrap().len() >= 4, "{before}");

    let rotated = installation.run(&["keys", "rotate-transport"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let listed = installation.run(&["keys"]).stdout;
    let id = rotated.stdout.lines().next().unwrap().trim_end_matches('.').rsplit(' ').next().unwrap();
    assert!(listed.contains(id) && listed.contains("published"), "{listed}");

    // A key that is younger than an hour is not replaced: whoever may ask could otherwise keep the server at it.
    let again = installation.run(&["keys", "rotate-transport"]);
    assert_eq!(again.code, 1, "{again:?}");
}

#[test]
fn init_overwrites_nothing() {
    let installation = Installation::new();
    let files = ["lockstep.toml", "master.key", "lockstep.db"];
    let contents = || files.map(|name| fs::read(installation.path().join(name)).unwrap());
    let before = contents();
    let again = installation.run(&["init", "--data", "."]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("lockstep.toml exists already"), "{}", again.stderr);
    assert!(before == contents());

    fs::remove_file(installation.path().join("lockstep.toml")).unwrap();
    let again = installation.run(&["init", "--data", "."]);
    assert!(again.stderr.contains("master.key exists already"), "{}", again.stderr);
    assert!(!installation.path().join("lockstep.toml").exists(), "half an installation was made");
}

#[test]
fn what_a_configuration_names_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[store]\nurl = \"sqlite:own.db\"\n[master-key]\nfile = \"own.key\"\n";
    fs::write(folder.path().join("lockstep.toml"), config).unwrap();
    let made = lockstep(folder.path(), &["init"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stdout.contains("Made own.key\nMade own.db\n"), "{made:?}");
    assert_eq!(fs::metadata(folder.path().join("own.key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(lockstep(folder.path(), &["status"]).code, 0);
    let key = fs::read(folder.path().join("own.key")).unwrap();
    let again = lockstep(folder.path(), &["init"]);
    assert!(again.code == 1 && again.stderr.contains("own.key exists already"), "{again:?}");
    assert_eq!(fs::read(folder.path().join("own.key")).unwrap(), key);

    // What cannot be made leaves nothing behind that would stop the next attempt.
    fs::write(
        folder.path().join("lockstep.toml"),
        config.replace("own", "none/own").replace("none/own.key", "new.key"),
    )
    .unwrap();
    let failed = lockstep(folder.path(), &["init"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(!folder.path().join("new.key").exists());
}

#[test]
fn a_wrong_configuration_is_named_with_file_line_and_cause() {
    let installation = Installation::new();
    let good = fs::read_to_string(installation.path().join("lockstep.toml")).unwrap();
    let line_of = |text: &str, part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    for (text, part, expected) in [
        (good.replace("[store]", "[store]\nurll = 1"), "urll", &["unknown field `urll`"][..]),
        (good.replace("listen = ", "listen = 5 #"), "listen = 5", &["listen"]),
        (format!("{good}\n[log]\nformat = \"xml\"\n"), "xml", &["xml", "text"]),
        (format!("{good}\n]"), "\n]", &[]),
    ] {
        installation.write("wrong.toml", &text);
        let ran = installation.run(&["--config", "wrong.toml", "status"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let line = if part.starts_with('\n') { text.lines().count() } else { line_of(&text, part) };
        assert!(ran.stderr.contains("wrong.toml"), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("line {line}")), "line {line}: {}", ran.stderr);
        assert!(expected.iter().all(|word| ran.stderr.contains(word)), "{expected:?}: {}", ran.stderr);
    }

    installation.write("wrong.toml", &format!("{good}\n[transport-keys]\nbits = 1024\n"));
    let ran = installation.run(&["--config", "wrong.toml", "status"]);
    assert!(ran.stderr.contains("transport-keys.bits"), "{}", ran.stderr);
}

#[test]
fn a_missing_configuration_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let ran = lockstep(folder.path(), &["status"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("lockstep init") && ran.stderr.contains("--config"), "{}", ran.stderr);
    let ran = lockstep(folder.path(), &["--config", "no.toml", "status"]);
    assert!(ran.stderr.contains("no.toml"), "{}", ran.stderr);
}

#[test]
fn a_master_key_that_others_may_read_is_refused() {
    let installation = Installation::new();
    let key = installation.path().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = installation.run(&["status"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("chmod 600"), "{}", ran.stderr);
}

#[test]
fn the_first_administrator_gets_a_link_and_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let made = lockstep(folder.path(), &["init", "--data", ".", "--admin", "Ada \"the\" Admin"]);
    assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made:?}");
    let code = |printed: &str| {
        let (_, rest) = printed.split_once("  http://127.0.0.1:8080/enrol#").expect("a link");
        rest.split_whitespace().next().expect("a code").to_owned()
    };
    let first = code(&made.stdout);
    assert_eq!(first.len(), 43);

    let run = |arguments: &[&str]| lockstep(folder.path(), &[&["--config", "lockstep.toml"], arguments].concat());
    let again = run(&["enrol", "ada \"THE\" admin"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_ne!(code(&again.stdout), first);
    let nobody = run(&["enrol", "Nobody"]);
    assert_eq!((nobody.code, nobody.stderr.as_str()), (1, "error: no link for Nobody: there is no such identity\n"));
    let database = fs::read(folder.path().join("lockstep.db")).unwrap();
    let holds = |text: &str| database.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!holds(&first) && holds("ORG_ADMIN"));

    let arguments =
        ["token", "--identity", "Ada \"the\" Admin", "--name", "script", "--scope", "idn:password-info:read"];
    let drawn = run(&arguments);
    assert_eq!(drawn.code, 0, "{drawn:?}");
    let words: Vec<&str> = drawn.stdout.split_whitespace().collect();
    assert!(matches!(words[..], ["id", id, "secret", secret] if id.len() == 32 && secret.len() == 64), "{words:?}");
    let twice = run(&arguments);
    assert!(twice.code == 1 && twice.stderr.contains("another name"), "{twice:?}");
    let unknown = run(&["token", "--identity", "Nobody", "--name", "x"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("there is no identity"), "{unknown:?}");
}
