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
        if !status.is_final() {
            return Self::MayHave;
        }
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

/// What was found where statuses and systems do not agree.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Accepted, and not final when there was time enough.
    pub(super) unsettled: usize,
    /// Said to be finished, and is not so.
    pub(super) not_so: usize,
    /// An older password is where a newer one was confirmed.
    pub(super) old_over_new: usize,
    /// Said not to have it, without a doubt, and has it or had it.
    pub(super) unsaid: usize,
    /// Accounts that wrong sign-ins had locked; no lie, but worth knowing.
    pub(super) locked: usize,
    /// All of the lies, each with the story of its account.
    pub(super) lies: Vec<String>,
}

impl Findings {
    /// Compares what an account holds with what is claimed of each change in order. `found` is a place as in [`named`].
    pub(super) fn hold(&mut self, claims: &[Claim], found: Option<usize>, who: &str) {
        let named = named(claims);
        let count = match found {
            Some(found) if named.contains(&found) => return,
            Some(found) if found < named[0] => &mut self.old_over_new,
            Some(_) => &mut self.unsaid,
            None => &mut self.not_so,
        };
        *count += 1;
        self.lies.push(format!("it holds {found:?}, named are {named:?}: {who}"));
    }

    /// Compares what ever was written with what is claimed of each change in order.
    pub(super) fn wrote(&mut self, claims: &[Claim], landed: &[bool], who: &str) {
        assert_eq!(claims.len(), landed.len());
        for (index, (claim, landed)) in claims.iter().zip(landed).enumerate() {
            let count = match (claim, landed) {
                (Claim::Has, false) => &mut self.not_so,
                (Claim::HasNot, true) => &mut self.unsaid,
                _ => continue,
            };
            *count += 1;
            self.lies.push(format!("{} is said to be {claim:?}, and written: {landed}: {who}", index + 1));
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
fn each_kind_of_lie_is_told_apart() {
    use Claim::{Has, HasNot, MayHave};
    let mut findings = Findings::default();
    let mut count = |claims: &[Claim], found| {
        findings.hold(claims, found, "");
        (findings.not_so, findings.old_over_new, findings.unsaid)
    };
    assert_eq!(count(&[Has, Has], Some(2)), (0, 0, 0));
    assert_eq!(count(&[Has, MayHave], Some(1)), (0, 0, 0));
    assert_eq!(count(&[Has, Has], Some(1)), (0, 1, 0));
    assert_eq!(count(&[Has, HasNot], Some(2)), (0, 1, 1));
    assert_eq!(count(&[Has], None), (1, 1, 1));
    findings.wrote(&[Has, HasNot, MayHave, MayHave], &[true, false, true, false], "");
    assert_eq!((findings.not_so, findings.unsaid, findings.lies.len()), (1, 1, 3));
    findings.wrote(&[Has, HasNot], &[false, true], "");
    assert_eq!((findings.not_so, findings.unsaid, findings.lies.len()), (2, 2, 5));
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
