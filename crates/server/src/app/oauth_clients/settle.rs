//! What becomes of a client when somebody writes about it: whether each field can be so, and whether they may give that.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use lockstep_core::client::{Grant, REFRESH_SECONDS, RedirectUri, TOKEN_SECONDS};
use lockstep_core::scope::{Scope, Scopes, UserLevel};
use lockstep_store::client::Client;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wanted::WantedClient;
use crate::app::Error;
use crate::auth::Caller;

/// The longest list in a client.
const LONGEST_LIST: usize = 100;

/// The client as it is wanted. `caller` gives nothing that it has not.
pub(super) fn settle(before: &Client, wanted: WantedClient, caller: &Caller) -> Result<Client, Error> {
    let mut client = before.clone();
    let settings = &mut client.settings;
    client.name = text("name", wanted.name, 255)?.ok_or(Error::Missing("name"))?;
    settings.description = text("description", wanted.description, 2048)?.unwrap_or_default();
    settings.business_name = text("businessName", wanted.business_name, 255)?;
    settings.homepage_url = text("homepageUrl", wanted.homepage_url, 2048)?;
    let grants = wanted.grant_types.ok_or(Error::Missing("grantTypes"))?;
    settings.grant_types =
        words::<Grant>("grantTypes", grants, "CLIENT_CREDENTIALS, AUTHORIZATION_CODE, REFRESH_TOKEN")?;
    settings.redirect_uris = redirect_uris(wanted.redirect_uris.unwrap_or_default())?;
    if let Some(kind) = wanted.kind {
        settings.kind = word("type", kind, "CONFIDENTIAL or PUBLIC")?;
    }
    if let Some(access) = wanted.access_type {
        settings.access_type = word("accessType", access, "ONLINE or OFFLINE")?;
    }
    if let Some(seconds) = wanted.access_token_validity_seconds {
        let seconds = within("accessTokenValiditySeconds", seconds, TOKEN_SECONDS)?;
        client.token_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    }
    if let Some(seconds) = wanted.refresh_token_validity_seconds {
        settings.refresh_seconds = within("refreshTokenValiditySeconds", seconds, REFRESH_SECONDS)?;
    }
    settings.internal = wanted.internal.unwrap_or(settings.internal);
    settings.strong_auth_supported = wanted.strong_auth_supported.unwrap_or(settings.strong_auth_supported);
    settings.claims_supported = wanted.claims_supported.unwrap_or(settings.claims_supported);
    client.enabled = wanted.enabled.unwrap_or(client.enabled);
    settings.check().map_err(|wrong| Error::Illegal { field: wrong.field, reason: wrong.reason.to_owned() })?;

    if let Some(scope) = wanted.scope {
        client.scopes = given_scopes(scope, caller)?;
    }
    if let Some(levels) = wanted.authorities {
        client.levels = given_levels(levels, &before.levels, caller)?;
    }
    Ok(client)
}

/// Scopes that the caller has too.
pub(in crate::app) fn given_scopes(scope: Vec<String>, caller: &Caller) -> Result<Scopes, Error> {
    let known = |text: String| {
        text.parse::<Scope>()
            .map_err(|_| Error::Illegal { field: "scope", reason: "names an unknown scope".to_owned() })
    };
    let scopes: Scopes = scope.into_iter().map(known).collect::<Result<_, _>>()?;
    match scopes.0.iter().find(|scope| !caller.scopes.grants(**scope)) {
        Some(more) => Err(Error::Forbidden(format!("the token does not have the scope {more}, so it cannot give it"))),
        None => Ok(scopes),
    }
}

/// Levels that the caller has too, or that were there before.
fn given_levels(
    levels: Vec<String>,
    before: &BTreeSet<UserLevel>,
    caller: &Caller,
) -> Result<BTreeSet<UserLevel>, Error> {
    let known = |text: String| {
        let reason = "must be ORG_ADMIN, HELPDESK, SOURCE_ADMIN or USER".to_owned();
        text.parse::<UserLevel>().map_err(|_| Error::Illegal { field: "authorities", reason })
    };
    let levels: BTreeSet<UserLevel> = levels.into_iter().map(known).collect::<Result<_, _>>()?;
    let may =
        |level: &&UserLevel| **level == UserLevel::User || before.contains(level) || caller.levels.contains(level);
    match levels.iter().find(|level| !may(level)) {
        Some(more) => Err(Error::Forbidden(format!("the caller is not {more}, and so cannot make anybody that"))),
        None => Ok(levels),
    }
}

fn redirect_uris(given: Vec<String>) -> Result<Vec<RedirectUri>, Error> {
    let field = "redirectUris";
    if given.len() > LONGEST_LIST {
        return Err(Error::Illegal { field, reason: format!("must have at most {LONGEST_LIST} entries") });
    }
    let mut uris = Vec::new();
    for (place, text) in given.into_iter().enumerate() {
        let uri: RedirectUri = text.parse().map_err(|error| Error::Illegal {
            field,
            reason: format!("has an entry {place} that cannot be one: {error}"),
        })?;
        if !uris.contains(&uri) {
            uris.push(uri);
        }
    }
    Ok(uris)
}

fn words<T: DeserializeOwned + Ord>(
    field: &'static str,
    given: Vec<String>,
    known: &str,
) -> Result<BTreeSet<T>, Error> {
    given.into_iter().map(|text| word(field, text, known)).collect()
}

/// A word of a small vocabulary.
fn word<T: DeserializeOwned>(field: &'static str, text: String, known: &str) -> Result<T, Error> {
    let read = serde_json::from_value(Value::String(text));
    read.map_err(|_| Error::Illegal { field, reason: format!("must be {known}") })
}

/// A number within bounds.
pub(in crate::app) fn within(field: &'static str, number: i64, bounds: RangeInclusive<i64>) -> Result<i64, Error> {
    match bounds.contains(&number) {
        true => Ok(number),
        false => {
            let reason = format!("must be between {} and {}", bounds.start(), bounds.end());
            Err(Error::Illegal { field, reason })
        }
    }
}

/// A text that may be absent; empty is absent.
pub(in crate::app) fn text(field: &'static str, given: Option<String>, most: usize) -> Result<Option<String>, Error> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > most {
        return Err(Error::TooLong { field, most });
    }
    match text.chars().any(char::is_control) {
        true => Err(Error::Illegal { field, reason: "must not have control characters".to_owned() }),
        false => Ok(Some(text)),
    }
}
