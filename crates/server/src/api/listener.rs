//! TLS before HTTP: connections are accepted at once, and each shakes hands in a task of its own. Who is slow or silent
//! there keeps nobody else waiting, and is dropped after a while.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::Tls;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A listener whose connections speak TLS.
pub(super) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    /// Dropped with the listener, and with it whoever is not a client yet.
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub(super) fn new(tcp: TcpListener, tls: &Tls) -> Self {
        Self { tcp, acceptor: tls.acceptor(), handshakes: JoinSet::new() }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (connection, peer) = Listener::accept(&mut self.tcp) => {
                    self.handshakes.spawn(shake_hands(self.acceptor.clone(), connection, peer));
                }
                Some(done) = self.handshakes.join_next() => if let Ok(Some(connected)) = done {
                    return connected;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Anybody can connect and say anything, so what goes wrong here is nothing to warn of.
async fn shake_hands(
    acceptor: TlsAcceptor,
    connection: TcpStream,
    peer: SocketAddr,
) -> Option<(TlsStream<TcpStream>, SocketAddr)> {
    // Answers are small, and whole when they are written.
    let _ = connection.set_nodelay(true);
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(connection)).await {
        Ok(Ok(stream)) => Some((stream, peer)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}
