//! Gives out people, accounts and settings, without anything secret: no hash, no sealed value, no token.
//!
//! Page after page, in the order of a key, so that no list is ever in memory as a whole. The caller's transaction makes it
//! one state of the database.

mod settings;

use std::collections::{BTreeSet, HashMap};
use std::io;

use lockstep_core::account::Account;
use lockstep_core::id::SourceId;
use lockstep_core::identity::Identity;
use lockstep_core::scope::UserLevel;
use lockstep_core::source::Source;
use lockstep_store::{Tx, account, identity, source};

pub use settings::{Settings, settings};

/// How many rows are read at a time.
const PAGE: u32 = 1_000;

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// The person.
    pub identity: Identity,
    /// What the person is in the organisation.
    pub levels: BTreeSet<UserLevel>,
    /// The name of the source whose password signs the person in.
    pub sign_in_source: String,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The account.
    pub account: Account,
    /// The name of its source.
    pub source: String,
    /// The alias of whose it is.
    pub identity: Option<String>,
}

/// Why it was not given out to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] lockstep_store::Error),
    /// Whoever takes it could not.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// There is no such source.
    #[error("there is no source {0:?}")]
    NoSource(String),
}

/// Whoever takes one after another.
pub type Take<'a, T> = &'a mut (dyn FnMut(T) -> io::Result<()> + Send);

/// Gives every person, in the order of their aliases.
///
/// # Errors
/// See [`Error`].
pub async fn people(tx: &mut Tx<'_>, take: Take<'_, Person>) -> Result<(), Error> {
    let sources: HashMap<SourceId, String> =
        source::list(tx).await?.into_iter().map(|source| (source.id, source.name)).collect();
    let mut after: Option<String> = None;
    loop {
        let page = identity::list_after(tx, after.as_deref(), PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(Identity::alias_key(&last.alias));
        for (identity, levels) in page {
            let sign_in_source = sources.get(&identity.sign_in_source).cloned().unwrap_or_default();
            take(Person { identity, levels, sign_in_source })?;
        }
    }
}

/// Gives every account of a source, or of all of them, in the order of their names and stable ids. The accounts on
/// IdentityNow come with the people.
///
/// # Errors
/// See [`Error`].
pub async fn accounts(tx: &mut Tx<'_>, of: Option<&str>, take: Take<'_, Holding>) -> Result<(), Error> {
    for source in sources(tx, of).await? {
        let mut after: Option<String> = None;
        loop {
            let page = account::list_after(tx, source.id, after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.stable_id.clone());
            for (account, identity) in page {
                take(Holding { account, source: source.name.clone(), identity })?;
            }
        }
    }
    Ok(())
}

async fn sources(tx: &mut Tx<'_>, of: Option<&str>) -> Result<Vec<Source>, Error> {
    let mut sources = source::list(tx).await?;
    if let Some(name) = of {
        sources.retain(|source| source.name.to_lowercase() == name.to_lowercase());
        if sources.is_empty() {
            return Err(Error::NoSource(name.to_owned()));
        }
    }
    sources.retain(|source| !source.is_built_in());
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(sources)
}
