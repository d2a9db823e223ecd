//! What the audit says of deliveries: one event a settled target, one a final change.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::change::{ChangeState, Delta, LaneEvent, TargetKey};
use lockstep_core::id::{ChangeId, IdentityId, NodeId, SourceId};

/// The events of one committed step. `named` are the targets that somebody asked for; the others share the password.
pub(super) fn events(
    node: NodeId,
    identity: IdentityId,
    named: &HashSet<TargetKey>,
    delta: &Delta,
    now: DateTime<Utc>,
) -> Vec<Event> {
    let event = |change, action, outcome| Event {
        action,
        actor: Actor::Node(node),
        identity: Some(identity),
        source: None,
        account: None,
        change: Some(change),
        at: now,
        outcome,
        detail: BTreeMap::new(),
    };
    let of_target = |key: TargetKey, applied: bool| {
        let target = delta.targets.iter().find(|target| target.key == key)?;
        let named = named.contains(&key);
        let (action, outcome) = match (applied, target.source == SourceId::IDENTITY_NOW, named) {
            (true, true, _) => (Action::UserPasswordUpdatePassed, Outcome::Passed),
            (false, true, _) => (Action::UserPasswordUpdateFailed, Outcome::Failed),
            (true, false, true) => (Action::AccountPasswordResetPassed, Outcome::Passed),
            (true, false, false) => (Action::AccountPasswordSyncPassed, Outcome::Passed),
            (false, false, _) => (Action::AccountPasswordResetFailed, Outcome::Failed),
        };
        let event = event(key.change, action, outcome);
        Some(Event { source: Some(target.source), account: Some(key.account), ..event })
    };
    let of_change = |change: ChangeId, state: ChangeState| match state {
        ChangeState::Finished => event(change, Action::PasswordChange, Outcome::Passed),
        _ => event(change, Action::PasswordChangeFailure, Outcome::Failed),
    };
    delta
        .events
        .iter()
        .filter_map(|happened| match *happened {
            LaneEvent::FirstApplied(key) | LaneEvent::Applied(key) => of_target(key, true),
            LaneEvent::NotApplied(key) => of_target(key, false),
            LaneEvent::Settled(change, state) => Some(of_change(change, state)),
        })
        .collect()
}
