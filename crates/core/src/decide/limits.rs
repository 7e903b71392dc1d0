//! What has to wait, and what is counted.

use std::time::Duration;

use super::Decider;
use super::outcome::Outcome;
use crate::Number;
use crate::account::Account;
use crate::challenge::Purpose;
use crate::command::Change;
use crate::event::{EventDetail, EventKind, MessageKind};
use crate::keys::AccountTag;
use crate::limit::{AddressUse, Limit, Sender};
use crate::moment::Id;
use crate::refusal::Refusal;
use crate::rights::Capacity;

impl Decider<'_> {
    /// What a code sent to the number has to wait for. Refuses a kind of number that is not served, and one whose
    /// owner has told every route to stop. Spends nothing.
    pub(super) fn send_waits(
        &self,
        account: &Account,
        number: &Number,
        purpose: Purpose,
    ) -> Result<Vec<(Limit, Duration)>, Refusal> {
        self.policy.test_numbers.check(number, self.at.now)?;
        if self.policy.test_numbers.of(number).is_some() {
            return Ok(Vec::new());
        }
        let kind = self.destination(number).kind;
        if !self.policy.numbers.kinds.contains(&kind) {
            return Err(Refusal::NumberKindNotServed(kind));
        }
        let message = MessageKind::of(purpose, Id::from_bytes([0; 16]));
        if self.all_stopped(number, message) {
            return Err(Refusal::NumberOptedOut);
        }
        let (now, limits) = (self.at.now, &self.policy.limits);
        let pseudonym = self.at.keys.pseudonym(number);
        let budget = self.budgets.get(&pseudonym).ok_or(Refusal::Internal)?;
        let mut held = account.phones.iter();
        let sender = Sender {
            account: self.tag(account, number),
            holds_verified: held.any(|phone| phone.number == *number && phone.verified()),
        };
        let cool_down = account.limits.of_number(&pseudonym).cool_down.wait(now);
        let cool_down = cool_down.map(|wait| (Limit::CoolDown, wait));
        let of_account = account.limits.sent.wait(&limits.sends_per_account, now);
        let of_account = of_account.map(|wait| (Limit::AccountSends, wait));
        let of_number = budget.number().wait(limits, sender, now);
        let of_address = self.address_wait(AddressUse::Send)?;
        let waits = [cool_down, of_account, of_number, of_address];
        let shared = self.organization_waits(account, number, message, 1)?;
        let guarded = self.guard_wait(account, number)?;
        let waits = waits.into_iter().flatten().chain(shared);
        Ok(waits.chain(guarded).collect())
    }

    /// Counts a code that is sent, and says what the guard has to say of it.
    pub(super) fn take_send(
        &mut self,
        account: &mut Account,
        number: &Number,
        kind: MessageKind,
    ) -> Result<EventDetail, Refusal> {
        let looked = self.guard_looks(account, number)?;
        let (now, limits) = (self.at.now, &self.policy.limits);
        let tag = self.tag(account, number);
        let pseudonym = self.at.keys.pseudonym(number);
        let budget = self.budgets.get_mut(&pseudonym).ok_or(Refusal::Internal)?;
        budget.take(limits, tag, now);
        account.limits.sent.take(&limits.sends_per_account, now);
        let of_number = account.limits.of_number_mut(&pseudonym, now);
        of_number.cool_down.take(limits, now);
        let to = looked.is_some().then(|| self.destination(number));
        self.take_address(AddressUse::Send, to.as_deref())?;
        self.take_organization(account, number, kind);
        Ok(looked.map_or_else(EventDetail::default, |looked| {
            self.hear_sent(number, looked)
        }))
    }

    pub(super) fn tag(&self, account: &Account, number: &Number) -> AccountTag {
        let keys = self.at.keys;
        keys.account_tag(&account.organization, &account.id, number)
    }

    /// What another number set by self-service has to wait for. Spends nothing.
    pub(super) fn set_wait(
        &self,
        account: &Account,
        capacity: Capacity,
    ) -> Option<(Limit, Duration)> {
        let windows = &self.policy.limits.sets_per_account;
        let wait = account.limits.set.wait(windows, self.at.now)?;
        (capacity == Capacity::Own).then_some((Limit::AccountSets, wait))
    }

    pub(super) fn take_set(&self, account: &mut Account, capacity: Capacity) {
        if capacity == Capacity::Own {
            let windows = &self.policy.limits.sets_per_account;
            account.limits.set.take(windows, self.at.now);
        }
    }

    /// Whether self-service may change anything now. Whoever waits as told shall meet no other limit then,
    /// so the change is tried on copies.
    pub(super) fn check_changes(
        &self,
        account: &Account,
        capacity: Capacity,
        change: &Change,
    ) -> Result<(), Refusal> {
        let windows = &self.policy.limits.changes_per_account;
        let wait = match capacity {
            Capacity::Own => account.limits.changed.wait(windows, self.at.now),
            Capacity::Service => None,
        };
        let Some(wait) = wait else { return Ok(()) };
        let mut budgets = self.budgets.clone();
        let mut trial = Decider::new(self.command, self.policy, self.at, &mut budgets);
        trial.alone = self.alone;
        trial.known = self.known;
        let other = match trial.change(&mut account.clone(), capacity, change) {
            Err(Refusal::Limited { limit, retry_after }) => Some((limit, retry_after)),
            Ok(_) | Err(_) => None,
        };
        let held = trial.held.take();
        self.held.replace(held);
        let changes = (Limit::AccountChanges, wait);
        no_wait(other.into_iter().chain([changes]).collect())
    }

    /// Changes the account, and counts it where self-service did.
    pub(super) fn change_counted(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        change: &Change,
    ) -> Result<Outcome, Refusal> {
        let before = account.sequence;
        let outcome = self.change(account, capacity, change)?;
        if capacity == Capacity::Own && account.sequence > before {
            let windows = &self.policy.limits.changes_per_account;
            account.limits.changed.take(windows, self.at.now);
        }
        Ok(outcome)
    }

    /// Forgets wrong guesses and pauses, and ends codes whose guesses are used up, so that their user may ask for
    /// another one.
    pub(super) fn unlock(&mut self, account: &mut Account) -> Outcome {
        account.limits.numbers.clear();
        for challenge in &mut account.challenges {
            if challenge.guesses_left == 0 {
                challenge.expires_at = challenge.expires_at.min(self.at.now);
            }
        }
        self.record(account, EventKind::Unlocked, None);
        Outcome::default()
    }
}

/// Refuses for the limit that holds longest, so that whoever waits as told meets none of the others.
pub(super) fn no_wait(waits: Vec<(Limit, Duration)>) -> Result<(), Refusal> {
    match waits.into_iter().max_by_key(|(_, wait)| *wait) {
        None => Ok(()),
        Some((limit, retry_after)) => Err(Refusal::Limited { limit, retry_after }),
    }
}
