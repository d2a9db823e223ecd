//! The four-call flow as a program of somebody else would do it: JSON over HTTP, and encryption with another library's
//! view of the published key. Each call is made by a client that may do only that.

use std::time::Duration;

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{CLIENT_SECRET, CLIENTS, ClientSpec};
use super::until;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The API of one installation.
#[derive(Clone)]
pub(super) struct Api {
    http: Client,
    url: String,
    tokens: Vec<String>,
    /// Whether a server may be there and say nothing.
    may_hang: bool,
}

/// What query-password-info answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordInfo {
    pub(super) identity_id: String,
    pub(super) source_id: String,
    pub(super) public_key_id: String,
    pub(super) public_key: String,
    pub(super) accounts: Vec<Account>,
}

/// One account of the answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) account_id: String,
}

/// What password-change-status answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) request_id: String,
    pub(super) state: String,
    pub(super) errors: Vec<String>,
    pub(super) source_ids: Vec<String>,
}

impl Status {
    /// Whether nothing changes any more.
    pub(super) fn is_final(&self) -> bool {
        self.state != "IN_PROGRESS"
    }
}

impl PasswordInfo {
    /// The body of set-password. Made anew it is another ciphertext, and so another request.
    pub(super) fn change_to(&self, password: &str) -> Value {
        self.change_to_bytes(password.as_bytes())
    }

    /// The same for what need not be text.
    pub(super) fn change_to_bytes(&self, plaintext: &[u8]) -> Value {
        let key = STANDARD.decode(&self.public_key).expect("base64");
        let key = Pkcs1PublicEncryptingKey::new(PublicEncryptingKey::from_der(&key).expect("a key")).expect("RSA");
        let mut ciphertext = vec![0; key.ciphertext_size()];
        key.encrypt(plaintext, &mut ciphertext).expect("encrypted");
        json!({
            "identityId": self.identity_id,
            "sourceId": self.source_id,
            "accountId": self.accounts[0].account_id,
            "publicKeyId": self.public_key_id,
            "encryptedPassword": STANDARD.encode(ciphertext),
        })
    }
}

impl Api {
    /// Gets a token for each of the clients.
    pub(super) async fn sign_in(url: &str) -> Self {
        let http = Client::builder().timeout(PATIENCE).build().expect("a client");
        let mut tokens = Vec::new();
        for ClientSpec { id, .. } in CLIENTS {
            let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", CLIENT_SECRET)];
            let answer = http.post(format!("{url}/oauth/token")).form(&form).send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            let body: Value = answer.json().await.expect("JSON");
            tokens.push(body["access_token"].as_str().expect("a token").to_owned());
        }
        Self { http, url: url.to_owned(), tokens, may_hang: false }
    }

    /// What must be known to change a password there.
    pub(super) async fn ask(&self, alias: &str, source: &str) -> PasswordInfo {
        let body = json!({ "userName": alias, "sourceName": source });
        let request = self.http.post(format!("{}/v2024/query-password-info", self.url)).json(&body);
        let answer = self.as_client(request, 0).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{alias} on {source}");
        answer.json().await.expect("JSON")
    }

    /// The same at another server that shares the database.
    pub(super) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The same for somebody who gives up soon, since the server may be stopped where it stands.
    pub(super) fn impatient(&self, patience: Duration) -> Self {
        let http = Client::builder().timeout(patience).build().expect("a client");
        Self { http, may_hang: true, ..self.clone() }
    }

    /// Sends a change, and has the answer held until it is final.
    pub(super) async fn set_and_wait(&self, body: &Value) -> Value {
        let request = self.http.post(format!("{}/v2024/set-password", self.url)).json(body);
        let answer = self.as_client(request, 1).header("prefer", "wait=15").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        answer.json().await.expect("JSON")
    }

    /// Sends a change; nothing when no answer came, so that nobody knows whether it was taken.
    pub(super) async fn send_set(&self, body: &Value) -> Option<(StatusCode, Value)> {
        // A server that is gone says so at once. One that is there and says nothing for so long is at fault.
        let gone = |error: &reqwest::Error| assert!(self.may_hang || !error.is_timeout(), "no answer in time: {error}");
        let request = self.http.post(format!("{}/v2024/set-password", self.url)).json(body);
        let answer = self.as_client(request, 1).send().await.inspect_err(gone).ok()?;
        let status = answer.status();
        Some((status, answer.json().await.inspect_err(gone).ok()?))
    }

    /// Sends a change and gives its request id; nothing when no answer came, so that nobody knows whether it was taken.
    pub(super) async fn try_set(&self, body: &Value) -> Option<String> {
        let (status, body) = self.send_set(body).await?;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        Some(body["requestId"].as_str().expect("a request id").to_owned())
    }

    /// Sends a change, and gives status and body of the answer.
    pub(super) async fn post_set(&self, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}/v2024/set-password", self.url)).json(body);
        let answer = self.as_client(request, 1).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// The access tokens.
    pub(super) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Sends a change that must not be taken, and gives why it was not.
    pub(super) async fn refused(&self, body: &Value) -> String {
        let (status, answer) = self.post_set(body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        answer.to_string()
    }

    /// Changes a password by way of one source, and gives the request id.
    pub(super) async fn set(&self, alias: &str, source: &str, password: &str) -> String {
        let body = self.ask(alias, source).await.change_to(password);
        self.try_set(&body).await.expect("an answer")
    }

    /// How far a change is.
    pub(super) async fn status(&self, id: &str) -> Status {
        let request = self.http.get(format!("{}/v2024/password-change-status/{id}", self.url));
        let answer = self.as_client(request, 2).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("JSON")
    }

    /// Waits until a change is final.
    pub(super) async fn settled(&self, id: &str) -> Status {
        until("the change is final", Duration::from_secs(60), async || {
            Some(self.status(id).await).filter(Status::is_final)
        })
        .await
    }

    /// Changes a password and waits until the change is final.
    pub(super) async fn change(&self, alias: &str, source: &str, password: &str) -> Status {
        let id = self.set(alias, source, password).await;
        self.settled(&id).await
    }

    fn as_client(&self, request: RequestBuilder, index: usize) -> RequestBuilder {
        request.bearer_auth(&self.tokens[index])
    }
}
