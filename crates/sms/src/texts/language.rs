//! Which language a reader gets: BCP 47 tags, looked up as RFC 4647 says, in the order of an Accept-Language header.

/// Other names of a language, as tags and POSIX locales spell them. The three-letter names of ISO 639 stand for
/// those of two letters.
const ALIASES: [(&str, &str); 55] = [
    ("iw", "he"),
    ("in", "id"),
    ("nb", "no"),
    ("nn", "no"),
    ("mo", "ro"),
    ("cmn", "zh"),
    ("arb", "ar"),
    ("pes", "fa"),
    ("prs", "fa"),
    ("ara", "ar"),
    ("bul", "bg"),
    ("cat", "ca"),
    ("ces", "cs"),
    ("cze", "cs"),
    ("dan", "da"),
    ("deu", "de"),
    ("ger", "de"),
    ("ell", "el"),
    ("gre", "el"),
    ("eng", "en"),
    ("spa", "es"),
    ("fas", "fa"),
    ("per", "fa"),
    ("fin", "fi"),
    ("fra", "fr"),
    ("fre", "fr"),
    ("heb", "he"),
    ("hin", "hi"),
    ("hrv", "hr"),
    ("hun", "hu"),
    ("ind", "id"),
    ("ita", "it"),
    ("jpn", "ja"),
    ("kor", "ko"),
    ("mkd", "mk"),
    ("mac", "mk"),
    ("nld", "nl"),
    ("dut", "nl"),
    ("nor", "no"),
    ("nob", "no"),
    ("nno", "no"),
    ("pol", "pl"),
    ("por", "pt"),
    ("ron", "ro"),
    ("rum", "ro"),
    ("rus", "ru"),
    ("slk", "sk"),
    ("slo", "sk"),
    ("swe", "sv"),
    ("tha", "th"),
    ("tur", "tr"),
    ("ukr", "uk"),
    ("vie", "vi"),
    ("zho", "zh"),
    ("chi", "zh"),
];

/// Where Chinese is written in traditional characters.
const TRADITIONAL: [&str; 3] = ["tw", "hk", "mo"];

/// A tag in lower case with hyphens, its language by the name that texts have here; `None` for what is no tag.
/// `de_CH.UTF-8` is `de-ch`, `nb-NO` is `no-no`, `zh-TW` is `zh-hant-tw`.
pub(super) fn normal(tag: &str) -> Option<String> {
    let tag = tag.trim();
    // A locale of POSIX says its character set behind a dot, and a variant behind an at sign.
    let tag = tag.split(['.', '@']).next().unwrap_or_default();
    let tag = tag.replace('_', "-").to_ascii_lowercase();
    let mut parts: Vec<&str> = tag.split('-').collect();
    let whole = |part: &&str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let language = parts[0];
    if !parts.iter().all(whole)
        || !(2..=8).contains(&language.len())
        || !language.bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        return None;
    }
    // `zh-yue` and `zh-cmn` name a language within one; it has a tag of its own.
    if language == "zh" && parts.get(1).is_some_and(|part| part.len() == 3) {
        parts.remove(0);
    }
    let alias = ALIASES.iter().find(|(other, _)| *other == parts[0]);
    parts[0] = alias.map_or(parts[0], |(_, language)| language);
    if matches!(parts[0], "zh" | "yue") {
        let script = chinese_script(&parts);
        parts[0] = "zh";
        if parts.get(1) != Some(&script) {
            parts.insert(1, script);
        }
    }
    Some(parts.join("-"))
}

/// What a Chinese tag is written in: its script, or that of its place.
fn chinese_script(parts: &[&str]) -> &'static str {
    // What follows a single character is no script and no place.
    let said = || parts[1..].iter().take_while(|part| part.len() > 1);
    let has = |wanted: &[&str]| said().any(|part| wanted.contains(part));
    let traditional = has(&["hant"]) || has(&TRADITIONAL) || parts[0] == "yue" && !has(&["cn"]);
    if !has(&["hans"]) && traditional {
        "hant"
    } else {
        "hans"
    }
}

/// A normal tag as people write it: `pt-BR`, `zh-Hant`.
pub(super) fn shown(normal: &str) -> String {
    let part = |(at, part): (usize, &str)| match (at, part.len()) {
        (1.., 2) => part.to_ascii_uppercase(),
        (1.., 4) => match part.split_at_checked(1) {
            Some((first, rest)) => first.to_ascii_uppercase() + rest,
            None => part.to_owned(),
        },
        _ => part.to_owned(),
    };
    let parts: Vec<String> = normal.split('-').enumerate().map(part).collect();
    parts.join("-")
}

/// The first of a normal tag and its shorter forms that `found` knows (RFC 4647, section 3.4).
pub(super) fn look_up<T>(normal: &str, found: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut range = normal;
    loop {
        if let Some(found) = found(range) {
            return Some(found);
        }
        range = range.rsplit_once('-')?.0;
        // A single character only begins what follows it.
        if let Some((shorter, last)) = range.rsplit_once('-')
            && last.len() == 1
        {
            range = shorter;
        }
    }
}

/// The normal tags of an Accept-Language header, or of several joined by commas, best first: by `q`, and as they
/// come. Whatever is malformed is passed over, and so are `*`, which says nothing, and what is refused by `q=0`.
pub(super) fn wanted(header: &str) -> Vec<String> {
    let mut wanted: Vec<(f32, String)> = header
        .split(',')
        .filter_map(|item| {
            let mut parts = item.split(';');
            let tag = normal(parts.next()?)?;
            let quality = parts.find_map(quality).unwrap_or(Some(1.0))?;
            (quality > 0.0).then_some((quality, tag))
        })
        .collect();
    wanted.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    wanted.into_iter().map(|(_, tag)| tag).collect()
}

/// `None` for another parameter, `Some(None)` for a `q` that is no number.
fn quality(parameter: &str) -> Option<Option<f32>> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value = value.trim();
    let digits = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number = value.parse::<f32>().ok().filter(|_| digits);
    Some(number.map(|number| number.min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_in_every_spelling() {
        for (tag, expected) in [
            ("de", "de"),
            ("DE-ch", "de-ch"),
            ("de_CH", "de-ch"),
            (" de_CH.UTF-8 ", "de-ch"),
            ("ca_ES@valencia", "ca-es"),
            ("nb-NO", "no-no"),
            ("nn", "no"),
            ("iw-IL", "he-il"),
            ("in", "id"),
            ("deu", "de"),
            ("zh", "zh-hans"),
            ("zh-CN", "zh-hans-cn"),
            ("zh_TW", "zh-hant-tw"),
            ("zh-HK", "zh-hant-hk"),
            ("zh-Hant-CN", "zh-hant-cn"),
            ("zh-Hans-HK", "zh-hans-hk"),
            ("zh-u-co-tw", "zh-hans-u-co-tw"),
            ("zh-cmn-Hant", "zh-hant"),
            ("zh-yue", "zh-hant"),
            ("yue-CN", "zh-hans-cn"),
            ("cmn", "zh-hans"),
        ] {
            assert_eq!(normal(tag).as_deref(), Some(expected), "{tag}");
        }
        for tag in [
            "",
            "*",
            "d",
            "de-",
            "-de",
            "de--ch",
            "1a",
            "de ch",
            "é",
            "toolongtag",
            "{}",
            "de-*",
        ] {
            assert_eq!(normal(tag), None, "{tag}");
        }
        for tag in ["pt-br", "zh-hant", "de", "no"] {
            assert!(shown(tag).eq_ignore_ascii_case(tag));
        }
        assert_eq!(shown("pt-br"), "pt-BR");
        assert_eq!(shown("zh-hant-tw"), "zh-Hant-TW");
    }

    #[test]
    fn headers_are_ordered_and_never_fail() {
        for (header, expected) in [
            ("", ""),
            ("de", "de"),
            ("fr;q=0.3, en;q=0.8,de", "de en fr"),
            ("en, fr, de", "en fr de"),
            ("de;q=0, fr;q=0.1, *;q=0.5", "fr"),
            ("de ; Q = 0.5 , fr ; level=1", "fr de"),
            ("de;q=x, fr;q=, it;q=-1, en;q=nan, nl;q=inf, es;q=1e0", ""),
            ("de;q=5, fr", "de fr"),
            (",,;,;q=1,=,de;;;q=0.2,\u{0},é,fr;q", "fr de"),
        ] {
            assert_eq!(wanted(header).join(" "), expected, "{header:?}");
        }
    }

    #[test]
    fn a_tag_is_shortened_until_it_is_known() {
        let found = |tag: &str| {
            let known = ["de", "pt", "pt-br", "zh-hant"];
            let known = move |range: &str| known.into_iter().find(|known| *known == range);
            look_up(tag, known)
        };
        assert_eq!(found("de-ch-1996"), Some("de"));
        assert_eq!(found("pt-br-x-own"), Some("pt-br"));
        assert_eq!(found("pt-ao"), Some("pt"));
        assert_eq!(found("zh-hant-hk"), Some("zh-hant"));
        assert_eq!(found("zh-hans"), None);
        assert_eq!(found("d-e"), None);
    }
}
