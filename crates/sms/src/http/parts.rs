//! What a recipe says of its address, its credentials and its JSON, read.

use secrecy::{ExposeSecret, SecretString};

use super::settings::HttpSettings;
use super::template::{JsonTemplate, Template};
use crate::RouteError;
use crate::line::address;

/// The name, which may hold a secret, and the password, which is taken as it is.
pub(super) fn read_basic(
    own: &HttpSettings,
) -> Result<Option<(SecretString, SecretString)>, RouteError> {
    let wrong = |says: &str| RouteError::setting("username", says);
    let name = Template::parse(&own.username, &own.secret).map_err(|says| wrong(&says))?;
    let name = name.fixed();
    let name = name.ok_or_else(|| wrong("may have {secret.NAME} in braces, and nothing else"))?;
    match (name.is_empty(), own.password.expose_secret().is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err(wrong("is missing beside the password")),
        (false, _) => Ok(Some((name.into(), own.password.clone()))),
    }
}

/// Scheme, host and port of an address with places.
pub(super) fn host_of(url: &str) -> String {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url[from..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| from + at);
    url[..end].to_owned()
}

/// The address: places only in its path, and only for what every message has.
pub(super) fn read_url(own: &HttpSettings) -> Result<Template, RouteError> {
    let wrong = |says: &str| RouteError::setting("url", says);
    if own.url.is_empty() {
        return Err(wrong(
            "is missing; set it to the address that the provider gives for sending",
        ));
    }
    let host = host_of(&own.url);
    address("url", &host, own.allow_insecure, own.allow_private)?;
    let (path, query) = own.url.split_once(['?', '#']).unwrap_or((&own.url, ""));
    if host.contains(['{', '}', '\\']) || query.contains('{') {
        return Err(wrong(
            "may have names in braces in its path only; the table query is for the rest",
        ));
    }
    if path.contains('\\') {
        return Err(wrong("must not hold a backslash"));
    }
    let template = Template::parse(&own.url, &own.secret).map_err(|says| wrong(&says))?;
    if !template.always() {
        return Err(wrong(
            "may only have names in braces that every message has",
        ));
    }
    Ok(template)
}

pub(super) fn read_json(
    own: &HttpSettings,
    json: &serde_json::Value,
) -> Result<JsonTemplate, RouteError> {
    let document = match json {
        serde_json::Value::String(text) => serde_json::from_str(text).map_err(|_| {
            RouteError::setting(
                "json",
                "is not JSON; names in braces stand within texts: \"ttl\": \"{validity_seconds}\"",
            )
        })?,
        other => other.clone(),
    };
    if !document.is_object() && !document.is_array() {
        return Err(RouteError::setting(
            "json",
            "must be a table, or a text that holds an object or a list",
        ));
    }
    JsonTemplate::parse(&document, &own.secret).map_err(|says| RouteError::setting("json", says))
}
