//! To which kinds of numbers a code is sent.

use super::*;
use crate::number::NumberKind;
use crate::number::Validation;

/// One number of each kind.
const EACH: [(&str, NumberKind); 13] = [
    ("+41791234567", NumberKind::Mobile),
    ("+41212345678", NumberKind::FixedLine),
    ("+12015550123", NumberKind::FixedOrMobile),
    ("+445612345678", NumberKind::Voip),
    ("+41878123456", NumberKind::Personal),
    ("+41900123456", NumberKind::PremiumRate),
    ("+41840123456", NumberKind::SharedCost),
    ("+41800123456", NumberKind::TollFree),
    ("+41740123456", NumberKind::Pager),
    ("+41581234567", NumberKind::Uan),
    ("+41860123456789", NumberKind::Voicemail),
    ("+870773111632", NumberKind::Satellite),
    ("+999123456789", NumberKind::Unknown),
];
const PREMIUM: &str = "+41900123456";

#[test]
fn every_kind_is_told_from_its_number() {
    for (number, kind) in EACH {
        assert_eq!(Number::from_stored(number).kind(), kind, "{number}");
    }
    for satellite in ["+881612345678", "+8821312345678", "+8821612345678"] {
        assert_eq!(Number::from_stored(satellite).kind(), NumberKind::Satellite);
    }
    // A ship's own net has a code of the same family, and mobile phones.
    assert_ne!(
        Number::from_stored("+883510012345").kind(),
        NumberKind::Satellite
    );
}

#[test]
fn only_phones_that_read_messages_are_sent_codes_unless_more_kinds_are_listed() {
    for (number, kind) in EACH {
        let mut world = World::unlimited();
        // One of them is of no country.
        world.policy.numbers.validation = Validation::E164;
        if NumberKind::DEFAULT.contains(&kind) {
            world.does(&own("ann"), "ann", set(number));
            continue;
        }
        let refusal = world.refuses(&own("ann"), "ann", set(number));
        assert_eq!(refusal, Refusal::NumberKindNotServed(kind));
        world.policy.numbers.kinds.push(kind);
        world.does(&own("ann"), "ann", set(number));
    }
}

#[test]
fn a_listed_kind_is_the_only_one_that_is_served() {
    let mut world = World::unlimited();
    world.policy.numbers.kinds = vec![NumberKind::FixedLine];
    let refusal = world.refuses(&own("ann"), "ann", set(ONE));
    assert_eq!(refusal, Refusal::NumberKindNotServed(NumberKind::Mobile));
    world.does(&own("ann"), "ann", set("+41212345678"));
}

#[test]
fn no_verb_sends_a_code_to_a_kind_that_is_not_served() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    world.does(&service(), "ann", add_by(PREMIUM, None));
    let phone = world.phone_of("ann", PREMIUM).id;
    let verbs = [
        set(PREMIUM),
        update(PhoneChange::Set(super::phone(PREMIUM, SEND))),
        add(PREMIUM),
        preverify(PREMIUM),
        change(PREMIUM),
        Action::Change(Change::RequestRemoval { phone }),
    ];
    for verb in verbs {
        let refusal = world.refuses(&own("ann"), "ann", verb);
        let kind = NumberKind::PremiumRate;
        assert_eq!(refusal, Refusal::NumberKindNotServed(kind));
    }
}

#[test]
fn a_number_of_any_kind_may_be_set_without_sending() {
    for verification in [RETURN, Verification::Trusted] {
        let mut world = World::new();
        world.does(&service(), "ann", register(None));
        world.does(&service(), "ann", set_by(PREMIUM, verification));
        assert_eq!(world.primary("ann").number.as_str(), PREMIUM);
    }
    let mut world = World::new();
    world.does(&service(), "ann", register(None));
    world.does(&service(), "ann", set_by(PREMIUM, RETURN));
    let refusal = world.refuses(&service(), "ann", resend());
    let kind = NumberKind::PremiumRate;
    assert_eq!(refusal, Refusal::NumberKindNotServed(kind));
    world.does(&service(), "ann", resend_returned());
}
