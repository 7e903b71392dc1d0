//! What the widget and the page say: one file a language in `widget/texts`, those that messages have.

use std::collections::BTreeMap;

use ringback_sms::texts::choose;

/// The files, by tags in lower case.
macro_rules! files {
    ($($tag:literal $file:literal),* $(,)?) => {
        [$(($tag, $file, include_str!(concat!("../../../../widget/texts/", $file, ".json")))),*]
    };
}

const FILES: [(&str, &str, &str); 36] = files![
    "ar" "ar", "bg" "bg", "ca" "ca", "cs" "cs", "da" "da", "de" "de", "el" "el", "en" "en", "es" "es",
    "fa" "fa", "fi" "fi", "fr" "fr", "he" "he", "hi" "hi", "hr" "hr", "hu" "hu", "id" "id", "it" "it",
    "ja" "ja", "ko" "ko", "mk" "mk", "nl" "nl", "no" "no", "pl" "pl", "pt" "pt", "pt-br" "pt-BR",
    "ro" "ro", "ru" "ru", "sk" "sk", "sv" "sv", "th" "th", "tr" "tr", "uk" "uk", "vi" "vi",
    "zh-hans" "zh-Hans", "zh-hant" "zh-Hant",
];

/// Languages that are written from right to left.
const RIGHT_TO_LEFT: [&str; 3] = ["ar", "fa", "he"];

/// The words of one language.
pub(super) struct Words {
    /// Its tag.
    pub(super) tag: &'static str,
    /// Its file, as it is.
    pub(super) file: &'static str,
    words: BTreeMap<String, String>,
}

impl Words {
    /// One of them; what the file lacks is empty, which a test rules out.
    pub(super) fn of(&self, name: &str) -> &str {
        self.words.get(name).map_or("", String::as_str)
    }

    /// `rtl` or `ltr`.
    pub(super) fn direction(&self) -> &'static str {
        match RIGHT_TO_LEFT.contains(&self.tag) {
            true => "rtl",
            false => "ltr",
        }
    }
}

/// The words of every language.
pub(super) struct Texts {
    all: BTreeMap<&'static str, Words>,
    default: String,
}

impl Texts {
    /// `default` is the language of who asks for none that there is.
    pub(super) fn new(default: &str) -> Texts {
        let words = |(tag, shown, file): (&'static str, &'static str, &'static str)| {
            let words = serde_json::from_str(file).unwrap_or_default();
            let tag_and_words = Words {
                tag: shown,
                file,
                words,
            };
            (tag, tag_and_words)
        };
        Texts {
            all: FILES.map(words).into(),
            default: default.to_owned(),
        }
    }

    /// The words for who wants these languages: tags, or an Accept-Language header, or both joined by commas.
    pub(super) fn choose(&self, wanted: &str) -> &Words {
        static NONE: Words = Words {
            tag: "en",
            file: "{}",
            words: BTreeMap::new(),
        };
        let found = |wanted: &str| choose(wanted, |tag| self.all.get(tag));
        let found = found(wanted).or_else(|| found(&self.default));
        found.or_else(|| self.all.get("en")).unwrap_or(&NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_of_the_messages_says_everything() {
        let texts = Texts::new("en");
        let messages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/crates/sms/texts"));
        let messages = messages.expect("a folder").map(|file| {
            let name = file
                .expect("a file")
                .file_name()
                .into_string()
                .expect("a name");
            name.trim_end_matches(".toml").to_ascii_lowercase()
        });
        let mut messages: Vec<String> = messages.collect();
        messages.sort();
        assert!(texts.all.keys().eq(messages.iter()), "{messages:?}");
        let english = &texts.all["en"].words;
        assert!(english.len() > 20);
        let holes = |text: &str| {
            let named = ["{number}", "{time}", "{n}"].into_iter();
            named.filter(|hole| text.contains(hole)).collect::<Vec<_>>()
        };
        for (tag, words) in &texts.all {
            assert!(words.words.keys().eq(english.keys()), "{tag}");
            for (name, text) in &words.words {
                assert_eq!(holes(text), holes(&english[name]), "{tag} {name}");
                assert_eq!(text.trim(), text, "{tag} {name}");
                assert!(!text.is_empty(), "{tag} {name}");
            }
        }
    }

    #[test]
    fn a_reader_gets_the_nearest_language() {
        let texts = Texts::new("fr");
        for (wanted, expected) in [
            ("de-CH,en", "de"),
            ("pt-PT", "pt"),
            ("pt-BR;q=0.8, xx", "pt-BR"),
            ("zh-TW", "zh-Hant"),
            ("nb", "no"),
            ("xx", "fr"),
            ("", "fr"),
        ] {
            assert_eq!(texts.choose(wanted).tag, expected, "{wanted}");
        }
        assert_eq!(Texts::new("xx").choose("").tag, "en");
        assert_eq!(texts.choose("he").direction(), "rtl");
    }
}
