//! `Prefer: wait=N` (RFC 7240 section 4.3): how long a client would like an answer to be held for a final state.
//!
//! A wish is never an error: what cannot be parsed is ignored, as the RFC says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The request's header.
pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The answer's header: which wish was granted.
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The longest wait, in seconds.
pub(super) const LONGEST: u64 = 30;

/// How many requests of one caller wait at once; the next ones are answered at once.
pub(super) const AT_ONCE: usize = 4;

/// A wait that was wished for and is granted.
#[derive(Debug)]
pub(super) struct Wait {
    /// How long.
    pub(super) longest: Duration,
    /// What the answer says about it.
    pub(super) applied: HeaderValue,
    _place: Place,
}

/// Who waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Waits(Arc<Mutex<HashMap<String, usize>>>);

/// One of a caller's places; free again when dropped.
#[derive(Debug)]
struct Place {
    waits: Waits,
    caller: String,
}

impl Waits {
    /// The wait that these headers ask for, if they do and the caller has a place left. Longer than [`LONGEST`] is cut.
    pub(super) fn enter(&self, headers: &HeaderMap, caller: String) -> Option<Wait> {
        let seconds = wished(headers)?.min(LONGEST);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = waiting.entry(caller.clone()).or_default();
        if *taken >= AT_ONCE {
            return None;
        }
        *taken += 1;
        drop(waiting);
        let applied = HeaderValue::from_str(&format!("wait={seconds}")).ok();
        let place = Place { waits: self.clone(), caller };
        Some(Wait { longest: Duration::from_secs(seconds), applied: applied?, _place: place })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waits.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = waiting.get_mut(&self.caller) {
            *taken -= 1;
            if *taken == 0 {
                waiting.remove(&self.caller);
            }
        }
    }
}

/// The first wait among the preferences; a later one of the same name does not count (RFC 7240 section 2).
fn wished(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    preferences.find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (PREFER, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_wait_is_found_among_other_preferences() {
        for (values, seconds) in [
            (&["wait=5"][..], Some(5)),
            (&["respond-async, wait=10"], Some(10)),
            (&["return=minimal", "Wait = \"7\"; x=1"], Some(7)),
            (&["wait=5, wait=9"], Some(5)),
            (&["wait"], None),
            (&["wait=soon"], None),
            (&["wait=-1"], None),
            (&[], None),
        ] {
            assert_eq!(wished(&headers(values)), seconds, "{values:?}");
        }
    }

    #[test]
    fn a_caller_has_four_places_and_others_have_their_own() {
        let waits = Waits::default();
        let wish = headers(&["wait=60"]);
        let held: Vec<Wait> = (0..AT_ONCE).filter_map(|_| waits.enter(&wish, "a".to_owned())).collect();
        assert_eq!(held.len(), AT_ONCE);
        assert_eq!(held[0].longest, Duration::from_secs(LONGEST));
        assert_eq!(held[0].applied, "wait=30");
        assert!(waits.enter(&wish, "a".to_owned()).is_none());
        assert!(waits.enter(&wish, "b".to_owned()).is_some());
        drop(held);
        assert!(waits.enter(&wish, "a".to_owned()).is_some());
        assert!(waits.0.lock().expect("lock").is_empty(), "nobody waits any more");
    }
}
