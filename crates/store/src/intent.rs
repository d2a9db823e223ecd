//! Intents: what is to become of an identity or an account once nothing is under way there.
//!
//! Whoever wants it commits the intent; the owner of the identity's bucket carries it out, see
//! [`lockstep_core::change::Intent`]. No other place gives an account to another identity.

use chrono::{DateTime, Utc};
use lockstep_core::change::{Intent, IntentKind};
use lockstep_core::id::{AccountId, IdentityId, IntentId};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// Records an intent about `identity`. Of several about one account the last one counts. One that it is disabled ends its tokens
/// at once and for good: whoever is enabled again gets new ones.
pub async fn put(tx: &mut Tx<'_>, identity: IdentityId, intent: Intent, now: DateTime<Utc>) -> Result<()> {
    let heir = match intent.kind {
        IntentKind::Give { to, .. } => to,
        IntentKind::Disable | IntentKind::Bury { .. } | IntentKind::Retry => None,
    };
    execute!(
        tx,
        "record an intent",
        "INSERT INTO intent (bucket, id, identity, kind, account, heir, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (bucket, account) WHERE account IS NOT NULL DO UPDATE SET id = excluded.id,
             identity = excluded.identity, kind = excluded.kind, heir = excluded.heir, created_at = excluded.created_at",
        identity.bucket().number(),
        intent.id.0,
        identity.0,
        kind_name(intent.kind),
        intent.kind.account().map(|account| account.0),
        heir.map(|heir| heir.0),
        now,
    )?;
    match intent.kind {
        IntentKind::Disable => crate::identity::end_tokens(tx, identity, None, now).await,
        IntentKind::Give { .. } | IntentKind::Bury { .. } | IntentKind::Retry => Ok(()),
    }
}

/// Takes back what is to become of an account of `identity`, or, without one, that it is disabled (and, which does no harm, that
/// something is tried at once).
pub async fn withdraw(tx: &mut Tx<'_>, identity: IdentityId, account: Option<AccountId>) -> Result<()> {
    execute!(
        tx,
        "take an intent back",
        "DELETE FROM intent WHERE bucket = $1 AND identity = $2
         AND (account = $3 OR ($3 IS NULL AND account IS NULL))",
        identity.bucket().number(),
        identity.0,
        account.map(|account| account.0),
    )?;
    Ok(())
}

/// Every intent about `identity` that is not carried out, oldest first.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<Intent>> {
    let rows = fetch!(
        tx,
        fetch_all as IntentRow,
        "list the intents about an identity",
        "SELECT id, kind, account, heir FROM intent WHERE bucket = $1 AND identity = $2 ORDER BY created_at, id",
        identity.bucket().number(),
        identity.0
    )?;
    rows.into_iter().map(Intent::try_from).collect()
}

/// What is to become of an account of `identity`, if anything.
pub async fn find_about(tx: &mut Tx<'_>, identity: IdentityId, account: AccountId) -> Result<Option<Intent>> {
    let row = fetch!(
        tx,
        fetch_optional as IntentRow,
        "find the intent about an account",
        "SELECT id, kind, account, heir FROM intent WHERE bucket = $1 AND account = $2 AND identity = $3",
        identity.bucket().number(),
        account.0,
        identity.0,
    )?;
    row.map(Intent::try_from).transpose()
}

/// What is to become of any of these accounts, each of the identity beside it.
pub async fn list_about(tx: &mut Tx<'_>, accounts: &[(IdentityId, AccountId)]) -> Result<Vec<Intent>> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = match tx {
        Tx::Sqlite(_) => {
            "SELECT i.id, i.kind, i.account, i.heir FROM json_each($1) AS wanted JOIN intent i
                 ON i.bucket = json_extract(wanted.value, '$[0]')
                 AND i.account = unhex(json_extract(wanted.value, '$[1]'))
                 AND i.identity = unhex(json_extract(wanted.value, '$[2]'))"
        }
        Tx::Postgres(_) => {
            "SELECT i.id, i.kind, i.account, i.heir FROM jsonb_array_elements($1) AS wanted (value) JOIN intent i
                 ON i.bucket = CAST(wanted.value ->> 0 AS SMALLINT) AND i.account = CAST(wanted.value ->> 1 AS UUID)
                 AND i.identity = CAST(wanted.value ->> 2 AS UUID)"
        }
    };
    let wanted = accounts.iter().map(|(identity, account)| {
        (identity.bucket().number(), account.0.simple().to_string(), identity.0.simple().to_string())
    });
    let wanted: Json<Vec<_>> = Json(wanted.collect());
    let rows = fetch!(tx, fetch_all as IntentRow, "list the intents about accounts", sql, wanted)?;
    rows.into_iter().map(Intent::try_from).collect()
}

/// Does what was intended and forgets the intent. The owner of the bucket calls it, once nothing is under way.
pub(crate) async fn carry_out(tx: &mut Tx<'_>, identity: IdentityId, intent: Intent) -> Result<()> {
    // In the order in which whoever changes an account and then its intent comes.
    if let Some(account) = intent.kind.account() {
        crate::aggregation::hold_account(tx, account).await?;
    }
    let forgotten = execute!(
        tx,
        "forget an intent",
        "DELETE FROM intent WHERE bucket = $1 AND id = $2",
        identity.bucket().number(),
        intent.id.0,
    )?;
    // Another took its place, or it was carried out by a commit whose reply was lost.
    if forgotten == 0 {
        return Ok(());
    }
    match intent.kind {
        IntentKind::Disable | IntentKind::Retry => {}
        IntentKind::Give { account, to } => {
            execute!(
                tx,
                "give an account to another identity",
                "UPDATE account SET identity = $3 WHERE id = $1 AND identity = $2",
                account.0,
                identity.0,
                to.map(|to| to.0),
            )?;
            // What others set there is not known as theirs when it comes back.
            crate::password_set::remove(tx, identity, account).await?;
        }
        IntentKind::Bury { account } => {
            execute!(
                tx,
                "make an account a tombstone",
                "UPDATE account SET vanished = TRUE WHERE id = $1 AND identity = $2",
                account.0,
                identity.0,
            )?;
        }
    }
    Ok(())
}

row! {
    struct IntentRow {
        id: Uuid,
        kind: String,
        account: Option<Uuid>,
        heir: Option<Uuid>,
    }
}

fn kind_name(kind: IntentKind) -> &'static str {
    match kind {
        IntentKind::Disable => "disable",
        IntentKind::Give { .. } => "give",
        IntentKind::Bury { .. } => "bury",
        IntentKind::Retry => "retry",
    }
}

impl TryFrom<IntentRow> for Intent {
    type Error = Error;

    fn try_from(row: IntentRow) -> Result<Self> {
        let kind = match (row.kind.as_str(), row.account.map(AccountId)) {
            ("disable", None) => IntentKind::Disable,
            ("retry", None) => IntentKind::Retry,
            ("give", Some(account)) => IntentKind::Give { account, to: row.heir.map(IdentityId) },
            ("bury", Some(account)) => IntentKind::Bury { account },
            _ => return Err(Error::Corrupt { what: "the kind of an intent", value: row.kind }),
        };
        Ok(Self { id: IntentId(row.id), kind })
    }
}
