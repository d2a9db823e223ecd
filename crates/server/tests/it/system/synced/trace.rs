//! Reads what strace wrote, and says of which changes it shows that they were on the disk before they were answered.
//!
//! The order of lines is the order of events: strace writes a call down when it begins, and, where another thread's call
//! came in between, its return on a line of its own. While a line is written the thread that it is about stands still.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use aho_corasick::AhoCorasick;

/// What a trace shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    /// Syncs of the write-ahead log that succeeded.
    pub(super) syncs: usize,
    /// Changes that were synced before the first byte of their answer was sent.
    pub(super) proven: usize,
    /// The others, a line each.
    pub(super) problems: Vec<String>,
}

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not seen yet.
    Unseen,
    /// On a page of a transaction that has not ended.
    Written,
    /// Its transaction's last page is written too.
    Committed,
    /// A sync of the log that began after that has succeeded.
    Synced,
    /// The answer was sent after that.
    Answered,
    /// The answer was sent before that.
    TooEarly,
}

/// A call that has begun.
struct Call {
    name: String,
    file: String,
    data: Vec<u8>,
    /// What was committed when a sync began.
    covers: Vec<usize>,
}

impl Call {
    /// `sync_file_range` is none: it promises nothing (sync_file_range(2)).
    fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync")
    }
}

struct Checker<'a> {
    wal: &'a str,
    /// The bytes and the digits of each change's id: pattern 2n and 2n + 1.
    ids: AhoCorasick,
    stages: Vec<Stage>,
    /// The frame that is being written ends a transaction.
    commits: bool,
    syncs: usize,
}

/// Checks a trace of a server whose write-ahead log is `wal` and which accepted the changes `ids`.
pub(super) fn check(lines: &mut dyn Iterator<Item = String>, wal: &Path, ids: &[String]) -> Checked {
    let patterns = ids.iter().flat_map(|id| [hex::decode(id).expect("hexadecimal digits"), id.clone().into_bytes()]);
    let mut checker = Checker {
        wal: wal.to_str().expect("text"),
        ids: AhoCorasick::new(patterns).expect("patterns"),
        stages: vec![Stage::Unseen; ids.len()],
        commits: false,
        syncs: 0,
    };
    let mut begun: HashMap<String, Call> = HashMap::new();
    for line in lines {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if rest.starts_with("<... ") {
            // A call that began before the trace did is not known.
            let Some(call) = begun.remove(thread) else { continue };
            checker.returned(&call, result(rest));
        } else if let Some(mut call) = parse(rest) {
            checker.began(&mut call);
            match rest.ends_with("<unfinished ...>") {
                true => drop(begun.insert(thread.to_owned(), call)),
                false => checker.returned(&call, result(rest)),
            }
        }
    }
    let problem = |(id, stage): (&String, &Stage)| (*stage != Stage::Answered).then(|| format!("{id}: {stage:?}"));
    let problems: Vec<String> = ids.iter().zip(&checker.stages).filter_map(problem).collect();
    Checked { syncs: checker.syncs, proven: ids.len() - problems.len(), problems }
}

impl Checker<'_> {
    fn began(&mut self, call: &mut Call) {
        if call.is_sync() && call.file == self.wal {
            call.covers = self.all(Stage::Committed);
        } else if call.file.starts_with("socket:") || call.file.starts_with("TCP") {
            self.sends(&call.data);
        }
    }

    /// Only a socket takes an answer away; a log that names a change is none.
    fn sends(&mut self, data: &[u8]) {
        let is_answer = data.windows(12).any(|window| window == b"HTTP/1.1 202");
        for index in self.changes_in(data, 1) {
            match self.stages[index] {
                Stage::Synced if is_answer => self.stages[index] = Stage::Answered,
                Stage::Answered | Stage::TooEarly => {}
                _ => self.stages[index] = Stage::TooEarly,
            }
        }
    }

    fn returned(&mut self, call: &Call, result: Option<usize>) {
        if call.file != self.wal {
            return;
        }
        if call.is_sync() {
            if result == Some(0) {
                self.syncs += 1;
                for index in &call.covers {
                    if self.stages[*index] == Stage::Committed {
                        self.stages[*index] = Stage::Synced;
                    }
                }
            }
        } else if result == Some(call.data.len()) {
            self.wrote(&call.data);
        }
    }

    /// A frame of the log is a header of 24 bytes and a page. In the header of the last frame of a transaction the second
    /// number, the size of the database, is not zero (sqlite.org/fileformat2.html, section 4.1).
    fn wrote(&mut self, data: &[u8]) {
        if data.len() == 24 {
            self.commits = data[4..8] != [0; 4];
            return;
        }
        for index in self.changes_in(data, 0) {
            if self.stages[index] == Stage::Unseen {
                self.stages[index] = Stage::Written;
            }
        }
        if self.commits {
            for index in self.all(Stage::Written) {
                self.stages[index] = Stage::Committed;
            }
        }
    }

    /// The changes whose id is in some bytes: `form` 0 as bytes, 1 as digits.
    fn changes_in(&self, data: &[u8], form: usize) -> HashSet<usize> {
        let hits = self.ids.find_overlapping_iter(data).map(|hit| hit.pattern().as_usize());
        hits.filter(|pattern| pattern % 2 == form).map(|pattern| pattern / 2).collect()
    }

    fn all(&self, stage: Stage) -> Vec<usize> {
        (0..self.stages.len()).filter(|index| self.stages[*index] == stage).collect()
    }
}

/// `name(NUMBER<FILE>, …"\x41\x42"…`. With several buffers, one after the other.
fn parse(text: &str) -> Option<Call> {
    let (name, arguments) = text.split_once('(')?;
    let (_, file) = arguments.split_once('<')?;
    let (file, arguments) = file.split_once('>')?;
    let mut data = Vec::new();
    // Every byte is written as `\x..`, so a quote is never part of the data.
    for piece in arguments.split('"').skip(1).step_by(2) {
        let digits: String = piece.split("\\x").collect();
        data.extend(hex::decode(digits).ok()?);
    }
    Some(Call { name: name.to_owned(), file: unescaped(file), data, covers: Vec::new() })
}

/// With `-xx` the names of files are written as `\x..` too.
fn unescaped(name: &str) -> String {
    let digits: Option<String> = name.strip_prefix("\\x").map(|rest| rest.split("\\x").collect());
    let bytes = digits.and_then(|digits| hex::decode(digits).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| name.to_owned())
}

/// What a call that succeeded returned.
fn result(text: &str) -> Option<usize> {
    let (_, value) = text.rsplit_once(" = ")?;
    value.split_whitespace().next()?.parse().ok()
}

/// Some bytes as strace writes them here.
pub(super) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn verdict(lines: &[String]) -> (usize, usize) {
        let told = check(&mut lines.iter().cloned(), Path::new("/d/lockstep.db-wal"), &[ID.to_owned()]);
        (told.proven, told.problems.len())
    }

    /// Header, page with the id, sync, answer: what each thread does.
    fn good() -> Vec<String> {
        let write =
            |data: &[u8]| format!("7 pwrite64(9</d/lockstep.db-wal>, \"{}\", {}, 32)", escaped(data), data.len());
        let header = [[0; 4], [0, 0, 0, 9], [0; 4], [0; 4], [0; 4], [0; 4]].concat();
        let page = [&[1; 100][..], &hex::decode(ID).expect("digits"), &[2; 100]].concat();
        let answer = format!("HTTP/1.1 202 Accepted\r\n\r\n{{\"requestId\":\"{ID}\"}}");
        vec![
            format!("{} = 24", write(&header)),
            format!("{} = 216", write(&page)),
            "7 fdatasync(9</d/lockstep.db-wal> <unfinished ...>".to_owned(),
            "8 fdatasync(4</d/other> = 0".to_owned(),
            "7 <... fdatasync resumed>) = 0".to_owned(),
            format!("8 sendto(12<socket:[5]>, \"{}\", 70, MSG_NOSIGNAL, NULL, 0) = 70", escaped(answer.as_bytes())),
        ]
    }

    #[test]
    fn a_good_trace_is_good() {
        assert_eq!(verdict(&good()), (1, 0));
    }

    #[test]
    fn what_is_missing_late_or_another_files_is_seen() {
        for missing in [0, 1, 2, 4, 5] {
            let mut trace = good();
            trace.remove(missing);
            assert_eq!(verdict(&trace), (0, 1), "without line {missing}");
        }
        for (earlier, later) in [(4, 5), (1, 2), (0, 1)] {
            let mut trace = good();
            trace.swap(earlier, later);
            assert_eq!(verdict(&trace), (0, 1), "line {later} before {earlier}");
        }
        for (line, from, to) in [
            (4, " = 0", " = -1 EIO (Input/output error)"),
            (2, "lockstep.db-wal", "lockstep.db"),
            (1, " = 216", " = 100"),
            (0, "\\x09", "\\x00"),
            (5, &escaped(b" 202 "), &escaped(b" 200 ")),
        ] {
            let mut trace = good();
            assert!(trace[line].contains(from));
            trace[line] = trace[line].replace(from, to);
            assert_eq!(verdict(&trace), (0, 1), "{from} as {to}");
        }
    }
}
