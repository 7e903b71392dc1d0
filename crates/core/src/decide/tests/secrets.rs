//! What nobody may read out of a decision: the code, and the whole number.

use super::*;
use crate::EventDetail;

/// Fails when a shown text holds a code or a number.
fn shows_neither(what: &impl std::fmt::Debug, code: &str) {
    let shown = format!("{what:?}{what:#?}");
    assert!(!shown.contains(code), "the code is in {shown}");
    for number in [ONE, TWO] {
        assert!(!shown.contains(&number[1..]), "the number is in {shown}");
    }
}

#[test]
fn no_decision_shows_code_or_number() {
    let mut world = World::new();
    world.does(&service(), "ann", register(None));
    let mut decisions = vec![world.act(&service(), "ann", set_by(ONE, RETURN))];
    let code = world.code("ann");
    let wrong = world.wrong("ann");
    for (caller, action) in [
        (service(), resend_returned()),
        (own("ann"), resend()),
        (own("ann"), resend()),
        (own("ann"), guess(&wrong)),
        (own("ann"), guess(&code)),
        (own("ann"), set(TWO)),
        (
            own("ann"),
            Action::Change(Change::Remove {
                which: Which::Primary,
            }),
        ),
    ] {
        decisions.push(world.act(&caller, "ann", action));
    }
    for decision in decisions {
        shows_neither(&decision, &code);
        shows_neither(&decision, &wrong);
    }
}

#[test]
fn no_command_shows_code_or_number() {
    let world = World::new().with_code("ann", ONE);
    let code = world.code("ann");
    for action in [guess(&code), set(ONE), update_by(ONE, SEND)] {
        let command = Command {
            caller: own("ann"),
            account: "ann".into(),
            action,
        };
        shows_neither(&command, &code);
    }
}

#[test]
fn no_account_shows_code_or_number() {
    let world = World::new().with_code("ann", ONE);
    shows_neither(world.account("ann"), &world.code("ann"));
    shows_neither(&world.keys, &world.code("ann"));
}

#[test]
fn events_name_a_number_by_pseudonym_and_mask() {
    let mut world = World::new();
    let decision = world.act(&own("ann"), "ann", set(ONE));
    let pseudonym = world.keys.pseudonym(&Number::from_stored(ONE));
    for event in &decision.events[1..] {
        let shadow = event.number.as_ref().expect("is about a number");
        assert_eq!(shadow.pseudonym, pseudonym);
        assert_eq!(shadow.mask, "+4179•••••67");
    }
}

#[test]
fn the_event_of_a_sent_code_names_its_message() {
    let mut world = World::new();
    world.policy.guard.mode = crate::guard::Mode::Off;
    let decision = world.act(&own("ann"), "ann", set(ONE));
    let [.., sent] = &decision.events[..] else {
        panic!("no event");
    };
    assert_eq!(sent.kind, EventKind::CodeSent);
    let detail = EventDetail::of_message(decision.messages[0].id);
    assert_eq!(sent.detail, Some(detail.clone()));
    // What is not there takes no room, and what a later version writes does no harm.
    let kept = serde_json::to_string(&detail).expect("must write");
    assert_eq!(
        kept,
        format!(r#"{{"message":"{}"}}"#, decision.messages[0].id)
    );
    let later = kept.replace('}', r#","later":[1]}"#);
    assert_eq!(serde_json::from_str(&later).ok(), Some(detail));
}

#[test]
fn the_refusal_of_a_code_reads_the_same_but_for_its_reason() {
    let mut codes = Vec::new();
    for failure in [
        CodeFailure::Shape,
        CodeFailure::Absent,
        CodeFailure::Expired,
        CodeFailure::Spent,
        CodeFailure::Waiting,
        CodeFailure::Locked,
        CodeFailure::Wrong,
    ] {
        codes.push(Refusal::CodeRefused(failure).code());
    }
    codes.dedup();
    assert_eq!(codes, ["code_refused"]);
}
