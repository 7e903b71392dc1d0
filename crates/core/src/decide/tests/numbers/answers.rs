//! Codes submitted for numbers that are not necessarily the primary one.

use super::*;

/// A user who was asked about ONE, then TWO, then THREE.
fn asked() -> World {
    let mut world = World::unlimited();
    for action in [add(ONE), preverify(TWO), add(THREE)] {
        world.does(&own("ann"), "ann", action);
    }
    world
}

#[test]
fn a_code_is_submitted_by_question_by_number_or_for_the_latest() {
    for number in [ONE, TWO, THREE] {
        let world = asked();
        let code = world.code_for("ann", number, Purpose::Verify);
        let challenge = world.challenge_about("ann", number, Purpose::Verify).id;
        let latest = (number == THREE).then_some(Which::Latest);
        let ways = [Which::Challenge(challenge), of(number)];
        for which in ways.into_iter().chain(latest) {
            let mut world = world.clone();
            let reply = world.does(&own("ann"), "ann", confirm(which.clone(), &code));
            assert_eq!(reply.phone, Some(world.phone_of("ann", number).id));
            let proven = world.account("ann").phones.iter();
            let proven: Vec<_> = proven.filter(|phone| phone.verified()).collect();
            assert_eq!(proven, [world.phone_of("ann", number)]);
            assert_eq!(world.account("ann").challenges.len(), 2);
            // A code verifies once.
            let again = confirm(which.clone(), &code);
            let expected = match which {
                Which::Latest => CodeFailure::Wrong,
                _ => CodeFailure::Absent,
            };
            assert_eq!(world.misses("ann", again), expected);
        }
    }
}

#[test]
fn the_latest_is_the_one_that_was_asked_last_also_again() {
    let mut world = asked();
    for (action, number) in [
        (
            Action::Change(Change::Resend {
                which: Which::Next,
                delivery: Delivery::Send,
            }),
            ONE,
        ),
        (preverify(TWO), TWO),
        (add(ONE), ONE),
        (add(THREE), THREE),
    ] {
        world.does(&own("ann"), "ann", action);
        let code = world.code_for("ann", number, Purpose::Verify);
        let mut world = world.clone();
        let reply = world.does(&own("ann"), "ann", confirm(Which::Latest, &code));
        assert_eq!(reply.phone, Some(world.phone_of("ann", number).id));
    }
}

#[test]
fn the_latest_is_no_question_about_removal() {
    let mut world = asked();
    let phone = world.phone_of("ann", ONE).id;
    world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::RequestRemoval { phone }),
    );
    let code = world.code_for("ann", THREE, Purpose::Verify);
    world.does(&own("ann"), "ann", confirm(Which::Latest, &code));
    assert!(world.phone_of("ann", THREE).verified());
}

#[test]
fn where_nothing_was_asked_no_code_is_right() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    let nothing = Which::Challenge(world.name_of_nothing());
    for which in [nothing, of(ONE), of(TWO), Which::Latest] {
        let decision = world.act(&own("ann"), "ann", confirm(which, "123456"));
        let absent = CodeFailure::Absent;
        assert_eq!(decision.result, Err(Refusal::CodeRefused(absent)));
        assert_eq!(kinds(&decision), [EventKind::VerificationFailed(absent)]);
        world.pass(60);
    }
    let unreadable = Which::Number("+4179".into());
    let refusal = world.refuses(&own("ann"), "ann", confirm(unreadable, "123456"));
    assert_eq!(refusal, Refusal::NumberInvalid(NumberError::Length));
}

#[test]
fn a_number_that_was_added_for_later_has_no_code() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", add_by(ONE, None));
    assert_eq!(
        world.misses("ann", confirm(of(ONE), "123456")),
        CodeFailure::Absent
    );
}

#[test]
fn the_right_code_of_another_question_is_wrong() {
    let mut world = asked();
    let code = world.code_for("ann", TWO, Purpose::Verify);
    let one = world.challenge_about("ann", ONE, Purpose::Verify).id;
    for which in [Which::Challenge(one), of(ONE), of(THREE), Which::Latest] {
        let failure = world.misses("ann", confirm(which, &code));
        assert_eq!(failure, CodeFailure::Wrong);
    }
    let guesses = |number| {
        world
            .challenge_about("ann", number, Purpose::Verify)
            .guesses_left
    };
    assert_eq!((guesses(ONE), guesses(TWO), guesses(THREE)), (3, 5, 3));
}

#[test]
fn another_accounts_question_is_none_of_mine() {
    for action in [add(ONE), preverify(ONE), change(ONE)] {
        let mut world = World::unlimited();
        for user in ["ann", "bob"] {
            world.does(&own(user), user, action.clone());
        }
        let asked = world.challenge("bob").id;
        let code = world.code("bob");
        assert_ne!(code, world.code("ann"), "the example needs two codes");
        let failure = world.misses("ann", confirm(Which::Challenge(asked), &code));
        assert_eq!(failure, CodeFailure::Absent);
        for which in [of(ONE), Which::Latest] {
            let failure = world.misses("ann", confirm(which, &code));
            assert_eq!(failure, CodeFailure::Wrong);
        }
        let ann = world.account("ann").clone();
        world.proves("bob", ONE);
        assert_eq!(*world.account("ann"), ann);
        world.proves("ann", ONE);
        assert!(world.primary_is("bob", ONE) && world.primary_is("ann", ONE));
    }
}

/// The hole of a service that looked a pending number up by its value alone.
#[test]
fn two_accounts_that_wait_for_one_number_never_change_each_other() {
    let mut world = World::unlimited()
        .with_verified("ann", ONE)
        .with_verified("bob", TWO);
    for user in ["ann", "bob"] {
        world.does(&own(user), user, change(THREE));
    }
    let before = world.account("bob").clone();
    let phone = world.phone_of("bob", THREE).id;
    let refusal = world.refuses(
        &own("ann"),
        "ann",
        Action::Change(Change::RequestRemoval { phone }),
    );
    assert_eq!(refusal, Refusal::PhoneNotFound);
    let refusal = world.refuses(
        &own("ann"),
        "ann",
        Action::Change(Change::MakePrimary { phone }),
    );
    assert_eq!(refusal, Refusal::PhoneNotFound);
    let refusal = world.refuses(
        &service(),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Phone(phone),
        }),
    );
    assert_eq!(refusal, Refusal::PhoneNotFound);
    world.proves("ann", THREE);
    assert!(world.primary_is("ann", THREE));
    assert_eq!(*world.account("bob"), before);
    assert!(world.primary_is("bob", TWO));
}

#[test]
fn wrong_guesses_count_for_the_question_and_the_number_whichever_way() {
    let mut world = asked();
    let challenge = world.challenge_about("ann", TWO, Purpose::Verify).id;
    let mut code = world.code_for("ann", TWO, Purpose::Verify);
    world.does(&own("ann"), "ann", preverify(TWO));
    let right = code.clone();
    let last = if code.ends_with('2') { '3' } else { '2' };
    code.replace_range(5.., &last.to_string());
    let ways = [Which::Challenge(challenge), of(TWO), Which::Latest];
    for (count, which) in (1..).zip(ways.into_iter().cycle().take(5)) {
        let shapeless = confirm(which.clone(), "12345");
        let refusal = world.refuses(&own("ann"), "ann", shapeless);
        assert_eq!(refusal, Refusal::CodeRefused(CodeFailure::Shape));
        let failure = world.misses("ann", confirm(which, &code));
        assert_eq!(failure, CodeFailure::Wrong);
        let challenge = world.challenge_about("ann", TWO, Purpose::Verify);
        assert_eq!(u32::from(challenge.guesses_left), 5 - count);
        assert_eq!(world.failures("ann", TWO).count, count);
    }
    let failure = world.misses("ann", confirm(of(TWO), &right));
    assert_eq!(failure, CodeFailure::Spent);
    // The account's other numbers do not wait, and a success of one says nothing of another.
    world.proves("ann", ONE);
    assert_eq!(world.failures("ann", ONE).count, 0);
    assert_eq!(world.failures("ann", TWO).count, 5);
}

#[test]
fn a_code_is_dead_from_its_end_on_whichever_way() {
    let mut world = asked();
    let code = world.code_for("ann", THREE, Purpose::Verify);
    let challenge = world.challenge_about("ann", THREE, Purpose::Verify).clone();
    world.now = challenge.expires_at;
    for which in [Which::Challenge(challenge.id), of(THREE), Which::Latest] {
        let failure = world.misses("ann", confirm(which, &code));
        assert_eq!(failure, CodeFailure::Expired);
    }
    world.now = challenge.expires_at - MICROSECOND;
    world.does(&own("ann"), "ann", confirm(of(THREE), &code));
}

#[test]
fn a_proven_number_has_its_pause_behind_it() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", preverify(ONE));
    let phone = world.phone_of("ann", ONE).id;
    let removal = Action::Change(Change::RequestRemoval { phone });
    let refusal = world.refuses(&own("ann"), "ann", removal.clone());
    assert_eq!(refusal, limited(Limit::CoolDown, 60));
    world.proves("ann", ONE);
    world.does(&own("ann"), "ann", removal);
}
