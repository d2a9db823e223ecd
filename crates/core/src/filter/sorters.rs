//! Reading the order of a list: `name,-created`.

use super::{Collection, Field, InvalidQuery, Order};

/// A field that a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sorter {
    /// The field.
    pub field: &'static Field,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// What is the same for every entry sorts nothing and is left out.
pub(super) fn parse(collection: &'static Collection, text: &str) -> Result<Vec<Sorter>, InvalidQuery> {
    let mut sorters: Vec<Sorter> = Vec::new();
    let mut begin = 1;
    for part in text.split(',') {
        let position = begin + part.chars().take_while(|next| next.is_whitespace()).count();
        begin += part.chars().count() + 1;
        let name = part.trim().strip_prefix('-').unwrap_or(part.trim());
        let invalid = |problem| InvalidQuery { parameter: "sorters", position, problem };
        let known = || collection.fields.iter().filter(|field| field.order == Order::Asked);
        let field = known().find(|field| field.name == name).ok_or_else(|| match known().next() {
            Some(_) => {
                let known: Vec<&str> = known().map(|field| field.name).collect();
                invalid(format!("expected a field that {} are sorted by: {}", collection.name, known.join(", ")))
            }
            None => invalid(format!("{} cannot be sorted", collection.name)),
        })?;
        if sorters.iter().any(|sorter| sorter.field == field) {
            return Err(invalid(format!("{name} is there twice")));
        }
        sorters.push(Sorter { field, descending: part.trim().starts_with('-') });
    }
    sorters.retain(|sorter| sorter.field.constant.is_none());
    Ok(sorters)
}
