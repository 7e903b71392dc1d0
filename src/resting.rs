//! Which routes are left alone for a while, as the worker of this process has found out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringback_core::Time;

/// Until when routes are left alone. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Resting(Arc<Mutex<BTreeMap<String, Time>>>);

impl Resting {
    /// A route is left alone until then; a time that has passed means that it is not.
    pub fn note(&self, route: &str, until: Time) {
        self.all().insert(route.to_owned(), until);
    }

    /// Until when a route is left alone; `None` for one that is not.
    pub fn until(&self, route: &str, now: Time) -> Option<Time> {
        self.all().get(route).copied().filter(|until| *until > now)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Time>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
