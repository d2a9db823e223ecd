//! Reading accounts out of applications' own tables, and enabling and disabling them. What holds for one database holds
//! for all three.

use lockstep_connectors::{AccountEntry, Connector, FailureKind, Level, RefusalKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::table::Table;
use crate::support::{account, read};

#[tokio::test]
async fn all_accounts_are_read_in_pages() {
    for table in tables().await {
        fill(&table, 1201).await;
        let read = read(reading(&table, json!({})).as_ref(), None).await;
        assert_eq!(read.reading.as_ref().expect(table.kind).skipped.count, 0, "{}", table.kind);
        assert_eq!((read.pages.as_slice(), read.accounts.len()), (&[500, 500, 201][..], 1201), "{}", table.kind);
        let abby = &read.accounts["user7"];
        assert_eq!((abby.stable_id.as_str(), abby.name.as_str()), ("7", "User 7"), "{}", table.kind);
        assert_eq!(abby.enabled, Some(true), "{}", table.kind);
        let attributes: Vec<_> = abby.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(attributes, [("mail", "user7@example.test")], "{}", table.kind);
    }
}

#[tokio::test]
async fn values_of_many_types_are_text() {
    let tables = tables().await;
    for (table, (columns, expected)) in tables.into_iter().zip([
        (
            "true AS yes, 2.5::float8 AS half, '00000000-0000-0000-0000-00000000000a'::uuid AS key, 'x'::char(3) AS \
             padded, timestamptz '2024-10-04 02:00:00.5+02' AS zoned, timestamp '2024-10-04 00:00:05' AS plain, date \
             '1999-12-31' AS day, 'infinity'::timestamp AS ever, (-3)::smallint AS small, NULL::text AS none, \
             '\\xff'::bytea AS bytes, ''::text AS empty",
            vec![
                ("day", "1999-12-31"),
                ("half", "2.5"),
                ("key", "00000000-0000-0000-0000-00000000000a"),
                ("padded", "x"),
                ("plain", "2024-10-04 00:00:05.000000"),
                ("small", "-3"),
                ("yes", "true"),
                ("zoned", "2024-10-04 00:00:00.500000+00"),
            ],
        ),
        (
            "TRUE AS yes, CAST(2.5 AS DOUBLE) AS half, CAST(1.50 AS DECIMAL(5,2)) AS price, CAST('x' AS CHAR(3)) AS \
             padded, CAST('2024-10-04 00:00:05' AS DATETIME) AS plain, CAST('1999-12-31' AS DATE) AS day, \
             CAST(3 AS UNSIGNED) AS small, NULL AS none, x'ff' AS bytes",
            vec![
                ("day", "1999-12-31"),
                ("half", "2.5"),
                ("padded", "x"),
                ("plain", "2024-10-04 00:00:05.000000"),
                ("price", "1.50"),
                ("small", "3"),
                ("yes", "1"),
            ],
        ),
        (
            "2.5 AS half, '2024-10-04' AS plain, 3 AS small, NULL AS none, x'ff' AS bytes, true AS yes",
            vec![("half", "2.5"), ("plain", "2024-10-04"), ("small", "3"), ("yes", "1")],
        ),
    ]) {
        fill(&table, 1).await;
        let statement = format!("SELECT id AS stable_id, login AS account, {columns} FROM {}", table.name);
        let read = read(reading(&table, json!({ "statement": statement, "changed": null })).as_ref(), None).await;
        read.reading.as_ref().unwrap_or_else(|failure| panic!("{}: {failure}", table.kind));
        let user = &read.accounts["user0"];
        let found: Vec<_> = user.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{}", table.kind);
        assert_eq!((user.name.as_str(), user.enabled), ("user0", None), "{}", table.kind);
    }
}

#[tokio::test]
async fn when_a_password_was_changed_is_a_time_in_utc_or_with_a_zone() {
    let in_seconds = "1728000005";
    for table in tables().await {
        fill(&table, 1).await;
        let columns = match table.kind {
            "postgres" => &[
                ("timestamptz '2024-10-04 02:00:05.5+02'", true),
                ("timestamp '2024-10-04 00:00:05'", true),
                (in_seconds, true),
                ("date '2024-10-04'", false),
                ("'infinity'::timestamptz", false),
                ("NULL::timestamptz", false),
            ][..],
            "mysql" => &[
                ("CAST('2024-10-04 00:00:05' AS DATETIME)", true),
                ("UNIX_TIMESTAMP(FROM_UNIXTIME(1728000005))", true),
                ("UNIX_TIMESTAMP(CAST(FROM_UNIXTIME(1728000005.5) AS DATETIME(1)))", true),
                ("CAST('2024-10-04' AS DATE)", false),
                ("NULL", false),
            ],
            _ => &[
                ("'2024-10-04T02:00:05+02:00'", true),
                ("'2024-10-04 00:00:05'", true),
                (in_seconds, true),
                ("'yesterday'", false),
                ("x'ff'", false),
            ],
        };
        for (column, says) in columns {
            let name = &table.name;
            let select = format!(
                "SELECT id AS stable_id, login AS account, {column} AS password_changed_at FROM {name} WHERE id = "
            );
            let key = if table.kind == "postgres" { ":stable_id::bigint" } else { ":stable_id" };
            let accounts =
                json!({ "statement": format!("{select}0"), "changed": null, "one": format!("{select}{key}") });
            let connector = reading(&table, accounts);
            let read = read(connector.as_ref(), None).await;
            let entry = &read.accounts["user0"];
            let expected = says.then_some("2024-10-04T00:00:05+00:00");
            let found = entry.password_changed_at.map(|at| at.to_rfc3339());
            assert_eq!(found.as_deref(), expected, "{}: {column}", table.kind);
            assert!(entry.attributes.is_empty(), "{}: {entry:?}", table.kind);
            assert_eq!(connector.account("0").await.expect("asked").as_ref(), Some(entry), "{}", table.kind);
        }
    }
}

#[tokio::test]
async fn a_type_that_is_not_read_is_named() {
    let table = Table::postgres().await;
    prepare(&table).await;
    fill(&table, 1).await;
    let statement = format!("SELECT id AS stable_id, login AS account, 1.5::numeric AS price FROM {}", table.name);
    let failure =
        read(reading(&table, json!({ "statement": statement, "changed": null })).as_ref(), None).await.reading;
    let detail = failure.expect_err("no text").detail;
    assert!(detail.contains("`price`") && detail.contains("NUMERIC") && detail.contains("cast"), "{detail}");
}

#[tokio::test]
async fn a_reading_of_changes_gives_those() {
    for table in tables().await {
        fill(&table, 20).await;
        let connector = reading(&table, json!({}));
        assert!(connector.capabilities().read_changes);
        let all = read(connector.as_ref(), None).await;
        assert_eq!(all.accounts.len(), 20);
        let mark = all.mark().expect("a mark").to_owned();
        let name = &table.name;
        table
            .run(&format!("UPDATE {name} SET full_name = 'New', changed_at = {} WHERE id = 3", time(&table, 50)))
            .await;
        table.run(&format!("UPDATE {name} SET full_name = 'Same second' WHERE id = 19")).await;
        let changes = read(connector.as_ref(), Some(&mark)).await;
        let names: Vec<_> = changes.accounts.values().map(|account| account.name.as_str()).collect();
        assert_eq!(names, ["Same second", "New"], "{}", table.kind);
        assert!(changes.mark().expect("a mark") > mark.as_str(), "{}", table.kind);
        let later = read(connector.as_ref(), changes.mark()).await;
        assert_eq!(later.accounts.len(), 1, "{}", table.kind);
        assert_eq!(later.mark(), changes.mark(), "{}", table.kind);
        table.run(&format!("DELETE FROM {name}")).await;
        assert_eq!(read(connector.as_ref(), changes.mark()).await.mark(), changes.mark(), "{}", table.kind);
        let without = reading(&table, json!({ "changed": null }));
        assert_eq!(read(without.as_ref(), None).await.mark(), None, "{}", table.kind);
        assert!(!without.capabilities().read_changes);
    }
}

#[tokio::test]
async fn an_account_is_found_by_what_never_changes() {
    for table in tables().await {
        fill(&table, 3).await;
        let connector = reading(&table, json!({}));
        let found = connector.account("2").await.expect("asked").expect("there");
        assert_eq!((found.native_id.as_str(), found.stable_id.as_str()), ("user2", "2"), "{}", table.kind);
        table.run(&format!("UPDATE {} SET login = 'renamed' WHERE id = 2", table.name)).await;
        let found = connector.account("2").await.expect("asked").expect("there");
        assert_eq!((found.native_id.as_str(), found.stable_id.as_str()), ("renamed", "2"), "{}", table.kind);
        for nobody in ["99", "", "\0"] {
            assert_eq!(connector.account(nobody).await, Ok(None), "{}", table.kind);
        }
        let kind = reading(&table, json!({ "one": null })).account("2").await.expect_err("not set up").kind;
        assert_eq!(kind, FailureKind::Refused(RefusalKind::Unsupported));
        table.run(&format!("UPDATE {} SET id = 2", table.name)).await;
        let kind = connector.account("2").await.expect_err("three").kind;
        assert_eq!(kind, FailureKind::Refused(RefusalKind::AccountAmbiguous), "{}", table.kind);
    }
}

#[tokio::test]
async fn a_row_without_an_id_is_skipped_and_told() {
    for table in tables().await {
        fill(&table, 3).await;
        table.run(&format!("UPDATE {} SET id = NULL WHERE id = 1", table.name)).await;
        let read = read(reading(&table, json!({})).as_ref(), None).await;
        let skipped = read.reading.expect("read").skipped;
        assert_eq!((read.accounts.len(), skipped.count), (2, 1), "{}", table.kind);
        assert!(skipped.examples[0].contains("user1"), "{skipped:?}");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() {
    for table in tables().await {
        fill(&table, 3).await;
        let name = &table.name;
        for (statement, word) in [
            (format!("SELECT id AS stable_id, login AS account, changed_at, password_hash FROM {name}"), "never read"),
            (format!("SELECT * FROM {name}"), "password_hash"),
            (format!("SELECT login AS account, changed_at FROM {name}"), "`stable_id`"),
            (format!("SELECT id AS stable_id, login AS account FROM {name}"), "`changed_at`"),
            ("SELECT id AS stable_id FROM no_such_table".to_owned(), "no_such_table"),
            (
                format!("SELECT id AS stable_id, login AS account, changed_at, login AS enabled FROM {name}"),
                "`enabled`",
            ),
        ] {
            let connector = reading(&table, json!({ "statement": statement }));
            let failure = read(connector.as_ref(), None).await.reading.expect_err(&statement);
            assert_eq!(failure.kind, FailureKind::Refused(RefusalKind::Misconfigured), "{} {failure}", table.kind);
            assert!(failure.detail.contains(word), "{}: {failure}", table.kind);
            let report = connector.test().await.expect("passwords can be changed");
            let warning = report.checks.iter().find(|check| check.text.contains(word)).expect("told");
            assert_eq!(warning.level, Level::Warning, "{}", table.kind);
        }
        let connector = table.connector(json!({}));
        let kind = FailureKind::Refused(RefusalKind::Unsupported);
        assert_eq!(read(connector.as_ref(), None).await.reading.expect_err("not set up").kind, kind);
        assert_eq!(connector.set_enabled(&account("user1"), false).await.expect_err("not set up").kind, kind);
        assert!(!connector.capabilities().read_accounts && !connector.capabilities().enable);
    }
}

#[tokio::test]
async fn the_connection_test_reads_an_account() {
    for table in tables().await {
        let connector = reading(&table, json!({}));
        let text = async || {
            let report = connector.test().await.expect(table.kind);
            report.checks.into_iter().map(|check| format!("{:?} {}\n", check.level, check.text)).collect::<String>()
        };
        let empty = text().await;
        assert!(empty.contains("Warning the statement for accounts gives no row"), "{empty}");
        fill(&table, 3).await;
        let found = text().await;
        assert!(found.contains("Good accounts can be read, for example user"), "{}: {found}", table.kind);
        assert!(found.contains("Good the statements that enable and disable"), "{}: {found}", table.kind);
    }
}

#[tokio::test]
async fn a_statement_that_writes_reads_nothing_and_writes_nothing() {
    let (postgres, sqlite) = (Table::postgres().await, Table::sqlite().await);
    for table in [postgres, sqlite] {
        prepare(&table).await;
        fill(&table, 3).await;
        let statement =
            format!("UPDATE {} SET full_name = 'x' RETURNING id AS stable_id, login AS account", table.name);
        let connector = reading(&table, json!({ "statement": statement, "changed": null }));
        let failure = read(connector.as_ref(), None).await.reading.expect_err("it writes");
        assert!(failure.detail.contains("it may only read"), "{}: {failure}", table.kind);
        assert!(!table.holds("full_name = 'x' AND id = 1").await, "{}", table.kind);
    }
}

#[tokio::test]
async fn a_reading_that_nobody_takes_stops_and_leaves_nothing_open() {
    for table in tables().await {
        fill(&table, 2000).await;
        let connector = reading(&table, json!({}));
        let (sender, mut receiver) = mpsc::channel::<Vec<AccountEntry>>(1);
        let take = async move { receiver.recv().await.expect("the first page").len() };
        let (reading, first) = tokio::join!(connector.accounts(None, sender), take);
        assert_eq!(first, 500);
        assert!(reading.expect_err("given up").detail.contains("nobody takes"), "{}", table.kind);
        // What the reading held would be in the way of this.
        table.run(&format!("ALTER TABLE {} ADD COLUMN later int", table.name)).await;
    }
}

#[tokio::test]
async fn accounts_are_disabled_and_enabled() {
    for table in tables().await {
        fill(&table, 3).await;
        let connector = reading(&table, json!({}));
        assert!(connector.capabilities().enable);
        for _ in 0..2 {
            assert_eq!(connector.set_enabled(&account("user1"), false).await, Ok(()), "{}", table.kind);
            assert_eq!(connector.account("1").await.expect("asked").expect("there").enabled, Some(false));
        }
        assert_eq!(connector.account("2").await.expect("asked").expect("there").enabled, Some(true), "{}", table.kind);
        assert_eq!(connector.set_enabled(&account("user1"), true).await, Ok(()), "{}", table.kind);
        assert_eq!(connector.account("1").await.expect("asked").expect("there").enabled, Some(true), "{}", table.kind);
        table.run(&format!("UPDATE {} SET login = 'twin' WHERE id <> 1", table.name)).await;
        for (login, kind) in [
            ("nobody", RefusalKind::AccountNotFound),
            ("", RefusalKind::AccountNotFound),
            ("twin", RefusalKind::AccountAmbiguous),
        ] {
            let failure = connector.set_enabled(&account(login), false).await.expect_err(login);
            assert_eq!(failure.kind, FailureKind::Refused(kind), "{}", table.kind);
        }
        let accounts = read(connector.as_ref(), None).await.accounts;
        assert!(accounts.values().all(|account| account.enabled == Some(true)), "rolled back: {accounts:?}");
    }
}

/// A connector that reads the table, with some of the settings for accounts replaced.
fn reading(table: &Table, more: Value) -> Box<dyn Connector> {
    let name = &table.name;
    let columns = "id AS stable_id, login AS account, full_name AS name, active AS enabled, mail, changed_at";
    let (since, key) = match table.kind {
        "postgres" => (":since::timestamptz", ":stable_id::bigint"),
        _ => (":since", ":stable_id"),
    };
    let mut accounts = json!({
        "statement": format!("SELECT {columns} FROM {name} ORDER BY id"),
        "changed": format!("SELECT {columns} FROM {name} WHERE changed_at >= {since}"),
        "one": format!("SELECT {columns} FROM {name} WHERE id = {key}"),
    });
    for (setting, value) in more.as_object().expect("an object") {
        accounts[setting] = value.clone();
    }
    let (on, off) = if table.kind == "postgres" { ("true", "false") } else { ("1", "0") };
    table.connector(json!({
        "accounts": accounts,
        "enable": format!("UPDATE {name} SET active = {on} WHERE login = :account"),
        "disable": format!("UPDATE {name} SET active = {off} WHERE login = :account"),
    }))
}

/// A table in each database with the columns that are read here.
async fn tables() -> Vec<Table> {
    let tables = Table::everywhere().await;
    for table in &tables {
        prepare(table).await;
    }
    tables
}

async fn prepare(table: &Table) {
    let (text, changed) = match table.kind {
        "postgres" => ("text", "timestamptz"),
        "mysql" => ("varchar(255)", "timestamp(6) NULL"),
        _ => ("text", "text"),
    };
    for column in [
        "id bigint",
        &format!("full_name {text}"),
        &format!("mail {text}"),
        "active boolean",
        &format!("changed_at {changed}"),
    ] {
        table.run(&format!("ALTER TABLE {} ADD COLUMN {column}", table.name)).await;
    }
}

async fn fill(table: &Table, rows: u32) {
    let value = |number: u32| {
        let time = time(table, number.min(20));
        format!("('user{number}', {number}, 'User {number}', 'user{number}@example.test', true, {time})")
    };
    let values: Vec<_> = (0..rows).map(value).collect();
    let columns = "(login, id, full_name, mail, active, changed_at)";
    table.run(&format!("INSERT INTO {} {columns} VALUES {}", table.name, values.join(", "))).await;
}

/// A time of the database, in the minute that all rows here were changed in.
fn time(table: &Table, second: u32) -> String {
    let text = format!("2024-10-04 10:00:{second:02}.000001");
    if table.kind == "postgres" { format!("timestamptz '{text}+00'") } else { format!("'{text}'") }
}
