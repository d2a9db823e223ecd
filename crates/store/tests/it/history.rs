//! What is known of an identity's own passwords: history, sign-in password, digit token.

use lockstep_core::digit_token::State;
use lockstep_core::id::{IdentityId, SourceId, SyncGroupId};
use lockstep_store::digit_token::{self, DigitToken};
use lockstep_store::history::{self, Holder};
use lockstep_store::sign_in_password::{self, SignInPassword};
use tokio::task::JoinSet;

use crate::harness::on_both_engines;
use crate::sample::{at, identity_id, uuid};

const IDENTITY: IdentityId = IdentityId(uuid::Uuid::from_u128(0x1d_0000_0077));

on_both_engines! {
    async fn a_history_gives_the_newest_first_and_keeps_only_so_many(database) {
        let group = Holder::SyncGroup(SyncGroupId(uuid(1)));
        for hash in 1..=5_u8 {
            database.write(move |tx| Box::pin(async move { history::push(tx, IDENTITY, group, &[hash], 3, at(1)).await })).await;
        }
        let last = async |holder, limit| database.read(move |tx| Box::pin(history::last(tx, IDENTITY, holder, limit))).await;
        assert_eq!(last(group, 100).await, [[5], [4], [3]]);
        assert_eq!(last(group, 1).await, [[5]]);
        assert!(last(Holder::Source(SourceId::IDENTITY_NOW), 100).await.is_empty(), "another password");
        database.write(move |tx| Box::pin(async move { history::push(tx, IDENTITY, group, &[6], 0, at(2)).await })).await;
        assert_eq!(last(group, 100).await, [[6]], "the newest is always kept");
    }

    async fn an_identity_has_one_salt_for_ever(database) {
        assert_eq!(database.read(|tx| Box::pin(history::find_salt(tx, IDENTITY))).await, None);
        let mut drawn = JoinSet::new();
        for n in 0..8_u8 {
            let database = database.clone();
            drawn.spawn(async move {
                database.write(move |tx| Box::pin(async move { history::salt(tx, IDENTITY, &[n; 16]).await })).await
            });
        }
        let salts = drawn.join_all().await;
        assert!(salts.iter().all(|salt| *salt == salts[0]), "{salts:?}");
        assert_eq!(database.read(|tx| Box::pin(history::find_salt(tx, IDENTITY))).await, Some(salts[0].clone()));
        assert_eq!(database.read(|tx| Box::pin(history::find_salt(tx, identity_id(1)))).await, None);
    }

    async fn a_sign_in_password_counts_wrong_tries_until_a_right_one(database) {
        let find = async || database.read(|tx| Box::pin(sign_in_password::find(tx, IDENTITY))).await;
        assert!(find().await.is_none());
        assert!(database.write(|tx| Box::pin(sign_in_password::hold(tx, IDENTITY))).await.is_none());
        let password =
            SignInPassword { hash: vec![9; 45], changed_at: at(1), must_change: true, failures: 0, failed_at: None };
        let put = password.clone();
        database.write(move |tx| Box::pin(async move { sign_in_password::put(tx, IDENTITY, &put).await })).await;
        assert!(find().await.as_ref() == Some(&password));
        for n in 1..=3 {
            database.write(move |tx| Box::pin(sign_in_password::tried(tx, IDENTITY, n, at(n)))).await;
        }
        let failed = find().await.expect("stored");
        assert_eq!((failed.failures, failed.failed_at), (3, Some(at(3))));
        let forgive = async |hash: &'static [u8]| {
            database.write(move |tx| Box::pin(sign_in_password::forgive(tx, IDENTITY, hash))).await
        };
        assert!(!forgive(&[8; 45]).await, "another password by now");
        assert_eq!(find().await.expect("stored").failures, 3);
        assert!(forgive(&[9; 45]).await);
        assert!(find().await.as_ref() == Some(&password));
    }

    async fn a_hash_is_replaced_only_while_its_password_stands(database) {
        let password =
            SignInPassword { hash: vec![1], changed_at: at(1), must_change: false, failures: 0, failed_at: None };
        let put = password.clone();
        database.write(move |tx| Box::pin(async move { sign_in_password::put(tx, IDENTITY, &put).await })).await;
        for (old, new) in [([9], [3]), ([1], [2])] {
            database.write(move |tx| Box::pin(async move { sign_in_password::rehash(tx, IDENTITY, &old, &new).await })).await;
        }
        let found = database.read(|tx| Box::pin(sign_in_password::find(tx, IDENTITY))).await.expect("stored");
        assert_eq!((found.hash, found.changed_at), (vec![2], at(1)));
    }

    async fn a_new_digit_token_takes_the_place_of_the_old(database) {
        let token = |n, state| DigitToken {
            id: uuid(n),
            code_hash: vec![n as u8; 32],
            state,
            created_at: at(1),
            expires_at: at(301),
        };
        let hold = async || database.write(|tx| Box::pin(digit_token::hold(tx, IDENTITY))).await;
        assert!(hold().await.is_none());
        for n in [1, 2] {
            let fresh = token(n, State::FRESH);
            database.write(move |tx| Box::pin(async move { digit_token::put(tx, IDENTITY, &fresh).await })).await;
            assert!(hold().await == Some(token(n, State::FRESH)));
        }
        let late = State::Live { attempts_left: 1 };
        for (id, state, expected) in [(1, State::Void, State::FRESH), (2, late, late), (2, State::Used, State::Used)] {
            database.write(move |tx| Box::pin(digit_token::set_state(tx, IDENTITY, uuid(id), state))).await;
            assert!(hold().await == Some(token(2, expected)), "{id} {state:?}");
        }
    }

    async fn no_try_of_a_digit_token_goes_uncounted(database) {
        let fresh = DigitToken {
            id: uuid(1),
            code_hash: vec![1],
            state: State::Live { attempts_left: 100 },
            created_at: at(1),
            expires_at: at(301),
        };
        database.write(move |tx| Box::pin(async move { digit_token::put(tx, IDENTITY, &fresh).await })).await;
        let mut tries = JoinSet::new();
        for _ in 0..16 {
            let database = database.clone();
            tries.spawn(async move {
                let work = database.write(|tx| {
                    Box::pin(async move {
                        let token = digit_token::hold(tx, IDENTITY).await?.expect("stored");
                        let State::Live { attempts_left } = token.state else { panic!("{token:?}") };
                        let less = State::Live { attempts_left: attempts_left - 1 };
                        digit_token::set_state(tx, IDENTITY, token.id, less).await
                    })
                });
                work.await;
            });
        }
        tries.join_all().await;
        let left = database.write(|tx| Box::pin(digit_token::hold(tx, IDENTITY))).await.expect("stored").state;
        assert_eq!(left, State::Live { attempts_left: 84 });
    }
}
