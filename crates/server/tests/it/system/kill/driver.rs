//! Clients that go on whatever happens to the server: a request that got no answer is sent again, the very same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{CHANGES, PEOPLE, SOURCES};
use crate::system::api::Api;
use crate::system::fresh_password;

/// How many clients send at once.
const CLIENTS: usize = 16;
/// How long the server may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// A person with the changes that are asked for, in order.
pub(super) struct Person {
    initial: String,
    pub(super) requests: Vec<Request>,
}

/// A request for a change.
pub(super) struct Request {
    password: String,
    body: Value,
    /// What the server called it, once it said so.
    pub(super) id: Option<String>,
}

impl Person {
    /// The password of the change at a place that counts from 1; at 0 is the one before all.
    pub(super) fn password(&self, place: usize) -> &str {
        match place {
            0 => &self.initial,
            place => &self.requests[place - 1].password,
        }
    }
}

/// The alias of a person, which is the login in the tables too.
pub(super) fn alias(number: usize) -> String {
    format!("person{number:03}")
}

/// Everybody, with every request encrypted beforehand. The members of the group take turns in being named.
pub(super) async fn people(api: &Api, initial: &str) -> Vec<Person> {
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let info = api.ask(&alias(number), SOURCES[number % SOURCES.len()]).await;
        let request = |place| {
            let password = fresh_password(&format!("p{number}-{place}"));
            Request { body: info.change_to(&password), password, id: None }
        };
        let requests = (1..=CHANGES[number % CHANGES.len()]).map(request).collect();
        people.push(Person { initial: initial.to_owned(), requests });
    }
    people
}

/// The clients at work.
pub(super) struct Driver {
    clients: Vec<JoinHandle<Vec<(usize, Person)>>>,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    accepted: AtomicUsize,
    changed: Notify,
}

impl Driver {
    /// Begins to send. A person's requests are sent in order, each when the one before was accepted; nobody waits for
    /// a change to be final.
    pub(super) fn start(api: &Api, people: Vec<Person>) -> Self {
        let progress = Arc::new(Progress::default());
        let mut shares: Vec<Vec<(usize, Person)>> = (0..CLIENTS).map(|_| Vec::new()).collect();
        for (number, person) in people.into_iter().enumerate() {
            shares[number % CLIENTS].push((number, person));
        }
        let client = |share| tokio::spawn(send(api.clone(), share, Arc::clone(&progress)));
        Self { clients: shares.into_iter().map(client).collect(), progress }
    }

    /// Waits until so many requests were accepted.
    pub(super) async fn accepted(&self, wanted: usize) {
        loop {
            let changed = self.progress.changed.notified();
            if self.progress.accepted.load(Ordering::Acquire) >= wanted {
                return;
            }
            changed.await;
        }
    }

    /// Waits until everything was accepted, and gives the people back in order.
    pub(super) async fn people(self) -> Vec<Person> {
        let mut people = Vec::new();
        for client in self.clients {
            people.extend(client.await.expect("a client"));
        }
        people.sort_by_key(|(number, _)| *number);
        people.into_iter().map(|(_, person)| person).collect()
    }
}

async fn send(api: Api, mut share: Vec<(usize, Person)>, progress: Arc<Progress>) -> Vec<(usize, Person)> {
    let longest = CHANGES.into_iter().max().unwrap_or_default();
    for place in 0..longest {
        for (_, person) in &mut share {
            let Some(request) = person.requests.get_mut(place) else { continue };
            let sending = async {
                loop {
                    match api.try_set(&request.body).await {
                        Some(id) => return id,
                        None => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            };
            request.id = Some(tokio::time::timeout(PATIENCE, sending).await.expect("the server comes back"));
            progress.accepted.fetch_add(1, Ordering::AcqRel);
            progress.changed.notify_waiters();
        }
    }
    share
}
