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
fn waits_after_wrong_guesses_double_up_to_the_end_of_the_code() {
    // A code has 600 s: as long is the longest wait.
    for (failures, seconds) in [(4, 1), (5, 2), (8, 16), (13, 512), (14, 600), (98, 600)] {
        let (mut world, _) = asked();
        world.failed("ann", ONE, failures);
        let wrong = world.wrong("ann");
        assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
        let end = world.now + Duration::from_secs(seconds);
        // The right code waits like any other, and a code that follows.
        world.pass(1);
        world.does(&service(), "ann", resend_returned());
        let code = world.code("ann");
        if seconds > 1 {
            world.waits("ann", guess(&code), seconds - 1);
            assert_eq!(world.challenge("ann").guesses_left, 4);
        }
        world.account_mut("ann").challenges[0].expires_at = end + Duration::from_secs(1);
        world.now = end;
        world.does(&own("ann"), "ann", guess(&code));
        assert_eq!(world.failures("ann", ONE).count, 0);
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
fn a_hundred_wrong_guesses_lock_until_an_operator_unlocks() {
    let (mut world, _) = asked();
    world.failed("ann", ONE, 99);
    let wrong = world.wrong("ann");
    assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    world.pass(365 * 86_400);
    world.does(&service(), "ann", resend_returned());
    let code = world.code("ann");
    assert_eq!(world.fails("ann", &code), CodeFailure::Locked);
    let refusal = world.refuses(&own("ann"), "ann", Action::Change(Change::Unlock));
    assert_eq!(refusal, Refusal::PermissionDenied);
    let decision = world.act(&service(), "ann", Action::Change(Change::Unlock));
    assert_eq!(kinds(&decision), [EventKind::Unlocked]);
    world.does(&own("ann"), "ann", guess(&code));
}

#[test]
fn the_guess_that_locks_is_on_record_as_that_and_no_other_is() {
    let wrong_code = EventKind::VerificationFailed(CodeFailure::Wrong);
    // Of one number the hundredth in a row.
    for (failures, locks) in [(97, false), (98, false), (99, true)] {
        let (mut world, _) = asked();
        world.failed("ann", ONE, failures);
        let wrong = world.wrong("ann");
        let decision = world.act(&own("ann"), "ann", guess(&wrong));
        let mut expected = vec![wrong_code];
        expected.extend(locks.then_some(EventKind::Locked));
        assert_eq!(kinds(&decision), expected, "after {failures}");
    }
    // The first of the hundredth number.
    for (numbers, locks) in [(98, false), (99, true)] {
        let (mut world, _) = asked();
        for n in 0..numbers {
            world.failed("ann", &number(1_000 + n), 1);
        }
        let wrong = world.wrong("ann");
        let decision = world.act(&own("ann"), "ann", guess(&wrong));
        assert_eq!(
            kinds(&decision).contains(&EventKind::Locked),
            locks,
            "{numbers}"
        );
        let decision = world.act(&own("ann"), "ann", guess(&wrong));
        assert_eq!(kinds(&decision), [wrong_code]);
    }
}

#[test]
fn an_unlocked_account_waits_for_nothing() {
    let mut world = five_wrong();
    world.policy.limits.cool_down_seconds = vec![60];
    world.does(&own("ann"), "ann", resend());
    world.does(&service(), "ann", Action::Change(Change::Unlock));
    assert_eq!(world.account("ann").limits.numbers.len(), 0);
    world.does(&own("ann"), "ann", resend());
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
    let refusal = world.refuses(&service(), "new", Action::Change(Change::Unlock));
    assert_eq!(refusal, Refusal::AccountNotFound);
}

#[test]
fn a_spent_code_is_told_as_a_wait_and_ends_with_an_unlock() {
    let (mut world, _) = asked();
    let wrong = world.wrong("ann");
    for _ in 0..5 {
        assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    }
    let waits = |world: &World| {
        let (policy, keys) = (&world.policy, &world.keys);
        let account = world.account("ann");
        let proof = account.proof(&own("ann"), policy, keys, world.now);
        proof.expect("may know").resend_after
    };
    let left = waits(&world);
    assert!(!left.is_zero());
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::Guesses, left.as_secs()));
    world.does(&service(), "ann", Action::Change(Change::Unlock));
    assert_eq!(waits(&world), Duration::ZERO);
    world.does(&own("ann"), "ann", resend());
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
}

#[test]
fn a_waiting_guess_is_not_counted() {
    let mut world = five_wrong();
    let wrong = world.wrong("ann");
    let before = world.failures("ann", ONE).clone();
    world.waits("ann", guess(&wrong), 1);
    assert_eq!(*world.failures("ann", ONE), before);
    assert_eq!(world.challenge("ann").guesses_left, 5);
}

#[test]
fn a_spent_challenge_is_told_before_a_wait() {
    let (mut world, code) = asked();
    let wrong = world.wrong("ann");
    for _ in 0..5 {
        assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    }
    assert_eq!(world.fails("ann", &code), CodeFailure::Spent);
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
    world.waits(user, guess(&code), 1);
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
fn waits_survive_removal_of_the_number() {
    let mut world = five_wrong();
    world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    world.does(&own("ann"), "ann", set(ONE));
    must_wait_a_second(world, "ann");
}

#[test]
fn another_number_of_the_account_does_not_wait() {
    let mut world = five_wrong();
    world.does(&own("ann"), "ann", set(TWO));
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
    assert_eq!(world.failures("ann", ONE).count, 5);
}

#[test]
fn another_account_with_the_number_does_not_wait() {
    let mut world = five_wrong();
    world.failed("ann", ONE, 100);
    let mut world = world.with_code("bob", ONE);
    let code = world.code("bob");
    world.does(&own("bob"), "bob", guess(&code));
}

#[test]
fn a_success_resets_the_failures_of_the_account_for_the_number() {
    let mut world = five_wrong();
    let code = world.code("ann");
    world.pass(1);
    world.does(&own("ann"), "ann", guess(&code));
    assert_eq!(world.account("ann").limits.numbers.len(), 0);
}

#[test]
fn a_trusted_number_resets_no_failures() {
    let mut world = five_wrong();
    world.does(&service(), "ann", update_by(ONE, Verification::Trusted));
    assert_eq!(world.failures("ann", ONE).count, 5);
}

#[test]
fn pauses_between_messages_to_a_number_grow() {
    let mut world = World::new();
    world.policy.limits.sends_per_number = Vec::new();
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
fn a_pause_is_one_account_s_own() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    let paused = limited(Limit::CoolDown, 60);
    for action in [set(ONE), update_by(ONE, SEND)] {
        assert_eq!(world.refuses(&own("ann"), "ann", action.clone()), paused);
        assert_eq!(world.refuses(&service(), "ann", action), paused);
    }
    world.does(&own("bob"), "bob", set(ONE));
}

#[test]
fn verify_then_remove_then_set_works_at_once() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
    world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    world.does(&own("ann"), "ann", set(ONE));
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::CoolDown, 60));
}

#[test]
fn the_defaults_are_those_of_the_policy() {
    let limits = Policy::default().limits;
    let window = |count, seconds| Window { count, seconds };
    let for_number = [window(5, 600), window(10, 3_600), window(20, 86_400)];
    assert_eq!(limits.sends_per_number, for_number);
    let shares = (limits.account_share_percent, limits.owner_share_percent);
    assert_eq!(shares, (50, 25));
    let for_account = [window(5, 600), window(20, 86_400)];
    assert_eq!(limits.sends_per_account, for_account);
    assert_eq!(limits.sets_per_account, [window(25, 86_400)]);
    assert_eq!(limits.changes_per_account, [window(120, 3_600)]);
    assert_eq!(limits.cool_down_seconds, [60, 120, 240]);
    assert_eq!((limits.free_failures, limits.lock_at_failures), (5, 100));
    assert_eq!(limits.refused_event_seconds, 60);
}

/// Does `next` as often as it may be done in a window, then finds it refused until the first time is a
/// window's length ago.
fn exhausts(
    world: &mut World,
    (count, seconds): (u32, u64),
    limit: Limit,
    next: impl Fn(usize) -> (Caller, String, Action),
) {
    let count = usize::try_from(count).unwrap();
    let start = world.now;
    for n in 0..count {
        let (caller, account, action) = next(n);
        world.does(&caller, &account, action);
    }
    let (caller, account, action) = next(count);
    let refusal = world.refuses(&caller, &account, action.clone());
    assert_eq!(refusal, limited(limit, seconds));
    world.now = start + Duration::from_secs(seconds) - MICROSECOND;
    let refusal = world.refuses(&caller, &account, action.clone());
    let too_soon = Refusal::Limited {
        limit,
        retry_after: MICROSECOND,
    };
    assert_eq!(refusal, too_soon);
    world.now = start + Duration::from_secs(seconds);
    world.does(&caller, &account, action);
}

#[test]
fn a_number_gets_no_more_messages_than_each_window_holds() {
    for (window, kept) in Policy::default()
        .limits
        .sends_per_number
        .into_iter()
        .zip([1, 2, 5])
    {
        let mut world = World::unlimited();
        world.policy.limits.sends_per_number = vec![window];
        let left = (window.count - kept, window.seconds);
        exhausts(&mut world, left, Limit::Others, |n| {
            (own(&user(n)), user(n), set(ONE))
        });
    }
}

#[test]
fn what_is_kept_is_for_accounts_that_hold_the_number_verified() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    let window = Policy::default().limits.sends_per_number[0];
    world.policy.limits.sends_per_number = vec![window];
    for n in 0..4 {
        world.does(&own(&user(n)), &user(n), set(ONE));
    }
    let refusal = world.refuses(&own("bob"), "bob", set(ONE));
    assert_eq!(refusal, limited(Limit::Others, 600));
    let removal = Action::Change(Change::RequestRemoval {
        phone: world.primary("ann").id,
    });
    world.does(&own("ann"), "ann", removal.clone());
    // All five are used now.
    let refusal = world.refuses(&own("ann"), "ann", removal);
    assert_eq!(refusal, limited(Limit::Others, 600));
}

#[test]
fn one_account_uses_half_of_a_number_s_windows() {
    for (window, share) in Policy::default()
        .limits
        .sends_per_number
        .into_iter()
        .zip([3, 5, 10])
    {
        let mut world = World::unlimited();
        world.policy.limits.sends_per_number = vec![window];
        world.does(&service(), "ann", register(Some(phone(ONE, RETURN))));
        let share = (share, window.seconds);
        exhausts(&mut world, share, Limit::NumberSends, |_| {
            (own("ann"), "ann".into(), resend())
        });
        world.does(&own("bob"), "bob", set(ONE));
    }
}

#[test]
fn an_account_sends_no_more_messages_than_each_window_holds() {
    for window in Policy::default().limits.sends_per_account {
        let mut world = World::unlimited();
        world.policy.limits.sends_per_account = vec![window];
        let whole = (window.count, window.seconds);
        exhausts(&mut world, whole, Limit::AccountSends, |n| {
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
    let whole = (window.count, window.seconds);
    exhausts(&mut world, whole, Limit::AccountSets, |n| {
        (own("ann"), "ann".into(), set(&number(n)))
    });
}

#[test]
fn a_user_makes_no_more_changes_of_any_kind_than_the_window_holds() {
    let window = Policy::default().limits.changes_per_account[0];
    let mut world = World::unlimited().with_verified("ann", ONE);
    world.policy.limits.changes_per_account = vec![window];
    let whole = (window.count, window.seconds);
    let next = |n: usize| match n % 3 {
        0 => update(PhoneChange::Remove),
        1 => set(&number(n)),
        _ => resend(),
    };
    exhausts(&mut world, whole, Limit::AccountChanges, |n| {
        (own("ann"), "ann".into(), next(n))
    });
    // A service is not counted, and what changes nothing is not either.
    world.pass(3_600);
    for n in 0..130 {
        world.does(&service(), "ann", set(&number(n)));
        let keep = update(PhoneChange::Keep);
        world.does(&own("ann"), "ann", keep);
    }
    world.does(&own("ann"), "ann", set(ONE));
}

#[test]
fn a_user_who_made_too_many_changes_learns_nothing_of_a_code() {
    let mut world = World::unlimited().with_code("ann", ONE);
    world.policy.limits.changes_per_account = vec![Window {
        count: 1,
        seconds: 60,
    }];
    world.does(&own("ann"), "ann", resend());
    let (code, wrong) = (world.code("ann"), world.wrong("ann"));
    for typed in [wrong, code] {
        let refusal = world.refuses(&own("ann"), "ann", guess(&typed));
        assert_eq!(refusal, limited(Limit::AccountChanges, 60));
    }
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
    assert_eq!(refusal, limited(Limit::AccountSets, 86_400));
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
    assert_eq!(refusal, limited(Limit::AccountSends, 540));
}

#[test]
fn returned_codes_and_trusted_numbers_spend_nothing() {
    let mut world = World::new();
    world.policy.notify.old_number = false;
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
    // Four messages to one number: its pause is a minute, the room that is left to those who do not hold it
    // is full for ten.
    let mut world = World::new();
    for n in 0..4 {
        let user = user(n);
        world.does(&own(&user), &user, set(ONE));
    }
    let refusal = world.refuses(&own("user-3"), "user-3", resend());
    assert_eq!(refusal, limited(Limit::Others, 600));
    world.pass(600);
    world.does(&own("user-3"), "user-3", resend());
}

#[test]
fn a_spent_challenge_waits_for_the_pause_as_well() {
    let mut world = World::new();
    world.policy.limits.sends_per_number = Vec::new();
    world.does(&own("ann"), "ann", set(ONE));
    for pause in [60, 120, 240] {
        world.pass(pause);
        world.does(&own("ann"), "ann", resend());
    }
    // 420 s on, a pause of 240 s begins, and the challenge has 180 s left.
    world.account_mut("ann").challenges[0].guesses_left = 0;
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::CoolDown, 240));
    world.does(&service(), "ann", resend_returned());
}

#[test]
fn no_refusal_for_a_limit_registers_anyone() {
    let mut world = World::new();
    for n in 0..4 {
        let user = user(n);
        world.does(&own(&user), &user, set(ONE));
        let code = world.code(&user);
        world.does(&own(&user), &user, guess(&code));
    }
    let spent = limited(Limit::Others, 600);
    for (caller, action) in [
        (own("new"), set(ONE)),
        (own("new"), update_by(ONE, SEND)),
        (service(), register(Some(phone(ONE, SEND)))),
    ] {
        assert_eq!(world.refuses(&caller, "new", action), spent);
    }
    assert!(!world.accounts.contains_key("new"));
}

#[test]
fn whoever_guessed_wrong_for_a_hundred_numbers_guesses_for_no_other_until_unlocked() {
    let mut world = World::unlimited().with_code("ann", ONE);
    let (code, wrong) = (world.code("ann"), world.wrong("ann"));
    let other = |n: u32| format!("+4179{:07}", 2_000_000 + n);
    for n in 0..99 {
        world.failed("ann", &other(n), 1);
    }
    // The hundredth, which may be guessed for again.
    assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    assert_eq!(world.fails("ann", &wrong), CodeFailure::Wrong);
    world.failed("ann", ONE, 0);
    world.failed("ann", &other(99), 1);
    assert_eq!(world.fails("ann", &code), CodeFailure::Locked);
    for n in 0..100 {
        assert_eq!(
            world.failures("ann", &other(n)).count,
            1,
            "none is forgotten"
        );
    }
    world.does(&service(), "ann", Action::Change(Change::Unlock));
    world.does(&own("ann"), "ann", guess(&code));
}
