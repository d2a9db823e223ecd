//! `lockstep change-password`: a client of any server that speaks the contract, this one or another.
//!
//! It makes the four calls that every program makes (token, what to encrypt with, the change, its status) and knows
//! nothing of the server's insides: no configuration file, no database. The password comes from a prompt or from
//! standard input, is encrypted here, and is never an argument, an environment variable or part of any output.

mod secret_input;
mod session;

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use zeroize::Zeroizing;

use super::{Exit, print};
use session::{Account, Info, Session, Status};

/// The variable that holds the client's secret.
const SECRET_VARIABLE: &str = "SAIL_CLIENT_SECRET";

/// How often the status is asked for: quickly at first, since most changes take less than a second.
const POLL: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(300), Duration::from_millis(500), Duration::from_secs(1)];

/// Change somebody's password on a running server
///
/// Signs in with SAIL_CLIENT_ID and SAIL_CLIENT_SECRET at SAIL_BASE_URL, encrypts the new password with the server's
/// transport key, sends it, and follows the change until every system of its password group has it. The password is
/// asked for twice, or read from standard input with --stdin; it cannot be given as an argument.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  export SAIL_BASE_URL=http://127.0.0.1:8080 SAIL_CLIENT_ID=... SAIL_CLIENT_SECRET=...
  lockstep change-password --user Abby.Smith --source Billing
  pass show billing/abby | lockstep change-password --user Abby.Smith --source Billing --stdin

Exit codes:
  0  every system has the new password
  1  the change was not accepted, or the server cannot be reached
  2  wrong arguments
  3  the change failed: the lines say which systems have the new password and which do not
  4  still in progress when the time was over; the server keeps trying")]
pub(super) struct ChangePassword {
    /// Whose password: the login name
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The source it is for; without this the password people sign in to Lockstep with
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The account on that source, where the person has several there
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    stdin: bool,
    /// How long to follow the change, such as 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::duration)]
    timeout: Duration,
    /// The server's address
    #[arg(long, value_name = "URL", env = "SAIL_BASE_URL")]
    base_url: String,
    /// The API client or personal access token to sign in with; its secret is in SAIL_CLIENT_SECRET
    #[arg(long, value_name = "ID", env = "SAIL_CLIENT_ID")]
    client_id: String,
}

/// Runs the command.
pub(super) async fn run(arguments: ChangePassword) -> Result<Exit> {
    let Ok(secret) = std::env::var(SECRET_VARIABLE).map(Zeroizing::new) else {
        eprintln!("error: {SECRET_VARIABLE} is not set\n\nIt is the secret of the client {}.", arguments.client_id);
        return Ok(Exit::Usage);
    };
    let session = Session::sign_in(&arguments.base_url, &arguments.client_id, &secret).await?;
    let info = session.info(&arguments.user, arguments.source.as_deref()).await?;
    let account = choose(&info, &arguments)?;
    for policy in &info.policies {
        eprintln!("  {policy}");
    }
    let password = if arguments.stdin { secret_input::from_stdin()? } else { secret_input::from_prompt()? };
    let encrypted = session::encrypt(&info.public_key, &password)?;
    drop(password);

    let Some(request) = session.set(&info, account, &encrypted).await? else {
        print::line("There is nothing to change.")?;
        return Ok(Exit::Done);
    };
    print::line(format_args!("The change {request} is accepted."))?;
    follow(&session, &request, &info, &arguments).await
}

/// The one account, or the named one.
fn choose<'a>(info: &'a Info, arguments: &ChangePassword) -> Result<&'a Account> {
    let place = arguments.source.as_deref().unwrap_or("the built-in source");
    let list = || info.accounts.iter().map(|account| format!("  {}", account.id)).collect::<Vec<_>>().join("\n");
    if let Some(wanted) = &arguments.account {
        let found = info.accounts.iter().find(|account| account.id == *wanted);
        return found
            .with_context(|| format!("{} has no account {wanted} on {place}, but\n{}", arguments.user, list()));
    }
    match info.accounts.as_slice() {
        [only] => Ok(only),
        [] => bail!("{} has no account on {place}", arguments.user),
        _ => bail!("{} has several accounts on {place}; choose one with --account:\n{}", arguments.user, list()),
    }
}

/// Asks for the status until it is final or the time is over. A server that cannot be reached for a moment has not
/// lost the change: it is asked again.
async fn follow(session: &Session, request: &str, info: &Info, arguments: &ChangePassword) -> Result<Exit> {
    let name = |id: &str| match &arguments.source {
        Some(name) if id == info.source_id => name.clone(),
        None if id == info.source_id => "the sign-in password".to_owned(),
        _ => format!("source {id}"),
    };
    let started = Instant::now();
    let live = std::io::stderr().is_terminal();
    let mut shown = BTreeSet::new();
    let mut poll = POLL.iter();
    let mut pause = POLL[0];
    loop {
        let answer = session.status(request).await;
        if live {
            eprint!("\r\x1b[K");
        }
        match answer {
            Ok(status) if status.is_final() => return conclude(&status, name),
            Ok(status) => {
                for source in status.source_ids.iter().filter(|source| shown.insert((*source).clone())) {
                    print::line(format_args!("  {}: on its way", name(source)))?;
                }
            }
            Err(error) if !session::is_passing(&error) => return Err(error),
            Err(error) => eprintln!("warning: {error:#}; asking again"),
        }
        if started.elapsed() >= arguments.timeout {
            print::line(format_args!(
                "Still in progress after {} s. The server keeps trying; ask for the change {request} later.",
                started.elapsed().as_secs()
            ))?;
            return Ok(Exit::InProgress);
        }
        if live {
            eprint!("  in progress, {} s", started.elapsed().as_secs());
            std::io::stderr().flush()?;
        }
        pause = poll.next().copied().unwrap_or(pause);
        tokio::time::sleep(pause.min(arguments.timeout.saturating_sub(started.elapsed()))).await;
    }
}

/// The last lines: one a source, or one an error.
fn conclude(status: &Status, name: impl Fn(&str) -> String) -> Result<Exit> {
    if status.state == Status::FINISHED {
        for source in &status.source_ids {
            print::line(format_args!("  {}: has the new password", name(source)))?;
        }
        print::line("The password is changed.")?;
        return Ok(Exit::Done);
    }
    for error in &status.errors {
        print::line(format_args!("  {error}"))?;
    }
    print::line("The change failed.")?;
    Ok(Exit::Unmet)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Harness {
        #[command(flatten)]
        command: ChangePassword,
    }

    fn arguments(more: &[&str]) -> ChangePassword {
        let mut line = vec!["x", "--user", "Abby.Smith", "--base-url", "http://[::1]:1", "--client-id", "c"];
        line.extend(more);
        Harness::try_parse_from(line).unwrap().command
    }

    fn info(accounts: &[&str]) -> Info {
        Info {
            identity_id: "i".to_owned(),
            source_id: "s".to_owned(),
            public_key_id: "k".to_owned(),
            public_key: String::new(),
            accounts: accounts.iter().map(|id| Account { id: (*id).to_owned() }).collect(),
            policies: vec![],
        }
    }

    #[test]
    fn the_only_account_is_taken_and_several_are_listed() {
        assert_eq!(choose(&info(&["a"]), &arguments(&[])).unwrap().id, "a");
        assert_eq!(choose(&info(&["a", "b"]), &arguments(&["--account", "b"])).unwrap().id, "b");
        let several = choose(&info(&["a", "b"]), &arguments(&[])).unwrap_err().to_string();
        assert!(several.contains("--account") && several.contains("\n  a\n  b"), "{several}");
        let none = choose(&info(&[]), &arguments(&["--source", "Billing"])).unwrap_err().to_string();
        assert_eq!(none, "Abby.Smith has no account on Billing");
        assert!(choose(&info(&["a"]), &arguments(&["--account", "A"])).is_err());
    }

    #[test]
    fn a_password_cannot_be_an_argument() {
        let line = ["x", "--user", "a", "--base-url", "b", "--client-id", "c", "myPassword"];
        assert!(Harness::try_parse_from(line).is_err());
        assert!(Harness::try_parse_from([&line[..7], &["--password", "myPassword"]].concat()).is_err());
    }
}
