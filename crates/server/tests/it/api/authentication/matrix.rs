//! Who may do what: every operation, called by everybody.
//!
//! What is expected is written down here and nowhere else, so that a slip in the table of operations shows. An operation
//! that is missing here fails the test.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_core::id::IdentityId;
use lockstep_core::identity::Identity;
use lockstep_core::org_config::PasswordOrgConfig;
use lockstep_core::scope::{Scope, UserLevel};
use lockstep_store::{identity, org_config};
use lockstep_vault::secret::draw_id;
use serde_json::Value;

use crate::harness::{Answer, Harness};

/// An operation, how it is asked for under `/v2024` (about Abby, where it is about somebody), its body, the scopes of which
/// each is enough, and those who may: `B` Bea, who is somebody else; `U` Abby herself; `H` a HELPDESK; `S` a SOURCE_ADMIN; `A`
/// an ORG_ADMIN; `P` an API client; `Q` an API client that is ORG_ADMIN. `-` in the place of somebody who may not.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str], &'static str);

const EVERYBODY: &str = "BUHSAPQ";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("queryPasswordInfo", "POST /query-password-info", r#"{"userName":"Abby.Smith"}"#, &["idn:password-info:read"], "-UH-APQ"),
    ("setPassword", "POST /set-password", "{change}", &["idn:password-change:manage"], "-U---PQ"),
    ("getPasswordChangeStatus", "GET /password-change-status/{change}", "", &["idn:password-change:read"], "-UH-APQ"),
    ("createDigitToken", "POST /generate-password-reset-token/digit", r#"{"userId":"Abby.Smith"}"#, &["idn:password-digit-token:create"], "-UH-APQ"),

    ("listPasswordPolicies", "GET /password-policies", "", &["idn:password-policy:read"], "--HSAPQ"),
    ("getPasswordPolicyById", "GET /password-policies/{id}", "", &["idn:password-policy:read"], "--HSAPQ"),
    ("createPasswordPolicy", "POST /password-policies", "{}", &["idn:password-policy:write"], "----A-Q"),
    ("setPasswordPolicy", "PUT /password-policies/{id}", r#"{"name":"x"}"#, &["idn:password-policy:write"], "----A-Q"),
    ("deletePasswordPolicy", "DELETE /password-policies/{id}", "", &["idn:password-policy:write"], "----A-Q"),

    ("getPasswordSyncGroups", "GET /password-sync-groups", "", &["idn:password-sync-group:read", "idn:password-sync-group:manage"], "--HSAPQ"),
    ("getPasswordSyncGroup", "GET /password-sync-groups/{id}", "", &["idn:password-sync-group:read", "idn:password-sync-group:manage"], "--HSAPQ"),
    ("createPasswordSyncGroup", "POST /password-sync-groups", "{}", &["idn:password-sync-group:manage"], "----A-Q"),
    ("updatePasswordSyncGroup", "PUT /password-sync-groups/{id}", "{}", &["idn:password-sync-group:manage"], "----A-Q"),
    ("deletePasswordSyncGroup", "DELETE /password-sync-groups/{id}", "", &["idn:password-sync-group:manage"], "----A-Q"),

    ("getPasswordOrgConfig", "GET /password-org-config", "", &["idn:password-org-config:read"], "----APQ"),
    ("createPasswordOrgConfig", "POST /password-org-config", "{}", &["idn:password-org-config:manage"], "----A-Q"),
    ("putPasswordOrgConfig", "PUT /password-org-config", "{}", &["idn:password-org-config:manage"], "----A-Q"),

    ("getAuthOrgLockoutConfig", "GET /auth-org/lockout-config", "", &["sp:auth-org:read"], "----APQ"),
    ("patchAuthOrgLockoutConfig", "PATCH /auth-org/lockout-config", "[]", &["sp:auth-org:manage"], "----A-Q"),
    ("getAuthOrgNetworkConfig", "GET /auth-org/network-config", "", &["sp:auth-org:read"], "----APQ"),
    ("createAuthOrgNetworkConfig", "POST /auth-org/network-config", "{}", &["sp:auth-org:manage"], "----A-Q"),
    ("patchAuthOrgNetworkConfig", "PATCH /auth-org/network-config", "[]", &["sp:auth-org:manage"], "----A-Q"),
    ("getAuthOrgSessionConfig", "GET /auth-org/session-config", "", &["sp:auth-org:read"], "----APQ"),
    ("patchAuthOrgSessionConfig", "PATCH /auth-org/session-config", "[]", &["sp:auth-org:manage"], "----A-Q"),

    ("getPasswordDictionary", "GET /password-dictionary", "", &["idn:password-dictionary:read", "idn:password-dictionary:manage"], "----APQ"),
    ("putPasswordDictionary", "PUT /password-dictionary", "{}", &["idn:password-dictionary:manage"], "----A-Q"),

    ("getAuthUser", "GET /auth-users/{abby}", "", &["sp:auth-user:read"], "----A-Q"),
    ("patchAuthUser", "PATCH /auth-users/{abby}", "[]", &["sp:auth-user:manage"], "----A-Q"),

    ("listAvailableSourceApps", "GET /source-apps", "", &["idn:app-roles:read", "idn:app-roles:manage"], EVERYBODY),
    ("listAllSourceApp", "GET /source-apps/all", "", &["idn:app-roles:read", "idn:app-roles:manage"], "----APQ"),
    ("listAssignedSourceApp", "GET /source-apps/assigned", "", &["idn:app-roles:read", "idn:app-roles:manage"], "BUHSA--"),
    ("getSourceApp", "GET /source-apps/{id}", "", &["idn:app-roles:read", "idn:app-roles:manage"], EVERYBODY),
    ("createSourceApp", "POST /source-apps", "{}", &["idn:app-roles:manage"], "----A-Q"),
    ("patchSourceApp", "PATCH /source-apps/{id}", "[]", &["idn:app-roles:manage"], "----A-Q"),
    ("deleteSourceApp", "DELETE /source-apps/{id}", "", &["idn:app-roles:manage"], "----A-Q"),

    ("listOwnedUserApps", "GET /user-apps", "", &["idn:app-roles:read", "idn:app-roles:manage"], "BUHSA--"),
    ("listAllUserApps", "GET /user-apps/all", "", &["idn:app-roles:manage"], "----A-Q"),
    ("patchUserApp", "PATCH /user-apps/{id}", "[]", &["idn:app-roles:manage"], "BUHSA--"),
    ("listAvailableAccountsForUserApp", "GET /user-apps/{id}/available-accounts", "", &["idn:app-roles:read", "idn:app-roles:manage"], "BUHSA--"),

    ("listSources", "GET /sources", "", &["idn:sources:read", "idn:sources:manage"], "--HSAPQ"),
    ("getSource", "GET /sources/{id}", "", &["idn:sources:read", "idn:sources:manage"], "--HSAPQ"),
    ("createSource", "POST /sources", "{}", &["idn:sources:manage"], "----A-Q"),
    ("putSource", "PUT /sources/{id}", "{}", &["idn:sources:manage"], "----A-Q"),
    ("updateSource", "PATCH /sources/{id}", "[]", &["idn:sources:manage"], "----A-Q"),
    ("deleteSource", "DELETE /sources/{id}", "", &["idn:sources:manage"], "----A-Q"),
    ("updatePasswordPolicyHolders", "PATCH /sources/{id}/password-policies", "[]", &["idn:sources:manage"], "----A-Q"),
    ("testSourceConnection", "POST /sources/{id}/connector/check-connection", "", &["idn:source-connector:manage"], "---SA-Q"),
    ("testSourceConfiguration", "POST /sources/{id}/connector/test-configuration", "", &["idn:source-connector:manage"], "---SA-Q"),

    ("importAccounts", "POST /sources/{id}/load-accounts", "", &["idn:sources:manage"], "---SA-Q"),
    ("getTaskStatus", "GET /task-status/{id}", "", &["idn:task-management:read"], "---SAPQ"),
    ("getTaskStatusList", "GET /task-status", "", &["idn:task-management:read"], "---SAPQ"),
    ("updateAccount", "PATCH /accounts/{id}", "[]", &["idn:accounts:manage"], "----A-Q"),
    ("submitReloadAccount", "POST /accounts/{id}/reload", "", &["idn:accounts-state:manage"], "--HSAPQ"),

    ("listAccounts", "GET /accounts", "", &["idn:accounts:read", "idn:accounts:manage"], "--HSAPQ"),
    ("getAccount", "GET /accounts/{id}", "", &["idn:accounts:read", "idn:accounts:manage"], "--HSAPQ"),
    ("unlockAccount", "POST /accounts/{id}/unlock", "", &["idn:accounts-state:manage"], "--HSAPQ"),
    ("enableAccount", "POST /accounts/{id}/enable", "", &["idn:accounts-state:manage"], "--HSA-Q"),
    ("disableAccount", "POST /accounts/{id}/disable", "", &["idn:accounts-state:manage"], "--HSA-Q"),

    ("listIdentities", "GET /identities", "", &["idn:identity:read", "idn:identity:manage"], "--HSAPQ"),
    ("getIdentity", "GET /identities/{id}", "", &["idn:identity:read", "idn:identity:manage"], "--HSAPQ"),
    ("getPublicIdentities", "GET /public-identities", "", &["sp:scopes:default"], EVERYBODY),

    ("listOauthClients", "GET /oauth-clients", "", &["sp:oauth-client:read", "sp:oauth-client:manage"], "----A-Q"),
    ("getOauthClient", "GET /oauth-clients/{id}", "", &["sp:oauth-client:read", "sp:oauth-client:manage"], "----A-Q"),
    ("createOauthClient", "POST /oauth-clients", "{}", &["sp:oauth-client:manage"], "----A-Q"),
    ("patchOauthClient", "PATCH /oauth-clients/{id}", "[]", &["sp:oauth-client:manage"], "----A-Q"),
    ("deleteOauthClient", "DELETE /oauth-clients/{id}", "", &["sp:oauth-client:manage"], "----A-Q"),
    ("listPersonalAccessTokens", "GET /personal-access-tokens?owner-id=me", "", &["sp:my-personal-access-tokens:read", "sp:my-personal-access-tokens:manage", "sp:all-personal-access-tokens:read", "sp:all-personal-access-tokens:manage"], "BUHSA-Q"),
    ("createPersonalAccessToken", "POST /personal-access-tokens", "{}", &["sp:my-personal-access-tokens:manage", "sp:all-personal-access-tokens:manage"], "BUHSA--"),
    ("patchPersonalAccessToken", "PATCH /personal-access-tokens/{id}", "[]", &["sp:my-personal-access-tokens:manage"], "BUHSA--"),
    ("deletePersonalAccessToken", "DELETE /personal-access-tokens/{id}", "", &["sp:my-personal-access-tokens:manage", "sp:all-personal-access-tokens:manage"], "BUHSA-Q"),
];

#[expect(clippy::print_stdout, reason = "how much was tried is a part of what the test says")]
#[tokio::test]
async fn everybody_may_what_is_theirs_and_nothing_else() {
    let harness = Harness::start().await;
    every_operation_is_here();
    let world = Asked::prepare(&harness).await;
    let people = everybody(&harness).await;
    let expired = super::token(&harness, harness.client("sp:scopes:all").await.id, -1).await;
    let mut cells = 0;
    for row in ROWS {
        let (name, _, _, scopes, allowed) = row;
        for token in ["", expired.as_str()] {
            assert_eq!(world.call(&harness, row, token).await.status, 401, "{name} without a token that lives");
            cells += 1;
        }
        for (letter, token) in &people {
            let answer = world.call(&harness, row, token).await;
            match allowed.contains(*letter) {
                true => {
                    assert!(!matches!(answer.status, 401 | 403) && answer.status < 500, "{name} {letter} {answer:?}")
                }
                false => drop(answer.refused(403, "403 Forbidden")),
            }
            cells += 1;
        }
        // Every token may what needs the default scope.
        if *scopes == [Scope::Default.as_str()] {
            continue;
        }
        // Of two who may: without the scope, and with nothing but it.
        for letter in ['U', 'A', 'P', 'Q'].into_iter().filter(|letter| allowed.contains(*letter)).take(2) {
            let others = Scope::all().filter(|scope| *scope != Scope::All && !scopes.contains(&scope.as_str()));
            let others: Vec<&str> = others.map(Scope::as_str).collect();
            let without = somebody(&harness, letter, &others.join(" ")).await;
            let answer = world.call(&harness, row, &without).await;
            let cause = answer.body["causes"][0]["text"].as_str().unwrap_or_default().to_owned();
            assert!(cause.contains(scopes[0]), "{name} {letter} without the scope: {answer:?}");
            answer.refused(403, "403 Forbidden");
            for scope in *scopes {
                let answer = world.call(&harness, row, &somebody(&harness, letter, scope).await).await;
                assert!(
                    !matches!(answer.status, 401 | 403) && answer.status < 500,
                    "{name} {letter} {scope} {answer:?}"
                );
                cells += 1;
            }
            cells += 1;
        }
    }
    println!("{} operations, {cells} cells", ROWS.len());
    assert!(cells > 11 * ROWS.len());
    harness.settled().await;
    harness.stop().await;
}

/// Every operation of the document is in the table, at the address that it has.
fn every_operation_is_here() {
    let document = serde_json::to_value(lockstep::api::document()).expect("written");
    let mut there = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let Some(path) = path.strip_prefix("/v2024") else { continue };
        for (method, operation) in item.as_object().expect("methods") {
            let name = operation["operationId"].as_str().and_then(|name| name.strip_suffix("V2024")).expect("a name");
            there.insert((name.to_owned(), format!("{} {path}", method.to_uppercase())));
        }
    }
    let generic = |address: &str| {
        let address = address.split('?').next().unwrap_or_default();
        address.replace("{change}", "{id}").replace("{abby}", "{id}")
    };
    let here: BTreeSet<_> = ROWS.iter().map(|row| (row.0.to_owned(), generic(row.1))).collect();
    let missing: Vec<_> = there.difference(&here).collect();
    let gone: Vec<_> = here.difference(&there).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not in this table: {missing:?}; not in the document: {gone:?}");
    assert_eq!(ROWS.len(), here.len(), "an operation is in this table twice");
}

/// What the operations are about.
struct Asked {
    change: String,
    request: Value,
    abby: IdentityId,
}

impl Asked {
    /// A change of Abby's that is over; digit tokens are switched on.
    async fn prepare(harness: &Harness) -> Self {
        let config = PasswordOrgConfig { digit_token_enabled: true, ..Default::default() };
        let now = harness.app.clock.utc();
        harness.write(move |tx| Box::pin(async move { org_config::put(tx, &config, now).await })).await;
        let program = harness.client_token("sp:scopes:all").await;
        let request = harness.change_request(&program, "Some-Password-1").await;
        let change = harness.post("/v2024/set-password", &program, &request).await.with_status(202);
        let change = change["requestId"].as_str().expect("an id").to_owned();
        harness.final_status(&program, &change).await;
        Self { change, request, abby: harness.world.abby }
    }

    async fn call(&self, harness: &Harness, row: &Row, token: &str) -> Answer {
        let (method, path) = row.1.split_once(' ').expect("a method and a path");
        let path = path.replace("{change}", &self.change).replace("{abby}", &self.abby.to_string());
        let path = path.replace("{id}", "00000000000000000000000000000009");
        let request = harness.ask(method, &format!("/v2024{path}"), token);
        Answer::of(match row.2 {
            "" => request,
            "{change}" => request.json(&self.request),
            body => request.header("content-type", "application/json").body(body),
        })
        .await
    }
}

/// Everybody, with every scope.
async fn everybody(harness: &Harness) -> BTreeMap<char, String> {
    let mut people = BTreeMap::new();
    for letter in EVERYBODY.chars() {
        people.insert(letter, somebody(harness, letter, "sp:scopes:all").await);
    }
    people
}

/// The token of somebody with these scopes.
async fn somebody(harness: &Harness, letter: char, scopes: &str) -> String {
    let world = &harness.world;
    let person = match letter {
        'P' => return harness.token(&harness.client(scopes).await).await,
        'Q' => return harness.token(&harness.client_of_levels(scopes, &[UserLevel::OrgAdmin]).await).await,
        'B' => world.bea,
        'U' => world.abby,
        'H' => world.helga,
        'S' => source_admin(harness).await,
        'A' => world.ada,
        other => panic!("{other} is nobody"),
    };
    harness.token(&harness.personal_access_token(person, scopes).await).await
}

async fn source_admin(harness: &Harness) -> IdentityId {
    let (id, now) = (IdentityId(draw_id()), harness.app.clock.utc());
    let sam = Identity {
        id,
        alias: format!("Sam.{id}"),
        display_name: "Sam".to_owned(),
        email: None,
        attributes: BTreeMap::new(),
        sign_in_source: lockstep_core::id::SourceId::IDENTITY_NOW,
        enabled: true,
    };
    let work = harness.write(move |tx| {
        Box::pin(async move {
            identity::put(tx, &sam, now).await?;
            identity::set_levels(tx, id, &BTreeSet::from([UserLevel::SourceAdmin]), now).await
        })
    });
    work.await;
    id
}
