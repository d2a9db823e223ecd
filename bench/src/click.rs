//! Opens pages as people do who are signed in: each has a connection and a session, opens one page after another, and may look
//! at each for a while.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Connection, page};
use crate::usage::Usage;

/// Open pages over and over, as people who are signed in
#[derive(Debug, Args)]
pub(crate) struct Click {
    /// Where the server listens
    #[arg(long)]
    server: SocketAddr,
    /// The file of sessions; each is a person
    #[arg(long)]
    sessions: PathBuf,
    /// How many of them
    #[arg(long)]
    people: usize,
    /// A page; several are opened in turn
    #[arg(long, required = true)]
    page: Vec<String>,
    /// How many pages in all
    #[arg(long)]
    requests: usize,
    /// How long a person looks at a page, in milliseconds
    #[arg(long, default_value_t = 0)]
    look: u64,
    /// Save a page to this file
    #[arg(long)]
    save: Option<PathBuf>,
    /// Also say what this process used of the processors meanwhile
    #[arg(long)]
    watch: u32,
}

pub(crate) async fn run(arguments: Click) -> Result<Value> {
    let sessions = std::fs::read_to_string(&arguments.sessions).context("cannot read the sessions")?;
    let sessions: Vec<&str> = sessions.lines().take(arguments.people).collect();
    ensure!(sessions.len() == arguments.people, "there are only {} sessions", sessions.len());
    if let (Some(file), Some(session)) = (&arguments.save, sessions.first()) {
        let mut connection = Connection::open(arguments.server).await?;
        std::fs::write(file, connection.ask(&page(&arguments.page[0], session)).await?.body).context("cannot save")?;
    }
    let mut people = Vec::new();
    for session in &sessions {
        let pages: Vec<Vec<u8>> = arguments.page.iter().map(|path| page(path, session)).collect();
        people.push((Connection::open(arguments.server).await?, pages));
    }
    let next = Arc::new(AtomicUsize::new(0));
    let (before, own, began) = (Usage::of(arguments.watch)?, Usage::own()?, Instant::now());
    let (all, look, count) = (arguments.requests, Duration::from_millis(arguments.look), people.len() as u32);
    let mut clicking = JoinSet::new();
    for (number, (mut connection, pages)) in people.into_iter().enumerate() {
        let next = Arc::clone(&next);
        clicking.spawn(async move {
            // They did not all sit down in the same moment.
            tokio::time::sleep(look * number as u32 / count).await;
            let mut took = Vec::new();
            for page in pages.iter().cycle() {
                if next.fetch_add(1, Ordering::Relaxed) >= all {
                    break;
                }
                let asked = Instant::now();
                let reply = connection.ask(page).await?;
                ensure!(reply.status == 200, "answered with {}", reply.status);
                took.push(asked.elapsed());
                tokio::time::sleep(look).await;
            }
            Ok(took)
        });
    }
    let mut times = Vec::new();
    while let Some(took) = clicking.join_next().await {
        times.extend(took.context("a person ended with a fault")??);
    }
    let took = began.elapsed().as_secs_f64();
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map(|time| time.as_secs_f64() * 1e3);
    Ok(json!({
        "operations": all,
        "seconds": took,
        "per_second": all as f64 / took,
        "median": at(0.5),
        "p99": at(0.99),
        "own": Usage::own()?.since(&own).seconds,
        "used": [Usage::of(arguments.watch)?.since(&before)],
    }))
}
