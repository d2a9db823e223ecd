//! What goes wrong with real systems, one thing after the other: each change ends, and what its status says is what the
//! system holds. Asked are the systems themselves.

mod certificate;
mod disk;
mod network;
mod proxy;
mod read_only;

use toml::Table;
use url::Url;

use self::proxy::Proxy;
use super::api::Api;
use super::directory::{DIRECTORY, Directory, dn};
use super::installation::{Installation, quick};
use super::state::{Source, State};
use super::tables::{PostgresTable, bcrypt};

/// Abby signs in to Lockstep itself; each test has a directory of its own.
const ABBY: (&str, usize) = ("abby.smith", 11);

/// A directory of its own and a table in one group, each behind a proxy, and one person.
struct Office {
    directory: Directory,
    billing: PostgresTable,
    to_directory: Proxy,
    to_billing: Proxy,
    installation: Installation,
    api: Api,
}

impl Office {
    async fn open(database: &str, lifetime: &str, initial: &str) -> Self {
        let directory = Directory::own().await;
        directory.reset([ABBY.1], initial).await;
        let billing = PostgresTable::new(database, &[ABBY.0.to_owned()], initial).await;
        let (ldap, sql) = (directory.source(), billing.source(bcrypt()));
        let to_directory = Proxy::start(port(directory.plain())).await;
        let to_billing = Proxy::start(port(sql.config["url"].as_str().expect("text"))).await;
        // Without TLS, so that the proxy sees which request it is.
        let mut ldap = through(ldap, &to_directory);
        let plain = format!("ldap://127.0.0.1:{}", to_directory.port);
        ldap.config.insert("url".to_owned(), plain.into());
        ldap.config.insert("allow_plain".to_owned(), true.into());
        ldap.config.remove("ca_file");
        let mut state = State::one_group(toml::toml! { minLength = 8 }, vec![ldap, through(sql, &to_billing)]);
        state.person(ABBY.0, None, |source| if source == DIRECTORY { dn(ABBY.1) } else { ABBY.0.to_owned() });
        let mut installation = Installation::new(expiring(lifetime), &state).await;
        installation.start().await;
        let api = installation.api().await;
        Self { directory, billing, to_directory, to_billing, installation, api }
    }

    async fn close(mut self) {
        assert!(self.installation.stop().await.success());
        self.directory.stop().await;
    }
}

/// [`quick`], and changes that are tried for so long.
fn expiring(lifetime: &str) -> Table {
    let mut settings = quick();
    let engine = settings.get_mut("engine").and_then(toml::Value::as_table_mut).expect("a table");
    engine.insert("lifetime".to_owned(), lifetime.into());
    settings
}

/// The source behind a proxy, and waited for a second only.
fn through(mut source: Source, proxy: &Proxy) -> Source {
    let mut url: Url = source.config["url"].as_str().expect("text").parse().expect("an address");
    url.set_port(Some(proxy.port)).expect("an address with a port");
    source.config.insert("url".to_owned(), url.as_str().into());
    for field in ["connect_timeout_ms", "request_timeout_ms"] {
        source.config.insert(field.to_owned(), 1000.into());
    }
    source
}

fn port(url: &str) -> u16 {
    url.parse::<Url>().expect("an address").port().expect("a port")
}

/// The only line, which is about this source.
fn only_line<'a>(errors: &'a [String], source: &str) -> &'a str {
    let [line] = errors else { panic!("one line: {errors:?}") };
    assert!(line.starts_with(&format!("{source}: ")), "{line}");
    line
}

/// Whether a line leaves it open.
fn in_doubt(line: &str) -> bool {
    line.ends_with("this account may or may not have the new password")
}
