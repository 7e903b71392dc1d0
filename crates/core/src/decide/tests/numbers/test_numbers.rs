//! Numbers for tests: a fixed code, no message, nothing counted, and an end.

use super::*;
use crate::number::{NumberError, NumberRules, Validation};
use crate::policy::{TestNumber, TestNumbers};

/// One that is of no kind that is served, and one that cannot exist.
const TESTS: [&str; 2] = ["+15005550006", "+41111111111"];
const CODE: &str = "123456";

fn world() -> World {
    let mut world = World::new();
    let until = world.now + Duration::from_secs(3_600);
    let shape = world.policy.codes.shape();
    let test = || TestNumber::new(CODE, shape, until).expect("a code");
    let lenient = NumberRules {
        validation: Validation::E164,
        ..NumberRules::default()
    };
    let number = |text: &&str| Number::parse(text, &lenient).expect("a number");
    let numbers = TESTS.iter().map(|text| (number(text), test()));
    world.policy.test_numbers = TestNumbers::new(numbers);
    world
}

#[test]
fn a_fixed_code_proves_a_number_that_no_message_goes_to() {
    for number in TESTS {
        let mut world = world();
        let mut sent = world.act(&own("ann"), "ann", set(number));
        assert!(sent.result.is_ok(), "{:?}", sent.result);
        // As often as one likes.
        for _ in 0..10 {
            assert_eq!(sent.messages, [], "{number}");
            assert!(
                world
                    .budgets
                    .values()
                    .all(|budget| *budget == Budget::default())
            );
            sent = world.act(&own("ann"), "ann", resend());
            assert!(sent.result.is_ok(), "{:?}", sent.result);
        }
        assert_eq!(world.account("ann").limits.sent, Default::default());
        assert_eq!(world.fails("ann", "654321"), CodeFailure::Wrong);
        world.does(&own("ann"), "ann", guess(CODE));
        assert!(world.primary("ann").verified());
        // Nor is it told that it was replaced.
        let replaced = world.act(&own("ann"), "ann", set(ONE));
        assert_eq!(replaced.messages.len(), 1);
        assert_eq!(replaced.messages[0].number.as_str(), ONE);
        assert_eq!(world.fails("ann", CODE), CodeFailure::Wrong, "only its own");
    }
}

#[test]
fn a_returned_code_is_the_fixed_one() {
    let mut world = world();
    world.does(&service(), "ann", register(None));
    let reply = world.does(&service(), "ann", set_by(TESTS[0], RETURN));
    assert_eq!(reply.code.expect("a code").reveal(), CODE);
    world.does(&own("ann"), "ann", guess(CODE));
}

#[test]
fn after_its_end_it_is_refused() {
    let mut world = world();
    world.does(&own("ann"), "ann", set(TESTS[0]));
    world.pass(3_599);
    world.does(&own("ann"), "ann", resend());
    world.pass(1);
    assert_eq!(world.fails("ann", CODE), CodeFailure::Expired);
    let over = Refusal::NumberInvalid(NumberError::TestOver);
    assert_eq!(world.refuses(&own("ann"), "ann", resend()), over);
    assert_eq!(world.refuses(&service(), "ann", resend_returned()), over);
    for number in TESTS {
        for verification in [SEND, RETURN, Verification::Trusted] {
            let refused = world.refuses(
                &service(),
                "bob",
                register(Some(phone(number, verification))),
            );
            assert_eq!(refused, over);
        }
    }
    // Whoever has it may let it go.
    world.does(
        &service(),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
}

#[test]
fn a_number_that_is_not_listed_is_none() {
    let mut world = World::new();
    let refusal = world.refuses(&own("ann"), "ann", set("+41111111111"));
    assert_eq!(refusal, Refusal::NumberInvalid(NumberError::Nonexistent));
    let shape = world.policy.codes.shape();
    for wrong in ["12345", "1234567", "abcdef", ""] {
        assert_eq!(TestNumber::new(wrong, shape, world.now), None, "{wrong:?}");
    }
    let test = TestNumber::new(CODE, shape, world.now).expect("a code");
    assert!(!format!("{test:?}").contains(CODE));
}
