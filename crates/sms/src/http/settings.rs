//! What `type = "http"` may say.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

/// A provider's HTTP interface. `Debug` shows nothing that may be secret.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// `GET`, `POST`, `PUT` or `PATCH`.
    pub method: String,
    /// Where to; may have places for what every message has.
    pub url: String,
    /// What is appended to `url`, after what it has of its own.
    pub query: BTreeMap<String, String>,
    /// Header fields.
    pub headers: BTreeMap<String, String>,
    /// The body, as a form.
    pub form: BTreeMap<String, String>,
    /// The body, as JSON: a table, or a text that holds a document.
    pub json: Option<Value>,
    /// The name for basic authentication, in which `{secret.NAME}` may stand; empty for none.
    pub username: String,
    /// Its password, as it is; may be empty.
    pub password: SecretString,
    /// What templates find as `{secret.NAME}`.
    pub secret: BTreeMap<String, SecretString>,
    /// The least that `{validity_seconds}` is.
    pub least_validity_seconds: u64,
    /// The most that it is.
    pub most_validity_seconds: u64,
    /// Conditions, any of which says that the provider has the message.
    pub success: Vec<String>,
    /// Conditions, and what each means.
    pub errors: BTreeMap<String, String>,
    /// Where the answer says what the provider calls the message: a JSON pointer, or what is before it in a text.
    pub reference: String,
    /// Whether the provider tells a repeated message by `{id}`, and brings it out once.
    pub tells_repeats: bool,
    /// How it tells what became of a message; absent when it does not.
    pub receipt: Option<HttpReceiptSettings>,
    /// How it passes on what people write back; absent when it does not.
    pub inbound: Option<HttpInboundSettings>,
    /// An address that answers 2xx only to whom the provider knows: asked by checks, with the same headers.
    pub check_url: String,
    /// Lets addresses begin with http.
    pub allow_insecure: bool,
    /// Lets addresses be of this machine and of private networks.
    pub allow_private: bool,
}

/// Receipts of a provider.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpReceiptSettings {
    /// Where the state is: `query.NAME`, `form.NAME` or a JSON pointer.
    pub status: String,
    /// What states mean: `on_the_way`, `delivered`, `undelivered`, or `undelivered:` and a class. `*` is every
    /// other; without it, others mean nothing yet.
    pub values: BTreeMap<String, String>,
    /// Where the code of an error is; empty for nowhere.
    pub error: String,
    /// What codes of errors mean, where the state alone does not say.
    pub errors: BTreeMap<String, String>,
    /// How it is known that they are from the provider.
    pub signed: Signed,
    /// The header field that holds the signature or the token.
    pub header: String,
    /// What is before the signature in that field, such as `sha256=`.
    pub prefix: String,
    /// What it is signed with, the token itself, or the password.
    pub secret: SecretString,
    /// The name for basic authentication.
    pub username: String,
}

/// What people write back.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpInboundSettings {
    /// Where it says who has written: `query.NAME`, `form.NAME` or a JSON pointer.
    pub from: String,
    /// Where the text is.
    pub text: String,
    /// How it is known that it is from the provider; `None` for the way of receipts.
    pub signed: Option<Signed>,
    /// The header field that holds the signature or the token.
    pub header: String,
    /// What is before the signature in that field, such as `sha256=`.
    pub prefix: String,
    /// What it is signed with, the token itself, or the password.
    pub secret: SecretString,
    /// The name for basic authentication.
    pub username: String,
}

/// How it is known that a receipt is from the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signed {
    /// It knows the address, which holds a secret of the message.
    #[default]
    None,
    /// A header field holds a secret.
    Header,
    /// A header field holds the HMAC-SHA-256 of the body, in hex or base64.
    HmacSha256,
    /// Basic authentication.
    Basic,
}

impl Signed {
    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Signed::None => "none",
            Signed::Header => "header",
            Signed::HmacSha256 => "hmac_sha256",
            Signed::Basic => "basic",
        }
    }
}

impl Default for HttpSettings {
    fn default() -> HttpSettings {
        HttpSettings {
            method: "POST".into(),
            url: String::new(),
            query: BTreeMap::new(),
            headers: BTreeMap::new(),
            form: BTreeMap::new(),
            json: None,
            username: String::new(),
            password: SecretString::default(),
            secret: BTreeMap::new(),
            least_validity_seconds: 1,
            most_validity_seconds: 172_800,
            success: vec!["2xx".into()],
            errors: BTreeMap::new(),
            reference: String::new(),
            tells_repeats: false,
            receipt: None,
            inbound: None,
            check_url: String::new(),
            allow_insecure: false,
            allow_private: false,
        }
    }
}

impl Default for HttpReceiptSettings {
    fn default() -> HttpReceiptSettings {
        HttpReceiptSettings {
            status: String::new(),
            values: BTreeMap::new(),
            error: String::new(),
            errors: BTreeMap::new(),
            signed: Signed::None,
            header: String::new(),
            prefix: String::new(),
            secret: SecretString::default(),
            username: String::new(),
        }
    }
}

impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSettings")
            .field("method", &self.method)
            .field("receipt", &self.receipt)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpReceiptSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpReceiptSettings")
            .field("signed", &self.signed)
            .finish_non_exhaustive()
    }
}
