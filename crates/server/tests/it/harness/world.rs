//! The people and systems that every test starts with: five people, a sync group of two application databases, one
//! database alone, one with two accounts of the same person, and sources that hold or take nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lockstep::app::App;
use lockstep_connectors::{AccountRef, Connector, Secrets, Written};
use lockstep_core::account::Account;
use lockstep_core::id::{AccountId, IdentityId, PasswordPolicyId, SourceId, SyncGroupId};
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::holder::PolicyHolder;
use lockstep_core::scope::UserLevel;
use lockstep_core::source::{Feature, Source};
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::{Tx, account, identity, password_policy, source, sync_group};
use lockstep_vault::secret::draw_id;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};

use super::FIRST_PASSWORD;

/// The people and systems that every test starts with.
pub(crate) struct World {
    /// Has one account on Billing, Payroll and Lone, two on Twins, none on Empty.
    pub(crate) abby: IdentityId,
    /// Has an account on Billing.
    pub(crate) bea: IdentityId,
    /// Helps people.
    pub(crate) helga: IdentityId,
    /// Administers.
    pub(crate) ada: IdentityId,
    /// Is disabled and has an account on Billing.
    pub(crate) dora: IdentityId,
    /// In a sync group with Payroll.
    pub(crate) billing: SourceId,
    /// In a sync group with Billing.
    pub(crate) payroll: SourceId,
    /// In no group, and takes every password.
    pub(crate) lone: SourceId,
    /// Holds two accounts of one person.
    pub(crate) twins: SourceId,
    /// Holds no account.
    pub(crate) empty: SourceId,
    /// Takes no passwords.
    pub(crate) archive: SourceId,
}

impl World {
    pub(super) async fn make(app: &App, dir: &Path) -> Self {
        let now = app.clock.utc();
        let identity_id = |_| IdentityId(draw_id());
        let [abby, bea, helga, ada, dora] = std::array::from_fn(identity_id);
        let [billing, payroll, lone, twins, empty, archive] = std::array::from_fn(|_| SourceId(draw_id()));
        let world = Self { abby, bea, helga, ada, dora, billing, payroll, lone, twins, empty, archive };

        let people = [
            (abby, "Abby.Smith", true),
            (bea, "Bea.Jones", true),
            (helga, "Helga.Desk", true),
            (ada, "Ada.Admin", true),
            (dora, "Dora.Gone", false),
        ];
        let tables: [(SourceId, &str, &str, &[&str]); 4] = [
            (billing, "Billing", "billing.db", &["abby", "bea", "dora"]),
            (payroll, "Payroll", "payroll.db", &["abby"]),
            (lone, "Lone", "lone.db", &["abby"]),
            (twins, "Twins", "twins.db", &["abby1", "abby2"]),
        ];
        let mut sources = Vec::new();
        for (id, name, file, accounts) in tables {
            let path = dir.join(file);
            application_database(&path, accounts).await;
            sources.push(a_source(id, name, sql_config(&path), true));
        }
        sources.push(a_source(empty, "Empty", sql_config(&dir.join("lone.db")), true));
        sources.push(a_source(archive, "Archive", sql_config(&dir.join("lone.db")), false));

        let built_in = people.map(|(id, alias, _)| an_account(AccountId(id.0), id, SourceId::IDENTITY_NOW, alias));
        let on = |identity, source, native| an_account(AccountId(draw_id()), identity, source, native);
        let mut accounts = vec![
            on(abby, billing, "abby"),
            on(bea, billing, "bea"),
            on(dora, billing, "dora"),
            on(abby, payroll, "abby"),
            on(abby, lone, "abby"),
            on(abby, twins, "abby1"),
            on(abby, twins, "abby2"),
        ];
        accounts.extend(built_in);

        let (policy, anything) = (PasswordPolicyId(draw_id()), PasswordPolicyId(draw_id()));
        let lax = sources.iter_mut().filter(|source| source.id == lone);
        lax.for_each(|source| source.policy_holders = vec![PolicyHolder { policy_id: anything, selectors: None }]);
        let written = app.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                for (id, alias, enabled) in people {
                    identity::put(tx, &a_person(id, alias, enabled), now).await?;
                }
                identity::set_levels(tx, helga, &BTreeSet::from([UserLevel::HelpDesk]), now).await?;
                identity::set_levels(tx, ada, &BTreeSet::from([UserLevel::OrgAdmin]), now).await?;
                for row in &sources {
                    source::put(tx, row, now).await?;
                }
                for row in &accounts {
                    account::put(tx, row, &row.native_id, now).await?;
                }
                let rules = PasswordPolicy {
                    id: policy,
                    name: "Everyday".to_owned(),
                    min_length: 8,
                    min_alpha: 1,
                    ..PasswordPolicy::unrestricted()
                };
                password_policy::put(tx, &rules, now).await?;
                let none =
                    PasswordPolicy { id: anything, name: "Anything".to_owned(), ..PasswordPolicy::unrestricted() };
                password_policy::put(tx, &none, now).await?;
                let group = SyncGroup {
                    id: SyncGroupId(draw_id()),
                    name: "Everyday".to_owned(),
                    policy,
                    sources: vec![billing, payroll],
                };
                sync_group::put(tx, &group, now).await
            })
        });
        written.await.expect("the world");
        world
    }
}

fn a_person(id: IdentityId, alias: &str, enabled: bool) -> Identity {
    Identity {
        id,
        alias: alias.to_owned(),
        display_name: alias.replace('.', " "),
        email: None,
        attributes: BTreeMap::new(),
        sign_in_source: SourceId::IDENTITY_NOW,
        enabled,
    }
}

fn an_account(id: AccountId, identity: IdentityId, source: SourceId, native: &str) -> Account {
    Account {
        id,
        identity: Some(identity),
        source,
        stable_id: native.to_owned(),
        native_id: native.to_owned(),
        name: native.to_owned(),
        password_sync: true,
        attributes: BTreeMap::new(),
        vanished: false,
    }
}

fn a_source(id: SourceId, name: &str, config: Value, passwords: bool) -> Source {
    Source {
        id,
        name: name.to_owned(),
        description: String::new(),
        connector: "sql".to_owned(),
        config,
        features: if passwords { BTreeSet::from([Feature::Password]) } else { BTreeSet::new() },
        policy_holders: Vec::new(),
        concurrency: Source::CONCURRENCY,
        aggregation: Default::default(),
    }
}

fn sql_config(path: &Path) -> Value {
    json!({
        "url": format!("sqlite:{}", path.display()),
        "statement": "UPDATE person SET secret = :hash WHERE name = :account",
        "verify": "SELECT secret FROM person WHERE name = :account",
        "hash": "pbkdf2-sha256",
        "hash_rounds": 1000,
    })
}

/// The connector of the application database at `path`.
pub(super) fn connector(path: &Path) -> Box<dyn Connector> {
    let clock = std::sync::Arc::new(chrono::DateTime::<chrono::Utc>::default);
    lockstep_connectors::build("sql", &sql_config(path), &Secrets::default(), clock).expect("a connector")
}

/// An application's own database: a table of people whose passwords are all [`FIRST_PASSWORD`].
async fn application_database(path: &PathBuf, accounts: &[&str]) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut database = options.connect().await.expect("a database");
    sqlx::query("CREATE TABLE person (name TEXT PRIMARY KEY, secret TEXT)").execute(&mut database).await.expect("made");
    for account in accounts {
        let insert = sqlx::query("INSERT INTO person (name, secret) VALUES ($1, '')").bind(*account);
        insert.execute(&mut database).await.expect("inserted");
    }
    database.close().await.expect("closed");
    let connector = connector(path);
    for account in accounts {
        let account = AccountRef { native_id: (*account).to_owned(), name: (*account).to_owned() };
        let first = Password::try_from(FIRST_PASSWORD).expect("a password");
        let written = connector.set_password(&account, &first, None).await;
        assert!(matches!(written, Written::Applied), "{written:?}");
    }
    connector.close().await;
}
