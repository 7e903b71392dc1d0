//! Tests of the guard, rule by rule.

use super::*;

const START: Time = Time(1_700_000_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// All that is known of one country, prefix and address.
#[derive(Clone, Default)]
struct Known {
    country: CountryTally,
    prefix: PrefixTally,
    address: AddressTally,
    account: bool,
}

impl Known {
    fn examine(&self, rules: &GuardRules, number: &str, now: Time) -> Decision {
        let facts = Facts {
            country: &self.country,
            prefix: &self.prefix,
            address: Some(&self.address),
            known: self.account,
        };
        examine(rules, &to(number), facts, now)
    }

    fn reasons(&self, rules: &GuardRules, number: &str, now: Time) -> Vec<Reason> {
        self.examine(rules, number, now).reasons
    }
}

fn enforcing() -> GuardRules {
    GuardRules {
        mode: Mode::Enforce,
        ..GuardRules::default()
    }
}

fn to(number: &str) -> Destination {
    Destination::of(&Number::from_stored(number))
}

const SWISS: &str = "+41791234567";

#[test]
fn a_destination_holds_no_whole_number() {
    let swiss = to(SWISS);
    assert_eq!(
        (swiss.country.as_str(), swiss.prefix.as_str()),
        ("CH", "+4179123")
    );
    assert_eq!(swiss.kind, NumberKind::Mobile);
    // By the number, not by its calling code.
    assert_eq!(to("+18685501234").country, "TT");
    assert_eq!(to("+881612345678").country, NO_COUNTRY);
}

#[test]
fn countries_and_kinds_are_allowed_and_denied() {
    let known = Known::default();
    let mut rules = enforcing();
    assert!(known.examine(&rules, SWISS, START).allowed);
    rules.deny_countries.insert("CH".into());
    let decision = known.examine(&rules, SWISS, START);
    assert_eq!((decision.allowed, decision.retry_after), (false, None));
    assert_eq!(decision.reasons, [Reason::Country]);
    rules.deny_countries.clear();
    rules.allow_countries.insert("CH".into());
    assert!(known.examine(&rules, SWISS, START).allowed);
    let elsewhere = known.reasons(&rules, "+18685501234", START);
    assert_eq!(elsewhere, [Reason::Country]);
    let premium = known.reasons(&enforcing(), "+41900123456", START);
    assert_eq!(premium, [Reason::Kind]);
}

#[test]
fn off_says_nothing_and_record_lets_pass_with_its_reasons() {
    for (mode, allowed, reasons) in [
        (Mode::Off, true, 0),
        (Mode::Record, true, 1),
        (Mode::Enforce, false, 1),
    ] {
        let rules = GuardRules {
            mode,
            deny_countries: ["CH".to_owned()].into(),
            ..GuardRules::default()
        };
        let decision = Known::default().examine(&rules, SWISS, START);
        assert_eq!(
            (decision.allowed, decision.reasons.len()),
            (allowed, reasons)
        );
    }
}

#[test]
fn a_country_gets_more_unanswered_codes_the_more_are_answered() {
    let rules = enforcing();
    let mut known = Known::default();
    let mut now = START;
    // Without a history: 20 in a day, 10 in an hour.
    for n in 0..10 {
        assert_eq!(known.reasons(&rules, SWISS, now), [], "{n}");
        known.country.sent(now);
    }
    assert_eq!(known.reasons(&rules, SWISS, now), [Reason::CountryHour]);
    now = now + HOUR + MINUTE * 10;
    for _ in 0..10 {
        assert_eq!(known.reasons(&rules, SWISS, now), []);
        known.country.sent(now);
    }
    now = now + HOUR + MINUTE * 10;
    let refused = known.examine(&rules, SWISS, now);
    assert_eq!(refused.reasons, [Reason::CountryDay]);
    assert!(refused.retry_after.is_some_and(|wait| wait <= MINUTE * 10));
    // Whoever has proven a number is not held up.
    let of_old = Known {
        account: true,
        ..known.clone()
    };
    assert_eq!(of_old.reasons(&rules, SWISS, now), []);
    // A good day of the last fourteen counts, an older one does not.
    let mut remembered = known.clone();
    remembered.country.remember(now - DAY * 14, 100);
    assert_eq!(remembered.reasons(&rules, SWISS, now), []);
    let mut forgotten = known.clone();
    forgotten.country.remember(now - DAY * 15, 100);
    assert_eq!(forgotten.reasons(&rules, SWISS, now), [Reason::CountryDay]);
    // What is answered is no longer unanswered.
    known.country.verified(now);
    assert_eq!(known.reasons(&rules, SWISS, now), []);
    // A day later nothing of it counts.
    known.country.sent(now);
    assert_eq!(known.reasons(&rules, SWISS, now), [Reason::CountryDay]);
    assert_eq!(known.reasons(&rules, SWISS, now + DAY), []);
}

#[test]
fn a_dear_country_gets_fewer() {
    let rules = GuardRules {
        high_price_countries: ["CH".to_owned()].into(),
        ..enforcing()
    };
    assert_eq!(rules.price_class("CH"), PriceClass::High);
    let mut known = Known::default();
    for _ in 0..2 {
        assert_eq!(known.reasons(&rules, SWISS, START), []);
        known.country.sent(START);
    }
    assert_eq!(known.reasons(&rules, SWISS, START), [Reason::CountryHour]);
}

#[test]
fn a_country_does_not_grow_five_times_in_a_day_however_many_are_answered() {
    let rules = enforcing();
    let mut known = Known::default();
    for _ in 0..200 {
        assert_eq!(known.reasons(&rules, SWISS, START), []);
        known.country.sent(START);
        known.country.verified(START);
    }
    assert_eq!(known.reasons(&rules, SWISS, START), [Reason::CountryGrowth]);
    // Numbers whose neighbours answer since today may be somebody's own.
    known.prefix.remember(START);
    assert_eq!(known.reasons(&rules, SWISS, START), [Reason::CountryGrowth]);
    let mut old = known.clone();
    old.prefix.remember(START - DAY);
    assert_eq!(old.reasons(&rules, SWISS, START), []);
    known.country.remember(START - DAY, 41);
    assert_eq!(known.reasons(&rules, SWISS, START), []);
}

#[test]
fn numbers_that_begin_alike_are_blocked_twice_as_long_each_time() {
    let rules = enforcing();
    let mut known = Known::default();
    let mut now = START;
    for hours in [1, 2, 4] {
        for n in 0..20 {
            assert_eq!(known.reasons(&rules, SWISS, now), [], "{hours} {n}");
            // One of twenty is too few.
            known.prefix.sent(&rules, now);
            if n == 0 {
                known.prefix.verified(now);
            }
        }
        let decision = known.examine(&rules, SWISS, now);
        assert_eq!(decision.reasons, [Reason::Prefix]);
        assert_eq!(decision.retry_after, Some(HOUR * hours));
        now = now + HOUR * hours;
    }
    // One of ten is enough.
    for n in 0..100 {
        if n % 10 == 0 {
            known.prefix.verified(now);
        }
        known.prefix.sent(&rules, now);
    }
    assert_eq!(known.reasons(&rules, SWISS, now), []);
}

#[test]
fn what_an_operator_allows_is_held_up_by_no_tally_until_then() {
    let rules = enforcing();
    let mut known = Known::default();
    for _ in 0..20 {
        known.prefix.sent(&rules, START);
        known.country.sent(START);
    }
    let all = [Reason::CountryDay, Reason::CountryHour, Reason::Prefix];
    assert_eq!(known.reasons(&rules, SWISS, START), all);
    let mut country = known.clone();
    country.country.allow(START + HOUR);
    assert_eq!(country.reasons(&rules, SWISS, START), [Reason::Prefix]);
    known.prefix.allow(START + HOUR);
    assert_eq!(known.reasons(&rules, SWISS, START), []);
    for _ in 0..30 {
        known.prefix.sent(&rules, START);
    }
    let last = START + HOUR - Duration::from_micros(1);
    assert_eq!(known.reasons(&rules, SWISS, last), []);
    assert_eq!(known.prefix.allowed_until(last), Some(START + HOUR));
    assert_eq!(known.prefix.allowed_until(START + HOUR), None);
    known.prefix.sent(&rules, START + HOUR);
    assert!(
        known
            .reasons(&rules, SWISS, START + HOUR)
            .contains(&Reason::Prefix)
    );
    // What the configuration refuses, nobody allows in passing.
    let premium = known.reasons(&rules, "+41900123456", START);
    assert_eq!(premium, [Reason::Kind]);
}

#[test]
fn an_address_asks_for_three_countries_and_for_twenty_that_are_not_answered() {
    let rules = enforcing();
    let mut known = Known::default();
    for country in ["CH", "DE", "AT"] {
        known.address.sent(country, START);
    }
    assert_eq!(known.reasons(&rules, SWISS, START), []);
    let fourth = known.reasons(&rules, "+18685501234", START);
    assert_eq!(fourth, [Reason::AddressCountries]);
    assert_eq!(known.reasons(&rules, "+18685501234", START + DAY), []);
    for _ in 0..17 {
        assert_eq!(known.reasons(&rules, SWISS, START), []);
        known.address.sent("CH", START);
    }
    assert_eq!(known.reasons(&rules, SWISS, START), [Reason::AddressDay]);
    known.address.verified("CH", START);
    assert_eq!(known.reasons(&rules, SWISS, START), []);
    // A country whose codes are answered is none too many.
    known.address.verified("DE", START);
    assert_eq!(known.reasons(&rules, "+18685501234", START), []);
}

#[test]
fn numbers_whose_neighbours_answer_are_not_held_up_by_their_country() {
    let rules = enforcing();
    let mut known = Known::default();
    for _ in 0..20 {
        known.country.sent(START);
    }
    let held_up = [Reason::CountryDay, Reason::CountryHour];
    assert_eq!(known.reasons(&rules, SWISS, START), held_up);
    known.prefix.remember(START - DAY * 14);
    assert_eq!(known.reasons(&rules, SWISS, START), held_up);
    known.prefix.remember(START - DAY * 13);
    assert_eq!(known.reasons(&rules, SWISS, START), []);
    // As long as enough of them do.
    for _ in 0..5 {
        known.prefix.sent(&rules, START);
    }
    known.prefix.verified(START);
    assert_eq!(known.reasons(&rules, SWISS, START), held_up);
    known.prefix.verified(START);
    assert_eq!(known.reasons(&rules, SWISS, START), []);
    // And no more than there may be, answered or not.
    for _ in 5..200 {
        assert_eq!(known.reasons(&rules, SWISS, START), []);
        known.prefix.sent(&rules, START);
        known.prefix.verified(START);
    }
    assert_eq!(known.reasons(&rules, SWISS, START), [Reason::PrefixDay]);
}

#[test]
fn tallies_are_what_a_row_holds() {
    let rules = enforcing();
    let mut known = Known::default();
    for n in 0..30 {
        let now = START + MINUTE * n * 7;
        known.country.sent(now);
        known.country.verified(now);
        known.prefix.sent(&rules, now);
        known.address.sent("CH", now);
    }
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
        serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
    }
    assert_eq!(again(&known.country), known.country);
    assert_eq!(again(&known.prefix), known.prefix);
    assert_eq!(again(&known.address), known.address);
}
