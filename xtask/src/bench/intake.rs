//! Row (b): accepting a change, beside one durable row behind the same HTTP library.

use anyhow::{Context, Result};

use super::kit::{Kit, Measured, Side, limit, text};
use super::product::{Installation, People};
use super::query::{self, TABLE};
use super::row::{Goal, Row};

/// How many connections bring requests: enough for groups to form.
const SENDERS: usize = 768;

/// Measures the row.
pub(crate) fn measure(kit: &Kit<'_>) -> Result<Vec<Row>> {
    let people = kit.many(10_000);
    let installation = Installation::make(kit, &query::setup())?;
    let everybody = People { source: TABLE, prefix: "person", digits: 7, count: people };
    query::fill(kit, &installation, &everybody)?;
    let product = installation.serve(kit)?;
    let jobs = installation.prepare(kit, &product, &everybody, kit.runs + 1)?;
    let reply = query::save_reply(kit, &installation, &product, &everybody)?;
    let issuer = product.address.clone();

    let constant = kit.serve(&["constant", &text(&reply)])?;
    let (constant_id, constant_address) = (constant.service.id().to_string(), constant.address.clone());
    let asks = query::Asks { requests: kit.many(40_000), server: &constant_address, watch: &constant_id };
    let mut replies = Side::new("constant replies", |_| asks.measure(kit, &installation, &everybody, Some(&issuer)));
    // The issuer of its tokens must run, and the installation must be free for the intake below: so they come first.
    kit.interleave(std::slice::from_mut(&mut replies))?;
    drop(product);

    let intake = kit.serve(&["intake", &text(&installation.file("lockstep.toml"))])?;
    let rows = kit.serve(&["rows", &text(&installation.file("rows.db"))])?;
    let accept = |address: &str, pid: u32, run: usize| {
        let (jobs, senders, pid) = (text(&jobs[run]), SENDERS.to_string(), pid.to_string());
        let server = ["deliver", "--accept-only", "--server", address, "--jobs", &jobs, "--connections", &senders];
        kit.measure(&[&server[..], &["--watch", &pid]].concat())
    };
    accept(&intake.address, intake.service.id(), kit.runs).context("warming up")?;
    accept(&rows.address, rows.service.id(), kit.runs).context("warming up")?;
    let count = kit.many(40_000).to_string();
    let bare = text(&installation.file("bare.db"));
    let mut sides = [
        Side::new("Lockstep accepts", |run| accept(&intake.address, intake.service.id(), run)),
        Side::new("rows behind HTTP", |run| accept(&rows.address, rows.service.id(), run)),
        Side::new("rows alone", |_| kit.measure(&["bare", "rows", "--file", &bare, "--count", &count])),
    ];
    kit.interleave(&mut sides)?;
    let (accepts, stores, alone) = (sides[0].rate(), sides[1].rate(), sides[2].rate());
    let costs = [replies.series(|it| it.cost(&["/own", "/used/0/seconds"])), sides[2].series(|it| it.cost(&["/own"]))];
    let limit = limit(&sides[1], &[&replies.rate(), &alone], &costs.iter().collect::<Vec<_>>());
    let cost = |side: &Side<'_>| side.series(|it| 1000.0 * it.cost(&["/used/0/seconds"]));
    Ok(vec![Row {
        letter: "b",
        title: "set-password accepted ÷ bare durable rows behind the same HTTP".to_owned(),
        unit: "",
        figure: accepts.over(&stores),
        goal: Some(Goal::AtLeast(0.50)),
        baseline: Some(stores.over(&limit)),
        parts: vec![
            ("Lockstep accepts, 1/s".to_owned(), accepts),
            ("rows behind HTTP, 1/s".to_owned(), stores),
            ("rows alone, 1/s".to_owned(), alone),
            ("constant replies, 1/s".to_owned(), replies.rate()),
            ("limit of the rows behind HTTP, 1/s".to_owned(), limit),
            ("processor time of Lockstep for 1,000, s".to_owned(), cost(&sides[0])),
            ("processor time of the rows behind HTTP for 1,000, s".to_owned(), cost(&sides[1])),
            ("written by Lockstep for each, KB".to_owned(), sides[0].series(Measured::kilobytes)),
            ("written by the rows behind HTTP for each, KB".to_owned(), sides[1].series(Measured::kilobytes)),
        ],
        command: "cargo xtask bench --only accepted",
        notes: vec![
            format!(
                "A run is {people} requests over {SENDERS} connections, each for another person, answered with 202 when \
                 durable in SQLite (WAL, synchronous=FULL). The baseline reads the same JSON, stores the ciphertext as one \
                 row, committed in groups of up to 512, and answers the same JSON; it authenticates nobody."
            ),
            "What is measured of Lockstep is its API and store without its engine, in a process of their own: the engine \
             would begin to deliver at once, and RSA would take the processors from both. What is accepted while it \
             delivers is in row (a)."
                .to_owned(),
            "How far, and why: a change goes into two trees in no order (the place in the order of a person's changes, and \
             the digest of the ciphertext), one of what is unfinished, and three in the order of time; each of the former \
             is a page of its own in the log and in the database. The baseline's row goes into one tree in the order of \
             time. The one writer computes half of the time and waits for the disk the other half; HTTP with \
             authentication, counters and the log takes as much as the writer."
                .to_owned(),
            "The log goes to a file. Load and server share the processors. The rate limit is raised out of the way."
                .to_owned(),
        ],
    }])
}
