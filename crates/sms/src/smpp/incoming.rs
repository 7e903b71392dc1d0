//! What the provider sends by itself: receipts, and what people write back.

use ringback_core::delivery::RouteFault;
use rusmpp::pdus::DeliverSm;
use rusmpp::tlvs::TlvValue;

use super::HexIds;
use crate::inbound::sender;
use crate::{Arrival, Keyword, Lost, ProviderEvent, Receipt};

/// The bits of esm_class that say what a message is: 0 for what a person wrote, then receipts and what is said
/// before them. What else there is comes from phones.
const MESSAGE_TYPE: u8 = 0b0011_1100;
const RECEIPTS: [u8; 2] = [0b0000_0100, 0b0010_0000];
/// The bit that says that the text begins with a header.
const WITH_HEADER: u8 = 0x40;
const UCS2: u8 = 8;
/// Type of number: not said, and international. Numbers of other types do not say whose they are.
const TELLING_TYPES: [u8; 2] = [0, 1];

/// What a deliver_sm says, if it is for us.
pub(super) fn read(deliver: &DeliverSm, hex_ids: HexIds) -> Option<ProviderEvent> {
    let esm_class = u8::from(deliver.esm_class);
    let (mut receipted, mut state, mut payload) = (None, None, None);
    for tlv in deliver.tlvs() {
        match tlv.value() {
            Some(TlvValue::ReceiptedMessageId(id)) => receipted = Some(id.as_str()),
            Some(TlvValue::MessageState(told)) => state = Some(u8::from(*told)),
            Some(TlvValue::MessagePayload(told)) => payload = Some(told.clone()),
            _ => {}
        }
    }
    let bytes = match payload {
        Some(payload) => payload.value.into_vec(),
        None => deliver.short_message().clone().into_vec(),
    };
    let text = text(&bytes, u8::from(deliver.data_coding), esm_class).unwrap_or_default();
    // Whoever writes a text that looks like a receipt can set neither.
    let kind = esm_class & MESSAGE_TYPE;
    if receipted.is_none() && !RECEIPTS.contains(&kind) {
        let ton = u8::from(deliver.source_addr_ton);
        let from = deliver.source_addr.as_str();
        return keyword(&text, ton, from).filter(|_| kind == 0);
    }
    let told = ReceiptText::read(&text);
    let reference = receipted.filter(|id| !id.trim().is_empty()).or(told.id)?;
    let arrival = state.and_then(arrival_of_state);
    let arrival = arrival.or_else(|| arrival_of_word(told.stat?))?;
    Some(ProviderEvent::Receipt {
        reference: receipt_reference(reference, hex_ids),
        receipt: Receipt {
            once: None,
            arrival,
            reason: reason(arrival, state, &told),
        },
    })
}

/// The id of an answer, as it is kept.
pub(super) fn answer_reference(id: &str, hex_ids: HexIds) -> Option<String> {
    let kept = canonical(id, hex_ids == HexIds::Answers);
    Some(kept).filter(|id| !id.is_empty())
}

fn receipt_reference(id: &str, hex_ids: HexIds) -> String {
    canonical(id, hex_ids == HexIds::Receipts)
}

/// Answers and receipts write one id with and without zeros before it, in upper and lower case, and some
/// providers in different bases.
fn canonical(id: &str, hex: bool) -> String {
    let id = id.trim().to_ascii_lowercase();
    let digits = id.strip_prefix("0x").unwrap_or(&id);
    if hex && let Ok(number) = u128::from_str_radix(digits, 16) {
        return number.to_string();
    }
    let all_digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    match id.trim_start_matches('0') {
        "" if all_digits => "0".to_owned(),
        short if all_digits => short.to_owned(),
        _ => id,
    }
}

/// What the text of a receipt says: `id:1 sub:001 dlvrd:001 … stat:DELIVRD err:000 text:…`.
#[derive(Debug, Default, PartialEq, Eq)]
struct ReceiptText<'a> {
    id: Option<&'a str>,
    stat: Option<&'a str>,
    err: Option<&'a str>,
}

impl ReceiptText<'_> {
    fn read(text: &str) -> ReceiptText<'_> {
        let mut told = ReceiptText::default();
        // From here on it is the message's text.
        let lower = text.to_ascii_lowercase();
        let end = lower.find("text:").unwrap_or(text.len());
        let between = |c: char| c.is_whitespace() || c.is_control() || c == ';';
        for word in text[..end].split(between) {
            let Some((key, value)) = word.split_once([':', '=']) else {
                continue;
            };
            let place = match key.to_ascii_lowercase().as_str() {
                "id" => &mut told.id,
                "stat" => &mut told.stat,
                "err" => &mut told.err,
                _ => continue,
            };
            if place.is_none() && !value.is_empty() {
                *place = Some(value);
            }
        }
        told
    }
}

fn arrival_of_state(state: u8) -> Option<Arrival> {
    match state {
        0 | 1 | 6 => Some(Arrival::OnTheWay),
        2 => Some(Arrival::Delivered),
        3 | 4 | 5 | 7 | 9 => Some(Arrival::Undelivered(Lost::Phone)),
        8 => Some(Arrival::Undelivered(Lost::Route(RouteFault::Region))),
        _ => None,
    }
}

fn arrival_of_word(stat: &str) -> Option<Arrival> {
    // Some write the whole word, some less than seven letters.
    let word = stat.to_ascii_uppercase();
    let begins = |of: &str| word.starts_with(of);
    arrival_of_state(match word.as_str() {
        _ if begins("DELIV") => 2,
        _ if begins("SCHED") => 0,
        _ if begins("ENROU") || begins("BUFF") => 1,
        _ if begins("EXPIR") => 3,
        _ if begins("DELET") => 4,
        _ if begins("UNDEL") || begins("FAIL") => 5,
        _ if begins("ACCEP") => 6,
        _ if begins("UNKNO") => 7,
        _ if begins("REJEC") => 8,
        _ if begins("SKIP") => 9,
        _ => return None,
    })
}

/// Why it did not arrive, as the provider says it. Its words are cut: they are not ours.
fn reason(arrival: Arrival, state: Option<u8>, told: &ReceiptText<'_>) -> String {
    if !matches!(arrival, Arrival::Undelivered(_)) {
        return String::new();
    }
    let short = |word: &str| {
        let kept = word.chars().filter(char::is_ascii_alphanumeric);
        kept.take(10).collect::<String>()
    };
    let stat = match (told.stat, state) {
        (Some(stat), _) => short(stat),
        (None, Some(state)) => format!("message_state {state}"),
        (None, None) => String::new(),
    };
    match told.err {
        Some(err) => format!("the provider says {stat}, error {}", short(err)),
        None => format!("the provider says {stat}"),
    }
}

/// The text of a message; `None` when it is no text.
fn text(bytes: &[u8], data_coding: u8, esm_class: u8) -> Option<String> {
    let header = match (esm_class & WITH_HEADER, bytes.first()) {
        (0, _) | (_, None) => 0,
        (_, Some(length)) => usize::from(*length) + 1,
    };
    let bytes = bytes.get(header..)?;
    if data_coding == UCS2 {
        let units = bytes.chunks_exact(2);
        let units: Vec<u16> = units
            .map(|unit| u16::from_be_bytes([unit[0], unit[1]]))
            .collect();
        return String::from_utf16(&units).ok();
    }
    // Letters and digits are the same in GSM 03.38, ASCII and ISO 8859-1, and only they are looked for.
    Some(bytes.iter().map(|byte| char::from(*byte)).collect())
}

/// Whether somebody asks to be left alone, or no longer to be.
fn keyword(text: &str, ton: u8, from: &str) -> Option<ProviderEvent> {
    let keyword = Keyword::read(text)?;
    let number = sender(from).filter(|_| TELLING_TYPES.contains(&ton))?;
    Some(ProviderEvent::Keyword { number, keyword })
}

#[cfg(test)]
mod tests;
