//! Files for browsers that `build.rs` puts into the program: everything below `console/` and `widget/`.

use std::io::Write;
use std::sync::OnceLock;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use tonic::Status;

use super::error;

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Where files are found for good: below it comes [`HASH`], then the path.
const ASSETS: &str = "/assets";

/// A file below this many bytes is sent as it is.
const SMALL: usize = 512;

/// One file.
pub struct File {
    /// From the top of the repository: `console/app.js`.
    pub path: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
    /// The same in gzip, once somebody asked for it.
    packed: OnceLock<Bytes>,
}

/// How long a browser may keep a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It asks each time.
    Never,
    /// For some minutes: the address stays when the file changes.
    Shortly,
    /// For good: another file has another address.
    Forever,
}

/// The file of this path, such as `console/app.js`.
pub fn file(path: &str) -> Option<&'static File> {
    let at = FILES.binary_search_by(|file| file.path.cmp(path)).ok()?;
    Some(&FILES[at])
}

/// Where a browser finds a file for good.
pub fn address(path: &str) -> String {
    format!("{ASSETS}/{HASH}/{path}")
}

/// Every file, at its address.
pub(super) fn router() -> Router {
    let answer = async |head: Parts| match at(head.uri.path()) {
        Some(file) => file.answer(&head.headers, Keep::Forever),
        None => error::status(&Status::not_found("Not Found")),
    };
    Router::new().route("/assets/{*path}", get(answer))
}

/// The file at an address, which is one of [`address`].
fn at(address: &str) -> Option<&'static File> {
    let (hash, path) = address
        .strip_prefix(ASSETS)?
        .strip_prefix('/')?
        .split_once('/')?;
    file(path).filter(|_| hash == HASH)
}

impl File {
    /// The file for whoever asks with these headers.
    pub fn answer(&'static self, asked: &HeaderMap, keep: Keep) -> Response {
        let mut response = Response::new(Body::empty());
        let known = asked.get(header::IF_NONE_MATCH);
        let tag = format!("W/\"{HASH}\"");
        if keep != Keep::Never && known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else if self.bytes.len() >= SMALL && takes_gzip(asked) {
            *response.body_mut() = Body::from(self.packed());
            let gzip = HeaderValue::from_static("gzip");
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, gzip);
        } else {
            *response.body_mut() = Body::from(Bytes::from_static(self.bytes));
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.kind());
        headers.insert(header::CACHE_CONTROL, keep.header());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if keep != Keep::Never {
            // Hexadecimal digits make a header always.
            let tag = HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static(""));
            headers.insert(header::ETAG, tag);
        }
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        response
    }

    fn packed(&self) -> Bytes {
        let pack = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let packed = encoder
                .write_all(self.bytes)
                .and_then(|()| encoder.finish());
            // Writing into memory does not fail.
            Bytes::from(packed.unwrap_or_default())
        };
        self.packed.get_or_init(pack).clone()
    }

    fn kind(&self) -> HeaderValue {
        let kind = match self.path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "application/octet-stream",
        };
        HeaderValue::from_static(kind)
    }
}

impl Keep {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Keep::Never => "no-store",
            Keep::Shortly => "public, max-age=300",
            Keep::Forever => "public, max-age=31536000, immutable",
        })
    }
}

/// Whether gzip is among what the client takes; with `q=0` it is not.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let listed = asked.get_all(header::ACCEPT_ENCODING).iter();
    let listed = listed.filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|q| q > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use http_body_util::BodyExt;

    use super::*;

    async fn asked(
        file: &'static File,
        name: &'static str,
        value: &str,
        keep: Keep,
    ) -> (http::response::Parts, Bytes) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let (head, body) = file.answer(&headers, keep).into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn files_are_packed_for_those_who_take_it() {
        let style = file("console/style.css").unwrap();
        for (value, packs) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
        ] {
            let (head, body) = asked(style, "accept-encoding", value, Keep::Forever).await;
            assert_eq!(
                head.headers.contains_key("content-encoding"),
                packs,
                "{value}"
            );
            assert_eq!(head.headers["vary"], "accept-encoding");
            let mut plain = Vec::new();
            match packs {
                true => drop(GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap()),
                false => plain = body.to_vec(),
            }
            assert!(plain == style.bytes, "{value}");
        }
    }

    #[tokio::test]
    async fn a_known_file_is_not_sent_again() {
        let style = file("console/style.css").unwrap();
        let (head, body) = asked(style, "x-other", "1", Keep::Shortly).await;
        assert_eq!((head.status, body.is_empty()), (StatusCode::OK, false));
        assert_eq!(head.headers["cache-control"], "public, max-age=300");
        let tag = head.headers["etag"].to_str().unwrap().to_owned();
        let (head, body) = asked(style, "if-none-match", &tag, Keep::Shortly).await;
        assert_eq!(
            (head.status, body.is_empty()),
            (StatusCode::NOT_MODIFIED, true)
        );
        let (head, body) = asked(style, "if-none-match", &tag, Keep::Never).await;
        assert_eq!((head.status, body.is_empty()), (StatusCode::OK, false));
        assert!(!head.headers.contains_key("etag"));
    }

    #[test]
    fn every_file_is_at_its_address_and_none_at_another() {
        for known in &FILES {
            assert!(at(&address(known.path)).is_some(), "{}", known.path);
            assert_ne!(known.kind(), "application/octet-stream", "{}", known.path);
        }
        assert!(at("/assets/0000000000000000/console/style.css").is_none());
        assert!(at(&address("console/../Cargo.toml")).is_none());
        assert!(at("/assets").is_none() && at("/assets/").is_none());
    }
}
