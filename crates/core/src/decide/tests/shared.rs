//! What users share: the budgets of their address and of their organisation.

use super::*;

const OTHER_COUNTRY: &str = "+4915112345678";

/// Under these rules alone.
fn world(change: impl FnOnce(&mut Policy)) -> World {
    let mut world = World::unlimited();
    world.policy.limits.sends_per_address = Vec::new();
    world.policy.limits.verifications_per_address = Vec::new();
    change(&mut world.policy);
    world
}

fn counting_addresses() -> World {
    world(|policy| {
        policy.limits = LimitRules {
            sends_per_address: LimitRules::default().sends_per_address,
            verifications_per_address: LimitRules::default().verifications_per_address,
            ..policy.limits.clone()
        };
    })
}

fn at(user: &str, address: &str) -> Caller {
    Caller {
        address: Some(address.parse().expect("is an address")),
        ..own(user)
    }
}

fn user(n: u32) -> String {
    format!("user {n}")
}

fn number(n: u32) -> String {
    format!("+4179{:07}", 1_000_000 + n)
}

#[test]
fn one_address_has_ten_codes_sent_in_an_hour() {
    let mut world = counting_addresses();
    for n in 0..10 {
        // A /64 is one address.
        let caller = at(&user(n), &format!("2001:db8::{n}"));
        world.does(&caller, &user(n), set(&number(n)));
        world.pass(60);
    }
    let late = at("ann", "2001:db8::ffff:1:1");
    let refusal = world.refuses(&late, "ann", set(ONE));
    assert_eq!(refusal, limited(Limit::AddressSends, 3_000));
    let elsewhere = at("ann", "2001:db8:0:1::1");
    world.clone().does(&elsewhere, "ann", set(ONE));
    world.clone().does(&own("ann"), "ann", set(ONE));
    world.pass(3_000);
    world.does(&late, "ann", set(ONE));
}

#[test]
fn services_and_those_they_speak_for_are_not_counted() {
    let mut world = counting_addresses();
    let service = Caller {
        address: Some([192, 0, 2, 1].into()),
        ..service()
    };
    let spoken_for = |id: &str| Caller {
        spoken_for: true,
        ..at(id, "192.0.2.1")
    };
    for n in 0..40 {
        let who = user(n);
        match n % 2 {
            0 => world.does(&service, &who, register(Some(phone(&number(n), SEND)))),
            _ => world.does(&spoken_for(&who), &who, set(&number(n))),
        };
    }
    let before = world.budgets.len();
    world.does(&at("ann", "192.0.2.1"), "ann", set(ONE));
    // Of the number and of the address; without limits a number's says nothing.
    assert_eq!(world.budgets.len(), before + 1);
}

#[test]
fn one_address_tries_sixty_codes_in_an_hour() {
    let mut world = counting_addresses();
    let try_wrong = |world: &mut World, who: &str| {
        let wrong = world.wrong(who);
        world.act(&at(who, "192.0.2.1"), who, guess(&wrong)).result
    };
    for n in 0..12 {
        world = world.with_code(&user(n), &number(n));
        for _ in 0..5 {
            let refused = try_wrong(&mut world, &user(n));
            assert_eq!(refused, Err(Refusal::CodeRefused(CodeFailure::Wrong)));
        }
    }
    world = world.with_code("ann", ONE);
    let right = world.code("ann");
    let refusal = world.refuses(&at("ann", "192.0.2.1"), "ann", guess(&right));
    assert_eq!(refusal, limited(Limit::AddressVerifications, 3_600));
    // The longer of two waits is told.
    world.policy.codes.validity_seconds = 86_400;
    world = world.with_code("bob", TWO);
    let until = world.now + Duration::from_secs(4_000);
    world.failures("bob", TWO).wait_until = until;
    let decision = world.act(&at("bob", "192.0.2.1"), "bob", guess("123456"));
    assert_eq!(decision.result, Err(limited(Limit::WrongCodes, 4_000)));
    // And is on record like any wait for wrong codes.
    let waiting = EventKind::VerificationFailed(CodeFailure::Waiting);
    assert_eq!(kinds(&decision), [waiting]);
    world.pass(3_600);
    world.does(&service(), "ann", resend_returned());
    let right = world.code("ann");
    world.does(&at("ann", "192.0.2.1"), "ann", guess(&right));
}

#[test]
fn an_organization_sends_so_many_messages_a_day_and_to_each_country() {
    let mut world = world(|policy| {
        policy.limits.sends_per_organization_per_day = 6;
        policy.limits.sends_per_country_per_day =
            [("de".to_owned(), 2), ("default".to_owned(), 5)].into();
    });
    for n in 0..2 {
        world.does(&own(&user(n)), &user(n), set(OTHER_COUNTRY));
    }
    let refusal = world.refuses(&own("ann"), "ann", set(OTHER_COUNTRY));
    let Refusal::Limited { limit, retry_after } = refusal else {
        panic!("{refusal:?}")
    };
    assert_eq!(limit, Limit::CountrySends);
    for n in 2..6 {
        // A service's are the organisation's, too.
        let register = register(Some(phone(&number(n), SEND)));
        world.does(&service(), &user(n), register);
    }
    let refusal = world.refuses(&own("ann"), "ann", set(ONE));
    assert!(matches!(
        refusal,
        Refusal::Limited {
            limit: Limit::OrganizationSends,
            ..
        }
    ));
    // Returned codes are no messages.
    world.does(&service(), "zoe", register(Some(phone(ONE, RETURN))));
    let elsewhere = elsewhere(own("ann"));
    world.does(&elsewhere, "ann", set(OTHER_COUNTRY));
    world.now = world.now + retry_after;
    world.does(&own("ann"), "ann", set(OTHER_COUNTRY));
}

#[test]
fn a_notice_counts_and_leaves_room_for_the_code_that_follows_it() {
    for (most, told) in [(3, 2), (2, 2), (1, 1)] {
        let mut world = world(|policy| policy.limits.sends_per_organization_per_day = most)
            .with_verified("ann", ONE);
        let messages = world.act(&own("ann"), "ann", set(TWO)).messages;
        assert_eq!(messages.len(), told, "{most}");
        let second = world.act(&own("bob"), "bob", set(ONE)).result.is_ok();
        assert_eq!(second, most == 3, "{most}");
    }
}

#[test]
fn who_has_no_such_limits_has_no_such_budgets() {
    let world = World::new();
    let command = Command {
        caller: at("ann", "192.0.2.1"),
        account: "ann".into(),
        action: set(ONE),
    };
    let names = |policy: &Policy| {
        let none = std::iter::empty();
        command.budgets("acme", none, policy, &world.keys).len()
    };
    assert_eq!(names(&world.policy), 2);
    let mut none = world.policy.clone();
    none.limits.sends_per_address = Vec::new();
    assert_eq!(names(&none), 1);
}
