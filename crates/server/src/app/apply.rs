//! Brings about what a file wants: people, systems, rules and callers, in one transaction, all or nothing.
//!
//! What is wanted is compared with what there is; every problem is found before anything is written, and what is so
//! already is not written again. What the file does not name goes only where that is asked for. Disabling a person, giving
//! an account to another and taking one for gone are intents, which the engine carries out once nothing is under way there.
//! Reading files and following references is the command line's part.

mod existing;
mod plan;
mod reference;
pub mod wanted;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use super::App;
use crate::failpoint::failpoint;
use existing::Existing;
use futures_util::future::try_join_all;
use lockstep_core::source::Source;
use lockstep_store::Tx;
use lockstep_vault::hash::Salt;
pub use plan::{Done, Drawn, Entry, Plan};
use plan::{FirstPasswords, Planner};
pub use reference::{Follow, Reference};
use wanted::Wanted;
use write::FirstPassword;

/// Something in the file that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as an offset in bytes from the beginning of the file.
    pub at: usize,
    /// What is wrong and what to do. Never a secret.
    pub text: String,
}

/// Why nothing was brought about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file wants what cannot be; here is all of it, in the order of the file.
    #[error("there are {} problems", .0.len())]
    Problems(Vec<Problem>),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] lockstep_store::Error),
    /// A stored secret of a source cannot be opened.
    #[error("a stored secret of a source cannot be opened")]
    Sealed(#[from] lockstep_vault::seal::OpenError),
    /// A first password could not be hashed.
    #[error("a password could not be hashed")]
    Hash(#[source] anyhow::Error),
}

/// Says what would be written, and writes nothing.
///
/// # Errors
/// See [`Error`].
pub async fn plan(app: &App, wanted: Arc<Wanted>, follow: Follow) -> Result<Plan, Error> {
    let work = Work { app: app.clone(), wanted, follow, passwords: FirstPasswords::default() };
    app.store.scan(move |tx: &mut Tx<'_>| Box::pin(async move { work.plan(tx).await })).await
}

/// Brings it about and says what was written.
///
/// # Errors
/// See [`Error`]. Nothing was written then.
pub async fn apply(app: &App, wanted: Arc<Wanted>, follow: Follow) -> Result<Plan, Error> {
    // Judged once before the one writer is asked for: a file with problems disturbs nobody, and passwords are hashed,
    // which takes its time, before the transaction begins.
    let draft = plan(app, Arc::clone(&wanted), Arc::clone(&follow)).await?;
    if draft.entries.is_empty() {
        return Ok(draft);
    }
    let passwords = hash_first_passwords(app, draft).await?;
    let work = Arc::new(Work { app: app.clone(), wanted, follow, passwords });
    failpoint!(app, ApplyBeforeCommit, |failed| Err(Error::Hash(failed.into())));
    let done: Result<Plan, Error> = app
        .store
        .write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                lockstep_store::configuration::lock(tx).await?;
                let mut plan = work.plan(tx).await?;
                if write::hold(tx, &plan.writes).await? {
                    plan = work.plan(tx).await?;
                }
                if !plan.passwords.is_empty() {
                    let text = "somebody else changed the database meanwhile; run this again".to_owned();
                    return Err(Error::Problems(vec![Problem { at: 0, text }]));
                }
                write::all(tx, &plan.writes, work.app.clock.utc()).await?;
                Ok(plan)
            })
        })
        .await;
    failpoint!(app, ApplyAfterCommit, |failed| Err(Error::Hash(failed.into())));
    done
}

/// What must be written so that a part of an import is so. It has no references to follow and no secrets.
pub(super) async fn plan_part(app: &App, tx: &mut Tx<'_>, wanted: &Wanted) -> Result<Plan, Error> {
    let follow: Follow = Arc::new(|_: &Reference| Err("an import refers to nothing".to_owned()));
    let existing = Existing::load(tx, &app.vault, wanted).await?;
    let clock = app.clock.clone();
    let passwords = FirstPasswords::default();
    let utc = Arc::new(move || clock.utc());
    let planner = Planner::new(existing, &app.vault, utc, &follow, &passwords, app.clock.utc());
    planner.plan(wanted).map_err(Error::Problems)
}

/// Keeps what a part of an import changes as it is until the transaction ends. Says whether that has to be planned once more.
pub(super) async fn hold_part(tx: &mut Tx<'_>, plan: &Plan) -> lockstep_store::Result<bool> {
    write::hold(tx, &plan.writes).await
}

/// Writes it, in the transaction in which it was planned.
pub(super) async fn write_part(app: &App, tx: &mut Tx<'_>, plan: &Plan) -> lockstep_store::Result<()> {
    write::all(tx, &plan.writes, app.clock.utc()).await
}

/// The form in which two native ids of a source are compared.
pub fn native_key(source: &Source, native_id: &str) -> String {
    lockstep_connectors::native_key(&source.connector, native_id)
}

/// What planning in a transaction needs.
struct Work {
    app: App,
    wanted: Arc<Wanted>,
    follow: Follow,
    passwords: FirstPasswords,
}

impl Work {
    async fn plan(&self, tx: &mut Tx<'_>) -> Result<Plan, Error> {
        let existing = Existing::load(tx, &self.app.vault, &self.wanted).await?;
        let clock = self.app.clock.clone();
        let planner = Planner::new(
            existing,
            &self.app.vault,
            Arc::new(move || clock.utc()),
            &self.follow,
            &self.passwords,
            self.app.clock.utc(),
        );
        planner.plan(&self.wanted).map_err(Error::Problems)
    }
}

async fn hash_first_passwords(app: &App, draft: Plan) -> Result<FirstPasswords, Error> {
    let hashing = draft.passwords.into_iter().map(|(alias, password)| async move {
        let (vault, salt) = (app.vault.clone(), Salt::draw());
        let hash = app.compute(move || vault.passwords().hash(&password, &salt)).await?;
        anyhow::Ok((alias, FirstPassword { salt: salt.0, hash: hash.to_bytes() }))
    });
    let hashed: HashMap<_, _> = try_join_all(hashing).await.map_err(Error::Hash)?.into_iter().collect();
    Ok(FirstPasswords(hashed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguished_names_are_compared_without_case_and_spacing() {
        let mut source = Source {
            id: lockstep_core::id::SourceId::IDENTITY_NOW,
            name: "Directory".to_owned(),
            description: String::new(),
            connector: "ldap".to_owned(),
            config: serde_json::Value::Null,
            features: Default::default(),
            policy_holders: vec![],
            concurrency: 1,
            aggregation: Default::default(),
        };
        assert_eq!(native_key(&source, "uid=Abby, OU=People"), native_key(&source, "UID=abby,ou=people"));
        source.connector = "sql".to_owned();
        assert_ne!(native_key(&source, "Abby"), native_key(&source, "abby"));
    }
}
