//! As much of an authenticator as a passkey needs: it keeps a key, and signs with it whatever it is asked to.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockstep_vault::secret::draw_bytes;
use serde_json::{Value, json};

/// Whether somebody touched it, whether it verified who that is, and whether it says with which key it signs.
const PRESENT: u8 = 1;
const VERIFIED: u8 = 4;
const WITH_KEY: u8 = 64;

/// An authenticator with one passkey.
pub(crate) struct Authenticator {
    key: EcdsaKeyPair,
    credential: Vec<u8>,
    handle: String,
    /// What it says of itself and of the page: whoever lies, lies here.
    pub(crate) says: Says,
    /// How often it has signed.
    pub(crate) counter: u32,
}

/// What an authenticator, and the browser that it is asked by, say.
#[derive(Clone)]
pub(crate) struct Says {
    pub(crate) origin: String,
    pub(crate) host: String,
    pub(crate) verified: bool,
    pub(crate) cross_origin: bool,
    pub(crate) kind: &'static str,
}

impl Authenticator {
    /// Makes a passkey, as a page of this origin asks. Gives also what the page sends on.
    pub(crate) fn make(asked: &Value, says: Says) -> (Self, String) {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let handle = asked["user"]["id"].as_str().expect("a handle").to_owned();
        let made = Self { key, credential: draw_bytes::<32>().to_vec(), handle, says, counter: 0 };
        let point = made.key.public_key().as_ref();
        let mut data = made.data(WITH_KEY);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&(made.credential.len() as u16).to_be_bytes());
        data.extend_from_slice(&made.credential);
        // A COSE key (RFC 9053): EC2, ES256, P-256, x, y.
        data.extend_from_slice(&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend_from_slice(&point[1..33]);
        data.extend_from_slice(&[0x22, 0x58, 32]);
        data.extend_from_slice(&point[33..]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend_from_slice(&(data.len() as u16).to_be_bytes());
        object.extend_from_slice(&data);
        let client = made.client("webauthn.create", asked);
        let response = json!({ "clientDataJSON": written(&client), "attestationObject": written(&object) });
        let sent = made.sent(response);
        (made, sent)
    }

    /// Shows who somebody is, as a page asks. Gives what the page sends on.
    pub(crate) fn show(&mut self, asked: &Value) -> String {
        self.counter += 1;
        let (client, data) = (self.client(self.says.kind, asked), self.data(0));
        let signed = [&data, digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.sent(json!({
            "clientDataJSON": written(&client),
            "authenticatorData": written(&data),
            "signature": written(signature.as_ref()),
            "userHandle": self.handle,
        }))
    }

    /// By what it is known.
    pub(crate) fn credential(&self) -> String {
        written(&self.credential)
    }

    /// Says that its passkey is this person's.
    pub(crate) fn claims_to_be(&mut self, handle: &[u8]) {
        self.handle = written(handle);
    }

    /// Says that its key is that passkey.
    pub(crate) fn takes_the_name_of(&mut self, other: &Self) {
        (self.credential, self.handle) = (other.credential.clone(), other.handle.clone());
    }

    fn client(&self, kind: &str, asked: &Value) -> Vec<u8> {
        let Says { origin, cross_origin, .. } = &self.says;
        let data =
            json!({ "type": kind, "challenge": asked["challenge"], "origin": origin, "crossOrigin": cross_origin });
        data.to_string().into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.says.verified { VERIFIED } else { 0 };
        let mut data = digest(&SHA256, self.says.host.as_bytes()).as_ref().to_vec();
        data.push(PRESENT | verified | flags);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    fn sent(&self, response: Value) -> String {
        let id = self.credential();
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response }).to_string()
    }
}

impl Says {
    /// The truth about a page of this origin.
    pub(crate) fn truth(origin: &str, host: &str) -> Self {
        let (origin, host) = (origin.to_owned(), host.to_owned());
        Self { origin, host, verified: true, cross_origin: false, kind: "webauthn.get" }
    }
}

fn written(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
