//! Tests of texts: all of ours within their limits, and who gets which.

use super::*;
use crate::segments::{Encoding, Segments};

mod autofill;
mod own;

const SHAPES: [CodeShape; 2] = [
    CodeShape {
        length: 6,
        minutes: 10,
    },
    CodeShape {
        length: 10,
        minutes: 1_440,
    },
];

fn rules(name: &str, domain: &str, hash: &str) -> TextRules {
    TextRules {
        service_name: name.into(),
        domain: domain.into(),
        android_hash: hash.into(),
        language: "en".into(),
        max_segments: MaxSegments { gsm7: 1, ucs2: 2 },
        texts: BTreeMap::new(),
    }
}

fn texts(rules: &TextRules) -> Texts {
    made(rules, &BTreeMap::new(), SHAPES[0]).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

fn made(
    rules: &TextRules,
    own: &BTreeMap<String, OwnTextRules>,
    shape: CodeShape,
) -> Result<Texts, Vec<TextProblem>> {
    Texts::new(rules, own, shape)
}

fn wrong(rules: &TextRules) -> Vec<(String, String)> {
    let Err(problems) = made(rules, &BTreeMap::new(), SHAPES[0]) else {
        panic!("nothing wrong with {rules:?}");
    };
    problems
        .into_iter()
        .map(|problem| (problem.key, problem.reason))
        .collect()
}

fn code(code: &str) -> Content<'_> {
    Content::Code {
        code,
        minutes_left: 10,
    }
}

fn said(kind: &str, text: &str) -> Wording {
    let file = format!("{kind} = {text:?}");
    toml::from_str(&file).expect("a wording")
}

// ---------------------------------------------------------------- our own

/// Languages whose texts are worded so that each letter is in GSM 03.38.
const GSM: [&str; 14] = [
    "ca", "da", "de", "en", "es", "fi", "fr", "id", "it", "nl", "no", "pt", "pt-BR", "sv",
];

#[test]
fn every_text_of_ours_keeps_its_limits() {
    let mut seen = 0;
    for name in ["ringback", "Twenty characters ok"] {
        for domain in ["", "example.com"] {
            for hash in ["", "FA+9qCX9VSu"] {
                for shape in SHAPES {
                    let texts = made(&rules(name, domain, hash), &BTreeMap::new(), shape);
                    let texts = texts.unwrap_or_else(|wrong| panic!("{wrong:?}"));
                    for catalogue in OWN.values() {
                        for kind in Kind::ALL {
                            let longest = limits::longest(&texts.everybody, catalogue, kind, shape);
                            let place = format!("{} in {}", kind.name(), catalogue.tag);
                            let Segments {
                                encoding, count, ..
                            } = longest.segments;
                            if GSM.contains(&catalogue.tag.as_str()) {
                                assert_eq!((encoding, count), (Encoding::Gsm7, 1), "{place}");
                                let read = kind.holds_code() && !hash.is_empty();
                                assert!(
                                    !read || longest.bytes <= 140,
                                    "{place}: {}",
                                    longest.bytes
                                );
                            } else {
                                assert_eq!(encoding, Encoding::Ucs2, "{place}");
                                assert!(count <= 2, "{place}: {:?}", longest.segments);
                            }
                            seen += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen, 16 * 36 * 4);
}

#[test]
fn every_text_of_ours_begins_with_the_code_and_says_what_it_is() {
    let texts = texts(&rules("Acme", "", ""));
    for catalogue in OWN.values() {
        let tag = &catalogue.tag;
        let write = |content| {
            let written = texts.write("", tag, content);
            assert_eq!(&written.language, tag);
            written.text
        };
        let told = write(code("123456"));
        assert!(told.starts_with("123456 "), "{tag}: {told}");
        assert!(
            told.contains("Acme") && told.contains("10"),
            "{tag}: {told}"
        );
        let removal = write(Content::RemovalCode {
            code: "ABCDEF",
            minutes_left: 9,
        });
        assert!(removal.starts_with("ABCDEF "), "{tag}: {removal}");
        assert!(
            removal.contains("Acme") && removal.contains('9'),
            "{tag}: {removal}"
        );
        assert_ne!(
            told.replace("123456", ""),
            removal.replace("ABCDEF", ""),
            "{tag}"
        );
        for notice in [Content::Replaced, Content::Removed] {
            let told = write(notice);
            assert_eq!(
                told.matches("Acme").count(),
                2,
                "whose, and whom to ask: {told}"
            );
            assert!(!told.contains(['{', '<', '&']), "{tag}: {told}");
        }
    }
}

#[test]
fn there_is_a_file_for_each_language_and_a_language_for_each_file() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("texts");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of texts")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    let mut tags: Vec<String> = OWN
        .values()
        .map(|one| format!("{}.toml", one.tag))
        .collect();
    tags.sort();
    assert_eq!(files, tags);
    for catalogue in OWN.values() {
        let gsm = GSM.contains(&catalogue.tag.as_str());
        assert_eq!(catalogue.gsm, gsm, "{}", catalogue.tag);
    }
}

// ---------------------------------------------------------------- which one

#[test]
fn the_reader_decides_and_else_the_installation() {
    let german = TextRules {
        language: "de-CH".into(),
        ..rules("Acme", "", "")
    };
    let texts = texts(&german);
    for (language, expected) in [
        ("", "de"),
        ("eo", "de"),
        ("*", "de"),
        ("de;q=0, eo", "de"),
        ("fr-CA", "fr"),
        ("fr,en;q=0.9", "fr"),
        ("en;q=0.5,it", "it"),
        ("eo,nb-NO,en", "no"),
        ("zh-TW", "zh-Hant"),
        ("zh", "zh-Hans"),
        ("pt-BR", "pt-BR"),
        ("pt-PT", "pt"),
        ("pt_BR", "pt-BR"),
        (";;q=,\u{0}", "de"),
    ] {
        let written = texts.write("acme", language, Content::Removed);
        assert_eq!(written.language, expected, "{language:?}");
    }
}

#[test]
fn the_choice_is_that_of_other_readers_of_headers() {
    let table = include_str!("../../tests/counterparts/languages.tsv");
    let texts = texts(&rules("Acme", "", ""));
    let mut seen = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (header, expected) = line.split_once('\t').expect("a header and a language");
        let expected = if expected.is_empty() { "en" } else { expected };
        let written = texts.write("", header, Content::Removed);
        assert_eq!(written.language, expected, "{header:?}");
        seen += 1;
    }
    assert!(seen >= 200, "{seen}");
}
