//! A directory that works: slapd with its password policy overlay.

use std::time::Duration;

use lockstep_connectors::{FailureKind, Level, LockState, MustChange, RefusalKind, SignIn, Written};
use serde_json::json;

use crate::support::directory::{attribute, ldaps, modify, plain, policy, signs_in, user};
use crate::support::{account, fresh, fresh_password, password, refused, told};

#[tokio::test]
async fn a_password_is_set_over_ldaps_and_signs_in() {
    let (dn, new, connector) = (user(9000), fresh_password(), ldaps(json!({})));
    assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied);
    assert!(signs_in(&dn, &new), "by another implementation");
    assert_eq!(connector.sign_in(&account(&dn), &new).await, SignIn::Right);
    assert_eq!(connector.sign_in(&account(&dn), &password("Initial-09000")).await, SignIn::Wrong);
}

#[tokio::test]
async fn a_password_is_set_over_starttls() {
    let (dn, new) = (user(9001), fresh_password());
    let url = told("LOCKSTEP_TEST_LDAP_URL");
    let connector = ldaps(json!({ "url": url, "start_tls": true, "ca_file": told("LOCKSTEP_TEST_LDAP_CA") }));
    assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied);
    assert_eq!(connector.sign_in(&account(&dn), &new).await, SignIn::Right);
    assert!(signs_in(&dn, &new), "by another implementation");
}

#[tokio::test]
async fn difficult_passwords_arrive_as_they_are() {
    let (dn, connector) = (user(9002), plain(json!({})));
    for text in [
        "with space at end ",
        "\"quoted\" 'twice'",
        "back\\slash\\",
        "co:lon",
        "\u{1F511}\u{1F511}é\u{301}",
        "*)(uid=*",
    ] {
        let new = password(&format!("{}{text}", fresh()));
        assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied, "{text}");
        assert!(signs_in(&dn, &new), "{text}");
    }
}

#[tokio::test]
async fn the_longest_password_is_set() {
    let (dn, connector) = (user(9003), plain(json!({})));
    let new = password(&format!("{}{}", "x".repeat(480), fresh()));
    assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied);
    assert!(signs_in(&dn, &new), "by another implementation");
}

#[tokio::test]
async fn refusals_of_the_policy_are_told_apart() {
    let (dn, connector) = (user(9004), plain(json!({})));
    let new = fresh_password();
    assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied);
    let short = password("Short-1");
    let detail = refused(connector.set_password(&account(&dn), &short, None).await, RefusalKind::PolicyLength, &short);
    assert!(detail.contains("too short"), "{detail}");
    let detail = refused(connector.set_password(&account(&dn), &new, None).await, RefusalKind::PolicyHistory, &new);
    assert!(detail.contains("history"), "{detail}");
    assert!(signs_in(&dn, &new), "nothing changed");
}

#[tokio::test]
async fn a_change_too_soon_is_told() {
    let (dn, connector) = (user(9005), plain(json!({})));
    assert_eq!(connector.set_password(&account(&dn), &fresh_password(), None).await, Written::Applied);
    policy("connectors-min-age", "pwdMinAge: 86400", &dn);
    let new = fresh_password();
    refused(connector.set_password(&account(&dn), &new, None).await, RefusalKind::PolicyTooYoung, &new);
    modify(&format!("dn: {dn}\nchangetype: modify\nreplace: pwdPolicySubentry\n"));
}

#[tokio::test]
async fn an_expired_password_is_right_and_a_wrong_one_is_wrong() {
    let (dn, new, connector) = (user(9006), fresh_password(), plain(json!({})));
    assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied);
    policy("connectors-max-age", "pwdMaxAge: 1", &dn);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(!signs_in(&dn, &new), "the directory lets nobody in with an expired password");
    let said = connector.sign_in(&account(&dn), &new).await;
    assert_eq!(said, SignIn::MustChange(MustChange::Expired));
    assert_eq!(connector.sign_in(&account(&dn), &fresh_password()).await, SignIn::Wrong);
    modify(&format!("dn: {dn}\nchangetype: modify\nreplace: pwdPolicySubentry\n"));
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_right() {
    let (dn, new, connector) = (user(9007), fresh_password(), plain(json!({})));
    policy("connectors-must-change", "pwdMustChange: TRUE", &dn);
    assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied);
    modify(&format!("dn: {dn}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n"));
    assert_eq!(connector.sign_in(&account(&dn), &new).await, SignIn::MustChange(MustChange::Reset));
    assert_eq!(connector.sign_in(&account(&dn), &fresh_password()).await, SignIn::Wrong);
    let newer = fresh_password();
    assert_eq!(connector.set_password(&account(&dn), &newer, None).await, Written::Applied);
    assert_eq!(connector.sign_in(&account(&dn), &newer).await, SignIn::Right, "another password is what it waited for");
    modify(&format!("dn: {dn}\nchangetype: modify\nreplace: pwdPolicySubentry\n"));
}

#[tokio::test]
async fn a_locked_account_proves_nothing_until_it_is_unlocked() {
    let (dn, new, connector) = (user(9008), fresh_password(), plain(json!({})));
    let account = account(&dn);
    assert_eq!(connector.set_password(&account, &new, None).await, Written::Applied);
    assert_eq!(connector.lock_state(&account).await, Ok(LockState::Open));
    for _ in 0..3 {
        assert_ne!(connector.sign_in(&account, &fresh_password()).await, SignIn::Right);
    }
    let state = connector.lock_state(&account).await;
    assert!(matches!(&state, Ok(LockState::Locked { since: Some(since) }) if since.ends_with('Z')), "{state:?}");
    for guess in [&new, &fresh_password()] {
        let SignIn::NotAccepted(failure) = connector.sign_in(&account, guess).await else { panic!("locked") };
        assert!(failure.detail.contains("locked"), "{failure}");
    }
    assert_eq!(connector.unlock(&account).await, Ok(()));
    assert_eq!(connector.lock_state(&account).await, Ok(LockState::Open));
    assert_eq!(connector.sign_in(&account, &new).await, SignIn::Right);
    assert_eq!(connector.unlock(&account).await, Ok(()), "an account that is not locked is a success");
}

#[tokio::test]
async fn a_missing_entry_is_told() {
    let connector = plain(json!({}));
    let gone = account("uid=nobody,ou=people,dc=example,dc=test");
    let new = fresh_password();
    refused(connector.set_password(&gone, &new, None).await, RefusalKind::AccountNotFound, &new);
    assert_eq!(connector.sign_in(&gone, &new).await, SignIn::Wrong);
    let kind = connector.lock_state(&gone).await.expect_err("gone").kind;
    assert_eq!(kind, FailureKind::Refused(RefusalKind::AccountNotFound));
    let kind = connector.unlock(&gone).await.expect_err("gone").kind;
    assert_eq!(kind, FailureKind::Refused(RefusalKind::AccountNotFound));
}

#[tokio::test]
async fn an_id_that_is_no_name_reaches_nobody() {
    let (dn, old, connector) = (user(9009), fresh_password(), plain(json!({})));
    assert_eq!(connector.set_password(&account(&dn), &old, None).await, Written::Applied);
    for id in [
        "",
        "*",
        "user09009",
        "u:user09009",
        &format!("dn:{dn}"),
        &format!("{dn}\nuserPassword: x"),
        &format!("{dn}\0"),
        &format!("{dn})(uid=*"),
        &format!("{dn},{dn}"),
    ] {
        let new = fresh_password();
        refused(connector.set_password(&account(id), &new, None).await, RefusalKind::AccountNotFound, &new);
        // An empty name with a password would be an anonymous bind, which succeeds.
        assert_ne!(connector.sign_in(&account(id), &old).await, SignIn::Right, "{id:?}");
    }
    assert!(signs_in(&dn, &old), "nothing changed");
}

#[tokio::test]
async fn a_plain_modify_writes_what_belongs_beside_it() {
    let (dn, new) = (user(9010), fresh_password());
    modify(&format!("dn: {dn}\nchangetype: modify\nadd: objectClass\nobjectClass: shadowAccount\n"));
    let connector = plain(json!({ "method": "modify", "also_write": { "shadowLastChange": "{days}" } }));
    assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied);
    assert!(signs_in(&dn, &new), "the directory hashed it");
    assert_eq!(attribute(&dn, "shadowLastChange").as_deref(), Some("20000"));
    let short = password("Short-1");
    refused(connector.set_password(&account(&dn), &short, None).await, RefusalKind::PolicyLength, &short);
}

#[tokio::test]
async fn an_entry_that_cannot_hold_what_is_written_stays_as_it_was() {
    let (dn, old) = (user(9011), fresh_password());
    assert_eq!(plain(json!({})).set_password(&account(&dn), &old, None).await, Written::Applied);
    let connector = plain(json!({ "method": "modify", "also_write": { "shadowLastChange": "{days}" } }));
    let new = fresh_password();
    refused(connector.set_password(&account(&dn), &new, None).await, RefusalKind::Misconfigured, &new);
    assert!(signs_in(&dn, &old), "nothing changed");
}

#[tokio::test]
async fn a_service_account_without_rights_is_told() {
    let (service, secret) = (user(9012), fresh_password());
    assert_eq!(plain(json!({})).set_password(&account(&service), &secret, None).await, Written::Applied);
    let connector = plain(json!({ "bind_dn": service, "bind_password_of_test": secret.expose() }));
    let new = fresh_password();
    let dn = user(9013);
    refused(connector.set_password(&account(&dn), &new, None).await, RefusalKind::NoRights, &new);
    let kind = connector.unlock(&account(&dn)).await.expect_err("no rights").kind;
    assert_eq!(kind, FailureKind::Refused(RefusalKind::NoRights));
}

#[tokio::test]
async fn an_own_change_is_not_taken_for_a_reset() {
    let (dn, new) = (user(9014), fresh_password());
    let connector = plain(json!({}));
    assert!(!connector.capabilities().own_change);
    let written = connector.set_password(&account(&dn), &new, Some(&password("Initial-09014"))).await;
    refused(written, RefusalKind::Unsupported, &new);
}

#[tokio::test]
async fn many_at_once_share_few_connections() {
    let connector = plain(json!({ "max_connections": 2 }));
    let changes = (9100..9140).map(|number| {
        let connector = &connector;
        async move {
            let (dn, new) = (user(number), fresh_password());
            let written = connector.set_password(&account(&dn), &new, None).await;
            (written, connector.sign_in(&account(&dn), &new).await)
        }
    });
    for result in futures_util::future::join_all(changes).await {
        assert_eq!(result, (Written::Applied, SignIn::Right));
    }
}

#[tokio::test]
async fn the_connection_test_says_what_it_found() {
    let report = ldaps(json!({})).test().await.expect("all well");
    assert!(report.checks.iter().all(|check| check.level == Level::Good), "{report:?}");
    let text = report.checks.iter().map(|check| check.text.as_str()).collect::<Vec<_>>().join("\n");
    for word in ["ldaps", "cn=svc", "RFC 3062", "policy control"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let report = plain(json!({})).test().await.expect("works");
    assert!(report.checks.iter().any(|check| check.level == Level::Warning && check.text.contains("in the clear")));
}
