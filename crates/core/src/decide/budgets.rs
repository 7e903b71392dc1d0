//! What others share: the budgets of the client's address and of the organisation.

use std::time::Duration;

use super::Decider;
use crate::Number;
use crate::account::Account;
use crate::limit::{AddressUse, Limit, Pool, Pooled, SHARES};
use crate::refusal::Refusal;

/// What stands for the country of a number that belongs to none.
const NO_COUNTRY: &str = "001";

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

    /// Counts what a user did who acts alone.
    pub(super) fn take_address(&mut self, what: AddressUse) -> Result<(), Refusal> {
        let Some(pseudonym) = self.address(what) else {
            return Ok(());
        };
        let place = self.budgets.get_mut(&pseudonym);
        let place = place.ok_or(Refusal::Internal)?;
        let mut budget = place.address();
        budget.take(&self.policy.limits, what, self.at.now);
        *place = budget.into();
        Ok(())
    }

    /// The budget that counts it, where a user acts alone.
    fn address(&self, what: AddressUse) -> Option<String> {
        let caller = &self.command.caller;
        let counted =
            self.alone && !caller.spoken_for && !what.windows(&self.policy.limits).is_empty();
        let address = caller.address.filter(|_| counted)?;
        Some(self.at.keys.address_pseudonym(address))
    }

    /// What so many messages have to wait for because of what the organisation has sent. Spends nothing.
    pub(super) fn organization_waits(
        &self,
        account: &Account,
        number: &Number,
        amount: u64,
    ) -> Result<Vec<(Limit, Duration)>, Refusal> {
        let pools = self.pools(number);
        if pools.is_empty() {
            return Ok(Vec::new());
        }
        let shares = self.shares(account).ok_or(Refusal::Internal)?;
        let wait = |(pool, most): &(Pool, u64)| {
            let wait = shares.wait(pool, *most, amount, self.at.now)?;
            Some((pool.limit(), wait))
        };
        Ok(pools.iter().filter_map(wait).collect())
    }

    /// Whether the organisation may send so many messages now.
    pub(super) fn organization_has_room(
        &self,
        account: &Account,
        number: &Number,
        amount: u64,
    ) -> bool {
        let waits = self.organization_waits(account, number, amount);
        waits.is_ok_and(|waits| waits.is_empty())
    }

    /// Counts a message of the organisation. Call it where there is room.
    pub(super) fn take_organization(&mut self, account: &Account, number: &Number) {
        let pools = self.pools(number);
        let Some(mut shares) = self.shares(account).filter(|_| !pools.is_empty()) else {
            return;
        };
        for (pool, most) in &pools {
            shares.take(pool, *most, 1, self.at.share, self.at.now);
        }
        for (share, nth) in shares.into_shares().into_iter().zip(0..) {
            let pseudonym = self.at.keys.share_pseudonym(&account.organization, nth);
            self.budgets.insert(pseudonym, share.into());
        }
    }

    /// All shares of the organisation's budgets; `None` where they were not read.
    fn shares(&self, account: &Account) -> Option<Pooled> {
        let share = |nth| {
            let pseudonym = self.at.keys.share_pseudonym(&account.organization, nth);
            Some(self.budgets.get(&pseudonym)?.share())
        };
        let shares: Option<Vec<_>> = (0..SHARES).map(share).collect();
        shares.map(Pooled::new)
    }

    /// Which of the organisation's budgets count a message to the number, and how much they hold in a day.
    fn pools(&self, number: &Number) -> Vec<(Pool, u64)> {
        let limits = &self.policy.limits;
        let all = limits.of_organization().map(|most| (Pool::All, most));
        let country = limits.counts_countries().then(|| {
            let country = number.country().unwrap_or_else(|| NO_COUNTRY.to_owned());
            let most = limits.of_country(&country)?;
            Some((Pool::Country(country), most))
        });
        all.into_iter().chain(country.flatten()).collect()
    }
}
