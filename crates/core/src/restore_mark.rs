//! The restore mark: how it is noticed that a database was restored from a copy, or lost commits in a fail-over.
//!
//! A number is raised in the database and then written to a file beside the master key. A copy of the database holds the
//! number as it was; the file is not part of the copy. So a file that is ahead says that the database is an older truth
//! than the one this host has seen. Reading, writing and raising are not done here.

use uuid::Uuid;

/// How far `lockstep restored` raises the mark. At one a minute no other host's file gets there in eight thousand years, so
/// the file of a host that had seen more than the one where the command ran does not stop that host again.
const AFTER_RESTORE: i64 = 1 << 32;

/// How far a node that sees its database lose commits puts its file ahead: two years of the raises that nodes make which
/// did not see it.
const AFTER_LOSS: i64 = 1 << 20;

/// Where a database stands, or stood when the file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which database; drawn once, and the same in every copy of it.
    pub database: Uuid,
    /// Rises for as long as the database lives.
    pub value: i64,
}

impl Mark {
    /// The mark that ends a restore: ahead of the database and of every host's file.
    pub fn after_restore(self, file: Option<Self>) -> Self {
        let seen = file.filter(|file| file.database == self.database).map_or(0, |file| file.value);
        Self { value: self.value.max(seen).saturating_add(AFTER_RESTORE), ..self }
    }

    /// What a node writes to its file when it has seen the database lose commits.
    pub fn after_loss(self) -> Self {
        Self { value: self.value.saturating_add(AFTER_LOSS), ..self }
    }
}

/// What the file says of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The database holds at least what this host has seen.
    Agrees,
    /// Nobody has served from this database yet, so there is no file either.
    First,
    /// There is no file although somebody has served. Only a node that lives can say that nothing was lost.
    Absent,
    /// The file belongs to another database.
    Foreign,
    /// The database is older than what this host has seen of it.
    Behind,
}

/// Compares a database with the file of this host.
pub fn compare(database: Mark, file: Option<Mark>) -> Finding {
    match file {
        None if database.value == 0 => Finding::First,
        None => Finding::Absent,
        Some(file) if file.database != database.database => Finding::Foreign,
        Some(file) if file.value > database.value => Finding::Behind,
        Some(_) => Finding::Agrees,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(value: i64) -> Mark {
        Mark { database: Uuid::from_u128(1), value }
    }

    #[test]
    fn a_file_that_is_not_ahead_agrees() {
        assert_eq!(compare(mark(0), Some(mark(0))), Finding::Agrees);
        assert_eq!(compare(mark(7), Some(mark(7))), Finding::Agrees);
        // A crash between the database and the file, or another host that raised it.
        assert_eq!(compare(mark(9), Some(mark(7))), Finding::Agrees);
    }

    #[test]
    fn a_file_that_is_ahead_says_that_the_database_is_an_older_truth() {
        assert_eq!(compare(mark(6), Some(mark(7))), Finding::Behind);
        assert_eq!(compare(mark(0), Some(mark(1))), Finding::Behind);
    }

    #[test]
    fn without_a_file_only_a_database_that_nobody_served_is_believed() {
        assert_eq!(compare(mark(0), None), Finding::First);
        assert_eq!(compare(mark(1), None), Finding::Absent);
    }

    #[test]
    fn the_file_of_another_database_is_told_as_such_however_far_it_is() {
        for value in [0, 7, 100] {
            let other = Mark { database: Uuid::from_u128(2), value };
            assert_eq!(compare(mark(7), Some(other)), Finding::Foreign);
            assert_eq!(mark(7).after_restore(Some(other)), mark(7).after_restore(None));
        }
    }

    #[test]
    fn after_a_restore_every_host_agrees_also_one_that_had_seen_more_and_one_that_saw_the_loss() {
        let restored = mark(50).after_restore(Some(mark(99)));
        for seen in [mark(99), mark(5_000_000), mark(99).after_loss()] {
            assert_eq!(compare(restored, Some(seen)), Finding::Agrees);
        }
        // Of two restores the later one is ahead, so a copy from between them is noticed.
        assert_eq!(compare(restored, Some(restored.after_restore(None))), Finding::Behind);
    }

    #[test]
    fn a_loss_that_was_seen_stays_visible_while_others_go_on_raising() {
        let others_went_on = mark(10 + 365 * 24 * 60);
        assert_eq!(compare(others_went_on, Some(mark(12).after_loss())), Finding::Behind);
    }
}
