//! Rows (a): from acceptance to the directory, beside a straight line of the work that no server could leave out.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::kit::{Comparison, Kit, Measured, Side, limit, text};
use super::product::{Installation, People, Product, Setup};
use super::row::{Goal, Row};
use crate::process::run;
use crate::servers::{Servers, Slapd};

/// How many connections to the directory both sides have.
pub(crate) const CONNECTIONS: usize = 16;
/// How many connections bring requests.
const SENDERS: usize = 32;
/// The source's name.
const DIRECTORY: &str = "Directory";

/// A product that writes to the directory, and the directory.
pub(crate) struct Scene<'a> {
    slapd: &'a Slapd,
    pub(crate) slapd_id: u32,
    pub(crate) installation: Installation,
    pub(crate) product: Product,
    people: usize,
}

impl<'a> Scene<'a> {
    /// With that many people, and password histories on both sides or on none.
    pub(crate) fn set(kit: &Kit<'_>, servers: &'a Servers, people: usize, history: bool) -> Result<Self> {
        let slapd = &servers.slapd;
        remember(kit, slapd, if history { 3 } else { 0 })?;
        let pid = std::fs::read_to_string(slapd.folder.join("run/slapd.pid")).context("reading slapd's pid")?;
        let setup = Setup { state: state(slapd, people, history), secret: "svcsecret".to_owned(), ..Setup::default() };
        let installation = Installation::make(kit, &setup)?;
        let product = installation.serve(kit)?;
        Ok(Self { slapd, slapd_id: pid.trim().parse()?, installation, product, people })
    }

    pub(crate) fn prepare(&self, kit: &Kit<'_>, files: usize) -> Result<Vec<std::path::PathBuf>> {
        let people = People { source: DIRECTORY, prefix: "user", digits: 5, count: self.people };
        self.installation.prepare(kit, &self.product, &people, files)
    }

    /// The product delivers.
    pub(crate) fn deliver(&self, jobs: &Path, senders: usize) -> Vec<String> {
        deliver(&self.product.address, self.product.id(), jobs, senders)
    }

    /// The least that a server does for the same.
    pub(crate) fn serve_least(&self, kit: &Kit<'_>, jobs: &Path) -> Result<Comparison> {
        let mut arguments = vec!["least".to_owned(), "--rows".to_owned(), text(&self.installation.file("least.db"))];
        arguments.extend(self.of_key(jobs));
        arguments.extend(self.of_directory());
        kit.serve(&arguments)
    }

    fn straight(&self, jobs: &Path, history: bool) -> Vec<String> {
        let mut arguments = vec!["straight".to_owned(), "--rows".to_owned(), text(&self.installation.file("rows.db"))];
        arguments.extend(self.of_key(jobs));
        arguments.extend(self.of_directory());
        arguments.extend(["--watch".to_owned(), self.slapd_id.to_string()]);
        arguments.extend(history.then(|| "--history".to_owned()));
        arguments
    }

    pub(crate) fn openings(&self, jobs: &Path) -> Vec<String> {
        [vec!["bare".to_owned(), "openings".to_owned()], self.of_key(jobs)].concat()
    }

    fn hashes(&self, jobs: &Path, count: usize) -> Vec<String> {
        let count = ["--count".to_owned(), count.to_string()].to_vec();
        [vec!["bare".to_owned(), "hashes".to_owned()], self.of_key(jobs), count].concat()
    }

    pub(crate) fn writes(&self, jobs: &Path) -> Vec<String> {
        let mut arguments = vec!["bare".to_owned(), "directory".to_owned(), "--jobs".to_owned(), text(jobs)];
        arguments.extend(self.of_directory());
        arguments.extend(["--watch".to_owned(), self.slapd_id.to_string()]);
        arguments
    }

    fn of_key(&self, jobs: &Path) -> Vec<String> {
        ["--config", &text(&self.installation.file("lockstep.toml")), "--jobs", &text(jobs)].map(str::to_owned).to_vec()
    }

    fn of_directory(&self) -> Vec<String> {
        let (ca, password) = (text(&self.slapd.authority()), text(&self.installation.file("source.password")));
        let (url, connections) = (&self.slapd.ldaps_url, CONNECTIONS.to_string());
        let bind_dn = "cn=svc,dc=example,dc=test";
        ["--url", url, "--ca", &ca, "--bind-dn", bind_dn, "--bind-password", &password, "--connections", &connections]
            .map(str::to_owned)
            .to_vec()
    }
}

/// A server that listens at `address` delivers.
pub(crate) fn deliver(address: &str, pid: u32, jobs: &Path, senders: usize) -> Vec<String> {
    let (jobs, senders, pid) = (text(jobs), senders.to_string(), pid.to_string());
    ["deliver", "--server", address, "--jobs", &jobs, "--connections", &senders, "--watch", &pid]
        .map(str::to_owned)
        .to_vec()
}

/// Measures one of the two rows.
pub(crate) fn measure(kit: &Kit<'_>, servers: &Servers, history: bool) -> Result<Vec<Row>> {
    let people = kit.many(if history { 400 } else { 6_000 });
    let scene = Scene::set(kit, servers, people, history)?;
    let rows = scene.installation.file("bare.db");
    // A directory with a history takes a password once, so there each side has passwords of its own.
    let own = if history { kit.runs + 1 } else { 0 };
    let jobs = scene.prepare(kit, kit.runs + 1 + own)?;
    kit.measure(&scene.deliver(&jobs[kit.runs], SENDERS)).context("warming up")?;

    let count = kit.many(40_000).to_string();
    let bare_rows = ["bare", "rows", "--file", &text(&rows), "--count", &count].map(str::to_owned);
    let mut sides = [
        Side::new("Lockstep", |run| kit.measure(&scene.deliver(&jobs[run], SENDERS))),
        Side::new("straight line", |run| kit.measure(&scene.straight(&jobs[run + own], history))),
        Side::new("openings alone", |run| kit.measure(&scene.openings(&jobs[run]))),
        Side::new("directory alone", |run| kit.measure(&scene.writes(&jobs[run]))),
        Side::new("rows alone", |_| kit.measure(&bare_rows)),
        Side::new("hashes alone", |run| kit.measure(&scene.hashes(&jobs[run], kit.many(200)))),
    ];
    let used = if history { 6 } else { 5 };
    kit.interleave(&mut sides[..used])?;
    let rates: Vec<_> = sides[..used].iter().map(Side::rate).collect();
    let costs: Vec<_> =
        sides[2..used].iter().map(|side| side.series(|measured| measured.cost(&["/own", "/other"]))).collect();
    let limit = limit(&sides[1], &rates[2..].iter().collect::<Vec<_>>(), &costs.iter().collect::<Vec<_>>());
    let names = ["Lockstep", "straight line", "openings alone", "directory alone", "rows alone", "hashes alone"];
    let mut parts: Vec<_> =
        names.iter().zip(&rates).map(|(name, rate)| (format!("{name}, 1/s"), rate.clone())).collect();
    parts.push(("limit of the straight line, 1/s".to_owned(), limit.clone()));
    parts.push(("part of the processors that the host gave to others meanwhile".to_owned(), sides[1].stolen()));
    parts.push(("openings of Lockstep for each change".to_owned(), sides[0].series(Measured::openings)));
    parts.push(("acceptance meanwhile, 1/s".to_owned(), sides[0].series(|it| it.number("/accepted_per_second"))));
    let (title, command) = match history {
        false => ("applied in one directory ÷ a straight line", "cargo xtask bench --only applied"),
        true => ("the same with password histories ÷ a straight line", "cargo xtask bench --only applied-history"),
    };
    Ok(vec![Row {
        letter: if history { "a, history" } else { "a" },
        title: title.to_owned(),
        unit: "",
        figure: rates[0].over(&rates[1]),
        goal: Some(Goal::AtLeast(0.80)),
        baseline: Some(rates[1].over(&limit)),
        parts,
        command,
        notes: notes(people, history),
    }])
}

fn notes(people: usize, history: bool) -> Vec<String> {
    let histories = match history {
        false => "no history anywhere: `pwdInHistory 0`, `history = 0`",
        true => {
            "histories on both sides: `pwdInHistory 3`, and one Argon2id evaluation (19 MiB, 2 passes) for each change"
        }
    };
    vec![
        format!(
            "A run is {people} changes, each for another person, sent over {SENDERS} connections, from the first request \
             until the last account has its password; then each change is asked for and must be FINISHED. slapd with \
             fsync, over TLS, {CONNECTIONS} connections on both sides; {histories}. IdentityNow is in no group."
        ),
        "The straight line opens the same ciphertexts with the same library in as many threads as there are processors, \
         sends the same operation over the same LDAP library, and stores one row each, committed in groups. It has no \
         HTTP and no queue."
            .to_owned(),
        "Load, product or straight line, and slapd share the processors.".to_owned(),
        "Limit: the least of the components' rates alone and of the processors ÷ the processor time that the components \
         need for one change together, less what the host gave to others meanwhile."
            .to_owned(),
    ]
}

/// How many old passwords the directory remembers.
fn remember(kit: &Kit<'_>, slapd: &Slapd, count: u32) -> Result<()> {
    let ldif = slapd.folder.join("history.ldif");
    let change = format!(
        "dn: cn=default,ou=policies,dc=example,dc=test\nchangetype: modify\nreplace: pwdInHistory\npwdInHistory: {count}\n"
    );
    std::fs::write(&ldif, change).context("writing history.ldif")?;
    let mut command = Command::new("ldapmodify");
    command.args(["-x", "-H", &slapd.ldap_url, "-D", "cn=admin,dc=example,dc=test", "-w", "adminpw", "-f"]).arg(ldif);
    run(&mut command, &kit.log, kit.stop)
}

fn state(slapd: &Slapd, people: usize, history: bool) -> String {
    let mut state = format!(
        r#"[[password-policy]]
name = "Plain"
minLength = 8
history = {history}

[[source]]
name = "{DIRECTORY}"
connector = "ldap"
secrets = {{ password = {{ file = "source.password" }} }}
policies = [{{ policy = "Plain" }}]
concurrency = 64
[source.config]
url = "{url}"
ca_file = "{ca}"
bind_dn = "cn=svc,dc=example,dc=test"
max_connections = {CONNECTIONS}
"#,
        history = if history { 5 } else { 0 },
        url = slapd.ldaps_url,
        ca = slapd.authority().display(),
    );
    for number in 0..people {
        let uid = format!("user{number:05}");
        state.push_str(&format!(
            "\n[[identity]]\nalias = \"{uid}\"\n[[identity.account]]\nsource = \"{DIRECTORY}\"\nnative-id = \"{}\"\n",
            Slapd::person(&uid)
        ));
    }
    state
}
