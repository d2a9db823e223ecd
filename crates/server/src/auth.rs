//! Who is calling, and what they may.
//!
//! A token that verifies was issued here; that alone is not enough. Whatever it was issued to is as the database has it at
//! every request, so that revoking a client or a token, disabling an identity or changing its password ends every
//! living token at once, on every node. How people sign in is not here, see [`crate::app::sign_in`].
//!
//! A use case takes a [`Permit`], which only the table of operations gives: it cannot be reached around the table.

mod verify;

use std::collections::BTreeSet;

use lockstep_core::audit::Actor;
use lockstep_core::id::{ClientId, FamilyId, IdentityId, PersonalAccessTokenId, SessionId};
use lockstep_core::operation::{Asking, NotPermitted, Operation, Reach};
use lockstep_core::scope::{Scope, Scopes, UserLevel};
use lockstep_vault::token::TokenError;

use crate::app::error::Error;
use crate::app::session::OpenSession;

pub use verify::authenticate;
pub(crate) use verify::living;

/// The owner of a living access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub who: Who,
    /// What they are in the organisation now.
    pub levels: BTreeSet<UserLevel>,
    /// What the token may be used for.
    pub scopes: Scopes,
}

/// Whom an access token was issued to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A program that acts for nobody in particular.
    Client(ClientId),
    /// A person, by a personal access token.
    Person {
        /// The person.
        identity: IdentityId,
        /// The token.
        token: PersonalAccessTokenId,
    },
    /// A person who signed in at a client.
    SignedIn {
        /// The person.
        identity: IdentityId,
        /// The client.
        client: ClientId,
        /// The sign-in.
        family: FamilyId,
    },
    /// A person who has shown a code in place of a password, to set one.
    WithCode(IdentityId),
    /// A person who signed in on the pages.
    InSession {
        /// The person.
        identity: IdentityId,
        /// The session.
        session: SessionId,
    },
}

/// Leave to do one operation.
#[derive(Debug, Clone)]
pub struct Permit {
    caller: Caller,
    operation: Operation,
    reach: Reach,
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
    /// The client, personal access token or sign-in that it was issued to is gone, disabled or ended, its identity is
    /// disabled or has another password since, or it was revoked itself.
    #[error("JWT validation failed: JWT is revoked")]
    Revoked,
}

impl Caller {
    /// A person who has shown the code that they were given to set a password with. It is good for nothing else.
    pub fn with_code(identity: IdentityId) -> Self {
        let scopes = Scopes::from_iter([Scope::PasswordChangeManage, Scope::PasswordChangeRead]);
        Self { who: Who::WithCode(identity), levels: BTreeSet::new(), scopes }
    }

    /// A person on the pages. What they may there does not depend on scopes: no program got a part of it.
    pub fn in_session(open: &OpenSession) -> Self {
        let who = Who::InSession { identity: open.session.identity, session: open.session.id };
        Self { who, levels: open.levels.clone(), scopes: Scopes::from_iter([Scope::All]) }
    }

    /// Leave to do `operation`, where the table has it for this caller.
    ///
    /// # Errors
    /// [`Error::Forbidden`], which names the scope or the level that is missing.
    pub fn permit(self, operation: Operation) -> Result<Permit, Error> {
        let asking = Asking { person: self.person(), levels: &self.levels, scopes: &self.scopes };
        let reach = operation.permit(asking).map_err(|refusal| Error::Forbidden(refusal.to_string()))?;
        Ok(Permit { caller: self, operation, reach })
    }

    /// The person, if it is one.
    pub fn person(&self) -> Option<IdentityId> {
        match self.who {
            Who::Client(_) => None,
            Who::Person { identity, .. }
            | Who::SignedIn { identity, .. }
            | Who::WithCode(identity)
            | Who::InSession { identity, .. } => Some(identity),
        }
    }

    /// The session on the pages, if it is in one.
    pub fn session(&self) -> Option<SessionId> {
        match self.who {
            Who::InSession { session, .. } => Some(session),
            _ => None,
        }
    }

    /// Who did it, for the audit.
    pub fn actor(&self) -> Actor {
        match self.who {
            Who::Client(id) => Actor::Client(id),
            Who::Person { identity, .. }
            | Who::SignedIn { identity, .. }
            | Who::WithCode(identity)
            | Who::InSession { identity, .. } => Actor::Identity(identity),
        }
    }

    /// Names the caller in the log, where requests are counted, and beside a submitted ciphertext. All tokens of one
    /// person are the same caller.
    pub fn name(&self) -> String {
        match self.who {
            Who::Client(id) => format!("client:{id}"),
            Who::Person { identity, .. }
            | Who::SignedIn { identity, .. }
            | Who::WithCode(identity)
            | Who::InSession { identity, .. } => {
                format!("identity:{identity}")
            }
        }
    }
}

impl Permit {
    /// Who has it.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// To whom it may be done.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Whose token it is, where only people have leave.
    ///
    /// # Errors
    /// [`Error::Forbidden`], for a program.
    pub fn person(&self) -> Result<IdentityId, Error> {
        self.caller.person().ok_or_else(|| Error::Forbidden(NotPermitted::Level(self.operation).to_string()))
    }

    /// Refuses whom it does not reach. `whom` is none where nobody was found: who may only ask about themselves is not
    /// told that.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn reaches(&self, whom: Option<IdentityId>) -> Result<(), Error> {
        match self.reach.reaches(whom) {
            true => Ok(()),
            false => Err(Error::Forbidden(NotPermitted::Other(self.operation).to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use lockstep_core::scope::Scope;
    use uuid::Uuid;

    use super::*;

    fn identity(number: u128) -> IdentityId {
        IdentityId(Uuid::from_u128(number))
    }

    #[test]
    fn whom_a_permit_does_not_reach_is_said_alike_whether_there_is_somebody_or_not() {
        let caller = Caller {
            who: Who::Person { identity: identity(1), token: PersonalAccessTokenId(Uuid::from_u128(9)) },
            levels: BTreeSet::new(),
            scopes: Scopes::from_iter([Scope::PasswordInfoRead]),
        };
        let permit = caller.permit(Operation::QueryPasswordInfo).expect("their own");
        assert!(permit.reaches(Some(identity(1))).is_ok());
        let somebody = permit.reaches(Some(identity(2))).expect_err("another").to_string();
        assert_eq!(somebody, permit.reaches(None).expect_err("nobody").to_string());
        assert!(somebody.contains("ORG_ADMIN or HELPDESK"), "{somebody}");
    }
}
