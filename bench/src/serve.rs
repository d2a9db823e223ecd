//! The servers that the product is compared with: the same HTTP library, the same JSON in and out, and next to nothing
//! behind it. And the product's own API without its engine, for measuring what accepting costs alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::{Args, Subcommand};
use lockstep::app::{App, Role};
use lockstep::config::Config;
use lockstep_vault::secret::draw_id;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::jobs::Job;
use crate::rows::Rows;

/// Serve something until killed
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The port of 127.0.0.1
    #[arg(long)]
    port: u16,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A constant reply to query-password-info, and to GET /plain
    Constant {
        /// The file with the reply
        reply: PathBuf,
    },
    /// set-password as one durable row
    Rows {
        /// The database
        file: PathBuf,
    },
    /// What a change cannot do without, from the request to the directory
    Least(crate::least::Least),
    /// The product's API without its engine: accepted changes stay where they are
    Intake {
        /// The installation
        config: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "what is asked is read and does not matter")]
struct Question {
    user_name: String,
    source_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted {
    pub(crate) request_id: String,
    pub(crate) state: &'static str,
}

pub(crate) async fn run(arguments: Serve) -> Result<Value> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let router = match arguments.what {
        What::Intake { config } => return intake(listener, &config).await,
        What::Least(least) => crate::least::router(least).await?,
        What::Constant { reply } => {
            let reply = Bytes::from(std::fs::read(&reply).context("cannot read the reply")?);
            let router = Router::new().route("/plain", get(plain));
            router.route("/v2024/query-password-info", post(constant)).with_state(reply)
        }
        What::Rows { file } => Router::new().route("/v2024/set-password", post(store)).with_state(Rows::create(&file)?),
    };
    axum::serve(listener, router.route("/readyz", get(async || "ready"))).await.context("the server ended")?;
    Ok(Value::Null)
}

async fn constant(State(reply): State<Bytes>, Json(_question): Json<Question>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], reply)
}

/// The bare component: the same reply to whoever asks nothing.
async fn plain(State(reply): State<Bytes>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], reply)
}

async fn store(State(rows): State<Rows>, Json(job): Json<Job>) -> Result<impl IntoResponse, StatusCode> {
    let content = job.ciphertext().map_err(|_| StatusCode::BAD_REQUEST)?;
    rows.insert(content).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let accepted = Accepted { request_id: draw_id().simple().to_string(), state: "IN_PROGRESS" };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Its log is written as the product writes it, since that is a part of what a request costs.
async fn intake(listener: TcpListener, config: &std::path::Path) -> Result<Value> {
    let lines = tracing_subscriber::fmt().with_env_filter("info,sqlx=warn,hyper=warn,ldap3=warn").with_ansi(false);
    lines.with_writer(std::io::stderr).init();
    let app = App::open(Config::read(config)?, Role::Serve).await.context("cannot open the installation")?;
    lockstep::api::serve(app, listener, std::future::pending()).await.context("the API ended")?;
    Ok(Value::Null)
}
