//! Settings.

use super::*;

pub(super) fn settings() -> SmppSettings {
    SmppSettings {
        host: "127.0.0.1".into(),
        system_id: "ringback".into(),
        password: "secret".into(),
        ..SmppSettings::default()
    }
}

fn refused(settings: &SmppSettings) -> String {
    let made = Smpp::new(settings, Duration::from_secs(2));
    made.err().expect("must be refused").to_string()
}

#[test]
fn settings_that_cannot_work_are_refused_by_their_key() {
    type Break = fn(&mut SmppSettings);
    let rows: [(Break, &str); 19] = [
        (|s| s.host = String::new(), "host is missing"),
        (|s| s.host = "smsc.example.com:2775".into(), "host must be"),
        (
            |s| s.host = "smpp://smsc.example.com".into(),
            "host must be",
        ),
        (|s| s.host = "smsc.example.com".into(), "tls must be true"),
        (|s| s.host = "10.0.0.1".into(), "tls must be true"),
        (|s| s.port = 0, "port must be"),
        (|s| s.ca_file = "ca.pem".into(), "ca_file is of use only"),
        (
            |s| (s.tls, s.ca_file) = (true, "missing.pem".into()),
            "ca_file missing.pem cannot be used",
        ),
        (|s| s.system_id = String::new(), "system_id is missing"),
        (
            |s| s.system_id = "\u{e9}".into(),
            "system_id must be up to 15",
        ),
        (
            |s| s.password = "secret789".into(),
            "password must be up to 8",
        ),
        (|s| s.password = "a\nb".into(), "password must be up to 8"),
        (
            |s| s.system_type = "a type too long".into(),
            "system_type must",
        ),
        (|s| s.binds = 0, "binds must be"),
        (|s| s.binds = 33, "binds must be"),
        (|s| s.window = 1_001, "window must be"),
        (|s| s.enquire_link_seconds = 0, "enquire_link_seconds must"),
        (|s| s.data_coding = 8, "data_coding must not be 8"),
        (|s| s.bind = Bind::Transmitter, "receipts must be false"),
    ];
    for (break_one, says) in rows {
        let mut settings = settings();
        break_one(&mut settings);
        let text = refused(&settings);
        assert!(text.starts_with(says), "{text}");
        assert!(!text.contains("secret789"), "{text}");
    }
}

#[test]
fn a_line_to_another_machine_may_be_said_to_be_safe() {
    for (host, tls, allow_insecure) in [
        ("smsc.example.com", true, false),
        ("smsc.example.com", false, true),
        ("localhost", false, false),
        ("::1", false, false),
        ("::ffff:127.0.0.1", false, false),
    ] {
        let fine = SmppSettings {
            host: host.into(),
            tls,
            allow_insecure,
            ..settings()
        };
        assert_eq!(fine.check(), Ok(()), "{host}");
    }
}

#[test]
fn senders_are_what_a_phone_shows() {
    for fine in ["Acme", "+41790000000", "12345", "", "Acme Corp 1"] {
        assert_eq!(SmppSettings::sender_fault(fine), None, "{fine}");
    }
    for wrong in [
        "M\u{fc}ller",
        "A long name of somebody",
        "+1234567890123456",
    ] {
        assert!(SmppSettings::sender_fault(wrong).is_some(), "{wrong}");
    }
}
