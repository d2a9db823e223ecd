//! What a directory's answer means: result codes (RFC 4511 appendix A) and the policy control, turned into outcomes.
//!
//! Pure functions of an answer. Whether there was an answer at all is `connection`'s business.

use super::ppolicy::{self, PolicyError};
use crate::failure::{Failure, FailureKind, RefusalKind, diagnostic};
use crate::{MustChange, SignIn, Written};

/// The parts of an answer that decide something.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) code: u32,
    /// The directory's own words, as they came.
    pub(super) text: String,
    pub(super) policy: Option<ppolicy::Response>,
}

impl Answer {
    /// What became of a write. `secrets` are values that must not show up in words.
    pub(super) fn written(&self, secrets: &[&str]) -> Written {
        match self.code {
            0 => Written::Applied,
            _ => Written::before_sending(self.failure(secrets)),
        }
    }

    /// The failure of any request but a sign-in.
    pub(super) fn failure(&self, secrets: &[&str]) -> Failure {
        if let Some(error) = self.policy_error() {
            let (kind, words) = error.refusal();
            return Failure { kind: FailureKind::Refused(kind), detail: self.sentence(words, secrets) };
        }
        let (kind, words) = meaning(self.code, &self.text.to_lowercase());
        Failure { kind, detail: self.sentence(words, secrets) }
    }

    /// The failure of the service account's bind: the source is set up wrongly, except where the directory is busy.
    pub(super) fn service_failure(&self, bind_dn: &str, secrets: &[&str]) -> Failure {
        let reason = match self.policy_error() {
            Some(error) => error.refusal().1,
            None if self.code == INVALID_CREDENTIALS => "wrong name or password",
            None => meaning(self.code, &self.text.to_lowercase()).1,
        };
        let kind = match meaning(self.code, "").0 {
            FailureKind::Busy => FailureKind::Busy,
            _ => FailureKind::Refused(RefusalKind::Misconfigured),
        };
        let words = format!("the directory does not let the service account {bind_dn} in: {reason}");
        Failure { kind, detail: self.sentence(&words, secrets) }
    }

    /// What a bind as the user shows about the password.
    ///
    /// Expired, or to be changed: the directory says so only after it has compared the password (draft-behera
    /// section 7.1), so the password was right. Locked proves nothing.
    pub(super) fn sign_in(&self, secrets: &[&str]) -> SignIn {
        let refused = |words: &str| Failure::refused(RefusalKind::PolicyOther, self.sentence(words, secrets));
        match (self.code, self.policy_error()) {
            (_, Some(PolicyError::PasswordExpired)) => SignIn::MustChange(MustChange::Expired),
            (_, Some(PolicyError::ChangeAfterReset)) => SignIn::MustChange(MustChange::Reset),
            (0, _) => SignIn::Right,
            (_, Some(PolicyError::AccountLocked)) => {
                SignIn::NotAccepted(refused("the account is locked in the directory"))
            }
            (INVALID_CREDENTIALS, None) => SignIn::Wrong,
            _ => match self.failure(secrets) {
                Failure { kind: FailureKind::Busy, detail } => SignIn::Unable(Failure::busy(detail)),
                failure => SignIn::NotAccepted(Failure {
                    detail: format!("a sign-in proves nothing here: {}", failure.detail),
                    ..failure
                }),
            },
        }
    }

    fn policy_error(&self) -> Option<PolicyError> {
        self.policy.and_then(|policy| policy.error)
    }

    /// Our words, then the code, then the directory's words if they may be shown.
    pub(super) fn sentence(&self, words: &str, secrets: &[&str]) -> String {
        match diagnostic(&self.text, secrets) {
            Some(text) => format!("{words} (LDAP result {}: {text})", self.code),
            None => format!("{words} (LDAP result {})", self.code),
        }
    }
}

const INVALID_CREDENTIALS: u32 = 49;

/// The meaning of a result code other than success, where the policy control says nothing.
/// `text` are the directory's words in lower case: a few directories say there what belongs in the control.
fn meaning(code: u32, text: &str) -> (FailureKind, &'static str) {
    use RefusalKind::{AccountNotFound, Misconfigured, NoRights, PolicyOther, Unsupported};
    let refused = FailureKind::Refused;
    match code {
        2 => (refused(Unsupported), "the directory does not understand the request"),
        8 | 13 => (refused(Misconfigured), "the directory wants TLS, or a stronger bind, for this"),
        10 => (refused(Misconfigured), "this server refers writes to another one; name that one in the configuration"),
        11 => (FailureKind::Busy, "the directory reached an administrative limit"),
        12 => (refused(Unsupported), "the directory does not support a control it was asked for"),
        16..=18 | 20 | 21 | 65 => (refused(Misconfigured), "the entry cannot hold what the source is set up to write"),
        19 => (refused(policy_in_words(text)), "the directory's policy refuses the new password"),
        32 => (refused(AccountNotFound), "there is no such entry in the directory"),
        34 => (refused(AccountNotFound), "the directory does not take the account's id for a distinguished name"),
        48 => (refused(Misconfigured), "the entry has no password, or may not sign in with one"),
        49 => (refused(Misconfigured), "the directory does not accept the service account's sign-in any more"),
        50 => (refused(NoRights), "the service account may not write this entry's password"),
        // How OpenLDAP answers a password modify operation for a name outside all of its databases.
        80 if text.contains("sasl username") => {
            (refused(AccountNotFound), "the directory does not hold the part of the tree that the entry would be in")
        }
        1 | 3 | 51 | 52 | 80 => (FailureKind::Busy, "the directory cannot do it at the moment"),
        53 if is_read_only(text) => (FailureKind::Busy, "the directory is read-only at the moment"),
        53 => (refused(policy_in_words(text)), "the directory is unwilling to do it"),
        _ => (refused(PolicyOther), "the directory refuses"),
    }
}

/// The kind of refusal in the words of directories that send no control (389 Directory Server, older OpenLDAP).
fn policy_in_words(text: &str) -> RefusalKind {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["history"]) {
        RefusalKind::PolicyHistory
    } else if says(&["too short", "at least", "too long", "password length"]) {
        RefusalKind::PolicyLength
    } else if says(&["minimum age", "too young", "too soon"]) {
        RefusalKind::PolicyTooYoung
    } else if says(&["quality", "trivial", "simple", "complexity", "syntax"]) {
        RefusalKind::PolicyQuality
    } else {
        RefusalKind::PolicyOther
    }
}

fn is_read_only(text: &str) -> bool {
    ["read-only", "readonly", "read only", "operation restricted"].iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;

    fn answer(code: u32, text: &str, error: Option<PolicyError>) -> Answer {
        let policy = error.map(|error| ppolicy::Response { warning: None, error: Some(error) });
        Answer { code, text: text.to_owned(), policy }
    }

    fn refusal(code: u32, text: &str, error: Option<PolicyError>) -> RefusalKind {
        match answer(code, text, error).written(&[]) {
            Written::Refused(Refusal { kind, .. }) => kind,
            other => panic!("{code} {text:?} is {other:?}"),
        }
    }

    #[test]
    fn writes_by_result_code() {
        assert_eq!(answer(0, "", None).written(&[]), Written::Applied);
        for code in [1, 3, 11, 51, 52, 80] {
            assert!(matches!(answer(code, "", None).written(&[]), Written::Busy(_)), "{code}");
        }
        assert!(matches!(answer(53, "operation restricted", None).written(&[]), Written::Busy(_)));
        assert_eq!(refusal(80, "unable to retrieve SASL username", None), RefusalKind::AccountNotFound);
        for (code, kind) in [
            (2, RefusalKind::Unsupported),
            (8, RefusalKind::Misconfigured),
            (10, RefusalKind::Misconfigured),
            (12, RefusalKind::Unsupported),
            (13, RefusalKind::Misconfigured),
            (17, RefusalKind::Misconfigured),
            (19, RefusalKind::PolicyOther),
            (21, RefusalKind::Misconfigured),
            (32, RefusalKind::AccountNotFound),
            (34, RefusalKind::AccountNotFound),
            (49, RefusalKind::Misconfigured),
            (50, RefusalKind::NoRights),
            (53, RefusalKind::PolicyOther),
            (65, RefusalKind::Misconfigured),
            (123, RefusalKind::PolicyOther),
        ] {
            assert_eq!(refusal(code, "", None), kind, "{code}");
        }
    }

    #[test]
    fn writes_by_policy_control() {
        for (error, kind) in [
            (PolicyError::PasswordExpired, RefusalKind::Misconfigured),
            (PolicyError::AccountLocked, RefusalKind::Misconfigured),
            (PolicyError::ChangeAfterReset, RefusalKind::Misconfigured),
            (PolicyError::ModificationNotAllowed, RefusalKind::PolicyOther),
            (PolicyError::MustSupplyOldPassword, RefusalKind::NoRights),
            (PolicyError::InsufficientQuality, RefusalKind::PolicyQuality),
            (PolicyError::TooShort, RefusalKind::PolicyLength),
            (PolicyError::TooLong, RefusalKind::PolicyLength),
            (PolicyError::TooYoung, RefusalKind::PolicyTooYoung),
            (PolicyError::InHistory, RefusalKind::PolicyHistory),
        ] {
            assert_eq!(refusal(19, "Password fails quality checking policy", Some(error)), kind, "{error:?}");
        }
    }

    #[test]
    fn writes_by_words_where_there_is_no_control() {
        for (code, text, kind) in [
            (19, "Password is in history of old passwords", RefusalKind::PolicyHistory),
            (19, "invalid password syntax: password must be at least 8 characters long", RefusalKind::PolicyLength),
            (19, "within password minimum age", RefusalKind::PolicyTooYoung),
            (53, "Password fails quality checking policy", RefusalKind::PolicyQuality),
        ] {
            assert_eq!(refusal(code, text, None), kind, "{text}");
        }
    }

    #[test]
    fn sign_ins() {
        assert_eq!(answer(0, "", None).sign_in(&[]), SignIn::Right);
        for code in [0, 49] {
            let of = |error| answer(code, "", Some(error)).sign_in(&[]);
            assert_eq!(of(PolicyError::ChangeAfterReset), SignIn::MustChange(MustChange::Reset));
            assert_eq!(of(PolicyError::PasswordExpired), SignIn::MustChange(MustChange::Expired));
        }
        assert_eq!(answer(49, "", None).sign_in(&[]), SignIn::Wrong);
        for (code, error) in [(49, Some(PolicyError::AccountLocked)), (19, None), (53, None), (48, None), (50, None)] {
            assert!(matches!(answer(code, "", error).sign_in(&[]), SignIn::NotAccepted(_)), "{code} {error:?}");
        }
        let SignIn::Unable(busy) = answer(51, "", None).sign_in(&[]) else { panic!("busy proves nothing") };
        assert_eq!(busy.kind, FailureKind::Busy);
    }

    #[test]
    fn the_service_accounts_bind() {
        let wrong = answer(49, "", None).service_failure("cn=svc", &[]);
        assert_eq!(wrong.kind, FailureKind::Refused(RefusalKind::Misconfigured));
        assert!(wrong.detail.contains("cn=svc"), "{wrong}");
        assert_eq!(answer(51, "", None).service_failure("cn=svc", &[]).kind, FailureKind::Busy);
        let locked = answer(49, "", Some(PolicyError::AccountLocked)).service_failure("cn=svc", &[]);
        assert!(locked.detail.contains("locked"), "{locked}");
    }

    #[test]
    fn the_password_never_comes_back_in_words() {
        let Written::Refused(refusal) = answer(19, "bad value Hunter2!", None).written(&["Hunter2!"]) else {
            panic!("refused")
        };
        assert_eq!(refusal.detail, "the directory's policy refuses the new password (LDAP result 19)");
        let SignIn::NotAccepted(failure) = answer(53, "bad value Hunter2!", None).sign_in(&["Hunter2!"]) else {
            panic!("proves nothing")
        };
        assert!(!failure.detail.contains("Hunter2!"), "{failure}");
        let failure = answer(49, "bad value svcsecret", None).service_failure("cn=svc", &["svcsecret"]);
        assert!(!failure.detail.contains("svcsecret"), "{failure}");
    }
}
