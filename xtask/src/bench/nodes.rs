//! Row (d): two servers on one PostgreSQL beside one, when what limits is the systems they write to.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::kit::{Kit, Measured, Side, text};
use super::product::{Installation, People, Product, Setup};
use super::row::{Goal, Row};
use crate::process::{run, run_for_output};
use crate::servers::Servers;

const TABLE: &str = "Table";
/// How many deliveries a server makes at once: with 20 ms each, that is what binds it. With four, two servers and their
/// PostgreSQL fill two processors, and what is measured is those.
const CONCURRENCY: usize = 1;
/// As many as there are servers at most: what is accepted while deliveries are under way takes time from both.
const SENDERS: usize = 2;
/// How long a new server may take to get its share of the buckets.
const BALANCE: Duration = Duration::from_secs(60);

/// Measures the row.
pub(crate) fn measure(kit: &Kit<'_>, servers: &Servers) -> Result<Vec<Row>> {
    let changes = kit.many(2_000);
    let admin = servers.postgres_url();
    sql(kit, admin, "CREATE DATABASE bench")?;
    sql(kit, admin, "CREATE DATABASE bench_table")?;
    let (store, table) = (at(admin, "bench"), at(admin, "bench_table"));
    sql(
        kit,
        &table,
        "CREATE TABLE users (login text PRIMARY KEY, password text NOT NULL);
         INSERT INTO users SELECT 'person' || lpad(n::text, 7, '0'), '' FROM generate_series(0, 9999) n;
         CREATE FUNCTION set_password(who text, new text) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE found text;
         BEGIN
             PERFORM pg_sleep(0.02);
             UPDATE users SET password = md5(new) WHERE login = who RETURNING login INTO found;
             RETURN found;
         END $$",
    )?;
    let (state, secret) = state(&table)?;
    // A new server gets its share soon; otherwise as shipped.
    let settings = "[engine]\ngrace = \"4s\"\nnode-timeout = \"4s\"\n";
    let installation = Installation::make(kit, &Setup { state, store: Some(store), settings, secret })?;
    let people = People { source: TABLE, prefix: "person", digits: 7, count: changes };
    super::query::fill(kit, &installation, &people)?;
    let first = installation.serve(kit)?;
    let jobs = installation.prepare(kit, &first, &people, 2 * kit.runs + 1)?;
    kit.measure(&deliver(&[&first], &text(&jobs[2 * kit.runs]))).context("warming up")?;

    let one = |run: usize| -> Result<Measured> {
        balanced(kit, &installation, 1)?;
        kit.measure(&deliver(&[&first], &text(&jobs[run])))
    };
    let two = |run: usize| -> Result<Measured> {
        let second = installation.serve_beside(kit)?;
        balanced(kit, &installation, 2)?;
        kit.measure(&deliver(&[&first, &second], &text(&jobs[kit.runs + run])))
    };
    let mut sides = [Side::new("one server", one), Side::new("two servers", two)];
    kit.interleave(&mut sides)?;
    let (alone, both) = (sides[0].rate(), sides[1].rate());
    Ok(vec![Row {
        letter: "d",
        title: "changes applied by two servers ÷ by one, on one PostgreSQL".to_owned(),
        unit: "",
        figure: both.over(&alone),
        goal: Some(Goal::AtLeast(1.8)),
        baseline: None,
        parts: vec![("one server, 1/s".to_owned(), alone), ("two servers, 1/s".to_owned(), both)],
        command: "cargo xtask bench --only nodes",
        notes: vec![
            format!(
                "A run is {changes} changes, each for another person, sent over {SENDERS} connections, to both servers in \
                 turn where there are two, from the first request until the last is final. The target is a table in the \
                 same PostgreSQL whose function sleeps 20 ms; each server delivers {CONCURRENCY} at a time, so that one \
                 is bound at {} a second. More at once, and the processors of a small machine, which PostgreSQL shares, \
                 would bind two servers: at about 160 a second on two.",
                CONCURRENCY * 50
            ),
            "Everything shares the processors. `engine.grace` and `engine.node-timeout` are 4 s, so that the second \
             server gets its share of the buckets soon; the measurement begins when it has it."
                .to_owned(),
        ],
    }])
}

fn deliver(products: &[&Product], jobs: &str) -> Vec<String> {
    let mut arguments = ["deliver", "--jobs", jobs, "--connections"].map(str::to_owned).to_vec();
    arguments.push(SENDERS.to_string());
    for product in products {
        arguments.extend(["--server".to_owned(), product.address.clone()]);
        arguments.extend(["--watch".to_owned(), product.id().to_string()]);
    }
    arguments
}

/// Waits until so many servers have all buckets among them, each about as many.
fn balanced(kit: &Kit<'_>, installation: &Installation, servers: u64) -> Result<()> {
    let began = Instant::now();
    loop {
        let mut status = Command::new(&kit.lockstep);
        status.arg("--config").arg(installation.file("lockstep.toml")).args(["status", "--json"]);
        let (_, said) = run_for_output(&mut status, &kit.log, kit.stop)?;
        let said: Value = serde_json::from_str(said.trim()).context("lockstep status said no JSON")?;
        let nodes = said["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let shares: Vec<u64> = nodes.iter().filter_map(|node| node["buckets"].as_u64()).filter(|n| *n > 0).collect();
        let fair = shares.iter().all(|share| *share >= 240 / servers);
        if shares.len() as u64 == servers && shares.iter().sum::<u64>() == 256 && fair {
            return Ok(());
        }
        ensure!(began.elapsed() < BALANCE, "the buckets are not shared by {servers}: {said}");
        sleep(Duration::from_millis(500));
    }
}

fn sql(kit: &Kit<'_>, url: &str, statement: &str) -> Result<()> {
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url, "--command", statement]);
    run(&mut command, &kit.log, kit.stop).context("psql")
}

/// The address of another database on the same server.
fn at(url: &str, database: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap_or((url, ""));
    format!("{server}/{database}")
}

/// The wanted state, and the password for the table's database: an address of a source holds none.
fn state(table: &str) -> Result<(String, String)> {
    let (before, server) = table.split_once('@').context("an address has a user")?;
    let (user, password) = before.rsplit_once(':').context("an address has a password")?;
    let state = format!(
        r#"[[password-policy]]
name = "Plain"
minLength = 8

[[source]]
name = "{TABLE}"
connector = "sql"
secrets = {{ password = {{ file = "source.password" }} }}
policies = [{{ policy = "Plain" }}]
concurrency = {CONCURRENCY}
[source.config]
url = "{user}@{server}"
tls = "off"
max_connections = {CONCURRENCY}
hash = "database"
statement = "SELECT l FROM set_password(:account, :password) AS l WHERE l IS NOT NULL"
"#
    );
    Ok((state, password.to_owned()))
}
