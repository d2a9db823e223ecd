//! From named values to what a row wants.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use clap::ValueEnum;
use lockstep_core::id::IdentityId;
use lockstep_core::scope::UserLevel;
use serde_json::Value;
use toml::Spanned;

use super::mapping::{Mapping, Target, refuse_passwords};
use crate::app::apply::wanted::{LoneAccount, WantedAccount, WantedIdentity};
use crate::app::import::row::{Field, Flaw, Item, Row, Unreadable};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Noun {
    /// People.
    Identities,
    /// What they have on sources.
    Accounts,
}

impl Noun {
    /// The fields of a row.
    pub(in crate::cli) fn fields(self) -> &'static [Field] {
        use Field::*;
        match self {
            Self::Identities => &[Alias, Id, DisplayName, Email, Enabled, SignInSource, Levels, Attributes],
            Self::Accounts => &[Source, NativeId, StableId, Name, PasswordSync, Identity, Gone, Attributes],
        }
    }
}

/// How records become rows.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    pub(super) noun: Noun,
    pub(super) mapping: Mapping,
    /// Whether levels may be given.
    pub(super) levels: bool,
    /// The source of accounts that do not say theirs.
    pub(super) source: Option<String>,
}

/// The values of a record, by field.
#[derive(Debug, Default)]
pub(super) struct Record {
    fields: BTreeMap<Field, Value>,
    attributes: BTreeMap<String, String>,
    /// Whether it says something of attributes, even that there are none.
    has_attributes: bool,
}

/// What is wrong with a record, or with the whole file.
#[derive(Debug)]
pub(super) enum Wrong {
    Row(Flaw),
    File(Unreadable),
}

impl From<Unreadable> for Wrong {
    fn from(unreadable: Unreadable) -> Self {
        Self::File(unreadable)
    }
}

fn flaw(field: Field, reason: impl Into<String>) -> Wrong {
    Wrong::Row(Flaw { field, reason: reason.into() })
}

/// A row out of what came of its record.
pub(super) fn row(line: u64, item: Result<Item, Wrong>) -> Result<Row, Unreadable> {
    match item {
        Ok(item) => Ok(Row { line, item: Ok(item) }),
        Err(Wrong::Row(flaw)) => Ok(Row { line, item: Err(flaw) }),
        Err(Wrong::File(unreadable)) => Err(unreadable),
    }
}

impl Record {
    /// Adds what a name says. Of several values for one field the first one counts.
    pub(super) fn put(&mut self, targets: &[Target], name: &str, value: Value) -> Result<(), Wrong> {
        for target in targets {
            match target {
                Target::Nothing => {}
                Target::Unknown => return Err(flaw(Field::Row, format!("unknown field {name:?}"))),
                Target::Field(Field::Attributes) => {
                    refuse_passwords(&value)?;
                    let Value::Object(object) = value.clone() else {
                        return Err(flaw(Field::Attributes, "must be an object of texts"));
                    };
                    for (name, value) in object {
                        let Value::String(value) = value else {
                            return Err(flaw(Field::Attributes, format!("{name:?} must be a text, in quotes")));
                        };
                        self.attributes.insert(name, value);
                    }
                    self.has_attributes = true;
                }
                Target::Field(field) => {
                    self.fields.entry(*field).or_insert_with(|| value.clone());
                }
                Target::Attribute(name) => {
                    let Value::String(value) = &value else {
                        return Err(flaw(Field::Attributes, format!("{name:?} must be a text, in quotes")));
                    };
                    self.attributes.entry(name.clone()).or_insert_with(|| value.clone());
                    self.has_attributes = true;
                }
            }
        }
        Ok(())
    }

    /// It says which attributes there are, even if there are none.
    pub(super) fn says_attributes(&mut self) {
        self.has_attributes = true;
    }

    /// What the row wants.
    pub(super) fn item(mut self, schema: &Schema, line: u64) -> Result<Item, Wrong> {
        match schema.noun {
            Noun::Identities => self.identity(schema, line),
            Noun::Accounts => self.account(schema, line),
        }
    }

    fn identity(&mut self, schema: &Schema, line: u64) -> Result<Item, Wrong> {
        let levels = self.levels()?;
        if levels.is_some() && !schema.levels {
            let text =
                "says what people may do in the organisation; say --levels to take that over, or --ignore levels";
            return Err(flaw(Field::Levels, text));
        }
        Ok(Item::Identity(Box::new(WantedIdentity {
            alias: self.text(Field::Alias, line)?.ok_or_else(|| flaw(Field::Alias, "is missing"))?,
            id: self.parsed::<IdentityId>(Field::Id, line, "must be 32 hexadecimal digits")?,
            display_name: self.text(Field::DisplayName, line)?,
            email: self.text(Field::Email, line)?,
            attributes: self.attributes(line),
            sign_in_source: self.text(Field::SignInSource, line)?,
            levels,
            enabled: self.yes_or_no(Field::Enabled)?,
            password: None,
            account: Vec::new(),
        })))
    }

    fn account(&mut self, schema: &Schema, line: u64) -> Result<Item, Wrong> {
        let default = || schema.source.as_ref().map(|name| Field::Source.at(line, name.clone()));
        let missing = "is missing: name the source with --source, or in the file";
        let source = self.text(Field::Source, line)?;
        if let (Some(said), Some(wanted)) = (&source, &schema.source)
            && said.get_ref().to_lowercase() != wanted.to_lowercase()
        {
            return Err(flaw(Field::Source, "is another one than --source says"));
        }
        let account = WantedAccount {
            source: source.or_else(default).ok_or_else(|| flaw(Field::Source, missing))?,
            native_id: self.text(Field::NativeId, line)?.ok_or_else(|| flaw(Field::NativeId, "is missing"))?,
            stable_id: self.text(Field::StableId, line)?,
            name: self.text(Field::Name, line)?,
            password_sync: self.yes_or_no(Field::PasswordSync)?,
            attributes: self.attributes(line),
            gone: self.yes_or_no(Field::Gone)?,
        };
        let identity = self.text(Field::Identity, line)?;
        Ok(Item::Account(Box::new(LoneAccount { identity, account: Field::Row.at(line, account) })))
    }

    fn attributes(&mut self, line: u64) -> Option<Spanned<BTreeMap<String, String>>> {
        self.has_attributes.then(|| Field::Attributes.at(line, std::mem::take(&mut self.attributes)))
    }

    fn text(&mut self, field: Field, line: u64) -> Result<Option<Spanned<String>>, Wrong> {
        match self.fields.remove(&field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(field.at(line, text))),
            Some(_) => Err(flaw(field, "must be a text, in quotes")),
        }
    }

    fn parsed<T: FromStr>(&mut self, field: Field, line: u64, expected: &str) -> Result<Option<Spanned<T>>, Wrong> {
        let Some(text) = self.text(field, line)? else { return Ok(None) };
        text.get_ref().parse().map(|value| Some(field.at(line, value))).map_err(|_| flaw(field, expected))
    }

    fn yes_or_no(&mut self, field: Field) -> Result<Option<bool>, Wrong> {
        match self.fields.remove(&field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Ok(Some(true)),
                "false" | "no" | "0" => Ok(Some(false)),
                _ => Err(flaw(field, "must be true or false")),
            },
            Some(_) => Err(flaw(field, "must be true or false")),
        }
    }

    /// Words between spaces, commas or semicolons; in JSON a list too.
    fn levels(&mut self) -> Result<Option<BTreeSet<UserLevel>>, Wrong> {
        let words: Vec<String> = match self.fields.remove(&Field::Levels) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.split([' ', ',', ';']).map(str::to_owned).collect(),
            Some(Value::Array(list)) => {
                let texts: Option<_> = list.into_iter().map(|value| value.as_str().map(str::to_owned)).collect();
                texts.ok_or_else(|| flaw(Field::Levels, "must be a list of texts"))?
            }
            Some(_) => return Err(flaw(Field::Levels, "must be a list of texts")),
        };
        let parsed = words.iter().filter(|word| !word.is_empty()).map(|word| word.parse());
        let levels: Result<BTreeSet<UserLevel>, _> = parsed.collect();
        let levels = levels.map_err(|_| flaw(Field::Levels, "known are ORG_ADMIN, HELPDESK, SOURCE_ADMIN and USER"))?;
        Ok(Some(levels))
    }
}
