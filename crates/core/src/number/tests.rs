//! Which spellings are read, and as what.

use super::*;

fn parse(text: &str) -> Result<String, NumberError> {
    Number::parse(text, &NumberRules::default()).map(|n| n.as_str().to_owned())
}

fn parse_with(text: &str, validation: Validation, region: &str) -> Result<String, NumberError> {
    let rules = NumberRules {
        validation,
        default_region: region.into(),
        ..NumberRules::default()
    };
    Number::parse(text, &rules).map(|n| n.as_str().to_owned())
}

fn parse_in(region: &str, text: &str) -> Result<String, NumberError> {
    parse_with(text, Validation::Valid, region)
}

#[test]
fn all_of_these_come_out_as_said() {
    let unchanged = [
        "+78122345678",
        "+78005553535",
        "+37080012345",
        "+37582004910060",
    ];
    let taken = ["+61496012345", "+254181234567", "+263790123456"];
    for number in unchanged.into_iter().chain(taken) {
        assert_eq!(parse(number).as_deref(), Ok(number));
    }
    for (region, text, number) in [
        ("IT", "3911234567", "+393911234567"),
        ("IN", "9115192229", "+919115192229"),
        ("AT", "435787431", "+43435787431"),
        ("RU", "88005553535", "+78005553535"),
        ("HK", "001 65 8212 3456", "+6582123456"),
        ("SG", "001 41 79 123 45 67", "+41791234567"),
        ("", "+1 (1) 2015550123", "+12015550123"),
        ("", "tel:0791234567;phone-context=+41", "+41791234567"),
        ("", "[+41] 79 123 45 67", "+41791234567"),
        ("", "+𞥔𞥑𞥗𞥙𞥑𞥒𞥓𞥔𞥕𞥖𞥗", "+41791234567"),
    ] {
        assert_eq!(
            parse_in(region, text).as_deref(),
            Ok(number),
            "{region} {text}"
        );
    }
    let refused = [
        "+97233142764978",
        "+855912345670",
        "+601234567890",
        "+4742123456",
    ];
    for number in refused {
        assert!(parse(number).is_err(), "{number}");
    }
    assert_eq!(parse("+49 30 123456~7"), Err(NumberError::Extension));
}

#[test]
fn spellings_of_one_number_are_one_number() {
    for text in [
        "+41791234567",
        "+41 79 123 45 67",
        "0041791234567",
        "00 41 79 123 45 67",
        "++41791234567",
        "tel:+41-79-123-45-67",
        "TEL:+41.79.123.45.67",
        "tel://+41791234567",
        "<tel:+41791234567>",
        "ｔｅｌ：＋４１７９１２３４５６７",
        "+41 (0)79 123 45 67",
        "(+41) 79/123 45 67",
        "{+41}【79】「123」«45» 67",
        "+41_79_123_45_67",
        "'+41791234567",
        "“+41 79 123 45 67”",
        "+41 79 123 45 67, ",
        "+41 79 123 45 67.",
        "+41·79·123·45·67",
        "﹢41 79 123 45 67",
        "\u{200E}+41\u{00A0}79\u{2011}123\u{2011}45\u{2011}67\u{202C}",
        "\u{2066}+41\u{2009}79\u{2012}123\u{2013}45\u{2014}67\u{2069}",
        "+41\u{3000}79\u{30FC}123\u{2212}45\u{FE63}67",
        "\u{2068}+41\u{E0020}79\u{180E}123\u{FE0F}4567",
        "\u{FF0B}\u{FF14}\u{FF11}\u{FF17}\u{FF19}\u{FF11}\u{FF12}\u{FF13}\u{FF14}\u{FF15}\u{FF16}\u{FF17}",
        "+٤١٧٩١٢٣٤٥٦٧",
        "+۴۱۷۹۱۲۳۴۵۶۷",
        "+४१७९१२३४५६७",
        "+๔๑๗๙๑๒๓๔๕๖๗",
        "+𝟒𝟏𝟕𝟗𝟏𝟐𝟑𝟒𝟓𝟔𝟕",
        "+🯴🯱🯷🯹🯱🯲🯳🯴🯵🯶🯷",
        "+4️⃣1️⃣7️⃣9️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣",
        "\u{200B}0041 79 1234567\n",
    ] {
        assert_eq!(parse(text).as_deref(), Ok("+41791234567"), "{text:?}");
    }
}

#[test]
fn tel_uris_are_read_as_rfc_3966_says() {
    for (region, text, number) in [
        ("", "tel:+41791234567", Ok("+41791234567")),
        (
            "",
            "tel:079-123-45-67;phone-context=+41",
            Ok("+41791234567"),
        ),
        ("", "TEL:0791234567;Phone-Context=+41", Ok("+41791234567")),
        ("", "0791234567;phone-context=+41", Ok("+41791234567")),
        ("US", "tel:0791234567;phone-context=+41", Ok("+41791234567")),
        ("", "tel:5550123;phone-context=+1-201", Ok("+12015550123")),
        ("", "tel:+41791234567;phone-context=+41", Ok("+41791234567")),
        (
            "CH",
            "tel:0791234567;phone-context=example.com",
            Ok("+41791234567"),
        ),
        (
            "",
            "tel:0791234567;phone-context=example.com",
            Err(NumberError::NotInternational),
        ),
        (
            "",
            "tel:0791234567;phone-context=",
            Err(NumberError::Malformed),
        ),
        (
            "",
            "tel:0791234567;phone-context=41",
            Err(NumberError::Malformed),
        ),
        ("", "tel:+41791234567;isub=12", Ok("+41791234567")),
        (
            "",
            "tel:+41791234567;tgrp=a;trunk-context=b",
            Ok("+41791234567"),
        ),
        ("", "tel:+41791234567;m-pay=1", Err(NumberError::Malformed)),
        ("", "+41791234567;tgrp=a", Err(NumberError::Malformed)),
        (
            "",
            "tel:0791234567;phone-context=+41;ext=5",
            Err(NumberError::Extension),
        ),
        (
            "",
            "tel:0791234567;ext=5;phone-context=+41",
            Err(NumberError::Extension),
        ),
        ("", "tel:", Err(NumberError::Empty)),
    ] {
        assert_eq!(
            parse_in(region, text),
            number.map(str::to_owned),
            "{region} {text}"
        );
    }
}

#[test]
fn an_extension_in_any_form_is_refused_as_such() {
    for extension in [
        "x12",
        " X 12",
        "ext12",
        " ext. 12",
        " extn 12",
        " EXTENSION: 12",
        " extensión 12",
        " extensio\u{301}n 12",
        ";ext=12",
        "; EXT=12",
        ";12",
        ",12",
        ",,12",
        ", 12#",
        "~12",
        "#12",
        " - 12#",
        "＃12",
        "～12",
        "ｅｘｔ12",
        " доб. 12",
        " х12",
        "×12",
        ";postd=12",
        " ДОБ 12",
        " anexo 12",
        " int 12",
        "p12",
        "w12",
        "内線12",
        " (ext 12)",
        "/x12",
        "، 12",
        " ext",
    ] {
        for number in ["+41791234567", "+49 30 123456", "tel:+41791234567"] {
            let text = format!("{number}{extension}");
            assert_eq!(parse(&text), Err(NumberError::Extension), "{text}");
        }
        let national = format!("079 123 45 67{extension}");
        assert_eq!(
            parse_in("CH", &national),
            Err(NumberError::Extension),
            "{national}"
        );
        assert_eq!(parse(&national), Err(NumberError::Extension), "{national}");
    }
    let told = NumberError::Extension.to_string();
    assert!(told.contains("extension"), "{told}");
}

#[test]
fn the_italian_leading_zero_stays() {
    assert_eq!(parse("+39 06 1234 5678").as_deref(), Ok("+390612345678"));
    assert_eq!(
        parse_in("IT", "06 1234 5678").as_deref(),
        Ok("+390612345678")
    );
}

#[test]
fn national_spelling_needs_a_region() {
    assert_eq!(parse("079 123 45 67"), Err(NumberError::NotInternational));
    assert_eq!(parse("791234567"), Err(NumberError::NotInternational));
    assert_eq!(parse("1"), Err(NumberError::NotInternational));
    assert_eq!(
        parse_in("CH", "079 123 45 67").as_deref(),
        Ok("+41791234567")
    );
    assert_eq!(
        parse_in("ch", "٠٧٩ ١٢٣ ٤٥ ٦٧").as_deref(),
        Ok("+41791234567")
    );
    assert_eq!(
        parse_in("CH", "+4479 1112 3456").as_deref(),
        Ok("+447911123456")
    );
    assert_eq!(
        parse_in("us", "(415) 555-2671").as_deref(),
        Ok("+14155552671")
    );
    assert!(
        NumberError::NotInternational
            .to_string()
            .contains("begin with + and the country code")
    );
}

#[test]
fn a_regions_own_prefix_for_calls_abroad_goes_before_the_double_zero() {
    for (region, text, number) in [
        ("", "00 41 79 123 45 67", Ok("+41791234567")),
        ("DE", "00 41 79 123 45 67", Ok("+41791234567")),
        ("US", "011 41 79 123 45 67", Ok("+41791234567")),
        ("AU", "0011 41 79 123 45 67", Ok("+41791234567")),
        ("JP", "010 41 79 123 45 67", Ok("+41791234567")),
        ("RU", "810 41 79 123 45 67", Ok("+41791234567")),
        ("BR", "0015 41 79 123 45 67", Ok("+41791234567")),
        ("SG", "000 41 79 123 45 67", Ok("+41791234567")),
        ("HK", "0060 41 79 123 45 67", Err(())),
        ("US", "00 41 79 123 45 67", Err(())),
        ("AU", "00 41 79 123 45 67", Err(())),
        ("JP", "00 41 79 123 45 67", Err(())),
        ("", "011 41 79 123 45 67", Err(())),
    ] {
        let read = parse_in(region, text).map_err(|_| ());
        assert_eq!(read, number.map(str::to_owned), "{region} {text}");
    }
}

#[test]
fn what_is_no_number_is_told_apart() {
    for (text, error) in [
        ("", NumberError::Empty),
        (" \u{200B}\n", NumberError::Empty),
        ("()", NumberError::Empty),
        ("+", NumberError::Malformed),
        ("PhoneNumber", NumberError::Malformed),
        ("x", NumberError::Malformed),
        ("ext. 12", NumberError::Malformed),
        ("*31#+41791234567", NumberError::Malformed),
        ("+4179123456七", NumberError::Malformed),
        ("+4179123456²", NumberError::Malformed),
        ("+41+791234567", NumberError::Malformed),
        ("0041+791234567", NumberError::Malformed),
        ("+41 79 CALL NOW", NumberError::Malformed),
        ("+1 800 FLOWERS", NumberError::Malformed),
        ("+41 79 123 45 67 Bern", NumberError::Malformed),
        ("tel:+41791234567;ext=12", NumberError::Extension),
        ("+417912345", NumberError::Length),
        ("+4179123456789012345678", NumberError::Length),
        ("+1234567890", NumberError::Length),
        ("+1", NumberError::Length),
        ("+41291234567", NumberError::Nonexistent),
        ("+999123456789", NumberError::Nonexistent),
        ("+0041791234567", NumberError::Nonexistent),
    ] {
        assert_eq!(parse(text), Err(error), "{text:?}");
    }
    let endless = format!("+41{}", "1".repeat(100_000));
    assert_eq!(parse(&endless), Err(NumberError::Length));
}

#[test]
fn validation_may_be_looser() {
    use Validation::{E164, Possible};
    for (validation, text, number) in [
        (E164, "+1234567890", Ok("+1234567890")),
        (E164, "+999123456789", Ok("+999123456789")),
        (E164, "+12125551", Ok("+12125551")),
        (E164, "+41 (0)79 123 45 67", Ok("+41791234567")),
        (E164, "+1234567", Ok("+1234567")),
        (E164, "+123456789012345", Ok("+123456789012345")),
        (E164, "+123456", Err(NumberError::Length)),
        (E164, "+1234567890123456", Err(NumberError::Length)),
        (E164, "+0123456789", Err(NumberError::Nonexistent)),
        (E164, "0", Err(NumberError::NotInternational)),
        (E164, "+41791234567x1", Err(NumberError::Extension)),
        // More trunk prefixes than one are digits like others, so that what was read is read the same.
        (E164, "+1112015550123", Ok("+1112015550123")),
        (Possible, "+41111111111", Ok("+41111111111")),
        (Possible, "+12345678901", Ok("+12345678901")),
        (Possible, "+1234567890", Err(NumberError::Length)),
        // Enough for a call within the same town only.
        (Possible, "+12125551", Err(NumberError::Length)),
        (Possible, "+320012315678", Err(NumberError::Nonexistent)),
        (Possible, "+999123456789", Err(NumberError::Nonexistent)),
    ] {
        let read = parse_with(text, validation, "");
        assert_eq!(read, number.map(str::to_owned), "{validation:?} {text}");
    }
}

#[test]
fn a_mask_hides_the_middle() {
    assert_eq!(Number::from_stored("+41791234567").masked(), "+4179•••••67");
    assert_eq!(Number::from_stored("+1234567").masked(), "+12••••7");
    assert_eq!(
        format!("{:?}", Number::from_stored("+41791234567")),
        "+4179•••••67"
    );
}

#[test]
fn regions_are_country_codes() {
    assert!(is_region("CH") && is_region("us"));
    for none in ["", "X", "XX", "XX1", "001", "ÄÖ", "C\0"] {
        assert!(!is_region(none), "{none:?}");
    }
}

#[test]
fn a_calling_code_says_what_reading_the_number_would() {
    let mut shared = 0;
    for region in PHONE_NUMBER_UTIL.get_supported_regions() {
        let example = PHONE_NUMBER_UTIL.get_example_number(region).unwrap();
        let number = Number::of(&example).unwrap();
        let read = PhoneNumber::parse(number.as_str(), None).unwrap();
        let expected = read.get_region_code().map(|region| region.to_string());
        assert_eq!(number.country(), expected, "{region}");
        let code = read.country_code;
        let regions = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(code);
        shared += usize::from(regions.unwrap().len() > 1);
    }
    assert!(shared > 30, "{shared} of countries that share a code");
    // Of no country, of no calling code, and too short to be read.
    for (text, country) in [
        ("+870773111632", None),
        ("+88213300655", None),
        ("+80012345678", None),
        ("+2101234567", None),
        ("+9991234567", None),
        ("+1", None),
        ("+4", None),
        ("", None),
        ("+390612345678", Some("IT")),
        ("+390669812345", Some("VA")),
        ("+4179", Some("CH")),
    ] {
        let number = Number::from_stored(text);
        assert_eq!(number.country().as_deref(), country, "{text}");
    }
}
