//! Row (g): the Password Manager beside a constant page of the same size, and how long 200 people wait who click through it.

use anyhow::{Context, Result};

use super::apart::Apart;
use super::kit::{Kit, Measured, Side, text};
use super::product::{Installation, People, Setup};
use super::query::{SENDERS, STATE, TABLE, fill};
use super::row::{Goal, Row};

/// How many people are signed in.
const PEOPLE: usize = 200;

/// What they click through.
const PAGES: [&str; 3] = ["/passwords", "/passwords/changes", "/security"];

/// How long each looks at a page, in milliseconds.
const LOOK: &str = "1000";

const APPLICATION: &str = r#"
[[application]]
name = "Time sheets"
source = "Table"
"#;

/// The pages beside a constant one.
pub(crate) fn measure(kit: &Kit<'_>) -> Result<Vec<Row>> {
    let setup = Setup { state: format!("{STATE}{APPLICATION}"), ..Setup::default() };
    let installation = Installation::make(kit, &setup)?;
    let people = People { source: TABLE, prefix: "person", digits: 7, count: PEOPLE };
    fill(kit, &installation, &people)?;
    let apart = Apart::find()?;
    apart.servers()?;
    let product = installation.serve(kit)?;
    apart.load()?;
    let sessions = installation.file("sessions");
    let mut sign_in = vec!["sessions".to_owned(), "--config".to_owned(), text(&installation.file("lockstep.toml"))];
    sign_in.extend(["--prefix", "person", "--digits", "7", "--people"].map(str::to_owned));
    sign_in.extend([PEOPLE.to_string(), "--save".to_owned(), text(&sessions)]);
    kit.measure(&sign_in).context("signing people in")?;

    let click = |server: &str, watch: &str, people: usize, pages: &[&str], requests: usize, more: &[&str]| {
        let (people, requests) = (people.to_string(), requests.to_string());
        let mut arguments = vec!["click", "--server", server, "--watch", watch, "--people", &people];
        arguments.extend(["--requests", &requests]);
        arguments.extend(pages.iter().flat_map(|page| ["--page", *page]));
        let mut all: Vec<String> = arguments.into_iter().chain(more.iter().copied()).map(str::to_owned).collect();
        all.extend(["--sessions".to_owned(), text(&sessions)]);
        kit.measure(&all)
    };
    let (page, pid) = (installation.file("page.html"), product.id().to_string());
    click(&product.address, &pid, 1, &PAGES[..1], 1, &["--save", &text(&page)])?;
    apart.servers()?;
    let constant = kit.serve(&["constant", &text(&page)])?;
    apart.load()?;
    let constant_pid = constant.service.id().to_string();
    let press = |server: &str, watch: &str, page: &str, times: usize| {
        let (people, times) = (SENDERS.to_string(), kit.many(times).to_string());
        let arguments = ["press", "--server", server, "--watch", watch, "--page", page, "--people", &people];
        let arguments = arguments.into_iter().chain(["--times", &times]).map(str::to_owned);
        kit.measure(&arguments.chain(["--sessions".to_owned(), text(&sessions)]).collect::<Vec<_>>())
    };
    press(&product.address, &pid, PAGES[0], 300).context("warming up")?;
    let mut sides = [
        Side::new("Password Manager", |_| press(&product.address, &pid, PAGES[0], 2_000)),
        Side::new("constant page", |_| press(&constant.address, &constant_pid, "/plain", 10_000)),
        Side::new("200 people", |_| click(&product.address, &pid, PEOPLE, &PAGES, kit.many(4_000), &["--look", LOOK])),
    ];
    kit.interleave(&mut sides)?;
    let (pages, constants) = (sides[0].rate(), sides[1].rate());
    let busy = |side: &Side<'_>| side.series(|it| it.number("/busy"));
    let cost = |side: &Side<'_>| side.series(|it| 1000.0 * it.cost(&["/used/0/seconds"]));
    let by_processor = cost(&sides[1]).over(&cost(&sides[0]));
    let time = |name: &'static str| sides[2].series(move |it: &Measured| it.number(name));
    let bytes = std::fs::metadata(&page).context("no page was saved")?.len();
    Ok(vec![Row {
        letter: "g",
        title: "the Password Manager ÷ a constant page behind the same HTTP".to_owned(),
        unit: "",
        // What disturbs the run makes the one or the other ratio greater.
        figure: pages.over(&constants).lesser(&by_processor),
        goal: Some(Goal::AtLeast(0.25)),
        // The one that is busy all the time does as much as it can.
        baseline: Some(busy(&sides[1])),
        parts: vec![
            ("Password Manager, 1/s".to_owned(), pages),
            ("constant page, 1/s".to_owned(), constants),
            ("part of its processor that the Password Manager used".to_owned(), busy(&sides[0])),
            ("the same ratio by processor time".to_owned(), by_processor),
            ("200 people: half of the pages within, ms".to_owned(), time("/median")),
            ("200 people: 99 of 100 pages within, ms".to_owned(), time("/p99")),
            ("processor time of the Password Manager, ms a page".to_owned(), cost(&sides[0])),
            ("processor time of the constant page, ms a page".to_owned(), cost(&sides[1])),
        ],
        command: "cargo xtask bench --only pages",
        notes: vec![
            format!(
                "The page has {bytes} bytes, and is made anew each time: whose session it is, what the person has, and \
                 the texts. Each has set it once, so that there is a date. Over {SENDERS} connections, on SQLite. The \
                 constant page has its bytes. The figure is the lesser of the ratios by rate and by processor time."
            ),
            "Each server has a processor to itself, and the load has another: so the rates are what a server can do. The load \
             reads answers by the half of the connections, since to be woken for each would cost the slower server more. \
             What the limit is: the constant page's processor, used all the time."
                .to_owned(),
            format!(
                "The 200 people each have a session and a connection, open {} in turn, and look at each for a second.",
                PAGES.join(", ")
            ),
        ],
    }])
}
