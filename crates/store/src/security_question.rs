//! Security questions: the organisation's, of which there is one list, and what people answered, which is here as a hash of all
//! their answers together.

use chrono::{DateTime, Utc};
use lockstep_core::id::IdentityId;
use lockstep_core::security_question::{SecurityQuestion, SecurityQuestions};
use sqlx::types::Json;

use crate::configuration;
use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// What somebody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityAnswers {
    /// The questions as they were, in the order in which they were answered.
    pub questions: Vec<SecurityQuestion>,
    /// The hash of all answers together.
    pub hash: Vec<u8>,
    /// When they were.
    pub answered_at: DateTime<Utc>,
}

row! {
    struct SecurityAnswersRow {
        questions: Json<Vec<SecurityQuestion>>,
        hash: Vec<u8>,
        answered_at: DateTime<Utc>,
    }
}

/// The questions; none before there were any.
pub async fn find(tx: &mut Tx<'_>) -> Result<Option<SecurityQuestions>> {
    let row = fetch!(
        tx,
        fetch_optional as (Json<SecurityQuestions>,),
        "find the security questions",
        "SELECT document FROM security_questions WHERE id = 1"
    )?;
    Ok(row.map(|(questions,)| questions.0))
}

/// Stores the questions, in place of those before. What was answered stays.
pub async fn put(tx: &mut Tx<'_>, questions: &SecurityQuestions, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store the security questions",
        "INSERT INTO security_questions (id, document, modified_at) VALUES (1, $1, $2)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, modified_at = excluded.modified_at",
        Json(questions),
        now,
    )?;
    Ok(())
}

/// What an identity answered.
pub async fn answers_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Option<SecurityAnswers>> {
    let row = fetch!(
        tx,
        fetch_optional as SecurityAnswersRow,
        "find security answers",
        "SELECT questions, hash, answered_at FROM security_answers WHERE identity = $1",
        identity.0
    )?;
    Ok(row.map(|SecurityAnswersRow { questions, hash, answered_at }| SecurityAnswers {
        questions: questions.0,
        hash,
        answered_at,
    }))
}

/// Stores what an identity answered, in place of what it did before.
///
/// # Errors
/// A reference violation when the identity is gone.
pub async fn put_answers(tx: &mut Tx<'_>, identity: IdentityId, answers: &SecurityAnswers) -> Result<()> {
    execute!(
        tx,
        "store security answers",
        "INSERT INTO security_answers (identity, questions, hash, answered_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (identity) DO UPDATE
         SET questions = excluded.questions, hash = excluded.hash, answered_at = excluded.answered_at",
        identity.0,
        Json(&answers.questions),
        answers.hash.as_slice(),
        answers.answered_at,
    )?;
    Ok(())
}

/// Forgets what an identity answered. Gives whether there was anything.
pub async fn forget_answers(tx: &mut Tx<'_>, identity: IdentityId) -> Result<bool> {
    let forgotten =
        execute!(tx, "forget security answers", "DELETE FROM security_answers WHERE identity = $1", identity.0)?;
    Ok(forgotten == 1)
}
