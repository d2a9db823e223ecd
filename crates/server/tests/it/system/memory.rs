//! What a server holds when it has hashed many passwords and has nothing more to do: no more than one that did nothing.

use std::fs;
use std::time::Duration;

use futures_util::future::join_all;

use super::installation::{Installation, quick};
use super::state::{Source, State};
use super::tables::{BILLING, CANTEEN, SqliteTable, bcrypt};
use super::{fresh_password, until};

const PEOPLE: usize = 32;
/// Besides what files are mapped, in KiB; a server that had kept the memory of its hashing had hundreds of megabytes.
const MOST_KIB: u64 = 40 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hashed_many_passwords_is_as_small_as_before() {
    let logins: Vec<String> = (0..PEOPLE).map(|number| format!("hashed{number}")).collect();
    let canteen = SqliteTable::new(&logins, "nothing yet").await;
    // The history is hashed with Argon2id, 19 MiB each time.
    let twin = Source { name: BILLING, ..canteen.source(bcrypt()) };
    let mut state = State::one_group(toml::toml! { history = 3 }, vec![canteen.source(bcrypt()), twin]);
    for login in &logins {
        state.person(login, None, |_| login.clone());
    }
    let mut installation = Installation::new(quick(), &state).await;
    installation.start().await;
    let fresh = memory(installation.pid());
    let api = installation.api().await;
    for _ in 0..2 {
        let passwords: Vec<String> = logins.iter().map(|_| fresh_password("hashed")).collect();
        let set = logins.iter().zip(&passwords).map(|(login, password)| api.change(login, CANTEEN, password));
        for status in join_all(set).await {
            assert_eq!(status.state, "FINISHED", "{status:?}");
        }
    }
    let busy = memory(installation.pid());
    let idle = until("the memory is given back", Duration::from_secs(20), async || {
        let (all, own) = memory(installation.pid());
        (own < MOST_KIB).then_some((all, own))
    })
    .await;
    eprintln!("memory in KiB, all and without files: fresh {fresh:?}, after the work {busy:?}, idle {idle:?}");
    assert!(installation.stop().await.success());
}

/// The resident memory of a process: all of it, and what belongs to no file.
fn memory(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("readable by everybody");
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    (of("VmRSS:"), of("RssAnon:"))
}
