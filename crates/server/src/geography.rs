//! In which country an address is, as far as a database in MaxMind's format says it (GeoLite2 Country, DB-IP Country Lite and
//! their like). Without one, every country is unknown. Who is trusted for that is not decided here.
//!
//! The file is read at the start, and again while the server runs whenever it has changed. One that cannot be used is not
//! taken, and the one before stays in use.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use maxminddb::{MaxMindDbError, Reader, path};
use tokio::sync::Notify;

use crate::app::App;
use crate::config::GeographyConfig;

/// How often the file is looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(60);

/// What is known of countries.
pub struct Geography(Option<Database>);

struct Database {
    file: PathBuf,
    in_use: RwLock<Arc<Reader<Vec<u8>>>>,
    /// The file that was looked at last, also where it was not taken.
    seen: Mutex<Option<Mark>>,
    /// Whether it is to be read although it is the same.
    again: AtomicBool,
    reload: Notify,
}

/// What another file under the same name differs in: its number, its size, and when it was written.
type Mark = (u64, u64, i64, i64);

/// Why a database of countries cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeographyError {
    /// The file cannot be read.
    #[error("cannot read geography.database {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is in the file is none.
    #[error("geography.database {} is no database in MaxMind's format", path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// Why.
        source: MaxMindDbError,
    },
}

/// What became of a look at the file.
#[derive(Debug)]
pub enum Looked {
    /// It is the one that it was.
    Unchanged,
    /// It is another one, which is in use now.
    Taken,
    /// It is another one, which cannot be used.
    Refused(GeographyError),
}

impl Geography {
    /// Nothing is known.
    pub fn none() -> Self {
        Self(None)
    }

    /// Reads the database that is named, if one is.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn load(config: Option<&GeographyConfig>) -> Result<Self, GeographyError> {
        let Some(GeographyConfig { database: file }) = config else { return Ok(Self::none()) };
        let (mark, reader) = read(file)?;
        let (in_use, seen) = (RwLock::new(Arc::new(reader)), Mutex::new(Some(mark)));
        let (again, reload) = (AtomicBool::new(false), Notify::new());
        Ok(Self(Some(Database { file: file.clone(), in_use, seen, again, reload })))
    }

    /// Whether there is a database.
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The country that an address is in (ISO 3166, two letters); none where it is not known.
    pub fn country(&self, address: IpAddr) -> Option<String> {
        let database = self.0.as_ref()?;
        let reader = Arc::clone(&database.in_use.read().unwrap_or_else(PoisonError::into_inner));
        // A place that cannot be read says nothing.
        reader.lookup(address.to_canonical()).ok()?.decode_path(&path!["country", "iso_code"]).ok()?
    }

    /// Has the file looked at now, and what is wrong with it said again.
    pub fn reload(&self) {
        if let Some(database) = &self.0 {
            database.again.store(true, Ordering::Relaxed);
            database.reload.notify_one();
        }
    }

    /// Looks at the file, and takes it when it is another one.
    pub fn look(&self) -> Looked {
        let Some(Database { file, in_use, seen, again, .. }) = &self.0 else { return Looked::Unchanged };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if again.swap(false, Ordering::Relaxed) {
            *seen = None;
        }
        let mark = match mark(file) {
            Ok(mark) if *seen == Some(mark) => return Looked::Unchanged,
            Ok(mark) => mark,
            // Said each time that it is looked at: nothing else reminds of a file that is gone.
            Err(error) => return Looked::Refused(error),
        };
        match read(file) {
            Ok((mark, reader)) => {
                // It may have been replaced once more since.
                *seen = Some(mark);
                *in_use.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(reader);
                Looked::Taken
            }
            Err(error) => {
                // What could not be read may be another time, without another mark.
                if matches!(error, GeographyError::Broken { .. }) {
                    *seen = Some(mark);
                }
                Looked::Refused(error)
            }
        }
    }
}

/// Keeps the database current. It returns at once where there is none.
pub async fn keep(app: App) {
    let Some(database) = &app.geography.0 else { return };
    let mut tick = tokio::time::interval(LOOKED_AT_EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = database.reload.notified() => {}
        }
        let own = app.clone();
        match tokio::task::spawn_blocking(move || own.geography.look()).await.unwrap_or(Looked::Unchanged) {
            Looked::Unchanged => {}
            Looked::Taken => tracing::info!("the database of countries was read and is in use"),
            Looked::Refused(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(error, "the database of countries cannot be used; the one before stays in use");
            }
        }
    }
}

fn read(file: &Path) -> Result<(Mark, Reader<Vec<u8>>), GeographyError> {
    // Before what it stands for: a file that is being written is read once more.
    let mark = mark(file)?;
    let bytes = fs::read(file).map_err(|source| GeographyError::Read { path: file.to_owned(), source })?;
    let broken = |source| GeographyError::Broken { path: file.to_owned(), source };
    Ok((mark, Reader::from_source(bytes).map_err(broken)?))
}

fn mark(file: &Path) -> Result<Mark, GeographyError> {
    let metadata = fs::metadata(file).map_err(|source| GeographyError::Read { path: file.to_owned(), source })?;
    Ok((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}
