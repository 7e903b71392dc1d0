//! Sessions: what a service opens for one account, so that its user can prove a number on a page of ours.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::account::{Account, NEXT};
use crate::challenge::Purpose;
use crate::code::Shape;
use crate::moment::{Id, Moment, Time};
use crate::refusal::Refusal;
use crate::{Caller, Keys, Number, NumberText, Policy};

/// How many sessions one account remembers; the oldest makes way for a new one.
const MOST: usize = 5;

/// A session, kept with its account until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: Id,
    /// From this time on it lets nobody do anything.
    pub until: Time,
    /// The only number that it may prove, under the keys' veil: [`Session::number`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    number: Vec<u8>,
    /// Where its page returns to; empty for nowhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub return_url: String,
    /// The language tag of its page; empty for what the reader's browser asks for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// Whether somebody has taken it by its handle.
    #[serde(default)]
    pub taken: bool,
    /// The number that it has proven, which ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<Id>,
}

impl Session {
    pub(crate) fn new(
        id: Id,
        new: &NewSession,
        number: Option<&Number>,
        at: &Moment<'_>,
    ) -> Session {
        let number = number.map(|number| at.keys.veil(id, number.as_str().as_bytes()));
        Session {
            id,
            until: at.now + new.life,
            number: number.unwrap_or_default(),
            return_url: new.return_url.clone(),
            language: new.language.clone(),
            taken: false,
            proven: None,
        }
    }

    /// The only number that it may prove; `None` for any.
    pub fn number(&self, keys: &Keys) -> Option<Number> {
        let bytes = keys.veil(self.id, &self.number);
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| !text.is_empty());
        text.map(Number::from_stored)
    }
}

/// What a session shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The only number that it may prove; `None` for any.
    pub number: Option<NumberText>,
    /// As of [`Session`].
    pub return_url: String,
    /// As of [`Session`].
    pub language: String,
    /// How long it lives.
    pub life: Duration,
}

/// How far the proof of an account's number has come, as its user may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The code that can be submitted now.
    pub open: Option<OpenCode>,
    /// The primary number, where it is proven; of a session that has ended, the one that it has proven.
    pub proven: Option<Id>,
    /// How long until the next code may be asked for, as far as the account alone says.
    pub resend_after: Duration,
    /// What codes look like.
    pub shape: Shape,
    /// The session that the caller acts by.
    pub session: Option<Session>,
    /// The only number that it may prove.
    pub only: Option<Number>,
}

/// A code that can be submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCode {
    /// What it answers.
    pub challenge: Id,
    /// The number that it was sent to.
    pub number: Number,
    /// From this time on it is not accepted.
    pub expires_at: Time,
}

impl Account {
    /// A session that may still be asked about.
    pub fn session(&self, id: Id, now: Time) -> Option<&Session> {
        let mut sessions = self.limits.sessions.iter();
        sessions.find(|session| session.id == id && now < session.until)
    }

    pub(crate) fn session_mut(&mut self, id: Id, now: Time) -> Option<&mut Session> {
        let mut sessions = self.limits.sessions.iter_mut();
        sessions.find(|session| session.id == id && now < session.until)
    }

    pub(crate) fn keep_session(&mut self, session: Session, now: Time) {
        let sessions = &mut self.limits.sessions;
        sessions.retain(|other| now < other.until);
        if sessions.len() >= MOST {
            sessions.remove(0);
        }
        sessions.push(session);
    }

    /// How far the proof of the number has come that is to become the primary one, or else is it.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`] for a caller whose session is over.
    pub fn proof(
        &self,
        caller: &Caller,
        policy: &Policy,
        keys: &Keys,
        now: Time,
    ) -> Result<Proof, Refusal> {
        let session = match caller.session {
            None => None,
            Some(id) => Some(self.session(id, now).ok_or(Refusal::TokenInvalid)?),
        };
        let next = self.phones.iter().find(|phone| phone.state == NEXT);
        let next = next.filter(|phone| !self.is_stale(phone, now));
        let only = session.and_then(|session| session.number(keys));
        let asked = next.or_else(|| self.primary_phone()).filter(|phone| {
            !phone.verified() && only.as_ref().is_none_or(|only| *only == phone.number)
        });
        let challenge = asked.and_then(|phone| {
            let mut all = self.challenges.iter();
            let of_phone = all.find(|one| one.phone == phone.id && one.purpose == Purpose::Verify);
            of_phone.filter(|one| now < one.expires_at)
        });
        let open = asked.zip(challenge).map(|(phone, challenge)| OpenCode {
            challenge: challenge.id,
            number: phone.number.clone(),
            expires_at: challenge.expires_at,
        });
        let resend_after = asked.map(|phone| {
            let pseudonym = keys.pseudonym(&phone.number);
            let cool_down = self.limits.of_number(&pseudonym).cool_down.wait(now);
            let of_account = self.limits.sent.wait(&policy.limits.sends_per_account, now);
            let spent = challenge.filter(|one| one.guesses_left == 0);
            let spent = spent.map(|one| one.expires_at.since(now));
            cool_down.max(of_account).max(spent).unwrap_or_default()
        });
        let primary = self.primary_phone().filter(|phone| phone.verified());
        let ended = session.and_then(|session| session.proven);
        Ok(Proof {
            open: open.filter(|_| ended.is_none()),
            proven: match session {
                Some(_) => ended,
                None => primary.map(|phone| phone.id),
            },
            resend_after: resend_after.unwrap_or_default(),
            shape: policy.codes.shape(),
            session: session.cloned(),
            only,
        })
    }
}
