//! Whose the accounts of a page are, and what they say of their identities when their source is right about them.

use std::collections::{HashMap, HashSet};

use lockstep_core::account::Link;
use lockstep_core::aggregation::{
    Aggregation, Correlation, Difference, Entry, Known, correlate, create, update, value_key,
};
use lockstep_core::change::IntentKind;
use lockstep_core::id::{AccountId, IdentityId};
use lockstep_core::identity::Identity;
use lockstep_store::aggregation::{self, Owned, Person};
use lockstep_store::{Result, Tx, identity_value};
use lockstep_vault::secret::draw_id_at;

use super::page::{IdentityWrite, Page, PagePlan};

/// Everybody whom a page may have to do with, as they are after what was planned so far.
#[derive(Debug, Default)]
pub(super) struct People {
    /// For each rule, who has which value.
    matching: Vec<HashMap<String, Vec<IdentityId>>>,
    /// Which accounts on the source those have whom the rules may find.
    having: HashMap<IdentityId, HashSet<AccountId>>,
    /// Of an authoritative source: those whose accounts are in the page, or may be found to be.
    known: HashMap<IdentityId, Person>,
    /// Who has which login name.
    aliases: HashMap<String, IdentityId>,
}

impl People {
    /// Reads them, one statement a question.
    pub(super) async fn load(
        tx: &mut Tx<'_>,
        page: &Page,
        stored: &HashMap<String, Known>,
        holds: bool,
    ) -> Result<Self> {
        let settings = &page.source.aggregation;
        let mut people = Self::default();
        let asked: Vec<&Entry> =
            page.entries.iter().filter(|entry| page.asks_rules(entry, stored.get(&entry.stable_id))).collect();
        for rule in &settings.correlation {
            let keys: HashSet<String> =
                asked.iter().filter_map(|entry| entry.value(&rule.account).and_then(value_key)).collect();
            let mut matching: HashMap<String, Vec<IdentityId>> = HashMap::new();
            if !keys.is_empty() {
                let keys: Vec<String> = keys.into_iter().collect();
                for (key, identity) in identity_value::matching(tx, &rule.identity, &keys).await? {
                    matching.entry(key).or_default().push(identity);
                }
            }
            people.matching.push(matching);
        }
        let found: HashSet<IdentityId> = people.matching.iter().flat_map(HashMap::values).flatten().copied().collect();
        if !found.is_empty() {
            let found: Vec<IdentityId> = found.into_iter().collect();
            // One whose place was taken by another, and of which its source said that it is not there, counts no more: the other
            // may be the same person's, made anew.
            let owned = aggregation::owned_on(tx, page.source.id, &found).await?.into_iter();
            for Owned { identity, account, .. } in owned.filter(|owned| !page.gone.contains(&owned.stable_id)) {
                people.having.entry(identity).or_default().insert(account);
            }
        }
        if settings.authoritative {
            people.load_known(tx, page, stored, holds).await?;
        }
        Ok(people)
    }

    async fn load_known(
        &mut self,
        tx: &mut Tx<'_>,
        page: &Page,
        stored: &HashMap<String, Known>,
        holds: bool,
    ) -> Result<()> {
        let owners = stored.values().filter_map(|known| known.account.identity);
        let found = self.matching.iter().flat_map(HashMap::values).flatten().copied();
        let ids: HashSet<IdentityId> = owners.chain(found).collect();
        let ids: Vec<IdentityId> = ids.into_iter().collect();
        if holds {
            aggregation::hold_people(tx, &ids).await?;
        }
        let people = aggregation::people(tx, &ids).await?;
        self.known = people.into_iter().map(|person| (person.identity.id, person)).collect();
        let new_alias = |entry: &Entry| {
            let alias = entry.value(page.source.aggregation.mapping.alias.as_deref()?)?;
            let owner = stored.get(&entry.stable_id).and_then(|known| self.known.get(&known.account.identity?));
            let key = Identity::alias_key(alias);
            (owner.map(|owner| Identity::alias_key(&owner.identity.alias)) != Some(key.clone())).then_some(key)
        };
        let keys: Vec<String> = page.entries.iter().filter_map(new_alias).collect();
        if !keys.is_empty() {
            self.aliases = identity_value::matching(tx, Aggregation::ALIAS, &keys).await?.into_iter().collect();
        }
        Ok(())
    }

    /// Asks the rules whose an account is. One that is somebody's goes to another by an intent.
    ///
    /// Whoever has an account on the source does not get a second one by a rule: an attribute that people write themselves
    /// would let anybody's account pass for somebody else's, and get that one's next password. A person says that.
    pub(super) fn find_owner(
        &mut self,
        page: &Page,
        entry: &Entry,
        account: &mut Known,
        standing: Option<IntentKind>,
        plan: &mut PagePlan,
    ) {
        let settings = &page.source.aggregation;
        let found = self.correlation(page, entry);
        let owner = account.account.identity;
        match (found, owner) {
            (Correlation::One(one), owner) if owner != Some(one) && self.has_another(one, account.account.id) => {
                plan.counters.ambiguous += 1;
                let text = "the identity that the rules find has another account here, so it is not given this one; say whose it is";
                plan.reports.push(format!("{}: {text}", entry.native_id));
            }
            (Correlation::One(one), None) => {
                (account.account.identity, account.link) = (Some(one), Link::Rule);
                self.having.entry(one).or_default().insert(account.account.id);
                plan.counters.correlated += 1;
            }
            (Correlation::One(one), Some(owner)) if one != owner => {
                let give = IntentKind::Give { account: account.account.id, to: Some(one) };
                self.having.entry(one).or_default().insert(account.account.id);
                if standing != Some(give) {
                    plan.intents.push((owner, give));
                    plan.counters.correlated += 1;
                }
            }
            (Correlation::One(_), Some(owner)) => {
                if let Some(IntentKind::Give { account, .. }) = standing {
                    plan.withdraw.push((owner, account));
                }
            }
            (Correlation::Ambiguous { rule, identities }, None) => {
                plan.counters.ambiguous += 1;
                let name = &settings.correlation[rule].identity;
                plan.reports.push(format!(
                    "{}: {identities} identities have its {name}, so it is nobody's; say whose it is",
                    entry.native_id
                ));
            }
            (Correlation::Ambiguous { .. }, Some(_)) | (Correlation::Nobody, _) => {}
        }
    }

    /// Makes, or changes, the identity of an account whose source says who there is.
    pub(super) fn be_said(&mut self, page: &Page, entry: &Entry, account: &mut Known, plan: &mut PagePlan) {
        if !page.source.aggregation.authoritative {
            return;
        }
        let disabled = entry.enabled == Some(false);
        match account.account.identity {
            Some(owner) => self.change(page, entry, account, owner, disabled, plan),
            // Who has left already is not made anew; and what a person said, or nobody can know, is left alone.
            None if disabled || account.link == Link::Manual || self.is_ambiguous(page, entry, account) => {}
            None => self.make(page, entry, account, plan),
        }
    }

    fn make(&mut self, page: &Page, entry: &Entry, account: &mut Known, plan: &mut PagePlan) {
        let settings = &page.source.aggregation;
        let identity = match create(&settings.mapping, entry, IdentityId(draw_id_at(page.read_at))) {
            Ok(identity) => identity,
            Err(unusable) => {
                plan.counters.conflicts += 1;
                return plan.reports.push(format!("{}: {unusable}, so it makes no identity", entry.native_id));
            }
        };
        let key = Identity::alias_key(&identity.alias);
        if self.aliases.contains_key(&key) {
            plan.counters.conflicts += 1;
            let text = "another identity has its login name, and no rule says that it is the same person";
            return plan.reports.push(format!("{}: {text}", entry.native_id));
        }
        self.aliases.insert(key, identity.id);
        for (rule, matching) in settings.correlation.iter().zip(&mut self.matching) {
            if let Some(key) = identity.value(&rule.identity).and_then(value_key) {
                matching.entry(key).or_default().push(identity.id);
            }
        }
        let (id, own) = (identity.id, account.account.id);
        self.having.entry(id).or_default().insert(own);
        self.known.insert(
            id,
            Person {
                identity: identity.clone(),
                authority: Some(own),
                said_by: Some(own),
                retired: false,
                has_levels: false,
            },
        );
        (account.account.identity, account.link) = (Some(id), Link::Rule);
        plan.identities.push(IdentityWrite::New { identity, authority: own });
        plan.counters.identities_created += 1;
    }

    fn change(
        &mut self,
        page: &Page,
        entry: &Entry,
        account: &Known,
        owner: IdentityId,
        disabled: bool,
        plan: &mut PagePlan,
    ) {
        let Some(person) = self.known.get_mut(&owner) else { return };
        let own = account.account.id;
        match person.authority {
            // The first one says who this is. A second one does not contradict it.
            Some(authority) if authority != own => return,
            Some(_) => {}
            // What said it before, or what a person says, may.
            None if person.has_levels && person.said_by != Some(own) && account.link != Link::Manual => {
                plan.counters.conflicts += 1;
                let text = "its identity administers, and is not changed by an account that was found by a rule; say whose it is";
                return plan.reports.push(format!("{}: {text}", entry.native_id));
            }
            None => {
                person.authority = Some(own);
                plan.govern.push((owner, own));
            }
        }
        if disabled {
            plan.leaving.extend(person.identity.enabled.then_some(owner));
        } else if person.retired {
            person.retired = false;
            person.identity.enabled = true;
            plan.identities.push(IdentityWrite::Recall(owner));
            plan.counters.identities_returned += 1;
        }
        let mut said = update(&page.source.aggregation.mapping, entry, &person.identity);
        let (before, after) = (Identity::alias_key(&person.identity.alias), Identity::alias_key(&said.alias));
        if before != after && self.aliases.get(&after).is_some_and(|other| *other != owner) {
            plan.counters.conflicts += 1;
            plan.reports.push(format!("{}: another identity has its new login name", entry.native_id));
            said.alias.clone_from(&person.identity.alias);
        }
        if said == person.identity {
            return;
        }
        let renamed = said.alias != person.identity.alias;
        if renamed {
            self.aliases.insert(Identity::alias_key(&said.alias), owner);
        }
        person.identity = said.clone();
        plan.identities.push(IdentityWrite::Changed { identity: said, renamed });
        plan.counters.identities_changed += 1;
    }

    fn is_ambiguous(&self, page: &Page, entry: &Entry, account: &Known) -> bool {
        match self.correlation(page, entry) {
            Correlation::Ambiguous { .. } => true,
            Correlation::One(one) => self.has_another(one, account.account.id),
            Correlation::Nobody => false,
        }
    }

    /// Whether an identity has another account on the source than this one.
    fn has_another(&self, identity: IdentityId, account: AccountId) -> bool {
        self.having.get(&identity).is_some_and(|accounts| accounts.iter().any(|other| *other != account))
    }

    fn correlation(&self, page: &Page, entry: &Entry) -> Correlation {
        let matching = |rule: usize, key: &str| self.matching[rule].get(key).cloned().unwrap_or_default();
        correlate(&page.source.aggregation.correlation, entry, matching)
    }
}

impl Page {
    /// Whether the rules are asked whose an account is: what a person said stays, and so does what the rules said as long as
    /// nothing has changed. The account of an authoritative source says itself who its identity is.
    pub(super) fn asks_rules(&self, entry: &Entry, known: Option<&Known>) -> bool {
        let Some(known) = known else { return true };
        match known.link {
            Link::Manual => false,
            Link::None => true,
            Link::Rule if self.source.aggregation.authoritative => known.account.identity.is_none(),
            Link::Rule => self.again || known.account.identity.is_none() || entry.against(known) != Difference::None,
        }
    }
}
