//! Personal access tokens: who has which, making, changing and deleting one.

pub mod wanted;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Months, Utc};
use json_patch::Patch;
use lockstep_core::audit::{Action, Detail, Event};
use lockstep_core::client::TOKEN_SECONDS;
use lockstep_core::filter::Value;
use lockstep_core::filter::apply::Record;
use lockstep_core::id::{IdentityId, PersonalAccessTokenId};
use lockstep_core::operation::Reach;
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_store::{Tx, audit, identity, personal_access_token};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_client_secret, draw_id, draw_id_at};

use super::oauth_clients::{given_scopes, text, within};
use super::patch::patched;
use super::{App, Error, passed};
use crate::auth::Permit;
use wanted::{ChangeableToken, WantedToken};

/// How many a person may have (CONTRACT section 3).
const MOST: usize = 10;

/// How long one lives unless something else is asked for, and at most where an end is: six months.
const LIFE: Months = Months::new(6);

/// A token as people are shown it.
#[derive(Debug)]
pub struct Found {
    /// The token.
    pub token: PersonalAccessToken,
    /// What its owner is called.
    pub owner: String,
}

impl Record for Found {
    fn value(&self, field: &str) -> Option<Value> {
        match field {
            "id" => Some(Value::Id(self.token.id.0)),
            "lastUsed" => self.token.last_used_at.map(Value::Instant),
            _ => None,
        }
    }
}

/// Whose tokens are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    Everybody,
    /// The caller's.
    Mine,
    /// That person's.
    Of(IdentityId),
}

/// Tokens, oldest first.
pub async fn list(app: &App, permit: &Permit, whose: Whose) -> Result<Vec<Found>, Error> {
    let whom = match whose {
        Whose::Everybody => None,
        Whose::Of(identity) => Some(identity),
        Whose::Mine => Some(permit.caller().person().ok_or_else(|| Error::Illegal {
            field: "owner-id",
            reason: "must not be me for a program, which has no personal access tokens".to_owned(),
        })?),
    };
    permit.reaches(whom)?;
    let read = app.store.scan(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let tokens = match whom {
                Some(identity) => personal_access_token::list_of(tx, identity).await?,
                None => personal_access_token::list(tx).await?,
            };
            let mut names: HashMap<IdentityId, String> = HashMap::new();
            let mut found = Vec::new();
            for token in tokens {
                let owner = match names.entry(token.identity) {
                    Entry::Occupied(known) => known.get().clone(),
                    Entry::Vacant(place) => place.insert(name_of(tx, token.identity).await?).clone(),
                };
                found.push(Found { token, owner });
            }
            Ok::<_, lockstep_store::Error>(found)
        })
    });
    Ok(read.await?)
}

/// Makes a token of the caller, and draws its secret.
pub async fn create(app: &App, permit: &Permit, wanted: WantedToken) -> Result<(Found, Secret), Error> {
    let identity = own(permit)?;
    let now = app.clock.utc();
    let secret = draw_client_secret();
    let caller = permit.caller();
    let token = PersonalAccessToken {
        id: PersonalAccessTokenId(draw_id()),
        identity,
        name: text("name", wanted.name, 255)?.ok_or(Error::Missing("name"))?,
        secret_hash: app.vault.keyed_hash(HashPurpose::PersonalAccessToken, secret.expose().as_bytes()).to_vec(),
        scopes: match wanted.scope {
            Some(scope) => given_scopes(scope, caller)?,
            None => caller.scopes.clone(),
        },
        token_seconds: seconds(wanted.access_token_validity_seconds)?,
        created_at: now,
        expires_at: expiry(wanted.expiration_date, wanted.user_aware_token_never_expires, now)?,
        last_used_at: None,
    };
    let event = event(Action::PersonalAccessTokenCreated, permit, &token, now);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            identity::hold(tx, identity).await?;
            let others = personal_access_token::list_of(tx, identity).await?;
            if others.len() >= MOST {
                return Err(Error::Impossible(format!("a person has at most {MOST} personal access tokens")));
            }
            has_its_own_name(&token, &others)?;
            personal_access_token::insert(tx, &token).await?;
            audit::append(tx, draw_id_at(event.at), &event).await?;
            Ok(Found { owner: name_of(tx, identity).await?, token })
        })
    });
    Ok((written.await?, secret))
}

/// Changes name, scopes, or how long access tokens live, of a token of the caller.
pub async fn change(app: &App, permit: &Permit, id: PersonalAccessTokenId, patch: Patch) -> Result<Found, Error> {
    let identity = own(permit)?;
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            identity::hold(tx, identity).await?;
            let tokens = personal_access_token::list_of(tx, identity).await?;
            let before = tokens.iter().find(|token| token.id == id);
            let before = before.ok_or(Error::NotFound("personal access token"))?;
            let current = ChangeableToken::of(before);
            let wanted = patched(&current, &patch, ChangeableToken::CHANGEABLE)?;
            let mut token = before.clone();
            // What was given before stays, whoever changes the name.
            if wanted.scope != current.scope {
                let scope = wanted.scope.ok_or(Error::Missing("scope"))?;
                token.scopes = given_scopes(scope, permit.caller())?;
            }
            token.name = text("name", wanted.name, 255)?.ok_or(Error::Missing("name"))?;
            token.token_seconds = seconds(wanted.access_token_validity_seconds)?;
            has_its_own_name(&token, &tokens)?;
            personal_access_token::change(tx, &token).await?;
            let event = event(Action::PersonalAccessTokenUpdated, &permit, &token, now);
            audit::append(tx, draw_id_at(event.at), &event).await?;
            Ok(Found { owner: name_of(tx, identity).await?, token })
        })
    });
    written.await
}

/// Deletes a token. What it was exchanged for is dead.
pub async fn delete(app: &App, permit: &Permit, id: PersonalAccessTokenId) -> Result<(), Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            // Who reaches themselves only is not told whose others there are.
            let token = personal_access_token::find(tx, id).await?;
            let token = token.filter(|token| permit.reach().reaches(Some(token.identity)));
            let token = token.ok_or(Error::NotFound("personal access token"))?;
            personal_access_token::remove(tx, id).await?;
            let event = event(Action::PersonalAccessTokenDeleted, &permit, &token, now);
            Ok::<_, Error>(audit::append(tx, draw_id_at(event.at), &event).await?)
        })
    });
    written.await
}

/// The caller, who makes and changes nobody else's.
fn own(permit: &Permit) -> Result<IdentityId, Error> {
    match (permit.reach(), permit.caller().person()) {
        (Reach::Own(identity), _) | (Reach::Everybody, Some(identity)) => Ok(identity),
        (Reach::Everybody, None) => Err(Error::Forbidden("this takes a person's token".to_owned())),
    }
}

fn has_its_own_name(token: &PersonalAccessToken, others: &[PersonalAccessToken]) -> Result<(), Error> {
    match others.iter().any(|other| other.id != token.id && other.name == token.name) {
        true => Err(Error::Illegal { field: "name", reason: "is another token's of the same person".to_owned() }),
        false => Ok(()),
    }
}

fn seconds(wanted: Option<i64>) -> Result<u32, Error> {
    let seconds = within("accessTokenValiditySeconds", wanted.unwrap_or(*TOKEN_SECONDS.end()), TOKEN_SECONDS)?;
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// From when on it is dead: as is wanted, within six months; never, where that is said to be known; in six months.
fn expiry(
    wanted: Option<DateTime<Utc>>,
    never: Option<bool>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    let latest = now.checked_add_months(LIFE).unwrap_or(now);
    match wanted {
        Some(end) if now < end && end <= latest => Ok(Some(end)),
        Some(_) => {
            let reason = "must be between now and six months from now".to_owned();
            Err(Error::Illegal { field: "expirationDate", reason })
        }
        None if never == Some(true) => Ok(None),
        None => Ok(Some(latest)),
    }
}

async fn name_of(tx: &mut Tx<'_>, id: IdentityId) -> Result<String, lockstep_store::Error> {
    Ok(identity::find(tx, id).await?.map(|person| person.display_name).unwrap_or_default())
}

fn event(action: Action, permit: &Permit, token: &PersonalAccessToken, now: DateTime<Utc>) -> Event {
    let detail = [("token", Detail::Id(token.id.0))].into();
    Event { detail, ..passed(action, permit.caller().actor(), Some(token.identity), now) }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_token_ends_within_six_months_unless_somebody_knows_that_it_does_not() {
        let now = DateTime::UNIX_EPOCH;
        let six_months = now.checked_add_months(LIFE).expect("a date");
        assert_eq!(expiry(None, None, now).expect("the default"), Some(six_months));
        assert_eq!(expiry(None, Some(false), now).expect("the default"), Some(six_months));
        assert_eq!(expiry(None, Some(true), now).expect("never"), None);
        let day = now + TimeDelta::days(1);
        assert_eq!(expiry(Some(day), Some(true), now).expect("a day"), Some(day));
        for wrong in [now, now - TimeDelta::days(1), six_months + TimeDelta::milliseconds(1)] {
            assert!(expiry(Some(wrong), None, now).is_err(), "{wrong}");
        }
    }
}
