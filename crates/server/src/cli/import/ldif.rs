//! LDIF as directories write it (RFC 2849): content records, one after another.
//!
//! A record that changes an entry, or names a file or an address where a value belongs, is refused; everything else about
//! what the values mean is not asked here.

use std::io::BufRead;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::input;
use crate::app::import::row::Unreadable;

/// The longest record, in bytes: entries with pictures are long.
const LONGEST: u64 = 16 << 20;

/// An entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The line on which it begins.
    pub(super) line: u64,
    /// Names, as they are written, and values in their order, `dn` first; or why it cannot be taken.
    pub(super) values: Result<Vec<(String, Vec<u8>)>, String>,
}

/// Reads entry after entry.
pub(super) struct Reader<R> {
    from: R,
    /// The line that was read last.
    number: u64,
    /// It, where it belongs to what comes next.
    ahead: Option<Vec<u8>>,
    begun: bool,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, number: 0, ahead: None, begun: false }
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, Unreadable> {
        loop {
            let Some((line, first)) = self.skip_to_entry()? else { return Ok(None) };
            let mut lines = vec![first];
            let mut length = 0;
            while let Some((_, next)) = self.logical_line()?.filter(|(_, next)| !next.is_empty()) {
                length += next.len() as u64;
                if length > LONGEST {
                    return Err(Unreadable(format!("the record on line {line} is longer than {} MiB", LONGEST >> 20)));
                }
                lines.push(next);
            }
            lines.retain(|line| line.first() != Some(&b'#'));
            // The version may stand alone.
            if !std::mem::replace(&mut self.begun, true)
                && let Some(version) = lines.first().and_then(|line| line.strip_prefix(b"version:"))
            {
                if version.trim_ascii() != b"1" {
                    return Err(Unreadable("only version 1 of LDIF is known".to_owned()));
                }
                lines.remove(0);
            }
            if !lines.is_empty() {
                return Ok(Some(Entry { line, values: entry(&lines) }));
            }
        }
    }

    /// The first line that is neither empty nor a comment.
    fn skip_to_entry(&mut self) -> Result<Option<(u64, Vec<u8>)>, Unreadable> {
        loop {
            match self.logical_line()? {
                Some((_, line)) if line.is_empty() || line[0] == b'#' => {}
                line => return Ok(line),
            }
        }
    }

    /// A line with those that continue it, which begin with a space.
    fn logical_line(&mut self) -> Result<Option<(u64, Vec<u8>)>, Unreadable> {
        let first = match self.ahead.take() {
            Some(line) => Some(line),
            None => self.physical_line()?,
        };
        let Some(mut line) = first else { return Ok(None) };
        let number = self.number;
        while let Some(next) = self.physical_line()? {
            match next.split_first() {
                Some((b' ', rest)) if !line.is_empty() => line.extend_from_slice(rest),
                _ => {
                    self.ahead = Some(next);
                    break;
                }
            }
            if line.len() as u64 > LONGEST {
                return Err(Unreadable(format!("line {number} is longer than {} MiB", LONGEST >> 20)));
            }
        }
        Ok(Some((number, line)))
    }

    fn physical_line(&mut self) -> Result<Option<Vec<u8>>, Unreadable> {
        self.number += 1;
        input::line(&mut self.from, LONGEST, self.number)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Entry, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry().transpose()
    }
}

fn entry(lines: &[Vec<u8>]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut values = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        let (name, value) = pair(line)?;
        match (place, name.to_ascii_lowercase().as_str()) {
            (0, "dn") => {}
            (0, _) => return Err("a record begins with dn:".to_owned()),
            (_, "dn") => return Err("a record has one dn: an empty line belongs before the second".to_owned()),
            (_, "changetype") if value.eq_ignore_ascii_case(b"add") => continue,
            (_, "changetype") => return Err("a record that changes or deletes an entry is not imported".to_owned()),
            (_, "control") => return Err("a record with a control is not imported".to_owned()),
            _ => {}
        }
        values.push((name, value));
    }
    Ok(values)
}

/// `name: value`, `name:: base64`.
fn pair(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let unclear = || "a line of the record is not name: value".to_owned();
    let colon = line.iter().position(|byte| *byte == b':').ok_or_else(unclear)?;
    let (name, rest) = (&line[..colon], &line[colon + 1..]);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.;_".contains(byte);
    if name.is_empty() || !name.iter().all(is_name) {
        return Err(unclear());
    }
    let name = String::from_utf8_lossy(name).into_owned();
    let value = match rest.split_first() {
        Some((b':', encoded)) => {
            let decoded = STANDARD.decode(encoded.trim_ascii());
            decoded.map_err(|_| format!("the value of {name} is not base64"))?
        }
        Some((b'<', _)) => return Err(format!("the value of {name} is a file or an address, which is not followed")),
        _ => {
            let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
            rest[spaces..].to_vec()
        }
    };
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>, Unreadable> {
        Reader::new(text.as_bytes()).collect()
    }

    fn values(text: &str) -> Vec<(String, String)> {
        let mut entries = read(text).expect("read");
        assert_eq!(entries.len(), 1, "{entries:?}");
        let values = entries.remove(0).values.expect("an entry");
        values.into_iter().map(|(name, value)| (name, String::from_utf8(value).expect("text"))).collect()
    }

    #[test]
    fn values_are_read_as_they_are_meant() {
        for (line, expected) in [
            ("cn: Abby Smith", "Abby Smith"),
            ("cn:Abby Smith", "Abby Smith"),
            ("cn:   Abby", "Abby"),
            ("cn: Abby ", "Abby "),
            ("cn:", ""),
            ("cn: a: b", "a: b"),
            ("cn: Ab\n by", "Abby"),
            ("cn: Ab\n  by", "Ab by"),
            ("cn: Ab\r\n by\r", "Abby"),
            ("cn:: WsO8cmljaA==", "Zürich"),
            ("cn:: WsO8\n cmljaA==", "Zürich"),
            ("cn::", ""),
            ("cn: Abby\n# a comment\n  that goes on", "Abby"),
            ("cn: #1", "#1"),
        ] {
            let read = values(&format!("dn: cn=x\n{line}\n"));
            assert_eq!(
                read,
                [("dn".to_owned(), "cn=x".to_owned()), ("cn".to_owned(), expected.to_owned())],
                "{line:?}"
            );
        }
    }

    #[test]
    fn records_have_the_line_on_which_they_begin() {
        let text = "version: 1\n\n# people\n\n\ndn: cn=a\ncn: a\n\ndn: cn=\n b\n\n\n# the end\n";
        let entries = read(text).expect("read");
        let lines: Vec<u64> = entries.iter().map(|entry| entry.line).collect();
        assert_eq!(lines, [6, 9]);
        assert_eq!(entries[1].values, Ok(vec![("dn".to_owned(), b"cn=b".to_vec())]));
        let glued = read("version: 1\ndn: cn=a\ncn: a\n").expect("read");
        assert_eq!((glued.len(), glued[0].values.as_ref().expect("an entry").len()), (1, 2));
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("\n# nothing\n\nversion: 1\n"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_content_record_is_refused_and_its_neighbours_are_read() {
        for (record, reason) in [
            ("dn: cn=x\nchangetype: modify\nreplace: cn\ncn: y\n-", "changes or deletes"),
            ("dn: cn=x\nchangetype: delete", "changes or deletes"),
            ("dn: cn=x\ncontrol: 1.2.3 true\nchangetype: add", "control"),
            ("dn: cn=x\njpegPhoto:< file:///etc/passwd", "jpegPhoto is a file or an address"),
            ("cn: x", "begins with dn"),
            ("dn: cn=x\ndn: cn=y", "one dn"),
            ("dn: cn=x\nno colon", "not name: value"),
            ("dn: cn=x\n: no name", "not name: value"),
            ("dn: cn=x\ncn:: %%%", "cn is not base64"),
        ] {
            let text = format!("dn: cn=before\n\n{record}\n\ndn: cn=after\nchangetype: add\ncn: z\n");
            let entries = read(&text).expect("read");
            assert_eq!(entries.len(), 3, "{record:?}");
            assert_eq!(entries[1].line, 3);
            let told = entries[1].values.as_ref().expect_err(record);
            assert!(told.contains(reason), "{record:?}: {told}");
            assert_eq!(entries[2].values.as_ref().expect("an entry").len(), 2);
        }
    }

    #[test]
    fn another_version_is_refused_as_a_whole() {
        assert!(read("version: 2\n\ndn: cn=x\n").expect_err("refused").0.contains("version 1"));
    }

    /// As a directory writes it: base64 where RFC 2849 says so, lines of so many bytes.
    fn written(entries: &[Vec<(String, Vec<u8>)>], width: usize, end: &str) -> Vec<u8> {
        let mut text = format!("version: 1{end}").into_bytes();
        for entry in entries {
            text.extend_from_slice(end.as_bytes());
            for (name, value) in entry {
                let plain = !value.first().is_some_and(|first| b" :<".contains(first))
                    && value.last() != Some(&b' ')
                    && value.iter().all(|byte| byte.is_ascii() && !b"\0\n\r".contains(byte));
                let line = match plain {
                    true => [name.as_bytes(), b": ", value].concat(),
                    false => format!("{name}:: {}", STANDARD.encode(value)).into_bytes(),
                };
                let first = line.len().min(width);
                text.extend_from_slice(&line[..first]);
                for rest in line[first..].chunks(width - 1) {
                    text.extend_from_slice(end.as_bytes());
                    text.push(b' ');
                    text.extend_from_slice(rest);
                }
                text.extend_from_slice(end.as_bytes());
            }
        }
        text
    }

    fn value() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![any::<String>().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..60)]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            names in proptest::collection::vec(proptest::collection::vec(("[a-z][a-z0-9;-]{0,8}", value()), 0..6), 0..6),
            width in 2_usize..80,
            crlf: bool,
        ) {
            let reserved = ["dn", "changetype", "control", "version"];
            let entries: Vec<Vec<(String, Vec<u8>)>> = names
                .into_iter()
                .map(|mut values| {
                    values.retain(|(name, _)| !reserved.contains(&name.as_str()));
                    values.insert(0, ("dn".to_owned(), b"cn=x,dc=example".to_vec()));
                    values
                })
                .collect();
            let text = written(&entries, width, if crlf { "\r\n" } else { "\n" });
            let read: Result<Vec<Entry>, Unreadable> = Reader::new(text.as_slice()).collect();
            let read: Vec<_> = read.expect("read").into_iter().map(|entry| entry.values.expect("an entry")).collect();
            prop_assert_eq!(read, entries);
        }

        #[test]
        fn whatever_it_is_it_ends(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for entry in Reader::new(bytes.as_slice()) {
                prop_assert!(entry.is_err() || entry.is_ok_and(|entry| entry.line > 0));
            }
        }
    }
}
