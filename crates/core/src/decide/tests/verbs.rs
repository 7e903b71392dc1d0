//! What set, update and remove mean.

use super::*;
use crate::command::NumberText;
use crate::event::MessageKind;
use crate::number::NumberError;

#[test]
fn set_sends_one_message_and_tells_no_code() {
    let mut world = World::new();
    let decision = world.act(&own("ann"), "ann", set(ONE));
    let challenge = world.challenge("ann").clone();
    let [message] = decision.messages.as_slice() else {
        panic!("must be one message: {:?}", decision.messages)
    };
    assert_eq!(
        message.kind,
        MessageKind::Code {
            challenge: challenge.id
        }
    );
    assert_eq!(message.number.as_str(), ONE);
    assert_eq!(message.account, "ann");
    assert_eq!(message.expires_at, challenge.expires_at);
    assert_eq!(decision.result.map(|reply| reply.code), Ok(None));
}

#[test]
fn set_makes_the_number_primary_and_unverified_at_once() {
    let mut world = World::new();
    world.does(&own("ann"), "ann", set(ONE));
    assert_eq!(world.primary("ann").number.as_str(), ONE);
    assert_eq!(world.primary("ann").state, PhoneState::Unverified);
    assert_eq!(world.challenge("ann").phone, world.primary("ann").id);
}

#[test]
fn set_with_the_code_returned_sends_nothing() {
    let mut world = World::new();
    world.does(&service(), "ann", register(None));
    let decision = world.act(&service(), "ann", set_by(ONE, RETURN));
    let events = kinds(&decision);
    assert_eq!(events, [EventKind::PhoneSet, EventKind::CodeReturned]);
    assert_eq!(decision.messages, []);
    let reply = decision.result.expect("must succeed");
    let code = reply.code.expect("must be returned");
    assert_eq!(code.reveal(), world.code("ann"));
}

#[test]
fn set_trusted_verifies_without_a_code() {
    let mut world = World::new();
    world.does(&service(), "ann", register(None));
    let decision = world.act(&service(), "ann", set_by(ONE, Verification::Trusted));
    assert_eq!(
        kinds(&decision),
        [EventKind::PhoneSet, EventKind::PhoneVerified]
    );
    assert_eq!(decision.messages, []);
    assert_eq!(decision.result.map(|reply| reply.code), Ok(None));
    let at = world.now;
    assert_eq!(world.primary("ann").state, PhoneState::Verified { at });
    assert_eq!(world.account("ann").challenges, []);
}

#[test]
fn another_number_replaces_the_first_and_its_code_is_dead() {
    let mut world = World::new().with_code("ann", ONE);
    let old = world.code("ann");
    world.does(&own("ann"), "ann", set(TWO));
    assert_eq!(world.account("ann").phones.len(), 1);
    assert_eq!(world.primary("ann").number.as_str(), TWO);
    assert_ne!(world.code("ann"), old, "the example needs two codes");
    assert_eq!(world.fails("ann", &old), CodeFailure::Wrong);
}

#[test]
fn the_same_number_cannot_be_set_again() {
    let unverified = World::new().with_code("ann", ONE);
    let verified = World::new().with_verified("ann", ONE);
    let codes = [SEND, RETURN];
    let all = [SEND, RETURN, Verification::Trusted];
    for (mut world, verifications) in [(unverified, &codes[..]), (verified, &all[..])] {
        for verification in verifications {
            let refusal = world.refuses(&service(), "ann", set_by(ONE, *verification));
            assert_eq!(refusal, Refusal::PhoneUnchanged);
        }
    }
}

#[test]
fn an_update_with_the_same_number_changes_nothing() {
    for verification in [SEND, RETURN] {
        let mut world = World::new().with_code("ann", ONE);
        let before = world.account("ann").clone();
        let decision = world.act(&service(), "ann", update_by(ONE, verification));
        assert_eq!((&decision.events, &decision.messages), (&vec![], &vec![]));
        assert_eq!(decision.result.map(|reply| reply.code), Ok(None));
        assert_eq!(*world.account("ann"), before);
    }
}

#[test]
fn an_update_with_the_same_number_trusted_verifies_it_once() {
    let mut world = World::new().with_code("ann", ONE);
    let id = world.primary("ann").id;
    let trusted = update_by(ONE, Verification::Trusted);
    let first = world.act(&service(), "ann", trusted.clone());
    assert_eq!(kinds(&first), [EventKind::PhoneVerified]);
    assert_eq!(world.primary("ann").id, id);
    assert!(world.primary("ann").verified());
    assert_eq!(world.account("ann").challenges, []);
    let second = world.act(&service(), "ann", trusted);
    assert!(second.result.is_ok());
    assert_eq!(kinds(&second), []);
}

#[test]
fn an_update_with_another_number_sets_it() {
    let mut world = World::new().with_code("ann", ONE);
    let decision = world.act(&own("ann"), "ann", update_by(TWO, SEND));
    assert_eq!(kinds(&decision), [EventKind::PhoneSet, EventKind::CodeSent]);
    assert_eq!(world.primary("ann").number.as_str(), TWO);
    assert_eq!(world.account("ann").phones.len(), 1);
}

#[test]
fn an_update_changes_profile_and_number_together_or_neither() {
    let mut world = World::new().with_code("ann", ONE);
    let both = |number: NumberText| {
        Action::Change(Change::Update {
            profile: rename("Ann"),
            phone: PhoneChange::Set(SetPhone {
                number,
                verification: SEND,
            }),
        })
    };
    let refusal = world.refuses(&own("ann"), "ann", both("no number".into()));
    assert_eq!(refusal, Refusal::NumberInvalid(NumberError::Malformed));
    let decision = world.act(&own("ann"), "ann", both(TWO.into()));
    assert_eq!(
        kinds(&decision),
        [
            EventKind::ProfileChanged,
            EventKind::PhoneSet,
            EventKind::CodeSent
        ]
    );
    assert_eq!(world.account("ann").profile.given_name, "Ann");
}

#[test]
fn an_update_to_what_is_there_already_is_no_event() {
    let mut world = World::new().with_code("ann", ONE);
    let again = || {
        Action::Change(Change::Update {
            profile: rename("Ann"),
            phone: PhoneChange::Keep,
        })
    };
    let first = world.act(&own("ann"), "ann", again());
    assert_eq!(kinds(&first), [EventKind::ProfileChanged]);
    let second = world.act(&own("ann"), "ann", again());
    assert_eq!(kinds(&second), []);
}

#[test]
fn an_update_can_remove_the_number() {
    let mut world = World::new().with_code("ann", ONE);
    let decision = world.act(&own("ann"), "ann", update(PhoneChange::Remove));
    assert_eq!(kinds(&decision), [EventKind::PhoneRemoved]);
    assert_eq!(world.account("ann").phones, []);
}

#[test]
fn removing_no_number_is_refused_and_takes_the_profile_with_it() {
    let mut world = World::new();
    world.does(&service(), "ann", register(None));
    let rename_and_remove = Action::Change(Change::Update {
        profile: rename("Ann"),
        phone: PhoneChange::Remove,
    });
    for action in [
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
        rename_and_remove,
    ] {
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::PhoneNotFound);
    }
}

#[test]
fn remove_takes_the_open_challenge_along() {
    let mut world = World::new().with_code("ann", ONE);
    let code = world.code("ann");
    let decision = world.act(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    assert_eq!(kinds(&decision), [EventKind::PhoneRemoved]);
    let account = world.account("ann");
    assert_eq!((account.primary, account.phones.len()), (None, 0));
    assert_eq!(account.challenges, []);
    assert_eq!(world.fails("ann", &code), CodeFailure::Absent);
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, Refusal::CodeAbsent);
}

#[test]
fn a_verified_number_is_told_that_it_was_replaced_or_removed() {
    let replaced = MessageKind::Replaced;
    let removed = MessageKind::Removed;
    for (action, kind) in [
        (set_by(TWO, RETURN), replaced),
        (update_by(TWO, RETURN), replaced),
        (
            Action::Change(Change::Remove {
                which: Which::Primary,
            }),
            removed,
        ),
        (update(PhoneChange::Remove), removed),
    ] {
        let mut world = World::new().with_verified("ann", ONE);
        let decision = world.act(&service(), "ann", action);
        let [notice] = decision.messages.as_slice() else {
            panic!("must be one notice: {:?}", decision.messages)
        };
        assert_eq!((notice.kind, notice.number.as_str()), (kind, ONE));
        let life = notice.expires_at.since(notice.created_at);
        assert_eq!(life, Duration::from_secs(86_400));
    }
}

#[test]
fn an_unverified_number_is_told_nothing() {
    for action in [
        set_by(TWO, RETURN),
        update_by(TWO, RETURN),
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
        update(PhoneChange::Remove),
    ] {
        let mut world = World::new().with_code("ann", ONE);
        let decision = world.act(&service(), "ann", action);
        assert!(decision.result.is_ok());
        assert_eq!(decision.messages, []);
    }
}

#[test]
fn notices_can_be_switched_off() {
    for action in [
        set_by(TWO, RETURN),
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    ] {
        let mut world = World::new().with_verified("ann", ONE);
        world.policy.notify.old_number = false;
        let decision = world.act(&service(), "ann", action);
        assert!(decision.result.is_ok());
        assert_eq!(decision.messages, []);
    }
}

#[test]
fn a_notice_counts_for_the_number_and_is_nobodys_share() {
    let mut world = World::new();
    world.policy.limits.cool_down_seconds = Vec::new();
    let mut world = world.with_verified("ann", ONE);
    world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    // Three codes are the account's half of five.
    world.does(&own("ann"), "ann", set(ONE));
    world.does(&own("ann"), "ann", resend());
    world.does(&own("ann"), "ann", resend());
    let refusal = world.refuses(&own("ann"), "ann", resend());
    assert_eq!(refusal, limited(Limit::NumberSends, 600));
    // With the notice they are all but the one that is kept.
    let refusal = world.refuses(&own("bob"), "bob", set(ONE));
    assert_eq!(refusal, limited(Limit::Others, 600));
}

#[test]
fn a_notice_goes_out_when_there_is_room_for_it() {
    let mut world = World::new().with_verified("ann", ONE);
    world.policy.limits.sends_per_number[0].count = 1;
    world.does(&own("bob"), "bob", set(ONE));
    world.pass(10);
    let decision = world.act(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    let [notice] = decision.messages.as_slice() else {
        panic!("must be one message: {decision:?}")
    };
    assert_eq!(notice.due_at, world.now + Duration::from_secs(590));
    assert_eq!(
        notice.expires_at,
        notice.due_at + Duration::from_secs(86_400)
    );
    // Its place is taken.
    world.pass(590);
    let refusal = world.refuses(&own("bob"), "bob", resend());
    assert_eq!(refusal, limited(Limit::Others, 600));
}

#[test]
fn a_notice_that_would_come_a_day_late_does_not_go_out() {
    let mut world = World::new().with_verified("ann", ONE);
    world.policy.limits.sends_per_number = vec![crate::limit::Window {
        count: 1,
        seconds: 86_400,
    }];
    world.does(&own("bob"), "bob", set(ONE));
    let decision = world.act(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    assert!(decision.result.is_ok());
    assert_eq!(decision.messages, []);
}

#[test]
fn a_number_that_is_held_besides_becomes_the_primary_one_and_is_held_once() {
    let mut world = World::new().with_verified("ann", ONE);
    let at = world.now;
    world.add_secondary("ann", TWO, PhoneState::Verified { at });
    world.does(&own("ann"), "ann", set(TWO));
    assert_eq!(world.account("ann").phones.len(), 1);
    assert_eq!(world.primary("ann").number.as_str(), TWO);
    assert!(!world.primary("ann").verified());
}

#[test]
fn an_account_holds_no_more_numbers_than_it_may() {
    let mut world = World::new();
    world.does(&service(), "ann", register(None));
    for digit in 0..5 {
        let number = format!("+4179000000{digit}");
        world.add_secondary("ann", &number, PhoneState::Unverified);
    }
    let refusal = world.refuses(&own("ann"), "ann", set(ONE));
    assert_eq!(refusal, Refusal::TooManyNumbers);
    let refusal = world.refuses(&own("ann"), "ann", update_by(ONE, SEND));
    assert_eq!(refusal, Refusal::TooManyNumbers);
    world.does(&own("ann"), "ann", set("+41790000004"));
    world.does(&own("ann"), "ann", set(ONE));
    assert_eq!(world.account("ann").phones.len(), 5);
}

#[test]
fn a_text_that_is_no_number_is_refused_after_the_rights() {
    let mut world = World::new().with_code("ann", ONE);
    let set = |verification| {
        Action::Change(Change::Set(SetPhone {
            number: "+4179".into(),
            verification,
        }))
    };
    let refusal = world.refuses(&own("ann"), "ann", set(SEND));
    assert_eq!(refusal, Refusal::NumberInvalid(NumberError::Length));
    let refusal = world.refuses(&own("ann"), "ann", set(RETURN));
    assert_eq!(refusal, Refusal::PermissionDenied);
    let refusal = world.refuses(&own("bob"), "ann", set(SEND));
    assert_eq!(refusal, Refusal::AccountNotFound);
    let refusal = world.refuses(&own("bob"), "bob", set(SEND));
    assert_eq!(refusal, Refusal::NumberInvalid(NumberError::Length));
}

#[test]
fn messages_are_written_in_the_users_language_then_the_callers() {
    let mut world = World::new();
    let sent = world.act(&own("ann"), "ann", set(ONE));
    assert_eq!(sent.messages[0].language, "de-CH, en;q=0.5");
    world.account_mut("ann").profile.preferred_language = "it".into();
    let sent = world.act(&own("ann"), "ann", set(TWO));
    assert_eq!(sent.messages[0].language, "it,de-CH, en;q=0.5");
}

#[test]
fn a_change_moves_the_change_date_and_not_the_creation_date() {
    let mut world = World::new().with_code("ann", ONE);
    let start = world.now;
    world.pass(5);
    let code = world.code("ann");
    let reply = world.does(&own("ann"), "ann", guess(&code));
    assert_eq!(
        (reply.account.created_at, reply.account.changed_at),
        (start, world.now)
    );
    assert_eq!(world.primary("ann").created_at, start);
    assert_eq!(world.primary("ann").changed_at, world.now);
}

#[test]
fn a_proven_number_is_removed_by_its_own_name_and_told() {
    let mut world = World::new().with_verified("ann", ONE);
    let proven = PhoneState::Verified { at: world.now };
    world.add_secondary("ann", TWO, proven);
    let remove = |number: &str| {
        Action::Change(Change::Remove {
            which: Which::Number(number.into()),
        })
    };
    let decision = world.act(&own("ann"), "ann", remove(TWO));
    assert_eq!(kinds(&decision), [EventKind::PhoneRemoved]);
    assert_eq!(decision.messages[0].kind, MessageKind::Removed);
    assert_eq!(decision.messages[0].number.as_str(), TWO);
    assert_eq!(world.primary("ann").number.as_str(), ONE);
    assert_eq!(
        world.refuses(&own("ann"), "ann", remove(TWO)),
        Refusal::PhoneNotFound
    );
    assert_eq!(
        world.refuses(&own("bob"), "ann", remove(ONE)),
        Refusal::AccountNotFound
    );
    world.does(&own("ann"), "ann", remove(ONE));
    assert_eq!(world.account("ann").primary, None);
    world.add_secondary("ann", ONE, PhoneState::Unverified);
    assert_eq!(
        world.refuses(&own("ann"), "ann", remove(ONE)),
        Refusal::PhoneNotFound
    );
}

#[test]
fn a_service_vouches_for_the_present_unverified_number() {
    let mut world = World::new().with_code("ann", ONE);
    let present = world.primary("ann").id;
    let trusted = || set_by(ONE, Verification::Trusted);
    let refusal = world.refuses(&own("ann"), "ann", trusted());
    assert_eq!(refusal, Refusal::PermissionDenied);
    let decision = world.act(&service(), "ann", trusted());
    assert!(decision.result.is_ok());
    assert_eq!(kinds(&decision), [EventKind::PhoneVerified]);
    assert!(world.primary("ann").verified());
    assert_eq!(world.primary("ann").id, present);
    assert_eq!(world.account("ann").challenges, []);
}
