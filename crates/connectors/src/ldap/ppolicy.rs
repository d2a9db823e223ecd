//! The password policy control (draft-behera-ldap-password-policy-10): asks the directory to say why.
//!
//! Without it a directory answers "constraint violation" or "invalid credentials" and keeps the reason to itself. It
//! only reads what the directory says; the policy itself is the directory's.

use ldap3::asn1::{PL, TagClass, parse_tag, parse_uint};
use ldap3::controls::{Control, RawControl};

use crate::failure::RefusalKind;

/// The control's object identifier, the same in requests and in answers.
pub(super) const OID: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// What the directory says about the password or the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Response {
    pub(super) warning: Option<Warning>,
    pub(super) error: Option<PolicyError>,
}

/// A sign-in succeeded, but not for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Warning {
    /// Seconds until the password expires.
    ExpiresIn(u64),
    /// Sign-ins left with the expired password.
    GraceSignIns(u64),
}

/// Why a request failed (section 6.2 of the draft; 9 came with OpenLDAP 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyError {
    PasswordExpired,
    AccountLocked,
    ChangeAfterReset,
    ModificationNotAllowed,
    MustSupplyOldPassword,
    InsufficientQuality,
    TooShort,
    TooYoung,
    InHistory,
    TooLong,
}

impl PolicyError {
    fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::PasswordExpired,
            1 => Self::AccountLocked,
            2 => Self::ChangeAfterReset,
            3 => Self::ModificationNotAllowed,
            4 => Self::MustSupplyOldPassword,
            5 => Self::InsufficientQuality,
            6 => Self::TooShort,
            7 => Self::TooYoung,
            8 => Self::InHistory,
            9 => Self::TooLong,
            _ => return None,
        })
    }

    /// What it means for a write by the service account. The first three are about whoever is bound, so about the
    /// service account itself.
    pub(super) fn refusal(self) -> (RefusalKind, &'static str) {
        match self {
            Self::PasswordExpired => {
                (RefusalKind::Misconfigured, "the password of the service account has expired in the directory")
            }
            Self::AccountLocked => (RefusalKind::Misconfigured, "the service account is locked in the directory"),
            Self::ChangeAfterReset => {
                (RefusalKind::Misconfigured, "the service account must change its own password in the directory first")
            }
            Self::ModificationNotAllowed => {
                (RefusalKind::PolicyOther, "the directory's policy does not allow this password to be changed")
            }
            Self::MustSupplyOldPassword => (
                RefusalKind::NoRights,
                "the directory's policy wants the old password too; exempt the service account (pwdSafeModify)",
            ),
            Self::InsufficientQuality => {
                (RefusalKind::PolicyQuality, "the directory's policy finds the new password too simple")
            }
            Self::TooShort => (RefusalKind::PolicyLength, "the new password is too short for the directory's policy"),
            Self::TooLong => (RefusalKind::PolicyLength, "the new password is too long for the directory's policy"),
            Self::TooYoung => {
                (RefusalKind::PolicyTooYoung, "the directory's policy does not allow another change so soon")
            }
            Self::InHistory => {
                (RefusalKind::PolicyHistory, "the new password is in the directory's history of old passwords")
            }
        }
    }
}

/// The control for a request. Not critical: a directory that does not know it ignores it (RFC 4511 §4.1.11).
pub(super) fn request() -> RawControl {
    RawControl { ctype: OID.to_owned(), crit: false, val: None }
}

/// The control of an answer, if there is one that can be read.
pub(super) fn response(controls: &[Control]) -> Option<Response> {
    let Control(_, raw) = controls.iter().find(|Control(_, raw)| raw.ctype == OID)?;
    decode(raw.val.as_deref()?)
}

/// `SEQUENCE { warning [0] CHOICE { timeBeforeExpiration [0], graceAuthNsRemaining [1] } OPTIONAL, error [1] OPTIONAL }`
fn decode(value: &[u8]) -> Option<Response> {
    let (_, sequence) = parse_tag(value).ok()?;
    let mut response = Response::default();
    for part in sequence.match_class(TagClass::Universal)?.match_id(16)?.expect_constructed()? {
        if part.class != TagClass::Context {
            return None;
        }
        match (part.id, part.payload) {
            (0, PL::C(choice)) => {
                let chosen = choice.into_iter().next()?;
                let id = chosen.id;
                let number = small_number(&chosen.expect_primitive()?)?;
                response.warning =
                    Some(if id == 0 { Warning::ExpiresIn(number) } else { Warning::GraceSignIns(number) });
            }
            (1, PL::P(code)) => response.error = PolicyError::from_code(small_number(&code)?),
            _ => return None,
        }
    }
    Some(response)
}

/// A non-negative number of at most four bytes.
fn small_number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 4 || bytes[0] & 0x80 != 0 {
        return None;
    }
    parse_uint(bytes).ok().map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_decoded() {
        let all = [
            PolicyError::PasswordExpired,
            PolicyError::AccountLocked,
            PolicyError::ChangeAfterReset,
            PolicyError::ModificationNotAllowed,
            PolicyError::MustSupplyOldPassword,
            PolicyError::InsufficientQuality,
            PolicyError::TooShort,
            PolicyError::TooYoung,
            PolicyError::InHistory,
            PolicyError::TooLong,
        ];
        for (code, error) in (0..).zip(all) {
            let expected = Response { warning: None, error: Some(error) };
            assert_eq!(decode(&[0x30, 0x03, 0x81, 0x01, code]), Some(expected), "{code}");
        }
        assert_eq!(decode(&[0x30, 0x03, 0x81, 0x01, 10]), Some(Response::default()), "an error of the future");
    }

    #[test]
    fn warnings_are_decoded() {
        let expiring = [0x30, 0x06, 0xA0, 0x04, 0x80, 0x02, 0x0E, 0x10];
        assert_eq!(decode(&expiring).and_then(|r| r.warning), Some(Warning::ExpiresIn(3600)));
        let grace_and_error = [0x30, 0x08, 0xA0, 0x03, 0x81, 0x01, 0x02, 0x81, 0x01, 0x00];
        let expected = Response { warning: Some(Warning::GraceSignIns(2)), error: Some(PolicyError::PasswordExpired) };
        assert_eq!(decode(&grace_and_error), Some(expected));
        assert_eq!(decode(&[0x30, 0x00]), Some(Response::default()));
    }

    #[test]
    fn rubbish_is_no_response() {
        for rubbish in [
            &[][..],
            &[0x30],
            &[0x30, 0x03, 0x81],
            &[0x04, 0x01, 0x00],
            &[0x30, 0x03, 0x02, 0x01, 0x06],
            &[0x30, 0x02, 0x81, 0x00],
            &[0x30, 0x02, 0xA0, 0x00],
            &[0x30, 0x03, 0x81, 0x01, 0xFF],
            &[0x30, 0x05, 0xA0, 0x03, 0xA0, 0x01, 0x00],
            &[0x30, 0x07, 0x81, 0x05, 0x01, 0x00, 0x00, 0x00, 0x06],
        ] {
            assert_eq!(decode(rubbish), None, "{rubbish:02x?}");
        }
    }
}
