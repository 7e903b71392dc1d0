//! What one number has used up over all accounts, how much of it an account may use, and which routes it has stopped.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Limit;
use super::rules::LimitRules;
use super::window::{Room, Window, steps, summed, wait};
use crate::keys::AccountTag;
use crate::moment::Time;

/// What one number has used up, over all accounts that send to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberBudget {
    /// The messages that went to it, oldest first, as far back as the longest window reaches.
    #[serde(with = "compact")]
    uses: Vec<Use>,
    /// From this time on it says no more than a fresh one.
    idle_at: Time,
    /// The routes that the number's owner has told to stop; kept in rows of their own.
    #[serde(skip)]
    opted_out: BTreeSet<String>,
}

/// One message to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Use {
    at: Time,
    /// Whose code it carries; none of a notice, which is nobody's share.
    by: Option<AccountTag>,
}

/// Who wants to send to a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    /// Which account.
    pub(crate) account: AccountTag,
    /// Whether that account holds the number verified.
    pub(crate) holds_verified: bool,
}

impl NumberBudget {
    pub(super) fn with_opted_out(self, opted_out: BTreeSet<String>) -> NumberBudget {
        NumberBudget { opted_out, ..self }
    }

    pub(super) fn opted_out(&self) -> &BTreeSet<String> {
        &self.opted_out
    }

    /// When this budget says no more than a fresh one.
    pub fn idle_at(&self) -> Time {
        self.idle_at
    }

    /// What a code has to wait for: room in the account's own share of each window, and in what others
    /// leave. Whose fault it is that there is none is told of the account's own only.
    pub(crate) fn wait(
        &self,
        rules: &LimitRules,
        sender: Sender,
        now: Time,
    ) -> Option<(Limit, Duration)> {
        let windows = &rules.sends_per_number;
        let own: Vec<Time> = self
            .uses
            .iter()
            .filter(|used| used.by == Some(sender.account))
            .map(|used| used.at)
            .collect();
        let all = self.times();
        let share = |window: &Window| Room::new(&own, rules.share(*window), window.span());
        let left = |window: &Window| {
            let most = match sender.holds_verified {
                true => window.count,
                false => window.count - rules.kept(*window),
            };
            Room::new(&all, most, window.span())
        };
        let shares: Vec<Room<'_>> = windows.iter().map(share).collect();
        let own_wait = wait(&shares, now);
        let rooms: Vec<Room<'_>> = shares.into_iter().chain(windows.iter().map(left)).collect();
        let whole_wait = wait(&rooms, now)?;
        let limit = match own_wait == Some(whole_wait) {
            true => Limit::NumberSends,
            false => Limit::Others,
        };
        Some((limit, whole_wait))
    }

    /// How long a notice has to wait: it needs room in the windows, whoever has filled them.
    pub(crate) fn notice_wait(&self, rules: &LimitRules, now: Time) -> Duration {
        let all = self.times();
        let windows = rules.sends_per_number.iter();
        let rooms: Vec<Room<'_>> = windows
            .map(|window| Room::new(&all, window.count, window.span()))
            .collect();
        wait(&rooms, now).unwrap_or_default()
    }

    /// Notes a code of an account.
    pub(crate) fn take(&mut self, rules: &LimitRules, by: AccountTag, now: Time) {
        self.note(
            rules,
            Use {
                at: now,
                by: Some(by),
            },
            now,
        );
    }

    /// Notes a notice that goes out at `at`, which is `now` or later.
    pub(crate) fn take_notice(&mut self, rules: &LimitRules, at: Time, now: Time) {
        self.note(rules, Use { at, by: None }, now);
    }

    /// Forgets a message of this time.
    pub(crate) fn give_back(&mut self, rules: &LimitRules, by: Option<AccountTag>, at: Time) {
        let gone = Use { at, by };
        if let Some(place) = self.uses.iter().position(|used| *used == gone) {
            self.uses.remove(place);
            let longest = Window::longest(&rules.sends_per_number);
            let last = self.uses.last().map(|used| used.at + longest);
            self.idle_at = last.unwrap_or_default();
        }
    }

    fn note(&mut self, rules: &LimitRules, new: Use, now: Time) {
        let place = self.uses.partition_point(|used| used.at <= new.at);
        self.uses.insert(place, new);
        let longest = Window::longest(&rules.sends_per_number);
        self.uses.retain(|used| used.at + longest > now);
        let last = self.uses.last().map(|used| used.at + longest);
        self.idle_at = last.unwrap_or_default();
    }

    fn times(&self) -> Vec<Time> {
        self.uses.iter().map(|used| used.at).collect()
    }
}

/// A row holds a message as the time since the one before, in microseconds, and the account's tag.
mod compact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{AccountTag, Use, steps, summed};

    pub(super) fn serialize<S: Serializer>(uses: &[Use], out: S) -> Result<S::Ok, S::Error> {
        let steps = steps(uses.iter().map(|used| used.at));
        let tags = uses.iter().map(|used| used.by);
        let pairs: Vec<(i64, Option<AccountTag>)> = steps.into_iter().zip(tags).collect();
        pairs.serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Use>, D::Error> {
        let pairs = Vec::<(i64, Option<AccountTag>)>::deserialize(input)?;
        let times = summed(pairs.iter().map(|(step, _)| *step));
        let tags = pairs.iter().map(|(_, by)| *by);
        Ok(times
            .into_iter()
            .zip(tags)
            .map(|(at, by)| Use { at, by })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_700_000_000_000_000);

    fn after(seconds: u64) -> Time {
        START + Duration::from_secs(seconds)
    }

    fn stranger(tag: u32) -> Sender {
        Sender {
            account: AccountTag(tag),
            holds_verified: false,
        }
    }

    fn owner() -> Sender {
        Sender {
            holds_verified: true,
            ..stranger(0)
        }
    }

    fn sends(budget: &mut NumberBudget, sender: Sender, at: Time) {
        let rules = LimitRules::default();
        assert_eq!(budget.wait(&rules, sender, at), None);
        budget.take(&rules, sender.account, at);
    }

    fn waits(budget: &NumberBudget, sender: Sender, at: Time) -> Option<(Limit, u64)> {
        let wait = budget.wait(&LimitRules::default(), sender, at);
        wait.map(|(limit, wait)| (limit, wait.as_secs()))
    }

    #[test]
    fn one_account_uses_half_and_others_leave_a_quarter_to_who_holds_it() {
        let mut budget = NumberBudget::default();
        for at in 0..3 {
            sends(&mut budget, stranger(1), after(at));
        }
        // Half of 5, rounded up, is its own doing.
        assert_eq!(
            waits(&budget, stranger(1), after(3)),
            Some((Limit::NumberSends, 597))
        );
        sends(&mut budget, stranger(2), after(3));
        // The fifth is kept, and nobody is told for whom.
        assert_eq!(
            waits(&budget, stranger(3), after(4)),
            Some((Limit::Others, 596))
        );
        sends(&mut budget, owner(), after(4));
        assert_eq!(
            waits(&budget, owner(), after(5)),
            Some((Limit::Others, 595))
        );
    }

    #[test]
    fn a_notice_waits_for_room_and_for_nothing_else() {
        let rules = LimitRules::default();
        let mut budget = NumberBudget::default();
        for (tag, at) in [(1, 0), (1, 1), (1, 2), (2, 3)] {
            sends(&mut budget, stranger(tag), after(at));
        }
        assert_eq!(budget.notice_wait(&rules, after(4)), Duration::ZERO);
        sends(&mut budget, owner(), after(4));
        let wait = budget.notice_wait(&rules, after(5));
        assert_eq!(wait, Duration::from_secs(595));
        budget.take_notice(&rules, after(5) + wait, after(5));
        assert_eq!(
            budget.notice_wait(&rules, after(5)),
            Duration::from_secs(596)
        );
        assert_eq!(budget.idle_at(), after(600 + 86_400));
    }

    #[test]
    fn a_row_is_compact_and_an_old_one_can_be_read() {
        let mut budget = NumberBudget::default();
        sends(&mut budget, stranger(7), after(0));
        sends(&mut budget, stranger(8), after(2));
        let text = serde_json::to_string(&budget).unwrap();
        assert_eq!(
            text,
            r#"{"uses":[[1700000000000000,7],[2000000,8]],"idle_at":1700086402000000}"#
        );
        assert_eq!(serde_json::from_str::<NumberBudget>(&text).unwrap(), budget);
        let old = r#"{"sends":[1700000120000000],"cool_down":{"sends":1,"until":1,"forgotten_at":2},"failures":{"count":3,"last_at":4}}"#;
        assert_eq!(
            serde_json::from_str::<NumberBudget>(old).unwrap(),
            NumberBudget::default()
        );
    }
}
