//! Two nodes share the work; one that stops hands its share over, one that dies loses it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{QUICK, SLACK, Town, bucket};
use crate::system::api::Api;
use crate::system::installation::files_below;
use crate::system::kill::driver::{self, Driver, Request, alias};
use crate::system::{fresh_password, until};

/// How long an account may wait for its node on average. The rows are polled every two seconds.
const PROMPT: Duration = Duration::from_millis(900);

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_the_work_though_their_clocks_are_ten_minutes_apart() {
    const PEOPLE: usize = 12;
    let mut town = Town::new("sharing", 600, PEOPLE, QUICK).await;
    town.fleet.start(0, None);
    town.fleet.ready(0).await;
    let (library, address) = (faketime(), town.fleet.address(1));
    let ahead = [
        ("LD_PRELOAD", library.to_str().expect("text")),
        ("FAKETIME", "+10m"),
        // What does not jump in an installation does not jump here.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    town.fleet.spawn(1, &["serve", "--listen", &address], &ahead);
    town.fleet.ready(1).await;
    let took = town.shared().await;
    town.say(format_args!("each node has half of the buckets after {took:.1?}"));

    let status = town.status().await;
    assert_eq!(status["orphanedBuckets"], 0, "{status}");
    let nodes = status["nodes"].as_array().expect("nodes");
    assert_eq!(nodes.len(), 2, "{status}");
    for (node, address) in nodes.iter().zip([town.fleet.address(0), address]) {
        assert!(node["name"].as_str().expect("a name").contains(&address), "oldest first: {status}");
        assert_eq!((&node["state"], &node["buckets"]), (&"alive".into(), &128.into()), "{status}");
    }
    let started =
        |node: usize| nodes[node]["startedAt"].as_str().expect("a time").parse::<chrono::DateTime<chrono::Utc>>();
    let apart = started(1).expect("a time") - started(0).expect("a time");
    assert!(apart.num_minutes() >= 10, "the second node's clock is not ahead: {status}");

    // Each change is accepted by the node that does not carry it out, and its client waits there.
    let apis = town.fleet.apis().await;
    let ahead = Api::sign_in(&format!("http://{}", town.fleet.address(1))).await;
    let owners = town.owners().await;
    let mut took = [Vec::new(), Vec::new()];
    let mut requests = Vec::new();
    for number in 0..PEOPLE {
        // Tokens of either node are taken by both.
        let info = ahead.at(&format!("http://{}", town.fleet.address(0))).ask(&alias(number), "IdentityNow").await;
        let owner = owners[&bucket(&info.identity_id)];
        let begin = Instant::now();
        let password = fresh_password("shared");
        let answer = apis[1 - owner].set_and_wait(&info.change_to(&password)).await;
        assert_eq!(answer["state"], "FINISHED", "{answer}");
        took[owner].push(begin.elapsed());
        let id = answer["requestId"].as_str().expect("an id").to_owned();
        requests.push(Request { password, built_in: true, id, sent: Vec::new() });
    }
    for (owner, took) in took.iter().enumerate().filter(|(_, took)| !took.is_empty()) {
        let mean = took.iter().sum::<Duration>() / took.len() as u32;
        town.say(format_args!("{} changes for node {owner}, accepted by the other: {mean:.0?} each", took.len()));
        assert!(mean < PROMPT, "hints do not arrive: {took:?}");
    }

    // The systems of a group, named at either node.
    let mut people = driver::people(&apis[0], PEOPLE, &town.initial).await;
    for (person, request) in people.iter_mut().zip(requests) {
        person.requests.push(request);
    }
    let driver = Driver::start(&apis, people, Duration::from_millis(100), town.begin);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let people = driver.stop().await;
    town.judge(&apis[0], &people).await;
    town.fleet.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_hands_its_share_over_and_one_that_dies_loses_it() {
    const PEOPLE: usize = 24;
    let mut town = Town::new("leaving", 620, PEOPLE, QUICK).await;
    town.fleet.start(0, None);
    town.fleet.ready(0).await;
    let work = async |town: &mut Town| {
        let address = town.fleet.address(1);
        town.fleet.spawn(1, &["worker", "--metrics", &address], &[]);
        town.fleet.ready(1).await;
        let took = town.shared().await;
        town.say(format_args!("the worker has half of the buckets after {took:.1?}"));
    };
    work(&mut town).await;
    // The rows say it first; the node itself learns with its next beat what was given to it.
    let metrics = until("the worker says that half of the buckets are its own", Duration::from_secs(10), async || {
        let answer = reqwest::get(format!("http://{}/metrics", town.fleet.address(1))).await.expect("an answer");
        let metrics = answer.text().await.expect("text");
        metrics.lines().any(|line| line == "lockstep_buckets_owned 128").then_some(metrics)
    })
    .await;
    let age = metrics.lines().find_map(|line| line.strip_prefix("lockstep_node_beat_age_seconds "));
    let age: f64 = age.expect("an age").parse().expect("a number");
    assert!(age < QUICK.timeout.as_secs_f64(), "{age}");

    let apis = town.fleet.apis().await;
    let api = apis[0].clone();
    let people = driver::people(&api, PEOPLE, &town.initial).await;
    let driver = Driver::start(&apis[..1], people, Duration::from_millis(200), town.begin);
    is_writing(&town).await;
    let asked = Instant::now();
    town.fleet.ask_to_stop(1);
    let status = town.fleet.ended(1, Duration::from_secs(60)).await.expect("it stops");
    assert!(status.success(), "{status}");
    let stopped = asked.elapsed();
    // A doubt may have another cause: on a busy machine a system does not answer in time.
    let logs = files_below(&town.fleet.installation.logs());
    let cut_off = |log: &PathBuf| std::fs::read_to_string(log).expect("text").contains("stopped with calls under way");
    assert!(!logs.iter().any(cut_off), "calls were cut off");
    let took = town.has_everything(0, Instant::now()).await;
    town.say(format_args!("asked to stop, the worker ended after {stopped:.1?}; the other had all {took:.1?} later"));
    assert!(took < SLACK, "what is handed over is not taken: {took:?}");
    let status = town.status().await;
    let states: Vec<_> = status["nodes"].as_array().expect("nodes").iter().map(|node| &node["state"]).collect();
    assert!(states.iter().all(|state| *state != "silent"), "{status}");

    work(&mut town).await;
    is_writing(&town).await;
    let killed = Instant::now();
    town.fleet.kill(1).await;
    let took = town.has_everything(0, killed).await;
    town.say(format_args!("killed, the worker's share was the other's after {took:.1?}"));
    assert!(took < QUICK.take_over_limit() + SLACK, "{took:?}");

    let people = driver.stop().await;
    town.judge(&api, &people).await;
    let longest = "SELECT '', (extract(epoch FROM max(settled_at - created_at)) * 1000)::bigint FROM change";
    let longest = Duration::from_millis(town.fleet.installation.store().count(longest).await as u64);
    town.say(format_args!("the longest change took {longest:.1?}"));
    assert!(longest < QUICK.take_over_limit() + 2 * QUICK.grace, "{longest:?}");
    town.fleet.ask_to_stop(0);
    assert!(town.fleet.ended(0, Duration::from_secs(60)).await.expect("it stops").success());
}

/// Waits until the second node is writing an account.
async fn is_writing(town: &Town) {
    let applying = "SELECT '', count(*) FROM target t JOIN bucket b ON b.bucket = t.bucket JOIN node n ON n.id = b.node
         WHERE t.state = 'applying' AND n.name LIKE '% worker pid %'";
    until("the worker writes an account", Duration::from_secs(20), async || {
        (town.fleet.installation.store().count(applying).await > 0).then_some(())
    })
    .await;
}

/// Debian's library that moves the calendar of a process.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a folder").map(|entry| entry.expect("an entry").path());
    let found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.exists());
    found.expect("the package faketime is installed: run cargo xtask test")
}
