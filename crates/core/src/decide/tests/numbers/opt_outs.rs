//! Numbers whose owners have told routes to stop.

use super::*;
use crate::delivery::{RouteRules, Routes};
use crate::event::MessageKind;

/// A world with routes `a` and `b`, of which the owner of this number has told some to stop.
fn world(number: &str, stopped: &[&str]) -> World {
    let mut world = World::unlimited();
    world.policy.routes = Routes {
        rules: ["a", "b"]
            .map(|name| (name.into(), RouteRules::default()))
            .into(),
        default: vec!["a".into(), "b".into()],
        by_country: BTreeMap::new(),
        ..Routes::default()
    };
    stop(&mut world, number, stopped);
    world
}

fn stop(world: &mut World, number: &str, stopped: &[&str]) {
    let name = world.keys.pseudonym(&Number::from_stored(number));
    let budget = world.budgets.remove(&name).unwrap_or_default();
    let routes = stopped.iter().map(|route| (*route).to_owned());
    world.budgets.insert(name, budget.with_opted_out(routes));
}

#[test]
fn no_verb_sends_a_code_to_a_number_that_has_told_every_route_to_stop() {
    let mut world = world(TWO, &["a", "b"]).with_verified("ann", ONE);
    world.does(&service(), "ann", add_by(TWO, None));
    let phone = world.phone_of("ann", TWO).id;
    let verbs = [
        set(TWO),
        update(PhoneChange::Set(super::phone(TWO, SEND))),
        add(TWO),
        preverify(TWO),
        change(TWO),
        Action::Change(Change::RequestRemoval { phone }),
    ];
    for verb in verbs {
        let refusal = world.refuses(&own("ann"), "ann", verb);
        assert_eq!(refusal, Refusal::NumberOptedOut);
    }
    // Without a message there is nothing to refuse.
    world.does(&service(), "ann", set_by(TWO, RETURN));
    assert_eq!(
        world.refuses(&service(), "ann", resend()),
        Refusal::NumberOptedOut
    );
    stop(&mut world, TWO, &[]);
    world.does(&own("ann"), "ann", resend());
}

#[test]
fn a_route_that_was_told_to_stop_is_skipped_while_another_carries_it() {
    let mut world = world(ONE, &["a"]);
    for route in ["b", "b", "b"] {
        let mut messages = world.act(&own("ann"), "ann", set(ONE)).messages;
        if messages.is_empty() {
            messages = world.act(&own("ann"), "ann", resend()).messages;
        }
        let message = messages.pop().expect("a message");
        assert_eq!(message.route.as_deref(), Some(route));
        assert_eq!(message.opted_out, ["a"]);
        world.pass(1);
    }
    // A route that is not asked anyway says nothing.
    let mut other = self::world(ONE, &["elsewhere"]);
    let messages = other.act(&own("ann"), "ann", set(ONE)).messages;
    assert_eq!(messages[0].route.as_deref(), Some("a"));
    assert!(messages[0].opted_out.is_empty());
}

#[test]
fn a_country_without_another_route_is_refused() {
    let mut world = world(ONE, &["a"]);
    world
        .policy
        .routes
        .by_country
        .insert("CH".into(), vec!["a".into()]);
    assert_eq!(
        world.refuses(&own("ann"), "ann", set(ONE)),
        Refusal::NumberOptedOut
    );
    let mut none = self::world(ONE, &["a"]);
    none.policy.routes = Routes::default();
    none.does(&own("ann"), "ann", set(ONE));
}

#[test]
fn whoever_has_opted_out_is_told_of_nothing_either() {
    let mut world = world(ONE, &["a", "b"]).with_verified("ann", ONE);
    let decision = world.act(&own("ann"), "ann", set(TWO));
    assert!(decision.result.is_ok());
    let kinds: Vec<_> = decision
        .messages
        .iter()
        .map(|message| message.kind)
        .collect();
    assert!(matches!(kinds.as_slice(), [MessageKind::Code { .. }]));
    assert_eq!(
        world.budget(ONE).idle_at(),
        Some(Time(0)),
        "nothing is counted"
    );
}
