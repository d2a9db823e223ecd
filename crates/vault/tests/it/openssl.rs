//! Payloads that the `openssl` command made, as the contract's documents tell clients to.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::id::TransportKeyId;
use lockstep_vault::transport::implicit_rejection::LEAST_LONG;
use lockstep_vault::transport::{TransportKey, TransportKeySize, TransportPadding};
use tempfile::TempDir;
use uuid::Uuid;

/// A transport key, and its public half in a file as a client would write it.
struct Client {
    key: TransportKey,
    directory: TempDir,
}

impl Client {
    fn new(size: TransportKeySize, padding: TransportPadding) -> Self {
        let id = TransportKeyId(Uuid::from_u128(1));
        let key = TransportKey::generate(id, size, padding).expect("a transport key");
        let directory = tempfile::tempdir().expect("a temporary folder");
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", key.public_spki_base64());
        fs::write(directory.path().join("public_key.pem"), pem).expect("writing the public key");
        Self { key, directory }
    }

    fn encrypt(&self, plaintext: &[u8], options: &[&str]) -> Vec<u8> {
        let input: PathBuf = self.directory.path().join("plaintext");
        fs::write(&input, plaintext).expect("writing the plaintext");
        let output = Command::new("openssl")
            .args(["pkeyutl", "-encrypt", "-pubin", "-inkey"])
            .arg(self.directory.path().join("public_key.pem"))
            .arg("-in")
            .arg(&input)
            .args(options.iter().flat_map(|option| ["-pkeyopt", option]))
            .stdin(Stdio::null())
            .output()
            .expect("this test needs the `openssl` command: install the package openssl");
        assert!(output.status.success(), "openssl failed: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

#[test]
fn what_openssl_encrypts_as_documented_is_opened() {
    for (size, _) in TransportKeySize::BITS {
        let client = Client::new(size, TransportPadding::Pkcs1v15);
        for password in ["myPassword", "x", " p:q\"'\\ \u{1F511} ", &"p".repeat(245)] {
            let ciphertext = client.encrypt(password.as_bytes(), &[]);
            assert_eq!(ciphertext.len(), client.key.ciphertext_length());
            assert_eq!(client.key.open_password(&ciphertext, 8).unwrap().expose(), password);
        }
    }
}

#[test]
fn what_openssl_encrypts_with_oaep_is_opened_under_an_oaep_key_only() {
    let oaep = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"];
    let client = Client::new(TransportKeySize::Rsa2048, TransportPadding::OaepSha256);
    let ciphertext = client.encrypt(b"myPassword", &oaep);
    assert_eq!(client.key.open_password(&ciphertext, 8).unwrap().expose(), "myPassword");

    let wrong_hash = client.encrypt(b"myPassword", &["rsa_padding_mode:oaep", "rsa_oaep_md:sha1"]);
    assert_synthetic(&client, &wrong_hash);
    assert_synthetic(&client, &client.encrypt(b"myPassword", &[]));
    let client = Client::new(TransportKeySize::Rsa2048, TransportPadding::Pkcs1v15);
    assert_synthetic(&client, &client.encrypt(b"myPassword", &oaep));
}

#[test]
fn the_published_key_is_one_line_of_base64_that_openssl_reads() {
    let client = Client::new(TransportKeySize::Rsa2048, TransportPadding::Pkcs1v15);
    let public = client.key.public_spki_base64();
    assert!(!public.contains(char::is_whitespace));
    let shown = Command::new("openssl")
        .args(["pkey", "-pubin", "-noout", "-text", "-in"])
        .arg(client.directory.path().join("public_key.pem"))
        .output()
        .expect("this test needs the `openssl` command: install the package openssl");
    assert!(String::from_utf8_lossy(&shown.stdout).contains("2048 bit"), "{shown:?}");
    // SEQUENCE, SEQUENCE, OBJECT rsaEncryption: a SubjectPublicKeyInfo, not a bare RSAPublicKey.
    let rsa_encryption = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
    assert_eq!(STANDARD.decode(public).unwrap()[6..17], *rsa_encryption);
}

/// Every way in which a padded block can be wrong, made by encrypting the block itself without padding.
#[test]
fn every_kind_of_bad_padding_opens_to_a_stable_synthetic_plaintext() {
    let client = Client::new(TransportKeySize::Rsa2048, TransportPadding::Pkcs1v15);
    let raw = |block: &[u8]| client.encrypt(block, &["rsa_padding_mode:none"]);
    let block = |head: &[u8], filler: usize, tail: &[u8]| {
        let mut block = head.to_vec();
        block.resize(head.len() + filler, 0x55);
        block.extend_from_slice(tail);
        block.resize(256, b'p');
        block
    };

    // The control: 8 bytes of filler are enough, and a message may be empty.
    let good = block(&[0, 2], 8, b"\0myPassword");
    assert_eq!(client.key.open(&raw(&good), 0).as_slice(), &good[11..]);
    let empty = block(&[0, 2], 253, b"\0");
    assert_eq!(client.key.open(&raw(&empty), 0).as_slice(), b"");

    let bad = [
        ("block type 1", block(&[0, 1], 8, b"\0myPassword")),
        ("block type 0", block(&[0, 0], 8, b"\0myPassword")),
        ("first byte not zero", block(&[1, 2], 8, b"\0myPassword")),
        ("seven bytes of filler", block(&[0, 2], 7, b"\0myPassword")),
        ("no filler", block(&[0, 2], 0, b"\0myPassword")),
        ("no separator", block(&[0, 2], 254, b"")),
        ("all zero", vec![0; 256]),
    ];
    for (what, block) in bad {
        let ciphertext = raw(&block);
        assert_synthetic(&client, &ciphertext);
        assert_eq!(client.key.open(&ciphertext, 0), client.key.open(&ciphertext, 0), "{what}");
        assert!(!client.key.open(&ciphertext, 0).windows(10).any(|w| w == b"myPassword"), "{what}");
    }
}

/// With no policy minimum every synthetic plaintext is long, and none that was made here is text.
fn assert_synthetic(client: &Client, ciphertext: &[u8]) {
    assert!(client.key.open(ciphertext, 0).len() >= LEAST_LONG);
    assert!(client.key.open_password(ciphertext, 0).is_err());
}
