//! Sign-ins at clients: codes, families, refresh tokens, revoked tokens, enrolments, and what is asked at every request.

use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::auth_org::{AuthOrg, SessionConfig};
use lockstep_core::client::ClientSettings;
use lockstep_core::id::{ChangeId, ClientId, FamilyId, PersonalAccessTokenId, SessionId};
use lockstep_core::scope::{Scope, UserLevel};
use lockstep_core::session::{Origin, Session};
use lockstep_core::sign_in::Tries;
use lockstep_store::authorization_code::AuthorizationCode;
use lockstep_store::client::Client;
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_store::session::Renewal;
use lockstep_store::token_family::TokenFamily;
use lockstep_store::{
    Error, Tx, auth_org, authorization_code, change, client, configuration, enrolment, identity, personal_access_token,
    refresh_token, revoked_token, session, sign_in_password, signing_key, source_sign_in, token_family,
};

use crate::harness::{Database, on_both_engines};
use crate::sample::{at, change as sample_change, identity as sample_identity, identity_id, payload, uuid};

const CLIENT: ClientId = ClientId(uuid::Uuid::from_u128(0xc1));

fn family(n: u128, whose: u128) -> TokenFamily {
    TokenFamily {
        id: FamilyId(uuid(n)),
        client: CLIENT,
        identity: identity_id(whose),
        scopes: [Scope::PasswordInfoRead].into_iter().collect(),
        created_at: at(1),
        expires_at: at(100),
        ended_at: None,
    }
}

fn code(whose: u128) -> AuthorizationCode {
    AuthorizationCode {
        client: CLIENT,
        identity: identity_id(whose),
        redirect_uri: "https://portal.example.test/cb".to_owned(),
        challenge: "challenge".to_owned(),
        scopes: [Scope::All].into_iter().collect(),
        expires_at: at(60),
        family: None,
    }
}

fn session_of(n: u128, whose: u128) -> Session {
    Session {
        id: SessionId(uuid(n)),
        identity: identity_id(whose),
        created_at: at(1),
        used_at: at(1),
        proved_at: at(1),
        answered_at: None,
        ended_at: None,
        half_open: false,
        must_change: false,
    }
}

fn renewal(held: u8, next: u8) -> Renewal {
    Renewal { held: [held; 32], next: [next; 32] }
}

/// Abby (1) and Bo (2), and a client.
async fn populate(database: &Database) {
    let portal = Client {
        id: CLIENT,
        name: "portal".to_owned(),
        secret_hash: vec![1; 32],
        scopes: [Scope::All].into_iter().collect(),
        levels: [UserLevel::User].into(),
        enabled: true,
        token_seconds: 750,
        settings: ClientSettings { description: "The people's own".to_owned(), ..ClientSettings::default() },
        created_at: at(1),
    };
    database
        .write(move |tx| {
            let portal = portal.clone();
            Box::pin(async move {
                identity::put(tx, &sample_identity(1, "Abby.Smith"), at(1)).await?;
                identity::put(tx, &sample_identity(2, "Bo"), at(1)).await?;
                client::put(tx, &portal, at(2)).await
            })
        })
        .await;
    let found = database.read(|tx| Box::pin(client::find(tx, CLIENT))).await.expect("stored");
    assert_eq!(found.settings.description, "The people's own");
}

async fn insert_family(tx: &mut Tx<'_>, n: u128, whose: u128) -> Result<(), Error> {
    token_family::insert(tx, &family(n, whose)).await
}

on_both_engines! {
    async fn a_code_is_exchanged_once_and_known_afterwards(database) {
        populate(&database).await;
        let hold = async || database.write(|tx| Box::pin(authorization_code::hold(tx, &[7; 32]))).await;
        assert_eq!(hold().await, None);
        database.write(|tx| Box::pin(async move { authorization_code::insert(tx, &[7; 32], &code(1)).await })).await;
        assert_eq!(hold().await, Some(code(1)));
        database.write(|tx| Box::pin(async move { authorization_code::exchanged(tx, &[7; 32], FamilyId(uuid(5))).await })).await;
        assert_eq!(hold().await, Some(AuthorizationCode { family: Some(FamilyId(uuid(5))), ..code(1) }));
        database.write(|tx| Box::pin(authorization_code::forget(tx, at(60)))).await;
        assert!(hold().await.is_some());
        database.write(|tx| Box::pin(authorization_code::forget(tx, at(61)))).await;
        assert_eq!(hold().await, None);
    }

    async fn a_family_lives_until_it_is_ended_and_its_refresh_tokens_are_good_once(database) {
        populate(&database).await;
        database.write(|tx| Box::pin(insert_family(tx, 5, 1))).await;
        let find = async || database.read(|tx| Box::pin(token_family::find(tx, FamilyId(uuid(5))))).await;
        assert_eq!(find().await, Some(family(5, 1)));
        assert_eq!(database.write(|tx| Box::pin(token_family::hold(tx, FamilyId(uuid(5))))).await, Some(family(5, 1)));
        database.write(|tx| Box::pin(refresh_token::insert(tx, &[1; 32], FamilyId(uuid(5))))).await;
        let use_up = async || database.write(|tx| Box::pin(refresh_token::use_up(tx, &[1; 32], at(3)))).await;
        assert!(use_up().await && !use_up().await);
        let found = database.read(|tx| Box::pin(refresh_token::find(tx, &[1; 32]))).await;
        assert_eq!(found, Some((FamilyId(uuid(5)), Some(at(3)))));

        let standing = async || database.read(|tx| Box::pin(token_family::standing(tx, FamilyId(uuid(5))))).await;
        let stands = standing().await.expect("there");
        assert_eq!((stands.client, stands.identity, stands.ended, stands.enabled), (CLIENT, identity_id(1), false, true));
        let end = async || database.write(|tx| Box::pin(token_family::end(tx, FamilyId(uuid(5)), at(4)))).await;
        assert!(end().await && !end().await);
        assert!(standing().await.expect("there").ended);
        database.write(|tx| Box::pin(token_family::forget(tx, at(101)))).await;
        assert_eq!(find().await, None);
        assert_eq!(database.read(|tx| Box::pin(refresh_token::find(tx, &[1; 32]))).await, None, "gone with it");
    }

    async fn another_password_ends_everything_that_the_old_one_gave(database) {
        populate(&database).await;
        database.write(|tx| Box::pin(async move {
            insert_family(tx, 5, 1).await?;
            insert_family(tx, 6, 2).await?;
            authorization_code::insert(tx, &[7; 32], &code(1)).await?;
            authorization_code::insert(tx, &[8; 32], &code(2)).await?;
            enrolment::put(tx, identity_id(1), &[9; 32], at(50)).await?;
            enrolment::put(tx, identity_id(2), &[1; 32], at(50)).await
        })).await;
        let left = async || {
            database.write(|tx| Box::pin(async move {
                let (mut families, mut codes, mut enrolments) = (Vec::new(), Vec::new(), Vec::new());
                for (n, hash, enrolled) in [(5, [7; 32], [9; 32]), (6, [8; 32], [1; 32])] {
                    let standing = token_family::standing(tx, FamilyId(uuid(n))).await?;
                    families.push(standing.is_some_and(|standing| !standing.ended));
                    codes.push(authorization_code::hold(tx, &hash).await?.is_some());
                    enrolments.push(enrolment::find(tx, &enrolled).await?.is_some());
                }
                Ok([families, codes, enrolments])
            })).await
        };
        assert_eq!(left().await, [[true; 2]; 3].map(Vec::from));
        database.write(|tx| Box::pin(identity::end_tokens(tx, identity_id(1), None, at(9)))).await;
        assert_eq!(left().await, [[false, true]; 3].map(Vec::from));
        database.write(|tx| Box::pin(identity::end_all_tokens(tx, at(9)))).await;
        assert_eq!(left().await, [[false; 2]; 3].map(Vec::from));
    }

    async fn a_session_goes_on_under_another_token_after_a_proof_until_it_is_ended(database) {
        populate(&database).await;
        database.write(|tx| Box::pin(async move { session::insert(tx, &session_of(1, 1), &Origin::default(), &[1; 32], Some(b"hash")).await })).await;
        let standing = async |token: u8| database.read(move |tx| Box::pin(async move { session::standing(tx, &[token; 32]).await })).await;
        let there = standing(1).await.expect("there");
        assert_eq!((there.session, there.enabled), (session_of(1, 1), true));
        assert_eq!(there.configuration, database.read(|tx| Box::pin(configuration::version(tx))).await);
        assert_eq!(standing(2).await, None);

        let id = SessionId(uuid(1));
        assert_eq!(database.read(move |tx| Box::pin(session::worn(tx, id))).await.as_deref(), Some(&b"hash"[..]));
        database.write(move |tx| Box::pin(session::used(tx, id, at(5)))).await;
        database.write(move |tx| Box::pin(session::used(tx, id, at(4)))).await;
        assert_eq!(standing(1).await.expect("there").session.used_at, at(5), "a late one counts for nothing");
        assert!(database.write(move |tx| Box::pin(async move { session::proved(tx, id, &renewal(1, 2), at(6)).await })).await);
        assert_eq!(standing(1).await, None, "whoever has the token of before has none");
        let there = standing(2).await.expect("there").session;
        assert_eq!((there.proved_at, there.used_at, there.created_at), (at(6), at(6), at(1)));

        assert!(database.write(move |tx| Box::pin(async move { session::answered(tx, id, &renewal(2, 3), at(7)).await })).await);
        let there = standing(3).await.expect("there").session;
        assert_eq!((there.answered_at, there.proved_at), (Some(at(7)), at(6)), "it is no proof by itself");
        let late = database.write(move |tx| Box::pin(async move { session::answered(tx, id, &renewal(2, 9), at(7)).await }));
        assert!(!late.await);
        assert!(database.write(move |tx| Box::pin(async move { session::proved(tx, id, &renewal(3, 2), at(7)).await })).await);

        let late = database.write(move |tx| Box::pin(async move { session::proved(tx, id, &renewal(1, 9), at(6)).await }));
        assert!(!late.await, "whoever has the token of before renews nothing");
        let end = async || database.write(move |tx| Box::pin(session::end(tx, id, at(7)))).await;
        assert!(end().await && !end().await);
        assert_eq!(standing(2).await.expect("there").session.ended_at, Some(at(7)));
        assert!(!database.write(move |tx| Box::pin(async move { session::proved(tx, id, &renewal(2, 3), at(8)).await })).await, "it has ended");
        database.write(|tx| Box::pin(session::forget(tx, at(2)))).await;
        assert_eq!(standing(2).await, None);
    }

    async fn a_try_that_is_taken_back_leaves_no_trace(database) {
        populate(&database).await;
        let whose = identity_id(1);
        let tries = database.write(move |tx| Box::pin(async move {
            let mut tries = vec![source_sign_in::hold(tx, whose).await?];
            for (count, second) in [(1, 5), (2, 6)] {
                source_sign_in::tried(tx, whose, count, at(second)).await?;
            }
            for _ in 0..3 {
                source_sign_in::take_back(tx, whose).await?;
                tries.push(source_sign_in::find(tx, whose).await?);
            }
            Ok(tries)
        })).await;
        let of = |failures, failed_at| Tries { failures, failed_at };
        assert_eq!(tries, [of(0, None), of(1, Some(at(6))), of(0, None), of(0, None)]);
    }

    async fn other_settings_bring_no_session_back_whose_time_had_run_out(database) {
        populate(&database).await;
        let settings = AuthOrg { session: SessionConfig { max_idle_time: 5, max_session_time: 60, remember_me: false }, ..AuthOrg::default() };
        let longer = AuthOrg { session: SessionConfig { max_idle_time: 1440, max_session_time: 10080, remember_me: false }, ..AuthOrg::default() };
        let now = at(1) + TimeDelta::minutes(61);
        let put = async |settings: AuthOrg, now| database.write(move |tx| {
            let settings = settings.clone();
            Box::pin(async move { auth_org::put(tx, &settings, now).await })
        }).await;
        put(settings, at(1)).await;
        database.write(move |tx| Box::pin(async move {
            let begun = |n, created: DateTime<Utc>, used| Session { created_at: created, used_at: used, ..session_of(n, 1) };
            let minutes = TimeDelta::minutes;
            for session in [
                begun(1, now - minutes(61), now),
                begun(2, now - minutes(30), now - minutes(7)),
                begun(3, now - minutes(30), now - minutes(5)),
                Session { half_open: true, ..begun(4, now - minutes(1), now - minutes(1)) },
            ] {
                session::insert(tx, &session, &Origin::default(), &[session.id.0.as_bytes()[15]; 32], Some(b"hash")).await?;
            }
            Ok(())
        })).await;
        put(longer, now).await;
        let mut ended = Vec::new();
        for n in 1..=4_u8 {
            let id = SessionId(uuid(u128::from(n)));
            let token = [id.0.as_bytes()[15]; 32];
            let there = database.read(move |tx| Box::pin(async move { session::standing(tx, &token).await })).await.expect("there");
            let worn = database.read(move |tx| Box::pin(session::worn(tx, id))).await;
            ended.push((there.session.ended_at.is_some(), worn.is_none()));
        }
        assert_eq!(ended, [(true, true), (true, true), (false, false), (false, false)]);
        database.write(move |tx| Box::pin(session::forget_worn(tx, now))).await;
        let id = SessionId(uuid(3));
        assert_eq!(database.read(move |tx| Box::pin(session::worn(tx, id))).await, None);
    }

    async fn another_password_ends_every_session_but_the_one_that_asked_for_it(database) {
        populate(&database).await;
        let row = sample_change(identity_id(1), 1);
        let id = row.id;
        database.write(move |tx| {
            let row = row.clone();
            Box::pin(async move {
                for (n, person) in [(1, 1), (2, 1), (3, 1), (4, 2)] {
                    session::insert(tx, &session_of(n, person), &Origin::default(), &[n as u8; 32], None).await?;
                }
                change::insert(tx, &row, "identity:1", "", &payload()).await?;
                // It asks for others too: they keep nothing.
                assert!(session::asks_for(tx, SessionId(uuid(3)), &renewal(3, 3), ChangeId::of(row.identity, uuid(71)), at(2)).await?);
                assert!(session::asks_for(tx, SessionId(uuid(2)), &renewal(2, 22), row.id, at(2)).await?);
                Ok(())
            })
        }).await;
        let living = async || {
            let mut living = Vec::new();
            for n in [1, 2, 22, 3, 4_u8] {
                let standing =
                    database.read(move |tx| Box::pin(async move { session::standing(tx, &[n; 32]).await })).await;
                living.extend(standing.filter(|standing| standing.session.ended_at.is_none()).map(|_| n));
            }
            living
        };
        assert_eq!(living().await, [1, 22, 3, 4], "it has another token");
        database.write(move |tx| Box::pin(identity::end_tokens(tx, identity_id(1), Some(id), at(9)))).await;
        assert_eq!(living().await, [22, 4]);
        let (ended, other) = (SessionId(uuid(1)), ChangeId::of(identity_id(1), uuid(72)));
        let asks = database.write(move |tx| Box::pin(async move { session::asks_for(tx, ended, &renewal(1, 9), other, at(9)).await }));
        assert!(!asks.await, "what has ended asks for nothing");
        database.write(|tx| Box::pin(identity::end_tokens(tx, identity_id(1), None, at(10)))).await;
        assert_eq!(living().await, [4], "whom somebody disabled is signed out everywhere");
        database.write(|tx| Box::pin(identity::end_all_tokens(tx, at(11)))).await;
        assert_eq!(living().await, [0_u8; 0]);
    }

    async fn whether_a_token_was_revoked_is_asked_beside_the_rest(database) {
        populate(&database).await;
        let token = PersonalAccessToken {
            id: PersonalAccessTokenId(uuid(77)),
            identity: identity_id(1),
            name: "laptop".to_owned(),
            secret_hash: vec![7; 32],
            scopes: [Scope::All].into_iter().collect(),
            token_seconds: 750,
            created_at: at(1),
            expires_at: Some(at(70)),
            last_used_at: None,
        };
        let id = token.id;
        database.write(move |tx| {
            let token = token.clone();
            Box::pin(async move { personal_access_token::insert(tx, &token).await })
        }).await;
        let revoked = async |n| {
            let (_, program) = database.read(move |tx| Box::pin(configuration::version_and_revoked(tx, uuid(n)))).await;
            let person = database.read(move |tx| Box::pin(personal_access_token::standing(tx, id, uuid(n)))).await;
            let person = person.expect("there");
            assert_eq!((person.identity, person.expires_at, person.enabled), (identity_id(1), Some(at(70)), true));
            (program, person.revoked)
        };
        database.write(|tx| Box::pin(revoked_token::insert(tx, uuid(1), at(20)))).await;
        database.write(|tx| Box::pin(revoked_token::insert(tx, uuid(1), at(30)))).await;
        assert_eq!((revoked(1).await, revoked(2).await), ((true, true), (false, false)));
        database.write(|tx| Box::pin(revoked_token::forget(tx, at(21)))).await;
        assert_eq!(revoked(1).await, (false, false));
    }

    async fn a_clients_use_is_known_to_the_hour_and_changes_no_configuration(database) {
        populate(&database).await;
        let version = async || database.read(|tx| Box::pin(configuration::version(tx))).await;
        let times = async || database.read(|tx| Box::pin(client::times(tx))).await[&CLIENT];
        let before = version().await;
        assert_eq!(times().await, (at(2), None));
        for (used, known) in [(10, 10), (11, 10), (3610, 3610), (20, 3610)] {
            database.write(move |tx| Box::pin(client::used(tx, CLIENT, at(used)))).await;
            assert_eq!(times().await.1, Some(at(known)), "{used}");
        }
        assert_eq!(version().await, before);
        let unknown = database.try_write(|tx| Box::pin(client::used(tx, ClientId(uuid(9)), at(1)))).await;
        assert!(unknown.is_err_and(|error| error.is_reference_violation()));
        database.write(|tx| Box::pin(insert_family(tx, 5, 1))).await;
        assert!(database.write(|tx| Box::pin(client::remove(tx, CLIENT))).await);
        assert_eq!(database.read(|tx| Box::pin(token_family::find(tx, FamilyId(uuid(5))))).await, None);
    }

    async fn one_enrolment_a_person_and_tries_at_nobodys_password_are_counted(database) {
        populate(&database).await;
        for (hash, end) in [([1; 32], 10), ([2; 32], 20)] {
            database.write(move |tx| Box::pin(async move { enrolment::put(tx, identity_id(1), &hash, at(end)).await })).await;
        }
        assert_eq!(database.read(|tx| Box::pin(enrolment::find(tx, &[1; 32]))).await, None);
        assert_eq!(database.read(|tx| Box::pin(enrolment::find(tx, &[2; 32]))).await, Some((identity_id(1), at(20))));
        for n in 1..=2 {
            database.write(move |tx| Box::pin(sign_in_password::tried_at_nobodys(tx, at(n)))).await;
        }
        database.write(|tx| Box::pin(async move {
            identity::hold(tx, identity_id(1)).await?;
            signing_key::insert(tx, uuid(1), &[1], at(1)).await?;
            signing_key::insert(tx, uuid(2), &[2], at(1) + TimeDelta::hours(1)).await?;
            signing_key::hold(tx).await
        })).await;
        let ids = database.read(|tx| Box::pin(signing_key::ids(tx))).await;
        assert_eq!(ids.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [uuid(2), uuid(1)]);
    }
}
