//! A tiny database of countries, as MaxMind's format has it (<https://maxmind.github.io/MaxMind-DB/>): a binary tree of the bits
//! of an address, what its leaves point to, and what is said of the whole.

use ipnet::Ipv4Net;

/// Sixteen zeros stand between the tree and the data.
const GAP: usize = 16;

/// The database in which these networks are in these countries.
pub(crate) fn database(networks: &[(&str, &str)]) -> Vec<u8> {
    // Each node: where the next bit leads to, a node or a leaf.
    let mut nodes: Vec<[Option<Next>; 2]> = vec![[None, None]];
    let mut data = Vec::new();
    for (network, country) in networks {
        let network: Ipv4Net = network.parse().expect("a network");
        let (address, length) = (u32::from(network.network()), u32::from(network.prefix_len()));
        let leaf = Next::Leaf(data.len());
        data.extend(map(&[("country", map(&[("iso_code", text(country))]))]));
        let mut at = 0;
        for depth in 0..length {
            let bit = (address >> (31 - depth) & 1) as usize;
            let is_last = depth + 1 == length;
            at = match (is_last, nodes[at][bit]) {
                (true, _) => {
                    nodes[at][bit] = Some(leaf);
                    break;
                }
                (false, Some(Next::Node(next))) => next,
                (false, _) => {
                    nodes.push([None, None]);
                    nodes[at][bit] = Some(Next::Node(nodes.len() - 1));
                    nodes.len() - 1
                }
            };
        }
    }
    let count = nodes.len();
    let record = |next: &Option<Next>| match next {
        None => count,
        Some(Next::Node(node)) => *node,
        Some(Next::Leaf(offset)) => count + GAP + offset,
    };
    let records = nodes.iter().flatten().flat_map(|next| (record(next) as u32).to_be_bytes()[1..].to_vec());
    let mut file: Vec<u8> = records.collect();
    file.extend([0; GAP]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("binary_format_major_version", number(5, &[2])),
        ("binary_format_minor_version", number(5, &[])),
        ("build_epoch", vec![1, 2, 1]),
        ("database_type", text("Test-Country")),
        ("description", map(&[("en", text("A test"))])),
        ("ip_version", number(5, &[4])),
        ("languages", vec![0, 4]),
        ("node_count", number(6, &(count as u32).to_be_bytes())),
        ("record_size", number(5, &[24])),
    ]));
    file
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Node(usize),
    Leaf(usize),
}

/// What precedes a value: its type, and how much of it there is.
fn head(kind: u8, size: usize) -> u8 {
    assert!(size < 29, "a longer value is written otherwise");
    kind << 5 | size as u8
}

fn text(text: &str) -> Vec<u8> {
    [&[head(2, text.len())], text.as_bytes()].concat()
}

fn number(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[head(kind, bytes.len())], bytes].concat()
}

fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut all = vec![head(7, pairs.len())];
    for (name, value) in pairs {
        all.extend(text(name));
        all.extend(value);
    }
    all
}
