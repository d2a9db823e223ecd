//! What stands in a file twice, found without keeping the file in memory.
//!
//! A first reading keeps eight bytes of each key: a hash that is keyed anew for each import, so that nobody can write a file
//! that makes it fail. A hash that came twice may be two keys by accident; so the next reading keeps the keys themselves, of
//! those few, and only of two that are equal is the second rejected.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use lockstep_core::identity::Identity;
use lockstep_core::source::Source;

use super::row::{Field, Flaw, Item, Open, Row, Unreadable};
use crate::app::apply::native_key;

/// Finds the second of two.
pub(super) struct Twice {
    sources: Vec<Source>,
    hasher: RandomState,
    /// The hashes that came more than once.
    suspects: BTreeSet<u64>,
    /// On which line a key with such a hash came first.
    first: HashMap<Key, u64>,
}

/// What may stand in a file only once.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    field: Field,
    source: String,
    value: String,
}

impl Twice {
    /// Reads the file for the first time.
    pub(super) fn survey(open: &Open, sources: Vec<Source>, mut read: impl FnMut(u64)) -> Result<Self, Unreadable> {
        let mut twice = Self { sources, hasher: RandomState::new(), suspects: BTreeSet::new(), first: HashMap::new() };
        let mut hashes = Vec::new();
        for (count, row) in open()?.enumerate() {
            hashes.extend(twice.keys(&row?).iter().map(|key| twice.hasher.hash_one(key)));
            read(count as u64 + 1);
        }
        hashes.sort_unstable();
        twice.suspects.extend(hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]));
        Ok(twice)
    }

    /// What is wrong with a row because of one before it. Every row is put here once, in the order of the file.
    pub(super) fn second(&mut self, row: &Row) -> Option<Flaw> {
        let keys = self.keys(row).into_iter().filter(|key| self.suspects.contains(&self.hasher.hash_one(key)));
        let keys: Vec<Key> = keys.collect();
        let earlier = keys.iter().find_map(|key| Some((key.field, *self.first.get(key)?)));
        if let Some((field, line)) = earlier {
            return Some(Flaw { field, reason: format!("the same stands on line {line} already") });
        }
        self.first.extend(keys.into_iter().map(|key| (key, row.line)));
        None
    }

    fn keys(&self, row: &Row) -> Vec<Key> {
        match &row.item {
            Ok(Item::Identity(wanted)) => {
                let key = |field, value| Key { field, source: String::new(), value };
                let id = wanted.id.as_ref().map(|id| key(Field::Id, id.get_ref().to_string()));
                let alias = key(Field::Alias, Identity::alias_key(wanted.alias.get_ref()));
                [Some(alias), id].into_iter().flatten().collect()
            }
            Ok(Item::Account(wanted)) => {
                let account = wanted.account.get_ref();
                let name = account.source.get_ref().to_lowercase();
                let key = |field, value| Key { field, source: name.clone(), value };
                let native_id = account.native_id.get_ref();
                let stable_id = account.stable_id.as_ref().unwrap_or(&account.native_id);
                let field = if account.stable_id.is_some() { Field::StableId } else { Field::NativeId };
                let mut keys = vec![key(field, format!("stable {}", stable_id.get_ref()))];
                // Tombstones share a native id.
                let source = self.sources.iter().find(|source| source.name.to_lowercase() == name);
                if let Some(source) = source.filter(|_| account.gone != Some(true)) {
                    keys.push(key(Field::NativeId, native_key(source, native_id)));
                }
                keys
            }
            Ok(Item::Skipped) | Err(_) => Vec::new(),
        }
    }
}
