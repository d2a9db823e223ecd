//! That secrets cannot be shown by mistake: their types have no `Display` and are not serialised, their `Debug` is
//! written by hand, and nobody waits for a random time. It reads the sources, and asks the compiler.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::fs;
use std::marker::PhantomData;
use std::ops::Deref;

use lockstep_core::digit_token::DigitCode;
use lockstep_core::password::Password;
use lockstep_vault::Vault;
use lockstep_vault::hash::{Fingerprint, PasswordHash, PasswordHasher};
use lockstep_vault::key_ring::KeyRing;
use lockstep_vault::master_key::MasterKey;
use lockstep_vault::secret::Secret;
use lockstep_vault::token::SigningKey;
use lockstep_vault::transport::TransportKey;
use serde::Serialize;

use super::{files, root, shown};

/// Names of fields that hold secrets.
const SECRET_NAMES: [&str; 12] = [
    "access_token",
    "api_key",
    "bind_password",
    "client_secret",
    "master_key",
    "passphrase",
    "password",
    "pepper",
    "plaintext",
    "private_key",
    "secret",
    "token",
];

/// Whether a type implements a trait that text implements: an inherent constant, which is there only if it does, goes
/// before a trait's.
macro_rules! implements {
    ($type:ty: $trait:path) => {{
        trait Otherwise {
            const FOUND: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Probe<T: ?Sized>(PhantomData<T>);
        impl<T: ?Sized + $trait> Probe<T> {
            const FOUND: bool = true;
        }
        struct Nothing;
        let _ = Probe::<Nothing>(PhantomData);
        assert!(<Probe<String>>::FOUND && !<Probe<Nothing>>::FOUND, "the question is never answered so");
        <Probe<$type>>::FOUND
    }};
}

macro_rules! cannot_be_shown {
    ($($type:ty),+) => {
        $(
            let name = stringify!($type);
            assert!(!implements!($type: Display), "{name} can be displayed");
            assert!(!implements!($type: Serialize), "{name} can be serialised");
            assert!(!implements!($type: Deref), "{name} passes for what is in it");
            assert!(!implements!($type: AsRef<str>) && !implements!($type: AsRef<[u8]>), "{name} passes for text");
            assert!(!implements!($type: Into<String>), "{name} becomes text");
        )+
    };
}

#[test]
fn secrets_are_neither_displayed_nor_serialised_nor_taken_for_text() {
    assert!(implements!(Password: Debug), "a redacted one");
    cannot_be_shown!(Password, Secret, DigitCode, MasterKey, KeyRing, Vault, TransportKey, SigningKey);
    cannot_be_shown!(Fingerprint, PasswordHash, PasswordHasher, lockstep_connectors::Secrets);
}

/// A structure as its source has it.
struct Structure {
    place: String,
    derives: String,
    body: String,
}

impl Structure {
    fn shows(&self) -> bool {
        self.derives.contains("Debug")
    }

    /// Fields that are wiped, and fields of plain text or bytes under a name that says what they are.
    fn holds_a_secret(&self) -> bool {
        self.body.contains("Zeroizing<")
            || self.body.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(": ")).any(
                |(name, of)| {
                    let name = name.rsplit(' ').next().unwrap_or(name);
                    let plain =
                        of.contains("String") || of.contains("Vec<u8>") || of.contains("&str") || of.contains("[u8");
                    plain && SECRET_NAMES.contains(&name)
                },
            )
    }
}

/// The structures with derived traits in the code of a file, without its tests.
fn structures(place: &str, text: &str) -> Vec<Structure> {
    let mut found = Vec::new();
    let mut derives = String::new();
    let mut lines = code(text).lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("#[derive(") {
            derives = trimmed.to_owned();
            while !derives.contains(")]") {
                derives.push_str(lines.next().unwrap_or(")]"));
            }
        } else if trimmed.contains("struct ") && !trimmed.starts_with("//") {
            let mut body = trimmed.to_owned();
            let indent = line.len() - trimmed.len();
            while !(body.ends_with(';') || body.ends_with('}')) {
                let Some(next) = lines.next() else { break };
                body.push('\n');
                body.push_str(next);
                if next.len() - next.trim_start().len() <= indent {
                    break;
                }
                // A field may end in a brace of its own.
                body.push(' ');
            }
            found.push(Structure { place: place.to_owned(), derives: std::mem::take(&mut derives), body });
        } else if !trimmed.starts_with("#[") && !trimmed.starts_with("//") {
            derives.clear();
        }
    }
    found
}

/// What is compiled into the product.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

#[test]
fn what_holds_a_secret_has_no_derived_debug() {
    let sample = "#[derive(Debug, Clone)]\nstruct A {\n    pub(super) secret: Option<String>,\n}\n\
                  #[derive(Debug)]\nstruct B(Zeroizing<Vec<u8>>);\n\
                  #[derive(Clone)]\nstruct C {\n    password: String,\n}\n\
                  #[derive(Debug)]\nstruct D {\n    secret: SecretName,\n    name: String,\n}\n";
    let seen = structures("sample", sample);
    let seen: Vec<_> = seen.iter().map(|structure| (structure.shows(), structure.holds_a_secret())).collect();
    assert_eq!(seen, [(true, true), (true, true), (false, true), (true, false)], "the search sees nothing");

    let sources = files(&root().join("crates"), ".rs").into_iter().filter(|path| shown(path).contains("/src/"));
    let all: Vec<Structure> = sources
        .flat_map(|path| structures(&shown(&path), &fs::read_to_string(&path).expect("a source file")))
        .collect();
    assert!(all.len() > 150, "only {} structures were looked at", all.len());
    assert!(all.iter().filter(|structure| structure.holds_a_secret()).count() > 5, "no secret was seen");
    let shown: Vec<String> = all
        .iter()
        .filter(|structure| structure.shows() && structure.holds_a_secret())
        .map(|structure| format!("{}: {}", structure.place, structure.body))
        .collect();
    assert!(shown.is_empty(), "write their Debug by hand:\n{}", shown.join("\n"));
}

#[test]
fn nobody_waits_for_a_random_time() {
    /// What it draws is the jitter of a delivery that failed, long after the password was opened.
    const ONLY: &str = "crates/engine/src/driver.rs";
    const WAITS: [&str; 4] = ["sleep(", "sleep_until(", "spin_loop", "yield_now"];
    const DRAWS: [&str; 6] = ["draw(", "draw_bytes", "rand::", "random", "SysRng", "jitter"];

    let sources = files(&root().join("crates"), ".rs").into_iter().filter(|path| shown(path).contains("/src/"));
    let mut both = BTreeSet::new();
    let mut waiting = 0;
    for path in sources {
        let text = fs::read_to_string(&path).expect("a source file");
        let code: Vec<&str> = code(&text).lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let has = |words: &[&str]| code.iter().any(|line| words.iter().any(|word| line.contains(word)));
        waiting += usize::from(has(&WAITS));
        if has(&WAITS) && has(&DRAWS) {
            both.insert(shown(&path));
        }
        assert!(!shown(&path).starts_with("crates/vault/") || !has(&WAITS), "{} waits", shown(&path));
    }
    assert!(waiting > 5, "only {waiting} files wait at all");
    assert_eq!(both, BTreeSet::from([ONLY.to_owned()]));
}
