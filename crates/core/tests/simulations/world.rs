//! Accounts and budgets as a store would hold them, and attackers who do what they may as soon as they may.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use ringback_core::command::SetPhone;
use ringback_core::event::EventKind;
use ringback_core::refusal::CodeFailure;
use ringback_core::rights::Rights;
use ringback_core::{
    Account, Action, Budgets, Caller, Change, Command, Decision, Delivery, Guess, Keys, Moment,
    Policies, Refusal, Slot, Time, Verification, Which, decide,
};

pub(crate) const START: Time = Time(1_700_000_000_000_000);
pub(crate) const NUMBER: &str = "+41791234567";

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) accounts: BTreeMap<String, Account>,
    budgets: Budgets,
    turns: u64,
}

impl World {
    pub(crate) fn new() -> World {
        World {
            now: START,
            accounts: BTreeMap::new(),
            budgets: Budgets::new(),
            turns: 0,
        }
    }

    /// A user who holds the number verified.
    pub(crate) fn with_owner(mut self, user: &str) -> World {
        let register = Action::Register {
            organization: None,
            profile: Box::default(),
            phone: Some(SetPhone {
                number: NUMBER.into(),
                verification: Verification::Trusted,
            }),
        };
        let service = caller("service").with_rights(Rights {
            write: true,
            ..Rights::NONE
        });
        let decision = self.act(&service, user, register);
        assert!(decision.result.is_ok());
        self
    }

    pub(crate) fn own(&mut self, user: &str, action: Action) -> Decision {
        self.act(&caller(user), user, action)
    }

    fn act(&mut self, caller: &Caller, user: &str, action: Action) -> Decision {
        let (policies, keys) = (Policies::default(), Keys::for_tests());
        let command = Command {
            caller: caller.clone(),
            account: user.into(),
            action,
        };
        let mut slot = Slot {
            account: self.accounts.remove(user),
            ..Slot::empty("acme")
        };
        let phones = slot.account.iter().flat_map(|account| &account.phones);
        let names = command.budgets(
            "acme",
            phones.map(|phone| &phone.number),
            &policies.default,
            &keys,
        );
        let budgets = names.into_iter().map(|name| {
            let budget = self.budgets.get(&name).cloned().unwrap_or_default();
            (name, budget)
        });
        let mut budgets: Budgets = budgets.collect();
        self.turns += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.turns.to_be_bytes());
        let at = Moment {
            now: self.now,
            seed,
            policies: &policies,
            keys: &keys,
            conversion: None,
            guard: None,
            share: 0,
        };
        let decision = decide(&mut slot, &mut budgets, &command, &at);
        self.budgets.extend(budgets);
        let account = slot.account.map(|account| (user.to_owned(), account));
        self.accounts.extend(account);
        decision
    }

    /// The code of the account's only question: what its phone shows.
    pub(crate) fn code(&self, user: &str) -> String {
        let challenge = self.accounts[user].challenges.last().expect("was asked");
        let code = challenge.code(&Keys::for_tests()).expect("has its key");
        code.reveal().to_owned()
    }

    /// A code that the account's question does not have.
    pub(crate) fn wrong(&self, user: &str) -> String {
        let code = self.code(user);
        let last = if code.ends_with('7') { '8' } else { '7' };
        format!("{}{last}", &code[..5])
    }
}

pub(crate) fn caller(user: &str) -> Caller {
    Caller::new(user, "acme")
}

pub(crate) fn set() -> Action {
    Action::Change(Change::Set(SetPhone {
        number: NUMBER.into(),
        verification: Verification::Code(Delivery::Send),
    }))
}

pub(crate) fn guess(code: String) -> Action {
    Action::Change(Change::Verify {
        which: Which::Primary,
        guess: Guess(code),
    })
}

/// Tokens of as many accounts, none of which holds the number, and what they achieve.
pub(crate) struct Attack {
    /// Who does something next, and when.
    due: BinaryHeap<Reverse<(Time, String)>>,
    /// When a code went to the number.
    pub(crate) sent: Vec<Time>,
    /// When a guess was compared with a code.
    pub(crate) guessed: Vec<Time>,
    /// Events of guesses that were not compared, by account.
    pub(crate) refused: BTreeMap<String, Vec<Time>>,
}

impl Attack {
    pub(crate) fn by(tokens: usize) -> Attack {
        let due = (0..tokens).map(|n| Reverse((START, format!("eve-{n:02}"))));
        Attack {
            due: due.collect(),
            sent: Vec::new(),
            guessed: Vec::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Lets the attack go on until a time.
    pub(crate) fn until(&mut self, world: &mut World, end: Time) {
        while let Some(Reverse((at, user))) = self.due.pop() {
            if at >= end {
                self.due.push(Reverse((at, user)));
                break;
            }
            world.now = at;
            let next = self.step(world, &user);
            self.due.push(Reverse((next, user)));
        }
        world.now = end;
    }

    /// Has a code sent by whatever way is open, guesses as often as it may, and says when to go on.
    fn step(&mut self, world: &mut World, user: &str) -> Time {
        let now = world.now;
        // To take the number out and set it again opens a new question with new guesses.
        world.own(
            user,
            Action::Change(Change::Remove {
                which: Which::Primary,
            }),
        );
        let mut next = now + Duration::from_secs(60);
        match world.own(user, set()).result {
            Ok(_) => self.sent.push(now),
            Err(Refusal::Limited { retry_after, .. }) => return now + retry_after,
            Err(refusal) => panic!("{refusal:?}"),
        }
        let wrong = world.wrong(user);
        loop {
            let decision = world.own(user, guess(wrong.clone()));
            for event in &decision.events {
                let failed = matches!(event.kind, EventKind::VerificationFailed(_));
                let wrong = EventKind::VerificationFailed(CodeFailure::Wrong);
                if failed && event.kind != wrong {
                    self.refused.entry(user.into()).or_default().push(event.at);
                }
            }
            match decision.result {
                Err(Refusal::CodeRefused(CodeFailure::Wrong)) => self.guessed.push(world.now),
                // Waits as told, while the others go on.
                Err(Refusal::Limited { retry_after, .. }) => {
                    world.now = world.now + retry_after;
                    next = next.max(world.now);
                }
                Err(Refusal::CodeRefused(_)) => break,
                other => panic!("{other:?}"),
            }
        }
        world.now = now;
        next
    }
}
