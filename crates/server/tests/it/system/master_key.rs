//! A new master key, and new transport keys, while changes are pending.
//!
//! What a key file looks like at each step is tested in the vault; here the program is killed again and again in its middle.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::api::Api;
use super::directory::{DIRECTORY, Directory, dn};
use super::fresh_password;
use super::installation::{Installation, quick};
use super::state::State;
use super::until;

/// How often the change of the master key is killed.
const KILLS: u64 = 16;
const PEOPLE: usize = 6;

/// People whose new passwords wait for a directory that is down.
struct Pending {
    directory: Directory,
    installation: Installation,
    requests: Vec<String>,
    passwords: Vec<String>,
}

impl Pending {
    async fn new() -> Self {
        let mut directory = Directory::own().await;
        directory.reset(0..PEOPLE, &fresh_password("old")).await;
        let mut state = State { source: vec![directory.source()], ..State::default() };
        for number in 0..PEOPLE {
            state.person(&format!("person{number}"), None, |_| dn(number));
        }
        let mut installation = Installation::new(quick(), &state).await;
        installation.start().await;
        directory.stop().await;
        let api = installation.api().await;
        let (mut requests, mut passwords) = (Vec::new(), Vec::new());
        for number in 0..PEOPLE {
            let password = fresh_password("new");
            requests.push(api.set(&format!("person{number}"), DIRECTORY, &password).await);
            passwords.push(password);
        }
        Self { directory, installation, requests, passwords }
    }

    /// Everything that was pending arrives.
    async fn is_delivered(&mut self) -> Api {
        self.directory.start().await;
        let api = self.installation.api().await;
        for (number, request) in self.requests.iter().enumerate() {
            let status = api.settled(request).await;
            assert_eq!(status.state, "FINISHED", "{status:?}");
            assert!(self.directory.signs_in(number, &self.passwords[number]).await);
        }
        api
    }

    async fn close(mut self) {
        assert!(self.installation.stop().await.success());
        self.directory.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_changed_while_changes_are_pending_and_whenever_that_is_killed_everything_opens() {
    let mut pending = Pending::new().await;
    let (before, old) = data_keys(&pending.installation).await;
    assert_eq!(old.len(), 1, "{old:?}");
    // How long it takes, so that the kills fall all over it.
    let begin = Instant::now();
    pending.installation.run(&["keys", "rotate-master"]).await;
    let whole = begin.elapsed();
    let next = pending.installation.data().join("master.key.next");
    let (mut seen, mut half_way) = (BTreeSet::new(), 0);
    for kill in 0..KILLS {
        let mut command = pending.installation.command(&["keys", "rotate-master"]);
        let mut rotation = command.stdout(Stdio::null()).kill_on_drop(true).spawn().expect("it runs");
        if next.exists() {
            tokio::time::sleep(whole.mul_f64(kill as f64 / KILLS as f64)).await;
        } else {
            // The new key has just been made, and nothing is wrapped by it.
            while !next.exists() && rotation.try_wait().expect("its state").is_none() {
                tokio::task::yield_now().await;
            }
        }
        rotation.kill().await.expect("killed");
        half_way += usize::from(next.exists());
        let (after, masters) = data_keys(&pending.installation).await;
        assert_eq!(after, before, "a data key is another");
        seen.extend(masters);
        if kill % 4 == 0 {
            pending.installation.kill().await;
            pending.installation.start().await;
        }
    }
    eprintln!("{half_way} of {KILLS} kills fell in the middle; {} master keys have wrapped the data keys", seen.len());
    assert!(half_way > 0, "no kill fell in the middle");
    let said = pending.installation.run(&["keys", "rotate-master"]).await;
    let (after, masters) = data_keys(&pending.installation).await;
    assert_eq!(after, before, "a data key is another");
    assert_eq!(masters.len(), 1, "{masters:?}");
    assert!(said.contains(masters.first().expect("one")) && !masters.is_subset(&old), "{said}");
    let left: Vec<String> = fs::read_dir(pending.installation.data())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .filter(|name| name == "master.key.next" || name == "master.key.part")
        .collect();
    assert_eq!(left, Vec::<String>::new());

    // By the server that never stopped since, and by one that knows the new key only.
    pending.is_delivered().await;
    pending.installation.kill().await;
    pending.installation.start().await;
    let api = pending.installation.api().await;
    assert_eq!(api.change("person0", DIRECTORY, &fresh_password("later")).await.state, "FINISHED");
    pending.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_key_takes_the_place_of_the_one_before_it() {
    let mut pending = Pending::new().await;
    let data = pending.installation.data();
    fs::rename(data.join("master.key"), data.join("old.key")).expect("moved");
    fs::write(data.join("master.key"), "0123456789abcdef".repeat(4)).expect("written");
    fs::set_permissions(data.join("master.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("private");
    let missing = pending.installation.command(&["keys"]).output().await.expect("it runs");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("which was not given"), "{missing:?}");

    let config = fs::read_to_string(data.join("lockstep.toml")).expect("a configuration");
    let previous = format!("{config}\n[master-key.previous]\nfile = \"{}\"\n", data.join("old.key").display());
    fs::write(data.join("lockstep.toml"), previous).expect("written");
    pending.installation.stop().await;
    pending.installation.start().await;
    let said = pending.installation.run(&["keys", "rotate-master"]).await;
    assert!(said.contains("master-key.previous"), "{said}");

    fs::write(data.join("lockstep.toml"), config).expect("written");
    fs::remove_file(data.join("old.key")).expect("removed");
    pending.installation.kill().await;
    pending.installation.start().await;
    pending.is_delivered().await;
    pending.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transport_keys_move_on_while_changes_are_pending_and_none_that_is_needed_is_destroyed() {
    let mut pending = Pending::new().await;
    let needed = "SELECT k.state, count(*) FROM transport_key k WHERE k.id IN (SELECT transport_key FROM change) GROUP BY k.state";
    for state in ["published", "accepting", "retired", "retired", "retired"] {
        until("the key is in its state", Duration::from_secs(30), async || {
            let found = pending.installation.store().counts(needed).await;
            (found == [(state.to_owned(), 1)]).then_some(())
        })
        .await;
        a_day_passes(&mut pending.installation).await;
    }
    assert_eq!(pending.installation.store().counts(needed).await, [("retired".to_owned(), 1)]);
    pending.is_delivered().await;
    a_day_passes(&mut pending.installation).await;
    assert_eq!(pending.installation.store().counts(needed).await, [("destroyed".to_owned(), 1)]);
    pending.close().await;
}

/// As far as transport keys know. A start looks after them before anything else does.
async fn a_day_passes(installation: &mut Installation) {
    installation.stop().await;
    installation
        .store()
        .change("UPDATE transport_key SET since = strftime('%Y-%m-%dT%H:%M:%f+00:00', since, '-25 hours')")
        .await;
    installation.start().await;
    // What is due at a start is done in the background.
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// The ids of the data keys, and of the master keys that wrap them.
async fn data_keys(installation: &Installation) -> (BTreeSet<String>, BTreeSet<String>) {
    let said: Value = installation.run(&["keys", "--json"]).await.parse().expect("JSON");
    let keys = said["dataKeys"].as_array().expect("a list");
    let field = |name: &str| keys.iter().map(|key| key[name].as_str().expect("text").to_owned()).collect();
    (field("id"), field("masterKeyId"))
}
