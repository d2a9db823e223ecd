//! After success, refusal, errors, a kill and a crash, with the log at its most talkative, no secret stands anywhere that
//! the server writes: not in clear, nor in the forms in which one may slip through.
//!
//! It looks at files, arguments and the environment. Memory is `cli/seclusion.rs`'s; swap and what the targets keep is
//! nobody's here.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use rustix::process::Signal;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _};
use toml::Table;

use super::api::{Api, PasswordInfo};
use super::canary::{Search, core, password};
use super::directory::{DIRECTORY, Directory, dn};
use super::fresh_password;
use super::installation::{Installation, files_below, free_port, quick};
use super::own_postgres::OwnPostgres;
use super::state::{CLIENT_SECRET, Source, State};
use super::tables::{BILLING, PostgresTable, WAREHOUSE};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_left_anywhere_on_sqlite() {
    search("sqlite", 900..904, quick(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_left_anywhere_on_postgresql() {
    let store = OwnPostgres::new().await;
    let mut settings = quick();
    settings.insert(
        "store".to_owned(),
        Table::from_iter([("url".to_owned(), store.url("postgres").as_str().into())]).into(),
    );
    search("postgresql", 906..910, settings, Some(store)).await;
}

/// Everything that can become of a change, and then the search.
async fn search(tag: &str, numbers: std::ops::Range<usize>, mut settings: Table, store: Option<OwnPostgres>) {
    let initial = fresh_password("initial");
    let logins: Vec<String> = numbers.clone().map(|number| format!("person{number}")).collect();
    let directory = Directory::shared();
    directory.reset(numbers.clone(), &initial).await;
    let billing = PostgresTable::new(&format!("system_secrets_{tag}"), &logins, &initial).await;
    // The database hashes, so that the plaintext goes all the way; and the application's own function talks about it.
    let talkative = "CREATE FUNCTION talk(new TEXT) RETURNS TEXT LANGUAGE plpgsql AS $$ BEGIN
                         RAISE NOTICE 'new password %', new;
                         RAISE WARNING 'new password %', new;
                         RETURN new;
                     END $$";
    billing.run(talkative).await;
    let by_database = toml::toml! {
        statement = "UPDATE people SET password = crypt(talk(:password), gen_salt('bf', 4)) WHERE login = :account"
        verify = "SELECT password = crypt(:password, password) FROM people WHERE login = :account"
        hash = "database"
    };
    let sources = vec![directory.source(), billing.source(by_database)];
    let mut state = State::one_group(toml::toml! { minNumeric = 1 history = 3 }, sources);
    state.source.push(nobody_there());
    for (number, login) in numbers.zip(&logins) {
        state.person(login, None, |source| if source == DIRECTORY { dn(number) } else { login.clone() });
    }
    settings.insert("log".to_owned(), toml::toml! { filter = "trace" }.into());
    let mut installation = Installation::new(settings, &state).await;
    let scratch = installation.data().join("tmp");
    fs::create_dir(&scratch).expect("a folder");
    installation.under =
        ["env", &format!("TMPDIR={}", scratch.display()), "sh", "-c", WITH_CORES].map(str::to_owned).into();
    installation.start().await;
    let api = installation.api().await;

    let mut passwords = vec![initial];
    let mut next = |tag: &str| {
        passwords.push(password(tag));
        passwords.last().expect("pushed").clone()
    };
    let person = &logins[0];
    let status = api.change(person, DIRECTORY, &next("applied1")).await;
    assert_eq!(status.state, "FINISHED", "{status:?}");
    let without_digit: String = format!("\"\\%+ /{}", "RefusedCanaryWithoutAnyDigit");
    assert_eq!(api.change(person, DIRECTORY, &without_digit).await.state, "FAILED", "by the policy");
    let old = next("old1");
    assert_eq!(api.change(&logins[1], DIRECTORY, &old).await.state, "FINISHED");
    assert_eq!(api.change(&logins[1], BILLING, &next("again1")).await.state, "FINISHED");
    assert_eq!(api.change(&logins[1], BILLING, &old).await.state, "FAILED", "by the history");
    let info = api.ask(person, DIRECTORY).await;
    let invalid = [
        info.change_to_bytes(&[next("undecodable1").as_bytes(), b"\xff\xfe"].concat()),
        info.change_to_bytes(&[b"\x07", next("unprintable1").as_bytes()].concat()),
        with_another_key(&info).change_to(&next("wrongkey1")),
    ];
    for body in invalid {
        let id = api.try_set(&body).await.expect("accepted");
        assert_eq!(api.settled(&id).await.state, "FAILED", "{body}");
    }
    // Refused before anything is opened, with the secret where it does not belong.
    let mut misplaced = info.change_to(&next("misplaced1"));
    misplaced["accountId"] = json!(next("account1"));
    misplaced["identityId"] = json!(next("identity1"));
    assert_eq!(api.post_set(&misplaced).await.0, 400);
    let waiting = api.set(person, WAREHOUSE, &next("nobodythere1")).await;
    for login in &logins {
        api.set(login, DIRECTORY, &next("killed1")).await;
    }
    let seen = |installation: &Installation| arguments_and_environment(installation.pid());
    let first = seen(&installation);
    installation.kill().await;

    installation.start().await;
    api.change(&logins[1], DIRECTORY, &next("later1")).await;
    assert_eq!(api.status(&waiting).await.state, "IN_PROGRESS", "the system is down");
    for login in &logins {
        api.set(login, DIRECTORY, &next("crashed1")).await;
    }
    let second = seen(&installation);
    let crashed = installation.end(Signal::ABORT).await;
    assert_eq!((crashed.signal(), crashed.core_dumped()), (Some(Signal::ABORT.as_raw()), false));

    passwords.push(without_digit);
    let secrets = secrets(&passwords, &api, &installation.data());
    let search = Search::of(&secrets);
    assert!(secrets.len() > 20);
    for (place, bytes) in [("first process", first), ("second process", second)] {
        assert!(bytes.len() > 100, "{place}: nothing to look at");
        assert!(search.in_bytes(&bytes).is_empty(), "{place}");
    }
    // The master key is in its file and nowhere else; the folder beside the data holds what `apply` was given.
    fs::remove_file(installation.data().join("master.key")).expect("removed");
    let folder = installation.data();
    let outside = folder.parent().expect("a folder").join("core");
    assert!(!outside.exists(), "a core file");
    assert!(files_below(&folder).len() >= 3 && log_size(&folder) > 20_000, "the search had nothing to look at");
    assert_eq!(search.in_files(&folder), []);
    if let Some(store) = store {
        assert!(files_below(store.folder()).len() > 500, "the search had nothing to look at");
        assert_eq!(search.in_files(store.folder()), []);
    }
}

/// Allows core files of any size, then becomes the server.
const WITH_CORES: &str = "ulimit -c unlimited && exec \"$0\" \"$@\"";

/// A system that is down.
fn nobody_there() -> Source {
    let mut config = toml::toml! {
        statement = "UPDATE people SET password = :hash WHERE login = :account"
        hash = "bcrypt"
        hash_cost = 4
    };
    config.insert("url".to_owned(), format!("mysql://nobody@127.0.0.1:{}/nothing", free_port()).into());
    Source { name: WAREHOUSE, connector: "sql", config, password: Some("no-such-database-password".to_owned()) }
}

/// The same answer with a key that the server does not have.
fn with_another_key(info: &PasswordInfo) -> PasswordInfo {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("a key");
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().expect("DER");
    PasswordInfo { public_key: STANDARD.encode(public.as_ref()), ..info.clone() }
}

/// Everything that is looked for, by name.
fn secrets(passwords: &[String], api: &Api, data: &Path) -> Vec<(String, Vec<u8>)> {
    let mut secrets: Vec<(String, Vec<u8>)> =
        passwords.iter().map(|password| (password.clone(), core(password).into())).collect();
    secrets.push(("the clients' secret".to_owned(), CLIENT_SECRET.into()));
    secrets.push(("the directory's service password".to_owned(), b"svcsecret".to_vec()));
    for token in api.tokens() {
        let signature = token.rsplit('.').next().expect("three parts");
        secrets.push(("the signature of a token".to_owned(), signature.into()));
    }
    let key = fs::read_to_string(data.join("master.key")).expect("a key");
    let bytes = STANDARD.decode(key.trim()).expect("base64");
    assert_eq!(bytes.len(), 32);
    secrets.push(("the master key".to_owned(), bytes));
    secrets
}

/// What `/proc` shows of a process to whoever may read it. The environment of a server is shown to root alone.
fn arguments_and_environment(pid: u32) -> Vec<u8> {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).expect("readable by everybody");
    let environment = fs::read(format!("/proc/{pid}/environ"));
    assert_eq!(environment.is_ok(), rustix::process::geteuid().is_root());
    [arguments, environment.unwrap_or_default()].concat()
}

fn log_size(folder: &Path) -> u64 {
    files_below(&folder.join("logs")).iter().map(|path| fs::metadata(path).expect("there").len()).sum()
}

#[test]
fn the_search_finds_what_is_there_in_every_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = password("planted1");
    let search = Search::of_texts([secret.as_str()]);
    let numbers = |text: &str| format!("{:?}", text.as_bytes());
    let utf16 = |order: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let mut forms: Vec<(&str, Vec<u8>)> = vec![
        ("clear", secret.clone().into()),
        ("hexadecimal", hex::encode(&secret).into()),
        ("upper-case hexadecimal", hex::encode_upper(&secret).into()),
        ("UTF-16, little end first", utf16(u16::to_le_bytes)),
        ("UTF-16, big end first", utf16(u16::to_be_bytes)),
        ("a URL", url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>().into()),
        ("a form", url::form_urlencoded::Serializer::new(String::new()).append_pair("p", &secret).finish().into()),
        ("JSON", json!({ "password": secret }).to_string().into()),
        ("JSON in JSON", json!(json!({ "password": secret }).to_string()).to_string().into()),
        ("Rust's quotes", format!("{secret:?}").into()),
        ("Rust's numbers", numbers(&secret).into()),
        ("reversed", secret.bytes().rev().collect()),
        ("the characters reversed", secret.chars().rev().collect::<String>().into()),
    ];
    // Base64 of a text that it is inside of, at each of the three places that base64 knows, with either alphabet.
    for before in ["", "x", "xy"] {
        let text = format!("{before}{secret}, and more");
        forms.push(("base64", STANDARD_NO_PAD.encode(&text).into()));
        forms.push(("base64 for URLs", base64::engine::general_purpose::URL_SAFE.encode(&text).into()));
    }
    for (name, form) in forms {
        let path = folder.path().join("below").join("file");
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, [b"before \xff\x00", form.as_slice(), b" after"].concat()).expect("written");
        assert_eq!(search.in_files(folder.path()), [(path.clone(), secret.clone())], "{name}");
    }
    let other = Search::of_texts([password("planted1").as_str()]);
    assert_eq!(other.in_files(folder.path()), [], "another secret");
}

#[tokio::test]
async fn the_search_finds_what_is_in_a_write_ahead_log_and_in_a_core_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = password("planted1");
    let search = Search::of_texts([secret.as_str()]);
    let path = folder.path().join("some.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut database = options.journal_mode(SqliteJournalMode::Wal).connect().await.expect("opened");
    sqlx::raw_sql("CREATE TABLE t (c BLOB)").execute(&mut database).await.expect("made");
    sqlx::query("INSERT INTO t VALUES ($1)").bind(secret.as_bytes()).execute(&mut database).await.expect("inserted");
    assert_eq!(search.in_files(folder.path()), [(folder.path().join("some.db-wal"), secret.clone())]);
    database.close().await.expect("closed");
    assert_eq!(search.in_files(folder.path()), [(path.clone(), secret.clone())], "moved to the file itself");
    fs::remove_file(path).expect("removed");

    // A shell reads the secret into its memory, and crashes.
    let crash = "ulimit -c unlimited && IFS= read -r secret && kill -ABRT $$";
    let mut shell = Command::new("sh");
    shell.args(["-c", crash]).current_dir(folder.path()).stdin(Stdio::piped());
    let mut shell = shell.spawn().expect("it runs");
    writeln!(shell.stdin.take().expect("piped"), "{secret}").expect("written");
    assert!(shell.wait().expect("its state").core_dumped(), "no core file is made here; see kernel.core_pattern");
    let found: Vec<PathBuf> = search.in_files(folder.path()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(found.len(), 1, "the core file must be in the folder; see kernel.core_pattern: {found:?}");
}
