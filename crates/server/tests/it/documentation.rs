//! The pages that people read: their links lead somewhere, and the files in them that one can copy are files. Whether a
//! sentence is true no test can tell.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use lockstep::app::apply::wanted::Wanted;
use lockstep::config::Config;
use lockstep_connectors::Secrets;
use zeroize::Zeroizing;

use crate::architecture::{files, root, shown};

/// A certificate authority that signs nothing: what the examples name as `ca_file` must be a file.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBijCCAS+gAwIBAgIURljHK5Np6Vu8p55DEKGJLn7srXIwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHVGVzdCBDQTAeFw0yNjExMjQwMzIzNDVaFw0zNjExMjEwMzIz
NDVaMBIxEDAOBgNVBAMMB1Rlc3QgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARFS8R69G9Ybymqz2+qqIvFhAisxDYGpj6DT7cl3JC3jZ+Z+JOXho8l9gHfisGK
XpKjKw/mFpliFgoCmWpw3YPFo2MwYTAdBgNVHQ4EFgQUuIYM4mUoKrsRgszHPPiI
Bw/yxhkwHwYDVR0jBBgwFoAUuIYM4mUoKrsRgszHPPiIBw/yxhkwDwYDVR0TAQH/
BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSQAwRgIhANIZfMRC
9O+S+VRhmnYm405cLVvDaGM7wNz1qB83kKSaAiEAxmhxv8cGK+KyBXH2uEJkGOYM
JPtM1pjo7Gc1iuOFwuU=
-----END CERTIFICATE-----
";

#[test]
fn every_relative_link_leads_somewhere() {
    let mut links = 0;
    for page in files(&root(), ".md") {
        let text = fs::read_to_string(&page).expect("a page");
        for target in targets(&text).iter().filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.parent().expect("a folder").join(path) };
            assert!(file.exists(), "{}: there is no {target}", shown(&page));
            if !anchor.is_empty() {
                let known = anchors(&fs::read_to_string(&file).expect("a page"));
                assert!(known.contains(anchor), "{}: {target} names no heading of {known:?}", shown(&page));
            }
            links += 1;
        }
    }
    assert!(links > 50, "only {links} links were looked at");
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let (mut reached, mut next) = (BTreeSet::new(), vec![root().join("README.md")]);
    while let Some(page) = next.pop() {
        if !reached.insert(page.canonicalize().expect("a page")) {
            continue;
        }
        let text = fs::read_to_string(&page).expect("a page");
        let targets = targets(&text);
        let local =
            targets.iter().filter(|target| !target.contains("://")).filter_map(|target| target.split('#').next());
        next.extend(local.filter(|path| path.ends_with(".md")).map(|path| page.parent().expect("a folder").join(path)));
    }
    for page in files(&root().join("docs"), ".md") {
        assert!(reached.contains(&page), "nothing leads to {}", shown(&page));
    }
}

#[test]
fn the_documented_configuration_is_the_default_one() {
    let blocks = blocks("lockstep.toml");
    assert_eq!(blocks.len(), 1, "docs/configuration.md shows the whole file once");
    let full: Config = toml::from_str(&blocks[0].1).expect("a configuration");
    let least = "[store]\nurl = \"sqlite:/var/lib/lockstep/lockstep.db\"\n                 [master-key]\nfile = \"/var/lib/lockstep/master.key\"\n";
    let default: Config = toml::from_str(least).expect("the least configuration");
    assert_eq!(format!("{full:?}"), format!("{default:?}"));
    // What is a default and not shown would be missing from the page.
    let fields = format!("{default:?}").matches(": ").count();
    assert_eq!(fields, 39, "a field has come or gone: look at docs/configuration.md, then count anew");
}

#[test]
fn every_documented_apply_file_is_one_and_its_sources_can_be_set_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, AUTHORITY).expect("a certificate");
    let blocks = blocks("state.toml");
    let mut sources = 0;
    for (page, text) in &blocks {
        let wanted: Wanted = toml::from_str(text).unwrap_or_else(|error| panic!("{page}: {error}"));
        for source in wanted.source.iter().map(toml::Spanned::get_ref) {
            let (Some(kind), Some(config)) = (&source.connector, &source.config) else { continue };
            let fields = config.get_ref().iter().map(|(name, value)| (name.get_ref(), value.get_ref()));
            let mut config: serde_json::Map<String, serde_json::Value> =
                fields.map(|(name, value)| (name.clone(), serde_json::to_value(value).expect("a value"))).collect();
            if !config["url"].as_str().expect("an address").starts_with("sqlite:") {
                config.insert("ca_file".to_owned(), authority.to_string_lossy().into());
            }
            let secrets: Secrets =
                source.secrets.keys().map(|name| (name.clone(), Zeroizing::new("secret".to_owned()))).collect();
            let clock: lockstep_connectors::Clock = Arc::new(Default::default);
            if let Err(error) = lockstep_connectors::build(kind.get_ref(), &config.into(), &secrets, clock) {
                panic!("{page}: {}: {error}", source.name.get_ref());
            }
            sources += 1;
        }
    }
    assert!(blocks.len() >= 4 && sources >= 6, "only {} files with {sources} sources", blocks.len());
}

#[test]
fn anchors_are_made_as_on_github() {
    let text = "# `[[identity.account]]`\n## What \"it\" needs\n```\n# no heading\n```\n### sql.toml, again\n";
    let expected = ["identityaccount", "what-it-needs", "sqltoml-again"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
    assert_eq!(targets("[a](b.md#c) \n```\n[x](y)\n```\n[d](<e>)"), ["b.md#c", "<e>"]);
}

/// The code blocks of all pages that are said to be a file of that name, as ```toml NAME.
fn blocks(name: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for page in files(&root(), ".md") {
        let text = fs::read_to_string(&page).expect("a page");
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.strip_prefix("```toml ") == Some(name) {
                let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                found.push((shown(&page), block.join("\n")));
            }
        }
    }
    found
}

/// The text outside of code blocks.
fn prose(text: &str) -> String {
    let mut kept = String::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// What the links of a page name.
fn targets(text: &str) -> Vec<String> {
    let prose = prose(text);
    let ends = prose.split("](").skip(1);
    ends.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The headings of a page, as GitHub makes anchors of them.
fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let kept = heading.to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}
