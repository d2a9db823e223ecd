//! What goes because the file does not name it.
//!
//! Only what is set up goes: applications, sync groups, sources, password policies, clients; and of these only kinds that the
//! file has at least one of besides what is built in, so that a file about people takes nobody's systems away. People, their
//! accounts and their tokens come from elsewhere, too, and stay. What goes is held to the rules of deleting it through the API.

use lockstep_core::audit::Action;
use lockstep_core::id::{PasswordPolicyId, SourceId};
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::holder::PolicyHolder;
use lockstep_core::source::Source;
use lockstep_store::client::Client;
use lockstep_store::source::References;
use toml::Spanned;

use super::{Done, Planner};
use crate::app::apply::existing::{names_any_source, names_source};
use crate::app::apply::wanted::{Wanted, WantedClient};
use crate::app::apply::write::Write;
use crate::app::record::About;
use crate::app::source::needed_by;

impl Planner<'_> {
    /// All but sync groups. What refers to others goes before them.
    pub(super) fn prune(&mut self, wanted: &Wanted) {
        self.prune_applications(wanted);
        self.prune_sources(wanted);
        self.prune_password_policies(wanted);
        self.prune_clients(wanted);
    }

    fn prune_applications(&mut self, wanted: &Wanted) {
        let named = |name: &str| wanted.application.iter().any(|one| one.get_ref().name.get_ref() == name);
        if wanted.application.is_empty() {
            return;
        }
        for gone in self.existing.applications.extract_if(.., |one| !named(&one.name)).collect::<Vec<_>>() {
            self.removed("application", &gone.name);
            self.audit(Action::ApplicationDeleted, About::source(gone.source).with("application", gone.id.0));
            self.write(Write::RemoveApplication(gone.id));
        }
    }

    /// Before the groups of the file are judged, as a source may move from one that goes to one of them. What bound on a member
    /// binds on: it is made the source's own policy, unless the file says another.
    pub(super) fn prune_sync_groups(&mut self, wanted: &Wanted) {
        let named = |name: &str| wanted.sync_group.iter().any(|one| one.get_ref().name.get_ref() == name);
        if wanted.sync_group.is_empty() {
            return;
        }
        for gone in self.existing.groups.extract_if(.., |one| !named(&one.name)).collect::<Vec<_>>() {
            self.removed("sync group", &gone.name);
            self.audit(Action::PasswordSyncGroupDeleted, About::default().with("group", gone.id.0));
            self.write(Write::RemoveGroup(gone.id));
            for id in &gone.sources {
                self.audit(Action::PasswordSyncGroupSourceRemoved, About::source(*id).with("group", gone.id.0));
                let Some(source) = self.existing.sources.iter_mut().find(|source| source.id == *id) else { continue };
                let said = wanted.source.iter().map(Spanned::get_ref).filter(|one| one.policies.is_some());
                let joins = wanted.sync_group.iter().filter_map(|group| group.get_ref().sources.as_ref());
                let mut names = joins.flat_map(Spanned::get_ref).chain(said.map(|source| &source.name));
                if names.any(|name| names_source(name.get_ref(), source)) {
                    continue;
                }
                source.policy_holders = vec![PolicyHolder { policy_id: gone.policy, selectors: None }];
                let source = source.clone();
                self.changed("source", &source.name, vec!["policies".to_owned()]);
                self.write(Write::Source(source));
                let about = About::source(*id).with("policy", gone.policy.0);
                self.audit(Action::SourcePasswordPolicyAssigned, about);
            }
        }
    }

    fn prune_sources(&mut self, wanted: &Wanted) {
        let named =
            |source: &Source| wanted.source.iter().any(|one| names_source(one.get_ref().name.get_ref(), source));
        if !names_any_source(wanted) {
            return;
        }
        let gone: Vec<_> =
            self.existing.sources.iter().filter(|source| !source.is_built_in() && !named(source)).cloned().collect();
        for source in gone {
            let by = self.needing(source.id);
            if !by.is_empty() {
                self.kept("source", &source.name, &by);
                continue;
            }
            self.existing.sources.retain(|other| other.id != source.id);
            self.removed("source", &source.name);
            self.audit(Action::SourceDeleted, About::source(source.id));
            self.write(Write::RemoveSource(source.id));
        }
    }

    /// What needs a source, once this file is applied: what does already, and what the file adds.
    fn needing(&self, id: SourceId) -> Vec<String> {
        let (mut accounts, mut people) =
            self.existing.held.get(&id).map_or((0, 0), |held| (held.accounts, held.people));
        for write in &self.plan.writes {
            match write {
                Write::Account { account, .. } if account.source == id && account.identity.is_some() => accounts += 1,
                Write::Identity(identity) if identity.sign_in_source == id => people += 1,
                Write::FoundAgain(account) => {
                    accounts +=
                        i64::from(self.existing.accounts.values().any(|one| one.id == *account && one.source == id));
                }
                _ => {}
            }
        }
        let group = self.existing.groups.iter().find(|group| group.sources.contains(&id));
        let applications = self.existing.applications.iter().filter(|one| one.source == id);
        needed_by(References {
            group: group.map(|group| group.name.clone()),
            applications: applications.map(|one| one.name.clone()).collect(),
            accounts,
            people,
        })
    }

    fn prune_password_policies(&mut self, wanted: &Wanted) {
        let name = |value: &Spanned<toml::Value>| value.get_ref().as_str().map(str::to_owned);
        let named: Vec<String> =
            wanted.password_policy.iter().filter_map(|table| table.get_ref().get("name").and_then(name)).collect();
        let is_ours = |one: &PasswordPolicy| one.id != PasswordPolicyId::DEFAULT;
        if !self.existing.policies.iter().any(|one| is_ours(one) && named.contains(&one.name)) {
            return;
        }
        let policies = self.existing.policies.iter();
        let gone = policies.filter(|one| is_ours(one) && !named.contains(&one.name));
        for policy in gone.cloned().collect::<Vec<_>>() {
            let groups = self.existing.groups.iter().filter(|group| group.policy == policy.id);
            let by = groups.map(|group| format!("the sync group {:?} has it", group.name));
            let names = |source: &&Source| source.policy_holders.iter().any(|holder| holder.policy_id == policy.id);
            let sources = self.existing.sources.iter().filter(names);
            let by: Vec<String> =
                by.chain(sources.map(|source| format!("the source {:?} names it", source.name))).collect();
            if !by.is_empty() {
                self.kept("password policy", &policy.name, &by);
                continue;
            }
            self.removed("password policy", &policy.name);
            self.audit(Action::PasswordPolicyDeleted, About::default().with("policy", policy.id.0));
            self.write(Write::RemovePolicy(policy.id));
        }
    }

    fn prune_clients(&mut self, wanted: &Wanted) {
        let named = |client: &Client| {
            let is = |one: &WantedClient| match &one.id {
                Some(id) => *id.get_ref() == client.id,
                None => *one.name.get_ref() == client.name,
            };
            wanted.client.iter().any(|one| is(one.get_ref()))
        };
        if wanted.client.is_empty() {
            return;
        }
        for gone in self.existing.clients.extract_if(.., |one| !named(one)).collect::<Vec<_>>() {
            self.removed("client", &gone.name);
            self.audit(Action::ApiClientDeleted, About::default().with("client", gone.id.0));
            self.write(Write::RemoveClient(gone.id));
        }
    }

    fn removed(&mut self, kind: &'static str, name: &str) {
        self.entry(kind, name, Done::Removed);
    }

    /// It is not in the file, and cannot go. It has no place there, so the problem has none either.
    fn kept(&mut self, kind: &'static str, name: &str, by: &[String]) {
        let text = format!("the {kind} {name:?} is not in this file and cannot be removed: {}", by.join("; "));
        self.problem(0, text);
    }
}
