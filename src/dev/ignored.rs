//! Variables that `ringback dev` does not read, and what to do in their place.

/// Beginnings of their names; the whole name where it does not end in underscores.
const IGNORED: [(&str, &str); 5] = [
    (
        "RINGBACK_DATABASE__URL",
        "the database is a file of the data directory; for another one start `ringback dev --database-url URL`",
    ),
    (
        "RINGBACK_SERVER__LISTEN",
        "start `ringback dev --listen ADDRESS:PORT`",
    ),
    (
        "RINGBACK_SECRETS__",
        "the keys are those of the data directory; for others start `ringback serve`",
    ),
    (
        "RINGBACK_AUTH__ISSUERS__DEV__",
        "the issuer dev is that of `ringback token`; choose another name for yours",
    ),
    (
        "RINGBACK_VENDOR__CLIENTS__DEV__",
        "the client dev is that of dev.json; choose another name for yours",
    ),
];

/// With `--tls`.
const WITH_TLS: (&str, &str) = (
    "RINGBACK_TLS__",
    "the certificate is one that `ringback dev --tls` makes; leave out --tls for your own",
);

/// What is to be done in place of this variable, if it is not read.
pub fn instead_of(name: &str, tls: bool) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let all = IGNORED.iter().chain(tls.then_some(&WITH_TLS));
    let is = |begin: &str| match begin.ends_with("__") {
        true => name.starts_with(begin),
        false => name.strip_suffix("_FILE").unwrap_or(&name) == begin,
    };
    all.into_iter()
        .find(|(begin, _)| is(begin))
        .map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_directory_and_the_arguments_decide_is_ignored() {
        for name in [
            "RINGBACK_DATABASE__URL",
            "RINGBACK_DATABASE__URL_FILE",
            "RINGBACK_database__url",
            "RINGBACK_SERVER__LISTEN",
            "RINGBACK_SECRETS__CODE_KEYS__1",
            "RINGBACK_SECRETS__PSEUDONYM_KEY_FILE",
            "RINGBACK_AUTH__ISSUERS__DEV__ISSUER",
            "RINGBACK_VENDOR__CLIENTS__DEV__SECRET",
        ] {
            assert!(instead_of(name, false).is_some(), "{name}");
        }
        for name in [
            "RINGBACK_DATABASE__LANES",
            "RINGBACK_DATABASE__URLS",
            "RINGBACK_AUTH__ISSUERS__MAIN__ISSUER",
            "RINGBACK_SERVER__CONNECTIONS",
            "RINGBACK_TLS__KEY",
        ] {
            assert_eq!(instead_of(name, false), None, "{name}");
        }
        assert!(instead_of("RINGBACK_TLS__KEY", true).is_some());
        assert!(
            instead_of("RINGBACK_DATABASE__URL", false)
                .unwrap()
                .contains("--database-url")
        );
    }
}
