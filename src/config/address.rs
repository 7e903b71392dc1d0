//! Addresses in a configuration: which may be used, and how one is shown without what is secret in it.

use std::net::IpAddr;

use reqwest::Url;

/// Why an address is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No whole address of the web.
    #[error("must be a whole address, such as https://example.com/path")]
    Form,
    /// A user name or a password would end up in logs of others.
    #[error("holds a user name or a password; take it out")]
    Credentials,
    /// What is sent and answered could be read and changed on the way.
    #[error("is plain http to {host}, which anybody on the way can read and change; use https")]
    Insecure {
        /// Where to.
        host: String,
    },
}

impl AddressError {
    /// The same in words, with the key that would allow it.
    pub fn unless(&self, key: &str) -> String {
        match self {
            AddressError::Insecure { .. } => format!("{self}, or set {key} = true"),
            AddressError::Form | AddressError::Credentials => self.to_string(),
        }
    }
}

/// An address that this program may ask or post to: https, or http where nobody is in between, which is on
/// this machine, or where `allow_insecure` says so. The one rule for all of them.
pub fn web_address(text: &str, allow_insecure: bool) -> Result<Url, AddressError> {
    let url = web(text).ok_or(AddressError::Form)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Credentials);
    }
    if url.scheme() == "https" || allow_insecure || is_loopback(&url) {
        return Ok(url);
    }
    Err(AddressError::Insecure {
        host: url.host_str().unwrap_or_default().to_owned(),
    })
}

/// Whether an address leads to this machine: `localhost`, 127.0.0.0/8, `[::1]`.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// An address of the web, of whichever scheme.
pub(super) fn web(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "https" | "http") && url.has_host()).then_some(url)
}

/// The parts of `SCHEME://AUTHORITY/PATH?QUERY`: before the path, the path, and what follows.
fn parts(rest: &str) -> (&str, &str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let end = tail.find(['?', '#']).unwrap_or(tail.len());
    let (path, query) = tail.split_at(end);
    (authority, path, query)
}

/// Whether an authority without a user name ends in what is no port: the rest of a password, perhaps.
fn ends_oddly(authority: &str) -> bool {
    let port = authority.rsplit_once(':');
    port.is_some_and(|(_, port)| !port.chars().all(|c| c.is_ascii_digit() || c == ']'))
}

/// What is wrong with the address of a server of databases, as far as it keeps user and password from being
/// told from the rest. Shows nothing of it.
pub(super) fn database_fault(url: &str) -> Option<&'static str> {
    let (_, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| scheme.starts_with("postgres"))?;
    let (authority, path, query) = parts(rest);
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let hex = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let odd = |user: &str| {
        let odd = |c: char| c.is_control() || c.is_whitespace();
        user.contains(odd) || !user.split('%').skip(1).all(hex)
    };
    // An @ that comes after the address's first / ? or # ends a password that holds one of them.
    let cut = path.contains('@')
        || query.starts_with('#')
        || query.contains('#')
        || (path.is_empty() && query.contains('@'))
        || query
            .split_once('@')
            .is_some_and(|(before, _)| !before.contains('='));
    if cut || user.is_some_and(odd) {
        return Some(
            "the user name or the password holds a character that must be percent-encoded: write @ as %40, \
             : as %3A, / as %2F, ? as %3F, # as %23, % as %25 and a space as %20, such as \
             postgres://USER:p%40ss%2Fword@HOST/NAME",
        );
    }
    (user.is_none() && ends_oddly(authority)).then_some(
        "has no host after the user name and the password, or a port that is no number: write \
         postgres://USER:PASSWORD@HOST:PORT/NAME",
    )
}

/// Parameters that tell no secret.
const PLAIN: [&str; 6] = [
    "application_name",
    "dbname",
    "host",
    "port",
    "sslmode",
    "user",
];

/// An address without its password and without what else may be secret in it.
pub(super) fn masked(url: &str) -> String {
    // A file has no password.
    let server = url
        .split_once("://")
        .filter(|(scheme, _)| *scheme != "sqlite");
    let Some((scheme, rest)) = server else {
        return url.to_owned();
    };
    let (authority, path, query) = parts(rest);
    let user = authority.rsplit_once('@');
    if path.contains('@') || (user.is_none() && ends_oddly(authority)) {
        // Part of a password, perhaps.
        return format!("{scheme}://…");
    }
    let authority = match user {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:…@{host}"),
            None => format!("{user}@{host}"),
        },
        None => authority.to_owned(),
    };
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let query: Vec<String> = query
        .trim_start_matches('?')
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if PLAIN.contains(&name) => format!("{name}={value}"),
            Some((name, _)) => format!("{name}=…"),
            None => "…".to_owned(),
        })
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{authority}{path}{mark}{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine_unless_it_is_allowed() {
        for right in [
            "https://example.com/sms",
            "https://10.0.0.1",
            "http://localhost:8080/sms",
            "http://LOCALHOST/",
            "http://127.0.0.1/sms",
            "http://127.9.9.9:1",
            "http://127.1/",
            "http://[::1]:8080/sms",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(web_address(right, false).is_ok(), "{right}");
        }
        for (wrong, host) in [
            ("http://example.com/sms", "example.com"),
            ("http://10.0.0.1/sms", "10.0.0.1"),
            ("http://0.0.0.0/", "0.0.0.0"),
            ("http://localhost.example.com/", "localhost.example.com"),
            ("http://127.0.0.1.example.com/", "127.0.0.1.example.com"),
            ("http://[2001:db8::1]/sms", "[2001:db8::1]"),
        ] {
            let expected = AddressError::Insecure { host: host.into() };
            assert_eq!(web_address(wrong, false), Err(expected.clone()));
            assert!(web_address(wrong, true).is_ok());
            let words = expected.unless("auth.issuers.main.allow_insecure");
            assert!(
                words.contains("auth.issuers.main.allow_insecure = true"),
                "{words}"
            );
        }
        for none in [
            "",
            "example.com/sms",
            "ftp://example.com",
            "mailto:a@b.c",
            "https://",
        ] {
            assert_eq!(web_address(none, true), Err(AddressError::Form), "{none}");
        }
        for user in ["https://me:pw@example.com", "http://me@localhost/"] {
            assert_eq!(web_address(user, true), Err(AddressError::Credentials));
        }
    }

    #[test]
    fn a_password_that_should_be_encoded_is_told_from_one_that_need_not() {
        for wrong in [
            "postgres://me:hun/ter2@db/x",
            "postgres://me:12/34@db/x",
            "postgres://me:hun?ter2@db/x",
            "postgres://me:12?34@db/x",
            "postgres://me:12?a=b@db/x",
            "postgres://me:hun#ter2@db/x",
            "postgres://me:12#34@db",
            "postgres://me:hunter2%@db/x",
            "postgres://me:hun%ter2@db/x",
            "postgres://me:hun%é@db/x",
            "postgres://m%e:hunter2@db/x",
            "postgres://me:hun@ter/2@db/x",
            "postgres://me:hun ter2@db/x",
        ] {
            let told = database_fault(wrong).unwrap_or_else(|| panic!("{wrong}"));
            assert!(
                told.contains("percent-encoded") && told.contains("%40"),
                "{wrong}"
            );
        }
        let hostless = database_fault("postgres://me:hunter2/x").unwrap();
        assert!(hostless.contains("HOST:PORT"));
        for right in [
            "postgres://me:hunter2@db:5432/x?sslmode=require",
            "postgres://me:hun%2Fter%402@db/x",
            // What readers of addresses understand all the same.
            "postgres://me:hun@ter2@db/x",
            "postgres://me:hun:ter2@db/x",
            "postgres://db/x?user=me@tenant",
            "postgres://[::1]/x",
            "postgres://db",
            "sqlite:some/file@here.db",
            "sqlite:///some/file@here.db",
        ] {
            assert_eq!(database_fault(right), None, "{right}");
        }
    }

    #[test]
    fn an_address_is_shown_without_what_is_secret() {
        for (address, shown) in [
            ("sqlite:ringback.db", "sqlite:ringback.db"),
            ("sqlite://a@b.db?mode=rwc", "sqlite://a@b.db?mode=rwc"),
            (
                "postgres://me:hunter2@db:5432/x",
                "postgres://me:…@db:5432/x",
            ),
            ("postgres://me:hun@ter2@db/x", "postgres://me:…@db/x"),
            ("postgres://me@db/x", "postgres://me@db/x"),
            (
                "postgres://db/x?sslmode=require&password=hunter2",
                "postgres://db/x?sslmode=require&password=…",
            ),
            ("postgres://me:hun/ter2@db/x", "postgres://…"),
            ("postgres://me:hunter2", "postgres://…"),
            ("postgres://me:7?hunter2@db/x", "postgres://me:7?…"),
            (
                "https://example.com/sms?hunter2",
                "https://example.com/sms?…",
            ),
            ("https://example.com/sms#hunter2", "https://example.com/sms"),
            ("", ""),
        ] {
            assert_eq!(masked(address), shown);
        }
    }
}
