//! The official SDKs, unmodified, against a running Lockstep that changes a password in a real directory.
//!
//! The programs are in `xtask/sdk`, one a language. Each does the four operations and checks the answers; what it
//! cannot know, whether the password really works, is checked here by signing in to slapd with OpenLDAP's own client.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

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

/// Changes one person's password through one SDK, and asks the directory what became of it.
pub(crate) fn run(sdk: Sdk, bench: &Bench<'_>, log: &Path) -> Result<()> {
    let mut program = program(sdk, bench, log)?;
    let person = match sdk {
        Sdk::Python142 => PEOPLE[0],
        Sdk::PythonLatest => PEOPLE[1],
        Sdk::Typescript => PEOPLE[2],
        Sdk::Go => PEOPLE[3],
    };
    let old_password = person.replace("user", "Initial-");
    let new_password = format!("Lockstep-{person}-n3w");

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
    finished(&output, person)?;

    let refused = sign_in(person, &old_password, bench, log)?;
    ensure!(refused == Some(INVALID_CREDENTIALS), "a sign-in with the old password ended with {refused:?}, not 49");
    let accepted = sign_in(person, &new_password, bench, log)?;
    ensure!(accepted == Some(0), "a sign-in with the new password ended with {accepted:?}");
    Ok(())
}

/// The program's command, compiled where the language needs that.
fn program(sdk: Sdk, bench: &Bench<'_>, log: &Path) -> Result<Command> {
    let sources = bench.paths.root.join("xtask/sdk");
    let tools = &bench.paths.tools;
    let python = |environment: &str, file: &str| {
        let mut command = Command::new(tools.join(environment).join("bin/python"));
        // "-B": no bytecode beside the sources.
        command.arg("-B").arg(sources.join("python").join(file));
        command
    };
    Ok(match sdk {
        Sdk::Python142 => python("venv-142", "change_v2024.py"),
        Sdk::PythonLatest => python("venv-latest", "change_v1.py"),
        Sdk::Typescript => {
            let folder = tools.join("node");
            for name in ["change.ts", "tsconfig.json"] {
                fs::copy(sources.join("typescript").join(name), folder.join(name))?;
            }
            process::run(Command::new("npm").args(["run", "build"]).current_dir(&folder), log, bench.stop)?;
            let mut command = Command::new("node");
            command.arg(folder.join("dist/change.js"));
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
fn finished(output: &str, person: &str) -> Result<()> {
    let line = output.lines().last().context("the SDK's program printed nothing")?;
    let result: serde_json::Value = serde_json::from_str(line).context("the SDK's program printed no JSON")?;
    ensure!(result["state"] == "FINISHED", "the change ended as {}", result["state"]);
    ensure!(result["accountId"] == Slapd::person(person), "the account was {}", result["accountId"]);
    match result["sourceIds"].as_array().map(Vec::len) {
        Some(1) => Ok(()),
        count => bail!("the status names {count:?} sources, expected one"),
    }
}

/// The exit code of a sign-in over TLS; the password goes through a file that only we can read.
fn sign_in(person: &str, password: &str, bench: &Bench<'_>, log: &Path) -> Result<Option<i32>> {
    let slapd = &bench.servers()?.slapd;
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
        assert!(finished(&line("FINISHED", "user00142"), "user00142").is_ok());
        assert!(finished(&line("FAILED", "user00142"), "user00142").is_err());
        assert!(finished(&line("FINISHED", "user00143"), "user00142").is_err());
        assert!(finished("", "user00142").is_err());
    }
}
