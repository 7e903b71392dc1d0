//! The keys that codes and pseudonyms are derived with.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ringback_core::Keys;
use secrecy::{ExposeSecret, SecretString};

use super::{Config, ConfigError};

impl Config {
    /// The keys that codes and pseudonyms are derived with, or which of them is missing or wrong.
    pub fn keys(&self) -> Result<Keys, ConfigError> {
        let mut error = ConfigError::default();
        let secrets = &self.secrets;
        let mut codes = BTreeMap::new();
        for (name, key) in &secrets.code_keys {
            let place = format!("secrets.code_keys.{name}");
            match (name.parse::<u32>(), key_bytes(key)) {
                (Ok(version @ 1..), Ok(bytes)) => {
                    codes.insert(version, bytes);
                }
                (Ok(1..), Err(reason)) => error.add(place, reason),
                (Ok(0) | Err(_), _) => error.add(place, "the version must be a number from 1 on"),
            }
        }
        if secrets.code_keys.is_empty() {
            error.add(
                "secrets.code_keys",
                format!(
                    "is missing; set code_keys.1 (RINGBACK_SECRETS__CODE_KEYS__1) to {KEY_FORM}"
                ),
            );
        }
        let current = match (secrets.current_code_key, codes.len()) {
            (0, 2..) => {
                error.add(
                    "secrets.current_code_key",
                    "is missing; with several code_keys, say which version makes new codes",
                );
                0
            }
            (0, _) => codes.keys().next().copied().unwrap_or(0),
            (version, _) => version,
        };
        let pseudonyms = key_bytes(&secrets.pseudonym_key).unwrap_or_else(|reason| {
            error.add("secrets.pseudonym_key", reason);
            [0; 32]
        });
        error.or_ok()?;
        Keys::new(codes, current, pseudonyms)
            .map_err(|error| ConfigError::new("secrets.current_code_key", error.to_string()))
    }
}

const KEY_FORM: &str = "32 random bytes in base64, as `openssl rand -base64 32` prints them";

fn key_bytes(text: &SecretString) -> Result<[u8; 32], String> {
    let text = text.expose_secret().trim();
    if text.is_empty() {
        return Err(format!("is missing; set it to {KEY_FORM}"));
    }
    let bytes = STANDARD.decode(text).ok();
    bytes
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or_else(|| format!("must be {KEY_FORM}"))
}
