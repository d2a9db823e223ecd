//! What an aggregation has done so far.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// What an aggregation has done so far.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl AddAssign for Counters {
            fn add_assign(&mut self, more: Self) {
                $(self.$name += more.$name;)+
            }
        }
    };
}

counters! {
    /// How many accounts of the source were known before.
    known,
    /// Accounts that were read.
    read,
    /// Accounts that are new.
    created,
    /// Accounts of which something has changed, besides those that follow.
    changed,
    /// Accounts that their source names differently.
    renamed,
    /// Tombstones that are accounts again.
    returned,
    /// Accounts as they were.
    unchanged,
    /// Accounts that were taken for gone; where somebody must be asked, those that would be.
    gone,
    /// Accounts that were found to be an identity's.
    correlated,
    /// Accounts that are nobody's.
    uncorrelated,
    /// Accounts that could be several identities', among those that are nobody's.
    ambiguous,
    /// Identities that are new.
    identities_created,
    /// Identities of which something has changed.
    identities_changed,
    /// Identities that were retired; where somebody must be asked, those that would be.
    identities_retired,
    /// Identities that were retired and are enabled again.
    identities_returned,
    /// Login names that another identity has, or that are none.
    conflicts,
    /// Entries that could not be taken.
    skipped,
}

impl Counters {
    /// How far a reading is, of a hundred, as far as one can know before its end.
    pub fn percent(&self) -> u8 {
        match self.known {
            0 => 0,
            known => u8::try_from((self.read * 100 / known).min(99)).unwrap_or(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_not_done_before_its_end() {
        assert_eq!(Counters::default().percent(), 0);
        assert_eq!(Counters { known: 200, read: 100, ..Counters::default() }.percent(), 50);
        assert_eq!(Counters { known: 200, read: 300, ..Counters::default() }.percent(), 99);
    }

    #[test]
    fn counters_of_an_older_version_are_read() {
        let old: Counters = serde_json::from_str(r#"{"read": 3, "no-longer": 1}"#).expect("counters");
        assert_eq!(old, Counters { read: 3, ..Counters::default() });
    }
}
