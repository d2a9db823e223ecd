//! What Lockstep has of the vendor's operations: the page is made from `compatibility.toml`, and what the page says is served is.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use lockstep_core::operation::Operation;
use serde::Deserialize;

use crate::architecture::root;

/// The table.
#[derive(Deserialize)]
struct Table {
    collection: Vec<Collection>,
}

/// Operations that belong together.
#[derive(Deserialize)]
struct Collection {
    name: String,
    /// Name, method and address, verdict, sentence.
    operations: Vec<(String, String, Verdict, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Same,
    Ours,
    Later,
    No,
}

impl Verdict {
    fn is_served(self) -> bool {
        matches!(self, Self::Same | Self::Ours)
    }
}

fn table() -> Table {
    toml::from_str(include_str!("compatibility.toml")).expect("the table")
}

/// Every operation there is, with its address.
fn there() -> BTreeSet<(String, String)> {
    let address = |operation: &Operation| {
        let rule = operation.rule();
        let method = format!("{:?}", rule.method).to_uppercase();
        (rule.id.to_owned(), format!("{method} /{}{}", rule.first, rule.rest))
    };
    Operation::ALL.iter().map(address).collect()
}

#[test]
fn every_operation_has_a_row_and_what_a_row_says_is_served_is() {
    let table = table();
    let rows = table.collection.iter().flat_map(|collection| &collection.operations);
    let mut seen = BTreeSet::new();
    let mut served = BTreeSet::new();
    for (name, address, verdict, sentence) in rows {
        assert!(seen.insert(address), "{address} has two rows");
        assert!(sentence.is_empty() || sentence.ends_with('.'), "{address}: {sentence:?} is no sentence");
        assert!(
            *verdict == Verdict::Same || *verdict == Verdict::Later || !sentence.is_empty(),
            "{address} needs a sentence"
        );
        // What is about tokens is at the root, beside the table.
        if verdict.is_served() && !address.contains(" /oauth/") {
            served.insert((name.clone(), address.clone()));
        }
    }
    let there = there();
    let missing: Vec<_> = there.difference(&served).collect();
    let promised: Vec<_> = served.difference(&there).collect();
    assert!(
        missing.is_empty() && promised.is_empty(),
        "compatibility.toml does not say that these are served: {missing:?}; nor are these: {promised:?}"
    );
}

#[test]
fn the_page_is_made_from_the_table() {
    let path = root().join("docs/compatibility.md");
    let made = page(&table());
    if std::env::var_os("LOCKSTEP_WRITE_DOCS").is_some() {
        fs::write(&path, &made).expect("written");
    }
    let page = fs::read_to_string(&path).expect("docs/compatibility.md");
    assert!(page == made, "run this test with LOCKSTEP_WRITE_DOCS=1, which writes the page anew");
}

fn page(table: &Table) -> String {
    let count = |verdict| {
        let rows = table.collection.iter().flat_map(|collection| &collection.operations);
        rows.filter(|row| row.2 == verdict).count()
    };
    let mut page = format!(
        "# Compatibility\n\nWhich operations of SailPoint Identity Security Cloud Lockstep has, as far as they have to do with passwords. How \
         it answers\nis on [the API page](api.md); this page is made from a table that a test compares with what is \
         served.\n\n- **same** ({}): as documented there.\n- **ours** ({}): as documented, and as the sentence says where the documents are \
         silent or Lockstep has less.\n- **later** ({}): not served yet.\n- **no** ({}): not served, because of what the sentence \
         says.\n\nSilent for all of them: who may do what (403 otherwise, and `causes` says what is missing), `ETag` and `If-Match`\n(412 \
         when outdated), and that changes of the configuration take an ORG_ADMIN, also for programs.\n",
        count(Verdict::Same),
        count(Verdict::Ours),
        count(Verdict::Later),
        count(Verdict::No),
    );
    for collection in &table.collection {
        let _ = write!(page, "\n## {}\n\n| operation | address | | |\n|---|---|---|---|\n", collection.name);
        for (name, address, verdict, sentence) in &collection.operations {
            let verdict = format!("{verdict:?}").to_lowercase();
            let _ = writeln!(page, "| {name} | `{address}` | {verdict} | {sentence} |");
        }
    }
    page
}
