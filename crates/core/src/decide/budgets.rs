//! What others share: the budgets of the client's address and of the organisation.

use std::time::Duration;

use super::Decider;
use crate::Number;
use crate::account::Account;
use crate::event::MessageKind;
use crate::guard::{Destination, NO_COUNTRY};
use crate::limit::{AddressUse, Limit, Pool, Use, keep_shares, shares};
use crate::policy::Policy;
use crate::refusal::Refusal;

impl Decider<'_> {
    /// What a user who acts alone has to wait for because of what others did at the same address. Spends nothing.
    pub(super) fn address_wait(
        &self,
        what: AddressUse,
    ) -> Result<Option<(Limit, Duration)>, Refusal> {
        let Some(pseudonym) = self.address(what) else {
            return Ok(None);
        };
        let budget = self.budgets.get(&pseudonym).ok_or(Refusal::Internal)?;
        let limits = &self.policy.limits;
        Ok(budget.address().wait(limits, what, self.at.now))
    }

    /// Counts what a user did who acts alone, and what the guard hears of it.
    pub(super) fn take_address(
        &mut self,
        what: AddressUse,
        to: Option<&Destination>,
    ) -> Result<(), Refusal> {
        let Some(pseudonym) = self.address(what) else {
            return Ok(());
        };
        let place = self.budgets.get_mut(&pseudonym);
        let place = place.ok_or(Refusal::Internal)?;
        let mut budget = place.address();
        budget.take(&self.policy.limits, what, self.at.now);
        if let Some(to) = to {
            budget.tell_guard(what, &to.country, self.at.now);
        }
        *place = budget.into();
        Ok(())
    }

    /// The budget that counts it, where a user acts alone.
    pub(super) fn address(&self, what: AddressUse) -> Option<String> {
        let caller = &self.command.caller;
        let counted = self.alone && !caller.spoken_for && what.is_counted(self.policy);
        let address = caller.address.filter(|_| counted)?;
        Some(self.at.keys.address_pseudonym(address))
    }

    /// What so many messages have to wait for because of what the organisation has sent. Spends nothing.
    pub(super) fn organization_waits(
        &self,
        account: &Account,
        number: &Number,
        kind: MessageKind,
        times: u64,
    ) -> Result<Vec<(Limit, Duration)>, Refusal> {
        let uses = self.uses(account, number, kind);
        if uses.is_empty() {
            return Ok(Vec::new());
        }
        let shares = shares(self.budgets, self.at.keys, &account.organization);
        let shares = shares.ok_or(Refusal::Internal)?;
        let wait = |one: &Use| {
            let amount = one.amount.saturating_mul(times);
            let wait = shares.wait(&one.pool, one.most, amount, self.at.now)?;
            Some((one.pool.limit(), wait))
        };
        Ok(uses.iter().filter_map(wait).collect())
    }

    /// Whether the organisation may send so many messages now.
    pub(super) fn organization_has_room(
        &self,
        account: &Account,
        number: &Number,
        kind: MessageKind,
        times: u64,
    ) -> bool {
        let waits = self.organization_waits(account, number, kind, times);
        waits.is_ok_and(|waits| waits.is_empty())
    }

    /// Counts a message of the organisation. Call it where there is room.
    pub(super) fn take_organization(
        &mut self,
        account: &Account,
        number: &Number,
        kind: MessageKind,
    ) {
        let uses = self.uses(account, number, kind);
        let organization = &account.organization;
        let keys = self.at.keys;
        let Some(mut pooled) =
            shares(self.budgets, keys, organization).filter(|_| !uses.is_empty())
        else {
            return;
        };
        for one in &uses {
            pooled.take(&one.pool, one.most, one.amount, self.at.share, self.at.now);
        }
        keep_shares(self.budgets, keys, organization, pooled);
    }

    /// Which of the organisation's budgets count a message to the number, and how much of each.
    fn uses(&self, account: &Account, number: &Number, kind: MessageKind) -> Vec<Use> {
        let language = self.language(account);
        self.policy.uses(number, kind, &language)
    }
}

impl Policy {
    /// Which budgets of an organisation with these rules count a message, and how much of each.
    pub(crate) fn uses(&self, number: &Number, kind: MessageKind, language: &str) -> Vec<Use> {
        let limits = &self.limits;
        if !limits.counts_organizations() {
            return Vec::new();
        }
        let country = number.country();
        let named = country.clone().unwrap_or_else(|| NO_COUNTRY.to_owned());
        let all = limits.of_organization().map(|most| Use {
            pool: Pool::All,
            most,
            amount: 1,
        });
        let of_country = limits.of_country(&named).map(|most| Use {
            pool: Pool::Country(named),
            most,
            amount: 1,
        });
        let spend = limits.spend_of_organization().map(|most| {
            let each = self.routes.cost_per_segment(country.as_deref(), kind);
            Use {
                pool: Pool::Spend,
                most,
                amount: each.saturating_mul(self.segments.of(language)),
            }
        });
        let all = [all, of_country, spend].into_iter().flatten();
        all.filter(|one| one.amount > 0).collect()
    }
}
