//! Security questions: `/security/questions`, where a person chooses and answers some, and `/prove/questions`, where they answer them
//! once more on the way to what asks for more than a password.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use lockstep_core::security_question::{SecurityQuestion, SecurityQuestions, Unfit};
use zeroize::Zeroizing;

use super::form::{self, Fields, FormCookie};
use super::page::{AnswerPlace, Leave, ProveQuestionsPage, QuestionsPage, ShownQuestion, page};
use super::security::{Own, act_on, enter};
use super::sign_in::{SECURITY, own};
use super::text::Language;
use super::{Tried, Web, failed, session};
use crate::api::client_address::ClientAddress;
use crate::app::Error;
use crate::app::security_questions::{self, Given, OwnQuestions};
use crate::app::session::OpenSession;

/// Where questions are chosen and answered.
const QUESTIONS: &str = "/security/questions";

/// Where they are answered once more.
const PROVE: &str = "/prove/questions";

/// What the form of that page is about, within its session.
const ABOUT: [&str; 1] = ["prove-questions"];

/// Where somebody goes first who has answered questions and is asked them, before they come to `to`.
pub(super) fn first(web: &Web, open: &OpenSession, questions: &OwnQuestions, to: &str) -> Option<Response> {
    questions.are_asked(&web.app, open).then(|| session::go_to(&format!("{PROVE}?to={to}")))
}

/// The form in which a person chooses questions and answers them.
pub(super) async fn show(State(web): State<Web>, headers: HeaderMap) -> Response {
    let shown = async {
        let open = match enter(&web, &headers, QUESTIONS).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        choose(&web, &headers, &open, StatusCode::OK, &[], None).await
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// What they answer.
pub(super) async fn submit(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act_on(QUESTIONS, &web, &headers, &body, async |open, fields| {
        let Some(questions) = security_questions::own(&web.app, open).await?.questions else {
            return Ok(session::go_to(SECURITY));
        };
        let given = given(fields, (1..=questions.answers).map(|number| fields.get(&format!("question_{number}"))));
        let chosen: Vec<String> = given.iter().map(|(name, _)| name.clone()).collect();
        let refused = match security_questions::answer(&web.app, open, given).await? {
            Ok(()) => return Ok(session::go_to(SECURITY)),
            Err(Unfit::Questions) => "answers-questions",
            Err(Unfit::Length) => "answers-length",
            Err(Unfit::Alike) => "answers-alike",
            Err(Unfit::Known) => "answers-known",
        };
        choose(&web, &headers, open, StatusCode::BAD_REQUEST, &chosen, Some(refused)).await
    })
    .await
}

/// No answers any more.
pub(super) async fn remove(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act_on(SECURITY, &web, &headers, &body, async |open, _| {
        security_questions::forget(&web.app, open).await?;
        Ok(session::go_to(SECURITY))
    })
    .await
}

/// The questions that a person has answered before.
pub(super) async fn show_again(State(web): State<Web>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let to = form::in_address(query.as_deref(), "to");
    let shown = async {
        let open = match session::enter_again(&web, &headers, own(&to)).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        ask(&web, &headers, &open, own(&to), StatusCode::OK, None).await
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// The answers, once more.
pub(super) async fn submit_again(
    State(web): State<Web>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let to = Fields::of(&body);
    let to = own(to.get("to"));
    let done = async {
        let open = match session::enter_again(&web, &headers, to).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let id = open.session.id.to_string();
        let fields = match form::received(&web, &headers, &body, &session::about(&id, &ABOUT)) {
            Ok(fields) => fields,
            Err(refused) => return Ok(refused.told(&web, &headers)),
        };
        let Some(answered) = security_questions::own(&web.app, &open).await?.answered else {
            return Ok(session::go_to(to));
        };
        let given = given(&fields, answered.questions.iter().map(|question| question.name.as_str()));
        match web.attempt(address, security_questions::show(&web.app, &open, &given)).await? {
            Tried::TooMany => ask(&web, &headers, &open, to, StatusCode::TOO_MANY_REQUESTS, Some("too-many")).await,
            Tried::Wrong => ask(&web, &headers, &open, to, StatusCode::BAD_REQUEST, Some("wrong-answers")).await,
            Tried::Right(token) => Ok(session::keep(session::go_to(to), &token)),
        }
    };
    match done.await {
        Ok(response) => response,
        // They were answered a moment earlier in another window, or the session has just ended: the page that is wanted knows.
        Err(Error::Outdated) => session::go_to(to),
        Err(error) => failed(&web, &headers, &error),
    }
}

/// What a form brings: to each question the answer in its place.
fn given<'a>(fields: &Fields, questions: impl Iterator<Item = &'a str>) -> Given {
    let answer = |(place, name): (usize, &str)| {
        let answer = fields.get(&format!("answer_{}", place + 1));
        (name.to_owned(), Zeroizing::new(answer.to_owned()))
    };
    questions.enumerate().map(answer).collect()
}

async fn choose(
    web: &Web,
    headers: &HeaderMap,
    open: &OpenSession,
    status: StatusCode,
    chosen: &[String],
    refused: Option<&'static str>,
) -> Result<Response, Error> {
    let Some(SecurityQuestions { answers, questions }) = security_questions::own(&web.app, open).await?.questions
    else {
        return Ok(session::go_to(SECURITY));
    };
    let (text, own) = (web.languages.of(headers), Own::of(web, headers, open));
    // Each place begins with another question.
    let of = |place: usize| {
        let first = chosen.get(place).or_else(|| questions.get(place).map(|question| &question.name));
        let choice = |question: &SecurityQuestion| (shown(text, question), Some(&question.name) == first);
        let called = |id| text.counted(id, "number", place as i64 + 1);
        let choices = questions.iter().map(choice).collect();
        AnswerPlace { question: called("question"), answer: called("answer"), choices }
    };
    let shown = QuestionsPage {
        text,
        visitor: session::visitor(web, &own.cookie, open),
        form_token: &own.token,
        places: (0..answers as usize).map(of).collect(),
        refused: refused.map(|id| text.text(id)),
    };
    Ok(own.cookie.keep(page(status, &shown, &Leave::default())))
}

async fn ask(
    web: &Web,
    headers: &HeaderMap,
    open: &OpenSession,
    to: &str,
    status: StatusCode,
    refused: Option<&'static str>,
) -> Result<Response, Error> {
    let own = security_questions::own(&web.app, open).await?;
    let (true, Some(all), Some(answered)) = (own.are_asked(&web.app, open), own.questions, own.answered) else {
        return Ok(session::go_to(to));
    };
    let (text, cookie, id) = (web.languages.of(headers), FormCookie::of(headers), open.session.id.to_string());
    let shown = ProveQuestionsPage {
        text,
        visitor: session::visitor(web, &cookie, open),
        to,
        form_token: &cookie.token(&web.app, &session::about(&id, &ABOUT)),
        asked: answered.questions.iter().map(|one| shown(text, all.now(one))).collect(),
        refused: refused.map(|id| text.text(id)),
    };
    Ok(cookie.keep(page(status, &shown, &Leave::default())))
}

fn shown(text: &Language, question: &SecurityQuestion) -> ShownQuestion {
    let language = text.tag();
    let (tag, asked) = question.text_in(&language);
    ShownQuestion { name: question.name.clone(), language: tag.to_owned(), text: asked.to_owned() }
}
