//! What the statuses of one account say about the password that works there.

use crate::system::api::Status;

/// What the status of a final change says about one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It got the new password.
    Has,
    /// It may or may not have it.
    MayHave,
    /// It did not get it.
    HasNot,
}

impl Claim {
    /// Reads it from a status. A source without a line got the password; every line names one of the sources.
    pub(super) fn of(status: &Status, source: &str, sources: &[&str]) -> Self {
        let names = |line: &str, source: &str| line.starts_with(&format!("{source}: "));
        for line in &status.errors {
            assert!(sources.iter().any(|source| names(line, source)), "it names no source: {line}");
        }
        assert_eq!(status.state == "FINISHED", status.errors.is_empty(), "{status:?}");
        match status.errors.iter().find(|line| names(line, source)) {
            None => Self::Has,
            Some(line) if line.ends_with("may or may not have the new password") => Self::MayHave,
            Some(_) => Self::HasNot,
        }
    }
}

/// The places of the changes whose password may work, given what is claimed of each change in order: the newest that
/// the account has, and every newer one that it may have. Places count from 1; 0 is the password before all of them.
pub(super) fn named(claims: &[Claim]) -> Vec<usize> {
    let newest = claims.iter().rposition(|claim| *claim == Claim::Has).map_or(0, |index| index + 1);
    let doubted = (newest..claims.len()).filter(|index| claims[*index] == Claim::MayHave).map(|index| index + 1);
    std::iter::once(newest).chain(doubted).collect()
}

#[test]
fn the_newest_applied_change_is_named_and_every_newer_doubt() {
    use Claim::{Has, HasNot, MayHave};
    for (claims, expected) in [
        (&[][..], &[0][..]),
        (&[HasNot, HasNot], &[0]),
        (&[Has, HasNot], &[1]),
        (&[Has, Has], &[2]),
        (&[MayHave, Has], &[2]),
        (&[Has, MayHave, HasNot, MayHave], &[1, 2, 4]),
        (&[MayHave, HasNot], &[0, 1]),
    ] {
        assert_eq!(named(claims), expected, "{claims:?}");
    }
}

#[test]
fn a_line_is_about_the_source_that_it_begins_with() {
    let status = |errors: &[&str]| Status {
        request_id: String::new(),
        state: if errors.is_empty() { "FINISHED" } else { "FAILED" }.to_owned(),
        errors: errors.iter().map(|line| (*line).to_owned()).collect(),
        source_ids: Vec::new(),
    };
    let of = |errors: &[&str]| Claim::of(&status(errors), "A", &["A", "B"]);
    assert_eq!(of(&[]), Claim::Has);
    assert_eq!(of(&["B: superseded by 1; this account may or may not have the new password"]), Claim::Has);
    assert_eq!(of(&["A: superseded by 1"]), Claim::HasNot);
    assert_eq!(of(&["A: superseded by 1; this account may or may not have the new password"]), Claim::MayHave);
}
