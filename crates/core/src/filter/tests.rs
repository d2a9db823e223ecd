use proptest::prelude::*;

use super::apply::{Part, Record, apply};
use super::collections::{ACCOUNTS, IDENTITIES, OAUTH_CLIENTS, SOURCES};
use super::*;

const ID: &str = "2c918086749d78830174a1a40e121518";

fn parse(collection: &'static Collection, text: &str) -> Result<Expression, InvalidQuery> {
    parse::parse(collection, text)
}

#[test]
fn what_is_published_is_read() {
    for (collection, text) in [
        (&IDENTITIES, r#"id eq "2c918086749d78830174a1a40e121518" or correlated eq false"#),
        (&IDENTITIES, r#"id in ("2c918086-749d-7883-0174-a1a40e121518","2c918086749d78830174a1a40e121519")"#),
        (&IDENTITIES, r#"NOT (alias SW "ab" AND name EQ "x") Or email isnull"#),
        (&IDENTITIES, r#"not not pr email and isnull email"#),
        (&ACCOUNTS, r#"sourceId sw "2C918086-74" and created ge 2026-11-24T10:00:00.5+01:00"#),
        (&ACCOUNTS, r#"((name eq "a \"b\" \\ c"))"#),
        (&SOURCES, r#"features ca ("PASSWORD", "UNLOCK") and name co"%_""#),
        (&OAUTH_CLIENTS, "lastUsed le 2023-02-05T10:59:27.214Z"),
        (&OAUTH_CLIENTS, r#"lastUsed le "2023-02-05T10:59:27.214Z""#),
    ] {
        let read = parse(collection, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(parse(collection, &read.to_string()), Ok(read), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let deep = "(".repeat(40);
    let nots = "not ".repeat(100_000);
    let many = format!("id in ({}\"{ID}\")", format!("\"{ID}\", ").repeat(500));
    for (text, position, problem) in [
        ("name", 5, "expected an operator: eq, ne, co, sw, in"),
        ("name eq", 8, "expected a text in double quotes"),
        ("name eq abc", 9, "expected a text in double quotes"),
        ("name eq 'abc'", 9, "expected a text in double quotes"),
        (r#"name eq "abc"#, 13, "expected the closing double quote"),
        (r#"name eq "a\n""#, 12, "expected \" or \\ after \\"),
        ("name eq \"é\u{0}\"", 11, "U+0000"),
        (r#"näme eq "abc""#, 1, "expected a field of identities: id, name"),
        (r#"name eq "é" and x eq "y""#, 17, "expected a field of identities"),
        (r#"Name eq "abc""#, 1, "expected a field"),
        (r#"name gt "abc""#, 6, "gt cannot be asked of name, only eq, ne, co, sw, in"),
        (r#"pr name"#, 4, "pr cannot be asked of name"),
        (r#"name like "abc""#, 6, "expected an operator"),
        (r#"name eq "a" "b""#, 13, "expected and, or, or the end"),
        (r#"(name eq "a""#, 13, "expected and, or, or a closing parenthesis"),
        (r#"name eq "a")"#, 12, "expected and, or, or the end"),
        (r#"name in "a""#, 9, "expected an opening parenthesis and a list of values"),
        ("name in ()", 10, "expected a text in double quotes"),
        (r#"name in ("a",)"#, 14, "expected a text in double quotes"),
        (r#"name in ("a" "b")"#, 14, "expected a comma or a closing parenthesis"),
        (r#"name eq "a" and"#, 16, "expected a field, not, or an opening parenthesis"),
        (r#"and name eq "a""#, 1, "expected a field of identities"),
        (r#"id eq "abc""#, 7, "expected an id: 32 hexadecimal digits"),
        (r#"id eq "{2c918086749d78830174a1a40e1215}""#, 7, "expected an id"),
        (r#"correlated eq "true""#, 15, "expected true or false"),
        ("correlated eq 1", 15, "expected true or false"),
        (&deep, 33, "nested 32 deep"),
        (&nots, 16_001, "16000 characters"),
        (&nots[..10_000], 129, "nested 32 deep"),
        (&many, 17_000, "16000 characters"),
    ] {
        let error = parse(&IDENTITIES, text).expect_err(text);
        assert!(error.problem.contains(problem), "{text:.80}: {error}");
        assert_eq!(error.position, position.min(16_001), "{text:.80}: {error}");
    }
    for (text, position) in [
        ("created gt 2026-11-24", 12),
        ("created gt 9999-12-31T23:59:59-23:00", 12),
        ("created gt \"x\"", 12),
        ("id sw \"2c9180867\u{e9}\"", 7),
        ("id sw \"2c-\"", 7),
    ] {
        assert_eq!(parse(&ACCOUNTS, text).expect_err(text).position, position, "{text}");
    }
    let many = format!("id in ({}\"1\")", "\"1\",".repeat(600));
    let error = parse(&SOURCES, &many.replace("id", "name")).expect_err("too many");
    assert!(error.problem.contains("500 values"), "{error}");
}

#[test]
fn an_order_is_read_and_ends_with_the_id() {
    let order = |collection, filters, sorters| {
        let query = Query::parse(collection, filters, Some(sorters)).expect("an order");
        let sorters = query.order();
        let shown = sorters.iter().map(|sorter| format!("{}{}", sign(sorter), sorter.field.name));
        shown.collect::<Vec<_>>().join(" ")
    };
    fn sign(sorter: &Sorter) -> &'static str {
        if sorter.descending { "-" } else { "" }
    }
    for (sorters, expected) in [
        ("", "id"),
        ("name", "name id"),
        ("-name", "-name -id"),
        (" name , -created ", "name -created -id"),
        ("name,id,created", "name id"),
        ("origin,-entitlements", "id"),
        ("-id", "-id"),
    ] {
        assert_eq!(order(&ACCOUNTS, None, sorters), expected, "{sorters}");
    }
    assert_eq!(order(&ACCOUNTS, Some(r#"uncorrelated eq true and name sw "a""#), ""), "name id");
    assert_eq!(order(&ACCOUNTS, Some(r#"uncorrelated eq true or name sw "a""#), ""), "id");
    assert_eq!(order(&ACCOUNTS, Some(r#"name sw "a""#), "-created"), "-created -id");
    for (collection, sorters, position, problem) in [
        (&ACCOUNTS, "name,alias", 6, "expected a field that accounts are sorted by: id, identityId"),
        (&ACCOUNTS, "é,name", 1, "expected a field"),
        (&ACCOUNTS, "name,,created", 6, "expected a field"),
        (&ACCOUNTS, "name,  -name", 8, "name is there twice"),
        (&IDENTITIES, "email", 1, "name, alias, cloudStatus"),
        (&OAUTH_CLIENTS, "id", 1, "API clients cannot be sorted"),
    ] {
        let error = Query::parse(collection, None, Some(sorters)).expect_err(sorters);
        assert_eq!((error.parameter, error.position), ("sorters", position), "{sorters}: {error}");
        assert!(error.problem.contains(problem), "{error}");
    }
}

/// A source, more or less.
#[derive(Debug, Clone, PartialEq)]
struct Entry(u128, Option<&'static str>, &'static [&'static str]);

impl Record for Entry {
    fn value(&self, field: &str) -> Option<Value> {
        match field {
            "id" => Some(Value::Id(Uuid::from_u128(self.0))),
            "name" => self.1.map(Value::text),
            "features" => Some(Value::Words(self.2.iter().map(|word| (*word).to_owned()).collect())),
            _ => None,
        }
    }
}

#[test]
fn a_short_list_is_filtered_sorted_counted_and_cut() {
    let entries = [
        Entry(3, Some("Abby"), &["PASSWORD"]),
        Entry(1, Some("ABBY SMITH"), &["PASSWORD", "UNLOCK"]),
        Entry(2, None, &[]),
        Entry(0, Some("50%_\u{c9}"), &["UNLOCK"]),
    ];
    let ask = |filters: &str, sorters: &str| {
        let query = Query::parse(&SOURCES, Some(filters), Some(sorters)).expect(filters);
        let part = apply(entries.iter().collect(), &query, 0, 10);
        assert_eq!(part.total, part.records.len());
        part.records.iter().map(|entry| entry.0).collect::<Vec<_>>()
    };
    for (filters, expected) in [
        ("", vec![0, 1, 2, 3]),
        (r#"name eq "aBBy""#, vec![3]),
        (r#"name ne "abby""#, vec![0, 1]),
        (r#"not name eq "abby""#, vec![0, 1, 2]),
        (r#"not name ne "abby""#, vec![2, 3]),
        (r#"name sw "abby""#, vec![3, 1]),
        (r#"name co "%_e\u0301""#.replace("\\u0301", "\u{301}").leak(), vec![0]),
        ("name isnull", vec![2]),
        ("pr name and not isnull name", vec![0, 1, 3]),
        (r#"features co "PASSWORD""#, vec![1, 3]),
        (r#"features ca ("UNLOCK", "PASSWORD")"#, vec![1]),
        (r#"id sw "0000""#, vec![0, 1, 2, 3]),
        (r#"id sw "00000000000000000000000000000002""#, vec![2]),
        (r#"authoritative eq true or connectionType sw "dir""#, vec![0, 1, 2, 3]),
        (r#"authoritative eq true or category isnull and name sw "5""#, vec![0]),
    ] {
        assert_eq!(ask(filters, ""), expected, "{filters}");
    }
    assert_eq!(ask("", "name"), [2, 0, 3, 1]);
    assert_eq!(ask("", "-name"), [1, 3, 0, 2]);
    let window = apply(entries.to_vec(), &Query::ALL, 1, 2);
    assert_eq!(window, Part { records: vec![entries[1].clone(), entries[2].clone()], total: 4 });
}

#[test]
fn what_counts_of_a_long_text_is_its_beginning() {
    let long = "\u{c9}".repeat(700);
    assert_eq!(fold(&long), "\u{e9}".repeat(500));
    assert_eq!(fold("Abby"), "abby");
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("name".to_owned()),
        Just("id".to_owned()),
        Just("email".to_owned()),
        Just("correlated".to_owned()),
        Just("and".to_owned()),
        Just("or".to_owned()),
        Just("not".to_owned()),
        Just("(".to_owned()),
        Just(")".to_owned()),
        Just(",".to_owned()),
        Just("true".to_owned()),
        Just(format!("\"{ID}\"")),
        prop::sample::select(OPERATORS.to_vec()).prop_map(|(_, spelling)| spelling.to_owned()),
        "\"[a-zé\\\\\"]{0,4}\"",
        "\\PC{0,3}",
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_read_or_refused_at_a_place_inside(text in prop_oneof![words(), any::<String>()]) {
        match parse(&IDENTITIES, &text) {
            Ok(read) => prop_assert_eq!(parse(&IDENTITIES, &read.to_string()), Ok(read)),
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.position), "{}", error),
        }
        if let Err(error) = Query::parse(&ACCOUNTS, None, Some(&text)) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.position), "{}", error);
        }
    }

    #[test]
    fn what_is_printed_is_read_as_the_same(expression in expressions()) {
        prop_assert_eq!(parse(&IDENTITIES, &expression.to_string()), Ok(expression));
    }
}

fn expressions() -> impl Strategy<Value = Expression> {
    let named = |name: &str| IDENTITIES.fields.iter().find(|field| field.name == name).expect("a field");
    let name = (any::<String>(), prop::sample::select(named("name").operators)).prop_map(move |(text, operator)| {
        let text = text.replace('\0', "");
        Expression::Condition(Condition { field: named("name"), operator, values: vec![Value::Text(text)] })
    });
    let id = prop::collection::vec(any::<u128>(), 1..4).prop_map(move |ids| {
        let values = ids.into_iter().map(|id| Value::Id(Uuid::from_u128(id))).collect();
        Expression::Condition(Condition { field: named("id"), operator: Operator::In, values })
    });
    let mail = prop::sample::select(vec![Operator::Present, Operator::Null]).prop_map(move |operator| {
        Expression::Condition(Condition { field: named("email"), operator, values: Vec::new() })
    });
    prop_oneof![name, id, mail].prop_recursive(6, 48, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            inner.prop_map(|part| Expression::Not(Box::new(part))),
        ]
    })
}
