//! What kind of number it is: whether a text message can be expected to arrive there, and what it costs.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberType, Region};
use serde::{Deserialize, Serialize};

use super::Number;

/// What stands for a number's country when it belongs to none.
const WORLD: &str = "001";

/// Digits of a calling code (ITU-T E.164, section 6.2.1).
const LONGEST_CALLING_CODE: usize = 3;

/// The kind of a number: libphonenumber's, and satellite phones as one of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberKind {
    /// A mobile phone.
    Mobile,
    /// A line that ends in a building.
    FixedLine,
    /// One of the two, where a country's numbers do not tell, as in North America.
    FixedOrMobile,
    /// A number of telephony over the internet.
    Voip,
    /// A number that follows its owner to other numbers.
    Personal,
    /// The caller pays the called one.
    PremiumRate,
    /// Caller and called one share the price.
    SharedCost,
    /// The called one pays.
    TollFree,
    /// A pager.
    Pager,
    /// One number of a company for all its offices.
    Uan,
    /// The way into a mailbox.
    Voicemail,
    /// A satellite phone with a country code of its own: Inmarsat (870), Iridium and Globalstar (881),
    /// EMSAT (882 13), Thuraya (882 16). Source: ITU-T, list of assigned country codes.
    Satellite,
    /// No kind matches: a number that the metadata do not know, which only a lax validation takes.
    Unknown,
}

impl NumberKind {
    /// Those that are sent codes unless the configuration says otherwise.
    pub const DEFAULT: [NumberKind; 4] = [
        NumberKind::Mobile,
        NumberKind::FixedOrMobile,
        NumberKind::Voip,
        NumberKind::Unknown,
    ];

    /// The name in texts for people.
    pub fn name(self) -> &'static str {
        match self {
            NumberKind::Mobile => "mobile",
            NumberKind::FixedLine => "fixed-line",
            NumberKind::FixedOrMobile => "fixed-line or mobile",
            NumberKind::Voip => "VoIP",
            NumberKind::Personal => "personal",
            NumberKind::PremiumRate => "premium-rate",
            NumberKind::SharedCost => "shared-cost",
            NumberKind::TollFree => "toll-free",
            NumberKind::Pager => "pager",
            NumberKind::Uan => "company-wide",
            NumberKind::Voicemail => "voicemail",
            NumberKind::Satellite => "satellite",
            NumberKind::Unknown => "unknown",
        }
    }
}

impl fmt::Display for NumberKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Number {
    /// The country (ISO 3166-1 alpha-2) that the number belongs to, as far as its digits tell; `None` for one
    /// that belongs to none, such as a satellite phone's. Where countries share a calling code, as in North America,
    /// the number is read anew: about a microsecond.
    pub fn country(&self) -> Option<String> {
        let mut regions = self.regions()?;
        let region = match regions.len() {
            1 => regions.next()?,
            _ => PhoneNumber::parse(&self.0, None).ok()?.get_region_code()?,
        };
        let region = region.to_string();
        (region != WORLD).then_some(region)
    }

    /// The regions of the calling code. No calling code begins with another.
    fn regions(&self) -> Option<impl ExactSizeIterator<Item = Region>> {
        let digits = self.0.strip_prefix('+')?;
        (1..=LONGEST_CALLING_CODE).find_map(|length| {
            let code = digits.get(..length)?.parse().ok()?;
            PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(code)
        })
    }

    /// What kind of number it is, as far as its digits tell. Reads the number anew: about a microsecond.
    pub fn kind(&self) -> NumberKind {
        const SATELLITE: [&str; 4] = ["+870", "+881", "+88213", "+88216"];
        if SATELLITE.iter().any(|code| self.0.starts_with(code)) {
            return NumberKind::Satellite;
        }
        let parsed = PhoneNumber::parse(&self.0, None);
        parsed.map_or(NumberKind::Unknown, |parsed| match parsed.get_type() {
            PhoneNumberType::FixedLine => NumberKind::FixedLine,
            PhoneNumberType::Mobile => NumberKind::Mobile,
            PhoneNumberType::FixedLineOrMobile => NumberKind::FixedOrMobile,
            PhoneNumberType::TollFree => NumberKind::TollFree,
            PhoneNumberType::PremiumRate => NumberKind::PremiumRate,
            PhoneNumberType::SharedCost => NumberKind::SharedCost,
            PhoneNumberType::VoIP => NumberKind::Voip,
            PhoneNumberType::PersonalNumber => NumberKind::Personal,
            PhoneNumberType::Pager => NumberKind::Pager,
            PhoneNumberType::UAN => NumberKind::Uan,
            PhoneNumberType::VoiceMail => NumberKind::Voicemail,
            PhoneNumberType::Unknown => NumberKind::Unknown,
        })
    }
}
