//! PostgreSQL: how to sign in, and what its errors mean.

use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::config::Server;
use super::fault::{LOST, Meaning, meaning};
use crate::failure::FailureKind;
use crate::failure::RefusalKind::{Misconfigured, NoRights, PolicyOther};

/// Options from the configuration alone: nothing is taken from the environment or a password file that matters.
pub(super) fn options(server: &Server) -> PgConnectOptions {
    let password = server.password.as_ref().map_or("", |password| password.as_str());
    let options = PgConnectOptions::new_without_pgpass()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .password(password)
        .database(&server.database)
        .application_name("lockstep")
        .disable_statement_logging();
    let options = match &server.roots {
        Some(roots) => options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(roots.clone()),
        None => options.ssl_mode(PgSslMode::Disable),
    };
    match &server.socket {
        Some(socket) => options.socket(socket),
        None => options,
    }
}

/// Begins a transaction whose statements the server itself ends in time: a connection that we give up leaves no
/// statement waiting for a lock.
pub(super) fn begin(limit: Duration) -> String {
    format!("BEGIN; SET LOCAL statement_timeout = {}", limit.as_millis())
}

/// The meaning of an SQLSTATE (PostgreSQL documentation, appendix A).
pub(super) fn classify(code: &str) -> Meaning {
    let refused = |kind, words| meaning(FailureKind::Refused(kind), words);
    match code {
        // A trigger or function of the application says no, in its own words.
        "P0001" => refused(PolicyOther, "the application's own rule refuses the password").quoted(),
        "22001" => refused(Misconfigured, "the column is too short for the new hash"),
        "40003" => LOST,
        "42501" => refused(NoRights, "the database login may not do this").quoted(),
        "25006" => meaning(FailureKind::Busy, "the database is read-only at the moment"),
        "57014" => meaning(FailureKind::Busy, "the statement did not end in time"),
        _ => match code.get(..2).unwrap_or_default() {
            "08" => LOST,
            "22" => refused(Misconfigured, "a value does not fit the statement"),
            "23" | "44" => refused(PolicyOther, "a constraint of the table refuses the new value"),
            "25" | "40" | "53" | "55" | "57" | "58" | "XX" => {
                meaning(FailureKind::Busy, "the database cannot do it at the moment").quoted()
            }
            "28" | "3D" => refused(Misconfigured, "the database does not let the login in").quoted(),
            "0L" | "0P" => refused(NoRights, "the database login may not do this").quoted(),
            "42" | "3F" | "0A" => refused(Misconfigured, "the statement does not fit the database").quoted(),
            _ => refused(Misconfigured, "the database refuses the statement"),
        },
    }
}

/// Whether an error of COMMIT proves that nothing was committed.
pub(super) fn not_committed(code: &str) -> bool {
    matches!(code.get(..2), Some("23" | "40")) && code != "40003"
}
