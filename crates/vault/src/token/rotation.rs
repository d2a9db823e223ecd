//! When a new key signs access tokens, and when an old one verifies none any more.
//!
//! A key is published an hour before it signs, so that whoever keeps our key set for a while knows it by then; and it stays
//! until the longest token that it can have signed is over. All of it is a function of when the keys were made.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// How long a key is published before it signs.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// How long after the key before it a key is made.
const EVERY: TimeDelta = TimeDelta::days(7);

/// How long a key stays after the next one began to sign: the longest token lives for twelve hours, and calendars differ.
const STAYS: TimeDelta = TimeDelta::hours(13);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningPlan {
    /// Which key signs; none where there is none.
    pub signer: Option<Uuid>,
    /// Whether the next key is to be made.
    pub due: bool,
    /// The keys that are of no use any more.
    pub over: Vec<Uuid>,
}

/// What is to be done at `now` with these keys: id and when each was made.
pub fn signing_plan(keys: &[(Uuid, DateTime<Utc>)], now: DateTime<Utc>) -> SigningPlan {
    let mut keys = keys.to_vec();
    keys.sort_by_key(|(id, made)| (*made, *id));
    // The first one has nobody to wait for.
    let begins = |place: usize| if place == 0 { DateTime::<Utc>::MIN_UTC } else { keys[place].1 + AHEAD };
    let signer = (0..keys.len()).rev().find(|place| begins(*place) <= now);
    let over = (1..keys.len()).filter(|next| begins(*next) + STAYS <= now).map(|next| keys[next - 1].0).collect();
    SigningPlan {
        signer: signer.map(|place| keys[place].0),
        due: keys.last().is_none_or(|(_, made)| *made + EVERY <= now),
        over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_key_is_known_for_an_hour_before_it_signs_and_leaves_when_its_tokens_are_over() {
        let start = DateTime::UNIX_EPOCH;
        let (first, second) = ((id(1), start), (id(2), start + EVERY));
        let plan = |keys: &[(Uuid, DateTime<Utc>)], at| signing_plan(keys, start + at);
        assert_eq!(plan(&[], TimeDelta::zero()), SigningPlan { signer: None, due: true, over: vec![] });
        let alone = SigningPlan { signer: Some(id(1)), due: false, over: vec![] };
        assert_eq!(plan(&[first], TimeDelta::zero()), alone);
        assert!(plan(&[first], EVERY).due);

        let both = [second, first];
        assert_eq!(plan(&both, EVERY), alone);
        assert_eq!(plan(&both, EVERY + AHEAD - TimeDelta::milliseconds(1)), alone);
        let signs = SigningPlan { signer: Some(id(2)), ..alone };
        assert_eq!(plan(&both, EVERY + AHEAD), signs);
        assert_eq!(plan(&both, EVERY + AHEAD + TimeDelta::hours(12)), signs);
        assert_eq!(plan(&both, EVERY + AHEAD + STAYS), SigningPlan { over: vec![id(1)], ..signs });
    }

    #[test]
    fn the_key_that_signs_is_never_over() {
        let start = DateTime::UNIX_EPOCH;
        for count in 1..5_i32 {
            let keys: Vec<_> = (0..count).map(|n| (id(n as u128), start + EVERY * n)).collect();
            for hours in 0..(24 * 7 * 6) {
                let plan = signing_plan(&keys, start + TimeDelta::hours(hours));
                assert!(plan.signer.is_some_and(|signer| !plan.over.contains(&signer)), "{count} {hours}");
            }
        }
    }
}
