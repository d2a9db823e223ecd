//! A person changes their password on a page: the way in is that of every change, with two courtesies before it. What
//! breaks a rule is said at once, and the session in which it was asked for outlives a new sign-in password.

use std::sync::Arc;

use lockstep_core::id::{ChangeId, IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::generate::generate;
use lockstep_core::password_policy::rules::{Context, Violation, binding, check};
use lockstep_core::password_policy::strength::{Strength, strength};
use lockstep_store::{Tx, account, identity};
use lockstep_vault::secret::{Secret, fill};

use super::configuration::Configuration;
use super::must_change::is_worn;
use super::own_passwords::{self, OwnPassword, Place};
use super::session::OpenSession;
use super::set_password::{Within, encrypt_and_set};
use super::{App, Error};
use crate::auth::Permit;

/// A password, and the rules for it.
#[derive(Debug, Clone)]
pub struct Changeable {
    /// The password.
    pub password: OwnPassword,
    /// The rules that bind there.
    pub rules: Vec<Violation>,
    /// The policy that they come from.
    pub policy: Arc<PasswordPolicy>,
    /// Where no more than so many bytes of it are taken.
    pub caps: Vec<(Vec<Place>, usize)>,
}

/// What became of asking for a change.
#[derive(Debug)]
pub enum Asked {
    /// It will be carried out. The browser is to have this token from now on.
    Accepted(ChangeId, Secret),
    /// It breaks these rules. Nothing was changed.
    Broken(Vec<Violation>),
    /// It is the one that must be changed.
    Worn,
    /// It is too long to be carried.
    TooLong,
}

/// The password of whoever has the permit that `source` names, and the rules for it.
///
/// # Errors
/// [`Error::NotFound`] when the person has none there.
pub async fn changeable(app: &App, permit: &Permit, source: SourceId) -> Result<Changeable, Error> {
    let (person, within) = (permit.person()?, app.clone());
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let configuration = within.configuration.read(tx).await?;
            let identity = identity::get(tx, person).await?;
            let all = own_passwords::load(&within, &configuration, tx, &identity).await?;
            let password = all.into_iter().find(|password| password.source == source);
            let password = password.ok_or(Error::NotFound("password of yours"))?;
            let policy = policy_for(&configuration, tx, &identity, source).await?;
            let rules = binding(&policy);
            Ok::<_, Error>(Changeable { password, rules, policy, caps: Vec::new() })
        })
    });
    let mut changeable: Changeable = read.await?;
    for (source, places) in &changeable.password.sources {
        // What is set up wrongly is told when it is tried.
        let most = app.sources.most_bytes(*source).await;
        changeable.caps.extend(most.map(|most| (places.clone(), most)));
    }
    Ok(changeable)
}

/// The rules for the password of whoever has the permit on a source.
pub async fn rules(app: &App, permit: &Permit, source: SourceId) -> Result<Vec<Violation>, Error> {
    let (person, within) = (permit.person()?, app.clone());
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move { Ok(binding(&bound(&within, tx, person, source).await?.1)) })
    });
    read.await
}

/// What a password breaks of the rules for it, as far as that can be told before it is sent: nobody compares it with older
/// ones here. `account` is what the account is called on its source; none: the only one there.
///
/// # Errors
/// [`Error::NotFound`] when the person has no such account.
pub async fn broken_rules(
    app: &App,
    permit: &Permit,
    source: SourceId,
    account: Option<&str>,
    password: &Password,
) -> Result<Vec<Violation>, Error> {
    let (person, within) = (permit.person()?, app.clone());
    let (candidate, account) = (password.clone(), account.map(str::to_owned));
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let (identity, policy) = bound(&within, tx, person, source).await?;
            let dictionary = within.configuration.read(tx).await?.dictionary(tx).await?;
            let accounts = account::list_of(tx, person).await?;
            let meant = |name: &str| account.as_deref().is_none_or(|account| account == name);
            let mut there = accounts.iter().filter(|own| own.source == source && !own.vanished);
            let own = there.find(|own| meant(&own.native_id));
            let own = own.ok_or(Error::NotFound("account of yours"))?;
            // Where what is stored is no dictionary, the judge says so.
            let empty = Default::default();
            let words = dictionary.as_deref().and_then(|words| words.as_ref().ok()).unwrap_or(&empty);
            Ok(check(&policy, &candidate, &Context::of(&identity, own, words)).err().unwrap_or_default())
        })
    });
    read.await
}

/// How hard a password is to guess for somebody who knows whose it is.
pub fn strength_for(open: &OpenSession, password: &Password) -> Strength {
    strength(password, &[&open.display_name, &open.alias])
}

/// Makes a password up that keeps the rules for it. None where the rules leave next to none.
///
/// # Errors
/// Those of [`broken_rules`].
pub async fn suggest(app: &App, permit: &Permit, source: SourceId, account: &str) -> Result<Option<Password>, Error> {
    let (person, within, account) = (permit.person()?, app.clone(), account.to_owned());
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let (identity, policy) = bound(&within, tx, person, source).await?;
            let dictionary = within.configuration.read(tx).await?.dictionary(tx).await?;
            let accounts = account::list_of(tx, person).await?;
            let mut accounts = accounts.into_iter();
            let own = accounts.find(|own| own.source == source && !own.vanished && own.native_id == account);
            Ok::<_, Error>((identity, policy, dictionary, own.ok_or(Error::NotFound("account of yours"))?))
        })
    });
    let (identity, policy, dictionary, own) = read.await?;
    // A policy that leaves next to nothing is tried for long.
    let made_up = app.compute(move || {
        let empty = Default::default();
        let words = dictionary.as_deref().and_then(|words| words.as_ref().ok()).unwrap_or(&empty);
        generate(&policy, &Context::of(&identity, &own, words), &mut fill).ok()
    });
    made_up.await.map_err(|_| Error::Lacking("what makes passwords up"))
}

/// The person, and the policy that binds their passwords on a source.
async fn bound(
    app: &App,
    tx: &mut Tx<'_>,
    person: IdentityId,
    source: SourceId,
) -> Result<(Identity, Arc<PasswordPolicy>), Error> {
    let person = identity::get(tx, person).await?;
    let configuration = app.configuration.read(tx).await?;
    let policy = policy_for(&configuration, tx, &person, source).await?;
    Ok((person, policy))
}

/// The policy that binds a person's passwords on a source.
async fn policy_for(
    configuration: &Configuration,
    tx: &mut Tx<'_>,
    person: &Identity,
    source: SourceId,
) -> Result<Arc<PasswordPolicy>, Error> {
    let place = configuration.source(tx, source).await?.ok_or(Error::NotFound("source"))?;
    let policy = configuration.policy_on(tx, &place, person).await?;
    policy.ok_or(Error::Lacking("a password policy that is referred to"))
}

/// Asks for the change, in the session in which it is asked for.
///
/// # Errors
/// Those of [`broken_rules`] and of [`encrypt_and_set`].
pub async fn change_own_password(
    app: &App,
    permit: &Permit,
    open: &OpenSession,
    source: SourceId,
    account: &str,
    password: &Password,
) -> Result<Asked, Error> {
    let broken = broken_rules(app, permit, source, Some(account), password).await?;
    if !broken.is_empty() {
        return Ok(Asked::Broken(broken));
    }
    if is_worn(app, open, source, password).await? {
        return Ok(Asked::Worn);
    }
    let (token, renewal) = open.renew(app);
    let within = Some(Within::Session(open.session.id, renewal));
    let accepted = encrypt_and_set(app, permit, source, Some(account.to_owned()), password, within).await?;
    Ok(accepted.map_or(Asked::TooLong, |accepted| Asked::Accepted(accepted.id, token)))
}
