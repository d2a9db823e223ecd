//! `POST …/sources/{id}/load-accounts`: the accounts of a source are read.

use axum::Json;
use axum::body::Body;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{StatusCode, header};
use lockstep_core::id::SourceId;
use serde::Serialize;
use utoipa::ToSchema;

use super::task_status::{CompletionStatus, MessageType, progress};
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::{PathId, body, media_type};
use crate::api::openapi::Refused;
use crate::api::time::instant;
use crate::app::Error as AppError;
use crate::app::load_accounts as app;
use crate::auth::Permit;

/// How the accounts are to be read.
#[derive(Default, ToSchema)]
pub struct LoadAccounts {
    /// `true`: everything is read and looked at again, whatever has changed.
    #[schema(rename = "disableOptimization", value_type = Option<String>, examples("true"))]
    full: bool,
    /// How many accounts, and how many identities, may be lost without asking again.
    #[schema(rename = "acceptDeletes", value_type = Option<String>, examples("120"))]
    allowance: u64,
}

/// The task that reads them.
#[derive(Serialize, ToSchema)]
pub struct LoadAccountsTask {
    /// Whether it was accepted.
    success: bool,
    /// The task.
    task: LoadAccountsTaskTask,
}

/// A task that reads accounts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadAccountsTaskTask {
    /// Ask for it at `task-status`.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// Always `QUARTZ`.
    r#type: &'static str,
    /// What it does.
    name: &'static str,
    /// The same, as a sentence.
    description: &'static str,
    /// Who asked for it.
    launcher: String,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created: String,
    /// When somebody began.
    #[schema(format = DateTime)]
    launched: Option<String>,
    /// When it came to its end.
    #[schema(format = DateTime)]
    completed: Option<String>,
    /// How it ended.
    completion_status: Option<CompletionStatus>,
    /// Always `null`.
    parent_name: Option<String>,
    /// What an administrator should know.
    messages: Vec<LoadAccountsMessage>,
    /// How far it is, in a word.
    progress: String,
    /// Of which source, and how.
    attributes: LoadAccountsAttributes,
    /// What it counts is in `task-status`.
    returns: Vec<LoadAccountsReturn>,
}

/// Something that an administrator should know.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadAccountsMessage {
    /// How serious it is.
    r#type: MessageType,
    /// Whether it is an error.
    error: bool,
    /// Whether it is a warning.
    warning: bool,
    /// The sentence.
    key: String,
    /// The sentence.
    localized_text: String,
}

/// Of which source the accounts are, and how they are read.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadAccountsAttributes {
    /// The source.
    app_id: String,
    /// `disabled` where everything is looked at again.
    optimized_aggregation: &'static str,
}

/// Where a number stands in the task's status.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadAccountsReturn {
    /// Its name for people.
    display_label: String,
    /// Its name.
    attribute_name: String,
}

/// Read the accounts of a source
///
/// Starts a task that reads the accounts of the source, and answers at once. Where one waits already, it is that one. A source
/// that can say what has changed is asked for that only, unless `disableOptimization` is `true`. A task that would take too
/// many accounts for gone stops; started again with `acceptDeletes`, it takes that many. A file is not taken: the source itself
/// is read.
#[utoipa::path(
    post,
    path = "/sources/{id}/load-accounts",
    tag = "Aggregation",
    params(("id" = String, Path, description = "The source.")),
    request_body(content = LoadAccounts, content_type = "multipart/form-data"),
    responses(
        (status = 202, description = "The task is accepted.", body = LoadAccountsTask),
        (status = 400, description = "A field is wrong, a file was sent, or the source cannot be read.", body = ErrorResponse),
        (status = 404, description = "There is no such source.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn load_accounts(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SourceId>,
    wanted: LoadAccounts,
) -> Result<(StatusCode, Json<LoadAccountsTask>), Error> {
    let task = app::load_accounts(&api.app, &permit, id, wanted.full, wanted.allowance).await?;
    let messages = task.reports.iter().map(|report| LoadAccountsMessage {
        r#type: report.level.into(),
        error: MessageType::from(report.level) == MessageType::Error,
        warning: MessageType::from(report.level) == MessageType::Warn,
        key: report.text.clone(),
        localized_text: report.text.clone(),
    });
    let task = LoadAccountsTaskTask {
        id: task.id.to_string(),
        r#type: "QUARTZ",
        name: "Cloud Account Aggregation",
        description: "Reads the accounts of a source",
        created: instant(task.created_at),
        launched: task.started_at.map(instant),
        completed: task.finished_at.map(instant),
        completion_status: CompletionStatus::of(&task),
        parent_name: None,
        messages: messages.collect(),
        progress: progress(&task),
        attributes: LoadAccountsAttributes {
            app_id: task.source.to_string(),
            optimized_aggregation: if task.full { "disabled" } else { "enabled" },
        },
        returns: Vec::new(),
        launcher: task.launcher,
    };
    Ok((StatusCode::ACCEPTED, Json(LoadAccountsTask { success: true, task })))
}

impl<S: Send + Sync> FromRequest<S> for LoadAccounts {
    type Rejection = Error;

    /// No body at all, a form, or a form in parts: clients differ.
    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let kind = media_type(request.headers());
        let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
        let bytes = body(request, state).await?;
        let mut wanted = Self::default();
        match kind.as_deref() {
            _ if bytes.is_empty() => {}
            Some("application/x-www-form-urlencoded") => {
                for (name, value) in url::form_urlencoded::parse(&bytes) {
                    wanted.take(&name, &value)?;
                }
            }
            Some("multipart/form-data") => {
                let mut again = Request::new(Body::from(bytes));
                again.headers_mut().extend(content_type.map(|kind| (header::CONTENT_TYPE, kind)));
                let unreadable = |_| Error::Syntax("the body is not multipart/form-data");
                let parts: Result<Multipart, MultipartRejection> = Multipart::from_request(again, state).await;
                let mut parts = parts.map_err(|_| Error::Syntax("the body is not multipart/form-data"))?;
                while let Some(part) = parts.next_field().await.map_err(unreadable)? {
                    let name = part.name().unwrap_or_default().to_owned();
                    let value = part.bytes().await.map_err(unreadable)?;
                    wanted.take(&name, &String::from_utf8_lossy(&value))?;
                }
            }
            _ => return Err(Error::MediaType("multipart/form-data")),
        }
        Ok(wanted)
    }
}

impl LoadAccounts {
    fn take(&mut self, name: &str, value: &str) -> Result<(), AppError> {
        let value = value.trim();
        match name {
            // Clients that were generated from the contract send every field, and this one empty.
            "file" if value.is_empty() => {}
            "file" => {
                let text = "a file of accounts is not taken: the source itself is read; leave the file out";
                return Err(AppError::Impossible(text.to_owned()));
            }
            "disableOptimization" => match value {
                "" | "null" => {}
                "true" => self.full = true,
                "false" => self.full = false,
                _ => return Err(illegal("disableOptimization", "must be true or false")),
            },
            "acceptDeletes" if !value.is_empty() => {
                self.allowance = value.parse().map_err(|_| illegal("acceptDeletes", "must be a number"))?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn illegal(field: &'static str, reason: &str) -> AppError {
    AppError::Illegal { field, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_and_a_file_is_not() {
        let mut wanted = LoadAccounts::default();
        for (name, value) in [("file", ""), ("disableOptimization", "true"), ("acceptDeletes", "12"), ("other", "x")] {
            wanted.take(name, value).expect("taken");
        }
        assert_eq!((wanted.full, wanted.allowance), (true, 12));
        for (name, value) in [("file", "id,name"), ("disableOptimization", "yes"), ("acceptDeletes", "all")] {
            assert!(wanted.take(name, value).is_err(), "{name}");
        }
    }
}
