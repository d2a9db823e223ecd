//! Tasks: work that takes its time, is done by one node at a time, and says how far it is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::aggregation::Counters;
use crate::id::{NodeId, SourceId, TaskId};

/// A piece of work, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its own name.
    pub id: TaskId,
    /// What is done.
    pub kind: TaskKind,
    /// With which source.
    pub source: SourceId,
    /// How far it is.
    pub state: TaskState,
    /// Whether everything is read and every link by a rule looked at again.
    pub full: bool,
    /// How many accounts, and how many identities, somebody has agreed to lose.
    pub allowance: u64,
    /// Who asked for it, as people read it.
    pub launcher: String,
    /// What was done so far.
    pub counters: Counters,
    /// What an administrator should know, the first of them.
    pub reports: Vec<Report>,
    /// Who is at work.
    pub node: Option<NodeId>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When somebody began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it last said how far it is.
    pub modified_at: DateTime<Utc>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// The accounts of a source are read.
    Aggregation,
    /// One account is read.
    Reload,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Nobody has begun.
    Waiting,
    /// Somebody is at work.
    Running,
    /// It is done.
    Done,
    /// It could not be done; reports say why.
    Failed,
    /// So much would be lost that somebody must agree first. Everything else is done.
    Unconfirmed,
}

/// Something that an administrator should know of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How serious it is.
    pub level: Level,
    /// A sentence.
    pub text: String,
}

/// How serious a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something was left as it is.
    Warning,
    /// The task could not be done.
    Error,
}

impl TaskKind {
    /// Every kind with its name in the database.
    pub const NAMES: [(Self, &str); 2] = [(Self::Aggregation, "aggregation"), (Self::Reload, "reload")];
}

impl TaskState {
    /// Every state with its name in the database.
    pub const NAMES: [(Self, &str); 5] = [
        (Self::Waiting, "waiting"),
        (Self::Running, "running"),
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Unconfirmed, "unconfirmed"),
    ];

    /// Whether nothing more is done.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

impl Report {
    /// Something was left as it is.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    /// The task could not be done.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}
