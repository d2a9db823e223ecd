//! A whole server for one test: SQLite in a folder of its own, the API on a free port of this machine, the worker, and
//! two application databases to change passwords in. Nothing in it stands in for something else.

mod world;

use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use lockstep::api;
use lockstep::app::{App, Role};
use lockstep::config::Config;
use lockstep::worker::{self, WorkerHandle};
use lockstep_connectors::{AccountRef, SignIn};
use lockstep_core::client::ClientSettings;
use lockstep_core::id::{ClientId, IdentityId, PersonalAccessTokenId, SessionId};
use lockstep_core::password::Password;
use lockstep_core::scope::{Scopes, UserLevel};
use lockstep_core::session::FRESH;
use lockstep_store::client::Client;
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_store::{Error, Tx, client, lane, personal_access_token};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::master_key::MasterKey;
use lockstep_vault::secret::{Secret, draw_client_secret, draw_id};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use world::World;

use crate::system::tables::postgres_database;

/// The password that every account in the application databases has at first.
pub(crate) const FIRST_PASSWORD: &str = "First-Password-1";

/// A running server and what it knows.
pub(crate) struct Harness {
    pub(crate) app: App,
    /// `http://127.0.0.1:PORT`, without a slash at its end.
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) world: World,
    dir: TempDir,
    worker: Option<WorkerHandle>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
}

/// What a server keeps its own rows in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// What a client signs in with.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

impl Harness {
    /// A server with a rate limit that no test reaches.
    pub(crate) async fn start() -> Self {
        Self::start_with("[limits]\nrequests = 100000\n").await
    }

    /// A server with these lines at the end of its configuration file.
    pub(crate) async fn start_with(settings: &str) -> Self {
        let mut harness = Self::start_idle(settings).await;
        harness.start_worker().await;
        harness
    }

    /// The same without a worker, so that what is accepted stays as it is until [`Harness::start_worker`]. There are
    /// transport keys all the same.
    pub(crate) async fn start_without_worker() -> Self {
        let harness = Self::start_idle("[limits]\nrequests = 100000\n").await;
        worker::rotate_transport_keys(&harness.app).await.expect("transport keys");
        harness
    }

    /// A server whose own store is of that engine.
    pub(crate) async fn start_on(engine: Engine) -> Self {
        let settings = "[limits]\nrequests = 100000\n";
        let mut harness = match engine {
            Engine::Sqlite => Self::start_idle(settings).await,
            Engine::Postgres => {
                let dir = tempfile::tempdir().expect("a folder");
                let url = postgres_database(&format!("lockstep_{}", draw_id().simple())).await;
                let store = format!("url = \"{url}\"\nrestore-mark = \"{}\"", dir.path().join("mark").display());
                Self::start_in(dir, &store, settings).await
            }
        };
        harness.start_worker().await;
        harness
    }

    async fn start_idle(settings: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = format!("url = \"sqlite:{}\"", dir.path().join("lockstep.db").display());
        Self::start_in(dir, &store, settings).await
    }

    async fn start_in(dir: TempDir, store: &str, settings: &str) -> Self {
        let config = configuration(&dir, store, settings);
        let app = App::open(config, Role::Serve).await.expect("opened");
        let world = World::make(&app, dir.path()).await;

        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let served = api::serve(app.clone(), listener, async move {
            let _ = stopped.await;
        });
        let server = tokio::spawn(served);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { app, base, http, world, dir, worker: None, stop: Some(stop), server }
    }

    pub(crate) async fn start_worker(&mut self) {
        self.worker = Some(worker::start(self.app.clone()).await.expect("a worker"));
    }

    /// Stops the worker; what is under way ends first.
    pub(crate) async fn stop_worker(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
    }

    /// Stops everything. A test that leaves a change unfinished fails here.
    pub(crate) async fn stop(mut self) {
        let counts = self.read(|tx| Box::pin(lane::counts(tx))).await;
        let unfinished: i64 = counts.changes.iter().map(|(_, count)| count).sum();
        assert_eq!(unfinished, 0, "the test left changes unfinished: {counts:?}");
        self.abandon().await;
    }

    /// Stops everything, whatever is unfinished.
    pub(crate) async fn abandon(&mut self) {
        self.stop_worker().await;
        self.stop.take().map(|stop| stop.send(()));
        // A client that keeps its connection open must not hold the test up.
        self.server.abort();
        self.app.close().await;
    }

    /// Reads what is committed.
    pub(crate) async fn read<T, F>(&self, work: F) -> T
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
        T: Send + 'static,
    {
        self.app.store.read(work).await.expect("read")
    }

    /// Writes and commits.
    pub(crate) async fn write<T, F>(&self, work: F) -> T
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, Error>> + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.app.store.write(work).await.expect("written")
    }

    /// A new API client with these scopes.
    pub(crate) async fn client(&self, scopes: &str) -> Credentials {
        self.client_of_levels(scopes, &[]).await
    }

    /// A new API client with these scopes that administers.
    pub(crate) async fn administrator(&self, scopes: &str) -> Credentials {
        self.client_of_levels(scopes, &[UserLevel::OrgAdmin]).await
    }

    /// A new API client with these scopes, which may act as a person of these levels would.
    pub(crate) async fn client_of_levels(&self, scopes: &str, levels: &[UserLevel]) -> Credentials {
        let (id, secret) = (ClientId(draw_id()), draw_client_secret());
        let now = self.app.clock.utc();
        let row = Client {
            id,
            name: "a test".to_owned(),
            secret_hash: self.hash(HashPurpose::ClientSecret, &secret),
            scopes: scopes.parse().expect("scopes"),
            levels: levels.iter().copied().collect(),
            enabled: true,
            token_seconds: 749,
            settings: ClientSettings::default(),
            created_at: now,
        };
        self.write(move |tx| Box::pin(async move { client::put(tx, &row, now).await })).await;
        Credentials { id: id.to_string(), secret }
    }

    /// A new personal access token of `identity` with these scopes.
    pub(crate) async fn personal_access_token(&self, identity: IdentityId, scopes: &str) -> Credentials {
        let (id, secret) = (PersonalAccessTokenId(draw_id()), draw_client_secret());
        let row = PersonalAccessToken {
            id,
            identity,
            name: "a test".to_owned(),
            secret_hash: self.hash(HashPurpose::PersonalAccessToken, &secret),
            scopes: scopes.parse::<Scopes>().expect("scopes"),
            token_seconds: 43200,
            created_at: self.app.clock.utc(),
            expires_at: None,
            last_used_at: None,
        };
        self.write(move |tx| Box::pin(async move { personal_access_token::insert(tx, &row).await })).await;
        Credentials { id: id.to_string(), secret }
    }

    pub(crate) fn hash(&self, purpose: HashPurpose, secret: &Secret) -> Vec<u8> {
        self.app.vault.keyed_hash(purpose, secret.expose().as_bytes()).to_vec()
    }

    /// The access token that these credentials get.
    pub(crate) async fn token(&self, credentials: &Credentials) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", credentials.id.as_str()),
            ("client_secret", credentials.secret.expose()),
        ];
        let answer = self.http.post(format!("{}/oauth/token", self.base)).form(&form).send().await.expect("sent");
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.expect("JSON");
        body["access_token"].as_str().expect("a token").to_owned()
    }

    /// The token of a new API client with these scopes.
    pub(crate) async fn client_token(&self, scopes: &str) -> String {
        self.token(&self.client(scopes).await).await
    }

    /// The token of a person's new personal access token with every scope.
    pub(crate) async fn person_token(&self, identity: IdentityId) -> String {
        self.token(&self.personal_access_token(identity, "sp:scopes:all").await).await
    }

    /// Posts JSON as the owner of `token`.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        Answer::of(self.http.post(self.url(path)).bearer_auth(token).json(body)).await
    }

    /// The same, for a body that nobody needs any more.
    pub(crate) async fn post_owned(&self, path: &str, token: &str, body: Value) -> Answer {
        self.post(path, token, &body).await
    }

    /// Asks for `path` as the owner of `token`.
    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        Answer::of(self.http.get(self.url(path)).bearer_auth(token)).await
    }

    /// Replaces with JSON as the owner of `token`.
    pub(crate) async fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        Answer::of(self.http.put(self.url(path)).bearer_auth(token).json(body)).await
    }

    /// Sends a JSON Patch as the owner of `token`.
    pub(crate) async fn patch(&self, path: &str, token: &str, patch: &Value) -> Answer {
        let request = self.http.patch(self.url(path)).header("content-type", "application/json-patch+json");
        Answer::of(request.bearer_auth(token).body(patch.to_string())).await
    }

    /// Changes with plain JSON as the owner of `token`.
    pub(crate) async fn patch_json(&self, path: &str, token: &str, body: &Value) -> Answer {
        Answer::of(self.http.patch(self.url(path)).bearer_auth(token).json(body)).await
    }

    /// A file in the server's folder.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Deletes as the owner of `token`.
    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        Answer::of(self.http.delete(self.url(path)).bearer_auth(token)).await
    }

    /// A request as the owner of `token`, who knows that operations may change.
    pub(crate) fn ask(&self, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method.parse().expect("a method"), self.url(path));
        request.bearer_auth(token).header("x-sailpoint-experimental", "true")
    }

    /// The token of a program that may do what an ORG_ADMIN may.
    pub(crate) async fn admin_token(&self) -> String {
        self.token(&self.client_of_levels("sp:scopes:all", &[UserLevel::OrgAdmin]).await).await
    }

    /// The actions that the audit has, without those of tokens. In the order of their names: what happens in one
    /// millisecond is in no other.
    pub(crate) async fn audited(&self) -> Vec<String> {
        let sql = "SELECT action FROM audit WHERE action NOT LIKE '%TOKEN%' OR action LIKE 'DIGIT_TOKEN_VERIFICATION%'
            ORDER BY action";
        let url = &self.app.config.store.url;
        match url.strip_prefix("sqlite:") {
            Some(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
                let mut database = options.connect().await.expect("a database");
                sqlx::query_scalar(sql).fetch_all(&mut database).await.expect("the audit")
            }
            None => {
                let mut database = sqlx::PgConnection::connect(url).await.expect("a database");
                sqlx::query_scalar(sql).fetch_all(&mut database).await.expect("the audit")
            }
        }
    }

    /// Has a session begin and be used earlier than it was.
    pub(crate) async fn put_session_back(&self, id: SessionId, created_at: DateTime<Utc>, used_at: DateTime<Utc>) {
        let sql = "UPDATE session SET created_at = ?2, used_at = ?3 WHERE id = ?1";
        let query = sqlx::query(sql).bind(id.0).bind(created_at).bind(used_at);
        query.execute(&mut self.own_database().await).await.expect("a session");
    }

    /// Lets so much time pass that nobody's proof of who they are is fresh.
    pub(crate) async fn outdate_proofs(&self) {
        let query = sqlx::query("UPDATE session SET proved_at = ?1").bind(self.app.clock.utc() - FRESH);
        query.execute(&mut self.own_database().await).await.expect("sessions");
    }

    /// As if whoever is halfway in had come so much earlier.
    pub(crate) async fn put_half_sessions_back(&self, by: chrono::TimeDelta) {
        let query = sqlx::query("UPDATE session SET created_at = ?1 WHERE half_open").bind(self.app.clock.utc() - by);
        query.execute(&mut self.own_database().await).await.expect("sessions");
    }

    /// As if every recovery had begun so much earlier.
    pub(crate) async fn put_recoveries_back(&self, by: chrono::TimeDelta) {
        let query = sqlx::query("UPDATE recovery SET begun_at = ?1").bind(self.app.clock.utc() - by);
        query.execute(&mut self.own_database().await).await.expect("recoveries");
    }

    pub(crate) async fn own_database(&self) -> sqlx::SqliteConnection {
        let path = self.app.config.store.url.strip_prefix("sqlite:").expect("SQLite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        options.connect().await.expect("a database")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What query-password-info says of a person on a source.
    pub(crate) async fn info(&self, token: &str, user: &str, source: &str) -> Value {
        let question = json!({ "userName": user, "sourceName": source });
        self.post("/v2024/query-password-info", token, &question).await.with_status(200)
    }

    /// A request that sets Abby's password on Billing.
    pub(crate) async fn change_request(&self, token: &str, password: &str) -> Value {
        let info = self.info(token, "Abby.Smith", "Billing").await;
        json!({
            "identityId": info["identityId"],
            "encryptedPassword": encrypt(&info, password.as_bytes()),
            "publicKeyId": info["publicKeyId"],
            "accountId": info["accounts"][0]["accountId"],
            "sourceId": info["sourceId"],
        })
    }

    /// The status of a change once it is final.
    pub(crate) async fn final_status(&self, token: &str, id: &str) -> Value {
        for _ in 0..400 {
            let path = format!("/v2024/password-change-status/{id}");
            let status = self.get(&path, token).await.with_status(200);
            if status["state"] != "IN_PROGRESS" {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the change {id} never became final");
    }

    /// Waits until nothing is unfinished.
    pub(crate) async fn settled(&self) {
        for _ in 0..400 {
            let counts = self.read(|tx| Box::pin(lane::counts(tx))).await;
            if counts.changes.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("a change never became final");
    }

    /// Whether `password` is what the application's own table holds for `account`.
    pub(crate) async fn signs_in(&self, file: &str, account: &str, password: &str) -> bool {
        let connector = world::connector(&self.dir.path().join(file));
        let account = AccountRef { native_id: account.to_owned(), name: account.to_owned() };
        let answer = connector.sign_in(&account, &Password::try_from(password).expect("a password")).await;
        connector.close().await;
        match answer {
            SignIn::Right => true,
            SignIn::Wrong => false,
            other => panic!("nothing proven: {other:?}"),
        }
    }

    /// Waits until there is a key for OAEP too, which the worker makes in the background.
    pub(crate) async fn oaep_key_published(&self) {
        for _ in 0..600 {
            let key = self.read(|tx| Box::pin(lockstep_store::transport_key::published(tx, "oaep-sha256"))).await;
            if key.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no key for OAEP was published");
    }
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Sends, and holds the answer against what every answer has.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("a body");
        let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
        let is_json = header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let is_empty = text.is_empty() && matches!(status, 200 | 201 | 204);
        assert!(is_json || is_empty, "{status} {text}");
        let id = header("slpt-request-id").expect("a request id");
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{id}");
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
        let body: Value = if is_empty { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
        if let Some(tracking) = body.get("trackingId") {
            assert_eq!(tracking, &json!(id));
        }
        Self { status, headers, body }
    }

    /// Under which it was seen.
    #[track_caller]
    pub(crate) fn etag(&self) -> String {
        self.headers["etag"].to_str().expect("a tag").to_owned()
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn with_status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Checks the status and the contract's detail code, and gives the sentence.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, detail_code: &str) -> String {
        assert_eq!((self.status, self.body["detailCode"].as_str()), (status, Some(detail_code)), "{}", self.body);
        let messages = self.body["messages"].as_array().expect("messages");
        assert_eq!(messages.len(), 2);
        assert_eq!((&messages[0]["locale"], &messages[0]["localeOrigin"]), (&json!("en-US"), &json!("DEFAULT")));
        assert_eq!((&messages[1]["locale"], &messages[1]["localeOrigin"]), (&json!("und"), &json!("REQUEST")));
        assert_eq!(messages[0]["text"], messages[1]["text"]);
        assert!(self.body["causes"].is_array());
        messages[0]["text"].as_str().expect("a text").to_owned()
    }
}

/// Encrypts as `openssl pkeyutl -encrypt` does, for the key in `info`.
pub(crate) fn encrypt(info: &Value, plaintext: &[u8]) -> String {
    let key = Pkcs1PublicEncryptingKey::new(public_key(info)).expect("a key");
    let mut ciphertext = vec![0; key.ciphertext_size()];
    key.encrypt(plaintext, &mut ciphertext).expect("encrypted");
    STANDARD.encode(ciphertext)
}

/// Encrypts with OAEP and SHA-256, for the key in `info`.
pub(crate) fn encrypt_oaep(info: &Value, plaintext: &[u8]) -> String {
    let key = OaepPublicEncryptingKey::new(public_key(info)).expect("a key");
    let mut ciphertext = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut ciphertext, None).expect("encrypted");
    STANDARD.encode(ciphertext)
}

fn public_key(info: &Value) -> PublicEncryptingKey {
    let der = STANDARD.decode(info["publicKey"].as_str().expect("a key")).expect("base64");
    PublicEncryptingKey::from_der(&der).expect("a SubjectPublicKeyInfo")
}

fn configuration(dir: &TempDir, store: &str, settings: &str) -> Config {
    let master = dir.path().join("master.key");
    MasterKey::create_file(&master).expect("a master key");
    let file = dir.path().join("lockstep.toml");
    // What belongs to no table comes first.
    let (top, tables) = settings.split_at(settings.find('[').unwrap_or(settings.len()));
    let text = format!("{top}[store]\n{store}\n[master-key]\nfile = \"{}\"\n{tables}", master.display());
    std::fs::write(&file, text).expect("written");
    Config::read(&file).expect("a configuration")
}
