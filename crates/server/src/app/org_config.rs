//! The organisation's password settings: reading, making and changing them.

use lockstep_core::audit::Action;
use lockstep_core::org_config::{InvalidOrgConfig, PasswordOrgConfig, PasswordOrgConfigChange};
use lockstep_store::{Tx, configuration, org_config};

use super::record::{About, record};
use super::revision::{Revised, Seen};
use super::{App, Error};
use crate::auth::Permit;

/// The settings; the defaults before there are any.
pub async fn get(app: &App, _: &Permit) -> Result<Revised<PasswordOrgConfig>, Error> {
    let read = app.store.read(|tx: &mut Tx<'_>| Box::pin(org_config::find(tx)));
    Ok(read.await.map_err(Error::Store)?.unwrap_or_default().into())
}

/// Makes the settings: the defaults with `change` applied.
pub async fn create(
    app: &App,
    permit: &Permit,
    change: PasswordOrgConfigChange,
) -> Result<Revised<PasswordOrgConfig>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            if org_config::find(tx).await?.is_some() {
                return Err(Error::Conflict("there are settings already; PUT changes them".to_owned()));
            }
            let config = PasswordOrgConfig::default().merge(&change)?;
            org_config::put(tx, &config, now).await?;
            record(tx, &permit, Action::PasswordOrgConfigCreate, About::default(), now).await?;
            Ok(config)
        })
    });
    Ok(written.await?.into())
}

/// Applies `change` to the settings there are, or to the defaults.
pub async fn change(
    app: &App,
    permit: &Permit,
    seen: Seen,
    change: PasswordOrgConfigChange,
) -> Result<Revised<PasswordOrgConfig>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let before = org_config::find(tx).await?.unwrap_or_default();
            seen.is(&before)?;
            let config = before.merge(&change)?;
            org_config::put(tx, &config, now).await?;
            record(tx, &permit, Action::PasswordOrgConfigUpdate, About::default(), now).await?;
            Ok::<_, Error>(config)
        })
    });
    Ok(written.await?.into())
}

impl From<InvalidOrgConfig> for Error {
    fn from(error: InvalidOrgConfig) -> Self {
        let InvalidOrgConfig { field, min, max, .. } = error;
        Self::Illegal { field, reason: format!("must be between {min} and {max}") }
    }
}
