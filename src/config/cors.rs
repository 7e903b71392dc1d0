//! Which pages may call.

use serde::Deserialize;

use super::address::web;

/// `[cors]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsSection {
    /// Origins; see [`CorsSection::allows`].
    pub allowed_origins: Vec<String>,
    /// Request headers beside those of the published clients.
    pub allowed_headers: Vec<String>,
}

impl CorsSection {
    /// Whether pages of this origin may call: one is written as a browser sends it, or as `*` for any, or
    /// with `:*` for any port, or with `*.` before the host for whatever is below it.
    pub fn allows(&self, origin: &str) -> bool {
        self.allowed_origins
            .iter()
            .any(|allowed| allowed == "*" || matches(allowed, origin))
    }
}

/// Whether a text can be an entry of `allowed_origins`.
pub(super) fn is_pattern(text: &str) -> bool {
    let plain = text.strip_suffix(":*").unwrap_or(text);
    let plain = match plain.split_once("://*.") {
        // One name below a star is a whole country.
        Some((scheme, host)) if host.contains('.') => format!("{scheme}://{host}"),
        _ => plain.to_owned(),
    };
    // An origin is written without the slash that an address ends in.
    let is_origin = web(&plain).is_some_and(|url| url.origin().ascii_serialization() == plain);
    text == "*" || (is_origin && !plain.contains('*'))
}

fn matches(allowed: &str, origin: &str) -> bool {
    let (allowed, origin) = match allowed.strip_suffix(":*") {
        Some(allowed) => (allowed, without_port(origin)),
        None => (allowed, origin),
    };
    let Some((scheme, above)) = allowed.split_once("://*.") else {
        return allowed == origin;
    };
    let below = origin
        .strip_prefix(scheme)
        .and_then(|rest| rest.strip_prefix("://"))
        .and_then(|rest| rest.strip_suffix(above))
        .and_then(|rest| rest.strip_suffix('.'));
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    below.is_some_and(|below| !below.is_empty() && below.chars().all(is_name))
}

/// An origin without its port, if it has one.
fn without_port(origin: &str) -> &str {
    match origin.rsplit_once(':') {
        Some((rest, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> CorsSection {
        CorsSection {
            allowed_origins: origins.iter().map(|o| (*o).to_owned()).collect(),
            allowed_headers: Vec::new(),
        }
    }

    #[test]
    fn origins_may_leave_the_port_open() {
        let local = cors(&["http://localhost:*", "https://app.example.com"]);
        for origin in [
            "http://localhost",
            "http://localhost:3000",
            "https://app.example.com",
        ] {
            assert!(local.allows(origin), "{origin}");
        }
        for origin in [
            "https://localhost:3000",
            "http://localhost.evil.example",
            "http://localhost:3000.evil.example",
            "http://localhost:",
            "https://app.example.com:444",
            "https://app.example.com.evil.example",
            "null",
        ] {
            assert!(!local.allows(origin), "{origin}");
        }
        assert!(cors(&["*"]).allows("https://any.example"));
        assert!(!cors(&[]).allows("https://any.example"));
    }

    #[test]
    fn a_star_is_whatever_is_below_a_host() {
        let below = cors(&["https://*.example.com", "https://*.dev.example:*"]);
        for origin in [
            "https://a.example.com",
            "https://a-1.b.example.com",
            "https://x.dev.example",
            "https://x.dev.example:8443",
        ] {
            assert!(below.allows(origin), "{origin}");
        }
        for origin in [
            "https://example.com",
            "https://.example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://aexample.com",
            "https://evil.test/.example.com",
            "https://evil.test:1.example.com",
            "https://user@a.example.com.evil.test",
            "null",
        ] {
            assert!(!below.allows(origin), "{origin}");
        }
    }

    #[test]
    fn what_can_match_nothing_is_no_pattern() {
        for pattern in [
            "*",
            "https://app.example.com",
            "http://localhost:3000",
            "http://localhost:*",
            "https://*.example.com",
            "https://*.example.com:*",
            "https://*.example.com:8443",
        ] {
            assert!(is_pattern(pattern), "{pattern}");
        }
        for none in [
            "app.example.com",
            "https://app.example.com/",
            "https://*",
            "https://*.com",
            "https://app.*.example.com",
            "https://a*.example.com",
            "*.example.com",
            "https://*.*.example.com",
            "",
        ] {
            assert!(!is_pattern(none), "{none}");
        }
    }
}
