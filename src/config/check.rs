//! What must hold before a configuration can be used; collects everything that does not.

mod auth;
mod events;
mod sms;

use secrecy::ExposeSecret;

use super::address::{database_fault, is_loopback, web_address};
use super::{Api, Config, ConfigError, VendorClient, cors};

impl Config {
    /// Says everything that keeps the whole program, APIs and delivery, from starting.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut error = ConfigError::default();
        self.judge_apis(&mut error);
        self.judge_server(&mut error);
        self.judge_tls(&mut error);
        self.judge_database(&mut error);
        self.judge_secrets(&mut error);
        self.judge_auth(&mut error);
        self.judge_vendor(&mut error);
        self.judge_policy(&mut error);
        self.judge_reachfive(&mut error);
        self.judge_messages(&mut error);
        self.judge_events(&mut error);
        self.judge_cors(&mut error);
        self.judge_console(&mut error);
        self.judge_verify(&mut error);
        self.judged(error)
    }

    /// Says everything that keeps tokens from being read.
    pub fn check_auth(&self) -> Result<(), ConfigError> {
        let mut error = ConfigError::default();
        self.judge_auth(&mut error);
        self.judged(error)
    }

    /// Says everything that keeps a process that only delivers from starting.
    pub fn check_delivery(&self) -> Result<(), ConfigError> {
        let mut error = ConfigError::default();
        self.judge_database(&mut error);
        self.judge_secrets(&mut error);
        self.judge_policy(&mut error);
        self.judge_messages(&mut error);
        self.judge_events(&mut error);
        self.judged(error)
    }

    /// Says everything that keeps a process that only sends a text from starting.
    pub fn check_routes(&self) -> Result<(), ConfigError> {
        let mut error = ConfigError::default();
        self.judge_messages(&mut error);
        self.judged(error)
    }

    /// Says everything that keeps a process that only migrates from starting.
    pub fn check_database(&self) -> Result<(), ConfigError> {
        let mut error = ConfigError::default();
        self.judge_database(&mut error);
        self.judged(error)
    }

    /// What is wrong, each with where it came from.
    fn judged(&self, mut error: ConfigError) -> Result<(), ConfigError> {
        error.each(|problem| self.sources.locate(problem));
        error.or_ok()
    }

    fn judge_apis(&self, error: &mut ConfigError) {
        if self.apis.is_empty() {
            error.add("apis", "is empty; list at least one, such as \"zitadel\"");
        }
        if !self.vendor.clients.is_empty() && !self.apis.contains(&Api::Frontegg) {
            error.add(
                "vendor.clients",
                "is of no use without the API that gives them tokens; add \"frontegg\" to apis, or leave it out",
            );
        }
    }

    fn judge_server(&self, error: &mut ConfigError) {
        let server = &self.server;
        if !(10..=3_600).contains(&server.idle_seconds) {
            error.add("server.idle_seconds", "must be 10 to 3600");
        }
        if server.drain_seconds > 300 {
            error.add("server.drain_seconds", "must be 0 to 300");
        }
        let open = !server.listen.ip().is_loopback();
        if open && self.sms.has_inbox() {
            error.add(
                "sms.routes",
                format!(
                    "has the inbox, which shows every code, and server.listen ({}) can be reached from outside; \
                     leave \"inbox\" out, or listen on 127.0.0.1",
                    server.listen
                ),
            );
        }
        if !(8..=4_096).contains(&server.body_mib) {
            error.add("server.body_mib", "must be 8 to 4096");
        }
    }

    /// Whether the files hold what they should is seen when they are read.
    fn judge_tls(&self, error: &mut ConfigError) {
        let missing = |path: &std::path::Path| path.as_os_str().is_empty();
        match (missing(&self.tls.certificate), missing(&self.tls.key)) {
            (true, false) => error.add(
                "tls.certificate",
                "is missing; set it to the certificate of tls.key, or leave both out",
            ),
            (false, true) => error.add(
                "tls.key",
                "is missing; set it to the key of tls.certificate, or leave both out",
            ),
            (true, true) | (false, false) => {}
        }
    }

    fn judge_database(&self, error: &mut ConfigError) {
        let database = &self.database;
        let url = database.url.expose_secret();
        let sqlite = url.starts_with("sqlite:");
        if !sqlite && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            error.add(
                "database.url",
                "must begin with sqlite: or postgres://, such as sqlite:ringback.db",
            );
        } else if let Some(fault) = database_fault(url) {
            error.add("database.url", fault);
        }
        if sqlite && database.lanes > 1 {
            error.add("database.lanes", "must be 0 or 1: SQLite has one writer");
        }
        if database.lanes > 64 {
            error.add("database.lanes", "must be at most 64");
        }
        let seconds = |seconds: u64| usize::try_from(seconds).unwrap_or(usize::MAX);
        let counts = [
            ("database.lane_bound", database.lane_bound, 1_000_000),
            ("database.batch", database.batch, 10_000),
            ("database.readers", database.readers as usize, 1_000),
            (
                "database.timeout_seconds",
                seconds(database.timeout_seconds),
                60,
            ),
            ("database.list_seconds", seconds(database.list_seconds), 60),
            (
                "database.lists_per_organization",
                database.lists_per_organization,
                1_000,
            ),
        ];
        for (key, count, most) in counts {
            if !(1..=most).contains(&count) {
                error.add(key, format!("must be 1 to {most}"));
            }
        }
    }

    fn judge_secrets(&self, error: &mut ConfigError) {
        if let Err(secrets) = self.keys() {
            error.append(secrets);
        }
    }

    fn judge_vendor(&self, error: &mut ConfigError) {
        let vendor = &self.vendor;
        if !(60..=30 * 86_400).contains(&vendor.token_seconds) {
            error.add("vendor.token_seconds", "must be 60 to 2592000");
        }
        for (name, client) in &vendor.clients {
            let place = |key: &str| format!("vendor.clients.{name}.{key}");
            let id = &client.client_id;
            if !(1..=200).contains(&id.chars().count()) || id.chars().any(char::is_control) {
                error.add(
                    place("client_id"),
                    "must have 1 to 200 printable characters",
                );
            }
            let same = |(other, section): (&String, &VendorClient)| {
                other < name && section.client_id == client.client_id
            };
            if vendor.clients.iter().any(same) {
                error.add(
                    place("client_id"),
                    "is also that of another entry; each client can be configured once",
                );
            }
            if client.secret.expose_secret().chars().count() < 32 {
                error.add(
                    place("secret"),
                    "must have at least 32 characters, as `openssl rand -base64 32` prints them",
                );
            }
        }
    }

    fn judge_policy(&self, error: &mut ConfigError) {
        self.judge_test_numbers(error);
        let policies = self.policies();
        if let Err(policy) = policies.default.check() {
            error.add(policy.key, policy.reason);
            return;
        }
        for (id, policy) in &policies.by_organization {
            if let Err(policy) = policy.check() {
                error.add(format!("organizations.{id}.{}", policy.key), policy.reason);
            }
        }
    }

    fn judge_reachfive(&self, error: &mut ConfigError) {
        let section = &self.reachfive;
        // RFC 6749, section 3.3: a name never holds a space.
        if section.required_scope.contains(char::is_whitespace) {
            error.add("reachfive.required_scope", "must be one scope, or none");
        }
        let symbol = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let language = &section.language;
        if !(2..=35).contains(&language.len()) || !language.chars().all(symbol) {
            error.add(
                "reachfive.language",
                "must be a language tag such as en or pt-BR",
            );
        }
    }

    fn judge_messages(&self, error: &mut ConfigError) {
        if let Err(texts) = self.texts() {
            error.append(texts);
        }
        self.judge_routes(error);
    }

    fn judge_verify(&self, error: &mut ConfigError) {
        let verify = &self.verify;
        if !(60..=86_400).contains(&verify.session_seconds) {
            error.add("verify.session_seconds", "must be 60 to 86400");
        }
        for url in &verify.return_urls {
            let plain = |url: &reqwest::Url| url.query().is_none() && url.fragment().is_none();
            let any_port = url.contains(":*");
            let reason = match web_address(&url.replacen(":*", "", 1), false) {
                Ok(read) if any_port && !is_loopback(&read) => {
                    "any port is for this machine only".to_owned()
                }
                Ok(read) if plain(&read) => continue,
                Ok(_) => "ends in a query or a fragment; write the part before it".to_owned(),
                Err(fault) => fault.to_string(),
            };
            error.add("verify.return_urls", format!("{url}: {reason}"));
        }
        if !verify.enabled {
            return;
        }
        if self.server.public_url.is_empty() && !self.server.listen.ip().is_loopback() {
            error.add(
                "server.public_url",
                "is missing; verify.enabled needs it for the address of the page",
            );
        }
        if !self.apis.contains(&Api::Ringback) {
            error.add(
                "verify.enabled",
                "is of no use without the API that opens sessions; add \"ringback\" to apis",
            );
        }
    }

    /// What can be used but may not be what is meant, each in a sentence.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let verify = &self.verify;
        if verify.enabled && verify.return_urls.is_empty() {
            remarks.push(
                "verify.return_urls is empty: no session may have a returnUrl, so the page leads back nowhere"
                    .to_owned(),
            );
        }
        if verify.enabled && self.server.public_url.is_empty() {
            remarks.push(format!(
                "server.public_url is empty: verify.enabled gives out addresses at {}, which only this machine reaches",
                self.server.listen
            ));
        }
        remarks
    }

    fn judge_cors(&self, error: &mut ConfigError) {
        for origin in &self.cors.allowed_origins {
            if !cors::is_pattern(origin) {
                error.add(
                    "cors.allowed_origins",
                    format!(
                        "{origin} is no origin; write https://HOST, https://HOST:PORT, https://*.DOMAIN, or \"*\" \
                         for any"
                    ),
                );
            }
        }
        for name in &self.cors.allowed_headers {
            if name.parse::<http::HeaderName>().is_err() {
                error.add(
                    "cors.allowed_headers",
                    format!("{name:?} is no name of a header"),
                );
            }
        }
    }
}
