//! An account is an organisation and a user id.

use super::*;

/// What the user of an id does in another organisation than `acme`.
fn ann_elsewhere() -> Caller {
    elsewhere(own("ann"))
}

/// Whoever acts in any organisation and names one.
fn in_organization(caller: Caller, organization: &str) -> Caller {
    caller.acting_in(Some(organization)).expect("may act there")
}

/// Two users of one id.
fn two() -> World {
    let mut world = World::unlimited().with_verified("ann", ONE);
    world.does(&ann_elsewhere(), "ann", set(TWO));
    world
}

#[test]
fn two_organisations_may_have_the_same_id_without_meeting() {
    let mut world = two();
    assert_eq!(world.primary("ann").number.as_str(), ONE);
    assert_eq!(world.primary("ann of other").number.as_str(), TWO);
    let ours = world.account("ann").clone();
    for action in [
        set("+41791234569"),
        resend(),
        guess("000000"),
        update(PhoneChange::Remove),
    ] {
        let _ = world.act(&ann_elsewhere(), "ann", action);
        assert_eq!(*world.account("ann"), ours);
    }
    world.does(&elsewhere(service()), "ann", Action::Delete);
    assert_eq!(*world.account("ann"), ours);
    assert!(!world.accounts.contains_key("ann of other"));
}

#[test]
fn no_organisation_takes_ids_away_from_another() {
    let mut world = World::unlimited();
    world.does(&elsewhere(service()), "ann", register(None));
    world.does(&service(), "ann", register(Some(phone(ONE, SEND))));
    assert_eq!(world.account("ann").organization, "acme");
    assert_eq!(world.account("ann of other").phones, []);
    let refusal = world.refuses(&service(), "ann", register(None));
    assert_eq!(refusal, Refusal::AccountExists);
}

#[test]
fn who_acts_everywhere_names_the_organisation_where_several_have_the_id() {
    let mut world = two();
    for action in [
        set("+41791234569"),
        resend(),
        guess("000000"),
        Action::Delete,
        Action::Change(Change::Unlock),
    ] {
        let refusal = world.refuses(&everywhere(), "ann", action);
        assert_eq!(refusal, Refusal::AccountAmbiguous);
    }
    let there = in_organization(everywhere(), "other");
    world.does(&there, "ann", set("+41791234569"));
    assert_eq!(
        world.primary("ann of other").number.as_str(),
        "+41791234569"
    );
    assert_eq!(world.primary("ann").number.as_str(), ONE);
    world.does(&there, "ann", Action::Delete);
    // Only one is left, so it is meant.
    world.does(&everywhere(), "ann", set(TWO));
    assert_eq!(world.primary("ann").number.as_str(), TWO);
}

#[test]
fn a_register_call_is_about_one_organisation() {
    let mut world = two();
    let into = |organization: Option<&str>| Action::Register {
        organization: organization.map(str::to_owned),
        profile: Box::default(),
        phone: None,
    };
    for organization in [None, Some("acme"), Some("other")] {
        let refusal = world.refuses(&everywhere(), "ann", into(organization));
        assert_eq!(refusal, Refusal::AccountExists);
    }
    let reply = world.does(&everywhere(), "ann", into(Some("third")));
    assert_eq!(reply.account.organization, "third");
}

/// A user's token that was issued so many seconds ago.
fn issued(world: &World, ago: u64) -> Caller {
    Caller {
        issued_at: Some(world.now - Duration::from_secs(ago)),
        ..own("ann")
    }
}

#[test]
fn a_token_from_before_does_not_bring_a_deleted_user_back() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    world.does(&service(), "ann", Action::Delete);
    world.pass(3_600);
    for caller in [own("ann"), issued(&world, 3_601), issued(&world, 3_570)] {
        for action in [set(ONE), update_by(ONE, SEND)] {
            let refusal = world.refuses(&caller, "ann", action);
            assert_eq!(refusal, Refusal::AccountNotFound);
        }
    }
    // One from after it shows that the login knows the user again.
    let mut again = world.clone();
    again.does(&issued(&world, 3_569), "ann", set(ONE));
    assert!(again.deleted.is_empty());
    // So does a service that speaks for the user now.
    let spoken_for = Caller {
        spoken_for: true,
        ..own("ann")
    };
    world.clone().does(&spoken_for, "ann", set(ONE));
    // Nor is the id lost to whoever registers users.
    world.clone().does(&service(), "ann", register(None));
    // It is forgotten once no token can be from before.
    world.pass(2_592_000 - 3_600);
    world.does(&own("ann"), "ann", set(ONE));
}

#[test]
fn a_deleted_user_of_one_organisation_is_nobody_in_another() {
    let mut world = two();
    world.does(&service(), "ann", Action::Delete);
    world.does(&ann_elsewhere(), "ann", set("+41791234569"));
    let refusal = world.refuses(&own("ann"), "ann", set(ONE));
    assert_eq!(refusal, Refusal::AccountNotFound);
}

#[test]
fn where_no_token_outlives_anything_nothing_is_remembered() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    world.policy.accounts.longest_token_seconds = 0;
    world.does(&service(), "ann", Action::Delete);
    assert!(world.deleted.is_empty());
    world.does(&own("ann"), "ann", set(ONE));
}

#[test]
fn an_organisation_s_own_rules_count_for_its_accounts() {
    let mut world = World::unlimited();
    let mut swiss = world.policy.clone();
    swiss.numbers.default_region = "CH".into();
    world.own_policies.insert("other".into(), swiss);
    let refusal = world.refuses(&own("ann"), "ann", set("079 123 45 67"));
    assert_eq!(refusal.code(), "number_not_international");
    world.does(&ann_elsewhere(), "ann", set("079 123 45 67"));
    assert_eq!(world.primary("ann of other").number.as_str(), ONE);
    // Also of whoever acts in any of them.
    world.does(&service(), "bob", register(None));
    let refusal = world.refuses(&everywhere(), "bob", set("079 123 45 68"));
    assert_eq!(refusal.code(), "number_not_international");
    world.does(&everywhere(), "ann", set("079 123 45 68"));
    assert_eq!(world.primary("ann of other").number.as_str(), TWO);
}
