//! The rules of a policy, said to a person.

use lockstep_core::password_policy::rules::Violation;

use super::text::Language;

/// The rule that would be broken, as the end of a sentence that begins with "The new password".
pub(super) fn said(text: &Language, rule: Violation) -> String {
    let counted = |id, number| text.counted(id, "number", number);
    match rule {
        Violation::TooLong { max } => counted("rule-max-length", max),
        Violation::TooShort { min } => counted("rule-min-length", min),
        Violation::TooFewLetters { min } => counted("rule-min-alpha", min),
        Violation::TooFewUpper { min } => counted("rule-min-upper", min),
        Violation::TooFewLower { min } => counted("rule-min-lower", min),
        Violation::TooFewDigits { min } => counted("rule-min-numeric", min),
        Violation::TooFewSpecial { min } => counted("rule-min-special", min),
        Violation::TooFewTypes { min } => counted("rule-min-types", min),
        Violation::Repeated { max } => counted("rule-repeated", max),
        Violation::AccountAttribute => text.text("rule-account-attribute"),
        Violation::IdentityAttribute => text.text("rule-identity-attribute"),
        // Below 1: the whole of it.
        Violation::AccountId { run } => counted("rule-account-id", run.max(0)),
        Violation::AccountName { run } => counted("rule-account-name", run.max(0)),
        Violation::DictionaryWord => text.text("rule-dictionary"),
        Violation::Common => text.text("rule-common"),
        Violation::Reused { history } => counted("rule-history", history),
    }
}
