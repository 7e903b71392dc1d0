//! Tests of who is told of events.

use super::*;

const APP: &str = "[events.endpoints.app]\nurl = \"https://app.example.com/events\"\n";
const SECRET: (&str, &str) = (
    "RINGBACK_EVENTS__ENDPOINTS__APP__SECRETS",
    "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
);

fn with(text: &str, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let file = file(text);
    Config::load(Some(file.path()), variables(&[&ENOUGH[..], more].concat()))
}

#[test]
fn an_endpoint_needs_an_address_and_a_secret() {
    let config = with(APP, &[SECRET]).unwrap();
    config.check().unwrap();
    assert!(
        !config.in_effect().contains("AQEBAQ\""),
        "{}",
        config.in_effect()
    );
    let missing = with(APP, &[]).unwrap().check();
    let says = missing.expect_err("there is no secret").to_string();
    assert!(
        says.contains("events.endpoints.app.secrets: is missing"),
        "{says}"
    );
}

#[test]
fn what_is_wrong_with_an_endpoint_is_told_by_its_key() {
    for (line, place) in [
        (
            "url = \"http://app.example.com\"",
            "app.url: must begin with https://",
        ),
        (
            "url = \"https://10.0.0.1/events\"",
            "app.url: leads to this machine or into a private",
        ),
        (
            "url = \"https://me:you@app.example.com\"",
            "app.url: holds a user name",
        ),
        (
            "kinds = [\"phone.verifyed\"]",
            "app.kinds: \"phone.verifyed\" is no kind of event",
        ),
        (
            "kinds = [\"phones.*\"]",
            "app.kinds: \"phones.*\" is no kind of event",
        ),
        ("kinds = [\"*\"]", "app.kinds: \"*\" is no kind of event"),
        (
            "timeout_seconds = 31",
            "app.timeout_seconds: must be 1 to 30",
        ),
        ("max_in_flight = 0", "app.max_in_flight: must be 1 to 1000"),
        ("give_up_hours = -1", "app.give_up_hours: must be 1 to 8784"),
    ] {
        let text = match line.starts_with("url") {
            true => format!("[events.endpoints.app]\n{line}\n"),
            false => format!("{APP}{line}\n"),
        };
        let checked = with(&text, &[SECRET]).and_then(|config| config.check());
        let says = checked.expect_err(line).to_string();
        assert!(
            says.contains(&format!("events.endpoints.{place}")),
            "{says}"
        );
    }
    let name = APP.replace(".app", ".\"The App\"");
    let says = with(&name, &[])
        .unwrap()
        .check()
        .expect_err("no name")
        .to_string();
    assert!(says.contains("must be up to 32 of a to z"), "{says}");
    for (line, place) in [
        ("keep_days = 40000", "audit.keep_days: must be 0 to 36500"),
        (
            "checkpoint_seconds = 5",
            "audit.checkpoint_seconds: must be 10 to 86400",
        ),
    ] {
        let checked = with(&format!("[audit]\n{line}\n"), &[]).and_then(|config| config.check());
        let says = checked.expect_err(line).to_string();
        assert!(says.contains(place), "{says}");
    }
}

#[test]
fn an_endpoint_is_told_of_what_it_asks_for() {
    let more = "kinds = [\"phone.*\", \"account.deleted\"]\norganizations = [\"acme\"]\n";
    let config = with(&format!("{APP}{more}"), &[SECRET]).unwrap();
    config.check().unwrap();
    let app = &config.events.endpoints["app"];
    assert!(app.wants("phone.verified", "acme") && app.wants("account.deleted", "acme"));
    assert!(!app.wants("account.registered", "acme") && !app.wants("phone.verified", "other"));
    let all = with(APP, &[SECRET]).unwrap();
    assert!(all.events.endpoints["app"].wants("account.registered", "other"));
}

#[test]
fn every_kind_of_event_is_on_the_page() {
    use ringback_core::event::EventKind;
    let page = include_str!("../../../docs/AUDIT.md");
    for kind in EventKind::ALL {
        assert!(
            page.contains(&format!("`{}`", kind.code())),
            "{}",
            kind.code()
        );
    }
}
