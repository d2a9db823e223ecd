//! A proxy between the server and a system. It passes everything on, until it is told what goes wrong.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

/// The system sees the end of a connection so much later than the proxy: what arrived is done by then.
const LINGER: Duration = Duration::from_secs(1);

/// What goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// Whoever connects is let in, and nothing is heard from then on.
    BlackHole,
    /// Each piece takes so long.
    Slow(Duration),
    /// The next request that holds these bytes arrives, and its answer does not.
    LoseAnswer(Vec<u8>),
    /// The next request that holds these bytes arrives so much later, and its answer does not.
    Late(Vec<u8>, Duration),
}

/// A running proxy. Dropped, it takes its connections along.
pub(super) struct Proxy {
    pub(super) port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    trouble: Mutex<Option<Trouble>>,
    struck: Notify,
}

impl Proxy {
    /// A proxy before a port of this machine.
    pub(super) async fn start(system: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared::default());
        let carried = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, system, Arc::clone(&carried)));
            }
        });
        Self { port, shared, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// From now on.
    pub(super) fn set(&self, trouble: Option<Trouble>) {
        *self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Waits until a request with the bytes that were said has come.
    pub(super) async fn struck(&self) {
        self.shared.struck.notified().await;
    }
}

impl Shared {
    fn now(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happens to a request. What was said about the next one is over with it.
    fn meets(&self, request: &[u8]) -> Option<Trouble> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble.clone()? {
            Trouble::LoseAnswer(bytes) | Trouble::Late(bytes, _) => {
                let meant = request.windows(bytes.len()).any(|window| window == bytes);
                meant.then(|| trouble.take()).flatten().inspect(|_| self.struck.notify_one())
            }
            standing => Some(standing),
        }
    }
}

async fn carry(client: TcpStream, system: u16, shared: Arc<Shared>) {
    let (mut requests, mut answers) = client.into_split();
    let mut buffer = vec![0; 65536];
    if matches!(shared.now(), Some(Trouble::BlackHole)) {
        while requests.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        return;
    }
    let Ok(system) = TcpStream::connect(("127.0.0.1", system)).await else { return };
    let (mut from_system, mut to_system) = system.into_split();
    let (lose, lost) = watch::channel(false);
    let weather = Arc::clone(&shared);
    let answering = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut buffer = vec![0; 65536];
        while let Ok(count @ 1..) = from_system.read(&mut buffer).await {
            match weather.now() {
                _ if *lost.borrow() => continue,
                Some(Trouble::BlackHole) => continue,
                Some(Trouble::Slow(time)) => tokio::time::sleep(time).await,
                _ => {}
            }
            if answers.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    }));
    while let Ok(count @ 1..) = requests.read(&mut buffer).await {
        let request = &buffer[..count];
        match shared.meets(request) {
            Some(Trouble::BlackHole) => continue,
            Some(Trouble::Slow(time)) => tokio::time::sleep(time).await,
            Some(Trouble::LoseAnswer(_)) => {
                let _ = lose.send(true);
            }
            Some(Trouble::Late(_, time)) => {
                let _ = lose.send(true);
                tokio::time::sleep(time).await;
            }
            None => {}
        }
        if to_system.write_all(request).await.is_err() {
            return;
        }
    }
    tokio::time::sleep(LINGER).await;
    drop(answering);
}
