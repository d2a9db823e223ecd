//! Applications: what people see. Each stands for accounts of one source.

use chrono::{DateTime, Utc};
use lockstep_core::application::Application;
use lockstep_core::id::{ApplicationId, SourceId};
use sqlx::types::Json;

use crate::configuration;
use crate::dated::Dated;
use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch};

/// Inserts an application, or replaces what is known of it.
///
/// # Errors
/// Constraint `application_name_key` when another application has the name; a reference violation when its source is
/// not there.
pub async fn put(tx: &mut Tx<'_>, application: &Application, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store an application",
        "INSERT INTO application (id, name, source, document, created_at, modified_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, source = excluded.source,
             document = excluded.document, modified_at = excluded.modified_at",
        application.id.0,
        application.name.as_str(),
        application.source.0,
        Json(application),
        now,
    )?;
    Ok(())
}

/// An application by its id.
pub async fn find(tx: &mut Tx<'_>, id: ApplicationId) -> Result<Option<Application>> {
    let row = fetch!(
        tx,
        fetch_optional as (Json<Application>,),
        "find an application",
        "SELECT document FROM application WHERE id = $1",
        id.0
    )?;
    Ok(row.map(|(application,)| application.0))
}

/// An application by its id.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(tx: &mut Tx<'_>, id: ApplicationId) -> Result<Application> {
    find(tx, id).await?.ok_or(Error::NotFound("application"))
}

/// Every application, in the order of their names.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Application>> {
    let rows = fetch!(
        tx,
        fetch_all as (Json<Application>,),
        "list the applications",
        "SELECT document FROM application ORDER BY name"
    )?;
    Ok(rows.into_iter().map(|(application,)| application.0).collect())
}

/// Every application with its dates, in the order of their names.
pub async fn list_dated(tx: &mut Tx<'_>) -> Result<Vec<Dated<Application>>> {
    let rows = fetch!(
        tx,
        fetch_all as (Json<Application>, DateTime<Utc>, DateTime<Utc>),
        "list the applications",
        "SELECT document, created_at, modified_at FROM application ORDER BY name"
    )?;
    Ok(rows.into_iter().map(|(application, created, modified)| Dated::of(application.0, created, modified)).collect())
}

/// The applications that stand for accounts of a source, in the order of their names.
pub async fn list_on(tx: &mut Tx<'_>, source: SourceId) -> Result<Vec<Application>> {
    let rows = fetch!(
        tx,
        fetch_all as (Json<Application>,),
        "list the applications of a source",
        "SELECT document FROM application WHERE source = $1 ORDER BY name",
        source.0
    )?;
    Ok(rows.into_iter().map(|(application,)| application.0).collect())
}

/// Removes an application. Gives whether it was there.
pub async fn remove(tx: &mut Tx<'_>, id: ApplicationId) -> Result<bool> {
    configuration::changed(tx).await?;
    Ok(execute!(tx, "remove an application", "DELETE FROM application WHERE id = $1", id.0)? == 1)
}
