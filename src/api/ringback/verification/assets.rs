//! The widget's script and words, and the page's files: for every site, kept by browsers for minutes.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::texts::Texts;
use crate::http::files::{self, Keep};

/// The widget; between these two marks is its style.
const WIDGET: &str = "widget/ringback-verify.js";
const STYLE: (&str, &str) = ("const CSS = `", "`;");

pub(super) fn router(texts: &Arc<Texts>) -> Router {
    Router::new()
        .route(
            "/ringback-verify.js",
            get(async |asked| script(WIDGET, &asked)),
        )
        .route("/ringback-verify/texts", get(words))
        .route(
            "/verify/page.js",
            get(async |asked| script("widget/page/page.js", &asked)),
        )
        .route(
            "/verify/page.css",
            get(async |asked: HeaderMap| text(&asked, "text/css; charset=utf-8", &sheet())),
        )
        .with_state(texts.clone())
}

/// A script for pages of every site.
fn script(path: &str, asked: &HeaderMap) -> Response {
    let Some(file) = files::file(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = file.answer(asked, Keep::Shortly);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

fn source(path: &str) -> &'static str {
    let file = files::file(path).map(|file| file.bytes);
    file.and_then(|bytes| std::str::from_utf8(bytes).ok())
        .unwrap_or_default()
}

/// The page's style, and the widget's: pages without scripts need it, too.
fn sheet() -> String {
    let inside = source(WIDGET).split_once(STYLE.0).map(|(_, rest)| rest);
    let inside = inside.and_then(|rest| rest.split_once(STYLE.1));
    let page = source("widget/page/page.css");
    format!("{}\n{page}", inside.map_or("", |(css, _)| css))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    lang: String,
}

async fn words(
    State(texts): State<Arc<Texts>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let wanted = wanted.map(|Query(wanted)| wanted.lang).unwrap_or_default();
    let words = texts.choose(&wanted);
    let (tag, dir) = (words.tag, words.direction());
    let body = format!(
        "{{\"lang\":\"{tag}\",\"dir\":\"{dir}\",\"words\":{}}}",
        words.file.trim_end()
    );
    text(&headers, "application/json", &body)
}

/// A text for pages of every site.
fn text(asked: &HeaderMap, kind: &'static str, text: &str) -> Response {
    let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(text.as_bytes())[..12]);
    let tag = format!("\"{hash}\"");
    let known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let known = known.is_some_and(|known| {
        known
            .split(',')
            .any(|one| one.trim().trim_start_matches("W/") == tag)
    });
    let headers = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "public, max-age=300".to_owned()),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, kind)], text.to_owned()).into_response()
}
