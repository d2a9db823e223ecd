//! What the audit says of something that somebody with a permit did.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Detail, Event, Outcome};
use lockstep_core::id::{IdentityId, SourceId};
use lockstep_store::{Result, Tx, audit};
use lockstep_vault::secret::draw_id_at;
use uuid::Uuid;

use crate::auth::Permit;

/// What it was done to.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    identity: Option<IdentityId>,
    source: Option<SourceId>,
    detail: BTreeMap<&'static str, Detail>,
}

impl About {
    /// A person.
    pub(super) fn identity(id: IdentityId) -> Self {
        Self { identity: Some(id), ..Self::default() }
    }

    /// A source.
    pub(super) fn source(id: SourceId) -> Self {
        Self { source: Some(id), ..Self::default() }
    }

    /// Something that has no place of its own in an event, or what else is worth knowing.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, id: Uuid) -> Self {
        self.detail.insert(name, Detail::Id(id));
        self
    }

    /// A word of the program's own.
    #[must_use]
    pub(super) fn word(mut self, name: &'static str, word: &'static str) -> Self {
        self.detail.insert(name, Detail::Word(word));
        self
    }
}

/// Appends it, in the transaction in which it is done.
pub(super) async fn record(
    tx: &mut Tx<'_>,
    permit: &Permit,
    action: Action,
    about: About,
    now: DateTime<Utc>,
) -> Result<()> {
    let event = Event {
        action,
        actor: permit.caller().actor(),
        identity: about.identity,
        source: about.source,
        account: None,
        change: None,
        at: now,
        outcome: Outcome::Passed,
        detail: about.detail,
    };
    audit::append(tx, draw_id_at(now), &event).await
}
