//! How the databases find what is asked for: with so many people that it matters, never by walking a table.

use lockstep_core::filter::Query;
use lockstep_core::filter::collections::{ACCOUNTS, IDENTITIES};
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use lockstep_store::listing::Start;
use lockstep_store::{Tx, account, identity, listing, source};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::offset;
use crate::harness::{Database, on_both_engines};
use crate::sample::{at, source as sample_source, source_id};

/// Every statement of these files that reads the two tables.
const SOURCES: [&str; 2] = [include_str!("../../../src/identity.rs"), include_str!("../../../src/account.rs")];

/// Filters that an index is there for, of people.
const OF_PEOPLE: [&str; 12] = [
    r#"id eq "00000000000000000000000000000007""#,
    r#"id in ("00000000000000000000000000000007", "00000000000000000000000000000008")"#,
    r#"name eq "Person 77""#,
    r#"name sw "Person 77""#,
    r#"alias eq "person77""#,
    r#"alias sw "person77""#,
    r#"firstname eq "First77""#,
    r#"firstname sw "First77""#,
    r#"lastname eq "Last77""#,
    r#"email eq "P77@example.test""#,
    r#"email sw "p77""#,
    r#"cloudStatus eq "DISABLED""#,
];

/// And of accounts.
const OF_ACCOUNTS: [&str; 14] = [
    r#"id sw "000000000000000000000001000000""#,
    r#"identityId eq "00000000000000000000000000000007""#,
    r#"name eq "account77""#,
    r#"name sw "account77""#,
    r#"nativeIdentity eq "CN=77""#,
    r#"nativeIdentity in ("CN=77", "CN=78")"#,
    r#"sourceId eq "4c6f636b7374457080004964656e7400""#,
    "uncorrelated eq true",
    r#"identity.name eq "Person 77""#,
    r#"identity.name sw "Person 7777""#,
    r#"source.displayableName eq "Directory""#,
    "created gt 2040-01-01T00:00:00Z",
    "modified ge 2040-01-01T00:00:00Z",
    "modified lt 2001-01-01T00:00:00Z",
];

/// So many that PostgreSQL finds the rows of one page sooner by an index.
const PEOPLE: u32 = 80_000;

/// How often accounts and identities were walked and searched so far, where the engine counts that.
async fn scans(tx: &mut Tx<'_>) -> Option<[(String, i64, i64); 2]> {
    let Tx::Postgres(connection) = tx else { return None };
    let counted: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT CAST(relname AS TEXT), seq_scan, idx_scan FROM pg_stat_xact_user_tables
         WHERE relname IN ('identity', 'account') ORDER BY relname",
    )
    .fetch_all(&mut **connection)
    .await
    .expect("counted");
    counted.try_into().ok()
}

/// Fills the two tables with one statement each.
async fn fill(database: &Database, count: u32) {
    let work = database.write(move |tx| {
        Box::pin(async move {
            source::put(tx, &sample_source(1, "Directory"), at(1)).await?;
            let sqlite = matches!(tx, Tx::Sqlite(_));
            let id = |high: u32, n: &str| match sqlite {
                true => format!("unhex(printf('%024x%08x', {high}, {n}))"),
                false => format!("CAST(lpad(to_hex({high}), 24, '0') || lpad(to_hex({n}), 8, '0') AS UUID)"),
            };
            let time = match sqlite {
                true => "'2026-11-24T10:00:00+00:00'",
                false => "TIMESTAMPTZ '2026-11-24T10:00:00+00:00'",
            };
            let built_in = match sqlite {
                true => format!("unhex('{}')", SourceId::IDENTITY_NOW),
                false => format!("CAST('{}' AS UUID)", SourceId::IDENTITY_NOW),
            };
            let directory = match sqlite {
                true => format!("unhex('{}')", source_id(1)),
                false => format!("CAST('{}' AS UUID)", source_id(1)),
            };
            let numbers = |many: u32| {
                format!(
                    "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {})",
                    many - 1
                )
            };
            let people = format!(
                "INSERT INTO identity (id, alias, alias_key, display_name, email, attributes, sign_in_source, enabled,
                     levels, created_at, modified_at, name_key, email_key, firstname_key, lastname_key,
                     retired)
                 {} SELECT {}, 'Person' || n, 'person' || n, 'Person ' || n, 'p' || n || '@example.test', '{{}}', {built_in},
                     n % 100 <> 0, '[]', {time}, {time}, 'person ' || n, 'p' || n || '@example.test', 'first' || n,
                     'last' || n, FALSE FROM numbers",
                numbers(count),
                id(0, "n"),
            );
            let accounts = format!(
                "INSERT INTO account (id, identity, source, stable_id, native_id, native_key, name, password_sync,
                     attributes, vanished, created_at, modified_at, name_key, native_id_key, correlated)
                 {} SELECT {}, CASE WHEN n % 100 = 0 THEN NULL ELSE {} END,
                     CASE WHEN n % 2 = 0 THEN {built_in} ELSE {directory} END, 's' || n, 'CN=' || n, 'cn=' || n,
                     'account' || n, TRUE, '{{}}', n % 50 = 1, {time}, {time}, 'account' || n, 'cn=' || n, 'rule'
                     FROM numbers",
                numbers(3 * count),
                id(1, "n"),
                id(0, "(n / 3)"),
            );
            for statement in [people, accounts, "ANALYZE".to_owned()] {
                match tx {
                    Tx::Sqlite(connection) => {
                        // Without ANALYZE, as an installation is.
                        if statement != "ANALYZE" {
                            connection.execute_batch(&statement).expect("filled");
                        }
                    }
                    Tx::Postgres(connection) => {
                        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut **connection).await.expect("filled");
                    }
                }
            }
            Ok(())
        })
    });
    work.await;
}

/// What walks a table from its beginning to its end, or until it has enough.
fn walks(plan: &[String]) -> bool {
    plan.iter().any(|step| {
        let walks = |table: &str| {
            (step.starts_with(&format!("SCAN {table}")) && !step.contains("COVERING INDEX"))
                || step.contains(&format!("Seq Scan on {table}"))
        };
        walks("identity") || walks("account") || walks("person")
    })
}

on_both_engines! {
    async fn no_table_is_walked_for_a_list(database) {
        fill(&database, PEOPLE).await;
        let explain = async |query: &Query, start: Option<Start>, of_accounts: bool| {
            let query = query.clone();
            database
                .read(move |tx| {
                    Box::pin(async move { listing::explain(tx, &query, start.as_ref(), of_accounts).await })
                })
                .await
        };
        let people = OF_PEOPLE.iter().map(|filter| (*filter, "", false));
        let accounts = OF_ACCOUNTS.iter().map(|filter| (*filter, "", true));
        let orders = ["", "name", "-name", "alias", "cloudStatus"].map(|sorters| ("", sorters, false));
        let accounts_orders = ["", "-id", "name", "-nativeIdentity", "sourceId", "-identityId", "created", "-modified"];
        let accounts_orders = accounts_orders.map(|sorters| ("", sorters, true));
        for (filter, sorters, of_accounts) in people.chain(accounts).chain(orders).chain(accounts_orders) {
            let collection = if of_accounts { &ACCOUNTS } else { &IDENTITIES };
            let query = Query::parse(collection, Some(filter), Some(sorters)).expect(filter);
            let paged = query.clone();
            let next = database.read(move |tx| {
                Box::pin(async move {
                    Ok(match of_accounts {
                        true => listing::accounts(tx, &paged, &offset(0), 3).await?.next,
                        false => listing::identities(tx, &paged, &offset(0), 3).await?.next,
                    })
                })
            });
            for start in [offset(0), offset(40_000), Start { after: next.await, offset: 0 }] {
                let plan = explain(&query, Some(start.clone()), of_accounts).await;
                assert!(!walks(&plan), "{filter} {sorters} from {start:?}: {plan:#?}");
            }
            // How many there are of everything, or of half of it, PostgreSQL may find in the table sooner.
            if !filter.is_empty() && !filter.contains("source") {
                let plan = explain(&query, None, of_accounts).await;
                assert!(!walks(&plan), "the count of {filter}: {plan:#?}");
            }
        }
        // The test can fail.
        let query = Query::parse(&ACCOUNTS, Some("not uncorrelated eq true and name co \"7\""), Some("created")).expect("understood");
        let unindexed = Query::parse(&IDENTITIES, Some("name co \"77\" and email co \"7\""), Some("cloudStatus")).expect("understood");
        let plans = [explain(&query, None, true).await, explain(&unindexed, None, false).await];
        assert!(plans.iter().any(|plan| walks(plan)), "{plans:#?}");
    }

    async fn no_table_is_walked_for_one_person_or_account(database) {
        fill(&database, PEOPLE / 8).await;
        database.read(|tx| Box::pin(async move {
            let statements = SOURCES.iter().flat_map(|text| text.split('"')).filter(|text| {
                let text = text.trim_start();
                text.starts_with("SELECT ") && (text.contains("FROM identity") || text.contains("FROM account"))
            });
            if let Tx::Sqlite(connection) = tx {
                let mut explained = 0;
                for text in statements.clone().filter(|text| !text.contains("OFFSET")) {
                    // What PostgreSQL alone understands changes nothing about the way.
                    let text = text.trim_end().trim_end_matches("FOR UPDATE").trim_end_matches("FOR NO KEY UPDATE");
                    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).expect(text);
                    let mut rows = statement.raw_query();
                    let mut plan = Vec::new();
                    while let Some(row) = rows.next().expect(text) {
                        plan.push(row.get::<_, String>(3).expect("a step"));
                    }
                    // Those with levels are few, and have an index of their own.
                    plan.retain(|step| step != "SCAN identity USING INDEX identity_levels");
                    assert!(!walks(&plan), "{text}: {plan:?}");
                    explained += 1;
                }
                assert!(explained >= 9, "{explained}");
            }
            let before = scans(tx).await;
            let (person, one) = (IdentityId(Uuid::from_u128(77)), AccountId(Uuid::from_u128((1 << 32) + 77)));
            let directory = source_id(1);
            // What query-password-info, set-password and judging read.
            assert_eq!(identity::get(tx, person).await?.id, person);
            assert_eq!(identity::is_enabled(tx, person).await?, Some(true));
            assert_eq!(identity::find_by_alias(tx, "PERSON77").await?.map(|found| found.id), Some(person));
            assert!(identity::levels(tx, person).await?.is_empty());
            assert_eq!(identity::tokens_valid_from(tx, person).await?, None);
            assert_eq!(account::list_of(tx, person).await?.len(), 3);
            assert_eq!(account::get(tx, one).await?.id, one);
            assert_eq!(account::find_by_native_key(tx, directory, "cn=77").await?.map(|found| found.id), Some(one));
            assert_eq!(account::find_by_stable_id(tx, directory, "s77").await?.map(|found| found.id), Some(one));
            if let (Some(before), Some(after)) = (before, scans(tx).await) {
                let asked = after.map(|(_, seq, index)| (seq, index)).into_iter().zip(before);
                let asked: Vec<_> = asked.map(|((seq, index), (_, was, had))| (seq - was, index - had)).collect();
                assert_eq!(asked, [(0, 4), (0, 5)], "accounts, and identities");
            }
            Ok(())
        }))
        .await;
    }
}
