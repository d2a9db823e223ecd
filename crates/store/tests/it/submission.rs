//! Submissions: one ciphertext, one caller, one identity, one change.

use chrono::{DateTime, Utc};
use lockstep_core::change::{Change, ChangeState, Delta};
use lockstep_core::id::{Bucket, ChangeId};
use lockstep_store::submission::{self, Claim, Submission};
use lockstep_store::transport_key::TransportKey;
use lockstep_store::{Error, change, lane, transport_key};
use tokio::task::JoinSet;

use crate::harness::{Database, on_both_engines};
use crate::sample::{at, change as sample_change, identity_id, payload, source_id, transport_key_id, uuid};

const DIGEST: [u8; 16] = [0x5a; 16];

/// What a request sends.
#[derive(Clone, Copy)]
struct Sent {
    digest: [u8; 16],
    caller: &'static str,
    identity: u128,
    source: u128,
    account: &'static str,
}

const SENT: Sent = Sent { digest: DIGEST, caller: "client a", identity: 7, source: 1, account: "" };

impl Sent {
    fn submission(&self) -> Submission<'_> {
        Submission {
            digest: &self.digest,
            caller: self.caller,
            identity: identity_id(self.identity),
            source: source_id(self.source),
            account_sent: self.account,
        }
    }

    /// What accepting does, in short: the `number`-th change of the identity, unless there is one or it must be refused.
    async fn accept(self, database: &Database, number: u128) -> Claim {
        let work = database.store.write(move |tx| {
            Box::pin(async move {
                let id = id(self.identity, number);
                match submission::claim(tx, &self.submission(), id).await? {
                    Claim::New => {}
                    other => return Err(NotNew::Claim(other)),
                }
                let change =
                    Change { id, source: source_id(self.source), ..sample_change(identity_id(self.identity), 1) };
                change::insert(tx, &change, self.caller, self.account, &payload()).await?;
                Ok(())
            })
        });
        match work.await {
            Ok(()) => Claim::New,
            Err(NotNew::Claim(claim)) => claim,
            Err(NotNew::Store(error)) => panic!("{error}"),
        }
    }

    async fn find(self, database: &Database) -> Claim {
        database.read(move |tx| Box::pin(async move { submission::find(tx, &self.submission()).await })).await
    }
}

/// Why the transaction is given up.
enum NotNew {
    Claim(Claim),
    Store(Error),
}

impl From<Error> for NotNew {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// The `number`-th change of an identity, accepted at [`SENT_AT`].
fn id(identity: u128, number: u128) -> ChangeId {
    let milliseconds = u128::from(hours(SENT_AT).timestamp_millis().unsigned_abs());
    ChangeId::of(identity_id(identity), uuid((milliseconds << 80) + number * 0x100))
}

/// When everything here is sent, in hours.
const SENT_AT: i64 = 25;

fn hours(n: i64) -> DateTime<Utc> {
    at(3600 * n)
}

on_both_engines! {
    async fn a_ciphertext_belongs_to_who_sent_it_first(database) {
        let elsewhere = Sent { source: 2, account: "uid=thief", ..SENT };
        assert_eq!(SENT.find(&database).await, Claim::New);
        assert_eq!(SENT.accept(&database, 1).await, Claim::New);
        for (again, claim, why) in [
            (SENT, Claim::Before(id(7, 1)), "the same"),
            (Sent { caller: "client b", ..SENT }, Claim::Foreign, "another caller"),
            (Sent { identity: 2, ..SENT }, Claim::Foreign, "another identity"),
            (Sent { caller: "client b", ..elsewhere }, Claim::Foreign, "another caller, another account"),
            (Sent { identity: 2, ..elsewhere }, Claim::Foreign, "another identity, another account"),
        ] {
            assert_eq!(again.find(&database).await, claim, "{why}");
            assert_eq!(again.accept(&database, 2).await, claim, "{why}");
        }
        let other = Sent { digest: [0x5b; 16], caller: "client b", identity: 2, ..SENT };
        assert_eq!(other.accept(&database, 1).await, Claim::New, "another ciphertext");
    }

    async fn of_sixteen_at_once_one_makes_the_change(database) {
        for sent in [SENT, Sent { account: "uid=abby", ..SENT }] {
            let mut requests = JoinSet::new();
            for n in 0..16 {
                let database = database.clone();
                let number = n + 0x100 * u128::from(!sent.account.is_empty());
                requests.spawn(async move { sent.accept(&database, number).await });
            }
            let claims = requests.join_all().await;
            assert_eq!(claims.iter().filter(|claim| **claim == Claim::New).count(), 1, "{claims:?}");
            let before: Vec<&Claim> = claims.iter().filter(|claim| **claim != Claim::New).collect();
            assert!(before.iter().all(|claim| *claim == before[0]), "{claims:?}");
            assert_eq!(sent.find(&database).await, *before[0]);
        }
        let changes = database.read(|tx| Box::pin(change::list_of(tx, identity_id(7), 100))).await;
        assert_eq!(changes.iter().map(|change| change.seq).collect::<Vec<_>>(), [2, 1]);
    }

    async fn of_sixteen_identities_at_once_one_gets_the_ciphertext(database) {
        let mut requests = JoinSet::new();
        for n in 0..16 {
            let database = database.clone();
            requests.spawn(async move { Sent { identity: n, source: n, ..SENT }.accept(&database, 1).await });
        }
        let claims = requests.join_all().await;
        assert_eq!(claims.iter().filter(|claim| **claim == Claim::New).count(), 1, "{claims:?}");
        assert_eq!(claims.iter().filter(|claim| **claim == Claim::Foreign).count(), 15, "{claims:?}");
    }

    async fn a_claim_that_was_rolled_back_is_none(database) {
        let rolled_back = database
            .try_write(|tx| {
                Box::pin(async move {
                    let thief = Sent { caller: "thief", ..SENT };
                    submission::claim(tx, &thief.submission(), id(7, 1)).await?;
                    Err::<(), _>(Error::NotFound("reason to go on"))
                })
            })
            .await;
        assert!(rolled_back.is_err());
        assert_eq!(SENT.accept(&database, 1).await, Claim::New);
    }

    async fn source_and_account_as_sent_name_the_change(database) {
        let named = Sent { account: "uid=abby", ..SENT };
        assert_eq!(SENT.accept(&database, 1).await, Claim::New);
        assert_eq!(named.find(&database).await, Claim::New, "another account is another change");
        assert_eq!(named.accept(&database, 2).await, Claim::New);
        let second = id(7, 2);
        for number in [1, 2, 3] {
            assert_eq!(SENT.accept(&database, number).await, Claim::Before(id(7, 1)), "whoever was first counts");
            assert_eq!(named.accept(&database, number).await, Claim::Before(second));
        }
        assert_eq!(Sent { source: 2, ..SENT }.find(&database).await, Claim::New);
        assert_eq!(Sent { account: "UID=abby", ..SENT }.find(&database).await, Claim::New, "as it was sent");
    }

    async fn a_ciphertext_is_forgotten_when_every_key_is_destroyed_that_may_open_it(database) {
        let bucket = Bucket::of_digest(&DIGEST);
        for (n, state) in [(1, "retired"), (2, "retired"), (3, "published")] {
            let key = TransportKey { since: hours(10 * n), ..crate::keys::key(u128::from(n.unsigned_abs()), state) };
            database.write(move |tx| Box::pin(async move { transport_key::insert(tx, &key).await })).await;
        }
        // It comes when there are two keys.
        assert_eq!(SENT.accept(&database, 1).await, Claim::New);
        assert_eq!(Sent { source: 2, ..SENT }.accept(&database, 2).await, Claim::New);
        let forget = async || {
            let opens_since = database.read(|tx| Box::pin(transport_key::opens_since(tx))).await.expect("a key");
            let forgotten = database.write(move |tx| Box::pin(submission::forget(tx, bucket, opens_since))).await;
            (opens_since, forgotten)
        };
        let destroy = async |n| database.write(move |tx| Box::pin(transport_key::destroy(tx, transport_key_id(n), at(9)))).await;
        assert_eq!(forget().await, (hours(9), 0), "an hour for clocks that differ");
        assert!(!destroy(1).await, "an unfinished change refers to it");
        for n in [1, 2] {
            let id = id(7, n);
            let (stored, _) = database.read(move |tx| Box::pin(change::find(tx, id))).await.expect("stored");
            let ended = Change { state: ChangeState::Failed, settled_at: Some(at(8)), ..stored };
            let delta = Delta { changes: vec![ended.clone()], ..Delta::default() };
            database.write(move |tx| Box::pin(async move { lane::save(tx, ended.identity, &delta).await })).await;
        }
        assert!(destroy(1).await);
        assert_eq!(forget().await, (hours(19), 0), "the other key, which the request did not name, may open it");
        let first = Claim::Before(id(7, 1));
        assert_eq!(SENT.accept(&database, 3).await, first, "the same");
        assert!(destroy(2).await);
        assert_eq!(forget().await, (hours(29), 1));
        for sent in [SENT, Sent { source: 2, ..SENT }] {
            assert_eq!(sent.find(&database).await, Claim::New);
        }
        for (n, source) in [(4, 1), (5, 2)] {
            let other = Sent { caller: "another client", identity: 9, source, ..SENT };
            assert_eq!(other.accept(&database, n).await, Claim::New, "nothing of it is left");
        }
    }
}
