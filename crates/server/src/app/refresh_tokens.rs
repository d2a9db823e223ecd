//! Exchanging a refresh token for the next tokens (RFC 6749 section 6, RFC 9700 section 4.14.2).
//!
//! Each is good once and gives the next one. One that comes a second time is in two hands, and nobody can tell whose it is:
//! the whole sign-in ends. This is strict: a client whose answer was lost has to have the person sign in again, since
//! what it would repeat looks like a thief.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Detail, Event, Outcome};
use lockstep_core::client::Grant;
use lockstep_core::id::{FamilyId, IdentityId};
use lockstep_core::identity::Identity;
use lockstep_core::scope::{Scopes, UserLevel};
use lockstep_store::client::{self, Client};
use lockstep_store::{Tx, audit, identity, refresh_token, token_family};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id_at, draw_token};

use super::access_token::{self, Holder, IssuedToken};
use super::exchange_code::program;
use super::issue_token::{NoToken, narrowed};
use super::{App, passed};

/// A sign-in that lives, and whose it is.
pub(super) struct Given {
    pub(super) family: FamilyId,
    pub(super) scopes: Scopes,
    pub(super) person: Identity,
    pub(super) levels: BTreeSet<UserLevel>,
}

/// Exchanges a refresh token. `wanted` are scopes with spaces between them, no more than the sign-in has.
pub async fn refresh(
    app: &App,
    client_id: &str,
    secret: Option<&Secret>,
    token: &Secret,
    wanted: Option<&str>,
) -> Result<IssuedToken, NoToken> {
    let client = program(app, client_id, secret, Grant::RefreshToken).await?;
    let digest = |token: &Secret| app.vault.keyed_hash(HashPurpose::RefreshToken, token.expose().as_bytes());
    let next = draw_token();
    let (hash, next_hash) = (digest(token), digest(&next));
    let (now, wanted, within) = (app.clock.utc(), wanted.map(str::to_owned), client.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let Some((family, _)) = refresh_token::find(tx, &hash).await? else { return Ok(None) };
            let Some(family) = token_family::hold(tx, family).await? else { return Ok(None) };
            if family.ended_at.is_some() || family.expires_at <= now {
                return Ok(None);
            }
            // Another client's: it was stolen as well.
            if family.client != within.id {
                reused(tx, family.id, family.identity, now).await?;
                return Ok(None);
            }
            if !within.settings.refreshes() {
                return Err(NoToken::Grant);
            }
            let Some((person, levels)) = living(tx, family.identity).await? else { return Ok(None) };
            let scopes: Scopes = family.scopes.0.iter().copied().filter(|scope| within.scopes.grants(*scope)).collect();
            let scopes = narrowed(&scopes, wanted.as_deref())?;
            if !refresh_token::use_up(tx, &hash, now).await? {
                reused(tx, family.id, family.identity, now).await?;
                return Ok(None);
            }
            refresh_token::insert(tx, &next_hash, family.id).await?;
            client::used(tx, within.id, now).await?;
            let event = passed(Action::SignInTokenIssue, Actor::Client(within.id), Some(person.id), now);
            audit::append(tx, draw_id_at(now), &event).await?;
            Ok(Some(Given { family: family.id, scopes, person, levels }))
        })
    });
    let given = written.await?.ok_or(NoToken::NotValid)?;
    Signer { client: &client, given: &given }.sign(app, Some(next), now)
}

/// Ends the sign-in of a code or refresh token that came a second time.
pub(super) async fn reused(
    tx: &mut Tx<'_>,
    family: FamilyId,
    identity: IdentityId,
    now: DateTime<Utc>,
) -> Result<(), lockstep_store::Error> {
    // One that had ended before was told of then.
    if !token_family::end(tx, family, now).await? {
        return Ok(());
    }
    let detail = [("family", Detail::Id(family.0))].into();
    let event = passed(Action::TokenReuse, Actor::Nobody, Some(identity), now);
    audit::append(tx, draw_id_at(now), &Event { detail, outcome: Outcome::Failed, ..event }).await
}

/// A person who may have tokens, and what they are in the organisation.
pub(super) async fn living(
    tx: &mut Tx<'_>,
    id: IdentityId,
) -> Result<Option<(Identity, BTreeSet<UserLevel>)>, lockstep_store::Error> {
    let Some(person) = identity::find(tx, id).await?.filter(|person| person.enabled) else { return Ok(None) };
    Ok(Some((person, identity::levels(tx, id).await?)))
}

/// What an access token of a sign-in is made of.
pub(super) struct Signer<'a> {
    pub(super) client: &'a Client,
    pub(super) given: &'a Given,
}

impl Signer<'_> {
    pub(super) fn sign(&self, app: &App, refresh: Option<Secret>, now: DateTime<Utc>) -> Result<IssuedToken, NoToken> {
        let holder = Holder {
            client_id: self.client.id.to_string(),
            secret_hash: &self.client.secret_hash,
            person: Some(&self.given.person),
            levels: self.given.levels.iter().copied().collect(),
            // A sign-in ends as a whole, not by when its tokens were issued.
            valid_from: None,
            family: Some(self.given.family),
            scopes: &self.given.scopes,
            seconds: self.client.token_seconds,
        };
        Ok(IssuedToken { refresh, ..access_token::issue(app, &holder, now)? })
    }
}
