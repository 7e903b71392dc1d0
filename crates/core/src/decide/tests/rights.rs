//! Who may do what to whom.

use super::*;

/// Every action that changes an account, in a form that would succeed for a service.
fn changes(world: &World) -> Vec<Action> {
    vec![
        set(TWO),
        set_by(TWO, RETURN),
        set_by(TWO, Verification::Trusted),
        update(PhoneChange::Keep),
        update(PhoneChange::Remove),
        update_by(TWO, SEND),
        resend(),
        resend_returned(),
        guess(&world.code("ann")),
        Action::RemovePhone,
        Action::Delete,
    ]
}

#[test]
fn a_service_of_the_organisation_and_one_from_everywhere_may_do_all() {
    let world = World::new().with_code("ann", ONE);
    for caller in [service(), everywhere(), elsewhere(everywhere())] {
        for action in changes(&world) {
            world.clone().does(&caller, "ann", action);
        }
    }
}

#[test]
fn in_the_same_organisation_only_who_may_know_of_an_account_is_denied() {
    let mut world = World::new().with_code("ann", ONE);
    let reader = own("bob").with_rights(Rights {
        read: true,
        ..Rights::NONE
    });
    for action in changes(&world) {
        for (caller, expected) in [
            (own("bob"), Refusal::AccountNotFound),
            (reader.clone(), Refusal::PermissionDenied),
        ] {
            let refusal = world.refuses(&caller, "ann", action.clone());
            assert_eq!(refusal, expected, "{action:?}");
        }
    }
}

#[test]
fn an_account_of_another_organisation_is_refused_like_an_unknown_one() {
    let mut world = World::new().with_code("ann", ONE);
    for action in changes(&world) {
        for caller in [own("bob"), own("ann"), service()] {
            let caller = elsewhere(caller);
            let refusal = world.refuses(&caller, "ann", action.clone());
            assert_eq!(refusal, Refusal::AccountNotFound, "{action:?}");
        }
        for caller in [own("bob"), service(), everywhere()] {
            let refusal = world.refuses(&caller, "nobody", action.clone());
            assert_eq!(refusal, Refusal::AccountNotFound, "{action:?}");
        }
    }
}

#[test]
fn self_service_gets_no_code() {
    let mut world = World::new().with_code("ann", ONE);
    for action in [
        set_by(TWO, RETURN),
        set_by(ONE, RETURN),
        update_by(TWO, RETURN),
        update_by(ONE, RETURN),
        resend_returned(),
        register(Some(phone(ONE, RETURN))),
    ] {
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::PermissionDenied);
    }
}

#[test]
fn self_service_verifies_nothing_by_its_word() {
    let mut world = World::new().with_code("ann", ONE);
    let trusted = Verification::Trusted;
    for action in [
        set_by(TWO, trusted),
        set_by(ONE, trusted),
        update_by(TWO, trusted),
        update_by(ONE, trusted),
        register(Some(phone(ONE, trusted))),
    ] {
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::PermissionDenied);
    }
}

#[test]
fn a_first_token_brings_no_more_rights_than_any_other() {
    let mut world = World::new();
    for verification in [RETURN, Verification::Trusted] {
        for action in [set_by(ONE, verification), update_by(ONE, verification)] {
            let refusal = world.refuses(&own("ann"), "ann", action);
            assert_eq!(refusal, Refusal::PermissionDenied);
        }
    }
    assert!(world.accounts.is_empty());
}

#[test]
fn self_service_vouches_for_no_address() {
    let mut world = World::new().with_code("ann", ONE);
    let email_of = |address: &str, verified| Action::Update {
        profile: Box::new(ProfileChange {
            email: Some((address.into(), verified)),
            ..ProfileChange::default()
        }),
        phone: PhoneChange::Keep,
    };
    let email = |verified| email_of("ann@example.org", verified);
    let refusal = world.refuses(&own("ann"), "ann", email(true));
    assert_eq!(refusal, Refusal::PermissionDenied);
    world.does(&service(), "ann", email(true));
    assert!(world.account("ann").profile.email_verified);
    // The same address again says nothing against it; another one is not vouched for.
    world.does(&own("ann"), "ann", email(false));
    assert!(world.account("ann").profile.email_verified);
    world.does(&own("ann"), "ann", email_of("ann@example.com", false));
    assert!(!world.account("ann").profile.email_verified);
}

#[test]
fn a_user_with_the_right_to_write_acts_on_the_own_account_as_a_service() {
    let mut world = World::new();
    let ann = own("ann").with_rights(Rights {
        write: true,
        ..Rights::NONE
    });
    world.does(&ann, "ann", set_by(ONE, Verification::Trusted));
    assert!(world.primary("ann").verified());
    assert_eq!(world.account("ann").limits, Default::default());
}

#[test]
fn to_delete_needs_its_own_right() {
    let mut world = World::new().with_code("ann", ONE);
    let writer = service().with_rights(Rights {
        delete: false,
        ..Rights::ALL
    });
    for (caller, expected) in [
        (own("ann"), Refusal::PermissionDenied),
        (own("bob"), Refusal::AccountNotFound),
        (writer, Refusal::PermissionDenied),
    ] {
        let refusal = world.refuses(&caller, "ann", Action::Delete);
        assert_eq!(refusal, expected);
    }
    let deleter = service().with_rights(Rights {
        write: false,
        ..Rights::ALL
    });
    let refusal = world.refuses(&deleter, "ann", set(TWO));
    assert_eq!(refusal, Refusal::PermissionDenied);
    world.does(&deleter, "ann", Action::Delete);
}
