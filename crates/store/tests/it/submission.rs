//! Submissions: one ciphertext, one caller, one identity, one change.

use lockstep_core::change::{Change, ChangeState, Delta};
use lockstep_core::id::{Bucket, ChangeId};
use lockstep_store::submission::{self, Claim};
use lockstep_store::{Error, change, lane, transport_key};
use tokio::task::JoinSet;

use crate::harness::{Database, on_both_engines};
use crate::sample::{at, change as sample_change, identity_id, payload, source_id, transport_key_id};

const DIGEST: [u8; 32] = [0x5a; 32];

async fn claim(database: &Database, digest: [u8; 32], caller: &'static str, identity: u128) -> Claim {
    let work = database.write(move |tx| {
        Box::pin(async move {
            submission::claim(tx, &digest, caller, identity_id(identity), transport_key_id(1), at(1)).await
        })
    });
    work.await
}

/// What accepting a request does, in short: the change that the ciphertext is, old or new.
async fn accept(database: &Database) -> Result<ChangeId, Error> {
    let work = database.try_write(|tx| {
        Box::pin(async move {
            let identity = identity_id(7);
            let claimed = submission::claim(tx, &DIGEST, "client", identity, transport_key_id(1), at(1)).await?;
            assert_ne!(claimed, Claim::Foreign);
            if let Some(known) = submission::change_for(tx, &DIGEST, source_id(1), "").await? {
                return Ok(known);
            }
            let seq = change::next_seq(tx, identity).await?;
            let new = sample_change(identity, seq);
            change::insert(tx, &new, "client", &payload()).await?;
            submission::name(tx, &DIGEST, source_id(1), "", new.id).await
        })
    });
    work.await
}

on_both_engines! {
    async fn a_ciphertext_belongs_to_who_sent_it_first(database) {
        assert_eq!(claim(&database, DIGEST, "client a", 1).await, Claim::New);
        assert_eq!(claim(&database, DIGEST, "client a", 1).await, Claim::Same);
        assert_eq!(claim(&database, DIGEST, "client b", 1).await, Claim::Foreign, "another caller");
        assert_eq!(claim(&database, DIGEST, "client a", 2).await, Claim::Foreign, "another identity");
        assert_eq!(claim(&database, [0x5b; 32], "client b", 2).await, Claim::New, "another ciphertext");
    }

    async fn of_sixteen_at_once_one_makes_the_change(database) {
        let mut requests = JoinSet::new();
        for _ in 0..16 {
            let database = database.clone();
            requests.spawn(async move { accept(&database).await.expect("accepted") });
        }
        let answers = requests.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let changes = database.read(|tx| Box::pin(change::list_of(tx, identity_id(7), 100))).await;
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].seq, 1);
    }

    async fn of_sixteen_identities_at_once_one_gets_the_ciphertext(database) {
        let mut requests = JoinSet::new();
        for n in 0..16 {
            let database = database.clone();
            requests.spawn(async move { claim(&database, DIGEST, "client", n).await });
        }
        let claims = requests.join_all().await;
        assert_eq!(claims.iter().filter(|claim| **claim == Claim::New).count(), 1, "{claims:?}");
        assert_eq!(claims.iter().filter(|claim| **claim == Claim::Foreign).count(), 15, "{claims:?}");
    }

    async fn a_claim_that_was_rolled_back_is_none(database) {
        let rolled_back = database
            .try_write(|tx| {
                Box::pin(async move {
                    submission::claim(tx, &DIGEST, "thief", identity_id(1), transport_key_id(1), at(1)).await?;
                    Err::<(), _>(Error::NotFound("reason to go on"))
                })
            })
            .await;
        assert!(rolled_back.is_err());
        assert_eq!(claim(&database, DIGEST, "client", 1).await, Claim::New);
    }

    async fn source_and_account_as_sent_name_the_change(database) {
        claim(&database, DIGEST, "client", 7).await;
        let [first, second] = [1, 2].map(|seq| sample_change(identity_id(7), seq).id);
        let name = async |source, account: &'static str, change| {
            database
                .write(move |tx| Box::pin(async move { submission::name(tx, &DIGEST, source, account, change).await }))
                .await
        };
        assert_eq!(name(source_id(1), "", first).await, first);
        assert_eq!(name(source_id(1), "uid=abby", second).await, second, "another account is another change");
        assert_eq!(name(source_id(1), "", second).await, first, "whoever was first counts");
        let find = async |source, account: &'static str| {
            database.read(move |tx| Box::pin(submission::change_for(tx, &DIGEST, source, account))).await
        };
        assert_eq!(find(source_id(1), "").await, Some(first));
        assert_eq!(find(source_id(1), "uid=abby").await, Some(second));
        assert_eq!(find(source_id(2), "").await, None);
        assert_eq!(find(source_id(1), "UID=abby").await, None, "as it was sent");
    }

    async fn a_destroyed_key_takes_its_ciphertexts_along(database) {
        let bucket = Bucket::of_digest(&DIGEST);
        let change = accept(&database).await.expect("accepted");
        let forget = async || database.write(move |tx| Box::pin(submission::forget(tx, bucket))).await;
        let key = crate::keys::key(1, "retired");
        database.write(move |tx| Box::pin(async move { transport_key::insert(tx, &key).await })).await;
        assert_eq!(forget().await, 0, "the key is still there");
        assert_eq!(accept(&database).await.expect("the same"), change);
        let destroy = async || database.write(|tx| Box::pin(transport_key::destroy(tx, transport_key_id(1), at(9)))).await;
        assert!(!destroy().await, "an unfinished change refers to it");
        let (stored, _) = database.read(move |tx| Box::pin(change::find(tx, change))).await.expect("stored");
        let ended = Change { state: ChangeState::Failed, settled_at: Some(at(8)), ..stored };
        let delta = Delta { changes: vec![ended.clone()], ..Delta::default() };
        database.write(move |tx| Box::pin(async move { lane::save(tx, ended.identity, &delta).await })).await;
        assert!(destroy().await);
        assert_eq!(forget().await, 1);
        let known = database.read(|tx| Box::pin(submission::change_for(tx, &DIGEST, source_id(1), ""))).await;
        assert_eq!(known, None);
        assert_eq!(claim(&database, DIGEST, "another client", 9).await, Claim::New);
    }
}
