//! `[audit]`: how long events are kept, and how often they are signed.

use std::time::Duration;

use serde::Deserialize;

/// `[audit]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSection {
    /// Days that events are kept; 0 for ever.
    pub keep_days: u64,
    /// Seconds between two checkpoints of an organisation.
    pub checkpoint_seconds: u64,
}

impl AuditSection {
    /// How long events are kept, unless for ever.
    pub fn keep(&self) -> Option<Duration> {
        let days = Duration::from_secs(self.keep_days.saturating_mul(86_400));
        Some(days).filter(|days| !days.is_zero())
    }
}
