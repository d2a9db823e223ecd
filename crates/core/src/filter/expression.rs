//! A filter that was understood: what it means, and how it is written.

use std::fmt;

use chrono::SecondsFormat;

use super::apply::Record;
use super::{Constant, Field, Kind, Operator, Order, Value};

/// Which entries are wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// Those for which all of these hold; two at least.
    And(Vec<Expression>),
    /// Those for which one of these holds; two at least.
    Or(Vec<Expression>),
    /// Those for which this does not hold.
    Not(Box<Expression>),
    /// Those with such a field.
    Condition(Condition),
}

/// What is wanted of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The field.
    pub field: &'static Field,
    /// How it is compared.
    pub operator: Operator,
    /// With what: as many values as the operator takes, as the field's kind wants them.
    pub values: Vec<Value>,
}

impl Expression {
    /// Whether an entry is wanted.
    pub fn matches(&self, record: &impl Record) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.matches(record)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(record)),
            Self::Not(part) => !part.matches(record),
            Self::Condition(condition) => {
                condition.always().unwrap_or_else(|| condition.holds(record.value(condition.field.name)))
            }
        }
    }

    /// The field of which only a range is wanted, if entries are found in its order.
    pub(super) fn range(&self) -> Option<&'static Field> {
        match self {
            Self::And(parts) => parts.iter().find_map(Self::range),
            Self::Condition(condition) => {
                use Operator::{Above, AtLeast, AtMost, Below, StartsWith};
                let is_range = matches!(condition.operator, StartsWith | AtLeast | Above | AtMost | Below);
                (is_range && condition.field.order != Order::None && condition.field.constant.is_none())
                    .then_some(condition.field)
            }
            Self::Or(_) | Self::Not(_) => None,
        }
    }
}

impl Condition {
    /// Whether it holds for every entry or for none; nothing where that depends on the entry.
    pub fn always(&self) -> Option<bool> {
        let value = match self.field.constant? {
            Constant::Null => None,
            Constant::Bool(value) => Some(Value::Bool(value)),
            Constant::Text(text) => Some(Value::text(text)),
        };
        Some(self.holds(value))
    }

    /// Whether it holds where the field has this value; none is null.
    pub fn holds(&self, value: Option<Value>) -> bool {
        let Some(value) = value.map(|value| value.compared(self.field.kind)) else {
            return self.operator == Operator::Null;
        };
        let wanted: Vec<Value> = self.values.iter().map(|value| value.clone().compared(self.field.kind)).collect();
        let any = |test: fn(&Value, &Value) -> bool| wanted.iter().any(|wanted| test(&value, wanted));
        match self.operator {
            Operator::Equal | Operator::In => any(|value, wanted| value == wanted),
            Operator::NotEqual => any(|value, wanted| value != wanted),
            Operator::AtLeast => any(|value, wanted| value >= wanted),
            Operator::Above => any(|value, wanted| value > wanted),
            Operator::AtMost => any(|value, wanted| value <= wanted),
            Operator::Below => any(|value, wanted| value < wanted),
            Operator::Contains => any(contains),
            Operator::ContainsAll => wanted.iter().all(|wanted| contains(&value, wanted)),
            Operator::StartsWith => any(starts_with),
            Operator::Present => true,
            Operator::Null => false,
        }
    }
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
        (Value::Words(words), Value::Text(word)) => words.contains(word),
        _ => false,
    }
}

fn starts_with(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Text(text), Value::Text(begin)) => text.starts_with(begin.as_str()),
        (Value::Id(id), Value::Text(begin)) => id.simple().to_string().starts_with(begin.as_str()),
        _ => false,
    }
}

/// As it can be read again.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What binds less, and what was in parentheses although it need not be.
        let within = |f: &mut fmt::Formatter<'_>, part: &Self, bare: bool| match bare {
            true => write!(f, "{part}"),
            false => write!(f, "({part})"),
        };
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str, bare: fn(&Self) -> bool| {
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    f.write_str(word)?;
                }
                within(f, part, bare(part))?;
            }
            Ok(())
        };
        match self {
            Self::And(parts) => list(f, parts, " and ", |part| !matches!(part, Self::And(_) | Self::Or(_))),
            Self::Or(parts) => list(f, parts, " or ", |part| !matches!(part, Self::Or(_))),
            Self::Not(part) => {
                f.write_str("not ")?;
                within(f, part, !matches!(**part, Self::And(_) | Self::Or(_)))
            }
            Self::Condition(condition) => write!(f, "{condition}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field.name, self.operator)?;
        if self.operator.takes_many() {
            for (place, value) in self.values.iter().enumerate() {
                f.write_str(if place > 0 { ", " } else { " (" })?;
                write_value(f, value)?;
            }
            return f.write_str(")");
        }
        for value in &self.values {
            f.write_str(" ")?;
            write_value(f, value)?;
        }
        Ok(())
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Text(text) => write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        Value::Id(id) => write!(f, "\"{}\"", id.simple()),
        Value::Bool(value) => write!(f, "{value}"),
        Value::Instant(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        Value::Words(_) => Ok(()),
    }
}

/// Whether a field of that kind is compared with texts that are only a part of its value.
pub(super) fn is_partial(kind: Kind, operator: Operator) -> bool {
    kind == Kind::Id && operator == Operator::StartsWith
}
