//! Servers that are not there, never answer, or lose exactly the message a test wants them to lose.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// An address where nobody listens.
pub(crate) async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.expect("bound").local_addr().expect("an address")
}

/// A server that accepts, answers each connection's first bytes with `answer`, and reads on in silence. Says how many
/// bytes it was sent in all.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    received: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Scripted {
    pub(crate) async fn black_hole() -> Self {
        Self::start(b"").await
    }

    pub(crate) async fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(AtomicUsize::new(0));
        let counter = received.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counter = counter.clone();
                tokio::spawn(async move {
                    let (mut buffer, mut first) = ([0; 4096], true);
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        counter.fetch_add(length, Ordering::SeqCst);
                        if std::mem::take(&mut first) && stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, received, task }
    }

    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a [`Proxy`] does with the first message from the client that contains its trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loses {
    /// Keeps it, and stays silent.
    Request,
    /// Passes it on, and keeps what comes back.
    Answer,
    /// Passes it on, and closes when something comes back.
    AnswerAndConnection,
}

/// A proxy that passes everything on until the trigger.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cut: watch::Sender<u64>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on `listen` (an address of this machine) and leads to `upstream`.
    pub(crate) async fn start(listen: &str, upstream: &str, trigger: &'static [u8], loses: Loses) -> Self {
        let listener = TcpListener::bind((listen, 0)).await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (cut, cuts) = watch::channel(0);
        let upstream = upstream.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, mut cuts) = (upstream.clone(), cuts.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(&upstream).await else { return };
                    tokio::select! {
                        () = carry(client, server, trigger, loses) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { address, cut, task }
    }

    /// Closes every connection; new ones are accepted.
    pub(crate) fn cut_connections(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A proxy that writes something else wherever the client sends certain bytes.
pub(crate) struct Rewriting {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Rewriting {
    /// Both texts have one length.
    pub(crate) async fn start(upstream: &str, from: &'static [u8], to: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let upstream = upstream.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&upstream).await else { return };
                let ((mut asks, mut hears), (mut answers, mut takes)) = (client.into_split(), server.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut answers, &mut hears).await });
                tokio::spawn(async move {
                    let mut buffer = [0; 16384];
                    while let Ok(length @ 1..) = asks.read(&mut buffer).await {
                        let sent = &mut buffer[..length];
                        while let Some(at) = sent.windows(from.len()).position(|window| window == from) {
                            sent[at..at + from.len()].copy_from_slice(to);
                        }
                        if takes.write_all(sent).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, task }
    }
}

impl Drop for Rewriting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, trigger: &[u8], loses: Loses) {
    let (mut up, mut down) = ([0; 16384], [0; 16384]);
    let mut triggered = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                triggered |= !trigger.is_empty() && up[..length].windows(trigger.len()).any(|window| window == trigger);
                if !(triggered && loses == Loses::Request) && server.write_all(&up[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                match (triggered, loses) {
                    (true, Loses::AnswerAndConnection) => return,
                    (true, _) => {}
                    (false, _) => if client.write_all(&down[..length]).await.is_err() { return },
                }
            }
        }
    }
}
