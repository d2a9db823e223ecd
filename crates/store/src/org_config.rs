//! The organisation's password settings. There is one row, and none before they were first made.

use chrono::{DateTime, Utc};
use lockstep_core::org_config::PasswordOrgConfig;
use sqlx::types::Json;

use crate::configuration;
use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// The settings; none before they were made, and then the defaults hold.
pub async fn find(tx: &mut Tx<'_>) -> Result<Option<PasswordOrgConfig>> {
    let row = fetch!(
        tx,
        fetch_optional as (Json<PasswordOrgConfig>,),
        "find the organisation's settings",
        "SELECT document FROM org_config WHERE id = 1"
    )?;
    Ok(row.map(|(config,)| config.0))
}

/// Stores the settings.
pub async fn put(tx: &mut Tx<'_>, config: &PasswordOrgConfig, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store the organisation's settings",
        "INSERT INTO org_config (id, document, modified_at) VALUES (1, $1, $2)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, modified_at = excluded.modified_at",
        Json(config),
        now,
    )?;
    Ok(())
}
