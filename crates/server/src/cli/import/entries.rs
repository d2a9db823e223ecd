//! LDIF's entries as rows.

use std::sync::Arc;

use serde_json::Value;

use super::input::Input;
use super::ldif::{Entry, Reader};
use super::mapping::Target;
use super::record::{Record, Schema, Wrong, row};
use crate::app::import::row::{Field, Flaw, Item, Row, Rows, Unreadable};

/// The classes of entries that stand for people and their accounts (RFC 4519, RFC 4524, RFC 2307). A directory's folders and
/// groups are none.
const PEOPLE: [&str; 3] = ["person", "account", "posixAccount"];

/// The rows.
pub(super) fn read(input: &Input, schema: &Arc<Schema>) -> Result<Rows, Unreadable> {
    let mut reader = Reader::new(input.read()?);
    let (schema, input) = (Arc::clone(schema), input.clone());
    Ok(Box::new(std::iter::from_fn(move || match reader.next() {
        Some(entry) => Some(entry.and_then(|entry| one(entry, &schema))),
        None => input.stands().err().map(Err),
    })))
}

fn one(entry: Entry, schema: &Schema) -> Result<Row, Unreadable> {
    let line = entry.line;
    let values = match entry.values {
        Ok(values) => values,
        Err(reason) => return Ok(Row { line, item: Err(Flaw { field: Field::Row, reason }) }),
    };
    let mut classes = values.iter().filter(|(name, _)| name.eq_ignore_ascii_case("objectClass")).peekable();
    let is_person = |class: &[u8]| PEOPLE.iter().any(|known| class.eq_ignore_ascii_case(known.as_bytes()));
    // Whoever asked for a few attributes only got no classes.
    if classes.peek().is_some() && !classes.any(|(_, class)| is_person(class)) {
        return Ok(Row { line, item: Ok(Item::Skipped) });
    }
    row(line, item(values, line, schema))
}

fn item(values: Vec<(String, Vec<u8>)>, line: u64, schema: &Schema) -> Result<Item, Wrong> {
    let mut record = Record::default();
    if schema.mapping.names_attributes() {
        record.says_attributes();
    }
    for (name, value) in values {
        let targets = schema.mapping.targets(&name)?;
        if targets == [Target::Nothing] || value.is_empty() {
            continue;
        }
        let text = String::from_utf8(value).map_err(|_| {
            let field = targets.iter().find_map(|target| match target {
                Target::Field(field) => Some(*field),
                _ => None,
            });
            Wrong::Row(Flaw { field: field.unwrap_or(Field::Attributes), reason: "is not text".to_owned() })
        })?;
        record.put(&targets, &name, Value::String(text))?;
    }
    record.item(schema, line)
}
