//! Security questions: what a person can answer who has no second factor, besides their password and never in its place.
//!
//! They are off until an organisation writes its own. A person chooses as many as it says and answers them; whoever is asked
//! is asked all of them at once, and told of all of them together whether they are right. So no answer can be guessed alone, neither
//! on a page nor from the database. Nobody with a level in the organisation answers any: too much hangs on them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::password::Password;
use crate::scope::UserLevel;

/// How many questions a person may have to answer.
pub const ANSWERS: RangeInclusive<i64> = 2..=5;

/// The most questions to choose from.
pub const MOST: usize = 50;

/// How many characters the shortest answer has.
pub const SHORTEST: usize = 3;

/// How many characters the longest one has.
pub const LONGEST: usize = 64;

/// The most characters of a question.
const LONGEST_QUESTION: usize = 200;

/// The organisation's questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityQuestions {
    /// How many of them a person answers.
    pub answers: i64,
    /// Those there are to choose from; none: they are off.
    pub questions: Vec<SecurityQuestion>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityQuestion {
    /// What it is known by, whatever its text: small letters, digits and hyphens.
    pub name: String,
    /// What people read, by language (`en`, `de`).
    pub text: BTreeMap<String, String>,
}

impl Default for SecurityQuestions {
    fn default() -> Self {
        Self { answers: 3, questions: Vec::new() }
    }
}

/// Why an organisation's questions cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecurityQuestions {
    /// Too many answers, or too few.
    #[error("answers must be between {least} and {most}, but is {0}", least = ANSWERS.start(), most = ANSWERS.end())]
    Answers(i64),
    /// Nobody could answer so many.
    #[error("questions must be {0} at least, as many as a person answers, or none at all")]
    TooFew(i64),
    /// Nobody reads so many.
    #[error("questions must be {MOST} at most")]
    TooMany,
    /// A name that is none.
    #[error("the name {0:?} of a question must be 1 to 64 small letters, digits and hyphens")]
    Name(String),
    /// A name that stands there twice.
    #[error("the name {0:?} of a question stands there twice")]
    Twice(String),
    /// A question that nobody can read.
    #[error(
        "the question {0:?} needs a text of 1 to {LONGEST_QUESTION} characters in each of its languages, and one language at least"
    )]
    Text(String),
}

/// Why answers are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Not the number of questions that is asked for, one of them twice, or one that there is not.
    Questions,
    /// One has fewer characters than [`SHORTEST`], or more than [`LONGEST`].
    Length,
    /// Two are the same.
    Alike,
    /// One stands in its question, or is what everybody knows about the person.
    Known,
}

impl InvalidSecurityQuestions {
    /// The field that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Answers(_) => "answers",
            _ => "questions",
        }
    }
}

impl SecurityQuestions {
    /// Whether they can be asked at all, and answered.
    pub fn validate(&self) -> Result<(), InvalidSecurityQuestions> {
        use InvalidSecurityQuestions as Invalid;
        if !ANSWERS.contains(&self.answers) {
            return Err(Invalid::Answers(self.answers));
        }
        if self.questions.len() > MOST {
            return Err(Invalid::TooMany);
        }
        if !self.questions.is_empty() && (self.questions.len() as i64) < self.answers {
            return Err(Invalid::TooFew(self.answers));
        }
        let mut seen = HashSet::new();
        for SecurityQuestion { name, text } in &self.questions {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if !(1..=64).contains(&name.len()) || !name.bytes().all(is_plain) {
                return Err(Invalid::Name(name.clone()));
            }
            if !seen.insert(name) {
                return Err(Invalid::Twice(name.clone()));
            }
            let is_read = |text: &String| (1..=LONGEST_QUESTION).contains(&text.trim().chars().count());
            if text.is_empty()
                || !text.values().all(is_read)
                || text.values().any(|text| text.contains(char::is_control))
            {
                return Err(Invalid::Text(name.clone()));
            }
        }
        Ok(())
    }

    /// Whether somebody who is this in the organisation can answer any.
    pub fn are_for(&self, levels: &BTreeSet<UserLevel>) -> bool {
        !self.questions.is_empty() && levels.iter().all(|level| *level == UserLevel::User)
    }

    /// Whether so many answers are enough, where a policy asks for more than a password. Fewer are asked for all the same, before
    /// somebody changes how they show who they are.
    pub fn are_enough(&self, answers: usize) -> bool {
        answers as i64 >= self.answers
    }

    /// What a person chose, as it reads now. What is not on the list any more reads as it did.
    pub fn now<'a>(&'a self, chosen: &'a SecurityQuestion) -> &'a SecurityQuestion {
        self.question(&chosen.name).unwrap_or(chosen)
    }

    /// The question of that name.
    pub fn question(&self, name: &str) -> Option<&SecurityQuestion> {
        self.questions.iter().find(|question| question.name == name)
    }

    /// Answers as they are kept, if they are fit to be. `known` is what everybody knows about the person.
    pub fn take(&self, given: &[(String, Zeroizing<String>)], known: &[&str]) -> Result<Password, Unfit> {
        let names: HashSet<&String> = given.iter().map(|(name, _)| name).collect();
        let are_known = names.iter().all(|name| self.question(name).is_some());
        if names.len() != given.len() || given.len() as i64 != self.answers || !are_known {
            return Err(Unfit::Questions);
        }
        let answers: Vec<Zeroizing<String>> = given.iter().map(|(_, answer)| plain(answer)).collect();
        if answers.iter().any(|answer| !(SHORTEST..=LONGEST).contains(&answer.chars().count())) {
            return Err(Unfit::Length);
        }
        let distinct: HashSet<&str> = answers.iter().map(|answer| answer.as_str()).collect();
        if distinct.len() != answers.len() {
            return Err(Unfit::Alike);
        }
        for ((name, _), answer) in given.iter().zip(&answers) {
            let asked = self.question(name).into_iter().flat_map(|question| question.text.values());
            if asked.into_iter().any(|text| plain(text).contains(answer.as_str()))
                || known.iter().any(|known| plain(known).as_str() == answer.as_str())
            {
                return Err(Unfit::Known);
            }
        }
        // What Unicode makes of few characters may be more bytes than can be kept.
        together(given).ok_or(Unfit::Length)
    }
}

impl SecurityQuestion {
    /// Its text in a language, and which one that is: in English, or in any, where it is not translated.
    pub fn text_in<'a>(&'a self, language: &'a str) -> (&'a str, &'a str) {
        let found = [language, "en"].into_iter().find_map(|tag| Some((tag, self.text.get(tag)?.as_str())));
        let any = || self.text.iter().next().map(|(tag, text)| (tag.as_str(), text.as_str()));
        found.or_else(any).unwrap_or(("en", &self.name))
    }
}

/// All answers as one text, which is what is kept of them. None where it is too long for that.
pub fn together(given: &[(String, Zeroizing<String>)]) -> Option<Password> {
    // All its room at once: what grows leaves copies behind.
    let room = given.iter().map(|(name, answer)| name.len() + 18 * answer.len() + 32).sum();
    let mut text = Zeroizing::new(String::with_capacity(room));
    for (name, answer) in given {
        let answer = plain(answer);
        // With its length before it, no answer can look like the next question.
        text.push_str(&format!("{name}:{}:", answer.len()));
        text.push_str(&answer);
        text.push(';');
    }
    Password::try_from(text.as_str()).ok()
}

/// An answer as it is compared: nobody remembers whether they wrote it with a capital, or with two blanks.
fn plain(answer: &str) -> Zeroizing<String> {
    // NFKC makes UTF-8 text at most eleven times as long (Unicode Standard Annex 15, section 9); small letters take half as
    // much again.
    let mut plain = Zeroizing::new(String::with_capacity(17 * answer.len()));
    for character in answer.nfkc().flat_map(char::to_lowercase) {
        match character.is_whitespace() {
            true if plain.is_empty() || plain.ends_with(' ') => {}
            true => plain.push(' '),
            false => plain.push(character),
        }
    }
    let end = plain.trim_end().len();
    plain.truncate(end);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, text: &[(&str, &str)]) -> SecurityQuestion {
        let text = text.iter().map(|(tag, text)| ((*tag).to_owned(), (*text).to_owned())).collect();
        SecurityQuestion { name: name.to_owned(), text }
    }

    fn questions() -> SecurityQuestions {
        let questions = vec![
            question("teacher", &[("en", "Who was your first teacher?"), ("de", "Wer war Ihre erste Lehrerin?")]),
            question("street", &[("en", "In which street did you grow up?")]),
            question("dish", &[("de", "Was kochte Ihre Großmutter am liebsten?")]),
        ];
        SecurityQuestions { answers: 2, questions }
    }

    fn given(answers: &[(&str, &str)]) -> Vec<(String, Zeroizing<String>)> {
        answers.iter().map(|(name, answer)| ((*name).to_owned(), Zeroizing::new((*answer).to_owned()))).collect()
    }

    #[test]
    fn they_are_off_until_there_are_as_many_as_a_person_answers() {
        let off = SecurityQuestions::default();
        assert_eq!((off.validate(), off.are_for(&BTreeSet::new())), (Ok(()), false));
        assert_eq!(questions().validate(), Ok(()));
        use InvalidSecurityQuestions as Invalid;
        let mut one = questions();
        one.questions.truncate(1);
        assert_eq!(one.validate(), Err(Invalid::TooFew(2)));
        for answers in [0, 1, 6, -1] {
            assert_eq!(SecurityQuestions { answers, ..questions() }.validate(), Err(Invalid::Answers(answers)));
        }
        let with = |question| {
            let mut all = questions();
            all.questions.push(question);
            all.validate()
        };
        assert_eq!(with(question("dish", &[("en", "?")])), Err(Invalid::Twice("dish".to_owned())));
        for name in ["", "Dish", "a b", "a/b", &"x".repeat(65)] {
            assert_eq!(with(question(name, &[("en", "?")])), Err(Invalid::Name(name.to_owned())));
        }
        for text in
            [&[][..], &[("en", " ")], &[("en", "Why?"), ("de", "")], &[("en", "a\nb")], &[("en", &*"x".repeat(201))]]
        {
            assert_eq!(with(question("x", text)), Err(Invalid::Text("x".to_owned())), "{text:?}");
        }
    }

    #[test]
    fn nobody_with_a_level_answers_any() {
        for (levels, are) in [
            (vec![], true),
            (vec![UserLevel::User], true),
            (vec![UserLevel::HelpDesk], false),
            (vec![UserLevel::User, UserLevel::OrgAdmin], false),
        ] {
            assert_eq!(questions().are_for(&levels.iter().copied().collect()), are, "{levels:?}");
        }
    }

    #[test]
    fn answers_are_taken_that_nobody_knows_already() {
        let known = ["Abby Smith", "abby.smith"];
        for (answers, taken) in [
            (&[("teacher", "Mrs Jones"), ("street", "Elm Row")][..], Ok(())),
            (&[("street", "Elm Row"), ("dish", "Pie")], Ok(())),
            (&[("teacher", "Mrs Jones")], Err(Unfit::Questions)),
            (&[("teacher", "Mrs Jones"), ("teacher", "Elm Row")], Err(Unfit::Questions)),
            (&[("teacher", "Mrs Jones"), ("pet", "Rex the dog")], Err(Unfit::Questions)),
            (&[("teacher", "Mrs Jones"), ("street", "Elm Row"), ("dish", "Pie")], Err(Unfit::Questions)),
            (&[("teacher", "Mrs Jones"), ("street", " ab ")], Err(Unfit::Length)),
            (&[("teacher", "Mrs Jones"), ("street", "")], Err(Unfit::Length)),
            (&[("teacher", "Mrs Jones"), ("street", &*"x".repeat(65))], Err(Unfit::Length)),
            (&[("teacher", &*"\u{1F512}".repeat(64)), ("street", &*"\u{1F511}".repeat(64))], Err(Unfit::Length)),
            (&[("teacher", "Elm  row"), ("street", "elm ROW")], Err(Unfit::Alike)),
            (&[("teacher", "Teacher"), ("street", "Elm Row")], Err(Unfit::Known)),
            (&[("teacher", "Lehrerin"), ("street", "Elm Row")], Err(Unfit::Known)),
            (&[("teacher", "abby  SMITH"), ("street", "Elm Row")], Err(Unfit::Known)),
        ] {
            let result = questions().take(&given(answers), &known).map(|_| ());
            assert_eq!(result, taken, "{answers:?}");
        }
    }

    #[test]
    fn how_an_answer_is_written_does_not_matter_but_which_it_is_does() {
        let kept = questions().take(&given(&[("teacher", "Mrs  Jones "), ("street", "Élm Row")]), &[]).expect("fit");
        let again = |answers: &[(&str, &str)]| together(&given(answers)).expect("short").expose() == kept.expose();
        assert!(again(&[("teacher", " mrs jones"), ("street", "E\u{301}LM row")]));
        for other in [
            &[("teacher", "mrsjones"), ("street", "Élm Row")][..],
            &[("street", "Élm Row"), ("teacher", "Mrs Jones")],
            &[("teacher", "Élm Row"), ("street", "Mrs Jones")],
            &[("teacher", "Mrs Jones")],
            &[("teacher", "mrs jones;street:8:élm row")],
        ] {
            assert!(!again(other), "{other:?}");
        }
    }

    #[test]
    fn what_was_chosen_is_asked_for_although_the_list_changed() {
        let all = questions();
        assert!(all.are_enough(2) && all.are_enough(3) && !all.are_enough(1));
        let pet = question("pet", &[("en", "What was your first pet called?")]);
        assert_eq!(all.now(&pet), &pet);
        let before = question("street", &[("en", "Which street?")]);
        assert_eq!(all.now(&before), &all.questions[1]);
    }

    #[test]
    fn a_question_is_read_in_ones_own_language_or_in_one_that_it_has() {
        let all = questions();
        let read = |name: &str, language: &str| {
            let question = all.question(name).expect(name);
            let (tag, text) = question.text_in(language);
            (tag.to_owned(), text.split(' ').next().expect("a word").to_owned())
        };
        for (name, language, tag, first) in
            [("teacher", "de", "de", "Wer"), ("street", "de", "en", "In"), ("dish", "en", "de", "Was")]
        {
            assert_eq!(read(name, language), (tag.to_owned(), first.to_owned()), "{name} {language}");
        }
    }
}
