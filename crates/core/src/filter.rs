//! The language of `filters` and `sorters`: which entries of a list a client wants, and in which order.
//!
//! A collection declares its fields; what is asked of a field that it does not have, or does not allow, is an error with
//! a position. What a filter means is defined by [`Expression::matches`]. The store says the same in SQL for the lists that
//! are long, and short lists are read whole and go through [`apply`](apply::apply).
//!
//! Logic has two values: a null compares false with everything, and `not` turns that around. Texts are compared by their
//! bytes; names, login names, addresses and native ids in the form that [`fold`] gives.

pub mod apply;
pub mod collections;
mod expression;
mod parse;
mod sorters;
#[cfg(test)]
mod tests;

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use self::expression::{Condition, Expression};
pub use self::sorters::Sorter;
use crate::identity::Identity;

/// How many characters of a folded text count. What an index can hold is limited, and no two names differ only after that.
const COUNTED: usize = 500;

/// The form in which two texts are compared where case does not count.
pub fn fold(text: &str) -> String {
    let key = Identity::alias_key(text);
    match key.char_indices().nth(COUNTED) {
        Some((end, _)) => key[..end].to_owned(),
        None => key,
    }
}

/// A list that can be asked for in part.
#[derive(Debug)]
pub struct Collection {
    /// Its name.
    pub name: &'static str,
    /// What its entries can be chosen and sorted by.
    pub fields: &'static [Field],
}

/// A field of a collection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// As on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What may be asked of it.
    pub operators: &'static [Operator],
    /// Whether entries can be sorted by it.
    pub order: Order,
    /// Its value where it is the same for every entry.
    pub constant: Option<Constant>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text that is compared as it is.
    Text,
    /// A text that is compared without regard to case.
    Name,
    /// An id.
    Id,
    /// True or false.
    Bool,
    /// A time.
    Instant,
    /// A set of words.
    Words,
}

/// Whether entries can be sorted by a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// They cannot.
    None,
    /// They can, and clients do not ask for it: the order in which a range of it is found.
    Found,
    /// They can, and clients ask for it.
    Asked,
}

/// The value of a field that is the same for every entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constant {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A text.
    Text(&'static str),
}

impl Field {
    const fn new(name: &'static str, kind: Kind, operators: &'static [Operator]) -> Self {
        Self { name, kind, operators, order: Order::None, constant: None }
    }

    const fn found_in_order(self) -> Self {
        Self { order: Order::Found, ..self }
    }

    const fn sorted(self) -> Self {
        Self { order: Order::Asked, ..self }
    }

    const fn always(self, constant: Constant) -> Self {
        Self { constant: Some(constant), ..self }
    }
}

/// A value of a field, or one that it is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A text; of a name too.
    Text(String),
    /// An id.
    Id(Uuid),
    /// True or false.
    Bool(bool),
    /// A time.
    Instant(DateTime<Utc>),
    /// A set of words.
    Words(Vec<String>),
}

impl Value {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// As it is compared, in a field of that kind.
    pub fn compared(self, kind: Kind) -> Self {
        match self {
            Self::Text(text) if kind == Kind::Name => Self::Text(fold(&text)),
            value => value,
        }
    }
}

/// What can be asked of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// It is this.
    Equal,
    /// It is something else.
    NotEqual,
    /// It has this inside; of words: this is one of them.
    Contains,
    /// It begins with this.
    StartsWith,
    /// It is one of these.
    In,
    /// All of these are among its words.
    ContainsAll,
    /// It is this or greater.
    AtLeast,
    /// It is greater.
    Above,
    /// It is this or less.
    AtMost,
    /// It is less.
    Below,
    /// It is not null.
    Present,
    /// It is null.
    Null,
}

/// Every operator, with its spelling.
const OPERATORS: [(Operator, &str); 12] = [
    (Operator::Equal, "eq"),
    (Operator::NotEqual, "ne"),
    (Operator::Contains, "co"),
    (Operator::StartsWith, "sw"),
    (Operator::In, "in"),
    (Operator::ContainsAll, "ca"),
    (Operator::AtLeast, "ge"),
    (Operator::Above, "gt"),
    (Operator::AtMost, "le"),
    (Operator::Below, "lt"),
    (Operator::Present, "pr"),
    (Operator::Null, "isnull"),
];

impl Operator {
    fn parse(word: &str) -> Option<Self> {
        OPERATORS.iter().find(|(_, spelling)| word.eq_ignore_ascii_case(spelling)).map(|(operator, _)| *operator)
    }

    fn takes_none(self) -> bool {
        matches!(self, Self::Present | Self::Null)
    }

    fn takes_many(self) -> bool {
        matches!(self, Self::In | Self::ContainsAll)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(OPERATORS.iter().find(|(operator, _)| operator == self).map_or("", |(_, spelling)| spelling))
    }
}

/// `filters` or `sorters` cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter} cannot be read at character {position}: {problem}")]
pub struct InvalidQuery {
    /// Which of the two.
    pub parameter: &'static str,
    /// Where, in characters from 1; one past the last where something is missing at the end.
    pub position: usize,
    /// What was expected, or why what stands there cannot be.
    pub problem: String,
}

/// What is wanted of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Which entries; none: all.
    pub filter: Option<Expression>,
    /// By what they are sorted first.
    sorters: Vec<Sorter>,
}

impl Query {
    /// Everything, by id.
    pub const ALL: Self = Self { filter: None, sorters: Vec::new() };

    /// Reads the two parameters as a client sent them. An empty one is none.
    ///
    /// # Errors
    /// When one of them cannot be understood, or asks for what the collection does not have.
    pub fn parse(
        collection: &'static Collection,
        filters: Option<&str>,
        sorters: Option<&str>,
    ) -> Result<Self, InvalidQuery> {
        let given = |text: Option<&'_ str>| text.is_some_and(|text| !text.trim().is_empty());
        let filter = match filters {
            Some(text) if given(filters) => Some(parse::parse(collection, text)?),
            _ => None,
        };
        let sorters = match sorters {
            Some(text) if given(sorters) => sorters::parse(collection, text)?,
            // A range is found in the order of its field: any other order would have to look at all of it for each page.
            _ => filter.iter().filter_map(Expression::range).map(|field| Sorter { field, descending: false }).collect(),
        };
        Ok(Self { filter, sorters })
    }

    /// The order of the list: it is total, because the id comes last, in the direction of what comes before it.
    pub fn order(&self) -> Vec<Sorter> {
        let mut order = self.sorters.clone();
        if let Some(place) = order.iter().position(|sorter| sorter.field.name == ID.name) {
            order.truncate(place + 1);
        } else {
            let descending = order.last().is_some_and(|last| last.descending);
            order.push(Sorter { field: &ID, descending });
        }
        order
    }
}

/// Two queries that are written the same are the same.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(filter) = &self.filter {
            write!(f, "{filter}")?;
        }
        for sorter in self.order() {
            f.write_str(if sorter.descending { " -" } else { " " })?;
            f.write_str(sorter.field.name)?;
        }
        Ok(())
    }
}

/// What every entry has, whether or not clients may ask for it.
static ID: Field = Field::new("id", Kind::Id, &[]);
