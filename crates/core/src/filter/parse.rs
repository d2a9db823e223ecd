//! Reading a filter. By hand: the language is small, and every error names a position.

use std::iter::Peekable;
use std::str::Chars;

use chrono::{DateTime, Datelike, Utc};
use uuid::Uuid;

use super::expression::is_partial;
use super::{Collection, Condition, Expression, Field, InvalidQuery, Kind, Operator, Value};

/// How many characters a filter may have.
const LENGTH: usize = 16_000;
/// How deep parentheses and `not` may be nested: each is a call within a call.
const DEPTH: usize = 32;
/// How many values may be compared with: an expression of the database is limited too.
const VALUES: usize = 500;

type Result<T> = std::result::Result<T, InvalidQuery>;

struct Token {
    /// In characters from 1.
    position: usize,
    what: What,
}

#[derive(PartialEq)]
enum What {
    /// What stands without quotes.
    Word(String),
    /// What stood in quotes.
    Text(String),
    Open,
    Close,
    Comma,
}

pub(super) fn parse(collection: &'static Collection, text: &str) -> Result<Expression> {
    let length = text.chars().count();
    if length > LENGTH {
        return Err(invalid(LENGTH + 1, format!("a filter may have {LENGTH} characters")));
    }
    let tokens = Reader { characters: text.chars().peekable(), position: 1 }.tokens()?;
    let mut parser = Parser { collection, tokens: &tokens, end: length + 1, values: 0 };
    let expression = parser.any(0)?;
    match parser.tokens {
        [] => Ok(expression),
        [next, ..] => Err(invalid(next.position, "expected and, or, or the end")),
    }
}

fn invalid(position: usize, problem: impl Into<String>) -> InvalidQuery {
    InvalidQuery { parameter: "filters", position, problem: problem.into() }
}

struct Reader<'t> {
    characters: Peekable<Chars<'t>>,
    position: usize,
}

impl Reader<'_> {
    fn tokens(mut self) -> Result<Vec<Token>> {
        let mut tokens = Vec::new();
        loop {
            while self.take_if(char::is_whitespace).is_some() {}
            let position = self.position;
            let Some(first) = self.take_if(|_| true) else { return Ok(tokens) };
            let what = match first {
                '(' => What::Open,
                ')' => What::Close,
                ',' => What::Comma,
                '"' => What::Text(self.quoted()?),
                _ => What::Word(self.word(first)),
            };
            tokens.push(Token { position, what });
        }
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(next) = self.take_if(|next| !next.is_whitespace() && !"(),\"".contains(next)) {
            word.push(next);
        }
        word
    }

    fn quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        loop {
            let position = self.position;
            match self.take_if(|_| true) {
                None => return Err(invalid(position, "expected the closing double quote")),
                Some('"') => return Ok(text),
                // No database keeps it, so no text has it.
                Some('\0') => return Err(invalid(position, "a text cannot have the character U+0000")),
                Some('\\') => match self.take_if(|next| matches!(next, '"' | '\\')) {
                    Some(escaped) => text.push(escaped),
                    None => return Err(invalid(self.position, "expected \" or \\ after \\")),
                },
                Some(next) => text.push(next),
            }
        }
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let taken = self.characters.next_if(|next| wanted(*next));
        self.position += usize::from(taken.is_some());
        taken
    }
}

struct Parser<'t> {
    collection: &'static Collection,
    /// What is left.
    tokens: &'t [Token],
    /// Where something is missing when nothing is left.
    end: usize,
    values: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self, depth: usize) -> Result<Expression> {
        let mut parts = vec![self.all(depth)?];
        while self.take_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    fn all(&mut self, depth: usize) -> Result<Expression> {
        let mut parts = vec![self.part(depth)?];
        while self.take_word("and") {
            parts.push(self.part(depth)?);
        }
        Ok(one_or(parts, Expression::And))
    }

    fn part(&mut self, depth: usize) -> Result<Expression> {
        let position = self.position();
        if depth >= DEPTH {
            return Err(invalid(position, format!("parentheses and not may be nested {DEPTH} deep")));
        }
        if self.take_word("not") {
            return Ok(Expression::Not(Box::new(self.part(depth + 1)?)));
        }
        if self.take(&What::Open) {
            let inner = self.any(depth + 1)?;
            self.expect(&What::Close, "and, or, or a closing parenthesis")?;
            return Ok(inner);
        }
        self.condition().map(Expression::Condition)
    }

    fn condition(&mut self) -> Result<Condition> {
        let (position, word) = self.word("a field, not, or an opening parenthesis")?;
        // `isnull name` is written as well as `name isnull`.
        if let Some(operator) = Operator::parse(word).filter(|operator| operator.takes_none()) {
            let (position, name) = self.word("a field")?;
            let field = self.field(position, name)?;
            allow(field, operator, position)?;
            return Ok(Condition { field, operator, values: Vec::new() });
        }
        let field = self.field(position, word)?;
        let wanted = || format!("an operator: {}", spelled(field));
        let (position, word) = self.word(&wanted())?;
        let operator = Operator::parse(word).ok_or_else(|| invalid(position, format!("expected {}", wanted())))?;
        allow(field, operator, position)?;
        let mut values = Vec::new();
        if operator.takes_many() {
            self.expect(&What::Open, "an opening parenthesis and a list of values")?;
            loop {
                values.push(self.value(field, operator)?);
                if !self.take(&What::Comma) {
                    break;
                }
            }
            self.expect(&What::Close, "a comma or a closing parenthesis")?;
        } else if !operator.takes_none() {
            values.push(self.value(field, operator)?);
        }
        Ok(Condition { field, operator, values })
    }

    fn field(&self, position: usize, name: &str) -> Result<&'static Field> {
        let mut fields = self.collection.fields.iter().filter(|field| !field.operators.is_empty());
        fields.clone().find(|field| field.name == name).ok_or_else(|| {
            let first = fields.next().map_or("", |field| field.name);
            let known = fields.fold(first.to_owned(), |known, field| known + ", " + field.name);
            invalid(position, format!("expected a field of {}: {known}", self.collection.name))
        })
    }

    fn value(&mut self, field: &Field, operator: Operator) -> Result<Value> {
        let position = self.position();
        let token = self.tokens.split_off_first();
        self.values += 1;
        if self.values > VALUES {
            return Err(invalid(position, format!("a filter may compare with {VALUES} values")));
        }
        let (wanted, value) = match field.kind {
            Kind::Text | Kind::Name | Kind::Words => ("a text in double quotes", text(token).map(Value::text)),
            Kind::Id if is_partial(field.kind, operator) => {
                ("the beginning of an id: hexadecimal digits in double quotes", text(token).and_then(digits))
            }
            Kind::Id => ("an id: 32 hexadecimal digits in double quotes", text(token).and_then(id)),
            Kind::Bool => ("true or false", word(token).and_then(flag)),
            Kind::Instant => {
                ("a time such as 2026-11-24T10:00:00Z", text(token).or_else(|| word(token)).and_then(instant))
            }
        };
        value.ok_or_else(|| invalid(position, format!("expected {wanted}")))
    }

    fn position(&self) -> usize {
        self.tokens.first().map_or(self.end, |token| token.position)
    }

    fn word(&mut self, wanted: &str) -> Result<(usize, &'t str)> {
        let position = self.position();
        let word = word(self.tokens.split_off_first());
        word.map(|word| (position, word)).ok_or_else(|| invalid(position, format!("expected {wanted}")))
    }

    fn expect(&mut self, what: &What, wanted: &str) -> Result<()> {
        match self.take(what) {
            true => Ok(()),
            false => Err(invalid(self.position(), format!("expected {wanted}"))),
        }
    }

    fn take(&mut self, what: &What) -> bool {
        self.take_if(|next| next == what)
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        self.take_if(|next| matches!(next, What::Word(word) if word.eq_ignore_ascii_case(wanted)))
    }

    fn take_if(&mut self, wanted: impl Fn(&What) -> bool) -> bool {
        let is_next = self.tokens.first().is_some_and(|token| wanted(&token.what));
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }
}

fn one_or(mut parts: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => many(parts),
    }
}

fn spelled(field: &Field) -> String {
    field.operators.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn allow(field: &Field, operator: Operator, position: usize) -> Result<()> {
    match field.operators.contains(&operator) {
        true => Ok(()),
        false => {
            Err(invalid(position, format!("{operator} cannot be asked of {}, only {}", field.name, spelled(field))))
        }
    }
}

fn text(token: Option<&Token>) -> Option<&str> {
    match &token?.what {
        What::Text(text) => Some(text),
        _ => None,
    }
}

fn word(token: Option<&Token>) -> Option<&str> {
    match &token?.what {
        What::Word(word) => Some(word),
        _ => None,
    }
}

/// In both spellings, and no other of those that a UUID has.
fn id(text: &str) -> Option<Value> {
    matches!(text.len(), 32 | 36).then(|| Uuid::try_parse(text).ok()).flatten().map(Value::Id)
}

/// The dashes of a UUID, where they belong, are passed over.
fn digits(text: &str) -> Option<Value> {
    let mut digits = String::new();
    for (place, next) in text.chars().enumerate() {
        match next {
            '-' if [8, 13, 18, 23].contains(&place) => {}
            _ if next.is_ascii_hexdigit() => digits.push(next.to_ascii_lowercase()),
            _ => return None,
        }
    }
    (digits.len() <= 32).then_some(Value::Text(digits))
}

fn flag(word: &str) -> Option<Value> {
    let is = |spelling| word.eq_ignore_ascii_case(spelling);
    (is("true") || is("false")).then(|| Value::Bool(is("true")))
}

/// To the microsecond, which is what both databases compare, and in years that have four digits.
fn instant(text: &str) -> Option<Value> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    let time: DateTime<Utc> = DateTime::from_timestamp_micros(time.timestamp_micros())?;
    (1..=9999).contains(&time.year()).then_some(Value::Instant(time))
}
