//! People and accounts as CSV or JSON lines, as `lockstep import` reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::output::Output;
use crate::app::export::{Holding, Person};
use crate::app::import::row::Field;
use crate::cli::import::mapping::ATTRIBUTE;
use crate::cli::import::record::Noun;

/// A person or an account, by field.
pub(super) struct Row {
    values: Vec<(Field, Value)>,
    attributes: BTreeMap<String, String>,
}

/// A table that is being written.
pub(super) enum Table {
    Jsonl(Output),
    Csv {
        writer: Box<csv::Writer<Output>>,
        /// The attributes that have a column.
        names: Vec<String>,
    },
}

impl Row {
    pub(super) fn person(person: Person) -> Self {
        let Person { identity, levels, sign_in_source } = person;
        let values = vec![
            (Field::Alias, json!(identity.alias)),
            (Field::Id, json!(identity.id)),
            (Field::DisplayName, json!(identity.display_name)),
            (Field::Email, json!(identity.email)),
            (Field::Enabled, json!(identity.enabled)),
            (Field::SignInSource, json!(sign_in_source)),
            // Whoever has none says nothing, and needs no --levels.
            (Field::Levels, if levels.is_empty() { Value::Null } else { json!(levels) }),
        ];
        Self { values, attributes: identity.attributes }
    }

    pub(super) fn account(holding: Holding) -> Self {
        let Holding { account, source, identity } = holding;
        let values = vec![
            (Field::Source, json!(source)),
            (Field::NativeId, json!(account.native_id)),
            (Field::StableId, json!(account.stable_id)),
            (Field::Name, json!(account.name)),
            (Field::PasswordSync, json!(account.password_sync)),
            (Field::Identity, json!(identity)),
            (Field::Gone, json!(account.vanished)),
        ];
        Self { values, attributes: account.attributes }
    }
}

impl Table {
    pub(super) fn jsonl(output: Output) -> Self {
        Self::Jsonl(output)
    }

    /// With a column for each of these attributes, and one for what no column can say: that a value is empty.
    pub(super) fn csv(output: Output, noun: Noun, names: BTreeSet<String>) -> io::Result<Self> {
        let mut writer = Box::new(csv::Writer::from_writer(output));
        let names: Vec<String> = names.into_iter().filter(|name| name.trim() == name && !name.is_empty()).collect();
        let fields = noun.fields().iter().map(|field| field.as_str().to_owned());
        let columns =
            names.iter().map(|name| match Field::named(noun, name).is_some() || name.starts_with(ATTRIBUTE) {
                true => format!("{ATTRIBUTE}{name}"),
                false => name.clone(),
            });
        writer.write_record(fields.chain(columns).collect::<Vec<_>>())?;
        Ok(Self::Csv { writer, names })
    }

    pub(super) fn put(&mut self, row: Row) -> io::Result<()> {
        match self {
            Self::Jsonl(output) => {
                let fields = row.values.into_iter().filter(|(_, value)| !value.is_null());
                let mut object: Map<String, Value> =
                    fields.map(|(field, value)| (field.as_str().to_owned(), value)).collect();
                object.insert(Field::Attributes.as_str().to_owned(), json!(row.attributes));
                serde_json::to_writer(&mut *output, &object)?;
                output.write_all(b"\n")
            }
            Self::Csv { writer, names } => {
                let has_column = |name: &String, value: &String| !value.is_empty() && names.contains(name);
                let rest: BTreeMap<_, _> =
                    row.attributes.iter().filter(|(name, value)| !has_column(name, value)).collect();
                let rest = if rest.is_empty() { String::new() } else { serde_json::to_string(&rest)? };
                let attributes = names.iter().map(|name| row.attributes.get(name).cloned().unwrap_or_default());
                let cells = row.values.iter().map(|(_, value)| cell(value)).chain([rest]).chain(attributes);
                Ok(writer.write_record(cells.collect::<Vec<_>>())?)
            }
        }
    }

    pub(super) fn finish(self) -> io::Result<Output> {
        match self {
            Self::Jsonl(output) => Ok(output),
            Self::Csv { writer, .. } => writer.into_inner().map_err(|error| io::Error::other(error.to_string())),
        }
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
