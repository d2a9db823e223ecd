//! An administrator's SQL statement with named parameters, translated to what each engine binds.
//!
//! The statement is theirs and is trusted as configuration is. Values are never put into its text: `:account`,
//! `:password` and the others become the engine's own placeholders, wherever they are not inside a literal, a quoted name
//! or a comment. It is no SQL parser: the database says what is wrong with the rest.

use std::sync::Arc;

use super::config::Engine;

/// A statement in one engine's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sql: Arc<str>,
    /// What to bind, in the order of the placeholders.
    pub(super) parameters: Vec<Parameter>,
}

/// A value that a statement can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// The account's id on this source.
    Account,
    /// The password in the clear, for the database's own hash function.
    Password,
    /// The password's hash, made here.
    Hash,
    /// The mark of a reading of accounts before.
    Since,
    /// What the source never changes about an account.
    StableId,
}

impl Parameter {
    pub(super) const ALL: [Self; 5] = [Self::Account, Self::Password, Self::Hash, Self::Since, Self::StableId];

    /// How it is written, after the colon.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Password => "password",
            Self::Hash => "hash",
            Self::Since => "since",
            Self::StableId => "stable_id",
        }
    }
}

impl Statement {
    /// Translates, or says what is wrong.
    pub(super) fn translate(text: &str, engine: Engine) -> Result<Self, String> {
        let mut scanner =
            Scanner { text, at: 0, engine, sql: String::with_capacity(text.len()), parameters: Vec::new() };
        while !scanner.rest().is_empty() {
            scanner.step()?;
        }
        if scanner.sql.trim().is_empty() {
            return Err("the statement is empty".to_owned());
        }
        Ok(Self { sql: scanner.sql.trim().into(), parameters: scanner.parameters })
    }

    /// The same statement with text before it that binds nothing.
    pub(super) fn prefixed(&self, prefix: &str) -> Self {
        Self { sql: format!("{prefix}{}", self.sql).into(), parameters: self.parameters.clone() }
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    engine: Engine,
    sql: String,
    parameters: Vec<Parameter>,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Copies or translates one piece: a literal, a comment, a parameter, or a single character.
    fn step(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let mysql = self.engine == Engine::MySql;
        let second = rest.chars().nth(1);
        match rest.chars().next() {
            Some('\'') => self.copy_quoted('\'', self.has_backslash_escapes()),
            Some('"') => self.copy_quoted('"', mysql),
            Some('`') if self.engine != Engine::Postgres => self.copy_quoted('`', false),
            Some('[') if self.engine == Engine::Sqlite => self.copy_quoted(']', false),
            Some('-') if second == Some('-') && (!mysql || blank(rest.chars().nth(2))) => {
                self.copy(rest.find('\n').unwrap_or(rest.len()));
                Ok(())
            }
            Some('#') if mysql => {
                self.copy(rest.find('\n').unwrap_or(rest.len()));
                Ok(())
            }
            Some('/') if second == Some('*') => self.copy_comment(),
            Some('$') if self.engine == Engine::Postgres && !self.after_name() => self.copy_dollar_quoted(),
            Some(c @ ('$' | '@')) if self.engine == Engine::Sqlite => Err(foreign_placeholder(c)),
            Some('?') if self.engine != Engine::Postgres => Err(foreign_placeholder('?')),
            Some(':') if matches!(second, Some(':' | '=')) => {
                self.copy(2);
                Ok(())
            }
            Some(':') if second.is_some_and(|c| c.is_ascii_alphabetic() || c == '_') => self.parameter(),
            Some(';') if rest[1..].trim().is_empty() => {
                self.at = self.text.len();
                Ok(())
            }
            Some(';') => Err("there is a second statement after `;`; one statement is run, no more".to_owned()),
            Some(c) => {
                self.copy(c.len_utf8());
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn copy(&mut self, length: usize) {
        self.sql.push_str(&self.rest()[..length]);
        self.at += length;
    }

    fn parameter(&mut self) -> Result<(), String> {
        let name = &self.rest()[1..];
        let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len())];
        let Some(parameter) = Parameter::ALL.into_iter().find(|parameter| parameter.name() == name) else {
            return Err(format!("`:{name}` is no parameter; there are {PARAMETERS}"));
        };
        self.at += 1 + name.len();
        let known = self.parameters.iter().position(|&known| known == parameter);
        match self.engine {
            // A bare question mark has no number: it takes a value each time.
            Engine::MySql => {
                self.parameters.push(parameter);
                self.sql.push('?');
            }
            Engine::Postgres | Engine::Sqlite => {
                let number = known.unwrap_or_else(|| {
                    self.parameters.push(parameter);
                    self.parameters.len() - 1
                });
                let sign = if self.engine == Engine::Postgres { '$' } else { '?' };
                self.sql.push_str(&format!("{sign}{}", number + 1));
            }
        }
        Ok(())
    }

    /// Copies up to and with the closing quote; a doubled one is part of the text.
    fn copy_quoted(&mut self, close: char, backslash: bool) -> Result<(), String> {
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = characters.next() {
            if backslash && c == '\\' {
                characters.next();
            } else if c == close {
                if characters.peek().is_some_and(|&(_, next)| next == close) {
                    characters.next();
                } else {
                    self.copy(at + close.len_utf8());
                    return Ok(());
                }
            }
        }
        Err(format!("a quote is not closed: there is no `{close}` after {}", start_of(self.rest())))
    }

    /// Copies `/* … */`; PostgreSQL nests them.
    fn copy_comment(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let (mut at, mut depth) = (2, 1);
        while depth > 0 {
            let Some(next) = rest[at..].find(['/', '*']) else {
                return Err("a comment is not closed: there is no `*/`".to_owned());
            };
            at += next;
            if rest[at..].starts_with("*/") {
                (at, depth) = (at + 2, depth - 1);
            } else if rest[at..].starts_with("/*") && self.engine == Engine::Postgres {
                (at, depth) = (at + 2, depth + 1);
            } else {
                at += 1;
            }
        }
        self.copy(at);
        Ok(())
    }

    /// Copies `$tag$ … $tag$` (PostgreSQL). `$1` is a placeholder that is not ours.
    fn copy_dollar_quoted(&mut self) -> Result<(), String> {
        let rest = self.rest();
        let tag_end = rest[1..].find(|c: char| !c.is_alphanumeric() && c != '_').map(|end| end + 1);
        match tag_end {
            _ if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => Err(foreign_placeholder('$')),
            Some(end) if rest[end..].starts_with('$') => {
                let tag = &rest[..=end];
                match rest[tag.len()..].find(tag) {
                    Some(body) => {
                        self.copy(tag.len() + body + tag.len());
                        Ok(())
                    }
                    None => Err(format!("a quote is not closed: there is no second `{tag}`")),
                }
            }
            _ => {
                self.copy(1);
                Ok(())
            }
        }
    }

    /// Whether a backslash in the literal that starts here escapes: always in MySQL, after `E` in PostgreSQL.
    fn has_backslash_escapes(&self) -> bool {
        let mut before = self.text[..self.at].chars().rev();
        match self.engine {
            Engine::MySql => true,
            Engine::Postgres => {
                matches!(before.next(), Some('e' | 'E'))
                    && !before.next().is_some_and(|c| c.is_alphanumeric() || c == '_')
            }
            Engine::Sqlite => false,
        }
    }

    /// Whether the character before is part of a name: a dollar sign then belongs to it.
    fn after_name(&self) -> bool {
        self.text[..self.at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
    }
}

const PARAMETERS: &str = "`:account`, `:password`, `:hash`, `:since` and `:stable_id`";

fn blank(c: Option<char>) -> bool {
    c.is_none_or(char::is_whitespace)
}

fn foreign_placeholder(sign: char) -> String {
    format!("`{sign}` is a placeholder here; write the parameters by their names: {PARAMETERS}")
}

fn start_of(text: &str) -> String {
    format!("`{}`", text.chars().take(12).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::Engine::{MySql, Postgres, Sqlite};
    use super::Parameter::{Account, Hash, Password};
    use super::*;

    fn translated(text: &str, engine: Engine) -> (String, Vec<Parameter>) {
        let statement = Statement::translate(text, engine).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        (statement.sql.to_string(), statement.parameters)
    }

    #[test]
    fn parameters_become_the_engines_own() {
        let text = "UPDATE users SET hash = :hash, changed_by = :account WHERE login = :account;\n";
        assert_eq!(
            translated(text, Postgres),
            ("UPDATE users SET hash = $1, changed_by = $2 WHERE login = $2".to_owned(), vec![Hash, Account])
        );
        assert_eq!(
            translated(text, Sqlite),
            ("UPDATE users SET hash = ?1, changed_by = ?2 WHERE login = ?2".to_owned(), vec![Hash, Account])
        );
        assert_eq!(
            translated(text, MySql),
            ("UPDATE users SET hash = ?, changed_by = ? WHERE login = ?".to_owned(), vec![Hash, Account, Account])
        );
    }

    #[test]
    fn what_only_looks_like_a_parameter_stays() {
        for (text, engine) in [
            ("SELECT ':account', 'it''s :account', \":account\" -- :account\n", Postgres),
            ("SELECT /* :account /* nested */ :account */ 1", Postgres),
            ("SELECT $tag$ :account $tag$, $$:account$$, E'\\':account', a[1:2], x::text, j ? 'k'", Postgres),
            ("SELECT a$b, ':account\\'", Postgres),
            ("SELECT `:account`, ':account\\':account', \":account\" # :account\n", MySql),
            ("SELECT 1--:account\n", Sqlite),
            ("SELECT [:account], `:account`, \":account\", ':account\\'", Sqlite),
            ("SELECT @v := 1", MySql),
        ] {
            let trimmed = text.trim().to_owned();
            assert_eq!(translated(text, engine), (trimmed, vec![]), "{text}");
        }
    }

    #[test]
    fn casts_and_minus_signs_are_told_apart_from_parameters_and_comments() {
        assert_eq!(
            translated("WHERE id = :account::bigint", Postgres),
            ("WHERE id = $1::bigint".to_owned(), vec![Account])
        );
        assert_eq!(translated("SELECT 1--:account", MySql).1, vec![Account]);
        assert_eq!(
            translated("SET p = crypt(:password, gen_salt('bf'))", Postgres),
            ("SET p = crypt($1, gen_salt('bf'))".to_owned(), vec![Password])
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (text, engine, word) in [
            ("", Postgres, "empty"),
            (" ; ", Postgres, "empty"),
            ("UPDATE users SET p = :pasword", Postgres, ":pasword"),
            ("UPDATE u SET p = :hash; DROP TABLE u", Postgres, "second statement"),
            ("UPDATE u SET p = ?", MySql, "`?`"),
            ("UPDATE u SET p = ?1", Sqlite, "`?`"),
            ("UPDATE u SET p = $1", Postgres, "`$`"),
            ("UPDATE u SET p = @p", Sqlite, "`@`"),
            ("UPDATE u SET p = 'x", Postgres, "not closed"),
            ("UPDATE u /* x", Postgres, "not closed"),
            ("UPDATE u SET p = $x$ y", Postgres, "not closed"),
        ] {
            let problem = Statement::translate(text, engine).expect_err(text);
            assert!(problem.contains(word), "{text}: {problem}");
        }
    }
}
