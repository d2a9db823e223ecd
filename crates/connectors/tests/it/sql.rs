//! Applications' own user tables in databases that work. What holds for one holds for all three.

use lockstep_connectors::{FailureKind, Level, RefusalKind, SignIn, Written};
use serde_json::json;

use crate::support::table::Table;
use crate::support::{account, fresh, fresh_password, password, refused};

#[tokio::test]
async fn every_format_is_written_and_verified() {
    for table in Table::everywhere().await {
        table.insert("abby").await;
        for more in [
            json!({ "hash": "argon2id", "hash_memory_kib": 64, "hash_rounds": null }),
            json!({ "hash": "bcrypt", "hash_cost": 4, "hash_rounds": null }),
            json!({ "hash": "pbkdf2-sha256" }),
            json!({ "hash": "django-pbkdf2-sha256" }),
            json!({ "hash": "sha512-crypt" }),
        ] {
            let (connector, new, old) = (table.connector(more.clone()), fresh_password(), fresh_password());
            let abby = account("abby");
            assert_eq!(connector.set_password(&abby, &old, None).await, Written::Applied, "{} {more}", table.kind);
            assert_eq!(connector.set_password(&abby, &new, None).await, Written::Applied, "{} {more}", table.kind);
            assert_eq!(connector.sign_in(&abby, &new).await, SignIn::Right, "{} {more}", table.kind);
            assert_eq!(connector.sign_in(&abby, &old).await, SignIn::Wrong, "{} {more}", table.kind);
            let stored = table.hashes().await;
            assert!(stored.len() == 1 && stored[0].contains('$') && !stored[0].contains(new.expose()), "{stored:?}");
        }
    }
}

#[tokio::test]
async fn postgres_itself_accepts_our_bcrypt_hashes() {
    let table = Table::postgres().await;
    table.insert("abby").await;
    crypt_functions(&table).await;
    let connector =
        table.connector(json!({ "hash": "bcrypt", "hash_cost": 4, "hash_prefix": "2a", "hash_rounds": null }));
    let new = format!("Aa1 é {}", fresh());
    assert_eq!(connector.set_password(&account("abby"), &password(&new), None).await, Written::Applied);
    assert!(table.holds(&format!("crypt('{new}', password_hash) = password_hash")).await);
    assert!(!table.holds("crypt('other', password_hash) = password_hash").await);
}

#[tokio::test]
async fn the_databases_own_function_hashes() {
    let postgres = Table::postgres().await;
    crypt_functions(&postgres).await;
    let mariadb = Table::mariadb().await;
    for (table, new_hash, check) in [
        (postgres, "crypt(:password, gen_salt('bf', 4))", "password_hash = crypt(:password, password_hash)"),
        (mariadb, "SHA2(CONCAT(:account, :password), 256)", "password_hash = SHA2(CONCAT(:account, :password), 256)"),
    ] {
        table.insert("abby").await;
        let name = &table.name;
        let connector = table.connector(json!({
            "hash": "database",
            "hash_rounds": null,
            "statement": format!("UPDATE {name} SET password_hash = {new_hash} WHERE login = :account"),
            "verify": format!("SELECT {check} FROM {name} WHERE login = :account"),
        }));
        let (abby, new) = (account("abby"), fresh_password());
        assert_eq!(connector.set_password(&abby, &new, None).await, Written::Applied, "{}", table.kind);
        assert_eq!(connector.sign_in(&abby, &new).await, SignIn::Right, "{}", table.kind);
        assert_eq!(connector.sign_in(&abby, &fresh_password()).await, SignIn::Wrong, "{}", table.kind);
        let stored = table.hashes().await;
        assert!(!stored[0].contains(new.expose()) && stored[0] != "old", "{stored:?}");
        table.run(&format!("UPDATE {name} SET password_hash = NULL")).await;
        assert!(matches!(connector.sign_in(&abby, &new).await, SignIn::Unable(_)), "NULL is neither true nor false");
    }
}

#[tokio::test]
async fn a_function_of_postgres_may_do_the_write() {
    let table = Table::postgres().await;
    table.insert("abby").await;
    let name = &table.name;
    table
        .run(&format!(
            "CREATE FUNCTION {name}(who text, what text) RETURNS SETOF int LANGUAGE sql SECURITY DEFINER AS \
             'UPDATE {name} SET password_hash = what WHERE login = who RETURNING 1'; \
             REVOKE UPDATE ON {name} FROM {name}"
        ))
        .await;
    let connector = table.connector(json!({ "statement": format!("SELECT {name}(:account, :hash)") }));
    let new = fresh_password();
    assert_eq!(connector.set_password(&account("abby"), &new, None).await, Written::Applied);
    assert_eq!(connector.sign_in(&account("abby"), &new).await, SignIn::Right);
    let written = connector.set_password(&account("nobody"), &new, None).await;
    refused(written, RefusalKind::AccountNotFound, &new);
    connector.test().await.expect("explained, not run");
    assert_eq!(connector.sign_in(&account("abby"), &new).await, SignIn::Right, "the test changed nothing");
}

#[tokio::test]
async fn no_row_and_two_rows_are_refused_and_rolled_back() {
    for table in Table::everywhere().await {
        for login in ["abby", "twin", "twin"] {
            table.insert(login).await;
        }
        let (connector, new) = (table.connector(json!({})), fresh_password());
        for (login, kind) in [("nobody", RefusalKind::AccountNotFound), ("twin", RefusalKind::AccountAmbiguous)] {
            refused(connector.set_password(&account(login), &new, None).await, kind, &new);
            let answer = connector.sign_in(&account(login), &new).await;
            let (SignIn::Unable(failure) | SignIn::NotAccepted(failure)) = answer else { panic!("{login}") };
            assert_eq!(failure.kind, FailureKind::Refused(kind), "{}", table.kind);
        }
        assert_eq!(table.hashes().await, ["old", "old", "old"], "{}", table.kind);
        assert_eq!(connector.set_password(&account("abby"), &new, None).await, Written::Applied, "{}", table.kind);
    }
}

#[tokio::test]
async fn a_row_that_already_holds_the_value_counts() {
    for table in Table::everywhere().await {
        table.insert("abby").await;
        let name = &table.name;
        let connector = table.connector(json!({
            "hash": "database",
            "hash_rounds": null,
            "statement": format!("UPDATE {name} SET password_hash = :password WHERE login = :account"),
            "verify": null,
        }));
        let same = fresh_password();
        for _ in 0..2 {
            assert_eq!(connector.set_password(&account("abby"), &same, None).await, Written::Applied, "{}", table.kind);
        }
        assert_eq!(table.hashes().await, [same.expose()], "{}", table.kind);
        assert_eq!(connector.sign_in(&account("abby"), &same).await, SignIn::Unsupported);
        assert!(!connector.capabilities().sign_in);
    }
}

#[tokio::test]
async fn a_table_that_cannot_roll_back_is_told_truly() {
    let table = Table::mariadb().await;
    table.run(&format!("ALTER TABLE {} ENGINE = MyISAM", table.name)).await;
    table.insert("twin").await;
    table.insert("twin").await;
    let new = fresh_password();
    let written = table.connector(json!({})).set_password(&account("twin"), &new, None).await;
    let detail = refused(written, RefusalKind::AccountAmbiguous, &new);
    assert!(detail.contains("all of them were changed"), "{detail}");
    assert!(!table.hashes().await.contains(&"old".to_owned()), "they were");
}

#[tokio::test]
async fn ids_are_bound_and_never_run() {
    for table in Table::everywhere().await {
        table.insert("abby").await;
        let (connector, new) = (table.connector(json!({})), fresh_password());
        for id in [
            "' OR '1'='1",
            "abby' --",
            "abby\\' OR 1=1 #",
            "abby'; DROP TABLE users; --",
            "%",
            "abby%",
            ":account",
            "$1",
            "?",
            "",
            "abby\0",
            "abby\u{202E}",
        ] {
            let written = connector.set_password(&account(id), &new, None).await;
            refused(written, RefusalKind::AccountNotFound, &new);
            assert!(
                matches!(connector.sign_in(&account(id), &new).await, SignIn::NotAccepted(_)),
                "{} {id}",
                table.kind
            );
        }
        assert_eq!(table.hashes().await, ["old"], "{}", table.kind);
        for id in ["o'neil", "back\\slash", "\u{1F511}", "semi;colon"] {
            table.insert(id).await;
            assert_eq!(connector.set_password(&account(id), &new, None).await, Written::Applied, "{} {id}", table.kind);
            assert_eq!(connector.sign_in(&account(id), &new).await, SignIn::Right, "{} {id}", table.kind);
        }
    }
}

#[tokio::test]
async fn a_stored_hash_of_another_format_proves_nothing_and_none_is_wrong() {
    for table in Table::everywhere().await {
        table.insert("abby").await;
        let connector = table.connector(json!({}));
        let SignIn::Unable(failure) = connector.sign_in(&account("abby"), &fresh_password()).await else {
            panic!("not in the declared format")
        };
        assert_eq!(failure.kind, FailureKind::Refused(RefusalKind::Misconfigured), "{failure}");
        table.run(&format!("UPDATE {} SET password_hash = NULL", table.name)).await;
        assert_eq!(connector.sign_in(&account("abby"), &fresh_password()).await, SignIn::Wrong, "{}", table.kind);
    }
}

#[tokio::test]
async fn padded_and_binary_columns_are_read() {
    let postgres = Table::postgres().await;
    postgres.run(&format!("ALTER TABLE {} ALTER password_hash TYPE char(200)", postgres.name)).await;
    let mariadb = Table::mariadb().await;
    mariadb.run(&format!("ALTER TABLE {} MODIFY password_hash varbinary(200)", mariadb.name)).await;
    for table in [postgres, mariadb] {
        table.insert("abby").await;
        let (connector, new) = (table.connector(json!({})), fresh_password());
        assert_eq!(connector.set_password(&account("abby"), &new, None).await, Written::Applied, "{}", table.kind);
        assert_eq!(connector.sign_in(&account("abby"), &new).await, SignIn::Right, "{}", table.kind);
    }
}

#[tokio::test]
async fn the_applications_own_rules_are_told_in_its_words() {
    let (postgres, mariadb, sqlite) = (Table::postgres().await, Table::mariadb().await, Table::sqlite().await);
    let name = &postgres.name;
    postgres
        .run(&format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN RAISE 'the account is frozen'; END$$; \
             CREATE TRIGGER frozen BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION {name}()"
        ))
        .await;
    let name = &mariadb.name;
    mariadb
        .run(&format!(
            "CREATE TRIGGER {name}_frozen BEFORE UPDATE ON {name} FOR EACH ROW \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the account is frozen'"
        ))
        .await;
    sqlite
        .run("CREATE TRIGGER frozen BEFORE UPDATE ON users BEGIN SELECT RAISE(ABORT, 'the account is frozen'); END")
        .await;
    for table in [postgres, mariadb, sqlite] {
        table.insert("abby").await;
        let new = fresh_password();
        let written = table.connector(json!({})).set_password(&account("abby"), &new, None).await;
        let detail = refused(written, RefusalKind::PolicyOther, &new);
        assert!(detail.contains("the account is frozen"), "{}: {detail}", table.kind);
        assert_eq!(table.hashes().await, ["old"], "{}", table.kind);
    }
}

#[tokio::test]
async fn bcrypt_refuses_what_it_would_cut() {
    let table = Table::sqlite().await;
    table.insert("abby").await;
    let connector = table.connector(json!({ "hash": "bcrypt", "hash_cost": 4, "hash_rounds": null }));
    assert_eq!(connector.capabilities().max_password_bytes, Some(72));
    let long = password(&"x".repeat(73));
    refused(connector.set_password(&account("abby"), &long, None).await, RefusalKind::PolicyLength, &long);
}

#[tokio::test]
async fn many_at_once_share_few_connections() {
    for table in Table::everywhere().await {
        for number in 0..20 {
            table.insert(&format!("user{number}")).await;
        }
        let connector = table.connector(json!({ "max_connections": 2 }));
        let changes = (0..20).map(|number| {
            let connector = &connector;
            async move {
                let (user, new) = (account(&format!("user{number}")), fresh_password());
                (connector.set_password(&user, &new, None).await, connector.sign_in(&user, &new).await)
            }
        });
        for result in futures_util::future::join_all(changes).await {
            assert_eq!(result, (Written::Applied, SignIn::Right), "{}", table.kind);
        }
    }
}

#[tokio::test]
async fn the_connection_test_changes_nothing_and_finds_mistakes() {
    for table in Table::everywhere().await {
        table.insert("").await;
        let report = table.connector(json!({})).test().await.expect("all well");
        assert!(report.checks.iter().all(|check| check.level == Level::Good), "{report:?}");
        assert_eq!(table.hashes().await, ["old"], "{}", table.kind);
        for more in [
            json!({ "statement": "UPDATE no_such_table SET a = :hash WHERE login = :account" }),
            json!({ "verify": format!("SELECT no_such_column FROM {} WHERE login = :account", table.name) }),
        ] {
            let failure = table.connector(more).test().await.expect_err("a mistake");
            assert!(failure.detail.contains("no_such_"), "{}: {failure}", table.kind);
        }
    }
}

#[tokio::test]
async fn the_connection_test_takes_a_key_of_another_type() {
    let table = Table::postgres().await;
    table.insert("7").await;
    for cast in ["bigint", "uuid", "text"] {
        let name = &table.name;
        let cast = json!({
            "statement": format!("UPDATE {name} SET password_hash = :hash WHERE login = (:account::{cast})::text"),
            "verify": format!("SELECT password_hash FROM {name} WHERE login = (:account::{cast})::text"),
        });
        table.connector(cast).test().await.expect("explained");
    }
}

/// PostgreSQL's `crypt` and `gen_salt`, for all tests of the database. Two tests may come at once.
async fn crypt_functions(table: &Table) {
    table
        .run("SELECT pg_advisory_lock(9000); CREATE EXTENSION IF NOT EXISTS pgcrypto; SELECT pg_advisory_unlock(9000)")
        .await;
}
