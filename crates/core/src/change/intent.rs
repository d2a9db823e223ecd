//! Intents: what is to become of an identity or an account once nothing is under way there.
//!
//! An account has one identity, so one bucket, so one owner that writes it. That stays so when it changes hands: whoever
//! wants it to commits an intent, and the owner of the identity carries it out, after it has ended what waits and let end
//! what may still land. Moved at once, the account would be written by the new identity while a lost write of the old one
//! may land over it, and nobody would know of the doubt.

use crate::id::{AccountId, IdentityId, IntentId};

/// What is to be done with an identity or one of its accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// Its own name.
    pub id: IntentId,
    /// What.
    pub kind: IntentKind,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentKind {
    /// The identity was disabled: what waits is not delivered any more.
    Disable,
    /// The account goes to another identity, or to nobody.
    Give {
        /// Which account.
        account: AccountId,
        /// Whose it will be.
        to: Option<IdentityId>,
    },
    /// The account is gone from its source.
    Bury {
        /// Which account.
        account: AccountId,
    },
    /// Somebody knows that what was in the way is not any more: what is to be tried again later is tried at once.
    Retry,
}

impl IntentKind {
    /// The one account it concerns; none where it is the identity.
    pub fn account(self) -> Option<AccountId> {
        match self {
            Self::Disable | Self::Retry => None,
            Self::Give { account, .. } | Self::Bury { account } => Some(account),
        }
    }

    /// Whether nothing more is to be delivered to `account`.
    pub fn ends(self, account: AccountId) -> bool {
        self != Self::Retry && self.account().is_none_or(|own| own == account)
    }

    /// Why something was not delivered.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Disable => "the identity was disabled",
            Self::Give { .. } => "the account does not belong to this identity any more",
            Self::Bury { .. } => "the account is gone from its source",
            Self::Retry => "it is tried again",
        }
    }
}
