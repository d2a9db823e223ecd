//! Who is calling: the owner of an access token.
//!
//! A token that verifies was issued here; that alone is not enough. Whatever it was issued to is as the database has it at
//! every request, so that revoking a client or a token, disabling an identity or changing its password ends every
//! living token at once, on every node. Sessions of browsers are not here.

mod verify;

use std::collections::BTreeSet;

use lockstep_core::audit::Actor;
use lockstep_core::id::{ClientId, IdentityId, PersonalAccessTokenId};
use lockstep_core::scope::{Scope, Scopes, UserLevel};
use lockstep_vault::token::TokenError;

use crate::app::error::Error;

pub use verify::authenticate;

/// The owner of a living access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A program that acts for nobody in particular.
    Client {
        /// The API client.
        id: ClientId,
        /// What it may do, as far as its token says so.
        scopes: Scopes,
    },
    /// A person, by a personal access token.
    Person {
        /// The person.
        identity: IdentityId,
        /// The token.
        token: PersonalAccessTokenId,
        /// What the person is in the organisation now.
        levels: BTreeSet<UserLevel>,
        /// What the token may be used for.
        scopes: Scopes,
    },
}

/// Why a request counts as nobody's. The text is what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No `Authorization: Bearer`, or nothing behind it.
    #[error("JWT validation failed: JWT is missing")]
    Missing,
    /// A token that was not issued here, or has expired.
    #[error("JWT validation failed: {0}")]
    Token(#[from] TokenError),
    /// The client or personal access token that it was issued to is gone or disabled, or its identity is disabled or
    /// has another password since.
    #[error("JWT validation failed: JWT is revoked")]
    Revoked,
}

impl Caller {
    /// Refuses a token without the scope that is asked for.
    pub fn needs(&self, scope: Scope) -> Result<(), Error> {
        let (Self::Client { scopes, .. } | Self::Person { scopes, .. }) = self;
        match scopes.grants(scope) {
            true => Ok(()),
            false => Err(Error::Forbidden(format!("the token lacks the scope {scope}"))),
        }
    }

    /// Refuses a person who asks about somebody else. A program may ask about anyone, and so may whoever administers the
    /// organisation or helps people. `whom` is none where nobody was found: who may only ask about themselves is not
    /// told that.
    pub fn may_see(&self, whom: Option<IdentityId>) -> Result<(), Error> {
        match self {
            Self::Client { .. } => Ok(()),
            Self::Person { identity, levels, .. } => {
                match whom == Some(*identity) || levels.iter().any(|level| level.sees_everybody()) {
                    true => Ok(()),
                    false => Err(Error::Forbidden(
                        "the token belongs to another identity, and its owner is neither ORG_ADMIN nor HELPDESK"
                            .to_owned(),
                    )),
                }
            }
        }
    }

    /// Refuses a person who would change somebody else's password, whatever the person's level.
    pub fn may_change(&self, whom: IdentityId) -> Result<(), Error> {
        match self {
            Self::Person { identity, .. } if *identity != whom => {
                Err(Error::Forbidden("a person's token changes that person's own password only".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Who did it, for the audit.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Client { id, .. } => Actor::Client(*id),
            Self::Person { identity, .. } => Actor::Identity(*identity),
        }
    }

    /// Names the caller in the log, where requests are counted, and beside a submitted ciphertext. All tokens of one
    /// person are the same caller.
    pub fn name(&self) -> String {
        match self {
            Self::Client { id, .. } => format!("client:{id}"),
            Self::Person { identity, .. } => format!("identity:{identity}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn identity(number: u128) -> IdentityId {
        IdentityId(Uuid::from_u128(number))
    }

    fn person(levels: &[UserLevel]) -> Caller {
        Caller::Person {
            identity: identity(1),
            token: PersonalAccessTokenId(Uuid::from_u128(9)),
            levels: levels.iter().copied().collect(),
            scopes: Scopes::from_iter([Scope::PasswordInfoRead]),
        }
    }

    #[test]
    fn a_program_may_act_for_anyone() {
        let client = Caller::Client { id: ClientId(Uuid::from_u128(1)), scopes: Scopes::default() };
        assert!(client.may_see(Some(identity(2))).is_ok() && client.may_change(identity(2)).is_ok());
    }

    #[test]
    fn a_person_changes_their_own_password_only() {
        for levels in [&[][..], &[UserLevel::User], &[UserLevel::HelpDesk], &[UserLevel::OrgAdmin]] {
            assert!(person(levels).may_change(identity(1)).is_ok());
            assert!(person(levels).may_change(identity(2)).is_err(), "{levels:?}");
        }
    }

    #[test]
    fn who_administers_or_helps_sees_everybody() {
        for (level, sees) in [
            (UserLevel::User, false),
            (UserLevel::SourceAdmin, false),
            (UserLevel::HelpDesk, true),
            (UserLevel::OrgAdmin, true),
        ] {
            assert!(person(&[level]).may_see(Some(identity(1))).is_ok());
            assert_eq!(person(&[level]).may_see(Some(identity(2))).is_ok(), sees, "{level:?}");
            assert_eq!(person(&[level]).may_see(None).is_ok(), sees, "{level:?}");
        }
    }

    #[test]
    fn a_missing_scope_is_named() {
        assert!(person(&[]).needs(Scope::PasswordInfoRead).is_ok());
        let refusal = person(&[]).needs(Scope::PasswordChangeManage).expect_err("lacks it");
        assert_eq!(refusal.to_string(), "the token lacks the scope idn:password-change:manage");
    }
}
