//! What holds for every story. Each property watches a story turn by turn and keeps its own books: it does
//! not look at the counters that the decision keeps, and knows codes as only the holder of the keys can.

mod numbers;
mod story;
mod windows;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use ringback_core::challenge::Purpose;
use ringback_core::command::PhoneChange;
use ringback_core::event::EventKind;
use ringback_core::limit::{Limit, Window};
use ringback_core::refusal::CodeFailure;
use ringback_core::{
    Account, Action, Budgets, Challenge, Change, Delivery, Id, MessageKind, Moment, Number,
    Refusal, Time, Verification, Which, decide,
};

use story::{COST, NUMBERS, Played, code_of, primary, story};

const DAY: Duration = Duration::from_secs(86_400);

fn config() -> Config {
    Config {
        cases: 180,
        failure_persistence: None,
        ..Config::default()
    }
}

/// Plays many stories, each before a fresh watcher that panics when its property does not hold.
fn always<W: FnMut(&Played<'_>)>(watcher: impl Fn() -> W) {
    let outcome = TestRunner::new(config()).run(&story(), |story| {
        story.play(watcher());
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// When each challenge was first seen.
#[derive(Default)]
struct Diary(BTreeMap<Id, Time>);

impl Diary {
    fn write(&mut self, turn: &Played<'_>) {
        for challenge in turn.after.iter().flat_map(|account| &account.challenges) {
            self.0.entry(challenge.id).or_insert(turn.at.now);
        }
    }

    fn ended(&self, challenge: &Challenge, at: &Moment<'_>) -> bool {
        at.now.since(self.0[&challenge.id]) >= at.policies.default.codes.validity()
    }
}

#[test]
fn nothing_is_verified_after_expiry() {
    always(|| {
        let mut diary = Diary::default();
        move |turn| {
            if let Some((_, challenge, _)) = turn.compared() {
                assert!(!diary.ended(challenge, &turn.at));
            }
            diary.write(turn);
        }
    });
}

#[test]
fn a_number_is_verified_by_its_code_or_by_a_service_and_by_nothing_else() {
    always(|| {
        |turn| {
            let verified = |account: &Option<Account>| -> BTreeSet<Id> {
                let phones = account.iter().flat_map(|account| &account.phones);
                let verified = phones.filter(|phone| phone.verified());
                verified.map(|phone| phone.id).collect()
            };
            let newly = &verified(turn.after) - &verified(turn.before);
            let events = turn.decision.events.iter();
            let told = events.filter(|event| event.kind == EventKind::PhoneVerified);
            assert_eq!(told.count(), newly.len());
            let right = turn.compared().is_some_and(|(account, question, right)| {
                let code = code_of(question, turn.at.keys);
                let typed = turn.answered().is_some_and(|(_, _, typed)| typed == code);
                assert_eq!(right, typed);
                if matches!(
                    turn.command.action,
                    Action::Change(Change::Verify {
                        which: Which::Primary,
                        ..
                    })
                ) {
                    assert_eq!(primary(account).map(|phone| phone.id), Some(question.phone));
                }
                let verifies = right && question.purpose == Purpose::Verify;
                assert_eq!(
                    newly,
                    verifies.then_some(question.phone).into_iter().collect()
                );
                verifies
            });
            let trusted = match &turn.command.action {
                Action::Change(Change::Set(set))
                | Action::Register {
                    phone: Some(set), ..
                }
                | Action::Change(Change::Update {
                    phone: PhoneChange::Set(set),
                    ..
                }) => set.verification == Verification::Trusted && turn.serves(),
                Action::Change(Change::Add { verification, .. }) => {
                    *verification == Some(Verification::Trusted) && turn.serves()
                }
                _ => false,
            };
            assert!(newly.len() <= usize::from(right || trusted));
        }
    });
}

#[test]
fn a_challenge_takes_no_more_guesses_than_it_has_and_a_resend_brings_none() {
    always(|| {
        let mut diary = Diary::default();
        // Challenges that follow each other without one having ended are one question.
        let mut questions: BTreeMap<Id, usize> = BTreeMap::new();
        let mut wrong: Vec<u8> = Vec::new();
        move |turn| {
            if let Some((_, challenge, right)) = turn.compared() {
                let count = &mut wrong[questions[&challenge.id]];
                assert!(*count < turn.policy().codes.guesses);
                *count += u8::from(!right);
            }
            for challenge in turn.after.iter().flat_map(|account| &account.challenges) {
                if questions.contains_key(&challenge.id) {
                    continue;
                }
                let mut earlier = turn.before.iter().flat_map(|account| &account.challenges);
                let spent = |old: &Challenge| {
                    let wrong = wrong[questions[&old.id]];
                    turn.serves() && wrong == turn.policy().codes.guesses
                };
                // A service may ask anew after a spent code.
                let replaced = earlier
                    .find(|old| {
                        let same = (old.phone, old.purpose) == (challenge.phone, challenge.purpose);
                        same && !diary.ended(old, &turn.at) && !spent(old)
                    })
                    .map(|old| questions[&old.id]);
                let question = replaced.unwrap_or_else(|| {
                    wrong.push(0);
                    wrong.len() - 1
                });
                questions.insert(challenge.id, question);
            }
            diary.write(turn);
        }
    });
}

#[test]
fn guesses_wait_after_failures_of_the_account_for_the_number_and_only_then() {
    always(|| {
        let mut failures: BTreeMap<(String, Number), (u32, Time)> = BTreeMap::new();
        move |turn| {
            let limits = &turn.policy().limits;
            let account = &turn.key();
            let pair = turn
                .guessed_for()
                .map(|number| (account.clone(), number.clone()));
            let known = pair.as_ref().and_then(|pair| failures.get(pair)).copied();
            let (count, until) = known.unwrap_or_default();
            let locked = count >= limits.lock_at_failures;
            let waits = turn.at.now < until;
            if let (Some((_, question, right)), Some(pair)) = (turn.compared(), pair) {
                assert!(!waits && !locked);
                if right {
                    failures.remove(&pair);
                } else {
                    let over = (count + 1).checked_sub(limits.free_failures);
                    let wait = over.map_or(0, |over| 2_u64.saturating_pow(over));
                    let wait = Duration::from_secs(wait.min(limits.longest_wait_seconds));
                    let until = (turn.at.now + wait).min(question.expires_at);
                    failures.insert(pair, (count + 1, until));
                }
            }
            match &turn.decision.result {
                Err(Refusal::CodeRefused(CodeFailure::Locked)) => assert!(locked),
                Err(Refusal::Limited {
                    limit: Limit::WrongCodes,
                    retry_after,
                }) => {
                    assert!(waits && !locked);
                    let (_, question, _) = turn.answered().expect("a wait is a question's");
                    let end = until.min(question.expires_at);
                    assert_eq!(turn.at.now + *retry_after, end);
                }
                _ => {}
            }
            let unlocked = matches!(turn.command.action, Action::Change(Change::Unlock));
            if turn.deleted() || (unlocked && turn.decision.result.is_ok()) {
                failures.retain(|(other, _), _| other != account);
            }
        }
    });
}

#[test]
fn of_guesses_that_are_not_looked_at_one_event_a_minute_tells_how_many() {
    always(|| {
        let mut untold: BTreeMap<String, (u32, Option<Time>)> = BTreeMap::new();
        move |turn| {
            let (count, last) = untold.entry(turn.key()).or_default();
            let refused = match &turn.decision.result {
                Err(Refusal::CodeRefused(failure)) => {
                    !matches!(failure, CodeFailure::Wrong | CodeFailure::Shape)
                }
                Err(Refusal::Limited { limit, .. }) => *limit == Limit::WrongCodes,
                Ok(_) | Err(_) => false,
            };
            *count += u32::from(refused);
            let quiet = last.is_some_and(|last| turn.at.now.since(last).as_secs() < 60);
            for event in &turn.decision.events {
                match event.kind {
                    EventKind::VerificationFailed(CodeFailure::Wrong) => assert!(!refused),
                    EventKind::VerificationFailed(_) => {
                        assert!(refused && !quiet);
                        assert_eq!(event.count, *count);
                        (*count, *last) = (0, Some(turn.at.now));
                        continue;
                    }
                    _ => {}
                }
                assert_eq!(event.count, 1);
            }
            assert!(!refused || quiet || *count == 0);
            if turn.deleted() {
                untold.remove(&turn.key());
            }
        }
    });
}

#[test]
fn a_code_verifies_once() {
    always(|| {
        let mut used = BTreeSet::new();
        move |turn| {
            if let Some((_, challenge, true)) = turn.compared() {
                assert!(used.insert(challenge.id));
            }
            let challenges = turn.after.iter().flat_map(|account| &account.challenges);
            for challenge in challenges {
                assert!(!used.contains(&challenge.id));
            }
        }
    });
}

/// Fails when a stretch of a window's length that includes `at` holds more than `most` of the times.
fn within(window: &Window, most: u32, times: &[Time], at: Time) {
    let span = Duration::from_secs(window.seconds);
    for first in times
        .iter()
        .filter(|first| **first <= at && at < **first + span)
    {
        let stretch = times
            .iter()
            .filter(|time| (*first..*first + span).contains(time));
        let count = u32::try_from(stretch.count()).expect("is no crowd");
        assert!(count <= most, "{count} in {window:?} from {first:?}");
    }
}

fn all_within(windows: &[Window], times: &[Time], at: Time) {
    for window in windows {
        within(window, window.count, times, at);
    }
}

fn phone_ids(account: &Option<Account>) -> BTreeSet<Id> {
    let phones = account.iter().flat_map(|account| &account.phones);
    phones.map(|phone| phone.id).collect()
}

#[test]
fn no_stretch_of_time_holds_more_messages_than_its_windows_give() {
    always(|| {
        let mut numbers: BTreeMap<Number, Vec<(Option<String>, Time)>> = BTreeMap::new();
        let mut accounts: BTreeMap<String, Vec<Time>> = BTreeMap::new();
        let mut sets: BTreeMap<String, Vec<Time>> = BTreeMap::new();
        let mut changes: BTreeMap<String, Vec<Time>> = BTreeMap::new();
        let mut shared = Shared::default();
        move |turn| {
            let (now, limits) = (turn.at.now, &turn.policy().limits);
            let id = &turn.key();
            shared.watch(turn);
            for message in &turn.decision.messages {
                let uses = numbers.entry(message.number.clone()).or_default();
                let notice = matches!(message.kind, MessageKind::Replaced | MessageKind::Removed);
                let by = (!notice).then(|| id.clone());
                uses.push((by, message.due_at));
                let all: Vec<Time> = uses.iter().map(|(_, at)| *at).collect();
                all_within(&limits.sends_per_number, &all, message.due_at);
                if notice {
                    continue;
                }
                assert_eq!(message.due_at, now);
                let own = uses.iter().filter(|(by, _)| by.as_ref() == Some(id));
                let own: Vec<Time> = own.map(|(_, at)| *at).collect();
                for window in &limits.sends_per_number {
                    // Half, rounded up; a quarter, rounded down, is for who holds the number.
                    within(window, window.count.div_ceil(2), &own, now);
                    if !turn.held_verified(&message.number) {
                        within(window, window.count - window.count / 4, &all, now);
                    }
                }
                let times = accounts.entry(id.clone()).or_default();
                times.push(now);
                all_within(&limits.sends_per_account, times, now);
            }
            let new = &phone_ids(turn.after) - &phone_ids(turn.before);
            assert!(new.len() <= 1);
            if !new.is_empty() && !turn.serves() {
                let times = sets.entry(id.clone()).or_default();
                times.push(now);
                all_within(&limits.sets_per_account, times, now);
            }
            if turn.decision.result.is_ok() && !turn.decision.events.is_empty() && !turn.serves() {
                let times = changes.entry(id.clone()).or_default();
                times.push(now);
                all_within(&limits.changes_per_account, times, now);
            }
            if turn.deleted() {
                accounts.remove(id);
                sets.remove(id);
                changes.remove(id);
            }
        }
    });
}

/// What users of one address, and all of one organisation, have done.
#[derive(Default)]
struct Shared {
    sent: Vec<Time>,
    submitted: Vec<Time>,
    /// By organisation, and by country within it.
    messages: BTreeMap<(String, Option<String>), Vec<Time>>,
}

impl Shared {
    fn watch(&mut self, turn: &Played<'_>) {
        let (now, limits) = (turn.at.now, &turn.policy().limits);
        for message in &turn.decision.messages {
            let notice = matches!(message.kind, MessageKind::Replaced | MessageKind::Removed);
            if !notice && !turn.serves() {
                self.sent.push(now);
                all_within(&limits.sends_per_address, &self.sent, now);
            }
            let country = message.number.country().expect("is of a country");
            let most = limits.sends_per_country_per_day.get(&country).copied();
            let spend = limits.spend_per_organization_per_day.0 / COST;
            let pools = [
                (Some("spend".to_owned()), spend),
                (None, limits.sends_per_organization_per_day),
                (Some(country), most.unwrap_or(0)),
            ];
            for (country, most) in pools.into_iter().filter(|(_, most)| *most > 0) {
                let times = self.messages.entry((turn.organization.to_owned(), country));
                let times = times.or_default();
                times.push(now);
                let day = Window {
                    count: most as u32,
                    seconds: 86_400,
                };
                all_within(&[day], times, now);
            }
        }
        if turn.compared().is_some() && !turn.serves() {
            self.submitted.push(now);
            all_within(&limits.verifications_per_address, &self.submitted, now);
        }
    }
}

#[test]
fn pauses_between_messages_of_an_account_to_a_number_are_kept_and_no_others() {
    always(|| {
        let mut pauses: BTreeMap<(String, Number), (usize, Time)> = BTreeMap::new();
        move |turn| {
            let steps = &turn.policy().limits.cool_down_seconds;
            let since = |last| turn.at.now.since(last);
            let paused = |sends: usize, last| {
                let step = steps.get(sends - 1).or(steps.last());
                since(last) < Duration::from_secs(step.copied().unwrap_or(0))
            };
            let account = &turn.key();
            let pair = |number: &Number| (account.clone(), number.clone());
            for number in turn.sent() {
                let known = pauses.get(&pair(number)).copied();
                let known = known.filter(|(_, last)| since(*last) < DAY);
                assert!(!known.is_some_and(|(sends, last)| paused(sends, last)));
                let sends = known.map_or(0, |(sends, _)| sends);
                pauses.insert(pair(number), (sends + 1, turn.at.now));
            }
            let cool_down = Limit::CoolDown;
            if matches!(turn.decision.result, Err(Refusal::Limited { limit, .. }) if limit == cool_down)
            {
                let receiver = turn.receiver().expect("a pause is a number's");
                let (sends, last) = pauses[&pair(&receiver)];
                assert!(paused(sends, last));
            }
            if let Some((_, _, true)) = turn.compared() {
                pauses.remove(&pair(turn.guessed_for().expect("is about a number")));
            }
            let unlocked = matches!(turn.command.action, Action::Change(Change::Unlock));
            if turn.deleted() || (unlocked && turn.decision.result.is_ok()) {
                pauses.retain(|(other, _), _| other != account);
            }
        }
    });
}

#[test]
fn whoever_waits_as_told_meets_no_limit_and_not_a_moment_earlier() {
    always(|| {
        |turn| {
            let Err(Refusal::Limited { retry_after, .. }) = turn.decision.result else {
                return;
            };
            let limited_at = |now| {
                let (mut account, mut budgets) =
                    (turn.slot_before.clone(), turn.budgets_before.clone());
                let at = Moment { now, ..turn.at };
                let decision = decide(&mut account, &mut budgets, turn.command, &at);
                match decision.result {
                    Err(Refusal::Limited { limit, .. }) => Some(limit),
                    _ => None,
                }
            };
            let end = turn.at.now + retry_after;
            assert!(limited_at(end - Duration::from_micros(1)).is_some());
            // What the guard says is the least: what others do decides whether it is enough.
            assert!(matches!(limited_at(end), None | Some(Limit::Guard(_))));
        }
    });
}

#[test]
fn the_same_arguments_decide_the_same() {
    always(|| {
        |turn| {
            let (mut account, mut budgets) =
                (turn.slot_before.clone(), turn.budgets_before.clone());
            let decision = decide(&mut account, &mut budgets, turn.command, &turn.at);
            assert_eq!(decision, *turn.decision);
            assert_eq!(account, *turn.slot_after);
            assert_eq!(budgets, *turn.budgets_after);
        }
    });
}

#[test]
fn a_message_with_a_code_is_about_a_challenge_that_stands() {
    always(|| {
        |turn| {
            for message in &turn.decision.messages {
                assert!(message.expires_at > turn.at.now);
                let (challenge, purpose) = match message.kind {
                    MessageKind::Code { challenge } => (challenge, Purpose::Verify),
                    MessageKind::RemovalCode { challenge } => (challenge, Purpose::Remove),
                    MessageKind::Replaced | MessageKind::Removed => continue,
                };
                let account = turn.after.as_ref().expect("messages are of accounts");
                let challenge = account.challenge(challenge).expect("must stand");
                assert!(challenge.is_open(turn.at.now));
                assert_eq!(challenge.purpose, purpose);
                assert_eq!(message.expires_at, challenge.expires_at);
                let phone = account.phone(challenge.phone);
                assert_eq!(phone.map(|phone| &phone.number), Some(&message.number));
            }
        }
    });
}

#[test]
fn nobody_but_a_service_receives_a_code_and_strangers_achieve_nothing() {
    always(|| {
        |turn| {
            let Ok(reply) = &turn.decision.result else {
                return;
            };
            let caller = &turn.command.caller;
            let account = &reply.account;
            let the_user = caller.user == account.id && caller.organization == account.organization;
            assert!(turn.serves() || the_user);
            assert!(turn.serves() || reply.code.is_none());
            let takes = matches!(
                turn.command.action,
                Action::Delete
                    | Action::Change(Change::Unlock)
                    | Action::Change(Change::Remove {
                        which: Which::Phone(_)
                    })
            );
            assert!(turn.serves() || !takes);
        }
    });
}

#[test]
fn no_command_of_one_organisation_changes_an_account_of_another() {
    always(|| {
        |turn| {
            let caller = &turn.command.caller;
            let at_home = turn.organization == caller.organization;
            if at_home || caller.everywhere.any() {
                return;
            }
            assert!(turn.decision.result.is_err());
            assert_eq!(turn.slot_before, turn.slot_after);
            assert_eq!(turn.decision.events, []);
            assert_eq!(turn.decision.messages, []);
        }
    });
}

#[test]
fn an_account_stays_where_it_is() {
    always(|| {
        |turn| {
            for account in [turn.before, turn.after].into_iter().flatten() {
                assert_eq!(account.organization, turn.organization);
                assert_eq!(account.id, turn.command.account);
            }
            for event in &turn.decision.events {
                assert_eq!(event.organization, turn.organization);
            }
            for message in &turn.decision.messages {
                assert_eq!(message.organization, turn.organization);
            }
        }
    });
}

#[test]
fn who_was_deleted_comes_back_only_by_a_service_or_a_new_token() {
    always(|| {
        |turn| {
            let deleted = turn.slot_before.deleted.filter(|it| turn.at.now < it.until);
            if deleted.is_some() && turn.after.is_some() {
                assert!(turn.before.is_none());
                assert!(matches!(turn.command.action, Action::Register { .. }) && turn.serves());
            }
            let remembered = turn.slot_after.deleted.is_some();
            assert!(!remembered || turn.after.is_none());
            assert!(!turn.deleted() || remembered);
        }
    });
}

#[test]
fn a_refusal_leaves_no_trace_but_that_of_a_code() {
    always(|| {
        |turn| {
            let Err(refusal) = &turn.decision.result else {
                return;
            };
            assert_eq!(turn.decision.messages, []);
            let code_refused = match refusal {
                Refusal::CodeRefused(failure) => *failure != CodeFailure::Shape,
                Refusal::Limited { limit, .. } => *limit == Limit::WrongCodes,
                _ => false,
            };
            if !code_refused {
                assert_eq!(turn.before, turn.after);
                let mut events = turn.decision.events.iter();
                let guarded = turn.decision.heard.is_some();
                assert!(events.all(|event| guarded && event.kind == EventKind::GuardRefused));
            }
            // A wrong code is one that was submitted at an address.
            if *refusal != Refusal::CodeRefused(CodeFailure::Wrong) {
                assert_eq!(turn.budgets_before, turn.budgets_after);
            }
        }
    });
}

#[test]
fn the_sequence_is_the_number_of_events() {
    always(|| {
        let mut sequences: BTreeMap<String, u64> = BTreeMap::new();
        move |turn| {
            let sequence = sequences.entry(turn.key()).or_default();
            for event in &turn.decision.events {
                if event.kind == EventKind::GuardRefused {
                    assert_eq!(event.sequence, 0);
                    continue;
                }
                *sequence += 1;
                assert_eq!(event.sequence, *sequence);
                assert_eq!(event.account, turn.command.account);
            }
            if let Ok(reply) = &turn.decision.result {
                assert_eq!(reply.account.sequence, *sequence);
            }
            match turn.after {
                Some(account) => assert_eq!(account.sequence, *sequence),
                None => *sequence = 0,
            }
        }
    });
}

#[test]
fn a_command_names_every_budget_that_it_touches() {
    always(|| {
        |turn| {
            assert_ne!(turn.decision.result, Err(Refusal::Internal));
            let names = |budgets: &Budgets| budgets.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(turn.budgets_before), names(turn.budgets_after));
        }
    });
}

#[test]
fn nothing_that_is_left_behind_shows_a_code_or_a_number() {
    always(|| {
        |turn| {
            let shown = format!("{:?} {:?} {:?}", turn.command, turn.decision, turn.after);
            for number in NUMBERS {
                assert!(!shown.contains(&number[1..]), "{shown}");
            }
            // Hexadecimal names may hold any six digits; a code would stand by itself.
            let words: BTreeSet<_> = shown.split(|c: char| !c.is_alphanumeric()).collect();
            for challenge in turn.after.iter().flat_map(|account| &account.challenges) {
                let code = code_of(challenge, turn.at.keys);
                assert!(!words.contains(code.as_str()), "{shown}");
            }
        }
    });
}

/// The stories would prove nothing if they did not come often to what the properties are about.
#[test]
fn the_stories_reach_every_outcome() {
    let outcomes = RefCell::new(BTreeMap::new());
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    // More stories than elsewhere, so that what is rare is not a matter of luck.
    let config = Config {
        cases: 800,
        ..config()
    };
    TestRunner::new_with_rng(config, rng)
        .run(&story(), |story| {
            story.play(|turn| {
                *outcomes.borrow_mut().entry(outcome(turn)).or_insert(0_u32) += 1;
            });
            Ok(())
        })
        .unwrap();
    let verbs = [
        "register",
        "update",
        "set",
        "resend",
        "verify",
        "remove",
        "add",
        "preverify",
        "change",
        "resend_change",
        "confirm",
        "replace",
        "request_removal",
        "confirm_removal",
        "drop",
        "remove_number",
        "make_primary",
        "unlock",
        "delete",
    ];
    let refusals = [
        "permission_denied",
        "organization_denied",
        "account_not_found",
        "account_exists",
        "phone_not_found",
        "phone_unchanged",
        "phone_unverified",
        "too_many_numbers",
        "code_absent",
    ];
    let failures = [
        CodeFailure::Shape,
        CodeFailure::Absent,
        CodeFailure::Expired,
        CodeFailure::Spent,
        CodeFailure::Locked,
        CodeFailure::Wrong,
    ];
    let failures = failures.map(CodeFailure::code);
    let limits = Limit::ALL.map(Limit::code);
    let expected = verbs
        .iter()
        .chain(&refusals)
        .chain(&failures)
        .chain(&limits);
    let expected: BTreeSet<_> = expected.copied().collect();
    let outcomes = outcomes.into_inner();
    let often = outcomes.iter().filter(|(_, count)| **count >= 10);
    let often: BTreeSet<_> = often.map(|(outcome, _)| *outcome).collect();
    assert_eq!(often, expected, "{outcomes:?}");
}

fn outcome(turn: &Played<'_>) -> &'static str {
    match &turn.decision.result {
        Ok(_) => match &turn.command.action {
            Action::Change(Change::Resend {
                which: Which::Next,
                delivery: Delivery::Send,
            }) => "resend_change",
            Action::Change(Change::Verify {
                which: Which::Primary,
                ..
            }) => "verify",
            Action::Change(Change::Verify { .. }) => {
                let old = turn.before.as_ref().and_then(|account| account.primary);
                let new = turn.after.as_ref().and_then(|account| account.primary);
                match old.is_some() && old != new {
                    true => "replace",
                    false => "confirm",
                }
            }
            Action::Change(Change::ConfirmRemoval { .. }) => "confirm_removal",
            Action::Change(Change::Remove {
                which: Which::Phone(_),
            }) => "drop",
            Action::Change(Change::Remove {
                which: Which::Number(_),
            }) => "remove_number",
            _ => turn.command.name(),
        },
        Err(Refusal::CodeRefused(failure)) => failure.code(),
        Err(Refusal::Limited { limit, .. }) => limit.code(),
        Err(refusal) => refusal.code(),
    }
}
