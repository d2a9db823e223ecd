//! The four calls of a password change, and what their answers hold.
//!
//! It speaks the published contract only, so that it works with every server that speaks it. It decides nothing.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::password::Password;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(30);

/// How often a call that met the rate limit is made again.
const REPEATS: usize = 3;

/// The longest time a server may ask us to wait for its rate limit.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A client that is signed in.
pub(super) struct Session {
    http: Client,
    base: String,
    token: Zeroizing<String>,
}

/// The answer to query-password-info.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Info {
    pub(super) identity_id: String,
    pub(super) source_id: String,
    pub(super) public_key_id: String,
    /// Base64 of the DER SubjectPublicKeyInfo.
    pub(super) public_key: String,
    pub(super) accounts: Vec<Account>,
    #[serde(default)]
    pub(super) policies: Vec<String>,
}

/// An account of the person on the source.
#[derive(Debug, Deserialize)]
pub(super) struct Account {
    #[serde(rename = "accountId")]
    pub(super) id: String,
}

/// What has become of a change.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) state: String,
    #[serde(default)]
    pub(super) errors: Vec<String>,
    #[serde(default)]
    pub(super) source_ids: Vec<String>,
}

impl Status {
    /// The state in which every target has the new password.
    pub(super) const FINISHED: &str = "FINISHED";

    /// Whether nothing will change any more.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.state.as_str(), Self::FINISHED | "FAILED")
    }
}

/// The server could not be asked; it may be possible in a moment.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach {address}")]
struct Unreachable {
    address: String,
    source: reqwest::Error,
}

/// Whether the same question may well be answered a moment later.
pub(super) fn is_passing(error: &anyhow::Error) -> bool {
    error.is::<Unreachable>()
}

/// The password as the server's transport key takes it: PKCS#1 v1.5 padding, then base64.
pub(super) fn encrypt(public_key: &str, password: &Password) -> Result<String> {
    let der = STANDARD.decode(public_key).context("the server's public key is not base64")?;
    let key = PublicEncryptingKey::from_der(&der)
        .ok()
        .and_then(|key| Pkcs1PublicEncryptingKey::new(key).ok())
        .context("the server's public key is no RSA key")?;
    let plaintext = password.expose().as_bytes();
    if plaintext.len() > key.max_plaintext_size() {
        bail!("the password has {} bytes, but the server takes {} at most", plaintext.len(), key.max_plaintext_size());
    }
    let mut ciphertext = vec![0; key.ciphertext_size()];
    let encrypted = key.encrypt(plaintext, &mut ciphertext).ok().context("the password cannot be encrypted")?;
    Ok(STANDARD.encode(encrypted))
}

impl Session {
    /// Exchanges the client's id and secret for a token.
    pub(super) async fn sign_in(base: &str, client_id: &str, secret: &str) -> Result<Self> {
        let url: Url = base.parse().with_context(|| format!("{base:?} is no address; write http://host:port"))?;
        if url.scheme() == "http" && !is_local(&url) {
            eprintln!("warning: {base} is not https: the client's secret crosses the network readable to all");
        }
        // A redirect would hand the token, or the secret, to whoever the answer names.
        let mut http = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(CALL);
        if url.scheme() == "http" {
            // A bare system trusts no certificates, and without TLS none is needed.
            http = http.tls_certs_only([]);
        }
        let http = http
            .build()
            .context("cannot set up TLS; on Debian the package ca-certificates has what a system trusts")?;
        let mut session =
            Self { http, base: base.trim_end_matches('/').to_owned(), token: Zeroizing::new(String::new()) };

        #[derive(Deserialize)]
        struct Token {
            access_token: String,
        }
        let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret)];
        let answer = session.send(session.http.post(session.address("/oauth/token")).form(&form)).await;
        let token: Token = read(answer.context("cannot sign in")?).await.context("cannot sign in")?;
        session.token = Zeroizing::new(token.access_token);
        Ok(session)
    }

    /// What to encrypt with, and for which account.
    pub(super) async fn info(&self, user: &str, source: Option<&str>) -> Result<Info> {
        let mut body = json!({ "userName": user });
        if let Some(source) = source {
            body["sourceName"] = source.into();
        }
        let request = self.http.post(self.address("/v2024/query-password-info")).json(&body);
        let answer = self.send(request.bearer_auth(self.token.as_str())).await?;
        read(answer).await.context("cannot learn how to change this password")
    }

    /// Asks for the change; gives its id, or none where the server has nothing to do.
    pub(super) async fn set(&self, info: &Info, account: &Account, encrypted: &str) -> Result<Option<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Accepted {
            request_id: Option<String>,
        }
        let body = json!({
            "identityId": info.identity_id,
            "sourceId": info.source_id,
            "accountId": account.id,
            "publicKeyId": info.public_key_id,
            "encryptedPassword": encrypted,
        });
        let request = self.http.post(self.address("/v2024/set-password")).json(&body);
        let answer = self.send(request.bearer_auth(self.token.as_str())).await?;
        let accepted: Accepted = read(answer).await.context("the change was not accepted")?;
        Ok(accepted.request_id)
    }

    /// What has become of the change.
    pub(super) async fn status(&self, id: &str) -> Result<Status> {
        let request = self.http.get(self.address(&format!("/v2024/password-change-status/{id}")));
        let answer = self.send(request.bearer_auth(self.token.as_str())).await?;
        read(answer).await.context("cannot learn what became of the change")
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a request, again where the rate limit says so: the contract makes each of these calls repeatable.
    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        for _ in 0..REPEATS {
            let again = request.try_clone().context("this request cannot be repeated")?;
            let answer = self.send_once(again).await?;
            if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(answer);
            }
            let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(1)).min(LONGEST_WAIT)).await;
        }
        self.send_once(request).await
    }

    async fn send_once(&self, request: RequestBuilder) -> Result<Response> {
        let sent = request.send().await;
        Ok(sent.map_err(|source| Unreachable { address: self.base.clone(), source: source.without_url() })?)
    }
}

/// The body of a good answer, or the server's own words about a bad one.
async fn read<T: serde::de::DeserializeOwned>(answer: Response) -> Result<T> {
    let status = answer.status();
    let request_id = answer.headers().get("slpt-request-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = Zeroizing::new(answer.bytes().await.context("the answer broke off")?.to_vec());
    if !status.is_success() {
        let cause = complaint(&serde_json::from_slice(&body).unwrap_or_default());
        let reference = request_id.map(|id| format!(" (request {id})")).unwrap_or_default();
        bail!("the server answered {status}{}{cause}{reference}", if cause.is_empty() { "" } else { ": " });
    }
    // The error of the parser quotes values; of an answer that holds a token nothing is quoted.
    serde_json::from_slice(&body)
        .ok()
        .context("the server's answer is not what the contract says; is it the right address?")
}

/// What an error body says, in whichever of the contract's shapes it is.
fn complaint(body: &Value) -> String {
    let texts = [
        &body["messages"][0]["text"],
        &body["error_description"],
        &body["error"],
        &body["message"],
        &body["errorMessage"],
    ];
    let text = texts.iter().find_map(|text| text.as_str()).unwrap_or_default();
    // A server's text goes to a terminal: nothing in it may move the cursor.
    text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}

fn is_local(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_the_servers_words() {
        for (body, text) in [
            (json!({"detailCode": "400.1", "messages": [{"text": "no such source"}]}), "no such source"),
            (json!({"error": "invalid_client", "error_description": "wrong credentials"}), "wrong credentials"),
            (json!({"error": "JWT validation failed: JWT is expired"}), "JWT validation failed: JWT is expired"),
            (json!({"message": " Rate Limit Exceeded "}), "Rate Limit Exceeded"),
            (json!({"error": "a\u{1b}[2Jb\n"}), "a[2Jb"),
            (Value::Null, ""),
        ] {
            assert_eq!(complaint(&body), text, "{body}");
        }
    }

    #[test]
    fn only_loopback_is_local() {
        for (url, local) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("http://example.test", false),
        ] {
            assert_eq!(is_local(&url.parse().unwrap()), local, "{url}");
        }
    }

    #[test]
    fn only_what_the_key_takes_is_encrypted() {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        use aws_lc_rs::rsa::{KeySize, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};

        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let der: PublicKeyX509Der<'_> = private.public_key().as_der().unwrap();
        let public = STANDARD.encode(der.as_ref());
        let longest = "x".repeat(245);
        let encrypted = encrypt(&public, &Password::try_from(longest.as_str()).unwrap()).unwrap();
        let opener = Pkcs1PrivateDecryptingKey::new(private).unwrap();
        let mut room = vec![0; opener.min_output_size()];
        let opened = opener.decrypt(&STANDARD.decode(encrypted).unwrap(), &mut room).unwrap();
        assert_eq!(opened, longest.as_bytes());

        let too_long = Password::try_from("x".repeat(246).as_str()).unwrap();
        assert!(encrypt(&public, &too_long).unwrap_err().to_string().contains("245"));
        assert!(encrypt("AAAA", &Password::try_from("x").unwrap()).is_err());
        assert!(encrypt("not base64!", &Password::try_from("x").unwrap()).is_err());
    }
}
