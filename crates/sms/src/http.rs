//! Any provider's HTTP interface, by a recipe of the operator's.

mod inbound;
mod parts;
mod receipts;
mod rules;
mod settings;
mod template;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{RequestBuilder, Url};
use ringback_core::Time;
use ringback_core::delivery::{RouteFault, Verdict};
use secrecy::{ExposeSecret, SecretString};

pub use settings::{HttpInboundSettings, HttpReceiptSettings, HttpSettings, Signed};

use crate::line::{Line, address};
use crate::{Inbound, Receipt, ReceiptError, ReceiptRequest, Report, RouteError, Sms};
use inbound::InboundRules;
use parts::{host_of, read_basic, read_json, read_url};
use receipts::Receipts;
use rules::{Read, Rules};
use template::{Field, JsonTemplate, Template, Values};

/// What stays as it is in a part of a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Header fields that follow from the connection and the body.
const CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A route to a provider's HTTP interface.
#[derive(Clone)]
pub struct Http {
    recipe: Arc<Recipe>,
    line: Line,
}

/// What settings say, read.
struct Recipe {
    method: Method,
    url: Template,
    query: Vec<(String, Template)>,
    headers: Vec<(HeaderName, Template)>,
    body: Body,
    basic: Option<(SecretString, SecretString)>,
    validity: (u64, u64),
    rules: Rules,
    receipts: Option<Receipts>,
    inbound: Option<InboundRules>,
    check: Url,
    check_known: bool,
    tells_repeats: bool,
}

enum Body {
    None,
    Form(Vec<(String, Template)>),
    Json(JsonTemplate),
}

impl HttpSettings {
    /// Whether a route can be made of them.
    ///
    /// # Errors
    /// [`RouteError::Setting`] with the first key that is wrong.
    pub fn check(&self) -> Result<(), RouteError> {
        Recipe::read(self).map(|_| ())
    }
}

impl Http {
    /// `timeout`: how long a whole attempt may take.
    ///
    /// # Errors
    /// [`RouteError::Setting`] with the first key that is wrong.
    pub fn new(settings: &HttpSettings, timeout: Duration) -> Result<Http, RouteError> {
        Ok(Http {
            recipe: Arc::new(Recipe::read(settings)?),
            line: Line::new(timeout, settings.allow_private)?,
        })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.line.timeout()
    }

    pub(crate) fn tells_repeats(&self) -> bool {
        self.recipe.tells_repeats
    }

    pub(crate) fn sends_receipts(&self) -> bool {
        self.recipe.receipts.is_some()
    }

    pub(crate) async fn send(&self, sms: &Sms, now: Time) -> Report {
        let recipe = &*self.recipe;
        let values = Values::new(sms, now, recipe.validity);
        let Some(request) = self.request(&values) else {
            let fault = RouteFault::Protocol;
            let reason = "the recipe does not make a request of this message";
            return Report::failed(Verdict::Unable { fault }, reason);
        };
        let answer = match self.line.ask(request).await {
            Ok(answer) => answer,
            Err(report) => return report,
        };
        let read = Read::new(answer.status, &answer.body);
        let (class, says) = recipe.rules.judge(&read);
        class.report(&says, answer.after, recipe.rules.reference(&read))
    }

    pub(crate) async fn check(&self) -> Result<(), RouteError> {
        let recipe = &*self.recipe;
        if !recipe.check_known {
            return self.line.check(&recipe.check).await;
        }
        let mut request = self.line.client().get(recipe.check.clone());
        for (name, template) in &recipe.headers {
            if let Some(value) = template.fixed().and_then(|text| header_value(&text)) {
                request = request.header(name, value);
            }
        }
        self.line.check_known(recipe.authenticated(request)).await
    }

    pub(crate) fn read_receipt(
        &self,
        request: &ReceiptRequest<'_>,
    ) -> Result<Receipt, ReceiptError> {
        match &self.recipe.receipts {
            Some(receipts) => receipts.read(request),
            None => Err(ReceiptError::NoReceipts),
        }
    }

    pub(crate) fn sends_inbound(&self) -> bool {
        self.recipe.inbound.is_some()
    }

    pub(crate) fn read_inbound(
        &self,
        request: &ReceiptRequest<'_>,
    ) -> Result<Inbound, ReceiptError> {
        match &self.recipe.inbound {
            Some(inbound) => inbound.read(request),
            None => Err(ReceiptError::NoInbound),
        }
    }

    /// `None` when what the message says has no place in a header field or an address.
    fn request(&self, values: &Values<'_>) -> Option<RequestBuilder> {
        let recipe = &*self.recipe;
        let escape = |text: &str| utf8_percent_encode(text, PATH).to_string();
        let mut url = Url::parse(&recipe.url.fill_with(values, escape)?).ok()?;
        let query = filled(&recipe.query, values);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.line.client().request(recipe.method.clone(), url);
        for (name, template) in &recipe.headers {
            if let Some(value) = template.fill(values) {
                request = request.header(name, header_value(&value)?);
            }
        }
        let request = recipe.authenticated(request);
        let has_type = || recipe.headers.iter().any(|(name, _)| name == CONTENT_TYPE);
        let typed = |request: RequestBuilder, kind: &'static str| match has_type() {
            true => request,
            false => request.header(CONTENT_TYPE, kind),
        };
        Some(match &recipe.body {
            Body::None => request,
            Body::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(filled(fields, values));
                typed(request, "application/x-www-form-urlencoded").body(form.finish())
            }
            Body::Json(template) => {
                let document = template.fill(values)?;
                typed(request, "application/json").body(document.to_string())
            }
        })
    }
}

fn of<K: Into<String>>((key, says): (K, String)) -> RouteError {
    RouteError::setting(key, says)
}

fn filled(fields: &[(String, Template)], values: &Values<'_>) -> Vec<(String, String)> {
    let fields = fields.iter();
    let fields = fields.filter_map(|(name, value)| Some((name.clone(), value.fill(values)?)));
    fields.collect()
}

fn header_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Recipe {
    fn read(own: &HttpSettings) -> Result<Recipe, RouteError> {
        let wrong = |key: &str, says: &str| RouteError::setting(key, says);
        let method = match own.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            _ => return Err(wrong("method", "must be GET, POST, PUT or PATCH")),
        };
        let mut secrets = own.secret.iter();
        if let Some((name, _)) = secrets.find(|(_, secret)| secret.expose_secret().is_empty()) {
            let says = "is empty; set it, best in the environment";
            return Err(wrong(&format!("secret.{name}"), says));
        }
        let url = read_url(own)?;
        let template = |key: &str, text: &str| {
            Template::parse(text, &own.secret).map_err(|says| wrong(key, &says))
        };
        let table = |key: &str, fields: &BTreeMap<String, String>| {
            let fields = fields.iter();
            let fields = fields.map(|(name, text)| {
                template(&format!("{key}.{name}"), text).map(|value| (name.clone(), value))
            });
            fields.collect::<Result<Vec<_>, _>>()
        };
        let mut headers = Vec::new();
        for (name, value) in table("headers", &own.headers)? {
            let key = HeaderName::try_from(&name)
                .map_err(|_| wrong("headers", "holds what is no name of a header field"))?;
            if !own.username.is_empty() && key == AUTHORIZATION {
                return Err(wrong(
                    "headers.authorization",
                    "is made of username and password; leave one out",
                ));
            }
            if CONNECTION.contains(&key) {
                let says = "is for the connection, which sees to it; leave it out";
                return Err(wrong(&format!("headers.{name}"), says));
            }
            if value
                .fixed()
                .is_some_and(|text| header_value(&text).is_none())
            {
                let says = "holds what no header field may, such as a line break at the end of a secret; take it out";
                return Err(wrong(&format!("headers.{name}"), says));
            }
            headers.push((key, value));
        }
        let body = match (&own.json, own.form.is_empty()) {
            (Some(_), false) => return Err(wrong("json", "is set, and so is form; leave one out")),
            (Some(json), true) => Body::Json(read_json(own, json)?),
            (None, false) => Body::Form(table("form", &own.form)?),
            (None, true) => Body::None,
        };
        if method == Method::GET && !matches!(body, Body::None) {
            return Err(wrong(
                "method",
                "must be POST, PUT or PATCH for a request with form or json; a GET has query",
            ));
        }
        let validity = (own.least_validity_seconds, own.most_validity_seconds);
        if validity.0 == 0 || validity.0 > validity.1 {
            return Err(wrong(
                "least_validity_seconds",
                "must be 1 or more, and not above most_validity_seconds",
            ));
        }
        let query = table("query", &own.query)?;
        let names = |any: &[Field]| {
            let fields = query.iter().map(|(_, value)| value);
            let mut fields = fields.chain(headers.iter().map(|(_, value)| value));
            fields.any(|value| value.names(any))
                || match &body {
                    Body::None => false,
                    Body::Form(fields) => fields.iter().any(|(_, value)| value.names(any)),
                    Body::Json(template) => template.names(any),
                }
        };
        let names_callback = names(&[Field::Callback]);
        let says = |any: &[Field]| names(any) || url.names(any);
        // A route may be there for what people write back alone.
        let sends = own.inbound.is_none() || !query.is_empty() || !matches!(body, Body::None);
        let missing = match () {
            () if !sends => None,
            () if !says(&[Field::To, Field::ToDigits]) => Some(
                "has no {to} and no {to_digits}, and nor has the rest of the request: the provider would not learn whose \
                 number it is",
            ),
            () if !says(&[Field::Text, Field::Code]) => Some(
                "has no {text} and no {code}, and nor has the rest of the request: nobody would get a code",
            ),
            () => None,
        };
        let receipts = own.receipt.as_ref().map(Receipts::parse);
        let receipts = receipts.transpose().map_err(of)?;
        // What people write back may be signed as that table says.
        if receipts.is_some() && !names_callback && own.inbound.is_none() {
            return Err(wrong(
                "receipt",
                "is there, and nothing in the request says {callback}, so that none would come; put it where the \
                 provider takes the address for receipts, or leave receipt out",
            ));
        }
        let check_known = !own.check_url.is_empty();
        if own.check_url.contains("{secret.") {
            let says = "is taken as it is: names in braces do not stand for anything here";
            return Err(wrong("check_url", says));
        }
        let check = match check_known {
            true => address(
                "check_url",
                &own.check_url,
                own.allow_insecure,
                own.allow_private,
            )?,
            false => address(
                "url",
                &host_of(&own.url),
                own.allow_insecure,
                own.allow_private,
            )?,
        };
        let recipe = Recipe {
            method,
            url,
            query,
            headers,
            body,
            basic: read_basic(own)?,
            validity,
            rules: Rules::parse(&own.success, &own.errors, &own.reference).map_err(of)?,
            receipts,
            inbound: InboundRules::parse(own).map_err(of)?,
            check,
            check_known,
            tells_repeats: own.tells_repeats,
        };
        // Last, as it is said of a request that is in order otherwise.
        match (missing, &recipe.body) {
            (Some(says), Body::Json(_)) => Err(wrong("json", says)),
            (Some(says), Body::Form(_)) => Err(wrong("form", says)),
            (Some(says), Body::None) => Err(wrong("query", says)),
            (None, _) => Ok(recipe),
        }
    }

    fn authenticated(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.basic {
            Some((name, password)) => {
                request.basic_auth(name.expose_secret(), Some(password.expose_secret()))
            }
            None => request,
        }
    }
}
