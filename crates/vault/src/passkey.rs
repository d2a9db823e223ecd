//! Passkeys (Web Authentication, <https://www.w3.org/TR/webauthn-3/>): what is asked of an authenticator, and whether what it
//! sends back is right: for this origin and this relying party, with the person verified, over a challenge that the caller
//! knows to be its own.
//!
//! Who asks which authenticator, that a challenge works once and that a counter never goes back are whoever stores them's
//! business.

use passki::{
    AttestationConveyancePreference, AuthenticationCredential, AuthenticationOptions, AuthenticationState, ClientData,
    Passki, PasskiError, RegistrationCredential, RegistrationOptions, RegistrationState, ResidentKeyRequirement,
    StoredPasskey, UserVerificationRequirement,
};
use serde_json::json;

/// How long a browser waits for the person, in milliseconds.
const PATIENCE: u64 = 300_000;

/// Whom a passkey is for: this server under its public address, whatever else the machine is called.
pub struct RelyingParty(Passki);

/// A passkey, as it is stored. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicKey {
    /// By which the authenticator knows it.
    pub credential: Vec<u8>,
    /// With what its signatures are verified, and what it said of itself.
    pub key: serde_json::Value,
    /// How often it has signed, as far as it counts: many do not, and say 0.
    pub counter: i64,
}

/// Whom a new passkey is for.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// What the authenticator gives back, so that nobody has to type a user name.
    pub handle: &'a [u8],
    /// The name that they sign in with.
    pub name: &'a str,
    /// What they are called.
    pub display_name: &'a str,
}

/// What an authenticator sent is not right. Why is for the log alone, in words of ours: what was sent may say anything.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no passkey of this server: {0}")]
pub struct NotRight(&'static str);

impl From<PasskiError> for NotRight {
    fn from(error: PasskiError) -> Self {
        Self(match error {
            PasskiError::ChallengeMismatch => "something else was signed",
            PasskiError::OriginMismatch { .. } => "it is for pages elsewhere",
            PasskiError::CrossOriginNotAllowed => "the page stands in somebody else's",
            PasskiError::RpIdHashMismatch => "it is for another server",
            PasskiError::UserNotPresent | PasskiError::UserVerificationRequired => "its person was not verified",
            PasskiError::CounterRegression => "it has counted backwards, so there are two of it",
            PasskiError::SignatureVerificationFailed => "another key has signed",
            _ => "it cannot be read",
        })
    }
}

impl From<serde_json::Error> for NotRight {
    fn from(_: serde_json::Error) -> Self {
        Self("it cannot be read")
    }
}

/// The longest credential id that the specification allows.
const LONGEST_CREDENTIAL: usize = 1023;

/// Keys whose signatures can be verified: Ed25519, ECDSA on P-256 and P-384, RSA (RFC 9053, RFC 8812).
const ALGORITHMS: [i32; 5] = [-8, -7, -35, -257, -258];

/// What an authenticator sent to show who somebody is. Nothing of it is verified yet.
pub struct Shown {
    credential: AuthenticationCredential,
    id: Vec<u8>,
    challenge: Vec<u8>,
}

/// What an authenticator sent of a new passkey. Nothing of it is verified yet.
pub struct Made {
    credential: RegistrationCredential,
    challenge: Vec<u8>,
}

impl RelyingParty {
    /// The server of this host name, whose pages have this origin, and what people call it.
    pub fn new(host: &str, origin: &str, name: &str) -> Self {
        Self(Passki::new(host, &[origin], name))
    }

    /// What a page asks of an authenticator that is to make a passkey: none of those that the holder has already.
    ///
    /// # Errors
    /// When the handle is shorter than 16 bytes.
    pub fn ask_to_make(&self, challenge: &[u8], holder: Holder<'_>, known: &[PublicKey]) -> Result<String, NotRight> {
        let known = known.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let mut options = RegistrationOptions::default();
        options.timeout = PATIENCE;
        // Which make it is of is nobody's business here.
        options.attestation = AttestationConveyancePreference::None;
        options.resident_key = ResidentKeyRequirement::Required;
        options.user_verification = UserVerificationRequirement::Required;
        options.exclude_credentials = Some(&known);
        let asked = self.0.start_passkey_registration(holder.handle, holder.name, holder.display_name, options);
        let (mut asked, _) = asked?;
        asked.challenge = Passki::base64_encode(challenge);
        Ok(serde_json::to_string(&asked)?)
    }

    /// What a page asks of an authenticator that is to show who somebody is: with one of these passkeys, or where there are none
    /// with whichever the person chooses.
    ///
    /// # Errors
    /// When what is stored of a passkey cannot be read.
    pub fn ask_to_show(&self, challenge: &[u8], known: &[PublicKey]) -> Result<String, NotRight> {
        let known = known.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let mut options = AuthenticationOptions::default();
        options.timeout = PATIENCE;
        options.user_verification = UserVerificationRequirement::Required;
        let asked = self.0.start_passkey_authentication(&known, options);
        let (mut asked, _) = asked?;
        asked.challenge = Passki::base64_encode(challenge);
        Ok(serde_json::to_string(&asked)?)
    }

    /// The new passkey that was made over [`Made::challenge`].
    ///
    /// # Errors
    /// When it was made for somebody else's page, without verifying the person, or cannot be read.
    pub fn verify_made(&self, made: &Made) -> Result<PublicKey, NotRight> {
        let nobody = json!({ "id": "", "name": "", "displayName": "" });
        let state = json!({ "challenge": made.challenge, "user": nobody, "user_verification": "required" });
        let state: RegistrationState = serde_json::from_value(state)?;
        let made = self.0.finish_passkey_registration(&made.credential, &state)?;
        let (credential, counter) = (made.credential_id.clone(), i64::from(made.counter));
        if credential.len() > LONGEST_CREDENTIAL || !ALGORITHMS.contains(&made.algorithm) {
            return Err(NotRight("its name is too long, or its signatures cannot be verified"));
        }
        Ok(PublicKey { credential, key: serde_json::to_value(&made)?, counter })
    }

    /// How often the passkey has signed, now that it has over [`Shown::challenge`].
    ///
    /// # Errors
    /// When it is another's signature, was made for somebody else's page or without verifying the person, or the passkey has
    /// counted backwards: then there are two of it.
    pub fn verify_shown(&self, shown: &Shown, passkey: &PublicKey) -> Result<i64, NotRight> {
        let state = json!({
            "challenge": shown.challenge,
            "allowed_credentials": [passkey.credential],
            "user_verification": "required",
        });
        let state: AuthenticationState = serde_json::from_value(state)?;
        let right = self.0.finish_passkey_authentication(&shown.credential, &state, &stored(passkey)?);
        Ok(i64::from(right?.counter))
    }
}

impl Shown {
    /// Reads what a page sends on: the `AuthenticationResponseJSON` of the specification.
    pub fn read(text: &str) -> Option<Self> {
        let credential: AuthenticationCredential = serde_json::from_str(text).ok()?;
        let id = Passki::base64_decode(&credential.raw_id).ok()?;
        let challenge = challenge(&credential.response.client_data_json)?;
        Some(Self { credential, id, challenge })
    }

    /// Which passkey it says it is.
    pub fn credential(&self) -> &[u8] {
        &self.id
    }

    /// What was signed, as far as it is the caller's.
    pub fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    /// Whom it says the passkey is for; an authenticator that was told which passkeys there are need not say it.
    pub fn handle(&self) -> Option<Vec<u8>> {
        Passki::base64_decode(self.credential.response.user_handle.as_deref()?).ok()
    }
}

impl Made {
    /// Reads what a page sends on: the `RegistrationResponseJSON` of the specification.
    pub fn read(text: &str) -> Option<Self> {
        let credential: RegistrationCredential = serde_json::from_str(text).ok()?;
        let challenge = challenge(&credential.response.client_data_json)?;
        Some(Self { credential, challenge })
    }

    /// What was signed, as far as it is the caller's.
    pub fn challenge(&self) -> &[u8] {
        &self.challenge
    }
}

fn challenge(client_data: &str) -> Option<Vec<u8>> {
    let data = ClientData::from_base64(client_data).ok()?;
    Passki::base64_decode(&data.challenge).ok()
}

fn stored(passkey: &PublicKey) -> Result<StoredPasskey, NotRight> {
    let mut stored: StoredPasskey = serde_json::from_value(passkey.key.clone())?;
    stored.counter = u32::try_from(passkey.counter).map_err(|_| NotRight("its stored counter is none"))?;
    Ok(stored)
}
