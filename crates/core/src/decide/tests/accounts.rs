//! How accounts come to be, count and go.

use super::*;
use crate::policy::Registration;

#[test]
fn the_first_call_of_a_user_that_sets_a_number_registers() {
    for action in [set(ONE), update_by(ONE, SEND)] {
        let mut world = World::new();
        let decision = world.act(&own("ann"), "ann", action);
        assert_eq!(
            kinds(&decision),
            [
                EventKind::Registered,
                EventKind::PhoneSet,
                EventKind::CodeSent
            ]
        );
        let account = world.account("ann");
        assert_eq!(account.organization, "acme");
        assert_eq!(account.profile.username, "ann");
        assert_eq!(account.created_at, world.now);
    }
}

#[test]
fn a_call_that_sets_nothing_registers_nobody() {
    let mut world = World::new();
    for action in [
        update(PhoneChange::Keep),
        update(PhoneChange::Remove),
        resend(),
        guess("123456"),
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
        Action::Delete,
    ] {
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::AccountNotFound);
    }
}

#[test]
fn nobody_is_registered_by_anothers_token() {
    let mut world = World::new();
    for caller in [own("bob"), service(), everywhere()] {
        let refusal = world.refuses(&caller, "ann", set(ONE));
        assert_eq!(refusal, Refusal::AccountNotFound);
    }
}

#[test]
fn with_explicit_registration_only_a_service_registers() {
    let mut world = World::new();
    world.policy.accounts.register = Registration::Explicit;
    for action in [set(ONE), update_by(ONE, SEND)] {
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::AccountNotFound);
    }
    world.does(&service(), "ann", register(None));
    world.does(&own("ann"), "ann", set(ONE));
}

#[test]
fn a_service_registers_with_or_without_a_number() {
    let mut world = World::new();
    let decision = world.act(&service(), "ann", register(None));
    assert_eq!(kinds(&decision), [EventKind::Registered]);
    let decision = world.act(&service(), "bob", register(Some(phone(ONE, SEND))));
    assert_eq!(
        kinds(&decision),
        [
            EventKind::Registered,
            EventKind::PhoneSet,
            EventKind::CodeSent
        ]
    );
    assert_eq!(decision.messages.len(), 1);
    let trusted = phone(TWO, Verification::Trusted);
    world.does(&service(), "eve", register(Some(trusted)));
    assert!(world.primary("eve").verified());
}

#[test]
fn a_registration_whose_number_is_none_registers_nobody() {
    let mut world = World::new();
    let phone = SetPhone {
        number: "+4179".into(),
        verification: SEND,
    };
    let refusal = world.refuses(&service(), "ann", register(Some(phone)));
    assert_eq!(refusal.code(), "number_length");
    assert!(world.accounts.is_empty());
}

#[test]
fn no_id_is_registered_twice() {
    let mut world = World::new().with_code("ann", ONE);
    let before = world.account("ann").clone();
    for action in [register(None), register(Some(phone(TWO, SEND)))] {
        let refusal = world.refuses(&service(), "ann", action);
        assert_eq!(refusal, Refusal::AccountExists);
    }
    assert_eq!(*world.account("ann"), before);
}

#[test]
fn only_with_the_right_to_write_others_are_registered() {
    let mut world = World::new();
    for caller in [own("ann"), own("bob")] {
        let refusal = world.refuses(&caller, "ann", register(None));
        assert_eq!(refusal, Refusal::PermissionDenied);
    }
}

#[test]
fn the_organisation_is_the_callers_unless_the_caller_reaches_everywhere() {
    let into = |organization: &str| Action::Register {
        organization: Some(organization.into()),
        profile: Box::default(),
        phone: None,
    };
    let mut world = World::new();
    let refusal = world.refuses(&service(), "ann", into("other"));
    assert_eq!(refusal, Refusal::OrganizationDenied);
    let reply = world.does(&service(), "ann", into("acme"));
    assert_eq!(reply.account.organization, "acme");
    let reply = world.does(&everywhere(), "bob", into("other"));
    assert_eq!(reply.account.organization, "other");
    let reply = world.does(&everywhere(), "eve", register(None));
    assert_eq!(reply.account.organization, "acme");
}

#[test]
fn a_profile_is_kept_and_the_username_falls_back_to_the_id() {
    let profile = |username: &str| Profile {
        username: username.into(),
        family_name: "Muster".into(),
        ..Profile::default()
    };
    let with = |username| Action::Register {
        organization: None,
        profile: Box::new(profile(username)),
        phone: None,
    };
    let mut world = World::new();
    world.does(&service(), "ann", with("anna"));
    assert_eq!(world.account("ann").profile, profile("anna"));
    world.does(&service(), "bob", with(""));
    assert_eq!(world.account("bob").profile, profile("bob"));
}

#[test]
fn delete_takes_everything_and_is_told() {
    let mut world = World::new().with_verified("ann", ONE);
    let sequence = world.account("ann").sequence;
    let decision = world.act(&service(), "ann", Action::Delete);
    assert_eq!(kinds(&decision), [EventKind::Deleted]);
    let reply = decision.result.expect("must succeed");
    assert_eq!(
        (reply.account.id.as_str(), reply.account.sequence),
        ("ann", sequence + 1)
    );
    assert!(world.accounts.is_empty());
    let refusal = world.refuses(&service(), "ann", Action::Delete);
    assert_eq!(refusal, Refusal::AccountNotFound);
}

#[test]
fn the_sequence_counts_events() {
    let mut world = World::new();
    let mut sequence = 0;
    world.does(&service(), "ann", register(None));
    sequence += 1;
    for (caller, action) in [
        (own("ann"), set(ONE)),
        (own("ann"), guess("000000")),
        (own("ann"), guess("shape")),
        (own("ann"), resend()),
        (service(), resend_returned()),
        (service(), set_by(TWO, Verification::Trusted)),
        (own("ann"), update_by(TWO, SEND)),
        (
            own("ann"),
            Action::Change(Change::Remove {
                which: Which::Primary,
            }),
        ),
        (
            own("ann"),
            Action::Change(Change::Remove {
                which: Which::Primary,
            }),
        ),
    ] {
        let decision = world.act(&caller, "ann", action);
        for event in &decision.events {
            sequence += 1;
            assert_eq!(event.sequence, sequence);
            assert_eq!(event.actor, caller.user);
            assert_eq!((event.account.as_str(), event.at), ("ann", world.now));
        }
        assert_eq!(world.account("ann").sequence, sequence);
        if let Ok(reply) = decision.result {
            assert_eq!(reply.account.sequence, sequence);
        }
    }
    assert_eq!(sequence, 8);
}

#[test]
fn ids_are_never_used_twice() {
    let mut world = World::new();
    let mut ids = Vec::new();
    for action in [
        set_by(ONE, Verification::Trusted),
        set(TWO),
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
        set_by(TWO, RETURN),
        resend_returned(),
    ] {
        let caller = own("ann").with_rights(Rights {
            write: true,
            ..Rights::NONE
        });
        let decision = world.act(&caller, "ann", action);
        assert!(decision.result.is_ok());
        ids.extend(decision.events.iter().map(|event| event.id));
        ids.extend(decision.messages.iter().map(|message| message.id));
    }
    ids.extend(world.account("ann").phones.iter().map(|phone| phone.id));
    ids.push(world.challenge("ann").id);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
