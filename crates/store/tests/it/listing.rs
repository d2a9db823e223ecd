//! The long lists: what is found is what the evaluator in core says, page by page, and no table is walked for it.

mod plans;
mod walk;

use lockstep_core::account::Account;
use lockstep_core::filter::apply::{Record, apply};
use lockstep_core::filter::collections::{ACCOUNTS, IDENTITIES, PUBLIC_IDENTITIES};
use lockstep_core::filter::{Collection, Field, Kind, Operator, Order, Query, Value};
use lockstep_core::id::SourceId;
use lockstep_core::identity::Identity;
use lockstep_store::listing::{ListedAccount, ListedIdentity, Start};
use lockstep_store::{account, identity, listing, source};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::harness::{Database, on_both_engines};
use crate::sample::{
    account as sample_account, at, identity as sample_identity, identity_id, source as sample_source, source_id,
};

/// Names that differ in little, and what means something to one database or the other.
const NAMES: [&str; 22] = [
    "",
    "a",
    "A",
    "ab",
    "Abby",
    "ABBY.SMITH",
    "abby_smith",
    "%",
    "_",
    "50%_off",
    "O'Neil",
    "\"x\"",
    "\\",
    "Zo\u{eb}",
    "zoe\u{308}",
    "\u{c5}ngstr\u{f6}m",
    "Stra\u{df}e",
    "\u{3a3}\u{3b1}\u{3c3}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{10ffff}",
    "b",
];
const PEOPLE: usize = 60;
const ACCOUNTS_EACH: usize = 3;

fn name(n: usize) -> &'static str {
    NAMES[n % NAMES.len()]
}

fn person(n: usize) -> Identity {
    let mut person = sample_identity(n as u128, &format!("{}{n}", name(n)));
    person.display_name = name(n * 7).to_owned();
    person.email = (!n.is_multiple_of(4)).then(|| format!("{}@example.test", name(n * 3)));
    for (key, every) in [("firstname", 3), ("givenName", 2), ("lastname", 5), ("sn", 4)] {
        if n.is_multiple_of(every) {
            person.attributes.insert(key.to_owned(), name(n + every).to_owned());
        }
    }
    person.enabled = !n.is_multiple_of(5);
    person
}

fn account_of(n: usize) -> Account {
    let owner = (!n.is_multiple_of(6)).then(|| identity_id((n / ACCOUNTS_EACH) as u128));
    let mut account = sample_account(n as u128, owner, source_id(1 + n as u128 % 2));
    account.native_id = format!("{}{n}", name(n * 5));
    account.name = name(n * 11).to_owned();
    account.vanished = n % 8 == 7;
    account
}

async fn populate(database: &Database) {
    let work = database.write(|tx| {
        Box::pin(async move {
            source::put(tx, &sample_source(1, "Directory"), at(1)).await?;
            source::put(tx, &sample_source(2, "Table 100%"), at(1)).await?;
            for n in 0..PEOPLE {
                identity::put(tx, &person(n), at(1 + n as i64)).await?;
            }
            for n in 0..PEOPLE * ACCOUNTS_EACH {
                let account = account_of(n);
                account::put(tx, &account, &account.native_id, at(n as i64 % 17)).await?;
                account::put(tx, &account, &account.native_id, at(20 + n as i64 % 13)).await?;
            }
            Ok(())
        })
    });
    work.await;
}

struct Person(ListedIdentity);

impl Record for Person {
    fn value(&self, field: &str) -> Option<Value> {
        let (text, identity) = (|text: &str| Some(Value::Text(text.to_owned())), &self.0.identity);
        match field {
            "id" => Some(Value::Id(identity.id.0)),
            "name" => text(&identity.display_name),
            "alias" => text(&identity.alias),
            "email" => text(identity.email.as_deref()?),
            "firstname" => text(identity.first_name()?),
            "lastname" => text(identity.last_name()?),
            "cloudStatus" => text(if identity.enabled { "ACTIVE" } else { "DISABLED" }),
            _ => panic!("{field} is not a field of identities"),
        }
    }
}

struct Held(ListedAccount);

impl Record for Held {
    fn value(&self, field: &str) -> Option<Value> {
        let (text, account) = (|text: &str| Some(Value::Text(text.to_owned())), &self.0.account);
        match field {
            "id" => Some(Value::Id(account.id.0)),
            "identityId" => account.identity.map(|identity| Value::Id(identity.0)),
            "name" => text(&account.name),
            "nativeIdentity" => text(&account.native_id),
            "sourceId" => Some(Value::Id(account.source.0)),
            "created" => Some(Value::Instant(self.0.created_at)),
            "modified" => Some(Value::Instant(self.0.modified_at)),
            "uncorrelated" => Some(Value::Bool(account.identity.is_none())),
            "identity.correlated" => account.identity.map(|_| Value::Bool(true)),
            "identity.name" => text(self.0.identity_name.as_deref()?),
            "identity.identityState" => text(if self.0.identity_enabled? { "ACTIVE" } else { "INACTIVE_SHORT_TERM" }),
            "source.displayableName" => text(if account.source == source_id(1) { "Directory" } else { "Table 100%" }),
            _ => panic!("{field} is not a field of accounts"),
        }
    }
}

/// A filter, as a client writes it.
fn filters(collection: &'static Collection) -> impl Strategy<Value = String> {
    let fields: Vec<&'static Field> = collection.fields.iter().filter(|field| !field.operators.is_empty()).collect();
    let condition = (
        prop::sample::select(fields),
        any::<prop::sample::Index>(),
        prop::collection::vec(0..400_usize, 3),
    )
        .prop_map(|(field, operator, values)| {
            let operator = field.operators[operator.index(field.operators.len())];
            let value = |n: &usize| value(field, operator, *n);
            match operator {
                Operator::Present | Operator::Null => format!("{} {operator}", field.name),
                Operator::In | Operator::ContainsAll => {
                    format!("{} {operator} ({})", field.name, values.iter().map(value).collect::<Vec<_>>().join(", "))
                }
                _ => format!("{} {operator} {}", field.name, value(&values[0])),
            }
        });
    condition.prop_recursive(4, 12, 3, |inner| {
        let list = |word: &'static str, parts: Vec<String>| format!("({})", parts.join(word));
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(move |parts| list(" and ", parts)),
            prop::collection::vec(inner.clone(), 2..4).prop_map(move |parts| list(" or ", parts)),
            inner.prop_map(|part| format!("not {part}")),
        ]
    })
}

fn value(field: &Field, operator: Operator, n: usize) -> String {
    match field.kind {
        Kind::Bool => n.is_multiple_of(2).to_string(),
        Kind::Instant => at(n as i64 % 34).to_rfc3339(),
        Kind::Id => {
            let id = match n % 4 {
                0 => source_id(n as u128 % 3).0,
                1 => identity_id(n as u128 % PEOPLE as u128).0,
                _ => account_of(n % (PEOPLE * ACCOUNTS_EACH)).id.0,
            };
            let (id, end) = (id.simple().to_string(), if operator == Operator::StartsWith { n % 33 } else { 32 });
            format!("\"{}\"", &id[..end])
        }
        Kind::Text | Kind::Name | Kind::Words => {
            let words =
                ["ACTIVE", "DISABLED", "INACTIVE_SHORT_TERM", "AGGREGATED", "direct", "Directory", "Table 100%"];
            let text = match (field.kind, n % 4) {
                (Kind::Text, _) => words[n / 4 % words.len()].to_owned(),
                (_, 0) => name(n / 4).to_uppercase(),
                (_, 1) if field.name == "email" => format!("{}@example.test", name(n)),
                (_, 1) => format!("{}{n}", name(n)),
                _ => name(n / 4).to_owned(),
            };
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
    }
}

/// An order, as a client writes it.
fn sorters(collection: &'static Collection) -> impl Strategy<Value = String> {
    let fields: Vec<&'static str> =
        collection.fields.iter().filter(|field| field.order == Order::Asked).map(|field| field.name).collect();
    let most = fields.len().min(2);
    prop::sample::subsequence(fields, 0..=most).prop_shuffle().prop_flat_map(|fields| {
        prop::collection::vec(any::<bool>(), fields.len()).prop_map(move |descending| {
            let sign = |descending: &bool| if *descending { "-" } else { "" };
            let parts =
                fields.iter().zip(&descending).map(|(field, descending)| format!("{}{field}", sign(descending)));
            parts.collect::<Vec<_>>().join(",")
        })
    })
}

async fn people(database: &Database, query: &Query, start: Start, limit: u32) -> listing::Page<ListedIdentity> {
    let query = query.clone();
    database.read(move |tx| Box::pin(async move { listing::identities(tx, &query, &start, limit).await })).await
}

async fn held(database: &Database, query: &Query, start: Start, limit: u32) -> listing::Page<ListedAccount> {
    let query = query.clone();
    database.read(move |tx| Box::pin(async move { listing::accounts(tx, &query, &start, limit).await })).await
}

fn offset(offset: u64) -> Start {
    Start { after: None, offset }
}

on_both_engines! {
    async fn what_a_filter_finds_and_in_which_order_is_what_core_says(database) {
        populate(&database).await;
        let everybody: Vec<_> = people(&database, &Query::ALL, offset(0), 1_000).await.entries;
        assert_eq!(everybody.len(), PEOPLE);
        let stored = person(14);
        let found = everybody.iter().find(|listed| listed.identity.id == stored.id).expect("listed");
        assert_eq!((&found.identity, found.created_at, found.modified_at), (&stored, at(15), at(15)));
        let all: Vec<_> = held(&database, &Query::ALL, offset(0), 1_000).await.entries;
        let living = (0..PEOPLE * ACCOUNTS_EACH).map(account_of).filter(|account| !account.vanished);
        assert_eq!(all.len(), living.count(), "tombstones are not in the list");
        assert!(all.iter().any(|listed| listed.account == account_of(4) && listed.identity_name == Some(name(7).to_owned())));
        let (everybody, all): (Vec<_>, Vec<_>) =
            (everybody.into_iter().map(Person).collect(), all.into_iter().map(Held).collect());

        let mut runner = TestRunner::deterministic();
        let mut some = 0;
        for round in 0..600_usize {
            let collection = [&IDENTITIES, &PUBLIC_IDENTITIES, &ACCOUNTS, &ACCOUNTS][round % 4];
            let (filter, sorters) =
                (filters(collection), sorters(collection)).new_tree(&mut runner).expect("a query").current();
            let query = Query::parse(collection, Some(&filter), Some(&sorters)).expect("understood");
            let (skipped, limit) = (round as u64 % 3 * 5, 1 + round as u32 % 40);
            let counting = query.clone();
            let of_accounts = collection.name == ACCOUNTS.name;
            let counted = database.read(move |tx| Box::pin(async move {
                match of_accounts {
                    true => listing::count_accounts(tx, &counting).await,
                    false => listing::count_identities(tx, &counting).await,
                }
            }));
            let counted = counted.await;
            let (found, expected, total) = if of_accounts {
                let part = apply(all.iter().collect(), &query, skipped as usize, limit as usize);
                let expected: Vec<_> = part.records.iter().map(|one| one.0.account.id.0).collect();
                let found = held(&database, &query, offset(skipped), limit).await.entries;
                (found.iter().map(|one| one.account.id.0).collect::<Vec<_>>(), expected, part.total)
            } else {
                let part = apply(everybody.iter().collect(), &query, skipped as usize, limit as usize);
                let expected: Vec<_> = part.records.iter().map(|one| one.0.identity.id.0).collect();
                let found = people(&database, &query, offset(skipped), limit).await.entries;
                (found.iter().map(|one| one.identity.id.0).collect::<Vec<_>>(), expected, part.total)
            };
            assert_eq!(found, expected, "{filter} sorted by {sorters:?} from {skipped}, {limit} at most");
            assert_eq!(counted, total as i64, "{filter}");
            some += usize::from(!found.is_empty());
        }
        assert!(some > 200, "most filters found nothing: {some}");
    }

    async fn a_text_is_no_more_than_itself(database) {
        populate(&database).await;
        for (filter, expected) in [
            (r#"name eq "%""#, 1),
            (r#"name co "_""#, 3),
            (r#"name eq "' OR 1=1 --""#, 0),
            (r#"name sw "50%""#, 1),
            (r#"name eq "ZO\u{cb}""#, 2),
        ] {
            let filter = filter.replace("\\u{cb}", "\u{cb}");
            let query = Query::parse(&IDENTITIES, Some(&filter), None).expect("understood");
            let names: std::collections::BTreeSet<String> = people(&database, &query, offset(0), 250)
                .await
                .entries
                .into_iter()
                .map(|listed| listed.identity.display_name)
                .collect();
            assert_eq!(names.len(), expected, "{filter}: {names:?}");
        }
        let built_in = Query::parse(&ACCOUNTS, Some(&format!("sourceId eq \"{}\"", SourceId::IDENTITY_NOW)), None);
        assert!(held(&database, &built_in.expect("understood"), offset(0), 250).await.entries.is_empty());
    }
}
