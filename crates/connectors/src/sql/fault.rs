//! What an error of a database driver means: a failure in our own words.
//!
//! A database's message is quoted only where it speaks of names in the schema or in the application's own words. Most
//! others repeat the value that was refused, cut or in another notation, and the value may be a password.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use super::config::Engine;
use super::{mysql, postgres, sqlite};
use crate::failure::{Failure, FailureKind, RefusalKind, diagnostic};
use crate::tls;

/// The meaning of one error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) kind: FailureKind,
    pub(super) words: &'static str,
    /// The database's own message may follow.
    pub(super) quote: bool,
}

/// The connection is gone, or might as well be.
pub(super) const LOST: Meaning =
    Meaning { kind: FailureKind::Broken, words: "the connection to the database was lost", quote: false };

/// A meaning without the database's own message.
pub(super) fn meaning(kind: FailureKind, words: &'static str) -> Meaning {
    Meaning { kind, words, quote: false }
}

impl Meaning {
    /// The same, with the database's own message.
    pub(super) fn quoted(self) -> Self {
        Self { quote: true, ..self }
    }
}

/// Turns an error into a failure. `secrets` are values that must not show up in words.
pub(super) fn failure(engine: Engine, error: &sqlx::Error, secrets: &[&str]) -> Failure {
    match error {
        sqlx::Error::Database(error) => {
            let Meaning { kind, words, quote } = database_meaning(engine, error.as_ref());
            let message = diagnostic(error.message(), secrets).filter(|_| quote);
            let code = code(error.as_ref());
            let detail = match message {
                Some(message) => format!("{words} ({} {code}: {message})", engine.name()),
                None => format!("{words} ({} {code})", engine.name()),
            };
            Failure { kind, detail }
        }
        sqlx::Error::Io(error) => match tls::permanent_problem(error) {
            Some(problem) => Failure::refused(RefusalKind::Misconfigured, problem),
            None => Failure::broken(format!("the connection to the database was lost: {error}")),
        },
        sqlx::Error::Tls(error) => Failure::refused(
            RefusalKind::Misconfigured,
            format!("no TLS with the database: {}", diagnostic(&error.to_string(), secrets).unwrap_or_default()),
        ),
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            Failure::broken("the connection to the database was lost: its answer could not be read")
        }
        // Everything else is about our side: a column of a type that is no text, an unknown type.
        _ => Failure::refused(RefusalKind::Misconfigured, "the statement's values do not have the expected types"),
    }
}

/// Whether an error of COMMIT proves that nothing was committed. Any other leaves a doubt.
pub(super) fn not_committed(engine: Engine, error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    match engine {
        Engine::Postgres => error.code().is_some_and(|code| postgres::not_committed(&code)),
        Engine::MySql => mysql_number(error.as_ref()).is_some_and(mysql::not_committed),
        Engine::Sqlite => sqlite_code(error.as_ref()).is_some_and(sqlite::not_committed),
    }
}

/// Whether the database refused to write because the transaction only reads.
pub(super) fn is_read_only(engine: Engine, error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    match engine {
        Engine::Postgres => error.code().is_some_and(|code| code == "25006"),
        Engine::MySql => mysql_number(error.as_ref()) == Some(1792),
        Engine::Sqlite => sqlite_code(error.as_ref()).is_some_and(|code| code & 0xff == 8),
    }
}

fn database_meaning(engine: Engine, error: &dyn DatabaseError) -> Meaning {
    let code = error.code();
    match engine {
        Engine::Postgres => postgres::classify(code.as_deref().unwrap_or_default()),
        Engine::MySql => mysql::classify(mysql_number(error).unwrap_or_default(), code.as_deref()),
        Engine::Sqlite => sqlite::classify(sqlite_code(error).unwrap_or_default()),
    }
}

/// The code that the engine's documentation lists.
fn code(error: &dyn DatabaseError) -> String {
    match mysql_number(error) {
        Some(number) => number.to_string(),
        None => error.code().map_or_else(|| "error".to_owned(), |code| code.into_owned()),
    }
}

fn mysql_number(error: &dyn DatabaseError) -> Option<u16> {
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

fn sqlite_code(error: &dyn DatabaseError) -> Option<i32> {
    error.code().and_then(|code| code.parse().ok())
}

#[cfg(test)]
mod tests {
    use FailureKind::{Broken, Busy, Refused};
    use RefusalKind::{Misconfigured, NoRights, PolicyOther};

    use super::*;

    #[test]
    fn postgres_by_sqlstate() {
        for (code, kind) in [
            ("08006", Broken),
            ("22001", Refused(Misconfigured)),
            ("22P02", Refused(Misconfigured)),
            ("23505", Refused(PolicyOther)),
            ("23514", Refused(PolicyOther)),
            ("25006", Busy),
            ("28P01", Refused(Misconfigured)),
            ("3D000", Refused(Misconfigured)),
            ("40001", Busy),
            ("40003", Broken),
            ("40P01", Busy),
            ("42501", Refused(NoRights)),
            ("42601", Refused(Misconfigured)),
            ("42P01", Refused(Misconfigured)),
            ("53100", Busy),
            ("53300", Busy),
            ("55P03", Busy),
            ("57014", Busy),
            ("57P01", Busy),
            ("57P03", Busy),
            ("P0001", Refused(PolicyOther)),
            ("", Refused(Misconfigured)),
        ] {
            assert_eq!(postgres::classify(code).kind, kind, "{code}");
        }
    }

    #[test]
    fn mysql_by_number() {
        for (number, kind) in [
            (1040, Busy),
            (1045, Refused(Misconfigured)),
            (1049, Refused(Misconfigured)),
            (1053, Busy),
            (1062, Refused(PolicyOther)),
            (1064, Refused(Misconfigured)),
            (1114, Busy),
            (1142, Refused(NoRights)),
            (1146, Refused(Misconfigured)),
            (1205, Busy),
            (1213, Busy),
            (1290, Busy),
            (1406, Refused(Misconfigured)),
            (1644, Refused(PolicyOther)),
            (1836, Busy),
            (1927, Broken),
            (2013, Broken),
            (3819, Refused(PolicyOther)),
            (9999, Refused(Misconfigured)),
        ] {
            assert_eq!(mysql::classify(number, None).kind, kind, "{number}");
        }
        assert_eq!(mysql::classify(4025, Some("23000")).kind, Refused(PolicyOther));
        assert_eq!(mysql::classify(4025, Some("HY000")).kind, Refused(Misconfigured));
    }

    #[test]
    fn sqlite_by_code() {
        for (code, kind) in [
            (1, Refused(Misconfigured)),
            (5, Busy),
            (261, Busy),
            (6, Busy),
            (8, Refused(NoRights)),
            (1544, Refused(NoRights)),
            (10, Busy),
            (13, Busy),
            (14, Broken),
            (26, Refused(Misconfigured)),
            (275, Refused(PolicyOther)),
            (1811, Refused(PolicyOther)),
        ] {
            assert_eq!(sqlite::classify(code).kind, kind, "{code}");
        }
    }

    #[test]
    fn messages_that_repeat_values_are_not_quoted() {
        for code in ["22001", "22P02", "23505", "23514"] {
            assert!(!postgres::classify(code).quote, "{code}");
        }
        for number in [1062, 1264, 1292, 1366, 1406, 3819, 9999] {
            assert!(!mysql::classify(number, None).quote, "{number}");
        }
        assert!(!sqlite::classify(275).quote);
    }

    #[test]
    fn only_few_errors_of_commit_prove_that_nothing_was_committed() {
        assert!(postgres::not_committed("40001") && postgres::not_committed("23505"));
        assert!(!postgres::not_committed("40003") && !postgres::not_committed("57P01"));
        assert!(mysql::not_committed(1213) && !mysql::not_committed(1180) && !mysql::not_committed(1053));
        assert!(sqlite::not_committed(5) && !sqlite::not_committed(10) && !sqlite::not_committed(13));
    }
}
