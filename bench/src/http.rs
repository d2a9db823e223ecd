//! A client that costs next to nothing: requests are bytes that were made beforehand, sent over connections that stay.
//!
//! It knows as much of HTTP/1.1 as our own servers answer with: a status, a length, a body. No chunks, no redirects.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that stays.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, as it lies in the connection's buffer.
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await.with_context(|| format!("cannot connect to {server}"))?;
        stream.set_nodelay(true).context("cannot set up a connection")?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        self.stream.write_all(request).await.context("cannot send a request")?;
        self.buffer.clear();
        let (head, length) = loop {
            if self.stream.read_buf(&mut self.buffer).await.context("cannot receive an answer")? == 0 {
                bail!("the server closed the connection");
            }
            if let Some(found) = head_and_length(&self.buffer)? {
                break found;
            }
        };
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await.context("cannot receive an answer")? == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
        }
        let status = self.buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        Ok(Reply { status: status.context("the answer has no status")?, body: &self.buffer[head..head + length] })
    }

    /// The body of an answer that must be 200.
    pub(crate) async fn get(&mut self, path: &str, token: &str) -> Result<String> {
        let reply = self.ask(&get(path, token)).await?;
        let body = String::from_utf8_lossy(reply.body).into_owned();
        if reply.status != 200 {
            bail!("{path} was answered with {}: {body}", reply.status);
        }
        Ok(body)
    }
}

/// A POST of a JSON body.
pub(crate) fn post(path: &str, token: &str, body: &str) -> Vec<u8> {
    with_body(path, &format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n"), body)
}

/// A POST of a form, as the token endpoint takes it.
pub(crate) fn post_form(path: &str, body: &str) -> Vec<u8> {
    with_body(path, "content-type: application/x-www-form-urlencoded\r\n", body)
}

/// A GET.
pub(crate) fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: lockstep\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// A page, for the browser that has this session. It has the cookie of the forms too, since it was shown the first page: any
/// text that looks like a token.
pub(crate) fn page(path: &str, session: &str) -> Vec<u8> {
    let cookie = format!("__Host-lockstep-session={session}; __Host-lockstep-form={session}");
    format!("GET {path} HTTP/1.1\r\nhost: lockstep\r\ncookie: {cookie}\r\n\r\n").into_bytes()
}

fn with_body(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: lockstep\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// How many bytes an answer has, once its head is there.
pub(crate) fn length_of(answer: &[u8]) -> Result<Option<usize>> {
    Ok(head_and_length(answer)?.map(|(head, length)| head + length))
}

fn head_and_length(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    Ok(Some((end + 4, content_length(&answer[..end])?)))
}

fn content_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head).context("the answer's head is no text")?;
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.context("the answer has no length")?.1.trim().parse().context("the answer's length is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_found_whatever_its_case() {
        assert_eq!(content_length(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\nx: y").unwrap(), 17);
        assert!(content_length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked").is_err());
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let request = String::from_utf8(post("/x", "t", "{}")).unwrap();
        assert!(request.ends_with("content-length: 2\r\n\r\n{}"), "{request}");
    }
}
