//! Users and attackers who have codes sent, a guard that looks at them, and what it comes to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use ringback_core::guard::{
    AddressTally, CountryTally, Destination, Facts, GuardRules, PrefixTally, Reason, examine,
};
use ringback_core::{Number, Time};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region};

pub(crate) const START: Time = Time(1_700_000_400_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// Numbers that repeat in every run (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

/// Somebody has a code sent, and may answer it.
#[derive(Clone, Debug)]
pub(crate) struct Send {
    /// Seconds since [`START`].
    pub(crate) at: u64,
    pub(crate) number: String,
    pub(crate) address: u64,
    /// After how many seconds the code is answered.
    pub(crate) answered_after: Option<u64>,
    pub(crate) is_fraud: bool,
    /// Of an account that has proven a number before.
    pub(crate) known: bool,
}

/// What came of it all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) fraud: u32,
    pub(crate) fraud_sent: u32,
    pub(crate) honest: u32,
    pub(crate) honest_refused: u32,
    /// In cents.
    pub(crate) burnt: u64,
    pub(crate) reasons: BTreeMap<&'static str, u32>,
}

impl Outcome {
    pub(crate) fn stopped_percent(&self) -> f64 {
        100.0 - f64::from(self.fraud_sent) * 100.0 / f64::from(self.fraud.max(1))
    }

    pub(crate) fn refused_percent(&self) -> f64 {
        f64::from(self.honest_refused) * 100.0 / f64::from(self.honest.max(1))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "fraud {:>6} asked {:>6} sent {:>5.1} % stopped, burnt {:>7.2}; honest {:>6} asked {:>5} refused {:>5.2} %; {:?}",
            self.fraud,
            self.fraud_sent,
            self.stopped_percent(),
            self.burnt as f64 / 100.0,
            self.honest,
            self.honest_refused,
            self.refused_percent(),
            self.reasons
        )
    }
}

/// What a message costs in cents, as this simulation has it: 5, to dear countries 25, to premium-rate numbers 100.
pub(crate) fn price(to: &Destination, dear: &[&str]) -> u64 {
    match to.kind {
        ringback_core::number::NumberKind::PremiumRate => 100,
        _ if dear.contains(&to.country.as_str()) => 25,
        _ => 5,
    }
}

/// A guard with a history: so many answers a day in each country.
pub(crate) struct World {
    rules: GuardRules,
    dear: Vec<&'static str>,
    countries: HashMap<String, CountryTally>,
    prefixes: HashMap<String, PrefixTally>,
    addresses: HashMap<u64, AddressTally>,
    read: HashMap<String, Destination>,
    proven: HashSet<(String, i64)>,
}

enum Event {
    Asks(Send),
    Answers(Send),
}

impl World {
    pub(crate) fn new(
        rules: GuardRules,
        dear: &[&'static str],
        history: &[(&'static str, u32)],
    ) -> World {
        let mut countries: HashMap<String, CountryTally> = HashMap::new();
        for (country, a_day) in history {
            let tally = countries.entry((*country).to_owned()).or_default();
            for day in 1..=14 {
                tally.remember(START - DAY * day, *a_day);
            }
        }
        // Where those who answered are: the more they were, the more numbers have a neighbour among them.
        let mut dice = Dice(99);
        let mut prefixes: HashMap<String, PrefixTally> = HashMap::new();
        for (country, a_day) in history {
            let example = example(country, PhoneNumberType::Mobile).expect("has mobile phones");
            for day in 1..=14 {
                for _ in 0..*a_day {
                    let number = vary(&example, 7, &mut dice);
                    let prefix = prefixes.entry(number[..number.len() - 4].to_owned());
                    prefix.or_default().remember(START - DAY * day);
                }
            }
        }
        World {
            rules,
            dear: dear.to_vec(),
            countries,
            prefixes,
            addresses: HashMap::new(),
            read: HashMap::new(),
            proven: HashSet::new(),
        }
    }

    /// Plays everything in the order of time. Only who was sent a code answers it.
    pub(crate) fn play(mut self, sends: &[Send]) -> Outcome {
        let mut queue: BTreeMap<(u64, usize), Event> = BTreeMap::new();
        for (count, send) in sends.iter().enumerate() {
            queue.insert((send.at, count), Event::Asks(send.clone()));
        }
        let mut outcome = Outcome::default();
        let mut count = sends.len();
        while let Some(((at, _), event)) = queue.pop_first() {
            let now = START + Duration::from_secs(at);
            match event {
                Event::Asks(send) => {
                    if !self.asks(&send, now, &mut outcome) {
                        continue;
                    }
                    if let Some(after) = send.answered_after {
                        count += 1;
                        queue.insert((at + after, count), Event::Answers(send));
                    }
                }
                Event::Answers(send) => self.answers(&send, now),
            }
        }
        outcome
    }

    fn destination(&mut self, number: &str) -> Destination {
        // Numbers that begin alike are of one country and kind.
        let prefix = &number[..number.len() - 4];
        if let Some(known) = self.read.get(prefix) {
            return known.clone();
        }
        let read = Destination::of(&Number::from_stored(number));
        self.read.insert(prefix.to_owned(), read.clone());
        read
    }

    fn asks(&mut self, send: &Send, now: Time, outcome: &mut Outcome) -> bool {
        let to = self.destination(&send.number);
        let country = self.countries.entry(to.country.clone()).or_default();
        let prefix = self.prefixes.entry(to.prefix.clone()).or_default();
        let address = self.addresses.entry(send.address).or_default();
        let facts = Facts {
            country,
            prefix,
            address: Some(address),
            known: send.known,
        };
        let decision = examine(&self.rules, &to, facts, now);
        match send.is_fraud {
            true => outcome.fraud += 1,
            false => outcome.honest += 1,
        }
        let first = decision.reasons.first().copied().map(Reason::code);
        if let Some(first) = first {
            *outcome.reasons.entry(first).or_default() += 1;
        }
        if !decision.allowed {
            outcome.honest_refused += u32::from(!send.is_fraud);
            return false;
        }
        if send.is_fraud {
            outcome.fraud_sent += 1;
            outcome.burnt += price(&to, &self.dear);
        }
        country.sent(now);
        prefix.sent(&self.rules, now);
        address.sent(&to.country, now);
        true
    }

    fn answers(&mut self, send: &Send, now: Time) {
        let today = now.0.div_euclid(86_400_000_000);
        let to = self.destination(&send.number);
        let address = self.addresses.entry(send.address).or_default();
        address.verified(&to.country, now);
        // One number proves something once a day.
        if self.proven.insert((send.number.clone(), today)) {
            self.countries.entry(to.country).or_default().verified(now);
            self.prefixes.entry(to.prefix).or_default().verified(now);
        }
    }
}

/// A number that a region gives as an example of a kind.
pub(crate) fn example(region: &str, kind: PhoneNumberType) -> Option<String> {
    let region = Region::from_code(region).ok()?;
    let number = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind);
    Some(number.ok()?.format_as(PhoneNumberFormat::E164).to_string())
}

/// The same number with other last digits: four of them are within one prefix, seven are anywhere in the range.
pub(crate) fn vary(number: &str, digits: usize, dice: &mut Dice) -> String {
    let most = 10_u64.pow(u32::try_from(digits).expect("few"));
    let (head, _) = number.split_at(number.len() - digits);
    format!("{head}{:0digits$}", dice.roll(most))
}
