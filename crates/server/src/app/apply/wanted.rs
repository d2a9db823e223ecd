//! What an apply file can say: the wanted state, by name.
//!
//! The structs below are the file's format. Names refer to names; ids are only for those that other systems must know
//! in advance. A field that is left out stays as it is, or has its default where the thing is new; a list or table
//! that is given replaces the one there was. Nothing is deleted by being left out, unless `prune` is set. Everything that can be wrong by
//! itself is refused while it is parsed, with its place; what only the whole can tell is the plan's business.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lockstep_core::aggregation::Aggregation;
use lockstep_core::id::{ClientId, IdentityId, PersonalAccessTokenId};
use lockstep_core::scope::{Scopes, UserLevel};
use lockstep_core::source::Feature;
use serde::Deserialize;
use toml::Spanned;

use super::Reference;

/// A name with the place where it is written.
pub type Name = Spanned<String>;

/// A table whose fields are somebody else's to define, with the place of each.
pub type Fields = BTreeMap<Spanned<String>, Spanned<toml::Value>>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Wanted {
    /// `[org-config]`: the organisation's password settings, under the API's names (`digitTokenEnabled`, …).
    pub org_config: Option<Spanned<Fields>>,
    /// `[security-questions]`: how many a person answers, and `[[security-questions.questions]]` to choose from.
    pub security_questions: Option<Spanned<Fields>>,
    /// `[network-config]`: where people are trusted, under the API's names (`range`, …).
    pub network_config: Option<Spanned<Fields>>,
    /// `[lockout-config]`: how many wrong tries lock, under the API's names (`maximumAttempts`, …).
    pub lockout_config: Option<Spanned<Fields>>,
    /// `[session-config]`: how long sessions go on, under the API's names (`maxIdleTime`, …).
    pub session_config: Option<Spanned<Fields>>,
    /// `dictionary = { file = "words.txt" }`: words that may not be inside a password.
    pub dictionary: Option<Spanned<Reference>>,
    /// `[[password-policy]]`: a name and the rules, under the API's names (`minLength`, …). What a new policy does not
    /// say is off. The policy called `Default` binds where no other does.
    pub password_policy: Vec<Spanned<Fields>>,
    /// `[[source]]`.
    pub source: Vec<Spanned<WantedSource>>,
    /// `[[sync-group]]`.
    pub sync_group: Vec<Spanned<WantedSyncGroup>>,
    /// `[[application]]`.
    pub application: Vec<Spanned<WantedApplication>>,
    /// `[[identity]]`.
    pub identity: Vec<Spanned<WantedIdentity>>,
    /// `[[client]]`.
    pub client: Vec<Spanned<WantedClient>>,
    /// `[[personal-access-token]]`.
    pub personal_access_token: Vec<Spanned<WantedToken>>,
    /// Whether what is set up and not in the file goes. The command line says so, never a file.
    #[serde(skip)]
    pub prune: bool,
    /// Accounts that stand under no person: only an import has them.
    #[serde(skip)]
    pub lone_account: Vec<LoneAccount>,
}

/// A system that holds accounts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WantedSource {
    /// What people call it. `IdentityNow` is the built-in one: it has no connector.
    pub name: Name,
    /// A sentence for administrators.
    pub description: Option<String>,
    /// `ldap` or `sql`; needed for a new source.
    pub connector: Option<Name>,
    /// The connector's settings, under the connector's own names.
    pub config: Option<Spanned<Fields>>,
    /// The connector's secrets, by reference.
    #[serde(default)]
    pub secrets: BTreeMap<String, Spanned<Reference>>,
    /// What it can do; for a new source everything that its connector can.
    pub features: Option<Spanned<BTreeSet<Feature>>>,
    /// How many deliveries may be under way at once.
    pub concurrency: Option<Spanned<u16>>,
    /// `[source.aggregation]`: how its accounts come in.
    pub aggregation: Option<Spanned<Aggregation>>,
    /// Which policy binds whom, in order, while it is in no sync group.
    pub policies: Option<Vec<Spanned<WantedHolder>>>,
}

/// One entry of a source's list of policies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WantedHolder {
    /// The policy's name.
    pub policy: Name,
    /// Identity attributes and the values that they all must have; none: everybody whom no other entry matches.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
}

/// Sources that share one password and one policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WantedSyncGroup {
    /// What people call it.
    pub name: Name,
    /// The policy's name; needed for a new group.
    pub policy: Option<Name>,
    /// The members' names; needed for a new group.
    pub sources: Option<Spanned<Vec<Name>>>,
}

/// What a person sees, standing for accounts of one source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WantedApplication {
    /// What people call it.
    pub name: Name,
    /// A sentence for people.
    pub description: Option<String>,
    /// The source's name; needed for a new application.
    pub source: Option<Name>,
    /// Whether people see it where they change passwords; true for a new one.
    pub use_for_password_management: Option<bool>,
    /// Its picture: an SVG or a PNG. One without a name takes it away.
    pub icon: Option<Spanned<Reference>>,
}

/// A person, with the accounts that are this person's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WantedIdentity {
    /// The login name.
    pub alias: Name,
    /// The id, where other systems must know it in advance; otherwise it is drawn.
    pub id: Option<Spanned<IdentityId>>,
    /// What people are called; the alias for a new one.
    pub display_name: Option<Name>,
    /// Where mail reaches the person; an empty one takes it away.
    pub email: Option<Name>,
    /// What policies look at.
    pub attributes: Option<Spanned<BTreeMap<String, String>>>,
    /// The name of the source whose password signs this person in; `IdentityNow` for a new one.
    pub sign_in_source: Option<Name>,
    /// What the person is in the organisation; `USER` needs no mention.
    pub levels: Option<BTreeSet<UserLevel>>,
    /// Whether the person may do anything; true for a new one.
    pub enabled: Option<bool>,
    /// The first sign-in password, by reference. It counts only when this file creates the person.
    pub password: Option<Spanned<Reference>>,
    /// `[[identity.account]]`. The account on `IdentityNow` is made with the person and needs no mention.
    #[serde(default)]
    pub account: Vec<Spanned<WantedAccount>>,
}

/// What a person has on a source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WantedAccount {
    /// The source's name.
    pub source: Name,
    /// How the system names the account: in a directory the distinguished name, in a table the key.
    pub native_id: Name,
    /// What the system never changes about it (entryUUID, a primary key); the native id unless said.
    pub stable_id: Option<Name>,
    /// What people read; the person's alias for a new one.
    pub name: Option<Name>,
    /// Whether a change on another source of the sync group reaches it too; true for a new one. Say false for
    /// privileged and service accounts.
    pub password_sync: Option<bool>,
    /// What policies look at.
    pub attributes: Option<Spanned<BTreeMap<String, String>>>,
    /// Whether it is gone from its source.
    pub gone: Option<bool>,
}

/// An account and whose it is: as it was, or nobody's where it is new, unless said.
#[derive(Debug, Clone)]
pub struct LoneAccount {
    /// The person's alias.
    pub identity: Option<Name>,
    /// The account.
    pub account: Spanned<WantedAccount>,
}

/// A program that may call the API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WantedClient {
    /// What administrators call it.
    pub name: Name,
    /// The client id, where the program must know it in advance; otherwise it is drawn.
    pub id: Option<Spanned<ClientId>>,
    /// The secret, by reference; drawn and shown once for a new client that has none here.
    pub secret: Option<Spanned<Reference>>,
    /// What it may do; `sp:scopes:all` for a new one.
    pub scopes: Option<Scopes>,
    /// As which levels it acts.
    pub levels: Option<BTreeSet<UserLevel>>,
    /// How long its tokens live; 12 hours for a new one.
    #[serde(default, with = "humantime_serde")]
    pub token_lifetime: Option<Duration>,
    /// Whether it gets tokens; true for a new one.
    pub enabled: Option<bool>,
}

/// A token with which a program acts for a person.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WantedToken {
    /// What the person calls it; one name once a person.
    pub name: Name,
    /// The person's alias.
    pub identity: Name,
    /// The id, where the program must know it in advance; otherwise it is drawn.
    pub id: Option<Spanned<PersonalAccessTokenId>>,
    /// The secret (64 hexadecimal digits), by reference; drawn and shown once for a new token that has none here.
    pub secret: Option<Spanned<Reference>>,
    /// What it may do; `sp:scopes:all` for a new one.
    pub scopes: Option<Scopes>,
    /// How long its access tokens live, 15 s to 12 hours; 12 hours for a new one.
    #[serde(default, with = "humantime_serde")]
    pub token_lifetime: Option<Duration>,
}
