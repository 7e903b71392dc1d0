//! The SMPP route against message centres that nobody here wrote: what arrives, and what is made of each answer.

mod centre;
mod faults;
mod lines;
mod others;
mod told;
mod wire;

use std::time::Duration;

use ringback_core::delivery::{RouteFault, Verdict};
use ringback_core::{Number, Time};
use ringback_sms::{Bind, HexIds, LongMessages, Provider, Report, Smpp, SmppSettings, Sms};

use centre::Centre;

const NOW: Time = Time(1_700_000_000_000_000);

fn settings(centre: &Centre) -> SmppSettings {
    SmppSettings {
        host: "127.0.0.1".into(),
        port: centre.port,
        system_id: "ringback".into(),
        password: "secret".into(),
        system_type: "sms".into(),
        ..SmppSettings::default()
    }
}

fn route(settings: SmppSettings) -> Provider {
    patient_route(settings, 5)
}

/// One whose attempts may take so many seconds.
fn patient_route(settings: SmppSettings, seconds: u64) -> Provider {
    let timeout = Duration::from_secs(seconds);
    Provider::Smpp(Smpp::new(&settings, timeout).expect("settings in order"))
}

fn sms(text: &str) -> Sms {
    Sms {
        id: "0190c5a0-0000-7000-8000-000000000001".into(),
        to: Number::from_stored("+41791234567"),
        text: text.into(),
        text_language: "en".into(),
        code: None,
        kind: "code",
        language: String::new(),
        expires_at: NOW + Duration::from_secs(600),
        sender: Some("Acme".into()),
        callback: None,
    }
}

async fn send(route: &Provider, text: &str) -> Report {
    route.send(&sms(text), NOW).await
}

fn not_now(fault: RouteFault) -> Verdict {
    Verdict::NotNow { fault, after: 0 }
}

fn unable(fault: RouteFault) -> Verdict {
    Verdict::Unable { fault }
}
