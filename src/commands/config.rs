//! `ringback config`: what can be configured, and what is.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use super::load;
use crate::config::DEFAULTS;

/// `ringback config`: prints the reference, or with a file the settings in effect.
pub fn config(file: Option<PathBuf>) -> anyhow::Result<()> {
    let text = match file {
        None => DEFAULTS.to_owned(),
        Some(file) => load(Some(file))?.in_effect(),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads may have seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
