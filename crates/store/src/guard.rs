//! What the guard knows of countries and of numbers that begin alike: kept in memory, where decisions look at it and
//! hear nobody's lock for longer than a look takes; written down, and learnt from other processes, about once a second.

mod exchange;
mod gate;
mod memory;
mod recorded;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use ringback_core::guard::{
    CountryTally, Destination, Heard, Known, Mode, Observation, Place, PrefixTally, Standing, Tally,
};
use ringback_core::rights::Scope;
use ringback_core::{Policies, Refusal, Time};

pub use recorded::{RecordedPage, RecordedPlace};

use crate::Store;
#[cfg(test)]
pub(crate) use exchange::{tallies_named, tallies_since};
use gate::Gate;
use memory::Memory;

/// What this process knows.
#[derive(Default)]
pub(crate) struct Guards {
    memory: RwLock<Memory>,
    gate: Mutex<Gate>,
    /// One at a time writes down and reads.
    exchanging: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guards")
    }
}

/// What was heard of a command of an organisation, and when.
pub(crate) type News = (String, Heard, Time);

impl Guards {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many refusals of an account an event of one would tell of; `None` where none is to be written.
    pub(crate) fn tells_of(&self, account: (&str, &str), now: Time) -> Option<u32> {
        self.gate().tells_of(account, now)
    }

    /// A code of an account was refused, and an event was written of it or not.
    pub(crate) fn refused(&self, account: (&str, &str), told: bool, now: Time) {
        self.gate().refused(account, told, now);
    }

    /// What was committed.
    pub(crate) fn hear(&self, policies: &Policies, news: &[News]) {
        if news.is_empty() {
            return;
        }
        for (_, heard, _) in news {
            count(heard);
        }
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        for (organization, heard, at) in news {
            memory.hear(organization, &policies.of(organization).guard, heard, *at);
        }
    }
}

fn count(heard: &Heard) {
    let (result, reasons) = match heard {
        Heard::Sent { reasons, .. } if reasons.is_empty() => ("allowed", reasons),
        Heard::Sent { reasons, .. } => ("recorded", reasons),
        Heard::Refused { reasons, .. } => ("refused", reasons),
        Heard::Answered { .. } => return,
    };
    let reason = reasons.first().map_or("none", |reason| reason.code());
    metrics::counter!("ringback_guard_decisions_total", "result" => result, "reason" => reason)
        .increment(1);
}

/// What is known while a batch is decided: what its commands so far would add counts.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    guards: &'a Guards,
    policies: &'a Policies,
    changed: RefCell<HashMap<(String, Place), Tally>>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(guards: &'a Guards, policies: &'a Policies) -> Batch<'a> {
        Batch {
            guards,
            policies,
            changed: RefCell::default(),
        }
    }

    /// One of its commands sends a code.
    pub(crate) fn hear(&self, organization: &str, heard: &Heard, at: Time) {
        let Some((to, Observation::Sent)) = heard.told() else {
            return;
        };
        let rules = &self.policies.of(organization).guard;
        let memory = self.guards.memory.read();
        let memory = memory.unwrap_or_else(PoisonError::into_inner);
        let mut changed = self.changed.borrow_mut();
        for place in to.places() {
            let known = || memory.of(organization, &place).cloned();
            let tally = changed
                .entry((organization.to_owned(), place.clone()))
                .or_insert_with(|| known().unwrap_or_else(|| Tally::fresh(&place)));
            tally.tell(rules, Observation::Sent, at);
        }
    }
}

impl Known for Batch<'_> {
    fn show(
        &self,
        organization: &str,
        to: &Destination,
        look: &mut dyn FnMut(&CountryTally, &PrefixTally),
    ) {
        let memory = self.guards.memory.read();
        let memory = memory.unwrap_or_else(PoisonError::into_inner);
        let changed = self.changed.borrow();
        let [country, prefix] = to.places();
        let find = |place: Place| {
            let key = (organization.to_owned(), place);
            let here = match changed.is_empty() {
                true => None,
                false => changed.get(&key),
            };
            here.or_else(|| memory.of(organization, &key.1))
        };
        let (fresh_country, fresh_prefix) = Default::default();
        let country = match find(country) {
            Some(Tally::Country(tally)) => tally,
            Some(Tally::Prefix(_)) | None => &fresh_country,
        };
        let prefix = match find(prefix) {
            Some(Tally::Prefix(tally)) => tally,
            Some(Tally::Country(_)) | None => &fresh_prefix,
        };
        look(country, prefix);
    }
}

/// Whether some organisation is guarded.
pub(crate) fn guards_any(policies: &Policies) -> bool {
    let mut all = policies.by_organization.values().chain([&policies.default]);
    all.any(|policy| policy.guard.mode != Mode::Off)
}

impl Store {
    /// How each country stands that codes go to, and numbers that begin alike where they are held back or an operator
    /// lets them pass: by organisation, as far as the scope reaches. As old as the last [`Store::exchange_guard`].
    pub fn guard_standings(&self, scope: &Scope) -> Vec<(String, Standing)> {
        let now = self.now();
        let policies = &self.shared.rules.policies;
        let memory = self.shared.guards.memory.read();
        let memory = memory.unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for (organization, place, tally) in memory.all() {
            let reached = match scope {
                Scope::Everywhere => true,
                Scope::Organization(own) => own == organization,
                Scope::Own { .. } => false,
            };
            if !reached {
                continue;
            }
            let rules = &policies.of(organization).guard;
            if tally.is_quiet(rules, now) {
                continue;
            }
            let standing = Standing::of(rules, place, tally, now);
            let held = !standing.reasons.is_empty() || standing.allowed_until.is_some();
            let of_country = matches!(place, Place::Country(_)) && standing.sent > 0;
            if held || of_country {
                found.push((organization.to_owned(), standing));
            }
        }
        found.sort_by(|a, b| (&a.0, &a.1.place).cmp(&(&b.0, &b.1.place)));
        found
    }

    /// Lets codes of an organisation go to a place until then, whatever was counted against it: to a country, or to
    /// the numbers that begin so, of every length that is known. Says to how many places. Other processes learn of it
    /// within two seconds.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]; nothing is changed then, or others learn of it later.
    pub async fn guard_allow(
        &self,
        organization: &str,
        place: &Place,
        until: Time,
    ) -> Result<usize, Refusal> {
        let _exchanging = self.shared.guards.exchanging.lock().await;
        // What others know of the place may not be known here yet.
        self.learn_tallies().await?;
        let now = self.now();
        let rules = &self.shared.rules.policies.of(organization).guard;
        let count = {
            let memory = self.shared.guards.memory.write();
            let mut memory = memory.unwrap_or_else(PoisonError::into_inner);
            memory.allow(organization, rules, place, until, now)
        };
        self.write_tallies_down(true).await?;
        Ok(count)
    }
}
