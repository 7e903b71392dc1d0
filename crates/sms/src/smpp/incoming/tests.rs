//! Receipts and answers of people, as providers write them.

use ringback_core::Number;
use ringback_core::delivery::RouteFault;
use rusmpp::tlvs::MessageDeliveryRequestTlvValue;
use rusmpp::types::OctetString;
use rusmpp::values::{DataCoding, EsmClass, MessageState, Ton};

use super::*;

const RECEIPT: u8 = 0x04;

fn deliver(esm_class: u8, data_coding: u8, text: &[u8]) -> DeliverSm {
    DeliverSm::builder()
        .source_addr_ton(Ton::International)
        .source_addr("41791234567".parse().unwrap())
        .esm_class(EsmClass::from(esm_class))
        .data_coding(DataCoding::from(data_coding))
        .short_message(OctetString::from_slice(text).unwrap())
        .build()
}

fn with_tlvs(mut deliver: DeliverSm, id: &str, state: Option<u8>) -> DeliverSm {
    let id = MessageDeliveryRequestTlvValue::ReceiptedMessageId(id.parse().unwrap());
    deliver.push_tlv(id);
    if let Some(state) = state {
        let state = MessageState::from(state);
        deliver.push_tlv(MessageDeliveryRequestTlvValue::MessageState(state));
    }
    deliver
}

/// Reference, arrival and reason.
fn receipt(deliver: &DeliverSm, hex_ids: HexIds) -> Option<(String, Arrival, String)> {
    match read(deliver, hex_ids)? {
        ProviderEvent::Receipt { reference, receipt } => {
            Some((reference, receipt.arrival, receipt.reason))
        }
        other => panic!("{other:?}"),
    }
}

fn by_text(text: &str) -> Option<(String, Arrival, String)> {
    receipt(&deliver(RECEIPT, 0, text.as_bytes()), HexIds::Nowhere)
}

#[test]
fn the_text_of_a_receipt_is_read() {
    let of = |stat: &str| {
        by_text(&format!(
            "id:0000012345 sub:001 dlvrd:001 submit date:2611261200 done date:2611261201 \
             stat:{stat} err:088 text:id:9 stat:DELIVRD"
        ))
    };
    let lost = |lost| Arrival::Undelivered(lost);
    let route = Lost::Route(RouteFault::Region);
    let table = [
        ("DELIVRD", Arrival::Delivered),
        ("delivrd", Arrival::Delivered),
        ("DELIVERED", Arrival::Delivered),
        ("ENROUTE", Arrival::OnTheWay),
        ("ACCEPTD", Arrival::OnTheWay),
        ("BUFFRED", Arrival::OnTheWay),
        ("EXPIRED", lost(Lost::Phone)),
        ("DELETED", lost(Lost::Phone)),
        ("UNDELIV", lost(Lost::Phone)),
        ("UNKNOWN", lost(Lost::Phone)),
        ("REJECTD", lost(route)),
    ];
    for (stat, arrival) in table {
        let (reference, found, reason) = of(stat).expect(stat);
        assert_eq!((reference.as_str(), found), ("12345", arrival), "{stat}");
        let expected = match arrival {
            Arrival::Undelivered(_) => format!("the provider says {stat}, error 088"),
            Arrival::Delivered | Arrival::OnTheWay => String::new(),
        };
        assert_eq!(reason, expected);
    }
    assert_eq!(of("WHATEVER"), None);
}

#[test]
fn receipts_that_others_write_differently_are_read() {
    let delivered =
        |reference: &str| Some((reference.to_owned(), Arrival::Delivered, String::new()));
    assert_eq!(by_text("ID:ab12-CD Stat:DELIVRD"), delivered("ab12-cd"));
    assert_eq!(by_text("id:7 stat:DELIVRD"), delivered("7"), "nothing else");
    assert_eq!(by_text("stat:DELIVRD id:0"), delivered("0"));
    assert_eq!(by_text("id:7 stat:DELIVRD Text:"), delivered("7"));
    assert_eq!(by_text("id:7\0 stat:DELIVRD\0"), delivered("7"));
    for nothing in [
        "",
        "id: stat:DELIVRD",
        "stat:DELIVRD",
        "id:7",
        "text:id:7 stat:DELIVRD",
        "ж",
    ] {
        assert_eq!(by_text(nothing), None, "{nothing}");
    }
}

#[test]
fn optional_parameters_go_before_the_text() {
    let text = b"id:1 stat:UNDELIV err:011";
    let told = with_tlvs(deliver(RECEIPT, 0, text), "2", Some(2));
    assert_eq!(
        receipt(&told, HexIds::Nowhere),
        Some(("2".into(), Arrival::Delivered, String::new()))
    );
    let id_only = with_tlvs(deliver(RECEIPT, 0, text), "2", None);
    let lost = Arrival::Undelivered(Lost::Phone);
    let reason = "the provider says UNDELIV, error 011".to_owned();
    assert_eq!(
        receipt(&id_only, HexIds::Nowhere),
        Some(("2".into(), lost, reason))
    );
    let bare = with_tlvs(deliver(0, 0, b""), "2", Some(8));
    let (_, arrival, reason) = receipt(&bare, HexIds::Nowhere).expect("a receipt by its id");
    assert_eq!(
        arrival,
        Arrival::Undelivered(Lost::Route(RouteFault::Region))
    );
    assert_eq!(reason, "the provider says message_state 8");
    let nowhere = with_tlvs(deliver(RECEIPT, 0, b""), "2", Some(77));
    assert_eq!(receipt(&nowhere, HexIds::Nowhere), None);
}

#[test]
fn ids_are_the_same_in_answers_and_receipts() {
    let same = |answer: &str, told: &str, hex_ids| {
        answer_reference(answer, hex_ids) == Some(receipt_reference(told, hex_ids))
    };
    assert!(same("12345", "0000012345", HexIds::Nowhere));
    assert!(same("AB-1", "ab-1", HexIds::Nowhere));
    assert!(same("4A3B", "19003", HexIds::Answers));
    assert!(same("00004a3b", "0000019003", HexIds::Answers));
    assert!(same("19003", "4A3B", HexIds::Receipts));
    assert!(same("0x10", "16", HexIds::Answers));
    assert!(
        !same("10", "16", HexIds::Nowhere),
        "only who is told so reads hexadecimal digits"
    );
    assert!(same("no-number", "no-number", HexIds::Answers));
    assert_eq!(answer_reference("", HexIds::Nowhere), None);
    assert_eq!(answer_reference(" ", HexIds::Answers), None);
    let longest = "f".repeat(64);
    assert_eq!(
        answer_reference(&longest, HexIds::Answers),
        Some(longest.clone())
    );
}

#[test]
fn a_person_cannot_write_a_receipt() {
    let forged = b"id:1 stat:UNDELIV err:000";
    for esm_class in [0x00, 0x40, 0x80, 0x08, 0x10, 0x18] {
        assert_eq!(
            read(&deliver(esm_class, 0, forged), HexIds::Nowhere),
            None,
            "{esm_class:#x}"
        );
    }
    assert!(
        read(&deliver(0x20, 0, forged), HexIds::Nowhere).is_some(),
        "said before the end"
    );
}

#[test]
fn people_stop_and_start_by_a_word() {
    let number = Number::from_stored("+41791234567");
    let of = |text: &str| read(&deliver(0, 0, text.as_bytes()), HexIds::Nowhere);
    let out = Some(ProviderEvent::Keyword {
        number: number.clone(),
        keyword: Keyword::Stop,
    });
    let keyword = Keyword::Start;
    let back = Some(ProviderEvent::Keyword { number, keyword });
    for word in [
        "STOP",
        "stop",
        " Stop. ",
        "\"STOP\"",
        "Unsubscribe!",
        "opt-out",
        "Opt out",
        "abmelden",
        "stop all",
    ] {
        assert_eq!(of(word), out, "{word}");
    }
    for word in ["START", "Start\r\n", "unstop"] {
        assert_eq!(of(word), back, "{word}");
    }
    for other in [
        "",
        "stop that please",
        "do not stop",
        "1234",
        "STO",
        "restart",
        "S T O P",
        "ST OP",
    ] {
        assert_eq!(of(other), None, "{other}");
    }
    for word in ["Arrêt", "стоп", "«STOP»", "ＳＴＯＰ", "STOP\u{a0}"] {
        let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(
            read(&deliver(0, UCS2, &wide), HexIds::Nowhere),
            out,
            "{word}"
        );
    }
    let mut with_header = vec![5, 0, 3, 1, 1, 1];
    with_header.extend(b"STOP");
    assert_eq!(read(&deliver(0x40, 0, &with_header), HexIds::Nowhere), out);
}

#[test]
fn only_a_number_that_is_told_whole_opts_out() {
    let from = |address: &str, ton: u8| {
        let mut deliver = deliver(0, 0, b"STOP");
        deliver.source_addr = address.parse().unwrap();
        deliver.source_addr_ton = Ton::from(ton);
        read(&deliver, HexIds::Nowhere)
    };
    let number = Number::from_stored("+41791234567");
    let keyword = Keyword::Stop;
    let out = Some(ProviderEvent::Keyword { number, keyword });
    assert_eq!(from("+41791234567", 1), out);
    assert_eq!(from("41791234567", 0), out);
    for (address, ton) in [
        ("0791234567", 2),
        ("0791234567", 1),
        ("12345", 3),
        ("Acme", 5),
        ("", 0),
    ] {
        assert_eq!(from(address, ton), None, "{address}");
    }
}

#[test]
fn whatever_is_sent_is_read_without_harm() {
    let mut state = 1_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 24).unwrap()
    };
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..next() % 60).map(|_| next()).collect();
        let _ = read(&deliver(next(), next(), &text), HexIds::Answers);
    }
}
