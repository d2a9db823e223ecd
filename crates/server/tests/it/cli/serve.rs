//! `serve`: what it says, what others see of it, and how it stops.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{ChildStderr, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Installation;
use super::running::{read_until, signal, wait};

#[test]
fn a_server_tells_its_address_answers_and_hands_over_when_it_stops() {
    let installation = Installation::new();
    let mut server = super::command(installation.path())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = read_until(server.stdout.take().unwrap(), |line| line.contains("http://"));
    let address = said.trim().strip_prefix("Lockstep serves http://").unwrap().to_owned();
    assert_eq!(get(&address, "/healthz"), 200);
    assert_eq!(get(&address, "/readyz"), 200);

    let status = || -> Value { serde_json::from_str(&installation.run(&["status", "--json"]).stdout).unwrap() };
    let running = status();
    assert_eq!(running["orphanedBuckets"], 0);
    assert_eq!((&running["nodes"][0]["buckets"], &running["nodes"][0]["state"]), (&256.into(), &"alive".into()));
    let second = installation.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another process serves this database"), "{}", second.stderr);

    signal("TERM", server.id());
    assert_eq!(wait(&mut server, Duration::from_secs(60)), 0);
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("stopping") && log.contains("stopped"), "{log}");
    let stopped = status();
    assert_eq!(stopped["orphanedBuckets"], 256);
    assert_eq!(stopped["nodes"][0]["state"], "stopped");
}

#[test]
fn a_database_of_countries_is_read_when_the_server_starts_and_at_sighup() {
    let installation = Installation::new();
    let config = std::fs::read_to_string(installation.path().join("lockstep.toml")).unwrap();
    installation.write("lockstep.toml", &format!("{config}\n[geography]\ndatabase = \"country.mmdb\"\n"));
    let refused = installation.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("cannot read geography.database country.mmdb"), "{}", refused.stderr);
    installation.write("country.mmdb", "no database");
    let refused = installation.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("geography.database country.mmdb is no database"), "{}", refused.stderr);
    let doctor = installation.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.stdout.contains("PROBLEM  geography.database"), "{}", doctor.stdout);

    let file = installation.path().join("country.mmdb");
    std::fs::write(&file, crate::countries::database(&[("192.0.2.0/24", "DE")])).unwrap();
    assert!(installation.run(&["doctor"]).stdout.contains("country.mmdb can be read"));
    let mut server = super::command(installation.path())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    read_until(server.stdout.take().unwrap(), |line| line.contains("http://"));
    let mut log = server.stderr.take().unwrap();
    signal("HUP", server.id());
    log = said(log, "the database of countries was read and is in use");
    std::fs::write(&file, "no database").unwrap();
    signal("HUP", server.id());
    log = said(log, "the database of countries cannot be used; the one before stays in use");
    signal("TERM", server.id());
    assert_eq!(wait(&mut server, Duration::from_secs(60)), 0);
    drop(log);
}

/// Reads a log until it says this.
fn said(mut log: ChildStderr, text: &str) -> ChildStderr {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&read).contains(text) {
        assert_eq!(log.read(&mut byte).expect("a log"), 1, "not said: {text}\n{}", String::from_utf8_lossy(&read));
        read.extend(byte);
    }
    log
}

#[test]
fn a_worker_on_sqlite_would_have_nothing_to_do() {
    let ran = Installation::new().run(&["worker"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("run `lockstep serve`"), "{ran:?}");
}

#[test]
fn log_lines_are_json_where_the_configuration_says_so() {
    let installation = Installation::new();
    let config = std::fs::read_to_string(installation.path().join("lockstep.toml")).unwrap();
    installation.write("lockstep.toml", &format!("{config}\n[log]\nformat = \"json\"\n"));
    let mut server = super::command(installation.path())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    read_until(server.stdout.take().unwrap(), |line| line.contains("http://"));
    signal("INT", server.id());
    assert_eq!(wait(&mut server, Duration::from_secs(60)), 0);
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.lines().count() > 0);
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(entry["message"].is_string() && entry["level"].is_string(), "{line}");
    }
}

/// The status of a GET.
fn get(address: &str, path: &str) -> u16 {
    let mut connection = TcpStream::connect(address).expect("a connection");
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).expect("a status line").parse().expect("a number")
}
