//! Just enough HTTP to ask our own server on loopback whether it is ready, for a token, and for a page. Not a client.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The values of a header, whose name is in lower case.
    pub(crate) fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).filter(move |(own, _)| *own == name).map(|(_, v)| v)
    }
}

/// GET of a path from 127.0.0.1.
pub(crate) fn get(port: u16, path: &str) -> Result<Reply> {
    exchange(port, &format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n"))
}

/// The same with a token.
pub(crate) fn get_as(port: u16, path: &str, token: &str) -> Result<Reply> {
    exchange(port, &format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"))
}

/// POST of an already encoded form.
pub(crate) fn post_form(port: u16, path: &str, form: &str) -> Result<Reply> {
    post_form_with(port, path, form, &[])
}

/// The same with more headers.
pub(crate) fn post_form_with(port: u16, path: &str, form: &str, headers: &[(&str, &str)]) -> Result<Reply> {
    let length = form.len();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    exchange(
        port,
        &format!(
            "POST {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
        ),
    )
}

/// HTTP/1.0 on purpose: the server closes the connection at the end and does not send chunks.
fn exchange(port: u16, request: &str) -> Result<Reply> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    connection.write_all(request.as_bytes())?;
    let mut reply = String::new();
    connection.read_to_string(&mut reply)?;
    parse(&reply)
}

fn parse(reply: &str) -> Result<Reply> {
    let (head, body) = reply.split_once("\r\n\r\n").context("the reply has no end of headers")?;
    let status = head.split_whitespace().nth(1).context("the reply has no status")?;
    let status = status.parse().context("the status is no number")?;
    Ok(Reply { status, head: head.replace("\r\n", "\n"), body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn status_and_body_are_read() {
        let reply = parse("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":1}").unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (200, "{\"a\":1}"));
        assert_eq!(reply.header("content-type").collect::<Vec<_>>(), ["application/json"]);
    }

    #[test]
    fn a_cut_reply_is_an_error() {
        assert!(parse("HTTP/1.0 200 OK\r\ncontent-type").is_err());
        assert!(parse("nonsense\r\n\r\n").is_err());
    }
}
