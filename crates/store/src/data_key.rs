//! Data keys: the vault's key ring as it is stored, each key wrapped by a master key that is not here.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// A wrapped data key.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    /// The id that everything sealed under it carries.
    pub id: Uuid,
    /// The vault's name of what it is for.
    pub purpose: String,
    /// The id of the master key that wraps it.
    pub master_key_id: String,
    /// The key itself, encrypted.
    pub wrapped: Vec<u8>,
}

/// Stores the keys of a new installation, unless there are keys already, and gives those that are there. Of several
/// processes that start at once, all get the keys of the first: never some of one and some of another.
pub async fn create(tx: &mut Tx<'_>, keys: &[DataKey], now: DateTime<Utc>) -> Result<Vec<DataKey>> {
    for key in keys {
        let inserted = execute!(
            tx,
            "store a data key",
            "INSERT INTO data_key (id, purpose, generation, master_key, wrapped, created_at)
             VALUES ($1, $2, 1, $3, $4, $5) ON CONFLICT (purpose, generation) DO NOTHING",
            key.id,
            key.purpose.as_str(),
            key.master_key_id.as_str(),
            key.wrapped.as_slice(),
            now,
        )?;
        if inserted == 0 {
            break;
        }
    }
    list(tx).await
}

/// Every data key; of several with one purpose the newest first.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<DataKey>> {
    let rows = fetch!(
        tx,
        fetch_all as DataKeyRow,
        "list the data keys",
        "SELECT id, purpose, master_key, wrapped FROM data_key ORDER BY purpose, generation DESC"
    )?;
    Ok(rows.into_iter().map(DataKey::from).collect())
}

/// Stores the same key wrapped by another master key, if it is still wrapped as `before` says: of two who wrap it anew at the
/// same time, the second must not make the first one's master key worthless.
///
/// # Errors
/// [`Error::NotFound`] when it is not.
pub async fn rewrap(tx: &mut Tx<'_>, before: &[u8], key: &DataKey) -> Result<()> {
    let updated = execute!(
        tx,
        "wrap a data key anew",
        "UPDATE data_key SET master_key = $2, wrapped = $3 WHERE id = $1 AND wrapped = $4",
        key.id,
        key.master_key_id.as_str(),
        key.wrapped.as_slice(),
        before,
    )?;
    match updated {
        1 => Ok(()),
        _ => Err(Error::NotFound("data key")),
    }
}

row! {
    struct DataKeyRow {
        id: Uuid,
        purpose: String,
        master_key: String,
        wrapped: Vec<u8>,
    }
}

impl From<DataKeyRow> for DataKey {
    fn from(row: DataKeyRow) -> Self {
        Self { id: row.id, purpose: row.purpose, master_key_id: row.master_key, wrapped: row.wrapped }
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKey").field("id", &self.id).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}
