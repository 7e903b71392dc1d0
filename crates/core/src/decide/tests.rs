//! Tests of the decision, by subject, on a small world of accounts, numbers and a clock.

mod accounts;
mod codes;
mod guard;
mod identity;
mod limits;
mod numbers;
mod rights;
mod secrets;
mod self_service;
mod sessions;
mod shared;
mod verbs;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Decision, decide};
use crate::account::{Account, Deleted, Phone, PhoneState, Profile, ProfileChange, Slot};
use crate::challenge::Challenge;
use crate::command::{
    Action, Change, Command, Delivery, Guess, PhoneChange, Reply, SetPhone, Verification, Which,
};
use crate::event::EventKind;
use crate::guard::Tallies;
use crate::limit::{Budget, Budgets, Failures, Limit, LimitRules};
use crate::moment::{Moment, Time};
use crate::refusal::{CodeFailure, Refusal};
use crate::rights::Rights;
use crate::{Caller, Keys, Number, Policies, Policy};

const ONE: &str = "+41791234567";
const TWO: &str = "+41791234568";
const SEND: Verification = Verification::Code(Delivery::Send);
const RETURN: Verification = Verification::Code(Delivery::Return);
const MICROSECOND: Duration = Duration::from_micros(1);

/// What a store would hold, a clock, and a supply of seeds.
#[derive(Clone)]
struct World {
    policy: Policy,
    /// Of organisations that have rules of their own.
    own_policies: BTreeMap<String, Policy>,
    keys: Keys,
    now: Time,
    accounts: BTreeMap<String, Account>,
    deleted: BTreeMap<String, Deleted>,
    budgets: Budgets,
    tallies: Tallies,
    turns: u64,
}

impl World {
    fn new() -> World {
        World {
            policy: Policy::default(),
            own_policies: BTreeMap::new(),
            keys: Keys::for_tests(),
            now: Time(1_700_000_000_000_000),
            accounts: BTreeMap::new(),
            deleted: BTreeMap::new(),
            budgets: Budgets::new(),
            tallies: Tallies::default(),
            turns: 0,
        }
    }

    /// A world in which no pause and no window stands in a test's way.
    fn unlimited() -> World {
        let mut world = World::new();
        world.policy.limits.cool_down_seconds = Vec::new();
        world.policy.limits.sends_per_number = Vec::new();
        world.policy.limits.sends_per_account = Vec::new();
        world.policy.limits.sets_per_account = Vec::new();
        world.policy.limits.changes_per_account = Vec::new();
        world
    }

    /// Decides with exactly what the command asks for, as the store does.
    fn act(&mut self, caller: &Caller, user: &str, action: Action) -> Decision {
        let command = Command {
            caller: caller.clone(),
            account: user.into(),
            action,
        };
        let same_id = self.accounts.values().filter(|account| account.id == user);
        let organizations = same_id.map(|account| account.organization.as_str());
        let organization = match command.target().resolve(organizations) {
            Ok(organization) => organization.to_owned(),
            Err(refusal) => {
                return Decision {
                    result: Err(refusal),
                    events: Vec::new(),
                    messages: Vec::new(),
                    proven: None,
                    heard: None,
                };
            }
        };
        let key = key(&organization, user);
        let mut slot = Slot {
            account: self.accounts.remove(&key),
            deleted: self.deleted.remove(&key),
            organization,
        };
        let policies = self.policies();
        let policy = policies.of(&slot.organization);
        let phones = slot.account.iter().flat_map(|account| &account.phones);
        let names = command.budgets(
            &slot.organization,
            phones.map(|phone| &phone.number),
            policy,
            &self.keys,
        );
        let mut budgets: Budgets = names
            .into_iter()
            .map(|name| {
                let budget = self.budgets.get(&name).cloned().unwrap_or_default();
                (name, budget)
            })
            .collect();
        self.turns += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.turns.to_be_bytes());
        let at = Moment {
            now: self.now,
            seed,
            policies: &policies,
            keys: &self.keys,
            conversion: None,
            guard: Some(&self.tallies),
            share: u32::try_from(self.turns % 3).unwrap_or(0),
        };
        let decision = decide(&mut slot, &mut budgets, &command, &at);
        if let Some(heard) = &decision.heard {
            let rules = &policy.guard;
            self.tallies
                .hear(&slot.organization, rules, heard, self.now);
        }
        self.budgets.extend(budgets);
        self.budgets
            .retain(|_, budget| *budget != Budget::default());
        self.accounts
            .extend(slot.account.map(|account| (key.clone(), account)));
        self.deleted
            .extend(slot.deleted.map(|deleted| (key, deleted)));
        decision
    }

    fn policies(&self) -> Policies {
        Policies {
            default: self.policy.clone(),
            by_organization: self.own_policies.clone(),
        }
    }

    /// For what must succeed.
    fn does(&mut self, caller: &Caller, user: &str, action: Action) -> Reply {
        self.act(caller, user, action).result.expect("must succeed")
    }

    /// For what must be refused without a trace.
    fn refuses(&mut self, caller: &Caller, user: &str, action: Action) -> Refusal {
        let before = (self.accounts.clone(), self.budgets.clone());
        let decision = self.act(caller, user, action);
        assert_eq!(before, (self.accounts.clone(), self.budgets.clone()));
        assert_eq!((decision.events, decision.messages), (vec![], vec![]));
        decision.result.expect_err("must be refused")
    }

    /// Submits a code that must be refused, and says why.
    fn fails(&mut self, user: &str, code: &str) -> CodeFailure {
        match self.act(&own(user), user, guess(code)).result {
            Err(Refusal::CodeRefused(failure)) => failure,
            other => panic!("must be a refused code: {other:?}"),
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    fn account(&self, user: &str) -> &Account {
        self.accounts.get(user).expect("must be registered")
    }

    fn account_mut(&mut self, user: &str) -> &mut Account {
        self.accounts.get_mut(user).expect("must be registered")
    }

    fn primary(&self, user: &str) -> &Phone {
        self.account(user)
            .primary_phone()
            .expect("must have a number")
    }

    fn budget(&self, number: &str) -> Budget {
        let name = self.keys.pseudonym(&Number::from_stored(number));
        self.budgets.get(&name).cloned().unwrap_or_default()
    }

    /// An account's wrong guesses for a number.
    fn failures(&mut self, user: &str, number: &str) -> &mut Failures {
        let name = self.keys.pseudonym(&Number::from_stored(number));
        let now = self.now;
        &mut self
            .account_mut(user)
            .limits
            .of_number_mut(&name, now)
            .failures
    }

    /// Brings an account to so many wrong guesses for a number, with nothing to wait for.
    fn failed(&mut self, user: &str, number: &str, count: u32) {
        self.failures(user, number).count = count;
    }

    /// Submits a code that has to wait.
    fn waits(&mut self, user: &str, action: Action, seconds: u64) {
        let refusal = self.act(&own(user), user, action).result;
        assert_eq!(refusal, Err(limited(Limit::WrongCodes, seconds)));
    }

    /// The only challenge of an account.
    fn challenge(&self, user: &str) -> &Challenge {
        match self.account(user).challenges.as_slice() {
            [challenge] => challenge,
            others => panic!("must be one challenge: {others:?}"),
        }
    }

    /// The code that would verify the account's number.
    fn code(&self, user: &str) -> String {
        let code = self.challenge(user).code(&self.keys);
        code.expect("its key must be there").reveal().to_owned()
    }

    /// A code that would not.
    fn wrong(&self, user: &str) -> String {
        let code = self.code(user);
        let last = if code.ends_with('2') { '3' } else { '2' };
        format!("{}{last}", &code[..code.len() - 1])
    }

    /// A user registered by a service, with a number whose code was returned.
    fn with_code(mut self, user: &str, number: &str) -> World {
        self.does(&service(), user, register(Some(phone(number, RETURN))));
        self
    }

    /// A user registered by a service, with a verified number.
    fn with_verified(mut self, user: &str, number: &str) -> World {
        let phone = phone(number, Verification::Trusted);
        self.does(&service(), user, register(Some(phone)));
        self
    }

    /// Adds a number that is not primary, as other APIs can.
    fn add_secondary(&mut self, user: &str, number: &str, state: PhoneState) {
        self.turns += 1;
        let (now, count) = (self.now, self.turns);
        let id = format!("00000000-0000-7000-8000-{count:012}");
        self.account_mut(user).phones.push(Phone {
            id: crate::Id::parse(&id).expect("is an id"),
            number: Number::from_stored(number),
            state,
            created_at: now,
            changed_at: now,
        });
    }
}

/// An account of `acme` by its user id alone, one of another organisation by both.
fn key(organization: &str, user: &str) -> String {
    match organization {
        "acme" => user.to_owned(),
        other => format!("{user} of {other}"),
    }
}

/// An end user of the organisation `acme`.
fn own(user: &str) -> Caller {
    Caller {
        language: "de-CH, en;q=0.5".into(),
        ..Caller::new(user, "acme")
    }
}

/// A service with every right in the organisation `acme`.
fn service() -> Caller {
    Caller::new("service", "acme").with_rights(Rights::ALL)
}

/// A service with every right everywhere.
fn everywhere() -> Caller {
    Caller {
        everywhere: Rights::ALL,
        ..service()
    }
}

/// The same caller in another organisation, where it has the same rights.
fn elsewhere(caller: Caller) -> Caller {
    let rights = caller.rights_at(&caller.organization);
    let moved = Caller {
        home: "other".into(),
        organization: "other".into(),
        ..caller
    };
    moved.with_rights(rights)
}

fn phone(number: &str, verification: Verification) -> SetPhone {
    SetPhone {
        number: number.into(),
        verification,
    }
}

fn set(number: &str) -> Action {
    set_by(number, SEND)
}

fn set_by(number: &str, verification: Verification) -> Action {
    Action::Change(Change::Set(phone(number, verification)))
}

fn register(phone: Option<SetPhone>) -> Action {
    Action::Register {
        organization: None,
        profile: Box::default(),
        phone,
    }
}

fn update(phone: PhoneChange) -> Action {
    Action::Change(Change::Update {
        profile: Box::default(),
        phone,
    })
}

fn update_by(number: &str, verification: Verification) -> Action {
    update(PhoneChange::Set(phone(number, verification)))
}

fn rename(name: &str) -> Box<ProfileChange> {
    Box::new(ProfileChange {
        given_name: Some(name.into()),
        ..ProfileChange::default()
    })
}

fn guess(code: &str) -> Action {
    Action::Change(Change::Verify {
        which: Which::Primary,
        guess: Guess(code.into()),
    })
}

fn resend() -> Action {
    Action::Change(Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Send,
    })
}

fn resend_returned() -> Action {
    Action::Change(Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Return,
    })
}

fn kinds(decision: &Decision) -> Vec<EventKind> {
    decision.events.iter().map(|event| event.kind).collect()
}

fn limited(limit: Limit, seconds: u64) -> Refusal {
    Refusal::Limited {
        limit,
        retry_after: Duration::from_secs(seconds),
    }
}
