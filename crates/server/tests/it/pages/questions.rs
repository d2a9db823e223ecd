//! Security questions: who answers them, what they are good for, and what they are never enough for.

use std::collections::BTreeMap;

use lockstep_core::id::IdentityId;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::scope::UserLevel;
use lockstep_core::security_question::{SecurityQuestion, SecurityQuestions};
use lockstep_core::session::FRESH;
use lockstep_store::{identity, password_policy, security_question};

use super::second_factor::set_up;
use super::{NEW, PASSWORD, start};
use crate::browser::{Browser, Page};
use crate::harness::Harness;
use crate::sign_in::TRIES;

const SESSION: &str = "__Host-lockstep-session";

/// What Abby answers.
const ANSWERS: [(&str, &str); 4] = [
    ("question_1", "teacher"),
    ("answer_1", "Mrs. Quillfeather"),
    ("question_2", "street"),
    ("answer_2", "Larkspur Row"),
];

fn questions(names: &[&str]) -> SecurityQuestions {
    let question = |name: &&str| {
        let text = [("en", format!("What about your {name}?")), ("de", format!("Was ist mit {name}?"))];
        let text: BTreeMap<String, String> = text.into_iter().map(|(tag, text)| (tag.to_owned(), text)).collect();
        SecurityQuestion { name: (*name).to_owned(), text }
    };
    SecurityQuestions { answers: 2, questions: names.iter().map(question).collect() }
}

async fn ask(harness: &Harness, questions: SecurityQuestions) {
    let now = harness.app.clock.utc();
    harness
        .write(move |tx| {
            let questions = questions.clone();
            Box::pin(async move { security_question::put(tx, &questions, now).await })
        })
        .await;
}

/// A server where changing the password of the group asks for more than the sign-in password.
async fn strict() -> Harness {
    let (harness, now) = (start().await, chrono::DateTime::UNIX_EPOCH);
    harness
        .write(move |tx| {
            Box::pin(async move {
                let all = password_policy::list(tx).await?;
                let everyday = all.into_iter().find(|policy| policy.name == "Everyday").expect("the group's");
                password_policy::put(tx, &PasswordPolicy { require_strong_authn: true, ..everyday }, now).await
            })
        })
        .await;
    harness
}

/// The same, with questions that Abby has answered, and her browser.
async fn answered(harness: &Harness) -> Browser<'_> {
    ask(harness, questions(&["teacher", "street", "dish"])).await;
    let mut abby = Browser::new(harness);
    abby.come_in("Abby.Smith", PASSWORD, "/security").await;
    let page = abby.visit("/security/questions").await;
    assert_eq!(abby.submit(&page, "/security/questions", &ANSWERS).await.sent_to(), "/security");
    abby
}

async fn make(harness: &Harness, whom: IdentityId, level: UserLevel) {
    let now = harness.app.clock.utc();
    harness.write(move |tx| Box::pin(async move { identity::set_levels(tx, whom, &[level].into(), now).await })).await;
}

impl Browser<'_> {
    /// Answers what is asked on the way to a page.
    async fn answer(&mut self, to: &str, answers: [&str; 2]) -> Page {
        let asked = format!("/prove/questions?to={to}");
        assert_eq!(self.visit(to).await.sent_to(), asked);
        let page = self.visit(&asked).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("What about your teacher?") && !page.text.contains("your dish"), "{}", page.text);
        self.submit(&page, "/prove/questions", &[("answer_1", answers[0]), ("answer_2", answers[1])]).await
    }
}

#[tokio::test]
async fn whoever_has_no_second_factor_answers_questions_where_a_password_is_not_enough() {
    let harness = strict().await;
    let change = format!("/passwords/{}", harness.world.billing);
    let mut abby = Browser::new(&harness);
    let refused = abby.come_in("Abby.Smith", PASSWORD, &change).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("A second factor is needed") && !refused.text.contains("security questions"));
    assert!(!abby.visit("/security").await.text.contains("Security questions"), "they are off by default");
    assert_eq!(abby.visit("/security/questions").await.sent_to(), "/security");

    ask(&harness, questions(&["teacher", "street", "dish"])).await;
    assert!(abby.visit(&change).await.text.contains("answer the security questions"));
    let page = abby.visit("/security/questions").await;
    for (answers, why) in [
        (
            [
                ("question_1", "teacher"),
                ("answer_1", "Mrs. Quillfeather"),
                ("question_2", "street"),
                ("answer_2", "el"),
            ],
            "from 3 to 64",
        ),
        (
            [
                ("question_1", "teacher"),
                ("answer_1", "Larkspur Row"),
                ("question_2", "street"),
                ("answer_2", "larkspur  row"),
            ],
            "the same",
        ),
        (
            [
                ("question_1", "teacher"),
                ("answer_1", "teacher"),
                ("question_2", "street"),
                ("answer_2", "Larkspur Row"),
            ],
            "in its question",
        ),
        (
            [
                ("question_1", "teacher"),
                ("answer_1", "Abby.Smith"),
                ("question_2", "street"),
                ("answer_2", "Larkspur Row"),
            ],
            "your name",
        ),
        (
            [
                ("question_1", "street"),
                ("answer_1", "Mrs. Quillfeather"),
                ("question_2", "street"),
                ("answer_2", "Larkspur Row"),
            ],
            "another question",
        ),
        (
            [
                ("question_1", "pet"),
                ("answer_1", "Mrs. Quillfeather"),
                ("question_2", "street"),
                ("answer_2", "Larkspur Row"),
            ],
            "another question",
        ),
    ] {
        let refused = abby.submit(&page, "/security/questions", &answers).await;
        assert_eq!(refused.status, 400, "{answers:?}");
        assert!(refused.alert().expect("why").contains(why), "{why}: {}", refused.text);
        assert!(!refused.text.contains("Quillfeather"), "no answer comes back: {}", refused.text);
    }
    assert_eq!(abby.submit(&page, "/security/questions", &ANSWERS).await.sent_to(), "/security");
    harness.outdate_proofs().await;
    let page = abby.visit("/prove?to=/security").await;
    abby.submit(&page, "/prove", &[("current", PASSWORD)]).await.sent_to();

    // Whoever has learnt the password alone comes no further.
    let mut thief = Browser::new(&harness);
    let page = thief.come_in("Abby.Smith", PASSWORD, "/security").await;
    assert!(page.text.contains("You answered them"), "{}", page.text);
    for (path, place) in [
        ("/security/totp", "/security"),
        ("/security/questions/remove", "/security"),
        ("/security/sessions", "/security"),
        ("/security/questions", "/security/questions"),
        ("/security/passkey", "/security/passkey"),
    ] {
        let sent = thief.submit_bare(&page, path, &ANSWERS).await.sent_to();
        assert_eq!(sent, format!("/prove/questions?to={place}"), "{path}");
    }
    for wrong in [["", ""], ["Mrs. Quillfeather", "Larkspur Lane"], ["Larkspur Row", "Mrs. Quillfeather"]] {
        let refused = thief.answer(&change, wrong).await;
        assert_eq!((refused.status, refused.alert().is_some()), (400, true), "{}", refused.text);
    }
    let before = abby.cookies[SESSION].clone();
    assert_eq!(abby.answer(&change, ["mrs.  quillfeather", "LARKSPUR ROW "]).await.sent_to(), change);
    assert_ne!(abby.cookies[SESSION], before, "the session has another token");
    let page = abby.visit(&change).await;
    let accepted = abby.submit(&page, &change, &[("new_password", NEW), ("repeated", NEW)]).await;
    assert!(accepted.sent_to().starts_with("/passwords/changes/"));
    harness.outdate_proofs().await;
    assert_eq!(abby.visit(&change).await.sent_to(), format!("/prove?to={change}"), "the password comes first");
    let form = abby.visit(&format!("/prove?to={change}")).await;
    abby.submit(&form, "/prove", &[("current", PASSWORD)]).await.sent_to();
    harness.outdate_answers().await;
    assert_eq!(
        abby.visit(&change).await.sent_to(),
        format!("/prove/questions?to={change}"),
        "and then they are asked again"
    );
    let open = abby.submit(&page, &change, &[("new_password", NEW), ("repeated", NEW)]).await;
    assert_eq!(open.sent_to(), format!("/prove/questions?to={change}"), "by a form that stood open, too");
    assert_eq!(harness.changes().await, 1);

    for action in ["SECURITY_QUESTIONS_ANSWERED", "USER_STEP_UP_AUTH_FAILURE", "USER_STEP_UP_AUTH"] {
        assert!(harness.audited().await.contains(&action.to_owned()), "{action}: {:?}", harness.audited().await);
    }
    harness.stop().await;
}

#[tokio::test]
async fn wrong_answers_lock_and_an_administrator_takes_forgotten_ones_away() {
    let harness = strict().await;
    let (abby, ada) = (harness.world.abby, harness.world.ada);
    let change = format!("/passwords/{}", harness.world.billing);
    let mut browser = answered(&harness).await;
    let right = ["Mrs. Quillfeather", "Larkspur Row"];
    for _ in 0..TRIES {
        assert_eq!(browser.answer(&change, ["Mrs. Quillfeather", "Elm Row"]).await.status, 400);
    }
    assert_eq!(browser.answer(&change, right).await.status, 400, "nobody is let in for now");

    crate::sign_in::set_password(&harness, ada, PASSWORD, false).await;
    let mut admin = Browser::new(&harness);
    let page = admin.come_in("Ada.Admin", PASSWORD, &format!("/people/{abby}")).await;
    assert!(page.text.contains("Security questions are answered"), "{}", page.text);
    assert!(page.text.contains("Wrong codes or answers"), "{}", page.text);
    admin.submit(&page, &format!("/people/{abby}/second-factor"), &[]).await.sent_to();
    assert_eq!(browser.visit(&change).await.sent_to(), format!("/sign-in?to={change}"), "signed out");
    let refused = browser.come_in("Abby.Smith", PASSWORD, &change).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("answer the security questions"), "{}", refused.text);
    harness.stop().await;
}

#[tokio::test]
async fn they_are_asked_only_where_there_is_nothing_better_and_never_of_who_has_a_level() {
    let harness = strict().await;
    let change = format!("/passwords/{}", harness.world.billing);
    let mut browser = answered(&harness).await;
    assert_eq!(
        browser.answer("/security/questions", ["Mrs. Quillfeather", "Larkspur Row"]).await.sent_to(),
        "/security/questions"
    );
    set_up(&mut browser).await;
    assert_eq!(browser.visit(&change).await.status, 200, "the code was shown a moment ago");
    assert!(browser.visit("/security").await.text.contains("not asked while you have a second factor"));
    // The form of before is good for nothing.
    let page = Page {
        status: 200,
        headers: Default::default(),
        text: browser
            .visit("/security")
            .await
            .text
            .replace("action=\"/security/questions/remove\"", "action=\"/prove/questions\""),
    };
    assert_ne!(browser.submit(&page, "/prove/questions", &ANSWERS).await.status, 200);
    let page = browser.visit("/security").await;
    browser.submit(&page, "/security/totp/remove", &[]).await.sent_to();
    assert_eq!(browser.visit(&change).await.status, 200, "the answers are fresh still");
    harness.outdate_answers().await;
    assert_eq!(browser.visit(&change).await.sent_to(), format!("/prove/questions?to={change}"));

    // What was chosen is asked although the list has changed; but where it is not enough by now, it leads nowhere.
    let asked = format!("/prove/questions?to={change}");
    for changed in
        [questions(&["street", "dish"]), SecurityQuestions { answers: 3, ..questions(&["teacher", "street", "dish"]) }]
    {
        let is_enough = changed.answers == 2;
        ask(&harness, changed).await;
        assert_eq!(browser.answer(&change, ["Mrs. Quillfeather", "Larkspur Row"]).await.sent_to(), change);
        let page = browser.visit(&change).await;
        assert_eq!(
            (page.status, page.text.contains("answer the security questions")),
            if is_enough { (200, false) } else { (403, true) }
        );
        harness.outdate_answers().await;
        let page = browser.visit("/security").await;
        let sent = browser.submit_bare(&page, "/security/totp", &[]).await.sent_to();
        assert_eq!(sent, "/prove/questions?to=/security", "whoever has the password alone comes no further");
    }
    assert!(browser.visit("/security").await.text.contains("are asked for by now"));
    ask(&harness, questions(&["teacher", "street"])).await;
    assert_eq!(browser.visit(&change).await.sent_to(), asked);
    make(&harness, harness.world.abby, UserLevel::HelpDesk).await;
    let refused = browser.visit(&change).await;
    assert_eq!((refused.status, refused.text.contains("answer the security questions")), (403, false));
    assert!(!browser.visit("/security").await.text.contains("Security questions"));
    assert_eq!(browser.visit("/security/questions").await.sent_to(), "/security");
    harness.stop().await;
}

#[tokio::test]
async fn what_was_answered_opens_nothing_once_there_are_other_answers() {
    let harness = strict().await;
    let mut abby = answered(&harness).await;
    let mut thief = Browser::new(&harness);
    let page = thief.come_in("Abby.Smith", PASSWORD, "/security").await;
    thief.answer("/security/questions", ["Mrs. Quillfeather", "Larkspur Row"]).await.sent_to();
    abby.answer("/security/questions", ["Mrs. Quillfeather", "Larkspur Row"]).await.sent_to();
    let form = abby.visit("/security/questions").await;
    let others =
        [("question_1", "teacher"), ("answer_1", "Mr. Oakum"), ("question_2", "street"), ("answer_2", "Elm Row")];
    assert_eq!(abby.submit(&form, "/security/questions", &others).await.sent_to(), "/security");
    let sent = thief.submit_bare(&page, "/security/totp", &[]).await.sent_to();
    assert_eq!(sent, "/prove/questions?to=/security");
    harness.stop().await;
}

impl Harness {
    /// Lets so much time pass that nobody's answers are fresh.
    async fn outdate_answers(&self) {
        let query = sqlx::query("UPDATE session SET answered_at = ?1").bind(self.app.clock.utc() - FRESH);
        query.execute(&mut self.own_database().await).await.expect("sessions");
    }

    /// How many changes there are.
    async fn changes(&self) -> i64 {
        let query = sqlx::query_scalar("SELECT count(*) FROM change");
        query.fetch_one(&mut self.own_database().await).await.expect("a count")
    }
}
