//! Rights, limits, counting and secrecy, which hold for the verbs of several numbers as for the others.

use super::*;
use crate::policy::Registration;

/// A user with ONE verified and primary, TWO to replace it, and THREE unverified; ONE and THREE may go.
fn busy() -> World {
    let mut world = World::announced();
    world.does(&own("ann"), "ann", add(THREE));
    for number in [ONE, THREE] {
        let phone = world.phone_of("ann", number).id;
        world.does(
            &own("ann"),
            "ann",
            Action::Change(Change::RequestRemoval { phone }),
        );
    }
    world
}

/// Every verb of several numbers, in a form in which a service succeeds in [`busy`].
fn verbs(world: &World) -> Vec<Action> {
    let [one, three] = [ONE, THREE].map(|number| world.phone_of("ann", number).id);
    let code = |number| world.code_for("ann", number, Purpose::Verify);
    let two = world.challenge_about("ann", TWO, Purpose::Verify).id;
    let mut verbs = sending(world);
    verbs.extend([
        add_by(&filler(0), RETURN),
        add_by(&filler(0), Verification::Trusted),
        add_by(&filler(0), None),
        confirm(Which::Challenge(two), &code(TWO)),
        confirm(of(TWO), &code(TWO)),
        confirm(Which::Latest, &code(THREE)),
        Action::Change(Change::ConfirmRemoval {
            phone: three,
            challenge: world.challenge_about("ann", THREE, Purpose::Remove).id,
            guess: Guess(world.code_for("ann", THREE, Purpose::Remove)),
        }),
        Action::Change(Change::Remove {
            which: Which::Phone(three),
        }),
        Action::Change(Change::MakePrimary { phone: one }),
    ]);
    verbs
}

/// Those that send.
fn sending(world: &World) -> Vec<Action> {
    let [one, three] = [ONE, THREE].map(|number| world.phone_of("ann", number).id);
    vec![
        add(&filler(0)),
        add(THREE),
        preverify(&filler(0)),
        preverify(THREE),
        change(&filler(0)),
        change(TWO),
        change(THREE),
        Action::Change(Change::Resend {
            which: Which::Next,
            delivery: Delivery::Send,
        }),
        Action::Change(Change::RequestRemoval { phone: one }),
        Action::Change(Change::RequestRemoval { phone: three }),
    ]
}

#[test]
fn a_service_may_do_all_and_strangers_nothing() {
    let world = busy();
    for action in verbs(&world) {
        for caller in [service(), everywhere()] {
            world.clone().does(&caller, "ann", action.clone());
        }
        let mut world = world.clone();
        let refusal = world.refuses(&own("bob"), "ann", action.clone());
        assert_eq!(refusal, Refusal::AccountNotFound, "{action:?}");
        for caller in [own("bob"), service()] {
            let refusal = world.refuses(&elsewhere(caller), "ann", action.clone());
            assert_eq!(refusal, Refusal::AccountNotFound, "{action:?}");
        }
    }
}

#[test]
fn a_user_may_do_all_but_what_only_services_are_trusted_with() {
    let world = busy();
    for action in verbs(&world) {
        let for_services = matches!(
            action,
            Action::Change(Change::Remove {
                which: Which::Phone(_)
            }) | Action::Change(Change::Add {
                verification: Some(RETURN | Verification::Trusted),
                ..
            })
        );
        let mut world = world.clone();
        if for_services {
            let refusal = world.refuses(&own("ann"), "ann", action);
            assert_eq!(refusal, Refusal::PermissionDenied);
        } else {
            let reply = world.does(&own("ann"), "ann", action);
            assert_eq!(reply.code, None);
        }
    }
}

#[test]
fn whether_a_text_is_a_number_is_told_after_the_rights() {
    let number = || "no number".into();
    let mut world = busy();
    for action in [
        Action::Change(Change::Add {
            number: number(),
            verification: Some(SEND),
        }),
        Action::Change(Change::Preverify { number: number() }),
        Action::Change(Change::Replace { number: number() }),
        confirm(Which::Number(number()), "123456"),
    ] {
        let refusal = world.refuses(&own("bob"), "ann", action.clone());
        assert_eq!(refusal, Refusal::AccountNotFound);
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::NumberInvalid(NumberError::Malformed));
    }
    let returned = Action::Change(Change::Add {
        number: number(),
        verification: Some(RETURN),
    });
    let refusal = world.refuses(&own("ann"), "ann", returned);
    assert_eq!(refusal, Refusal::PermissionDenied);
}

#[test]
fn only_a_first_number_registers() {
    for action in verbs(&busy()) {
        let names_one = matches!(
            action,
            Action::Change(Change::Add {
                verification: Some(SEND) | None,
                ..
            }) | Action::Change(Change::Preverify { .. })
                | Action::Change(Change::Replace { .. })
        );
        let mut world = World::unlimited();
        let mut explicit = world.clone();
        explicit.policy.accounts.register = Registration::Explicit;
        let refusal = explicit.refuses(&own("new"), "new", action.clone());
        assert_eq!(refusal, Refusal::AccountNotFound);
        for caller in [own("bob"), service()] {
            let refusal = world.refuses(&caller, "new", action.clone());
            assert_eq!(refusal, Refusal::AccountNotFound);
        }
        if names_one {
            world.does(&own("new"), "new", action);
            assert_eq!(world.account("new").phones.len(), 1);
        } else {
            let refusal = world.act(&own("new"), "new", action).result;
            assert!(refusal.is_err() && world.accounts.is_empty());
        }
    }
}

/// The number that a sending verb sends to.
fn receiver(world: &World, action: &Action) -> String {
    let decision = world.clone().act(&own("ann"), "ann", action.clone());
    let [message] = decision.messages.as_slice() else {
        panic!("must be one message: {decision:?}")
    };
    message.number.as_str().to_owned()
}

#[test]
fn every_message_spends_what_number_and_account_may_send() {
    let window = vec![Window {
        count: 1,
        seconds: 600,
    }];
    for limit in [Limit::NumberSends, Limit::AccountSends] {
        let mut world = busy();
        match limit {
            Limit::NumberSends => world.policy.limits.sends_per_number = window.clone(),
            _ => world.policy.limits.sends_per_account = window.clone(),
        }
        for action in sending(&world) {
            let mut world = world.clone();
            let decision = world.act(&own("ann"), "ann", action.clone());
            assert!(decision.result.is_ok(), "{action:?}: {decision:?}");
            let refusal = world.refuses(&own("ann"), "ann", action.clone());
            assert_eq!(refusal, limited(limit, 600), "{action:?}");
        }
    }
}

#[test]
fn every_message_waits_for_the_pause_of_its_number() {
    let mut world = busy();
    world.policy.limits.cool_down_seconds = vec![60];
    for action in sending(&world) {
        let number = receiver(&world, &action);
        // Another account's message to the number is none of ours; an earlier one of our own is.
        let mut world = world.clone();
        world.does(&own("bob"), "bob", set(&number));
        world.does(&own("ann"), "ann", action.clone());
        let start = world.now;
        world.now = start + Duration::from_secs(60) - MICROSECOND;
        let refusal = world.refuses(&own("ann"), "ann", action.clone());
        let too_soon = Refusal::Limited {
            limit: Limit::CoolDown,
            retry_after: MICROSECOND,
        };
        assert_eq!(refusal, too_soon, "{action:?}");
        world.now = start + Duration::from_secs(60);
        world.does(&own("ann"), "ann", action.clone());
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, limited(Limit::CoolDown, 60), "{number}");
    }
}

#[test]
fn a_new_number_of_self_service_spends_a_set_and_a_repeated_code_does_not() {
    let mut world = busy();
    world.policy.limits.sets_per_account = vec![Window {
        count: 1,
        seconds: 600,
    }];
    let untouched = world.account("ann").limits.set.clone();
    for action in verbs(&world) {
        let named = Command {
            caller: own("ann"),
            account: "ann".into(),
            action: action.clone(),
        };
        let is_new = named.number(&world.policy.numbers) == Some(Number::from_stored(filler(0)));
        let adds = matches!(action, Action::Change(Change::Add { .. }));
        let mut served = world.clone();
        served.does(&service(), "ann", action.clone());
        assert_eq!(served.account("ann").limits.set, untouched);
        let mut world = world.clone();
        if world.act(&own("ann"), "ann", action.clone()).result.is_ok() {
            let spent = world.account("ann").limits.set != untouched;
            assert_eq!(spent, is_new || adds, "{action:?}");
            if spent {
                let fresh = filler(1);
                for next in [
                    add(&fresh),
                    add_by(THREE, None),
                    preverify(&fresh),
                    set(&fresh),
                ] {
                    let refusal = world.refuses(&own("ann"), "ann", next);
                    assert_eq!(refusal, limited(Limit::AccountSets, 600));
                }
                world.does(&service(), "ann", add(&fresh));
            }
        }
    }
    let mut spent = world.clone();
    spent.does(&own("ann"), "ann", preverify(&filler(0)));
    let refusal = spent.refuses(&own("ann"), "ann", change(&filler(1)));
    assert_eq!(refusal, limited(Limit::AccountSets, 600));
}

#[test]
fn a_number_added_again_is_told_the_limit_that_lasts_longest() {
    let mut world = World::new();
    world.policy.limits.sets_per_account = vec![Window {
        count: 1,
        seconds: 600,
    }];
    world.does(&own("ann"), "ann", add(ONE));
    let refusal = world.refuses(&own("ann"), "ann", add(ONE));
    assert_eq!(refusal, limited(Limit::AccountSets, 600));
    world.pass(600);
    world.does(&own("ann"), "ann", add(ONE));
}

#[test]
fn a_spent_question_is_not_repeated_before_it_ends() {
    let mut world = busy();
    for challenge in &mut world.account_mut("ann").challenges {
        challenge.guesses_left = 0;
    }
    world.pass(590);
    let spent = limited(Limit::Guesses, 10);
    for action in sending(&world) {
        let number = receiver(&busy(), &action);
        if number == filler(0) {
            world.clone().does(&own("ann"), "ann", action);
        } else {
            assert_eq!(world.refuses(&own("ann"), "ann", action), spent);
        }
    }
    for action in sending(&world) {
        world.clone().does(&service(), "ann", action);
    }
    world.clone().does(&service(), "ann", add_by(THREE, RETURN));
    world.pass(10);
    for action in sending(&world) {
        world.clone().does(&own("ann"), "ann", action);
    }
}

#[test]
fn locked_numbers_confirm_nothing() {
    let mut world = busy();
    for number in [TWO, THREE] {
        world.failed("ann", number, 100);
    }
    for action in verbs(&world) {
        if matches!(
            action,
            Action::Change(Change::Verify { .. }) | Action::Change(Change::ConfirmRemoval { .. })
        ) {
            assert_eq!(world.misses("ann", action), CodeFailure::Locked);
        }
    }
}

#[test]
fn a_command_names_the_budgets_of_its_number_and_of_those_that_it_may_tell() {
    let world = busy();
    let all = [ONE, TWO, THREE];
    for action in verbs(&world) {
        let named = filler(0);
        let and_all = |number| {
            let others = [ONE, TWO, THREE];
            let others = others.into_iter().filter(|other| *other != number);
            std::iter::once(number).chain(others).collect()
        };
        let expected: Vec<&str> = match &action {
            Action::Change(Change::Resend {
                which: Which::Next,
                delivery: Delivery::Send,
            })
            | Action::Change(Change::Verify { .. })
            | Action::Change(Change::RequestRemoval { .. })
            | Action::Change(Change::ConfirmRemoval { .. })
            | Action::Change(Change::Remove {
                which: Which::Phone(_),
            })
            | Action::Change(Change::Remove {
                which: Which::Number(_),
            }) => all.to_vec(),
            Action::Change(Change::MakePrimary { .. }) => vec![],
            Action::Change(Change::Add { verification, .. }) if *verification != Some(SEND) => {
                vec![]
            }
            _ if action == add(THREE) || action == preverify(THREE) => vec![THREE],
            _ if action == change(THREE) => and_all(THREE),
            _ if action == change(TWO) => and_all(TWO),
            Action::Change(Change::Replace { .. }) => and_all(&named),
            _ => vec![named.as_str()],
        };
        let command = Command {
            caller: own("ann"),
            account: "ann".into(),
            action,
        };
        let known = all.map(Number::from_stored);
        let names = command.budgets("acme", known.iter(), &world.policy, &world.keys);
        let pseudonym = |number: &&str| world.keys.pseudonym(&Number::from_stored(*number));
        let expected: Vec<_> = expected.iter().map(pseudonym).collect();
        assert_eq!(names, expected, "{command:?}");
    }
}

#[test]
fn the_sequence_counts_events() {
    let world = busy();
    for action in verbs(&world) {
        let mut world = world.clone();
        let before = world.account("ann").sequence;
        let decision = world.act(&service(), "ann", action);
        let sequences: Vec<_> = decision.events.iter().map(|event| event.sequence).collect();
        let after = world.account("ann").sequence;
        assert_eq!(sequences, (before + 1..=after).collect::<Vec<_>>());
        assert_eq!(
            decision.result.map(|reply| reply.account.sequence),
            Ok(after)
        );
    }
}

#[test]
fn nothing_shows_a_code_or_a_number() {
    let world = busy();
    let codes: Vec<String> = world
        .account("ann")
        .challenges
        .iter()
        .filter_map(|challenge| Some(challenge.code(&world.keys)?.reveal().to_owned()))
        .collect();
    assert_eq!(codes.len(), 4);
    for action in verbs(&world) {
        let mut world = world.clone();
        let command = Command {
            caller: service(),
            account: "ann".into(),
            action: action.clone(),
        };
        let decision = world.act(&service(), "ann", action);
        let shown = format!("{command:?}{command:#?}{decision:?}{decision:#?}");
        let shown = format!("{shown}{:?}", world.account("ann"));
        // Hexadecimal names may hold any six digits; a code would stand by itself.
        let words: Vec<_> = shown.split(|c: char| !c.is_alphanumeric()).collect();
        for code in &codes {
            assert!(!words.contains(&code.as_str()), "the code is in {shown}");
        }
        for number in [ONE, TWO, THREE, &filler(0)] {
            assert!(!shown.contains(&number[1..]), "the number is in {shown}");
        }
    }
}
