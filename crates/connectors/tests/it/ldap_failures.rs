//! A directory that is not there, does not answer, or is not the one it says: what is in doubt and what is not.

use std::process::Command;
use std::time::{Duration, Instant};

use lockstep_connectors::{FailureKind, RefusalKind, SignIn, Written};
use serde_json::json;

use crate::support::directory::{address, ldaps, plain, signs_in, user};
use crate::support::network::{Loses, Proxy, Scripted, closed_port};
use crate::support::{account, fresh_password, refused, told};

/// The object identifier of the password modify operation, as it stands in the request.
const PASSWORD_MODIFY: &[u8] = b"1.3.6.1.4.1.4203.1.11.1";

#[tokio::test]
async fn a_stopped_directory_is_unreachable() {
    let connector = plain(json!({ "url": format!("ldap://{}", closed_port().await) }));
    let (user, new) = (account(&user(9200)), fresh_password());
    let written = connector.set_password(&user, &new, None).await;
    assert!(matches!(&written, Written::Unreachable(failure) if failure.kind == FailureKind::Connect), "{written:?}");
    assert!(matches!(connector.sign_in(&user, &new).await, SignIn::Unable(_)));
    assert_eq!(connector.lock_state(&user).await.expect_err("stopped").kind, FailureKind::Connect);
    assert_eq!(connector.test().await.expect_err("stopped").kind, FailureKind::Connect);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_unreachable() {
    let connector = plain(json!({ "url": "ldap://no-such-host.invalid" }));
    let written = connector.set_password(&account(&user(9201)), &fresh_password(), None).await;
    assert!(matches!(written, Written::Unreachable(_)), "{written:?}");
}

#[tokio::test]
async fn a_black_hole_is_unreachable_before_the_write_is_sent() {
    for more in [json!({}), json!({ "start_tls": true, "ca_file": told("LOCKSTEP_TEST_LDAP_CA") })] {
        let hole = Scripted::black_hole().await;
        let mut config = json!({
            "url": format!("ldap://localhost:{}", hole.address.port()),
            "connect_timeout_ms": 300,
            "request_timeout_ms": 300,
        });
        config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let connector = plain(config);
        let started = Instant::now();
        let written = connector.set_password(&account(&user(9202)), &fresh_password(), None).await;
        assert!(matches!(written, Written::Unreachable(_)), "{written:?}");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        assert!(matches!(connector.sign_in(&account(&user(9202)), &fresh_password()).await, SignIn::Unable(_)));
    }
}

#[tokio::test]
async fn a_lost_request_is_in_doubt() {
    let (dn, old, new) = (user(9203), fresh_password(), fresh_password());
    assert_eq!(plain(json!({})).set_password(&account(&dn), &old, None).await, Written::Applied);
    let proxy = Proxy::start("127.0.0.1", &address(), PASSWORD_MODIFY, Loses::Request).await;
    let connector = plain(json!({ "url": format!("ldap://{}", proxy.address), "request_timeout_ms": 300 }));
    let written = connector.set_password(&account(&dn), &new, None).await;
    assert!(matches!(&written, Written::Unknown(failure) if failure.kind == FailureKind::Timeout), "{written:?}");
    assert_eq!(connector.sign_in(&account(&dn), &old).await, SignIn::Right, "it had not arrived");
}

#[tokio::test]
async fn a_lost_answer_is_in_doubt_and_a_sign_in_tells() {
    for (loses, number) in [(Loses::Answer, 9204), (Loses::AnswerAndConnection, 9205)] {
        let (dn, new) = (user(number), fresh_password());
        let proxy = Proxy::start("127.0.0.1", &address(), PASSWORD_MODIFY, loses).await;
        let connector = plain(json!({ "url": format!("ldap://{}", proxy.address), "request_timeout_ms": 1000 }));
        let written = connector.set_password(&account(&dn), &new, None).await;
        let expected = if loses == Loses::Answer { FailureKind::Timeout } else { FailureKind::Broken };
        assert!(matches!(&written, Written::Unknown(failure) if failure.kind == expected), "{written:?}");
        assert_eq!(connector.sign_in(&account(&dn), &new).await, SignIn::Right, "it had arrived");
    }
}

#[tokio::test]
async fn a_broken_idle_connection_is_replaced_without_a_doubt() {
    let (dn, new) = (user(9206), fresh_password());
    let proxy = Proxy::start("127.0.0.1", &address(), b"", Loses::Request).await;
    let connector = plain(json!({ "url": format!("ldap://{}", proxy.address) }));
    assert_eq!(connector.set_password(&account(&dn), &fresh_password(), None).await, Written::Applied);
    proxy.cut_connections();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(connector.set_password(&account(&dn), &new, None).await, Written::Applied);
    assert!(signs_in(&dn, &new), "by another implementation");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ca = folder.path().join("ca.pem");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=Another CA", "-keyout", "/dev/null", "-out"])
        .arg(&ca)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    let start_tls = json!({ "ca_file": ca, "url": told("LOCKSTEP_TEST_LDAP_URL"), "start_tls": true });
    for connector in [ldaps(json!({ "ca_file": ca })), ldaps(start_tls)] {
        let new = fresh_password();
        let written = connector.set_password(&account(&user(9207)), &new, None).await;
        let detail = refused(written, RefusalKind::Misconfigured, &new);
        assert!(detail.contains("certificate is not trusted"), "{detail}");
        assert!(matches!(connector.sign_in(&account(&user(9207)), &new).await, SignIn::Unable(_)));
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let upstream = told("LOCKSTEP_TEST_LDAPS_URL").trim_start_matches("ldaps://").to_owned();
    let proxy = Proxy::start("127.0.0.2", &upstream, b"", Loses::Request).await;
    let connector = ldaps(json!({ "url": format!("ldaps://{}", proxy.address) }));
    let new = fresh_password();
    let written = connector.set_password(&account(&user(9208)), &new, None).await;
    let detail = refused(written, RefusalKind::Misconfigured, &new);
    assert!(detail.contains("certificate is not trusted"), "{detail}");
}

#[tokio::test]
async fn a_refused_starttls_ends_the_connection() {
    // ExtendedResponse to message 1 with result 2, "protocol error": the server does not know StartTLS.
    let server =
        Scripted::start(&[0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x02, 0x04, 0x00, 0x04, 0x00]).await;
    let url = format!("ldap://localhost:{}", server.address.port());
    let connector = ldaps(json!({ "url": url, "start_tls": true }));
    let new = fresh_password();
    let written = connector.set_password(&account(&user(9209)), &new, None).await;
    let detail = refused(written, RefusalKind::Misconfigured, &new);
    assert!(detail.contains("StartTLS"), "{detail}");
    tokio::time::sleep(Duration::from_millis(50)).await;
    // The request for StartTLS has 31 bytes. A bind in the clear would have come after it.
    assert_eq!(server.received(), 31);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_no_panic() {
    // BindResponse to message 1 without anything in it, and a message that is no LDAP.
    for answer in [&[0x30, 0x05, 0x02, 0x01, 0x01, 0x61, 0x00][..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let server = Scripted::start(answer).await;
        let connector = plain(json!({ "url": format!("ldap://{}", server.address), "request_timeout_ms": 1000 }));
        let written = connector.set_password(&account(&user(9210)), &fresh_password(), None).await;
        assert!(matches!(written, Written::Unreachable(_)), "{written:?}");
    }
}

#[tokio::test]
async fn a_refused_service_account_is_a_misconfiguration() {
    let connector = plain(json!({ "bind_password_of_test": "wrong" }));
    let new = fresh_password();
    // Once only: three wrong sign-ins lock the service account for every other test.
    let written = connector.set_password(&account(&user(9211)), &new, None).await;
    let detail = refused(written, RefusalKind::Misconfigured, &new);
    assert!(detail.contains("cn=svc"), "{detail}");
    drop(plain(json!({})).test().await.expect("the right password still signs in"));
}

#[tokio::test]
async fn a_closed_connector_opens_nothing() {
    let connector = plain(json!({}));
    assert!(connector.test().await.is_ok());
    connector.close().await;
    let written = connector.set_password(&account(&user(9212)), &fresh_password(), None).await;
    assert!(matches!(written, Written::Unreachable(_)), "{written:?}");
}

#[tokio::test]
async fn a_busy_pool_is_unreachable() {
    let proxy = Proxy::start("127.0.0.1", &address(), PASSWORD_MODIFY, Loses::Request).await;
    let connector = plain(json!({
        "url": format!("ldap://{}", proxy.address),
        "max_connections": 1,
        "connect_timeout_ms": 300,
        "request_timeout_ms": 1500,
    }));
    let (user, new) = (account(&user(9213)), fresh_password());
    let (first, second) =
        tokio::join!(connector.set_password(&user, &new, None), connector.set_password(&user, &new, None));
    let outcomes = [first, second];
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Written::Unknown(_))), "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Written::Unreachable(_))), "{outcomes:?}");
}
