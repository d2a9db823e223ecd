//! In which order a list comes, and what of it comes after an entry.

use lockstep_core::filter::Query;

use super::built::{Bind, Built};
use super::table::{Place, Table};

/// The keys of an entry in the order of its list: what comes after it is found by them, whether or not it is still there.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    keys: Vec<Option<Bind>>,
}

/// One of the columns that a list is sorted by.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) column: &'static str,
    /// No two rows have the same.
    pub(super) unique: bool,
    descending: bool,
    nullable: bool,
}

impl Cursor {
    pub(super) fn new(keys: Vec<Option<Bind>>) -> Self {
        Self { keys }
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let text = |key: &Option<Bind>| if let Some(Bind::Text(text)) = key { text.len() } else { 0 };
        self.keys.iter().map(|key| size_of::<Option<Bind>>() + text(key)).sum()
    }
}

impl Key {
    /// Those of a query.
    pub(super) fn all(table: &Table, query: &Query) -> Vec<Self> {
        query.order().iter().filter_map(|sorter| Self::of(table, sorter.field.name, sorter.descending)).collect()
    }

    pub(super) fn of(table: &Table, field: &str, descending: bool) -> Option<Self> {
        let key = |column| Self { column, unique: false, descending, nullable: false };
        match table.place(field)? {
            Place::Column(column) => Some(key(column)),
            Place::Unique(column) => Some(Self { unique: true, ..key(column) }),
            Place::Nullable(column) => Some(Self { nullable: true, ..key(column) }),
            // The text of what is true comes first.
            Place::Switch(column, _) => Some(Self { descending: !descending, ..key(column) }),
            Place::IsNull(_) | Place::TrueUnlessNull(_) | Place::Of { .. } => None,
        }
    }
}

/// A null comes before everything else, as in the indexes.
pub(super) fn push_order(built: &mut Built, order: &[Key]) {
    for (place, key) in order.iter().enumerate() {
        built.push([if place == 0 { " ORDER BY " } else { ", " }, key.column]);
        built.push([match (key.descending, key.nullable) {
            (false, false) => "",
            (true, false) => " DESC",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC NULLS LAST",
        }]);
    }
}

/// What equals the cursor in so many keys and comes after it by the next one.
pub(super) fn push_segment(built: &mut Built, order: &[Key], segment: Option<(usize, &Cursor)>) {
    let Some((equal, cursor)) = segment else { return };
    for (place, (key, value)) in order.iter().zip(&cursor.keys).take(equal + 1).enumerate() {
        built.push([" AND "]);
        match (place == equal, value, key.descending) {
            (false, Some(value), _) => compare(built, key, " = ", value),
            (false, None, _) => built.push([key.column, " IS NULL"]),
            (true, None, false) => built.push([key.column, " IS NOT NULL"]),
            (true, None, true) => built.push(["FALSE"]),
            (true, Some(value), false) => compare(built, key, " > ", value),
            (true, Some(value), true) if key.nullable => {
                built.push(["("]);
                compare(built, key, " < ", value);
                built.push([" OR ", key.column, " IS NULL)"]);
            }
            (true, Some(value), true) => compare(built, key, " < ", value),
        }
    }
    // A key that no two have stands for all of them.
    if equal >= order.len() {
        built.push([" AND FALSE"]);
    }
}

fn compare(built: &mut Built, key: &Key, sign: &'static str, value: &Bind) {
    built.push([key.column, sign]);
    built.bind(value.clone());
}
