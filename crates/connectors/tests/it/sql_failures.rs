//! Databases that are not there, do not answer, or say no: what is in doubt and what is not.

use std::time::Duration;

use lockstep_connectors::{FailureKind, RefusalKind, SignIn, Written};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::support::network::{Loses, Proxy, Scripted, closed_port};
use crate::support::table::{Admin, Table};
use crate::support::{account, connector, fresh_password, refused, told};

const STATEMENT: &str = "UPDATE users SET password_hash = :hash WHERE login = :account";

#[tokio::test]
async fn a_stopped_server_is_unreachable() {
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://app@{}/app", closed_port().await);
        let config = json!({ "url": url, "statement": STATEMENT, "hash": "sha512-crypt", "hash_rounds": 1000 });
        let connector = connector("sql", &config, "x");
        let written = connector.set_password(&account("abby"), &fresh_password(), None).await;
        assert!(
            matches!(&written, Written::Unreachable(failure) if failure.kind == FailureKind::Connect),
            "{written:?}"
        );
        assert_eq!(connector.test().await.expect_err("stopped").kind, FailureKind::Connect);
    }
}

#[tokio::test]
async fn a_missing_file_is_unreachable_and_is_not_made() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("gone.db");
    let url = format!("sqlite:{}", path.display());
    let config = json!({ "url": url, "statement": STATEMENT, "hash": "sha512-crypt", "hash_rounds": 1000 });
    let written = connector("sql", &config, "").set_password(&account("abby"), &fresh_password(), None).await;
    assert!(matches!(written, Written::Unreachable(_)), "{written:?}");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_black_hole_is_unreachable_before_the_write_is_sent() {
    for scheme in ["postgres", "mysql"] {
        let hole = Scripted::black_hole().await;
        let config = json!({
            "url": format!("{scheme}://app@{}/app", hole.address),
            "statement": STATEMENT,
            "hash": "sha512-crypt",
            "hash_rounds": 1000,
            "connect_timeout_ms": 300,
        });
        let written = connector("sql", &config, "x").set_password(&account("abby"), &fresh_password(), None).await;
        assert!(matches!(written, Written::Unreachable(_)), "{scheme}: {written:?}");
    }
}

#[tokio::test]
async fn a_lost_commit_is_in_doubt_and_a_sign_in_tells() {
    for table in [Table::postgres().await, Table::mariadb().await] {
        table.insert("abby").await;
        let abby = account("abby");
        for (loses, kind, arrives) in [
            (Loses::Request, FailureKind::Timeout, false),
            (Loses::Answer, FailureKind::Timeout, true),
            (Loses::AnswerAndConnection, FailureKind::Broken, true),
        ] {
            let proxy = Proxy::start("127.0.0.1", &table.address(), b"COMMIT", loses).await;
            let url = table.url.replace(&table.address(), &proxy.address.to_string());
            let connector = table.connector(json!({ "url": url, "request_timeout_ms": 500 }));
            let (old, new) = (fresh_password(), fresh_password());
            let direct = table.connector(json!({}));
            assert_eq!(direct.set_password(&abby, &old, None).await, Written::Applied);
            let written = connector.set_password(&abby, &new, None).await;
            let Written::Unknown(failure) = &written else { panic!("{} {loses:?}: {written:?}", table.kind) };
            assert_eq!(failure.kind, kind, "{} {loses:?}", table.kind);
            assert!(failure.detail.contains("COMMIT"), "{failure}");
            let holds = if arrives { &new } else { &old };
            assert_eq!(direct.sign_in(&abby, holds).await, SignIn::Right, "{} {loses:?}", table.kind);
        }
    }
}

#[tokio::test]
async fn a_connection_lost_before_commit_is_in_doubt_only_where_it_must_be() {
    let (postgres, mariadb) = (Table::postgres().await, Table::mariadb().await);
    for (table, in_doubt) in [(postgres, false), (mariadb, true)] {
        table.insert("abby").await;
        let proxy = Proxy::start("127.0.0.1", &table.address(), b"UPDATE", Loses::AnswerAndConnection).await;
        let url = table.url.replace(&table.address(), &proxy.address.to_string());
        let written =
            table.connector(json!({ "url": url })).set_password(&account("abby"), &fresh_password(), None).await;
        match written {
            Written::Unknown(_) if in_doubt => {}
            Written::Unreachable(_) if !in_doubt => {}
            other => panic!("{}: {other:?}", table.kind),
        }
        assert_eq!(table.hashes().await, ["old"], "{}", table.kind);
    }
}

#[tokio::test]
async fn a_broken_idle_connection_leaves_no_doubt() {
    for table in [Table::postgres().await, Table::mariadb().await] {
        table.insert("abby").await;
        let proxy = Proxy::start("127.0.0.1", &table.address(), b"", Loses::Request).await;
        let url = table.url.replace(&table.address(), &proxy.address.to_string());
        let connector = table.connector(json!({ "url": url }));
        let abby = account("abby");
        assert_eq!(connector.set_password(&abby, &fresh_password(), None).await, Written::Applied);
        proxy.cut_connections();
        let written = connector.set_password(&abby, &fresh_password(), None).await;
        assert!(matches!(written, Written::Unreachable(_) | Written::Applied), "{}: {written:?}", table.kind);
        assert_eq!(connector.set_password(&abby, &fresh_password(), None).await, Written::Applied);
        proxy.cut_connections();
        // Idle for longer than a moment, a connection is asked whether it still works, and replaced.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(connector.set_password(&abby, &fresh_password(), None).await, Written::Applied, "{}", table.kind);
    }
}

#[tokio::test]
async fn a_held_row_is_busy() {
    for table in Table::everywhere().await {
        table.insert("abby").await;
        let connector = table.connector(json!({ "request_timeout_ms": 1000 }));
        let lock = format!("UPDATE {} SET note = 'held'", table.name);
        let (abby, new) = (account("abby"), fresh_password());
        let attempt = connector.set_password(&abby, &new, None);
        let written = match &table.admin {
            Admin::Postgres(pool) => held(pool.begin().await.expect("begun"), &lock, attempt).await,
            Admin::MySql(pool) => held(pool.begin().await.expect("begun"), &lock, attempt).await,
            Admin::Sqlite(pool) => held(pool.begin().await.expect("begun"), &lock, attempt).await,
        };
        assert!(
            matches!(&written, Written::Busy(failure) if failure.kind == FailureKind::Busy),
            "{}: {written:?}",
            table.kind
        );
        assert_eq!(table.hashes().await, ["old"], "{}", table.kind);
        assert_eq!(connector.set_password(&abby, &new, None).await, Written::Applied, "{}", table.kind);
    }
}

/// Waits for the attempt while a transaction holds what the lock statement holds.
async fn held<DB>(mut holder: sqlx::Transaction<'_, DB>, lock: &str, attempt: impl Future<Output = Written>) -> Written
where
    DB: sqlx::Database,
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    sqlx::raw_sql(AssertSqlSafe(lock.to_owned())).execute(&mut *holder).await.expect("held");
    let written = attempt.await;
    holder.rollback().await.expect("let go");
    written
}

#[tokio::test]
async fn a_read_only_database_is_busy() {
    let table = Table::postgres().await;
    table.insert("abby").await;
    let role = &table.name;
    table.run(&format!("ALTER ROLE {role} SET default_transaction_read_only = on")).await;
    let written = table.connector(json!({})).set_password(&account("abby"), &fresh_password(), None).await;
    assert!(matches!(written, Written::Busy(_)), "{written:?}");
}

#[tokio::test]
async fn too_many_connections_is_busy() {
    let table = Table::postgres().await;
    table.insert("abby").await;
    table.run(&format!("ALTER ROLE {} CONNECTION LIMIT 0", table.name)).await;
    let written = table.connector(json!({})).set_password(&account("abby"), &fresh_password(), None).await;
    assert!(matches!(written, Written::Busy(_)), "{written:?}");
}

#[tokio::test]
async fn a_wrong_login_is_a_misconfiguration() {
    for table in [Table::postgres().await, Table::mariadb().await] {
        let connector = connector("sql", &table.config(json!({})), "wrong");
        let new = fresh_password();
        refused(connector.set_password(&account("abby"), &new, None).await, RefusalKind::Misconfigured, &new);
        let kind = connector.test().await.expect_err("wrong login").kind;
        assert_eq!(kind, FailureKind::Refused(RefusalKind::Misconfigured), "{}", table.kind);
    }
}

#[tokio::test]
async fn a_login_without_rights_is_told() {
    let (postgres, mariadb) = (Table::postgres().await, Table::mariadb().await);
    postgres.run(&format!("REVOKE UPDATE ON {name} FROM {name}", name = postgres.name)).await;
    let user = mariadb.name.trim_end_matches(".users");
    mariadb.run(&format!("REVOKE UPDATE ON {user}.* FROM {user}@'127.0.0.1'")).await;
    for table in [postgres, mariadb] {
        table.insert("abby").await;
        let (connector, new) = (table.connector(json!({})), fresh_password());
        refused(connector.set_password(&account("abby"), &new, None).await, RefusalKind::NoRights, &new);
        let kind = connector.test().await.expect_err("no rights").kind;
        assert_eq!(kind, FailureKind::Refused(RefusalKind::NoRights), "{}", table.kind);
    }
}

#[tokio::test]
async fn a_column_that_is_too_short_is_refused_and_nothing_is_cut() {
    let (postgres, mariadb) = (Table::postgres().await, Table::mariadb().await);
    postgres.run(&format!("ALTER TABLE {} ALTER password_hash TYPE varchar(20)", postgres.name)).await;
    mariadb.run(&format!("ALTER TABLE {} MODIFY password_hash varchar(20)", mariadb.name)).await;
    for table in [postgres, mariadb] {
        table.insert("abby").await;
        let new = fresh_password();
        let written = table.connector(json!({})).set_password(&account("abby"), &new, None).await;
        let detail = refused(written, RefusalKind::Misconfigured, &new);
        assert!(detail.contains("too short for the new hash"), "{}: {detail}", table.kind);
        assert_eq!(table.hashes().await, ["old"], "{}", table.kind);
    }
}

#[tokio::test]
async fn a_constraint_that_repeats_the_value_does_not_leak_it() {
    for table in Table::everywhere().await {
        let name = &table.name;
        table.insert("abby").await;
        table.insert("carol").await;
        let column = if table.kind == "mysql" { "password_hash(250)" } else { "password_hash" };
        let index = name.replace('.', "_");
        let on = if table.kind == "mysql" { name.clone() } else { name.replace('.', "_") };
        table.run(&format!("UPDATE {name} SET password_hash = login")).await;
        table.run(&format!("CREATE UNIQUE INDEX unique_{index} ON {on} ({column})")).await;
        let connector = table.connector(json!({
            "hash": "database",
            "hash_rounds": null,
            "verify": null,
            "statement": format!("UPDATE {name} SET password_hash = :password WHERE login = :account"),
        }));
        let same = fresh_password();
        assert_eq!(connector.set_password(&account("abby"), &same, None).await, Written::Applied, "{}", table.kind);
        let detail =
            refused(connector.set_password(&account("carol"), &same, None).await, RefusalKind::PolicyOther, &same);
        assert!(!detail.contains(&same.expose()[..12]), "{}: {detail}", table.kind);
    }
}

#[tokio::test]
async fn a_constraint_checked_at_commit_is_a_refusal_and_no_doubt() {
    let table = Table::postgres().await;
    let name = &table.name;
    table.insert("abby").await;
    table
        .run(&format!(
            "ALTER TABLE {name} ADD CONSTRAINT {name}_once UNIQUE (password_hash) DEFERRABLE INITIALLY DEFERRED; \
             INSERT INTO {name} (login, password_hash) VALUES ('carol', 'abby')"
        ))
        .await;
    let connector = table.connector(json!({
        "statement": format!("UPDATE {name} SET password_hash = :account, note = :hash WHERE login = :account"),
    }));
    let new = fresh_password();
    refused(connector.set_password(&account("abby"), &new, None).await, RefusalKind::PolicyOther, &new);
}

#[tokio::test]
async fn a_server_without_tls_gets_no_password() {
    // "N": PostgreSQL's answer to a request for TLS that it does not do.
    let server = Scripted::start(b"N").await;
    let config = json!({
        "url": format!("postgres://app@{}/app", server.address),
        "statement": STATEMENT,
        "hash": "sha512-crypt",
        "hash_rounds": 1000,
        "tls": "verify-full",
        "ca_file": told("LOCKSTEP_TEST_LDAP_CA"),
    });
    let new = fresh_password();
    let written = connector("sql", &config, "x").set_password(&account("abby"), &new, None).await;
    let detail = refused(written, RefusalKind::Misconfigured, &new);
    assert!(detail.contains("TLS"), "{detail}");
    // The request for TLS has 8 bytes. A sign-in in the clear would have come after it.
    assert_eq!(server.received(), 8);
}
