//! A certificate with its chain and its key, as two files hold them, and whether they are fit to be served.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::config::TlsConfig;

/// A certificate that fits its key.
#[derive(Debug)]
pub struct Pair {
    /// As it is served.
    pub key: Arc<CertifiedKey>,
    /// When it, or what stands between it and the authority, expires: the earliest of them.
    pub expires: DateTime<Utc>,
    /// Of what the files held.
    pub(super) digest: [u8; 32],
}

/// Why a certificate cannot be served. No variant holds anything of the key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate in the file.
    #[error("{} holds no certificate: a PEM file with BEGIN CERTIFICATE is expected", .0.display())]
    NoCertificate(PathBuf),
    /// What is in the file is no certificate.
    #[error("{} holds a certificate that cannot be read", .0.display())]
    BadCertificate(PathBuf),
    /// There is no key in the file.
    #[error("{} holds no private key: a PEM file with BEGIN PRIVATE KEY, without a passphrase, is expected", .0.display())]
    NoKey(PathBuf),
    /// Certificate and key do not belong together, or the key is of a kind that cannot be used.
    #[error("the certificate in {} and the key in {} do not go together ({reason})", certificate.display(), key.display())]
    NoPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the library says.
        reason: rustls::Error,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up")]
    Settings(#[source] rustls::Error),
}

impl Pair {
    /// Reads both files.
    ///
    /// # Errors
    /// See [`TlsError`]. An expired certificate is none: what clients think of it is theirs to say.
    pub fn read(files: &TlsConfig) -> Result<Self, TlsError> {
        let (certificate, key) = (read(&files.certificate)?, read(&files.key)?);
        let digest = digest_of(&certificate, &key);
        let bad = || TlsError::BadCertificate(files.certificate.clone());
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&certificate).collect::<Result<_, _>>().map_err(|_| bad())?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(files.certificate.clone()));
        }
        let expiries: Option<Vec<DateTime<Utc>>> = chain.iter().map(expiry).collect();
        let expires = expiries.and_then(|expiries| expiries.into_iter().min()).ok_or_else(bad)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_: pem::Error| TlsError::NoKey(files.key.clone()))?;
        let (certificate_file, key_file) = (files.certificate.clone(), files.key.clone());
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|reason| TlsError::NoPair { certificate: certificate_file, key: key_file, reason })?;
        Ok(Self { key: Arc::new(key), expires, digest })
    }

    /// Whether clients that reach the server by this name or address accept the certificate for it.
    pub fn is_for(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let Ok(name) = ServerName::try_from(host) else { return false };
        let Ok(certificate) = self.key.end_entity_cert() else { return false };
        let Ok(certificate) = ParsedCertificate::try_from(certificate) else { return false };
        verify_server_name(&certificate, &name).is_ok()
    }
}

/// Stands for what the files hold, so that the key need not be kept for comparing.
pub(super) fn digest(files: &TlsConfig) -> Result<[u8; 32], TlsError> {
    Ok(digest_of(&read(&files.certificate)?, &read(&files.key)?))
}

fn digest_of(certificate: &[u8], key: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&certificate.len().to_be_bytes());
    context.update(certificate);
    context.update(key);
    let mut whole = [0; 32];
    whole.copy_from_slice(context.finish().as_ref());
    whole
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    fs::read(path).map(Zeroizing::new).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0)
}
