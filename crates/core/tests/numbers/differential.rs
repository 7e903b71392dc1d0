//! Two readers of the same metadata, `rlibphonenumber` beneath ours and `phonenumber`, on the examples of
//! every region and kind of number: wherever they differ, it is known why.

use std::collections::{BTreeMap, BTreeSet};

use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, country};
use ringback_core::Number;
use ringback_core::number::NumberRules;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

/// Why the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// Ours takes 7 digits and more; a few numbers of companies have fewer.
    FewDigits,
    /// `phonenumber` compares a kind's pattern with the beginning of a number: one digit too many passes
    /// where another number of the kind has as many.
    PatternBeginning,
    /// `phonenumber` takes the country's code off each national number that begins with it.
    OwnCode,
    /// `phonenumber` takes the trunk prefix off each number that begins with it: off international ones, and
    /// where too little is left for the region.
    TrunkPrefix,
    /// `phonenumber` reads the numbers of other countries by the trunk prefix of the region where they are typed.
    CallersPlan,
    /// The metadata of `phonenumber` (9.0.33) are older than those of `rlibphonenumber` (9.0.42).
    OlderPlan,
}

/// Every difference there is, by the regions or country codes whose numbers show it; with `CallersPlan`, by
/// the regions where they are typed.
const KNOWN: [(Reason, &str); 6] = [
    (Reason::FewDigits, "IR"),
    (
        Reason::PatternBeginning,
        "882 883 BA BD BG CD CN CZ DE DZ EE HR HU ID IE IQ IR IT JP KH LB ME MM MN MY NA NL PH PK RS SR TV \
         TW UY VA VN WS YE ZW",
    ),
    (
        Reason::OwnCode,
        "AL BL BR BY DE GF GP ID IT KZ LT MF MM MQ NL NO PK RE RU RW SE SJ SK TH TR VA VN XK",
    ),
    (Reason::TrunkPrefix, "BY CA JE KZ LT RU"),
    (Reason::CallersPlan, "AU US"),
    (Reason::OlderPlan, "SN"),
];

/// One spelling of a number.
struct Case {
    /// Where it is typed; `None` for no default region.
    region: Option<Region>,
    text: String,
}

#[test]
fn every_difference_between_two_libraries_is_known() {
    let mut found: BTreeMap<Reason, BTreeSet<String>> = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut count = 0;
    for example in examples() {
        for case in spellings(&example) {
            count += 1;
            let (ours, theirs) = (ours(&case), theirs(&case));
            let taken = theirs.as_ref().filter(|number| number.is_valid()).map(e164);
            if ours == taken {
                continue;
            }
            match reason(&case, &example, ours.as_deref(), taken.as_deref()) {
                Some((reason, place)) => {
                    found.entry(reason).or_default().insert(place);
                }
                None => unknown.push(format!(
                    "{} {:?} {:?}: {ours:?}, but {taken:?}",
                    example.place(),
                    case.region,
                    case.text
                )),
            }
        }
    }
    assert!(count >= 20_000, "only {count} cases");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    let found = found.into_iter().map(|(reason, regions)| {
        let regions: Vec<String> = regions.into_iter().collect();
        (reason, regions.join(" "))
    });
    let found: Vec<(Reason, String)> = found.collect();
    let known = KNOWN.map(|(reason, regions)| (reason, regions.to_owned()));
    assert_eq!(found, known, "{count} cases");
}

/// A number of some kind that its region gives as an example, or one near it.
struct Example {
    /// `None` for a country code that is no country's.
    region: Option<Region>,
    code: String,
    national: String,
}

impl Example {
    /// The region, or the country code that is none's.
    fn place(&self) -> String {
        match self.region {
            Some(region) => format!("{region:?}"),
            None => self.code.clone(),
        }
    }

    fn trunk_prefix(&self) -> &'static str {
        trunk_prefix(&self.place())
    }
}

/// For each region and kind: the example, one digit more, one less, and one other.
fn examples() -> Vec<Example> {
    use PhoneNumberType::{
        FixedLine, Mobile, Pager, PersonalNumber, PremiumRate, SharedCost, TollFree, UAN, VoIP,
        VoiceMail,
    };
    let kinds = [
        FixedLine,
        Mobile,
        Pager,
        PersonalNumber,
        PremiumRate,
        SharedCost,
        TollFree,
        UAN,
        VoIP,
        VoiceMail,
    ];
    let util = &*PHONE_NUMBER_UTIL;
    let of_regions = util.get_supported_regions().flat_map(|region| {
        let example = move |kind| util.get_example_number_for_type_and_region(region, kind);
        let numbers = kinds.into_iter().filter_map(move |kind| example(kind).ok());
        numbers.map(move |number| (Some(region), number))
    });
    let of_no_region = util.get_supported_global_network_calling_codes();
    let of_no_region = of_no_region.filter_map(|code| {
        let number = util.get_example_number_for_non_geo_entity(code).ok()?;
        Some((None, number))
    });
    let near = |(region, number): (Option<Region>, PhoneNumber)| {
        let code = number.country_code.to_string();
        variants(&number.get_national_significant_number()).map(move |national| Example {
            region,
            code: code.clone(),
            national,
        })
    };
    of_regions.chain(of_no_region).flat_map(near).collect()
}

fn variants(national: &str) -> [String; 4] {
    let middle = national.len() / 2;
    let other = national.char_indices().map(|(at, c)| match c.to_digit(10) {
        Some(digit) if at == middle => char::from_digit((digit + 3) % 10, 10).unwrap_or(c),
        Some(_) | None => c,
    });
    [
        national.to_owned(),
        format!("{national}7"),
        national[..national.len() - 1].to_owned(),
        other.collect(),
    ]
}

/// The ways in which people write a number, at home and abroad.
fn spellings(example: &Example) -> Vec<Case> {
    let Example {
        region,
        code,
        national,
    } = example;
    let at = |region: Option<Region>, text: String| Case { region, text };
    let mut cases = vec![
        at(None, format!("+{code}{national}")),
        at(Some(Region::US), format!("+{code}{national}")),
        at(
            None,
            format!("+{code} ({}) {}", &national[..2], &national[2..]),
        ),
    ];
    if let Ok(number) = PhoneNumber::parse(format!("+{code}{national}"), None) {
        let home = region.unwrap_or(Region::CH);
        let style = |style| number.format_as(style).into_owned();
        let from = |region| {
            number
                .format_out_of_country_calling_number(region)
                .into_owned()
        };
        cases.extend([
            at(*region, style(PhoneNumberFormat::International)),
            at(*region, style(PhoneNumberFormat::RFC3966)),
            at(Some(home), from(home)),
            at(Some(Region::US), from(Region::US)),
            at(Some(Region::AU), from(Region::AU)),
        ]);
        if region.is_some() {
            cases.push(at(*region, style(PhoneNumberFormat::National)));
        }
    }
    if region.is_some() {
        let trunk = example.trunk_prefix();
        cases.extend([
            at(*region, national.clone()),
            at(*region, format!("{trunk}{national}")),
            at(*region, format!("{code}{national}")),
            at(*region, format!("00{code}{national}")),
            at(*region, format!("+{code}{trunk}{national}")),
        ]);
    }
    cases
}

fn ours(case: &Case) -> Option<String> {
    let rules = NumberRules {
        default_region: case
            .region
            .map(|region| format!("{region:?}"))
            .unwrap_or_default(),
        ..NumberRules::default()
    };
    let number = Number::parse(&case.text, &rules).ok()?;
    Some(number.as_str().to_owned())
}

fn theirs(case: &Case) -> Option<phonenumber::PhoneNumber> {
    let region = case.region.map(|region| format!("{region:?}"));
    let region = region.map(|name| name.parse::<country::Id>().expect("a region of both"));
    phonenumber::parse(region, &case.text).ok()
}

fn e164(number: &phonenumber::PhoneNumber) -> String {
    number.format().mode(Mode::E164).to_string()
}

/// Why a case differs, and whose numbers show it.
fn reason(
    case: &Case,
    example: &Example,
    ours: Option<&str>,
    theirs: Option<&str>,
) -> Option<(Reason, String)> {
    let digits: String = case.text.chars().filter(char::is_ascii_digit).collect();
    let (national, trunk) = (!case.text.contains('+'), example.trunk_prefix());
    let begins_shorter = |taken: &str| (7..taken.len()).any(|end| is_number(&taken[..end]));
    let at_home = self::theirs(&Case {
        region: example.region,
        text: format!("+{}{}", example.code, example.national),
    });
    let read = at_home.as_ref().map(e164);
    let taken_at_home = at_home
        .filter(|number| number.is_valid())
        .as_ref()
        .map(e164);
    let caller = case.region.filter(|region| Some(*region) != example.region);
    let reason = match (ours, theirs) {
        (None, Some(taken)) if taken.len() <= 7 => Reason::FewDigits,
        (Some(taken), None) if read.as_deref() == Some(taken) && taken_at_home.is_none() => {
            Reason::OlderPlan
        }
        _ if caller.is_some() && taken_at_home.as_deref() != theirs => {
            return caller.map(|caller| (Reason::CallersPlan, format!("{caller:?}")));
        }
        (None, Some(taken)) if begins_shorter(taken) => Reason::PatternBeginning,
        _ if national && digits.starts_with(&example.code) => Reason::OwnCode,
        _ if !trunk.is_empty() && digits.contains(trunk) => Reason::TrunkPrefix,
        _ => return None,
    };
    Some((reason, example.place()))
}

fn trunk_prefix(region: &str) -> &'static str {
    let plan = DATABASE.by_id(region);
    plan.and_then(|plan| plan.national_prefix())
        .unwrap_or_default()
}

fn is_number(text: &str) -> bool {
    PhoneNumber::parse(text, None).is_ok_and(|number| number.is_valid())
}
