//! A filter as SQL: true where [`Expression::matches`] says so.
//!
//! A comparison with null is null in SQL. Under AND and OR that ends as false does; so only what is turned around by NOT is
//! made to have two values first.

use lockstep_core::filter::{Condition, Expression, Operator, Query, Value};
use uuid::Uuid;

use super::built::{Bind, Built};
use super::table::{Place, Table};

/// Which rows are in the list, and which of them match.
pub(super) fn push_where(built: &mut Built, table: &Table, query: &Query) {
    built.push([table.listed]);
    if let Some(filter) = &query.filter {
        built.push([" AND ("]);
        push(built, table, filter);
        built.push([")"]);
    }
}

fn push(built: &mut Built, table: &Table, filter: &Expression) {
    match filter {
        Expression::And(parts) => push_list(built, table, parts, ") AND ("),
        Expression::Or(parts) => push_list(built, table, parts, ") OR ("),
        Expression::Not(part) => {
            built.push(["NOT COALESCE("]);
            push(built, table, part);
            built.push([", FALSE)"]);
        }
        Expression::Condition(condition) => match (condition.always(), table.place(condition.field.name)) {
            (Some(holds), _) => built.push([truth(holds)]),
            (None, Some(place)) => push_condition(built, place, condition),
            (None, None) => built.push(["FALSE"]),
        },
    }
}

fn push_list(built: &mut Built, table: &Table, parts: &[Expression], between: &'static str) {
    for (place, part) in parts.iter().enumerate() {
        built.push([if place == 0 { "(" } else { between }]);
        push(built, table, part);
    }
    built.push([")"]);
}

fn truth(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}

fn push_condition(built: &mut Built, place: &Place, condition: &Condition) {
    match place {
        Place::Column(column) | Place::Unique(column) | Place::Nullable(column) => {
            push_comparison(built, column, condition);
        }
        Place::Switch(column, texts) => {
            let holds = texts.map(|text| condition.holds(Some(Value::Text(text.to_owned()))));
            match holds {
                [true, true] => built.push(["TRUE"]),
                [false, false] => built.push(["FALSE"]),
                [when_true, _] => {
                    built.push([*column, " = "]);
                    built.bind(Bind::Flag(when_true));
                }
            }
        }
        Place::IsNull(column) => match [true, false].map(|value| condition.holds(Some(Value::Bool(value)))) {
            [true, false] => built.push([*column, " IS NULL"]),
            [false, true] => built.push([*column, " IS NOT NULL"]),
            [both, _] => built.push([truth(both)]),
        },
        Place::TrueUnlessNull(column) => match condition.holds(Some(Value::Bool(true))) {
            true => built.push([*column, " IS NOT NULL"]),
            false => built.push(["FALSE"]),
        },
        Place::Of { column, ids, place } => {
            built.push([*column, " IN (", ids]);
            push_condition(built, place, condition);
            built.push([")"]);
        }
    }
}

fn push_comparison(built: &mut Built, column: &'static str, condition: &Condition) {
    let values = condition.values.iter().map(|value| value.clone().compared(condition.field.kind));
    let mut values = values.filter_map(|value| match value {
        Value::Text(text) => Some(Bind::Text(text)),
        Value::Id(id) => Some(Bind::Id(id)),
        Value::Bool(value) => Some(Bind::Flag(value)),
        Value::Instant(time) => Some(Bind::Instant(time)),
        Value::Words(_) => None,
    });
    let sign = match condition.operator {
        Operator::Equal => " = ",
        Operator::NotEqual => " <> ",
        Operator::AtLeast => " >= ",
        Operator::Above => " > ",
        Operator::AtMost => " <= ",
        Operator::Below => " < ",
        Operator::Present => return built.push([column, " IS NOT NULL"]),
        Operator::Null => return built.push([column, " IS NULL"]),
        Operator::In => {
            for (place, value) in values.enumerate() {
                built.push(if place == 0 { [column, " IN ("] } else { ["", ", "] });
                built.bind(value);
            }
            return built.push([")"]);
        }
        // Not LIKE: nothing in a text is more than itself.
        Operator::Contains => {
            let Some(value) = values.next() else { return built.push(["FALSE"]) };
            built.push([built.engine.position, "(", column, ", "]);
            built.bind(value);
            return built.push([") > 0"]);
        }
        Operator::StartsWith => {
            return match (values.next(), condition.field.kind) {
                (Some(Bind::Text(digits)), lockstep_core::filter::Kind::Id) => push_ids(built, column, &digits),
                (Some(Bind::Text(prefix)), _) => push_prefix(built, column, prefix),
                _ => built.push(["FALSE"]),
            };
        }
        Operator::ContainsAll => return built.push(["FALSE"]),
    };
    match values.next() {
        Some(value) => {
            built.push([column, sign]);
            built.bind(value);
        }
        None => built.push(["FALSE"]),
    }
}

/// A range of an index, as texts are in the order of their bytes, which is that of their characters.
fn push_prefix(built: &mut Built, column: &'static str, prefix: String) {
    let end = after(&prefix);
    built.push(["(", column, " >= "]);
    built.bind(Bind::Text(prefix));
    if let Some(end) = end {
        built.push([" AND ", column, " < "]);
        built.bind(Bind::Text(end));
    }
    built.push([")"]);
}

/// The first text that comes after all that begin so; none where nothing does.
fn after(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // Stepping over what is no character.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

fn push_ids(built: &mut Built, column: &'static str, digits: &str) {
    let filled = |with: &str| Uuid::try_parse(&format!("{digits}{}", with.repeat(32 - digits.len().min(32))));
    let (Ok(first), Ok(last)) = (filled("0"), filled("f")) else { return built.push(["FALSE"]) };
    built.push(["(", column, " >= "]);
    built.bind(Bind::Id(first));
    built.push([" AND ", column, " <= "]);
    built.bind(Bind::Id(last));
    built.push([")"]);
}

#[cfg(test)]
mod tests {
    use super::after;

    #[test]
    fn what_comes_after_a_prefix_comes_after_all_that_begin_so() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("ab", Some("ac")),
            ("\u{7f}", Some("\u{80}")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}\u{10ffff}", None),
            ("", None),
        ] {
            assert_eq!(after(prefix).as_deref(), end, "{prefix:?}");
            assert!(end.is_none_or(|end| end > format!("{prefix}\u{10ffff}").as_str()), "{prefix:?}");
        }
    }
}
