//! What a header such as Content-Type names, read in one place.

use http::{HeaderMap, HeaderName};

/// A media type, as far as it tells protocols apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentType {
    /// gRPC with protobuf.
    Grpc,
    /// gRPC-web with protobuf.
    GrpcWeb {
        /// In base64.
        text: bool,
    },
    /// JSON in UTF-8.
    Json,
    /// Bare protobuf.
    Proto,
    /// Anything else, or nothing.
    Other,
    /// gRPC or gRPC-web with messages that are not protobuf.
    OtherGrpc,
}

impl ContentType {
    /// What the header says. Parameters change nothing, but for a charset that is not UTF-8.
    pub(super) fn of(headers: &HeaderMap, name: HeaderName) -> ContentType {
        let text = headers.get(name).and_then(|value| value.to_str().ok());
        let mut parts = text.unwrap_or_default().split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let kind = match essence.as_str() {
            "application/grpc" | "application/grpc+proto" => ContentType::Grpc,
            "application/grpc-web" | "application/grpc-web+proto" => {
                ContentType::GrpcWeb { text: false }
            }
            "application/grpc-web-text" | "application/grpc-web-text+proto" => {
                ContentType::GrpcWeb { text: true }
            }
            "application/json" => ContentType::Json,
            "application/proto" => ContentType::Proto,
            other if other.starts_with("application/grpc") => ContentType::OtherGrpc,
            _ => ContentType::Other,
        };
        let is_utf8 = |parameter: &str| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        };
        match kind {
            ContentType::Json | ContentType::Proto if !parts.all(is_utf8) => ContentType::Other,
            kind => kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn only_what_is_served_is_named() {
        let of = |text: &str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, text.parse().unwrap())]);
            ContentType::of(&headers, CONTENT_TYPE)
        };
        for grpc in ["application/grpc", "Application/GRPC+proto; x=y"] {
            assert_eq!(of(grpc), ContentType::Grpc, "{grpc}");
        }
        for web in [
            "application/grpc-web",
            "application/grpc-web+proto;charset=x",
        ] {
            assert_eq!(of(web), ContentType::GrpcWeb { text: false }, "{web}");
        }
        let text = "application/grpc-web-text; charset=utf-8";
        assert_eq!(of(text), ContentType::GrpcWeb { text: true });
        for other in [
            "application/grpc+json",
            "application/grpc+thrift",
            "application/grpcx",
            "application/grpc-web+json",
            "application/grpc-webx",
        ] {
            assert_eq!(of(other), ContentType::OtherGrpc, "{other}");
        }
        assert_eq!(of("application/json; charset=\"UTF-8\""), ContentType::Json);
        assert_eq!(of("application/json; charset=latin1"), ContentType::Other);
        assert_eq!(of("text/json"), ContentType::Other);
        assert_eq!(
            ContentType::of(&HeaderMap::new(), CONTENT_TYPE),
            ContentType::Other
        );
    }
}
