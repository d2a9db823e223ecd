//! AES-256-GCM with a random nonce: the one cipher under which anything is kept.
//!
//! What a ciphertext belongs to, and which key it is under, is decided in `seal` and `key_ring`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::secret;

/// Appends nonce, ciphertext and tag to `out`.
pub(crate) fn encrypt(key: UnboundKey, associated: &[u8], plaintext: &[u8], out: &mut Vec<u8>) {
    let nonce: [u8; NONCE_LEN] = secret::random();
    // Room for everything at once: a growing vector would leave plaintext behind in the memory it gave back.
    out.reserve_exact(NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
    out.extend_from_slice(&nonce);
    let start = out.len();
    out.extend_from_slice(plaintext);
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut out[start..])
        .expect("AES-256-GCM encrypts anything shorter than 64 GiB");
    out.extend_from_slice(tag.as_ref());
}

/// What [`encrypt`] appended, or nothing where a single bit, the key or the associated data differs.
pub(crate) fn decrypt(key: UnboundKey, associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length = LessSafeKey::new(key).open_in_place(nonce, Aad::from(associated), &mut buffer).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

/// A key of this cipher.
pub(crate) fn key(bytes: &[u8; 32]) -> UnboundKey {
    UnboundKey::new(&AES_256_GCM, bytes).expect("an AES-256 key is 32 bytes")
}
