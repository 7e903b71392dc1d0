//! What a message had taken of the limits, given back when it ended and nobody can have got it.

use super::{State, Trail, Verdict};
use crate::Keys;
use crate::account::Account;
use crate::event::{Message, MessageKind, NOTICE_LIFE};
use crate::limit::{Budget, Budgets, LimitRules, SHARES, keep_shares, shares};
use crate::moment::Time;
use crate::policy::Policies;

impl Trail {
    /// Whether some of so many attempts may have brought the message out. One that is not told of may have.
    fn may_be_out(&self, attempts: u32) -> bool {
        let told = self.last().map_or(0, |last| last.n);
        let sent = |verdict| matches!(verdict, Verdict::Taken | Verdict::Unknown);
        let mut tried = self.attempts().iter();
        told + 1 < attempts || tried.any(|attempt| attempt.handed || sent(attempt.verdict))
    }
}

/// Whether a message that came to this after so many attempts gives back what it had taken: the account's pause
/// for its number, and its place in the windows.
pub fn gives_back(state: State, trail: &Trail, attempts: u32) -> bool {
    match state {
        State::Refused | State::Expired | State::Failed => !trail.may_be_out(attempts),
        State::Queued
        | State::Handed
        | State::Superseded
        | State::Undelivered
        | State::Delivered => false,
    }
}

/// The budgets that are to be read for [`give_back`], by their pseudonyms.
pub fn budgets_of(message: &Message, policies: &Policies, keys: &Keys) -> Vec<String> {
    let policy = policies.of(&message.organization);
    let shares = match policy.limits.counts_organizations() {
        true => 0..SHARES,
        false => 0..0,
    };
    let shares = shares.map(|nth| keys.share_pseudonym(&message.organization, nth));
    std::iter::once(keys.pseudonym(&message.number))
        .chain(shares)
        .collect()
}

/// Gives it back; `budgets` are those of [`budgets_of`]. What is not there any more stays as it is. Of a number's and
/// an account's limits the same message gives back only once; of an organisation's, each time: settle it once. `share`:
/// which share of those gets it, best one that nobody else uses at the time.
pub fn give_back(
    message: &Message,
    account: Option<&mut Account>,
    budgets: &mut Budgets,
    (policies, keys): (&Policies, &Keys),
    share: u32,
    now: Time,
) {
    let policy = policies.of(&message.organization);
    let number = keys.pseudonym(&message.number);
    if let Some(budget) = budgets.get_mut(&number) {
        give_back_alone(message, account, budget, &policy.limits, keys);
    }
    let uses = policy.uses(&message.number, message.kind, &message.language);
    let organization = &message.organization;
    if let Some(mut pooled) = shares(budgets, keys, organization).filter(|_| !uses.is_empty()) {
        for one in uses {
            pooled.give_back(&one.pool, one.amount, share, message.created_at, now);
        }
        keep_shares(budgets, keys, organization, pooled);
    }
}

/// What the account and the number have of it.
fn give_back_alone(
    message: &Message,
    account: Option<&mut Account>,
    budget: &mut Budget,
    limits: &LimitRules,
    keys: &Keys,
) {
    match message.kind {
        MessageKind::Code { .. } | MessageKind::RemovalCode { .. } => {}
        MessageKind::Replaced | MessageKind::Removed => {
            budget.give_back(limits, None, message.expires_at - NOTICE_LIFE);
            return;
        }
    }
    let at = message.created_at;
    let tag = keys.account_tag(&message.organization, &message.account, &message.number);
    budget.give_back(limits, Some(tag), at);
    if let Some(account) = account {
        account.limits.sent.give_back(at);
        let pseudonym = keys.pseudonym(&message.number);
        if let Some(of_number) = account.limits.numbers.get_mut(&pseudonym) {
            of_number.cool_down.give_back(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::delivery::{Attempt, NumberFault, RouteFault};
    use crate::moment::Id;
    use crate::policy::Policy;
    use crate::{Number, account::AccountLimits, account::Profile};

    const START: Time = Time(1_700_000_000_000_000);

    fn trail(verdicts: &[Verdict]) -> Trail {
        let mut trail = Trail::default();
        for (n, verdict) in (1..).zip(verdicts) {
            trail.add(Attempt {
                n,
                route: format!("r{n}"),
                at: START,
                ms: 1,
                times: 1,
                verdict: *verdict,
                reason: String::new(),
                reference: None,
                handed: false,
                segments: 0,
                cost: 0,
            });
        }
        trail
    }

    #[test]
    fn only_what_nobody_can_have_got_comes_back() {
        let fault = RouteFault::Auth;
        let (unable, unknown) = (Verdict::Unable { fault }, Verdict::Unknown);
        let never = Verdict::Never {
            fault: NumberFault::Landline,
        };
        for state in State::ALL {
            let ended = matches!(state, State::Refused | State::Expired | State::Failed);
            assert_eq!(gives_back(state, &trail(&[unable, never]), 2), ended);
            assert!(!gives_back(state, &trail(&[unknown, unable]), 2));
            assert!(!gives_back(state, &trail(&[unable, Verdict::Taken]), 2));
            // The second attempt, of three, was never told of; the last one was not made.
            assert!(!gives_back(state, &trail(&[unable]), 3));
            assert_eq!(gives_back(state, &trail(&[unable]), 2), ended);
            assert_eq!(gives_back(state, &Trail::default(), 1), ended);
            assert!(!gives_back(state, &Trail::default(), 2));
            let lost = trail(&[Verdict::Taken]).with_receipt(1, unable, "not allowed");
            assert!(!gives_back(state, &lost, 1), "a route had it");
        }
    }

    fn account() -> Account {
        Account {
            id: "ann".into(),
            organization: "acme".into(),
            sequence: 0,
            created_at: START,
            changed_at: START,
            profile: Profile::default(),
            phones: Vec::new(),
            primary: None,
            challenges: Vec::new(),
            limits: AccountLimits::default(),
        }
    }

    fn message(kind: MessageKind, at: Time) -> Message {
        Message {
            id: Id::from_bytes([1; 16]),
            account: "ann".into(),
            organization: "acme".into(),
            number: Number::from_stored("+41791234567"),
            kind,
            language: String::new(),
            route: None,
            round: 0,
            created_at: at,
            due_at: at,
            expires_at: at + Duration::from_secs(600),
            opted_out: Vec::new(),
        }
    }

    #[test]
    fn each_message_gives_back_its_own_and_only_once() {
        let (keys, rules) = (Keys::for_tests(), LimitRules::default());
        let policies = Policies::from(Policy::default());
        let challenge = Id::from_bytes([2; 16]);
        let (mut account, mut budget) = (account(), Budget::default());
        let second = START + Duration::from_secs(90);
        let mut before = Vec::new();
        for at in [START, second] {
            before.push((account.limits.clone(), budget.clone()));
            let message = message(MessageKind::Code { challenge }, at);
            let tag = keys.account_tag("acme", "ann", &message.number);
            budget.take(&rules, tag, at);
            account.limits.sent.take(&rules.sends_per_account, at);
            let pseudonym = keys.pseudonym(&message.number);
            let of_number = account.limits.of_number_mut(&pseudonym, at);
            of_number.cool_down.take(&rules, at);
        }
        let number = keys.pseudonym(&Number::from_stored("+41791234567"));
        let code = |at| message(MessageKind::Code { challenge }, at);
        let back = |account: &mut Account, budget: &mut Budget, message: &Message| {
            let name = keys.pseudonym(&message.number);
            let mut budgets = Budgets::from([(name.clone(), budget.clone())]);
            give_back(
                message,
                Some(account),
                &mut budgets,
                (&policies, &keys),
                0,
                START,
            );
            *budget = budgets.remove(&name).unwrap_or_default();
        };
        for _ in 0..2 {
            back(&mut account, &mut budget, &code(second));
            let of_number = account.limits.of_number(&number);
            assert_eq!(
                (of_number.cool_down.sends, of_number.cool_down.wait(second)),
                (1, None)
            );
            assert_eq!(account.limits.sent, before[1].0.sent);
            assert_eq!(budget, before[1].1);
        }
        // The pause is the second one's by now: the first gives back its place in the windows.
        for _ in 0..2 {
            back(&mut account, &mut budget, &code(START));
            assert_eq!(account.limits.sent, before[0].0.sent);
            assert_eq!(budget, Budget::default());
        }
        // A notice has taken of the number only.
        let goes_at = second + Duration::from_secs(30);
        budget.take_notice(&rules, goes_at, second);
        let mut notice = message(MessageKind::Removed, second);
        notice.expires_at = goes_at + NOTICE_LIFE;
        let limits = account.limits.clone();
        back(&mut account, &mut budget, &notice);
        assert_eq!((account.limits, budget), (limits, Budget::default()));
    }
}
