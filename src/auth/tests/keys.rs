//! Keys in files.

use super::*;

pub(super) fn write(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

#[tokio::test]
async fn public_keys_of_every_kind_verify() {
    let hands = Hands::new();
    for pair in [Pair::ec("k"), Pair::ed("k"), Pair::rsa("k")] {
        let file = write(&pair.public_pem);
        let issuer = IssuerSection {
            public_key_file: file.path().display().to_string(),
            ..section(&[pair.algorithm])
        };
        let auth = auth(issuer, &hands);
        assert!(
            ask(&auth, &pair.token()).await.is_ok(),
            "{:?}",
            pair.algorithm
        );
    }
}

#[tokio::test]
async fn files_that_are_no_keys_are_named_at_start() {
    let hands = Hands::new();
    let file = write("no key");
    let path = file.path().display().to_string();
    let pem = IssuerSection {
        public_key_file: path.clone(),
        ..section(&[Algorithm::RS256])
    };
    let set = IssuerSection {
        jwks_file: path,
        ..section(&[Algorithm::RS256])
    };
    let gone = IssuerSection {
        jwks_file: "no/such/file".into(),
        ..section(&[Algorithm::RS256])
    };
    let empty = section(&[Algorithm::HS256]);
    for (issuer, key) in [
        (pem, "auth.issuers.main.public_key_file"),
        (set, "auth.issuers.main.jwks_file"),
        (gone, "auth.issuers.main.jwks_file"),
        (empty, "auth.issuers.main.secret"),
    ] {
        let error = try_auth(issuer, &hands)
            .map(|_| ())
            .expect_err("must be refused");
        assert_eq!(error.problems()[0].key, key);
    }
}
