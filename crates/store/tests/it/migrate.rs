//! Migrations: once, together, and never over what another program wrote.

use lockstep_core::id::{PasswordPolicyId, SourceId};
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::source::{Feature, Source};
use lockstep_store::{
    Error, Options, Result, Schema, Store, Tx, bucket, identity, password_policy, second_factor, source,
};
use sqlx::Executor;
use tokio::task::JoinSet;

use crate::harness::{Database, on_both_engines};
use crate::sample::{at, identity};

/// Runs a statement that no function of the store would.
pub(crate) async fn raw(tx: &mut Tx<'_>, sql: &'static str) -> Result<()> {
    match tx {
        Tx::Sqlite(connection) => connection.execute_batch(sql).expect(sql),
        Tx::Postgres(connection) => connection.execute(sql).await.map(drop).expect(sql),
    }
    Ok(())
}

/// The address of a database beside the given one, or in its place, without any table.
async fn empty(database: &Database) -> String {
    if database.address.starts_with("sqlite:") {
        return database.address.replace("lockstep.db", "empty.db");
    }
    database.write(|tx| Box::pin(raw(tx, "DROP SCHEMA public CASCADE"))).await;
    database.write(|tx| Box::pin(raw(tx, "CREATE SCHEMA public"))).await;
    database.address.clone()
}

on_both_engines! {
    async fn what_is_built_in_exists(database) {
        let (identity_now, policy, buckets) = database
            .read(|tx| {
                Box::pin(async move {
                    let identity_now = source::get(tx, SourceId::IDENTITY_NOW).await?;
                    let policy = password_policy::get(tx, PasswordPolicyId::DEFAULT).await?;
                    Ok((identity_now, policy, bucket::list(tx).await?))
                })
            })
            .await;
        assert_eq!(identity_now.name, "IdentityNow");
        assert_eq!(identity_now.connector, Source::BUILT_IN);
        assert_eq!(identity_now.features, [Feature::Authenticate, Feature::Password].into());
        assert_eq!(policy, PasswordPolicy::default());
        assert_eq!(buckets.len(), 256);
        assert!(buckets.iter().all(|bucket| bucket.node.is_none() && bucket.epoch == 0));
        assert!(buckets.iter().map(|ownership| ownership.bucket).eq(lockstep_core::id::Bucket::all()));
    }

    async fn a_second_migration_changes_nothing(database) {
        let policy = PasswordPolicy { min_length: 8, ..PasswordPolicy::default() };
        let changed = policy.clone();
        database.write(move |tx| Box::pin(async move { password_policy::put(tx, &changed, at(1)).await })).await;
        database.store.migrate(at(2)).await.expect("nothing to do");
        let kept = database.read(|tx| Box::pin(password_policy::get(tx, PasswordPolicyId::DEFAULT))).await;
        assert_eq!(kept, policy, "what an administrator changed stays");
    }

    async fn several_processes_may_migrate_at_once(database) {
        let address = empty(&database).await;
        let mut processes = JoinSet::new();
        for _ in 0..4 {
            let address = address.clone();
            processes.spawn(async move {
                let store = Store::open(&address, Options { connections: 2, ..Options::default() }).await.expect("opened");
                store.migrate(at(3)).await.expect("migrated");
                let buckets = store.read::<_, Error, _>(|tx| Box::pin(bucket::list(tx))).await.expect("read");
                store.close().await;
                buckets.len()
            });
        }
        assert_eq!(processes.join_all().await, [256; 4]);
    }

    async fn how_far_the_schema_is_can_be_asked_without_changing_it(database) {
        assert_eq!(database.store.schema().await.expect("read"), Schema::Current);
        database.write(|tx| Box::pin(raw(tx, "DELETE FROM migration WHERE name = (SELECT max(name) FROM migration)"))).await;
        assert_eq!(database.store.schema().await.expect("read"), Schema::Behind { missing: 1 });
        database.write(|tx| Box::pin(raw(tx, "UPDATE migration SET name = '29990101000000_future' WHERE name = (SELECT max(name) FROM migration)"))).await;
        let foreign = Schema::Foreign { name: "29990101000000_future".to_owned() };
        assert_eq!(database.store.schema().await.expect("read"), foreign);

        let address = empty(&database).await;
        let store = Store::open(&address, Options::default()).await.expect("opened");
        for _ in 0..2 {
            assert!(matches!(store.schema().await, Ok(Schema::Behind { missing: 4.. })));
        }
        store.close().await;
    }

    // As it was before passkeys, in one table.
    async fn a_second_factor_and_its_wrong_codes_outlive_the_table_that_they_were_in(database) {
        database.write(|tx| Box::pin(raw(tx, "
            DROP TABLE spent_challenge; DROP TABLE passkey; DROP TABLE totp; DROP TABLE second_factor;
            DROP TABLE source_sign_in; DROP TABLE password_set; DROP TABLE auth_org; DROP TABLE application_icon; DROP TABLE security_answers; DROP TABLE security_questions;
            ALTER TABLE session DROP COLUMN answered_at; ALTER TABLE session DROP COLUMN worn;
            DROP INDEX identity_sign_in_source; ALTER TABLE account DROP COLUMN password_changed_at;
            DELETE FROM migration WHERE name >= '20261128';
            CREATE TABLE second_factor (
                identity UUID NOT NULL, secret BYTEA NOT NULL, confirmed_at TIMESTAMPTZ, last_step BIGINT NOT NULL,
                failures BIGINT NOT NULL, failed_at TIMESTAMPTZ,
                CONSTRAINT second_factor_identity_key PRIMARY KEY (identity)
            )"))).await;
        let people = [identity(1, "abby"), identity(2, "bea")];
        for person in people.clone() {
            database.write(move |tx| {
                let person = person.clone();
                Box::pin(async move { identity::put(tx, &person, at(1)).await })
            }).await;
        }
        let secret = match database.address.starts_with("sqlite:") {
            true => "UPDATE second_factor SET secret = CAST('sealed' AS BLOB)",
            false => "UPDATE second_factor SET secret = CAST('sealed' AS BYTEA)",
        };
        database.write(|tx| Box::pin(raw(tx, "
            INSERT INTO second_factor (identity, secret, confirmed_at, last_step, failures, failed_at)
                SELECT id, '', '2026-11-27T10:00:00+00:00', 7, 3, '2026-11-27T11:00:00+00:00'
                FROM identity WHERE alias = 'abby'"))).await;
        database.write(move |tx| Box::pin(raw(tx, secret))).await;
        database.store.migrate(at(2)).await.expect("migrated");
        let [abby, bea] = people.map(|person| person.id);
        let found = database.read(move |tx| Box::pin(second_factor::find(tx, abby))).await;
        let totp = found.confirmed().expect("codes");
        assert_eq!((totp.secret.as_slice(), totp.last_step, found.failures), (&b"sealed"[..], 7, 3));
        assert!(found.is_asked_for() && found.failed_at.is_some());
        let none = database.read(move |tx| Box::pin(second_factor::find(tx, bea))).await;
        assert_eq!(none, second_factor::SecondFactor::default());
    }

    async fn a_migration_that_was_edited_is_noticed(database) {
        database.write(|tx| Box::pin(raw(tx, "UPDATE migration SET checksum = (SELECT checksum FROM migration ORDER BY name DESC LIMIT 1)"))).await;
        let noticed = database.store.migrate(at(1)).await;
        assert!(matches!(noticed, Err(Error::MigrationChanged { .. })), "{noticed:?}");
    }

    async fn a_database_of_a_newer_program_is_refused(database) {
        database.write(|tx| Box::pin(raw(tx, "UPDATE migration SET name = '29991231235959_future' WHERE name = (SELECT MAX(name) FROM migration)"))).await;
        let refused = database.store.migrate(at(1)).await.expect_err("newer");
        assert!(matches!(&refused, Error::UnknownMigration { name } if name == "29991231235959_future"), "{refused:?}");
    }
}
