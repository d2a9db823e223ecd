//! Just enough HTTP to ask our own server on loopback whether it is ready, and for a token. Not a client.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// A status and a body; headers are dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
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
    let length = form.len();
    exchange(
        port,
        &format!(
            "POST {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\
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
    Ok(Reply { status: status.parse().context("the status is no number")?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{Reply, parse};

    #[test]
    fn status_and_body_are_read() {
        let reply = parse("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":1}").unwrap();
        assert_eq!(reply, Reply { status: 200, body: "{\"a\":1}".to_owned() });
    }

    #[test]
    fn a_cut_reply_is_an_error() {
        assert!(parse("HTTP/1.0 200 OK\r\ncontent-type").is_err());
        assert!(parse("nonsense\r\n\r\n").is_err());
    }
}
