//! Digit tokens: the code that a help desk reads to a caller.
//!
//! Here is what a code may be like, how it is drawn, and what a try does to it. Hashing the code and comparing it with
//! the stored hash is the vault's part; throttling the identity whose code is guessed at is the server's.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::org_config::PasswordOrgConfig;
use crate::password_policy::generate::below;

/// How many digits a code may have.
pub const LENGTHS: RangeInclusive<i64> = 6..=18;

/// How long a code may live, in minutes.
pub const MINUTES: RangeInclusive<i64> = 1..=60;

/// How many wrong tries void a code.
pub const ATTEMPTS: u8 = 5;

/// What a code will be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How many digits it has.
    pub length: u8,
    /// How long it lives.
    pub lifetime: TimeDelta,
}

/// A request for a code that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTerms {
    /// The organisation has not switched digit tokens on.
    #[error("digit tokens are not enabled")]
    NotEnabled,
    /// A field is out of its bounds.
    #[error("{field} must be between {min} and {max}, but is {value}")]
    OutOfRange {
        /// The request's field.
        field: &'static str,
        /// What was given.
        value: i64,
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
}

impl Terms {
    /// What a request asks for, with the organisation's settings where it says nothing. A request may lengthen the code
    /// that the organisation has set, and never shorten it.
    pub fn of_request(
        length: Option<i64>,
        duration_minutes: Option<i64>,
        config: &PasswordOrgConfig,
    ) -> Result<Self, InvalidTerms> {
        if !config.digit_token_enabled {
            return Err(InvalidTerms::NotEnabled);
        }
        let least = config.digit_token_length.clamp(*LENGTHS.start(), *LENGTHS.end());
        let within = |field, value, bounds: RangeInclusive<i64>| {
            if bounds.contains(&value) {
                Ok(value)
            } else {
                Err(InvalidTerms::OutOfRange { field, value, min: *bounds.start(), max: *bounds.end() })
            }
        };
        let length = within("length", length.unwrap_or(least), least..=*LENGTHS.end())?;
        let minutes = duration_minutes.unwrap_or(config.digit_token_duration_minutes);
        let minutes = within("durationMinutes", minutes, MINUTES)?;
        Ok(Self { length: length as u8, lifetime: TimeDelta::minutes(minutes) })
    }
}

/// A code in the clear: digits, leading zeros kept. It is wiped when dropped and shown by nothing but
/// [`DigitCode::expose`], once, in the reply that hands it out.
#[derive(Clone)]
pub struct DigitCode(Zeroizing<String>);

impl DigitCode {
    /// Draws a code; every code of that length is as likely as any other. `random` fills a slice with random bytes of a
    /// cryptographic source.
    pub fn draw(length: u8, random: &mut impl FnMut(&mut [u8])) -> Self {
        let mut digits = Zeroizing::new(String::with_capacity(usize::from(length)));
        digits.extend((0..length).map(|_| char::from(b'0' + below(10, random) as u8)));
        Self(digits)
    }

    /// The digits, for the reply and for whoever hashes them.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DigitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigitCode(redacted)")
    }
}

/// How far a code's life has gone. The newest code of an identity voids the older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It can be used.
    Live {
        /// How many wrong tries are left before it is void.
        attempts_left: u8,
    },
    /// It was used.
    Used,
    /// It was guessed at too often, or a newer one or a password change took its place.
    Void,
}

/// What the vault says about a tried code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// It is the code.
    Same,
    /// It is another.
    Different,
}

/// What a try comes to. Whoever tries is told only whether it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The code is right, and used up by this.
    Accepted,
    /// The code is wrong. This counts as a failed attempt of the identity.
    Wrong,
    /// The code was wrong, and that was the last try. This counts as a failed attempt of the identity.
    WrongAndVoid,
    /// There was no living code to compare with: used, void or expired.
    Dead,
}

impl State {
    /// The state of a code that was just drawn.
    pub const FRESH: Self = Self::Live { attempts_left: ATTEMPTS };

    /// What a try at `now` comes to, and the state that is stored with it. A code is dead from `expires_at` on.
    pub fn after_try(self, comparison: Comparison, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> (Self, Verdict) {
        match (self, comparison) {
            (Self::Used | Self::Void, _) => (self, Verdict::Dead),
            (Self::Live { .. }, _) if now >= expires_at => (self, Verdict::Dead),
            (Self::Live { .. }, Comparison::Same) => (Self::Used, Verdict::Accepted),
            (Self::Live { attempts_left: ..=1 }, Comparison::Different) => (Self::Void, Verdict::WrongAndVoid),
            (Self::Live { attempts_left }, Comparison::Different) => {
                (Self::Live { attempts_left: attempts_left - 1 }, Verdict::Wrong)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password_policy::generate::seeded;

    fn enabled() -> PasswordOrgConfig {
        PasswordOrgConfig { digit_token_enabled: true, ..PasswordOrgConfig::default() }
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn the_organisations_settings_hold_where_the_request_says_nothing() {
        let terms = Terms::of_request(None, None, &enabled());
        assert_eq!(terms, Ok(Terms { length: 6, lifetime: TimeDelta::minutes(5) }));
        let config = PasswordOrgConfig { digit_token_length: 9, digit_token_duration_minutes: 12, ..enabled() };
        assert_eq!(Terms::of_request(None, None, &config), Ok(Terms { length: 9, lifetime: TimeDelta::minutes(12) }));
        assert_eq!(
            Terms::of_request(Some(18), Some(60), &config),
            Ok(Terms { length: 18, lifetime: TimeDelta::minutes(60) })
        );
    }

    #[test]
    fn a_request_out_of_bounds_names_its_field() {
        let longer = PasswordOrgConfig { digit_token_length: 9, ..enabled() };
        for (length, minutes, config, message) in [
            (Some(5), None, enabled(), "length must be between 6 and 18, but is 5"),
            (Some(19), None, enabled(), "length must be between 6 and 18, but is 19"),
            (Some(8), None, longer, "length must be between 9 and 18, but is 8"),
            (None, Some(0), enabled(), "durationMinutes must be between 1 and 60, but is 0"),
            (None, Some(61), enabled(), "durationMinutes must be between 1 and 60, but is 61"),
            (Some(i64::MAX), None, enabled(), "length must be between 6 and 18, but is 9223372036854775807"),
            (None, None, PasswordOrgConfig::default(), "digit tokens are not enabled"),
        ] {
            assert_eq!(Terms::of_request(length, minutes, &config).expect_err(message).to_string(), message);
        }
    }

    #[test]
    fn leading_zeros_are_kept() {
        let mut bytes = [0, 9, 250, 255, 0, 8, 7, 7, 1, 3].into_iter();
        let code = DigitCode::draw(8, &mut |slice| slice.fill_with(|| bytes.next().expect("ten bytes")));
        assert_eq!(code.expose(), "09087713");
    }

    #[test]
    fn every_digit_is_as_likely_at_every_place() {
        let mut random = seeded(1);
        let mut counts = [[0u32; 10]; 6];
        for _ in 0..10_000 {
            for (place, digit) in DigitCode::draw(6, &mut random).expose().bytes().enumerate() {
                counts[place][usize::from(digit - b'0')] += 1;
            }
        }
        // Six standard deviations around 1000.
        assert!(counts.as_flattened().iter().all(|count| (820..=1180).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_code_is_not_shown_by_accident() {
        let code = DigitCode::draw(6, &mut |slice| slice.fill(7));
        assert_eq!(format!("{code:?}"), "DigitCode(redacted)");
    }

    #[test]
    fn a_code_works_once() {
        let (state, verdict) = State::FRESH.after_try(Comparison::Same, at(5), at(4));
        assert_eq!((state, verdict), (State::Used, Verdict::Accepted));
        assert_eq!(state.after_try(Comparison::Same, at(5), at(4)), (State::Used, Verdict::Dead));
    }

    #[test]
    fn five_wrong_tries_void_a_code() {
        let mut state = State::FRESH;
        for attempts_left in [4, 3, 2, 1] {
            let (next, verdict) = state.after_try(Comparison::Different, at(5), at(0));
            assert_eq!((next, verdict), (State::Live { attempts_left }, Verdict::Wrong));
            state = next;
        }
        // The fifth try may still be the right one.
        assert_eq!(state.after_try(Comparison::Same, at(5), at(0)).1, Verdict::Accepted);
        let (state, verdict) = state.after_try(Comparison::Different, at(5), at(0));
        assert_eq!((state, verdict), (State::Void, Verdict::WrongAndVoid));
        assert_eq!(state.after_try(Comparison::Same, at(5), at(0)), (State::Void, Verdict::Dead));
    }

    #[test]
    fn an_expired_code_is_dead_and_costs_no_try() {
        for comparison in [Comparison::Same, Comparison::Different] {
            assert_eq!(State::FRESH.after_try(comparison, at(5), at(5)), (State::FRESH, Verdict::Dead));
        }
    }
}
