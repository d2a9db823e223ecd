//! Every page is made, whatever it is filled with.

use super::super::brand::Brand;
use super::super::text::Languages;
use lockstep_core::id::AccountId;
use uuid::Uuid;

use super::*;

const NASTY: &str = "<script>alert('\"&')</script>";

fn visitor() -> Visitor {
    Visitor { name: NASTY.to_owned(), helps: true, sign_out_token: NASTY.to_owned() }
}

fn question() -> ShownQuestion {
    ShownQuestion { name: NASTY.to_owned(), language: NASTY.to_owned(), text: NASTY.to_owned() }
}

fn nasty() -> Vec<String> {
    vec![NASTY.to_owned(); 2]
}

fn pages(text: &Language) -> Vec<String> {
    let fields = [("state".to_owned(), NASTY.to_owned())];
    let refused = nasty();
    let accounts = ["one", "two"].map(|name| OwnAccount {
        id: AccountId(Uuid::nil()),
        native_id: NASTY.to_owned(),
        name: name.to_owned(),
        since: None,
    });
    let card = Card {
        initial: "<".to_owned(),
        name: NASTY.to_owned(),
        icon: None,
        places: vec![(NASTY.to_owned(), Some(NASTY.into()))],
        changed: NASTY.to_owned(),
        apart: vec![ShownOutside { text: NASTY.to_owned(), places: nasty() }],
        expiry: Some(ShownExpiry { text: NASTY.to_owned(), is_near: true }),
        link: "/passwords/1".to_owned(),
        label: NASTY.to_owned(),
    };
    let section = Section { id: "groups", title: NASTY.to_owned(), about: Some(NASTY.to_owned()), cards: vec![card] };
    let line = ShownLine {
        kind: "done",
        places: nasty(),
        account: Some(NASTY.to_owned()),
        state: NASTY.to_owned(),
        is_unsure: true,
    };
    let pages = [
        AuthorizePage {
            text,
            client: NASTY,
            fields: &fields,
            form_token: NASTY,
            user_name: NASTY,
            half: "",
            second: asked(),
            refused: Some(NASTY.to_owned()),
        }
        .render(),
        SignInPage {
            text,
            to: NASTY,
            form_token: NASTY,
            user_name: NASTY,
            half: NASTY,
            second: asked(),
            refused: Some(NASTY.to_owned()),
        }
        .render(),
        LinkPage { text, form_token: NASTY, refused: Some(NASTY.to_owned()) }.render(),
        EnrolPage { text, form_token: NASTY, refused: &refused }.render(),
        ResetPage { text, form_token: NASTY, step: ResetStep::Code { user_name: NASTY }, refused: None }.render(),
        ResetPage {
            text,
            form_token: NASTY,
            step: ResetStep::Second { recovery: NASTY, second: asked() },
            refused: None,
        }
        .render(),
        ResetPage {
            text,
            form_token: NASTY,
            step: ResetStep::Password {
                recovery: NASTY,
                user_name: NASTY,
                rules: vec![ShownRule { text: NASTY.to_owned(), is_broken: true }],
                reasons: &refused,
            },
            refused: Some(NASTY.to_owned()),
        }
        .render(),
        MessagePage { text, title: NASTY, message: NASTY, next: Some((NASTY, NASTY.to_owned())) }.render(),
        PasswordsPage { text, visitor: visitor(), sought: Some(NASTY), sections: vec![section] }.render(),
        ChangePage {
            text,
            visitor: visitor(),
            action: NASTY,
            is_wanted: true,
            form_token: NASTY,
            user_name: NASTY,
            reaches: NASTY.to_owned(),
            caps: vec![(nasty(), NASTY.to_owned())],
            places: nasty(),
            accounts: &accounts,
            chosen: NASTY,
            rules: vec![ShownRule { text: NASTY.to_owned(), is_broken: true }],
            refused: Some(NASTY),
        }
        .render(),
        PeoplePage {
            text,
            visitor: visitor(),
            sought: NASTY,
            people: vec![ShownPerson {
                link: NASTY.to_owned(),
                name: NASTY.to_owned(),
                alias: NASTY.to_owned(),
                is_enabled: false,
            }],
            more: Some(NASTY.to_owned()),
            more_failing: Some(NASTY.to_owned()),
            failing: vec![ShownDelivery {
                form_token: NASTY.to_owned(),
                retry: NASTY.to_owned(),
                change: NASTY.to_owned(),
                link: NASTY.to_owned(),
                name: NASTY.to_owned(),
                source: NASTY.to_owned(),
                reason: NASTY.to_owned(),
                until: NASTY.to_owned(),
            }],
        }
        .render(),
        PersonPage {
            text,
            visitor: visitor(),
            form_token: NASTY,
            place: NASTY,
            name: NASTY,
            alias: NASTY,
            email: NASTY,
            is_enabled: false,
            is_locked: true,
            are_codes_locked: true,
            has_second_factor: true,
            has_answers: true,
            may_remove: true,
            has_codes: true,
            sessions: NASTY.to_owned(),
            accounts: vec![ShownAccount {
                source: NASTY.to_owned(),
                name: NASTY.to_owned(),
                outside: Some(NASTY.to_owned()),
            }],
            changes: Vec::new(),
        }
        .render(),
        CodePage { text, visitor: visitor(), about: NASTY.to_owned(), digits: NASTY, back: NASTY }.render(),
        ProvePage {
            text,
            visitor: visitor(),
            to: NASTY,
            form_token: NASTY,
            user_name: NASTY,
            asks_second: true,
            second: asked(),
            refused: Some(NASTY.to_owned()),
        }
        .render(),
        QuestionsPage {
            text,
            visitor: visitor(),
            form_token: NASTY,
            places: vec![AnswerPlace {
                question: NASTY.to_owned(),
                answer: NASTY.to_owned(),
                choices: vec![(question(), true)],
            }],
            refused: Some(NASTY.to_owned()),
        }
        .render(),
        ProveQuestionsPage {
            text,
            visitor: visitor(),
            to: NASTY,
            form_token: NASTY,
            asked: vec![question()],
            refused: Some(NASTY.to_owned()),
        }
        .render(),
        SecurityPage {
            text,
            visitor: visitor(),
            form_token: NASTY,
            factors: vec![ShownFactor {
                name: NASTY.to_owned(),
                since: NASTY.to_owned(),
                remove: "/security/passkey/remove",
                id: Some(NASTY.to_owned()),
            }],
            recovery_codes_left: NASTY.to_owned(),
            may_add_passkey: true,
            may_add_codes: true,
            questions: Some(ShownQuestions { about: NASTY.to_owned(), are_answered: true }),
            sessions: vec![ShownSession {
                id: NASTY.to_owned(),
                browser: NASTY.to_owned(),
                address: NASTY.to_owned(),
                since: NASTY.to_owned(),
                is_this: false,
            }],
        }
        .render(),
        TotpPage {
            text,
            visitor: visitor(),
            form_token: NASTY,
            side: 1,
            dark: NASTY,
            key: NASTY,
            link: NASTY,
            refused: Some(NASTY.to_owned()),
        }
        .render(),
        AddPasskeyPage { text, visitor: visitor(), form_token: NASTY, asked: NASTY, refused: Some(NASTY.to_owned()) }
            .render(),
        RecoveryCodesPage { text, visitor: visitor(), codes: &[Secret::new(NASTY.to_owned())] }.render(),
        OwnChangesPage {
            text,
            visitor: visitor(),
            changes: vec![ShownChange {
                link: NASTY.to_owned(),
                name: NASTY.to_owned(),
                at: NASTY.to_owned(),
                shown_at: NASTY.to_owned(),
                kind: "done",
                state: NASTY.to_owned(),
            }],
        }
        .render(),
        OwnChangePage {
            text,
            visitor: visitor(),
            title: NASTY.to_owned(),
            refusals: &refused,
            lines: vec![line],
            again: Some(NASTY.to_owned()),
            back: NASTY,
            is_running: true,
            is_over: true,
            is_everywhere: false,
            is_partly: true,
            is_anywhere: true,
        }
        .render(),
    ];
    pages.map(|page| page.expect("a page")).into()
}

fn asked() -> Asked {
    Asked { passkey: Some(NASTY.to_owned()), has_codes: true }
}

#[test]
fn every_page_is_made_in_every_language_and_what_it_is_filled_with_is_text() {
    for text in Languages::new(&Brand::default()).all() {
        for page in pages(text) {
            assert!(!page.contains("<script>alert") && page.contains("&#60;script&#62;"), "{page}");
            assert!(page.starts_with("<!doctype html>"), "{page}");
            assert!(page.contains(&format!("lang=\"{}\" dir=\"ltr\"", text.tag())), "{page}");
            assert!(!page.contains("style=") && !page.contains("onclick"), "{page}");
        }
    }
}

#[test]
fn a_page_keeps_to_itself() {
    let languages = Languages::new(&Brand::default());
    let response = message(&languages.all()[0], StatusCode::BAD_REQUEST, "enrolled", "enrolled-about");
    let policy = response.headers()["content-security-policy"].to_str().expect("text");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
}
