//! Random stories: commands of random callers about a few accounts and numbers, as time passes.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use proptest::prelude::*;
use ringback_core::account::ProfileChange;
use ringback_core::account::{Pending, Profile};
use ringback_core::challenge::Purpose;
use ringback_core::command::{NumberText, PhoneChange, SetPhone, Which};
use ringback_core::delivery::RouteRules;
use ringback_core::guard::{Mode, Tallies};
use ringback_core::limit::{Amount, Window};
use ringback_core::policy::Registration;
use ringback_core::refusal::CodeFailure;
use ringback_core::rights::{Right, Rights};
use ringback_core::{
    Account, Action, Budgets, Caller, Challenge, Change, Command, Decision, Delivery,
    Guess as Typed, Id, Keys, MessageKind, Moment, Number, Phone, PhoneState, Policies, Policy,
    Refusal, Slot, Time, Verification, decide,
};

/// What a message costs, in millionths.
pub(crate) const COST: u64 = 7_500;
const USERS: [&str; 3] = ["ann", "bob", "eve"];
pub(crate) const NUMBERS: [&str; 3] = ["+41791234567", "+41791234568", "+436641234567"];
/// The state of the number that is to replace the primary one.
pub(crate) const NEXT: PhoneState = PhoneState::Pending(Pending::Replaces);

/// Rules and what happens under them.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    policy: Policy,
    steps: Vec<Step>,
}

/// Time passes, then somebody asks for something, once or a few times in a row.
#[derive(Clone, Debug)]
struct Step {
    wait: u64,
    times: usize,
    who: Who,
    user: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum Who {
    TheUser,
    AnotherUser,
    TheUserElsewhere,
    Service,
    ServiceElsewhere,
    Everywhere,
}

#[derive(Clone, Debug)]
enum What {
    Register(bool, Option<(usize, Verification)>),
    Rename(u8),
    Update(u8, usize, Verification),
    UpdateToNone(u8),
    Set(usize, Verification),
    Resend(Delivery),
    Guess(Guess),
    Remove,
    Add(usize, Option<Verification>),
    Preverify(usize),
    Change(usize),
    ResendChange,
    Confirm(Way, usize, Guess),
    RequestRemoval(usize),
    ConfirmRemoval(Option<usize>, usize, Guess),
    Drop(usize),
    RemoveNumber(usize),
    MakePrimary(usize),
    Unlock,
    Delete,
}

/// By what a code says which number it is for.
#[derive(Clone, Copy, Debug)]
enum Way {
    Challenge,
    Number,
    Latest,
}

#[derive(Clone, Copy, Debug)]
enum Guess {
    Right,
    Wrong,
    Old(usize),
    Shapeless,
}

fn verification() -> impl Strategy<Value = Verification> {
    prop_oneof![
        6 => Just(Verification::Code(Delivery::Send)),
        3 => Just(Verification::Code(Delivery::Return)),
        1 => Just(Verification::Trusted),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        40 => Just(0_u64),
        8 => 1_u64..10,
        4 => 55_u64..125,
        1 => 235_u64..245,
        1 => 475_u64..485,
        1 => 595_u64..605,
        1 => 900_u64..5_000,
        1 => 80_000_u64..100_000,
    ];
    let who = prop_oneof![
        10 => Just(Who::TheUser),
        1 => Just(Who::AnotherUser),
        1 => Just(Who::TheUserElsewhere),
        6 => Just(Who::Service),
        1 => Just(Who::ServiceElsewhere),
        1 => Just(Who::Everywhere),
    ];
    let guess = prop_oneof![
        2 => Just(Guess::Right),
        12 => Just(Guess::Wrong),
        1 => (0_usize..8).prop_map(Guess::Old),
        1 => Just(Guess::Shapeless),
    ];
    // Several numbers come to something only where some of them are proven.
    let proof = prop_oneof![
        8 => Just(Guess::Right),
        2 => Just(Guess::Wrong),
        1 => (0_usize..8).prop_map(Guess::Old),
        1 => Just(Guess::Shapeless),
    ];
    let way = prop_oneof![Just(Way::Challenge), Just(Way::Number), Just(Way::Latest)];
    let pick = 0_usize..6;
    let other = prop_oneof![4 => Just(None), 1 => pick.clone().prop_map(Some)];
    let name = 0_u8..3;
    let number = 0..NUMBERS.len();
    let delivery = prop_oneof![3 => Just(Delivery::Send), 1 => Just(Delivery::Return)];
    let phone = proptest::option::of((number.clone(), verification()));
    let what = prop_oneof![
        2 => (any::<bool>(), phone).prop_map(|(elsewhere, phone)| What::Register(elsewhere, phone)),
        2 => name.clone().prop_map(What::Rename),
        6 => (name.clone(), number.clone(), verification()).prop_map(|(name, n, v)| What::Update(name, n, v)),
        2 => name.prop_map(What::UpdateToNone),
        16 => (number.clone(), verification()).prop_map(|(n, v)| What::Set(n, v)),
        16 => delivery.prop_map(What::Resend),
        40 => guess.prop_map(What::Guess),
        4 => Just(What::Remove),
        16 => (number.clone(), proptest::option::weighted(0.8, verification())).prop_map(|(n, v)| What::Add(n, v)),
        8 => number.clone().prop_map(What::Preverify),
        16 => number.clone().prop_map(What::Change),
        6 => Just(What::ResendChange),
        32 => (way, pick.clone(), proof.clone()).prop_map(|(way, pick, guess)| What::Confirm(way, pick, guess)),
        12 => pick.clone().prop_map(What::RequestRemoval),
        16 => (other, pick.clone(), proof).prop_map(|(other, pick, guess)| What::ConfirmRemoval(other, pick, guess)),
        2 => pick.clone().prop_map(What::Drop),
        2 => number.prop_map(What::RemoveNumber),
        4 => pick.prop_map(What::MakePrimary),
        1 => Just(What::Unlock),
        1 => Just(What::Delete),
    ];
    // Most of a story is about one user: only so do its limits fill up.
    let user = prop_oneof![6 => Just(0), 2 => Just(1), 1 => Just(2)];
    let times = prop_oneof![6 => Just(1_usize), 1 => 2_usize..7];
    (wait, times, who, user, what).prop_map(|(wait, times, who, user, what)| Step {
        wait,
        times,
        who,
        user,
        what,
    })
}

/// The default rules, rules with small windows and few guesses, rules with pauses only, and rules for what users
/// share only.
fn policies() -> [Policy; 5] {
    let window = |count, seconds| Window { count, seconds };
    let mut windows = Policy::default();
    windows.numbers.most_per_account = 2;
    windows.codes.guesses = 2;
    windows.codes.validity_seconds = 120;
    windows.codes.reuse_seconds = 60;
    windows.limits.sends_per_number = vec![window(2, 60), window(5, 3_600)];
    windows.limits.sends_per_account = vec![window(2, 240)];
    windows.limits.sets_per_account = vec![window(1, 600)];
    windows.limits.cool_down_seconds = Vec::new();
    windows.limits.free_failures = 2;
    windows.limits.longest_wait_seconds = 60;
    windows.limits.lock_at_failures = 3;
    let mut pauses = Policy::default();
    pauses.limits.sends_per_number = Vec::new();
    pauses.limits.sends_per_account = Vec::new();
    pauses.limits.sets_per_account = Vec::new();
    pauses.limits.changes_per_account = vec![window(3, 60)];
    pauses.limits.cool_down_seconds = vec![5, 60];
    pauses.notify.old_number = false;
    let mut shared = pauses.clone();
    shared.notify.old_number = true;
    shared.limits.changes_per_account = Vec::new();
    shared.limits.cool_down_seconds = Vec::new();
    shared.limits.sends_per_address = vec![window(2, 60), window(4, 3_600)];
    shared.limits.verifications_per_address = vec![window(4, 600)];
    shared.limits.sends_per_organization_per_day = 9;
    let countries = [("CH".to_owned(), 6)];
    shared.limits.sends_per_country_per_day = countries.into();
    // The guard holds back what hardly anybody answers, and messages cost something.
    let mut guarded = shared.clone();
    guarded.limits.sends_per_address = vec![window(100, 60)];
    guarded.limits.sends_per_organization_per_day = 0;
    guarded.limits.sends_per_country_per_day.clear();
    guarded.limits.spend_per_organization_per_day = Amount(9 * COST);
    guarded.guard.mode = Mode::Enforce;
    guarded.guard.unverified_floor = 4;
    let route = RouteRules {
        cost_per_segment: COST,
        ..RouteRules::default()
    };
    guarded.routes.rules = [("only".to_owned(), route)].into();
    guarded.routes.default = vec!["only".to_owned()];
    [Policy::default(), windows, pauses, shared, guarded]
}

/// Two users are registered at the start, the third may come by a first token.
pub(crate) fn story() -> impl Strategy<Value = Story> {
    let register = prop_oneof![
        3 => Just(Registration::OnFirstToken),
        1 => Just(Registration::Explicit),
    ];
    let policy = proptest::sample::select(policies().to_vec());
    let steps = proptest::collection::vec(step(), 1..100);
    (policy, register, steps).prop_map(|(mut policy, register, steps)| {
        policy.accounts.register = register;
        let registered = (0..2).map(|user| Step {
            wait: 0,
            times: 1,
            who: Who::Service,
            user,
            what: What::Register(false, None),
        });
        let steps = registered.chain(steps).collect();
        Story { policy, steps }
    })
}

/// One command, what was before it, and what came of it.
pub(crate) struct Played<'a> {
    pub(crate) command: &'a Command,
    pub(crate) at: Moment<'a>,
    /// The organisation whose account the command is about.
    pub(crate) organization: &'a str,
    pub(crate) slot_before: &'a Slot,
    pub(crate) before: &'a Option<Account>,
    pub(crate) budgets_before: &'a Budgets,
    pub(crate) decision: &'a Decision,
    pub(crate) slot_after: &'a Slot,
    pub(crate) after: &'a Option<Account>,
    pub(crate) budgets_after: &'a Budgets,
}

impl Story {
    /// Plays the story as the store does: each command gets its account and the budgets that it names.
    pub(crate) fn play(&self, mut watch: impl FnMut(&Played<'_>)) {
        let keys = Keys::for_tests();
        let policies = Policies::from(self.policy.clone());
        let mut slots: BTreeMap<(String, &str), Slot> = BTreeMap::new();
        let mut rows = Budgets::new();
        let mut tallies = Tallies::default();
        let mut old_codes = Vec::new();
        let mut now = Time(1_700_000_000_000_000);
        let turns = self.steps.iter().flat_map(|step| {
            (0..step.times).map(move |turn| (step, if turn == 0 { step.wait } else { 0 }))
        });
        for (count, (step, wait)) in (1_u64..).zip(turns) {
            now = now + Duration::from_secs(wait);
            let user = USERS[step.user];
            let here = slots.get(&(step.place().to_owned(), user));
            let known = here.and_then(|slot| slot.account.clone());
            let command = Command {
                caller: step.caller(),
                account: user.into(),
                action: step.action(known.as_ref(), &old_codes, &keys),
            };
            let same_id = slots
                .iter()
                .filter(|((_, id), slot)| *id == user && slot.account.is_some());
            let found = same_id.map(|((organization, _), _)| organization.as_str());
            // Whoever does not say which of several is meant changes none of them.
            let Ok(organization) = command.target().resolve(found) else {
                assert!(command.caller.everywhere.any());
                continue;
            };
            let key = (organization.to_owned(), user);
            let slot_before = slots
                .get(&key)
                .cloned()
                .unwrap_or_else(|| Slot::empty(organization));
            let phones = slot_before
                .account
                .iter()
                .flat_map(|account| &account.phones);
            let phones = phones.map(|phone| &phone.number);
            let names = command.budgets(organization, phones, &self.policy, &keys);
            let budgets_before: Budgets = names
                .into_iter()
                .map(|name| (name.clone(), rows.get(&name).cloned().unwrap_or_default()))
                .collect();
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&count.to_be_bytes());
            let at = Moment {
                now,
                seed,
                policies: &policies,
                keys: &keys,
                conversion: None,
                guard: Some(&tallies),
                share: u32::try_from(count % 5).unwrap_or(0),
            };
            let (mut slot_after, mut budgets_after) = (slot_before.clone(), budgets_before.clone());
            let decision = decide(&mut slot_after, &mut budgets_after, &command, &at);
            watch(&Played {
                command: &command,
                at,
                organization: &slot_before.organization,
                slot_before: &slot_before,
                before: &slot_before.account,
                budgets_before: &budgets_before,
                decision: &decision,
                slot_after: &slot_after,
                after: &slot_after.account,
                budgets_after: &budgets_after,
            });
            rows.extend(budgets_after);
            if let Some(heard) = &decision.heard {
                let organization = &slot_before.organization;
                tallies.hear(organization, &self.policy.guard, heard, now);
            }
            let challenges = slot_after
                .account
                .iter()
                .flat_map(|account| &account.challenges);
            old_codes.extend(challenges.map(|challenge| code_of(challenge, &keys)));
            slots.insert(key, slot_after);
        }
    }
}

impl Step {
    /// The organisation that is acted in.
    fn place(&self) -> &'static str {
        match self.who {
            Who::TheUser | Who::AnotherUser | Who::Service | Who::Everywhere => "acme",
            Who::TheUserElsewhere | Who::ServiceElsewhere => "other",
        }
    }

    fn caller(&self) -> Caller {
        let user = match self.who {
            Who::TheUser | Who::TheUserElsewhere => USERS[self.user],
            Who::AnotherUser => USERS[(self.user + 1) % USERS.len()],
            Who::Service | Who::ServiceElsewhere | Who::Everywhere => "service",
        };
        let caller = Caller::new(user, self.place());
        match self.who {
            Who::Everywhere => Caller {
                everywhere: Rights::ALL,
                ..caller
            },
            Who::Service | Who::ServiceElsewhere => caller.with_rights(Rights::ALL),
            // Everybody is at home in one network.
            Who::TheUser | Who::TheUserElsewhere | Who::AnotherUser => Caller {
                address: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, self.user as u16).into()),
                ..caller
            },
        }
    }

    fn action(&self, account: Option<&Account>, old_codes: &[String], keys: &Keys) -> Action {
        let number = |n: usize| NumberText::from(NUMBERS[n]);
        let set = |(n, verification): (usize, Verification)| SetPhone {
            number: number(n),
            verification,
        };
        let phones = account.map_or(&[][..], |account| &account.phones);
        let questions = account.map_or(&[][..], |account| &account.challenges);
        let name = |n| pick(phones, n).map_or_else(nothing, |phone| phone.id);
        let update = |name: u8, phone| {
            Action::Change(Change::Update {
                profile: Box::new(ProfileChange {
                    given_name: Some(name.to_string()),
                    ..ProfileChange::default()
                }),
                phone,
            })
        };
        match &self.what {
            What::Register(elsewhere, phone) => Action::Register {
                organization: elsewhere.then(|| "other".into()),
                profile: Box::new(Profile::default()),
                phone: phone.map(set),
            },
            What::Rename(name) => update(*name, PhoneChange::Keep),
            What::Update(name, n, v) => update(*name, PhoneChange::Set(set((*n, *v)))),
            What::UpdateToNone(name) => update(*name, PhoneChange::Remove),
            What::Set(n, v) => Action::Change(Change::Set(set((*n, *v)))),
            What::Resend(delivery) => Action::Change(Change::Resend {
                which: Which::Primary,
                delivery: *delivery,
            }),
            What::Guess(guess) => {
                let question = account.and_then(asked);
                let code = guess.typed(question, old_codes, keys);
                Action::Change(Change::Verify {
                    which: Which::Primary,
                    guess: Typed(code),
                })
            }
            What::Remove => Action::Change(Change::Remove {
                which: Which::Primary,
            }),
            What::Add(n, verification) => Action::Change(Change::Add {
                number: number(*n),
                verification: *verification,
            }),
            What::Preverify(n) => Action::Change(Change::Preverify { number: number(*n) }),
            What::Change(n) => Action::Change(Change::Replace { number: number(*n) }),
            What::ResendChange => Action::Change(Change::Resend {
                which: Which::Next,
                delivery: Delivery::Send,
            }),
            What::Confirm(way, n, guess) => {
                let which = match way {
                    Way::Challenge => Which::Challenge(
                        pick(questions, *n).map_or_else(nothing, |question| question.id),
                    ),
                    Way::Number => Which::Number(pick(phones, *n).map_or_else(
                        || number(*n % NUMBERS.len()),
                        |phone| phone.number.as_str().into(),
                    )),
                    Way::Latest => Which::Latest,
                };
                let question = account.and_then(|account| meant(account, &which));
                let code = guess.typed(question, old_codes, keys);
                Action::Change(Change::Verify {
                    which,
                    guess: Typed(code),
                })
            }
            What::RequestRemoval(n) => Action::Change(Change::RequestRemoval { phone: name(*n) }),
            What::ConfirmRemoval(other, n, guess) => {
                let removals = questions
                    .iter()
                    .filter(|asked| asked.purpose == Purpose::Remove);
                let removals: Vec<_> = removals.cloned().collect();
                let question = pick(&removals, *n).or(pick(questions, *n));
                let about = question.map_or_else(nothing, |question| question.phone);
                Action::Change(Change::ConfirmRemoval {
                    phone: other.map_or(about, name),
                    challenge: question.map_or_else(nothing, |question| question.id),
                    guess: Typed(guess.typed(question, old_codes, keys)),
                })
            }
            What::Drop(n) => Action::Change(Change::Remove {
                which: Which::Phone(name(*n)),
            }),
            What::RemoveNumber(n) => Action::Change(Change::Remove {
                which: Which::Number(number(*n)),
            }),
            What::MakePrimary(n) => Action::Change(Change::MakePrimary { phone: name(*n) }),
            What::Unlock => Action::Change(Change::Unlock),
            What::Delete => Action::Delete,
        }
    }
}

impl Guess {
    /// What the user types where `question` is meant.
    fn typed(self, question: Option<&Challenge>, old_codes: &[String], keys: &Keys) -> String {
        let code = question.map_or_else(|| "000000".into(), |question| code_of(question, keys));
        match self {
            Guess::Right => code,
            Guess::Wrong if code.ends_with('7') => format!("{}8", &code[..5]),
            Guess::Wrong => format!("{}7", &code[..5]),
            Guess::Old(back) => old_codes.iter().rev().nth(back).cloned().unwrap_or(code),
            Guess::Shapeless => code[..5].to_owned(),
        }
    }
}

fn pick<T>(these: &[T], n: usize) -> Option<&T> {
    these.get(n % these.len().max(1))
}

/// A name that nothing has.
fn nothing() -> Id {
    Id::parse("00000000-0000-7000-8000-000000000000").expect("is an id")
}

impl Played<'_> {
    /// Whether the caller acts with `user.write` over the account, by what the surface says of rights.
    pub(crate) fn serves(&self) -> bool {
        let caller = &self.command.caller;
        caller.everywhere.write
            || caller.may(Right::Write) && self.organization == caller.organization
    }

    /// What tells the account from every other one.
    pub(crate) fn key(&self) -> String {
        format!("{} of {}", self.command.account, self.organization)
    }

    /// The number that the account may hold afterwards.
    pub(crate) fn named(&self) -> Option<Number> {
        self.command.number(&self.policy().numbers)
    }

    pub(crate) fn policy(&self) -> &Policy {
        self.at.policies.of(self.organization)
    }

    /// The question that a submitted code answers, if there is one, and the code.
    pub(crate) fn answered(&self) -> Option<(&Account, &Challenge, &str)> {
        let account = self.before.as_ref()?;
        let (question, code) = match &self.command.action {
            Action::Change(Change::Verify { which, guess }) => (meant(account, which), guess),
            Action::Change(Change::ConfirmRemoval {
                phone,
                challenge,
                guess,
            }) => {
                let question = account.challenge(*challenge);
                let fits =
                    |asked: &&Challenge| asked.purpose == Purpose::Remove && asked.phone == *phone;
                (question.filter(fits), guess)
            }
            _ => return None,
        };
        question.map(|question| (account, question, code.0.as_str()))
    }

    /// The outcome of a submitted code that was compared: the question, and whether the answer was taken
    /// for right.
    pub(crate) fn compared(&self) -> Option<(&Account, &Challenge, bool)> {
        let submits = matches!(
            self.command.action,
            Action::Change(Change::Verify {
                which: Which::Primary,
                ..
            }) | Action::Change(Change::Verify { .. })
                | Action::Change(Change::ConfirmRemoval { .. })
        );
        let right = match self.decision.result {
            _ if !submits => return None,
            Ok(_) => true,
            Err(Refusal::CodeRefused(CodeFailure::Wrong)) => false,
            Err(_) => return None,
        };
        let (account, question, _) = self.answered().expect("a code answers a question");
        Some((account, question, right))
    }

    /// The number that the command asks to send to.
    pub(crate) fn receiver(&self) -> Option<Number> {
        let account = self.before.as_ref();
        let held = || {
            let account = account?;
            match &self.command.action {
                Action::Change(Change::Resend {
                    which: Which::Primary,
                    delivery: _,
                }) => primary(account),
                Action::Change(Change::Resend {
                    which: Which::Next,
                    delivery: Delivery::Send,
                }) => {
                    let next = account.phones.iter().find(|phone| phone.state == NEXT);
                    next.or(primary(account))
                }
                Action::Change(Change::RequestRemoval { phone }) => account.phone(*phone),
                _ => None,
            }
        };
        self.named()
            .or_else(|| held().map(|phone| phone.number.clone()))
    }

    /// Whether the account held a number verified before the command.
    pub(crate) fn held_verified(&self, number: &Number) -> bool {
        let phones = self.before.iter().flat_map(|account| &account.phones);
        let mut verified = phones.filter(|phone| phone.verified());
        verified.any(|phone| phone.number == *number)
    }

    /// The number that a submitted code is for, if it answers a question.
    pub(crate) fn guessed_for(&self) -> Option<&Number> {
        let (account, question, _) = self.answered()?;
        let phone = account.phone(question.phone)?;
        Some(&phone.number)
    }

    /// Whose number a code was sent to.
    pub(crate) fn sent(&self) -> Vec<&Number> {
        let messages = self.decision.messages.iter();
        messages
            .filter(|message| {
                let kind = message.kind;
                matches!(
                    kind,
                    MessageKind::Code { .. } | MessageKind::RemovalCode { .. }
                )
            })
            .map(|message| &message.number)
            .collect()
    }

    pub(crate) fn deleted(&self) -> bool {
        self.before.is_some() && self.after.is_none()
    }
}

pub(crate) fn code_of(challenge: &Challenge, keys: &Keys) -> String {
    let code = challenge.code(keys).expect("keys stay in these stories");
    code.reveal().to_owned()
}

pub(crate) fn primary(account: &Account) -> Option<&Phone> {
    let id = account.primary?;
    account.phones.iter().find(|phone| phone.id == id)
}

/// The question whether the primary number is the user's.
fn asked(account: &Account) -> Option<&Challenge> {
    let id = primary(account)?.id;
    questions(account).find(|asked| asked.phone == id)
}

/// The question whether a number is the user's that a code is meant to answer.
fn meant<'a>(account: &'a Account, which: &Which) -> Option<&'a Challenge> {
    match which {
        Which::Primary => asked(account),
        Which::Challenge(id) => questions(account).find(|asked| asked.id == *id),
        Which::Number(number) => {
            let mut phones = account.phones.iter();
            let phone = phones.find(|phone| phone.number.as_str() == number.0)?;
            questions(account).find(|asked| asked.phone == phone.id)
        }
        Which::Latest => questions(account).last(),
        Which::Next | Which::Phone(_) => None,
    }
}

fn questions(account: &Account) -> impl Iterator<Item = &Challenge> {
    let challenges = account.challenges.iter();
    challenges.filter(|asked| asked.purpose == Purpose::Verify)
}
