//! What `ARCHITECTURE.md` promises, as far as a test can hold it: its module list, who may depend on whom, and the length
//! of files. It looks at the tree, not at what the code does.

mod secrets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// Every file below `folder` with that ending, without what is built, downloaded or hidden.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    const LEFT_OUT: [&str; 2] = ["target", "node_modules"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && !LEFT_OUT.contains(&name.as_str()) && !name.starts_with('.') {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A path as documents write it: from the workspace's folder, with slashes.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

#[test]
fn the_module_list_is_the_tree() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let entries = text.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("` \u{2014} "));
    let mut listed = BTreeSet::new();
    for (path, about) in entries {
        assert!(!about.trim().is_empty(), "{path} is listed without a word about it");
        assert!(listed.insert(path.to_owned()), "{path} is listed twice");
    }

    let crates = fs::read_dir(root().join("crates")).expect("crates").map(|entry| entry.expect("a crate").path());
    let others = ["simulation", "bench", "xtask"].map(|folder| root().join(folder));
    let folders = crates.chain(others).map(|folder| folder.join("src"));
    let tree: BTreeSet<String> = folders
        .flat_map(|folder| fs::read_dir(folder).expect("a source folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| shown(&path))
        .collect();
    let missing: Vec<_> = tree.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&tree).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not in ARCHITECTURE.md: {missing:?}; not in the tree: {gone:?}");
    assert!(tree.len() > 50, "only {} files were looked at", tree.len());
}

#[test]
fn every_rule_of_the_engine_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let (_, table) = text.split_once("### Which test holds which rule").expect("the table");
    let (table, _) = table.split_once("\n## ").expect("its end");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    assert!(rows.len() >= 20, "only {} rules were read", rows.len());

    let tree = ["crates", "simulation"].into_iter().flat_map(|folder| files(&root().join(folder), ".rs"));
    let code: String = tree.map(|path| fs::read_to_string(path).expect("a source file")).collect();
    for row in rows {
        let names: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let missing: Vec<_> = names.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
        assert!(missing.is_empty(), "there is no test {missing:?}");
    }
}

#[test]
fn the_core_neither_waits_nor_asks_anybody() {
    const FORBIDDEN: [&str; 10] =
        ["async", "axum", "futures", "getrandom", "hyper", "rand", "reqwest", "smol", "sqlx", "tokio"];
    let dependencies = dependencies("core", &["dependencies"]);
    assert!(dependencies.contains("chrono"), "no dependency was read");
    for name in dependencies {
        let family = name.split(['-', '_']).next().unwrap_or(&name);
        assert!(!FORBIDDEN.contains(&family), "core depends on {name}");
    }
    for path in files(&root().join("crates/core/src"), ".rs") {
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        let waits = code.filter(|line| line.contains("async ") || line.contains(".await"));
        assert_eq!(waits.collect::<Vec<_>>(), Vec::<&str>::new(), "{} waits", shown(&path));
    }
}

#[test]
fn siblings_do_not_depend_on_each_other_and_the_core_on_none() {
    let members = [
        ("core", &[][..]),
        ("vault", &["lockstep-core"][..]),
        ("store", &["lockstep-core"]),
        ("connectors", &["lockstep-core"]),
        ("engine", &["lockstep-core"]),
        // Its tests need the server itself, with the places where it can be made to fail.
        (
            "server",
            &[
                "lockstep",
                "lockstep-core",
                "lockstep-vault",
                "lockstep-store",
                "lockstep-connectors",
                "lockstep-engine",
            ],
        ),
    ];
    for (member, allowed) in members {
        let all = dependencies(member, &["dependencies", "dev-dependencies", "build-dependencies"]);
        let used: BTreeSet<&str> = all.iter().map(String::as_str).filter(|name| name.starts_with("lockstep")).collect();
        assert_eq!(used, allowed.iter().copied().collect(), "crates/{member}/Cargo.toml");
    }
    let crates = fs::read_dir(root().join("crates")).expect("crates").count();
    assert_eq!(crates, members.len(), "a crate has come or gone: say here what it may depend on");
}

#[test]
fn no_source_file_is_too_long() {
    const LONGEST: usize = 800;
    let sources = ["crates", "simulation", "bench", "xtask"].map(|folder| files(&root().join(folder), ".rs")).concat();
    assert!(sources.len() > 100, "only {} files were looked at", sources.len());
    for path in sources {
        let lines = fs::read_to_string(&path).expect("a source file").lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines; split it", shown(&path));
        assert!(!path.ends_with("mod.rs"), "{} belongs beside its folder, under the folder's name", shown(&path));
    }
}

/// The names in some tables of a crate's manifest.
fn dependencies(member: &str, tables: &[&str]) -> BTreeSet<String> {
    let path = root().join("crates").join(member).join("Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(&path).expect("a manifest").parse().expect("TOML");
    assert!(!manifest.contains_key("target"), "{}: tables for a platform are not looked at here", shown(&path));
    let tables = tables.iter().filter_map(|table| manifest.get(*table)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}
