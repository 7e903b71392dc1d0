//! How codes are verified, sent again and ended.

use std::collections::BTreeMap;

use super::*;
use crate::code::Alphabet;
use crate::command::CodeTimes;
use crate::delivery::{RouteRules, Routes};
use crate::event::MessageKind;

#[test]
fn the_right_code_verifies() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    let code = world.code("ann");
    let decision = world.act(&own("ann"), "ann", guess(&code));
    assert!(decision.result.is_ok());
    assert_eq!(kinds(&decision), [EventKind::PhoneVerified]);
    let at = world.now;
    assert_eq!(world.primary("ann").state, PhoneState::Verified { at });
}

#[test]
fn a_code_verifies_once() {
    let mut world = World::new().with_code("ann", ONE);
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
    assert_eq!(world.fails("ann", &code), CodeFailure::Absent);
    assert!(world.primary("ann").verified());
}

#[test]
fn a_service_may_submit_a_code() {
    let mut world = World::new().with_code("ann", ONE);
    let code = world.code("ann");
    world.does(&service(), "ann", guess(&code));
    assert!(world.primary("ann").verified());
}

#[test]
fn a_code_is_read_as_people_type_it() {
    let mut world = World::new().with_code("ann", ONE);
    let code = world.code("ann");
    let typed = format!(" {}-{} ", &code[..3], &code[3..]);
    world.does(&own("ann"), "ann", guess(&typed));
}

#[test]
fn letters_are_compared_without_case() {
    let mut world = World::new();
    world.policy.codes.alphabet = Alphabet::Letters;
    world.policy.codes.length = 10;
    let mut world = world.with_code("ann", ONE);
    let code = world.code("ann").to_lowercase();
    assert!(code.contains(|c: char| c.is_ascii_lowercase()));
    world.does(&own("ann"), "ann", guess(&code));
}

#[test]
fn a_code_keeps_its_shape_when_the_policy_changes() {
    let mut world = World::new().with_code("ann", ONE);
    world.policy.codes.length = 8;
    let code = world.code("ann");
    assert_eq!(code.len(), 6);
    world.does(&own("ann"), "ann", guess(&code));
}

#[test]
fn a_code_may_be_typed_in_another_script() {
    let world = World::new().with_code("ann", ONE);
    let code = world.code("ann");
    let from = |zero: u32| -> String {
        let digits = code.bytes().map(|digit| zero + u32::from(digit - b'0'));
        digits.filter_map(char::from_u32).collect()
    };
    // Arabic-Indic, Thai, Devanagari, full-width and Adlam.
    let scripts = [0x0660, 0x0E50, 0x0966, 0xFF10, 0x1E950].map(from);
    let copied = ["\u{FEFF}", "\u{200E}", "\u{200B}", "\u{2013} "].map(|sign| {
        let (left, right) = code.split_at(3);
        format!("{sign}{left}{sign}{right}")
    });
    for typed in scripts.iter().chain(&copied) {
        world.clone().does(&own("ann"), "ann", guess(typed));
    }
}

#[test]
fn a_wrong_code_costs_a_guess_and_counts_for_the_account_and_its_number() {
    let mut world = World::new().with_code("ann", ONE);
    let wrong = world.wrong("ann");
    assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    assert_eq!(world.challenge("ann").guesses_left, 4);
    assert_eq!(world.failures("ann", ONE).count, 1);
    assert_eq!(world.budget(ONE), Budget::default());
}

#[test]
fn a_code_of_the_wrong_shape_costs_nothing_and_is_no_event() {
    let mut world = World::new().with_code("ann", ONE);
    for typed in ["", "12345", "1234567", "12345a", "12345²", "１２３４５"] {
        let refusal = world.refuses(&own("ann"), "ann", guess(typed));
        assert_eq!(refusal, Refusal::CodeRefused(CodeFailure::Shape));
    }
}

#[test]
fn a_code_is_dead_from_its_end_on() {
    let mut world = World::new().with_code("ann", ONE);
    let end = world.challenge("ann").expires_at;
    assert_eq!(end.since(world.now), Duration::from_secs(600));
    let code = world.code("ann");
    let mut in_time = world.clone();
    in_time.now = end - MICROSECOND;
    in_time.does(&own("ann"), "ann", guess(&code));
    world.now = end;
    assert_eq!(world.fails("ann", &code), CodeFailure::Expired);
    assert!(!world.primary("ann").verified());
}

#[test]
fn an_expired_code_counts_no_failure() {
    let mut world = World::new().with_code("ann", ONE);
    let wrong = world.wrong("ann");
    world.pass(600);
    assert_eq!(world.fails("ann", &wrong), CodeFailure::Expired);
    assert_eq!(world.failures("ann", ONE).count, 0);
}

#[test]
fn without_a_challenge_there_is_nothing_to_verify() {
    let mut world = World::new().with_verified("ann", ONE);
    assert_eq!(world.fails("ann", "123456"), CodeFailure::Absent);
    world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    assert_eq!(world.fails("ann", "123456"), CodeFailure::Absent);
}

#[test]
fn five_wrong_guesses_spend_a_challenge() {
    let mut world = World::new().with_code("ann", ONE);
    let (code, wrong) = (world.code("ann"), world.wrong("ann"));
    for _ in 0..5 {
        assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    }
    world.pass(60);
    for typed in [wrong, code] {
        assert_eq!(world.fails("ann", &typed), CodeFailure::Spent);
    }
    assert_eq!(world.failures("ann", ONE).count, 5);
}

#[test]
fn events_tell_failures_apart() {
    let failures = |change: fn(&mut World)| {
        let mut world = World::new().with_code("ann", ONE);
        let wrong = world.wrong("ann");
        change(&mut world);
        let decision = world.act(&own("ann"), "ann", guess(&wrong));
        let failure = match decision.result {
            Err(Refusal::CodeRefused(failure)) => failure,
            ref other => panic!("must be a refused code: {other:?}"),
        };
        let recorded = EventKind::VerificationFailed(failure);
        assert_eq!(kinds(&decision), [recorded]);
        assert_eq!(decision.events[0].kind.cause(), Some(failure.code()));
        failure
    };
    assert_eq!(failures(|_| {}), CodeFailure::Wrong);
    assert_eq!(failures(|world| world.pass(600)), CodeFailure::Expired);
    assert_eq!(
        failures(|world| world.account_mut("ann").challenges[0].guesses_left = 0),
        CodeFailure::Spent
    );
    assert_eq!(
        failures(|world| world.failed("ann", ONE, 100)),
        CodeFailure::Locked
    );
    assert_eq!(
        failures(|world| world.account_mut("ann").challenges.clear()),
        CodeFailure::Absent
    );
}

/// What an event tells of a refused guess.
fn told(decision: &Decision) -> Vec<(EventKind, u32)> {
    let events = decision.events.iter();
    events.map(|event| (event.kind, event.count)).collect()
}

#[test]
fn of_guesses_that_are_not_looked_at_one_event_a_minute_tells() {
    let wait = |world: &mut World| {
        let until = world.now + Duration::from_secs(3_000);
        world.failures("ann", ONE).wait_until = until;
    };
    type Change = fn(&mut World);
    let cases: [(Change, CodeFailure); 4] = [
        (
            |world| world.account_mut("ann").challenges.clear(),
            CodeFailure::Absent,
        ),
        (
            |world| world.account_mut("ann").challenges[0].guesses_left = 0,
            CodeFailure::Spent,
        ),
        (|world| world.failed("ann", ONE, 100), CodeFailure::Locked),
        (wait, CodeFailure::Waiting),
    ];
    for (change, failure) in cases {
        let mut world = World::new().with_code("ann", ONE);
        let code = world.code("ann");
        change(&mut world);
        let kind = EventKind::VerificationFailed(failure);
        let decision = world.act(&own("ann"), "ann", guess(&code));
        assert_eq!(told(&decision), [(kind, 1)]);
        let changed_at = world.account("ann").changed_at;
        for _ in 0..59 {
            world.pass(1);
            let decision = world.act(&own("ann"), "ann", guess(&code));
            assert!(decision.result.is_err());
            assert_eq!(told(&decision), []);
        }
        assert_eq!(world.account("ann").changed_at, changed_at);
        world.pass(1);
        let decision = world.act(&own("ann"), "ann", guess(&code));
        assert_eq!(told(&decision), [(kind, 60)]);
    }
}

#[test]
fn every_wrong_guess_is_an_event() {
    let mut world = World::new().with_code("ann", ONE);
    let wrong = world.wrong("ann");
    for _ in 0..5 {
        let decision = world.act(&own("ann"), "ann", guess(&wrong));
        let kind = EventKind::VerificationFailed(CodeFailure::Wrong);
        assert_eq!(told(&decision), [(kind, 1)]);
    }
}

#[test]
fn resend_repeats_the_code_while_two_minutes_of_it_remain() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    let first = world.challenge("ann").clone();
    world.pass(480);
    let decision = world.act(&own("ann"), "ann", resend());
    assert_eq!(kinds(&decision), [EventKind::CodeSent]);
    assert_eq!(*world.challenge("ann"), sent_again(first.clone()));
    let [message] = decision.messages.as_slice() else {
        panic!("must be one message: {:?}", decision.messages)
    };
    assert_eq!(
        message.kind,
        MessageKind::Code {
            challenge: first.id
        }
    );
    assert_eq!(message.expires_at, first.expires_at);
}

#[test]
fn resend_makes_a_new_code_with_the_guesses_that_are_left_when_less_remains() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    let (first, old, wrong) = (
        world.challenge("ann").id,
        world.code("ann"),
        world.wrong("ann"),
    );
    for _ in 0..3 {
        assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    }
    world.now = world.now + Duration::from_secs(480) + MICROSECOND;
    let decision = world.act(&own("ann"), "ann", resend());
    let second = world.challenge("ann").clone();
    assert_ne!(second.id, first);
    assert_eq!(second.guesses_left, 2);
    assert_eq!(second.expires_at.since(world.now), Duration::from_secs(600));
    assert_eq!(
        decision.messages[0].kind,
        MessageKind::Code {
            challenge: second.id
        }
    );
    assert_ne!(world.code("ann"), old, "the example needs two codes");
    assert_eq!(world.fails("ann", &old), CodeFailure::Wrong);
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
}

#[test]
fn a_repeated_code_brings_no_guesses_back() {
    let mut world = World::new().with_code("ann", ONE);
    let wrong = world.wrong("ann");
    assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    let code = world.does(&service(), "ann", resend_returned()).code;
    assert_eq!(
        code.map(|code| code.reveal().to_owned()),
        Some(world.code("ann"))
    );
    assert_eq!(world.challenge("ann").guesses_left, 4);
}

#[test]
fn resend_after_expiry_asks_anew_with_all_guesses() {
    let mut world = World::new().with_code("ann", ONE);
    let first = world.challenge("ann").id;
    world.account_mut("ann").challenges[0].guesses_left = 0;
    world.pass(600);
    world.does(&own("ann"), "ann", resend());
    assert_ne!(world.challenge("ann").id, first);
    assert_eq!(world.challenge("ann").guesses_left, 5);
}

#[test]
fn a_spent_challenge_is_not_sent_again_before_it_ends() {
    let mut world = World::new().with_code("ann", ONE);
    world.account_mut("ann").challenges[0].guesses_left = 0;
    world.pass(590);
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::Guesses, 10));
    world.pass(10);
    world.does(&own("ann"), "ann", resend());
}

#[test]
fn a_service_gets_a_fresh_code_after_a_spent_one() {
    for action in [resend(), resend_returned()] {
        let mut world = World::new().with_code("ann", ONE);
        let spent = world.challenge("ann").id;
        world.account_mut("ann").challenges[0].guesses_left = 0;
        world.does(&service(), "ann", action);
        assert_ne!(world.challenge("ann").id, spent);
        assert_eq!(world.challenge("ann").guesses_left, 5);
        let code = world.code("ann");
        world.does(&own("ann"), "ann", guess(&code));
    }
}

#[test]
fn a_reply_says_when_its_code_ends_and_when_the_next_may_be_asked_for() {
    let mut world = World::new();
    let times = |world: &World, seconds, left| {
        let expires_at = world.now + Duration::from_secs(left);
        let resend_after = Duration::from_secs(seconds);
        Some(CodeTimes {
            expires_at,
            resend_after,
        })
    };
    let reply = world.does(&own("ann"), "ann", set(ONE));
    assert_eq!(reply.times, times(&world, 60, 600));
    world.pass(60);
    let reply = world.does(&own("ann"), "ann", resend());
    assert_eq!(reply.times, times(&world, 120, 540));
    world.pass(20);
    let reply = world.does(&service(), "ann", resend_returned());
    assert_eq!(reply.times, times(&world, 100, 520));
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::CoolDown, 100));
    // After the third the account has used its half of five in ten minutes.
    world.pass(100);
    let reply = world.does(&own("ann"), "ann", resend());
    assert_eq!(reply.times, times(&world, 420, 420));
    let code = world.code("ann");
    let reply = world.does(&own("ann"), "ann", guess(&code));
    assert_eq!(reply.times, None);
}

#[test]
fn there_is_nothing_to_send_again_without_a_challenge() {
    let mut world = World::new().with_verified("ann", ONE);
    for (caller, action) in [(own("ann"), resend()), (service(), resend_returned())] {
        assert_eq!(world.refuses(&caller, "ann", action), Refusal::CodeAbsent);
    }
}

#[test]
fn a_returned_code_can_be_sent_afterwards() {
    let mut world = World::new().with_code("ann", ONE);
    let first = world.challenge("ann").clone();
    let decision = world.act(&own("ann"), "ann", resend());
    assert_eq!(decision.messages.len(), 1);
    assert_eq!(*world.challenge("ann"), sent_again(first));
}

/// The same challenge after one more message with its code.
fn sent_again(mut challenge: Challenge) -> Challenge {
    challenge.sends += 1;
    challenge
}

#[test]
fn each_message_with_the_same_code_begins_with_the_next_route() {
    let mut world = World::unlimited();
    let names = ["one", "two", "three"];
    world.policy.routes = Routes {
        rules: names
            .map(|name| (name.to_owned(), RouteRules::default()))
            .into(),
        default: names.map(str::to_owned).into(),
        by_country: BTreeMap::new(),
        ..Routes::default()
    };
    let mut first = world.act(&own("ann"), "ann", set(ONE)).messages;
    let mut routes = Vec::new();
    for _ in 0..4 {
        let message = first.pop().expect("a message");
        routes.push((message.round, message.route.expect("a route")));
        world.pass(30);
        first = world.act(&service(), "ann", resend()).messages;
    }
    let routes: Vec<_> = routes
        .iter()
        .map(|(round, name)| (*round, &**name))
        .collect();
    assert_eq!(routes, [(0, "one"), (1, "two"), (2, "three"), (3, "one")]);
}

#[test]
fn codes_of_an_old_key_verify_after_a_rotation() {
    let mut world = World::new().with_code("ann", ONE);
    let code = world.code("ann");
    world.keys = rotated(&[1, 2]);
    assert_eq!(world.code("ann"), code);
    world.does(&own("ann"), "ann", guess(&code));
}

#[test]
fn new_codes_are_made_with_the_current_key() {
    let mut world = World::new();
    world.keys = rotated(&[1, 2]);
    let mut world = world.with_code("ann", ONE);
    let code = world.code("ann");
    world.keys = rotated(&[2]);
    world.does(&own("ann"), "ann", guess(&code));
}

#[test]
fn a_code_whose_key_was_taken_away_is_refused_and_resend_makes_a_new_one() {
    let mut world = World::new().with_code("ann", ONE);
    let (old, wrong) = (world.code("ann"), world.wrong("ann"));
    assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    world.keys = rotated(&[2]);
    assert_eq!(world.fails("ann", &old), CodeFailure::Expired);
    assert_eq!(world.failures("ann", ONE).count, 1);
    world.does(&own("ann"), "ann", resend());
    assert_eq!(world.challenge("ann").guesses_left, 4);
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
}

/// The keys of the tests after a rotation: version 1 is the old one, the last one is current.
fn rotated(versions: &[u32]) -> Keys {
    let key = |version: &u32| (*version, [u8::try_from(*version).unwrap(); 32]);
    let current = *versions.last().unwrap();
    Keys::new(versions.iter().map(key).collect(), current, [2; 32]).unwrap()
}
