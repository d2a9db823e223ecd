//! The organisation's dictionary: the text that was uploaded, as it was uploaded.

use chrono::{DateTime, Utc};

use crate::configuration;
use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// The dictionary's text; none before the first upload.
pub async fn find(tx: &mut Tx<'_>) -> Result<Option<String>> {
    let row =
        fetch!(tx, fetch_optional as (String,), "find the dictionary", "SELECT words FROM dictionary WHERE id = 1")?;
    Ok(row.map(|(words,)| words))
}

/// When the dictionary was last uploaded: who keeps it in memory sees by this that it changed.
pub async fn modified_at(tx: &mut Tx<'_>) -> Result<Option<DateTime<Utc>>> {
    let row = fetch!(
        tx,
        fetch_optional as (DateTime<Utc>,),
        "find when the dictionary changed",
        "SELECT modified_at FROM dictionary WHERE id = 1"
    )?;
    Ok(row.map(|(modified_at,)| modified_at))
}

/// Replaces the dictionary.
pub async fn put(tx: &mut Tx<'_>, words: &str, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store the dictionary",
        "INSERT INTO dictionary (id, words, modified_at) VALUES (1, $1, $2)
         ON CONFLICT (id) DO UPDATE SET words = excluded.words, modified_at = excluded.modified_at",
        words,
        now,
    )?;
    Ok(())
}
