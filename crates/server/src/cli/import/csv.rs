//! CSV: the first line names the columns.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::input::Input;
use super::mapping::Target;
use super::record::{Record, Schema, row};
use crate::app::import::row::{Field, Flaw, Row, Rows, Unreadable};

/// The longest record, in bytes. One that is longer has a quotation mark that is never closed.
const LONGEST: u64 = 1 << 20;

/// Reads the header, and gives the rows.
pub(super) fn read(input: &Input, schema: &Arc<Schema>, delimiter: u8) -> Result<Rows, Unreadable> {
    let budget = Arc::new(AtomicU64::new(LONGEST));
    let measured = Measured { from: input.read()?, budget: Arc::clone(&budget) };
    // What it reads ahead is part of no record's length: its buffer is small beside the longest one.
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(measured);
    let header = reader.byte_headers().map_err(unreadable)?.clone();
    let columns = columns(&header, schema, delimiter)?;
    let (schema, input) = (Arc::clone(schema), input.clone());
    let mut record = csv::ByteRecord::new();
    Ok(Box::new(std::iter::from_fn(move || {
        budget.store(LONGEST, Ordering::Relaxed);
        match reader.read_byte_record(&mut record) {
            Ok(true) => Some(one(&record, &columns, &schema)),
            Ok(false) => input.stands().err().map(Err),
            Err(error) => Some(Err(unreadable(error))),
        }
    })))
}

fn columns(header: &csv::ByteRecord, schema: &Schema, delimiter: u8) -> Result<Vec<Vec<Target>>, Unreadable> {
    let mut columns = Vec::new();
    let mut seen: Vec<(Target, String)> = Vec::new();
    for name in header {
        let name = std::str::from_utf8(name).map_err(|_| Unreadable("the header is not UTF-8".to_owned()))?.trim();
        if name.is_empty() {
            return Err(Unreadable("a column has no name: the first line must name them all".to_owned()));
        }
        let targets = schema.mapping.targets(name)?;
        for target in targets.iter().filter(|target| **target != Target::Nothing) {
            if let Some((_, other)) = seen.iter().find(|(earlier, _)| earlier == target) {
                return Err(Unreadable(format!(
                    "the columns {other:?} and {name:?} say the same; --ignore one of them"
                )));
            }
            seen.push((target.clone(), name.to_owned()));
        }
        columns.push(targets);
    }
    let key = match schema.noun {
        super::record::Noun::Identities => Field::Alias,
        super::record::Noun::Accounts => Field::NativeId,
    };
    if !seen.iter().any(|(target, _)| *target == Target::Field(key)) {
        let other = match header.len() {
            1 if delimiter != b';' && header[0].contains(&b';') => "; are they separated by --delimiter ';'?",
            1 if delimiter != b'\t' && header[0].contains(&b'\t') => "; are they separated by --delimiter tab?",
            _ => "",
        };
        return Err(Unreadable(format!(
            "there is no column {key}: name it in the first line, or say --map {key}=COLUMN{other}"
        )));
    }
    Ok(columns)
}

fn one(record: &csv::ByteRecord, columns: &[Vec<Target>], schema: &Schema) -> Result<Row, Unreadable> {
    let line = record.position().map_or(0, csv::Position::line);
    let flawed = |field, reason: String| Ok(Row { line, item: Err(Flaw { field, reason }) });
    if record.len() != columns.len() {
        let reason = format!("it has {} columns, the first line has {}", record.len(), columns.len());
        return flawed(Field::Row, reason);
    }
    let mut values = Record::default();
    for (value, targets) in record.iter().zip(columns) {
        let field = match targets.first() {
            Some(Target::Field(field)) => *field,
            Some(Target::Attribute(_)) => {
                values.says_attributes();
                Field::Attributes
            }
            _ => continue,
        };
        let Ok(text) = std::str::from_utf8(value) else {
            return flawed(field, "is not UTF-8".to_owned());
        };
        // An empty cell says nothing.
        if text.is_empty() {
            continue;
        }
        let value = match field {
            Field::Attributes if targets.contains(&Target::Field(Field::Attributes)) => {
                let Ok(value) = serde_json::from_str(text) else {
                    return flawed(field, "must be a JSON object of texts".to_owned());
                };
                value
            }
            _ => Value::String(text.to_owned()),
        };
        if let Err(wrong) = values.put(targets, "", value) {
            return row(line, Err(wrong));
        }
    }
    row(line, values.item(schema, line))
}

fn unreadable(error: csv::Error) -> Unreadable {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Unreadable(error.to_string()),
        _ => Unreadable("this is no CSV".to_owned()),
    }
}

/// Ends a record that takes no end.
struct Measured<R> {
    from: R,
    budget: Arc<AtomicU64>,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        let left = self.budget.load(Ordering::Relaxed);
        match left.checked_sub(read as u64) {
            Some(left) => self.budget.store(left, Ordering::Relaxed),
            None => {
                let text = "a record is longer than 1 MiB: most likely a quotation mark is not closed";
                return Err(io::Error::other(text));
            }
        }
        Ok(read)
    }
}
