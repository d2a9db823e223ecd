//! People sign in at a client, with a browser that does what browsers do, and what comes of it.

mod authorize;
mod enrol;
mod forged;
mod refused;
mod signing_keys;
mod tokens;
mod withdrawn;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use lockstep_core::client::{AccessType, ClientKind, ClientSettings, Grant};
use lockstep_core::id::{ClientId, IdentityId};
use lockstep_core::password::Password;
use lockstep_core::scope::UserLevel;
use lockstep_store::client::Client;
use lockstep_store::sign_in_password::{self, SignInPassword};
use lockstep_store::{client, history};
use lockstep_vault::hash::{HashPurpose, Salt};
use lockstep_vault::secret::{Secret, draw_client_secret, draw_id};
use serde_json::Value;
use url::Url;

use crate::browser::{Browser, Page};
use crate::harness::{Answer, Harness};

const CALLBACK: &str = "https://portal.example.org/callback";
const PASSWORD: &str = "Sign-In-Password-1";
/// How many wrong tries lock, and for how long, unless the organisation has set it otherwise.
pub(crate) const TRIES: i64 = 5;
const LOCKED_FOR: TimeDelta = TimeDelta::minutes(15);
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A client at which people sign in.
#[derive(Debug, Clone)]
pub(crate) struct Portal {
    row: Client,
    secret: Option<Secret>,
}

impl Portal {
    pub(crate) async fn make(harness: &Harness, kind: ClientKind) -> Self {
        let secret = (kind == ClientKind::Confidential).then(draw_client_secret);
        let now = harness.app.clock.utc();
        let row = Client {
            id: ClientId(draw_id()),
            name: "The <Portal>".to_owned(),
            secret_hash: secret
                .as_ref()
                .map_or_else(Vec::new, |secret| harness.hash(HashPurpose::ClientSecret, secret)),
            scopes: "sp:scopes:all".parse().expect("scopes"),
            levels: BTreeSet::from([UserLevel::HelpDesk]),
            enabled: true,
            token_seconds: 750,
            settings: ClientSettings {
                grant_types: [Grant::AuthorizationCode, Grant::RefreshToken].into(),
                redirect_uris: vec![CALLBACK.parse().expect("an address")],
                kind,
                access_type: AccessType::Offline,
                ..ClientSettings::default()
            },
            created_at: now,
        };
        let portal = Self { row, secret };
        portal.store(harness).await;
        portal
    }

    async fn store(&self, harness: &Harness) {
        let (row, now) = (self.row.clone(), harness.app.clock.utc());
        harness.write(move |tx| Box::pin(async move { client::put(tx, &row, now).await })).await;
    }

    fn id(&self) -> String {
        self.row.id.to_string()
    }

    /// What it sends people with.
    pub(crate) fn asks(&self) -> Vec<(String, String)> {
        let pairs = [
            ("response_type", "code"),
            ("client_id", &self.id()),
            ("redirect_uri", CALLBACK),
            ("scope", "idn:password-info:read idn:password-change:manage"),
            ("state", "a <state> & more"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("nonce", "ignored"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Asks the token endpoint, with its credentials.
    async fn token(&self, harness: &Harness, more: &[(&str, &str)]) -> Answer {
        let id = self.id();
        let mut form = vec![("client_id", id.as_str())];
        form.extend(self.secret.as_ref().map(|secret| ("client_secret", secret.expose())));
        form.extend(more);
        Answer::of(harness.http.post(harness.url("/oauth/token")).form(&form)).await
    }

    /// Exchanges a code.
    async fn exchange(&self, harness: &Harness, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token(harness, &form).await
    }

    /// Exchanges a refresh token.
    async fn refresh(&self, harness: &Harness, token: &str) -> Answer {
        self.token(harness, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// The tokens of a person who signs in now.
    async fn signed_in(&self, harness: &Harness, alias: &str) -> Value {
        let code = Browser::new(harness).sign_in(self, alias, PASSWORD).await;
        self.exchange(harness, &code).await.with_status(200)
    }
}

impl Browser<'_> {
    /// Opens the page that a client sends people to.
    pub(crate) async fn open(&mut self, asks: &[(String, String)]) -> Page {
        let mut url = Url::parse(&self.harness.url("/oauth/authorize")).expect("an address");
        url.query_pairs_mut().extend_pairs(asks);
        self.get(url.as_str()).await
    }

    /// Signs in, and gives the code that the client gets.
    async fn sign_in(&mut self, portal: &Portal, alias: &str, password: &str) -> String {
        let page = self.open(&portal.asks()).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let sent = self.submit(&page, "/oauth/authorize", &[("user_name", alias), ("password", password)]).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        sent.returned("code").expect("a code")
    }
}

/// Gives a person a sign-in password.
pub(crate) async fn set_password(harness: &Harness, identity: IdentityId, password: &str, must_change: bool) {
    let fresh = Salt::draw();
    let salt = harness.write(move |tx| Box::pin(async move { history::salt(tx, identity, &fresh.0).await })).await;
    let salt = Salt(salt.try_into().expect("16 bytes"));
    let hash = harness.app.vault.passwords().hash(&Password::try_from(password).expect("a password"), &salt);
    let now = harness.app.clock.utc();
    let stored = SignInPassword { hash: hash.to_bytes(), changed_at: now, must_change, failures: 0, failed_at: None };
    harness.write(move |tx| Box::pin(async move { sign_in_password::put(tx, identity, &stored).await })).await;
}

/// A server where Abby and Ada have sign-in passwords, and a portal.
async fn start(kind: ClientKind) -> (Harness, Portal) {
    let harness = Harness::start_without_worker().await;
    for identity in [harness.world.abby, harness.world.ada] {
        set_password(&harness, identity, PASSWORD, false).await;
    }
    let portal = Portal::make(&harness, kind).await;
    (harness, portal)
}

/// Whether an access token lives, by what it is told about itself.
async fn lives(harness: &Harness, tokens: &Value) -> bool {
    let answer = harness.get("/oauth/info", text(tokens, "access_token")).await;
    match answer.status {
        200 => true,
        401 => {
            assert_eq!(answer.body["error"], "invalid_token");
            false
        }
        other => panic!("{other} {}", answer.body),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}
