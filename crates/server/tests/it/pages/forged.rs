//! Every page of the table, whatever is added to it: no write without the token of its form or from another's page, and nothing that
//! could be shown in a frame or kept in a cache.

use lockstep_core::id::SourceId;
use lockstep_core::scope::UserLevel;
use lockstep_store::identity;

use super::{PASSWORD, start};
use crate::architecture::root;
use crate::browser::{Browser, Page};
use crate::harness::Harness;

/// What is part of a page and not one.
const ASSETS: &str = "/assets/";

/// The addresses of the table that take what `method` says.
fn addresses(method: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("crates/server/src/web.rs")).expect("the table");
    let routes = text.split(".route(\"").skip(1).map(|route| route.split('\n').next().expect("a line"));
    let wanted =
        routes.filter(|route| route.contains(&format!(" {method}(")) || route.contains(&format!(".{method}(")));
    let addresses: Vec<String> = wanted.map(|route| route.split('"').next().expect("an address").to_owned()).collect();
    addresses.into_iter().filter(|address| !address.starts_with(ASSETS)).collect()
}

/// An address with somebody and something in it.
fn filled_in(harness: &Harness, address: &str) -> String {
    let (bea, built_in) = (harness.world.bea.to_string(), SourceId::IDENTITY_NOW.to_string());
    let nobody = "2c918086749d78830174a1a40e121518";
    address
        .replace("{change}", nobody)
        .replace("{source}", &built_in)
        .replace("/changes/{id}", &format!("/changes/{nobody}"))
        .replace("{id}", &bea)
}

/// Abby, who may do everything, at the pages.
async fn signed_in(harness: &Harness) -> Browser<'_> {
    let (abby, now) = (harness.world.abby, harness.app.clock.utc());
    harness
        .write(move |tx| {
            Box::pin(async move { identity::set_levels(tx, abby, &[UserLevel::OrgAdmin].into(), now).await })
        })
        .await;
    let mut browser = Browser::new(harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    browser
}

#[tokio::test]
async fn no_form_is_taken_without_its_token_or_from_elsewhere() {
    let harness = start().await;
    let mut browser = signed_in(&harness).await;
    let own = browser.origin.clone();
    let form = browser.visit("/security").await;
    let other = form.hidden("/security/totp").into_iter().find(|(name, _)| name == "form_token").expect("a token").1;
    let addresses = addresses("post");
    assert!(addresses.len() >= 18, "{addresses:?}");
    for address in &addresses {
        let path = filled_in(&harness, address);
        let empty = |token: &str| Page {
            status: 200,
            headers: Default::default(),
            text: format!("action=\"{path}\"><input type=\"hidden\" name=\"form_token\" value=\"{token}\"></form>"),
        };
        // Of what is about to be done elsewhere, another form's token is no better than none.
        let another = if address.starts_with("/security") { "x" } else { other.as_str() };
        for token in ["", "x", another] {
            let refused = browser.submit(&empty(token), &path, &[]).await;
            assert_eq!(refused.status, 403, "{address} with the token {token:?}: {}", refused.text);
        }
        for origin in [
            vec![],
            vec![("origin", "https://evil.example.test".to_owned())],
            vec![("origin", "null".to_owned()), ("sec-fetch-site", "cross-site".to_owned())],
            vec![("sec-fetch-site", "same-site".to_owned())],
        ] {
            browser.origin = origin;
            let refused = browser.submit(&empty(&other), &path, &[]).await;
            assert_eq!(refused.status, 403, "{address} from {:?}: {}", browser.origin, refused.text);
            assert!(refused.text.contains("did not come from this page"), "{address}: {}", refused.text);
        }
        browser.origin = own.clone();
    }
    assert_eq!(browser.visit("/passwords").await.status, 200, "nothing of it signed anybody out");
    harness.stop().await;
}

#[tokio::test]
async fn no_page_is_shown_in_a_frame_or_kept() {
    let harness = start().await;
    let (mut inside, mut outside) = (signed_in(&harness).await, Browser::new(&harness));
    let addresses = addresses("get");
    assert!(addresses.len() >= 15, "{addresses:?}");
    for address in &addresses {
        let path = filled_in(&harness, address);
        for browser in [&mut inside, &mut outside] {
            let page = browser.visit(&path).await;
            assert!(page.status < 500, "{address}: {} {}", page.status, page.text);
            assert_eq!(page.headers["cache-control"], "no-store", "{address}");
            assert_eq!(page.headers["x-content-type-options"], "nosniff", "{address}");
            if page.status == 303 {
                continue;
            }
            let policy = page.headers["content-security-policy"].to_str().expect("text");
            assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
            assert!(!policy.contains("unsafe") && !policy.contains("http"), "{address}: {policy}");
            assert_eq!(page.headers["x-frame-options"], "DENY", "{address}");
            assert_eq!(page.headers["referrer-policy"], "no-referrer", "{address}");
            assert!(page.text.len() < 60 * 1024, "{address} has {} bytes", page.text.len());
        }
    }
    harness.stop().await;
}
