//! Rows (c): query-password-info beside a constant reply, and with a million people beside a thousand; and the memory of
//! the server that has a million (a part of row e).

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::kit::{Kit, Measured, Side, text};
use super::product::{Installation, People, Product, Setup};
use super::row::{Goal, Row};
use super::series::Series;

/// A source that nobody writes to here.
pub(crate) const TABLE: &str = "Table";
pub(crate) const STATE: &str = r#"[[password-policy]]
name = "Plain"
minLength = 8

[[source]]
name = "Table"
connector = "sql"
policies = [{ policy = "Plain" }]
[source.config]
url = "sqlite:/nowhere/table.db"
hash = "argon2id"
statement = "UPDATE users SET password = :hash WHERE login = :account"
verify = "SELECT password FROM users WHERE login = :account"
"#;

pub(crate) const SENDERS: usize = 32;

/// An installation on SQLite with that source.
pub(crate) fn setup() -> Setup {
    Setup { state: STATE.to_owned(), ..Setup::default() }
}

/// A measurement of query-password-info.
pub(crate) struct Asks<'a> {
    pub(crate) requests: usize,
    pub(crate) server: &'a str,
    pub(crate) watch: &'a str,
}

impl Asks<'_> {
    /// `issuer` gives the token where the server itself does not.
    pub(crate) fn measure(
        &self,
        kit: &Kit<'_>,
        installation: &Installation,
        people: &People<'_>,
        issuer: Option<&str>,
    ) -> Result<Measured> {
        kit.measure(&self.arguments(installation, people, issuer))
    }

    fn arguments(&self, installation: &Installation, people: &People<'_>, issuer: Option<&str>) -> Vec<String> {
        let (requests, senders) = (self.requests.to_string(), SENDERS.to_string());
        let asked = ["ask", "--server", self.server, "--watch", self.watch, "--requests", &requests];
        let issuer = issuer.iter().flat_map(|issuer| ["--issuer", *issuer]);
        let all = asked.into_iter().chain(["--connections", &senders]).chain(issuer).map(str::to_owned);
        all.chain(installation.client()).chain(people.arguments()).collect()
    }
}

/// Adds people to an installation.
pub(crate) fn fill(kit: &Kit<'_>, installation: &Installation, people: &People<'_>) -> Result<()> {
    let mut arguments = vec!["fill".to_owned(), "--config".to_owned(), text(&installation.file("lockstep.toml"))];
    arguments.extend(people.arguments());
    let filled = kit.measure(&arguments).context("adding people")?;
    kit.progress(&format!("{} people were added in {:.1} s", people.count, filled.number("/seconds")));
    Ok(())
}

/// Saves an answer of the product, as the one that a constant reply gives.
pub(crate) fn save_reply(
    kit: &Kit<'_>,
    installation: &Installation,
    product: &Product,
    people: &People<'_>,
) -> Result<PathBuf> {
    let (path, pid) = (installation.file("reply.json"), product.id().to_string());
    let asks = Asks { requests: 1, server: &product.address, watch: &pid };
    let mut arguments = asks.arguments(installation, people, None);
    arguments.extend(["--save".to_owned(), text(&path)]);
    kit.measure(&arguments)?;
    Ok(path)
}

/// The product beside a constant reply.
pub(crate) fn beside_a_constant(kit: &Kit<'_>) -> Result<Vec<Row>> {
    let installation = Installation::make(kit, &setup())?;
    let people = People { source: TABLE, prefix: "person", digits: 7, count: 1_000 };
    fill(kit, &installation, &people)?;
    let product = installation.serve(kit)?;
    let reply = save_reply(kit, &installation, &product, &people)?;
    let constant = kit.serve(&["constant", &text(&reply)])?;
    let (pid, constant_pid) = (product.id().to_string(), constant.service.id().to_string());
    let asks = Asks { requests: kit.many(20_000), server: &product.address, watch: &pid };
    let constants = Asks { requests: kit.many(60_000), server: &constant.address, watch: &constant_pid };
    let mut plain = constants.arguments(&installation, &people, Some(&product.address));
    plain.extend(["--get".to_owned(), "/plain".to_owned()]);
    asks.measure(kit, &installation, &people, None).context("warming up")?;
    let mut sides = [
        Side::new("Lockstep", |_| asks.measure(kit, &installation, &people, None)),
        Side::new("constant reply", |_| constants.measure(kit, &installation, &people, Some(&product.address))),
        Side::new("plain HTTP", |_| kit.measure(&plain)),
    ];
    kit.interleave(&mut sides)?;
    let (answers, constant, plain) = (sides[0].rate(), sides[1].rate(), sides[2].rate());
    let cost = |side: &Side<'_>| side.series(|it| 1000.0 * it.cost(&["/used/0/seconds"]));
    Ok(vec![Row {
        letter: "c",
        title: "query-password-info ÷ a constant reply behind the same HTTP".to_owned(),
        unit: "",
        figure: answers.over(&constant),
        goal: Some(Goal::AtLeast(0.25)),
        baseline: Some(constant.over(&plain)),
        parts: vec![
            ("Lockstep, 1/s".to_owned(), answers),
            ("constant reply, 1/s".to_owned(), constant),
            ("the same bytes to a GET without a question, 1/s (the limit)".to_owned(), plain),
            ("processor time of Lockstep for 1,000, s".to_owned(), cost(&sides[0])),
            ("processor time of the constant reply for 1,000, s".to_owned(), cost(&sides[1])),
        ],
        command: "cargo xtask bench --only query",
        notes: vec![
            format!(
                "1,000 people, asked for in a scattered order over {SENDERS} connections, on SQLite. The constant reply \
                 has the bytes of one of the product's, behind the same HTTP and JSON libraries; it authenticates nobody."
            ),
            "Load and server share the processors. The rate limit is raised out of the way; the log goes to a file."
                .to_owned(),
            CACHES.to_owned(),
        ],
    }])
}

const CACHES: &str = "No answer is cached. What is kept in memory: SQLite's own page cache, which SQLite invalidates \
                      by its change counter; rows of small tables (sources, applications, groups, policies, clients, public \
                      keys), until their version is another one, which is read in every transaction; and that a token's \
                      signature is right, until it expires or the keys are others: whether its owner lives is read \
                      each time.";

/// A million people beside a thousand.
pub(crate) fn a_million(kit: &Kit<'_>) -> Result<Vec<Row>> {
    let crowd = People { source: TABLE, prefix: "person", digits: 7, count: kit.many(1_000_000) };
    let few = People { count: 1_000, ..crowd };
    let large = Installation::make(kit, &setup())?;
    let small = Installation::make(kit, &setup())?;
    fill(kit, &large, &crowd)?;
    fill(kit, &small, &few)?;
    let (many, thousand) = (large.serve(kit)?, small.serve(kit)?);
    let (many_pid, thousand_pid) = (many.id().to_string(), thousand.id().to_string());
    let requests = kit.many(20_000);
    let of_many = Asks { requests, server: &many.address, watch: &many_pid };
    let of_thousand = Asks { requests, server: &thousand.address, watch: &thousand_pid };
    of_many.measure(kit, &large, &crowd, None).context("warming up")?;
    of_thousand.measure(kit, &small, &few, None).context("warming up")?;
    let mut sides = [
        Side::new("the crowd", |_| of_many.measure(kit, &large, &crowd, None)),
        Side::new("a thousand", |_| of_thousand.measure(kit, &small, &few, None)),
    ];
    kit.interleave(&mut sides)?;
    let (with_many, with_thousand) = (sides[0].rate(), sides[1].rate());
    let size = std::fs::metadata(large.file("lockstep.db")).map_or(0, |file| file.len()) / 1_000_000;
    let command = "cargo xtask bench --only million";
    Ok(vec![
        Row {
            letter: "c, million",
            title: format!("time of query-password-info with {} people ÷ with 1,000", crowd.count),
            unit: "",
            figure: with_thousand.over(&with_many),
            goal: Some(Goal::AtMost(1.2)),
            baseline: None,
            parts: vec![
                (format!("with {} people, 1/s", crowd.count), with_many),
                ("with 1,000 people, 1/s".to_owned(), with_thousand),
            ],
            command,
            notes: vec![
                format!(
                    "Two servers on SQLite, asked in turns for everybody in a scattered order over {SENDERS} connections. \
                     The large database has {size} MB; the operating system's cache holds it."
                ),
                CACHES.to_owned(),
                "The people were added through the store's functions in batches, not by `lockstep apply`, which has the \
                 whole file in memory: 50,000 people took it 262 MB."
                    .to_owned(),
            ],
        },
        Row {
            letter: "e, million",
            title: format!("memory with {} people, after {} queries", crowd.count, (kit.runs + 1) * requests),
            unit: "MB",
            figure: Series(vec![many.megabytes()?]),
            goal: Some(Goal::AtMost(150.0)),
            baseline: None,
            parts: vec![("with 1,000 people, after as many, MB".to_owned(), Series(vec![thousand.megabytes()?]))],
            command,
            notes: vec!["VmRSS of the process, measured once after the queries of the row above.".to_owned()],
        },
    ])
}
