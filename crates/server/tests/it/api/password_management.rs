//! The four operations.

mod digit;
mod query;
mod set;
mod status;
mod wait;

use serde_json::{Value, json};

/// Values that no text field may have, with the detail code of the refusal; whether the field may be left out decides
/// about the first three.
fn bad_texts(longest: usize) -> Vec<(Value, &'static str)> {
    vec![
        (Value::Null, "400.1.0 Required Data Missing Or Empty"),
        (json!(""), "400.1.0 Required Data Missing Or Empty"),
        (json!(7), "400.1.3 Illegal value"),
        (json!(true), "400.1.3 Illegal value"),
        (json!(["a"]), "400.1.3 Illegal value"),
        (json!({}), "400.1.3 Illegal value"),
        (json!("a\0b"), "400.1.3 Illegal value"),
        (json!("x".repeat(longest + 1)), "400.1.4 Limit violation"),
    ]
}

/// Texts that mean something somewhere, and nothing here.
const SPECIAL_TEXTS: [&str; 11] = [
    "' OR '1'='1",
    "\"; DROP TABLE identity; --",
    "*)(uid=*))(|(uid=*",
    "../../etc/passwd",
    "%00",
    "${jndi:ldap://127.0.0.1/x}",
    "<script>",
    "\u{202e}htimS.ybbA",
    "Abby.Smith\u{301}",
    "\u{1F511}",
    "\u{FEFF}\u{200B}",
];
