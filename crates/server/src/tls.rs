//! The server's own certificate: read at the start, and again while the server runs whenever its files have changed.
//!
//! TLS 1.2 and 1.3, nothing older. Whoever renews the certificate (an ACME client, an administrator) replaces two files, one
//! after the other; a pair that does not fit is not taken, and the one before stays in use. What certificates of others are
//! believed is the connectors' affair.

mod pair;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::TimeDelta;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::config::TlsConfig;
use crate::metrics::Metrics;

pub use pair::{Pair, TlsError};

/// The protocols that are spoken above TLS, the better one first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How often the files are looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(60);

/// From when on it is said that the certificate expires, and how often.
pub const EXPIRES_SOON: TimeDelta = TimeDelta::days(14);
const SAID_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The certificate in use, and where the next one will be found.
pub struct Tls {
    files: TlsConfig,
    server: Arc<ServerConfig>,
    in_use: Arc<InUse>,
    /// What the files held when they were last looked at, also where it was not taken.
    seen: Mutex<Option<[u8; 32]>>,
    reload: Notify,
}

/// What became of a look at the files.
#[derive(Debug)]
pub enum Looked {
    /// They hold what they held.
    Unchanged,
    /// They hold another pair, which is in use now.
    Taken,
    /// They hold what cannot be served; the pair before stays in use.
    Refused(TlsError),
}

#[derive(Debug)]
struct InUse(RwLock<Arc<Pair>>);

impl ResolvesServerCert for InUse {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.get().key))
    }
}

impl InUse {
    fn get(&self) -> Arc<Pair> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tls {
    /// Reads the pair that is served with from now on.
    ///
    /// # Errors
    /// When there is none that could be served.
    pub fn load(files: &TlsConfig) -> Result<Self, TlsError> {
        let pair = Pair::read(files)?;
        let seen = Mutex::new(Some(pair.digest));
        let in_use = Arc::new(InUse(RwLock::new(Arc::new(pair))));
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Settings)?
            .with_no_client_auth()
            .with_cert_resolver(in_use.clone());
        server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self { files: files.clone(), server: Arc::new(server), in_use, seen, reload: Notify::new() })
    }

    /// What shakes hands with clients.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }

    /// Has the files looked at now, and what is wrong with them said again.
    pub fn reload(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.reload.notify_one();
    }

    /// Looks at the files, and takes what they hold when it is another pair.
    pub fn look(&self) -> Looked {
        let digest = pair::digest(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match digest {
            Ok(digest) if *seen == Some(digest) => return Looked::Unchanged,
            Ok(digest) => *seen = Some(digest),
            // Said each time that they are looked at: nothing else reminds of files that are gone.
            Err(error) => return Looked::Refused(error),
        }
        match Pair::read(&self.files) {
            Ok(pair) => {
                // They may have been replaced once more since.
                *seen = Some(pair.digest);
                *self.in_use.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                Looked::Taken
            }
            Err(error) => Looked::Refused(error),
        }
    }

    /// Keeps the certificate current, and says before it expires. It never returns.
    pub async fn keep(self: Arc<Self>, metrics: Metrics, clock: Clock) {
        let mut tick = tokio::time::interval(LOOKED_AT_EVERY);
        let mut said: Option<Duration> = None;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.reload.notified() => {}
            }
            let own = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || own.look()).await.unwrap_or(Looked::Unchanged);
            let expires = self.in_use.get().expires;
            match looked {
                Looked::Unchanged => {}
                Looked::Taken => {
                    said = None;
                    tracing::info!(tls.expires = %expires, "the certificate was read and is in use");
                }
                Looked::Refused(error) => {
                    let error = told(&error);
                    tracing::error!(
                        error,
                        "the certificate's files cannot be used; the certificate before stays in use"
                    );
                }
            }
            let left = expires - clock.utc();
            metrics.certificate(left.num_milliseconds() as f64 / 1000.0);
            let due = said.is_none_or(|said| clock.monotonic().saturating_sub(said) >= SAID_EVERY);
            if left < EXPIRES_SOON && due {
                said = Some(clock.monotonic());
                match left > TimeDelta::zero() {
                    true => {
                        tracing::warn!(tls.expires = %expires, "the certificate expires in {} days", left.num_days())
                    }
                    false => tracing::error!(tls.expires = %expires, "the certificate has expired: clients refuse it"),
                }
            }
        }
    }
}

/// An error with its cause.
fn told(error: &TlsError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
