//! What was answered with 202 is on the disk: the system calls of a server on SQLite show that the commit of each change
//! was synced before the first byte of its answer was sent.
//!
//! `cargo xtask prove fsync` is this test with a thousand changes. A disk that lies about a sync is not found here.

mod trace;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;

use self::trace::{Checked, check};
use super::installation::{Installation, quick};
use super::state::State;
use super::tables::{CANTEEN, SqliteTable, bcrypt};
use super::{fresh_password, until};

/// How many changes are sent.
const SIZE: &str = "LOCKSTEP_TEST_SYNCED_CHANGES";
/// So many at once, so that commits are shared.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_change_was_synced_before_its_answer() {
    let size: usize = std::env::var(SIZE).map_or(50, |size| size.parse().expect("a number"));
    let logins: Vec<String> = (0..AT_ONCE).map(|number| format!("synced{number}")).collect();
    let canteen = SqliteTable::new(&logins, "nothing yet").await;
    let mut state = State { source: vec![canteen.source(bcrypt())], ..State::default() };
    for login in &logins {
        state.person(login, None, |_| login.clone());
    }
    let mut installation = Installation::new(quick(), &state).await;
    let path = installation.data().join("trace");
    installation.under = strace(&path);
    installation.start().await;
    let api = installation.api().await;
    let infos = join_all(logins.iter().map(|login| api.ask(login, CANTEEN))).await;
    let mut ids = Vec::new();
    while ids.len() < size {
        let now = infos.iter().take(size - ids.len());
        let bodies: Vec<_> = now.map(|info| info.change_to(&fresh_password("synced"))).collect();
        let answers = join_all(bodies.iter().map(|body| api.try_set(body))).await;
        ids.extend(answers.into_iter().map(|id| id.expect("accepted")));
    }
    assert!(installation.stop().await.success());
    until("the trace is complete", Duration::from_secs(60), async || {
        end(&path).ends_with("+++ exited with 0 +++\n").then_some(())
    })
    .await;

    let wal = installation.data().join("lockstep.db-wal");
    let checked = |doctored: &mut dyn Iterator<Item = String>| check(doctored, &wal, &ids);
    let told = checked(&mut lines(&path));
    eprintln!(
        "{size} changes, {AT_ONCE} at once: {} syncs of the log, {} answers sent after theirs, {} not; {} MB of trace",
        told.syncs,
        told.proven,
        told.problems.len(),
        path.metadata().expect("a trace").len() / 1_000_000,
    );
    assert_eq!((told.proven, told.problems), (size, vec![]));

    // The same trace as it would be if the server were wrong: the check sees it.
    let off = checked(&mut lines(&path).filter(|line| !line.contains("sync")));
    assert_eq!((off.proven, off.problems.len()), (0, size), "synchronous=OFF");
    let failing = lines(&path).map(|line| match line.contains("sync") {
        true => line.replace(" = 0", " = -1 EIO (Input/output error)"),
        false => line,
    });
    let failing: Checked = checked(&mut { failing });
    assert_eq!((failing.proven, failing.problems.len()), (0, size), "a disk that fails");
    let early = checked(&mut answered_first(lines(&path)).into_iter());
    assert!(early.problems.len() >= size / AT_ONCE, "an answer before the sync: {} found", early.problems.len());
}

/// Every call that writes, syncs or sends, of every thread, with all its bytes, and the files that it is about.
fn strace(path: &Path) -> Vec<String> {
    const CALLS: &str = "trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync";
    let path = path.to_str().expect("text");
    // As a grandchild, so that the server stays this test's child; root, because the server is not dumpable.
    let arguments = ["strace", "-D", "-f", "-y", "-xx", "-s", "65536", "-e", "signal=none", "-e", CALLS, "-o", path];
    arguments.map(str::to_owned).into()
}

/// The end of a file that may be large.
fn end(path: &Path) -> String {
    let mut file = File::open(path).expect("a trace");
    let length = file.metadata().expect("a trace").len();
    file.seek(SeekFrom::Start(length.saturating_sub(100))).expect("a place in it");
    let mut end = String::new();
    file.read_to_string(&mut end).expect("text");
    end
}

fn lines(path: &Path) -> impl Iterator<Item = String> + use<> {
    BufReader::new(File::open(path).expect("a trace")).lines().map(|line| line.expect("text"))
}

/// The return of each sync is put off until an answer was sent.
fn answered_first(lines: impl Iterator<Item = String>) -> Vec<String> {
    let (mut put_off, mut doctored) = (Vec::new(), Vec::new());
    for line in lines {
        let is_return = line.contains("sync") && line.contains(" = 0");
        let is_answer = line.contains(&trace::escaped(b"HTTP/1.1 202"));
        match is_return {
            true => put_off.push(line),
            false => doctored.push(line),
        }
        if is_answer {
            doctored.append(&mut put_off);
        }
    }
    doctored.append(&mut put_off);
    doctored
}
