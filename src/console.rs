//! Pages for people: the console, and what is at `/`. They are a client of the public services and have no way in of
//! their own. To take them away, delete `console/`, this file and its lines in `src/app.rs` and `src/lib.rs`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::config::{Config, ConsoleSection, web_address};
use crate::http::{Installed, Services, files};

/// The page at `/`, and the console at `/console` where it is on: while somebody tries the program out, or an
/// issuer for it is named.
pub fn install(config: &Config) -> Installed {
    let section = config.console.clone();
    let issuer = config.auth.issuers.get(&section.issuer);
    let issuer = issuer.map(|issuer| issuer.issuer.clone());
    let pages = move |services: &Services| {
        let tries = services.trial_token.is_some();
        let shown = section.enabled && (tries || issuer.is_some());
        let settings = Settings::new(&section, issuer.unwrap_or_default(), tries);
        router(shown, tries).with_state(Arc::new(settings))
    };
    Installed {
        pages: Some(Box::new(pages)),
        ..Installed::default()
    }
}

fn router(shown: bool, tries: bool) -> Router<Arc<Settings>> {
    match (shown, tries) {
        (true, true) => consoles().route("/", get(page)),
        (true, false) => consoles().route("/", get(async || html(LINK))),
        (false, _) => Router::new().route("/", get(async || html(NAME))),
    }
}

fn consoles() -> Router<Arc<Settings>> {
    Router::new()
        .route("/console", get(page))
        .route("/console/", get(page))
        .route("/console/{*place}", get(page))
        .route("/console.json", get(settings))
}

/// What `/` says where there is nothing to see.
const NAME: &str =
    "<!doctype html>\n<html lang=\"en\">\n<title>ringback</title>\n<p>ringback</p>\n</html>\n";
/// And where there is.
const LINK: &str = "<!doctype html>\n<html lang=\"en\">\n<title>ringback</title>\n\
                    <p>ringback: <a href=\"/console\">console</a></p>\n</html>\n";

/// What the pages need to know before anybody has signed in.
struct Settings {
    /// Which addresses the pages may ask.
    policy: HeaderValue,
    told: Value,
}

impl Settings {
    fn new(section: &ConsoleSection, issuer: String, tries: bool) -> Settings {
        let mut sources = vec!["'self'".to_owned()];
        sources.extend(origin(&issuer));
        sources.extend(section.connect.iter().filter_map(|address| origin(address)));
        let sources = sources.join(" ");
        let signs_in = !issuer.is_empty() && !section.client_id.is_empty();
        let sign_in = signs_in.then(|| {
            json!({
                "issuer": issuer,
                "clientId": section.client_id,
                "scopes": section.scopes,
                "audience": section.audience,
                "token": section.token,
            })
        });
        Settings {
            policy: policy(&sources),
            told: json!({
                "version": env!("CARGO_PKG_VERSION"),
                "dev": tries,
                "signIn": sign_in,
            }),
        }
    }
}

/// The scheme, host and port of an address; `None` of anything else.
fn origin(address: &str) -> Option<String> {
    let url = web_address(address, true).ok()?;
    Some(url.origin().ascii_serialization())
}

/// Nothing but files of ours, and nobody else asked but `sources`.
fn policy(sources: &str) -> HeaderValue {
    let text = format!(
        "default-src 'self'; connect-src {sources}; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types ringback"
    );
    // What `origin` gives is ASCII without spaces.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

async fn settings(State(settings): State<Arc<Settings>>) -> Response {
    guarded(&settings.policy, Json(&settings.told).into_response())
}

async fn page(State(settings): State<Arc<Settings>>) -> Response {
    let page = include_str!("../console/index.html");
    let at = files::address("console/");
    guarded(&settings.policy, html(&page.replace("{console}/", &at)))
}

fn html(page: &str) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    guarded(
        &HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        (kind, page.to_owned()).into_response(),
    )
}

/// What keeps a page to itself.
fn guarded(policy: &HeaderValue, mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_origin_is_read_off_an_address_and_nothing_else_gets_into_the_policy() {
        for (address, expected) in [
            (
                "https://login.example.com/realms/x",
                Some("https://login.example.com"),
            ),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            (
                "https://a.example/; script-src *",
                Some("https://a.example"),
            ),
            ("https://a.example; script-src *", None),
            ("https://a.example, https://b.example", None),
            ("ringback-dev", None),
            ("https://", None),
        ] {
            assert_eq!(origin(address).as_deref(), expected, "{address}");
        }
    }
}
