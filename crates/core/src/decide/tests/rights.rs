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
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
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
        for caller in [own("bob"), service()] {
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
    let email_of = |address: &str, verified| {
        Action::Change(Change::Update {
            profile: Box::new(ProfileChange {
                email: Some((address.into(), verified)),
                ..ProfileChange::default()
            }),
            phone: PhoneChange::Keep,
        })
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

/// The table, in the words of the surface: who may, of those who act in the account's organisation.
#[test]
fn the_table_of_rights_is_this_one() {
    use crate::rights::{Call, Own, Right};
    let (read, write, delete) = (Right::Read, Right::Write, Right::Delete);
    let table = [
        (Call::Read, read, true),
        (Call::Register, write, false),
        (Call::ChangeProfile, write, true),
        (Call::VouchForEmail, write, false),
        (Call::SendCode, write, true),
        (Call::SendOtherCode, write, true),
        (Call::ReturnCode, write, false),
        (Call::VouchForNumber, write, false),
        (Call::SubmitCode, write, true),
        (Call::SubmitRemoval, write, true),
        (Call::MakePrimary, write, true),
        (Call::Remove, write, true),
        (Call::RemoveAny, write, false),
        (Call::Unlock, write, false),
        (Call::Delete, delete, false),
        (Call::ReadProof, read, true),
        (Call::OpenSession, write, false),
        (Call::TakeSession, write, true),
    ];
    assert_eq!(table.map(|(call, ..)| call), Call::ALL);
    for (call, right, own) in table {
        let rule = call.rule();
        assert_eq!(
            (rule.right, rule.own == Own::Allowed),
            (right, own),
            "{call:?}"
        );
    }
}

/// Each cell of (call × caller × organisation).
#[test]
fn every_cell_of_the_table_is_decided_as_it_says() {
    use crate::rights::{Call, Capacity, Own, Right};
    let only = |right: Right| Rights::from_iter([right]);
    let rights = [
        Right::Read,
        Right::Write,
        Right::Delete,
        Right::ReadMessages,
        Right::WriteMessages,
        Right::ReadGuard,
        Right::WriteGuard,
        Right::ReadAudit,
    ];
    for call in Call::ALL {
        let rule = call.rule();
        let cell = |caller: Caller, organization| caller.capacity("ann", organization, call);
        let denied_or_unseen = |right| match right {
            Right::Read | Right::Write => Err(Refusal::PermissionDenied),
            Right::Delete
            | Right::ReadMessages
            | Right::WriteMessages
            | Right::ReadGuard
            | Right::WriteGuard
            | Right::ReadAudit => Err(Refusal::AccountNotFound),
        };
        let own_cell = match rule.own {
            Own::Allowed => Ok(Capacity::Own),
            Own::Denied => Err(Refusal::PermissionDenied),
        };
        assert_eq!(cell(own("ann"), "acme"), own_cell, "{call:?} by the user");
        for right in rights {
            let holds = right == rule.right;
            // Over the own account, over one of the organisation, over one of another organisation.
            let expected = if holds {
                Ok(Capacity::Service)
            } else {
                own_cell.clone()
            };
            let caller = own("ann").with_rights(only(right));
            assert_eq!(
                cell(caller, "acme"),
                expected,
                "{call:?} by the user with {right:?}"
            );
            let expected = if holds {
                Ok(Capacity::Service)
            } else {
                denied_or_unseen(right)
            };
            let caller = own("bob").with_rights(only(right));
            assert_eq!(
                cell(caller.clone(), "acme"),
                expected,
                "{call:?} with {right:?}"
            );
            let unseen = Err(Refusal::AccountNotFound);
            assert_eq!(
                cell(elsewhere(caller.clone()), "acme"),
                unseen,
                "{call:?} elsewhere"
            );
            let caller = Caller {
                everywhere: only(right),
                local: [].into(),
                ..elsewhere(caller)
            };
            assert_eq!(
                cell(caller, "acme"),
                expected,
                "{call:?} everywhere with {right:?}"
            );
        }
        for caller in [own("bob"), elsewhere(own("bob")), elsewhere(own("ann"))] {
            let unseen = Err(Refusal::AccountNotFound);
            assert_eq!(cell(caller, "acme"), unseen, "{call:?} by a stranger");
        }
    }
}
