//! Places in a file, as editors and compilers name them.

use std::fmt;
use std::path::Path;

/// `file:line:column`, both counted from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    path: &'a Path,
    line: usize,
    column: usize,
}

impl<'a> Place<'a> {
    /// The place of a byte in a file's text.
    pub(super) fn of(path: &'a Path, text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { path, line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_characters_are_counted_from_one() {
        let text = "a = 1\n\u{e4}\u{e4} = 2\n";
        for (at, place) in [(0, "f:1:1"), (4, "f:1:5"), (6, "f:2:1"), (11, "f:2:4"), (99, "f:3:1")] {
            assert_eq!(Place::of(Path::new("f"), text, at).to_string(), place, "{at}");
        }
    }
}
