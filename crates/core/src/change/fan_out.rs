//! Which accounts a change reaches: fixed once, at judging.

use super::NewTarget;
use crate::account::Account;
use crate::id::{AccountId, SourceId};
use crate::identity::Identity;

/// The targets of a change that names `account` on `source`.
///
/// `members` are the other sources of the sync group, none where the source is in no group; `accounts` are all accounts
/// of the identity. The named account is a target whatever its settings; on every member source it is every account
/// that takes part in password sync. Naming any member so reaches the whole group.
pub fn fan_out(
    identity: &Identity,
    source: SourceId,
    account: AccountId,
    members: &[SourceId],
    accounts: &[Account],
) -> Vec<NewTarget> {
    let named = |candidate: &Account| candidate.id == account && candidate.source == source;
    let synced = |candidate: &Account| {
        candidate.password_sync && candidate.source != source && members.contains(&candidate.source)
    };
    accounts
        .iter()
        .filter(|candidate| !candidate.vanished && candidate.identity == Some(identity.id))
        .filter(|candidate| named(candidate) || synced(candidate))
        .map(|account| NewTarget {
            account: account.id,
            source: account.source,
            native_id: account.native_id.clone(),
            name: account.name.clone(),
            sign_in: account.source == identity.sign_in_source,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::*;
    use crate::id::IdentityId;

    const ABBY: IdentityId = IdentityId(Uuid::from_u128(1));

    fn source(n: u128) -> SourceId {
        SourceId(Uuid::from_u128(n))
    }

    fn account(n: u128, on: u128, password_sync: bool) -> Account {
        Account {
            id: AccountId(Uuid::from_u128(n)),
            identity: Some(ABBY),
            source: source(on),
            stable_id: n.to_string(),
            native_id: n.to_string(),
            name: n.to_string(),
            password_sync,
            attributes: BTreeMap::new(),
            vanished: false,
        }
    }

    fn reached(named: u128, on: u128, members: &[u128], accounts: &[Account]) -> Vec<(u128, bool)> {
        let identity = Identity {
            id: ABBY,
            alias: "Abby.Smith".to_owned(),
            display_name: "Abby Smith".to_owned(),
            email: None,
            attributes: BTreeMap::new(),
            sign_in_source: source(10),
            enabled: true,
        };
        let members: Vec<SourceId> = members.iter().map(|n| source(*n)).collect();
        fan_out(&identity, source(on), AccountId(Uuid::from_u128(named)), &members, accounts)
            .into_iter()
            .map(|target| (target.account.0.as_u128(), target.sign_in))
            .collect()
    }

    #[test]
    fn a_lone_source_reaches_the_named_account_only() {
        let accounts = [account(1, 10, true), account(2, 10, true), account(3, 20, true)];
        assert_eq!(reached(2, 10, &[], &accounts), [(2, true)]);
    }

    #[test]
    fn any_member_reaches_the_whole_group() {
        let accounts = [account(1, 10, true), account(2, 20, true), account(3, 20, true), account(4, 30, true)];
        assert_eq!(reached(1, 10, &[20], &accounts), [(1, true), (2, false), (3, false)]);
        assert_eq!(reached(2, 20, &[10], &accounts), [(1, true), (2, false)]);
    }

    #[test]
    fn an_account_that_takes_no_part_in_sync_is_reached_by_name_only() {
        let accounts = [account(1, 10, true), account(2, 20, false)];
        assert_eq!(reached(1, 10, &[20], &accounts), [(1, true)]);
        assert_eq!(reached(2, 20, &[10], &accounts), [(1, true), (2, false)]);
    }

    #[test]
    fn nobody_elses_and_no_vanished_account_is_reached() {
        let stranger = Account { identity: None, ..account(2, 20, true) };
        let vanished = Account { vanished: true, ..account(3, 20, true) };
        assert_eq!(reached(1, 10, &[20], &[account(1, 10, true), stranger, vanished]), [(1, true)]);
        assert_eq!(reached(1, 10, &[], &[Account { vanished: true, ..account(1, 10, true) }]), []);
    }
}
