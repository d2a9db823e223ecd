//! Parts of the two lists that may be long: identities, and accounts. In SQL it is decided which entries match and in
//! which order they come, exactly as [`lockstep_core::filter`] says it of values.
//!
//! A part is found in two steps of one statement: in an index alone, which ids it has, and then their rows. So what is passed
//! over on the way costs little. Whoever walks a list in order passes over nothing: a page begins after the [`Cursor`] of
//! the page before, and the last page costs what the first did.
//!
//! A statement is built from texts of this module; every value that a client sent is bound.

mod built;
mod condition;
mod cursors;
mod order;
mod table;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::account::{Account, Link};
use lockstep_core::filter::Query;
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use lockstep_core::identity::Identity;
use sqlx::types::Json;
use uuid::Uuid;

use self::built::{Bind, Built, BuiltRow};
pub use self::cursors::{Cursors, Limits};
pub use self::order::Cursor;
use self::order::Key;
use self::table::{ACCOUNT, IDENTITY, Table};
use crate::error::Result;
use crate::tx::{Tx, row};

/// Where a part of a list begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Start {
    /// After this entry, whether it is still there or not; none: at the beginning.
    pub after: Option<Cursor>,
    /// How many entries are passed over from there.
    pub offset: u64,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where the next part begins; none where this one has no entry.
    pub next: Option<Cursor>,
}

/// An identity, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedIdentity {
    /// The identity.
    pub identity: Identity,
    /// When it was first stored.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: DateTime<Utc>,
}

/// An account, since when, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAccount {
    /// The account.
    pub account: Account,
    /// Whether its source lets it sign in, where that is known.
    pub enabled: Option<bool>,
    /// Whether somebody said whose it is.
    pub manually_correlated: bool,
    /// What the person is called whose account it is.
    pub identity_name: Option<String>,
    /// Whether that person is enabled.
    pub identity_enabled: Option<bool>,
    /// When it was first stored.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: DateTime<Utc>,
}

/// Identities. The query is one of [`IDENTITIES`](lockstep_core::filter::collections::IDENTITIES) or
/// [`PUBLIC_IDENTITIES`](lockstep_core::filter::collections::PUBLIC_IDENTITIES).
pub async fn identities(tx: &mut Tx<'_>, query: &Query, start: &Start, limit: u32) -> Result<Page<ListedIdentity>> {
    page::<IdentityRow, _>(tx, &IDENTITY, query, start, limit).await
}

/// How many identities match.
pub async fn count_identities(tx: &mut Tx<'_>, query: &Query) -> Result<i64> {
    count(tx, &IDENTITY, query).await
}

/// Accounts without tombstones. The query is one of [`ACCOUNTS`](lockstep_core::filter::collections::ACCOUNTS).
pub async fn accounts(tx: &mut Tx<'_>, query: &Query, start: &Start, limit: u32) -> Result<Page<ListedAccount>> {
    page::<AccountRow, _>(tx, &ACCOUNT, query, start, limit).await
}

/// How many accounts match.
pub async fn count_accounts(tx: &mut Tx<'_>, query: &Query) -> Result<i64> {
    count(tx, &ACCOUNT, query).await
}

/// How the database finds a part of a list, or the count of it, in its own words; for tests.
#[doc(hidden)]
pub async fn explain(tx: &mut Tx<'_>, query: &Query, start: Option<&Start>, of_accounts: bool) -> Result<Vec<String>> {
    let table = if of_accounts { &ACCOUNT } else { &IDENTITY };
    let order = Key::all(table, query);
    let mut plans = Vec::new();
    let statements = match start {
        None => vec![count_statement(tx, table, query)],
        Some(start) => {
            let statement = |segment| page_statement(tx, table, query, &order, segment, start.offset, 250);
            segments(&order, start).into_iter().map(statement).collect()
        }
    };
    for statement in statements {
        plans.extend(statement.explain(tx).await?);
    }
    Ok(plans)
}

/// A row of a list.
trait Entry<T>: BuiltRow {
    /// The value of a column that lists are sorted by.
    fn key(&self, column: &str) -> Option<Bind>;

    fn into_entry(self) -> T;
}

/// What comes after an entry is, in this order: what equals it in all keys but the last and comes after it by that; what
/// equals it in all but the last two; and so on. Each is a range of an index, and one statement; mostly two are needed.
async fn page<R: Entry<T>, T>(
    tx: &mut Tx<'_>,
    table: &Table,
    query: &Query,
    start: &Start,
    limit: u32,
) -> Result<Page<T>> {
    let order = Key::all(table, query);
    let mut rows: Vec<R> = Vec::new();
    let mut offset = start.offset;
    for segment in segments(&order, start) {
        let wanted = i64::from(limit) - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if wanted <= 0 {
            break;
        }
        let found = page_statement(tx, table, query, &order, segment, offset, wanted);
        let found: Vec<R> = found.fetch_all(tx, table.list).await?;
        if found.is_empty() && offset > 0 {
            let passed = segment_statement(tx, table, query, &order, segment).count(tx, table.count).await?;
            offset = offset.saturating_sub(u64::try_from(passed).unwrap_or(0));
        } else {
            offset = 0;
        }
        rows.extend(found);
    }
    let next = rows.last().map(|last| Cursor::new(order.iter().map(|key| last.key(key.column)).collect()));
    Ok(Page { entries: rows.into_iter().map(Entry::into_entry).collect(), next })
}

/// The parts of what comes after a cursor: how many keys are equal to it, and what is compared. Nothing: everything.
fn segments<'c>(order: &[Key], start: &'c Start) -> Vec<Option<(usize, &'c Cursor)>> {
    match &start.after {
        None => vec![None],
        Some(cursor) => (0..order.len()).rev().map(|equal| Some((equal, cursor))).collect(),
    }
}

fn page_statement(
    tx: &Tx<'_>,
    table: &Table,
    query: &Query,
    order: &[Key],
    segment: Option<(usize, &Cursor)>,
    offset: u64,
    limit: i64,
) -> Built {
    // By a key that no two have, its own index has all that is needed.
    let (found_by, order) = match order {
        [first, ..] if first.unique => (first.column, &order[..1]),
        _ => (table.id, order),
    };
    let mut built = Built::for_engine_of(tx);
    built.push(["SELECT ", table.columns, " FROM (SELECT ", found_by, " AS found"]);
    built.push([" FROM ", table.name, " WHERE "]);
    condition::push_where(&mut built, table, query);
    order::push_segment(&mut built, order, segment);
    order::push_order(&mut built, order);
    built.push([" LIMIT "]);
    built.bind(Bind::Number(limit));
    built.push([" OFFSET "]);
    built.bind(Bind::Number(i64::try_from(offset).unwrap_or(i64::MAX)));
    // SQLite keeps to the order in which tables are joined so.
    built.push([") AS part CROSS JOIN ", table.name, table.beside, " WHERE ", found_by, " = part.found"]);
    order::push_order(&mut built, order);
    built
}

fn segment_statement(
    tx: &Tx<'_>,
    table: &Table,
    query: &Query,
    order: &[Key],
    segment: Option<(usize, &Cursor)>,
) -> Built {
    let mut built = count_statement(tx, table, query);
    let order = if order.first().is_some_and(|first| first.unique) { &order[..1] } else { order };
    order::push_segment(&mut built, order, segment);
    built
}

fn count_statement(tx: &Tx<'_>, table: &Table, query: &Query) -> Built {
    let mut built = Built::for_engine_of(tx);
    built.push(["SELECT count(*) FROM ", table.name, " WHERE "]);
    condition::push_where(&mut built, table, query);
    built
}

async fn count(tx: &mut Tx<'_>, table: &Table, query: &Query) -> Result<i64> {
    count_statement(tx, table, query).count(tx, table.count).await
}

row! {
    struct IdentityRow {
        id: Uuid,
        alias: String,
        display_name: String,
        email: Option<String>,
        attributes: Json<BTreeMap<String, String>>,
        sign_in_source: Uuid,
        enabled: bool,
        created_at: DateTime<Utc>,
        modified_at: DateTime<Utc>,
        alias_key: String,
        name_key: String,
        email_key: Option<String>,
        firstname_key: Option<String>,
        lastname_key: Option<String>,
    }
}

impl Entry<ListedIdentity> for IdentityRow {
    fn key(&self, column: &str) -> Option<Bind> {
        match column {
            "identity.id" => Some(Bind::Id(self.id)),
            "identity.alias_key" => Some(Bind::Text(self.alias_key.clone())),
            "identity.name_key" => Some(Bind::Text(self.name_key.clone())),
            "identity.email_key" => self.email_key.clone().map(Bind::Text),
            "identity.firstname_key" => self.firstname_key.clone().map(Bind::Text),
            "identity.lastname_key" => self.lastname_key.clone().map(Bind::Text),
            "identity.enabled" => Some(Bind::Flag(self.enabled)),
            _ => None,
        }
    }

    fn into_entry(self) -> ListedIdentity {
        let identity = Identity {
            id: IdentityId(self.id),
            alias: self.alias,
            display_name: self.display_name,
            email: self.email,
            attributes: self.attributes.0,
            sign_in_source: SourceId(self.sign_in_source),
            enabled: self.enabled,
        };
        ListedIdentity { identity, created_at: self.created_at, modified_at: self.modified_at }
    }
}

row! {
    struct AccountRow {
        id: Uuid,
        identity: Option<Uuid>,
        source: Uuid,
        stable_id: String,
        native_id: String,
        name: String,
        password_sync: bool,
        attributes: Json<BTreeMap<String, String>>,
        vanished: bool,
        created_at: DateTime<Utc>,
        modified_at: DateTime<Utc>,
        name_key: String,
        native_id_key: String,
        enabled: Option<bool>,
        correlated: String,
        person_name: Option<String>,
        person_enabled: Option<bool>,
    }
}

impl Entry<ListedAccount> for AccountRow {
    fn key(&self, column: &str) -> Option<Bind> {
        match column {
            "account.id" => Some(Bind::Id(self.id)),
            "account.identity" => self.identity.map(Bind::Id),
            "account.source" => Some(Bind::Id(self.source)),
            "account.name_key" => Some(Bind::Text(self.name_key.clone())),
            "account.native_id_key" => Some(Bind::Text(self.native_id_key.clone())),
            "account.created_at" => Some(Bind::Instant(self.created_at)),
            "account.modified_at" => Some(Bind::Instant(self.modified_at)),
            _ => None,
        }
    }

    fn into_entry(self) -> ListedAccount {
        let account = Account {
            id: AccountId(self.id),
            identity: self.identity.map(IdentityId),
            source: SourceId(self.source),
            stable_id: self.stable_id,
            native_id: self.native_id,
            name: self.name,
            password_sync: self.password_sync,
            attributes: self.attributes.0,
            vanished: self.vanished,
        };
        ListedAccount {
            account,
            enabled: self.enabled,
            manually_correlated: Link::NAMES.contains(&(Link::Manual, self.correlated.as_str())),
            identity_name: self.person_name,
            identity_enabled: self.person_enabled,
            created_at: self.created_at,
            modified_at: self.modified_at,
        }
    }
}
