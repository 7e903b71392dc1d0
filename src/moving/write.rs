//! Accounts written in ringback's own forms: an object a line, or a table with a row a number.

use std::io::{self, Write};

use ringback_core::account::Pending;
use ringback_core::{Account, Phone, PhoneState, Time};
use serde::Serialize;

use super::own::{COLUMNS, OF_USER};
use super::table::{no_formula, written};
use crate::api::shared::timestamp;

/// Which of ringback's own forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WrittenAs {
    /// An object a line
    Ndjson,
    /// A table with a row a number
    Csv,
}

/// Writes accounts, one after the other.
pub struct Writer<W> {
    form: WrittenAs,
    to: W,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserLine<'a> {
    organization_id: &'a str,
    user_id: &'a str,
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    given_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    family_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    nick_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    display_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    preferred_language: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    gender: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    is_email_verified: bool,
    creation_date: String,
    change_date: String,
    sequence: u64,
    phones: Vec<PhoneLine<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhoneLine<'a> {
    phone: &'a str,
    id: String,
    is_primary: bool,
    is_verified: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    pending: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    verification_date: String,
    creation_date: String,
    change_date: String,
}

fn is_zero(gender: &i32) -> bool {
    *gender == 0
}

impl<W: Write> Writer<W> {
    /// Writes what comes before the first account.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn new(form: WrittenAs, mut to: W) -> io::Result<Writer<W>> {
        if form == WrittenAs::Csv {
            to.write_all(written(COLUMNS.into_iter()).as_bytes())?;
        }
        Ok(Writer { form, to })
    }

    /// Writes an account.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write(&mut self, account: &Account) -> io::Result<()> {
        let line = UserLine::of(account);
        match self.form {
            WrittenAs::Ndjson => {
                serde_json::to_writer(&mut self.to, &line)?;
                self.to.write_all(b"\n")
            }
            WrittenAs::Csv => self.rows(&line),
        }
    }

    fn rows(&mut self, line: &UserLine<'_>) -> io::Result<()> {
        let (gender, verified) = (line.gender.to_string(), line.is_email_verified.to_string());
        let sequence = line.sequence.to_string();
        let texts = [
            line.organization_id,
            line.user_id,
            line.username,
            line.given_name,
            line.family_name,
            line.nick_name,
            line.display_name,
            line.preferred_language,
            line.email,
        ];
        let [
            organization,
            id,
            username,
            given,
            family,
            nick,
            display,
            language,
            email,
        ] = texts.map(no_formula);
        let user: [&str; OF_USER] = [
            &organization,
            &id,
            &username,
            &given,
            &family,
            &nick,
            &display,
            &language,
            if line.gender == 0 { "" } else { &gender },
            &email,
            &verified,
            &line.creation_date,
            &line.change_date,
            &sequence,
        ];
        let none = [""; COLUMNS.len() - OF_USER];
        if line.phones.is_empty() {
            let record = written(user.into_iter().chain(none));
            self.to.write_all(record.as_bytes())?;
        }
        for phone in &line.phones {
            let flags = [phone.is_primary.to_string(), phone.is_verified.to_string()];
            let number: [&str; COLUMNS.len() - OF_USER] = [
                phone.phone,
                &phone.id,
                &flags[0],
                &flags[1],
                phone.pending,
                &phone.verification_date,
                &phone.creation_date,
                &phone.change_date,
            ];
            let record = written(user.into_iter().chain(number));
            self.to.write_all(record.as_bytes())?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}

impl<'a> UserLine<'a> {
    fn of(account: &'a Account) -> UserLine<'a> {
        let profile = &account.profile;
        UserLine {
            organization_id: &account.organization,
            user_id: &account.id,
            username: &profile.username,
            given_name: &profile.given_name,
            family_name: &profile.family_name,
            nick_name: &profile.nick_name,
            display_name: &profile.display_name,
            preferred_language: &profile.preferred_language,
            gender: profile.gender,
            email: &profile.email,
            is_email_verified: profile.email_verified,
            creation_date: time(account.created_at),
            change_date: time(account.changed_at),
            sequence: account.sequence,
            phones: account
                .phones
                .iter()
                .map(|phone| phone_line(account, phone))
                .collect(),
        }
    }
}

fn phone_line<'a>(account: &Account, phone: &'a Phone) -> PhoneLine<'a> {
    let (pending, verification_date) = match phone.state {
        PhoneState::Unverified => ("", String::new()),
        PhoneState::Verified { at } => ("", time(at)),
        PhoneState::Pending(Pending::Joins) => ("joins", String::new()),
        PhoneState::Pending(Pending::Replaces) => ("replaces", String::new()),
    };
    PhoneLine {
        phone: phone.number.as_str(),
        id: phone.id.to_string(),
        is_primary: account.primary == Some(phone.id),
        is_verified: phone.verified(),
        pending,
        verification_date,
        creation_date: time(phone.created_at),
        change_date: time(phone.changed_at),
    }
}

fn time(at: Time) -> String {
    timestamp(at).to_string()
}
