//! Days of attacks on one number, under the default rules: its owner is served all the time, and what the
//! attackers may guess stays within its bound.

mod world;

use std::time::Duration;

use ringback_core::{Action, Change, Guess, Policy, Refusal, Time};

use world::{Attack, START, World, guess, set};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const HOURS: u32 = 96;

fn hour(n: u32) -> Time {
    START + HOUR * n
}

/// The owner of the verified number has a code sent, mistypes it once, and is believed.
fn owner_is_served(mut world: World) {
    let phone = world.accounts["ann"].primary.expect("holds the number");
    let asked = world
        .own("ann", Action::Change(Change::RequestRemoval { phone }))
        .result;
    let challenge = asked.expect("must be sent").challenge.expect("was asked");
    for code in [world.wrong("ann"), world.code("ann")] {
        let right = code == world.code("ann");
        let action = Action::Change(Change::ConfirmRemoval {
            phone,
            challenge,
            guess: Guess(code),
        });
        assert_eq!(world.own("ann", action).result.is_ok(), right);
    }
}

/// Somebody who does not hold the number yet sets it and proves it.
fn newcomer_is_served(mut world: World) {
    world.own("ann", set()).result.expect("must be sent");
    let code = world.code("ann");
    world.own("ann", guess(code)).result.expect("must verify");
}

#[test]
fn who_holds_the_number_verified_is_served_in_every_hour_of_four_days() {
    for tokens in [1, 50] {
        let mut world = World::new().with_owner("ann");
        let mut attack = Attack::by(tokens);
        for n in 0..HOURS {
            attack.until(&mut world, hour(n) + Duration::from_secs(1));
            owner_is_served(world.clone());
            // Also in the moment after the attackers took what they could.
            attack.until(&mut world, hour(n) + Duration::from_secs(u64::from(n) * 37));
            owner_is_served(world.clone());
        }
        assert!(attack.sent.len() > 30, "{tokens}: {}", attack.sent.len());
    }
}

#[test]
fn who_holds_the_number_is_served_again_and_again() {
    let mut world = World::new().with_owner("ann");
    let mut attack = Attack::by(50);
    // Five codes a day are kept, whatever the others do.
    for n in (0..HOURS).step_by(5) {
        attack.until(&mut world, hour(n) + Duration::from_secs(1));
        let phone = world.accounts["ann"].primary.expect("holds the number");
        let asked = world.own("ann", Action::Change(Change::RequestRemoval { phone }));
        assert!(asked.result.is_ok(), "hour {n}: {:?}", asked.result);
    }
}

#[test]
fn who_does_not_hold_the_number_yet_is_served_in_every_hour_beside_one_token() {
    let mut world = World::new();
    let mut attack = Attack::by(1);
    for n in 0..HOURS {
        attack.until(&mut world, hour(n) + Duration::from_secs(u64::from(n) * 37));
        newcomer_is_served(world.clone());
    }
    assert!(attack.sent.len() >= 40, "{}", attack.sent.len());
}

/// The most that any stretch of a length holds.
fn most(times: &[Time], span: Duration) -> usize {
    let stretches = times.iter().map(|first| {
        let stretch = times
            .iter()
            .filter(|time| (*first..*first + span).contains(time));
        stretch.count()
    });
    stretches.max().unwrap_or(0)
}

/// A code is one of a million, so a guess finds it with a chance of one in a million.
const BOUND: usize = 100;

#[test]
fn the_chance_to_guess_a_code_stays_within_a_hundred_in_a_million_a_day() {
    let policy = Policy::default();
    assert_eq!((policy.codes.length, policy.codes.guesses), (6, 5));
    // Computed: of the windows of a number a quarter is not for strangers; a code may be guessed ten minutes
    // after it was sent, so those of a shortest window before the day count as well.
    let left = |count: u32| (count - count / 4) as usize;
    let windows = &policy.limits.sends_per_number;
    let (shortest, day) = (windows[0], windows[2]);
    assert_eq!((shortest.seconds, day.seconds), (600, 86_400));
    assert!(policy.codes.validity_seconds <= shortest.seconds);
    let codes = left(day.count) + left(shortest.count);
    assert!(codes * usize::from(policy.codes.guesses) <= BOUND);
    // Whoever holds it may use the whole.
    assert!(day.count as usize * usize::from(policy.codes.guesses) <= BOUND);
    // Simulated.
    for tokens in [1, 2, 7, 50, 500] {
        let mut world = World::new();
        let mut attack = Attack::by(tokens);
        attack.until(&mut world, START + DAY * 4);
        let guesses = most(&attack.guessed, DAY);
        assert!(
            guesses <= BOUND,
            "{tokens} tokens: {guesses} guesses in a day"
        );
        // One token alone is slowed down by its own failures.
        let least = if tokens < 7 { 20 } else { 50 };
        assert!(
            guesses >= least,
            "{tokens} tokens: {guesses} guesses are no attack"
        );
        for window in windows {
            let sent = most(&attack.sent, Duration::from_secs(window.seconds));
            assert!(
                sent <= left(window.count),
                "{tokens} tokens: {sent} in {window:?}"
            );
        }
    }
}

#[test]
fn a_hundred_failures_in_a_row_lock_the_account_that_had_them_and_no_other() {
    let mut world = World::new().with_owner("ann");
    let mut attack = Attack::by(1);
    attack.until(&mut world, START + DAY * 30);
    assert_eq!(attack.guessed.len(), 100);
    owner_is_served(world);
}

#[test]
fn refused_guesses_of_an_account_make_one_event_a_minute() {
    let mut world = World::new();
    world.own("eve", set()).result.expect("must be sent");
    let wrong = world.wrong("eve");
    let (mut events, mut told, mut refused) = (0_usize, 0_u64, 0_u64);
    for _ in 0..3_600 {
        let decision = world.own("eve", guess(wrong.clone()));
        let counted = match decision.result {
            Err(Refusal::CodeRefused(failure)) => failure.code() != "wrong",
            Err(Refusal::Limited { .. }) => true,
            other => panic!("{other:?}"),
        };
        refused += u64::from(counted);
        for event in decision.events.iter().filter(|_| counted) {
            events += 1;
            told += u64::from(event.count);
        }
        world.now = world.now + Duration::from_secs(1);
    }
    assert_eq!(refused, 3_595);
    assert_eq!(events, 60);
    assert!(told > refused - 60 && told <= refused, "{told}");
    // In an attack as well.
    let mut attack = Attack::by(50);
    attack.until(&mut world, START + DAY);
    for times in attack.refused.values() {
        assert!(most(times, Duration::from_secs(60)) <= 1);
    }
}
