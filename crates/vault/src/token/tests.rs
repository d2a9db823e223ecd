//! Tokens that are accepted, and every way in which one is not.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;
use crate::master_key::MasterKey;

fn ring() -> KeyRing {
    KeyRing::create(&MasterKey::generate()).0
}

fn signing_key(ring: &KeyRing, number: u128) -> SigningKey {
    let id = Uuid::from_u128(number);
    SigningKey::unseal(ring, id, &SigningKey::generate_sealed(ring, id).unwrap()).unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn claims() -> Claims {
    Claims {
        tenant_id: "2c918086749d78830174a1a40e121518".to_owned(),
        org: "acme".to_owned(),
        pod: "local".to_owned(),
        identity_id: Some("2c9180867624cbd7017642d8c8c81f67".to_owned()),
        user_name: Some("Abby.Smith".to_owned()),
        authorities: vec!["ORG_ADMIN".to_owned()],
        client_id: "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned(),
        scope: vec!["sp:scopes:all".to_owned()],
        strong_auth: false,
        exp: now().timestamp() + 749,
        iat: now().timestamp(),
        jti: "1".to_owned(),
        sid: None,
        generation: None,
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[test]
fn an_issued_token_is_accepted_until_the_second_it_expires() {
    let tokens = Tokens::new(TokenSettings::default(), vec![signing_key(&ring(), 1)]);
    let token = tokens.issue(&claims()).unwrap();
    assert_eq!(tokens.verify(&token, now()), Ok(claims()));
    assert_eq!(tokens.verify(&token, now() + TimeDelta::milliseconds(748_999)), Ok(claims()));
    let expired = tokens.verify(&token, now() + TimeDelta::seconds(749)).unwrap_err();
    assert_eq!(format!("JWT validation failed: {expired}"), "JWT validation failed: JWT is expired");
}

#[test]
fn a_token_from_a_node_whose_clock_is_minutes_ahead_is_accepted_and_one_from_further_ahead_is_not() {
    let tokens = Tokens::new(TokenSettings::default(), vec![signing_key(&ring(), 1)]);
    let token = tokens.issue(&Claims { exp: now().timestamp() + 9000, ..claims() }).unwrap();
    assert!(tokens.verify(&token, now() - TimeDelta::minutes(10)).is_ok());
    assert_eq!(tokens.verify(&token, now() - TimeDelta::minutes(61)), Err(TokenError::NotYet));
}

#[test]
fn a_token_has_the_contracts_claims_and_none_of_an_identity_for_a_plain_client() {
    let tokens = Tokens::new(TokenSettings::default(), vec![signing_key(&ring(), 1)]);
    let names = |claims: &Claims| -> Vec<String> {
        let token = tokens.issue(claims).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Map<String, Value>>(&payload).unwrap().keys().cloned().collect()
    };
    let mut expected = vec![
        "authorities",
        "client_id",
        "exp",
        "iat",
        "identity_id",
        "jti",
        "org",
        "pod",
        "scope",
        "strong_auth",
        "tenant_id",
        "user_name",
    ];
    let mut found = names(&claims());
    found.sort();
    assert_eq!(found, expected);

    expected.retain(|name| !matches!(*name, "identity_id" | "user_name"));
    let mut found = names(&Claims { identity_id: None, user_name: None, ..claims() });
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn after_rotation_old_tokens_verify_while_their_key_is_kept() {
    let ring = ring();
    let sealed = SigningKey::generate_sealed(&ring, Uuid::from_u128(1)).unwrap();
    let old = || SigningKey::unseal(&ring, Uuid::from_u128(1), &sealed).unwrap();
    let tokens = Tokens::new(TokenSettings::default(), vec![old()]);
    let token = tokens.issue(&claims()).unwrap();

    let both = tokens.with_keys(vec![signing_key(&ring, 2), old()]);
    assert_eq!(both.verify(&token, now()), Ok(claims()));
    let header = jsonwebtoken::decode_header(both.issue(&claims()).unwrap()).unwrap();
    assert_eq!(header.kid, Some(kid(Uuid::from_u128(2))));

    let new_only = tokens.with_keys(vec![signing_key(&ring, 2)]);
    assert_eq!(new_only.verify(&token, now()), Err(TokenError::UnknownKey));
    assert_eq!(tokens.with_keys(vec![]).issue(&claims()), Err(SigningError::NoKey));
}

#[test]
fn one_changed_character_anywhere_is_refused() {
    let tokens = Tokens::new(TokenSettings::default(), vec![signing_key(&ring(), 1)]);
    let token = tokens.issue(&claims()).unwrap();
    for at in (0..token.len()).step_by(7) {
        let mut altered = token.clone().into_bytes();
        // The last character of a part carries unused bits, so change one that counts whatever it is.
        altered[at] = if altered[at] == b'A' { b'Q' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        if altered != token {
            assert!(tokens.verify(&altered, now()).is_err(), "character {at}");
        }
    }
}

#[test]
fn every_other_algorithm_is_refused() {
    let key = signing_key(&ring(), 1);
    let (modulus, id) = (key.jwk.n.clone(), kid(key.id));
    let tokens = Tokens::new(TokenSettings::default(), vec![key]);
    let token = tokens.issue(&claims()).unwrap();
    let [_, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };

    for algorithm in ["none", "None", "HS256", "RS384", "PS256", "ES256", "EdDSA", "rs256", ""] {
        let header = part(&json!({ "alg": algorithm, "typ": "JWT", "kid": id }));
        for signature in [signature, ""] {
            let error = tokens.verify(&format!("{header}.{payload}.{signature}"), now()).unwrap_err();
            assert!(matches!(error, TokenError::Algorithm | TokenError::Malformed), "{algorithm}: {error}");
        }
    }
    // The classic confusion: HMAC under the public key.
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(id);
    let forged = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(modulus.as_bytes())).unwrap();
    assert_eq!(tokens.verify(&forged, now()), Err(TokenError::Algorithm));
}

#[test]
fn a_key_that_is_not_ours_is_refused_by_id_and_by_signature() {
    let ring = ring();
    let ours = Tokens::new(TokenSettings::default(), vec![signing_key(&ring, 1)]);
    let stranger = Tokens::new(TokenSettings::default(), vec![signing_key(&ring, 2)]);
    let impostor = Tokens::new(TokenSettings::default(), vec![signing_key(&ring, 1)]);
    assert_eq!(ours.verify(&stranger.issue(&claims()).unwrap(), now()), Err(TokenError::UnknownKey));
    assert_eq!(ours.verify(&impostor.issue(&claims()).unwrap(), now()), Err(TokenError::Signature));
    let unnamed = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims(), &ours.keys[0].signer).unwrap();
    assert_eq!(ours.verify(&unnamed, now()), Err(TokenError::UnknownKey));
}

#[test]
fn what_is_no_token_is_refused() {
    let tokens = Tokens::new(TokenSettings::default(), vec![signing_key(&ring(), 1)]);
    for text in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "null", "\0", "é.é.é", &".".repeat(10_000)] {
        assert_eq!(tokens.verify(text, now()), Err(TokenError::Malformed), "{text:?}");
    }
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(tokens.keys[0].jwk.kid.clone());
    let strange = jsonwebtoken::encode(&header, &json!({ "exp": "soon" }), &tokens.keys[0].signer).unwrap();
    assert_eq!(tokens.verify(&strange, now()).unwrap_err().to_string(), "JWT claims are invalid");
}

#[test]
fn issuer_and_audience_are_written_and_required_where_they_are_set() {
    let ring = ring();
    let sealed = SigningKey::generate_sealed(&ring, Uuid::from_u128(1)).unwrap();
    let tokens = |issuer: Option<&str>, audience: Option<&str>| {
        let settings = TokenSettings { issuer: issuer.map(str::to_owned), audience: audience.map(str::to_owned) };
        Tokens::new(settings, vec![SigningKey::unseal(&ring, Uuid::from_u128(1), &sealed).unwrap()])
    };
    let settings = [(None, None), (Some("a"), None), (Some("b"), None), (Some("a"), Some("x")), (Some("a"), Some("y"))];
    for (issuer, audience) in settings {
        let token = tokens(issuer, audience).issue(&claims()).unwrap();
        for (wanted_issuer, wanted_audience) in settings {
            let is_ours = (wanted_issuer.is_none() || wanted_issuer == issuer)
                && (wanted_audience.is_none() || wanted_audience == audience);
            let expected = if is_ours { Ok(claims()) } else { Err(TokenError::Foreign) };
            assert_eq!(tokens(wanted_issuer, wanted_audience).verify(&token, now()), expected);
        }
    }
}

#[test]
fn the_published_keys_verify_our_tokens() {
    let ring = ring();
    let tokens = Tokens::new(TokenSettings::default(), vec![signing_key(&ring, 1), signing_key(&ring, 2)]);
    let jwks = serde_json::to_value(tokens.jwks()).unwrap();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
    assert_eq!(jwks["keys"][0]["kid"], kid(Uuid::from_u128(1)));
    assert!(["d", "p", "q", "dp", "dq", "qi"].iter().all(|private| jwks["keys"][0].get(private).is_none()));

    // As a client of the JWKS does it, with the library's own reading of a key.
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks).unwrap();
    let token = tokens.issue(&claims()).unwrap();
    let key = DecodingKey::from_jwk(set.find(&kid(Uuid::from_u128(1))).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    assert_eq!(jsonwebtoken::decode::<Claims>(&token, &key, &validation).unwrap().claims, claims());
}

#[test]
fn a_sealed_signing_key_opens_under_its_own_id_only_and_shows_nothing() {
    let ring = ring();
    let sealed = SigningKey::generate_sealed(&ring, Uuid::from_u128(1)).unwrap();
    let swapped = SigningKey::unseal(&ring, Uuid::from_u128(2), &sealed);
    assert_eq!(swapped.err(), Some(OpenError::CannotBeOpened));
    let key = SigningKey::unseal(&ring, Uuid::from_u128(1), &sealed).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey(00000000-0000-0000-0000-000000000001)");
}

#[test]
fn what_was_verified_is_remembered_for_that_very_token_and_never_beyond_its_time_or_key() {
    let ring = ring();
    let tokens = Tokens::new(TokenSettings::default(), vec![signing_key(&ring, 1)]);
    let token = tokens.issue(&claims()).expect("issued");
    for _ in 0..2 {
        assert_eq!(tokens.verify(&token, now()), Ok(claims()));
    }
    let end = DateTime::from_timestamp(claims().exp, 0).expect("a time");
    assert_eq!(tokens.verify(&token, end), Err(TokenError::Expired));
    assert_eq!(tokens.verify(&format!("{token}A"), now()), Err(TokenError::Signature));
    let others = tokens.with_keys(vec![signing_key(&ring, 2)]);
    assert_eq!(others.verify(&token, now()), Err(TokenError::UnknownKey));
}

#[test]
fn there_is_an_end_to_what_is_remembered() {
    let verified = Verified::default();
    for number in 0..2 * REMEMBERED {
        verified.insert(sha256(&number.to_string()), claims());
        let kept = verified.0.lock().expect("nobody panicked").len();
        assert!((1..=REMEMBERED).contains(&kept));
    }
}
