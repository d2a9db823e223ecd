//! `GET …/task-status/{id}` and `GET …/task-status`: how far tasks are.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use lockstep_core::id::TaskId;
use lockstep_core::task::{Level, Task, TaskKind, TaskState};
use lockstep_store::Window;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::api::time::instant;
use crate::app::Error as AppError;
use crate::app::task_status::{self as app, Named};
use crate::auth::Permit;

/// The most tasks in an answer.
const MOST: u32 = 250;

/// How many there are in all.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// How far a task is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// The task.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// Always `QUARTZ`.
    r#type: &'static str,
    /// What it does.
    unique_name: &'static str,
    /// The same, as a sentence.
    description: &'static str,
    /// Always `null`.
    parent_name: Option<String>,
    /// Who asked for it.
    launcher: String,
    /// With which source.
    target: TaskTarget,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created: String,
    /// When it last said how far it is.
    #[schema(format = DateTime)]
    modified: String,
    /// When somebody began.
    #[schema(format = DateTime)]
    launched: Option<String>,
    /// When it came to its end.
    #[schema(format = DateTime)]
    completed: Option<String>,
    /// How it ended.
    completion_status: Option<CompletionStatus>,
    /// What an administrator should know, the first of it.
    messages: Vec<TaskMessage>,
    /// The numbers in `attributes`.
    returns: Vec<TaskReturn>,
    /// What was done so far, counted.
    attributes: BTreeMap<String, Value>,
    /// How far it is, in a word.
    progress: String,
    /// How far it is, of a hundred.
    #[schema(maximum = 100)]
    percent_complete: u8,
}

/// The source of a task.
#[derive(Serialize, ToSchema)]
pub struct TaskTarget {
    /// Its id.
    id: String,
    /// Always `SOURCE`.
    r#type: &'static str,
    /// What people call it.
    name: String,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CompletionStatus {
    /// It is done.
    Success,
    /// It is done, and something was left as it is.
    Warning,
    /// It could not be done.
    Error,
    /// It stopped, because somebody must agree to what it would take for gone.
    Terminated,
}

/// Something that an administrator should know.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskMessage {
    /// How serious it is.
    r#type: MessageType,
    /// The sentence in its language.
    localized_text: LocalizedText,
    /// The sentence.
    key: String,
    /// Always empty.
    parameters: Vec<Value>,
}

/// How serious a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum MessageType {
    /// Something was left as it is.
    Warn,
    /// The task could not be done.
    Error,
}

/// A sentence in its language.
#[derive(Serialize, ToSchema)]
pub struct LocalizedText {
    /// The language.
    locale: &'static str,
    /// The sentence.
    message: String,
}

/// A number and where it stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskReturn {
    /// Its name for people.
    name: String,
    /// Its name in `attributes`.
    attribute_name: String,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// At most 250, which is also the default.
    limit: Option<u32>,
    /// How many are skipped.
    offset: Option<u32>,
    /// Whether the header `X-Total-Count` says how many there are.
    count: Option<bool>,
}

/// How far a task is
///
/// Tells how far a task is, and once it is at its end, what it has done. A task can be asked about for 30 days after its end.
#[utoipa::path(
    get,
    path = "/task-status/{id}",
    tag = "Aggregation",
    params(("id" = String, Path, description = "The task.")),
    responses(
        (status = 200, description = "How far it is.", body = TaskStatus),
        (status = 404, description = "There is no such task.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn get(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<TaskId>,
) -> Result<Json<TaskStatus>, Error> {
    Ok(Json(app::get(&api.app, &permit, id).await?.into()))
}

/// How far tasks are
///
/// Tells how far tasks are, the latest first.
#[utoipa::path(
    get,
    path = "/task-status",
    tag = "Aggregation",
    params(Part),
    responses(
        (status = 200, description = "How far they are.", body = [TaskStatus],
            headers(("X-Total-Count" = i64, description = "How many there are, where `count` is true."))),
        (status = 400, description = "A parameter is wrong.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn list(
    State(api): State<Api>,
    permit: Permit,
    part: Result<Query<Part>, axum::extract::rejection::QueryRejection>,
) -> Result<(HeaderMap, Json<Vec<TaskStatus>>), Error> {
    let Query(part) = part.map_err(|_| Error::WrongType("a parameter has the wrong type".to_owned()))?;
    let limit = part.limit.unwrap_or(MOST);
    if limit > MOST {
        return Err(AppError::Illegal { field: "limit", reason: format!("must be at most {MOST}") }.into());
    }
    let window = Window { limit, offset: part.offset.unwrap_or(0) };
    let (tasks, total) = app::list(&api.app, &permit, window).await?;
    let mut headers = HeaderMap::new();
    if part.count == Some(true) {
        headers.insert(TOTAL, HeaderValue::from(total));
    }
    Ok((headers, Json(tasks.into_iter().map(TaskStatus::from).collect())))
}

impl CompletionStatus {
    /// None as long as it is not at its end.
    pub(super) fn of(task: &Task) -> Option<Self> {
        match task.state {
            TaskState::Waiting | TaskState::Running => None,
            TaskState::Done if task.reports.is_empty() => Some(Self::Success),
            TaskState::Done => Some(Self::Warning),
            TaskState::Failed => Some(Self::Error),
            TaskState::Unconfirmed => Some(Self::Terminated),
        }
    }
}

/// How far a task is, in a word.
pub(super) fn progress(task: &Task) -> String {
    match task.state {
        TaskState::Waiting => "Waiting".to_owned(),
        TaskState::Running => format!("{} accounts read", task.counters.read),
        TaskState::Done => "Completed".to_owned(),
        TaskState::Failed => "Failed".to_owned(),
        TaskState::Unconfirmed => "Stopped: somebody must agree".to_owned(),
    }
}

impl From<Level> for MessageType {
    fn from(level: Level) -> Self {
        match level {
            Level::Warning => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl From<Named> for TaskStatus {
    fn from(Named { task, source }: Named) -> Self {
        let (unique_name, description) = match task.kind {
            TaskKind::Aggregation => ("Cloud Account Aggregation", "Reads the accounts of a source"),
            TaskKind::Reload => ("Account Reload", "Reads one account"),
        };
        let counters = serde_json::to_value(task.counters).unwrap_or_default();
        let counters: BTreeMap<String, Value> = counters.as_object().cloned().into_iter().flatten().collect();
        let returns = counters.keys().map(|name| TaskReturn { name: words(name), attribute_name: name.clone() });
        let messages = task.reports.iter().map(|report| TaskMessage {
            r#type: report.level.into(),
            localized_text: LocalizedText { locale: "en-US", message: report.text.clone() },
            key: report.text.clone(),
            parameters: Vec::new(),
        });
        Self {
            id: task.id.to_string(),
            r#type: "QUARTZ",
            unique_name,
            description,
            parent_name: None,
            target: TaskTarget { id: task.source.to_string(), r#type: "SOURCE", name: source },
            created: instant(task.created_at),
            modified: instant(task.modified_at),
            launched: task.started_at.map(instant),
            completed: task.finished_at.map(instant),
            completion_status: CompletionStatus::of(&task),
            messages: messages.collect(),
            returns: returns.collect(),
            progress: progress(&task),
            percent_complete: if task.state.is_final() { 100 } else { task.counters.percent() },
            attributes: counters,
            launcher: task.launcher,
        }
    }
}

/// `identitiesCreated` as people read it.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 2);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_counters_are_words() {
        assert_eq!(words("identitiesCreated"), "identities created");
        assert_eq!(words("read"), "read");
    }
}
