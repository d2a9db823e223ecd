//! JSON lines: one object a line.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::input::{self, Input};
use super::record::{Record, Schema, Wrong, row};
use crate::app::import::row::{Field, Flaw, Item, Row, Rows, Unreadable};

/// The longest line, in bytes.
const LONGEST: u64 = 1 << 20;

/// The rows.
pub(super) fn read(input: &Input, schema: &Arc<Schema>) -> Result<Rows, Unreadable> {
    let mut reader = input.read()?;
    let (schema, input) = (Arc::clone(schema), input.clone());
    let mut number = 0;
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            number += 1;
            match input::line(&mut reader, LONGEST, number) {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => return Some(one(&line, number, &schema)),
                Ok(None) => return input.stands().err().map(Err),
                Err(error) => return Some(Err(error)),
            }
        }
    })))
}

fn one(text: &[u8], line: u64, schema: &Schema) -> Result<Row, Unreadable> {
    // The library's own message may repeat what is there.
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(text) else {
        let flaw = Flaw { field: Field::Row, reason: "it is not a JSON object".to_owned() };
        return Ok(Row { line, item: Err(flaw) });
    };
    row(line, item(object, line, schema))
}

fn item(object: Map<String, Value>, line: u64, schema: &Schema) -> Result<Item, Wrong> {
    let mut record = Record::default();
    for (name, value) in object.into_iter().filter(|(_, value)| !value.is_null()) {
        record.put(&schema.mapping.targets(&name)?, &name, value)?;
    }
    record.item(schema, line)
}
