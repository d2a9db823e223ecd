//! Which certificates are believed: those of an own CA file, or the system's. Verification is always on.
//!
//! There is no switch here to turn it off and there will be none: whoever stands between Lockstep and a target reads
//! everyone's password.

use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::config::ConfigError;

/// A client configuration that believes the certificates in `ca_file` and no others, or the system's if there is none.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_file)? {
        // The system's store may hold certificates that rustls cannot use; an own file may not.
        if let (Err(error), Some(path)) = (roots.add(certificate), ca_file) {
            return Err(ca_problem(path, &error.to_string()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::field(".", format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The same certificates as PEM text, for drivers that make their own client configuration.
pub(crate) fn roots_pem(ca_file: Option<&Path>) -> Result<Vec<u8>, ConfigError> {
    let mut pem = String::new();
    for certificate in certificates(ca_file)? {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(&STANDARD.encode(&certificate));
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    Ok(pem.into_bytes())
}

/// Why a handshake failed for good, in words, if it did: the certificate was refused, or the two sides share no
/// version or algorithm. None means that the connection broke and may work another time.
pub(crate) fn permanent_problem(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(reason) => Some(format!("its certificate is not trusted ({reason})")),
        error @ (rustls::Error::PeerIncompatible(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::UnsupportedNameType
        | rustls::Error::AlertReceived(_)) => Some(format!("it does not agree on TLS ({error})")),
        _ => None,
    }
}

fn certificates(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let Some(path) = ca_file else {
        let system = rustls_native_certs::load_native_certs().certs;
        if system.is_empty() {
            let advice = "the system has no trusted certificates; name the PEM file of the certificate authority here";
            return Err(ConfigError::field("ca_file", advice));
        }
        return Ok(system);
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| ca_problem(path, &error.to_string()))?;
    if found.is_empty() {
        return Err(ca_problem(path, "there is no certificate in it"));
    }
    Ok(found)
}

fn ca_problem(path: &Path, problem: &str) -> ConfigError {
    let file = path.display();
    ConfigError::field("ca_file", format!("{file} is not a usable PEM file of certificates: {problem}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_missing_or_empty_ca_file_is_named() {
        let error = client_config(Some(Path::new("/nowhere/ca.pem"))).expect_err("no such file");
        assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
        let mut file = tempfile::NamedTempFile::new().expect("temporary file");
        file.write_all(b"no certificate").expect("written");
        let error = client_config(Some(file.path())).expect_err("no certificate");
        assert!(error.to_string().contains("no certificate"), "{error}");
    }

    #[test]
    fn only_tls_errors_that_stay_are_permanent() {
        let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert!(permanent_problem(&io::Error::other(untrusted)).is_some());
        assert!(permanent_problem(&io::Error::other(rustls::Error::DecryptError)).is_none());
        assert!(permanent_problem(&io::Error::from(io::ErrorKind::ConnectionReset)).is_none());
    }
}
