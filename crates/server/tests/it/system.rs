//! The whole system, as it is installed: the real program as a process of its own, real directories and databases as
//! its targets, real HTTP, and clients that share no code with it to say which password works.
//!
//! What one part does is tested beside that part. Here are the promises that only the whole can keep: one change
//! reaches every system, a system that is down holds up nobody else, a kill loses nothing and no status lies.
//!
//! The servers are started by `cargo xtask test` (or `cargo xtask dev`) and found by environment variables. On the
//! shared directory, the people 00000 to 00999 belong to these tests; each test has some of its own.

mod api;
mod canary;
mod configuration;
pub(crate) mod directory;
mod doctor;
mod faults;
mod graceful_stop;
mod imported;
mod installation;
mod kill;
mod master_key;
mod memory;
mod own_postgres;
mod replay;
mod restore;
mod rows;
mod second_server;
mod secrets_stay_secret;
mod state;
mod stopped_directory;
mod synced;
pub(crate) mod tables;
mod three_systems;

use std::time::Duration;

/// The value of a variable by which the test command tells where a server is.
fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run cargo xtask test"))
}

/// A password that nobody has used before, with a letter, a digit and a special character.
fn fresh_password(tag: &str) -> String {
    let mut random = [0; 9];
    aws_lc_rs::rand::fill(&mut random).expect("randomness");
    format!("{tag}-{}", hex::encode(random))
}

/// A number from 0 to below `limit`.
fn random_below(limit: u64) -> u64 {
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).expect("randomness");
    u64::from_be_bytes(random) % limit
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none in time.
async fn until<T>(what: &str, longest: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(longest, asking).await.unwrap_or_else(|_| panic!("{what}: not within {longest:?}"))
}
