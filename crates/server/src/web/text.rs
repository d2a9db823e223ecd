//! What the pages say, in the language that a browser asks for.
//!
//! Texts are in `locales`, one file a language, in Project Fluent's format; another language is another file and a line here.
//! What is put into a text is set off from it, so that a name written from right to left does not turn the sentence around.

use axum::http::{HeaderMap, header};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_langneg::{NegotiationStrategy, accepted_languages, negotiate_languages};
use unic_langid::{CharacterDirection, LanguageIdentifier};

use super::brand::Brand;

/// The languages there are, with their texts; the first is for those who want none of them.
const FILES: [(&str, &str); 2] =
    [("en", include_str!("../../locales/en.ftl")), ("de", include_str!("../../locales/de.ftl"))];

/// Every language.
pub(super) struct Languages(Vec<Language>);

/// A language.
pub(super) struct Language {
    tag: LanguageIdentifier,
    bundle: FluentBundle<FluentResource>,
    name: Option<String>,
    has_logo: bool,
}

impl Languages {
    /// Reads the texts. They are in the program, and a test reads every one: what is wrong in them never gets here.
    pub(super) fn new(brand: &Brand) -> Self {
        let language = |(tag, text): (&str, &str)| {
            let tag: LanguageIdentifier = tag.parse().unwrap_or_default();
            let mut bundle = FluentBundle::new_concurrent(vec![tag.clone()]);
            let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(understood, _)| understood);
            bundle.add_resource_overriding(resource);
            let name = brand.name().map(str::to_owned);
            Language { tag, bundle, name, has_logo: brand.has_logo() }
        };
        Self(FILES.into_iter().map(language).collect())
    }

    /// The one that a browser asks for (`Accept-Language`), or the nearest.
    pub(super) fn of(&self, headers: &HeaderMap) -> &Language {
        let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let asked = accepted_languages::parse(asked);
        let known: Vec<LanguageIdentifier> = self.0.iter().map(|language| language.tag.clone()).collect();
        let chosen = negotiate_languages(&asked, &known, Some(&known[0]), NegotiationStrategy::Lookup);
        self.0.iter().find(|language| chosen.first() == Some(&&language.tag)).unwrap_or(&self.0[0])
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> &[Language] {
        &self.0
    }
}

impl Language {
    /// Its tag (BCP 47).
    pub(super) fn tag(&self) -> String {
        self.tag.to_string()
    }

    /// Whether it is written from right to left (`rtl`) or not (`ltr`).
    pub(super) fn direction(&self) -> &'static str {
        match self.tag.character_direction() {
            CharacterDirection::RTL => "rtl",
            _ => "ltr",
        }
    }

    /// What this installation is called.
    pub(super) fn brand(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.text("brand"))
    }

    /// Whether the organisation has a picture.
    pub(super) fn has_logo(&self) -> bool {
        self.has_logo
    }

    /// A text.
    pub(super) fn text(&self, id: &str) -> String {
        self.say(id, None)
    }

    /// A text in which a name or a sentence is put.
    pub(super) fn with(&self, id: &str, variable: &str, value: &str) -> String {
        self.say(id, Some((variable, value.into())))
    }

    /// A text in which a number is put.
    pub(super) fn counted(&self, id: &str, variable: &str, number: i64) -> String {
        self.say(id, Some((variable, number.into())))
    }

    fn say(&self, id: &str, argument: Option<(&str, FluentValue<'_>)>) -> String {
        let arguments: FluentArgs<'_> = argument.into_iter().collect();
        let Some(pattern) = self.bundle.get_message(id).and_then(|message| message.value()) else {
            return id.to_owned();
        };
        self.bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    use axum::http::HeaderValue;

    use super::*;

    /// The ids of a file, each with its variables.
    fn ids(text: &str) -> BTreeMap<String, BTreeSet<String>> {
        FluentResource::try_new(text.to_owned()).expect("every text can be read");
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((id, _)) = line.split_once(" =").filter(|_| !line.starts_with(' ')) {
                current = id.to_owned();
                assert!(ids.insert(current.clone(), BTreeSet::new()).is_none(), "{id} is there twice");
            }
            for variable in line.split('$').skip(1) {
                let end = variable.find(|c: char| !c.is_alphanumeric()).unwrap_or(variable.len());
                ids.get_mut(&current).expect("a text before it").insert(variable[..end].to_owned());
            }
        }
        ids
    }

    fn sources(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => sources(&path, ending, found),
                false if path.extension().is_some_and(|own| own == ending) => found.push(path),
                false => {}
            }
        }
    }

    #[test]
    fn every_language_says_everything_with_the_same_variables() {
        let english = ids(FILES[0].1);
        for (language, text) in FILES {
            assert_eq!(ids(text), english, "{language}");
        }
    }

    #[test]
    fn what_a_page_says_is_there_and_what_is_there_is_said() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        sources(&own.join("templates"), "html", &mut files);
        sources(&own.join("src/web"), "rs", &mut files);
        files.push(own.join("src/web.rs"));
        let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).expect("a text")).collect();
        let known = ids(FILES[0].1);
        for id in known.keys() {
            assert!(texts.iter().any(|text| text.contains(&format!("\"{id}\""))), "nobody says {id:?}");
        }
        for text in &texts {
            for said in text.split(".text(\"").skip(1).chain(text.split("text.with(\"").skip(1)) {
                let id = said.split('"').next().expect("an id");
                assert!(known.contains_key(id), "there is no text {id:?}");
            }
        }
    }

    #[test]
    fn a_browser_gets_the_nearest_language_to_what_it_asks_for() {
        let languages = Languages::new(&Brand::default());
        for (asked, given) in [
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("fr,de;q=0.5", "de"),
            ("en-GB", "en"),
            ("fr", "en"),
            ("", "en"),
            ("*", "en"),
            (";;,q=,\u{1}", "en"),
        ] {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(asked.as_bytes()) {
                headers.insert(header::ACCEPT_LANGUAGE, value);
            }
            assert_eq!(languages.of(&headers).tag(), given, "{asked}");
        }
    }

    #[test]
    fn a_number_has_the_form_that_its_language_asks_for() {
        let languages = Languages::new(&Brand::default());
        let said: Vec<String> = languages
            .all()
            .iter()
            .flat_map(|language| [1, 8].map(|n| language.counted("rule-min-length", "number", n)))
            .map(|text| text.replace(['\u{2068}', '\u{2069}'], ""))
            .collect();
        assert_eq!(
            said,
            [
                "has at least one character",
                "has at least 8 characters",
                "hat mindestens ein Zeichen",
                "hat mindestens 8 Zeichen"
            ]
        );
    }
}
