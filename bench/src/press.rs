//! Asks for one page as fast as a server answers, so that the server is what limits: there are always requests that it has not
//! answered yet. The client costs less than the cheapest answer: a call to send and one to read, and no more wakings than
//! groups of connections. A kernel that wakes it for each answer does that at the cost of whoever answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::http::{length_of, page};
use crate::usage::Usage;

/// In how many groups the connections are: while the answers of one are read, the server has the requests of the others.
const GROUPS: usize = 2;

/// Open one page over and over, as people who are signed in and look at nothing
#[derive(Debug, Args)]
pub(crate) struct Press {
    /// Where the server listens
    #[arg(long)]
    server: SocketAddr,
    /// The file of sessions; each is a person, and has a connection
    #[arg(long)]
    sessions: PathBuf,
    /// How many of them
    #[arg(long)]
    people: usize,
    /// The page
    #[arg(long)]
    page: String,
    /// How many times each opens it
    #[arg(long)]
    times: usize,
    /// Also say what this process used of the processors meanwhile
    #[arg(long)]
    watch: u32,
}

/// A connection, and the request that is sent over it.
struct Person {
    stream: TcpStream,
    request: Vec<u8>,
}

pub(crate) fn run(arguments: &Press) -> Result<Value> {
    let sessions = std::fs::read_to_string(&arguments.sessions).context("cannot read the sessions")?;
    let person = |session: &str| {
        let stream = TcpStream::connect(arguments.server).context("cannot connect")?;
        stream.set_nodelay(true).context("cannot set up a connection")?;
        Ok(Person { stream, request: page(&arguments.page, session) })
    };
    let mut people: Vec<Person> = sessions.lines().take(arguments.people).map(person).collect::<Result<_>>()?;
    ensure!(people.len() == arguments.people, "there are only {} sessions", people.len());
    let mut buffer = vec![0; 64 * 1024];
    let (before, own, began) = (Usage::of(arguments.watch)?, Usage::own()?, Instant::now());
    for person in &mut people {
        person.ask()?;
    }
    let group = people.len().div_ceil(GROUPS);
    for time in 1..=arguments.times {
        for group in people.chunks_mut(group) {
            // The last answer is waited for first: then the others are there, and nobody is woken for them.
            for person in group.iter_mut().rev() {
                person.take(&mut buffer)?;
            }
            if time < arguments.times {
                group.iter_mut().try_for_each(Person::ask)?;
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let (used, own) = (Usage::of(arguments.watch)?.since(&before), Usage::own()?.since(&own));
    let all = arguments.times * people.len();
    Ok(json!({
        "operations": all,
        "seconds": took,
        "per_second": all as f64 / took,
        "busy": used.seconds / took,
        "own": own.seconds,
        "used": [used],
    }))
}

impl Person {
    fn ask(&mut self) -> Result<()> {
        self.stream.write_all(&self.request).context("cannot send a request")
    }

    /// Waits for an answer, which must be the page.
    fn take(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        loop {
            filled += match self.stream.read(&mut buffer[filled..]).context("cannot receive an answer")? {
                0 => bail!("the server closed the connection, or its answer is too long"),
                count => count,
            };
            if length_of(&buffer[..filled])?.is_some_and(|length| length <= filled) {
                break;
            }
        }
        ensure!(buffer.starts_with(b"HTTP/1.1 200"), "not answered with 200");
        Ok(())
    }
}
