//! Connections to a directory, over the library that the product uses, and the operation that it sends.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Args;
use ldap3::controls::RawControl;
use ldap3::exop::{Exop, PasswordModify};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Mutex, mpsc};

/// The password policy control, which the product sends too.
const PPOLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// A directory, and who writes to it.
#[derive(Debug, Args)]
// A command of that name has it as its options; clap would name a group after each.
#[group(skip)]
pub(crate) struct Directory {
    /// Its address, `ldaps://host:port`
    #[arg(long)]
    url: String,
    /// The file with its certificate authority
    #[arg(long)]
    ca: PathBuf,
    /// The service account
    #[arg(long)]
    bind_dn: String,
    /// The file with its password
    #[arg(long)]
    bind_password: PathBuf,
    /// How many connections
    #[arg(long)]
    pub(crate) connections: usize,
}

impl Directory {
    /// Every connection, bound.
    pub(crate) async fn connect(&self) -> Result<Vec<Ldap>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&self.ca).context("cannot read the authority")? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
        let password = std::fs::read_to_string(&self.bind_password).context("cannot read the password")?;
        let server = self.url.strip_prefix("ldaps://").context("the address must begin with ldaps://")?;
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            let stream = tokio::net::TcpStream::connect(server).await.context("cannot connect to the directory")?;
            stream.set_nodelay(true)?;
            let settings =
                LdapConnSettings::new().set_config(tls.clone()).set_std_stream(StdStream::Tcp(stream.into_std()?));
            let (driver, mut ldap) = LdapConnAsync::with_settings(settings, &self.url).await?;
            tokio::spawn(driver.drive());
            ldap.simple_bind(&self.bind_dn, password.trim()).await?.success().context("the bind failed")?;
            connections.push(ldap);
        }
        Ok(connections)
    }
}

/// Bound connections, each lent to one operation at a time.
pub(crate) struct Pool {
    idle: Mutex<mpsc::Receiver<Ldap>>,
    give_back: mpsc::Sender<Ldap>,
}

impl Pool {
    pub(crate) async fn connect(directory: &Directory) -> Result<Self> {
        let connections = directory.connect().await?;
        let (give_back, idle) = mpsc::channel(connections.len());
        for connection in connections {
            give_back.send(connection).await?;
        }
        Ok(Self { idle: Mutex::new(idle), give_back })
    }

    pub(crate) async fn take(&self) -> Result<Ldap> {
        self.idle.lock().await.recv().await.context("there is no connection")
    }

    pub(crate) async fn give_back(&self, connection: Ldap) -> Result<()> {
        self.give_back.send(connection).await.context("there is no pool")
    }
}

/// Sets a password.
pub(crate) async fn set_password(ldap: &mut Ldap, dn: &str, password: &str) -> Result<()> {
    ldap.with_controls(RawControl { ctype: PPOLICY.to_owned(), crit: false, val: None });
    let operation = PasswordModify { user_id: Some(dn), old_pass: None, new_pass: Some(password) };
    let answer = ldap.extended(Exop::from(operation)).await.context("the directory did not answer")?;
    ensure!(answer.1.rc == 0, "the directory refuses a password for {dn}: {}", answer.1);
    Ok(())
}
