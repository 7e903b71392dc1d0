//! What each key takes: the kind of its value and an example of one, read off the default file.

use figment::value::{Dict, Num, Value};

use super::DEFAULTS;
use super::error::ConfigError;
use super::layers::{merge, parse};

/// Examples for keys that have none in the default file; `*` is any name.
const EXAMPLES: &str = r#"
    [server]
    trusted_proxies = ["10.0.0.0/8"]
    public_url = "https://phones.example.com"
    [tls]
    certificate = "/etc/ringback/tls-cert.pem"
    key = "/etc/ringback/tls-key.pem"
    [secrets]
    pseudonym_key = "..."
    [secrets.code_keys]
    "*" = "..."
    [auth.roles]
    "*" = ["user.read"]
    [auth.issuers."*"]
    issuer = "https://login.example.com"
    audiences = ["ringback"]
    algorithms = ["RS256"]
    jwks_url = "https://login.example.com/keys"
    allow_insecure = false
    jwks_file = "keys.json"
    public_key_file = "key.pem"
    secret = "..."
    organization = "acme"
    organization_claim = "tenant.id"
    may_grant = ["user.read"]
    everywhere = false
    home_organizations = ["31337"]
    roles_claim = "realm_access.roles"
    scopes_grant = false
    audience_required = false
    [numbers]
    default_region = "CH"
    [test_numbers."*"]
    code = "123456"
    until = "2027-01-01T00:00:00Z"
    [guard]
    allow_countries = ["CH"]
    deny_countries = ["CU"]
    high_price_countries = ["AZ"]
    [limits.sends_per_country_per_day]
    default = 500
    "*" = 5000
    [organizations."*".limits]
    sends_per_organization_per_day = 2000
    spend_per_organization_per_day = "250"
    [organizations."*".limits.sends_per_country_per_day]
    default = 200
    "*" = 2000
    [organizations."*".guard]
    mode = "enforce"
    allow_countries = ["CH"]
    deny_countries = ["CU"]
    high_price_countries = ["AZ"]
    refused_kinds = ["premium_rate"]
    unverified_floor = 20
    unverified_floor_high_price = 5
    unverified_percent = 60
    hour_percent = 25
    growth_floor = 200
    growth_times = 5
    prefix_sends = 20
    prefix_percent = 10
    trusted_percent = 30
    prefix_day = 200
    prefix_block_seconds = 3600
    address_unverified = 20
    address_countries = 3
    [organizations."*".numbers]
    default_region = "CH"
    kinds = ["mobile"]
    [organizations."*".sms.order]
    default = ["relay"]
    "*" = ["relay"]
    [organizations."*".messages]
    service_name = "Acme"
    domain = "acme.example"
    android_hash = "A1b2C3d4E5f"
    language = "de"
    [organizations."*".messages.texts."*"]
    code = "{code} ist Ihr Code bei {service}."
    removal_code = "{code} entfernt diese Nummer bei {service}."
    replaced = "Bei {service} gilt jetzt eine andere Nummer."
    removed = "Bei {service} ist diese Nummer jetzt entfernt."
    [events.endpoints."*"]
    url = "https://app.example.com/events"
    secrets = ["whsec_..."]
    kinds = ["phone.*"]
    organizations = ["acme"]
    allow_insecure = false
    allow_private = false
    timeout_seconds = 10
    max_in_flight = 16
    give_up_hours = 72
    [vendor.clients."*"]
    client_id = "backend"
    secret = "..."
    [self_service]
    required_scope = "phone"
    [messages]
    domain = "example.com"
    android_hash = "A1b2C3d4E5f"
    [messages.texts."*"]
    code = "{code} ist Ihr Code bei {service}."
    removal_code = "{code} entfernt diese Nummer bei {service}."
    replaced = "Bei {service} gilt jetzt eine andere Nummer."
    removed = "Bei {service} ist diese Nummer jetzt entfernt."
    [sms.order]
    default = ["relay"]
    "*" = ["relay"]
    [sms.routes."*"]
    type = "webhook"
    countries = ["CH"]
    kinds = ["code"]
    sender = "+41790000000"
    timeout_seconds = 5
    max_in_flight = 64
    per_second = 30
    cost_per_segment = "0.0075"
    url = "https://sms.example.com/send"
    secrets = ["whsec_..."]
    allow_insecure = false
    allow_private = false
    receipts = false
    method = "POST"
    json = "..."
    username = "acme"
    password = "..."
    least_validity_seconds = 60
    most_validity_seconds = 86400
    success = ["2xx"]
    reference = "/id"
    tells_repeats = false
    check_url = "https://sms.example.com/account"
    account = "AC..."
    auth_token = "..."
    api_key = "SK..."
    api_secret = "..."
    messaging_service = "MG..."
    base_url = "https://api.twilio.com"
    application = "..."
    private_key = "..."
    signature_secret = "..."
    host = "smsc.example.com"
    port = 2775
    tls = true
    ca_file = "/etc/ringback/smsc-ca.pem"
    system_id = "acme"
    system_type = "sms"
    bind = "transceiver"
    binds = 1
    window = 10
    enquire_link_seconds = 30
    source_ton = 5
    source_npi = 0
    dest_ton = 1
    dest_npi = 1
    data_coding = 0
    long_messages = "parts"
    validity = true
    hex_ids = "nowhere"
    [sms.routes."*".sender_by_country]
    "*" = "Acme"
    [sms.routes."*".query]
    "*" = "..."
    [sms.routes."*".headers]
    "*" = "..."
    [sms.routes."*".form]
    "*" = "..."
    [sms.routes."*".secret]
    "*" = "..."
    [sms.routes."*".errors]
    "*" = "invalid"
    [sms.routes."*".receipt]
    status = "/status"
    error = "/error"
    signed = "header"
    header = "x-token"
    prefix = "sha256="
    secret = "..."
    username = "acme"
    [sms.routes."*".inbound]
    from = "/from"
    text = "/text"
    signed = "header"
    header = "x-token"
    prefix = "sha256="
    secret = "..."
    username = "acme"
    [sms.routes."*".receipt.values]
    "*" = "delivered"
    [sms.routes."*".receipt.errors]
    "*" = "invalid"
    [verify]
    return_urls = ["https://app.example.com/settings"]
    [cors]
    allowed_origins = ["https://app.example.com"]
    allowed_headers = ["x-request-id"]
    [console]
    issuer = "main"
    client_id = "ringback-console"
    audience = "ringback"
    connect = ["https://tokens.example.com"]
"#;

/// Every key that there is, with an example of its value.
pub(super) struct Form(Dict);

/// A value that its key cannot take, by the names that lead to it.
pub(super) enum Misfit {
    /// No such key.
    Unknown(Vec<String>),
    /// A value of another kind.
    Kind(Vec<String>),
}

impl Misfit {
    pub(super) fn path(&self) -> &[String] {
        match self {
            Misfit::Unknown(path) | Misfit::Kind(path) => path,
        }
    }
}

impl Form {
    pub(super) fn new() -> Result<Form, ConfigError> {
        let mut form = parse("the defaults", DEFAULTS)?;
        merge(&mut form, parse("the examples", EXAMPLES)?);
        Ok(Form(form))
    }

    /// The example of a key, or the table of that path.
    pub(super) fn key(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(below(&self.0, first)?, |value, name| {
            below(value.as_dict()?, name)
        })
    }

    /// The same, where the path may lead into a list.
    pub(super) fn find(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(below(&self.0, first)?, |value, name| match value {
                Value::Array(_, items) => items.first(),
                value => below(value.as_dict()?, name),
            })
    }

    /// The table that holds the last name of a path.
    pub(super) fn above(&self, path: &[String]) -> Option<&Dict> {
        match path {
            [] => None,
            [_] => Some(&self.0),
            [above @ .., _] => self.find(above)?.as_dict(),
        }
    }

    /// Whether the last name of a path is one that somebody chose, as an issuer's is.
    pub(super) fn is_chosen(&self, path: &[String]) -> bool {
        let chosen = |dict: &Dict| {
            let known = path.last().is_some_and(|last| dict.contains_key(last));
            dict.contains_key("*") && !known
        };
        self.above(path).is_some_and(chosen)
    }

    /// Everything in `values` that no key can take.
    pub(super) fn misfits(&self, values: &Dict) -> Vec<Misfit> {
        let mut found = Vec::new();
        in_table(&self.0, values, &mut Vec::new(), &mut found);
        found
    }

    /// The paths of all keys and tables; `*` stands for chosen names.
    pub(super) fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        paths_below(&self.0, &mut Vec::new(), &mut paths);
        paths
    }
}

fn below<'a>(dict: &'a Dict, name: &str) -> Option<&'a Value> {
    dict.get(name).or_else(|| dict.get("*"))
}

fn paths_below(dict: &Dict, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    for (name, value) in dict {
        path.push(name.clone());
        paths.push(path.clone());
        if let Some(dict) = value.as_dict() {
            paths_below(dict, path, paths);
        }
        path.pop();
    }
}

fn in_table(form: &Dict, values: &Dict, path: &mut Vec<String>, found: &mut Vec<Misfit>) {
    for (name, value) in values {
        path.push(name.clone());
        match below(form, name) {
            Some(form) => in_value(form, value, path, found),
            None => found.push(Misfit::Unknown(path.clone())),
        }
        path.pop();
    }
}

fn in_value(form: &Value, value: &Value, path: &mut Vec<String>, found: &mut Vec<Misfit>) {
    match (form, value) {
        (_, Value::Dict(_, dict)) if is_date(dict) => found.push(Misfit::Kind(path.clone())),
        (Value::Dict(_, form), Value::Dict(_, values)) => in_table(form, values, path, found),
        (Value::Array(_, form), Value::Array(_, items)) => {
            let Some(form) = form.first() else { return };
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string());
                in_value(form, item, path, found);
                path.pop();
            }
        }
        (form, value) if kind(form) == kind(value) => {}
        _ => found.push(Misfit::Kind(path.clone())),
    }
}

/// What a key takes, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(_, Num::F32(_) | Num::F64(_)) => "a number with a decimal point",
        Value::Num(..) => "a whole number",
        Value::Array(..) => "a list",
        Value::Dict(_, dict) if is_date(dict) => "a date",
        Value::Dict(..) => "a table",
        Value::Empty(..) => "nothing",
    }
}

/// Dates are tables of one key to those who do not ask for them.
fn is_date(dict: &Dict) -> bool {
    dict.keys()
        .any(|key| key.starts_with("$__toml_private_datetime"))
}
