//! A page as it is sent: its templates, and the headers that keep it to itself.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use lockstep_vault::secret::Secret;

use super::second::Asked;
use super::text::Language;
use crate::app::own_passwords::OwnAccount;

/// Signing in for a client.
#[derive(Template)]
#[template(path = "authorize.html")]
pub(super) struct AuthorizePage<'a> {
    pub(super) text: &'a Language,
    /// What the client is called.
    pub(super) client: &'a str,
    /// What the client asked, to be sent along.
    pub(super) fields: &'a [(String, String)],
    pub(super) form_token: &'a str,
    pub(super) user_name: &'a str,
    /// With this, somebody is halfway in, and their second factor is asked for.
    pub(super) half: &'a str,
    /// What is asked for then, or what a passkey alone may do.
    pub(super) second: Asked,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// Signing in here.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage<'a> {
    pub(super) text: &'a Language,
    /// Where the person goes then.
    pub(super) to: &'a str,
    pub(super) form_token: &'a str,
    pub(super) user_name: &'a str,
    /// With this, somebody is halfway in, and their second factor is asked for.
    pub(super) half: &'a str,
    /// What is asked for then, or what a passkey alone may do.
    pub(super) second: Asked,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// Signing in by a link.
#[derive(Template)]
#[template(path = "link.html")]
pub(super) struct LinkPage<'a> {
    pub(super) text: &'a Language,
    pub(super) form_token: &'a str,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// Setting a first password.
#[derive(Template)]
#[template(path = "enrol.html")]
pub(super) struct EnrolPage<'a> {
    pub(super) text: &'a Language,
    pub(super) form_token: &'a str,
    /// Why the try before was in vain.
    pub(super) refused: &'a [String],
}

/// Setting a forgotten password anew.
#[derive(Template)]
#[template(path = "reset.html")]
pub(super) struct ResetPage<'a> {
    pub(super) text: &'a Language,
    pub(super) form_token: &'a str,
    pub(super) step: ResetStep<'a>,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// How far somebody is on the way to a new password. What goes on brings back the same token each time.
pub(super) enum ResetStep<'a> {
    /// Whose it is, and the code.
    Code { user_name: &'a str },
    /// The second factor.
    Second { recovery: &'a str, second: Asked },
    /// The new password, and the reasons of those that refused the one before.
    Password { recovery: &'a str, user_name: &'a str, rules: Vec<ShownRule>, reasons: &'a [String] },
}

impl ResetStep<'_> {
    /// The script that it has, if it has one.
    pub(super) fn script(&self) -> Option<&'static str> {
        match self {
            Self::Password { .. } => Some("password.js"),
            Self::Second { second, .. } if second.passkey.is_some() => Some("passkey.js"),
            Self::Second { .. } | Self::Code { .. } => None,
        }
    }
}

/// A page that only says something.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct MessagePage<'a> {
    pub(super) text: &'a Language,
    pub(super) title: &'a str,
    pub(super) message: &'a str,
    /// Where it leads, and what that is called.
    pub(super) next: Option<(&'a str, String)>,
}

/// Who is signed in, on each of their pages.
pub(super) struct Visitor {
    pub(super) name: String,
    /// Whether they help others.
    pub(super) helps: bool,
    pub(super) sign_out_token: String,
}

/// The Password Manager.
#[derive(Template)]
#[template(path = "passwords.html")]
pub(super) struct PasswordsPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    /// What was sought; none where there are too few to seek.
    pub(super) sought: Option<&'a str>,
    pub(super) sections: Vec<Section>,
}

/// Passwords of one kind.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) about: Option<String>,
    pub(super) cards: Vec<Card>,
}

/// A password.
pub(super) struct Card {
    pub(super) initial: String,
    /// The digest of its icon, which stands in place of the initial.
    pub(super) icon: Option<Arc<str>>,
    pub(super) name: String,
    /// Where it is asked for, unless its name says that: names, and digests of icons.
    pub(super) places: Vec<(String, Option<Arc<str>>)>,
    pub(super) changed: String,
    /// Where it is another one than in the rest of what shares it.
    pub(super) apart: Vec<ShownOutside>,
    pub(super) expiry: Option<ShownExpiry>,
    pub(super) link: String,
    /// What its link is called for those who do not see what it stands beside.
    pub(super) label: String,
}

/// Where a password was changed by somebody else.
pub(super) struct ShownOutside {
    /// When.
    pub(super) text: String,
    pub(super) places: Vec<String>,
}

/// An account of a person.
pub(super) struct ShownAccount {
    pub(super) source: String,
    pub(super) name: String,
    /// That somebody else changed its password.
    pub(super) outside: Option<String>,
}

/// When a password is to be changed.
pub(super) struct ShownExpiry {
    pub(super) text: String,
    /// Whether it is time to do it.
    pub(super) is_near: bool,
}

/// Changing a password.
#[derive(Template)]
#[template(path = "change.html")]
pub(super) struct ChangePage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) action: &'a str,
    /// Whether it is asked for, before anything else.
    pub(super) is_wanted: bool,
    pub(super) form_token: &'a str,
    /// For password managers, which keep one password a user name.
    pub(super) user_name: &'a str,
    pub(super) reaches: String,
    /// Where a password may not be longer, and how long.
    pub(super) caps: Vec<(Vec<String>, String)>,
    pub(super) places: Vec<String>,
    pub(super) accounts: &'a [OwnAccount],
    pub(super) chosen: &'a str,
    pub(super) rules: Vec<ShownRule>,
    /// Why the try before was in vain.
    pub(super) refused: Option<&'a str>,
}

/// Showing once more who one is.
#[derive(Template)]
#[template(path = "prove.html")]
pub(super) struct ProvePage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    /// Where the person goes then.
    pub(super) to: &'a str,
    pub(super) form_token: &'a str,
    /// For password managers.
    pub(super) user_name: &'a str,
    /// Whether the second factor is asked for, and not the password.
    pub(super) asks_second: bool,
    /// What is asked for then.
    pub(super) second: Asked,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// Answering security questions once more.
#[derive(Template)]
#[template(path = "prove_questions.html")]
pub(super) struct ProveQuestionsPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    /// Where the person goes then.
    pub(super) to: &'a str,
    pub(super) form_token: &'a str,
    pub(super) asked: Vec<ShownQuestion>,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// Choosing security questions, and answering them.
#[derive(Template)]
#[template(path = "questions.html")]
pub(super) struct QuestionsPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) form_token: &'a str,
    pub(super) places: Vec<AnswerPlace>,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// Where a question is chosen and answered.
pub(super) struct AnswerPlace {
    /// What the fields are called.
    pub(super) question: String,
    pub(super) answer: String,
    /// The questions there are, each with whether it is chosen.
    pub(super) choices: Vec<(ShownQuestion, bool)>,
}

/// A security question, in the language that it is read in.
pub(super) struct ShownQuestion {
    pub(super) name: String,
    pub(super) language: String,
    pub(super) text: String,
}

/// How a person shows who they are, and where they are signed in.
#[derive(Template)]
#[template(path = "security.html")]
pub(super) struct SecurityPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) form_token: &'a str,
    /// What they are asked for besides a password.
    pub(super) factors: Vec<ShownFactor>,
    pub(super) recovery_codes_left: String,
    pub(super) may_add_passkey: bool,
    pub(super) may_add_codes: bool,
    /// What there is to say of their security questions; none where there are none for them.
    pub(super) questions: Option<ShownQuestions>,
    pub(super) sessions: Vec<ShownSession>,
}

/// How it is with somebody's security questions.
pub(super) struct ShownQuestions {
    pub(super) about: String,
    /// Whether some are answered.
    pub(super) are_answered: bool,
}

/// A second factor.
pub(super) struct ShownFactor {
    pub(super) name: String,
    pub(super) since: String,
    /// What takes it away, and which it is, where there may be several.
    pub(super) remove: &'static str,
    pub(super) id: Option<String>,
}

/// Where somebody is signed in.
pub(super) struct ShownSession {
    pub(super) id: String,
    pub(super) browser: String,
    pub(super) address: String,
    pub(super) since: String,
    pub(super) is_this: bool,
}

/// Finding somebody to help.
#[derive(Template)]
#[template(path = "people.html")]
pub(super) struct PeoplePage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    /// What was sought; empty: nothing yet.
    pub(super) sought: &'a str,
    pub(super) people: Vec<ShownPerson>,
    /// How many are shown at most, where there may be more.
    pub(super) more: Option<String>,
    /// What is tried again, and how many are shown at most, where there may be more.
    pub(super) failing: Vec<ShownDelivery>,
    pub(super) more_failing: Option<String>,
}

/// What is tried again somewhere for somebody.
pub(super) struct ShownDelivery {
    pub(super) form_token: String,
    /// What has it tried at once, and which change it is of.
    pub(super) retry: String,
    pub(super) change: String,
    pub(super) link: String,
    pub(super) name: String,
    pub(super) source: String,
    pub(super) reason: String,
    pub(super) until: String,
}

/// Somebody in the list.
pub(super) struct ShownPerson {
    pub(super) link: String,
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) is_enabled: bool,
}

/// Somebody who is helped.
#[derive(Template)]
#[template(path = "person.html")]
pub(super) struct PersonPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) form_token: &'a str,
    /// What the forms go to.
    pub(super) place: &'a str,
    pub(super) name: &'a str,
    pub(super) alias: &'a str,
    pub(super) email: &'a str,
    pub(super) is_enabled: bool,
    pub(super) is_locked: bool,
    pub(super) are_codes_locked: bool,
    pub(super) has_second_factor: bool,
    pub(super) has_answers: bool,
    /// Whether whoever looks may take the second factor away.
    pub(super) may_remove: bool,
    /// Whether the organisation has codes.
    pub(super) has_codes: bool,
    /// In how many places they are signed in.
    pub(super) sessions: String,
    /// Each account's source and name.
    pub(super) accounts: Vec<ShownAccount>,
    pub(super) changes: Vec<ShownChange>,
}

/// A code for a caller, which is shown once.
#[derive(Template)]
#[template(path = "code.html")]
pub(super) struct CodePage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) about: String,
    pub(super) digits: &'a str,
    pub(super) back: &'a str,
}

/// Setting a second factor up.
#[derive(Template)]
#[template(path = "totp.html")]
pub(super) struct TotpPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) form_token: &'a str,
    /// The picture: how many squares a side has, and the dark ones as a path.
    pub(super) side: i32,
    pub(super) dark: &'a str,
    /// The secret, for those who type it.
    pub(super) key: &'a str,
    /// The same for an app on this device.
    pub(super) link: &'a str,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// Making a passkey.
#[derive(Template)]
#[template(path = "add_passkey.html")]
pub(super) struct AddPasskeyPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) form_token: &'a str,
    /// What the device is asked.
    pub(super) asked: &'a str,
    /// Why the try before was in vain.
    pub(super) refused: Option<String>,
}

/// Recovery codes, which are shown once.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(super) struct RecoveryCodesPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) codes: &'a [Secret],
}

/// A rule for the new password.
pub(super) struct ShownRule {
    pub(super) text: String,
    /// Whether the try before broke it.
    pub(super) is_broken: bool,
}

/// The latest changes.
#[derive(Template)]
#[template(path = "own_changes.html")]
pub(super) struct OwnChangesPage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) changes: Vec<ShownChange>,
}

/// A change in the list.
pub(super) struct ShownChange {
    pub(super) link: String,
    pub(super) name: String,
    /// As machines read it, and as people do.
    pub(super) at: String,
    pub(super) shown_at: String,
    /// How it looks.
    pub(super) kind: &'static str,
    pub(super) state: String,
}

/// What became of a change.
#[derive(Template)]
#[template(path = "own_change.html")]
pub(super) struct OwnChangePage<'a> {
    pub(super) text: &'a Language,
    pub(super) visitor: Visitor,
    pub(super) title: String,
    pub(super) refusals: &'a [String],
    pub(super) lines: Vec<ShownLine>,
    /// Where it can be asked for once more, by whom it is about.
    pub(super) again: Option<String>,
    /// Where it leads back to.
    pub(super) back: &'a str,
    pub(super) is_running: bool,
    /// Whether it is final.
    pub(super) is_over: bool,
    /// Whether every system has the new password.
    pub(super) is_everywhere: bool,
    /// Whether some have it, and some have the old one, for good.
    pub(super) is_partly: bool,
    /// Whether any may have it.
    pub(super) is_anywhere: bool,
}

/// What becomes of an account.
pub(super) struct ShownLine {
    /// How it looks.
    pub(super) kind: &'static str,
    pub(super) places: Vec<String>,
    /// What the account is called, where there are several.
    pub(super) account: Option<String>,
    pub(super) state: String,
    pub(super) is_unsure: bool,
}

/// What a page may do besides showing itself.
#[derive(Default)]
pub(super) struct Leave<'a> {
    /// Where a form may end up, besides here: an origin.
    pub(super) form: &'a str,
    /// Whether it has a script of ours.
    pub(super) script: bool,
}

/// The page with this status.
pub(super) fn page(status: StatusCode, page: &impl Template, leave: &Leave<'_>) -> Response {
    match page.render() {
        Ok(body) => rendered(status, body, leave),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A page that is made already.
pub(super) fn rendered(status: StatusCode, body: String, leave: &Leave<'_>) -> Response {
    let scripts = if leave.script { " script-src 'self'; connect-src 'self';" } else { "" };
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self';{scripts} form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        leave.form
    );
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    response
}

/// A page that only says something: the texts with these ids.
pub(super) fn message(text: &Language, status: StatusCode, title: &str, message: &str) -> Response {
    told(text, status, title, message, None)
}

/// The same, and where it goes on: a place, and the text that names it.
pub(super) fn then(text: &Language, status: StatusCode, title: &str, message: &str, next: (&str, &str)) -> Response {
    told(text, status, title, message, Some((next.0, text.text(next.1))))
}

/// The same, where it goes on to where people sign in.
pub(super) fn then_sign_in(text: &Language, title: &str, message: &str) -> Response {
    then(text, StatusCode::OK, title, message, ("/sign-in", "sign-in"))
}

fn told(text: &Language, status: StatusCode, title: &str, message: &str, next: Option<(&str, String)>) -> Response {
    let (title, message) = (text.text(title), text.text(message));
    page(status, &MessagePage { text, title: &title, message: &message, next }, &Leave::default())
}
