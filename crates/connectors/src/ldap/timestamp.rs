//! When a directory last changed an entry or its password: a time in whole seconds (RFC 4517 §3.3.13), cut rather than
//! rounded, because an earlier mark of a reading of changes reads too much and a later one too little.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::account;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp(NaiveDateTime);

const FORMAT: &str = "%Y%m%d%H%M%S";

impl Timestamp {
    /// Reads `20241004000005Z` and `20241004000005.123456Z`. Directories write their own timestamps in no other way.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (seconds, rest) = text.split_at_checked(14)?;
        let fraction = rest.strip_suffix('Z')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let known = fraction.is_empty() || fraction.strip_prefix(['.', ',']).is_some_and(digits);
        if !known || !digits(seconds) {
            return None;
        }
        NaiveDateTime::parse_from_str(seconds, FORMAT).ok().map(Self)
    }

    /// As the time of what an entry tells.
    pub(super) fn utc(self) -> Option<DateTime<Utc>> {
        account::time(self.0.and_utc().timestamp())
    }

    /// The same time, earlier.
    pub(super) fn before(self, earlier: TimeDelta) -> Self {
        Self(self.0.checked_sub_signed(earlier).unwrap_or(self.0))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}Z", self.0.format(FORMAT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_cut_to_seconds_and_written_as_they_were() {
        let time = Timestamp::parse("20241004000005.987654Z").expect("a time");
        assert_eq!(time.to_string(), "20241004000005Z");
        assert_eq!(Timestamp::parse("20241004000005Z"), Some(time));
        assert_eq!(time.before(TimeDelta::seconds(10)).to_string(), "20241003235955Z");
    }

    #[test]
    fn what_can_only_stand_for_never_tells_no_time() {
        let utc = |text| Timestamp::parse(text).expect("a time").utc().map(|at| at.to_rfc3339());
        assert_eq!(utc("20241004000005.9Z").as_deref(), Some("2024-10-04T00:00:05+00:00"));
        for never in ["00000101000000Z", "19700101000000Z"] {
            assert_eq!(utc(never), None, "{never}");
        }
    }

    #[test]
    fn nothing_else_is_one() {
        for text in
            ["", "20241004000005", "20241004000005+0100", "20241304000005Z", "2024100400000*)(Z", "é0241004000005Z"]
        {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
