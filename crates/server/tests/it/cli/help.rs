//! Help, completions and wrong arguments.

use super::lockstep;

const COMMANDS: [&str; 19] = [
    "serve",
    "worker",
    "init",
    "demo",
    "migrate",
    "apply",
    "import",
    "export",
    "enrol",
    "token",
    "aggregate",
    "change-password",
    "status",
    "doctor",
    "keys",
    "backup",
    "restored",
    "openapi",
    "completions",
];

fn here(arguments: &[&str]) -> super::Ran {
    let folder = tempfile::tempdir().expect("a folder");
    lockstep(folder.path(), arguments)
}

#[test]
fn every_command_explains_itself() {
    let top = here(&["--help"]);
    assert_eq!(top.code, 0);
    let mut reference = top.stdout;
    for command in COMMANDS {
        assert!(reference.contains(&format!("\n  {command} ")), "{command} is not in the list");
        let help = here(&[command, "--help"]);
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command}");
        reference.push_str(&format!("\n======== {command} --help ========\n\n{}", help.stdout));
    }
    for (command, noun) in [
        ("import", "identities"),
        ("import", "accounts"),
        ("export", "identities"),
        ("export", "accounts"),
        ("export", "settings"),
        ("export", "all"),
    ] {
        let help = here(&[command, noun, "--help"]);
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command} {noun}");
        reference.push_str(&format!("\n======== {command} {noun} --help ========\n\n{}", help.stdout));
    }
    insta::assert_snapshot!("command_line_reference", reference);
}

#[test]
fn wrong_arguments_end_with_code_2() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["serve", "--port", "1"],
        &["serve", "--listen", "nowhere"],
        &["apply"],
        &["aggregate"],
        &["aggregate", "HR", "--accept-deletes", "all"],
        &["init"],
        &["import"],
        &["import", "identities"],
        &["import", "identities", "people"],
        &["import", "identities", "-"],
        &["import", "identities", "people.csv", "--delimiter", "ab"],
        &["import", "identities", "people.csv", "--map", "alias"],
        &["import", "identities", "people.csv", "--source", "Billing"],
        &["export", "tokens"],
        &["export", "identities", "--format", "ldif"],
        &["export", "all"],
        &["completions", "tcsh-on-mars"],
        &["change-password", "--user", "Abby.Smith"],
        &["change-password", "--user", "a", "--base-url", "http://[::1]:1", "--client-id", "c", "--password", "x"],
        &["change-password", "--user", "a", "--base-url", "http://[::1]:1", "--client-id", "c", "--timeout", "soon"],
        // The secret is missing from the environment.
        &["change-password", "--user", "a", "--base-url", "http://[::1]:1", "--client-id", "c"],
    ] {
        let ran = here(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = here(&["completions", shell]);
        assert_eq!(script.code, 0, "{shell}");
        for command in COMMANDS {
            assert!(script.stdout.contains(command), "{shell} does not know {command}");
        }
    }
}

#[test]
fn the_openapi_document_needs_no_installation() {
    let printed = here(&["openapi"]);
    assert_eq!(printed.code, 0, "{printed:?}");
    let document: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert!(document["paths"]["/v2024/set-password"]["post"].is_object());
}

#[test]
fn output_that_nobody_reads_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_lockstep");
    let shell = format!("'{program}' openapi | head -n 1");
    let ran = super::ran(std::process::Command::new("sh").arg("-c").arg(shell).current_dir(&folder).output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "{\n", ""));
}
