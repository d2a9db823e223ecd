//! Rows (f): the processor time of the product for each delivered change, and what it goes to.

use anyhow::Result;

use super::applied::{Scene, deliver};
use super::kit::{Kit, Measured, Side, text};
use super::product::People;
use super::query::{self, Asks, TABLE};
use super::row::{Goal, Row};
use crate::servers::Servers;

/// Connections that bring requests, and how many changes a run has then.
const CLIENTS: [(usize, usize); 3] = [(1, 2_000), (8, 4_000), (32, 4_000)];

/// The thread that writes. Reads are done where they are asked for, and counted there.
const STORAGE: [&str; 1] = ["/used/0/threads/sqlite-writer"];

/// What free programs did with the same job on the same kind of machine: changes a second with 1, 8 and 32 clients.
const OTHERS: [(&str, [u32; 3]); 4] = [
    ("PWM 2.0.7", [444, 790, 1_013]),
    ("Keycloak 26.7.3", [398, 749, 788]),
    ("LemonLDAP::NG", [227, 470, 430]),
    ("privacyIDEA 3.14", [16, 23, 24]),
];

/// Measures a row for each number of clients.
pub(crate) fn measure(kit: &Kit<'_>, servers: &Servers) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (place, (clients, changes)) in CLIENTS.into_iter().enumerate() {
        let scene = Scene::set(kit, servers, kit.many(changes), false)?;
        let jobs = scene.prepare(kit, kit.runs + 1)?;
        kit.measure(&scene.deliver(&jobs[kit.runs], clients))?;
        let constant = Constant::serve(kit)?;
        let least = scene.serve_least(kit, &jobs[kit.runs])?;
        let least_deliver = |run: usize| {
            let mut arguments = deliver(&least.address, least.service.id(), &jobs[run], clients);
            arguments.push("--unchecked".to_owned());
            kit.measure(&arguments)
        };
        let mut sides = [
            Side::new("Lockstep", |run| kit.measure(&scene.deliver(&jobs[run], clients))),
            Side::new("openings alone", |run| kit.measure(&scene.openings(&jobs[run]))),
            Side::new("directory alone", |run| kit.measure(&scene.writes(&jobs[run]))),
            Side::new("constant replies", |_| constant.measure(kit)),
            Side::new("the least", least_deliver),
        ];
        kit.interleave(&mut sides)?;
        rows.push(row(place, clients, &sides));
    }
    Ok(rows)
}

/// A constant reply over HTTP: what the HTTP and JSON of one request cost a server.
struct Constant {
    server: super::kit::Comparison,
    installation: super::product::Installation,
    product: super::product::Product,
}

impl Constant {
    const PEOPLE: People<'static> = People { source: TABLE, prefix: "person", digits: 7, count: 100 };

    fn serve(kit: &Kit<'_>) -> Result<Self> {
        let installation = super::product::Installation::make(kit, &query::setup())?;
        query::fill(kit, &installation, &Self::PEOPLE)?;
        let product = installation.serve(kit)?;
        let reply = query::save_reply(kit, &installation, &product, &Self::PEOPLE)?;
        Ok(Self { server: kit.serve(&["constant", &text(&reply)])?, installation, product })
    }

    fn measure(&self, kit: &Kit<'_>) -> Result<Measured> {
        let pid = self.server.service.id().to_string();
        let asks = Asks { requests: kit.many(20_000), server: &self.server.address, watch: &pid };
        asks.measure(kit, &self.installation, &Self::PEOPLE, Some(&self.product.address))
    }
}

/// Seconds for 1,000 changes.
fn row(place: usize, clients: usize, sides: &[Side<'_>]) -> Row {
    let thousand = |side: usize, parts: &[&str]| sides[side].series(|it| 1000.0 * it.cost(parts));
    let all = thousand(0, &["/used/0/seconds"]);
    let opening = thousand(1, &["/own"]);
    let directory = thousand(2, &["/own"]);
    let storage = thousand(0, &STORAGE);
    let http = thousand(3, &["/used/0/seconds"]);
    let less = |from: &super::series::Series, what: &[&super::series::Series]| {
        let run = |(run, value): (usize, &f64)| value - what.iter().map(|series| series.0[run]).sum::<f64>();
        super::series::Series(from.0.iter().enumerate().map(run).collect())
    };
    let besides = less(&all, &[&opening]);
    let least = less(&thousand(4, &["/used/0/seconds"]), &[&opening]);
    let rest = less(&besides, &[&directory, &storage, &http]);
    let others: Vec<String> = OTHERS.iter().map(|(name, rates)| format!("{name} {}", rates[place])).collect();
    Row {
        letter: ["f, 1", "f, 8", "f, 32"][place],
        title: format!("processor time for 1,000 changes besides the opening, {clients} connections"),
        unit: "s",
        figure: besides,
        goal: Some(Goal::AtMost(0.35)),
        baseline: None,
        parts: vec![
            ("changes applied, 1/s".to_owned(), sides[0].rate()),
            ("openings for each change".to_owned(), sides[0].series(Measured::openings)),
            ("all of it, s".to_owned(), all),
            ("RSA opening, s".to_owned(), opening),
            ("LDAP with TLS, s".to_owned(), directory),
            ("storage: the writing thread of SQLite, s".to_owned(), storage),
            ("HTTP and JSON of one request, s".to_owned(), http),
            ("the rest, s".to_owned(), rest),
            ("written to the disk for each change, KB".to_owned(), sides[0].series(Measured::kilobytes)),
            ("the least that a server does for it, besides the opening, s".to_owned(), least),
            ("the least, changes applied, 1/s".to_owned(), sides[4].rate()),
        ],
        command: "cargo xtask bench --only cost",
        notes: vec![
            "User and system time of the product's process, from its first request until the last change is final (polls \
             and upkeep included), in hundredths of a second as the kernel counts them. Opening and LDAP are what the \
             straight line's code needs for the same alone; HTTP is what a server with a constant reply needs; storage is \
             read from the thread that writes; the rest is what is left: reads, authentication, the engine, logs, metrics."
                .to_owned(),
            "The least that a server does for it is measured in the same run: a program that takes the same requests over the \
             same HTTP library, stores a row before it answers, opens the ciphertext, stores a row before it sends the same \
             operation to the directory and one when that has answered; rows are committed in groups, at the same pace. It \
             authenticates nobody, looks nothing up, keeps no order, no audit and no log."
                .to_owned(),
            "How far, and why (perf, once): where the least takes more than the goal, nobody reaches that here. Beside the \
             writing thread, HTTP with authentication and the log is two fifths of the rest, the engine with its reads \
             another two, LDAP and the scheduler what is left."
                .to_owned(),
            format!(
                "Changes a second of free programs on the same job, measured by us once on the same kind of machine, on \
                 2026-11-24 (one REST call, then a bind with the new password; {clients} at once): {}. None of them \
                 decrypts a password, keeps a record that survives a crash, or writes to a second system.",
                others.join(", ")
            ),
        ],
    }
}
