//! `[console]`: pages for people, and how they sign in.

use serde::{Deserialize, Serialize};

use super::{Api, Config, ConfigError, web_address};

/// `[console]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleSection {
    /// Whether there may be one.
    pub enabled: bool,
    /// The name of the issuer of `[auth.issuers]` that people sign in at; empty for none.
    pub issuer: String,
    /// What the console is registered as there; empty where tokens are pasted only.
    pub client_id: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whom the access token shall be for; empty where the issuer knows by itself.
    pub audience: String,
    /// Which of the issuer's tokens opens this service.
    pub token: ConsoleToken,
    /// Other origins that the sign-in asks, such as that of a token endpoint elsewhere.
    pub connect: Vec<String>,
}

/// Which of an issuer's tokens opens this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsoleToken {
    /// The usual one.
    AccessToken,
    /// Where access tokens are no JWTs.
    IdToken,
}

impl Config {
    pub(super) fn judge_console(&self, error: &mut ConfigError) {
        let console = &self.console;
        if console.issuer.is_empty() {
            if !console.client_id.is_empty() {
                let text =
                    "is missing; name the issuer of auth.issuers that knows console.client_id";
                error.add("console.issuer", text);
            }
            return;
        }
        let Some(issuer) = self.auth.issuers.get(&console.issuer) else {
            error.add("console.issuer", "must be the name of one of auth.issuers");
            return;
        };
        if console.enabled && !self.apis.contains(&Api::Ringback) {
            let text = "needs \"ringback\" among apis, whose calls the console makes; add it, or set console.enabled = false";
            error.add("console.issuer", text);
        }
        if !console.client_id.is_empty()
            && let Err(fault) = web_address(&issuer.issuer, issuer.allow_insecure)
        {
            let allow = format!("auth.issuers.{}.allow_insecure", console.issuer);
            let text = format!(
                "people sign in at auth.issuers.{}.issuer, which {}; leave console.client_id out for tokens \
                 to be pasted",
                console.issuer,
                fault.unless(&allow)
            );
            error.add("console.issuer", text);
        }
        if !console.scopes.iter().any(|scope| scope == "openid") {
            error.add("console.scopes", "must hold \"openid\"");
        }
        for address in &console.connect {
            if let Err(fault) = web_address(address, true) {
                error.add("console.connect", format!("{address}: {fault}"));
            }
        }
    }
}
