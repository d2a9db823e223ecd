//! The icons of applications. Each is known by a digest of what it is made of, which is its address.

use lockstep_core::id::ApplicationId;
use uuid::Uuid;

use crate::configuration;
use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// Stores the icon of an application, in place of the one before.
///
/// # Errors
/// A reference violation when the application is not there.
pub async fn put(tx: &mut Tx<'_>, application: ApplicationId, digest: &str, picture: &[u8]) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store an icon",
        "INSERT INTO application_icon (application, digest, picture) VALUES ($1, $2, $3)
         ON CONFLICT (application) DO UPDATE SET digest = excluded.digest, picture = excluded.picture",
        application.0,
        digest,
        picture,
    )?;
    Ok(())
}

/// Forgets the icon of an application.
pub async fn remove(tx: &mut Tx<'_>, application: ApplicationId) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(tx, "forget an icon", "DELETE FROM application_icon WHERE application = $1", application.0)?;
    Ok(())
}

/// The digest of every icon.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<(ApplicationId, String)>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, String),
        "list the icons",
        "SELECT application, digest FROM application_icon ORDER BY application"
    )?;
    Ok(rows.into_iter().map(|(application, digest)| (ApplicationId(application), digest)).collect())
}

/// The icon with this digest.
pub async fn find(tx: &mut Tx<'_>, digest: &str) -> Result<Option<Vec<u8>>> {
    let row = fetch!(
        tx,
        fetch_optional as (Vec<u8>,),
        "find an icon",
        "SELECT picture FROM application_icon WHERE digest = $1 LIMIT 1",
        digest
    )?;
    Ok(row.map(|(picture,)| picture))
}
