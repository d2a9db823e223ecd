//! How long parts of the two long lists take: the first page, one far inside that was walked to, one that was jumped to, the
//! count, and what filters find.
//!
//! The database is asked through the store, in this process: what the API adds is the same for each page.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use clap::Args;
use lockstep_core::account::Account;
use lockstep_core::filter::Query;
use lockstep_core::filter::collections::{ACCOUNTS, IDENTITIES};
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::source::Source;
use lockstep_store::listing::Start;
use lockstep_store::{Options, Store, Tx, account, identity, listing, source};
use lockstep_vault::secret::draw_id_at;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// How many people share a transaction.
const BATCH: usize = 5_000;
/// As the API has it.
const PAGE: u32 = 250;
/// How often each page is asked for.
const TIMES: usize = 15;

/// Fill a database with people, each with an account on IdentityNow and on two more sources, and measure its lists
#[derive(Debug, Args)]
pub(crate) struct Lists {
    /// The database: sqlite:PATH or postgres://…, empty, or filled by this command before
    #[arg(long)]
    store: String,
    /// How many people
    #[arg(long, default_value_t = 1_000_000)]
    people: usize,
}

pub(crate) async fn run(Lists { store: address, people }: Lists) -> Result<Value> {
    let store = Store::open(&address, Options::default()).await.context("cannot open the database")?;
    let time = DateTime::from_timestamp(1_795_000_000, 0).context("a time")?;
    store.migrate(time).await?;
    let stored = store.read(|tx: &mut Tx<'_>| Box::pin(identity::count(tx))).await?;
    let began = Instant::now();
    if stored == 0 {
        fill(&store, people, time).await.context("cannot store people")?;
    } else {
        ensure!(usize::try_from(stored)? == people, "the database has {stored} people");
    }
    let filled = began.elapsed().as_secs_f64();
    settle(&address).await?;
    let identities = measure(&store, List::Identities, people).await?;
    let accounts = measure(&store, List::Accounts, 3 * people).await?;
    store.close().await;
    Ok(json!({ "people": people, "fill_seconds": filled, "identities": identities, "accounts": accounts }))
}

/// What PostgreSQL does by itself after a while: which pages everybody may read in an index alone, and what the values are.
async fn settle(address: &str) -> Result<()> {
    if address.starts_with("postgres") {
        let mut connection = PgConnection::connect(address).await?;
        sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await?;
        connection.close().await?;
    }
    Ok(())
}

async fn fill(store: &Store, people: usize, time: DateTime<Utc>) -> Result<()> {
    let sources = [Uuid::from_u128(1), Uuid::from_u128(2)].map(SourceId);
    let mut numbers = 0..people;
    store
        .write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                for (place, id) in sources.iter().enumerate() {
                    source::put(tx, &place_of_accounts(*id, place), time).await?;
                }
                Ok::<_, lockstep_store::Error>(())
            })
        })
        .await?;
    loop {
        let batch: Vec<_> = numbers
            .by_ref()
            .take(BATCH)
            .map(|number| {
                let time = time + Duration::from_millis(number as u64);
                (time, person(number, sources, time))
            })
            .collect();
        if batch.is_empty() {
            return Ok(());
        }
        let written = store.write(move |tx: &mut Tx<'_>| {
            let batch = batch.clone();
            Box::pin(async move {
                for (time, (person, accounts)) in &batch {
                    identity::put(tx, person, *time).await?;
                    for one in accounts {
                        account::put(tx, one, &one.native_id.to_lowercase(), *time).await?;
                    }
                }
                Ok::<_, lockstep_store::Error>(())
            })
        });
        written.await?;
    }
}

fn place_of_accounts(id: SourceId, place: usize) -> Source {
    Source {
        id,
        name: format!("Source {place}"),
        description: String::new(),
        connector: "sql".to_owned(),
        config: json!({}),
        features: [].into(),
        policy_holders: Vec::new(),
        concurrency: Source::CONCURRENCY,
        aggregation: Default::default(),
    }
}

/// As aggregation and imports make them: with ids that are ordered by time.
fn person(number: usize, sources: [SourceId; 2], time: DateTime<Utc>) -> (Identity, [Account; 3]) {
    const FIRST: [&str; 8] = ["Abby", "Bo", "Chiara", "Dmitri", "Esra", "Fionn", "Gabriela", "Hamid"];
    const LAST: [&str; 7] = ["Smith", "Okafor", "Lindqvist", "Moreau", "Tanaka", "Kowalska", "Haddad"];
    let (id, alias) = (draw_id_at(time), format!("person{number:07}"));
    let (first, last) = (FIRST[number % FIRST.len()], LAST[number % LAST.len()]);
    let name = format!("{first} {last} {number:07}");
    let on = |account, source, native_id: String| Account {
        id: AccountId(account),
        identity: Some(IdentityId(id)),
        source,
        stable_id: native_id.clone(),
        native_id,
        name: alias.clone(),
        password_sync: true,
        attributes: BTreeMap::from([("title".to_owned(), "Engineer".to_owned())]),
        vanished: false,
    };
    let accounts = [
        on(id, SourceId::IDENTITY_NOW, id.simple().to_string()),
        on(draw_id_at(time), sources[0], format!("uid={alias},ou=people,dc=example,dc=test")),
        on(draw_id_at(time), sources[1], alias.clone()),
    ];
    let attributes = [("department", "Finance"), ("firstname", first), ("lastname", last)];
    let identity = Identity {
        id: IdentityId(id),
        display_name: name,
        email: Some(format!("{alias}@example.test")),
        attributes: attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        sign_in_source: SourceId::IDENTITY_NOW,
        enabled: !number.is_multiple_of(50),
        alias,
    };
    (identity, accounts)
}

#[derive(Debug, Clone, Copy)]
enum List {
    Identities,
    Accounts,
}

async fn measure(store: &Store, list: List, entries: usize) -> Result<Value> {
    let (filters, orders): (&[&str], &[&str]) = match list {
        List::Identities => (
            &[
                r#"alias eq "PERSON0500000""#,
                r#"name sw "chiara t""#,
                r#"email sw "person05""#,
                r#"lastname eq "Moreau""#,
                r#"cloudStatus eq "DISABLED""#,
            ],
            &["", "name", "alias", "-cloudStatus"],
        ),
        List::Accounts => (
            &[
                r#"nativeIdentity eq "uid=Person0500000,ou=people,dc=example,dc=test""#,
                r#"name sw "person05""#,
                r#"sourceId eq "00000000000000000000000000000001""#,
                r#"identity.name sw "Chiara Tanaka 05""#,
                "modified gt 2026-11-18T11:20:00Z",
            ],
            &["", "name", "identityId", "-modified"],
        ),
    };
    let mut told = serde_json::Map::new();
    let mut tell = |what: String, milliseconds: f64| {
        told.insert(what, json!((milliseconds * 100.0).round() / 100.0));
    };
    for sorters in orders {
        let query = list.query("", sorters)?;
        let by = if sorters.is_empty() { "id" } else { sorters };
        for (tenths, share) in [(3, "30 %"), (7, "70 %"), (9, "90 %")] {
            let start = Start { after: None, offset: (entries as u64) * tenths / 10 };
            let [time] = list.time(store, &query, &[start]).await?;
            tell(format!("by {by}: jump to {share}"), time);
        }
        let mut start = Start::default();
        for _ in 1..4_000.min(entries / PAGE as usize) {
            start = Start { after: list.page(store, &query, &start).await?.1, offset: 0 };
        }
        let [first, walked] = list.time(store, &query, &[Start::default(), start]).await?;
        tell(format!("by {by}: page 1"), first);
        tell(format!("by {by}: page 4,000, walked to"), walked);
    }
    tell("count".to_owned(), list.time_of_count(store, &list.query("", "")?).await?);
    for filter in filters {
        let query = list.query(filter, "")?;
        let [first] = list.time(store, &query, &[Start::default()]).await?;
        tell(format!("{filter}: page 1"), first);
        tell(format!("{filter}: count"), list.time_of_count(store, &query).await?);
    }
    Ok(Value::Object(told))
}

impl List {
    fn query(self, filters: &str, sorters: &str) -> Result<Query> {
        let collection = match self {
            Self::Identities => &IDENTITIES,
            Self::Accounts => &ACCOUNTS,
        };
        Ok(Query::parse(collection, Some(filters), Some(sorters))?)
    }

    /// How many entries a page has, and what comes after it.
    async fn page(self, store: &Store, query: &Query, start: &Start) -> Result<(usize, Option<listing::Cursor>)> {
        let (query, start) = (query.clone(), start.clone());
        let read = store.scan(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                match self {
                    Self::Identities => {
                        listing::identities(tx, &query, &start, PAGE).await.map(|page| (page.entries.len(), page.next))
                    }
                    Self::Accounts => {
                        listing::accounts(tx, &query, &start, PAGE).await.map(|page| (page.entries.len(), page.next))
                    }
                }
            })
        });
        Ok(read.await?)
    }

    /// The medians of pages that are asked for in turns, in milliseconds.
    async fn time<const N: usize>(self, store: &Store, query: &Query, starts: &[Start; N]) -> Result<[f64; N]> {
        let mut times = [const { Vec::new() }; N];
        for _ in 0..TIMES {
            for (start, times) in starts.iter().zip(&mut times) {
                let began = Instant::now();
                let page = self.page(store, query, start).await?.0;
                times.push(began.elapsed());
                ensure!(page > 0, "a page is empty: {query:?}, {start:?}");
            }
        }
        Ok(times.map(median))
    }

    async fn time_of_count(self, store: &Store, query: &Query) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let (began, wanted) = (Instant::now(), query.clone());
            let read = store.scan(move |tx: &mut Tx<'_>| {
                Box::pin(async move {
                    match self {
                        Self::Identities => listing::count_identities(tx, &wanted).await,
                        Self::Accounts => listing::count_accounts(tx, &wanted).await,
                    }
                })
            });
            let counted = read.await?;
            ensure!(counted > 0, "nothing is counted: {query:?}");
            times.push(began.elapsed());
        }
        Ok(median(times))
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| 1000.0 * time.as_secs_f64())
}
