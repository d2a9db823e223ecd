//! Access tokens: JSON Web Tokens (RFC 7519) signed with RS256.
//!
//! A token that verifies was issued here and has not expired. Whether it still counts (its client revoked, its
//! identity disabled, the password changed) is for the server to look up by the token's id. Refresh tokens are random
//! secrets, not JSON Web Tokens.

pub mod rotation;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RsaKeyPair, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::key_ring::KeyRing;
use crate::seal::{Binding, OpenError};

/// What an access token says, with the contract's names. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The installation's id.
    pub tenant_id: String,
    /// The organisation's name.
    pub org: String,
    /// The contract's name for the place it runs in.
    pub pod: String,
    /// Whose token it is, 32 hexadecimal digits; absent for an API client that acts for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// That identity's alias; absent with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// The user levels it acts with, such as `ORG_ADMIN`.
    pub authorities: Vec<String>,
    /// The client it was issued to: an API client or a personal access token.
    pub client_id: String,
    /// The scopes it was issued with.
    pub scope: Vec<String>,
    /// Whether its owner proved more than a password.
    pub strong_auth: bool,
    /// From this second on it is not accepted.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its own id.
    pub jti: String,
    /// The sign-in that it came from, 32 hexadecimal digits; absent unless a person signed in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Stands for the secret that it was exchanged for, so that it ends with that; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
}

/// Why a token is not accepted. The texts go to the client behind `JWT validation failed: `.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url, or no header in the first.
    #[error("JWT is malformed")]
    Malformed,
    /// Another algorithm than RS256, `none` among them.
    #[error("JWT algorithm is not accepted")]
    Algorithm,
    /// No key id, or one that was never ours or is ours no more.
    #[error("JWT signing key is unknown")]
    UnknownKey,
    /// Altered, or signed by somebody else.
    #[error("JWT signature is invalid")]
    Signature,
    /// Its time is over.
    #[error("JWT is expired")]
    Expired,
    /// Its time has not come, by more than calendars may differ.
    #[error("JWT is not valid yet")]
    NotYet,
    /// Issued by or for somebody else.
    #[error("JWT was not issued for this server")]
    Foreign,
    /// Well signed, but not the claims of an access token.
    #[error("JWT claims are invalid")]
    Claims,
}

/// The library could not make or use a signing key, which means that it has no memory or no randomness left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// A new key.
    #[error("a signing key cannot be generated")]
    Generate,
    /// A token.
    #[error("an access token cannot be signed")]
    Sign,
    /// There is no key to sign with.
    #[error("there is no key to sign access tokens with")]
    NoKey,
}

/// What tokens name as their issuer and audience, where the installation wants that. Both are written into every
/// token and then required of every token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSettings {
    /// The claim `iss`: usually the public base address.
    pub issuer: Option<String>,
    /// The claim `aud`.
    pub audience: Option<String>,
}

/// A key that signs access tokens. Its `Debug` shows its id only.
pub struct SigningKey {
    /// The `kid` of the tokens it signs.
    pub id: Uuid,
    signer: EncodingKey,
    verifier: DecodingKey,
    jwk: Jwk,
}

impl SigningKey {
    /// Makes a new key of 2048 bits and gives it in sealed form, which [`SigningKey::unseal`] reads. This computes for
    /// about 100 ms.
    pub fn generate_sealed(ring: &KeyRing, id: Uuid) -> Result<Vec<u8>, SigningError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| SigningError::Generate)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| SigningError::Generate)?;
        Ok(ring.seal(&Binding::TokenSigningKey(id), der.as_ref()))
    }

    /// The key that [`SigningKey::generate_sealed`] sealed.
    ///
    /// # Errors
    /// Sealed under another data key, for another id, or altered.
    pub fn unseal(ring: &KeyRing, id: Uuid, sealed: &[u8]) -> Result<Self, OpenError> {
        let der = ring.open_sealed(&Binding::TokenSigningKey(id), sealed)?;
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| OpenError::CannotBeOpened)?;
        // The library signs with a PKCS#1 key and unpacks a PKCS#8 one from PEM only.
        let armoured = Zeroizing::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            Zeroizing::new(STANDARD.encode(&*der)).as_str()
        ));
        let components: RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
        Ok(Self {
            id,
            signer: EncodingKey::from_rsa_pem(armoured.as_bytes()).map_err(|_| OpenError::CannotBeOpened)?,
            verifier: DecodingKey::from_rsa_raw_components(&components.n, &components.e),
            jwk: Jwk {
                kty: "RSA",
                key_use: "sig",
                alg: "RS256",
                kid: kid(id),
                n: URL_SAFE_NO_PAD.encode(&components.n),
                e: URL_SAFE_NO_PAD.encode(&components.e),
            },
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// The public half of a signing key as RFC 7517 writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    #[serde(rename = "use")]
    key_use: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

/// The public halves of every key that a living token may be signed with, as RFC 7517 section 5 writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The signing key first.
    pub keys: Vec<Jwk>,
}

/// How far ahead, in seconds, the calendar of another node may be that issued a token: nodes whose clocks differ by minutes work
/// together. A token is not dated ahead by anybody else, who has no key.
const CALENDARS_DIFFER: i64 = 3600;

/// How many tokens are remembered as verified at most.
const REMEMBERED: usize = 4096;

/// Issues and verifies access tokens: the first key signs, all verify.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    settings: TokenSettings,
    keys: Vec<SigningKey>,
    verified: Verified,
}

/// The claims of tokens whose signature, issuer and audience were found right, by the SHA-256 of the whole token: a client
/// sends the same one for minutes, and to verify RS256 again is one of the larger parts of a small request.
///
/// It is forgotten with the keys that verified it, since new keys make new [`Tokens`]. The expiry is looked at each time.
/// Only what a key of ours has signed gets in; a full one is emptied.
#[derive(Default)]
struct Verified(Mutex<HashMap<[u8; 32], Claims>>);

impl Verified {
    fn get(&self, token: &[u8; 32]) -> Option<Claims> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    fn insert(&self, token: [u8; 32], claims: Claims) {
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(token, claims);
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified")
    }
}

/// The claims on the wire: the contract's, and those that the settings add.
#[derive(Serialize, Deserialize)]
struct WireClaims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// We write none; one that is there counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(flatten)]
    claims: Claims,
}

impl Tokens {
    pub(crate) fn new(settings: TokenSettings, keys: Vec<SigningKey>) -> Self {
        Self { settings, keys, verified: Verified::default() }
    }

    pub(crate) fn issue(&self, claims: &Claims) -> Result<String, SigningError> {
        let key = self.keys.first().ok_or(SigningError::NoKey)?;
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(kid(key.id));
        let TokenSettings { issuer, audience } = self.settings.clone();
        let claims = WireClaims { iss: issuer, aud: audience, nbf: None, claims: claims.clone() };
        jsonwebtoken::encode(&header, &claims, &key.signer).map_err(|_| SigningError::Sign)
    }

    pub(crate) fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenError> {
        let hash = sha256(token);
        let claims = match self.verified.get(&hash) {
            Some(claims) => claims,
            None => {
                let claims = self.verify_signature(token)?;
                self.verified.insert(hash, claims.clone());
                claims
            }
        };
        // RFC 7519 section 4.1.4: not accepted on or after the expiry.
        let now = now.timestamp();
        match now >= claims.exp {
            true => Err(TokenError::Expired),
            false if claims.iat > now + CALENDARS_DIFFER => Err(TokenError::NotYet),
            false => Ok(claims),
        }
    }

    /// Everything but the time.
    fn verify_signature(&self, token: &str) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|error| refusal(error.kind()))?;
        if header.alg != Algorithm::RS256 {
            return Err(TokenError::Algorithm);
        }
        let named = header.kid.ok_or(TokenError::UnknownKey)?;
        let key = self.keys.iter().find(|key| key.jwk.kid == named).ok_or(TokenError::UnknownKey)?;

        // The library judges the signature only: its clock is not ours, and time is an argument here.
        let mut signature_only = Validation::new(Algorithm::RS256);
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        signature_only.required_spec_claims.clear();
        let wire: WireClaims = match jsonwebtoken::decode(token, &key.verifier, &signature_only) {
            Ok(decoded) => decoded.claims,
            // The header was read before and the signature comes before the claims, so it is these that do not fit.
            Err(error) if matches!(error.kind(), ErrorKind::Json(_)) => return Err(TokenError::Claims),
            Err(error) => return Err(refusal(error.kind())),
        };
        let TokenSettings { issuer, audience } = &self.settings;
        if issuer.is_some() && wire.iss != *issuer || audience.is_some() && wire.aud != *audience {
            return Err(TokenError::Foreign);
        }
        let mut claims = wire.claims;
        claims.iat = claims.iat.max(wire.nbf.unwrap_or(i64::MIN));
        Ok(claims)
    }

    pub(crate) fn jwks(&self) -> Jwks {
        Jwks { keys: self.keys.iter().map(|key| key.jwk.clone()).collect() }
    }

    pub(crate) fn with_keys(&self, keys: Vec<SigningKey>) -> Self {
        Self::new(self.settings.clone(), keys)
    }
}

fn sha256(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

fn kid(id: Uuid) -> String {
    id.simple().to_string()
}

/// Our words for the library's reasons.
fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm => {
            TokenError::Algorithm
        }
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod tests;
