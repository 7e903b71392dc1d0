//! Who waits for messages, by route: a commit wakes those for whom it left some.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// One bell for each route that somebody has waited for.
#[derive(Default)]
pub(crate) struct Wakeups(Mutex<HashMap<String, Arc<Notify>>>);

impl Wakeups {
    /// What rings when messages wait for this route; an empty name is for those that have none.
    pub(crate) fn of(&self, route: &str) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(route.to_owned()).or_default().clone()
    }

    /// Messages wait for these routes. Whoever begins to wait for one later is told, too.
    pub(crate) fn ring(&self, routes: &[String]) {
        for route in routes {
            self.of(route).notify_one();
        }
    }
}
