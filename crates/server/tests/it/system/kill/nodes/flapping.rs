//! A node that joins and dies again and again starves no account: it is given nothing before it has lived for a grace.

use std::time::{Duration, Instant};

use super::{QUICK, Timing, Town, is_proof};
use crate::system::kill::driver::{self, Driver};

const PEOPLE: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_and_dies_again_and_again_starves_nobody() {
    let (timing, every, lasts) = match is_proof() {
        false => (QUICK, Duration::from_secs(4), Duration::from_secs(24)),
        true => {
            let timing = Timing { timeout: Duration::from_secs(10), grace: Duration::from_secs(180) };
            (timing, Duration::from_secs(20), Duration::from_secs(600))
        }
    };
    let mut town = Town::new("flapping", 700, PEOPLE, timing).await;
    town.fleet.start(0, None);
    town.fleet.ready(0).await;
    let api = town.fleet.apis().await.remove(0);
    let people = driver::people(&api, PEOPLE, &town.initial).await;
    let driver = Driver::start(std::slice::from_ref(&api), people, Duration::from_millis(400), town.begin);

    let begin = Instant::now();
    let (mut deaths, mut taken) = (0, 0);
    while begin.elapsed() < lasts {
        let born = Instant::now();
        town.fleet.start(1, None);
        town.fleet.ready(1).await;
        tokio::time::sleep(every.saturating_sub(born.elapsed())).await;
        taken += town.owners().await.values().filter(|owner| **owner == 1).count();
        town.fleet.kill(1).await;
        deaths += 1;
    }
    let people = driver.stop().await;
    town.judge(&api, &people).await;
    let longest = "SELECT '', (extract(epoch FROM max(settled_at - created_at)) * 1000)::bigint FROM change";
    let longest = Duration::from_millis(town.fleet.installation.store().count(longest).await as u64);
    town.say(format_args!(
        "a node joined and died {deaths} times in {:.0?} and had {taken} buckets; the longest change took {longest:.1?}",
        begin.elapsed()
    ));
    assert_eq!(taken, 0, "a node that had lived for less than a grace was given buckets");
    // On a busy machine a system may not answer in time, and what it was told is in doubt once, without any node's death.
    // A doubt that began anew with each death would last as long as all of this.
    let starved = if is_proof() { timing.grace } else { 2 * timing.grace };
    assert!(longest < starved, "an account waited for a doubt: {longest:?}");
    town.fleet.ask_to_stop(0);
    assert!(town.fleet.ended(0, Duration::from_secs(60)).await.expect("it stops").success());
}
