//! Why something did not happen, in a kind for the engine and a sentence for an administrator.
//!
//! Sentences are made here and in the connectors, not on the target: what a target says goes through `diagnostic`,
//! which keeps it short, on one line and free of the password. It is no error hierarchy: whether something is tried
//! again depends on the outcome ([`crate::Written`], [`crate::SignIn`]) and never on the words.

use std::fmt;

/// Something that could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// What went wrong, for decisions and metrics.
    pub kind: FailureKind,
    /// A sentence for an administrator, without secrets.
    pub detail: String,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection, so nothing was sent: name not resolved, connection refused, TLS handshake broken off, no free
    /// connection in time, closed before the request went out.
    Connect,
    /// No answer in time.
    Timeout,
    /// The connection broke, or what came back was not the protocol.
    Broken,
    /// The system answered: not now.
    Busy,
    /// The system answered: no. Asking again does not help.
    Refused(RefusalKind),
}

/// A permanent refusal of a write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// Why, for people's pages and for metrics.
    pub kind: RefusalKind,
    /// A sentence for an administrator, without secrets; a target's own words only as a short diagnostic.
    pub detail: String,
}

/// Why a system refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The target's policy: too short or too long.
    PolicyLength,
    /// The target's policy: too simple.
    PolicyQuality,
    /// The target's policy: used before.
    PolicyHistory,
    /// The target's policy: the last change is too recent.
    PolicyTooYoung,
    /// A rule of the target that it does not name, or that none of the other kinds names.
    PolicyOther,
    /// The account is not there.
    AccountNotFound,
    /// More than one account answers to the id; none was changed, except where the detail says otherwise.
    AccountAmbiguous,
    /// The service account may not do this.
    NoRights,
    /// The source is set up wrongly: bad statement, unreadable hash, certificate not trusted, service account refused.
    Misconfigured,
    /// This source cannot do this.
    Unsupported,
}

impl RefusalKind {
    /// A stable lower-case name for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PolicyLength => "policy_length",
            Self::PolicyQuality => "policy_quality",
            Self::PolicyHistory => "policy_history",
            Self::PolicyTooYoung => "policy_too_young",
            Self::PolicyOther => "policy_other",
            Self::AccountNotFound => "account_not_found",
            Self::AccountAmbiguous => "account_ambiguous",
            Self::NoRights => "no_rights",
            Self::Misconfigured => "misconfigured",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Failure {
    pub(crate) fn connect(detail: impl Into<String>) -> Self {
        Self { kind: FailureKind::Connect, detail: detail.into() }
    }

    pub(crate) fn timeout(detail: impl Into<String>) -> Self {
        Self { kind: FailureKind::Timeout, detail: detail.into() }
    }

    pub(crate) fn broken(detail: impl Into<String>) -> Self {
        Self { kind: FailureKind::Broken, detail: detail.into() }
    }

    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self { kind: FailureKind::Busy, detail: detail.into() }
    }

    pub(crate) fn refused(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self { kind: FailureKind::Refused(kind), detail: detail.into() }
    }
}

/// The longest piece of a target's own words that is passed on, in characters.
const DIAGNOSTIC_CHARS: usize = 160;

/// A target's own words in a form that may be shown: one line, short, and nothing at all if any of `secrets` is in it.
pub(crate) fn diagnostic(text: &str, secrets: &[&str]) -> Option<String> {
    if secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret)) {
        return None;
    }
    let printable = text.chars().map(|c| if c.is_control() || is_bidi(c) { ' ' } else { c }).collect::<String>();
    let words = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return None;
    }
    let mut short = words.chars().take(DIAGNOSTIC_CHARS).collect::<String>();
    if short.len() < words.len() {
        short.push('…');
    }
    Some(short)
}

/// Line separators and characters that turn the direction of the text around them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_is_one_short_line() {
        assert_eq!(diagnostic("a\r\nb\t\u{202E}c  d", &[]).as_deref(), Some("a b c d"));
        assert_eq!(diagnostic(" \n ", &[]), None);
        let long = diagnostic(&"é".repeat(500), &[]).expect("words");
        assert_eq!(long.chars().count(), DIAGNOSTIC_CHARS + 1);
    }

    #[test]
    fn a_diagnostic_with_the_password_in_it_is_withheld() {
        assert_eq!(diagnostic("invalid value 'Hunter2!'", &["Hunter2!"]), None);
        assert_eq!(diagnostic("invalid value", &["", "Hunter2!"]).as_deref(), Some("invalid value"));
    }
}
