//! Rotation as a table of cases, and as a simulation over weeks of random ticks.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::RotationAction::{Accept, Destroy, Generate, Publish, Retire};
use super::*;

const PKCS1: TransportPadding = TransportPadding::Pkcs1v15;
const OAEP: TransportPadding = TransportPadding::OaepSha256;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn id(number: u128) -> TransportKeyId {
    TransportKeyId(Uuid::from_u128(number))
}

fn key(number: u128, state: KeyState, since: i64) -> KeyRecord {
    KeyRecord { id: id(number), padding: PKCS1, state, since: at(since) }
}

fn policy() -> RotationPolicy {
    RotationPolicy { paddings: vec![PKCS1], ready: 1, ..RotationPolicy::default() }
}

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

#[test]
fn each_case_has_its_actions() {
    use KeyState::*;
    use Occasion::*;
    let none: &[u128] = &[];
    let make = |count| Generate { padding: PKCS1, count };
    let table = [
        ("nothing there: one to publish, one to keep", vec![], none, Schedule, 0, vec![make(2)]),
        ("first key made", vec![key(1, Ready, 0)], none, Schedule, 0, vec![Publish(id(1)), make(1)]),
        ("all is well", vec![key(1, Published, 0), key(2, Ready, 0)], none, Schedule, DAY - 1, vec![]),
        (
            "a day is over",
            vec![key(1, Published, 0), key(2, Ready, 0)],
            none,
            Schedule,
            DAY,
            vec![Publish(id(2)), Accept(id(1)), make(1)],
        ),
        ("a day is over and no key is ready", vec![key(1, Published, 0)], none, Schedule, DAY, vec![make(2)]),
        (
            "the key that was ready first is published first",
            vec![key(1, Published, 0), key(3, Ready, 9), key(2, Ready, 5)],
            none,
            Schedule,
            DAY,
            vec![Publish(id(2)), Accept(id(1))],
        ),
        (
            "early, and long enough published",
            vec![key(1, Published, 0), key(2, Ready, 0)],
            none,
            Early,
            HOUR,
            vec![Publish(id(2)), Accept(id(1)), make(1)],
        ),
        ("early again at once", vec![key(1, Published, 0), key(2, Ready, 0)], none, Early, HOUR - 1, vec![]),
        (
            "overlap not over",
            vec![key(1, Accepting, 0), key(2, Published, 1), key(3, Ready, 0)],
            none,
            Schedule,
            DAY - 1,
            vec![],
        ),
        (
            "overlap over",
            vec![key(1, Accepting, 0), key(2, Published, 1), key(3, Ready, 0)],
            none,
            Schedule,
            DAY,
            vec![Retire(id(1))],
        ),
        (
            "retired for less than an hour",
            vec![key(1, Retired, 0), key(2, Published, 0), key(3, Ready, 0)],
            none,
            Schedule,
            HOUR - 1,
            vec![],
        ),
        (
            "retired for an hour",
            vec![key(1, Retired, 0), key(2, Published, 0), key(3, Ready, 0)],
            none,
            Schedule,
            HOUR,
            vec![Destroy(id(1))],
        ),
        (
            "retired for an hour, but a change still needs it",
            vec![key(1, Retired, 0), key(2, Published, 0), key(3, Ready, 0)],
            &[1],
            Schedule,
            HOUR,
            vec![],
        ),
        (
            "the clock went back",
            vec![key(1, Retired, DAY), key(2, Published, DAY), key(3, Ready, DAY), key(4, Accepting, DAY)],
            none,
            Schedule,
            0,
            vec![],
        ),
        (
            "what is destroyed stays so",
            vec![key(1, Destroyed, 0), key(2, Published, 9)],
            none,
            Schedule,
            9,
            vec![make(1)],
        ),
    ];
    for (what, keys, referred, occasion, now, expected) in table {
        let referred = referred.iter().map(|number| id(*number)).collect();
        assert_eq!(rotation(&keys, &referred, occasion, at(now), &policy()), expected, "{what}");
    }
}

#[test]
fn no_setting_destroys_a_key_within_an_hour_of_its_retirement() {
    let hasty = RotationPolicy { retired_for: TimeDelta::zero(), ..policy() };
    let keys = [key(1, KeyState::Retired, 0), key(2, KeyState::Published, 0), key(3, KeyState::Ready, 0)];
    let at_minute = |now| rotation(&keys, &BTreeSet::new(), Occasion::Schedule, at(now), &hasty);
    assert_eq!(at_minute(HOUR - 1), []);
    assert_eq!(at_minute(HOUR), [Destroy(id(1))]);
}

#[test]
fn paddings_do_not_replace_each_other() {
    let both = RotationPolicy { paddings: vec![PKCS1, OAEP], ..policy() };
    let oaep = KeyRecord { padding: OAEP, ..key(2, KeyState::Ready, 0) };
    let keys = [key(1, KeyState::Published, 0), oaep];
    assert_eq!(
        rotation(&keys, &BTreeSet::new(), Occasion::Schedule, at(DAY), &both),
        [Generate { padding: PKCS1, count: 2 }, Publish(id(2)), Generate { padding: OAEP, count: 1 },]
    );
}

#[test]
fn the_keys_of_a_padding_that_was_switched_off_end() {
    let oaep = KeyRecord { padding: OAEP, ..key(2, KeyState::Published, 0) };
    let keys = [key(1, KeyState::Published, DAY), key(3, KeyState::Ready, 0), oaep];
    assert_eq!(rotation(&keys, &BTreeSet::new(), Occasion::Schedule, at(DAY), &policy()), [Accept(id(2))]);
}

#[test]
fn only_published_and_accepting_keys_accept() {
    let accepting: Vec<_> =
        KeyState::NAMES.iter().filter(|(state, _)| state.accepts()).map(|(_, name)| *name).collect();
    assert_eq!(accepting, ["published", "accepting"]);
}

/// Keys by id, and what the caller would do with each action.
#[derive(Default)]
struct Simulation {
    keys: BTreeMap<TransportKeyId, KeyRecord>,
    entered: BTreeMap<(TransportKeyId, KeyState), DateTime<Utc>>,
}

impl Simulation {
    fn apply(&mut self, actions: &[RotationAction], now: DateTime<Utc>) {
        for action in actions {
            match *action {
                Generate { padding, count } => {
                    assert!(count > 0);
                    for _ in 0..count {
                        let id = id(self.keys.len() as u128);
                        self.keys.insert(id, KeyRecord { id, padding, state: KeyState::Ready, since: now });
                    }
                }
                Publish(id) => self.advance(id, KeyState::Ready, KeyState::Published, now),
                Accept(id) => self.advance(id, KeyState::Published, KeyState::Accepting, now),
                Retire(id) => self.advance(id, KeyState::Accepting, KeyState::Retired, now),
                Destroy(id) => self.advance(id, KeyState::Retired, KeyState::Destroyed, now),
            }
        }
    }

    fn advance(&mut self, id: TransportKeyId, from: KeyState, to: KeyState, now: DateTime<Utc>) {
        let key = self.keys.get_mut(&id).expect("an action names a key that exists");
        assert_eq!(key.state, from, "a key goes forward one state at a time");
        (key.state, key.since) = (to, now);
        self.entered.insert((id, to), now);
    }

    fn count(&self, padding: TransportPadding, state: KeyState) -> usize {
        self.keys.values().filter(|key| key.padding == padding && key.state == state).count()
    }
}

proptest! {
    #[test]
    fn over_weeks_of_ticks_every_promise_holds(
        ticks in proptest::collection::vec((0..30 * HOUR, any::<bool>(), any::<u64>()), 1..60),
        ready in 0..4usize,
        retired_for in 0..3 * HOUR,
    ) {
        let policy = RotationPolicy {
            paddings: vec![PKCS1, OAEP],
            ready,
            retired_for: TimeDelta::minutes(retired_for),
            ..RotationPolicy::default()
        };
        let mut simulation = Simulation::default();
        let mut now = at(0);
        for (minutes, is_early, needed) in ticks {
            now += TimeDelta::minutes(minutes);
            let occasion = if is_early { Occasion::Early } else { Occasion::Schedule };
            let referred: BTreeSet<_> =
                simulation.keys.keys().copied().filter(|id| needed >> (id.0.as_u128() % 64) & 1 == 1).collect();
            // Asked until there is nothing to do, as the caller does: what was generated may be published at once.
            for round in 0.. {
                prop_assert!(round < 4, "rotation does not come to rest");
                let keys: Vec<_> = simulation.keys.values().cloned().collect();
                let actions = rotation(&keys, &referred, occasion, now, &policy);
                if actions.is_empty() {
                    break;
                }
                for action in &actions {
                    if let Destroy(id) = action {
                        prop_assert!(!referred.contains(id), "a change still needs the key");
                        prop_assert!(now - simulation.entered[&(*id, KeyState::Retired)] >= TimeDelta::hours(1));
                    }
                }
                simulation.apply(&actions, now);
            }
            for padding in [PKCS1, OAEP] {
                prop_assert_eq!(simulation.count(padding, KeyState::Published), 1);
                prop_assert!(simulation.count(padding, KeyState::Ready) >= ready);
            }
        }
        for ((id, state), entered) in &simulation.entered {
            let before = match state {
                KeyState::Accepting => Some((KeyState::Published, policy.early_after)),
                KeyState::Retired => Some((KeyState::Accepting, policy.accepted_for)),
                _ => None,
            };
            if let Some((before, least)) = before {
                prop_assert!(*entered - simulation.entered[&(*id, before)] >= least, "{:?} too soon", state);
            }
        }
    }
}
