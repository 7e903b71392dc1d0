//! Conditions on texts: where the text is looked for, with and without case, and no character is special.

use ringback_core::Profile;
use ringback_store::{AccountFilter, AccountQuery, AccountSort, Store, TextMatch, TextPlace};

use crate::lists::{all, filtered, ids};
use crate::requests::*;
use crate::world::World;

on_both!(
    texts_match_as_said,
    no_character_is_special,
    long_texts_are_fine,
    letters_are_told_by_what_they_are_and_not_by_their_case,
    names_are_sorted_without_regard_to_case,
);

async fn with_names(world: &World, names: &[&str]) -> Store {
    let store = world.store().await;
    for (n, name) in names.iter().enumerate() {
        let profile = Profile {
            given_name: (*name).into(),
            ..Profile::default()
        };
        does(&store, &format!("{n:03}"), register(profile, None)).await;
        world.pass(1);
    }
    store
}

/// Asserts that exactly the names that a plain comparison finds are found.
async fn check(store: &Store, names: &[&str], text: &str, place: TextPlace, ignore_case: bool) {
    let fold = |text: &str| match ignore_case {
        true => text.to_lowercase(),
        false => text.to_owned(),
    };
    let wanted = fold(text);
    let expected: Vec<String> = names
        .iter()
        .enumerate()
        .filter(|(_, name)| {
            let name = fold(name);
            match place {
                TextPlace::Whole => name == wanted,
                TextPlace::Start => name.starts_with(&wanted),
                TextPlace::Inside => name.contains(&wanted),
                TextPlace::End => name.ends_with(&wanted),
            }
        })
        .map(|(n, _)| format!("{n:03}"))
        .collect();
    let filter = AccountFilter::GivenName(TextMatch {
        text: text.into(),
        place,
        ignore_case,
    });
    let found = filtered(store, filter).await;
    assert_eq!(found, expected, "{text:?} {place:?} {ignore_case}");
}

async fn check_all(store: &Store, names: &[&str], texts: &[&str]) {
    for text in texts {
        for place in [
            TextPlace::Whole,
            TextPlace::Start,
            TextPlace::Inside,
            TextPlace::End,
        ] {
            for ignore_case in [false, true] {
                check(store, names, text, place, ignore_case).await;
            }
        }
    }
}

async fn texts_match_as_said(world: &World) {
    let names = [
        "", "a", "Ann", "ann", "ANNA", "Joann", "nna", "ÄRGER", "Ärger", "ärger", "Größe", "ДОМ",
        "Дом",
    ];
    let store = with_names(world, &names).await;
    let texts = [
        "", "a", "A", "ann", "ANN", "nn", "na", "annabel", "Ä", "ä", "ärger", "ÄRGER", "rGe", "ö",
        "ß", "дом", "М",
    ];
    check_all(&store, &names, &texts).await;
}

async fn no_character_is_special(world: &World) {
    let names = [
        "100%", "100", "a_b", "axb", "a\\b", "O'Hara", "\"q\"", "$1", "?", "a.c", "abc", "[a]",
        "😀 x", "x 😀",
    ];
    let store = with_names(world, &names).await;
    let texts = [
        "%", "100%", "_", "a_b", "\\", "a\\b", "'", "O'", "\"", "$1", "$", "?", ".", "a.c", "[",
        "[a]", "*", "😀", "--",
    ];
    check_all(&store, &names, &texts).await;
    // No name can hold a NUL, so everything is found without it and nothing with it.
    let nul = || TextMatch {
        text: "a\0".into(),
        place: TextPlace::Inside,
        ignore_case: true,
    };
    assert!(
        filtered(&store, AccountFilter::GivenName(nul()))
            .await
            .is_empty()
    );
    let not = AccountFilter::Not(Box::new(AccountFilter::GivenName(nul())));
    assert_eq!(filtered(&store, not).await.len(), names.len());
}

async fn letters_are_told_by_what_they_are_and_not_by_their_case(world: &World) {
    let many: String = ('а'..='я').chain('α'..='ω').chain('à'..='ö').collect();
    let pairs = [
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("STRASSE", "straße"),
        ("ﬁnn", "FINN"),
        ("ŁUKASZ", "łukasz"),
        (&many, many.to_uppercase().leak()),
    ];
    let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    let store = with_names(world, &names).await;
    for (n, (name, asked)) in pairs.iter().enumerate() {
        for (place, text) in [
            (TextPlace::Whole, (*asked).to_owned()),
            (TextPlace::Start, asked.chars().take(2).collect()),
            (TextPlace::Inside, asked.chars().skip(1).take(3).collect()),
            (TextPlace::End, asked.chars().skip(2).collect()),
        ] {
            let filter = AccountFilter::GivenName(TextMatch {
                text: text.clone(),
                place,
                ignore_case: true,
            });
            let found = filtered(&store, filter).await;
            assert!(
                found.contains(&format!("{n:03}")),
                "{name} {text} {place:?}"
            );
        }
    }
}

async fn names_are_sorted_without_regard_to_case(world: &World) {
    let store = with_names(world, &["b", "A", "a", "B", "Ä", "c", "ä", "C"]).await;
    let query = AccountQuery {
        sort: AccountSort::GivenName,
        ..all()
    };
    let sorted = ids(&store, &query).await;
    // Equal ones by id; letters beyond ASCII after those within.
    assert_eq!(
        sorted,
        ["001", "002", "000", "003", "005", "007", "004", "006"]
    );
}

async fn long_texts_are_fine(world: &World) {
    let letters: String = ('А'..='Я').chain('Α'..='Ρ').chain('À'..='Ö').collect();
    let store = with_names(world, &[&letters]).await;
    for ignore_case in [false, true] {
        for place in [
            TextPlace::Whole,
            TextPlace::Start,
            TextPlace::Inside,
            TextPlace::End,
        ] {
            let filter = AccountFilter::GivenName(TextMatch {
                text: letters.clone(),
                place,
                ignore_case: false,
            });
            assert_eq!(filtered(&store, filter).await.len(), 1, "{place:?}");
            let filter = AccountFilter::GivenName(TextMatch {
                text: letters.repeat(3),
                place,
                ignore_case,
            });
            assert!(filtered(&store, filter).await.is_empty());
        }
    }
}
