//! The page where users prove numbers: where it is, and where it may lead.

use super::*;

const ON: (&str, &str) = ("RINGBACK_VERIFY__ENABLED", "true");
const OUTSIDE: (&str, &str) = ("RINGBACK_SERVER__LISTEN", "0.0.0.0:8080");
const URL: (&str, &str) = ("RINGBACK_SERVER__PUBLIC_URL", "https://phones.example.com/");

fn wrong(more: &[(&str, &str)]) -> Vec<String> {
    let mut pairs = ENOUGH.to_vec();
    pairs.extend(more);
    match load(&pairs).unwrap().check() {
        Ok(()) => Vec::new(),
        refused => keys_of(refused),
    }
}

#[test]
fn a_page_has_an_address_and_the_api_that_opens_sessions() {
    assert!(wrong(&[]).is_empty());
    assert!(wrong(&[ON]).is_empty());
    assert_eq!(wrong(&[ON, OUTSIDE]), ["server.public_url"]);
    assert!(wrong(&[ON, OUTSIDE, URL]).is_empty());
    let apis = ("RINGBACK_APIS", "zitadel");
    assert_eq!(wrong(&[ON, URL, apis]), ["verify.enabled"]);
    for (seconds, fine) in [("59", false), ("60", true), ("86401", false)] {
        let life = ("RINGBACK_VERIFY__SESSION_SECONDS", seconds);
        assert_eq!(wrong(&[life]).is_empty(), fine, "{seconds}");
    }
    let config = load(&[URL]).unwrap();
    assert_eq!(config.base_url(), "https://phones.example.com");
    let config = load(&[("RINGBACK_SERVER__LISTEN", "127.0.0.1:81")]).unwrap();
    assert_eq!(config.base_url(), "http://127.0.0.1:81");
}

#[test]
fn what_is_returned_to_is_a_whole_address() {
    for (url, fine) in [
        ("https://app.example.com", true),
        ("https://app.example.com/settings/", true),
        ("http://localhost:3000", true),
        ("http://localhost:*", true),
        ("http://app.example.com", false),
        ("https://app.example.com:*", false),
        ("https://app.example.com/?tab=1", false),
        ("https://app.example.com/#x", false),
        ("https://user@app.example.com", false),
        ("app.example.com", false),
        ("/settings", false),
    ] {
        let urls = ("RINGBACK_VERIFY__RETURN_URLS", url);
        assert_eq!(wrong(&[urls]).is_empty(), fine, "{url}");
    }
}

#[test]
fn a_page_without_an_address_or_a_way_back_is_noted() {
    let config = load(&[&ENOUGH[..], &[("RINGBACK_VERIFY__ENABLED", "true")]].concat()).unwrap();
    config.check().unwrap();
    let remarks = config.remarks().join("\n");
    assert!(remarks.contains("verify.return_urls is empty"), "{remarks}");
    assert!(remarks.contains("server.public_url is empty"), "{remarks}");
    let whole = [
        ("RINGBACK_VERIFY__ENABLED", "true"),
        ("RINGBACK_VERIFY__RETURN_URLS", "https://app.example.com"),
        ("RINGBACK_SERVER__PUBLIC_URL", "https://phones.example.com"),
    ];
    for settings in [&whole[..], &[]] {
        let config = load(&[&ENOUGH[..], settings].concat()).unwrap();
        assert_eq!(config.remarks(), Vec::<String>::new());
    }
}
