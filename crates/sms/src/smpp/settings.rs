//! `type = "smpp"`: what an SMPP route needs to know.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::RouteError;

/// What the fields of a bind hold at most.
const SYSTEM_ID: usize = 15;
const PASSWORD: usize = 8;
const SYSTEM_TYPE: usize = 12;

/// How a text goes that one message does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongMessages {
    /// In parts, each with a header that says how they belong together.
    #[default]
    Parts,
    /// In one piece, as the optional parameter message_payload; the provider cuts it.
    Payload,
}

/// Where the provider writes the ids of messages in hexadecimal digits, and in decimal ones elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HexIds {
    /// Answers and receipts write them alike.
    #[default]
    Nowhere,
    /// In its answers.
    Answers,
    /// In its receipts.
    Receipts,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bind {
    /// It sends and hears.
    #[default]
    Transceiver,
    /// It only sends.
    Transmitter,
}

/// A message centre. `Debug` shows no secret.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmppSettings {
    /// The provider's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the line is TLS from its first byte on.
    pub tls: bool,
    /// Certificates of authorities, PEM; empty for those that this machine trusts.
    pub ca_file: PathBuf,
    /// Whether a line without TLS to a host other than this one is allowed.
    pub allow_insecure: bool,
    /// Who we are; up to 15 characters.
    pub system_id: String,
    /// Up to 8 characters.
    pub password: SecretString,
    /// Up to 12 characters; mostly empty.
    pub system_type: String,
    /// What sessions are for.
    pub bind: Bind,
    /// How many sessions are kept.
    pub binds: usize,
    /// How many submits of one session may be without an answer.
    pub window: usize,
    /// How often it is asked whether an idle line is still there.
    pub enquire_link_seconds: u64,
    /// Type of number of senders; by their form when not given.
    pub source_ton: Option<u8>,
    /// Numbering plan of senders; by their form when not given.
    pub source_npi: Option<u8>,
    /// Type of number of receivers.
    pub dest_ton: u8,
    /// Numbering plan of receivers.
    pub dest_npi: u8,
    /// What texts of GSM 03.38 are marked as. 1 sends ASCII and 3 sends ISO 8859-1 in its place.
    pub data_coding: u8,
    /// How long texts go.
    pub long_messages: LongMessages,
    /// Whether the provider is told for how long a message is of use.
    pub validity: bool,
    /// Whether the provider is asked what became of messages.
    pub receipts: bool,
    /// Where the provider writes ids in hexadecimal digits.
    pub hex_ids: HexIds,
}

impl Default for SmppSettings {
    fn default() -> SmppSettings {
        SmppSettings {
            host: String::new(),
            port: 2775,
            tls: false,
            ca_file: PathBuf::new(),
            allow_insecure: false,
            system_id: String::new(),
            password: SecretString::default(),
            system_type: String::new(),
            bind: Bind::default(),
            binds: 1,
            window: 10,
            enquire_link_seconds: 30,
            source_ton: None,
            source_npi: None,
            dest_ton: 1,
            dest_npi: 1,
            data_coding: 0,
            long_messages: LongMessages::default(),
            validity: true,
            receipts: true,
            hex_ids: HexIds::default(),
        }
    }
}

impl fmt::Debug for SmppSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmppSettings").finish_non_exhaustive()
    }
}

impl SmppSettings {
    /// Host and port.
    pub(super) fn place(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Whether the provider tells what became of messages.
    pub fn hears_receipts(&self) -> bool {
        self.receipts && self.bind == Bind::Transceiver
    }

    /// Whether a route can be made of them.
    ///
    /// # Errors
    /// [`RouteError::Setting`] with the first key that is wrong.
    pub fn check(&self) -> Result<(), RouteError> {
        self.check_line()?;
        self.check_bind()?;
        let wrong = |key, says: &str| Err(RouteError::setting(key, says));
        if !(1..=32).contains(&self.binds) {
            return wrong("binds", "must be 1 to 32");
        }
        if !(1..=1_000).contains(&self.window) {
            return wrong("window", "must be 1 to 1000");
        }
        if !(1..=3_600).contains(&self.enquire_link_seconds) {
            return wrong("enquire_link_seconds", "must be 1 to 3600");
        }
        if self.data_coding == super::parts::UCS2 {
            return wrong(
                "data_coding",
                "must not be 8: texts that the default alphabet has not are sent so anyway",
            );
        }
        if self.receipts && self.bind == Bind::Transmitter {
            return wrong(
                "receipts",
                "must be false with bind = \"transmitter\", which hears nothing",
            );
        }
        Ok(())
    }

    fn check_line(&self) -> Result<(), RouteError> {
        let wrong = |key, says: &str| Err(RouteError::setting(key, says));
        if self.host.is_empty() {
            return wrong(
                "host",
                "is missing; set it to the name of the message centre, such as smsc.example.com",
            );
        }
        let address: Option<IpAddr> = self.host.parse().ok();
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if address.is_none() && !self.host.chars().all(name) {
            return wrong(
                "host",
                "must be a name or an address alone, such as smsc.example.com; the port is a key of its own",
            );
        }
        if self.port == 0 {
            return wrong("port", "must be 1 to 65535");
        }
        let is_here = self.host == "localhost"
            || address.is_some_and(|address| address.to_canonical().is_loopback());
        if !self.tls && !self.allow_insecure && !is_here {
            return wrong(
                "tls",
                "must be true, or set allow_insecure = true where the network between is yours: the line carries \
                 codes and the password",
            );
        }
        if !self.tls && !self.ca_file.as_os_str().is_empty() {
            return wrong("ca_file", "is of use only with tls = true");
        }
        Ok(())
    }

    fn check_bind(&self) -> Result<(), RouteError> {
        if self.system_id.is_empty() {
            return Err(RouteError::setting(
                "system_id",
                "is missing; the provider gives it to you, with a password",
            ));
        }
        let fields = [
            ("system_id", self.system_id.as_str(), SYSTEM_ID),
            ("password", self.password.expose_secret(), PASSWORD),
            ("system_type", self.system_type.as_str(), SYSTEM_TYPE),
        ];
        for (field, text, most) in fields {
            let fits = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            if text.len() > most || !fits {
                return Err(RouteError::setting(
                    field,
                    format!("must be up to {most} ASCII characters: SMPP has no room for more"),
                ));
            }
        }
        Ok(())
    }

    /// What is wrong with a sender, if it is none that SMPP has room for and a phone shows.
    pub fn sender_fault(sender: &str) -> Option<&'static str> {
        let digits = sender.strip_prefix('+').unwrap_or(sender);
        let number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let most = if number { 15 } else { 11 };
        let fits = digits.len() <= most && sender.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let says = "must be a number of up to 15 digits, or a name of up to 11 ASCII characters";
        (!fits).then_some(says)
    }
}
