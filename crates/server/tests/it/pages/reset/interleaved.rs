//! Two people, several windows and a help desk, in whatever order: nobody sets another's password, no code works twice, nothing is
//! skipped, and nobody is signed in. A model beside the server says what each step must lead to.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use lockstep_vault::seal::Binding;
use lockstep_vault::totp::TotpSecret;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const PEOPLE: [&str; 2] = ["Abby.Smith", "Bea.Jones"];
const WINDOWS: usize = 3;

/// Which code is shown.
#[derive(Debug, Clone, Copy)]
enum Which {
    /// The latest of whoever it is shown for.
    Own,
    /// The latest of the other person.
    Others,
    /// The one before.
    Stale,
    Guessed,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The help desk draws a code for a person.
    Draw(usize),
    /// A window shows a code for a person.
    Show(usize, usize, Which),
    /// A window shows a second factor, right or wrong.
    Second(usize, bool),
    /// A window sends a new password.
    Set(usize),
    /// A window sends its last form again.
    Replay(usize),
    /// A window sends a new password without anything before it.
    Skip(usize, usize),
    /// The person's password is changed elsewhere.
    ChangedElsewhere(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let which = prop_oneof![4 => Just(Which::Own), 1 => Just(Which::Others), 1 => Just(Which::Stale), 1 => Just(Which::Guessed)];
    prop_oneof![
        3 => (0..2usize).prop_map(Step::Draw),
        6 => (0..WINDOWS, 0..2usize, which).prop_map(|(window, person, which)| Step::Show(window, person, which)),
        3 => (0..WINDOWS, any::<bool>()).prop_map(|(window, right)| Step::Second(window, right)),
        5 => (0..WINDOWS).prop_map(Step::Set),
        3 => (0..WINDOWS).prop_map(Step::Replay),
        1 => (0..WINDOWS, 0..2usize).prop_map(|(window, person)| Step::Skip(window, person)),
        1 => (0..2usize).prop_map(Step::ChangedElsewhere),
    ]
}

/// What a person has, as the model knows it.
struct Person {
    password: String,
    /// The latest code, and how many wrong tries it has left; none where it is dead.
    code: Option<(String, u32)>,
    stale: String,
    /// Counts the passwords: what began before the latest is over.
    era: u32,
}

/// How far the recovery of a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Second,
    Password,
}

struct Window<'a> {
    browser: Browser<'a>,
    page: Option<Page>,
    /// Whose recovery it has, in which era, and where it stands.
    recovery: Option<(usize, u32, At)>,
    /// Every cookie that it ever had.
    kept: BTreeMap<String, String>,
    /// What was sent last.
    sent: Vec<(&'static str, String)>,
}

impl Window<'_> {
    async fn send(&mut self, fields: Vec<(&'static str, String)>) -> Page {
        let page = match self.page.take() {
            Some(page) => page,
            None => self.browser.visit(PATH).await,
        };
        // The cookie is taken back when it is over; whoever would try again keeps it.
        self.kept.extend(self.browser.cookies.clone());
        self.browser.cookies.extend(self.kept.clone());
        let filled: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.browser.submit(&page, PATH, &filled).await;
        self.page = Some(page);
        self.sent = fields;
        answer
    }
}

/// Goes through the steps, and compares.
async fn go_through(steps: Vec<Step>) {
    let (harness, desk) = with_codes().await;
    let ids = [harness.world.abby, harness.world.bea];
    // Bea has a second factor.
    let secret = TotpSecret::draw();
    let sealed = harness.app.vault.seal(&Binding::TotpSecret(ids[1]), secret.as_bytes());
    let (bea, now) = (ids[1], harness.app.clock.utc());
    harness
        .write(move |tx| {
            let sealed = sealed.clone();
            Box::pin(async move {
                lockstep_store::second_factor::begin_totp(tx, bea, &sealed).await?;
                lockstep_store::second_factor::confirm_totp(tx, bea, now).await
            })
        })
        .await;
    let person = || Person { password: PASSWORD.to_owned(), code: None, stale: "000000".to_owned(), era: 0 };
    let mut people = [person(), person()];
    let mut windows: Vec<Window<'_>> = (0..WINDOWS)
        .map(|_| Window {
            browser: Browser::new(&harness),
            page: None,
            recovery: None,
            kept: BTreeMap::new(),
            sent: Vec::new(),
        })
        .collect();
    let mut tried = Vec::new();

    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Draw(person) => {
                let code = draw(&harness, &desk, PEOPLE[person]).await;
                if let Some((old, _)) = people[person].code.replace((code, 5)) {
                    people[person].stale = old;
                }
            }
            Step::Show(window, person, which) => {
                let latest =
                    |person: &Person| person.code.as_ref().map_or("000000".to_owned(), |(code, _)| code.clone());
                let code = match which {
                    Which::Own => latest(&people[person]),
                    Which::Others => latest(&people[1 - person]),
                    Which::Stale => people[person].stale.clone(),
                    Which::Guessed => "314159".to_owned(),
                };
                let right = people[person].code.as_ref().is_some_and(|(own, _)| *own == code);
                let window = &mut windows[window];
                (window.page, window.recovery) = (None, None);
                let fields = vec![("user_name", PEOPLE[person].to_owned()), ("code", code)];
                let answer = window.send(fields).await;
                if right {
                    people[person].stale = people[person].code.take().expect("a code").0;
                    let at = if person == 1 { At::Second } else { At::Password };
                    assert!(answer.text.contains(if person == 1 {
                        "name=\"second\""
                    } else {
                        "name=\"new_password\""
                    }));
                    window.recovery = Some((person, people[person].era, at));
                    window.page = Some(answer);
                } else {
                    assert!(answer.text.contains(WRONG), "{step:?}: {}", answer.text);
                    if let Some((_, left)) = &mut people[person].code {
                        *left -= 1;
                    }
                    people[person].code.take_if(|(_, left)| *left == 0);
                }
            }
            Step::Second(window, right) => {
                let window = &mut windows[window];
                let Some((whose, era, At::Second)) = window.recovery else { continue };
                // Each code works once: the step before is used by nobody else in a run.
                let code =
                    if right { secret.code_at(harness.app.clock.utc()).expect("a code") } else { "000000".to_owned() };
                let before = window.page.is_some();
                let answer = window.send(vec![("second", code)]).await;
                assert!(before);
                match era == people[whose].era {
                    true if answer.text.contains("name=\"new_password\"") => {
                        assert!(right, "a wrong one was taken");
                        window.recovery = Some((whose, era, At::Password));
                        window.page = Some(answer);
                    }
                    true => assert_eq!(answer.status, 400, "{}", answer.text),
                    false => assert_eq!(answer.status, 409, "{}", answer.text),
                }
            }
            Step::Set(window) | Step::Replay(window) => {
                let window = &mut windows[window];
                let Some((whose, era, at)) = window.recovery else { continue };
                let replay = matches!(step, Step::Replay(_)).then(|| window.sent.clone());
                let password = format!("Quite-New-Password-Number-{number}");
                let fresh = vec![("new_password", password.clone()), ("repeated", password)];
                let fields = replay.unwrap_or(fresh);
                let sent =
                    fields.iter().find(|(name, _)| *name == "new_password").map(|(_, password)| password.clone());
                let answer = window.send(fields).await;
                let sets = era == people[whose].era && at == At::Password && sent.is_some();
                assert_eq!(answer.text.contains("Your password is set"), sets, "{step:?} {at:?}: {}", answer.text);
                match sent {
                    Some(password) if sets => {
                        people[whose].password = password;
                        people[whose].era += 1;
                        people[whose].code = None;
                    }
                    Some(password) => tried.push(password),
                    None => {}
                }
            }
            Step::Skip(window, person) => {
                let password = format!("Quite-New-Password-Number-{number}");
                let fields = vec![
                    ("user_name", PEOPLE[person].to_owned()),
                    ("new_password", password.clone()),
                    ("repeated", password.clone()),
                ];
                let window = &mut windows[window];
                (window.page, window.recovery) = (None, None);
                let answer = window.send(fields).await;
                assert!(answer.text.contains(WRONG), "{}", answer.text);
                // To show nothing is to show a wrong code.
                if let Some((_, left)) = &mut people[person].code {
                    *left -= 1;
                }
                people[person].code.take_if(|(_, left)| *left == 0);
                tried.push(password);
            }
            Step::ChangedElsewhere(person) => {
                let (id, now) = (ids[person], harness.app.clock.utc());
                harness.write(move |tx| Box::pin(lockstep_store::identity::end_tokens(tx, id, None, now))).await;
                people[person].era += 1;
                people[person].code = None;
            }
        }
        for window in &windows {
            assert!(!window.browser.cookies.contains_key(SESSION), "{step:?} signed somebody in");
        }
    }
    for (number, person) in people.iter().enumerate() {
        let (id, alias) = (ids[number], PEOPLE[number]);
        assert!(signs_in(&harness, id, alias, &person.password).await, "{alias} has another password than was set");
        for password in tried.iter().filter(|password| **password != person.password).take(3) {
            assert!(!signs_in(&harness, id, alias, password).await, "{alias} has a password that was refused");
        }
    }
    harness.stop().await;
}

#[test]
fn in_whatever_order_nobody_sets_anothers_password_and_nothing_works_twice() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = Config { cases: 32, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let steps = prop::collection::vec(step(), 8..40);
    TestRunner::new(config)
        .run(&steps, |steps| {
            runtime.block_on(go_through(steps));
            Ok(())
        })
        .expect("what the model says");
}

#[tokio::test]
async fn of_two_windows_with_one_code_and_of_two_sendings_at_once_one_is_taken() {
    let (harness, desk) = with_codes().await;
    for round in 0..4 {
        let code = draw(&harness, &desk, "Abby.Smith").await;
        let (mut one, mut other) = (Browser::new(&harness), Browser::new(&harness));
        let shown = tokio::join!(show(&mut one, "Abby.Smith", &code), show(&mut other, "Abby.Smith", &code));
        let taken = [&shown.0, &shown.1].map(|page| page.text.contains("name=\"new_password\""));
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
        let (mut browser, page) = if taken[0] { (one, shown.0) } else { (other, shown.1) };
        let mut twin = Browser::new(&harness);
        twin.cookies = browser.cookies.clone();
        let passwords = [0, 1].map(|n| format!("Raced-Good-Password-{round}{n}"));
        let set = tokio::join!(set(&mut browser, &page, &passwords[0]), set(&mut twin, &page, &passwords[1]));
        let done = [&set.0, &set.1].map(|page| page.text.contains("Your password is set"));
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{} {}", set.0.text, set.1.text);
        harness.settled().await;
        for (password, done) in passwords.iter().zip(done) {
            assert_eq!(signs_in(&harness, harness.world.abby, "Abby.Smith", password).await, done, "{password}");
        }
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_whatever_is_sent_in_its_place() {
    let (harness, desk) = with_codes().await;
    let mut abby = Browser::new(&harness);
    abby.come_in("Abby.Smith", PASSWORD, "/security").await;
    let secret = TotpSecret::draw();
    let (id, now) = (harness.world.abby, harness.app.clock.utc());
    let sealed = harness.app.vault.seal(&Binding::TotpSecret(id), secret.as_bytes());
    harness
        .write(move |tx| {
            let sealed = sealed.clone();
            Box::pin(async move {
                lockstep_store::second_factor::begin_totp(tx, id, &sealed).await?;
                lockstep_store::second_factor::confirm_totp(tx, id, now).await
            })
        })
        .await;
    let code = draw(&harness, &desk, "Abby.Smith").await;
    let mut browser = Browser::new(&harness);
    let page = show(&mut browser, "Abby.Smith", &code).await;
    for fields in [vec![("new_password", NEW), ("repeated", NEW)], vec![("second", "")], vec![("second", "000000")]] {
        let answer = browser.submit(&page, PATH, &fields).await;
        assert!(answer.status == 400 && answer.text.contains("name=\"second\""), "{fields:?} {}", answer.text);
    }
    let later = harness.app.clock.utc() + TimeDelta::seconds(30);
    let second = secret.code_at(later).expect("a code");
    let page = browser.submit(&page, PATH, &[("second", &second)]).await;
    assert!(set(&mut browser, &page, NEW).await.text.contains("Your password is set"));
    assert!(signs_in(&harness, id, "Abby.Smith", NEW).await);
    harness.stop().await;
}

#[tokio::test]
async fn whatever_host_a_request_names_no_page_leads_there() {
    let (harness, desk) = with_codes().await;
    let code = draw(&harness, &desk, "Abby.Smith").await;
    let mut browser = Browser::new(&harness);
    let page = browser.visit(PATH).await;
    browser
        .origin
        .extend(["x-forwarded-host", "x-forwarded-server", "x-original-host"].map(|name| (name, EVIL.to_owned())));
    browser.origin.push(("forwarded", format!("host={EVIL}")));
    let next = browser.submit(&page, PATH, &[("user_name", "Abby.Smith"), ("code", &code)]).await;
    let done = set(&mut browser, &next, NEW).await;
    for page in [next, done] {
        assert!(!page.text.contains(EVIL) && page.location().is_none(), "{}", page.text);
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
    }
    // One that says that it is another host's page is not taken.
    browser.origin = vec![("host", EVIL.to_owned()), ("origin", format!("https://{EVIL}"))];
    let page = browser.visit(PATH).await;
    assert_eq!(browser.submit(&page, PATH, &[("user_name", "Abby.Smith"), ("code", &code)]).await.status, 403);
    harness.stop().await;
}

const EVIL: &str = "evil.example.test";

#[tokio::test]
async fn what_was_begun_before_a_second_factor_or_a_level_came_is_over() {
    let (harness, desk) = with_codes().await;
    let (bea, now) = (harness.world.bea, harness.app.clock.utc());
    let code = draw(&harness, &desk, "Abby.Smith").await;
    let mut browser = Browser::new(&harness);
    let page = show(&mut browser, "Abby.Smith", &code).await;
    let mut abby = Browser::new(&harness);
    abby.come_in("Abby.Smith", PASSWORD, "/security").await;
    crate::pages::second_factor::set_up(&mut abby).await;
    assert_eq!(set(&mut browser, &page, NEW).await.status, 409, "she has a second factor now");

    let code = draw(&harness, &desk, "Bea.Jones").await;
    let page = show(&mut browser, "Bea.Jones", &code).await;
    let later = draw(&harness, &desk, "Bea.Jones").await;
    let levels = [lockstep_core::scope::UserLevel::OrgAdmin].into();
    harness
        .write(move |tx| {
            let levels = std::collections::BTreeSet::clone(&levels);
            Box::pin(async move { lockstep_store::identity::set_levels(tx, bea, &levels, now).await })
        })
        .await;
    assert_eq!(set(&mut browser, &page, NEW).await.status, 409, "she is somebody else's business now");
    assert!(show(&mut browser, "Bea.Jones", &later).await.text.contains(WRONG));
    harness.stop().await;
}
