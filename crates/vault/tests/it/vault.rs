//! One vault from its first start over a new master key to the next process.

use chrono::{DateTime, TimeDelta};
use lockstep_core::id::{AccountId, ChangeId, IdentityId, SourceId, TransportKeyId};
use lockstep_core::password::Password;
use lockstep_vault::Vault;
use lockstep_vault::hash::{HashCost, HashPurpose, PasswordHash, Salt};
use lockstep_vault::key_ring::{KeyRing, WrappedKey};
use lockstep_vault::master_key::MasterKey;
use lockstep_vault::seal::Binding;
use lockstep_vault::token::{Claims, TokenError, TokenSettings};
use lockstep_vault::transport::{TransportKeySize, TransportPadding};
use uuid::Uuid;

fn start(master: &MasterKey, wrapped: &[WrappedKey]) -> Vault {
    let ring = KeyRing::open(std::slice::from_ref(master), wrapped).expect("the data keys");
    Vault::new(ring, HashCost::new(8, 1, 1).expect("the least cost"), TokenSettings::default())
}

fn claims(exp: i64) -> Claims {
    Claims {
        tenant_id: "t".to_owned(),
        org: "acme".to_owned(),
        pod: "local".to_owned(),
        identity_id: None,
        user_name: None,
        authorities: vec![],
        client_id: "c".to_owned(),
        scope: vec!["idn:password-info:read".to_owned()],
        strong_auth: false,
        exp,
        iat: 0,
        jti: "j".to_owned(),
        sid: None,
        generation: None,
    }
}

#[test]
fn everything_stored_outlives_a_restart_and_a_new_master_key() {
    let directory = tempfile::tempdir().unwrap();
    let old = MasterKey::create_file(&directory.path().join("old.key")).unwrap();
    let (_, wrapped) = KeyRing::create(&old);
    let vault = start(&old, &wrapped);

    let change = Binding::Payload {
        change: ChangeId(Uuid::from_u128(1)),
        identity: IdentityId(Uuid::from_u128(2)),
        account: AccountId(Uuid::from_u128(3)),
        source: SourceId(Uuid::from_u128(4)),
    };
    let connector = Binding::ConnectorSecret { source: SourceId(Uuid::from_u128(4)), name: "bindPassword" };
    let id = TransportKeyId(Uuid::from_u128(5));
    let transport = vault.generate_transport_key(id, TransportKeySize::Rsa2048, TransportPadding::Pkcs1v15).unwrap();
    let signing = vault.generate_signing_key(Uuid::from_u128(6)).unwrap();
    vault.use_signing_keys([(Uuid::from_u128(6), signing.as_slice())]).unwrap();
    let (payload, secret) = (vault.seal(&change, b"ciphertext"), vault.seal(&connector, b"hunter2"));
    let password = Password::try_from("myPassword").unwrap();
    let salt = Salt::draw();
    let hash = vault.passwords().hash(&password, &salt).to_bytes();
    let keyed = vault.keyed_hash(HashPurpose::ClientSecret, b"secret");
    let token = vault.issue_token(&claims(1000)).unwrap();
    let corrupted = vault.transport_key(id, &transport.sealed).unwrap().open(&[7; 256], 0);

    let new = MasterKey::create_file(&directory.path().join("new.key")).unwrap();
    let wrapped = vault.rewrap(&new);
    drop(vault);
    let vault = start(&MasterKey::read_file(&directory.path().join("new.key")).unwrap(), &wrapped);

    assert_eq!(vault.open(&change, &payload).unwrap().as_slice(), b"ciphertext");
    assert_eq!(vault.open(&connector, &secret).unwrap().as_slice(), b"hunter2");
    assert!(vault.open(&change, &secret).is_err(), "a connector's secret is no payload");
    assert!(vault.passwords().verify(&password, &salt, &PasswordHash::from_bytes(&hash).unwrap()), "the same pepper");
    assert!(vault.verify_keyed_hash(HashPurpose::ClientSecret, b"secret", &keyed));
    assert!(!vault.verify_keyed_hash(HashPurpose::ClientSecret, b"secret", &keyed[..31]));
    assert!(!vault.verify_keyed_hash(HashPurpose::ClientSecret, b"Secret", &keyed));

    let now = DateTime::UNIX_EPOCH;
    assert_eq!(vault.verify_token(&token, now), Err(TokenError::UnknownKey), "no signing key is loaded yet");
    vault.use_signing_keys([(Uuid::from_u128(6), signing.as_slice())]).unwrap();
    assert_eq!(vault.verify_token(&token, now), Ok(claims(1000)));
    assert_eq!(vault.verify_token(&token, now + TimeDelta::seconds(1000)), Err(TokenError::Expired));
    assert!(vault.use_signing_keys([(Uuid::from_u128(7), signing.as_slice())]).is_err());
    assert_eq!(vault.verify_token(&token, now), Ok(claims(1000)), "a failed load changes nothing");
    assert_eq!(vault.jwks().keys.len(), 1);

    let key = vault.transport_key(id, &transport.sealed).unwrap();
    assert_eq!(key.public_spki_base64(), transport.public_key);
    assert_eq!(key.open(&[7; 256], 0), corrupted, "synthetic plaintexts stay the same");
}

#[test]
fn a_transport_key_is_unsealed_once_and_forgotten_when_told() {
    let (ring, _) = KeyRing::create(&MasterKey::generate());
    let vault = Vault::new(ring, HashCost::default(), TokenSettings::default());
    let id = TransportKeyId(Uuid::from_u128(1));
    let made = vault.generate_transport_key(id, TransportKeySize::Rsa2048, TransportPadding::OaepSha256).unwrap();
    assert_eq!(made.ciphertext_length, 256);
    assert!(vault.cached_transport_key(id).is_none());
    assert!(vault.transport_key(id, b"rubbish").is_err());

    let first = vault.transport_key(id, &made.sealed).unwrap();
    let again = vault.clone().cached_transport_key(id).expect("a clone is the same vault");
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    vault.forget_transport_key(id);
    assert!(vault.cached_transport_key(id).is_none());
}

#[test]
fn debug_of_the_vault_shows_nothing() {
    let (ring, _) = KeyRing::create(&MasterKey::generate());
    let vault = Vault::new(ring, HashCost::default(), TokenSettings::default());
    assert_eq!(format!("{vault:?}"), "Vault(redacted)");
}
