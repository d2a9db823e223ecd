//! The least that a server with the product's promises does for a change: it takes an HTTP request, stores a row before it
//! answers, opens the ciphertext, stores a row before it calls the directory and one when that has answered. No person, no
//! rule, no order, no audit, no log; nothing is looked up.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Args;
use lockstep_vault::secret::draw_id;

use crate::directory::{Directory, Pool, set_password};
use crate::jobs::{Job, Jobs};
use crate::opener::Opener;
use crate::rows::Rows;
use crate::serve::Accepted;

/// Where it reads and writes.
#[derive(Debug, Args)]
pub(crate) struct Least {
    /// The installation whose key the changes are encrypted with
    #[arg(long)]
    config: PathBuf,
    /// A file of changes that are encrypted with it
    #[arg(long)]
    jobs: PathBuf,
    /// The database of rows
    #[arg(long)]
    rows: PathBuf,
    #[command(flatten)]
    directory: Directory,
}

struct Server {
    opener: Opener,
    rows: Rows,
    directory: Pool,
    settled: AtomicU64,
}

pub(crate) async fn router(arguments: Least) -> Result<Router> {
    let jobs = Jobs::read(&arguments.jobs)?.jobs;
    let server = Server {
        opener: Opener::of(&arguments.config, jobs.first().context("there is no key")?).await?,
        rows: Rows::create(&arguments.rows)?,
        directory: Pool::connect(&arguments.directory).await?,
        settled: AtomicU64::new(0),
    };
    let router = Router::new().route("/v2024/set-password", post(accept)).route("/metrics", get(metrics));
    Ok(router.with_state(Arc::new(server)))
}

async fn accept(State(server): State<Arc<Server>>, Json(job): Json<Job>) -> Result<impl IntoResponse, StatusCode> {
    let content = job.ciphertext().map_err(|_| StatusCode::BAD_REQUEST)?;
    server.rows.insert(content.clone()).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    tokio::spawn(async move {
        if let Err(error) = deliver(&server, &job.account_id, content).await {
            eprintln!("error: {error:#}");
        }
    });
    let accepted = Accepted { request_id: draw_id().simple().to_string(), state: "IN_PROGRESS" };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

async fn deliver(server: &Server, dn: &str, ciphertext: Vec<u8>) -> Result<()> {
    let password = server.opener.open(ciphertext).await?;
    let mut connection = server.directory.take().await?;
    server.rows.insert(vec![0; 64]).await?;
    let set = set_password(&mut connection, dn, password.expose()).await;
    server.directory.give_back(connection).await?;
    set?;
    server.rows.insert(vec![1; 64]).await?;
    server.settled.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// In the product's words, so that the same load waits for the end of both.
async fn metrics(State(server): State<Arc<Server>>) -> String {
    format!("lockstep_changes_settled_total {}\n", server.settled.load(Ordering::Relaxed))
}
