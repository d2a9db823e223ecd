//! The guard against mass deletion: a source that has lost its accounts, by a wrong filter or an empty table, must not take
//! people's accounts with it.

/// What is known before anything is taken for gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// How many of a hundred may go.
    pub percent: u8,
    /// How many accounts, and how many identities, somebody has agreed to lose.
    pub allowance: u64,
}

/// Whether it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Goes,
    /// Somebody must be asked.
    Asks,
}

/// With fewer than this, a percentage says nothing.
const FEW: u64 = 10;

impl Guard {
    /// Whether `going` of `known` may go.
    pub fn judge(self, known: u64, going: u64) -> Verdict {
        let all = going > 0 && going >= known;
        let many = known >= FEW && going.saturating_mul(100) > known.saturating_mul(self.percent.into());
        match going > self.allowance && (all && known > 1 || many) {
            true => Verdict::Asks,
            false => Verdict::Goes,
        }
    }

    /// Whether a reading that found so many may be believed: an empty one of a source that had accounts never is.
    pub fn judge_reading(self, known: u64, found: u64) -> Verdict {
        match known > self.allowance && found == 0 {
            true => Verdict::Asks,
            false => Verdict::Goes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Guard = Guard { percent: 10, allowance: 0 };

    #[test]
    fn more_than_a_tenth_asks() {
        for (known, going, verdict) in [
            (1000, 0, Verdict::Goes),
            (1000, 100, Verdict::Goes),
            (1000, 101, Verdict::Asks),
            (1000, 1000, Verdict::Asks),
            (10, 1, Verdict::Goes),
            (10, 2, Verdict::Asks),
            // A percentage of few says nothing, and all of them does.
            (9, 8, Verdict::Goes),
            (9, 9, Verdict::Asks),
            (1, 1, Verdict::Goes),
            (0, 0, Verdict::Goes),
            (u64::MAX, u64::MAX, Verdict::Asks),
        ] {
            assert_eq!(TEN.judge(known, going), verdict, "{going} of {known}");
        }
    }

    #[test]
    fn what_somebody_agreed_to_goes_and_no_more() {
        let agreed = Guard { allowance: 150, ..TEN };
        assert_eq!(agreed.judge(1000, 150), Verdict::Goes);
        assert_eq!(agreed.judge(1000, 151), Verdict::Asks);
        assert_eq!(agreed.judge_reading(150, 0), Verdict::Goes);
        assert_eq!(agreed.judge_reading(151, 0), Verdict::Asks);
    }

    #[test]
    fn an_empty_reading_asks_however_few_there_were() {
        assert_eq!(TEN.judge_reading(1, 0), Verdict::Asks);
        assert_eq!(TEN.judge_reading(0, 0), Verdict::Goes);
        assert_eq!(TEN.judge_reading(1, 1), Verdict::Goes);
        let never = Guard { percent: 0, allowance: 0 };
        assert_eq!(never.judge(10, 1), Verdict::Asks);
    }
}
