//! Names without the difference of case, by one rule for both databases, for equality and for order.

/// A text as it is compared and sorted where case is ignored: every letter by the small form of its capital
/// one, one by one. So the final sigma is a sigma, `ß` is `ss` and a ligature is its letters
/// (full case folding by the mappings of Unicode's SpecialCasing.txt, in no language's own way).
pub(crate) fn fold(text: &str) -> String {
    text.chars()
        // First, because the capital ß has no other capital form, but the small one has.
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_told_by_what_they_are_and_not_by_their_case() {
        for (one, other) in [
            ("Anna", "aNNA"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("οδυσσευς", "Οδυσσευσ"),
            ("STRASSE", "straße"),
            ("STRAẞE", "straße"),
            ("ÅSA", "åsa"),
            ("ΆΛΦΑ", "άλφα"),
            ("ﬁn", "FIN"),
            ("ЁЖ", "ёж"),
            ("ԱՐԵՎ", "արեվ"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞ",
                "abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ",
            ),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("anna"), fold("ánna"));
        assert_ne!(fold("日本"), fold("日木"));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for letter in char::MIN..=char::MAX {
            let once = fold(&letter.to_string());
            assert_eq!(fold(&once), once, "{letter:?}");
        }
    }
}
