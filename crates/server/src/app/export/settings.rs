//! The settings as an apply file: applied to the same server it changes nothing, and another one becomes the same once it is
//! given the secrets, which are not here.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_core::id::{ApplicationId, PasswordPolicyId, SourceId};
use lockstep_core::source::Source;
use lockstep_store::{
    Tx, application, application_icon, auth_org, client, dictionary, org_config, password_policy, security_question,
    source, source_secret, sync_group,
};
use serde::Serialize;
use serde_json::Value;

use super::Error;

/// An apply file and what it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file.
    pub text: String,
    /// The organisation's words, where there are any.
    pub words: Option<String>,
}

const HEAD: &str = "# The settings of this server, for `lockstep apply`. Applied here, they change nothing.
# Secrets and icons are not in it. On another server, put each into a file and take the # away where one is referred to.
# People and accounts: `lockstep export identities` and `lockstep export accounts`.
";

/// Reads them. `words_file` is where the words will be, beside the apply file; without it they are left out.
///
/// # Errors
/// See [`Error`].
pub async fn settings(tx: &mut Tx<'_>, words_file: Option<&str>) -> Result<Settings, Error> {
    let mut text = HEAD.to_owned();
    let words = dictionary::find(tx).await?;
    match (&words, words_file) {
        (Some(_), Some(name)) => text.push_str(&format!("\ndictionary = {{ file = {} }}\n", quoted(name))),
        (Some(_), None) => {
            text.push_str("\n# The words of the dictionary are not here: `--output FILE` writes them beside it.\n")
        }
        (None, _) => {}
    }
    if let Some(config) = org_config::find(tx).await? {
        put(&mut text, "org-config", &without_nulls(config))?;
    }
    if let Some(questions) = security_question::find(tx).await? {
        put(&mut text, "security-questions", &questions)?;
    }
    let settings = auth_org::get(tx).await?;
    if let Some(network) = &settings.network {
        put(&mut text, "network-config", &without_nulls(network))?;
    }
    put(&mut text, "lockout-config", &without_nulls(settings.lockout))?;
    put(&mut text, "session-config", &without_nulls(settings.session))?;
    let (policies, sources) = (password_policy::list(tx).await?, source::list(tx).await?);
    for policy in &policies {
        let mut rules = without_nulls(policy);
        for own in ["id", "defaultPolicy"] {
            rules.as_object_mut().map(|rules| rules.remove(own));
        }
        put(&mut text, "password-policy", &[rules])?;
    }
    let names = Names {
        policies: policies.iter().map(|policy| (policy.id, policy.name.as_str())).collect(),
        sources: sources.iter().map(|source| (source.id, source.name.as_str())).collect(),
    };
    for source in &sources {
        if source.is_built_in() && source.policy_holders.is_empty() {
            continue;
        }
        put(&mut text, "source", &[names.source(source)])?;
        let secrets = source_secret::list(tx, source.id).await?;
        if !secrets.is_empty() {
            text.push_str("# [source.secrets]\n");
        }
        for (number, (name, _)) in secrets.iter().enumerate() {
            let file = quoted(&format!("{}{number}.secret", simple(&source.name)));
            text.push_str(&format!("# {} = {{ file = {file} }}\n", quoted(name)));
        }
    }
    for group in sync_group::list(tx).await? {
        let sources = group.sources.iter().filter_map(|id| names.sources.get(id).copied()).collect();
        let policy = names.policies.get(&group.policy).copied().unwrap_or_default();
        put(&mut text, "sync-group", &[GroupOut { name: &group.name, policy, sources }])?;
    }
    let icons: BTreeSet<ApplicationId> = application_icon::list(tx).await?.into_iter().map(|(id, _)| id).collect();
    for application in application::list(tx).await? {
        let out = ApplicationOut {
            name: &application.name,
            description: &application.description,
            source: names.sources.get(&application.source).copied().unwrap_or_default(),
            use_for_password_management: application.use_for_password_management,
        };
        put(&mut text, "application", &[out])?;
        if icons.contains(&application.id) {
            let file = quoted(&format!("{}.icon", simple(&application.name)));
            text.push_str(&format!("# icon = {{ file = {file} }}\n"));
        }
    }
    for client in client::list(tx).await? {
        let out = ClientOut {
            name: &client.name,
            id: client.id.to_string(),
            scopes: client.scopes.0.iter().map(ToString::to_string).collect(),
            levels: client.levels.iter().map(ToString::to_string).collect(),
            token_lifetime: format!("{}s", client.token_seconds),
            enabled: client.enabled,
        };
        put(&mut text, "client", &[out])?;
        text.push_str("# Without a secret of its own, a new one is drawn where this client does not exist yet.\n");
        text.push_str(&format!("# secret = {{ file = {} }}\n", quoted(&format!("{}.secret", simple(&client.name)))));
    }
    Ok(Settings { text, words })
}

struct Names<'a> {
    policies: BTreeMap<PasswordPolicyId, &'a str>,
    sources: BTreeMap<SourceId, &'a str>,
}

impl Names<'_> {
    fn source<'a>(&self, source: &'a Source) -> SourceOut<'a> {
        let ours = !source.is_built_in();
        let holder = |holder: &lockstep_core::password_policy::holder::PolicyHolder| HolderOut {
            policy: self.policies.get(&holder.policy_id).copied().unwrap_or_default().to_owned(),
            when: holder
                .selectors
                .iter()
                .flat_map(|selectors| &selectors.identity_attr)
                .map(|selector| (selector.name.clone(), selector.value.clone()))
                .collect(),
        };
        SourceOut {
            name: &source.name,
            description: &source.description,
            connector: ours.then_some(source.connector.as_str()),
            features: source.features.iter().map(ToString::to_string).collect(),
            concurrency: source.concurrency,
            policies: source.policy_holders.iter().map(holder).collect(),
            config: ours.then(|| without_nulls(&source.config)),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SourceOut<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<&'a str>,
    features: BTreeSet<String>,
    concurrency: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<HolderOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Value>,
}

#[derive(Serialize)]
struct HolderOut {
    policy: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    when: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct GroupOut<'a> {
    name: &'a str,
    policy: &'a str,
    sources: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ApplicationOut<'a> {
    name: &'a str,
    description: &'a str,
    source: &'a str,
    use_for_password_management: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ClientOut<'a> {
    name: &'a str,
    id: String,
    scopes: BTreeSet<String>,
    levels: BTreeSet<String>,
    token_lifetime: String,
    enabled: bool,
}

/// Adds one table, under its name.
fn put<T: Serialize>(text: &mut String, name: &str, value: &T) -> Result<(), Error> {
    let table = toml::to_string(&BTreeMap::from([(name, value)])).map_err(std::io::Error::other)?;
    text.push('\n');
    text.push_str(&table);
    Ok(())
}

/// As JSON. TOML knows no null: what is not there is left out.
fn without_nulls<T: Serialize>(value: T) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|_, field| !field.is_null());
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    // Our own structs, which have nothing that JSON lacks.
    let mut value = serde_json::to_value(value).unwrap_or_default();
    strip(&mut value);
    value
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A name as a file may be called.
fn simple(name: &str) -> String {
    let fits = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' };
    name.chars().map(fits).collect()
}
