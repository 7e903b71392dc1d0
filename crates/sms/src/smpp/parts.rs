//! A message as it goes on the wire: one submit_sm, or several that belong together.

use std::time::Duration;

use ringback_core::Time;
use ringback_core::delivery::{RouteFault, Verdict};
use rusmpp::extra::encoding::gsm7bit::Gsm7BitUnpacked;
use rusmpp::pdus::SubmitSm;
use rusmpp::tlvs::MessageSubmissionRequestTlvValue;
use rusmpp::types::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, MessagePayload, Npi, RegisteredDelivery, Ton};

use super::{LongMessages, SmppSettings};
use crate::segments::{Encoding, is_gsm};
use crate::{Report, Sms};

/// The value of data_coding that says UTF-16.
pub(super) const UCS2: u8 = 8;
/// Those that say ASCII and ISO 8859-1; all others mean the provider's default alphabet, GSM 03.38.
const ASCII: u8 = 1;
const LATIN1: u8 = 3;
/// A part begins with these: 5 bytes follow, "a part of a long message", 3 bytes of that.
const PART_HEADER: [u8; 3] = [5, 0, 3];
/// The esm_class of a message, and of one that begins with a header. The library's own default is another.
const PLAIN: u8 = 0x00;
const WITH_HEADER: u8 = 0x40;
/// Type of number and numbering plan: of what no address is given for, of international numbers, of short
/// numbers that the provider knows, of names.
const NONE: (u8, u8) = (0, 0);
const INTERNATIONAL: (u8, u8) = (1, 1);
const SHORT: (u8, u8) = (3, 0);
const NAME: (u8, u8) = (5, 0);
/// Digits from which on a sender is no short number.
const INTERNATIONAL_DIGITS: usize = 7;
/// The longest that a message may be kept by the provider.
const LONGEST_VALIDITY: Duration = Duration::from_secs(27 * 86_400);

/// What is to be submitted, in this order. `reference` tells the parts of this message from those of others.
pub(super) fn submits(
    settings: &SmppSettings,
    sms: &Sms,
    now: Time,
    reference: u8,
) -> Result<Vec<SubmitSm>, Report> {
    let (data_coding, parts) = write(&sms.text, settings, reference);
    if parts.len() > usize::from(u8::MAX) {
        return Err(unable(RouteFault::Content, "the text is too long"));
    }
    let common = common(settings, sms, now)?;
    let last = parts.len() - 1;
    let parts = parts.into_iter().enumerate();
    let parts = parts.map(|(at, (esm_class, bytes))| {
        let mut submit = common.clone();
        submit.esm_class = EsmClass::from(esm_class);
        submit.data_coding = DataCoding::from(data_coding);
        // One receipt a message is enough: the last part's, whose id is the message's reference.
        let receipt = settings.receipts && at == last;
        submit.registered_delivery = RegisteredDelivery::from(u8::from(receipt));
        match settings.long_messages {
            LongMessages::Payload if bytes.len() > alone(&sms.text, data_coding) => {
                let payload = MessagePayload::new(AnyOctetString::from_vec(bytes));
                submit.push_tlv(MessageSubmissionRequestTlvValue::MessagePayload(payload));
            }
            LongMessages::Payload | LongMessages::Parts => {
                let text = OctetString::from_vec(bytes);
                submit.set_short_message(text.map_err(|_| too_long())?);
            }
        }
        Ok(submit)
    });
    parts.collect()
}

/// What all parts have in common.
fn common(settings: &SmppSettings, sms: &Sms, now: Time) -> Result<SubmitSm, Report> {
    let (own_type, sender) = source(sms.sender.as_deref());
    let (ton, npi) = match sms.sender {
        Some(_) => (
            settings.source_ton.unwrap_or(own_type.0),
            settings.source_npi.unwrap_or(own_type.1),
        ),
        None => NONE,
    };
    let to = sms.to.as_str().trim_start_matches('+');
    let validity = match settings.validity {
        true => validity(sms.expires_at.since(now)),
        false => String::new(),
    };
    let sender: COctetString<1, 21> = sender.parse().map_err(|_| {
        let reason = "the sender is no number and no name of ASCII characters";
        unable(RouteFault::Sender, reason)
    })?;
    let to: COctetString<1, 21> = to
        .parse()
        .map_err(|_| unable(RouteFault::Protocol, "the number cannot be written"))?;
    let validity: EmptyOrFullCOctetString<17> = validity
        .parse()
        .map_err(|_| unable(RouteFault::Protocol, "the validity cannot be written"))?;
    Ok(SubmitSm::builder()
        .source_addr_ton(Ton::from(ton))
        .source_addr_npi(Npi::from(npi))
        .source_addr(sender)
        .dest_addr_ton(Ton::from(settings.dest_ton))
        .dest_addr_npi(Npi::from(settings.dest_npi))
        .destination_addr(to)
        .validity_period(validity)
        .build())
}

fn unable(fault: RouteFault, reason: &str) -> Report {
    Report::failed(Verdict::Unable { fault }, reason)
}

fn too_long() -> Report {
    unable(RouteFault::Content, "the text is too long")
}

/// What kind of address a sender is, and how it is written.
fn source(sender: Option<&str>) -> ((u8, u8), &str) {
    let Some(sender) = sender else {
        return (NONE, "");
    };
    let digits = sender.strip_prefix('+').unwrap_or(sender);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return (NAME, sender);
    }
    let short = digits.len() < INTERNATIONAL_DIGITS && digits == sender;
    (if short { SHORT } else { INTERNATIONAL }, digits)
}

/// So long from now: years, months, days, hours, minutes, seconds, then tenths and an offset that say nothing.
pub(super) fn validity(left: Duration) -> String {
    let seconds = left.min(LONGEST_VALIDITY).as_secs().max(1);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let (hours, minutes, seconds) = (hours % 24, minutes % 60, seconds % 60);
    format!("0000{days:02}{hours:02}{minutes:02}{seconds:02}000R")
}

/// The data_coding of a text, and for each part its esm_class and its bytes.
fn write(text: &str, settings: &SmppSettings, reference: u8) -> (u8, Vec<(u8, Vec<u8>)>) {
    let (data_coding, chars) = encode(text, settings.data_coding);
    let length: usize = chars.iter().map(Vec::len).sum();
    let payload = settings.long_messages == LongMessages::Payload;
    if payload || length <= alone(text, data_coding) {
        return (data_coding, vec![(PLAIN, chars.concat())]);
    }
    let room = in_a_row(text, data_coding);
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    // What is one character is never in two parts.
    for char in chars {
        if parts.last().map_or(0, Vec::len) + char.len() > room {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.extend(char);
        }
    }
    let count = u8::try_from(parts.len()).unwrap_or(u8::MAX);
    let parts = (1..).zip(parts).map(|(at, bytes): (usize, _)| {
        let at = u8::try_from(at).unwrap_or(u8::MAX);
        let mut part = PART_HEADER.to_vec();
        part.extend([reference, count, at]);
        part.extend(bytes);
        (WITH_HEADER, part)
    });
    (data_coding, parts.collect())
}

/// Bytes that fit into a message that is alone.
fn alone(text: &str, data_coding: u8) -> usize {
    match encoding(text, data_coding) {
        Encoding::Gsm7 => Encoding::Gsm7.room(1),
        Encoding::Ucs2 => 2 * Encoding::Ucs2.room(1),
    }
}

/// Bytes that fit into one of several.
fn in_a_row(text: &str, data_coding: u8) -> usize {
    match encoding(text, data_coding) {
        Encoding::Gsm7 => Encoding::Gsm7.room(2) / 2,
        Encoding::Ucs2 => Encoding::Ucs2.room(2),
    }
}

/// What goes over the air: the provider makes 7 bits a character of whatever bytes it gets, if it can.
fn encoding(text: &str, data_coding: u8) -> Encoding {
    match data_coding != UCS2 && text.chars().all(is_gsm) {
        true => Encoding::Gsm7,
        false => Encoding::Ucs2,
    }
}

/// The data_coding of a text, and the bytes of each of its characters: UTF-16 when the wanted alphabet has not
/// all of them.
fn encode(text: &str, wanted: u8) -> (u8, Vec<Vec<u8>>) {
    let gsm = Gsm7BitUnpacked::new();
    let in_wanted = |c: char| match wanted {
        ASCII => c.is_ascii().then(|| vec![c as u8]),
        LATIN1 => u8::try_from(u32::from(c)).ok().map(|byte| vec![byte]),
        // The library's table has all but this one.
        _ if c == '\u{c}' => Some(vec![0x1B, 0x0A]),
        _ if is_gsm(c) => gsm.encode_to_vec(c.encode_utf8(&mut [0; 4])).ok(),
        _ => None,
    };
    let chars: Option<Vec<_>> = text.chars().map(in_wanted).collect();
    if let Some(chars) = chars {
        return (wanted, chars);
    }
    let units = |c: char| {
        let mut units = [0; 2];
        let units = c.encode_utf16(&mut units).iter();
        units.flat_map(|unit| unit.to_be_bytes()).collect()
    };
    (UCS2, text.chars().map(units).collect())
}

#[cfg(test)]
mod tests;
