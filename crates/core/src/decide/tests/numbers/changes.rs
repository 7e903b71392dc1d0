//! The primary number changed: at once, or once the new one is proven.

use super::*;

#[test]
fn without_a_number_or_with_an_unproven_one_it_changes_at_once() {
    let mut world = World::unlimited();
    let decision = world.act(&own("ann"), "ann", change(ONE));
    assert_eq!(
        kinds(&decision),
        [
            EventKind::Registered,
            EventKind::PhoneSet,
            EventKind::CodeSent
        ]
    );
    let old = world.code("ann");
    let decision = world.act(&own("ann"), "ann", change(TWO));
    assert_eq!(kinds(&decision), [EventKind::PhoneSet, EventKind::CodeSent]);
    let [message] = decision.messages.as_slice() else {
        panic!("must be one message: {:?}", decision.messages)
    };
    assert_eq!(message.number.as_str(), TWO);
    assert_eq!(world.account("ann").phones.len(), 1);
    assert_eq!(world.primary("ann").state, PhoneState::Unverified);
    assert_eq!(
        world.misses("ann", confirm(of(ONE), &old)),
        CodeFailure::Absent
    );
    world.proves("ann", TWO);
}

#[test]
fn a_proven_number_stays_until_the_new_one_is_proven() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    let before = world.primary("ann").clone();
    let decision = world.act(&own("ann"), "ann", change(TWO));
    assert_eq!(
        kinds(&decision),
        [EventKind::PhonePending, EventKind::CodeSent]
    );
    let [message] = decision.messages.as_slice() else {
        panic!("must be one message: {:?}", decision.messages)
    };
    let challenge = world.challenge("ann").id;
    assert_eq!(message.kind, MessageKind::Code { challenge });
    assert_eq!(message.number.as_str(), TWO);
    assert_eq!(world.state("ann", TWO), Some(REPLACES));
    assert_eq!(*world.primary("ann"), before);

    let decision = world.proves("ann", TWO);
    assert_eq!(
        kinds(&decision),
        [EventKind::PhoneVerified, EventKind::PrimaryChanged]
    );
    let [notice] = decision.messages.as_slice() else {
        panic!("must be one notice: {:?}", decision.messages)
    };
    assert_eq!(notice.kind, MessageKind::Replaced);
    assert_eq!(notice.number.as_str(), ONE);
    assert!(world.primary_is("ann", TWO));
    assert_eq!(world.account("ann").phones.len(), 1);
    assert_eq!(world.account("ann").challenges, []);
}

#[test]
fn a_proven_number_survives_whatever_happens_to_the_new_one() {
    let mut world = World::announced();
    let before = world.primary("ann").clone();
    let code = world.code_for("ann", TWO, Purpose::Verify);
    let wrong = world.wrong("ann");
    for _ in 0..5 {
        let failure = world.misses("ann", confirm(of(TWO), &wrong));
        assert_eq!(failure, CodeFailure::Wrong);
    }
    world.pass(60);
    let failure = world.misses("ann", confirm(of(TWO), &code));
    assert_eq!(failure, CodeFailure::Spent);
    world.pass(365 * 86_400);
    let failure = world.misses("ann", confirm(of(TWO), &code));
    assert_eq!(failure, CodeFailure::Expired);
    world.does(&own("ann"), "ann", add(THREE));
    assert_eq!(world.find_held("ann", TWO), None);
    assert_eq!(*world.primary("ann"), before);
    assert!(before.verified());
}

#[test]
fn a_change_to_the_present_number_changes_nothing() {
    let mut world = World::new().with_verified("ann", ONE);
    let before = world.account("ann").clone();
    let decision = world.act(&own("ann"), "ann", change(ONE));
    assert_eq!((&decision.events, &decision.messages), (&vec![], &vec![]));
    let reply = decision.result.expect("must succeed");
    assert_eq!((reply.phone, reply.challenge), (before.primary, None));
    assert_eq!(*world.account("ann"), before);
}

#[test]
fn a_change_to_the_present_number_that_is_not_proven_repeats_its_code() {
    let mut world = World::unlimited();
    let first = world.does(&own("ann"), "ann", change(ONE));
    let decision = world.act(&own("ann"), "ann", change(ONE));
    assert_eq!(kinds(&decision), [EventKind::CodeSent]);
    let again = decision.result.expect("must succeed");
    assert_eq!(
        (again.phone, again.challenge),
        (first.phone, first.challenge)
    );
}

#[test]
fn another_proven_number_takes_over_at_once() {
    let mut proven = World::new().with_verified("ann", ONE);
    proven.does(&service(), "ann", add_by(TWO, Verification::Trusted));
    let mut unproven = World::new().with_code("ann", ONE);
    unproven.does(&service(), "ann", add_by(TWO, Verification::Trusted));
    let mut none = proven.clone();
    none.does(
        &service(),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    for (mut world, notices) in [(proven, 1), (unproven, 0), (none, 0)] {
        let next = world.phone_of("ann", TWO).clone();
        let decision = world.act(&own("ann"), "ann", change(TWO));
        assert_eq!(kinds(&decision), [EventKind::PrimaryChanged]);
        let told = decision.messages.iter();
        let told = told.map(|message| (message.kind, message.number.as_str()));
        let notice = (MessageKind::Replaced, ONE);
        assert_eq!(told.collect::<Vec<_>>(), vec![notice; notices]);
        assert_eq!(world.account("ann").phones, [next]);
        assert!(world.primary_is("ann", TWO));
        assert_eq!(world.account("ann").challenges, []);
    }
}

#[test]
fn another_number_of_the_account_that_is_not_proven_takes_over_once_it_is() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    let first = world.does(&own("ann"), "ann", add(TWO));
    let decision = world.act(&own("ann"), "ann", change(TWO));
    assert_eq!(
        kinds(&decision),
        [EventKind::PhonePending, EventKind::CodeSent]
    );
    let again = decision.result.expect("must succeed");
    assert_eq!(again.challenge, first.challenge);
    assert_eq!(world.state("ann", TWO), Some(REPLACES));
    world.proves("ann", TWO);
    assert!(world.primary_is("ann", TWO));
    assert_eq!(world.find_held("ann", ONE), None);
}

#[test]
fn a_pending_number_is_asked_for_whatever_was_wished_last() {
    let mut world = World::announced();
    world.does(&own("ann"), "ann", preverify(TWO));
    assert_eq!(world.state("ann", TWO), Some(JOINS));
    let mut joined = world.clone();
    joined.proves("ann", TWO);
    assert!(joined.primary_is("ann", ONE));
    world.does(&own("ann"), "ann", change(TWO));
    assert_eq!(world.state("ann", TWO), Some(REPLACES));
    world.proves("ann", TWO);
    assert!(world.primary_is("ann", TWO));
}

#[test]
fn a_second_change_replaces_the_first() {
    let mut world = World::announced();
    let old = world.code_for("ann", TWO, Purpose::Verify);
    let asked = world.challenge("ann").id;
    world.does(&own("ann"), "ann", change(THREE));
    assert_eq!(world.find_held("ann", TWO), None);
    for which in [of(TWO), Which::Challenge(asked)] {
        let failure = world.misses("ann", confirm(which, &old));
        assert_eq!(failure, CodeFailure::Absent);
    }
    world.proves("ann", THREE);
    assert!(world.primary_is("ann", THREE));
    assert_eq!(world.account("ann").phones.len(), 1);
}

/// Whatever else becomes of the primary number, what was to replace it does not come back for another.
#[test]
fn the_next_number_is_forgotten_with_the_one_that_it_was_to_replace() {
    let mut world = World::announced();
    world.does(&service(), "ann", add_by(THREE, Verification::Trusted));
    let (one, three) = (
        world.phone_of("ann", ONE).id,
        world.phone_of("ann", THREE).id,
    );
    let mut asked = world.clone();
    let removal = asked.does(
        &own("ann"),
        "ann",
        Action::Change(Change::RequestRemoval { phone: one }),
    );
    assert_eq!(asked.state("ann", TWO), Some(REPLACES));
    let confirmed = Action::Change(Change::ConfirmRemoval {
        phone: one,
        challenge: removal.challenge.expect("must be asked"),
        guess: Guess(asked.code_for("ann", ONE, Purpose::Remove)),
    });
    for (world, caller, action) in [
        (&world, own("ann"), set("+41791234560")),
        (&world, own("ann"), set(TWO)),
        (&world, service(), update_by("+41791234560", RETURN)),
        (
            &world,
            own("ann"),
            Action::Change(Change::Remove {
                which: Which::Primary,
            }),
        ),
        (&world, own("ann"), update(PhoneChange::Remove)),
        (
            &world,
            service(),
            Action::Change(Change::Remove {
                which: Which::Phone(one),
            }),
        ),
        (&asked, own("ann"), confirmed),
        (
            &world,
            own("ann"),
            Action::Change(Change::MakePrimary { phone: three }),
        ),
        (&world, own("ann"), change(THREE)),
        (&world, own("ann"), change(ONE)),
    ] {
        let mut world = world.clone();
        let old = world.phone_of("ann", TWO).id;
        let code = world.code_for("ann", TWO, Purpose::Verify);
        let challenge = world.challenge_about("ann", TWO, Purpose::Verify).id;
        world.does(&caller, "ann", action.clone());
        assert_eq!(world.account("ann").phone(old), None, "{action:?}");
        let late = confirm(Which::Challenge(challenge), &code);
        assert_eq!(world.misses("ann", late), CodeFailure::Absent, "{action:?}");
    }
}

#[test]
fn the_next_number_stays_when_something_else_happens() {
    let mut world = World::announced();
    world.does(&service(), "ann", add_by(THREE, Verification::Trusted));
    let three = world.phone_of("ann", THREE).id;
    let one = world.phone_of("ann", ONE).id;
    for (caller, action) in [
        (
            own("ann"),
            Action::Change(Change::MakePrimary { phone: one }),
        ),
        (
            service(),
            Action::Change(Change::Remove {
                which: Which::Phone(three),
            }),
        ),
        (own("ann"), preverify(THREE)),
        (own("ann"), add(&filler(0))),
        (own("ann"), update_by(ONE, SEND)),
    ] {
        world.does(&caller, "ann", action);
        assert_eq!(world.state("ann", TWO), Some(REPLACES));
    }
    let refusal = world.refuses(&own("ann"), "ann", set(ONE));
    assert_eq!(refusal, Refusal::PhoneUnchanged);
    world.proves("ann", TWO);
    assert!(world.primary_is("ann", TWO));
    assert_eq!(world.find_held("ann", ONE), None);
}

#[test]
fn a_changed_number_is_not_what_the_phone_means_before_it_is_proven() {
    let mut world = World::announced();
    let code = world.code_for("ann", TWO, Purpose::Verify);
    assert_eq!(world.misses("ann", guess(&code)), CodeFailure::Absent);
    for (caller, action) in [(own("ann"), resend()), (service(), resend_returned())] {
        let refusal = world.refuses(&caller, "ann", action);
        assert_eq!(refusal, Refusal::CodeAbsent);
    }
}

#[test]
fn the_code_of_a_change_is_repeated_to_the_new_number() {
    let mut world = World::announced();
    let first = world.challenge("ann").clone();
    let decision = world.act(
        &own("ann"),
        "ann",
        Action::Change(Change::Resend {
            which: Which::Next,
            delivery: Delivery::Send,
        }),
    );
    assert_eq!(kinds(&decision), [EventKind::CodeSent]);
    let [message] = decision.messages.as_slice() else {
        panic!("must be one message: {:?}", decision.messages)
    };
    assert_eq!(message.number.as_str(), TWO);
    let reply = decision.result.expect("must succeed");
    assert_eq!(reply.challenge, Some(first.id));
    let sends = world.challenge("ann").sends;
    assert_eq!(sends, first.sends + 1, "and else the same");
    assert_eq!(world.challenge("ann").expires_at, first.expires_at);
    world.pass(600);
    world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::Resend {
            which: Which::Next,
            delivery: Delivery::Send,
        }),
    );
    assert_ne!(world.challenge("ann").id, first.id);
    world.proves("ann", TWO);
}

#[test]
fn without_a_change_the_code_of_the_primary_number_is_sent() {
    let mut world = World::unlimited();
    world.does(&own("ann"), "ann", add_by(ONE, None));
    world.does(&own("ann"), "ann", preverify(TWO));
    for _ in 0..2 {
        let decision = world.act(
            &own("ann"),
            "ann",
            Action::Change(Change::Resend {
                which: Which::Next,
                delivery: Delivery::Send,
            }),
        );
        assert_eq!(decision.messages[0].number.as_str(), ONE);
        assert_eq!(kinds(&decision), [EventKind::CodeSent]);
    }
    assert_eq!(world.account("ann").challenges.len(), 2);
    world.proves("ann", ONE);
    let refusal = world.refuses(
        &own("ann"),
        "ann",
        Action::Change(Change::Resend {
            which: Which::Next,
            delivery: Delivery::Send,
        }),
    );
    assert_eq!(refusal, Refusal::CodeAbsent);
}

#[test]
fn without_a_number_there_is_no_code_to_repeat() {
    let mut world = World::new();
    world.does(&service(), "ann", register(None));
    let refusal = world.refuses(
        &own("ann"),
        "ann",
        Action::Change(Change::Resend {
            which: Which::Next,
            delivery: Delivery::Send,
        }),
    );
    assert_eq!(refusal, Refusal::CodeAbsent);
    world.does(&own("ann"), "ann", preverify(ONE));
    let refusal = world.refuses(
        &own("ann"),
        "ann",
        Action::Change(Change::Resend {
            which: Which::Next,
            delivery: Delivery::Send,
        }),
    );
    assert_eq!(refusal, Refusal::CodeAbsent);
}
