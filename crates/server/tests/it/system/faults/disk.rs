//! The disk with the database is full, or may only be read. These tests mount file systems of their own, in memory, so
//! they run as root.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::system::api::{Api, Status};
use crate::system::installation::{Installation, quick};
use crate::system::state::State;
use crate::system::tables::{CANTEEN, PostgresTable, SqliteTable, bcrypt};
use crate::system::{fresh_password, until};

const ABBY: &str = "abby.smith";

/// A small disk in memory.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one, and gives a folder on it.
    fn mount(megabytes: u32) -> (Self, TempDir) {
        let place = tempfile::Builder::new().prefix("lockstep-disk-").tempdir().expect("a folder").keep();
        let disk = Self(place);
        let size = format!("size={megabytes}m");
        mount(&["-t", "tmpfs", "-o", &size, "tmpfs", disk.0.to_str().expect("text")]);
        let folder = tempfile::Builder::new().tempdir_in(&disk.0).expect("a folder");
        (disk, folder)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut file = File::create(self.filler()).expect("a file");
        for size in [65536, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Makes room.
    fn clear(&self) {
        fs::remove_file(self.filler()).expect("removed");
    }

    fn remount(&self, how: &str) {
        mount(&["-o", &format!("remount,{how}"), self.0.to_str().expect("text")]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if unmounted.is_ok_and(|status| status.success()) {
            let _ = fs::remove_dir(&self.0);
        }
    }
}

fn mount(options: &[&str]) {
    let output = Command::new("mount").args(options).output().expect("mount runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test mounts a small file system in memory, which root may do: {said}");
}

/// An application's table, elsewhere.
struct Tables {
    billing: PostgresTable,
    canteen: SqliteTable,
}

impl Tables {
    async fn new(database: &str) -> (Self, State) {
        let (logins, old) = ([ABBY.to_owned()], fresh_password("old"));
        let billing = PostgresTable::new(database, &logins, &old).await;
        let canteen = SqliteTable::new(&logins, &billing.hash(&old).await).await;
        let mut state = State::alone(canteen.source(bcrypt()));
        state.person(ABBY, None, |_| ABBY.to_owned());
        (Self { billing, canteen }, state)
    }

    async fn hold(&self, password: &str) -> bool {
        let hashes: Vec<String> = self.canteen.stored().await.into_iter().map(|(_, hash)| hash).collect();
        self.billing.fitting(&hashes, &[password.to_owned()]).await == [true]
    }
}

async fn finished_or_superseded(api: &Api, id: &str) {
    let status = until("the change is final", Duration::from_secs(60), async || {
        Some(api.status(id).await).filter(Status::is_final)
    })
    .await;
    let superseded = !status.errors.is_empty() && status.errors.iter().all(|line| line.contains("superseded"));
    assert!(status.state == "FINISHED" || superseded, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing_it_took() {
    let (tables, state) = Tables::new("system_disk_full").await;
    let (disk, folder) = Disk::mount(16);
    let mut installation = Installation::in_folder(folder, quick(), &state).await;
    installation.start().await;
    let api = installation.api().await;
    let info = api.ask(ABBY, CANTEEN).await;

    disk.fill();
    let mut accepted = Vec::new();
    let mut refused = None;
    // What the log of the database had reserved before is still used up.
    for number in 0..1000 {
        let password = fresh_password(&format!("p{number}"));
        let body = info.change_to(&password);
        let (status, answer) = api.send_set(&body).await.expect("an answer");
        match status.as_u16() {
            202 => accepted.push(answer["requestId"].as_str().expect("an id").to_owned()),
            500.. => {
                refused = Some((body, password));
                break;
            }
            _ => panic!("{status} {answer}"),
        }
    }
    let (body, password) = refused.expect("a full disk takes no more");
    assert!(installation.log().contains("full"), "the log does not say so");

    disk.clear();
    let id = until("there is room again", Duration::from_secs(30), async || {
        let (status, answer) = api.send_set(&body).await?;
        (status == 202).then(|| answer["requestId"].as_str().expect("an id").to_owned())
    })
    .await;
    accepted.push(id);
    for id in &accepted {
        finished_or_superseded(&api, id).await;
    }
    assert!(tables.hold(&password).await, "the latest is not what the table holds");
    let rows = installation.store().count("SELECT '', count(*) FROM change").await;
    assert_eq!(rows, accepted.len() as i64, "a refused request was kept all the same");
    assert!(installation.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_on_a_disk_that_may_only_be_read_is_said_and_goes_on_when_it_may_be_written() {
    let (tables, state) = Tables::new("system_disk_read_only").await;
    let (disk, folder) = Disk::mount(16);
    let mut installation = Installation::in_folder(folder, quick(), &state).await;
    installation.start().await;
    let api = installation.api().await;
    let new = fresh_password("new");
    let id = api.set(ABBY, CANTEEN, &new).await;
    installation.kill().await;

    disk.remount("ro");
    let output = installation.second_server().await;
    let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: ") && (said.contains("read-only") || said.contains("readonly")), "{said}");

    disk.remount("rw");
    installation.start().await;
    finished_or_superseded(&api, &id).await;
    assert!(tables.hold(&new).await);
    assert!(installation.stop().await.success());
}

/// So that a folder that is no mount is not filled by mistake.
#[test]
fn a_disk_is_a_file_system_of_its_own() {
    use std::os::unix::fs::MetadataExt as _;
    let (disk, folder) = Disk::mount(1);
    let device = |path: &Path| fs::metadata(path).expect("there").dev();
    assert_eq!(device(folder.path()), device(&disk.0));
    assert_ne!(device(&disk.0), device(disk.0.parent().expect("a parent")));
}
