//! What the server can do: one file a use case, and the one value they all share.
//!
//! A use case is read top to bottom: load, decide in `lockstep_core`, write in one transaction, return. It holds no HTTP
//! and no SQL.

pub(crate) mod access_token;
pub mod account;
pub mod aggregate;
pub mod application;
pub mod apply;
pub mod auth_org;
pub mod authorise;
pub mod await_change;
pub mod backup;
pub mod change_own_password;
pub mod configuration;
mod credentials;
pub mod dictionary;
pub mod doctor;
pub mod enrol;
pub mod error;
pub mod exchange_code;
pub mod export;
pub mod generate_digit_token;
pub mod help;
pub mod identity;
pub mod import;
pub mod introspect_token;
pub mod issue_token;
pub mod level;
pub mod link_account;
pub mod list;
pub mod load_accounts;
mod must_change;
pub mod oauth_clients;
mod open;
pub mod org_config;
pub mod own_change;
mod own_hash;
pub mod own_passwords;
pub mod passkey;
pub mod password_change_status;
pub mod password_policy;
mod password_set;
pub(crate) mod patch;
pub mod personal_access_tokens;
pub mod query_password_info;
pub mod readiness;
mod record;
pub mod recover;
pub mod refresh_tokens;
pub mod reload_account;
pub mod restore_mark;
pub mod restored;
pub mod revision;
pub mod revoke_token;
pub mod rotate_master_key;
pub mod second_factor;
pub mod security_questions;
pub mod session;
pub mod set_password;
pub mod sign_in;
pub mod sign_in_link;
pub(crate) mod signing_keys;
pub mod source;
pub mod sync_group;
pub mod task_status;
pub mod user_app;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::id::IdentityId;
use lockstep_store::Store;
use lockstep_store::listing::Cursors;
use lockstep_vault::Vault;
use lockstep_vault::passkey::RelyingParty;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::compute::{Computing, Fault};
use crate::config::Config;
use crate::geography::Geography;
use crate::metrics::Metrics;
use crate::worker::{Sources, Waker};

use await_change::Waiters;
use configuration::Remembered;

pub use error::Error;
pub use open::{OpenError, Role};
pub use restore_mark::RestoreMark;

/// Everything that is shared, passed down from `main`. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What an [`App`] holds.
pub struct Shared {
    /// What this process does.
    pub role: Role,
    /// The configuration file.
    pub config: Config,
    /// The present.
    pub clock: Clock,
    /// The database.
    pub store: Arc<Store>,
    /// What is kept in memory of it.
    pub configuration: Remembered,
    /// What this host has seen of the database.
    pub restore_mark: RestoreMark,
    /// The keys.
    pub vault: Vault,
    /// What is known of countries.
    pub geography: Geography,
    /// Whom passkeys are for, where there can be any.
    pub passkeys: Option<RelyingParty>,
    /// The connectors and their limits.
    pub sources: Sources,
    /// How the worker is told of new work.
    pub waker: Waker,
    /// Whether this process is about to end: whoever waits for more is told no more.
    pub stopping: CancellationToken,
    /// The requests that wait for a change to be final.
    pub waiters: Waiters,
    /// Where the pages of long lists ended that were read last.
    pub cursors: Cursors,
    /// What is counted.
    pub metrics: Metrics,
    /// Where a test makes this process fail.
    #[cfg(feature = "failpoints")]
    pub failpoints: crate::failpoint::Failpoints,
    /// The threads that compute.
    computing: Computing,
}

/// An event that ended as intended and is about nothing but a person, if about anybody.
fn passed(action: Action, actor: Actor, identity: Option<IdentityId>, at: DateTime<Utc>) -> Event {
    let (source, account, change, detail) = (None, None, None, BTreeMap::new());
    Event { action, actor, identity, source, account, change, at, outcome: Outcome::Passed, detail }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Computes something that takes long (RSA, Argon2) away from the threads that answer requests.
    ///
    /// # Errors
    /// When the computation panics.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        self.computing.compute(work).await
    }
}
