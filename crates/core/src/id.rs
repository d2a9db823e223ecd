//! Identifiers: one type a noun, all of them UUIDs.
//!
//! On the wire an id is 32 lower-case hexadecimal digits, except a client's, which is a UUID with dashes. Both
//! spellings are read everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// What is not an id: neither 32 hexadecimal digits nor a UUID with dashes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 32 hexadecimal digits")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $show:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.$show().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // `Uuid` also reads braces and URNs, which no client sends and no log should have to search for.
                if !matches!(text.len(), 32 | 36) {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(/// An identity: a person.
    IdentityId, simple);
id!(/// A source: a system that holds accounts.
    SourceId, simple);
id!(/// An account on one source (Lockstep's own id, not the source's).
    AccountId, simple);
id!(/// An application that a person sees.
    ApplicationId, simple);
id!(/// A password policy.
    PasswordPolicyId, simple);
id!(/// A sync group.
    SyncGroupId, simple);
id!(/// A password change, which is the `requestId` of the wire.
    ChangeId, simple);
id!(/// What is to become of an identity or an account.
    IntentId, simple);
id!(/// A transport key.
    TransportKeyId, hyphenated);
id!(/// An API client.
    ClientId, hyphenated);
id!(/// A personal access token.
    PersonalAccessTokenId, simple);
id!(/// A sign-in of a person at a client: every token that came from it.
    FamilyId, simple);
id!(/// A session of a person on the pages.
    SessionId, simple);
id!(/// A passkey of a person.
    PasskeyId, simple);
id!(/// A piece of work that takes its time, such as an aggregation.
    TaskId, simple);
id!(/// One running process.
    NodeId, simple);

impl SourceId {
    /// The built-in source `IdentityNow`, which holds the sign-in passwords. It exists from the first migration.
    pub const IDENTITY_NOW: Self = Self(Uuid::from_u128(0x4c6f_636b_7374_4570_8000_4964_656e_7400));
}

impl PasswordPolicyId {
    /// The Default policy, which always exists and cannot be deleted.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x4c6f_636b_7374_4570_8000_5061_7373_7700));
}

/// The share of the hot tables that an id falls in: its last byte.
///
/// An identity and all its changes have the same last byte, so an id alone finds its bucket, every hot row carries it
/// and one node owns everything that concerns one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(pub u8);

impl Bucket {
    /// Every bucket there is.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    /// The bucket of a keyed hash: its last byte.
    pub fn of_digest(digest: &[u8; 16]) -> Self {
        Self(digest[15])
    }

    /// As the databases keep it.
    pub fn number(self) -> i16 {
        i16::from(self.0)
    }
}

impl IdentityId {
    /// The bucket that everything hot about this identity lives in.
    pub fn bucket(self) -> Bucket {
        Bucket(self.0.as_bytes()[15])
    }
}

impl ChangeId {
    /// The id of a change of `identity`: `fresh` with its last byte replaced by the identity's.
    pub fn of(identity: IdentityId, fresh: Uuid) -> Self {
        let mut bytes = *fresh.as_bytes();
        bytes[15] = identity.bucket().0;
        Self(Uuid::from_bytes(bytes))
    }

    /// The bucket of the identity whose change this is.
    pub fn bucket(self) -> Bucket {
        Bucket(self.0.as_bytes()[15])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_one_is_written() {
        let hex: IdentityId = "2c918086749d78830174a1a40e121518".parse().expect("hex");
        let dashed: IdentityId = "2c918086-749d-7883-0174-a1a40e121518".parse().expect("dashed");
        assert_eq!(hex, dashed);
        assert_eq!(dashed.to_string(), "2c918086749d78830174a1a40e121518");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "x", "{2c918086749d78830174a1a40e121518}", "2c918086749d78830174a1a40e12151g", "é"] {
            assert_eq!(text.parse::<SourceId>(), Err(InvalidId), "{text:?}");
        }
    }

    #[test]
    fn a_change_lives_in_the_bucket_of_its_identity() {
        let identity = IdentityId(Uuid::from_u128(0xab));
        let change = ChangeId::of(identity, Uuid::from_u128(u128::MAX));
        assert_eq!(change.bucket(), identity.bucket());
        assert_eq!(identity.bucket(), Bucket(0xab));
    }
}
