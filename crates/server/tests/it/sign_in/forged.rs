//! Tokens that somebody else made.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::lives;
use crate::harness::{Answer, Harness};

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn no_header_makes_a_foreign_signature_ours() {
    let harness = Harness::start_without_worker().await;
    let real = harness.client_token("sp:scopes:all").await;
    let mut parts = real.split('.');
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().expect("one")).expect("base64")).expect("JSON");
    let payload = parts.next().expect("two").to_owned();
    let kid = header["kid"].clone();
    let jwks = Answer::of(harness.http.get(harness.url("/oauth/jwks"))).await.with_status(200);

    let own = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let components: RsaPublicKeyComponents<Vec<u8>> = own.public_key().into();
    let jwk = json!({
        "kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid,
        "n": URL_SAFE_NO_PAD.encode(&components.n), "e": URL_SAFE_NO_PAD.encode(&components.e)
    });
    let rsa = |header: Value| {
        let signed = format!("{}.{payload}", part(&header));
        let mut signature = vec![0; own.public_modulus_len()];
        own.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let hmac = |key: &[u8]| {
        let signed = format!("{}.{payload}", part(&json!({ "alg": "HS256", "typ": "JWT", "kid": kid })));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    let modulus = jwks["keys"][0]["n"].as_str().expect("a modulus");
    let der = own.public_key().as_der().map(|der: aws_lc_rs::encoding::PublicKeyX509Der<'_>| der.as_ref().to_vec());
    let unsigned = |alg: &str| format!("{}.{payload}.", part(&json!({ "alg": alg, "kid": kid })));
    let forged = [
        unsigned("none"),
        unsigned("None"),
        unsigned("RS256"),
        hmac(modulus.as_bytes()),
        hmac(&URL_SAFE_NO_PAD.decode(modulus).expect("base64")),
        hmac(jwks.to_string().as_bytes()),
        hmac(&der.expect("DER")),
        hmac(b""),
        rsa(json!({ "alg": "RS256", "kid": kid })),
        rsa(json!({ "alg": "RS256" })),
        rsa(json!({ "alg": "RS256", "kid": "00000000000000000000000000000000" })),
        rsa(json!({ "alg": "RS256", "kid": "../../../../dev/null" })),
        rsa(json!({ "alg": "RS256", "kid": "' OR '1'='1" })),
        rsa(json!({ "alg": "RS256", "kid": kid, "jwk": jwk })),
        rsa(json!({ "alg": "RS256", "jwk": jwk })),
        rsa(json!({ "alg": "RS256", "kid": kid, "jku": "http://127.0.0.1:9/jwks" })),
        rsa(json!({ "alg": "RS256", "kid": kid, "x5u": "http://127.0.0.1:9/x5u" })),
        rsa(json!({ "alg": "RS256", "kid": kid, "crit": ["exp"] })),
    ];
    for token in forged {
        assert!(!lives(&harness, &json!({ "access_token": token })).await, "{token}");
    }
    assert!(lives(&harness, &json!({ "access_token": real })).await);
    harness.stop().await;
}
