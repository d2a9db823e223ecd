//! When the passwords of somebody's accounts were set, as far as it counts: while one is being changed, nobody says that it was
//! changed outside.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::id::{AccountId, IdentityId};
use lockstep_core::password_set::PasswordSet;
use lockstep_store::{Result, Tx, lane, password_set};

/// What is known of the accounts of somebody, at a moment.
#[derive(Debug, Default)]
pub(super) struct Known {
    sets: HashMap<AccountId, PasswordSet>,
    now: DateTime<Utc>,
    grace: Duration,
}

impl Known {
    /// The accounts of somebody, tombstones too, and what is known of them, as `tx` sees it. `grace` is how long a write whose answer
    /// was lost may still land.
    pub(super) async fn read(
        tx: &mut Tx<'_>,
        of: IdentityId,
        now: DateTime<Utc>,
        grace: Duration,
    ) -> Result<(Vec<Account>, Self)> {
        let (mut accounts, mut sets) = (Vec::new(), HashMap::new());
        for (account, set) in password_set::list_of(tx, of).await? {
            sets.insert(account.id, set);
            accounts.push(account);
        }
        let mut known = Self { sets, now, grace };
        // Asked only where it matters, which is seldom.
        if known.sets.values().any(|set| set.changed_outside_at(now, grace).is_some()) {
            for account in lane::under_way(tx, of).await? {
                known.sets.entry(account).and_modify(|set| set.said_at = None);
            }
        }
        Ok((accounts, known))
    }

    fn of(&self, account: AccountId) -> PasswordSet {
        self.sets.get(&account).copied().unwrap_or_default()
    }

    /// When Lockstep last set the password of an account.
    pub(super) fn set_at(&self, account: AccountId) -> Option<DateTime<Utc>> {
        self.of(account).set_at
    }

    /// When it was last changed, as its system says.
    pub(super) fn said_at(&self, account: AccountId) -> Option<DateTime<Utc>> {
        self.of(account).credible_at(self.now)
    }

    /// When somebody else changed it after that.
    pub(super) fn changed_outside_at(&self, account: AccountId) -> Option<DateTime<Utc>> {
        self.of(account).changed_outside_at(self.now, self.grace)
    }

    /// From when on its age counts.
    pub(super) fn counts_from(&self, account: AccountId) -> Option<DateTime<Utc>> {
        self.of(account).counts_from(self.now, self.grace)
    }
}

#[cfg(test)]
impl Known {
    /// With what is known of some accounts.
    pub(super) fn of_sets(sets: HashMap<AccountId, PasswordSet>, now: DateTime<Utc>) -> Self {
        Self { sets, now, grace: Duration::from_secs(180) }
    }
}
