//! The guard as decisions ask it: where a code would be sent, whoever asks for it.

use super::*;
use crate::event::{EventDetail, GuardRecord};
use crate::guard::{Heard, Mode, Observation, Place, Reason};
use crate::number::NumberKind;

/// Numbers that are denied: those of Liechtenstein.
const DENIED: &str = "+423660123456";

fn enforcing() -> World {
    let mut world = World::unlimited();
    world.policy.guard.mode = Mode::Enforce;
    world.policy.guard.deny_countries = ["LI".to_owned()].into();
    world
}

fn number(nth: u32) -> String {
    format!("+4179{:07}", 1_230_000 + nth)
}

/// Every way to have a code sent to a number.
fn ways(number: &str) -> Vec<(Caller, Action)> {
    let texts = || number.into();
    let changes = |caller: &Caller| {
        [
            set(number),
            Change::Add {
                number: texts(),
                verification: Some(SEND),
            }
            .into(),
            Change::Preverify { number: texts() }.into(),
            Change::Replace { number: texts() }.into(),
        ]
        .map(|action| (caller.clone(), action))
    };
    [changes(&own("ann")), changes(&service())].concat()
}

#[test]
fn where_the_guard_lets_no_codes_go_none_goes_whoever_asks() {
    for (caller, action) in ways(DENIED) {
        let mut world = enforcing();
        world.does(&own("ann"), "ann", set(ONE));
        let before = (world.accounts.clone(), world.budgets.clone());
        let decision = world.act(&caller, "ann", action);
        assert_eq!(decision.result, Err(Refusal::Guarded(Reason::Country)));
        assert_eq!(before, (world.accounts.clone(), world.budgets.clone()));
        let [event] = &decision.events[..] else {
            panic!("{:?}", decision.events);
        };
        assert_eq!((event.kind, event.sequence), (EventKind::GuardRefused, 0));
        let detail = event.detail.clone().expect("says why");
        assert_eq!(detail.country.as_deref(), Some("LI"));
        assert_eq!(detail.guard.reasons, ["country"]);
        assert!(matches!(decision.heard, Some(Heard::Refused { .. })));
        assert_eq!(decision.messages, []);
    }
    // Nobody comes into being for it.
    let mut world = enforcing();
    let decision = world.act(&own("ann"), "ann", set(DENIED));
    assert_eq!(decision.result, Err(Refusal::Guarded(Reason::Country)));
    assert_eq!((decision.events.len(), world.accounts.len()), (1, 0));
}

#[test]
fn codes_that_are_not_sent_are_no_business_of_the_guard() {
    let mut world = enforcing();
    for verification in [RETURN, Verification::Trusted] {
        world.does(&service(), "ann", register(None));
        let action = Change::Set(SetPhone {
            number: DENIED.into(),
            verification,
        });
        let decision = world.act(&service(), "ann", action.into());
        assert!(decision.result.is_ok());
        assert_eq!(decision.heard, None);
        world.accounts.clear();
    }
}

#[test]
fn recording_sends_and_says_what_there_was_against_it() {
    let mut world = enforcing();
    world.policy.guard.mode = Mode::Record;
    let prefix = Some(world.keys.prefix_pseudonym("+42366012"));
    let decision = world.act(&own("ann"), "ann", set(DENIED));
    assert!(decision.result.is_ok());
    let sent = decision.events.last().expect("an event");
    assert_eq!(sent.kind, EventKind::CodeSent);
    let expected = EventDetail {
        message: Some(decision.messages[0].id),
        country: Some("LI".into()),
        guard: GuardRecord {
            kind: Some(NumberKind::Mobile),
            prefix: prefix.clone(),
            address: None,
            known: false,
            reasons: vec!["country".into()],
        },
        ..EventDetail::default()
    };
    assert_eq!(sent.detail, Some(expected));
    let code = world.code("ann");
    let decision = world.act(&own("ann"), "ann", guess(&code));
    let proven = decision.events.last().expect("an event");
    let detail = proven.detail.clone().expect("says where");
    assert_eq!(detail.country.as_deref(), Some("LI"));
    assert_eq!(detail.guard.prefix, prefix);
    assert!(matches!(decision.heard, Some(Heard::Answered { .. })));
    world.policy.guard.mode = Mode::Off;
    let decision = world.act(&own("bob"), "bob", set(DENIED));
    assert_eq!(decision.heard, None);
}

#[test]
fn a_range_that_does_not_answer_waits_and_is_told_so() {
    let mut world = enforcing();
    world.policy.guard.unverified_floor = 1_000;
    for nth in 0..20 {
        let user = format!("user{nth}");
        world.does(&own(&user), &user, set(&number(nth)));
    }
    let refused = Refusal::Limited {
        limit: Limit::Guard(Reason::Prefix),
        retry_after: Duration::from_secs(3_600),
    };
    let decision = world.act(&own("ann"), "ann", set(&number(50)));
    assert_eq!(decision.result, Err(refused.clone()));
    assert_eq!(refused.limit(), Some(("guard", Some("prefix"))));
    assert_eq!(decision.events.len(), 1);
    // Other numbers are not held up.
    world.does(&own("bob"), "bob", set("+41781234567"));
    // An operator lets them pass.
    let place = Place::Prefix("+4179123".into());
    let until = world.now + Duration::from_secs(60);
    let rules = world.policy.guard.clone();
    let tally = world.tallies.of_mut("acme", place);
    tally.tell(&rules, Observation::Allowed { until }, world.now);
    world.does(&own("ann"), "ann", set(&number(50)));
}

#[test]
fn whoever_meets_another_limit_for_longer_is_told_of_that_one() {
    let mut world = enforcing();
    world.policy.guard.unverified_floor = 1_000;
    world.policy.limits.cool_down_seconds = vec![7_200];
    for nth in 0..20 {
        let user = format!("user{nth}");
        world.does(&own(&user), &user, set(&number(nth)));
    }
    let resend = Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Send,
    };
    let decision = world.act(&service(), "user3", resend.into());
    assert_eq!(decision.result, Err(limited(Limit::CoolDown, 7_200)));
    assert_eq!((decision.events, decision.heard), (vec![], None));
}

#[test]
fn an_address_that_asks_for_many_countries_is_held_up() {
    let mut world = enforcing();
    world.policy.limits.sends_per_address = LimitRules::default().sends_per_address;
    let here = |user: &str| Caller {
        address: Some("192.0.2.1".parse().unwrap()),
        ..own(user)
    };
    for (nth, number) in [ONE, "+4915123456789", "+436641234567"].iter().enumerate() {
        let user = format!("user{nth}");
        world.does(&here(&user), &user, set(number));
    }
    let decision = world.act(&here("ann"), "ann", set("+33612345678"));
    let Err(Refusal::Limited { limit, .. }) = decision.result else {
        panic!("{:?}", decision.result);
    };
    assert_eq!(limit, Limit::Guard(Reason::AddressCountries));
    let told = decision.events[0].detail.as_ref().expect("says more");
    assert_eq!(told.guard.address.as_deref().map(str::len), Some(16));
    // A country that answered is none too many, and services are at no address of a user's.
    let code = world.code("user1");
    world.does(&here("user1"), "user1", guess(&code));
    world.does(&here("ann"), "ann", set("+33612345678"));
    let service = Caller {
        address: Some("192.0.2.1".parse().unwrap()),
        ..service()
    };
    world.does(
        &service,
        "bob",
        register(Some(phone("+393123456789", SEND))),
    );
    // Where addresses are not counted, nobody is behind one.
    world.policy.limits.sends_per_address = Vec::new();
    world.does(&here("carl"), "carl", set("+393123456780"));
}

#[test]
fn whoever_has_proven_a_number_is_known_also_while_it_is_replaced() {
    let mut world = enforcing();
    world.policy.guard.unverified_floor = 1;
    world.does(&own("ann"), "ann", set(ONE));
    let code = world.code("ann");
    world.does(&own("ann"), "ann", guess(&code));
    world.does(&own("bob"), "bob", set(&number(10_001)));
    assert!(
        world
            .act(&own("carl"), "carl", set(&number(20_007)))
            .result
            .is_err()
    );
    let decision = world.act(&own("ann"), "ann", set(&number(30_008)));
    assert!(decision.result.is_ok(), "{:?}", decision.result);
    let sent = decision
        .events
        .last()
        .and_then(|event| event.detail.clone());
    let guard = sent.expect("says more").guard;
    assert!(guard.known && guard.reasons.is_empty(), "{guard:?}");
}
