//! The file: opened once, read several times from its beginning, and the same each time.
//!
//! What comes through a pipe is copied into a file first that has no name and that nobody else reads.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::app::import::row::Unreadable;

/// A file that can be read again.
#[derive(Debug, Clone)]
pub(super) struct Input {
    file: Arc<File>,
    state: (u64, Option<SystemTime>),
}

/// What a file begins with where it is text of another kind.
const UTF_8: &[u8] = b"\xef\xbb\xbf";
const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

impl Input {
    /// Opens it; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = match path == Path::new("-") {
            true => spooled(io::stdin().lock()).context("cannot keep what comes from standard input")?,
            false => {
                let opened = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
                let metadata = opened.metadata().with_context(|| format!("cannot read {}", path.display()))?;
                if metadata.is_dir() {
                    bail!("{} is a folder", path.display());
                }
                match metadata.is_file() {
                    true => opened,
                    false => spooled(opened).with_context(|| format!("cannot keep what {} gives", path.display()))?,
                }
            }
        };
        let state = state(&file)?;
        Ok(Self { file: Arc::new(file), state })
    }

    /// From its beginning, without the mark that some programs begin UTF-8 with. There is one reader at a time.
    pub(super) fn read(&self) -> Result<BufReader<Reader>, Unreadable> {
        let failed = |error: io::Error| Unreadable(format!("the file cannot be read: {error}"));
        (&*self.file).rewind().map_err(failed)?;
        let mut reader = BufReader::with_capacity(64 * 1024, Reader(Arc::clone(&self.file)));
        let begin = reader.fill_buf().map_err(failed)?;
        if UTF_16.iter().any(|mark| begin.starts_with(mark)) {
            return Err(Unreadable("the file is UTF-16; save it as UTF-8".to_owned()));
        }
        let mark = if begin.starts_with(UTF_8) { UTF_8.len() } else { 0 };
        reader.consume(mark);
        Ok(reader)
    }

    /// Whether it is still what it was when it was opened.
    pub(super) fn stands(&self) -> Result<(), Unreadable> {
        match state(&self.file) {
            Ok(state) if state == self.state => Ok(()),
            _ => Err(Unreadable("the file was changed while it was read; run this again".to_owned())),
        }
    }
}

/// One handle on the file.
#[derive(Debug)]
pub(super) struct Reader(Arc<File>);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

fn state(file: &File) -> io::Result<(u64, Option<SystemTime>)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}

fn spooled(mut from: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut from, &mut file)?;
    Ok(file)
}

/// A line without its end; none at the end of the file.
///
/// # Errors
/// When it cannot be read, or is longer than `longest`.
pub(super) fn line(from: &mut impl BufRead, longest: u64, number: u64) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut line = Vec::new();
    let read = from.take(longest + 1).read_until(b'\n', &mut line);
    match read.map_err(|error| Unreadable(format!("the file cannot be read: {error}")))? {
        0 => return Ok(None),
        read if read as u64 > longest => {
            return Err(Unreadable(format!("line {number} is longer than {} MiB", longest >> 20)));
        }
        _ => {}
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}
