//! What an access token says, and signing it. To whom one is given is decided by whoever calls this.

use chrono::{DateTime, Utc};
use lockstep_core::id::FamilyId;
use lockstep_core::identity::Identity;
use lockstep_core::scope::{Scopes, UserLevel};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id};
use lockstep_vault::token::Claims;

use super::{App, Error};

/// The contract's name for the place a token was issued in: there is one.
const POD: &str = "lockstep";

/// An access token. It has no `Debug`: whoever holds the token is its owner.
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// How many seconds it lives.
    pub seconds: i64,
    /// What it says.
    pub claims: Claims,
    /// With what the next one is got, where there is a next one.
    pub refresh: Option<Secret>,
}

/// Whose it is, and what it is for.
pub(super) struct Holder<'a> {
    /// The id of the API client or of the personal access token.
    pub(super) client_id: String,
    /// The stored hash of the secret: the token ends with it.
    pub(super) secret_hash: &'a [u8],
    /// The person, unless it is a program that acts for nobody.
    pub(super) person: Option<&'a Identity>,
    /// What that person, or that program, is in the organisation.
    pub(super) levels: Vec<UserLevel>,
    /// From when on that person's tokens count.
    pub(super) valid_from: Option<DateTime<Utc>>,
    /// The sign-in that it comes from.
    pub(super) family: Option<FamilyId>,
    /// What it may be used for.
    pub(super) scopes: &'a Scopes,
    /// How long it lives.
    pub(super) seconds: u32,
}

/// Signs a token.
pub(super) fn issue(app: &App, holder: &Holder<'_>, now: DateTime<Utc>) -> Result<IssuedToken, Error> {
    let claims = claims(app, holder, now);
    let token = app.vault.issue_token(&claims)?;
    Ok(IssuedToken { token, seconds: i64::from(holder.seconds), claims, refresh: None })
}

/// Stands for a secret in the tokens that it was exchanged for. It tells nothing of the secret.
pub(crate) fn generation(app: &App, secret_hash: &[u8]) -> String {
    hex::encode(&app.vault.keyed_hash(HashPurpose::SecretGeneration, secret_hash)[..8])
}

fn claims(app: &App, holder: &Holder<'_>, now: DateTime<Utc>) -> Claims {
    // A second has room for "tokens end now" and for a token that is issued after it: the token is then dated to the
    // next second.
    let earliest = holder.valid_from.map_or(i64::MIN, |from| from.timestamp_millis().div_euclid(1000) + 1);
    let issued = match holder.valid_from {
        Some(from) if now.timestamp() * 1000 < from.timestamp_millis() => earliest,
        _ => now.timestamp(),
    };
    Claims {
        tenant_id: app.config.organisation.name.clone(),
        org: app.config.organisation.name.clone(),
        pod: POD.to_owned(),
        identity_id: holder.person.map(|person| person.id.to_string()),
        user_name: holder.person.map(|person| person.alias.clone()),
        authorities: holder.levels.iter().map(ToString::to_string).collect(),
        client_id: holder.client_id.clone(),
        scope: holder.scopes.0.iter().map(ToString::to_string).collect(),
        strong_auth: false,
        exp: now.timestamp() + i64::from(holder.seconds),
        iat: issued,
        jti: draw_id().simple().to_string(),
        sid: holder.family.map(|family| family.to_string()),
        generation: Some(generation(app, holder.secret_hash)),
    }
}
