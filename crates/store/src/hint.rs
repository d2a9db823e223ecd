//! Hints from one process to the others on the same database: whose rows have something new.
//!
//! A hint carries nothing that the rows do not say, and nothing depends on it: who misses one finds the rows when it
//! polls. On PostgreSQL it is a `NOTIFY`, sent outside the transaction that it tells of, since a `NOTIFY` inside would let
//! only one of those transactions commit at a time. On SQLite there are no others.

use std::time::Duration;

use lockstep_core::id::IdentityId;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use uuid::Uuid;

use crate::error::{Error, Result};

/// How many identities a hint names at most: PostgreSQL takes less than 8,000 bytes.
pub const LONGEST: usize = 200;

const CHANNEL: &str = "lockstep_hint";

/// A UUID without hyphens.
const DIGITS: usize = 32;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection on which the hints of every process arrive, this one's too.
#[derive(Debug)]
pub struct Hints(PgListener);

impl Hints {
    pub(crate) async fn connect(options: PgConnectOptions) -> Result<Self> {
        // A connection of its own: it is never given back, and must not be missing to those who commit.
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let listening = async {
            let pool = pool.acquire_timeout(PATIENCE).connect_with(options).await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        listening
            .await
            .map(Self)
            .map_err(|source: sqlx::Error| Error::query("listen for the hints of other nodes", source))
    }

    /// Waits for the next hint, and gives the identities that it names.
    ///
    /// # Errors
    /// When the connection is lost. What is sent meanwhile is not seen; listen anew.
    pub async fn next(&mut self) -> Result<Vec<IdentityId>> {
        let received = self.0.try_recv().await.and_then(|hint| hint.ok_or(sqlx::Error::PoolClosed));
        let hint = received.map_err(|source| Error::query("receive the hints of other nodes", source))?;
        Ok(identities(hint.payload()))
    }
}

pub(crate) async fn send(pool: &PgPool, identities: &[IdentityId]) -> Result<()> {
    for some in identities.chunks(LONGEST) {
        let text: String = some.iter().map(|identity| identity.0.simple().to_string()).collect();
        let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(text).execute(pool).await;
        sent.map_err(|source| Error::query("send a hint to the other nodes", source))?;
    }
    Ok(())
}

/// The identities that a hint names. Whoever may use the database can send anything; what is no identity is left out.
fn identities(text: &str) -> Vec<IdentityId> {
    let ids = text.as_bytes().chunks(DIGITS);
    ids.filter_map(|digits| Uuid::try_parse_ascii(digits).ok()).map(IdentityId).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_identity_is_left_out() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let text = id.simple().to_string();
        assert_eq!(identities(&format!("{text}{text}")), [IdentityId(id), IdentityId(id)]);
        for wrong in ["", "x", "é", &text[1..], &"-".repeat(DIGITS)] {
            assert_eq!(identities(wrong), [], "{wrong}");
        }
    }
}
