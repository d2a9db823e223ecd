//! The organisation's sign-in settings: how many wrong tries lock, how long a session goes on, and from where people are
//! trusted.
//!
//! There is one of each. They hold numbers and lists only: [`crate::sign_in`] counts tries, [`crate::session`] ends sessions,
//! and [`crate::password_policy`] says what is asked of those who are not trusted.

mod network;

pub use network::{NetworkConfig, Trust};

use std::net::IpAddr;
use std::ops::RangeInclusive;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthOrg {
    /// From where people are trusted; none before it was made, and then nobody is.
    pub network: Option<NetworkConfig>,
    /// How many wrong tries lock.
    pub lockout: LockoutConfig,
    /// How long a session goes on.
    pub session: SessionConfig,
}

impl AuthOrg {
    /// How far somebody is trusted who comes from this address, which is in that country where it is known.
    pub fn trust(&self, address: IpAddr, country: Option<&str>) -> Trust {
        self.network.as_ref().map_or_else(Trust::default, |network| network.trust(address, country))
    }
}

/// How many wrong tries lock, in the contract's names (`LockoutConfiguration`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockoutConfig {
    /// How many wrong tries in a row lock.
    pub maximum_attempts: i64,
    /// For how long nobody is let in after that, in minutes.
    pub lockout_duration: i64,
    /// Tries that are further apart than this are not in a row; in minutes.
    pub lockout_window: i64,
}

/// As published: five tries within five minutes lock for a quarter of an hour.
impl Default for LockoutConfig {
    fn default() -> Self {
        Self { maximum_attempts: 5, lockout_duration: 15, lockout_window: 5 }
    }
}

impl LockoutConfig {
    /// For how long nobody is let in.
    pub fn locked_for(&self) -> TimeDelta {
        TimeDelta::minutes(self.lockout_duration)
    }

    /// Tries that are further apart than this are not in a row.
    pub fn within(&self) -> TimeDelta {
        TimeDelta::minutes(self.lockout_window)
    }

    /// Refuses what is out of bounds. A lock always ends within the hour: whoever knows a login name can bring it about.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn validate(&self) -> Result<(), InvalidAuthOrg> {
        bounded("maximumAttempts", self.maximum_attempts, 1..=15)?;
        bounded("lockoutDuration", self.lockout_duration, 5..=60)?;
        bounded("lockoutWindow", self.lockout_window, 5..=60)
    }
}

/// How long a session goes on, in the contract's names (`SessionConfiguration`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionConfig {
    /// For how long a session that nobody uses goes on, in minutes.
    pub max_idle_time: i64,
    /// Whether a session outlives the browser's being closed. None does.
    pub remember_me: bool,
    /// The longest that one goes on, in minutes.
    pub max_session_time: i64,
}

/// Half an hour, and a working day.
impl Default for SessionConfig {
    fn default() -> Self {
        Self { max_idle_time: 30, remember_me: false, max_session_time: 12 * 60 }
    }
}

impl SessionConfig {
    /// For how long a session that nobody uses goes on.
    pub fn idle(&self) -> TimeDelta {
        TimeDelta::minutes(self.max_idle_time)
    }

    /// The longest that one goes on.
    pub fn longest(&self) -> TimeDelta {
        TimeDelta::minutes(self.max_session_time)
    }

    /// Refuses what is out of bounds, and what no session here can do.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn validate(&self) -> Result<(), InvalidAuthOrg> {
        bounded("maxSessionTime", self.max_session_time, 1..=7 * 24 * 60)?;
        bounded("maxIdleTime", self.max_idle_time, 1..=24 * 60)?;
        if self.max_session_time <= self.max_idle_time {
            return Err(InvalidAuthOrg::new("maxSessionTime", "must be greater than maxIdleTime"));
        }
        match self.remember_me {
            true => {
                Err(InvalidAuthOrg::new("rememberMe", "must be false: a browser that is closed forgets its session"))
            }
            false => Ok(()),
        }
    }
}

/// A setting that cannot be. The text holds nothing of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct InvalidAuthOrg {
    /// The contract's field.
    pub field: &'static str,
    /// What it must be.
    pub reason: String,
}

impl InvalidAuthOrg {
    fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

fn bounded(field: &'static str, value: i64, bounds: RangeInclusive<i64>) -> Result<(), InvalidAuthOrg> {
    match bounds.contains(&value) {
        true => Ok(()),
        false => Err(InvalidAuthOrg::new(field, format!("must be between {} and {}", bounds.start(), bounds.end()))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The default with one field replaced.
    fn with<T: Default + Serialize + for<'de> Deserialize<'de>>(fields: Value) -> T {
        let mut all = serde_json::to_value(T::default()).expect("written");
        for (field, value) in fields.as_object().expect("fields") {
            all[field] = value.clone();
        }
        serde_json::from_value(all).expect("read")
    }

    #[test]
    fn the_defaults_are_those_that_are_published_and_are_within_the_bounds() {
        let all = AuthOrg::default();
        assert_eq!(
            serde_json::to_value(&all).expect("written"),
            json!({
                "network": null,
                "lockout": {"maximumAttempts": 5, "lockoutDuration": 15, "lockoutWindow": 5},
                "session": {"maxIdleTime": 30, "rememberMe": false, "maxSessionTime": 720},
            })
        );
        assert_eq!((all.lockout.validate(), all.session.validate()), (Ok(()), Ok(())));
        assert_eq!(serde_json::from_value::<AuthOrg>(json!({})).expect("read"), all);
    }

    #[test]
    fn a_lock_has_bounds() {
        let field = |field: &str, value: i64| with::<LockoutConfig>(json!({ field: value })).validate();
        for (name, least, greatest) in
            [("maximumAttempts", 1, 15), ("lockoutDuration", 5, 60), ("lockoutWindow", 5, 60)]
        {
            for value in [least, greatest] {
                assert_eq!(field(name, value), Ok(()), "{name} {value}");
            }
            for value in [least - 1, greatest + 1, i64::MIN, i64::MAX] {
                let refused = field(name, value).expect_err("out of bounds").to_string();
                assert_eq!(refused, format!("{name} must be between {least} and {greatest}"));
            }
        }
    }

    #[test]
    fn a_session_has_bounds_and_ends_with_the_browser() {
        for (fields, refused) in [
            (json!({"maxSessionTime": 10080}), None),
            (json!({"maxSessionTime": 10081}), Some("maxSessionTime must be between 1 and 10080")),
            (json!({"maxSessionTime": 0, "maxIdleTime": 0}), Some("maxSessionTime must be between 1 and 10080")),
            (json!({"maxIdleTime": 0}), Some("maxIdleTime must be between 1 and 1440")),
            (json!({"maxIdleTime": 1441, "maxSessionTime": 10080}), Some("maxIdleTime must be between 1 and 1440")),
            (json!({"maxIdleTime": 1440, "maxSessionTime": 1441}), None),
            (json!({"maxIdleTime": 1, "maxSessionTime": 2}), None),
            (json!({"maxIdleTime": 1, "maxSessionTime": 1}), Some("maxSessionTime must be greater than maxIdleTime")),
            (json!({"maxSessionTime": 30}), Some("maxSessionTime must be greater than maxIdleTime")),
            (
                json!({"rememberMe": true}),
                Some("rememberMe must be false: a browser that is closed forgets its session"),
            ),
        ] {
            let told = with::<SessionConfig>(fields.clone()).validate().err().map(|error| error.to_string());
            assert_eq!(told.as_deref(), refused, "{fields}");
        }
    }

    #[test]
    fn before_anything_is_said_nobody_is_trusted() {
        let address = "192.0.2.7".parse().expect("an address");
        assert_eq!(AuthOrg::default().trust(address, Some("DE")), Trust::default());
    }
}
