//! Walking a list while it changes.

use std::collections::BTreeSet;
use std::time::Duration;

use lockstep_core::filter::Query;
use lockstep_core::filter::collections::{ACCOUNTS, IDENTITIES};
use lockstep_core::id::{AccountId, IdentityId};
use lockstep_store::listing::{Cursors, Limits, Start};
use lockstep_store::{account, identity};

use super::{held, offset, people, populate};
use crate::harness::{Database, on_both_engines};
use crate::sample::{account as sample_account, at, identity as sample_identity, source_id};

const PAGE: u32 = 7;

/// Walks the list of accounts as a client does that only names places.
async fn walk(
    database: &Database,
    query: &Query,
    cursors: &Cursors,
    mut between: impl AsyncFnMut(u64),
) -> Vec<AccountId> {
    let (mut seen, mut place, now) = (Vec::new(), 0, Duration::from_secs(1));
    loop {
        let page = held(database, query, cursors.start("walk", place, now), PAGE).await;
        place += page.entries.len() as u64;
        if let Some(next) = page.next {
            cursors.remember("walk", place, next, now);
        }
        seen.extend(page.entries.iter().map(|listed| listed.account.id));
        if page.entries.len() < PAGE as usize {
            return seen;
        }
        between(place).await;
    }
}

on_both_engines! {
    async fn a_walk_from_page_to_page_is_the_list_in_every_order(database) {
        populate(&database).await;
        for sorters in
            ["", "-id", "name", "-name", "identityId", "-identityId", "-identityId,name", "sourceId,-created", "-modified"]
        {
            let query = Query::parse(&ACCOUNTS, Some("hasEntitlements eq false"), Some(sorters)).expect("understood");
            let whole = held(&database, &query, offset(0), 1_000).await.entries;
            let whole: Vec<_> = whole.iter().map(|listed| listed.account.id).collect();
            let cursors = Cursors::new(Limits::default());
            assert_eq!(walk(&database, &query, &cursors, async |_| {}).await, whole, "{sorters}");
            // From any place that is known, as from the beginning, over the ends of what has equal keys too.
            for skipped in [0, 1, 3, 10, 60, 150, 1_000] {
                let start = cursors.start("walk", 14, Duration::from_secs(2));
                assert!(start.after.is_some() && start.offset == 0);
                let page = held(&database, &query, Start { offset: skipped, ..start }, PAGE).await.entries;
                let page: Vec<_> = page.iter().map(|listed| listed.account.id).collect();
                let expected: Vec<_> = whole.iter().copied().skip(14 + skipped as usize).take(PAGE as usize).collect();
                assert_eq!(page, expected, "{sorters} from {skipped} after 14");
            }
        }
        for sorters in ["name", "-alias", "alias", "cloudStatus", "-cloudStatus", "cloudStatus,-name"] {
            let query = Query::parse(&IDENTITIES, None, Some(sorters)).expect("understood");
            let whole = people(&database, &query, offset(0), 1_000).await.entries;
            let (mut seen, mut start) = (Vec::new(), Start::default());
            loop {
                let page = people(&database, &query, start, PAGE).await;
                seen.extend(page.entries);
                match page.next {
                    Some(_) => start = Start { after: page.next, offset: 0 },
                    None => break,
                }
            }
            assert_eq!(seen, whole, "{sorters}");
        }
    }

    async fn what_comes_and_goes_shows_nothing_twice_and_hides_nothing_that_stays(database) {
        populate(&database).await;
        for (round, sorters) in ["", "name", "-name", "identityId"].into_iter().enumerate() {
            let query = Query::parse(&ACCOUNTS, None, Some(sorters)).expect("understood");
            let before = held(&database, &query, offset(0), 1_000).await.entries;
            let before: Vec<_> = before.iter().map(|listed| listed.account.id).collect();
            let cursors = Cursors::new(Limits::default());
            let gone = std::cell::RefCell::new(BTreeSet::new());
            let seen = walk(&database, &query, &cursors, async |place| {
                // One comes at the front and at the end of each order; the entry that the page ended with goes, and one before.
                let number = 1_000_000 * (round as u128 + 1) + u128::from(place);
                let last = before.get(place as usize - 1).copied();
                let first = before.get(place as usize / 2).copied();
                gone.borrow_mut().extend([last, first].into_iter().flatten());
                let gone: Vec<_> = [last, first].into_iter().flatten().collect();
                let work = database.write(move |tx| {
                    let gone = gone.clone();
                    Box::pin(async move {
                        for (number, name) in [(number, ""), (number * 1_000, "\u{10ffff}\u{10ffff}")] {
                            let mut new = sample_account(number, None, source_id(1));
                            new.name = name.to_owned();
                            account::put(tx, &new, &new.native_id, at(50)).await?;
                        }
                        let low = sample_account(0, None, source_id(2));
                        let low = lockstep_core::account::Account {
                            id: AccountId(uuid::Uuid::from_u128(number)),
                            stable_id: format!("low {number}"),
                            native_id: format!("low {number}"),
                            ..low
                        };
                        account::put(tx, &low, &low.native_id, at(50)).await?;
                        for id in gone {
                            let mut account = account::get(tx, id).await?;
                            account.vanished = true;
                            account::put(tx, &account, &account.native_id, at(51)).await?;
                        }
                        Ok(())
                    })
                });
                work.await;
            });
            let seen = seen.await;
            let gone = gone.into_inner();
            let once: BTreeSet<_> = seen.iter().copied().collect();
            assert_eq!(once.len(), seen.len(), "{sorters}: something was shown twice");
            for id in before.iter().filter(|id| !gone.contains(id)) {
                assert!(once.contains(id), "{sorters}: {id} stayed and was not shown");
            }
        }
    }

    async fn what_a_person_is_found_by_follows_what_is_stored(database) {
        let mut abby = sample_identity(1, "Abby.Smith");
        let find = async |filter: &str| {
            let query = Query::parse(&IDENTITIES, Some(filter), None).expect("understood");
            let found: Vec<IdentityId> =
                people(&database, &query, offset(0), 9).await.entries.iter().map(|one| one.identity.id).collect();
            found.len()
        };
        abby.attributes = [("givenName", "Abigail"), ("sn", "Smith")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let put = abby.clone();
        database.write(move |tx| Box::pin(async move { identity::put(tx, &put, at(1)).await })).await;
        assert_eq!(find(r#"firstname eq "ABIGAIL" and lastname sw "smi" and alias eq "abby.smith""#).await, 1);
        abby.attributes.insert("firstname".to_owned(), "Abby".to_owned());
        abby.attributes.remove("sn");
        abby.email = None;
        let put = abby.clone();
        database.write(move |tx| Box::pin(async move { identity::put(tx, &put, at(2)).await })).await;
        assert_eq!(find(r#"firstname eq "abigail""#).await, 0);
        assert_eq!(find(r#"firstname eq "abby" and lastname isnull and not email pr"#).await, 1);
    }
}
