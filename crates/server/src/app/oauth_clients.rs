//! API clients: who there are, making, changing and deleting one.

mod settle;
pub mod wanted;

use chrono::{DateTime, Utc};
use json_patch::Patch;
use lockstep_core::audit::{Action, Detail, Event};
use lockstep_core::client::ClientKind;
use lockstep_core::filter::Value;
use lockstep_core::filter::apply::Record;
use lockstep_core::id::ClientId;
use lockstep_store::client::Client;
use lockstep_store::{Tx, audit, client, configuration};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_client_secret, draw_id, draw_id_at};

use super::patch::patched;
use super::{App, Error, passed};
use crate::auth::Permit;
use settle::settle;
pub(super) use settle::{given_scopes, text, within};
use wanted::WantedClient;

/// A client as people are shown it.
#[derive(Debug)]
pub struct Found {
    /// The client.
    pub client: Client,
    /// When what is known of it was last written.
    pub modified_at: DateTime<Utc>,
    /// When it last got a token, to the hour.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Record for Found {
    fn value(&self, field: &str) -> Option<Value> {
        match field {
            "id" => Some(Value::Id(self.client.id.0)),
            "lastUsed" => self.last_used_at.map(Value::Instant),
            _ => None,
        }
    }
}

/// Every client, in the order of their names.
pub async fn list(app: &App, _permit: &Permit) -> Result<Vec<Found>, Error> {
    let read = app.store.scan(|tx: &mut Tx<'_>| {
        Box::pin(async move {
            let times = client::times(tx).await?;
            let clients = client::list(tx).await?.into_iter();
            let found = clients.map(|client| {
                let (modified_at, last_used_at) = times.get(&client.id).copied().unwrap_or((client.created_at, None));
                Found { client, modified_at, last_used_at }
            });
            Ok::<_, lockstep_store::Error>(found.collect())
        })
    });
    Ok(read.await?)
}

/// One client.
pub async fn get(app: &App, _permit: &Permit, id: ClientId) -> Result<Found, Error> {
    app.store.read(move |tx: &mut Tx<'_>| Box::pin(find(tx, id))).await
}

/// Makes a client, and draws its secret unless it is one that cannot keep any.
pub async fn create(app: &App, permit: &Permit, wanted: WantedClient) -> Result<(Found, Option<Secret>), Error> {
    let now = app.clock.utc();
    let blank = Client {
        id: ClientId(draw_id()),
        name: String::new(),
        secret_hash: Vec::new(),
        scopes: permit.caller().scopes.clone(),
        levels: Default::default(),
        enabled: true,
        token_seconds: 43_200,
        settings: Default::default(),
        created_at: now,
    };
    let mut made = settle(&blank, wanted, permit.caller())?;
    let secret = (made.settings.kind == ClientKind::Confidential).then(draw_client_secret);
    if let Some(secret) = &secret {
        made.secret_hash = app.vault.keyed_hash(HashPurpose::ClientSecret, secret.expose().as_bytes()).to_vec();
    }
    let (stored, event) = (made.clone(), event(Action::ApiClientCreated, permit, made.id, now));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            client::put(tx, &stored, now).await?;
            audit::append(tx, draw_id_at(event.at), &event).await
        })
    });
    written.await.map_err(Error::Store)?;
    Ok((Found { client: made, modified_at: now, last_used_at: None }, secret))
}

/// Changes what is set about a client.
pub async fn change(app: &App, permit: &Permit, id: ClientId, patch: Patch) -> Result<Found, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let before = find(tx, id).await?;
            // Whoever may say where a client's tokens go has as much as they are good for.
            if !permit.caller().scopes.cover(&before.client.scopes) {
                let text = "the client has scopes that the token does not have, so it cannot change it";
                return Err(Error::Forbidden(text.to_owned()));
            }
            let wanted = patched(&WantedClient::of(&before.client), &patch, WantedClient::CHANGEABLE)?;
            let client = settle(&before.client, wanted, permit.caller())?;
            client::put(tx, &client, now).await?;
            let event = event(Action::ApiClientUpdated, &permit, id, now);
            audit::append(tx, draw_id_at(event.at), &event).await?;
            Ok(Found { client, modified_at: now, ..before })
        })
    });
    written.await
}

/// Deletes a client. Its tokens are dead.
pub async fn delete(app: &App, permit: &Permit, id: ClientId) -> Result<(), Error> {
    let event = event(Action::ApiClientDeleted, permit, id, app.clock.utc());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            if !client::remove(tx, id).await? {
                return Err(Error::NotFound("client"));
            }
            Ok::<_, Error>(audit::append(tx, draw_id_at(event.at), &event).await?)
        })
    });
    written.await
}

async fn find(tx: &mut Tx<'_>, id: ClientId) -> Result<Found, Error> {
    let client = client::find(tx, id).await?.ok_or(Error::NotFound("client"))?;
    let times = client::times(tx).await?;
    let (modified_at, last_used_at) = times.get(&id).copied().unwrap_or((client.created_at, None));
    Ok(Found { client, modified_at, last_used_at })
}

fn event(action: Action, permit: &Permit, client: ClientId, now: DateTime<Utc>) -> Event {
    let detail = [("client", Detail::Id(client.0))].into();
    Event { detail, ..passed(action, permit.caller().actor(), None, now) }
}
