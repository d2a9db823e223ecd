//! The form in which two distinguished names are compared (RFC 4514, and what older ones allowed).
//!
//! Two names of one entry give the same text, whatever their escapes, spaces, case and order of the parts of one step. The
//! schema is not known here: every value is taken as one of those that are compared without regard to case and to
//! repeated spaces, which those that name people are. The result is for comparing only and is never sent to a directory.

use unicode_normalization::UnicodeNormalization as _;

/// The normal form. Text that is no distinguished name is only put into lower case.
pub(crate) fn native_key(name: &str) -> String {
    let Some(steps) = steps(name) else { return name.trim().to_lowercase() };
    let steps = steps.into_iter().map(|mut parts| {
        parts.sort();
        parts.join("+")
    });
    steps.collect::<Vec<_>>().join(",")
}

/// The normal forms of the parts (`uid=abby`) of each step of the name.
fn steps(name: &str) -> Option<Vec<Vec<String>>> {
    let mut rest = name.trim_matches(' ');
    let mut steps = vec![Vec::new()];
    if rest.is_empty() {
        return Some(Vec::new());
    }
    loop {
        let (attribute, after) = rest.split_once('=')?;
        let attribute = attribute_key(attribute.trim_matches(' '))?;
        let (value, separator, after) = value(after)?;
        steps.last_mut()?.push(format!("{attribute}={value}"));
        match separator {
            None => return Some(steps),
            Some('+') => {}
            Some(_) => steps.push(Vec::new()),
        }
        rest = after;
    }
}

/// One name for each attribute that has several (RFC 4519), or its number in front of it.
fn attribute_key(name: &str) -> Option<String> {
    if !super::dn::is_attribute_name(name.trim_start_matches("OID.").trim_start_matches("oid.")) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let short = match name.trim_start_matches("oid.") {
        "2.5.4.3" | "commonname" => "cn",
        "2.5.4.4" | "surname" => "sn",
        "2.5.4.5" => "serialnumber",
        "2.5.4.6" | "countryname" => "c",
        "2.5.4.7" | "localityname" => "l",
        "2.5.4.8" | "stateorprovincename" => "st",
        "2.5.4.9" | "streetaddress" => "street",
        "2.5.4.10" | "organizationname" => "o",
        "2.5.4.11" | "organizationalunitname" => "ou",
        "0.9.2342.19200300.100.1.1" | "userid" => "uid",
        "0.9.2342.19200300.100.1.3" | "rfc822mailbox" => "mail",
        "0.9.2342.19200300.100.1.25" | "domaincomponent" => "dc",
        other => other,
    };
    Some(short.to_owned())
}

/// The normal form of the value at the beginning of the text, the sign that ends it, and what comes after that.
fn value(text: &str) -> Option<(String, Option<char>, &str)> {
    let text = text.trim_start_matches(' ');
    if let Some(hexadecimal) = text.strip_prefix('#') {
        let end = hexadecimal.find([',', ';', '+']).unwrap_or(hexadecimal.len());
        let (digits, rest) = hexadecimal.split_at(end);
        let encoded = hex::decode(digits.trim_end_matches(' ')).ok()?;
        let (separator, after) = cut_first(rest);
        return Some((encoded_key(&encoded), separator, after));
    }
    let (mut bytes, mut quoted, mut characters) = (Vec::new(), false, text.char_indices());
    let (separator, after) = loop {
        match characters.next() {
            None if quoted => return None,
            None => break (None, ""),
            Some((_, '\\')) => {
                let escaped = characters.as_str();
                match escaped.get(..2).and_then(|pair| hex::decode(pair).ok()) {
                    Some(byte) => {
                        bytes.extend(byte);
                        characters.nth(1);
                    }
                    None => push(&mut bytes, characters.next()?.1),
                }
            }
            Some((_, '"')) => quoted = !quoted,
            Some((_, sign @ (',' | ';' | '+'))) if !quoted => break (Some(sign), characters.as_str()),
            Some((_, c)) => push(&mut bytes, c),
        }
    };
    Some((bytes_key(&bytes), separator, after))
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn cut_first(text: &str) -> (Option<char>, &str) {
    let mut characters = text.chars();
    (characters.next(), characters.as_str())
}

/// The normal form of a value in BER: of its text, if it is a short string.
fn encoded_key(encoded: &[u8]) -> String {
    match encoded {
        // OCTET STRING, UTF8String, PrintableString, IA5String.
        [0x04 | 0x0c | 0x13 | 0x16, length, value @ ..] if usize::from(*length) == value.len() && *length < 0x80 => {
            bytes_key(value)
        }
        _ => format!("#{}", hex::encode(encoded)),
    }
}

/// Spaces at the ends and repeated ones do not count, nor do case and the way in which a letter is composed
/// (RFC 4518). Signs that would end a value are escaped again, so that no two names become one.
fn bytes_key(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return format!("#{}", hex::encode(bytes)) };
    let folded: String = text.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    let words = folded.split(|c: char| c == ' ' || c.is_whitespace()).filter(|word| !word.is_empty());
    let mut key = String::with_capacity(folded.len());
    for c in words.collect::<Vec<_>>().join(" ").chars() {
        if matches!(c, ',' | '+' | '\\' | '#') {
            key.push('\\');
        }
        key.push(c);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_entry_are_the_same() {
        for (one, other) in [
            ("uid=Abby, OU=People", "UID=abby,ou=people"),
            (" uid = abby , ou = people ", "uid=abby,ou=people"),
            ("cn=Smith\\, Abby,dc=test", "cn=Smith\\2C Abby,dc=test"),
            ("cn=Smith\\, Abby,dc=test", "cn=\"Smith, Abby\",dc=test"),
            ("cn=Smith\\, Abby;dc=test", "cn=smith\\,  abby,dc=test"),
            ("cn=Z\\C3\\BCrich,dc=test", "CN=zürich,DC=test"),
            ("cn=Zu\u{308}rich", "cn=Z\u{fc}rich"),
            ("cn=Abby + ou=Sales,dc=test", "OU=sales+CN=abby,dc=test"),
            ("cn=\\ abby\\ ,dc=test", "cn=abby,dc=test"),
            ("cn=\\61bby", "cn=abby"),
            ("2.5.4.3=Abby,0.9.2342.19200300.100.1.25=test", "commonName=abby,domainComponent=test"),
            ("OID.2.5.4.3=Abby", "cn=abby"),
            ("cn=#040461626279,dc=test", "cn=abby,dc=test"),
            ("cn=a\\+b", "cn=a\\2Bb"),
            ("cn=a=b", "cn=a\\3Db"),
            ("", "  "),
        ] {
            assert_eq!(native_key(one), native_key(other), "{one} and {other}");
        }
    }

    #[test]
    fn names_of_different_entries_are_not() {
        for (one, other) in [
            ("cn=a\\,ou=b", "cn=a,ou=b"),
            ("cn=a\\+ou=b", "cn=a+ou=b"),
            ("cn=a b", "cn=ab"),
            ("uid=abby,ou=a,ou=b", "uid=abby,ou=b,ou=a"),
            ("uid=abby,ou=people", "uid=abby,ou=people,dc=test"),
            ("cn=a+ou=b,dc=test", "cn=a,ou=b,dc=test"),
            ("cn=\\#0401,dc=test", "cn=#04020102,dc=test"),
            ("cn=\\FF", "cn=\\FE"),
            ("cn=a\\\\\\,b", "cn=a\\\\,b=c"),
        ] {
            assert_ne!(native_key(one), native_key(other), "{one} and {other}");
        }
    }

    #[test]
    fn what_is_no_name_stays_as_it_is_but_for_case() {
        for (text, key) in [(" Abby ", "abby"), ("cn=\"open", "cn=\"open"), ("cn=a,b", "cn=a,b"), ("cn=#zz", "cn=#zz")]
        {
            assert_eq!(native_key(text), key);
        }
    }
}
