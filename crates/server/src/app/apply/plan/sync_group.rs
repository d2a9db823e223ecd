//! Sync groups.

use std::collections::{HashMap, HashSet};

use lockstep_core::audit::Action;
use lockstep_core::id::{SourceId, SyncGroupId};
use lockstep_core::sync_group::{InvalidSyncGroup, SyncGroup};
use lockstep_vault::secret::draw_id;
use toml::Spanned;

use super::Planner;
use super::fields::differing;
use crate::app::apply::wanted::{Wanted, WantedSyncGroup};
use crate::app::apply::write::Write;
use crate::app::record::About;

impl Planner<'_> {
    /// Judged as a whole, once every group is as it will be: a source may move from one to another in one file.
    pub(super) fn sync_groups(&mut self, wanted: &Wanted) {
        let before = self.existing.groups.clone();
        let mut seen = HashSet::new();
        let mut places = HashMap::new();
        for group in wanted.sync_group.iter().map(Spanned::get_ref) {
            if !self.once(&mut seen, "sync group", &group.name, group.name.get_ref().clone()) {
                continue;
            }
            if let Some(id) = self.sync_group(group) {
                places.insert(id, group.sources.as_ref().map_or(group.name.span(), Spanned::span).start);
            }
        }
        for group in self.existing.groups.clone() {
            if let Err(error) = group.validate(&self.existing.sources, &self.existing.groups) {
                // A group that is not in the file can be spoilt by a source that is.
                let at = places.get(&group.id).copied().unwrap_or_default();
                let text = format!("sync group {:?}: {}", group.name, self.in_names(&error));
                self.problem(at, text);
            }
        }
        self.sync_group_writes(&before);
    }

    fn sync_group(&mut self, wanted: &WantedSyncGroup) -> Option<SyncGroupId> {
        let name = wanted.name.get_ref();
        let index = self.existing.groups.iter().position(|group| group.name == *name);
        let base = index.map(|index| self.existing.groups[index].clone());
        if let (None, None, _) | (None, _, None) = (&base, &wanted.policy, &wanted.sources) {
            self.problem(wanted.name.span().start, "a new sync group needs a policy and sources");
            return None;
        }
        let policy = match (&wanted.policy, &base) {
            (Some(policy), _) => self.policy_named(policy)?,
            (None, base) => base.as_ref()?.policy,
        };
        let sources = match (&wanted.sources, &base) {
            (Some(names), _) => {
                let found: Vec<_> = names.get_ref().iter().map(|name| self.source_named(name)).collect();
                found.into_iter().map(|source| source.map(|source| source.id)).collect::<Option<Vec<_>>>()?
            }
            (None, base) => base.as_ref()?.sources.clone(),
        };
        let id = base.as_ref().map_or_else(|| SyncGroupId(draw_id()), |base| base.id);
        let group = SyncGroup { id, name: name.clone(), policy, sources };
        match index {
            Some(index) => self.existing.groups[index] = group,
            None => self.existing.groups.push(group),
        }
        Some(id)
    }

    /// A source is in one group only, also between two statements: whoever leaves goes before whoever comes.
    fn sync_group_writes(&mut self, before: &[SyncGroup]) {
        let mut writes = Vec::new();
        for group in self.existing.groups.clone() {
            let Some(old) = before.iter().find(|old| old.id == group.id) else {
                self.created("sync group", &group.name);
                self.audit(Action::PasswordSyncGroupCreated, About::default().with("group", group.id.0));
                self.members(&group, &[], &group.sources);
                writes.push(Write::Group(group));
                continue;
            };
            let sorted = |group: &SyncGroup| {
                let mut sources = group.sources.clone();
                sources.sort();
                SyncGroup { sources, ..group.clone() }
            };
            let (old, group) = (sorted(old), sorted(&group));
            if old == group {
                continue;
            }
            self.changed("sync group", &group.name, differing(&old, &group));
            self.audit(Action::PasswordSyncGroupUpdated, About::default().with("group", group.id.0));
            self.members(&group, &old.sources, &group.sources);
            let staying = old.sources.iter().filter(|source| group.sources.contains(source)).copied().collect();
            if old.sources.iter().any(|source| !group.sources.contains(source)) {
                self.write(Write::Group(SyncGroup { sources: staying, ..old }));
            }
            writes.push(Write::Group(group));
        }
        writes.into_iter().for_each(|write| self.write(write));
    }

    /// An event for each source that goes and each that comes.
    fn members(&mut self, group: &SyncGroup, before: &[SourceId], after: &[SourceId]) {
        let about = |source: &SourceId| About::source(*source).with("group", group.id.0);
        for gone in before.iter().filter(|source| !after.contains(source)) {
            self.audit(Action::PasswordSyncGroupSourceRemoved, about(gone));
        }
        for new in after.iter().filter(|source| !before.contains(source)) {
            self.audit(Action::PasswordSyncGroupSourceAdded, about(new));
        }
    }

    /// The rule's words with names for ids: an apply file has no ids of sources.
    fn in_names(&self, error: &InvalidSyncGroup) -> String {
        let name = |id| self.existing.sources.iter().find(|source| source.id == id).map_or("", |source| &source.name);
        match error {
            InvalidSyncGroup::TooFew(count) => format!("it needs at least 2 sources, but has {count}"),
            InvalidSyncGroup::Twice(id) => format!("it names the source {:?} twice", name(*id)),
            other => other.to_string(),
        }
    }
}
