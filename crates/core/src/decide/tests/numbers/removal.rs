//! Numbers removed: once confirmed by their owner, or at once by a service.

use super::*;

/// A user with the verified numbers ONE, which is primary, and TWO.
fn two() -> World {
    let mut world = World::unlimited().with_verified("ann", ONE);
    world.does(&service(), "ann", add_by(TWO, Verification::Trusted));
    world
}

impl World {
    fn asks_removal(&mut self, user: &str, number: &str) -> Reply {
        let phone = self.phone_of(user, number).id;
        self.does(
            &own(user),
            user,
            Action::Change(Change::RequestRemoval { phone }),
        )
    }

    /// The right answer to the challenge whether a number shall go.
    fn removal(&self, user: &str, number: &str) -> Action {
        let challenge = self.challenge_about(user, number, Purpose::Remove);
        Action::Change(Change::ConfirmRemoval {
            phone: challenge.phone,
            challenge: challenge.id,
            guess: Guess(self.code_for(user, number, Purpose::Remove)),
        })
    }
}

#[test]
fn a_removal_asks_the_number_itself_and_removes_nothing() {
    let mut world = two();
    let before = world.account("ann").clone();
    let phone = world.phone_of("ann", TWO).id;
    let decision = world.act(
        &own("ann"),
        "ann",
        Action::Change(Change::RequestRemoval { phone }),
    );
    assert_eq!(kinds(&decision), [EventKind::CodeSent]);
    let challenge = world.challenge("ann");
    assert_eq!(challenge.purpose, Purpose::Remove);
    let [message] = decision.messages.as_slice() else {
        panic!("must be one message: {:?}", decision.messages)
    };
    let expires_at = challenge.expires_at;
    let challenge = challenge.id;
    assert_eq!(message.kind, MessageKind::RemovalCode { challenge });
    assert_eq!(message.number.as_str(), TWO);
    assert_eq!(message.expires_at, expires_at);
    let reply = decision.result.expect("must succeed");
    assert_eq!(
        (reply.phone, reply.challenge, reply.code),
        (Some(phone), Some(challenge), None)
    );
    assert_eq!(world.account("ann").phones, before.phones);
    // Asked again, it is the same challenge.
    let again = world.asks_removal("ann", TWO);
    assert_eq!(again.challenge, Some(challenge));
}

#[test]
fn the_right_code_removes_and_the_owner_is_told() {
    for (number, primary) in [(ONE, None), (TWO, Some(ONE))] {
        let mut world = two();
        world.asks_removal("ann", number);
        let removal = world.removal("ann", number);
        let phone = world.phone_of("ann", number).id;
        let decision = world.act(&own("ann"), "ann", removal.clone());
        assert_eq!(kinds(&decision), [EventKind::PhoneRemoved]);
        let [notice] = decision.messages.as_slice() else {
            panic!("must be one notice: {:?}", decision.messages)
        };
        assert_eq!(notice.kind, MessageKind::Removed);
        assert_eq!(notice.number.as_str(), number);
        assert_eq!(decision.result.map(|reply| reply.phone), Ok(Some(phone)));
        assert_eq!(world.find_held("ann", number), None);
        let account = world.account("ann");
        let left = account.primary_phone().map(|phone| phone.number.as_str());
        assert_eq!((left, account.phones.len()), (primary, 1));
        assert_eq!(account.challenges, []);
        let refusal = world.refuses(&own("ann"), "ann", removal);
        assert_eq!(refusal, Refusal::PhoneNotFound);
    }
}

#[test]
fn a_number_that_was_not_proven_is_removed_without_a_notice() {
    for action in [add(ONE), preverify(ONE)] {
        let mut world = World::unlimited();
        world.does(&own("ann"), "ann", action);
        world.asks_removal("ann", ONE);
        let removal = world.removal("ann", ONE);
        let decision = world.act(&own("ann"), "ann", removal);
        assert_eq!(kinds(&decision), [EventKind::PhoneRemoved]);
        assert_eq!(decision.messages, []);
        let account = world.account("ann");
        assert_eq!((account.primary, account.phones.len()), (None, 0));
        assert_eq!(account.challenges, []);
    }
}

#[test]
fn the_answer_to_another_question_removes_nothing() {
    let mut world = two();
    world.does(&own("ann"), "ann", add(THREE));
    let [one, two, three] = [ONE, TWO, THREE].map(|number| world.phone_of("ann", number).id);
    let asked = world.asks_removal("ann", TWO).challenge;
    let other = world.asks_removal("ann", THREE).challenge;
    let (asked, other) = asked.zip(other).expect("must be asked");
    let verifies = world.challenge_about("ann", THREE, Purpose::Verify).id;
    let code = world.code_for("ann", TWO, Purpose::Remove);
    let nothing = world.name_of_nothing();
    for (phone, challenge) in [
        (two, other),
        (two, nothing),
        (two, verifies),
        (one, asked),
        (three, asked),
        (three, verifies),
    ] {
        let code = match challenge == verifies {
            true => world.code_for("ann", THREE, Purpose::Verify),
            false => code.clone(),
        };
        let action = Action::Change(Change::ConfirmRemoval {
            phone,
            challenge,
            guess: Guess(code),
        });
        assert_eq!(world.misses("ann", action), CodeFailure::Absent);
    }
    let unknown = Action::Change(Change::ConfirmRemoval {
        phone: nothing,
        challenge: asked,
        guess: Guess(code),
    });
    let refusal = world.refuses(&own("ann"), "ann", unknown);
    assert_eq!(refusal, Refusal::PhoneNotFound);
    // None of these was a guess.
    assert_eq!(world.failures("ann", TWO).count, 0);
    let removal = world.removal("ann", TWO);
    world.does(&own("ann"), "ann", removal);
}

#[test]
fn a_removal_that_was_never_confirmed_removes_nothing() {
    let mut world = two();
    world.asks_removal("ann", TWO);
    let removal = world.removal("ann", TWO);
    world.now = world.challenge("ann").expires_at;
    assert_eq!(world.misses("ann", removal), CodeFailure::Expired);
    world.pass(365 * 86_400);
    world.does(&own("ann"), "ann", add(THREE));
    assert!(world.phone_of("ann", TWO).verified());
}

#[test]
fn the_codes_of_verification_and_removal_do_not_stand_in_for_each_other() {
    let mut world = World::unlimited();
    world.does(&own("ann"), "ann", add(ONE));
    world.asks_removal("ann", ONE);
    let phone = world.phone_of("ann", ONE).id;
    let verify = world.challenge_about("ann", ONE, Purpose::Verify).clone();
    let remove = world.challenge_about("ann", ONE, Purpose::Remove).clone();
    let verifies = world.code_for("ann", ONE, Purpose::Verify);
    let removes = world.code_for("ann", ONE, Purpose::Remove);
    assert_ne!(verifies, removes, "the example needs two codes");
    let by_removal = |challenge, code: &str| {
        Action::Change(Change::ConfirmRemoval {
            phone,
            challenge,
            guess: Guess(code.into()),
        })
    };
    for (action, failure) in [
        (by_removal(remove.id, &verifies), CodeFailure::Wrong),
        (by_removal(verify.id, &verifies), CodeFailure::Absent),
        (by_removal(verify.id, &removes), CodeFailure::Absent),
        (guess(&removes), CodeFailure::Wrong),
        (confirm(of(ONE), &removes), CodeFailure::Wrong),
        (confirm(Which::Latest, &removes), CodeFailure::Wrong),
        (
            confirm(Which::Challenge(verify.id), &removes),
            CodeFailure::Wrong,
        ),
        (
            confirm(Which::Challenge(remove.id), &removes),
            CodeFailure::Absent,
        ),
        (
            confirm(Which::Challenge(remove.id), &verifies),
            CodeFailure::Absent,
        ),
    ] {
        assert_eq!(world.misses("ann", action.clone()), failure, "{action:?}");
        // The account's own pause would stand in the way of the next one.
        world.pass(20);
    }
    // Verification answers one challenge and leaves the other.
    world.proves("ann", ONE);
    assert_eq!(world.challenge("ann").id, remove.id);
    let removal = world.removal("ann", ONE);
    world.does(&own("ann"), "ann", removal);
    assert_eq!(world.account("ann").phones, []);
}

#[test]
fn wrong_guesses_of_a_removal_count_like_others() {
    let mut world = two();
    world.asks_removal("ann", TWO);
    let (removal, wrong) = (world.removal("ann", TWO), world.wrong("ann"));
    let Action::Change(Change::ConfirmRemoval {
        phone, challenge, ..
    }) = removal
    else {
        panic!("is a removal")
    };
    let with = |code: &str| {
        Action::Change(Change::ConfirmRemoval {
            phone,
            challenge,
            guess: Guess(code.into()),
        })
    };
    for count in 1..=5 {
        let refusal = world.refuses(&own("ann"), "ann", with("12345"));
        assert_eq!(refusal, Refusal::CodeRefused(CodeFailure::Shape));
        assert_eq!(world.misses("ann", with(&wrong)), CodeFailure::Wrong);
        assert_eq!(u32::from(world.challenge("ann").guesses_left), 5 - count);
        assert_eq!(world.failures("ann", TWO).count, count);
    }
    world.pass(60);
    assert_eq!(world.misses("ann", removal), CodeFailure::Spent);
    let refusal = world.refuses(
        &own("ann"),
        "ann",
        Action::Change(Change::RequestRemoval { phone }),
    );
    assert_eq!(refusal, limited(Limit::Guesses, 540));
    world.pass(540);
    world.asks_removal("ann", TWO);
    let removal = world.removal("ann", TWO);
    world.does(&own("ann"), "ann", removal);
    assert_eq!(world.failures("ann", TWO).count, 0);
}

#[test]
fn another_accounts_removal_is_none_of_mine() {
    let mut world = World::unlimited()
        .with_verified("ann", ONE)
        .with_verified("bob", ONE);
    for user in ["ann", "bob"] {
        world.asks_removal(user, ONE);
    }
    let removal = world.removal("bob", ONE);
    let refusal = world.refuses(&own("ann"), "ann", removal.clone());
    assert_eq!(refusal, Refusal::PhoneNotFound);
    let Action::Change(Change::ConfirmRemoval {
        challenge,
        guess: Guess(code),
        ..
    }) = removal
    else {
        panic!("is a removal")
    };
    let mixed = Action::Change(Change::ConfirmRemoval {
        phone: world.phone_of("ann", ONE).id,
        challenge,
        guess: Guess(code),
    });
    assert_eq!(world.misses("ann", mixed), CodeFailure::Absent);
    let removal = world.removal("ann", ONE);
    world.does(&own("ann"), "ann", removal);
    assert!(world.primary_is("bob", ONE));
}

#[test]
fn what_is_not_held_is_not_removed() {
    let mut world = two();
    let phone = world.name_of_nothing();
    for action in [
        Action::Change(Change::RequestRemoval { phone }),
        Action::Change(Change::Remove {
            which: Which::Phone(phone),
        }),
    ] {
        let refusal = world.refuses(&service(), "ann", action);
        assert_eq!(refusal, Refusal::PhoneNotFound);
    }
}

#[test]
fn only_a_service_removes_at_once() {
    let mut world = two();
    world.does(&own("ann"), "ann", add(THREE));
    let held = [ONE, TWO, THREE].map(|number| (number, world.phone_of("ann", number).id));
    for phone in held
        .map(|(_, phone)| phone)
        .into_iter()
        .chain([world.name_of_nothing()])
    {
        let refusal = world.refuses(
            &own("ann"),
            "ann",
            Action::Change(Change::Remove {
                which: Which::Phone(phone),
            }),
        );
        assert_eq!(refusal, Refusal::PermissionDenied);
    }
    for (number, phone) in held {
        let decision = world.act(
            &service(),
            "ann",
            Action::Change(Change::Remove {
                which: Which::Phone(phone),
            }),
        );
        assert_eq!(kinds(&decision), [EventKind::PhoneRemoved]);
        let told: Vec<_> = decision
            .messages
            .iter()
            .map(|m| (m.kind, m.number.as_str()))
            .collect();
        let notice = (MessageKind::Removed, number);
        assert_eq!(told, vec![notice; usize::from(number != THREE)]);
        assert_eq!(world.find_held("ann", number), None);
    }
    let account = world.account("ann");
    assert_eq!((account.primary, account.phones.len()), (None, 0));
    assert_eq!(account.challenges, []);
}
