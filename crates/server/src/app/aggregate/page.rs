//! What a page of entries changes.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use lockstep_core::account::{Account, Link};
use lockstep_core::aggregation::{Counters, Difference, Entry, Known};
use lockstep_core::change::IntentKind;
use lockstep_core::id::{AccountId, IdentityId};
use lockstep_core::identity::Identity;
use lockstep_core::source::Source;
use lockstep_store::{Result, Tx, aggregation, intent};
use lockstep_vault::secret::draw_id_at;

use super::whose::People;

/// Entries of one source, each once, no two with the same native id.
#[derive(Debug, Clone)]
pub(in crate::app) struct Page {
    pub(super) source: Source,
    /// When it was read: the ids of what it makes are ordered by it.
    pub(super) read_at: DateTime<Utc>,
    /// Whether the rules are asked again about accounts that they gave to somebody.
    pub(super) again: bool,
    pub(super) entries: Vec<Entry>,
    /// Of those who had the native id of one of them, the stable ids of those that are not there any more, or nobody knows where.
    pub(super) gone: HashSet<String>,
}

/// What came of planning.
#[derive(Debug)]
pub(in crate::app) enum Planned {
    /// What the page changes.
    Page(Box<PagePlan>),
    /// First it must be known where these accounts are now, by their stable ids: entries of the page have their native ids.
    Displaced(Vec<String>),
}

/// What a page changes.
#[derive(Debug, Default)]
pub(in crate::app) struct PagePlan {
    /// Accounts that give their native id up.
    pub(super) release: Vec<AccountId>,
    pub(super) identities: Vec<IdentityWrite>,
    pub(super) accounts: Vec<AccountWrite>,
    /// Accounts that say from now on who an identity is.
    pub(super) govern: Vec<(IdentityId, AccountId)>,
    pub(super) intents: Vec<(IdentityId, IntentKind)>,
    pub(super) withdraw: Vec<(IdentityId, AccountId)>,
    pub(super) counters: Counters,
    pub(super) reports: Vec<String>,
    /// Identities whose account at the authoritative source is disabled.
    pub(super) leaving: Vec<IdentityId>,
}

#[derive(Debug)]
pub(super) enum IdentityWrite {
    New {
        identity: Identity,
        /// The account that makes it.
        authority: AccountId,
    },
    Changed {
        identity: Identity,
        renamed: bool,
    },
    Recall(IdentityId),
}

#[derive(Debug)]
pub(super) enum AccountWrite {
    New(Known),
    Updated(Known),
}

impl Page {
    /// A page of these entries, and what is said of those that are left out.
    pub(in crate::app) fn new(
        source: Source,
        read_at: DateTime<Utc>,
        again: bool,
        entries: impl IntoIterator<Item = Entry>,
    ) -> (Self, Vec<String>) {
        let mut page = Self { source, read_at, again, entries: Vec::new(), gone: HashSet::new() };
        let reports = entries.into_iter().filter_map(|entry| page.add(entry)).collect();
        (page, reports)
    }

    /// Adds an entry. Of two that are the same account the later counts. Of two that have the same native id, which only a
    /// reading during a change shows, the earlier is left for the next time, and what is said of it is given.
    pub(super) fn add(&mut self, entry: Entry) -> Option<String> {
        self.entries.retain(|other| other.stable_id != entry.stable_id);
        let other = self.entries.iter().position(|other| other.native_key == entry.native_key);
        let other = other.map(|place| self.entries.remove(place));
        self.entries.push(entry);
        other.map(|other| {
            format!("{}: two accounts have this name; one of them was left for the next time", other.native_id)
        })
    }

    /// What it changes, against what is stored now. `holds` keeps that so until the transaction ends, which must be one that
    /// writes.
    pub(super) async fn plan(&self, tx: &mut Tx<'_>, holds: bool) -> Result<Planned> {
        let mut plan = PagePlan::default();
        let stable_ids: Vec<String> = self.entries.iter().map(|entry| entry.stable_id.clone()).collect();
        if holds {
            aggregation::hold_known(tx, self.source.id, &stable_ids).await?;
        }
        let stored = aggregation::known(tx, self.source.id, &stable_ids).await?;
        let mut stored: HashMap<String, Known> =
            stored.into_iter().map(|known| (known.account.stable_id.clone(), known)).collect();
        let displaced = self.make_room(tx, &mut stored, &mut plan).await?;
        if !displaced.is_empty() {
            return Ok(Planned::Displaced(displaced));
        }
        let owned: Vec<(IdentityId, AccountId)> =
            stored.values().filter_map(|known| Some((known.account.identity?, known.account.id))).collect();
        let intents = intent::list_about(tx, &owned).await?.into_iter();
        let standing: HashMap<AccountId, IntentKind> =
            intents.filter_map(|intent| Some((intent.kind.account()?, intent.kind))).collect();
        let mut people = People::load(tx, self, &stored, holds).await?;
        for entry in &self.entries {
            self.entry(entry, stored.get(&entry.stable_id), &standing, &mut people, &mut plan);
        }
        Ok(Planned::Page(Box::new(plan)))
    }

    /// Finds those who have a native id that an entry needs. They give it up; unless nobody knows where they are now.
    async fn make_room(
        &self,
        tx: &mut Tx<'_>,
        stored: &mut HashMap<String, Known>,
        plan: &mut PagePlan,
    ) -> Result<Vec<String>> {
        let mut displaced = Vec::new();
        let mut needed: HashMap<String, &Entry> = HashMap::new();
        for entry in &self.entries {
            let known = stored.get(&entry.stable_id).filter(|known| !known.account.vanished);
            if known.and_then(|known| known.native_key.as_ref()) != Some(&entry.native_key) {
                needed.insert(entry.native_key.clone(), entry);
                plan.release.extend(known.filter(|known| known.native_key.is_some()).map(|known| known.account.id));
            }
        }
        if needed.is_empty() {
            return Ok(displaced);
        }
        let keys: Vec<String> = needed.keys().cloned().collect();
        for holder in aggregation::holders(tx, self.source.id, &keys).await? {
            let entry = holder.native_key.as_ref().and_then(|key| needed.get(key));
            let Some(entry) = entry else { continue };
            let own = &holder.account.stable_id;
            if self.entries.iter().any(|other| other.stable_id == *own) {
                // It is in the page itself, under another name.
            } else if holder.lacks_a_stable_id() && !stored.contains_key(&entry.stable_id) {
                // Somebody told us of this account by its name alone.
                stored.insert(entry.stable_id.clone(), holder);
            } else if self.gone.contains(own) {
                plan.release.push(holder.account.id);
            } else {
                displaced.push(own.clone());
            }
        }
        Ok(displaced)
    }

    fn entry(
        &self,
        entry: &Entry,
        known: Option<&Known>,
        standing: &HashMap<AccountId, IntentKind>,
        people: &mut People,
        plan: &mut PagePlan,
    ) {
        let difference = known.map(|known| entry.against(known));
        let mut account = match known {
            Some(known) => known.clone().updated(entry),
            None => self.new_account(entry),
        };
        let standing = standing.get(&account.account.id).copied();
        if self.asks_rules(entry, known) {
            people.find_owner(self, entry, &mut account, standing, plan);
        }
        people.be_said(self, entry, &mut account, plan);
        let owner = account.account.identity;
        if let (Some(owner), Some(IntentKind::Bury { account })) = (owner, standing) {
            plan.withdraw.push((owner, account));
        }
        if owner.is_none() {
            plan.counters.uncorrelated += 1;
        }
        let linked = known.is_none_or(|known| known.link != account.link || known.account.identity != owner);
        match difference {
            None => plan.counters.created += 1,
            Some(Difference::Changed) => plan.counters.changed += 1,
            Some(Difference::Renamed) => plan.counters.renamed += 1,
            Some(Difference::Returned) => plan.counters.returned += 1,
            Some(Difference::None) if linked => {}
            Some(Difference::None) => {
                plan.counters.unchanged += 1;
                return;
            }
        }
        plan.accounts.push(match known {
            None => AccountWrite::New(account),
            Some(_) => AccountWrite::Updated(account),
        });
    }

    fn new_account(&self, entry: &Entry) -> Known {
        let account = Account {
            id: AccountId(draw_id_at(self.read_at)),
            identity: None,
            source: self.source.id,
            stable_id: entry.stable_id.clone(),
            native_id: entry.native_id.clone(),
            name: entry.name.clone(),
            password_sync: true,
            attributes: entry.attributes.clone(),
            vanished: false,
        };
        Known {
            account,
            native_key: Some(entry.native_key.clone()),
            enabled: entry.enabled,
            password_changed_at: entry.password_changed_at,
            link: Link::None,
        }
    }
}

impl PagePlan {
    /// Whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.release.is_empty()
            && self.identities.is_empty()
            && self.accounts.is_empty()
            && self.govern.is_empty()
            && self.intents.is_empty()
            && self.withdraw.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use lockstep_core::id::SourceId;

    use super::*;

    fn entry(stable_id: &str, native_key: &str) -> Entry {
        Entry {
            stable_id: stable_id.to_owned(),
            native_id: native_key.to_owned(),
            native_key: native_key.to_owned(),
            name: String::new(),
            enabled: None,
            password_changed_at: None,
            attributes: Default::default(),
        }
    }

    #[test]
    fn an_account_is_in_a_page_once_and_a_native_id_too() {
        let source = Source {
            id: SourceId::IDENTITY_NOW,
            name: String::new(),
            description: String::new(),
            connector: String::new(),
            config: serde_json::Value::Null,
            features: Default::default(),
            policy_holders: Vec::new(),
            concurrency: 1,
            aggregation: Default::default(),
        };
        let entries = [entry("1", "a"), entry("1", "b"), entry("2", "a"), entry("3", "b")];
        let (page, reports) = Page::new(source, DateTime::UNIX_EPOCH, false, entries);
        let kept: Vec<&str> = page.entries.iter().map(|entry| entry.stable_id.as_str()).collect();
        assert_eq!((kept, reports.len()), (vec!["2", "3"], 1));
    }
}
