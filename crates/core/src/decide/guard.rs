//! What the guard says of a code that is to be sent, and what it hears of what becomes of it.

use std::rc::Rc;
use std::time::Duration;

use super::Decider;
use crate::Number;
use crate::account::{Account, Slot};
use crate::command::Reply;
use crate::event::{Event, EventDetail, EventKind, GuardRecord, MaskedNumber};
use crate::guard::{self, CountryTally, Destination, Facts, Heard, Mode, PrefixTally};
use crate::limit::{AddressUse, Limit};
use crate::refusal::Refusal;

/// So much of an address's pseudonym tells it from others.
const ADDRESS: usize = 16;

/// A code that the guard held back.
pub(super) struct Held {
    number: Number,
    decision: guard::Decision,
}

impl Decider<'_> {
    /// Where a message to the number would go; found once, as a command sends to one number nearly always.
    pub(super) fn destination(&self, number: &Number) -> Rc<Destination> {
        let mut found = self.destination.borrow_mut();
        match &*found {
            Some((of, to)) if of == number => to.clone(),
            Some(_) | None => {
                let to = Rc::new(Destination::of(number));
                *found = Some((number.clone(), to.clone()));
                to
            }
        }
    }

    /// What a code to the number has to wait for, because of what became of others. Refuses where waiting does not
    /// help. Tells nobody.
    pub(super) fn guard_wait(
        &self,
        account: &Account,
        number: &Number,
    ) -> Result<Option<(Limit, Duration)>, Refusal> {
        let Some(decision) = self
            .guard_looks(account, number)?
            .filter(|one| !one.allowed)
        else {
            return Ok(None);
        };
        let first = decision.reasons.first().copied().ok_or(Refusal::Internal)?;
        let wait = decision.retry_after;
        let number = number.clone();
        self.held.replace(Some(Held { number, decision }));
        match wait {
            Some(wait) => Ok(Some((Limit::Guard(first), wait))),
            None => Err(Refusal::Guarded(first)),
        }
    }

    /// What there is against a code to the number; `None` where nobody asks.
    pub(super) fn guard_looks(
        &self,
        account: &Account,
        number: &Number,
    ) -> Result<Option<guard::Decision>, Refusal> {
        let rules = &self.policy.guard;
        if rules.mode == Mode::Off {
            return Ok(None);
        }
        let address = match self.address(AddressUse::Send) {
            Some(pseudonym) => {
                let budget = self.budgets.get(&pseudonym).ok_or(Refusal::Internal)?;
                Some(budget.address().guard().clone())
            }
            None => None,
        };
        let to = self.destination(number);
        let mut decision = None;
        let mut look = |country: &CountryTally, prefix: &PrefixTally| {
            let facts = Facts {
                country,
                prefix,
                address: address.as_ref(),
                known: self.known,
            };
            decision = Some(guard::examine(rules, &to, facts, self.at.now));
        };
        match self.at.guard {
            Some(known) => known.show(&account.organization, &to, &mut look),
            None => look(&CountryTally::default(), &PrefixTally::default()),
        }
        Ok(decision)
    }

    /// Notes that a code is sent; what there was against it goes on record.
    pub(super) fn hear_sent(&mut self, number: &Number, looked: guard::Decision) -> EventDetail {
        let to = Destination::clone(&self.destination(number));
        let detail = self.guard_detail(&to, &looked);
        self.heard = Some(Heard::Sent {
            to,
            reasons: looked.reasons,
        });
        detail
    }

    /// Notes that a code was handed in. Whoever owns a number for tests proves nothing.
    pub(super) fn hear_answered(&mut self, number: &Number, pseudonym: &str) {
        let for_tests = self.policy.test_numbers.of(number).is_some();
        if for_tests || self.policy.guard.mode == Mode::Off {
            return;
        }
        self.heard = Some(Heard::Answered {
            to: Destination::clone(&self.destination(number)),
            number: pseudonym.to_owned(),
        });
    }

    /// Where the code had gone that was handed in.
    pub(super) fn answered_detail(&self) -> Option<EventDetail> {
        let Some(Heard::Answered { to, .. }) = &self.heard else {
            return None;
        };
        Some(EventDetail {
            country: Some(to.country.clone()),
            guard: GuardRecord {
                prefix: Some(self.at.keys.prefix_pseudonym(&to.prefix)),
                ..GuardRecord::default()
            },
            ..EventDetail::default()
        })
    }

    /// Puts on record that a code was held back, where that is what the command was refused for. It changes
    /// nothing of the account, which need not exist.
    pub(super) fn record_held(&mut self, slot: &Slot, result: &Result<Reply, Refusal>) {
        let by_guard = matches!(
            result,
            Err(Refusal::Guarded(_)
                | Refusal::Limited {
                    limit: Limit::Guard(_),
                    ..
                })
        );
        let Some(Held { number, decision }) = self.held.take().filter(|_| by_guard) else {
            return;
        };
        let to = Destination::clone(&self.destination(&number));
        self.events.push(Event {
            id: self.ids.id(),
            account: self.command.account.clone(),
            organization: slot.organization.clone(),
            sequence: 0,
            at: self.at.now,
            actor: self.command.caller.user.clone(),
            kind: EventKind::GuardRefused,
            number: Some(MaskedNumber::of(&number, self.at.keys)),
            count: 1,
            detail: Some(self.guard_detail(&to, &decision)),
        });
        self.heard = Some(Heard::Refused {
            to,
            reasons: decision.reasons,
        });
    }

    fn guard_detail(&self, to: &Destination, decision: &guard::Decision) -> EventDetail {
        let address = self.address(AddressUse::Send);
        let reasons = decision.reasons.iter();
        EventDetail {
            country: Some(to.country.clone()),
            guard: GuardRecord {
                kind: Some(to.kind),
                prefix: Some(self.at.keys.prefix_pseudonym(&to.prefix)),
                address: address.map(|address| address.chars().take(ADDRESS).collect()),
                known: self.known,
                reasons: reasons.map(|reason| reason.code().to_owned()).collect(),
            },
            ..EventDetail::default()
        }
    }
}
