//! Whether what was said is true: of every change, and of every account.

use std::collections::BTreeMap;

use lockstep_core::change::{ChangeState, Target, TargetKey, TargetState};
use lockstep_core::id::AccountId;

use crate::database::Stored;
use crate::systems::Secret;
use crate::world::State;

/// Whether no write is on its way any more.
pub(crate) fn is_still(state: &State) -> bool {
    state.systems.accounts().all(|(_, account)| account.on_their_way == 0)
}

/// Holds the guarantees against what really is.
pub(crate) fn check(state: &mut State) {
    let mut broken = Vec::new();
    finality(state, &mut broken);
    supersession(state, &mut broken);
    truth(state, &mut broken);
    locks(state, &mut broken);
    state.violations.extend(broken);
}

/// Every accepted change reached a final state that fits its targets, and its payload is erased.
fn finality(state: &State, broken: &mut Vec<String>) {
    for Stored { change, payload, .. } in state.database.changes.values() {
        if !change.state.is_final() {
            broken.push(format!("change {} of {} did not come to its end", change.seq, change.identity));
            continue;
        }
        if payload.is_some() {
            broken.push(format!("the payload of change {} of {} is kept", change.seq, change.identity));
        }
        let leader = change.joined.unwrap_or(change.id);
        let mut targets = state.database.targets.values().filter(|target| target.key.change == leader).peekable();
        let named = TargetKey { change: leader, account: change.account };
        let fits = match change.state {
            // The account that was asked for is among those that have it.
            ChangeState::Finished => {
                state.database.targets.contains_key(&named) && targets.all(|t| t.state == TargetState::Applied)
            }
            _ => targets.peek().is_none() || targets.any(|t| t.state != TargetState::Applied),
        };
        if !fits {
            broken.push(format!(
                "change {} of {} is {:?}, unlike its targets",
                change.seq, change.identity, change.state
            ));
        }
    }
}

/// A target was superseded only by a newer one that was really written: nobody loses a change to one that was refused.
fn supersession(state: &State, broken: &mut Vec<String>) {
    let targets = &state.database.targets;
    for target in targets.values().filter(|target| target.state == TargetState::Superseded) {
        let began = |newer: &Target| newer.attempts > 0 || newer.state == TargetState::Applied;
        let newer = |other: &&Target| other.key.account == target.key.account && other.seq > target.seq && began(other);
        if targets.values().find(newer).is_none() {
            broken.push(format!("change {} lost account {} to nobody", target.seq, target.key.account));
        }
    }
}

/// What a change says of an account. Ordered by whose the account was, then by the place in that identity's order.
type Said<'a> = ((u32, i64), Secret, &'a Target);

/// Each account holds the password of the newest change that is said to be there, or that of a newer one which is said to
/// be there perhaps.
fn truth(state: &mut State, broken: &mut Vec<String>) {
    let mut said: BTreeMap<AccountId, Vec<Said<'_>>> = BTreeMap::new();
    for Stored { change, secret, .. } in state.database.changes.values() {
        let leader = change.joined.unwrap_or(change.id);
        let from = TargetKey { change: leader, account: AccountId(uuid::Uuid::nil()) };
        let targets = state.database.targets.range(from..).take_while(|(key, _)| key.change == leader);
        for (key, target) in targets {
            let hands = state.database.made_in.get(key).copied().unwrap_or_default();
            said.entry(key.account).or_default().push(((hands, change.seq), *secret, target));
        }
    }
    let holds: BTreeMap<AccountId, Secret> =
        state.systems.accounts().map(|(account, real)| (*account, real.holds)).collect();
    for (account, said) in &said {
        let holds = holds.get(account).copied().unwrap_or_default();
        let applied =
            said.iter().filter(|(_, _, target)| target.state == TargetState::Applied).max_by_key(|said| said.0);
        let (place, expected) = applied.map_or(((0, 0), 0), |(place, secret, _)| (*place, *secret));
        let perhaps = said.iter().any(|(newer, secret, target)| *newer > place && target.unsure && *secret == holds);
        if holds != expected && !perhaps {
            broken.push(format!(
                "account {account} holds password {holds}, and change {} with {expected} is the newest said to be there",
                place.1
            ));
        }
    }
}

/// At most one sign-in that fails is made for a target: it counts towards the lock of the account.
fn locks(state: &State, broken: &mut Vec<String>) {
    for (account, real) in state.systems.accounts() {
        for (key, wrong) in real.wrong_for.iter().filter(|(_, wrong)| **wrong > 1) {
            broken.push(format!("{wrong} sign-ins to {account} failed for the sake of change {}", key.change));
        }
    }
}
