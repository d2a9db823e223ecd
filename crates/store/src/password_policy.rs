//! Password policies. The Default policy exists from the first migration.

use chrono::{DateTime, Utc};
use lockstep_core::id::PasswordPolicyId;
use lockstep_core::password_policy::PasswordPolicy;
use sqlx::types::Json;

use crate::configuration;
use crate::dated::Dated;
use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch};

/// Inserts a policy, or replaces its rules.
///
/// # Errors
/// Constraint `password_policy_name_key` when another policy has the name.
pub async fn put(tx: &mut Tx<'_>, policy: &PasswordPolicy, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store a password policy",
        "INSERT INTO password_policy (id, name, document, created_at, modified_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, document = excluded.document,
             modified_at = excluded.modified_at",
        policy.id.0,
        policy.name.as_str(),
        Json(policy),
        now,
    )?;
    Ok(())
}

/// A policy by its id.
pub async fn find(tx: &mut Tx<'_>, id: PasswordPolicyId) -> Result<Option<PasswordPolicy>> {
    let row = fetch!(
        tx,
        fetch_optional as (Json<PasswordPolicy>,),
        "find a password policy",
        "SELECT document FROM password_policy WHERE id = $1",
        id.0
    )?;
    Ok(row.map(|(policy,)| policy.0))
}

/// A policy by its id.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(tx: &mut Tx<'_>, id: PasswordPolicyId) -> Result<PasswordPolicy> {
    find(tx, id).await?.ok_or(Error::NotFound("password policy"))
}

/// Every policy, in the order of their names.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<PasswordPolicy>> {
    let rows = fetch!(
        tx,
        fetch_all as (Json<PasswordPolicy>,),
        "list the password policies",
        "SELECT document FROM password_policy ORDER BY name"
    )?;
    Ok(rows.into_iter().map(|(policy,)| policy.0).collect())
}

/// Every policy with its dates, in the order of their names.
pub async fn list_dated(tx: &mut Tx<'_>) -> Result<Vec<Dated<PasswordPolicy>>> {
    let rows = fetch!(
        tx,
        fetch_all as (Json<PasswordPolicy>, DateTime<Utc>, DateTime<Utc>),
        "list the password policies",
        "SELECT document, created_at, modified_at FROM password_policy ORDER BY name"
    )?;
    Ok(rows.into_iter().map(|(policy, created, modified)| Dated::of(policy.0, created, modified)).collect())
}

/// Removes a policy. Gives whether it was there. That the Default policy stays, and that no source's holders name a
/// policy that goes, is the caller's to see to.
///
/// # Errors
/// A reference violation while a sync group has it.
pub async fn remove(tx: &mut Tx<'_>, id: PasswordPolicyId) -> Result<bool> {
    configuration::changed(tx).await?;
    Ok(execute!(tx, "remove a password policy", "DELETE FROM password_policy WHERE id = $1", id.0)? == 1)
}
