//! Where a page may return to: an address below one that the configuration lists, and no other.

use reqwest::Url;

use crate::config::web_address;

/// The parameter that a result comes in.
const RESULT: &str = "ringback_result";

/// The address as it will be used, if it is below one of those that are `allowed`: the same scheme, host and port,
/// unless an entry for this machine says `:*`, and a path that begins with the same parts.
pub(super) fn allowed(text: &str, allowed: &[String]) -> Option<String> {
    let url = web_address(text, true).ok()?;
    let below = |entry: &String| match entry.split_once(":*") {
        None => Url::parse(entry).is_ok_and(|entry| is_below(&url, &entry)),
        Some((origin, path)) => {
            let mut any = url.clone();
            // Only an address without a host has no port to lose.
            let entry = Url::parse(&format!("{origin}{path}"));
            any.set_port(None).is_ok() && entry.is_ok_and(|entry| is_below(&any, &entry))
        }
    };
    // A result has no place in what the page's scripts alone see.
    let plain = url.fragment().is_none();
    (plain && allowed.iter().any(below)).then(|| url.to_string())
}

/// The URL standard has taken dots out of both paths already, however they were written.
fn is_below(url: &Url, entry: &Url) -> bool {
    let path = entry.path();
    let whole = path.strip_suffix('/').unwrap_or(path);
    let rest = url.path().strip_prefix(whole);
    url.origin() == entry.origin()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        // What a server behind may take for a dot or a slash after all is in no address of ours.
        && !["%2f", "%5c", "%2e", "\\"].iter().any(|odd| url.path().to_ascii_lowercase().contains(odd))
}

/// The same with a result, in place of one that stood there.
pub(super) fn with_result(text: &str, result: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    let kept = url.query_pairs().filter(|(name, _)| name != RESULT);
    let kept: Vec<(String, String)> = kept
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .collect();
    let mut query = url.query_pairs_mut();
    query.clear();
    query.extend_pairs(kept).append_pair(RESULT, result);
    drop(query);
    Some(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_an_entry_is_returned_to() {
        let entries = [
            "https://app.example.com/settings".to_owned(),
            "http://localhost:3000/".to_owned(),
        ];
        for good in [
            "https://app.example.com/settings",
            "https://app.example.com/settings/",
            "https://app.example.com/settings/phone?tab=2",
            "https://APP.example.com:443/settings/phone",
            "http://localhost:3000/any/where",
        ] {
            assert!(allowed(good, &entries).is_some(), "{good}");
        }
        for bad in [
            "https://app.example.com/",
            "https://app.example.com/settings-of-others",
            "https://app.example.com/settings/../admin",
            "https://app.example.com/settings/%2e%2e/admin",
            "https://app.example.com/settings/..%2fadmin",
            "https://app.example.com/settings/..%5cadmin",
            "https://app.example.com/settings#x",
            "http://app.example.com/settings",
            "https://app.example.com:8443/settings",
            "https://app.example.com.evil.example/settings",
            "https://app.example.com@evil.example/settings",
            "https://user@app.example.com/settings",
            "//app.example.com/settings",
            "/settings",
            "javascript:alert(1)",
            "https:\\\\evil.example\\settings",
            "http://localhost:3001/",
            "",
        ] {
            assert_eq!(allowed(bad, &entries), None, "{bad}");
        }
        assert_eq!(allowed("https://app.example.com/", &[]), None);
        let local = ["http://localhost:*/app".to_owned()];
        assert!(allowed("http://localhost:5173/app/done", &local).is_some());
        for bad in [
            "http://localhost:5173/",
            "https://localhost:5173/app",
            "http://localhost.evil.example:1/app",
        ] {
            assert_eq!(allowed(bad, &local), None, "{bad}");
        }
    }

    #[test]
    fn a_result_comes_beside_what_stood_there() {
        let with = |text| with_result(text, "a.b").expect("an address");
        assert_eq!(
            with("https://a.example/x"),
            "https://a.example/x?ringback_result=a.b"
        );
        let other = with("https://a.example/x?tab=2&ringback_result=mine");
        assert_eq!(other, "https://a.example/x?tab=2&ringback_result=a.b");
    }
}
