//! What must hold of `[audit]` and `[events]`.

use ringback_core::event::EventKind;
use ringback_sms::RouteError;

use super::sms::is_name;
use crate::config::events::is_kind;
use crate::config::{Config, ConfigError};

impl Config {
    pub(super) fn judge_events(&self, error: &mut ConfigError) {
        let audit = &self.audit;
        if audit.keep_days > 36_500 {
            error.add("audit.keep_days", "must be 0 to 36500");
        }
        if !(10..=86_400).contains(&audit.checkpoint_seconds) {
            error.add("audit.checkpoint_seconds", "must be 10 to 86400");
        }
        for (name, endpoint) in &self.events.endpoints {
            let place = format!("events.endpoints.{name}");
            if !is_name(name) {
                error.add(
                    &*place,
                    "must be up to 32 of a to z, 0 to 9, - and _, and begin with a letter",
                );
            }
            match endpoint.hook() {
                Ok(_) => {}
                Err(RouteError::Setting { key, says }) => {
                    error.add(format!("{place}.{key}"), says);
                }
                Err(other) => error.add(&*place, other.to_string()),
            }
            for kind in endpoint.kinds.iter().filter(|kind| !is_kind(kind)) {
                let kinds = EventKind::ALL.map(EventKind::code).join(", ");
                error.add(
                    format!("{place}.kinds"),
                    format!("{kind:?} is no kind of event; there are {kinds}, and phone.* for all that begin so"),
                );
            }
            let counts = [
                ("timeout_seconds", endpoint.timeout_seconds, 30),
                ("max_in_flight", endpoint.max_in_flight, 1_000),
                ("give_up_hours", endpoint.give_up_hours, 8_784),
            ];
            for (key, count, most) in counts {
                if count.is_some_and(|count| !(1..=most).contains(&count)) {
                    error.add(format!("{place}.{key}"), format!("must be 1 to {most}"));
                }
            }
        }
    }
}
