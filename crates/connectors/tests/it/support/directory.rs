//! The test directory (suffix `dc=example,dc=test`), asked through OpenLDAP's own command-line clients: an
//! implementation that shares no code with the connector.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use lockstep_connectors::Connector;
use lockstep_core::password::Password;
use serde_json::{Value, json};

use super::{connector, told};

pub(crate) const SERVICE: &str = "cn=svc,dc=example,dc=test";
pub(crate) const SERVICE_PASSWORD: &str = "svcsecret";

/// The distinguished name of a test user. This crate uses numbers 9000 to 9999, each test its own.
pub(crate) fn user(number: u32) -> String {
    assert!((9000..10_000).contains(&number), "{number} belongs to other tests");
    format!("uid=user{number:05},ou=people,dc=example,dc=test")
}

/// A connector over plain LDAP, with some fields added or replaced.
pub(crate) fn plain(more: Value) -> Box<dyn Connector> {
    with(json!({ "url": told("LOCKSTEP_TEST_LDAP_URL"), "allow_plain": true }), more)
}

/// A connector over LDAPS, believing the test CA.
pub(crate) fn ldaps(more: Value) -> Box<dyn Connector> {
    with(json!({ "url": told("LOCKSTEP_TEST_LDAPS_URL"), "ca_file": told("LOCKSTEP_TEST_LDAP_CA") }), more)
}

fn with(mut config: Value, more: Value) -> Box<dyn Connector> {
    config["bind_dn"] = SERVICE.into();
    for (name, value) in more.as_object().expect("an object") {
        config[name] = value.clone();
    }
    let password = config["bind_password_of_test"].take();
    config.as_object_mut().expect("an object").remove("bind_password_of_test");
    connector("ldap", &config, password.as_str().unwrap_or(SERVICE_PASSWORD))
}

/// `host:port` of the plain listener.
pub(crate) fn address() -> String {
    told("LOCKSTEP_TEST_LDAP_URL").trim_start_matches("ldap://").trim_end_matches('/').to_owned()
}

/// Whether OpenLDAP's `ldapwhoami` signs in with the password.
pub(crate) fn signs_in(dn: &str, password: &Password) -> bool {
    let mut file = tempfile::NamedTempFile::new().expect("temporary file");
    file.write_all(password.expose().as_bytes()).expect("written");
    let output = Command::new("ldapwhoami")
        .args(["-x", "-H", &told("LOCKSTEP_TEST_LDAP_URL"), "-D", dn, "-y"])
        .arg(file.path())
        .output()
        .expect("ldapwhoami runs");
    match output.status.code() {
        Some(0) => true,
        Some(49) => false,
        _ => panic!("ldapwhoami: {output:?}"),
    }
}

/// Changes the directory as the service account, by LDIF. An entry that is there already is fine.
pub(crate) fn modify(ldif: &str) {
    modify_at(&told("LOCKSTEP_TEST_LDAP_URL"), ldif);
}

/// The same in another directory.
pub(crate) fn modify_at(url: &str, ldif: &str) {
    let mut child = Command::new("ldapmodify")
        .args(["-x", "-H", url, "-D", SERVICE, "-w", SERVICE_PASSWORD])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ldapmodify runs");
    child.stdin.take().expect("piped").write_all(ldif.as_bytes()).expect("written");
    let output: Output = child.wait_with_output().expect("ldapmodify ends");
    // 68: the entry exists; 20: the value exists.
    assert!(matches!(output.status.code(), Some(0 | 20 | 68)), "ldapmodify: {output:?}");
}

/// The value of one attribute, as the service account sees it.
pub(crate) fn attribute(dn: &str, name: &str) -> Option<String> {
    let output = Command::new("ldapsearch")
        .args(["-x", "-LLL", "-o", "ldif-wrap=no", "-H", &told("LOCKSTEP_TEST_LDAP_URL")])
        .args(["-D", SERVICE, "-w", SERVICE_PASSWORD, "-b", dn, "-s", "base", name])
        .output()
        .expect("ldapsearch runs");
    assert!(output.status.success(), "ldapsearch: {output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
}

/// A password policy of its own for one user.
pub(crate) fn policy(name: &str, rules: &str, dn: &str) {
    modify(&format!(
        "dn: cn={name},ou=policies,dc=example,dc=test\nchangetype: add\nobjectClass: pwdPolicy\nobjectClass: device\n\
         cn: {name}\npwdAttribute: userPassword\n{rules}\n"
    ));
    modify(&format!(
        "dn: {dn}\nchangetype: modify\nreplace: pwdPolicySubentry\n\
         pwdPolicySubentry: cn={name},ou=policies,dc=example,dc=test\n"
    ));
}
