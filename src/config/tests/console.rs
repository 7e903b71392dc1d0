//! The console: who signs in where.

use super::*;

fn wrong(more: &[(&str, &str)]) -> Vec<String> {
    let mut pairs = ENOUGH.to_vec();
    pairs.extend(more);
    match load(&pairs).unwrap().check() {
        Ok(()) => Vec::new(),
        refused => keys_of(refused),
    }
}

#[test]
fn people_sign_in_at_one_of_the_issuers() {
    let client = ("RINGBACK_CONSOLE__CLIENT_ID", "ringback-console");
    let main = ("RINGBACK_CONSOLE__ISSUER", "main");
    assert!(wrong(&[main, client]).is_empty());
    assert!(wrong(&[main]).is_empty());
    assert_eq!(wrong(&[client]), ["console.issuer"]);
    let without = ("RINGBACK_APIS", "zitadel");
    assert_eq!(wrong(&[main, client, without]), ["console.issuer"]);
    let off = ("RINGBACK_CONSOLE__ENABLED", "false");
    assert!(wrong(&[main, client, without, off]).is_empty());
    let other = ("RINGBACK_CONSOLE__ISSUER", "other");
    assert_eq!(wrong(&[other, client]), ["console.issuer"]);
    let scopes = ("RINGBACK_CONSOLE__SCOPES", "profile");
    assert_eq!(wrong(&[main, client, scopes]), ["console.scopes"]);
    let connect = ("RINGBACK_CONSOLE__CONNECT", "tokens.example.com");
    assert_eq!(wrong(&[main, client, connect]), ["console.connect"]);
}

#[test]
fn an_issuer_that_is_no_address_is_for_pasted_tokens_only() {
    let main = ("RINGBACK_CONSOLE__ISSUER", "main");
    let client = ("RINGBACK_CONSOLE__CLIENT_ID", "ringback-console");
    let name = ("RINGBACK_AUTH__ISSUERS__MAIN__ISSUER", "acme-login");
    assert!(wrong(&[name, main]).is_empty());
    assert_eq!(wrong(&[name, main, client]), ["console.issuer"]);
    let plain = (
        "RINGBACK_AUTH__ISSUERS__MAIN__ISSUER",
        "http://login.example.com",
    );
    assert_eq!(wrong(&[plain, main, client]), ["console.issuer"]);
}
