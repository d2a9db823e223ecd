//! Which entry stood at which place of a list, for clients that walk a list and name only places.
//!
//! A client asks for the first 250 entries, then for 250 from place 250 on, and so on. When it was shown the entry before
//! that place, what it gets next is what comes after that entry, whatever came or went in between: nothing twice, and nothing
//! left out because of that. Counted from the beginning instead, one new entry at the front would show it the last entry of
//! the page before once more. What comes or goes behind that entry shows on the pages that follow.
//!
//! It is a memory of one process and may forget: then entries are counted from the last place it knows before, or from the
//! beginning. Whoever walks has places of their own, so that walks do not disturb each other; one that begins again at the
//! front takes the place of the one before.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Cursor, Start};

/// What a place takes beside its list's name and its cursor.
const OVERHEAD: usize = 128;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many places.
    pub places: usize,
    /// About how many bytes.
    pub bytes: usize,
    /// For how long a place that nobody asks for.
    pub kept: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { places: 20_000, bytes: 8_000_000, kept: Duration::from_secs(600) }
    }
}

/// The memory.
#[derive(Debug)]
pub struct Cursors {
    limits: Limits,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    lists: HashMap<Arc<str>, BTreeMap<u64, Place>>,
    /// Where each place is, in the order in which they were used last.
    used: BTreeMap<u64, (Arc<str>, u64)>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Place {
    cursor: Cursor,
    use_number: u64,
    used_at: Duration,
}

impl Cursors {
    /// Nothing is remembered yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, held: Mutex::default() }
    }

    /// Where a part of a list begins that a client asks for by its place. `list` names who asks, the collection and the query;
    /// `now` is the process's monotonic time.
    pub fn start(&self, list: &str, offset: u64, now: Duration) -> Start {
        self.with(|held| {
            held.forget_before(now.checked_sub(self.limits.kept));
            held.find(list, offset, now).unwrap_or(Start { after: None, offset })
        })
    }

    /// The entry before place `offset` of the list is the one of this cursor.
    pub fn remember(&self, list: &str, offset: u64, cursor: Cursor, now: Duration) {
        self.with(|held| {
            held.put(list, offset, cursor, now);
            while held.used.len() > self.limits.places || held.bytes > self.limits.bytes {
                held.forget_oldest();
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        act(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn find(&mut self, list: &str, offset: u64, now: Duration) -> Option<Start> {
        let (&known, place) = self.lists.get_mut(list)?.range_mut(..=offset).next_back()?;
        self.uses += 1;
        if let Some(entry) = self.used.remove(&place.use_number) {
            self.used.insert(self.uses, entry);
        }
        (place.use_number, place.used_at) = (self.uses, now);
        Some(Start { after: Some(place.cursor.clone()), offset: offset - known })
    }

    fn put(&mut self, list: &str, offset: u64, cursor: Cursor, now: Duration) {
        self.remove(list, offset);
        let name = self.lists.get_key_value(list).map_or_else(|| Arc::from(list), |(name, _)| name.clone());
        self.uses += 1;
        self.bytes += size(&name, &cursor);
        self.used.insert(self.uses, (name.clone(), offset));
        self.lists.entry(name).or_default().insert(offset, Place { cursor, use_number: self.uses, used_at: now });
    }

    fn forget_before(&mut self, time: Option<Duration>) {
        while let Some((_, (list, offset))) = self.used.first_key_value()
            && self.lists.get(list).and_then(|places| places.get(offset)).map(|place| place.used_at) < time
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, (list, offset))) = self.used.pop_first() {
            self.remove(&list, offset);
        }
    }

    fn remove(&mut self, list: &str, offset: u64) {
        let Some(places) = self.lists.get_mut(list) else { return };
        if let Some(place) = places.remove(&offset) {
            self.used.remove(&place.use_number);
            self.bytes -= size(list, &place.cursor);
        }
        if places.is_empty() {
            self.lists.remove(list);
        }
    }
}

fn size(list: &str, cursor: &Cursor) -> usize {
    list.len() + cursor.size() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::super::built::Bind;
    use super::*;

    const KEPT: Duration = Duration::from_secs(60);

    fn cursor(n: i64) -> Cursor {
        Cursor::new(vec![Some(Bind::Number(n))])
    }

    fn begun(after: Option<i64>, offset: u64) -> Start {
        Start { after: after.map(cursor), offset }
    }

    #[test]
    fn a_place_is_found_from_the_last_one_that_is_known_before() {
        let (cursors, now) = (Cursors::new(Limits { kept: KEPT, ..Limits::default() }), Duration::from_secs(1_000));
        assert_eq!(cursors.start("a", 250, now), begun(None, 250));
        cursors.remember("a", 250, cursor(1), now);
        cursors.remember("a", 500, cursor(2), now);
        cursors.remember("b", 250, cursor(3), now);
        assert_eq!(cursors.start("a", 0, now), begun(None, 0));
        assert_eq!(cursors.start("a", 249, now), begun(None, 249));
        assert_eq!(cursors.start("a", 250, now), begun(Some(1), 0));
        assert_eq!(cursors.start("a", 499, now), begun(Some(1), 249));
        assert_eq!(cursors.start("a", 1_000, now), begun(Some(2), 500));
        assert_eq!(cursors.start("b", 500, now), begun(Some(3), 250));
        cursors.remember("a", 250, cursor(4), now);
        assert_eq!(cursors.start("a", 250, now), begun(Some(4), 0));
    }

    #[test]
    fn a_place_that_nobody_asks_for_is_forgotten() {
        let (cursors, now) = (Cursors::new(Limits { kept: KEPT, ..Limits::default() }), Duration::from_secs(1_000));
        cursors.remember("a", 250, cursor(1), now);
        cursors.remember("b", 250, cursor(2), now);
        assert_eq!(cursors.start("a", 250, now + KEPT), begun(Some(1), 0));
        assert_eq!(cursors.start("b", 250, now + 2 * KEPT), begun(None, 250));
        assert_eq!(cursors.start("a", 250, now + 2 * KEPT), begun(Some(1), 0));
        let nothing = cursors.start("a", 250, now + 9 * KEPT);
        assert_eq!(nothing, begun(None, 250));
        cursors.with(|held| assert_eq!((held.bytes, held.lists.len(), held.used.len()), (0, 0, 0)));
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let now = Duration::from_secs(1_000);
        let few = Cursors::new(Limits { places: 3, ..Limits::default() });
        let one = size("a", &cursor(0));
        let small = Cursors::new(Limits { bytes: 3 * one, ..Limits::default() });
        for cursors in [few, small] {
            for n in 1..=3 {
                cursors.remember("a", n * 10, cursor(1), now);
            }
            cursors.start("a", 10, now);
            cursors.remember("a", 40, cursor(1), now);
            let known: Vec<u64> = cursors.with(|held| held.lists["a"].keys().copied().collect());
            assert_eq!(known, [10, 30, 40]);
            for n in 0..10_000 {
                cursors.remember(&format!("list {n}"), n, cursor(1), now);
            }
            cursors.with(|held| {
                assert!(held.lists.len() <= 3 && held.used.len() <= 3 && held.bytes <= 3 * 1_000);
            });
        }
    }
}
