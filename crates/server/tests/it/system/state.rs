//! What an installation knows, as the file that `lockstep apply` reads.

use serde::Serialize;
use toml::Table;

/// The client that may only ask, the one that may only change, and the one that may only look.
pub(super) const CLIENTS: [ClientSpec; 3] = [
    ClientSpec { name: "asker", id: "0b5b7b6e-3a55-4a61-8d5b-3f1a6f0f0001", scope: "idn:password-info:read" },
    ClientSpec { name: "changer", id: "0b5b7b6e-3a55-4a61-8d5b-3f1a6f0f0002", scope: "idn:password-change:manage" },
    ClientSpec { name: "watcher", id: "0b5b7b6e-3a55-4a61-8d5b-3f1a6f0f0003", scope: "idn:password-change:read" },
];

/// The secret of all three; they live for seconds, on loopback.
pub(super) const CLIENT_SECRET: &str = "4e0f6f5f2f0c4d7f9f0b1c8f7a6d5e4c3b2a19080706050403020100ffeeddcc";

/// An API client and the only thing that it may do.
pub(super) struct ClientSpec {
    pub(super) name: &'static str,
    pub(super) id: &'static str,
    pub(super) scope: &'static str,
}

/// The wanted state.
#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct State {
    pub(super) password_policy: Vec<Table>,
    pub(super) source: Vec<Source>,
    pub(super) sync_group: Vec<SyncGroup>,
    pub(super) identity: Vec<Identity>,
}

/// A system with accounts. Its password goes into a file of its own.
#[derive(Clone, Serialize)]
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) connector: &'static str,
    pub(super) config: Table,
    #[serde(skip)]
    pub(super) password: Option<String>,
}

/// Sources that share one password.
#[derive(Serialize)]
pub(super) struct SyncGroup {
    pub(super) name: &'static str,
    pub(super) policy: &'static str,
    pub(super) sources: Vec<&'static str>,
}

/// A person.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Identity {
    pub(super) alias: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sign_in_source: Option<&'static str>,
    pub(super) account: Vec<Account>,
}

/// A person's account.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Account {
    pub(super) source: &'static str,
    pub(super) native_id: String,
}

impl State {
    /// All these sources in one group, under a policy with these rules.
    pub(super) fn one_group(rules: Table, sources: Vec<Source>) -> Self {
        let mut policy = rules;
        policy.insert("name".to_owned(), "Everybody".into());
        let names = sources.iter().map(|source| source.name).collect();
        let group = SyncGroup { name: "Office", policy: "Everybody", sources: names };
        Self { password_policy: vec![policy], source: sources, sync_group: vec![group], identity: Vec::new() }
    }

    /// This source alone, under no policy.
    pub(super) fn alone(source: Source) -> Self {
        Self { source: vec![source], ..Self::default() }
    }

    /// A person with an account on every source, signed in by Lockstep itself unless another source is named.
    pub(super) fn person(
        &mut self,
        alias: &str,
        sign_in_source: Option<&'static str>,
        native_id: impl Fn(&'static str) -> String,
    ) {
        let account = |source: &Source| Account { source: source.name, native_id: native_id(source.name) };
        let account = self.source.iter().map(account).collect();
        self.identity.push(Identity { alias: alias.to_owned(), sign_in_source, account });
    }

    /// The file's text. Secrets are in files beside it: `NAME.secret` for a source or client of that name.
    pub(super) fn text(&self) -> String {
        let mut file = Table::try_from(self).expect("a table");
        let reference = |name: &str| Table::from_iter([("file".to_owned(), format!("{name}.secret").into())]);
        let sources = file.get_mut("source").and_then(toml::Value::as_array_mut).expect("sources");
        for (table, source) in sources.iter_mut().zip(&self.source) {
            if source.password.is_some() {
                let secrets = Table::from_iter([("password".to_owned(), reference(source.name).into())]);
                table.as_table_mut().expect("a table").insert("secrets".to_owned(), secrets.into());
            }
        }
        let clients = CLIENTS.iter().map(|client| {
            toml::Value::from(Table::from_iter([
                ("name".to_owned(), client.name.into()),
                ("id".to_owned(), client.id.into()),
                ("scopes".to_owned(), toml::Value::from(vec![client.scope])),
                ("secret".to_owned(), reference(client.name).into()),
            ]))
        });
        file.insert("client".to_owned(), toml::Value::Array(clients.collect()));
        file.to_string()
    }
}
