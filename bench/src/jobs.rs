//! The changes of one measurement, prepared before it: whom they are for, and their encrypted passwords.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use lockstep_vault::secret::draw_id;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::{Connection, post, post_form};

/// Prepare files of changes, each with new passwords for the same people
///
/// They are encrypted with the published key of the server, as its clients do, and sent by nobody yet.
#[derive(Debug, Args)]
pub(crate) struct Prepare {
    /// Where the server listens
    #[arg(long)]
    server: SocketAddr,
    /// The API client
    #[arg(long)]
    client: String,
    /// The file with its secret
    #[arg(long)]
    secret: PathBuf,
    /// The source's name
    #[arg(long)]
    source: String,
    /// How the aliases begin; a number follows
    #[arg(long)]
    prefix: String,
    /// How many digits the number has
    #[arg(long, default_value_t = 5)]
    digits: usize,
    /// How many people
    #[arg(long)]
    people: usize,
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// The content of such a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Jobs {
    /// An access token.
    pub(crate) token: String,
    /// The changes.
    pub(crate) jobs: Vec<Job>,
}

/// One change: the body of its request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub(crate) identity_id: String,
    pub(crate) source_id: String,
    pub(crate) account_id: String,
    pub(crate) public_key_id: String,
    pub(crate) encrypted_password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    identity_id: String,
    source_id: String,
    public_key_id: String,
    public_key: String,
    accounts: Vec<InfoAccount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InfoAccount {
    account_id: String,
}

impl Jobs {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no file of changes", path.display()))
    }
}

impl Job {
    pub(crate) fn ciphertext(&self) -> Result<Vec<u8>> {
        STANDARD.decode(&self.encrypted_password).context("a prepared password is no base64")
    }
}

/// A password that no policy minds and nobody had before.
pub(crate) fn fresh_password() -> String {
    format!("{}-Aa", draw_id().simple())
}

/// An access token of the API client.
pub(crate) async fn token(connection: &mut Connection, client: &str, secret: &Path) -> Result<String> {
    let secret = fs::read_to_string(secret).with_context(|| format!("cannot read {}", secret.display()))?;
    let form = format!("grant_type=client_credentials&client_id={client}&client_secret={}", secret.trim());
    let reply = connection.ask(&post_form("/oauth/token", &form)).await?;
    let body: Value = serde_json::from_slice(reply.body).context("the token endpoint answered no JSON")?;
    Ok(body["access_token"].as_str().context("the token endpoint gave no token")?.to_owned())
}

pub(crate) async fn run(arguments: Prepare) -> Result<Value> {
    let mut connection = Connection::open(arguments.server).await?;
    let token = token(&mut connection, &arguments.client, &arguments.secret).await?;
    let mut files: Vec<Vec<Job>> = vec![Vec::with_capacity(arguments.people); arguments.files.len()];
    let mut encrypting: Option<(String, Pkcs1PublicEncryptingKey)> = None;
    for number in 0..arguments.people {
        let alias = format!("{}{number:0width$}", arguments.prefix, width = arguments.digits);
        let question = json!({ "userName": alias, "sourceName": arguments.source }).to_string();
        let reply = connection.ask(&post("/v2024/query-password-info", &token, &question)).await?;
        ensure!(reply.status == 200, "{alias} was answered with {}", reply.status);
        let info: Info = serde_json::from_slice(reply.body).context("query-password-info answered no JSON")?;
        if encrypting.as_ref().is_none_or(|(id, _)| *id != info.public_key_id) {
            encrypting = Some((info.public_key_id.clone(), public_key(&info.public_key)?));
        }
        let (_, key) = encrypting.as_ref().context("there is no key")?;
        let account = info.accounts.first().with_context(|| format!("{alias} has no account"))?;
        for file in &mut files {
            let mut ciphertext = vec![0; key.key_size_bytes()];
            let encrypted = key.encrypt(fresh_password().as_bytes(), &mut ciphertext);
            encrypted.ok().context("a password could not be encrypted")?;
            file.push(Job {
                identity_id: info.identity_id.clone(),
                source_id: info.source_id.clone(),
                account_id: account.account_id.clone(),
                public_key_id: info.public_key_id.clone(),
                encrypted_password: STANDARD.encode(&ciphertext),
            });
        }
    }
    for (path, jobs) in arguments.files.iter().zip(files) {
        let text = serde_json::to_string(&Jobs { token: token.clone(), jobs })?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(json!({ "files": arguments.files.len(), "changes": arguments.people }))
}

fn public_key(base64: &str) -> Result<Pkcs1PublicEncryptingKey> {
    let der = STANDARD.decode(base64).context("the public key is no base64")?;
    let key = PublicEncryptingKey::from_der(&der).ok().context("the public key is none")?;
    Pkcs1PublicEncryptingKey::new(key).ok().context("the public key cannot be used")
}
