//! Clients that go on whatever happens to the servers: a request that got no answer is sent again, the very same. What
//! was sent when, and what was answered, is their own log.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::world::GROUP;
use crate::system::api::{Api, PasswordInfo};
use crate::system::fresh_password;

/// How many clients send at once.
const CLIENTS: usize = 8;
/// How long all servers may be away.
const PATIENCE: Duration = Duration::from_secs(120);
/// One request in so many is for the built-in source alone.
const BUILT_IN: usize = 5;
/// How many requests a person sends at most without a pause in between.
const BURST: usize = 3;

/// A person, with what was asked for in order.
pub(super) struct Person {
    pub(super) initial: String,
    pub(super) requests: Vec<Request>,
    number: usize,
    group: PasswordInfo,
    built_in: PasswordInfo,
}

/// A request that was accepted in the end.
pub(super) struct Request {
    pub(super) password: String,
    /// Whether it is for the built-in source alone.
    pub(super) built_in: bool,
    /// What the server called it.
    pub(super) id: String,
    /// Each time that it was sent: when, and what was answered.
    pub(super) sent: Vec<(Duration, String)>,
}

impl Person {
    /// The requests for the group's password.
    pub(super) fn for_group(&self) -> impl Iterator<Item = (usize, &Request)> {
        self.requests.iter().enumerate().filter(|(_, request)| !request.built_in)
    }

    /// What the log says of this person.
    pub(super) fn story(&self) -> String {
        let line =
            |(place, request): (usize, &Request)| format!("    {}: {} {:?}\n", place + 1, request.id, request.sent);
        self.for_group().map(line).collect()
    }
}

/// The alias of a person, which is the login in the tables too.
pub(super) fn alias(number: usize) -> String {
    format!("person{number:03}")
}

/// Everybody. The members of the group take turns in being named.
pub(super) async fn people(api: &Api, count: usize, initial: &str) -> Vec<Person> {
    let mut people = Vec::new();
    for number in 0..count {
        let group = api.ask(&alias(number), GROUP[number % GROUP.len()]).await;
        let built_in = api.ask(&alias(number), "IdentityNow").await;
        people.push(Person { initial: initial.to_owned(), requests: Vec::new(), number, group, built_in });
    }
    people
}

/// The clients at work.
pub(super) struct Driver {
    clients: Vec<JoinHandle<Vec<Person>>>,
    stop: CancellationToken,
}

impl Driver {
    /// Begins to send. A person's requests are sent in order, each when the one before was accepted; nobody waits for
    /// a change to be final.
    pub(super) fn start(apis: &[Api], people: Vec<Person>, pace: Duration, begin: Instant) -> Self {
        let stop = CancellationToken::new();
        let mut shares: Vec<Vec<Person>> = (0..CLIENTS).map(|_| Vec::new()).collect();
        for person in people {
            shares[person.number % CLIENTS].push(person);
        }
        let client = |share| {
            let client = Client { apis: apis.to_vec(), pace, begin, stop: stop.clone() };
            tokio::spawn(client.work(share))
        };
        Self { clients: shares.into_iter().map(client).collect(), stop }
    }

    /// Sends nothing new, waits until everything that was sent is accepted, and gives the people back in order.
    pub(super) async fn stop(self) -> Vec<Person> {
        self.stop.cancel();
        let mut people = Vec::new();
        for client in self.clients {
            people.extend(client.await.expect("a client"));
        }
        people.sort_by_key(|person| person.number);
        people
    }
}

struct Client {
    apis: Vec<Api>,
    pace: Duration,
    begin: Instant,
    stop: CancellationToken,
}

impl Client {
    async fn work(self, mut share: Vec<Person>) -> Vec<Person> {
        for round in 0.. {
            for person in &mut share {
                for _ in 0..=(person.number + round) % BURST {
                    if self.stop.is_cancelled() {
                        return share;
                    }
                    let request = self.insist(person).await;
                    person.requests.push(request);
                }
                tokio::time::sleep(self.pace).await;
            }
        }
        share
    }

    /// Sends the person's next request until it is accepted, to one node and then to another.
    async fn insist(&self, person: &Person) -> Request {
        let place = person.requests.len();
        let built_in = (person.number + place) % BUILT_IN == BUILT_IN - 1;
        let password = fresh_password(&format!("p{}-{}", person.number, place + 1));
        let body: Value = if built_in { &person.built_in } else { &person.group }.change_to(&password);
        let mut sent = Vec::new();
        let sending = async {
            for turn in person.number.. {
                let at = self.begin.elapsed();
                let answer = self.apis[turn % self.apis.len()].send_set(&body).await;
                let (said, id) = match answer {
                    None => ("no answer".to_owned(), None),
                    Some((status, body)) if status == 202 => {
                        let id = body["requestId"].as_str().expect("a request id").to_owned();
                        (format!("{status}"), Some(id))
                    }
                    Some((status, _)) if status.is_server_error() => (format!("{status}"), None),
                    Some((status, body)) => panic!("refused, although nothing is wrong with it: {status} {body}"),
                };
                sent.push((at, said));
                match id {
                    Some(id) => return id,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
            unreachable!("numbers do not end")
        };
        let id = tokio::time::timeout(PATIENCE, sending).await.expect("a server comes back");
        Request { password, built_in, id, sent }
    }
}
