//! Tests of routes of the type smpp.

use super::*;

const LEAST: &str =
    "[sms.routes.centre]\ntype = \"smpp\"\nhost = \"127.0.0.1\"\nsystem_id = \"acme\"\n";
const PASSWORD: (&str, &str) = ("RINGBACK_SMS__ROUTES__CENTRE__PASSWORD", "67890123");

fn with(lines: &str, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let least = ENOUGH.iter().filter(|(name, _)| !name.contains("RELAY"));
    let least: Vec<_> = least.copied().collect();
    let file = file(&format!("{LEAST}{lines}"));
    Config::load(
        Some(file.path()),
        variables(&[&least[..], &[PASSWORD], more].concat()),
    )
}

fn centre(config: &Config) -> &SmppSettings {
    match &config.sms.routes["centre"].provider {
        ProviderSection::Smpp(smpp) => smpp,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_least_is_enough_and_shows_no_password() {
    let config = with("", &[]).unwrap();
    let smpp = centre(&config);
    assert_eq!((smpp.port, smpp.binds, smpp.window), (2775, 1, 10));
    assert_eq!(
        (smpp.dest_ton, smpp.dest_npi, smpp.source_ton),
        (1, 1, None)
    );
    assert!(smpp.validity && smpp.receipts && !smpp.tls);
    // A password of digits stays a text, and receipts need no address of ours.
    assert_eq!(smpp.password.expose_secret(), PASSWORD.1);
    assert_eq!(config.check(), Ok(()));
    assert!(!format!("{config:?}").contains(PASSWORD.1), "{config:?}");
    assert!(!config.sms.routes().rules["centre"].tells_repeats);
}

#[test]
fn every_key_is_read_from_the_environment_as_what_it_is() {
    let more: Vec<(String, &str)> = [
        ("HOST", "smsc.example.com"),
        ("PORT", "3550"),
        ("TLS", "true"),
        ("CA_FILE", "/etc/ca.pem"),
        ("SYSTEM_ID", "12345"),
        ("SYSTEM_TYPE", "1"),
        ("BIND", "transmitter"),
        ("BINDS", "2"),
        ("WINDOW", "20"),
        ("ENQUIRE_LINK_SECONDS", "60"),
        ("SOURCE_TON", "5"),
        ("SOURCE_NPI", "1"),
        ("DEST_TON", "2"),
        ("DEST_NPI", "8"),
        ("DATA_CODING", "3"),
        ("LONG_MESSAGES", "payload"),
        ("VALIDITY", "false"),
        ("RECEIPTS", "false"),
        ("HEX_IDS", "answers"),
        ("ALLOW_INSECURE", "true"),
    ]
    .map(|(key, value)| (format!("RINGBACK_SMS__ROUTES__CENTRE__{key}"), value))
    .to_vec();
    let more: Vec<_> = more.iter().map(|(key, value)| (&**key, *value)).collect();
    let config = with("", &more).unwrap();
    let smpp = centre(&config);
    assert_eq!((&*smpp.host, smpp.port), ("smsc.example.com", 3550));
    assert_eq!((&*smpp.system_id, &*smpp.system_type), ("12345", "1"));
    assert_eq!((smpp.binds, smpp.window), (2, 20));
    assert_eq!((smpp.source_ton, smpp.source_npi), (Some(5), Some(1)));
    assert_eq!((smpp.dest_ton, smpp.dest_npi), (2, 8));
    assert_eq!(
        (smpp.bind, smpp.hex_ids),
        (Bind::Transmitter, HexIds::Answers)
    );
    assert_eq!(smpp.long_messages, LongMessages::Payload);
    assert!(smpp.tls && smpp.allow_insecure && !smpp.validity && !smpp.receipts);
    assert_eq!((smpp.data_coding, smpp.enquire_link_seconds), (3, 60));
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn what_is_wrong_is_told_by_its_key() {
    for (line, place) in [
        ("binds = 0", "binds: must be 1 to 32"),
        ("window = 1001", "window: must be 1 to 1000"),
        ("system_type = \"a type too long\"", "system_type: must be"),
        ("bind = \"transmitter\"", "receipts: must be false"),
        ("ca_file = \"ca.pem\"", "ca_file: is of use only"),
        ("sender = \"Acme and Sons\"", "sender: must be a number"),
        (
            "sender_by_country = { CH = \"Zürich\" }",
            "sender_by_country.CH: must be a number",
        ),
        ("port = \"high\"", "port: must be a whole number"),
        ("colour = 1", "colour: no such key"),
    ] {
        let checked = with(&format!("{line}\n"), &[]).and_then(|config| config.check());
        let text = checked.expect_err(line).to_string();
        let place = format!("sms.routes.centre.{place}");
        assert!(text.contains(&place), "{line}: {text}");
    }
    for (line, says) in [
        (
            "bind = \"both\"",
            "bind: must be one of transceiver, transmitter",
        ),
        (
            "hex_ids = \"all\"",
            "hex_ids: must be one of nowhere, answers, receipts",
        ),
        ("port = 70000", "port: is not what this type takes"),
    ] {
        let text = problem(with(&format!("{line}\n"), &[]));
        assert!(text.contains(says), "{text}");
    }
    let long = (PASSWORD.0, "hunter2hunter2");
    let text = with("", &[long]).unwrap().check().expect_err("too long");
    let text = text.to_string();
    assert!(text.contains("password: must be up to 8"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
