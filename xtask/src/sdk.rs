//! The official SDKs, unmodified, against a running Lockstep that changes a password in real systems.
//!
//! The programs are in `xtask/sdk`, two a language: one does the four operations at a server that is set up, the other sets
//! an empty one up first. Each checks the answers; what it cannot know, whether the password really works, is checked
//! here by signing in to slapd with OpenLDAP's own client, and by asking PostgreSQL's pgcrypto.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::lockstep::{Lockstep, PEOPLE, SOURCE};
use crate::process;
use crate::servers::Slapd;
use crate::steps::Bench;

/// LDAP's invalidCredentials (RFC 4511, 4.1.9), which `ldapwhoami` ends with.
const INVALID_CREDENTIALS: i32 = 49;

/// An SDK.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sdk {
    Python142,
    PythonLatest,
    Typescript,
    Go,
}

impl Sdk {
    /// Each has people of its own, so that steps do not meet.
    fn number(self) -> usize {
        match self {
            Self::Python142 => 0,
            Self::PythonLatest => 1,
            Self::Typescript => 2,
            Self::Go => 3,
        }
    }
}

/// Changes one person's password through one SDK, and asks the directory what became of it.
pub(crate) fn run(sdk: Sdk, bench: &Bench<'_>, log: &Path) -> Result<()> {
    let person = PEOPLE[sdk.number()];
    let new_password = format!("Lockstep-{person}-n3w");
    let mut program = program(sdk, "change", bench, log)?;
    let lockstep = Lockstep::start(bench, log)?;
    program
        .env("SAIL_BASE_URL", &lockstep.base_url)
        .env("SAIL_CLIENT_ID", lockstep.client_id)
        .env("SAIL_CLIENT_SECRET", lockstep.client_secret)
        .env("LOCKSTEP_TEST_USER", person)
        .env("LOCKSTEP_TEST_SOURCE", SOURCE)
        .env("LOCKSTEP_TEST_NEW_PASSWORD", &new_password);
    let (status, output) = process::run_for_output(&mut program, log, bench.stop)?;
    ensure!(status.success(), "the SDK's program ended with {status}");
    finished(&output, person, 1)?;
    signs_in(&bench.servers()?.slapd, person, &new_password, bench, log)
}

/// Sets an empty server up through one SDK, from its first administrator's token to a password that is changed in a directory
/// and in an application's table, and asks both what became of it.
pub(crate) fn administer(sdk: Sdk, bench: &Bench<'_>, log: &Path) -> Result<()> {
    const TEN: std::ops::Range<usize> = 0..10;
    // The last of ten people of the directory whom nobody else uses: user0850N, user0851N, user0852N.
    let uid = |number| format!("user085{}{number}", sdk.number());
    let person = uid(9);
    let new_password = format!("Lockstep-{person}-n3w");
    let (slapd, postgres) = (&bench.servers()?.slapd, &bench.servers()?.postgres);
    let database = format!("intranet_{}", sdk.number());
    postgres.ask("postgres", &format!("CREATE DATABASE {database};"), log, bench.stop)?;
    let rows: Vec<String> = TEN.map(|number| format!("({number}, '{}', NULL)", uid(number))).collect();
    let table = format!(
        "CREATE EXTENSION pgcrypto; CREATE TABLE users (id bigint PRIMARY KEY, login text UNIQUE, password_hash text); \
         INSERT INTO users VALUES {};",
        rows.join(", ")
    );
    postgres.ask(&database, &table, log, bench.stop)?;

    let directory = json!({
        "name": SOURCE,
        "connector": "ldap",
        "attributes": {
            "url": slapd.ldaps_url,
            "ca_file": slapd.authority(),
            "bind_dn": "cn=svc,dc=example,dc=test",
            "password": "svcsecret",
            "accounts": { "base": "ou=people,dc=example,dc=test", "filter": format!("(uid=user085{}*)", sdk.number()) },
        },
        "aggregation": {
            "authoritative": true,
            "correlation": [{ "account": "uid", "identity": "alias" }],
            "mapping": { "alias": "uid", "display-name": "cn", "email": "mail" },
            "every": "1h",
        },
        "accounts": TEN.len(),
    });
    let (url, secret) = postgres.address(&database);
    let table = json!({
        "name": "Intranet",
        "connector": "sql",
        "attributes": {
            "url": url,
            "password": secret,
            "hash": "bcrypt",
            // The form that pgcrypto reads.
            "hash_prefix": "2a",
            "hash_cost": 4,
            "statement": "UPDATE users SET password_hash = :hash WHERE login = :account",
            "verify": "SELECT password_hash FROM users WHERE login = :account",
            "accounts": { "statement": "SELECT id AS stable_id, login AS account FROM users" },
        },
        "aggregation": { "correlation": [{ "account": "native-id", "identity": "alias" }] },
        "accounts": TEN.len(),
    });

    let mut program = program(sdk, "administer", bench, log)?;
    let lockstep = Lockstep::empty(bench, log)?;
    let (id, secret) = lockstep.personal_access_token(bench, log, "admin")?;
    program
        .env("SAIL_BASE_URL", &lockstep.base_url)
        .env("SAIL_CLIENT_ID", id)
        .env("SAIL_CLIENT_SECRET", secret)
        .env("LOCKSTEP_TEST_USER", &person)
        .env("LOCKSTEP_TEST_DIRECTORY", directory.to_string())
        .env("LOCKSTEP_TEST_TABLE", table.to_string())
        .env("LOCKSTEP_TEST_NEW_PASSWORD", &new_password);
    let (status, output) = process::run_for_output(&mut program, log, bench.stop)?;
    ensure!(status.success(), "the SDK's program ended with {status}");
    finished(&output, &person, 2)?;
    signs_in(slapd, &person, &new_password, bench, log)?;
    let written = format!("SELECT login FROM users WHERE password_hash = crypt('{new_password}', password_hash);");
    let who = postgres.ask(&database, &written, log, bench.stop)?;
    ensure!(who.trim() == person, "in the table the new password is that of {who:?}");
    Ok(())
}

/// The command of one of the two programs, compiled where the language needs that.
fn program(sdk: Sdk, name: &str, bench: &Bench<'_>, log: &Path) -> Result<Command> {
    let sources = bench.paths.root.join("xtask/sdk");
    let tools = &bench.paths.tools;
    let python = |environment: &str, line: &str| {
        let mut command = Command::new(tools.join(environment).join("bin/python"));
        // "-B": no bytecode beside the sources.
        command.arg("-B").arg(sources.join("python").join(format!("{name}_{line}.py")));
        command
    };
    Ok(match sdk {
        Sdk::Python142 => python("venv-142", "v2024"),
        Sdk::PythonLatest => python("venv-latest", "v1"),
        Sdk::Typescript => {
            let folder = tools.join("node");
            for file in ["administer.ts", "change.ts", "passwords.ts", "tsconfig.json"] {
                fs::copy(sources.join("typescript").join(file), folder.join(file))?;
            }
            process::run(Command::new("npm").args(["run", "build"]).current_dir(&folder), log, bench.stop)?;
            let mut command = Command::new("node");
            command.arg(folder.join("dist").join(format!("{name}.js")));
            command
        }
        Sdk::Go => {
            let binary = bench.paths.program("sdk-go");
            let mut build = Command::new("go");
            build.args(["build", "-mod=readonly", "-buildvcs=false", "-o"]).arg(&binary).arg(".");
            process::run(build.current_dir(sources.join("go")), log, bench.stop)?;
            Command::new(binary)
        }
    })
}

/// The program prints one line of JSON; an SDK may print lines of its own before it.
fn finished(output: &str, person: &str, sources: usize) -> Result<()> {
    let line = output.lines().last().context("the SDK's program printed nothing")?;
    let result: serde_json::Value = serde_json::from_str(line).context("the SDK's program printed no JSON")?;
    ensure!(result["state"] == "FINISHED", "the change ended as {}", result["state"]);
    ensure!(result["accountId"] == Slapd::person(person), "the account was {}", result["accountId"]);
    match result["sourceIds"].as_array().map(Vec::len) {
        Some(count) if count == sources => Ok(()),
        count => bail!("the status names {count:?} sources, expected {sources}"),
    }
}

/// The directory takes the new password and not the one before.
pub(crate) fn signs_in(slapd: &Slapd, person: &str, new_password: &str, bench: &Bench<'_>, log: &Path) -> Result<()> {
    let refused = sign_in(slapd, person, &person.replace("user", "Initial-"), bench, log)?;
    ensure!(refused == Some(INVALID_CREDENTIALS), "a sign-in with the old password ended with {refused:?}, not 49");
    let accepted = sign_in(slapd, person, new_password, bench, log)?;
    ensure!(accepted == Some(0), "a sign-in with the new password ended with {accepted:?}");
    Ok(())
}

/// The exit code of a sign-in over TLS; the password goes through a file that only we can read.
fn sign_in(slapd: &Slapd, person: &str, password: &str, bench: &Bench<'_>, log: &Path) -> Result<Option<i32>> {
    let mut file = tempfile::NamedTempFile::new().context("creating a password file")?;
    file.write_all(password.as_bytes())?;
    let mut command = Command::new("ldapwhoami");
    command
        .args(["-x", "-H", &slapd.ldaps_url, "-D", &Slapd::person(person), "-y"])
        .arg(file.path())
        .env("LDAPTLS_CACERT", slapd.authority());
    let (status, _who) = process::run_for_output(&mut command, log, bench.stop)?;
    Ok(status.code())
}

#[cfg(test)]
mod tests {
    use super::finished;

    #[test]
    fn only_a_finished_change_of_the_right_account_counts() {
        let line = |state: &str, uid: &str| {
            format!(
                r#"a line of the SDK's own
{{"state":"{state}","accountId":"uid={uid},ou=people,dc=example,dc=test","sourceIds":["a"]}}"#
            )
        };
        assert!(finished(&line("FINISHED", "user00142"), "user00142", 1).is_ok());
        assert!(finished(&line("FINISHED", "user00142"), "user00142", 2).is_err());
        assert!(finished(&line("FAILED", "user00142"), "user00142", 1).is_err());
        assert!(finished(&line("FINISHED", "user00143"), "user00142", 1).is_err());
        assert!(finished("", "user00142", 1).is_err());
    }
}
