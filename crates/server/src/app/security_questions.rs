//! Security questions: a person answers the organisation's, and is asked them where a policy wants more than a password and they
//! have no second factor.
//!
//! They are asked of somebody who is signed in and has just shown their password, so they are never all that is asked. Whoever
//! has answered some shows the answers before they change how they show who they are: else whoever learns the password would
//! answer them anew. Wrong answers are counted with the wrong codes of a second factor, and lock as those do.

use std::sync::Arc;

use lockstep_core::audit::Action;
use lockstep_core::auth_org::LockoutConfig;
use lockstep_core::security_question::{SecurityQuestions, Unfit, together};
use lockstep_core::sign_in::Tries;
use lockstep_store::security_question::{self, SecurityAnswers};
use lockstep_store::{Tx, aggregation, second_factor, session};
use lockstep_vault::secret::Secret;
use zeroize::Zeroizing;

use super::second_factor::{held_by, is_asked_for, refused};
use super::session::OpenSession;
use super::sign_in::audited;
use super::{App, Error, own_hash};

/// What somebody answers: the name of each question, and the answer.
pub type Given = Vec<(String, Zeroizing<String>)>;

/// A person's security questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnQuestions {
    /// The organisation's; none where they are off, or not for this person.
    pub questions: Option<SecurityQuestions>,
    /// What the person answered. Where the organisation asks for more by now, or for others, these are asked all the same.
    pub answered: Option<SecurityAnswers>,
}

impl OwnQuestions {
    /// Whether what the person answered is enough where a policy asks for more than a password.
    pub fn are_enough(&self) -> bool {
        let both = self.questions.as_ref().zip(self.answered.as_ref());
        both.is_some_and(|(all, answered)| all.are_enough(answered.questions.len()))
    }

    /// Whether the person has yet to answer those that they have answered before.
    pub fn are_asked(&self, app: &App, open: &OpenSession) -> bool {
        self.answered.is_some() && !open.has_second_factor && !open.session.has_answered(app.clock.utc())
    }
}

/// The questions of whoever this session is of.
pub async fn own(app: &App, open: &OpenSession) -> Result<OwnQuestions, Error> {
    let (identity, levels) = (open.session.identity, open.levels.clone());
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let questions = security_question::find(tx).await?.filter(|questions| questions.are_for(&levels));
            let answers = security_question::answers_of(tx, identity).await?;
            Ok(OwnQuestions { answered: answers.filter(|_| questions.is_some()), questions })
        })
    });
    read.await.map_err(Error::Store)
}

/// Keeps what the person answers, in place of what they answered before.
///
/// # Errors
/// [`Error::NotFound`] where there are no questions for this person.
pub async fn answer(app: &App, open: &OpenSession, given: Given) -> Result<Result<(), Unfit>, Error> {
    let questions = own(app, open).await?.questions.ok_or(Error::NotFound("security questions"))?;
    let taken = match questions.take(&given, &[&open.alias, &open.display_name]) {
        Ok(taken) => taken,
        Err(unfit) => return Ok(Err(unfit)),
    };
    let (now, identity, session) = (app.clock.utc(), open.session.identity, open.session.id);
    let hash = own_hash::hash(app, identity, taken).await?;
    let questions = given.iter().filter_map(|(name, _)| questions.question(name).cloned()).collect();
    let answers = SecurityAnswers { questions, hash, answered_at: now };
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let answers = answers.clone();
        Box::pin(async move {
            held_by(tx, identity, session).await?;
            security_question::put_answers(tx, identity, &answers).await?;
            session::forget_answered(tx, identity, session).await?;
            audited(tx, Action::SecurityQuestionsAnswered, identity, now).await
        })
    });
    written.await.map(Ok)
}

/// Forgets what the person answered.
pub async fn forget(app: &App, open: &OpenSession) -> Result<(), Error> {
    let (now, identity, session) = (app.clock.utc(), open.session.identity, open.session.id);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            held_by(tx, identity, session).await?;
            match security_question::forget_answers(tx, identity).await? {
                true => audited(tx, Action::SecurityAnswersRemoved, identity, now).await,
                false => Ok(()),
            }
        })
    });
    written.await
}

/// The person answers the questions that they have answered before, in a session in which they have just shown their password.
/// Gives the token that the browser is to have from now on; none where not all answers are right, or none is looked at.
///
/// # Errors
/// [`Error::Outdated`] when the session has ended meanwhile, goes on under another token, or asks for something else.
pub async fn show(app: &App, open: &OpenSession, given: &Given) -> Result<Option<Secret>, Error> {
    let now = app.clock.utc();
    let own = own(app, open).await?;
    if !own.are_asked(app, open) || !open.session.is_fresh(now) {
        return Err(Error::Outdated);
    }
    let known = own.answered.ok_or(Error::Outdated)?;
    let right = is_right(app, open, &known, given).await?;
    let (id, identity) = (open.session.id, open.session.identity);
    let (token, renewal) = open.renew(app);
    // Codes are others every time, answers are not: wrong ones are in a row for a day.
    let lockout = LockoutConfig { lockout_window: 24 * 60, ..open.settings.lockout };
    let known = Arc::new(known);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let known = known.clone();
        Box::pin(async move {
            aggregation::hold_people(tx, &[identity]).await?;
            let held = second_factor::hold(tx, identity).await?;
            // Whoever has a second factor by now is asked for that, and other answers were not looked at.
            let stored = security_question::answers_of(tx, identity).await?;
            if is_asked_for(tx, identity).await? || stored.as_ref() != Some(&*known) {
                return Err(Error::Outdated);
            }
            let tries = Tries { failures: held.failures, failed_at: held.failed_at }.one_more(now, &lockout);
            match tries {
                None => refused(tx, Action::AuthenticationLocked, identity, now).await?,
                Some(failures) if !right => {
                    second_factor::failed(tx, identity, failures, now).await?;
                    refused(tx, Action::UserStepUpAuthFailure, identity, now).await?;
                }
                Some(_) => {
                    second_factor::unlock(tx, identity).await?;
                    audited(tx, Action::UserStepUpAuth, identity, now).await?;
                    return match session::answered(tx, id, &renewal, now).await? {
                        true => Ok(true),
                        false => Err(Error::Outdated),
                    };
                }
            }
            Ok(false)
        })
    });
    Ok(written.await?.then_some(token))
}

/// Whether these are the answers, to these questions and in this order.
async fn is_right(app: &App, open: &OpenSession, known: &SecurityAnswers, given: &Given) -> Result<bool, Error> {
    let same = known.questions.iter().map(|question| &question.name).eq(given.iter().map(|(name, _)| name));
    // What is too long to be kept is nobody's answer.
    match together(given).filter(|_| same) {
        Some(tried) => own_hash::is_one_of(app, open.session.identity, tried, vec![known.hash.clone()]).await,
        None => Ok(false),
    }
}
