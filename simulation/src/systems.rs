//! The systems that hold the accounts: they lose answers, land writes late, refuse by history, lock accounts and are away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lockstep_core::change::{NewTarget, TargetKey};
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use rand::RngExt;
use rand::rngs::StdRng;
use uuid::Uuid;

/// A password; 0 is one that the policy refuses.
pub(crate) type Secret = u8;

/// How many wrong sign-ins lock an account, and for how long.
const LOCKED_AFTER: u32 = 3;
const LOCKED_FOR: Duration = Duration::from_secs(30);

/// Every system of the world.
#[derive(Debug)]
pub(crate) struct Systems {
    /// Who there is; ids end in the bucket.
    pub(crate) people: Vec<Person>,
    sources: BTreeMap<SourceId, System>,
    accounts: BTreeMap<AccountId, Account>,
}

/// Somebody with accounts.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: IdentityId,
    /// Those that share a password, and those that are alone.
    pub(crate) accounts: Vec<(AccountId, SourceId)>,
    /// The source whose account comes first, if one does.
    pub(crate) signs_in: Option<SourceId>,
}

#[derive(Debug, Default)]
struct System {
    /// Nobody can sign in there.
    mute: bool,
    /// Passwords that an account had do not come back.
    history: bool,
    /// Away until then.
    down_until: Duration,
    alone: bool,
}

/// An account as it really is.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The password it has.
    pub(crate) holds: Secret,
    had: BTreeSet<Secret>,
    /// Writes that were sent and have not landed.
    pub(crate) on_their_way: u32,
    wrong: u32,
    locked_until: Duration,
    /// How often somebody failed to sign in, by change.
    pub(crate) wrong_for: BTreeMap<TargetKey, u32>,
}

impl Systems {
    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let mut sources = BTreeMap::new();
        for n in 1..=4 {
            let mut chance = |of: u32| rng.random_range(0..100) < of;
            let system = System { mute: chance(20), history: chance(40), alone: n == 4, ..System::default() };
            sources.insert(SourceId(Uuid::from_u128(n)), system);
        }
        sources.insert(SourceId::IDENTITY_NOW, System::default());
        let people = (1..=rng.random_range(1..=2)).map(|n| Person::draw(rng, n)).collect();
        Self { people, sources, accounts: BTreeMap::new() }
    }

    /// The accounts that a change naming `account` reaches.
    pub(crate) fn targets(&self, person: IdentityId, account: AccountId) -> Vec<NewTarget> {
        let Some(person) = self.people.iter().find(|other| other.id == person) else { return Vec::new() };
        let Some((_, named)) = person.accounts.iter().find(|(id, _)| *id == account) else { return Vec::new() };
        let alone = |source: &SourceId| self.sources.get(source).is_some_and(|system| system.alone);
        let reached = person.accounts.iter().filter(|(id, source)| *id == account || !(alone(named) || alone(source)));
        reached
            .map(|(id, source)| NewTarget {
                account: *id,
                source: *source,
                native_id: id.to_string(),
                name: id.to_string(),
                sign_in: person.signs_in == Some(*source),
            })
            .collect()
    }

    /// An account goes from one person to another, or to nobody.
    pub(crate) fn give(&mut self, from: IdentityId, account: AccountId, to: Option<IdentityId>) {
        let Some(owner) = self.people.iter_mut().find(|person| person.id == from) else { return };
        let Some(place) = owner.accounts.iter().position(|(id, _)| *id == account) else { return };
        let given = owner.accounts.remove(place);
        self.people.iter_mut().filter(|person| Some(person.id) == to).for_each(|heir| heir.accounts.push(given));
    }

    pub(crate) fn account(&mut self, id: AccountId) -> &mut Account {
        self.accounts.entry(id).or_default()
    }

    /// A write lands. Says whether the system takes it.
    pub(crate) fn land(&mut self, source: SourceId, id: AccountId, secret: Secret) -> bool {
        let history = self.sources.get(&source).is_some_and(|system| system.history);
        let account = self.account(id);
        if history && account.had.contains(&secret) {
            return false;
        }
        account.holds = secret;
        account.had.insert(secret);
        // A reset unlocks.
        (account.wrong, account.locked_until) = (0, Duration::ZERO);
        true
    }

    /// Somebody signs in. Nothing when that proves nothing.
    pub(crate) fn sign_in(&mut self, source: SourceId, key: TargetKey, secret: Secret, now: Duration) -> Option<bool> {
        if self.is_down(source, now) || self.sources.get(&source).is_some_and(|system| system.mute) {
            return None;
        }
        let account = self.account(key.account);
        if account.locked_until > now {
            return None;
        }
        if account.holds == secret {
            account.wrong = 0;
            return Some(true);
        }
        account.wrong += 1;
        *account.wrong_for.entry(key).or_default() += 1;
        if account.wrong >= LOCKED_AFTER {
            account.locked_until = now + LOCKED_FOR;
        }
        Some(false)
    }

    pub(crate) fn is_down(&self, source: SourceId, now: Duration) -> bool {
        self.sources.get(&source).is_none_or(|system| system.down_until > now)
    }

    /// A system goes away, or comes back.
    pub(crate) fn take_down(&mut self, source: SourceId, until: Duration) {
        if let Some(system) = self.sources.get_mut(&source) {
            system.down_until = until;
        }
    }

    pub(crate) fn sources(&self) -> Vec<SourceId> {
        self.sources.keys().copied().collect()
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&AccountId, &Account)> {
        self.accounts.iter()
    }
}

impl Person {
    fn draw(rng: &mut StdRng, n: u128) -> Self {
        let id = IdentityId(Uuid::from_u128(n << 16 | rng.random_range(0..4)));
        let mut on: Vec<SourceId> = (1..=4).map(|n| SourceId(Uuid::from_u128(n))).collect();
        on.truncate(rng.random_range(1..=4));
        if rng.random_range(0..4) == 0 {
            on.push(SourceId::IDENTITY_NOW);
        }
        let signs_in = (rng.random_range(0..2) == 0).then(|| on[rng.random_range(0..on.len())]);
        let account = |(place, source)| (AccountId(Uuid::from_u128(n << 16 | place as u128)), source);
        Self { id, signs_in, accounts: on.into_iter().enumerate().map(account).collect() }
    }
}
