//! MySQL and MariaDB: how to sign in, and what their errors mean.

use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::config::Server;
use super::fault::{LOST, Meaning, meaning};
use crate::failure::FailureKind;
use crate::failure::RefusalKind::{Misconfigured, NoRights, PolicyOther};

/// Options from the configuration. The driver counts found rows rather than changed ones (CLIENT_FOUND_ROWS), so a
/// row that happens to hold the value already counts as the one row it is.
pub(super) fn options(server: &Server) -> MySqlConnectOptions {
    let options = MySqlConnectOptions::new()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .database(&server.database)
        // The session stays as the server sets it up: the statement was written for that.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .disable_statement_logging();
    let options = match &server.password {
        Some(password) => options.password(password),
        None => options,
    };
    let options = match &server.roots {
        Some(roots) => options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca_from_pem(roots.clone()),
        None => options.ssl_mode(MySqlSslMode::Disabled),
    };
    match &server.socket {
        Some(socket) => options.socket(socket),
        None => options,
    }
}

/// Prepares the session: a hash that is too long for its column is an error, not cut to a hash of nothing (strict
/// mode); and the server gives up waiting for a row before we do.
pub(super) fn prepare(limit: Duration) -> String {
    let seconds = limit.as_secs().max(1);
    format!(
        "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), SESSION innodb_lock_wait_timeout = {seconds}"
    )
}

/// The meaning of an error number (MySQL error reference; from 1900 on partly MariaDB's own).
pub(super) fn classify(number: u16, sqlstate: Option<&str>) -> Meaning {
    let refused = |kind, words| meaning(FailureKind::Refused(kind), words);
    match number {
        1644 => refused(PolicyOther, "the application's own rule refuses the password").quoted(),
        1406 => refused(Misconfigured, "the column is too short for the new hash"),
        1264 | 1265 | 1267 | 1292 | 1366 | 1411 | 3988 => {
            refused(Misconfigured, "a value does not fit the statement, or the character set of a column")
        }
        1022 | 1048 | 1062 | 1169 | 1216 | 1217 | 1364 | 1369 | 1451 | 1452 | 1557 | 1586 | 1761 | 1762 | 3819 => {
            refused(PolicyOther, "a constraint of the table refuses the new value")
        }
        // MariaDB's check constraint; MySQL uses the number for something else.
        4025 if sqlstate == Some("23000") => refused(PolicyOther, "a constraint of the table refuses the new value"),
        1142 | 1143 | 1227 | 1370 | 1419 => refused(NoRights, "the database login may not do this").quoted(),
        1044 | 1045 | 1049 | 1130 | 1131 | 1132 | 1133 | 1251 | 1275 | 1698 | 1862 | 1820 | 3118 | 4151 => {
            refused(Misconfigured, "the database does not let the login in").quoted()
        }
        1205 | 1213 | 1614 => meaning(FailureKind::Busy, "another transaction held the row"),
        1223 | 1290 | 1792 | 1836 => meaning(FailureKind::Busy, "the database is read-only at the moment"),
        3
        | 1020
        | 1021
        | 1026
        | 1030
        | 1037..=1041
        | 1053
        | 1105
        | 1114
        | 1129
        | 1180
        | 1203
        | 1206
        | 1207
        | 1226
        | 1317
        | 1461
        | 1969
        | 3024
        | 3032
        | 3168 => meaning(FailureKind::Busy, "the database cannot do it at the moment").quoted(),
        1047 => meaning(FailureKind::Busy, "the database is not ready for statements (a cluster without quorum)"),
        1079 | 1152 | 1158..=1161 | 1184 | 1927 | 2006 | 2013 | 4031 => LOST,
        1054 | 1064 | 1065 | 1109 | 1146 | 1149 | 1305 => {
            refused(Misconfigured, "the statement does not fit the database").quoted()
        }
        _ => refused(Misconfigured, "the database refuses the statement"),
    }
}

/// Whether an error of COMMIT proves that nothing was committed: a deadlock, or a certification that failed.
pub(super) fn not_committed(number: u16) -> bool {
    matches!(number, 1205 | 1213 | 1290 | 1792 | 1836)
}
