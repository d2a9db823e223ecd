//! Canaries, secrets that must turn up nowhere, and the search for them in every form in which one may slip through.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::installation::files_below;

/// A password that no encoding of text leaves as it is: quotes, a backslash, a percent sign, a plus, spaces, a slash and
/// letters beyond ASCII stand before the part that [`core`] gives.
pub(super) fn password(tag: &str) -> String {
    format!("\u{e9}\"\\%+ /<\u{1F511}{}", super::fresh_password(tag).replace('-', "x"))
}

/// The letters and digits at the end of a secret. URLs, forms, JSON and SQL leave these as they are, whatever they do to
/// the rest, so it is these that are looked for.
pub(super) fn core(secret: &str) -> &str {
    let start = secret.rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |last| last + 1);
    let start = (start..secret.len()).find(|at| secret.is_char_boundary(*at)).unwrap_or(start);
    &secret[start..]
}

/// Looks for many canaries at once.
pub(super) struct Search {
    forms: AhoCorasick,
    /// Which canary each form is of.
    canaries: Vec<usize>,
    names: Vec<String>,
}

impl Search {
    /// For these canaries: what each is called, and its bytes.
    pub(super) fn of(canaries: &[(String, Vec<u8>)]) -> Self {
        let mut patterns = Vec::new();
        let mut owners = Vec::new();
        for (index, (name, bytes)) in canaries.iter().enumerate() {
            assert!(bytes.len() >= 9, "{name} is too short to be told from chance");
            for form in forms(bytes) {
                patterns.push(form);
                owners.push(index);
            }
        }
        let forms = AhoCorasick::new(patterns).expect("patterns");
        Self { forms, canaries: owners, names: canaries.iter().map(|(name, _)| name.clone()).collect() }
    }

    /// For passwords and other text that ends in enough letters and digits.
    pub(super) fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let canaries: Vec<_> = texts.into_iter().map(|text| (text.to_owned(), core(text).into())).collect();
        Self::of(&canaries)
    }

    /// The canaries in some bytes.
    pub(super) fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<String> {
        let hits = self.forms.find_overlapping_iter(bytes);
        hits.map(|hit| self.names[self.canaries[hit.pattern().as_usize()]].clone()).collect()
    }

    /// The canaries in the files below a folder. A file that is gone before it is read holds nothing.
    pub(super) fn in_files(&self, folder: &Path) -> Vec<(PathBuf, String)> {
        let read = |path: PathBuf| fs::read(&path).ok().map(|content| (path, self.in_bytes(&content)));
        let found = files_below(folder).into_iter().filter_map(read);
        found.flat_map(|(path, names)| names.into_iter().map(move |name| (path.clone(), name))).collect()
    }
}

/// The bytes to look for: as they are and in reverse, as hexadecimal digits of either case, as the numbers that Rust
/// writes for bytes, as UTF-16 of either order, and as the part of the base64 that does not depend on what stands before
/// and after it.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![
        bytes.to_vec(),
        bytes.iter().rev().copied().collect(),
        hex::encode(bytes).into_bytes(),
        hex::encode_upper(bytes).into_bytes(),
        numbers.join(", ").into_bytes(),
        numbers.join(",").into_bytes(),
    ];
    if let Ok(text) = std::str::from_utf8(bytes) {
        forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        forms.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    for skipped in 0..3 {
        let rest = &bytes[skipped..];
        let whole = &rest[..rest.len() - rest.len() % 3];
        forms.push(STANDARD_NO_PAD.encode(whole).into_bytes());
        forms.push(URL_SAFE_NO_PAD.encode(whole).into_bytes());
    }
    forms
}
