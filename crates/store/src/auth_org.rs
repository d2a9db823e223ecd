//! The organisation's sign-in settings. There is one row, and none before anything was set.

use chrono::{DateTime, Utc};
use lockstep_core::auth_org::AuthOrg;
use sqlx::types::Json;

use crate::configuration;
use crate::error::Result;
use crate::session;
use crate::tx::{Tx, execute, fetch};

/// The settings; the defaults before anything was set.
pub async fn get(tx: &mut Tx<'_>) -> Result<AuthOrg> {
    let row = fetch!(
        tx,
        fetch_optional as (Json<AuthOrg>,),
        "find the sign-in settings",
        "SELECT document FROM auth_org WHERE id = 1"
    )?;
    Ok(row.map(|(settings,)| settings.0).unwrap_or_default())
}

/// Stores the settings. The sessions whose time has run out under those before stay over.
pub async fn put(tx: &mut Tx<'_>, settings: &AuthOrg, now: DateTime<Utc>) -> Result<()> {
    let before = get(tx).await?.session;
    if before != settings.session {
        session::end_dead(tx, &before, now).await?;
    }
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store the sign-in settings",
        "INSERT INTO auth_org (id, document, modified_at) VALUES (1, $1, $2)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, modified_at = excluded.modified_at",
        Json(settings),
        now,
    )?;
    Ok(())
}
