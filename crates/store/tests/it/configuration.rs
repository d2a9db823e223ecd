//! Systems and rules: sources, applications, policies, sync groups, dictionary, settings, clients.

use lockstep_core::application::Application;
use lockstep_core::auth_org::{AuthOrg, LockoutConfig, NetworkConfig, SessionConfig};
use lockstep_core::client::ClientSettings;
use lockstep_core::id::{ApplicationId, ClientId, PasswordPolicyId, SourceId, SyncGroupId, TransportKeyId};
use lockstep_core::org_config::PasswordOrgConfig;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::holder::PolicyHolder;
use lockstep_core::scope::{Scope, UserLevel};
use lockstep_core::security_question::{SecurityQuestion, SecurityQuestions};
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::client::{self, Client};
use lockstep_store::transport_key::{self, TransportKey};
use lockstep_store::{
    Error, application, application_icon, auth_org, configuration, dictionary, org_config, password_policy,
    security_question, source, source_secret, sync_group,
};

use crate::harness::{Database, on_both_engines};
use crate::sample::{at, source as sample_source, source_id, uuid};

async fn put_sources(database: &Database) {
    let work = database.write(|tx| {
        Box::pin(async move {
            for (n, name) in [(1, "Directory"), (2, "Shop"), (3, "Payroll")] {
                source::put(tx, &sample_source(n, name), at(1)).await?;
            }
            Ok(())
        })
    });
    work.await;
}

async fn put_group(database: &Database, group: &SyncGroup) -> Result<(), Error> {
    let group = group.clone();
    database.try_write(move |tx| Box::pin(async move { sync_group::put(tx, &group, at(1)).await })).await
}

fn group(n: u128, name: &str, sources: Vec<SourceId>) -> SyncGroup {
    SyncGroup { id: SyncGroupId(uuid(n)), name: name.to_owned(), policy: PasswordPolicyId::DEFAULT, sources }
}

fn mail() -> Application {
    Application {
        id: ApplicationId(uuid(6)),
        name: "Mail".to_owned(),
        description: "For letters".to_owned(),
        source: source_id(1),
        use_for_password_management: true,
    }
}

fn sample_questions() -> SecurityQuestions {
    let question = |name: &str| SecurityQuestion {
        name: name.to_owned(),
        text: [("en".to_owned(), "Who?".to_owned()), ("de".to_owned(), "Wer?".to_owned())].into(),
    };
    SecurityQuestions { answers: 2, questions: ["teacher", "pet"].map(question).into() }
}

on_both_engines! {
    async fn a_source_is_read_back_and_its_version_rises(database) {
        let mut stored = sample_source(1, "Directory");
        let holder = serde_json::json!({"policyId": PasswordPolicyId::DEFAULT, "policyName": "Default", "selectors": null});
        stored.policy_holders = vec![serde_json::from_value::<PolicyHolder>(holder).expect("a holder")];
        for _ in 0..2 {
            let put = stored.clone();
            database.write(move |tx| Box::pin(async move { source::put(tx, &put, at(1)).await })).await;
        }
        assert_eq!(database.read(|tx| Box::pin(source::get(tx, source_id(1)))).await, stored);
        for name in ["Directory", "DIRECTORY"] {
            assert_eq!(database.read(|tx| Box::pin(source::find_by_name(tx, name))).await, Some(stored.clone()));
        }
        database.write(|tx| Box::pin(async move { source_secret::put(tx, source_id(1), "password", &[1], at(1)).await })).await;
        let versions = database.read(|tx| Box::pin(source::versions(tx))).await;
        assert!(versions.contains(&(source_id(1), 3)), "{versions:?}");
        let names: Vec<String> = database.read(|tx| Box::pin(source::list(tx))).await.into_iter().map(|s| s.name).collect();
        assert_eq!(names, ["Directory", "IdentityNow"]);
        let taken = sample_source(2, "directory");
        let taken = database.try_write(move |tx| Box::pin(async move { source::put(tx, &taken, at(1)).await })).await;
        assert_eq!(taken.expect_err("taken").constraint(), Some("source_name_key_key"));
    }

    async fn secrets_of_a_source_are_replaced_and_cleared(database) {
        put_sources(&database).await;
        for (name, sealed) in [("password", 1), ("key", 2), ("password", 3)] {
            database
                .write(move |tx| Box::pin(async move { source_secret::put(tx, source_id(1), name, &[sealed], at(1)).await }))
                .await;
        }
        let list = async |n| database.read(move |tx| Box::pin(source_secret::list(tx, source_id(n)))).await;
        assert_eq!(list(1).await, [("key".to_owned(), vec![2]), ("password".to_owned(), vec![3])].into());
        assert!(list(2).await.is_empty());
        database.write(|tx| Box::pin(source_secret::clear(tx, source_id(1)))).await;
        assert!(list(1).await.is_empty());
    }

    async fn a_source_goes_only_when_nothing_is_on_it(database) {
        put_sources(&database).await;
        put_group(&database, &group(1, "Everyday", vec![source_id(1), source_id(2)])).await.expect("stored");
        let remove = async |n| database.try_write(move |tx| Box::pin(source::remove(tx, source_id(n)))).await;
        assert!(remove(1).await.expect_err("in a group").is_reference_violation());
        assert!(remove(3).await.expect("free"));
        assert!(!remove(3).await.expect("gone"));
        assert!(database.write(|tx| Box::pin(sync_group::remove(tx, SyncGroupId(uuid(1))))).await);
        assert!(remove(1).await.expect("free again"));
    }

    async fn a_sync_group_keeps_its_members_in_order_and_to_itself(database) {
        put_sources(&database).await;
        let mut everyday = group(1, "Everyday", vec![source_id(2), source_id(1)]);
        put_group(&database, &everyday).await.expect("stored");
        let of = async |n| database.read(move |tx| Box::pin(sync_group::find_of(tx, source_id(n)))).await;
        assert_eq!(of(1).await, Some(everyday.clone()));
        assert_eq!(of(3).await, None);
        let taken = put_group(&database, &group(2, "Other", vec![source_id(3), source_id(1)])).await;
        assert_eq!(taken.expect_err("in another group").constraint(), Some("sync_group_member_source_key"));
        let taken = put_group(&database, &group(2, "Everyday", Vec::new())).await;
        assert_eq!(taken.expect_err("the name").constraint(), Some("sync_group_name_key"));

        everyday.sources = vec![source_id(1), source_id(3), source_id(2)];
        put_group(&database, &everyday).await.expect("replaced");
        let second = group(2, "An empty one", Vec::new());
        put_group(&database, &second).await.expect("stored");
        assert_eq!(database.read(|tx| Box::pin(sync_group::get(tx, SyncGroupId(uuid(1))))).await, everyday);
        assert_eq!(database.read(|tx| Box::pin(sync_group::list(tx))).await, [second.clone(), everyday.clone()]);
        let dated = database.read(|tx| Box::pin(sync_group::list_dated(tx))).await;
        let dated: Vec<_> = dated.into_iter().map(|dated| (dated.value, dated.created_at, dated.modified_at)).collect();
        assert_eq!(dated, [(second, at(1), None), (everyday, at(1), None)]);

        let used = database.try_write(|tx| Box::pin(password_policy::remove(tx, PasswordPolicyId::DEFAULT))).await;
        assert!(used.expect_err("a group has it").is_reference_violation());
    }

    async fn a_password_policy_is_read_back(database) {
        let policy = PasswordPolicy {
            id: PasswordPolicyId(uuid(4)),
            name: "Straße & Co".to_owned(),
            min_length: 12,
            history: 5,
            ..PasswordPolicy::unrestricted()
        };
        let (id, put) = (policy.id, policy.clone());
        database.write(move |tx| Box::pin(async move { password_policy::put(tx, &put, at(1)).await })).await;
        assert_eq!(database.read(move |tx| Box::pin(password_policy::get(tx, id))).await, policy);
        let all = database.read(|tx| Box::pin(password_policy::list(tx))).await;
        assert_eq!(all, [PasswordPolicy::default(), policy.clone()]);
        let dates = async || {
            let all = database.read(|tx| Box::pin(password_policy::list_dated(tx))).await;
            all.into_iter().find(|dated| dated.value.id == id).map(|dated| (dated.created_at, dated.modified_at))
        };
        assert_eq!(dates().await, Some((at(1), None)), "it was never changed");
        let again = policy.clone();
        database.write(move |tx| Box::pin(async move { password_policy::put(tx, &again, at(2)).await })).await;
        assert_eq!(dates().await, Some((at(1), Some(at(2)))));
        let mut taken = policy;
        taken.id = PasswordPolicyId(uuid(5));
        let taken = database.try_write(move |tx| Box::pin(async move { password_policy::put(tx, &taken, at(1)).await })).await;
        assert_eq!(taken.expect_err("the name").constraint(), Some("password_policy_name_key"));
        assert!(database.write(move |tx| Box::pin(password_policy::remove(tx, id))).await);
        assert_eq!(database.read(move |tx| Box::pin(password_policy::find(tx, id))).await, None);
    }

    async fn an_application_is_read_back(database) {
        put_sources(&database).await;
        let mail = mail();
        let (id, put) = (mail.id, mail.clone());
        database.write(move |tx| Box::pin(async move { application::put(tx, &put, at(1)).await })).await;
        assert_eq!(database.read(move |tx| Box::pin(application::get(tx, id))).await, mail);
        assert_eq!(database.read(|tx| Box::pin(application::list(tx))).await, std::slice::from_ref(&mail));
        let dated = database.read(|tx| Box::pin(application::list_dated(tx))).await;
        assert_eq!((&dated[0].value, dated[0].created_at, dated[0].modified_at), (&mail, at(1), None));
        assert_eq!(database.read(|tx| Box::pin(application::list_on(tx, source_id(1)))).await, [mail]);
        assert!(database.read(|tx| Box::pin(application::list_on(tx, source_id(2)))).await.is_empty());
        for (digest, picture) in [("one", b"<svg/>"), ("two", b"<svg >")] {
            database.write(move |tx| Box::pin(application_icon::put(tx, id, digest, picture))).await;
        }
        assert_eq!(database.read(|tx| Box::pin(application_icon::list(tx))).await, [(id, "two".to_owned())]);
        assert_eq!(database.read(|tx| Box::pin(application_icon::find(tx, "two"))).await.as_deref(), Some(&b"<svg >"[..]));
        assert_eq!(database.read(|tx| Box::pin(application_icon::find(tx, "one"))).await, None);
        database.write(move |tx| Box::pin(application_icon::remove(tx, id))).await;
        assert!(database.read(|tx| Box::pin(application_icon::list(tx))).await.is_empty());
        database.write(move |tx| Box::pin(application_icon::put(tx, id, "two", b"<svg/>"))).await;
        assert!(database.write(move |tx| Box::pin(application::remove(tx, id))).await);
    }

    async fn there_is_one_dictionary_and_one_configuration(database) {
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await, None);
        assert_eq!(database.read(|tx| Box::pin(org_config::find(tx))).await, None);
        for (seconds, words) in [(1, "first"), (2, "# zweites\nWörter\n")] {
            database.write(move |tx| Box::pin(dictionary::put(tx, words, at(seconds)))).await;
        }
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await.as_deref(), Some("# zweites\nWörter\n"));
        assert_eq!(database.read(|tx| Box::pin(dictionary::modified_at(tx))).await, Some(at(2)));
        let config = PasswordOrgConfig { digit_token_enabled: true, ..PasswordOrgConfig::default() };
        for config in [PasswordOrgConfig::default(), config.clone()] {
            database.write(move |tx| Box::pin(async move { org_config::put(tx, &config, at(1)).await })).await;
        }
        assert_eq!(database.read(|tx| Box::pin(org_config::find(tx))).await, Some(config));
        assert_eq!(database.read(|tx| Box::pin(security_question::find(tx))).await, None);
        for questions in [SecurityQuestions::default(), sample_questions()] {
            database.write(move |tx| { let questions = questions.clone(); Box::pin(async move { security_question::put(tx, &questions, at(1)).await }) }).await;
        }
        assert_eq!(database.read(|tx| Box::pin(security_question::find(tx))).await, Some(sample_questions()));
    }

    async fn the_sign_in_settings_are_the_defaults_until_others_are_stored(database) {
        let get = async || database.read(|tx| Box::pin(auth_org::get(tx))).await;
        assert_eq!(get().await, AuthOrg::default());
        let range = Some(vec!["192.0.2.0/24".to_owned()]);
        let first = AuthOrg {
            network: Some(NetworkConfig { range, geolocation: None, whitelisted: Some(true) }),
            lockout: LockoutConfig { maximum_attempts: 3, lockout_duration: 60, lockout_window: 10 },
            session: SessionConfig { max_idle_time: 5, remember_me: false, max_session_time: 60 },
        };
        for settings in [first, AuthOrg::default()] {
            let put = settings.clone();
            database.write(move |tx| Box::pin(async move { auth_org::put(tx, &put, at(1)).await })).await;
            assert_eq!(get().await, settings);
        }
    }

    async fn a_client_is_read_back(database) {
        let id = ClientId(uuid(7));
        let mut stored = Client {
            id,
            name: "Portal".to_owned(),
            secret_hash: vec![1; 32],
            scopes: [Scope::PasswordInfoRead, Scope::PasswordChangeManage].into_iter().collect(),
            levels: [UserLevel::HelpDesk].into(),
            enabled: true,
            token_seconds: 749,
            settings: ClientSettings::default(),
            created_at: at(1),
        };
        for enabled in [true, false] {
            stored.enabled = enabled;
            let put = stored.clone();
            database.write(move |tx| Box::pin(async move { client::put(tx, &put, at(2)).await })).await;
            assert!(database.read(move |tx| Box::pin(client::find(tx, id))).await.as_ref() == Some(&stored));
        }
        assert!(database.read(|tx| Box::pin(client::list(tx))).await == [stored]);
        assert!(database.write(move |tx| Box::pin(client::remove(tx, id))).await);
        assert!(database.read(move |tx| Box::pin(client::find(tx, id))).await.is_none());
    }

    async fn who_reads_the_configuration_to_change_it_keeps_others_waiting(database) {
        let add = |database: Database| async move {
            let add = database.write(|tx| {
                Box::pin(async move {
                    configuration::lock(tx).await?;
                    let words = dictionary::find(tx).await?.unwrap_or_default();
                    dictionary::put(tx, &format!("{words}x"), at(1)).await
                })
            });
            add.await;
        };
        futures_util::future::join_all((0..6).map(|_| add(database.clone()))).await;
        assert_eq!(database.read(|tx| Box::pin(dictionary::find(tx))).await.as_deref(), Some("xxxxxx"));
    }

    async fn whatever_writes_to_the_configuration_changes_its_version(database) {
        let version = async || database.read(|tx| Box::pin(configuration::version(tx))).await;
        let mut seen = vec![version().await];
        macro_rules! changes {
            ($what:literal, |$tx:ident| $work:expr) => {
                database.write(move |$tx| Box::pin(async move { $work.await.map(drop) })).await;
                let version = version().await;
                assert!(!seen.contains(&version), $what);
                seen.push(version);
            };
        }
        let policy = PasswordPolicy { id: PasswordPolicyId(uuid(9)), name: "Strict".to_owned(), ..PasswordPolicy::default() };
        let (added, policy_id) = (policy.clone(), policy.id);
        changes!("a policy", |tx| password_policy::put(tx, &added, at(1)));
        changes!("a source", |tx| source::put(tx, &sample_source(1, "Directory"), at(1)));
        changes!("an application", |tx| application::put(tx, &mail(), at(1)));
        changes!("an icon", |tx| application_icon::put(tx, mail().id, "digest", b"<svg/>"));
        changes!("no icon", |tx| application_icon::remove(tx, mail().id));
        changes!("no application", |tx| application::remove(tx, mail().id));
        changes!("a group", |tx| sync_group::put(tx, &group(1, "Main", vec![source_id(1)]), at(1)));
        changes!("no group", |tx| sync_group::remove(tx, SyncGroupId(uuid(1))));
        changes!("no source", |tx| source::remove(tx, source_id(1)));
        changes!("no policy", |tx| password_policy::remove(tx, policy_id));
        changes!("the dictionary", |tx| dictionary::put(tx, "word", at(1)));
        changes!("settings", |tx| org_config::put(tx, &PasswordOrgConfig::default(), at(1)));
        changes!("questions", |tx| security_question::put(tx, &sample_questions(), at(1)));
        changes!("sign-in settings", |tx| auth_org::put(tx, &AuthOrg::default(), at(1)));
        changes!("a client", |tx| client::put(tx, &sample_client(), at(1)));
        changes!("no client", |tx| client::remove(tx, sample_client().id));
        changes!("a key", |tx| transport_key::insert(tx, &sample_key()));
        changes!("a key that moved on", |tx| transport_key::advance(tx, sample_key().id, "published", "retired", at(2)));
        changes!("a key that is gone", |tx| transport_key::destroy(tx, sample_key().id, at(3)));
        changes!("no keys", |tx| transport_key::destroy_all(tx, at(4)));

        let failed = database.try_write(|tx| {
            Box::pin(async move {
                dictionary::put(tx, "lost", at(5)).await?;
                Err::<(), _>(Error::NotFound("reason to fail"))
            })
        });
        assert!(failed.await.is_err());
        assert_eq!(Some(&version().await), seen.last(), "nothing was written");
    }
}

fn sample_client() -> Client {
    Client {
        id: ClientId(uuid(7)),
        name: "portal".to_owned(),
        secret_hash: vec![1],
        scopes: [Scope::All].into_iter().collect(),
        levels: [UserLevel::User].into(),
        enabled: true,
        token_seconds: 749,
        settings: ClientSettings::default(),
        created_at: at(1),
    }
}

fn sample_key() -> TransportKey {
    TransportKey {
        id: TransportKeyId(uuid(8)),
        padding: "pkcs1v15".to_owned(),
        size: 2048,
        public_key: "MIIB".to_owned(),
        sealed_private: Some(vec![1]),
        state: "published".to_owned(),
        since: at(1),
        created_at: at(1),
    }
}
