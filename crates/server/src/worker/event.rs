//! What the audit says of deliveries: one event a settled target, one a final change.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::change::{ChangeState, LaneEvent, TargetKey};
use lockstep_core::id::{ChangeId, SourceId};
use lockstep_engine::Step;

use crate::app::App;

/// The events of one step.
pub(super) fn events(step: &Step<App>, now: DateTime<Utc>) -> Vec<Event> {
    let event = |change, action, outcome| Event {
        action,
        actor: Actor::Node(step.hold.node),
        identity: Some(step.identity),
        source: None,
        account: None,
        change: Some(change),
        at: now,
        outcome,
        detail: BTreeMap::new(),
    };
    let of_target = |key: TargetKey, applied: bool| {
        let target = step.delta.targets.iter().find(|target| target.key == key)?;
        let named = step.named.contains(&key);
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
    step.delta
        .events
        .iter()
        .filter_map(|happened| match *happened {
            LaneEvent::FirstApplied(key) | LaneEvent::Applied(key) => of_target(key, true),
            LaneEvent::NotApplied(key) => of_target(key, false),
            LaneEvent::Settled(change, state) => Some(of_change(change, state)),
        })
        .collect()
}
