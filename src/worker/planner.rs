//! Which route next: what the configuration says and how the routes have done lately, for the decision in core.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use ringback_core::delivery::{State, Step, Trail, Verdict, Waiting, next};
use ringback_core::{Message, Policies, Time};
use ringback_store::Settled;
use tracing::{error, info, warn};

use super::breaker::{Breaker, Turned};
use crate::resting::Resting;

/// The routes of an installation, and how they do.
pub(super) struct Planner {
    policies: Policies,
    breakers: BTreeMap<String, Mutex<Breaker>>,
    /// What the breakers say, for whoever asks from outside.
    pub(super) resting: Resting,
}

impl Planner {
    /// `policies` say which routes there are; a breaker is kept for each of `names`.
    pub(super) fn new<'a>(policies: Policies, names: impl Iterator<Item = &'a str>) -> Planner {
        Planner {
            policies,
            breakers: names.map(|name| (name.into(), Mutex::default())).collect(),
            resting: Resting::default(),
        }
    }

    /// What becomes of a message after what was tried. `receipt`: whether more will be heard of it.
    pub(super) fn plan(
        &self,
        message: &Message,
        trail: &Trail,
        receipt: bool,
        now: Time,
    ) -> Settled {
        let routes = &self.policies.of(&message.organization).routes;
        let country = routes.ask_country().then(|| message.number.country());
        let country = country.flatten();
        let order = routes.order(country.as_deref(), message.kind, message.round);
        let waiting = Waiting {
            order: &order,
            routes,
            trail,
            kind: message.kind,
            expires_at: message.expires_at,
        };
        let ready = |route: &str| match self.breaker(route) {
            Some(breaker) => breaker.ready_at(now),
            None => Time(i64::MIN),
        };
        match next(waiting, ready, now) {
            Step::Try { route, at } => Settled::Waits {
                route: route.to_owned(),
                at,
            },
            Step::Await if receipt => Settled::Handed,
            Step::Await => Settled::Ended(State::Handed),
            Step::End(state) => Settled::Ended(state),
        }
    }

    /// Whether a route may be asked now; it must have answered within `timeout`.
    pub(super) fn admits(&self, route: &str, now: Time, timeout: Duration) -> bool {
        let breaker = self.breaker(route);
        breaker.is_none_or(|mut breaker| breaker.admits(now, timeout))
    }

    /// Notes what a route made of a message.
    pub(super) fn note(&self, route: &str, verdict: Verdict, reason: &str, now: Time) {
        let Some(mut breaker) = self.breaker(route) else {
            return;
        };
        let turned = breaker.note(verdict, now);
        self.resting.note(route, breaker.ready_at(now));
        gauge!("ringback_route_state", "route" => route.to_owned()).set(breaker.level());
        match (turned, verdict) {
            (Some(Turned::Open(rest)), Verdict::Unable { fault }) => {
                counter!("ringback_route_opened_total", "route" => route.to_owned()).increment(1);
                let seconds = rest.as_secs();
                error!(
                    route,
                    seconds,
                    reason,
                    "{}: the route is left alone",
                    fault.reason()
                );
            }
            (Some(Turned::Open(rest)), _) => {
                counter!("ringback_route_opened_total", "route" => route.to_owned()).increment(1);
                let seconds = rest.as_secs();
                warn!(route, seconds, reason, "the route fails and is left alone");
            }
            (Some(Turned::Closed), _) => info!(route, "the route works again"),
            (None, _) => {}
        }
    }

    fn breaker(&self, route: &str) -> Option<MutexGuard<'_, Breaker>> {
        let breaker = self.breakers.get(route)?;
        Some(breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
