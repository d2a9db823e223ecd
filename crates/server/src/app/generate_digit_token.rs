//! Drawing a digit token: the code that a help desk reads to a caller. Trying one is `recover`'s.

use std::collections::BTreeMap;

use lockstep_core::audit::{Action, Event, Outcome};
use lockstep_core::digit_token::{DigitCode, InvalidTerms, State, Terms};
use lockstep_core::id::IdentityId;
use lockstep_store::digit_token::DigitToken;
use lockstep_store::{Tx, aggregation, audit, digit_token, identity, org_config};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{draw_id, draw_id_at, fill};
use uuid::Uuid;

use super::{App, Error, level};
use crate::auth::Permit;

/// For whom, and what the code should be like.
#[derive(Debug)]
pub struct Request {
    /// The person's alias.
    pub alias: String,
    /// How many digits; none: as the organisation has set.
    pub length: Option<i64>,
    /// How long it lives; none: as the organisation has set.
    pub duration_minutes: Option<i64>,
}

/// A code that was drawn and stored.
#[derive(Debug)]
pub struct Drawn {
    /// The code, to be shown once.
    pub code: DigitCode,
    /// Its id.
    pub id: Uuid,
}

/// Draws a code, which takes the place of the one before.
pub async fn generate_digit_token(app: &App, permit: &Permit, request: Request) -> Result<Drawn, Error> {
    let asking = permit.clone();
    let (terms, person) = app
        .store
        .read(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let config = org_config::find(tx).await?.unwrap_or_default();
                let terms = Terms::of_request(request.length, request.duration_minutes, &config)?;
                let person = identity::find_by_alias(tx, &request.alias).await?;
                asking.reaches(person.as_ref().map(|person| person.id))?;
                let person = person.ok_or(Error::Unknown { field: "userId", what: "an identity" })?;
                // A program may set everybody's password anyway.
                if asking.caller().person().is_some() {
                    level::reaches(tx, &asking, person.id).await?;
                }
                match person.enabled {
                    true => Ok((terms, person.id)),
                    false => Err(Error::Impossible("the identity is disabled".to_owned())),
                }
            })
        })
        .await?;

    let code = DigitCode::draw(terms.length, &mut fill);
    let now = app.clock.utc();
    let token = DigitToken {
        id: draw_id(),
        code_hash: app.vault.keyed_hash(HashPurpose::DigitToken, &hashed(person, code.expose())).to_vec(),
        state: State::FRESH,
        created_at: now,
        expires_at: now + terms.lifetime,
    };
    let event = Event {
        action: Action::DigitTokenGenerationPassed,
        actor: permit.caller().actor(),
        identity: Some(person),
        source: None,
        account: None,
        change: None,
        at: now,
        outcome: Outcome::Passed,
        detail: BTreeMap::new(),
    };
    let id = token.id;
    let asking = permit.clone();
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let (asking, token, event) = (asking.clone(), token.clone(), event.clone());
        Box::pin(async move {
            // They may have been given a level since, and nobody gives them one until this is done.
            aggregation::hold_people(tx, &[person]).await?;
            if asking.caller().person().is_some() {
                level::reaches(tx, &asking, person).await?;
            }
            digit_token::put(tx, person, &token).await?;
            Ok::<_, Error>(audit::append(tx, draw_id_at(event.at), &event).await?)
        })
    });
    written.await?;
    Ok(Drawn { code, id })
}

/// What is hashed of a code: the person's id and the digits, so that equal codes of two people have different hashes.
pub(super) fn hashed(person: IdentityId, code: &str) -> zeroize::Zeroizing<Vec<u8>> {
    let mut bytes = zeroize::Zeroizing::new(person.0.as_bytes().to_vec());
    bytes.extend_from_slice(code.as_bytes());
    bytes
}

impl From<InvalidTerms> for Error {
    fn from(error: InvalidTerms) -> Self {
        match error {
            InvalidTerms::NotEnabled => Self::NotEnabled("digit tokens"),
            InvalidTerms::OutOfRange { field, min, max, .. } => {
                Self::Illegal { field, reason: format!("must be between {min} and {max}") }
            }
        }
    }
}
