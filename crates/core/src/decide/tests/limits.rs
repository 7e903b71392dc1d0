//! How much may be sent, set and guessed, to the microsecond.

use super::*;
use crate::limit::Window;

/// `ONE` with its last digits counted on.
fn number(n: usize) -> String {
    format!("+417912{n:05}")
}

fn user(n: usize) -> String {
    format!("user-{n}")
}

/// A user with an open challenge on `ONE`, and the code for it.
fn asked() -> (World, String) {
    let world = World::unlimited().with_code("ann", ONE);
    let code = world.code("ann");
    (world, code)
}

#[test]
fn waits_after_wrong_guesses_double_up_to_fifteen_minutes() {
    for (failures, seconds) in [(5, 1), (6, 2), (9, 16), (14, 512), (15, 900), (99, 900)] {
        for of_account in [true, false] {
            let (mut world, code) = asked();
            // The wait may be longer than a code lives, so the question comes late.
            let start = world.now;
            let counter = match of_account {
                true => &mut world.account_mut("ann").limits.failures,
                false => &mut world.budget(ONE).failures,
            };
            counter.count = failures;
            counter.last_at = start;
            let end = start + Duration::from_secs(seconds);
            world.account_mut("ann").challenges[0].expires_at = end + Duration::from_secs(1);
            world.now = end - MICROSECOND;
            assert_eq!(world.fails("ann", &code), CodeFailure::Locked, "{failures}");
            assert_eq!(world.challenge("ann").guesses_left, 5);
            world.now = end;
            world.does(&own("ann"), "ann", guess(&code));
        }
    }
}

#[test]
fn four_wrong_guesses_cost_no_waiting() {
    let (mut world, code) = asked();
    let wrong = world.wrong("ann");
    for _ in 0..4 {
        assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    }
    world.does(&own("ann"), "ann", guess(&code));
}

#[test]
fn a_hundred_wrong_guesses_lock_account_and_number() {
    for of_account in [true, false] {
        let (mut world, _) = asked();
        match of_account {
            true => world.account_mut("ann").limits.failures.count = 100,
            false => world.budget(ONE).failures.count = 100,
        }
        world.pass(365 * 86_400);
        world.does(&service(), "ann", resend_returned());
        let code = world.code("ann");
        assert_eq!(world.fails("ann", &code), CodeFailure::Locked);
    }
}

#[test]
fn a_waiting_guess_is_not_counted() {
    let (mut world, _) = asked();
    let wrong = world.wrong("ann");
    let (now, count) = (world.now, 7);
    let failures = &mut world.account_mut("ann").limits.failures;
    (failures.count, failures.last_at) = (count, now);
    assert_eq!(world.fails("ann", &wrong), CodeFailure::Locked);
    assert_eq!(world.account("ann").limits.failures.count, count);
    assert_eq!(world.challenge("ann").guesses_left, 5);
    assert_eq!(world.budget(ONE).failures.count, 0);
}

/// Five wrong guesses of ann at `ONE` in a world where a challenge has ten.
fn five_wrong() -> World {
    let mut world = World::unlimited();
    world.policy.codes.guesses = 10;
    let mut world = world.with_code("ann", ONE);
    let wrong = world.wrong("ann");
    for _ in 0..5 {
        assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    }
    world
}

/// The right code is not looked at now, and is in a second.
fn must_wait_a_second(mut world: World, user: &str) {
    let code = world.code(user);
    assert_eq!(world.fails(user, &code), CodeFailure::Locked);
    world.pass(1);
    world.does(&own(user), user, guess(&code));
}

#[test]
fn waits_survive_a_resend() {
    let mut world = five_wrong();
    world.does(&own("ann"), "ann", resend());
    must_wait_a_second(world, "ann");
}

#[test]
fn waits_survive_a_change_of_the_number() {
    let mut world = five_wrong();
    world.does(&own("ann"), "ann", set(TWO));
    must_wait_a_second(world, "ann");
}

#[test]
fn waits_survive_removal_of_the_number() {
    let mut world = five_wrong();
    world.does(&own("ann"), "ann", Action::RemovePhone);
    world.does(&own("ann"), "ann", set(ONE));
    must_wait_a_second(world, "ann");
}

#[test]
fn waits_for_a_number_hold_for_every_account_that_holds_it() {
    let world = five_wrong().with_code("bob", ONE);
    must_wait_a_second(world, "bob");
}

#[test]
fn waits_for_a_number_survive_deletion_of_the_account() {
    let mut world = five_wrong();
    world.does(&service(), "ann", Action::Delete);
    world.does(&own("ann"), "ann", set(ONE));
    must_wait_a_second(world, "ann");
}

#[test]
fn another_users_other_number_does_not_wait() {
    let mut world = five_wrong().with_code("bob", TWO);
    let code = world.code("bob");
    world.does(&own("bob"), "bob", guess(&code));
}

#[test]
fn a_success_resets_the_failures_of_account_and_number() {
    let mut world = five_wrong();
    let code = world.code("ann");
    world.pass(1);
    world.does(&own("ann"), "ann", guess(&code));
    assert_eq!(world.account("ann").limits.failures.count, 0);
    assert_eq!(world.budget(ONE).failures.count, 0);
}

#[test]
fn a_trusted_number_resets_no_failures() {
    let mut world = five_wrong();
    world.does(&service(), "ann", update_by(ONE, Verification::Trusted));
    assert_eq!(world.account("ann").limits.failures.count, 5);
    assert_eq!(world.budget(ONE).failures.count, 5);
}

#[test]
fn pauses_between_messages_to_a_number_grow() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    for pause in [60, 120, 240, 240] {
        let start = world.now;
        world.now = start + Duration::from_secs(pause) - MICROSECOND;
        let refusal = world.refuses(&own("ann"), "ann", resend());
        let too_soon = Refusal::Limited {
            limit: Limit::CoolDown,
            retry_after: MICROSECOND,
        };
        assert_eq!(refusal, too_soon);
        world.now = start + Duration::from_secs(pause);
        world.does(&own("ann"), "ann", resend());
    }
}

#[test]
fn a_pause_holds_for_set_update_register_and_every_account() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    world.does(&own("ann"), "ann", Action::RemovePhone);
    world.does(&service(), "bob", register(None));
    let paused = limited(Limit::CoolDown, 60);
    for (caller, account, action) in [
        (own("ann"), "ann", set(ONE)),
        (own("ann"), "ann", update_by(ONE, SEND)),
        (own("bob"), "bob", set(ONE)),
        (service(), "bob", set(ONE)),
        (own("new"), "new", set(ONE)),
        (own("new"), "new", update_by(ONE, SEND)),
        (service(), "new", register(Some(phone(ONE, SEND)))),
    ] {
        assert_eq!(world.refuses(&caller, account, action), paused);
    }
    assert!(!world.accounts.contains_key("new"));
}

#[test]
fn verify_then_remove_then_set_works_at_once() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
    world.does(&own("ann"), "ann", Action::RemovePhone);
    world.does(&own("ann"), "ann", set(ONE));
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::CoolDown, 60));
}

#[test]
fn the_default_windows_are_those_of_the_policy() {
    let limits = Policy::default().limits;
    let window = |count, seconds| Window { count, seconds };
    let for_number = [window(5, 600), window(10, 3_600), window(20, 86_400)];
    assert_eq!(limits.sends_per_number, for_number);
    let for_account = [window(5, 600), window(20, 86_400)];
    assert_eq!(limits.sends_per_account, for_account);
    assert_eq!(limits.sets_per_account, [window(25, 86_400)]);
}

/// Does `next` as often as a full window lets it, then finds it refused until one token is back.
fn exhausts(
    world: &mut World,
    window: Window,
    limit: Limit,
    next: impl Fn(usize) -> (Caller, String, Action),
) {
    let count = usize::try_from(window.count).unwrap();
    let (start, interval) = (world.now, window.seconds / u64::from(window.count));
    for n in 0..count {
        let (caller, account, action) = next(n);
        world.does(&caller, &account, action);
    }
    let (caller, account, action) = next(count);
    let refusal = world.refuses(&caller, &account, action.clone());
    assert_eq!(refusal, limited(limit, interval));
    world.now = start + Duration::from_secs(interval) - MICROSECOND;
    let refusal = world.refuses(&caller, &account, action.clone());
    let too_soon = Refusal::Limited {
        limit,
        retry_after: MICROSECOND,
    };
    assert_eq!(refusal, too_soon);
    world.now = start + Duration::from_secs(interval);
    world.does(&caller, &account, action);
}

#[test]
fn a_number_gets_no_more_messages_than_each_window_holds() {
    for window in Policy::default().limits.sends_per_number {
        let mut world = World::unlimited();
        world.policy.limits.sends_per_number = vec![window];
        exhausts(&mut world, window, Limit::NumberSends, |n| {
            (own(&user(n)), user(n), set(ONE))
        });
    }
}

#[test]
fn an_account_sends_no_more_messages_than_each_window_holds() {
    for window in Policy::default().limits.sends_per_account {
        let mut world = World::unlimited();
        world.policy.limits.sends_per_account = vec![window];
        exhausts(&mut world, window, Limit::AccountSends, |n| {
            (
                service(),
                "ann".into(),
                match n {
                    0 => register(Some(phone(&number(n), SEND))),
                    _ => set(&number(n)),
                },
            )
        });
    }
}

#[test]
fn a_user_sets_no_more_numbers_than_the_window_holds() {
    let window = Policy::default().limits.sets_per_account[0];
    let mut world = World::unlimited();
    world.policy.limits.sets_per_account = vec![window];
    exhausts(&mut world, window, Limit::AccountSets, |n| {
        (own("ann"), "ann".into(), set(&number(n)))
    });
}

#[test]
fn numbers_that_a_service_sets_are_not_counted_as_self_service() {
    let mut world = World::unlimited();
    world.policy.limits.sets_per_account = Policy::default().limits.sets_per_account;
    world.does(&service(), "ann", register(None));
    for n in 0..30 {
        world.does(&service(), "ann", set(&number(n)));
    }
    for n in 0..25 {
        world.does(&own("ann"), "ann", update_by(&number(100 + n), SEND));
    }
    let refusal = world.refuses(&own("ann"), "ann", update_by(ONE, SEND));
    assert_eq!(refusal, limited(Limit::AccountSets, 3_456));
    world.does(&service(), "ann", set(ONE));
}

#[test]
fn a_resend_sets_no_number() {
    let mut world = World::unlimited();
    world.policy.limits.sets_per_account = vec![Window {
        count: 1,
        seconds: 86_400,
    }];
    world.does(&own("ann"), "ann", set(ONE));
    world.does(&own("ann"), "ann", resend());
    let refusal = world.refuses(&own("ann"), "ann", set(TWO));
    assert_eq!(refusal, limited(Limit::AccountSets, 86_400));
}

#[test]
fn a_resend_is_a_send_of_the_account() {
    let mut world = World::new();
    for n in 0..5 {
        world.does(&own("ann"), "ann", set(&number(n)));
    }
    // The number's own pause is over, the account's window is not.
    world.pass(60);
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::AccountSends, 60));
}

#[test]
fn returned_codes_and_trusted_numbers_spend_nothing() {
    let mut world = World::new();
    world.does(&service(), "ann", register(None));
    for n in 0..30 {
        world.does(&service(), "ann", set_by(&number(n), RETURN));
        world.does(&service(), "ann", resend_returned());
        world.does(&service(), "ann", set_by(ONE, Verification::Trusted));
    }
    assert_eq!(world.budgets, Budgets::new());
    assert_eq!(world.account("ann").limits, Default::default());
}

#[test]
fn a_returned_code_is_given_during_a_pause() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    let code = world.does(&service(), "ann", resend_returned()).code;
    assert!(code.is_some());
}

#[test]
fn of_several_limits_the_one_that_lasts_longest_is_told() {
    // Five messages to one number: its pause is a minute, its window two.
    let mut world = World::new();
    for n in 0..5 {
        let user = user(n);
        world.does(&own(&user), &user, set(ONE));
        let code = world.code(&user);
        if n < 4 {
            world.does(&own(&user), &user, guess(&code));
        }
    }
    let refusal = world.refuses(&own("user-4"), "user-4", resend());
    assert_eq!(refusal, limited(Limit::NumberSends, 120));
    world.pass(120);
    world.does(&own("user-4"), "user-4", resend());
}

#[test]
fn a_spent_challenge_waits_for_the_pause_as_well() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    for pause in [60, 120, 240] {
        world.pass(pause);
        world.does(&own("ann"), "ann", resend());
    }
    // 420 s on, a pause of 240 s begins, and the challenge has 180 s left.
    world.account_mut("ann").challenges[0].guesses_left = 0;
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::CoolDown, 240));
    let refusal = world.refuses(&service(), "ann", resend_returned());
    assert_eq!(refusal, limited(Limit::Guesses, 180));
}

#[test]
fn no_refusal_for_a_limit_registers_anyone() {
    let mut world = World::new();
    for n in 0..5 {
        let user = user(n);
        world.does(&own(&user), &user, set(ONE));
        let code = world.code(&user);
        world.does(&own(&user), &user, guess(&code));
    }
    let spent = limited(Limit::NumberSends, 120);
    for (caller, action) in [
        (own("new"), set(ONE)),
        (own("new"), update_by(ONE, SEND)),
        (service(), register(Some(phone(ONE, SEND)))),
    ] {
        assert_eq!(world.refuses(&caller, "new", action), spent);
    }
    assert!(!world.accounts.contains_key("new"));
}
