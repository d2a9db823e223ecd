//! The organisation's sign-in settings: reading, making and changing them. All of them are in one row; each part is told, and
//! changed, by itself.

use json_patch::Patch;
use lockstep_core::audit::Action;
use lockstep_core::auth_org::{AuthOrg, InvalidAuthOrg, LockoutConfig, NetworkConfig, SessionConfig};
use lockstep_store::{Tx, auth_org, configuration};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::patch::patched;
use super::record::{About, record};
use super::revision::{Revised, Seen};
use super::{App, Error};
use crate::auth::Permit;

/// A part of the settings.
pub trait Part: Serialize + DeserializeOwned + Send + 'static {
    /// What a patch may touch: every field.
    const FIELDS: &'static [&'static str];
    /// What is audited when it is changed.
    const CHANGED: Action;

    /// The part of these settings; its defaults before there are any.
    fn of(settings: AuthOrg) -> Self;

    /// Refuses what is out of bounds.
    ///
    /// # Errors
    /// The first field that is wrong.
    fn validate(&self) -> Result<(), InvalidAuthOrg>;

    /// Takes the place of the part that the settings have.
    fn replace(&self, settings: &mut AuthOrg);
}

impl Part for LockoutConfig {
    const FIELDS: &'static [&'static str] = &["maximumAttempts", "lockoutDuration", "lockoutWindow"];
    const CHANGED: Action = Action::AuthOrgLockoutConfigUpdate;

    fn of(settings: AuthOrg) -> Self {
        settings.lockout
    }

    fn validate(&self) -> Result<(), InvalidAuthOrg> {
        self.validate()
    }

    fn replace(&self, settings: &mut AuthOrg) {
        settings.lockout = *self;
    }
}

impl Part for NetworkConfig {
    const FIELDS: &'static [&'static str] = &["range", "geolocation", "whitelisted"];
    const CHANGED: Action = Action::AuthOrgNetworkConfigUpdate;

    fn of(settings: AuthOrg) -> Self {
        settings.network.unwrap_or_default()
    }

    fn validate(&self) -> Result<(), InvalidAuthOrg> {
        self.validate()
    }

    fn replace(&self, settings: &mut AuthOrg) {
        settings.network = Some(self.clone());
    }
}

impl Part for SessionConfig {
    const FIELDS: &'static [&'static str] = &["maxIdleTime", "rememberMe", "maxSessionTime"];
    const CHANGED: Action = Action::AuthOrgSessionConfigUpdate;

    fn of(settings: AuthOrg) -> Self {
        settings.session
    }

    fn validate(&self) -> Result<(), InvalidAuthOrg> {
        self.validate()
    }

    fn replace(&self, settings: &mut AuthOrg) {
        settings.session = *self;
    }
}

/// A part of the settings.
pub async fn get<T: Part>(app: &App, _: &Permit) -> Result<Revised<T>, Error> {
    let read = app.store.read(|tx: &mut Tx<'_>| Box::pin(auth_org::get(tx)));
    Ok(T::of(read.await.map_err(Error::Store)?).into())
}

/// Changes a part of the settings. It counts from the next request on, on every node.
pub async fn change<T: Part>(app: &App, permit: &Permit, seen: Seen, patch: Patch) -> Result<Revised<T>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let mut settings = auth_org::get(tx).await?;
            let before = T::of(settings.clone());
            seen.is(&before)?;
            let part = patched(&before, &patch, T::FIELDS)?;
            part.validate()?;
            part.replace(&mut settings);
            auth_org::put(tx, &settings, now).await?;
            record(tx, &permit, T::CHANGED, About::default(), now).await?;
            Ok::<_, Error>(part)
        })
    });
    Ok(written.await?.into())
}

/// Says for the first time where people are trusted.
pub async fn create_network(
    app: &App,
    permit: &Permit,
    network: NetworkConfig,
) -> Result<Revised<NetworkConfig>, Error> {
    network.validate()?;
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let mut settings = auth_org::get(tx).await?;
            if settings.network.is_some() {
                return Err(Error::Conflict("there are networks and countries already; PATCH changes them".to_owned()));
            }
            network.replace(&mut settings);
            auth_org::put(tx, &settings, now).await?;
            record(tx, &permit, Action::AuthOrgNetworkConfigCreate, About::default(), now).await?;
            Ok(network)
        })
    });
    Ok(written.await?.into())
}

impl From<InvalidAuthOrg> for Error {
    fn from(InvalidAuthOrg { field, reason }: InvalidAuthOrg) -> Self {
        Self::Illegal { field, reason }
    }
}
