//! One client that sends changes throughout, and how long it ever had to wait.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::system::api::{Api, PasswordInfo};
use crate::system::fresh_password;
use crate::system::kill::driver::{Person, Request};

/// How long it waits between two changes.
const PACE: Duration = Duration::from_millis(75);

/// The client at work.
pub(super) struct Intake {
    stop: CancellationToken,
    client: JoinHandle<Taken>,
}

/// What the client saw.
pub(super) struct Taken {
    pub(super) people: Vec<Person>,
    /// How many changes were accepted.
    pub(super) count: usize,
    /// The longest time from one that was accepted to the next.
    pub(super) gap: Duration,
    /// The longest time that an answer took.
    pub(super) slowest: Duration,
}

impl Intake {
    /// Begins to send, each of these people in turn.
    pub(super) fn start(api: Api, people: Vec<Person>, infos: Vec<PasswordInfo>, begin: Instant) -> Self {
        let stop = CancellationToken::new();
        let client = tokio::spawn(send(api, people, infos, begin, stop.clone()));
        Self { stop, client }
    }

    pub(super) async fn stop(self) -> Taken {
        self.stop.cancel();
        self.client.await.expect("the client")
    }
}

async fn send(
    api: Api,
    people: Vec<Person>,
    infos: Vec<PasswordInfo>,
    begin: Instant,
    stop: CancellationToken,
) -> Taken {
    let mut taken = Taken { people, count: 0, gap: Duration::ZERO, slowest: Duration::ZERO };
    let mut last = Instant::now();
    while !stop.is_cancelled() {
        let number = taken.count % infos.len();
        let password = fresh_password(&format!("intake{}", taken.count));
        let body = infos[number].change_to(&password);
        let mut sent = Vec::new();
        let id = loop {
            let asked = Instant::now();
            let answer = api.send_set(&body).await;
            taken.slowest = taken.slowest.max(asked.elapsed());
            let said = answer.as_ref().map_or("no answer".to_owned(), |(status, _)| status.to_string());
            sent.push((begin.elapsed(), said));
            match answer {
                Some((status, body)) if status == 202 => break body["requestId"].as_str().expect("an id").to_owned(),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        taken.gap = taken.gap.max(last.elapsed());
        last = Instant::now();
        taken.count += 1;
        taken.people[number].requests.push(Request { password, built_in: false, id, sent });
        tokio::time::sleep(PACE).await;
    }
    taken
}
