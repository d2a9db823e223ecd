//! The straight line: only what a change cannot do without. A ciphertext is opened, the same operation sent to the
//! same directory, and one durable row written. No queue, no order, no doubt, no HTTP.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::directory::{Directory, Pool, set_password};
use crate::jobs::{Job, Jobs};
use crate::opener::Opener;
use crate::rows::Rows;
use crate::usage::{Machine, Usage};

/// How many changes are under way for each connection to the directory, so that none of those waits for a ciphertext.
const AHEAD: usize = 4;

/// Open, write to the directory, store one row
#[derive(Debug, Args)]
pub(crate) struct Straight {
    /// The installation whose key the changes are encrypted with
    #[arg(long)]
    config: PathBuf,
    /// The file of changes
    #[arg(long)]
    jobs: PathBuf,
    /// The database of rows
    #[arg(long)]
    rows: PathBuf,
    /// Also compute one hash for a history
    #[arg(long)]
    history: bool,
    /// Also say what these processes used of the processors meanwhile
    #[arg(long)]
    watch: Vec<u32>,
    #[command(flatten)]
    directory: Directory,
}

struct Line {
    jobs: Vec<(String, Vec<u8>)>,
    next: AtomicUsize,
    opener: Opener,
    rows: Rows,
    history: bool,
    directory: Pool,
}

pub(crate) async fn run(arguments: Straight) -> Result<Value> {
    let jobs = Jobs::read(&arguments.jobs)?.jobs;
    let opener = Opener::of(&arguments.config, jobs.first().context("there is nothing to do")?).await?;
    let job = |job: Job| anyhow::Ok((job.account_id.clone(), job.ciphertext()?));
    let line = Arc::new(Line {
        jobs: jobs.into_iter().map(job).collect::<Result<_>>()?,
        next: AtomicUsize::new(0),
        opener,
        rows: Rows::create(&arguments.rows)?,
        history: arguments.history,
        directory: Pool::connect(&arguments.directory).await?,
    });
    let watched: Vec<Usage> = arguments.watch.iter().map(|pid| Usage::of(*pid)).collect::<Result<_>>()?;
    let own = Usage::own()?;
    let machine = Machine::now()?;
    let began = Instant::now();
    let mut walking = JoinSet::new();
    for _ in 0..arguments.directory.connections * AHEAD {
        walking.spawn(walk(Arc::clone(&line)));
    }
    while let Some(walked) = walking.join_next().await {
        walked.context("a part of the line ended with a fault")??;
    }
    let took = began.elapsed();
    let used = arguments.watch.iter().zip(&watched).map(|(pid, then)| anyhow::Ok(Usage::of(*pid)?.since(then)));
    Ok(json!({
        "operations": line.jobs.len(),
        "seconds": took.as_secs_f64(),
        "per_second": line.jobs.len() as f64 / took.as_secs_f64(),
        "own": Usage::own()?.since(&own).seconds,
        "stolen": Machine::now()?.stolen_since(&machine),
        "used": used.collect::<Result<Vec<_>>>()?,
    }))
}

async fn walk(line: Arc<Line>) -> Result<()> {
    while let Some((dn, ciphertext)) = line.jobs.get(line.next.fetch_add(1, Ordering::Relaxed)) {
        let password = line.opener.open(ciphertext.clone()).await?;
        if line.history {
            line.opener.hash(password.clone()).await?;
        }
        let mut connection = line.directory.take().await?;
        let set = set_password(&mut connection, dn, password.expose()).await;
        line.directory.give_back(connection).await?;
        set?;
        line.rows.insert(ciphertext.clone()).await?;
    }
    Ok(())
}
