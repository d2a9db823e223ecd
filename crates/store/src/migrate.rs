//! Bringing the schema up to date, under a lock, all or nothing.
//!
//! This is not `sqlx::migrate::Migrator`: that takes no lock on SQLite and commits each file by itself.

use chrono::{DateTime, Utc};
use lockstep_core::id::{PasswordPolicyId, SourceId};
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::source::{Feature, Source};
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::error::{Cause, Error, Result};
use crate::tx::{execute, fetch, row};
use crate::{Tx, password_policy, source};

/// Every migration, oldest first: its file's name and text.
const MIGRATIONS: [(&str, &str); 18] = [
    ("20261124000000_foundation", include_str!("../migrations/20261124000000_foundation.sql")),
    ("20261124010000_intent", include_str!("../migrations/20261124010000_intent.sql")),
    ("20261126020000_restore_mark", include_str!("../migrations/20261126020000_restore_mark.sql")),
    ("20261126100000_configuration", include_str!("../migrations/20261126100000_configuration.sql")),
    ("20261127000000_aggregation", include_str!("../migrations/20261127000000_aggregation.sql")),
    ("20261127000000_sign_in", include_str!("../migrations/20261127000000_sign_in.sql")),
    ("20261127100000_session", include_str!("../migrations/20261127100000_session.sql")),
    ("20261127200000_second_factor", include_str!("../migrations/20261127200000_second_factor.sql")),
    ("20261127210000_recovery", include_str!("../migrations/20261127210000_recovery.sql")),
    ("20261127220000_sign_in_link", include_str!("../migrations/20261127220000_sign_in_link.sql")),
    ("20261128000000_passkey", include_str!("../migrations/20261128000000_passkey.sql")),
    ("20261128010000_source_sign_in", include_str!("../migrations/20261128010000_source_sign_in.sql")),
    ("20261128020000_password_set", include_str!("../migrations/20261128020000_password_set.sql")),
    ("20261128100000_security_question", include_str!("../migrations/20261128100000_security_question.sql")),
    ("20261128110000_auth_org", include_str!("../migrations/20261128110000_auth_org.sql")),
    ("20261128120000_password_changed_at", include_str!("../migrations/20261128120000_password_changed_at.sql")),
    ("20261128130000_application_icon", include_str!("../migrations/20261128130000_application_icon.sql")),
    ("20261128140000_worn_password", include_str!("../migrations/20261128140000_worn_password.sql")),
];

/// The number of the advisory lock on PostgreSQL: "Lockstep" in ASCII.
const LOCK: i64 = 0x4c6f_636b_7374_6570;

row! {
    struct AppliedRow {
        name: String,
        checksum: Vec<u8>,
    }
}

/// How the schema of a database stands to this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// Everything is there.
    Current,
    /// So many migrations are missing; none was ever applied to a new database.
    Behind {
        /// How many.
        missing: usize,
    },
    /// A migration was applied that this program does not know, or knows another text of: it is older, or another one.
    Foreign {
        /// The migration.
        name: String,
    },
}

/// Compares what was applied with what there is, and changes nothing.
pub(crate) async fn schema(tx: &mut Tx<'_>) -> Result<Schema> {
    let sql = match tx {
        Tx::Sqlite(_) => "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migration'",
        Tx::Postgres(_) => "SELECT count(*) FROM pg_class WHERE oid = to_regclass('migration')",
    };
    let (tables,) = fetch!(tx, fetch_one as (i64,), "look for the table of migrations", sql)?;
    if tables == 0 {
        return Ok(Schema::Behind { missing: MIGRATIONS.len() });
    }
    let applied = applied(tx).await?;
    let is_known = |row: &&AppliedRow| {
        MIGRATIONS.iter().any(|(name, sql)| *name == row.name && checksum(name, sql) == row.checksum)
    };
    if let Some(foreign) = applied.iter().find(|row| !is_known(row)) {
        return Ok(Schema::Foreign { name: foreign.name.clone() });
    }
    match MIGRATIONS.len() - applied.len() {
        0 => Ok(Schema::Current),
        missing => Ok(Schema::Behind { missing }),
    }
}

async fn applied(tx: &mut Tx<'_>) -> Result<Vec<AppliedRow>> {
    fetch!(
        tx,
        fetch_all as AppliedRow,
        "list the applied migrations",
        "SELECT name, checksum FROM migration ORDER BY name"
    )
}

/// Applies what is missing. On SQLite the write transaction is the lock.
pub(crate) async fn run(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
    if let Tx::Postgres(_) = tx {
        execute!(tx, "wait for other migrations", "SET LOCAL lock_timeout = 0")?;
        execute!(tx, "wait for other migrations", "SELECT pg_advisory_xact_lock($1)", LOCK)?;
    }
    execute!(
        tx,
        "create the table of migrations",
        "CREATE TABLE IF NOT EXISTS migration (
             name TEXT NOT NULL, checksum BYTEA NOT NULL, applied_at TIMESTAMPTZ NOT NULL,
             CONSTRAINT migration_name_key PRIMARY KEY (name)
         )"
    )?;
    let applied = applied(tx).await?;
    if let Some(unknown) = applied.iter().find(|row| MIGRATIONS.iter().all(|(name, _)| *name != row.name)) {
        return Err(Error::UnknownMigration { name: unknown.name.clone() });
    }
    for (name, sql) in MIGRATIONS {
        let checksum = checksum(name, sql);
        match applied.iter().find(|row| row.name == name) {
            Some(row) if row.checksum == checksum => {}
            Some(row) => return Err(Error::MigrationChanged { name: row.name.clone() }),
            None => apply(tx, name, sql, checksum, now).await?,
        }
    }
    built_in(tx, now).await
}

async fn apply(
    tx: &mut Tx<'_>,
    name: &'static str,
    sql: &'static str,
    checksum: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<()> {
    let done = match tx {
        Tx::Sqlite(connection) => connection.execute_batch(&text_for("sqlite", sql)).map_err(Cause::from),
        Tx::Postgres(connection) => {
            // It is a text of this program's, without anything from outside.
            let sql = AssertSqlSafe(text_for("postgres", sql));
            sqlx::raw_sql(sql).execute(&mut **connection).await.map(drop).map_err(Cause::from)
        }
    };
    done.map_err(|source| Error::Migrate { name, source })?;
    execute!(
        tx,
        "record a migration",
        "INSERT INTO migration (name, checksum, applied_at) VALUES ($1, $2, $3)",
        name,
        checksum,
        now,
    )?;
    Ok(())
}

/// What is said to one engine alone stands in a comment that begins with its name: `/*sqlite WITHOUT ROWID*/`.
fn text_for(engine: &str, sql: &str) -> String {
    let mut parts = sql.split("/*");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (comment, rest) = part.split_once("*/").unwrap_or((part, ""));
        if let Some(said) = comment.strip_prefix(engine) {
            text.push_str(said);
        }
        text.push_str(rest);
    }
    text
}

fn checksum(name: &'static str, sql: &'static str) -> Vec<u8> {
    Migration::new(0, name.into(), MigrationType::Simple, sql.into_sql_str(), false).checksum.into_owned()
}

/// What exists without anybody having made it. What an administrator changed about it stays.
async fn built_in(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
    if source::find(tx, SourceId::IDENTITY_NOW).await?.is_none() {
        let identity_now = Source {
            id: SourceId::IDENTITY_NOW,
            name: Source::IDENTITY_NOW.to_owned(),
            description: "The sign-in passwords of Lockstep itself.".to_owned(),
            connector: Source::BUILT_IN.to_owned(),
            config: serde_json::Value::Object(serde_json::Map::new()),
            features: [Feature::Authenticate, Feature::Password].into(),
            policy_holders: Vec::new(),
            concurrency: Source::CONCURRENCY,
            aggregation: Default::default(),
        };
        source::put(tx, &identity_now, now).await?;
    }
    if password_policy::find(tx, PasswordPolicyId::DEFAULT).await?.is_none() {
        password_policy::put(tx, &PasswordPolicy::default(), now).await?;
    }
    Ok(())
}
