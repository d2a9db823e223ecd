//! Sends prepared changes and waits until the server has carried every one of them out.
//!
//! A connection sends its next request when the last one was accepted. While requests are sent nothing else is asked;
//! then the server's own counter of settled changes is read, and at the end, when the time is taken, the state of each
//! change.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Connection, get, post};
use crate::jobs::Jobs;
use crate::usage::{Machine, Usage};

/// The shortest and the longest time between two looks at the counter, each of which costs the server some work: half of
/// the time that the rest will take, as it looks.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(2);
/// How long nothing may settle before that is an error.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many connections ask for the states at the end.
const CHECKING: usize = 8;

/// Send prepared changes, and wait until all of them are FINISHED
#[derive(Debug, Args)]
pub(crate) struct Deliver {
    /// Where the server listens; of several, the connections take turns
    #[arg(long, required = true)]
    server: Vec<SocketAddr>,
    /// The file of changes
    #[arg(long)]
    jobs: PathBuf,
    /// How many connections send
    #[arg(long)]
    connections: usize,
    /// Also say what these processes used of the processors meanwhile
    #[arg(long)]
    watch: Vec<u32>,
    /// Wait for the acceptance only
    #[arg(long)]
    accept_only: bool,
    /// Do not ask for the states at the end: the server keeps none
    #[arg(long)]
    unchecked: bool,
}

pub(crate) async fn run(arguments: Deliver) -> Result<Value> {
    let Jobs { token, jobs } = Jobs::read(&arguments.jobs)?;
    let requests = jobs.iter().map(|job| anyhow::Ok(post("/v2024/set-password", &token, &serde_json::to_string(job)?)));
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(requests.collect::<Result<_>>()?);
    let wanted = requests.len();
    let mut senders = Vec::new();
    for number in 0..arguments.connections {
        senders.push(Connection::open(arguments.server[number % arguments.server.len()]).await?);
    }
    let mut counters = Counters::open(&arguments).await?;
    let before = counters.read().await?;

    let watched = watch(&arguments.watch)?;
    let machine = Machine::now()?;
    let began = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut sending = JoinSet::new();
    for connection in senders {
        sending.spawn(send(connection, Arc::clone(&requests), Arc::clone(&next)));
    }
    let mut answers = Vec::with_capacity(wanted);
    let mut slowest = Duration::ZERO;
    while let Some(sent) = sending.join_next().await {
        let (bodies, longest) = sent.context("a sender ended with a fault")??;
        answers.extend(bodies);
        slowest = slowest.max(longest);
    }
    let accepted = began.elapsed();
    if !arguments.accept_only {
        counters.wait(&before, wanted, began).await?;
    }
    let took = began.elapsed();
    let used: Vec<Usage> = watch(&arguments.watch)?.iter().zip(&watched).map(|(now, then)| now.since(then)).collect();
    let stolen = Machine::now()?.stolen_since(&machine);
    let after = counters.read().await?;
    if !arguments.accept_only && !arguments.unchecked {
        check(arguments.server[0], &token, &answers).await?;
    }
    let counted: BTreeMap<&String, f64> = after
        .iter()
        .map(|(name, value)| (name, value - before.get(name).copied().unwrap_or_default()))
        .filter(|(_, value)| *value != 0.0)
        .collect();
    Ok(json!({
        "operations": wanted,
        "seconds": took.as_secs_f64(),
        "per_second": wanted as f64 / took.as_secs_f64(),
        "accepted_per_second": wanted as f64 / accepted.as_secs_f64(),
        "slowest_milliseconds": slowest.as_secs_f64() * 1000.0,
        "used": used,
        "own": Usage::own()?.seconds,
        "stolen": stolen,
        "counted": counted,
    }))
}

/// Takes request after request; gives the answers and how long the slowest took.
async fn send(
    mut connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
) -> Result<(Vec<Vec<u8>>, Duration)> {
    let mut answers = Vec::new();
    let mut slowest = Duration::ZERO;
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let began = Instant::now();
        let reply = connection.ask(request).await?;
        slowest = slowest.max(began.elapsed());
        ensure!(reply.status == 202, "answered with {}: {}", reply.status, String::from_utf8_lossy(reply.body));
        answers.push(reply.body.to_vec());
    }
    Ok((answers, slowest))
}

/// The metrics of the servers, added up.
struct Counters(Vec<Connection>);

impl Counters {
    async fn open(arguments: &Deliver) -> Result<Self> {
        let mut connections = Vec::new();
        for server in arguments.server.iter().filter(|_| !arguments.accept_only) {
            connections.push(Connection::open(*server).await?);
        }
        Ok(Self(connections))
    }

    async fn read(&mut self) -> Result<BTreeMap<String, f64>> {
        let mut sums = BTreeMap::new();
        for connection in &mut self.0 {
            let text = connection.get("/metrics", "").await?;
            let lines = text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket"));
            for (name, value) in lines.filter_map(|line| line.rsplit_once(' ')) {
                *sums.entry(name.to_owned()).or_default() += value.parse().unwrap_or(0.0);
            }
        }
        Ok(sums)
    }

    async fn wait(&mut self, before: &BTreeMap<String, f64>, wanted: usize, began: Instant) -> Result<()> {
        let settled = |sums: &BTreeMap<String, f64>| -> f64 {
            sums.iter().filter(|(name, _)| name.starts_with("lockstep_changes_settled_total")).map(|(_, n)| n).sum()
        };
        let (mut last, mut moved) = (0.0, Instant::now());
        let wanted = wanted as f64;
        loop {
            let done = settled(&self.read().await?) - settled(before);
            if done >= wanted {
                return Ok(());
            }
            if done > last {
                (last, moved) = (done, Instant::now());
            }
            ensure!(moved.elapsed() < PATIENCE, "only {done} of {wanted} changes became final");
            let rest = began.elapsed().as_secs_f64() * (wanted - done) / done.max(1.0);
            tokio::time::sleep(Duration::from_secs_f64((rest / 2.0).min(LONGEST.as_secs_f64())).max(SHORTEST)).await;
        }
    }
}

/// Every change must be FINISHED.
async fn check(server: SocketAddr, token: &str, answers: &[Vec<u8>]) -> Result<()> {
    let id = |answer: &Vec<u8>| {
        let answer: Value = serde_json::from_slice(answer).context("set-password answered no JSON")?;
        anyhow::Ok(answer["requestId"].as_str().context("set-password gave no requestId")?.to_owned())
    };
    let ids: Vec<String> = answers.iter().map(id).collect::<Result<_>>()?;
    let mut asking = JoinSet::new();
    for share in ids.chunks(ids.len().div_ceil(CHECKING).max(1)) {
        let (share, token) = (share.to_vec(), token.to_owned());
        asking.spawn(async move {
            let mut connection = Connection::open(server).await?;
            for id in share {
                let reply = connection.ask(&get(&format!("/v2024/password-change-status/{id}"), &token)).await?;
                let body = String::from_utf8_lossy(reply.body);
                ensure!(body.contains("\"FINISHED\""), "{id} is not finished: {body}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.context("a check ended with a fault")??;
    }
    Ok(())
}

fn watch(pids: &[u32]) -> Result<Vec<Usage>> {
    pids.iter().map(|pid| Usage::of(*pid)).collect()
}
