//! What `ringback dev` prints at start.

use std::fs;
use std::path::Path;

use super::{DEV_FILE, DevHome};

impl DevHome {
    /// What is printed at start: lines to paste, from a new user to a verified number. `program` is how it was
    /// called; `authority` is what clients must trust, when the service has a certificate of
    /// [`DevHome::certificate`].
    pub fn welcome(&self, program: &str, base_url: &str, authority: Option<&Path>) -> String {
        let program = quoted(program);
        let dev_file = quoted(&self.dir.join(DEV_FILE).display().to_string());
        let data_dir = quoted(&self.dir.display().to_string());
        // Whole, because it is of use in other directories too.
        let authority = authority.map(|path| {
            let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            quoted(&whole.display().to_string())
        });
        let (curl, trust) = match &authority {
            None => ("curl -s".to_owned(), String::new()),
            Some(path) => (format!("curl -s --cacert {path}"), trust(path)),
        };
        format!(
            r#"ringback listens on {base_url}
{trust}
Paste these lines into another terminal to verify a first number:

  TOKEN=$(sed -n 's/.*"adminToken":"\([^"]*\)".*/\1/p' {dev_file})

  # register a user
  {curl} {base_url}/v2/users/human -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{{"userId":"alice","profile":{{"givenName":"Alice","familyName":"Example"}},"email":{{"email":"alice@example.com"}}}}'

  # set her number: a code is sent
  {curl} {base_url}/v2/users/alice/phone -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{{"phone":"+41791234567"}}'

  # read the code from the inbox
  CODE=$({curl} '{base_url}/dev/inbox?to=%2B41791234567' | sed -n 's/^[^}}]*"code": *"\([^"]*\)".*/\1/p')

  # submit it
  {curl} {base_url}/v2/users/alice/phone/verify -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d "{{\"verificationCode\":\"$CODE\"}}"

  # her number is verified
  {curl} {base_url}/v2/users/alice -H "Authorization: Bearer $TOKEN"

A token for Alice herself: {program} token --data-dir {data_dir} --sub alice
Everything that can be called: {base_url}/openapi.json
In a browser, with the inbox as it fills: {base_url}/
"#
        )
    }
}

/// How to trust the certificate of `ringback dev --tls`.
fn trust(authority: &str) -> String {
    format!(
        r#"
Its certificate is for localhost, 127.0.0.1 and ::1. Clients trust it by its authority:

  curl --cacert {authority} ...
  export NODE_EXTRA_CA_CERTS={authority}

It was made once and lasts 800 days; delete the tls-*.pem files beside it for a new one.
"#
    )
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
