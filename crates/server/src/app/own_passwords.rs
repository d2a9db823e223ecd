//! The passwords that a person has, as they think of them: which applications share one, and whether it can be changed.
//!
//! A password is what a person changes at once: that of a sync group, or of a source that is in none. It goes by the names of
//! the applications that people see. A source in a group without one goes by its own name, so that nobody is surprised where
//! a password changes too; alone, it is not shown. Accounts that take no part in their group's password are not shown either:
//! to change one alone would change the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::application::Application;
use lockstep_core::id::{AccountId, ApplicationId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::operation::Operation;
use lockstep_core::source::Source;
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::{Tx, application, application_icon, identity, source, sync_group};

use super::configuration::Configuration;
use super::password_set::Known;
use super::session::{self, OpenSession};
use super::{App, Error};
use crate::auth::Caller;

/// A password of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPassword {
    /// What it is named by where it is changed: one of the sources that have it. So it reaches all the others.
    pub source: SourceId,
    /// What shares it.
    pub shared_by: SharedBy,
    /// Where it is asked for, as people call that, in the order of the names.
    pub places: Vec<Place>,
    /// The same, each with the source whose password it is.
    pub sources: Vec<(SourceId, Vec<Place>)>,
    /// The person's accounts on that source, in the order of their names. Where there are several, one is chosen.
    pub accounts: Vec<OwnAccount>,
    /// When Lockstep last set it, wherever it is; where it never did, when it was last changed, as the systems say.
    pub changed_at: Option<DateTime<Utc>>,
    /// Where it was changed by somebody else after Lockstep set it: there it may be another one now.
    pub outside: Vec<Outside>,
    /// When it is to be changed, where the policy says so.
    pub expiry: Option<Expiry>,
}

/// A source on which a password was changed by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// When, as the source says.
    pub at: DateTime<Utc>,
    /// Where it is asked for.
    pub places: Vec<Place>,
}

/// When a password is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it is over.
    pub is_over: bool,
    /// Whether it is time to say so.
    pub is_near: bool,
}

/// What shares a password.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SharedBy {
    /// A sync group of this name.
    Group(String),
    /// The applications of the source with this name, two at least.
    Source(String),
    /// Nothing: it is one application's.
    Nothing,
}

/// Where a password is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Here.
    Here,
    /// In this application, or where there is none on this source.
    Named(Named),
}

/// What an application or a source is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// How.
    pub name: Arc<str>,
    /// The digest of its icon, if it has one.
    pub icon: Option<Arc<str>>,
}

/// An account that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAccount {
    /// Its id here.
    pub id: AccountId,
    /// What its source calls it.
    pub native_id: String,
    /// What people read.
    pub name: String,
    /// From when on the age of its password counts: Lockstep set it then, or somebody else later. None: it does not expire here.
    pub since: Option<DateTime<Utc>>,
}

/// The session of a token, and the passwords of whoever it is of: groups first, then sources, then single applications.
pub async fn own_passwords(
    app: &App,
    token: &str,
) -> Result<Option<(OpenSession, Result<Vec<OwnPassword>, Error>)>, Error> {
    let (within, now) = (app.clone(), app.clock.utc());
    let found = session::find_and(app, token, move |tx: &mut Tx<'_>, open: &OpenSession, configuration| {
        let permit = Caller::in_session(open).permit(Operation::ListOwnUserApps);
        Box::pin(async move {
            let person = identity::get(tx, permit?.person()?).await?;
            let mut passwords = load(&within, &configuration, tx, &person).await?;
            for password in &mut passwords {
                // Of several the one that has it for the longest.
                let Some(since) = password.accounts.iter().filter_map(|own| own.since).min() else { continue };
                password.expiry = expiry(&configuration, tx, &person, password.source, since, now).await?;
            }
            Ok(passwords)
        })
    });
    found.await
}

/// When the password that a person has on a source is to be changed, where its age counts from then on.
pub(super) async fn expiry(
    configuration: &Configuration,
    tx: &mut Tx<'_>,
    person: &Identity,
    source: SourceId,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Expiry>, Error> {
    let Some(source) = configuration.source(tx, source).await? else { return Ok(None) };
    let policy = configuration.policy_on(tx, &source, person).await?;
    let policy = policy.ok_or(Error::Lacking("a password policy that is referred to"))?;
    let of = |at| Expiry { at, is_over: at <= now, is_near: policy.reminds_of(at, now) };
    Ok(policy.expires_at(since).map(of))
}

/// What there is to know, in one state of the database.
pub(super) async fn load(
    app: &App,
    configuration: &Configuration,
    tx: &mut Tx<'_>,
    person: &Identity,
) -> Result<Vec<OwnPassword>, Error> {
    let systems = configuration.systems(tx).await?;
    let (accounts, set) = Known::read(tx, person.id, app.clock.utc(), app.config.engine.grace).await?;
    let owns = Owns {
        systems: &systems,
        accounts: accounts.into_iter().filter(|account| !account.vanished).collect(),
        set,
        here: person.sign_in_source,
    };
    Ok(owns.passwords())
}

/// What people may have passwords on, and what they call that.
#[derive(Debug)]
pub struct Systems {
    /// Those that take passwords, in the order of their names.
    sources: Vec<Source>,
    applications: Vec<Application>,
    groups: Vec<SyncGroup>,
    /// What the places of every source that people see are called.
    names: BTreeMap<SourceId, Vec<Named>>,
}

impl Systems {
    /// As `tx` sees them.
    pub(super) async fn read(tx: &mut Tx<'_>) -> Result<Self, lockstep_store::Error> {
        let icons = application_icon::list(tx).await?.into_iter().collect();
        Ok(Self::of(source::list(tx).await?, application::list(tx).await?, sync_group::list(tx).await?, &icons))
    }

    fn of(
        mut sources: Vec<Source>,
        applications: Vec<Application>,
        groups: Vec<SyncGroup>,
        icons: &HashMap<ApplicationId, String>,
    ) -> Self {
        let of = |source: &Source| {
            let seen = applications.iter().filter(|one| one.source == source.id && one.use_for_password_management);
            let icon = |one: &Application| icons.get(&one.id).map(|digest| digest.as_str().into());
            let mut names: Vec<Named> =
                seen.map(|one| Named { name: one.name.as_str().into(), icon: icon(one) }).collect();
            // Where somebody signs in with another source's password, the built-in one's is asked for nowhere.
            if names.is_empty() && !source.is_built_in() {
                names.push(Named { name: source.name.as_str().into(), icon: None });
            }
            (source.id, names)
        };
        let names = sources.iter().map(of).collect();
        sources.retain(Source::takes_passwords);
        Self { sources, applications, groups, names }
    }

    /// The sync groups, in the order of their names.
    pub(super) fn groups(&self) -> &[SyncGroup] {
        &self.groups
    }

    /// The places of a source, for somebody who signs in with the password of `here`.
    pub(super) fn places(&self, source: SourceId, here: SourceId) -> Vec<Place> {
        let here = (source == here).then_some(Place::Here);
        let names = self.names.get(&source).into_iter().flatten();
        here.into_iter().chain(names.map(|named| Place::Named(named.clone()))).collect()
    }
}

struct Owns<'a> {
    systems: &'a Systems,
    accounts: Vec<Account>,
    /// When each account's was set.
    set: Known,
    here: SourceId,
}

impl Owns<'_> {
    fn passwords(&self) -> Vec<OwnPassword> {
        let Systems { sources, applications, groups, .. } = self.systems;
        let mut passwords = Vec::new();
        for group in groups {
            let members = |source: &&Source| group.sources.contains(&source.id);
            let members: Vec<&Source> = sources.iter().filter(members).collect();
            passwords.extend(self.password(&members, SharedBy::Group(group.name.clone())));
        }
        let alone = |source: &&Source| !groups.iter().any(|group| group.sources.contains(&source.id));
        for source in sources.iter().filter(alone) {
            let seen = |one: &&Application| one.source == source.id && one.use_for_password_management;
            let shared_by = match applications.iter().filter(seen).count() {
                0 if source.id != self.here => continue,
                0 | 1 => SharedBy::Nothing,
                _ => SharedBy::Source(source.name.clone()),
            };
            passwords.extend(self.password(&[source], shared_by));
        }
        passwords.sort_by(|one, other| (&one.shared_by, &one.places).cmp(&(&other.shared_by, &other.places)));
        passwords
    }

    /// None where the person has no account that would get it.
    fn password(&self, sources: &[&Source], shared_by: SharedBy) -> Option<OwnPassword> {
        // What takes no part in a group's password is not what a person changes with it.
        let is_group = matches!(shared_by, SharedBy::Group(_));
        let own = |account: &&Account| account.password_sync || !is_group;
        let on = |source: &Source| {
            self.accounts.iter().filter(|account| account.source == source.id).filter(own).collect::<Vec<_>>()
        };
        let held: Vec<(&Source, Vec<&Account>)> =
            sources.iter().map(|source| (*source, on(source))).filter(|(_, accounts)| !accounts.is_empty()).collect();
        // Only the named account of the named source gets the password, but each of every other member: so it is one with a
        // single account, where there is one. That people sign in with here is.
        let named = |(source, accounts): &&(&Source, Vec<&Account>)| (source.id != self.here, accounts.len());
        let (source, accounts) = held.iter().min_by_key(named)?;
        let sources: Vec<(SourceId, Vec<Place>)> =
            held.iter().map(|(source, _)| (source.id, self.systems.places(source.id, self.here))).collect();
        let mut places: Vec<Place> = sources.iter().flat_map(|(_, places)| places.clone()).collect();
        places.sort();
        let all = || held.iter().flat_map(|(_, accounts)| accounts.iter().map(|own| own.id));
        let set_at = all().filter_map(|own| self.set.set_at(own)).max();
        let changed_at = set_at.or_else(|| all().filter_map(|own| self.set.said_at(own)).max());
        let outside = |(source, accounts): &(&Source, Vec<&Account>)| {
            let at = accounts.iter().filter_map(|own| self.set.changed_outside_at(own.id)).max()?;
            let mut places = self.systems.places(source.id, self.here);
            places.sort();
            Some(Outside { at, places })
        };
        let outside = held.iter().filter_map(outside).collect();
        let own = |account: &&Account| {
            let Account { id, native_id, name, .. } = *account;
            OwnAccount { id: *id, native_id: native_id.clone(), name: name.clone(), since: self.set.counts_from(*id) }
        };
        let accounts = accounts.iter().map(own).collect();
        let (source, expiry) = (source.id, None);
        Some(OwnPassword { source, shared_by, places, sources, accounts, changed_at, outside, expiry })
    }
}

#[cfg(test)]
mod tests {
    use lockstep_core::id::{PasswordPolicyId, SyncGroupId};
    use lockstep_core::password_set::PasswordSet;
    use lockstep_core::source::Feature;
    use uuid::Uuid;

    use super::*;

    fn source(number: u128, name: &str) -> Source {
        let id = if number == 0 { SourceId::IDENTITY_NOW } else { SourceId(Uuid::from_u128(number)) };
        Source {
            id,
            name: name.to_owned(),
            description: String::new(),
            connector: "sql".to_owned(),
            config: serde_json::Value::Null,
            features: [Feature::Password].into(),
            policy_holders: Vec::new(),
            concurrency: 1,
            aggregation: Default::default(),
        }
    }

    fn application(name: &str, on: &Source, seen: bool) -> Application {
        Application {
            id: ApplicationId(Uuid::nil()),
            name: name.to_owned(),
            description: String::new(),
            source: on.id,
            use_for_password_management: seen,
        }
    }

    fn account(number: u128, on: &Source, name: &str) -> Account {
        Account {
            id: AccountId(Uuid::from_u128(number)),
            identity: None,
            source: on.id,
            stable_id: name.to_owned(),
            native_id: name.to_owned(),
            name: name.to_owned(),
            password_sync: true,
            attributes: BTreeMap::new(),
            vanished: false,
        }
    }

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::days(number)
    }

    /// Accounts with the days on which Lockstep set them, and on which their systems say that they were changed.
    fn known(sets: &[(u128, Option<i64>, Option<i64>)]) -> Known {
        let set = |(account, set, said): &(u128, Option<i64>, Option<i64>)| {
            let [set_at, said_at] = [set, said].map(|number| number.map(day));
            (AccountId(Uuid::from_u128(*account)), PasswordSet { set_at, written_at: set_at, said_at })
        };
        Known::of_sets(sets.iter().map(set).collect(), day(10))
    }

    fn named(names: &[&str]) -> Vec<Place> {
        names.iter().map(|name| Place::Named(Named { name: (*name).into(), icon: None })).collect()
    }

    #[test]
    fn a_person_sees_passwords_by_the_names_of_what_shares_them() {
        let [here, directory, mail, hr, wiki, hidden] =
            ["IdentityNow", "Directory", "Mail", "HR", "Wiki", "Hidden"].map(|name| name.to_owned());
        let sources = [
            source(0, &here),
            source(1, &directory),
            source(2, &mail),
            source(3, &hr),
            source(4, &wiki),
            source(5, &hidden),
        ];
        let [here, directory, mail, hr, wiki, hidden] = &sources;
        let applications = vec![
            application("Webmail", mail, true),
            application("Calendar", mail, true),
            application("Payslips", hr, true),
            application("Time sheets", hr, true),
            application("Wiki", wiki, true),
            application("Not for people", hidden, false),
        ];
        let group = SyncGroup {
            id: SyncGroupId(Uuid::nil()),
            name: "Everyday".to_owned(),
            policy: PasswordPolicyId::DEFAULT,
            sources: vec![here.id, directory.id, mail.id],
        };
        let systems = |groups: &[SyncGroup]| {
            Systems::of(sources.to_vec(), applications.clone(), groups.to_vec(), &HashMap::new())
        };
        let owns = Owns {
            systems: &systems(std::slice::from_ref(&group)),
            accounts: vec![
                account(1, here, "abby"),
                account(2, directory, "uid=abby"),
                account(3, mail, "abby@example.test"),
                account(4, hr, "4711"),
                account(5, hr, "4712"),
                account(6, hidden, "x"),
            ],
            set: known(&[(1, Some(1), None), (3, Some(2), Some(9)), (4, None, Some(9)), (5, None, Some(8))]),
            here: here.id,
        };
        let passwords = owns.passwords();
        let everyday = &passwords[0];
        assert_eq!((everyday.source, &everyday.shared_by), (here.id, &SharedBy::Group("Everyday".to_owned())));
        let mut places = vec![Place::Here];
        places.extend(named(&["Calendar", "Directory", "Webmail"]));
        assert_eq!((&everyday.places, everyday.accounts.len()), (&places, 1));
        assert_eq!(everyday.changed_at, Some(day(2)), "the latest of them");
        assert_eq!(everyday.accounts[0].since, Some(day(1)), "what one signs in with is older");
        let outside = Outside { at: day(9), places: named(&["Calendar", "Webmail"]) };
        assert_eq!(everyday.outside, [outside]);
        let payroll = &passwords[1];
        assert_eq!((payroll.changed_at, &payroll.outside[..]), (Some(day(9)), &[][..]), "what was never set here");
        assert_eq!(payroll.accounts[0].since, None, "and does not expire here");
        assert_eq!(passwords[1].shared_by, SharedBy::Source("HR".to_owned()));
        assert_eq!((&passwords[1].places, passwords[1].accounts.len()), (&named(&["Payslips", "Time sheets"]), 2));
        assert_eq!(
            passwords.len(),
            2,
            "no account on the wiki, and the hidden one is nobody's business: {passwords:?}"
        );

        // Of what takes no part in the group, nothing is said; and a source with one account names it for one with two.
        let privileged = |account: &Account| Account { password_sync: false, ..account.clone() };
        let wide = SyncGroup { sources: vec![hr.id, directory.id, mail.id], ..group.clone() };
        let apart = Owns {
            systems: &systems(&[wide]),
            accounts: vec![
                privileged(&owns.accounts[1]),
                owns.accounts[2].clone(),
                owns.accounts[3].clone(),
                owns.accounts[4].clone(),
            ],
            set: Known::default(),
            here: here.id,
        };
        let passwords = apart.passwords();
        assert_eq!(passwords.len(), 1, "{passwords:?}");
        assert_eq!((passwords[0].source, passwords[0].accounts.len()), (mail.id, 1));
        assert_eq!(passwords[0].places, named(&["Calendar", "Payslips", "Time sheets", "Webmail"]));

        // In no group, signing in here is a password of its own.
        let ungrouped = systems(&[]);
        let owns = Owns { systems: &ungrouped, ..owns };
        let alone = owns.passwords();
        let of: Vec<&SharedBy> = alone.iter().map(|password| &password.shared_by).collect();
        let source = |name: &str| SharedBy::Source(name.to_owned());
        assert_eq!(of, [&source("HR"), &source("Mail"), &SharedBy::Nothing]);
        assert_eq!(alone[2].places, [Place::Here]);

        // Who signs in with the directory's password has it here, and the built-in one's nowhere.
        let with_directory = Owns { here: directory.id, ..owns };
        let places = with_directory.passwords().into_iter().map(|password| (password.source, password.places));
        let here: Vec<_> = places.filter(|(_, places)| places.contains(&Place::Here)).collect();
        assert_eq!(here, [(directory.id, [vec![Place::Here], named(&["Directory"])].concat())]);
    }
}
