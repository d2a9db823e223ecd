//! The life of transport keys, as a function of the keys there are and the time.
//!
//! ready → published → accepting → retired → destroyed. One key of each padding is published at a time; when the next
//! takes its place it is accepted for another while, so that nobody's answer to query-password-info goes stale at
//! once. Nothing is done here: the caller makes, stores and destroys what [`rotation`] says, and asks again when it
//! has.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::id::TransportKeyId;

use super::TransportPadding;

/// How far a transport key is in its life. Keys only ever go forward, one state at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyState {
    /// Made ahead of need; nobody knows it.
    Ready,
    /// Given to whoever asks for a key.
    Published,
    /// Given to nobody any more; payloads under it are accepted.
    Accepting,
    /// New payloads under it are refused; accepted ones are still opened.
    Retired,
    /// Its private half is gone, and with it every payload under it, in backups too.
    Destroyed,
}

impl KeyState {
    /// Every state with the name that the store keeps.
    pub const NAMES: [(Self, &str); 5] = [
        (Self::Ready, "ready"),
        (Self::Published, "published"),
        (Self::Accepting, "accepting"),
        (Self::Retired, "retired"),
        (Self::Destroyed, "destroyed"),
    ];

    /// Whether a new payload under a key in this state is accepted.
    pub fn accepts(self) -> bool {
        matches!(self, Self::Published | Self::Accepting)
    }
}

/// What rotation needs to know of a transport key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id.
    pub id: TransportKeyId,
    /// Its padding: keys of different paddings do not replace each other.
    pub padding: TransportPadding,
    /// How far it is.
    pub state: KeyState,
    /// When it came into that state.
    pub since: DateTime<Utc>,
}

/// How long keys stay in each state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationPolicy {
    /// The paddings for which keys are kept.
    pub paddings: Vec<TransportPadding>,
    /// How long a key is published.
    pub published_for: TimeDelta,
    /// How long payloads are accepted after the next key was published.
    pub accepted_for: TimeDelta,
    /// How long a retired key is kept at least; never less than [`RotationPolicy::LEAST_RETIREMENT`].
    pub retired_for: TimeDelta,
    /// How long a key must have been published before an early rotation replaces it, so that whoever can provoke
    /// early rotations cannot make the server do nothing else.
    pub early_after: TimeDelta,
    /// How many keys of each padding are kept ready.
    pub ready: usize,
}

impl RotationPolicy {
    /// Longer than any transaction may live: one that accepted a payload while the key still accepted has ended when
    /// the key is destroyed, so that it is seen whether a change refers to the key.
    pub const LEAST_RETIREMENT: TimeDelta = TimeDelta::hours(1);
}

impl Default for RotationPolicy {
    /// A new key every day, a day's overlap, destroyed an hour after retirement, early at most once an hour, two
    /// ready, PKCS#1 v1.5 and OAEP.
    fn default() -> Self {
        Self {
            paddings: vec![TransportPadding::Pkcs1v15, TransportPadding::OaepSha256],
            published_for: TimeDelta::days(1),
            accepted_for: TimeDelta::days(1),
            retired_for: Self::LEAST_RETIREMENT,
            early_after: TimeDelta::hours(1),
            ready: 2,
        }
    }
}

/// Why rotation is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Time has passed.
    Schedule,
    /// Somebody asked for a new key now, or too many payloads could not be decoded.
    Early,
}

/// One thing to do. A change of state is made at the `now` that was asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationAction {
    /// Make this many keys and keep them ready. This computes for a while; the others do not.
    Generate {
        /// For payloads padded so.
        padding: TransportPadding,
        /// At least one.
        count: usize,
    },
    /// Ready → published.
    Publish(TransportKeyId),
    /// Published → accepting. Always together with a `Publish`, and to be committed with it.
    Accept(TransportKeyId),
    /// Accepting → retired.
    Retire(TransportKeyId),
    /// Retired → destroyed: erase the private half.
    Destroy(TransportKeyId),
}

/// What is to be done with the transport keys at `now`.
///
/// `referred` are the keys that an unfinished change refers to: they are not destroyed, however old. While no key is
/// ready the published one stays, since a key that is too old is better than none. Applied and asked again at the same
/// time, there is at most something to generate.
pub fn rotation(
    keys: &[KeyRecord],
    referred: &BTreeSet<TransportKeyId>,
    occasion: Occasion,
    now: DateTime<Utc>,
    policy: &RotationPolicy,
) -> Vec<RotationAction> {
    let mut actions: Vec<_> =
        policy.paddings.iter().flat_map(|padding| publication(keys, *padding, occasion, now, policy)).collect();
    let retired_for = policy.retired_for.max(RotationPolicy::LEAST_RETIREMENT);
    // Keys of every padding end, also of one for which none are made any more.
    actions.extend(keys.iter().filter_map(|key| match key.state {
        KeyState::Accepting if now - key.since >= policy.accepted_for => Some(RotationAction::Retire(key.id)),
        KeyState::Retired if now - key.since >= retired_for && !referred.contains(&key.id) => {
            Some(RotationAction::Destroy(key.id))
        }
        _ => None,
    }));
    actions.extend(abandoned(keys, now, policy));
    actions
}

/// Which key of one padding is published next, if any, and how many are to be made.
fn publication(
    keys: &[KeyRecord],
    padding: TransportPadding,
    occasion: Occasion,
    now: DateTime<Utc>,
    policy: &RotationPolicy,
) -> Vec<RotationAction> {
    let of_state = |state| keys.iter().filter(move |key| key.padding == padding && key.state == state);
    let published = of_state(KeyState::Published).max_by_key(|key| (key.since, key.id));
    let mut ready: Vec<_> = of_state(KeyState::Ready).collect();
    ready.sort_by_key(|key| (key.since, key.id));

    let lasts = match occasion {
        Occasion::Schedule => policy.published_for,
        Occasion::Early => policy.early_after.min(policy.published_for),
    };
    let due = published.is_none_or(|key| now - key.since >= lasts);
    let mut actions = Vec::new();
    let mut left = ready.len();
    if let Some(next) = ready.first().filter(|_| due) {
        actions.push(RotationAction::Publish(next.id));
        actions.extend(published.map(|key| RotationAction::Accept(key.id)));
        left -= 1;
    }
    let wanted = if due && ready.is_empty() { policy.ready + 1 } else { policy.ready };
    if left < wanted {
        actions.push(RotationAction::Generate { padding, count: wanted - left });
    }
    actions
}

/// The published key of a padding for which none are made any more ends when its time is over.
fn abandoned(keys: &[KeyRecord], now: DateTime<Utc>, policy: &RotationPolicy) -> Vec<RotationAction> {
    keys.iter()
        .filter(|key| key.state == KeyState::Published && !policy.paddings.contains(&key.padding))
        .filter(|key| now - key.since >= policy.published_for)
        .map(|key| RotationAction::Accept(key.id))
        .collect()
}

#[cfg(test)]
mod tests;
