//! Encrypting for a published transport key, as a client does: for our own pages, which go the way of every change.

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::password::Password;

/// The password is longer than the key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password is longer than the transport key takes")]
pub struct TooLong;

/// The password with PKCS#1 v1.5 padding, for the key with this public half (base64 of the DER SubjectPublicKeyInfo).
pub fn encrypt(public_key: &str, password: &Password) -> Result<Vec<u8>, TooLong> {
    let der = STANDARD.decode(public_key).unwrap_or_default();
    let key = PublicEncryptingKey::from_der(&der).ok().and_then(|key| Pkcs1PublicEncryptingKey::new(key).ok());
    let key = key.ok_or(TooLong)?;
    let mut ciphertext = vec![0; key.ciphertext_size()];
    key.encrypt(password.expose().as_bytes(), &mut ciphertext).map_err(|_| TooLong)?;
    Ok(ciphertext)
}
