//! What a decision leaves behind: events, codes and notices to be sent.

use std::collections::BTreeSet;

use super::Decider;
use crate::Number;
use crate::account::{Account, Phone};
use crate::event::{
    Event, EventDetail, EventKind, MaskedNumber, Message, MessageKind, NOTICE_LIFE,
};
use crate::limit::Budget;
use crate::moment::{Id, Time};
use crate::refusal::CodeFailure;

impl Decider<'_> {
    /// Tells a verified number what became of it. A notice counts like a code: it goes out once there is
    /// room for it, and not at all where that would be too late.
    pub(super) fn notify(&mut self, account: &Account, phone: &Phone, kind: MessageKind) {
        let for_tests = self.policy.test_numbers.of(&phone.number).is_some();
        if !phone.verified() || !self.policy.notify.old_number || for_tests {
            return;
        }
        let (now, limits) = (self.at.now, &self.policy.limits);
        let pseudonym = self.at.keys.pseudonym(&phone.number);
        // Where the organisation may send no more, this is no exception; a code may follow it.
        if !self.organization_has_room(account, &phone.number, kind, 2) {
            return;
        }
        let mut due_at = now;
        if self.all_stopped(&phone.number, kind) {
            return;
        }
        if let Some(budget) = self.budgets.get_mut(&pseudonym) {
            let wait = budget.number().notice_wait(limits, now);
            if wait >= NOTICE_LIFE {
                return;
            }
            due_at = now + wait;
            budget.take_notice(limits, due_at, now);
        }
        self.take_organization(account, &phone.number, kind);
        let expires_at = due_at + NOTICE_LIFE;
        self.enqueue(account, &phone.number, kind, 0, due_at, expires_at);
    }

    /// Puts a message into the outbox. Returns its id.
    pub(super) fn enqueue(
        &mut self,
        account: &Account,
        number: &Number,
        kind: MessageKind,
        round: u32,
        due_at: Time,
        expires_at: Time,
    ) -> Id {
        let routes = &self.policy.routes;
        let country = routes.ask_country().then(|| number.country()).flatten();
        let (id, known) = (self.ids.id(), self.at.conversion);
        let order = routes.order_now(known, country.as_deref(), (id, kind), round);
        let stopped = self.opted_out(number);
        let stopped = |route: &&str| stopped.is_some_and(|stopped| stopped.contains(*route));
        let (opted_out, order): (Vec<&str>, Vec<&str>) = order.into_iter().partition(stopped);
        let route = order.first();
        let language = self.language(account);
        self.messages.push(Message {
            id,
            account: account.id.clone(),
            organization: account.organization.clone(),
            number: number.clone(),
            kind,
            language,
            route: route.map(|route| (*route).to_owned()),
            round,
            created_at: self.at.now,
            due_at,
            expires_at,
            opted_out: opted_out.into_iter().map(str::to_owned).collect(),
        });
        id
    }

    /// The languages that a message to an account's user is written in, best first.
    pub(super) fn language(&self, account: &Account) -> String {
        let languages = [
            account.profile.preferred_language.as_str(),
            self.command.caller.language.as_str(),
        ];
        let known = languages.into_iter().filter(|text| !text.is_empty());
        known.collect::<Vec<_>>().join(",")
    }

    /// The routes that the number's owner has told to stop, if any: of hardly any number.
    fn opted_out(&self, number: &Number) -> Option<&BTreeSet<String>> {
        let none = |budget: &Budget| budget.opted_out().is_empty();
        if self.budgets.values().all(none) {
            return None;
        }
        let budget = self.budgets.get(&self.at.keys.pseudonym(number))?;
        Some(budget.opted_out()).filter(|routes| !routes.is_empty())
    }

    /// Whether the number's owner has told every route to stop that carries such messages to it.
    pub(super) fn all_stopped(&self, number: &Number, kind: MessageKind) -> bool {
        let Some(opted_out) = self.opted_out(number) else {
            return false;
        };
        let routes = &self.policy.routes;
        let country = routes.ask_country().then(|| number.country()).flatten();
        routes.all_stopped(country.as_deref(), kind, opted_out)
    }

    /// Puts a refused guess on record: a wrong one always, one that was not looked at once a minute, and one
    /// that cannot be a code, which is a slip of the hand, never.
    pub(super) fn record_refused(
        &mut self,
        account: &mut Account,
        failure: CodeFailure,
        number: Option<&Number>,
    ) {
        let limits = &self.policy.limits;
        let count = match failure {
            CodeFailure::Shape => None,
            CodeFailure::Wrong => Some(1),
            CodeFailure::Absent
            | CodeFailure::Expired
            | CodeFailure::Spent
            | CodeFailure::Waiting
            | CodeFailure::Locked => account.limits.refused.add(limits, self.at.now),
        };
        if let Some(count) = count {
            let kind = EventKind::VerificationFailed(failure);
            self.record_with(account, kind, number, count, None);
        }
    }

    /// Puts on record that the last wrong guess was one too many.
    pub(super) fn record_locked(
        &mut self,
        account: &mut Account,
        number: Option<&Number>,
        pseudonym: Option<&str>,
    ) {
        let (limits, now) = (&self.policy.limits, self.at.now);
        if pseudonym.is_some_and(|pseudonym| account.limits.locks(pseudonym, limits, now)) {
            self.record(account, EventKind::Locked, number);
        }
    }

    pub(super) fn record(
        &mut self,
        account: &mut Account,
        kind: EventKind,
        number: Option<&Number>,
    ) {
        self.record_with(account, kind, number, 1, None);
    }

    /// Puts on record that a number was proven.
    pub(super) fn record_verified(&mut self, account: &mut Account, number: &Number) {
        let detail = self.answered_detail();
        self.record_with(account, EventKind::PhoneVerified, Some(number), 1, detail);
    }

    /// Puts on record that a code goes out.
    pub(super) fn record_sent(
        &mut self,
        account: &mut Account,
        number: &Number,
        detail: EventDetail,
    ) {
        self.record_with(account, EventKind::CodeSent, Some(number), 1, Some(detail));
    }

    fn record_with(
        &mut self,
        account: &mut Account,
        kind: EventKind,
        number: Option<&Number>,
        count: u32,
        detail: Option<EventDetail>,
    ) {
        account.sequence += 1;
        account.changed_at = self.at.now;
        self.events.push(Event {
            id: self.ids.id(),
            account: account.id.clone(),
            organization: account.organization.clone(),
            sequence: account.sequence,
            at: self.at.now,
            actor: self.command.caller.user.clone(),
            kind,
            number: number.map(|number| MaskedNumber::of(number, self.at.keys)),
            count,
            detail,
        });
    }
}
