//! People on their own pages, with a browser that does what browsers do.

mod brand;
mod change;
mod forged;
mod of_source;
mod passkey;
mod people;
mod questions;
mod reset;
mod second_factor;
mod session;
mod trusted;

use lockstep_core::application::Application;
use lockstep_core::auth_org::{AuthOrg, LockoutConfig};
use lockstep_core::id::{ApplicationId, SourceId};
use lockstep_core::org_config::PasswordOrgConfig;
use lockstep_store::{application, auth_org, org_config};
use lockstep_vault::secret::draw_id;
use serde_json::json;

use crate::browser::{Browser, Page};
use crate::harness::{Answer, Harness};
use crate::sign_in::set_password;

const PASSWORD: &str = "Sign-In-Password-1";
const NEW: &str = "Quiet-Lantern-Over-Harbour-42";

/// A server where Abby and Bea have sign-in passwords.
async fn start() -> Harness {
    with_passwords(Harness::start().await).await
}

/// The same at an address with a name, for which there are passkeys.
async fn start_named() -> Harness {
    let settings = "base-url = \"http://localhost\"\n[limits]\nrequests = 100000\n";
    with_passwords(Harness::start_with(settings).await).await
}

async fn with_passwords(harness: Harness) -> Harness {
    for identity in [harness.world.abby, harness.world.bea] {
        set_password(&harness, identity, PASSWORD, false).await;
    }
    harness
}

/// What the help desk reads to somebody, where it has codes.
async fn draw_code(harness: &Harness, alias: &str) -> String {
    let now = harness.app.clock.utc();
    let config = PasswordOrgConfig { digit_token_enabled: true, ..Default::default() };
    harness.write(move |tx| Box::pin(async move { org_config::put(tx, &config, now).await })).await;
    let token = harness.client_token("idn:password-digit-token:create").await;
    let post = harness.http.post(harness.url("/v2024/generate-password-reset-token/digit"));
    let post = post.bearer_auth(token).header("X-SailPoint-Experimental", "true").json(&json!({ "userId": alias }));
    let drawn = Answer::of(post).await.with_status(200);
    drawn["digitToken"].as_str().expect("digits").to_owned()
}

/// Has so many wrong tries lock.
async fn lock_after(harness: &Harness, maximum_attempts: i64) {
    let lockout = LockoutConfig { maximum_attempts, ..LockoutConfig::default() };
    let (settings, now) = (AuthOrg { lockout, ..AuthOrg::default() }, harness.app.clock.utc());
    harness.write(move |tx| Box::pin(async move { auth_org::put(tx, &settings, now).await })).await;
}

/// An application that people see.
async fn application(harness: &Harness, name: &str, source: SourceId) {
    let application = Application {
        id: ApplicationId(draw_id()),
        name: name.to_owned(),
        description: String::new(),
        source,
        use_for_password_management: true,
    };
    let now = harness.app.clock.utc();
    harness
        .write(move |tx| {
            let application = application.clone();
            Box::pin(async move { application::put(tx, &application, now).await })
        })
        .await;
}

impl Browser<'_> {
    /// Opens one of our pages.
    async fn visit(&mut self, path: &str) -> Page {
        self.get(&self.harness.url(path)).await
    }

    /// Signs in on the way to a page, and opens it.
    async fn come_in(&mut self, alias: &str, password: &str, to: &str) -> Page {
        let sent = self.visit(to).await.sent_to();
        let page = self.visit(&sent).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let came = self.submit(&page, "/sign-in", &[("user_name", alias), ("password", password)]).await;
        assert_eq!(came.status, 303, "{}", came.text);
        self.visit(&came.sent_to()).await
    }

    /// Fills the form in that changes a password.
    async fn change(&mut self, source: SourceId, filled: &[(&str, &str)]) -> Page {
        let path = format!("/passwords/{source}");
        let page = self.visit(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        self.submit(&page, &path, filled).await
    }
}

impl Page {
    /// The page that it leads to.
    fn sent_to(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.text);
        let location = self.location().expect("a place");
        assert_eq!(location.host_str(), Some("here.invalid"), "nobody is sent away from here: {location}");
        location[url::Position::BeforePath..].to_owned()
    }
}
