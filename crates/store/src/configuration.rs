//! The number of the configuration: it grows with every transaction that writes to the tables that are small, seldom
//! written and read for every request. Those are the sources, sync groups, password policies, the dictionary, the
//! organisation's settings, API clients and transport keys; identities and accounts are none of them.
//!
//! Whoever keeps such rows in memory keeps the number that was read in the same transaction. A later transaction that
//! reads the same number would read the same rows: whatever changes them changes the number, in whichever process.

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// The number, as this transaction sees it.
pub async fn number(tx: &mut Tx<'_>) -> Result<i64> {
    let (number,) = fetch!(
        tx,
        fetch_one as (i64,),
        "read the number of the configuration",
        "SELECT number FROM configuration WHERE id = 1"
    )?;
    Ok(number)
}

/// To be called by every function that writes to one of those tables. On PostgreSQL transactions that do so wait for each
/// other here.
pub(crate) async fn changed(tx: &mut Tx<'_>) -> Result<()> {
    execute!(tx, "count a change of the configuration", "UPDATE configuration SET number = number + 1 WHERE id = 1")?;
    Ok(())
}
