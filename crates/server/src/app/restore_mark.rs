//! The restore mark: how this process notices that the database was restored from a copy, or lost commits.
//!
//! What a mark says is decided in `lockstep_core::restore_mark`. Here it is read from both places, raised at each start,
//! each minute and after a backup, and watched with each beat.
//!
//! It is raised in the database first and then written to the file. A crash in between leaves a file that is behind: it
//! says less than it could, and agrees. The other way round a crash would leave a file that is ahead of a database which
//! has lost nothing, and no server would start. The one time that the file comes first is when there is none yet and the
//! database stands at 0: a mark that is above 0 without a file must mean that the file was lost.
//!
//! So it is read the other way round, the file first: another process of this host may raise the mark between the two.

mod file;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::id::NodeId;
use lockstep_core::node::Round;
use lockstep_core::restore_mark::{Mark, compare};

pub(super) use lockstep_core::restore_mark::Finding;
use lockstep_store::{Store, Tx, node, restore_mark};
use tokio_util::sync::CancellationToken;

/// Why a process does not go on with this database.
#[derive(Debug, thiserror::Error)]
pub enum RestoreMarkError {
    /// The file cannot be read.
    #[error("cannot read the restore mark {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the restore mark {path}: {source}; store.restore-mark names another place", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database is older than the file.
    #[error(
        "this database is older than what this host has seen of it: its restore mark is {database}, {path} says {file}. \
         It was restored from a copy, or its server failed over and lost commits. What it calls unfinished may have been \
         delivered since; carried on with, it would put old passwords over newer ones", path = path.display()
    )]
    Behind {
        /// The file.
        path: PathBuf,
        /// What stands in it.
        file: i64,
        /// What stands in the database.
        database: i64,
    },
    /// There is no file although servers have run.
    #[error(
        "there is no restore mark at {path}, although servers have run on this database (its mark is {database}) and none \
         runs now. So nobody can say whether it was restored from an older copy, and what it calls unfinished may have been \
         delivered since. If this host is a new one and another has its file, start that one first, or copy the file", path = path.display()
    )]
    Absent {
        /// Where the file should be.
        path: PathBuf,
        /// What stands in the database.
        database: i64,
    },
    /// The file was written for another database.
    #[error(
        "the restore mark {path} belongs to another database: look whether store.url, or store.restore-mark, names the wrong \
         one. If this database was brought here from elsewhere, treat it as restored", path = path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The database was read or written and failed.
    #[error("cannot compare the restore marks")]
    Store(#[from] lockstep_store::Error),
}

impl RestoreMarkError {
    /// Whether `lockstep restored` is what helps.
    pub fn asks_for_restored(&self) -> bool {
        matches!(self, Self::Behind { .. } | Self::Absent { .. } | Self::Foreign { .. })
    }
}

/// The file of this host, and what this process has seen of the database.
#[derive(Debug)]
pub struct RestoreMark {
    path: PathBuf,
    seen: Mutex<Seen>,
    lost: CancellationToken,
}

#[derive(Debug, Default)]
struct Seen {
    mark: Option<Mark>,
    /// This node's own counter after its last beat. A standby that was a second behind has lost a beat of it, and most
    /// likely no mark.
    beat: Option<(NodeId, i64)>,
}

impl RestoreMark {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, seen: Mutex::default(), lost: CancellationToken::new() }
    }

    /// Lets a process serve that holds what this host has seen, and raises the mark. `patience` is how long a node may be
    /// silent.
    pub(super) async fn admit(&self, store: &Store, patience: Duration) -> Result<(), RestoreMarkError> {
        let (file, database) = self.look(store).await?;
        match compare(database, file) {
            Finding::Agrees => {}
            Finding::First => self.write(database).await?,
            // A node that lives has looked at the mark with its last beat: its file vouches for the database.
            Finding::Absent if !store.serves_alone() && somebody_lives(store, patience).await? => {}
            Finding::Absent => {
                return Err(RestoreMarkError::Absent { path: self.path.clone(), database: database.value });
            }
            Finding::Foreign => return Err(RestoreMarkError::Foreign { path: self.path.clone() }),
            Finding::Behind => return Err(self.behind(file.map_or(0, |file| file.value), database.value)),
        }
        self.saw(file.unwrap_or(database));
        self.raise(store).await
    }

    /// What the file says of the database; nothing is changed.
    pub(super) async fn finding(&self, store: &Store) -> Result<Finding, RestoreMarkError> {
        let (file, database) = self.look(store).await?;
        Ok(compare(database, file))
    }

    /// Raises it, in the database and then in the file.
    ///
    /// # Errors
    /// [`RestoreMarkError::Behind`] when the database has lost what this process saw; then [`RestoreMark::lost`] returns
    /// too.
    pub async fn raise(&self, store: &Store) -> Result<(), RestoreMarkError> {
        let seen = self.seen_so_far();
        let raised =
            store.write(move |tx: &mut Tx<'_>| Box::pin(async move { restore_mark::raise(tx, seen).await })).await?;
        match raised {
            Some(mark) => {
                self.saw(mark);
                self.write(mark).await
            }
            None => {
                let now = database(store).await?;
                Err(self.stop(seen, now.value).await)
            }
        }
    }

    /// Raises it after a copy was made, so that the copy is behind. Not where the database is not believed anyway: that
    /// would hide it. Says whether it was raised.
    pub async fn raise_after_copy(&self, store: &Store) -> Result<bool, RestoreMarkError> {
        match self.look(store).await? {
            (Some(file), database) if compare(database, Some(file)) == Finding::Agrees => {
                self.saw(file);
                self.raise(store).await.map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// The mark that this process has seen: to be asked for before the transaction that [`RestoreMark::beat`] is told of,
    /// since another may raise it while that answer is on its way.
    pub fn seen_so_far(&self) -> i64 {
        self.seen().mark.map_or(0, |mark| mark.value)
    }

    /// Takes in what a beat of `node` read, after the mark had reached `before`. A node whose counter, or whose mark, has
    /// gone back sees a database that lost commits.
    pub async fn beat(&self, before: i64, node: NodeId, round: &Round, mark: Mark) -> Result<(), RestoreMarkError> {
        let beat = round.nodes.iter().find(|row| row.id == node).map_or(0, |row| row.beat);
        let (last, other) = {
            let mut seen = self.seen();
            (seen.beat.replace((node, beat)), seen.mark.is_some_and(|seen| seen.database != mark.database))
        };
        let went_back = mark.value < before || last.is_some_and(|(own, last)| own == node && beat <= last);
        if went_back || other {
            return Err(self.stop(before, mark.value).await);
        }
        self.saw(mark);
        Ok(())
    }

    /// Returns once this process has seen the database lose commits.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Lets no server start on this host until [`RestoreMark::after_restore`] is written: what is half ended must not be
    /// carried on with, also where the file agreed.
    pub(super) async fn shut(&self, store: &Store) -> Result<(), RestoreMarkError> {
        let (file, database) = self.look(store).await?;
        let file = file.filter(|file| file.database == database.database);
        match file {
            // Shut already, or ahead for another reason.
            Some(file) if file.value > database.value => Ok(()),
            _ => self.write(database.after_loss()).await,
        }
    }

    /// The mark that ends a restore of `database`.
    pub(super) async fn after_restore(&self, database: Mark) -> Result<Mark, RestoreMarkError> {
        Ok(database.after_restore(self.read().await?))
    }

    /// What stands in the file and, read after it, in the database.
    async fn look(&self, store: &Store) -> Result<(Option<Mark>, Mark), RestoreMarkError> {
        let file = self.read().await?;
        let now = database(store).await?;
        if compare(now, file) != Finding::Absent {
            return Ok((file, now));
        }
        // Another process of this host may have made the file after it was looked for.
        let file = self.read().await?;
        Ok((file, database(store).await?))
    }

    /// Writes the file after a restore.
    pub(super) async fn write(&self, mark: Mark) -> Result<(), RestoreMarkError> {
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || file::write(&path, mark)).await;
        let written = written.unwrap_or_else(|fault| Err(std::io::Error::other(fault)));
        written.map_err(|source| RestoreMarkError::Write { path: self.path.clone(), source })
    }

    async fn read(&self) -> Result<Option<Mark>, RestoreMarkError> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || file::read(&path)).await;
        let read = read.unwrap_or_else(|fault| Err(std::io::Error::other(fault)));
        read.map_err(|source| RestoreMarkError::Read { path: self.path.clone(), source })
    }

    /// The file is put so far ahead that no start on this host goes unnoticed, whoever raises the mark meanwhile.
    async fn stop(&self, seen: i64, now: i64) -> RestoreMarkError {
        let ahead = self.seen().mark.map(Mark::after_loss);
        if let Some(ahead) = ahead
            && let Err(error) = self.write(ahead).await
        {
            tracing::error!(%error, "that the database lost commits could not be written down: do not start the server again without `lockstep restored`");
        }
        self.lost.cancel();
        self.behind(seen, now)
    }

    fn behind(&self, file: i64, database: i64) -> RestoreMarkError {
        RestoreMarkError::Behind { path: self.path.clone(), file, database }
    }

    fn saw(&self, mark: Mark) {
        let mut seen = self.seen();
        if seen.mark.is_none_or(|seen| seen.value < mark.value) {
            seen.mark = Some(mark);
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn database(store: &Store) -> lockstep_store::Result<Mark> {
    store.read(|tx: &mut Tx<'_>| Box::pin(restore_mark::get(tx))).await
}

/// Whether some node says within `patience` that it lives.
pub(super) async fn somebody_lives(store: &Store, patience: Duration) -> lockstep_store::Result<bool> {
    const LOOKS: u32 = 20;
    let first = store.read(|tx: &mut Tx<'_>| Box::pin(node::list(tx))).await?;
    for _ in 0..LOOKS {
        tokio::time::sleep(patience / LOOKS).await;
        let now = store.read(|tx: &mut Tx<'_>| Box::pin(node::list(tx))).await?;
        let moved = |node: &node::Node| first.iter().all(|before| before.id != node.id || before.beat < node.beat);
        if now.iter().any(|node| !node.stopped && moved(node)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use lockstep_core::node::NodeRow;
    use lockstep_store::Options;
    use tokio::task::JoinSet;
    use uuid::Uuid;

    use super::*;

    fn mark(value: i64) -> Mark {
        Mark { database: Uuid::from_u128(1), value }
    }

    fn node() -> NodeId {
        NodeId(Uuid::from_u128(7))
    }

    fn round(beat: i64) -> Round {
        Round { nodes: vec![NodeRow { id: node(), beat, stopped: false }], buckets: Vec::new() }
    }

    /// A process that has seen the mark at 5 and its own counter at 40.
    async fn running(folder: &tempfile::TempDir) -> RestoreMark {
        let own = RestoreMark::new(folder.path().join("restore.mark"));
        own.write(mark(5)).await.unwrap();
        own.saw(mark(5));
        own.beat(5, node(), &round(40), mark(5)).await.unwrap();
        own
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn processes_that_start_at_once_on_one_host_believe_the_database() {
        const AT_ONCE: usize = 6;
        for _ in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let address = format!("sqlite:{}", folder.path().join("lockstep.db").display());
            let store = Arc::new(Store::open(&address, Options::default()).await.unwrap());
            store.migrate(DateTime::UNIX_EPOCH).await.unwrap();
            store.write(|tx: &mut Tx<'_>| Box::pin(restore_mark::create(tx, Uuid::from_u128(1)))).await.unwrap();
            let mut starting = JoinSet::new();
            for _ in 0..AT_ONCE {
                let own = RestoreMark::new(folder.path().join("restore.mark"));
                let store = Arc::clone(&store);
                starting.spawn(async move { own.admit(&store, Duration::ZERO).await });
            }
            while let Some(admitted) = starting.join_next().await {
                admitted.unwrap().unwrap();
            }
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_node_whose_database_goes_on_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let own = running(&folder).await;
        own.beat(5, node(), &round(41), mark(5)).await.unwrap();
        // Raised by another while this answer was on its way: asked before, it is no step back.
        let before = own.seen_so_far();
        own.saw(mark(6));
        own.beat(before, node(), &round(42), mark(5)).await.unwrap();
        assert_eq!(own.seen_so_far(), 6);
        // Under a new name the counter begins anew.
        let renamed = NodeId(Uuid::from_u128(8));
        let nodes = vec![NodeRow { id: renamed, beat: 1, stopped: false }];
        own.beat(6, renamed, &Round { nodes, buckets: Vec::new() }, mark(6)).await.unwrap();
        assert!(!own.lost.is_cancelled());
    }

    #[tokio::test]
    async fn a_step_back_of_the_mark_or_of_the_own_counter_or_another_database_stops_it_and_every_start_after_it() {
        let other = Mark { database: Uuid::from_u128(2), value: 9 };
        for (beat, now) in [(41, mark(4)), (40, mark(5)), (38, mark(5)), (38, mark(6)), (41, other)] {
            let folder = tempfile::tempdir().unwrap();
            let own = running(&folder).await;
            let error = own.beat(5, node(), &round(beat), now).await.unwrap_err();
            assert!(error.asks_for_restored(), "{error}");
            own.lost().await;
            // Others, who did not see it, raise the mark meanwhile.
            let went_on = mark(now.value + 1000);
            assert_eq!(compare(went_on, own.read().await.unwrap()), Finding::Behind);
        }
    }
}
