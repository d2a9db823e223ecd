//! Trying credentials: who fails too often waits, and the refusals in OAuth's words.

use std::net::IpAddr;

use lockstep_core::id::ClientId;

use super::OAuthError;
use crate::api::Api;
use crate::api::error::Error;
use crate::app::issue_token::NoToken;

/// Does what takes the credentials of the client `id`, unless too much failed from that address at it too often.
pub(super) async fn attempt<T>(
    api: &Api,
    address: IpAddr,
    id: &str,
    attempted: impl Future<Output = Result<T, NoToken>>,
) -> Result<T, Error> {
    // What is no id is counted under one name, so that nobody fills the memory with names.
    let counted = id.parse::<ClientId>().map_or_else(|_| "no id".to_owned(), |id| id.to_string());
    let now = api.app.clock.monotonic();
    api.failures.check(address, &counted, now)?;
    attempted.await.map_err(|refused| match refused {
        NoToken::WrongCredentials => {
            api.failures.count(address, &counted, now);
            OAuthError::INVALID_CLIENT.into()
        }
        NoToken::Grant => OAuthError::UNAUTHORIZED_CLIENT.into(),
        // Not counted: codes and refresh tokens cannot be guessed, and anybody can make the server of an application, which asks for
        // all its users from one address, come with wrong ones.
        NoToken::NotValid => OAuthError::INVALID_GRANT.into(),
        NoToken::Scope => OAuthError::INVALID_SCOPE.into(),
        NoToken::Failed(error) => error.into(),
    })
}
