//! Whose request it is, by address: the peer of the connection, or whom a proxy says that it asks for.
//!
//! A proxy is believed only where the configuration names its network, and only in the one header that it sets itself: a
//! client can send any other along, and the proxy passes it on. Every proxy on the way adds at the end, so the list is read
//! from its end, and only for as long as a trusted proxy stands behind what is read. What cannot be read ends it there: the
//! request then counts as that of the last proxy whose word could be read. Nothing is ever built from such a header, or
//! from `Host`.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use axum::serve::IncomingStream;
use tokio::net::TcpListener;

use super::listener::TlsListener;
use crate::app::App;
use crate::config::{ForwardingHeader, ProxyConfig};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// The client's address, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl<S> FromRequestParts<S> for ClientAddress
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        // There always is a peer: the router is served with it.
        let peer = parts.extensions.get::<ConnectInfo<Peer>>();
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(Peer(address))| address.ip());
        Ok(Self(client_address(peer, &parts.headers, &App::from_ref(state).config.proxy)))
    }
}

/// Reads the addresses of one line of a header, in its order; none for what cannot be read.
type Reader = fn(&str) -> Vec<Option<IpAddr>>;

fn client_address(peer: IpAddr, headers: &HeaderMap, proxy: &ProxyConfig) -> IpAddr {
    let is_trusted = |address: IpAddr| proxy.trusted_proxies.iter().any(|network| network.contains(&address));
    let mut known = peer.to_canonical();
    if !is_trusted(known) {
        return known;
    }
    let (name, read): (_, Reader) = match proxy.header {
        ForwardingHeader::XForwardedFor => (X_FORWARDED_FOR, x_forwarded_for),
        ForwardingHeader::Forwarded => (header::FORWARDED, forwarded),
    };
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    for line in lines.into_iter().rev() {
        // What is no text cannot be read, like anything else; but what a client sent itself, before a proxy added to it, does not
        // keep that from being read.
        for hop in read(&String::from_utf8_lossy(line.as_bytes())).into_iter().rev() {
            let Some(hop) = hop else { return known };
            known = hop;
            if !is_trusted(known) {
                return known;
            }
        }
    }
    known
}

/// The addresses in one line, in their order; none where there is something else.
fn x_forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(str::trim).filter(|hop| !hop.is_empty()).map(node).collect()
}

/// The same of RFC 7239, section 4: elements with commas between them, pairs with semicolons between them, and values that
/// may be quoted. A line whose quotes do not pair is not read at all: what a client began to quote, a proxy's own element
/// would be a part of.
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    let Some(elements) = split(line, ',') else { return vec![None] };
    let elements = elements.into_iter().map(str::trim).filter(|element| !element.is_empty());
    elements.map(for_of).collect()
}

fn for_of(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in split(element, ';')? {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") && found.replace(value.trim()).is_some() {
            return None;
        }
    }
    let value = found?;
    // An address needs no escapes, so one that has them is none.
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// Splits where no quotes are open; nothing when some still are at the end.
fn split(text: &str, at: char) -> Option<Vec<&str>> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (place, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == at && !quoted => {
                parts.push(&text[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!quoted).then_some(parts)
}

/// `192.0.2.7`, `192.0.2.7:80`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn seen(header: ForwardingHeader, peer: &str, lines: &[(&str, &[u8])]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let proxy = ProxyConfig { trusted_proxies: trusted.into(), header, allow_plain_http: false };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), (*value).try_into().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &proxy).to_string()
    }

    #[test]
    fn x_forwarded_for_is_read_from_its_end_for_as_long_as_proxies_are_trusted() {
        for (peer, lines, client) in [
            // Nobody else is believed.
            ("192.0.2.7", &["198.51.100.1"][..], "192.0.2.7"),
            ("::ffff:192.0.2.7", &["198.51.100.1"], "192.0.2.7"),
            (PROXY, &[], PROXY),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("fd00::5", &["198.51.100.1"], "198.51.100.1"),
            (PROXY, &["198.51.100.1"], "198.51.100.1"),
            // What the client sent itself stands further left.
            (PROXY, &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (PROXY, &["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
            (PROXY, &["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
            // Several proxies, in one line or in several.
            (PROXY, &["203.0.113.9, 198.51.100.1, 10.0.0.2,10.0.0.3"], "198.51.100.1"),
            (PROXY, &["203.0.113.9, 198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            (PROXY, &["10.0.0.7, 10.0.0.2"], "10.0.0.7"),
            // Ports, brackets, other notations.
            (PROXY, &["198.51.100.1:4711"], "198.51.100.1"),
            (PROXY, &["2001:db8::7"], "2001:db8::7"),
            (PROXY, &["[2001:db8::7]"], "2001:db8::7"),
            (PROXY, &["[2001:DB8:0::7]:4711"], "2001:db8::7"),
            (PROXY, &["[::ffff:198.51.100.1]:4711"], "198.51.100.1"),
            (PROXY, &[" \t198.51.100.1 ,, "], "198.51.100.1"),
            // What cannot be read ends it.
            (PROXY, &["198.51.100.1, unknown"], PROXY),
            (PROXY, &["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
            (PROXY, &["198.51.100.1.5"], PROXY),
            (PROXY, &["[198.51.100.1]"], PROXY),
            (PROXY, &["fe80::1%eth0"], PROXY),
            (PROXY, &["198.51.100.1:99999"], PROXY),
            (PROXY, &["010.051.100.001"], PROXY),
            (PROXY, &["\"198.51.100.1\""], PROXY),
            (PROXY, &["for=198.51.100.1"], PROXY),
            (PROXY, &[""], PROXY),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("X-Forwarded-For", line.as_bytes())).collect();
            assert_eq!(seen(ForwardingHeader::XForwardedFor, peer, &lines), client, "{peer} {lines:?}");
        }
        let unreadable: [(&str, &[u8]); 2] = [("X-Forwarded-For", b"198.51.100.1"), ("X-Forwarded-For", b"\xff")];
        assert_eq!(seen(ForwardingHeader::XForwardedFor, PROXY, &unreadable), PROXY);
        for (line, client) in [(&b"\xff, 198.51.100.1"[..], "198.51.100.1"), (b"198.51.100.1, \xc3\xa9", PROXY)] {
            assert_eq!(seen(ForwardingHeader::XForwardedFor, PROXY, &[("X-Forwarded-For", line)]), client);
        }
    }

    #[test]
    fn forwarded_is_read_the_same_way() {
        for (peer, lines, client) in [
            ("192.0.2.7", &["for=198.51.100.1"][..], "192.0.2.7"),
            (PROXY, &["for=198.51.100.1"], "198.51.100.1"),
            (PROXY, &["For=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.1"], "2001:db8::7"),
            (PROXY, &["proto=https; for=\"198.51.100.1:80\""], "198.51.100.1"),
            (PROXY, &["for=203.0.113.9, for=198.51.100.1;by=\"a,b;for=1.2.3.4\", for=10.0.0.2"], "198.51.100.1"),
            (PROXY, &["for=203.0.113.9", "for=198.51.100.1"], "198.51.100.1"),
            (PROXY, &["for=198.51.100.1, for=unknown"], PROXY),
            (PROXY, &["for=198.51.100.1, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
            (PROXY, &["for=198.51.100.1, proto=https"], PROXY),
            (PROXY, &["for=198.51.100.1;for=203.0.113.9"], PROXY),
            (PROXY, &["198.51.100.1"], PROXY),
            // A client that opens quotes, for the proxy's element to be taken for a part of its own.
            (PROXY, &["for=203.0.113.9;x=\", for=198.51.100.1"], PROXY),
            (PROXY, &["for=203.0.113.9;x=\", for=\"[2001:db8::7]\""], PROXY),
            (PROXY, &["for=203.0.113.9;x=\"\\, for=\"[2001:db8::7]\""], PROXY),
            (PROXY, &["for=203.0.113.9;x=\"", "for=198.51.100.1"], "198.51.100.1"),
            (PROXY, &["for=\"198.51.100.1\\\"\""], PROXY),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("Forwarded", line.as_bytes())).collect();
            assert_eq!(seen(ForwardingHeader::Forwarded, peer, &lines), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_header_that_the_proxy_does_not_set_is_not_read() {
        let both: [(&str, &[u8]); 2] = [("Forwarded", b"for=203.0.113.9"), ("X-Forwarded-For", b"198.51.100.1")];
        assert_eq!(seen(ForwardingHeader::XForwardedFor, PROXY, &both), "198.51.100.1");
        assert_eq!(seen(ForwardingHeader::Forwarded, PROXY, &both), "203.0.113.9");
        assert_eq!(seen(ForwardingHeader::Forwarded, PROXY, &both[1..]), PROXY);
        assert_eq!(seen(ForwardingHeader::XForwardedFor, PROXY, &both[..1]), PROXY);
        for name in ["X-Real-IP", "Client-IP", "X-Client-IP", "True-Client-IP", "Host", "X-Forwarded-Host"] {
            assert_eq!(seen(ForwardingHeader::XForwardedFor, PROXY, &[(name, b"203.0.113.9")]), PROXY, "{name}");
        }
    }
}
