//! What the server of the pages is set up with: a group over slapd and a table of PostgreSQL, a table whose password
//! asks for more, a person, and a help desk.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::lockstep::write_secret;
use crate::servers::{Postgres, Slapd};
use crate::steps::Bench;

/// Who changes passwords; in the directory they are called the same.
pub(super) const PERSON: &str = "user00007";
/// Who helps.
pub(super) const HELPER: &str = "user00003";
/// What shares a password.
pub(super) const GROUP: &str = "Everyday";
/// What asks for more than the sign-in password.
pub(super) const GUARDED: &str = "Payslips";

/// The application that may have another password of its own.
pub(super) const TABLE: &str = "Intranet";

/// The pictures of the applications.
const ICONS: [(&str, &str); 3] = [
    ("mail.svg", include_str!("../../../crates/server/src/cli/demo/icons/helpdesk.svg")),
    ("sheets.svg", include_str!("../../../crates/server/src/cli/demo/icons/wiki.svg")),
    ("payslips.svg", include_str!("../../../crates/server/src/cli/demo/icons/billing.svg")),
];

/// The database of the application.
const DATABASE: &str = "pages";

/// Makes the applications' tables anew.
pub(super) fn make_table(postgres: &Postgres, bench: &Bench<'_>, log: &Path) -> Result<()> {
    let database = format!("DROP DATABASE IF EXISTS {DATABASE};");
    postgres.ask("postgres", &database, log, bench.stop)?;
    postgres.ask("postgres", &format!("CREATE DATABASE {DATABASE};"), log, bench.stop)?;
    let table = format!(
        "CREATE EXTENSION pgcrypto; CREATE TABLE users (login text PRIMARY KEY, password_hash text); \
         INSERT INTO users VALUES ('{PERSON}', '-'); \
         CREATE TABLE payroll (login text PRIMARY KEY, password_hash text); INSERT INTO payroll VALUES ('{PERSON}', '-');"
    );
    postgres.ask(DATABASE, &table, log, bench.stop).map(drop)
}

/// The application takes the new password.
pub(super) fn signs_in(postgres: &Postgres, password: &str, bench: &Bench<'_>, log: &Path) -> Result<()> {
    let asked = format!("SELECT login FROM users WHERE password_hash = crypt('{password}', password_hash);");
    let who = postgres.ask(DATABASE, &asked, log, bench.stop)?;
    ensure!(who.trim() == PERSON, "in the table the new password is that of {who:?}");
    Ok(())
}

/// Where people reach the pages: by a name, since browsers make passkeys for no number.
pub(super) fn address(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// Says so in the configuration.
pub(super) fn name(folder: &Path) -> Result<()> {
    let path = folder.join("lockstep.toml");
    let configuration = fs::read_to_string(&path).context("reading lockstep.toml")?;
    let listen = configuration.split("listen = \"127.0.0.1:").nth(1).and_then(|rest| rest.split('"').next());
    let port = listen.and_then(|port| port.parse().ok()).context("lockstep.toml names no port")?;
    fs::write(&path, format!("base-url = \"{}\"\n{configuration}", address(port))).context("writing lockstep.toml")
}

/// Writes the wanted state, and the secrets that it refers to.
pub(super) fn write(folder: &Path, slapd: &Slapd, postgres: &Postgres) -> Result<()> {
    let (table, secret) = postgres.address(DATABASE);
    write_secret(folder, "directory.password", "svcsecret")?;
    write_secret(folder, "table.password", secret)?;
    for (file, picture) in ICONS {
        fs::write(folder.join(file), picture).with_context(|| format!("writing {file}"))?;
    }
    let state = format!(
        r#"[org-config]
digitTokenEnabled = true

[security-questions]
answers = 2

[[security-questions.questions]]
name = "teacher"
text = {{ en = "Who was your first teacher?", de = "Wer war Ihre erste Lehrerin, oder Ihr erster Lehrer?" }}

[[security-questions.questions]]
name = "street"
text = {{ en = "In which street did you live when you were ten?" }}

[[security-questions.questions]]
name = "dish"
text = {{ en = "What did your grandparents cook best?", de = "Was kochten Ihre Großeltern am besten?" }}

[[password-policy]]
name = "Everyday"
minLength = 8

[[source]]
name = "Corporate Directory"
connector = "ldap"
config = {{ url = "{url}", ca_file = "{authority}", bind_dn = "cn=svc,dc=example,dc=test" }}
secrets = {{ password = {{ file = "directory.password" }} }}

[[source]]
name = "{TABLE}"
connector = "sql"
secrets = {{ password = {{ file = "table.password" }} }}
[source.config]
url = "{table}"
hash = "bcrypt"
# The form that pgcrypto reads.
hash_prefix = "2a"
hash_cost = 4
statement = "UPDATE users SET password_hash = :hash WHERE login = :account"
verify = "SELECT password_hash FROM users WHERE login = :account"

[[password-policy]]
name = "Guarded"
minLength = 8
requireStrongAuthn = true

[[source]]
name = "Payroll"
connector = "sql"
policies = [{{ policy = "Guarded" }}]
secrets = {{ password = {{ file = "table.password" }} }}
[source.config]
url = "{table}"
hash = "bcrypt"
hash_cost = 4
statement = "UPDATE payroll SET password_hash = :hash WHERE login = :account"
verify = "SELECT password_hash FROM payroll WHERE login = :account"

[[sync-group]]
name = "{GROUP}"
policy = "Everyday"
sources = ["Corporate Directory", "{TABLE}"]

[[application]]
name = "{GUARDED}"
source = "Payroll"
icon = {{ file = "payslips.svg" }}

[[application]]
name = "Mail and files"
source = "Corporate Directory"
icon = {{ file = "mail.svg" }}

[[application]]
name = "Time sheets"
source = "{TABLE}"
icon = {{ file = "sheets.svg" }}

[[identity]]
alias = "{PERSON}"
display-name = "Abby Smith"
email = "abby.smith@example.test"
[[identity.account]]
source = "Corporate Directory"
native-id = "{native_id}"
[[identity.account]]
source = "{TABLE}"
native-id = "{PERSON}"
[[identity.account]]
source = "Payroll"
native-id = "{PERSON}"

[[identity]]
alias = "{HELPER}"
display-name = "Ada Desk"
levels = ["ORG_ADMIN"]
"#,
        url = slapd.ldaps_url,
        authority = slapd.authority().display(),
        native_id = Slapd::person(PERSON),
    );
    fs::write(folder.join("state.toml"), state).context("writing state.toml")
}
