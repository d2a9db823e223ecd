//! Whether text is a distinguished name (RFC 4514), as far as that protects us.
//!
//! It does not normalise or compare: the directory does, and `native_key` where Lockstep compares by itself. A name is sent as it is, in a field of its own of the request,
//! so nothing in it needs escaping; but an empty name would be an anonymous bind, which succeeds with any password,
//! and other text than a name may be read as another kind of identity by the password modify operation.

/// Says what is wrong with text that is no distinguished name.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("the distinguished name is empty");
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err("the distinguished name contains a line break or another control character");
    }
    if unescaped_parts(name).iter().all(|part| is_assertion(part)) {
        Ok(())
    } else {
        Err("this is not a distinguished name; it reads like `uid=abby,ou=people,dc=example,dc=com`")
    }
}

/// Whether the text names an attribute: a descriptor such as `shadowLastChange`, or an object identifier.
pub(super) fn is_attribute_name(name: &str) -> bool {
    let dotted = name.starts_with(|c: char| c.is_ascii_digit());
    let of_keyword = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let of_number = |c: char| c.is_ascii_digit() || c == '.';
    match name.chars().next() {
        Some(first) if first.is_ascii_alphanumeric() => {
            name.chars().all(|c| if dotted { of_number(c) } else { of_keyword(c) })
        }
        _ => false,
    }
}

/// Whether the text is `attribute=value`. The value may be empty.
fn is_assertion(part: &str) -> bool {
    part.split_once('=').is_some_and(|(attribute, _)| is_attribute_name(attribute.trim_matches(' ')))
}

/// Cuts at each comma and plus sign that is neither escaped by a backslash nor inside quotes.
fn unescaped_parts(name: &str) -> Vec<&str> {
    let (mut parts, mut start, mut escaped, mut quoted) = (Vec::new(), 0, false, false);
    for (at, c) in name.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' | '+' if !quoted => {
                parts.push(&name[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&name[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguished_names_pass() {
        for name in [
            "uid=abby,ou=people,dc=example,dc=test",
            "CN=Smith\\, Abby,CN=Users,DC=example,DC=test",
            "CN=Abby+OU=Sales , DC=example",
            "2.5.4.3=Abby,dc=test",
            "cn=\"a, b\",dc=test",
            "cn=Zażółć*)(uid=*,dc=test",
            "cn=#04024869",
            "uid=,dc=test",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for name in [
            "",
            "abby",
            "dn:uid=abby,dc=test",
            "u:abby",
            "uid=a,,dc=test",
            "uid=a,b",
            "=x",
            "uid=a\nchangetype: delete",
            "uid=a\0,dc=test",
            "(uid=*)",
        ] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }
}
