//! The demo's apply file: who there is, and what shares a password. It is kept in the data folder, to be read and
//! changed by whoever tries `lockstep apply`.

use std::fmt::Write as _;

use super::applications::{Application, icon_of};
use super::{NAME, PERSON};

/// Alias, name and department of everybody.
pub(super) const PEOPLE: [(&str, &str, &str); 6] = [
    (PERSON, "Abby Smith", "Finance"),
    ("Bruno.Keller", "Bruno Keller", "Support"),
    ("Chiara.Rossi", "Chiara Rossi", "Finance"),
    ("Deepa.Nair", "Deepa Nair", "Engineering"),
    ("Emil.Novak", "Emil Nov\u{e1}k", "Support"),
    ("Fatou.Diallo", "Fatou Diallo", "Engineering"),
];

/// The login that a person has in the applications.
pub(super) fn login(alias: &str) -> String {
    alias.to_lowercase()
}

/// The file's text.
pub(super) fn file(applications: &[Application]) -> String {
    let mut text = format!(
        r#"# What `lockstep demo` set up. It is written anew at each start of the demo.

[org-config]
digitTokenEnabled = true

[[password-policy]]
name = "{NAME}"
description = "For trying things out: much too lenient for real use."
minLength = 8
minAlpha = 4
maxRepeatedChars = 2

[[source]]
name = "IdentityNow"
policies = [{{ policy = "{NAME}" }}]

[[client]]
name = "{NAME}"
secret = {{ file = "client.secret" }}

[[personal-access-token]]
name = "{NAME}"
identity = "{PERSON}"
secret = {{ file = "token.secret" }}
"#
    );
    for application in applications {
        let name = application.name;
        let config = toml::Table::try_from(application.config()).unwrap_or_default();
        let _ = write!(
            text,
            "\n[[source]]\nname = \"{name}\"\nconnector = \"sql\"\nconfig = {}\npolicies = [{{ policy = \"{NAME}\" }}]\n\
             \n[[application]]\nname = \"{name}\"\nsource = \"{name}\"\nicon = {{ file = \"{}\" }}\n",
            toml::Value::Table(config),
            icon_of(application),
        );
    }
    let mut groups: Vec<&str> = applications.iter().filter_map(|application| application.group).collect();
    groups.dedup();
    for group in groups {
        let members = applications.iter().filter(|application| application.group == Some(group));
        let sources: Vec<_> = members.map(|application| format!("\"{}\"", application.name)).collect();
        let sources = sources.join(", ");
        let _ = write!(text, "\n[[sync-group]]\nname = \"{group}\"\npolicy = \"{NAME}\"\nsources = [{sources}]\n");
    }
    for (alias, name, department) in PEOPLE {
        let levels = if alias == PERSON { "levels = [\"ORG_ADMIN\"]\n" } else { "" };
        let login = login(alias);
        let _ = write!(
            text,
            "\n[[identity]]\nalias = \"{alias}\"\ndisplay-name = \"{name}\"\nemail = \"{login}@example.test\"\n\
             attributes = {{ department = \"{department}\" }}\n{levels}password = {{ file = \"first.password\" }}\n"
        );
        for application in applications {
            let source = application.name;
            let _ = write!(
                text,
                "[[identity.account]]\nsource = \"{source}\"\nnative-id = \"{login}\"\nname = \"{name}\"\n"
            );
        }
    }
    text
}
