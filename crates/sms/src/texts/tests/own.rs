//! Tests of what an installation and its organisations may say otherwise, and what they may not.

use super::*;

#[test]
fn texts_of_an_installation_go_before_ours_and_those_of_an_organisation_before_them() {
    let mut rules = rules("Acme", "", "");
    rules.texts = [
        ("de".to_owned(), said("code", "{code} für {service}")),
        ("de-at".to_owned(), said("removed", "Diese Nummer ist weg.")),
        ("nb".to_owned(), said("code", "Kode: {code}")),
    ]
    .into();
    let own: OwnTextRules = toml::from_str(
        "service_name = \"Bank\"\ndomain = \"bank.example\"\nlanguage = \"fr\"\n\
         [texts.DE]\nremoved = \"Weg.\"\n",
    )
    .expect("rules");
    let own = BTreeMap::from([("bank".to_owned(), own)]);
    let texts = made(&rules, &own, SHAPES[0]).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let write = |organization, language, content| {
        let written = texts.write(organization, language, content);
        format!("{}: {}", written.language, written.text)
    };
    assert_eq!(write("", "de-CH", code("1")), "de: 1 für Acme");
    assert_eq!(write("", "de-AT", code("1")), "de-AT: 1 für Acme");
    assert_eq!(
        write("", "de-AT", Content::Removed),
        "de-AT: Diese Nummer ist weg."
    );
    assert_eq!(write("other", "nn", code("1")), "no: Kode: 1");
    assert_eq!(
        write("bank", "de", code("1")),
        "de: 1 für Bank\n@bank.example #1"
    );
    assert_eq!(write("bank", "de", Content::Removed), "de: Weg.");
    assert_eq!(
        write("bank", "de-AT", Content::Removed),
        "de-AT: Diese Nummer ist weg."
    );
    let french = write("bank", "eo", Content::Removed);
    assert!(
        french.starts_with("fr: ") && french.contains("Bank"),
        "{french}"
    );
    assert!(write("", "eo", Content::Removed).starts_with("en: "));
}

#[test]
fn a_language_of_their_own_needs_all_four_texts() {
    let mut rules = rules("Acme", "", "");
    rules.texts = [("eu".to_owned(), said("code", "{code} da kodea"))].into();
    let found = wrong(&rules);
    let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    let missing = ["removal_code", "replaced", "removed"];
    assert_eq!(
        keys,
        missing.map(|kind| format!("messages.texts.eu.{kind}"))
    );
    assert!(found[0].1.contains("no texts in eu"), "{}", found[0].1);

    let eu = rules.texts.get_mut("eu").expect("what was just put there");
    eu.removal_code = Some("{code} kentzeko".into());
    eu.replaced = Some("Aldatuta.".into());
    eu.removed = Some("Kenduta.".into());
    rules.language = "eu-ES".into();
    let written = texts(&rules).write("", "", code("123456"));
    assert_eq!(
        (written.text.as_str(), written.language.as_str()),
        ("123456 da kodea", "eu")
    );
}

#[test]
fn what_is_wrong_with_a_text_is_said_with_its_key() {
    for (tag, kind, text, reason) in [
        ("de", "code", "Ihr Code", "lacks {code}"),
        ("de", "code", "{code} {name}", "no placeholder {name}"),
        ("de", "removal_code", "{code}<br>", "markup (<br>)"),
        ("pt-BR", "removed", "{code}", "is a notice"),
        ("fr", "replaced", "", "is empty"),
        (
            "it",
            "removal_code",
            "{code} è il tuo codice {service}. Vale {minutes} min, non condividerlo.",
            "same text",
        ),
    ] {
        let mut rules = rules("Acme", "", "");
        rules.texts = [(tag.to_owned(), said(kind, text))].into();
        let found = wrong(&rules);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, format!("messages.texts.{tag}.{kind}"));
        assert!(found[0].1.contains(reason), "{}", found[0].1);
    }
    let mut rules = rules("Acme", "", "");
    rules.texts = [
        ("klingon!".to_owned(), Wording::default()),
        ("nb".to_owned(), Wording::default()),
        ("no".to_owned(), Wording::default()),
    ]
    .into();
    rules.language = "eo".into();
    let keys: Vec<String> = wrong(&rules).into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            "messages.texts.klingon!",
            "messages.texts.no",
            "messages.language"
        ]
    );
}

#[test]
fn a_text_that_is_too_long_is_refused_with_by_how_much() {
    let mut long = rules("Acme", "", "");
    // 6 + 1 + 154 is one more than fits.
    long.texts = [(
        "de".to_owned(),
        said("code", &format!("{{code}} {}", "a".repeat(154))),
    )]
    .into();
    let found = wrong(&long);
    assert_eq!(found[0].0, "messages.texts.de.code");
    assert_eq!(
        found[0].1,
        "takes up to 161 characters of GSM 03.38, 1 more than 160 in 1 segment"
    );
    // Once, although another language takes it over.
    long.texts
        .insert("de-AT".to_owned(), said("removed", "Weg."));
    assert_eq!(wrong(&long).len(), 1, "{:?}", wrong(&long));
    long.max_segments.gsm7 = 2;
    texts(&long);

    // The same with a letter that is not in GSM 03.38.
    let mut french = rules("Acme", "", "");
    let text = "{code} est votre code, merci de ne pas le partager : il n’est qu’à vous, à personne d’autre.";
    french.texts = [("fr".to_owned(), said("code", text))].into();
    let found = wrong(&french);
    assert!(
        found[0].1.ends_with(
            "22 more than 70 in 1 segment; ’ (U+2019) is not in GSM 03.38: write it without"
        ),
        "{}",
        found[0].1
    );

    let mut android = rules("Acme", "", "FA+9qCX9VSu");
    android.texts = [(
        "de".to_owned(),
        said("code", &format!("{{code}} {}", "a".repeat(123))),
    )]
    .into();
    let found = wrong(&android);
    assert_eq!(
        found[0].1,
        "takes up to 142 bytes, 2 more than the 140 that Android's SMS Retriever reads"
    );
}

#[test]
fn a_name_or_a_domain_that_is_too_long_is_refused_once() {
    let found = wrong(&rules(
        "A service with a name of forty letters..",
        "example.com",
        "FA+9qCX9VSu",
    ));
    let [(key, reason)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(key, "messages.service_name");
    assert!(
        reason
            .starts_with("a service_name of 40 characters, a domain of 11 makes texts too long: "),
        "{reason}"
    );
    assert!(
        reason.contains(" more than ") && reason.contains(": replaced in "),
        "{reason}"
    );

    let host = format!("{}.example.com", "a".repeat(60));
    let found = wrong(&rules("Acme", &host, ""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "messages.domain");
    assert!(found[0].1.contains("a domain of 72"), "{}", found[0].1);
}

#[test]
fn a_name_outside_of_gsm_takes_every_text_with_it() {
    let texts = texts(&rules("Ōura", "", ""));
    let written = texts.write("", "en", code("123456"));
    assert_eq!(Segments::of(&written.text).encoding, Encoding::Ucs2);
    let told = texts.describe().join("\n");
    assert!(
        told.contains("service_name has letters outside of GSM 03.38 (Ō)"),
        "{told}"
    );
}

#[test]
fn what_is_wrong_with_names_is_said_where_it_was_said() {
    for (key, value) in [
        ("service_name", ""),
        ("service_name", " Acme"),
        ("service_name", "<b>Acme</b>"),
        ("service_name", "two\nlines"),
        ("domain", "https://example.com"),
        ("domain", "example.com:8443"),
        ("android_hash", "short"),
        ("language", "eo"),
        ("language", "English"),
    ] {
        let own: OwnTextRules = toml::from_str(&format!("{key} = {value:?}")).expect("rules");
        let own = BTreeMap::from([("acme".to_owned(), own)]);
        let Err(found) = made(&rules("Acme", "", ""), &own, SHAPES[0]) else {
            panic!("nothing wrong with {key} = {value:?}");
        };
        let keys: Vec<&str> = found.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(
            keys,
            [format!("organizations.acme.messages.{key}")],
            "{value:?}"
        );
    }
    let limits = TextRules {
        max_segments: MaxSegments { gsm7: 0, ucs2: 11 },
        ..rules("Acme", "", "")
    };
    let keys: Vec<String> = wrong(&limits).into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        ["messages.max_segments.gsm7", "messages.max_segments.ucs2"]
    );
}

#[test]
fn an_operator_is_told_what_there_is() {
    let own: OwnTextRules = toml::from_str("service_name = \"Bank\"").expect("rules");
    let own = BTreeMap::from([
        ("bank".to_owned(), own),
        ("same".to_owned(), OwnTextRules::default()),
    ]);
    let made = made(
        &rules("ringback", "example.com", "FA+9qCX9VSu"),
        &own,
        SHAPES[0],
    );
    let told = made.unwrap_or_else(|wrong| panic!("{wrong:?}")).describe();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("messages: ok: 36 languages, en for readers of others; "),
        "{}",
        told[0]
    );
    assert!(
        told[0].contains("SMS Retriever reads in ar, "),
        "{}",
        told[0]
    );
    assert!(told[1].starts_with("messages of bank: ok: "), "{}", told[1]);
}
