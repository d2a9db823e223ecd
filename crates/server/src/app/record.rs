//! What the audit says of something that somebody with a permit did.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::audit::{Action, Actor, Detail, Event, Outcome};
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use lockstep_store::{Result, Tx, audit};
use lockstep_vault::secret::draw_id_at;
use uuid::Uuid;

use crate::auth::Permit;

/// What it was done to.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct About {
    identity: Option<IdentityId>,
    source: Option<SourceId>,
    account: Option<AccountId>,
    failed: bool,
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

    /// The account that a person has here.
    pub(super) fn built_in(id: IdentityId) -> Self {
        let (source, account) = (SourceId::IDENTITY_NOW, AccountId(id.0));
        Self { identity: Some(id), source: Some(source), account: Some(account), ..Self::default() }
    }

    /// An account, and whose it is.
    pub(super) fn account(account: &Account) -> Self {
        Self { identity: account.identity, source: Some(account.source), account: Some(account.id), ..Self::default() }
    }

    /// It did not end as intended.
    #[must_use]
    pub(super) fn failed(self, failed: bool) -> Self {
        Self { failed, ..self }
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
    record_by(tx, permit.caller().actor(), action, about, now).await
}

/// The same of somebody who needs no permit: Lockstep itself, or whoever runs a command, who has the master key.
pub(super) async fn record_by(
    tx: &mut Tx<'_>,
    actor: Actor,
    action: Action,
    about: About,
    now: DateTime<Utc>,
) -> Result<()> {
    let event = Event {
        action,
        actor,
        identity: about.identity,
        source: about.source,
        account: about.account,
        change: None,
        at: now,
        outcome: if about.failed { Outcome::Failed } else { Outcome::Passed },
        detail: about.detail,
    };
    audit::append(tx, draw_id_at(now), &event).await
}
