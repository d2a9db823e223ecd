//! The database is cut off in the midst of changes, and comes back: everything becomes final, and true.

use std::time::Duration;

use super::{QUICK, Town};
use crate::system::api::Api;
use crate::system::kill::driver::{self, Driver};
use crate::system::own_postgres::OwnPostgres;
use crate::system::until;

const PEOPLE: usize = 24;
/// How long the database is away: a moment, and longer than it takes to be taken for dead.
const AWAY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(4)];

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_lost_in_mid_change_and_comes_back_loses_nothing() {
    let mut postgres = OwnPostgres::new().await;
    let mut town = Town::on(&postgres.url("postgres"), "database", 660, PEOPLE, QUICK).await;
    town.share().await;
    let apis = town.fleet.apis().await;
    let people = driver::people(&apis[0], PEOPLE, &town.initial).await;
    // A server waits for its database for longer than these clients wait for it.
    let clients: Vec<Api> = apis.iter().map(|api| api.impatient(Duration::from_secs(10))).collect();
    let driver = Driver::start(&clients, people, Duration::from_millis(200), town.begin);
    for away in AWAY {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let applying = "SELECT '', count(*) FROM target WHERE state = 'applying'";
        let count = until("accounts are being written", Duration::from_secs(20), async || {
            let count = town.fleet.installation.store().count(applying).await;
            (count > 0).then_some(count)
        })
        .await;
        postgres.cut_off().await;
        tokio::time::sleep(away).await;
        postgres.start().await;
        town.say(format_args!("the database was away for {away:.1?}, with {count} accounts being written before"));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let people = driver.stop().await;
    town.judge(&apis[0], &people).await;

    let status = town.status().await;
    assert_eq!(status["orphanedBuckets"], 0, "{status}");
    town.fleet.stop_all().await;
}
