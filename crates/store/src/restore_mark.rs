//! The restore mark, as far as it is in the database. What it says beside the file is decided in
//! [`lockstep_core::restore_mark`].

use lockstep_core::restore_mark::Mark;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// Gives the database the name `origin` and the mark 0, unless it has them already, and reads what it has.
pub async fn create(tx: &mut Tx<'_>, origin: Uuid) -> Result<Mark> {
    execute!(
        tx,
        "make the restore mark",
        "INSERT INTO restore_mark (id, origin, value) VALUES (1, $1, 0) ON CONFLICT (id) DO NOTHING",
        origin,
    )?;
    get(tx).await
}

/// Reads it.
pub async fn get(tx: &mut Tx<'_>) -> Result<Mark> {
    let (database, value) =
        fetch!(tx, fetch_one as (Uuid, i64), "read the restore mark", "SELECT origin, value FROM restore_mark")?;
    Ok(Mark { database, value })
}

/// Raises it by one, if it has reached `seen`; otherwise the database is older than what was seen of it, and nothing is
/// raised: it would only hide that.
pub async fn raise(tx: &mut Tx<'_>, seen: i64) -> Result<Option<Mark>> {
    let raised = fetch!(
        tx,
        fetch_optional as (Uuid, i64),
        "raise the restore mark",
        "UPDATE restore_mark SET value = value + 1 WHERE value >= $1 RETURNING origin, value",
        seen
    )?;
    Ok(raised.map(|(database, value)| Mark { database, value }))
}

/// Sets it, at the end of a restore. It is never set back.
pub async fn set(tx: &mut Tx<'_>, mark: Mark) -> Result<()> {
    execute!(
        tx,
        "set the restore mark",
        "UPDATE restore_mark SET value = $2 WHERE origin = $1 AND value < $2",
        mark.database,
        mark.value,
    )?;
    Ok(())
}
