//! An hour of an attack, and three more that were made against the guard's own rules, beside honest users: what is
//! stopped, what it costs, and whom it hurts. `cargo test -p ringback-core --test guard -- --nocapture` prints it.

mod world;

use ringback_core::guard::{GuardRules, Mode};
use rlibphonenumber::PhoneNumberType;

use world::{Dice, Outcome, Send, World, example, vary};

const HOUR: u64 = 3_600;

/// Where the honest users are, in percent; one of a hundred is elsewhere.
const HOME: [(&str, u64); 5] = [("CH", 50), ("DE", 25), ("AT", 10), ("FR", 8), ("IT", 6)];

/// Whom attackers ask for: two where many honest users are, the others where hardly any is.
const ATTACKED: [&str; 30] = [
    "CH", "DE", "AZ", "BD", "BJ", "BY", "CU", "DZ", "ET", "GE", "GN", "ID", "IQ", "KG", "KH", "LK",
    "LV", "MG", "ML", "MM", "NG", "NP", "PK", "SN", "SO", "TD", "TJ", "TN", "UZ", "YE",
];

/// Those of them that this simulation has as dear.
const DEAR: [&str; 6] = ["AZ", "BD", "CU", "SO", "TJ", "UZ"];

fn rules(mode: Mode) -> GuardRules {
    GuardRules {
        mode,
        high_price_countries: DEAR.map(str::to_owned).into(),
        ..GuardRules::default()
    }
}

/// So many answers a day at home as there are when so many users come in an hour, of whom seven of ten answer; few
/// elsewhere.
fn history(users_an_hour: u64) -> Vec<(&'static str, u32)> {
    let a_day = users_an_hour * 7;
    let home = HOME.map(|(country, percent)| (country, a_day * percent / 100));
    let elsewhere = ATTACKED[2..]
        .iter()
        .map(|country| (*country, a_day / 3_000));
    let all = home.into_iter().chain(elsewhere);
    all.map(|(country, count)| (country, u32::try_from(count).expect("few")))
        .collect()
}

fn mobile(country: &str) -> String {
    example(country, PhoneNumberType::Mobile).expect("has mobile phones")
}

/// Users who come evenly over some hours; seven of ten answer, and of the others every second asks once more. Two in
/// ten are at an address that fifty share, as in an office.
fn honest(users: u64, hours: u64, dice: &mut Dice) -> Vec<Send> {
    let home = HOME.map(|(country, percent)| (mobile(country), percent));
    let elsewhere: Vec<String> = ATTACKED[2..]
        .iter()
        .map(|country| mobile(country))
        .collect();
    let mut sends = Vec::new();
    for user in 0..users {
        // Who shares an address is of one country, nearly always.
        let office = dice.chance(20).then_some(user / 50);
        let mut place = match office {
            Some(office) if dice.chance(95) => Dice(office).roll(99),
            _ => dice.roll(100),
        };
        let country = home.iter().find(|(_, percent)| {
            let here = place < *percent;
            place = place.saturating_sub(*percent);
            here
        });
        let pick = dice.roll(elsewhere.len() as u64) as usize;
        let example = country.map_or(&elsewhere[pick], |(example, _)| example);
        let send = Send {
            at: dice.roll(hours * HOUR),
            number: vary(example, 7, dice),
            address: office.unwrap_or(1_000_000 + user),
            answered_after: dice.chance(70).then(|| 15 + dice.roll(60)),
            is_fraud: false,
            known: false,
        };
        if send.answered_after.is_none() && dice.chance(50) {
            sends.push(Send {
                at: send.at + 90,
                ..send.clone()
            });
        }
        sends.push(send);
    }
    sends
}

fn fraud(at: u64, number: String, address: u64) -> Send {
    Send {
        at,
        number,
        address: 2_000_000 + address,
        answered_after: None,
        is_fraud: true,
        known: false,
    }
}

/// Off, recording and enforcing.
fn compare(name: &str, users_an_hour: u64, sends: &[Send]) -> [Outcome; 3] {
    let modes = [Mode::Off, Mode::Record, Mode::Enforce];
    let outcomes =
        modes.map(|mode| World::new(rules(mode), &DEAR, &history(users_an_hour)).play(sends));
    println!("{name}");
    for (mode, outcome) in modes.iter().zip(&outcomes) {
        println!("  {:<8} {outcome}", format!("{mode:?}"));
    }
    assert_eq!(outcomes[0].fraud_sent, outcomes[0].fraud);
    assert_eq!(outcomes[1].burnt, outcomes[0].burnt);
    assert_eq!(
        (outcomes[0].honest_refused, outcomes[1].honest_refused),
        (0, 0)
    );
    outcomes
}

#[test]
fn an_hour_of_ten_thousand_addresses_and_thirty_countries() {
    let mut dice = Dice(1);
    let mut sends = honest(2_000, 1, &mut dice);
    // Three ranges of each country, and premium-rate numbers where there are any.
    let ranges: Vec<(Vec<String>, Option<String>)> = ATTACKED
        .iter()
        .map(|country| {
            let ranges = (0..3).map(|_| vary(&mobile(country), 7, &mut dice));
            (
                ranges.collect(),
                example(country, PhoneNumberType::PremiumRate),
            )
        })
        .collect();
    for address in 0..10_000 {
        for _ in 0..2 {
            let (ordinary, premium) = &ranges[dice.roll(30) as usize];
            let range = match premium {
                Some(premium) if dice.chance(30) => premium,
                _ => &ordinary[dice.roll(3) as usize],
            };
            let (at, number) = (dice.roll(HOUR), vary(range, 4, &mut dice));
            sends.push(fraud(at, number, address));
        }
    }
    let [_, recorded, enforced] = compare("an hour of attack", 2_000, &sends);
    assert!(enforced.stopped_percent() >= 95.0, "{enforced}");
    assert!(enforced.refused_percent() <= 1.0, "{enforced}");
    assert!(!recorded.reasons.is_empty());
}

/// A day long, from an address of its own each, to numbers all over the home countries, where neighbours answer. It
/// looks like honest users who do not answer, and pays nobody: the numbers are honest people's. The guard hardly stops
/// it, for what would stop it would stop the honest ones as well; what bounds it are the budgets of the organisation
/// and of its countries.
#[test]
fn slow_and_wide() {
    let mut dice = Dice(2);
    let mut sends = honest(4_800, 24, &mut dice);
    for n in 0..10_000 {
        let (country, _) = HOME[dice.roll(5) as usize];
        let number = vary(&mobile(country), 7, &mut dice);
        sends.push(fraud(dice.roll(24 * HOUR), number, n));
    }
    let [_, _, enforced] = compare("slow and wide, for a day", 480, &sends);
    // Honest users are held up where neighbours are few, or where fraud is most of what they see.
    assert!(enforced.refused_percent() <= 10.0, "{enforced}");
}

#[test]
fn few_tokens_and_many_numbers() {
    let mut dice = Dice(3);
    let mut sends = honest(2_000, 1, &mut dice);
    for n in 0..10_000 {
        let country = ATTACKED[dice.roll(30) as usize];
        let number = vary(&mobile(country), 7, &mut dice);
        sends.push(fraud(dice.roll(HOUR), number, n % 5));
    }
    let [_, _, enforced] = compare("few tokens, many numbers", 2_000, &sends);
    assert!(enforced.stopped_percent() >= 98.9, "{enforced}");
    assert!(enforced.refused_percent() <= 1.0, "{enforced}");
}

/// Attackers own a range and answer as many of its codes as they like.
#[test]
fn own_numbers_in_a_circle() {
    for (answered, of_numbers, least) in [(100, 50, 97.0), (30, 10_000, 99.0), (100, 10_000, 97.0)]
    {
        let mut dice = Dice(4);
        let mut sends = honest(2_000, 1, &mut dice);
        let range = vary(&mobile("LV"), 7, &mut dice);
        let head = &range[..range.len() - 4];
        for n in 0..10_000 {
            let number = format!("{head}{:04}", dice.roll(of_numbers));
            let send = fraud(dice.roll(HOUR), number, n);
            sends.push(Send {
                answered_after: dice.chance(answered).then_some(20),
                ..send
            });
        }
        let name = format!("own numbers, {of_numbers} of them, {answered} % answered");
        let [_, _, enforced] = compare(&name, 2_000, &sends);
        assert!(enforced.stopped_percent() >= least, "{enforced}");
        assert!(enforced.refused_percent() <= 1.0, "{enforced}");
    }
}
