//! What goes on the wire, field by field.

use ringback_core::Number;

use super::*;
use crate::segments::Segments;
use crate::smpp::tests::settings;

const NOW: Time = Time(1_700_000_000_000_000);

fn sms(text: &str, sender: Option<&str>) -> Sms {
    Sms {
        id: "m1".into(),
        to: Number::from_stored("+41791234567"),
        text: text.into(),
        text_language: "en".into(),
        code: None,
        kind: "code",
        language: String::new(),
        expires_at: NOW + Duration::from_secs(600),
        sender: sender.map(str::to_owned),
        callback: None,
    }
}

fn written(text: &str, settings: &SmppSettings) -> Vec<SubmitSm> {
    submits(settings, &sms(text, None), NOW, 7).expect("can be written")
}

fn bytes(submit: &SubmitSm) -> Vec<u8> {
    submit.short_message().clone().into_vec()
}

#[test]
fn a_short_text_is_one_message_without_a_header() {
    let submits = written("12[é]€", &settings());
    assert_eq!(submits.len(), 1);
    let submit = &submits[0];
    assert_eq!(
        bytes(submit),
        [0x31, 0x32, 0x1B, 0x3C, 0x05, 0x1B, 0x3E, 0x1B, 0x65]
    );
    assert_eq!(
        u8::from(submit.esm_class),
        0x00,
        "the library's default is 0x08"
    );
    assert_eq!(u8::from(submit.data_coding), 0);
    assert_eq!(u8::from(submit.registered_delivery), 1);
    assert_eq!(submit.validity_period.as_str(), "000000001000000R");
    assert_eq!(submit.destination_addr.as_str(), "41791234567");
    assert_eq!(u8::from(submit.dest_addr_ton), 1);
    assert_eq!(u8::from(submit.dest_addr_npi), 1);
}

#[test]
fn parts_are_as_many_as_are_counted_and_no_character_is_cut() {
    let texts = [
        "a".repeat(160),
        "a".repeat(161),
        "a".repeat(307),
        "€".repeat(80),
        "€".repeat(81),
        "€".repeat(153),
        "я".repeat(70),
        "я".repeat(71),
        "я".repeat(135),
        "😀".repeat(35),
        "😀".repeat(36),
        "😀".repeat(67),
        format!("{}€ and more", "a".repeat(152)),
        String::new(),
    ];
    for text in texts {
        let submits = written(&text, &settings());
        let Segments { count, units, .. } = Segments::of(&text);
        assert_eq!(submits.len(), count, "{text}");
        let header = if count == 1 { 0 } else { 6 };
        let all: usize = submits
            .iter()
            .map(|submit| bytes(submit).len() - header)
            .sum();
        let wide = u8::from(submits[0].data_coding) == UCS2;
        assert_eq!(all, if wide { 2 * units } else { units }, "{text}");
        for (at, submit) in submits.iter().enumerate() {
            let (bytes, coding) = (bytes(submit), u8::from(submit.data_coding));
            let most = if coding == UCS2 {
                140
            } else if count == 1 {
                160
            } else {
                159
            };
            assert!(bytes.len() <= most, "{text}: {}", bytes.len());
            assert_eq!(
                u8::from(submit.registered_delivery),
                u8::from(at + 1 == count)
            );
            if count == 1 {
                assert_eq!(u8::from(submit.esm_class), 0x00);
                continue;
            }
            assert_eq!(u8::from(submit.esm_class), 0x40);
            let header = [
                5,
                0,
                3,
                7,
                u8::try_from(count).unwrap(),
                u8::try_from(at + 1).unwrap(),
            ];
            assert_eq!(bytes[..6], header);
            match coding {
                UCS2 => {
                    let units = bytes[6..]
                        .chunks(2)
                        .map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
                    assert!(char::decode_utf16(units).all(|unit| unit.is_ok()), "{text}");
                }
                _ => assert_ne!(bytes.last(), Some(&0x1B), "{text}"),
            }
        }
    }
}

#[test]
fn every_character_that_is_counted_as_gsm_can_be_written_as_gsm() {
    for c in (0..=0x2_0000)
        .filter_map(char::from_u32)
        .filter(|c| is_gsm(*c))
    {
        let text = c.to_string();
        let (coding, chars) = encode(&text, 0);
        assert_eq!(coding, 0, "{c:?}");
        assert_eq!(chars.concat().len(), Segments::of(&text).units, "{c:?}");
    }
}

#[test]
fn other_alphabets_are_used_where_they_have_all_characters() {
    let latin = SmppSettings {
        data_coding: 3,
        ..settings()
    };
    let submit = &written("é ç", &latin)[0];
    assert_eq!(
        (bytes(submit), u8::from(submit.data_coding)),
        (vec![0xE9, 0x20, 0xE7], 3)
    );
    assert_eq!(u8::from(written("€", &latin)[0].data_coding), UCS2);
    let ascii = SmppSettings {
        data_coding: 1,
        ..settings()
    };
    let submit = &written("a@[", &ascii)[0];
    assert_eq!(
        (bytes(submit), u8::from(submit.data_coding)),
        (b"a@[".to_vec(), 1)
    );
    assert_eq!(u8::from(written("é", &ascii)[0].data_coding), UCS2);
    let marked = SmppSettings {
        data_coding: 0xF1,
        ..settings()
    };
    let submit = &written("@", &marked)[0];
    assert_eq!(
        (bytes(submit), u8::from(submit.data_coding)),
        (vec![0], 0xF1)
    );
}

#[test]
fn a_long_text_may_go_in_one_piece() {
    let payload = SmppSettings {
        long_messages: LongMessages::Payload,
        ..settings()
    };
    let submits = written(&"я".repeat(71), &payload);
    assert_eq!(submits.len(), 1);
    assert_eq!(submits[0].sm_length(), 0);
    assert_eq!(submits[0].tlvs().len(), 1);
    assert_eq!(submits[0].tlvs()[0].value_length(), 142);
    assert_eq!(u8::from(submits[0].esm_class), 0x00);
    let short = &written("я", &payload)[0];
    assert!(short.tlvs().is_empty() && short.sm_length() == 2);
}

#[test]
fn a_sender_is_a_number_a_short_number_or_a_name() {
    let of = |sender, settings: &SmppSettings| {
        let submit = submits(settings, &sms("hello", sender), NOW, 0).expect("can be written");
        let submit = &submit[0];
        let (ton, npi) = (
            u8::from(submit.source_addr_ton),
            u8::from(submit.source_addr_npi),
        );
        (submit.source_addr.as_str().to_owned(), ton, npi)
    };
    let with = settings();
    assert_eq!(of(Some("Acme"), &with), ("Acme".into(), 5, 0));
    assert_eq!(
        of(Some("+41790000000"), &with),
        ("41790000000".into(), 1, 1)
    );
    assert_eq!(of(Some("41790000000"), &with), ("41790000000".into(), 1, 1));
    assert_eq!(of(Some("12345"), &with), ("12345".into(), 3, 0));
    assert_eq!(of(Some("1Acme"), &with), ("1Acme".into(), 5, 0));
    assert_eq!(of(None, &with), (String::new(), 0, 0));
    let own = SmppSettings {
        source_ton: Some(2),
        source_npi: Some(8),
        ..settings()
    };
    assert_eq!(of(Some("12345"), &own), ("12345".into(), 2, 8));
    for sender in ["Müller", "a name that is far too long"] {
        let report = submits(&with, &sms("hello", Some(sender)), NOW, 0).unwrap_err();
        let fault = RouteFault::Sender;
        assert_eq!(report.verdict, Verdict::Unable { fault }, "{sender}");
    }
}

#[test]
fn validity_is_said_from_now_on() {
    let of = |seconds| validity(Duration::from_secs(seconds));
    assert_eq!(of(0), "000000000001000R");
    assert_eq!(of(59), "000000000059000R");
    assert_eq!(of(600), "000000001000000R");
    assert_eq!(of(3_661), "000000010101000R");
    assert_eq!(of(86_400 + 60), "000001000100000R");
    assert_eq!(of(u64::MAX), "000027000000000R");
    let without = SmppSettings {
        validity: false,
        ..settings()
    };
    assert_eq!(written("hello", &without)[0].validity_period.as_str(), "");
}
