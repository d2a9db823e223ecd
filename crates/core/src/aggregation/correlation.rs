//! Whose an account is.

use super::{Entry, Rule, value_key};
use crate::id::IdentityId;

/// What the rules say of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correlation {
    /// It is this identity's.
    One(IdentityId),
    /// A rule matches several identities. It is nobody's: guessing would give somebody the password of another.
    Ambiguous {
        /// The place of the rule.
        rule: usize,
        /// How many it matches.
        identities: usize,
    },
    /// No rule matches anybody.
    Nobody,
}

/// Asks the rules in their order. `matching` gives the identities that have a value, by the rule's place and the value's
/// [`key`](value_key).
pub fn correlate(rules: &[Rule], entry: &Entry, matching: impl Fn(usize, &str) -> Vec<IdentityId>) -> Correlation {
    for (place, rule) in rules.iter().enumerate() {
        let Some(key) = entry.value(&rule.account).and_then(value_key) else { continue };
        match matching(place, &key)[..] {
            [] => {}
            [one] => return Correlation::One(one),
            ref several => return Correlation::Ambiguous { rule: place, identities: several.len() },
        }
    }
    Correlation::Nobody
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::entry::tests::entry;
    use super::*;

    const ABBY: IdentityId = IdentityId(Uuid::from_u128(1));
    const BEA: IdentityId = IdentityId(Uuid::from_u128(2));

    fn rules() -> Vec<Rule> {
        let rule = |account: &str, identity: &str| Rule { account: account.to_owned(), identity: identity.to_owned() };
        vec![rule("employeeNumber", "number"), rule("mail", "email"), rule("name", "alias")]
    }

    #[test]
    fn the_first_rule_that_matches_anybody_decides() {
        let account = entry(&[("employeeNumber", "7"), ("mail", "A@Example.test")]);
        let found = |wanted: &[(usize, &str, IdentityId)]| {
            correlate(&rules(), &account, |rule, key| {
                let same = wanted.iter().filter(|(place, value, _)| *place == rule && *value == key);
                same.map(|(_, _, identity)| *identity).collect()
            })
        };
        assert_eq!(found(&[(0, "7", ABBY), (1, "a@example.test", BEA)]), Correlation::One(ABBY));
        assert_eq!(found(&[(1, "a@example.test", BEA), (2, "abby", ABBY)]), Correlation::One(BEA));
        assert_eq!(found(&[(2, "abby", ABBY)]), Correlation::One(ABBY));
        assert_eq!(found(&[]), Correlation::Nobody);
    }

    #[test]
    fn two_matches_are_never_guessed_about_not_even_by_a_later_rule() {
        let account = entry(&[("mail", "a@example.test")]);
        let found = correlate(&rules(), &account, |rule, _| if rule == 1 { vec![ABBY, BEA] } else { vec![ABBY] });
        assert_eq!(found, Correlation::Ambiguous { rule: 1, identities: 2 });
    }

    #[test]
    fn a_value_that_says_nothing_matches_nobody() {
        let account = entry(&[("employeeNumber", " "), ("name", "  ")]);
        let found = correlate(&rules(), &account, |_, key| panic!("asked for {key:?}"));
        assert_eq!(found, Correlation::Nobody);
    }
}
