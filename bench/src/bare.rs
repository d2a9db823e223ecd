//! One component alone, with its best batching: what the limits of a baseline are made of.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::directory::{Directory, set_password};
use crate::jobs::{Jobs, fresh_password};
use crate::opener::Opener;
use crate::rows::Rows;
use crate::usage::Usage;

/// How many wait for a row at once.
const WAITING: usize = 512;

/// Measure one component alone
#[derive(Debug, Args)]
pub(crate) struct Bare {
    #[command(subcommand)]
    component: Component,
}

#[derive(Debug, Subcommand)]
enum Component {
    /// RSA openings in every processor
    Openings {
        /// The installation whose key the changes are encrypted with
        #[arg(long)]
        config: PathBuf,
        /// The file of changes
        #[arg(long)]
        jobs: PathBuf,
    },
    /// Argon2id evaluations in every processor
    Hashes {
        /// The installation whose key the changes are encrypted with
        #[arg(long)]
        config: PathBuf,
        /// The file of changes
        #[arg(long)]
        jobs: PathBuf,
        /// How many
        #[arg(long)]
        count: usize,
    },
    /// Passwords set in a directory
    Directory {
        /// The file of changes; only the accounts count
        #[arg(long)]
        jobs: PathBuf,
        /// The directory's process
        #[arg(long)]
        watch: u32,
        #[command(flatten)]
        directory: Directory,
    },
    /// Durable rows in SQLite
    Rows {
        /// The file
        #[arg(long)]
        file: PathBuf,
        /// How many
        #[arg(long)]
        count: usize,
        /// How many bytes a row has
        #[arg(long, default_value_t = 256)]
        bytes: usize,
    },
}

pub(crate) async fn run(arguments: Bare) -> Result<Value> {
    match arguments.component {
        Component::Openings { config, jobs } => {
            let jobs = Jobs::read(&jobs)?.jobs;
            let opener = Opener::of(&config, jobs.first().context("there is nothing to open")?).await?;
            let ciphertexts: Vec<Vec<u8>> = jobs.iter().map(|job| job.ciphertext()).collect::<Result<_>>()?;
            let began = Began::now(None)?;
            began.ended(opener.open_all(&ciphertexts)?)
        }
        Component::Hashes { config, jobs, count } => {
            let jobs = Jobs::read(&jobs)?.jobs;
            let opener = Opener::of(&config, jobs.first().context("there is no key")?).await?;
            let began = Began::now(None)?;
            began.ended(opener.hash_all(count)?)
        }
        Component::Directory { jobs, watch, directory } => {
            let accounts: Vec<String> = Jobs::read(&jobs)?.jobs.into_iter().map(|job| job.account_id).collect();
            write(accounts, watch, &directory).await
        }
        Component::Rows { file, count, bytes } => insert(&file, count, bytes).await,
    }
}

async fn write(accounts: Vec<String>, watch: u32, directory: &Directory) -> Result<Value> {
    let connections = directory.connect().await?;
    let (accounts, next) = (Arc::new(accounts), Arc::new(AtomicUsize::new(0)));
    let began = Began::now(Some(watch))?;
    let mut writing = JoinSet::new();
    for mut connection in connections {
        let (accounts, next) = (Arc::clone(&accounts), Arc::clone(&next));
        writing.spawn(async move {
            while let Some(dn) = accounts.get(next.fetch_add(1, Ordering::Relaxed)) {
                set_password(&mut connection, dn, &fresh_password()).await?;
            }
            anyhow::Ok(())
        });
    }
    finish(writing).await?;
    began.ended(accounts.len())
}

async fn insert(file: &std::path::Path, count: usize, bytes: usize) -> Result<Value> {
    let rows = Rows::create(file)?;
    let next = Arc::new(AtomicUsize::new(0));
    let began = Began::now(None)?;
    let mut inserting = JoinSet::new();
    for _ in 0..WAITING {
        let (rows, next) = (rows.clone(), Arc::clone(&next));
        inserting.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < count {
                rows.insert(vec![7; bytes]).await?;
            }
            anyhow::Ok(())
        });
    }
    finish(inserting).await?;
    began.ended(count)
}

async fn finish(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(done) = tasks.join_next().await {
        done.context("a task ended with a fault")??;
    }
    Ok(())
}

/// The beginning of a measurement.
struct Began {
    at: Instant,
    own: Usage,
    other: Option<(u32, Usage)>,
}

impl Began {
    fn now(watch: Option<u32>) -> Result<Self> {
        let other = watch.map(|pid| anyhow::Ok((pid, Usage::of(pid)?))).transpose()?;
        Ok(Self { own: Usage::own()?, other, at: Instant::now() })
    }

    fn ended(self, operations: usize) -> Result<Value> {
        let took = self.at.elapsed().as_secs_f64();
        let other = self.other.map(|(pid, then)| anyhow::Ok(Usage::of(pid)?.since(&then).seconds)).transpose()?;
        Ok(json!({
            "operations": operations,
            "seconds": took,
            "per_second": operations as f64 / took,
            "own": Usage::own()?.since(&self.own).seconds,
            "other": other.unwrap_or_default(),
        }))
    }
}
