//! A query over values: for lists that are short enough to be read whole, and as what the store's SQL is compared with.

use std::cmp::Ordering;

use super::{Query, Value};

/// An entry of a list.
pub trait Record {
    /// The value of a field of its collection, and of `id`; none where it is null. Constant fields are not asked for.
    fn value(&self, field: &str) -> Option<Value>;
}

impl<R: Record> Record for &R {
    fn value(&self, field: &str) -> Option<Value> {
        (**self).value(field)
    }
}

/// The part of a list that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<R> {
    /// The entries of the window.
    pub records: Vec<R>,
    /// How many match the filter.
    pub total: usize,
}

/// Filters, sorts, counts and cuts out a window.
pub fn apply<R: Record>(mut records: Vec<R>, query: &Query, offset: usize, limit: usize) -> Part<R> {
    records.retain(|record| query.filter.as_ref().is_none_or(|filter| filter.matches(record)));
    let order = query.order();
    let compare = |one: &R, other: &R| {
        let mut unequal = order.iter().map(|sorter| {
            let key = |record: &R| Some(record.value(sorter.field.name)?.compared(sorter.field.kind));
            // A null comes before everything else.
            let ascending = key(one).cmp(&key(other));
            if sorter.descending { ascending.reverse() } else { ascending }
        });
        unequal.find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    };
    records.sort_by(compare);
    let total = records.len();
    Part { records: records.into_iter().skip(offset).take(limit).collect(), total }
}
