//! The lane against a small world of accounts that lose answers, land writes late and refuse by history, with people who
//! come back to an old password, and an owner that dies at any moment.

use super::*;

/// An account of the simulated world.
#[derive(Debug, Default)]
struct Real {
    /// The password it has; 0 before the first.
    holds: u8,
    /// Writes that were sent and have not landed: when they land, and the password they carry.
    late: Vec<(u64, u8)>,
    /// Passwords it had, where it keeps a history.
    history: Option<Vec<u8>>,
    /// How often somebody failed to sign in, by the place of the change.
    wrong_sign_ins: BTreeMap<i64, u32>,
}

impl Real {
    fn land(&mut self, now: u64) {
        let (landed, late): (Vec<_>, Vec<_>) = self.late.drain(..).partition(|(when, _)| *when <= now);
        self.late = late;
        for (_, password) in landed {
            self.write(password);
        }
    }

    fn write(&mut self, password: u8) -> bool {
        if self.history.as_ref().is_some_and(|history| history.contains(&password)) {
            return false;
        }
        self.holds = password;
        if let Some(history) = &mut self.history {
            history.push(password);
        }
        true
    }
}

/// What happens next in the world.
#[derive(Debug, Clone)]
enum Happening {
    Accept {
        accounts: u8,
        sign_in: bool,
        password: u8,
    },
    Answer {
        which: u8,
        fate: u8,
        delay: u8,
    },
    Pass {
        seconds: u8,
    },
    /// Somebody has what waits tried at once.
    Hurry,
    /// The owner dies. `cut` decides what becomes of the calls that were under way.
    Die {
        cut: u8,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => (1u8..8, any::<bool>(), 1u8..4)
            .prop_map(|(accounts, sign_in, password)| Happening::Accept { accounts, sign_in, password }),
        8 => (any::<u8>(), any::<u8>(), 0u8..58).prop_map(|(which, fate, delay)| Happening::Answer { which, fate, delay }),
        4 => (1u8..90).prop_map(|seconds| Happening::Pass { seconds }),
        1 => Just(Happening::Hurry),
        1 => any::<u8>().prop_map(|cut| Happening::Die { cut }),
    ]
}

/// The rows as a database would keep them.
#[derive(Debug, Default)]
struct Rows {
    changes: BTreeMap<i64, Change>,
    targets: BTreeMap<TargetKey, Target>,
    doubts: Vec<(AccountId, ChangeId)>,
}

impl Rows {
    fn commit(&mut self, delta: Delta) {
        for change in delta.changes {
            let before = self.changes.insert(change.seq, change);
            assert!(before.is_none_or(|before| !before.state.is_final()), "a final change was reopened");
        }
        for target in delta.targets {
            let before = self.targets.insert(target.key, target);
            assert!(before.is_none_or(|before| !before.state.is_final()), "a final target was reopened");
        }
        self.doubts.extend(delta.doubts_raised);
        self.doubts.retain(|doubt| !delta.doubts_ended.contains(doubt));
        for account in 1..=3 {
            let under_way =
                |target: &&Target| target.key.account == self::account(account) && target.state.is_under_way();
            assert!(self.targets.values().filter(under_way).count() <= 1, "two connectors at one account");
        }
    }

    fn load(&self) -> LaneRows {
        let changes: Vec<Change> = self.changes.values().filter(|change| !change.state.is_final()).cloned().collect();
        let unfinished = |target: &&Target| changes.iter().any(|change| change.id == target.key.change);
        let targets = self.targets.values().filter(unfinished).cloned().collect();
        LaneRows { targets, doubts: self.doubts.clone(), changes, intents: Vec::new() }
    }
}

struct World {
    rows: Rows,
    real: BTreeMap<u128, Real>,
    lane: Lane,
    calls: Vec<(Attempt, i64)>,
    /// The password of each change, by its place.
    passwords: BTreeMap<i64, u8>,
    now: u64,
    seq: i64,
    fair: bool,
}

const GRACE: u64 = 60;

impl World {
    fn new(history: bool) -> Self {
        let real = |n| (n, Real { history: (history && n == 1).then(Vec::new), ..Real::default() });
        Self {
            rows: Rows::default(),
            real: (1..=3).map(real).collect(),
            lane: Self::lane(LaneRows::default(), 0),
            calls: Vec::new(),
            passwords: BTreeMap::new(),
            now: 0,
            seq: 0,
            fair: false,
        }
    }

    fn lane(rows: LaneRows, now: u64) -> Lane {
        let settings = LaneSettings { grace: Duration::from_secs(GRACE), backoff: Backoff::default() };
        Lane::new(IDENTITY, rows, settings, at(now))
    }

    fn step(&mut self, happening: &Happening) {
        match happening {
            Happening::Accept { accounts, sign_in, password } => {
                self.seq += 1;
                self.passwords.insert(self.seq, *password);
                let named: Vec<u128> = (1..=3).filter(|n| accounts >> (n - 1) & 1 == 1).collect();
                self.accept(&targets(&named, sign_in.then(|| named[0])), *password);
            }
            Happening::Answer { which, fate, delay } if !self.calls.is_empty() => {
                let call = self.calls.remove(usize::from(*which) % self.calls.len());
                self.answer(call, if self.fair { 0 } else { *fate }, u64::from(*delay));
            }
            Happening::Answer { .. } => {}
            Happening::Pass { seconds } => self.now += u64::from(*seconds),
            Happening::Hurry => {
                let id = crate::id::IntentId(Uuid::from_u128(9));
                self.lane.intend(vec![Intent { id, kind: IntentKind::Retry }]);
            }
            Happening::Die { cut } => {
                // Calls that were under way are cut. A write may have been sent, and then lands within the grace; a
                // sign-in may have been made.
                for (attempt, seq) in std::mem::take(&mut self.calls) {
                    let (password, lands) = (self.passwords[&seq], self.now + u64::from(*cut) % GRACE);
                    let real = self.account(attempt);
                    match attempt.step {
                        Step::Write => real.late.push((lands, password)),
                        Step::SignIn if cut % 2 == 0 && real.holds != password => {
                            *real.wrong_sign_ins.entry(seq).or_default() += 1;
                        }
                        Step::SignIn => {}
                    }
                }
                self.lane = Self::lane(self.rows.load(), self.now);
            }
        }
        self.settle();
    }

    /// Accepts and judges a change as the driver does, which compares passwords before it joins.
    fn accept(&mut self, targets: &[NewTarget], password: u8) {
        let change = change(self.seq, at(self.now));
        let id = change.id;
        self.lane.add(change);
        let same = |leader: &ChangeId| {
            let seq = self.lane.change(*leader).expect("unfinished").seq;
            self.passwords[&seq] == password
        };
        let judgement = match self.lane.joinable(targets).filter(same) {
            Some(leader) => Judgement::Joined(leader),
            None => Judgement::Passed(targets.to_vec()),
        };
        self.lane.judged(id, judgement, at(self.now));
    }

    /// What the store says of an account whose history refuses a password: see `lane::got_part_way` there.
    fn got_part_way(&self, key: TargetKey, before: i64) -> bool {
        let written = |target: &&Target| {
            target.key.account == key.account
                && target.seq < before
                && target.settled_at.is_some()
                && target.attempts > 0
        };
        let latest = self.rows.targets.values().filter(written).max_by_key(|target| target.seq);
        latest.is_some_and(|target| {
            let change = self.rows.changes.values().find(|change| change.id == target.key.change).expect("stored");
            target.unsure || (target.state == TargetState::Applied && change.state != ChangeState::Finished)
        })
    }

    fn account(&mut self, attempt: Attempt) -> &mut Real {
        self.real.get_mut(&attempt.key.account.0.as_u128()).expect("an account of the world")
    }

    /// Everything that an owner does without waiting: sweep, begin, commit, and only then call.
    fn settle(&mut self) {
        let now = self.now;
        self.real.values_mut().for_each(|real| real.land(now));
        self.lane.sweep(at(now));
        let begun: Vec<Attempt> =
            self.lane.ready(at(now)).into_iter().filter(|a| self.lane.begin(*a, at(now))).collect();
        for attempt in begun {
            let seq = self.lane.target(attempt.key).expect("just begun").seq;
            self.calls.push((attempt, seq));
        }
        self.rows.commit(self.lane.take_delta());
    }

    fn answer(&mut self, (attempt, seq): (Attempt, i64), fate: u8, delay: u64) {
        let (now, password) = (self.now, self.passwords[&seq]);
        let ask = self.got_part_way(attempt.key, seq);
        let real = self.account(attempt);
        if attempt.step == Step::SignIn {
            let answer = match (fate % 8 == 7, real.holds == password) {
                (true, _) => SignIn::Unable("locked".into()),
                (_, true) => SignIn::Right,
                (_, false) => {
                    *real.wrong_sign_ins.entry(seq).or_default() += 1;
                    SignIn::Wrong
                }
            };
            return self.lane.settle_sign_in(attempt.key, answer, at(now), 0);
        }
        let outcome = match fate % 10 {
            0..=3 => match real.write(password) {
                true => Outcome::Applied,
                false => refused(ask),
            },
            4 => Outcome::Unavailable("busy".into()),
            5 => {
                real.late.push((now + delay, password));
                Outcome::Unknown("lost, lands late".into())
            }
            6 => {
                real.write(password);
                Outcome::Unknown("landed, answer lost".into())
            }
            7 | 8 => Outcome::Refused(Refusal { reason: "too young".into(), ask: false }),
            _ => Outcome::Unknown("never arrived".into()),
        };
        self.lane.settle(attempt.key, outcome, at(now), u32::from(fate));
    }

    /// Lets everything come to its end with systems that answer.
    fn finish(&mut self) {
        self.fair = true;
        for _ in 0..800 {
            match self.calls.is_empty() {
                false => self.step(&Happening::Answer { which: 0, fate: 0, delay: 0 }),
                true if self.lane.is_idle() => return,
                true => self.step(&Happening::Pass { seconds: 20 }),
            }
        }
        panic!("a change did not come to its end: {:?}", self.lane);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_said_of_every_account_is_so(
        happenings in proptest::collection::vec(happening(), 1..60),
        history in any::<bool>(),
    ) {
        let mut world = World::new(history);
        for happening in &happenings {
            world.step(happening);
        }
        world.finish();
        for change in world.rows.changes.values() {
            prop_assert!(change.state.is_final());
        }
        for (n, real) in &world.real {
            prop_assert!(real.late.is_empty(), "a write outlived the grace");
            prop_assert!(real.wrong_sign_ins.values().all(|wrong| *wrong <= 1), "{:?}", real.wrong_sign_ins);
            // What each change says of this account; one that joined says what its leader says.
            let said = world.rows.changes.values().filter_map(|change| {
                let key = TargetKey { change: change.joined.unwrap_or(change.id), account: account(*n) };
                Some((change.seq, world.rows.targets.get(&key)?))
            });
            let said: Vec<(i64, &Target)> = said.collect();
            let applied = said.iter().filter(|(_, t)| t.state == TargetState::Applied).map(|(seq, _)| *seq).max();
            let expected = applied.map_or(0, |seq| world.passwords[&seq]);
            // Either the newest that is said to be applied is there, or a newer one that is said to be perhaps there.
            let perhaps = said.iter().any(|(seq, target)| {
                Some(*seq) > applied && target.unsure && world.passwords[seq] == real.holds
            });
            prop_assert!(
                real.holds == expected || perhaps,
                "account {n} holds {}, and change {applied:?} with {expected} is said to be applied", real.holds
            );
        }
    }
}
