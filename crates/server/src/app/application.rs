//! Applications, for those who look after them and those who use them.

pub mod change;
pub mod create;
pub mod delete;
pub mod read;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use lockstep_core::application::{Application, InvalidApplication};
use lockstep_core::filter::Value;
use lockstep_core::filter::apply::Record;
use lockstep_core::id::{ApplicationId, SourceId};
use lockstep_store::{Dated, Tx, application, source};
use serde::Serialize;

use super::Error;

/// An application, and what its source is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The application.
    pub application: Application,
    /// The name of its source.
    pub source_name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: Option<DateTime<Utc>>,
}

/// What somebody wants an application to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What people call it.
    pub name: String,
    /// A sentence for people.
    pub description: String,
    /// Where its accounts are.
    pub source: SourceId,
    /// Whether people see it where they change passwords.
    pub use_for_password_management: bool,
}

impl Record for Told {
    fn value(&self, field: &str) -> Option<Value> {
        match field {
            "id" => Some(Value::Id(self.application.id.0)),
            "name" => Some(Value::Text(self.application.name.clone())),
            "created" => Some(Value::Instant(self.created_at)),
            "modified" => self.modified_at.map(Value::Instant),
            "accountSource.id" => Some(Value::Id(self.application.source.0)),
            "enabled" => Some(Value::Bool(true)),
            _ => None,
        }
    }
}

impl Wanted {
    fn application(self, id: ApplicationId) -> Application {
        let Self { name, description, source, use_for_password_management } = self;
        Application { id, name, description, source, use_for_password_management }
    }
}

/// Every application, in the order of their names.
pub(super) async fn load(tx: &mut Tx<'_>) -> Result<Vec<Told>, Error> {
    let sources = source::list(tx).await?.into_iter().map(|source| (source.id, source.name));
    let mut sources: HashMap<SourceId, String> = sources.collect();
    let told = |Dated { value, created_at, modified_at }: Dated<Application>| {
        let source_name = sources.entry(value.source).or_default().clone();
        Told { application: value, source_name, created_at, modified_at }
    };
    Ok(application::list_dated(tx).await?.into_iter().map(told).collect())
}

fn find(all: &[Told], id: ApplicationId) -> Result<Told, Error> {
    all.iter().find(|told| told.application.id == id).cloned().ok_or(Error::NotFound("application"))
}

/// Refuses what cannot be an application beside the others.
async fn judge(tx: &mut Tx<'_>, all: &[Told], wanted: &Application) -> Result<(), Error> {
    wanted.validate()?;
    if all.iter().any(|told| told.application.id != wanted.id && told.application.name == wanted.name) {
        return Err(Error::Conflict("another application has this name".to_owned()));
    }
    match source::find(tx, wanted.source).await? {
        Some(_) => Ok(()),
        None => Err(Error::Unknown { field: "accountSource.id", what: "a source" }),
    }
}

impl From<InvalidApplication> for Error {
    fn from(error: InvalidApplication) -> Self {
        let InvalidApplication { field, min, max } = error;
        Self::Illegal { field, reason: format!("must have {min} to {max} characters") }
    }
}
