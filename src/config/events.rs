//! `[events]`: who is told of events.

use std::collections::BTreeMap;
use std::time::Duration;

use ringback_core::event::EventKind;
use ringback_sms::{Hook, HookSettings, RouteError};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// `[events]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsSection {
    /// Who is told, by names.
    pub endpoints: BTreeMap<String, EndpointSection>,
}

/// `[events.endpoints.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointSection {
    /// Where events are posted.
    pub url: String,
    /// What posts are signed with.
    pub secrets: Vec<SecretString>,
    /// Of which kinds; empty for all.
    pub kinds: Vec<String>,
    /// Of which organisations; empty for all.
    pub organizations: Vec<String>,
    /// Lets the address begin with http.
    pub allow_insecure: bool,
    /// Lets it lead to this machine or into a private network.
    pub allow_private: bool,
    /// How long one post may take.
    pub timeout_seconds: Option<i64>,
    /// How many posts may be under way.
    pub max_in_flight: Option<i64>,
    /// How long an event is tried that the endpoint does not take while it takes others.
    pub give_up_hours: Option<i64>,
}

impl EndpointSection {
    /// Where events are posted to.
    ///
    /// # Errors
    /// What is wrong with a key.
    pub fn hook(&self) -> Result<Hook, RouteError> {
        let secrets = self.secrets.iter();
        Hook::new(HookSettings {
            url: self.url.clone(),
            secrets: secrets
                .map(|secret| secret.expose_secret().to_owned())
                .collect(),
            timeout: self.timeout(),
            allow_insecure: self.allow_insecure,
            allow_private: self.allow_private,
        })
    }

    /// How long one post may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(number(self.timeout_seconds, 10))
    }

    /// How many posts may be under way.
    pub fn in_flight(&self) -> usize {
        usize::try_from(number(self.max_in_flight, 16)).unwrap_or(1)
    }

    /// How long an event is tried.
    pub fn give_up(&self) -> Duration {
        Duration::from_secs(number(self.give_up_hours, 72).saturating_mul(3_600))
    }

    /// Whether it is told of an event of this kind and organisation.
    pub fn wants(&self, kind: &str, organization: &str) -> bool {
        let of_kind = |wanted: &String| match wanted.strip_suffix('*') {
            Some(group) => kind.starts_with(group),
            None => wanted == kind,
        };
        (self.kinds.is_empty() || self.kinds.iter().any(of_kind))
            && (self.organizations.is_empty()
                || self
                    .organizations
                    .iter()
                    .any(|wanted| wanted == organization))
    }
}

fn number(set: Option<i64>, usual: u64) -> u64 {
    set.and_then(|set| u64::try_from(set).ok()).unwrap_or(usual)
}

/// Whether there are events of a kind, or of kinds that begin so: `phone.verified`, `phone.*`.
pub(super) fn is_kind(text: &str) -> bool {
    let mut kinds = EventKind::ALL.iter().map(|kind| kind.code());
    match text.strip_suffix(".*") {
        Some(group) => kinds.any(|kind| kind.split('.').next() == Some(group)),
        None => kinds.any(|kind| kind == text),
    }
}
