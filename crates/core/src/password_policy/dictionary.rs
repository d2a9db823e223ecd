//! The organisation's dictionary: words that may not be inside a password.
//!
//! The file is UTF-8 text: comments that begin with `#`, the locale as the first other line (`locale=en_US`), then one
//! word a line. There is one dictionary; an upload replaces it. Names of the organisation and its products belong here.

use super::rules::comparable;

/// The dictionary in force. [`Dictionary::default`] is the one before the first upload, which has no word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// The file as it was uploaded, with line feeds only and a line feed at the end.
    text: String,
    /// Its words, as they are compared.
    words: Vec<String>,
}

/// Why a file is no dictionary. Lines are counted from 1; the line itself is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDictionary {
    /// A line is not UTF-8 text.
    #[error("line {line}: not UTF-8 text")]
    NotText {
        /// Where.
        line: usize,
    },
    /// A comment is too long.
    #[error("line {line}: a comment has at most {} characters", Dictionary::MAX_CHARACTERS)]
    LongComment {
        /// Where.
        line: usize,
    },
    /// The locale is not two or three small letters, an underscore and two capitals.
    #[error("line {line}: the locale must be written like en_US")]
    Locale {
        /// Where.
        line: usize,
    },
    /// There is a locale after the first word or after another locale.
    #[error("line {line}: the locale must come first, and once")]
    LateLocale {
        /// Where.
        line: usize,
    },
    /// There is white space or a control character in a word, or around it.
    #[error("line {line}: a word has no white space and no control characters")]
    Blank {
        /// Where.
        line: usize,
    },
    /// A word is too long.
    #[error("line {line}: a word has at most {} characters", Dictionary::MAX_CHARACTERS)]
    LongWord {
        /// Where.
        line: usize,
    },
    /// There are too many words.
    #[error("line {line}: more than {} words", Dictionary::MAX_WORDS)]
    TooManyWords {
        /// Where the first one too many is.
        line: usize,
    },
    /// There is no word.
    #[error("there is no word in the dictionary")]
    Empty,
}

impl Dictionary {
    /// How many words there may be.
    pub const MAX_WORDS: usize = 2500;
    /// How long a word, or a comment with its `#`, may be, in Unicode scalar values.
    pub const MAX_CHARACTERS: usize = 128;

    /// Reads an uploaded file. Windows line ends, a byte order mark and empty lines are accepted, and so is a colon in
    /// the locale's line (`locale:en_US`).
    pub fn parse(file: &[u8]) -> Result<Self, InvalidDictionary> {
        let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
        let mut dictionary = Self::default();
        let mut locale_may_follow = true;
        for (line, bytes) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            let text = std::str::from_utf8(bytes).map_err(|_| InvalidDictionary::NotText { line })?;
            let text = text.strip_suffix('\r').unwrap_or(text);
            let is_long = text.chars().count() > Self::MAX_CHARACTERS;
            if text.starts_with('#') {
                if is_long {
                    return Err(InvalidDictionary::LongComment { line });
                }
            } else if let Some(locale) = text.strip_prefix("locale=").or_else(|| text.strip_prefix("locale:")) {
                if !locale_may_follow {
                    return Err(InvalidDictionary::LateLocale { line });
                }
                if !is_locale(locale.trim()) {
                    return Err(InvalidDictionary::Locale { line });
                }
                locale_may_follow = false;
            } else if !text.is_empty() {
                if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
                    return Err(InvalidDictionary::Blank { line });
                }
                if is_long {
                    return Err(InvalidDictionary::LongWord { line });
                }
                if dictionary.words.len() == Self::MAX_WORDS {
                    return Err(InvalidDictionary::TooManyWords { line });
                }
                dictionary.words.push(comparable(text).to_string());
                locale_may_follow = false;
            }
            dictionary.text.push_str(text);
            dictionary.text.push('\n');
        }
        if dictionary.words.is_empty() {
            return Err(InvalidDictionary::Empty);
        }
        // What follows the last line feed of a file is an empty line, which is none.
        dictionary.text.truncate(dictionary.text.trim_end_matches('\n').len() + 1);
        Ok(dictionary)
    }

    /// The file, for `text/plain` and for the store: comments and spelling as they were uploaded. Parsing it again
    /// gives the same dictionary.
    pub fn to_text(&self) -> &str {
        &self.text
    }

    /// Whether a word is anywhere in the comparable `password`.
    pub(super) fn has_word_inside(&self, password: &str) -> bool {
        self.words.iter().any(|word| password.contains(word.as_str()))
    }
}

fn is_locale(text: &str) -> bool {
    text.split_once('_').is_some_and(|(language, country)| {
        matches!(language.len(), 2 | 3)
            && language.bytes().all(|byte| byte.is_ascii_lowercase())
            && country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(file: &str, password: &str) -> bool {
        Dictionary::parse(file.as_bytes()).expect(file).has_word_inside(&comparable(password))
    }

    #[test]
    fn a_word_is_found_anywhere_and_in_any_case() {
        assert!(has("# ours\nlocale=en_US\nAcme\n", "xxaCMExx"));
        assert!(has("Caf\u{e9}", "the-cafe\u{301}-1"));
        assert!(!has("# acme\nlocale=en_US\nother\n", "acme en_US"));
        assert!(!Dictionary::default().has_word_inside("anything"));
    }

    #[test]
    fn the_text_is_given_back_as_it_was() {
        for (file, text) in [
            ("# ours\nlocale:en_US\n\nAcme\nacme\n", "# ours\nlocale:en_US\n\nAcme\nacme\n"),
            ("\u{feff}locale=en_US\r\nAcme\r\n", "locale=en_US\nAcme\n"),
            ("Acme", "Acme\n"),
            ("Acme\n\n\n", "Acme\n"),
        ] {
            let dictionary = Dictionary::parse(file.as_bytes()).expect(file);
            assert_eq!(dictionary.to_text(), text);
            assert_eq!(Dictionary::parse(text.as_bytes()), Ok(dictionary));
        }
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let long = "x".repeat(Dictionary::MAX_CHARACTERS + 1);
        let many = "word\n".repeat(Dictionary::MAX_WORDS + 1);
        for (file, error) in [
            (b"ok\n\xff\n".to_vec(), InvalidDictionary::NotText { line: 2 }),
            (format!("ok\n#{long}").into(), InvalidDictionary::LongComment { line: 2 }),
            (b"# c\nlocale=english\nok".to_vec(), InvalidDictionary::Locale { line: 2 }),
            (b"locale=\nok".to_vec(), InvalidDictionary::Locale { line: 1 }),
            (b"ok\nlocale=en_US".to_vec(), InvalidDictionary::LateLocale { line: 2 }),
            (b"locale=en_US\nlocale=de_DE\nok".to_vec(), InvalidDictionary::LateLocale { line: 2 }),
            (b"ok\ntwo words".to_vec(), InvalidDictionary::Blank { line: 2 }),
            (b"ok\r\n trailing ".to_vec(), InvalidDictionary::Blank { line: 2 }),
            (b"nul\0".to_vec(), InvalidDictionary::Blank { line: 1 }),
            (format!("ok\n{long}").into(), InvalidDictionary::LongWord { line: 2 }),
            (many.into(), InvalidDictionary::TooManyWords { line: Dictionary::MAX_WORDS + 1 }),
            (b"".to_vec(), InvalidDictionary::Empty),
            (b"# only\nlocale=en_US\n".to_vec(), InvalidDictionary::Empty),
        ] {
            let shown = String::from_utf8_lossy(&file[..file.len().min(20)]).into_owned();
            assert_eq!(Dictionary::parse(&file), Err(error), "{shown:?}");
        }
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let long = "\u{e9}".repeat(Dictionary::MAX_CHARACTERS);
        assert!(Dictionary::parse(long.as_bytes()).is_ok());
        assert!(Dictionary::parse(format!("#{}\nok", &long[2..]).as_bytes()).is_ok());
        assert!(Dictionary::parse("word\n".repeat(Dictionary::MAX_WORDS).as_bytes()).is_ok());
    }

    #[test]
    fn the_message_says_the_line() {
        let error = Dictionary::parse(b"ok\nnot ok").expect_err("white space");
        assert_eq!(error.to_string(), "line 2: a word has no white space and no control characters");
    }
}
