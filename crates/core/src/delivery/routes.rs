//! The routes that there are, and which comes first for a message.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Conversion;
use crate::event::MessageKind;
use crate::moment::Id;

/// What statistics call the country of a number that belongs to none.
pub const NO_COUNTRY: &str = "none";

/// What is known of a route before it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRules {
    /// The countries (ISO 3166-1 alpha-2) that it serves; empty for all.
    pub countries: BTreeSet<String>,
    /// The kinds of messages ([`MessageKind::code`]) that it carries; empty for all.
    pub kinds: BTreeSet<String>,
    /// Whether it tells a repeated message by its id, and brings it out once.
    pub tells_repeats: bool,
    /// What each text message costs, in millionths of the operator's currency; 0 where nobody counts.
    pub cost_per_segment: u64,
}

impl RouteRules {
    fn serves(&self, country: Option<&str>, kind: MessageKind) -> bool {
        let any = |set: &BTreeSet<String>, wanted: Option<&str>| {
            set.is_empty() || wanted.is_some_and(|wanted| set.contains(wanted))
        };
        any(&self.countries, country) && any(&self.kinds, Some(kind.code()))
    }
}

/// What says which route comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The order that is listed.
    #[default]
    Listed,
    /// The same, but that routes whose codes are seldom handed in come last.
    Conversion,
}

/// The routes that there are, and which comes first where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// By name.
    pub rules: BTreeMap<String, RouteRules>,
    /// The order where a country has none of its own.
    pub default: Vec<String>,
    /// The order for a country (ISO 3166-1 alpha-2).
    pub by_country: BTreeMap<String, Vec<String>>,
    /// What says which comes first.
    pub prefer: Prefer,
}

impl Routes {
    /// Whether a route brings a message that it is given again only once.
    pub(super) fn tells_repeats(&self, route: &str) -> bool {
        let rules = self.rules.get(route);
        rules.is_some_and(|rules| rules.tells_repeats)
    }

    /// Whether it depends on a number's country which routes serve it.
    pub fn ask_country(&self) -> bool {
        self.prefer == Prefer::Conversion
            || !self.by_country.is_empty()
            || self.rules.values().any(|rules| !rules.countries.is_empty())
    }

    /// Whether messages of this kind go to numbers of this country, and a number that has opted out of these routes
    /// can be reached by none of them.
    pub fn all_stopped(
        &self,
        country: Option<&str>,
        kind: MessageKind,
        opted_out: &BTreeSet<String>,
    ) -> bool {
        if opted_out.is_empty() {
            return false;
        }
        let order = self.order(country, kind, 0);
        !order.is_empty() && order.iter().all(|route| opted_out.contains(*route))
    }

    /// What each text message of this kind is expected to cost there: what the first route that is listed takes.
    pub fn cost_per_segment(&self, country: Option<&str>, kind: MessageKind) -> u64 {
        let first = self
            .first(country, kind, 0)
            .and_then(|route| self.rules.get(route));
        first.map_or(0, |rules| rules.cost_per_segment)
    }

    /// The routes for a message, best first: each further round begins with the next one.
    pub fn order(&self, country: Option<&str>, kind: MessageKind, round: u32) -> Vec<&str> {
        let own = country.and_then(|country| self.by_country.get(country));
        let names = own.unwrap_or(&self.default).iter();
        let serves = |name: &&String| {
            let rules = self.rules.get(*name);
            rules.is_some_and(|rules| rules.serves(country, kind))
        };
        let mut order: Vec<&str> = names.filter(serves).map(String::as_str).collect();
        if !order.is_empty() {
            let turns = round as usize % order.len();
            order.rotate_left(turns);
        }
        order
    }

    /// The same for a new message, by how routes have done lately where that counts.
    pub fn order_now(
        &self,
        conversion: Option<&Conversion>,
        country: Option<&str>,
        message: (Id, MessageKind),
        round: u32,
    ) -> Vec<&str> {
        let (id, kind) = message;
        let known = conversion.filter(|_| self.prefer == Prefer::Conversion);
        let (Some(known), MessageKind::Code { .. }) = (known, kind) else {
            return self.order(country, kind, round);
        };
        let listed = self.order(country, kind, 0);
        let mut order = known.rank(listed, country.unwrap_or(NO_COUNTRY), id);
        if !order.is_empty() {
            let turns = round as usize % order.len();
            order.rotate_left(turns);
        }
        order
    }

    /// The route that a new message waits for; `None` when none serves it.
    pub fn first(&self, country: Option<&str>, kind: MessageKind, round: u32) -> Option<&str> {
        self.order(country, kind, round).first().copied()
    }
}
