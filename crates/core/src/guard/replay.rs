//! Other rules over what was decided before: what they would have stopped, and whom they would have hurt.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::tallies::Tallies;
use super::{
    AddressTally, CountryTally, Destination, Facts, GuardRules, Heard, Known, Mode, PrefixTally,
    Reason, examine,
};
use crate::moment::Time;
use crate::policy::Policies;

/// A code that was asked for or handed in, as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When.
    pub at: Time,
    /// The account's organisation.
    pub organization: String,
    /// The account.
    pub account: String,
    /// The number's pseudonym.
    pub number: String,
    /// What happened.
    pub what: What,
}

/// What happened of what is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A code was asked for.
    Asked {
        /// Where it was to go.
        to: Destination,
        /// What stands for the client's address.
        address: Option<String>,
        /// Whether the account had proven a number before.
        known: bool,
        /// Whether it was sent.
        sent: bool,
        /// How many such this one stands for.
        count: u32,
    },
    /// A code was handed in.
    Answered {
        /// The country that it had gone to.
        country: String,
        /// The beginning of the number that it had gone to.
        prefix: String,
    },
}

/// So long after a code was stopped its user would have handed it in.
const ANSWERS: Duration = Duration::from_secs(3_600);

/// What rules would have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Codes that were sent.
    pub sent: u64,
    /// Those of them that were handed in.
    pub answered: u64,
    /// Codes that the guard refused then.
    pub refused: u64,
    /// Codes that were sent and would have been stopped.
    pub stopped: Counts,
    /// By the first reason and the country.
    pub by_reason: BTreeMap<(Reason, String), Counts>,
    /// Codes that the guard refused then and that would have been sent.
    pub released: u64,
}

/// Codes that would have been stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many.
    pub stopped: u64,
    /// Those of them that were handed in: whoever waited for one would have been hurt.
    pub hurt: u64,
    /// What they cost, in millionths of the operator's currency, by the first route's price for one text message.
    pub cost: u64,
}

/// Plays what is on record by other rules.
#[derive(Debug)]
pub struct Player<'a> {
    policies: &'a Policies,
    from: Time,
    tallies: Tallies,
    addresses: HashMap<String, AddressTally>,
    /// The last code of an account to a number, while it may be handed in: when, from where, and why it was stopped.
    open: HashMap<(String, String, String), Open>,
    replay: Replay,
}

#[derive(Clone, Debug)]
struct Open {
    at: Time,
    address: Option<String>,
    stopped: Option<(Reason, String)>,
}

impl<'a> Player<'a> {
    /// By these rules, which count as enforced. What was before `from` is history and is not counted.
    pub fn new(policies: &'a Policies, from: Time) -> Player<'a> {
        Player {
            policies,
            from,
            tallies: Tallies::default(),
            addresses: HashMap::new(),
            open: HashMap::new(),
            replay: Replay::default(),
        }
    }

    /// What comes next, in the order of time.
    pub fn play(&mut self, one: &Recorded) {
        match &one.what {
            What::Asked {
                to,
                address,
                known,
                sent,
                count,
            } => self.asked(one, to, address.as_ref(), (*known, *sent), *count),
            What::Answered { country, prefix } => self.answered(one, country, prefix),
        }
    }

    fn asked(
        &mut self,
        one: &Recorded,
        to: &Destination,
        address: Option<&String>,
        (known, sent): (bool, bool),
        count: u32,
    ) {
        let rules = &self.policies.of(&one.organization).guard;
        let counted = one.at >= self.from;
        let first = match rules.mode {
            Mode::Off => None,
            Mode::Record | Mode::Enforce => self.reason(rules, one, to, address, known),
        };
        if counted {
            match (sent, first) {
                (true, _) => self.replay.sent += 1,
                (false, None) => {
                    self.replay.refused += u64::from(count);
                    self.replay.released += u64::from(count);
                }
                (false, Some(_)) => self.replay.refused += u64::from(count),
            }
        }
        // Nobody knows what would have become of one that was not sent.
        if !sent {
            return;
        }
        if let Some(reason) = first.filter(|_| counted) {
            let cost = self.cost(&one.organization, &to.country);
            let by_reason = self.replay.by_reason.entry((reason, to.country.clone()));
            for counts in [&mut self.replay.stopped, by_reason.or_default()] {
                counts.stopped += 1;
                counts.cost = counts.cost.saturating_add(cost);
            }
        }
        let stopped = first.map(|reason| (reason, to.country.clone()));
        if stopped.is_none() {
            let heard = Heard::Sent {
                to: to.clone(),
                reasons: Vec::new(),
            };
            self.tallies.hear(&one.organization, rules, &heard, one.at);
            if let Some(address) = address {
                let tally = self.addresses.entry(address.clone()).or_default();
                tally.sent(&to.country, one.at);
            }
        }
        let open = Open {
            at: one.at,
            address: address.cloned(),
            stopped,
        };
        self.open.insert(key(one), open);
    }

    fn reason(
        &self,
        rules: &GuardRules,
        one: &Recorded,
        to: &Destination,
        address: Option<&String>,
        known: bool,
    ) -> Option<Reason> {
        let fresh = AddressTally::default();
        let address = address.map(|address| self.addresses.get(address).unwrap_or(&fresh));
        let mut first = None;
        let mut look = |country: &CountryTally, prefix: &PrefixTally| {
            let facts = Facts {
                country,
                prefix,
                address,
                known,
            };
            first = examine(rules, to, facts, one.at).reasons.first().copied();
        };
        self.tallies.show(&one.organization, to, &mut look);
        first
    }

    fn answered(&mut self, one: &Recorded, country: &str, prefix: &str) {
        let counted = one.at >= self.from;
        self.replay.answered += u64::from(counted);
        let open = self.open.remove(&key(one));
        let open = open.filter(|open| one.at.since(open.at) < ANSWERS);
        if let Some((reason, country)) = open.as_ref().and_then(|open| open.stopped.clone()) {
            if counted {
                self.replay.stopped.hurt += 1;
                self.replay
                    .by_reason
                    .entry((reason, country))
                    .or_default()
                    .hurt += 1;
            }
            return;
        }
        let rules = &self.policies.of(&one.organization).guard;
        let heard = Heard::Answered {
            to: Destination {
                country: country.to_owned(),
                kind: crate::number::NumberKind::Mobile,
                prefix: prefix.to_owned(),
            },
            number: one.number.clone(),
        };
        self.tallies.hear(&one.organization, rules, &heard, one.at);
        if let Some(address) = open.and_then(|open| open.address) {
            let tally = self.addresses.entry(address).or_default();
            tally.verified(country, one.at);
        }
    }

    fn cost(&self, organization: &str, country: &str) -> u64 {
        let policy = self.policies.of(organization);
        let kind = crate::MessageKind::Code {
            challenge: crate::Id::from_bytes([0; 16]),
        };
        let each = policy.routes.cost_per_segment(Some(country), kind);
        each.saturating_mul(policy.segments.default)
    }

    /// What it came to.
    pub fn end(self) -> Replay {
        self.replay
    }
}

fn key(one: &Recorded) -> (String, String, String) {
    (
        one.organization.clone(),
        one.account.clone(),
        one.number.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::NumberKind;
    use crate::policy::Policy;

    const START: Time = Time(1_700_000_000_000_000);

    fn asked(n: u64, prefix: &str, sent: bool) -> Recorded {
        Recorded {
            at: START + Duration::from_secs(n),
            organization: "acme".into(),
            account: format!("user {n}"),
            number: format!("number {n}"),
            what: What::Asked {
                to: Destination {
                    country: "CH".into(),
                    kind: NumberKind::Mobile,
                    prefix: prefix.into(),
                },
                address: Some("here".into()),
                known: false,
                sent,
                count: if sent { 1 } else { 5 },
            },
        }
    }

    fn answered(n: u64, prefix: &str) -> Recorded {
        Recorded {
            at: START + Duration::from_secs(n + 20),
            what: What::Answered {
                country: "CH".into(),
                prefix: prefix.into(),
            },
            ..asked(n, prefix, true)
        }
    }

    fn policies(change: impl Fn(&mut GuardRules)) -> Policies {
        let mut policy = Policy::default();
        policy.guard.unverified_floor = 1_000;
        policy.guard.address_unverified = 1_000;
        change(&mut policy.guard);
        policy.into()
    }

    fn play(policies: &Policies, from: Time, all: &[Recorded]) -> Replay {
        let mut player = Player::new(policies, from);
        for one in all {
            player.play(one);
        }
        player.end()
    }

    #[test]
    fn what_would_have_been_stopped_is_told_with_whom_it_would_have_hurt() {
        // Thirty to one range, of which two are handed in at the end.
        let mut all: Vec<_> = (0..30).map(|n| asked(n, "+4179123", true)).collect();
        all.extend([answered(3, "+4179123"), answered(25, "+4179123")]);
        all.push(asked(40, "+4179999", false));
        let replay = play(&policies(|_| {}), START, &all);
        assert_eq!((replay.sent, replay.answered), (30, 2));
        let counts = Counts {
            stopped: 10,
            hurt: 1,
            cost: 0,
        };
        assert_eq!(replay.stopped, counts);
        let by_reason = [((Reason::Prefix, "CH".to_owned()), counts)];
        assert_eq!(replay.by_reason, by_reason.into());
        assert_eq!((replay.refused, replay.released), (5, 5));
        // The same by rules that let more pass, or nothing.
        let lax = policies(|guard| guard.prefix_sends = 40);
        assert_eq!(play(&lax, START, &all).stopped, Counts::default());
        let strict = policies(|guard| guard.deny_countries = ["CH".to_owned()].into());
        let replay = play(&strict, START, &all);
        assert_eq!((replay.stopped.stopped, replay.stopped.hurt), (30, 2));
        assert_eq!(replay.released, 0);
    }

    #[test]
    fn what_was_before_is_history() {
        let all: Vec<_> = (0..30).map(|n| asked(n, "+4179123", true)).collect();
        let replay = play(&policies(|_| {}), START + Duration::from_secs(25), &all);
        assert_eq!((replay.sent, replay.stopped.stopped), (5, 5));
    }
}
