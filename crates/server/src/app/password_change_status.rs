//! What became of a change, from committed rows: any node can answer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use lockstep_core::change::{Change, ChangeState, Target};
use lockstep_core::id::{ChangeId, SourceId};
use lockstep_store::{Tx, change};

use super::{App, Error};
use crate::auth::Permit;

/// What a client is told of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far it is.
    pub state: ChangeState,
    /// Why it was refused, or one line for each account that did not get the password; empty until it is final.
    pub errors: Vec<String>,
    /// Where its targets are; before they are known, and where it was refused, the source that was named.
    pub sources: Vec<SourceId>,
}

/// Tells what became of a change.
pub async fn password_change_status(app: &App, permit: &Permit, id: ChangeId) -> Result<Status, Error> {
    let (within, permit) = (app.clone(), permit.clone());
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let (change, targets) = change::find(tx, id).await?.ok_or(Error::NotFound("password change"))?;
            permit.reaches(Some(change.identity))?;
            let configuration = within.configuration.read(tx).await?;
            let mut names = BTreeMap::new();
            for target in &targets {
                if let Entry::Vacant(place) = names.entry(target.source) {
                    let source = configuration.source(tx, target.source).await?;
                    place.insert(source.map_or_else(|| target.source.to_string(), |source| source.name.clone()));
                }
            }
            Ok(told(&change, &targets, &names))
        })
    });
    found.await
}

fn told(change: &Change, targets: &[Target], names: &BTreeMap<SourceId, String>) -> Status {
    let name = |target: &Target| names.get(&target.source).map_or("", String::as_str);
    let errors = match change.state.is_final() {
        false => Vec::new(),
        true if targets.is_empty() => change.refusals.clone(),
        true => targets.iter().filter_map(|target| target.line(name(target))).collect(),
    };
    let mut sources: Vec<SourceId> = match targets {
        [] => vec![change.source],
        targets => targets.iter().map(|target| target.source).collect(),
    };
    sources.sort_unstable();
    sources.dedup();
    Status { state: change.state, errors, sources }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use lockstep_core::change::{TargetKey, TargetState};
    use lockstep_core::id::{AccountId, IdentityId, TransportKeyId};
    use uuid::Uuid;

    use super::*;

    fn change(state: ChangeState, refusals: &[&str]) -> Change {
        Change {
            id: ChangeId(Uuid::from_u128(1)),
            identity: IdentityId(Uuid::from_u128(1)),
            seq: 1,
            source: SourceId(Uuid::from_u128(7)),
            account: AccountId(Uuid::from_u128(1)),
            transport_key: TransportKeyId(Uuid::from_u128(1)),
            state,
            joined: None,
            refusals: refusals.iter().map(|reason| (*reason).to_owned()).collect(),
            created_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
            settled_at: None,
        }
    }

    fn target(source: u128, state: TargetState, reason: Option<&str>) -> Target {
        Target {
            key: TargetKey { change: ChangeId(Uuid::from_u128(1)), account: AccountId(Uuid::from_u128(source)) },
            source: SourceId(Uuid::from_u128(source)),
            native_id: String::new(),
            name: String::new(),
            seq: 1,
            sign_in: false,
            state,
            attempts: 1,
            probed: false,
            unsure: false,
            reason: reason.map(str::to_owned),
            settled_at: None,
        }
    }

    #[test]
    fn a_refused_change_tells_its_reasons_and_the_source_that_was_named() {
        let status = told(&change(ChangeState::Failed, &["too short"]), &[], &BTreeMap::new());
        assert_eq!(status.errors, ["too short"]);
        assert_eq!(status.sources, [SourceId(Uuid::from_u128(7))]);
    }

    #[test]
    fn only_a_final_change_has_lines_one_for_each_account_without_the_password() {
        let targets = [
            target(7, TargetState::Applied, None),
            target(8, TargetState::Failed, Some("the account is locked")),
            target(8, TargetState::Applied, None),
        ];
        let names = BTreeMap::from([(SourceId(Uuid::from_u128(8)), "Payroll".to_owned())]);
        let both = [SourceId(Uuid::from_u128(7)), SourceId(Uuid::from_u128(8))];

        let status = told(&change(ChangeState::Failed, &[]), &targets, &names);
        assert_eq!(status.errors, ["Payroll: the account is locked"]);
        assert_eq!(status.sources, both);

        let status = told(&change(ChangeState::Judged, &[]), &targets, &names);
        assert!(status.errors.is_empty());
        assert_eq!(status.sources, both);
    }
}
