//! Sends one kind of request as fast as it is answered: query-password-info for people in a scattered order, or the same
//! request to a server that gives a constant reply.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Connection, get, post};
use crate::jobs;
use crate::usage::Usage;

/// Two neighbouring requests are for people this far apart: a prime, so that everybody has a turn.
const STRIDE: usize = 611_953;

/// Send query-password-info over and over
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Where the server listens
    #[arg(long)]
    server: SocketAddr,
    /// Where the server that gives the token listens, if it is another one
    #[arg(long)]
    issuer: Option<SocketAddr>,
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
    /// How many people there are
    #[arg(long)]
    people: usize,
    /// How many connections
    #[arg(long)]
    connections: usize,
    /// How many requests
    #[arg(long)]
    requests: usize,
    /// GET this path instead
    #[arg(long)]
    get: Option<String>,
    /// Save an answer to this file
    #[arg(long)]
    save: Option<PathBuf>,
    /// Also say what this process used of the processors meanwhile
    #[arg(long)]
    watch: u32,
}

pub(crate) async fn run(arguments: Ask) -> Result<Value> {
    let issuer = arguments.issuer.unwrap_or(arguments.server);
    let token = jobs::token(&mut Connection::open(issuer).await?, &arguments.client, &arguments.secret).await?;
    let request = |number: usize| {
        let person = number.wrapping_mul(STRIDE) % arguments.people;
        let alias = format!("{}{person:0width$}", arguments.prefix, width = arguments.digits);
        let question = json!({ "userName": alias, "sourceName": arguments.source }).to_string();
        match &arguments.get {
            Some(path) => get(path, &token),
            None => post("/v2024/query-password-info", &token, &question),
        }
    };
    let requests: Arc<Vec<Vec<u8>>> = Arc::new((0..arguments.requests).map(request).collect());
    let mut connections = Vec::new();
    for _ in 0..arguments.connections {
        connections.push(Connection::open(arguments.server).await?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let before = Usage::of(arguments.watch)?;
    let own = Usage::own()?;
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for mut connection in connections {
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        asking.spawn(async move {
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let reply = connection.ask(request).await?;
                ensure!(reply.status == 200, "answered with {}", reply.status);
            }
            anyhow::Ok(())
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.context("a sender ended with a fault")??;
    }
    let took = began.elapsed().as_secs_f64();
    if let (Some(path), Some(request)) = (&arguments.save, requests.first()) {
        let mut connection = Connection::open(arguments.server).await?;
        std::fs::write(path, connection.ask(request).await?.body).context("cannot save an answer")?;
    }
    Ok(json!({
        "operations": arguments.requests,
        "seconds": took,
        "per_second": arguments.requests as f64 / took,
        "own": Usage::own()?.since(&own).seconds,
        "used": [Usage::of(arguments.watch)?.since(&before)],
    }))
}
