//! The directory's content as LDIF (RFC 2849), written by us because hashing 10,000 passwords by a tool call each
//! would take minutes.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Everything below `dc=example,dc=test`, with that many people.
pub(super) fn directory(people: u32) -> String {
    let mut ldif = format!(
        "dn: dc=example,dc=test
objectClass: top
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=test
objectClass: organizationalUnit
ou: people

dn: ou=policies,dc=example,dc=test
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,dc=example,dc=test
objectClass: pwdPolicy
objectClass: device
cn: default
pwdAttribute: userPassword
pwdMinLength: 8
pwdCheckQuality: 2
pwdInHistory: 3
pwdMaxFailure: 3
pwdLockout: TRUE
pwdLockoutDuration: 0
pwdAllowUserChange: TRUE
pwdSafeModify: FALSE

dn: cn=svc,dc=example,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: svc
userPassword: {}
",
        salted_sha1("svcsecret", *b"service.")
    );
    for number in 0..people {
        // A salt by number instead of by chance: the same data in every run, and no two people share one.
        let mut salt = *b"salt0000";
        salt[4..].copy_from_slice(&number.to_be_bytes());
        let hash = salted_sha1(&format!("Initial-{number:05}"), salt);
        let uid = format!("user{number:05}");
        let _infallible = write!(
            ldif,
            "
dn: uid={uid},ou=people,dc=example,dc=test
objectClass: inetOrgPerson
uid: {uid}
cn: User {number}
sn: Number{number}
mail: {uid}@example.test
userPassword: {hash}
"
        );
    }
    ldif
}

/// OpenLDAP's `{SSHA}` form: base64 of SHA-1(password, salt) followed by the salt.
fn salted_sha1(password: &str, salt: [u8; 8]) -> String {
    let digest = Sha1::new().chain_update(password).chain_update(salt).finalize();
    format!("{{SSHA}}{}", STANDARD.encode([digest.as_slice(), &salt].concat()))
}

#[cfg(test)]
mod tests {
    use super::{directory, salted_sha1};

    #[test]
    fn a_hash_is_the_one_another_implementation_makes() {
        // printf 'Initial-00042saltsalt' | openssl sha1 -binary, then the salt, then base64.
        assert_eq!(salted_sha1("Initial-00042", *b"saltsalt"), "{SSHA}c9qjMTN+s8NuvjCn9wH40NlUYEdzYWx0c2FsdA==");
    }

    #[test]
    fn every_person_is_there_once() {
        let ldif = directory(100);
        assert_eq!(ldif.matches("objectClass: inetOrgPerson").count(), 100);
        assert_eq!(ldif.matches("dn: uid=user00099,ou=people,dc=example,dc=test\n").count(), 1);
    }
}
