//! API clients: how one gets tokens, and where a person who signed in at it is sent back to.
//!
//! What a client may do with a token is not here, see [`crate::scope`].

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

/// How long access tokens may live, in seconds.
pub const TOKEN_SECONDS: RangeInclusive<i64> = 15..=43_200;

/// How long a sign-in may last without another one, in seconds: up to a year.
pub const REFRESH_SECONDS: RangeInclusive<i64> = 60..=31_536_000;

/// How a client gets a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Grant {
    /// With its own secret, for itself.
    ClientCredentials,
    /// With the code that a person's sign-in gave.
    AuthorizationCode,
    /// With the refresh token that came with the token before.
    RefreshToken,
}

/// Whether a client can keep a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ClientKind {
    /// A program on a server.
    #[default]
    Confidential,
    /// A program in people's hands: it has no secret, and what proves a code to be its own is PKCE alone.
    Public,
}

/// Whether a client works on while the person is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AccessType {
    /// No: it gets no refresh token.
    Online,
    /// It gets one, if that grant is among its own.
    #[default]
    Offline,
}

/// What is set about a client, besides what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClientSettings {
    /// What it is for.
    pub description: String,
    /// Whose it is.
    pub business_name: Option<String>,
    /// Where more is said about it.
    pub homepage_url: Option<String>,
    /// How it gets tokens.
    pub grant_types: BTreeSet<Grant>,
    /// Where people who signed in may be sent back to.
    pub redirect_uris: Vec<RedirectUri>,
    /// Whether it can keep a secret.
    #[serde(rename = "type")]
    pub kind: ClientKind,
    /// Whether it works on while the person is away.
    pub access_type: AccessType,
    /// How long a sign-in lasts, in seconds: no refresh token is good for longer.
    pub refresh_seconds: i64,
    /// Kept for the contract's sake, and of no effect.
    pub strong_auth_supported: bool,
    /// Kept for the contract's sake, and of no effect.
    pub claims_supported: bool,
    /// Kept for the contract's sake, and of no effect.
    pub internal: bool,
}

impl Default for ClientSettings {
    /// A program with a secret, which acts for itself.
    fn default() -> Self {
        Self {
            description: String::new(),
            business_name: None,
            homepage_url: None,
            grant_types: BTreeSet::from([Grant::ClientCredentials]),
            redirect_uris: Vec::new(),
            kind: ClientKind::default(),
            access_type: AccessType::default(),
            refresh_seconds: 30 * 24 * 3600,
            strong_auth_supported: false,
            claims_supported: false,
            internal: false,
        }
    }
}

/// Settings that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Contradiction {
    /// The contract's name of the field that must change.
    pub field: &'static str,
    /// The rest of the sentence that begins with the field's name.
    pub reason: &'static str,
}

impl ClientSettings {
    /// Whether it gets tokens in this way.
    pub fn has(&self, grant: Grant) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether a sign-in at it gives a refresh token.
    pub fn refreshes(&self) -> bool {
        self.has(Grant::RefreshToken) && self.access_type == AccessType::Offline
    }

    /// Whether people who signed in may be sent to `uri`: it must be one of its own, to the letter.
    pub fn redirects_to(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|own| own.as_str() == uri)
    }

    /// Refuses settings that contradict each other.
    ///
    /// # Errors
    /// The first that does.
    pub fn check(&self) -> Result<(), Contradiction> {
        let wrong = |field, reason| Err(Contradiction { field, reason });
        if self.grant_types.is_empty() {
            return wrong("grantTypes", "must name one grant at least");
        }
        if self.kind == ClientKind::Public && self.has(Grant::ClientCredentials) {
            return wrong("grantTypes", "must not hold CLIENT_CREDENTIALS for a PUBLIC client, which has no secret");
        }
        if self.has(Grant::RefreshToken) && !self.has(Grant::AuthorizationCode) {
            return wrong("grantTypes", "must hold AUTHORIZATION_CODE where it holds REFRESH_TOKEN");
        }
        if self.has(Grant::AuthorizationCode) && self.redirect_uris.is_empty() {
            return wrong("redirectUris", "must name one address at least for AUTHORIZATION_CODE");
        }
        Ok(())
    }
}

/// An address that people who signed in may be sent back to.
///
/// `https`, `http` on this machine only (RFC 8252 section 7.3), or a scheme that is an application's own and, as section 7.1
/// there wants it, a domain name in reverse. It is compared to the letter, its port included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RedirectUri(String);

/// Not an address that people may be sent back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an absolute https address, http on 127.0.0.1, [::1] or localhost, or a scheme such as com.example.app:, \
     without user, wildcard and fragment"
)]
pub struct InvalidRedirectUri;

impl RedirectUri {
    /// The longest, in bytes.
    const LONGEST: usize = 2048;

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address with these parameters behind those that it has.
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        match Url::parse(&self.0) {
            Ok(mut url) => {
                url.query_pairs_mut().extend_pairs(parameters);
                url.into()
            }
            // It was parsed when it was made.
            Err(_) => self.0.clone(),
        }
    }

    /// What a page must be allowed to lead to so that a form on it ends here: an origin, or an application's own scheme.
    pub fn origin(&self) -> String {
        match Url::parse(&self.0) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url.origin().ascii_serialization(),
            Ok(url) => format!("{}:", url.scheme()),
            Err(_) => String::new(),
        }
    }
}

impl FromStr for RedirectUri {
    type Err = InvalidRedirectUri;

    fn from_str(text: &str) -> Result<Self, InvalidRedirectUri> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'*' | b'\\' | b'"'));
        if !plain || text.len() > Self::LONGEST {
            return Err(InvalidRedirectUri);
        }
        let url = Url::parse(text).map_err(|_| InvalidRedirectUri)?;
        let is_local = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let anonymous = url.username().is_empty() && url.password().is_none();
        // The parser forgives `https:host` and the like; what is compared to the letter must be written out.
        let written_out = |scheme: &str| text.starts_with(&format!("{scheme}://"));
        let fits = match url.scheme() {
            "https" => url.host().is_some() && written_out("https"),
            "http" => is_local && written_out("http"),
            own => own.contains('.') && text.starts_with(&format!("{own}:")),
        };
        match fits && anonymous {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidRedirectUri),
        }
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RedirectUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RedirectUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_nobody_else_listens_at_are_taken() {
        for (uri, taken) in [
            ("https://app.example.org/callback", true),
            ("https://app.example.org:8443/callback?tenant=1", true),
            ("http://127.0.0.1:4711/cb", true),
            ("http://[::1]/cb", true),
            ("http://localhost:3000/cb", true),
            ("com.example.app:/callback", true),
            ("http://app.example.org/callback", false),
            ("http://localhost.example.org/", false),
            ("http://127.0.0.1@evil.example/", false),
            ("https://user@app.example.org/", false),
            ("https://app.example.org/callback#x", false),
            ("https://*.example.org/callback", false),
            ("https:app.example.org", false),
            ("HTTPS://app.example.org/", false),
            ("https://app.example.org\\@evil.example/", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("app:/callback", false),
            ("//app.example.org/", false),
            ("/callback", false),
            ("https://app.example.org/ a", false),
            ("https://app.example.org/\u{fc}", false),
            ("", false),
        ] {
            assert_eq!(uri.parse::<RedirectUri>().is_ok(), taken, "{uri}");
        }
    }

    #[test]
    fn parameters_come_behind_those_that_are_there() {
        let uri: RedirectUri = "https://app.example.org/cb?a=1".parse().expect("an address");
        assert_eq!(
            uri.with(&[("code", "x y"), ("iss", "https://i")]),
            "https://app.example.org/cb?a=1&code=x+y&iss=https%3A%2F%2Fi"
        );
        assert_eq!(uri.origin(), "https://app.example.org");
        let uri: RedirectUri = "com.example.app:/cb".parse().expect("an address");
        assert_eq!(uri.with(&[("code", "x")]), "com.example.app:/cb?code=x");
        assert_eq!(uri.origin(), "com.example.app:");
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let uri: RedirectUri = "https://app.example.org/cb".parse().expect("an address");
        let settings = |grants: &[Grant], kind, uris: &[RedirectUri]| ClientSettings {
            grant_types: grants.iter().copied().collect(),
            kind,
            redirect_uris: uris.to_vec(),
            ..ClientSettings::default()
        };
        let (public, confidential) = (ClientKind::Public, ClientKind::Confidential);
        use Grant::{AuthorizationCode, ClientCredentials, RefreshToken};
        for (grants, kind, uris, field) in [
            (&[ClientCredentials][..], confidential, &[][..], None),
            (&[AuthorizationCode, RefreshToken], public, std::slice::from_ref(&uri), None),
            (&[], confidential, &[], Some("grantTypes")),
            (&[ClientCredentials], public, &[], Some("grantTypes")),
            (&[ClientCredentials, RefreshToken], confidential, &[], Some("grantTypes")),
            (&[AuthorizationCode], public, &[], Some("redirectUris")),
        ] {
            let checked = settings(grants, kind, uris).check();
            assert_eq!(checked.err().map(|wrong| wrong.field), field, "{grants:?}");
        }
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let read: ClientSettings = serde_json::from_str("{}").expect("settings");
        assert_eq!(read, ClientSettings::default());
        assert!(!read.refreshes() && read.has(Grant::ClientCredentials));
    }
}
