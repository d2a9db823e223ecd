//! The configuration, who may read what it names, the certificate, and the database of countries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::{Findings, told};
use crate::config::Config;
use crate::geography::Geography;
use crate::tls::{EXPIRES_SOON, Pair};

const AREA: &str = "Configuration";
const TLS: &str = "TLS";
const COUNTRIES: &str = "Countries";

/// What the file says, beyond that it can be read.
pub(super) fn configuration(path: &Path, config: &Config, found: &mut Findings) {
    let listen = config.listen;
    found.good(AREA, format!("{} can be read", path.display()));
    // Whoever writes it names another database, or another key.
    writable(path, found);
    if config.speaks_in_the_clear() {
        found.problem(
            AREA,
            format!("other machines can reach {listen}, and secrets and tokens would cross the network in the clear"),
            Some("name a certificate under [tls], or set allow-plain-http = true under [proxy] where a proxy ends TLS"),
        );
    }
    if config.base_url.is_none() && listen.ip().is_unspecified() {
        found.warning(
            AREA,
            format!("tokens are issued in the name of {}, which is nobody's address", config.public_url()),
            "set base-url to the address that clients use",
        );
    }
    if let Some(url) = &config.base_url
        && url.starts_with("http://")
        && !is_this_machine(url)
    {
        found.warning(AREA, format!("base-url is {url}, without TLS"), "let clients come by https:// only");
    }
    if let Some(path) = &config.store.password_file {
        private(AREA, path, 0o077, "600", found);
    }
}

fn is_this_machine(url: &str) -> bool {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default();
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

fn writable(path: &Path, found: &mut Findings) {
    let Ok(metadata) = fs::metadata(path) else { return };
    if metadata.permissions().mode() & 0o022 != 0 {
        let (text, remedy) =
            (format!("{} can be written by others", path.display()), format!("chmod go-w {}", path.display()));
        found.warning(AREA, text, remedy);
    }
}

/// Warns of a file that more people may read than need to.
pub(super) fn private(area: &str, path: &Path, too_much: u32, mode: &str, found: &mut Findings) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let bits = metadata.permissions().mode() & 0o7777;
    if bits & too_much != 0 {
        let text = format!("{} is open to others (mode {bits:04o})", path.display());
        found.warning(area, text, format!("chmod {mode} {}", path.display()));
    }
}

/// The server's own certificate.
pub(super) fn certificate(config: &Config, now: DateTime<Utc>, found: &mut Findings) {
    let Some(files) = &config.tls else {
        found.good(TLS, "no certificate is named: the server speaks plain HTTP");
        return;
    };
    let pair = match Pair::read(files) {
        Ok(pair) => pair,
        Err(error) => {
            let remedy =
                "name the certificate with its chain, and its own key, both as PEM and readable for the server's user";
            found.problem(TLS, told(&error), Some(remedy));
            return;
        }
    };
    let (left, day) = (pair.expires - now, pair.expires.format("%Y-%m-%d"));
    let file = files.certificate.display();
    if left <= TimeDelta::zero() {
        found.problem(TLS, format!("the certificate in {file} expired on {day}"), Some("renew it"));
    } else if left < EXPIRES_SOON {
        let text = format!("the certificate in {file} expires in {} days, on {day}", left.num_days());
        found.warning(TLS, text, "renew it; a server that runs takes the new one by itself");
    } else {
        found.good(TLS, format!("the certificate in {file} fits its key and is valid until {day}"));
    }
    let host = Url::parse(&config.public_url()).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
    if let Some(host) = host.filter(|host| config.base_url.is_some() && !pair.is_for(host)) {
        let text = format!("the certificate is not for {host}, which is where base-url sends clients");
        found.warning(TLS, text, "get one for that name, unless a proxy shows its own");
    }
    private(TLS, &files.key, 0o007, "640", found);
}

/// The database that says in which country somebody is, where one is named.
pub(super) fn countries(config: &Config, found: &mut Findings) {
    let Some(geography) = &config.geography else { return };
    match Geography::load(Some(geography)) {
        Ok(_) => found.good(COUNTRIES, format!("{} can be read", geography.database.display())),
        Err(error) => {
            let remedy =
                "name a database in MaxMind's format that the server's user can read, or take [geography] away";
            found.problem(COUNTRIES, told(&error), Some(remedy));
        }
    }
}
