//! What becomes of a payload with bad padding, and of one with good padding and content that is no password: the same.
//! Whether it takes as long is measured by `cargo xtask prove padding`.

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::id::TransportKeyId;
use lockstep_vault::secret;
use lockstep_vault::transport::{TransportKey, TransportKeySize, TransportPadding};
use uuid::Uuid;

#[test]
fn bad_padding_and_undecodable_content_end_alike() {
    let id = TransportKeyId(Uuid::from_u128(1));
    let key = TransportKey::generate(id, TransportKeySize::Rsa2048, TransportPadding::Pkcs1v15).unwrap();
    let public = PublicEncryptingKey::from_der(&STANDARD.decode(key.public_spki_base64()).unwrap()).unwrap();
    let public = Pkcs1PublicEncryptingKey::new(public).unwrap();
    let mut endings = std::collections::BTreeSet::new();
    for _ in 0..500 {
        let mut ciphertext = vec![0; key.ciphertext_length()];
        let content = secret::draw_bytes::<100>();
        public.encrypt(content.as_ref(), &mut ciphertext).expect("it fits");
        assert_eq!(key.open(&ciphertext, 8).as_slice(), content.as_ref());
        let undecodable = key.open_password(&ciphertext, 8).expect_err("no text");
        ciphertext[128] ^= 1;
        assert_ne!(key.open(&ciphertext, 8).as_slice(), content.as_ref());
        // With a minimum of 0 no synthetic plaintext is short enough to be text by chance.
        let bad = key.open_password(&ciphertext, 0).expect_err("no text either");
        endings.extend([undecodable, bad].map(|error| format!("{error:?} {error}")));
    }
    assert_eq!(endings.len(), 1, "{endings:?}");
}
