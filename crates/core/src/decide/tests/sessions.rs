//! What a session lets its bearer do, until when, and how often.

use super::*;
use crate::session::{NewSession, Session};
use crate::{Id, PhoneState};

const LIFE: u64 = 1_800;

fn open(number: Option<&str>) -> Action {
    Action::Change(Change::OpenSession(NewSession {
        number: number.map(Into::into),
        return_url: String::new(),
        language: String::new(),
        life: Duration::from_secs(LIFE),
    }))
}

/// A service opens a session for Ann, and this is who comes with it.
fn opened(world: &mut World, number: Option<&str>) -> Caller {
    let reply = world.does(&service(), "ann", open(number));
    let session = reply.account.limits.sessions.last().expect("must be open");
    bearer("ann", session)
}

fn bearer(user: &str, session: &Session) -> Caller {
    Caller {
        session: Some(session.id),
        ..own(user)
    }
}

fn replace(number: &str) -> Action {
    Action::Change(Change::Replace {
        number: number.into(),
    })
}

fn resend_next() -> Action {
    Action::Change(Change::Resend {
        which: Which::Next,
        delivery: Delivery::Send,
    })
}

fn take() -> Action {
    Action::Change(Change::TakeSession)
}

fn verify(world: &World) -> Action {
    let challenge = world.challenge("ann").id;
    Action::Change(Change::Verify {
        which: Which::Challenge(challenge),
        guess: Guess(world.code("ann")),
    })
}

#[test]
fn a_session_sets_resends_and_verifies_and_then_is_over() {
    for set in [set(TWO), replace(TWO)] {
        let mut world = World::unlimited();
        let ann = opened(&mut world, None);
        world.does(&ann, "ann", set.clone());
        world.does(&ann, "ann", resend_next());
        let right = verify(&world);
        world.does(&ann, "ann", right);
        assert!(world.primary("ann").verified());
        let proven = world.primary("ann").id;
        assert_eq!(world.account("ann").limits.sessions[0].proven, Some(proven));
        for action in [set, replace(ONE), resend_next(), take_guess()] {
            let refusal = world.refuses(&ann, "ann", action.clone());
            assert_eq!(refusal, Refusal::TokenInvalid, "{action:?}");
        }
    }
}

fn take_guess() -> Action {
    guess("000000")
}

#[test]
fn a_session_does_nothing_else() {
    let mut world = World::unlimited().with_code("ann", ONE);
    let phone = world.primary("ann").id;
    let ann = opened(&mut world, None);
    let change = |change| Action::Change(change);
    for action in [
        set_by(TWO, RETURN),
        set_by(TWO, Verification::Trusted),
        set_by(ONE, Verification::Trusted),
        resend_returned(),
        update(PhoneChange::Keep),
        update(PhoneChange::Remove),
        update_by(TWO, SEND),
        change(Change::Update {
            profile: rename("mallory"),
            phone: PhoneChange::Keep,
        }),
        change(Change::Add {
            number: TWO.into(),
            verification: Some(SEND),
        }),
        change(Change::Preverify { number: TWO.into() }),
        change(Change::RequestRemoval { phone }),
        change(Change::ConfirmRemoval {
            phone,
            challenge: phone,
            guess: Guess("000000".into()),
        }),
        change(Change::Remove {
            which: Which::Primary,
        }),
        change(Change::MakePrimary { phone }),
        change(Change::Unlock),
        open(None),
        register(None),
        Action::Delete,
    ] {
        let refusal = world.refuses(&ann, "ann", action.clone());
        assert_eq!(refusal, Refusal::PermissionDenied, "{action:?}");
    }
    // Not even what it may, to somebody else, wherever that is.
    let mut world = world.with_code("bob", TWO);
    for (caller, user) in [
        (ann.clone(), "bob"),
        (ann.clone(), "nobody"),
        (elsewhere(ann.clone()), "ann"),
    ] {
        for action in [resend_next(), set(TWO), take(), take_guess()] {
            let refusal = world.refuses(&caller, user, action.clone());
            assert_eq!(refusal, Refusal::AccountNotFound, "{user} {action:?}");
        }
    }
    assert_eq!(ann.scope(None), Err(Refusal::PermissionDenied));
    assert!(crate::view(&ann, "ann", vec![world.account("ann").clone()]).is_err());
}

#[test]
fn the_tables_last_column() {
    use crate::rights::Call;
    let ann = Caller {
        session: Some(Id::from_bytes([1; 16])),
        ..own("ann").with_rights(Rights::ALL)
    };
    let all: Vec<Call> = Call::ALL
        .into_iter()
        .filter(|call| ann.capacity("ann", "acme", *call).is_ok())
        .collect();
    // Rights that such a token claimed would be of no use either.
    assert_eq!(
        all,
        [
            Call::SendCode,
            Call::SubmitCode,
            Call::ReadProof,
            Call::TakeSession
        ]
    );
}

#[test]
fn a_session_for_a_number_is_for_no_other() {
    let mut world = World::unlimited().with_code("ann", TWO);
    let ann = opened(&mut world, Some("+41 79 123 45 67"));
    for action in [
        set(TWO),
        replace(TWO),
        resend_next(),
        guess(&world.code("ann")),
    ] {
        let refusal = world.refuses(&ann, "ann", action.clone());
        assert_eq!(refusal, Refusal::PermissionDenied, "{action:?}");
    }
    // Where numbers are not to be read, it is not.
    let session = &world.account("ann").limits.sessions[0];
    let kept = serde_json::to_string(session).expect("JSON");
    assert!(!kept.contains("791234567"), "{kept}");
    let only = session.number(&world.keys);
    assert_eq!(only, Some(Number::from_stored(ONE)));
    world.does(&ann, "ann", replace(ONE));
    let right = verify(&world);
    world.does(&ann, "ann", right);
    assert!(world.primary("ann").verified());
    let refusal = world.act(&service(), "ann", open(Some("no number"))).result;
    assert!(matches!(refusal, Err(Refusal::NumberInvalid(_))));
}

#[test]
fn a_number_that_is_proven_already_ends_a_session() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    let ann = opened(&mut world, None);
    world.does(&ann, "ann", replace(ONE));
    assert_eq!(
        world.refuses(&ann, "ann", replace(TWO)),
        Refusal::TokenInvalid
    );
    // The proven number stays until the new one is proven.
    let ann = opened(&mut world, None);
    world.does(&ann, "ann", replace(TWO));
    assert_eq!(world.primary("ann").number.as_str(), ONE);
    let right = verify(&world);
    world.does(&ann, "ann", right);
    assert_eq!(world.primary("ann").number.as_str(), TWO);
}

#[test]
fn a_session_ends_and_no_other_ends_it() {
    let mut world = World::unlimited();
    let (first, second) = (opened(&mut world, None), opened(&mut world, None));
    world.does(&first, "ann", set(ONE));
    let right = verify(&world);
    world.does(&first, "ann", right);
    world.does(&second, "ann", replace(TWO));
    world.pass(LIFE);
    for caller in [&first, &second] {
        let refusal = world.refuses(caller, "ann", replace(TWO));
        assert_eq!(refusal, Refusal::TokenInvalid);
    }
    // One that was never opened, or of an account that is gone.
    let forged = Caller {
        session: Some(Id::from_bytes([7; 16])),
        ..own("ann")
    };
    assert_eq!(
        world.refuses(&forged, "ann", set(TWO)),
        Refusal::TokenInvalid
    );
    let ann = opened(&mut world, None);
    world.does(&everywhere(), "ann", Action::Delete);
    assert_eq!(
        world.refuses(&ann, "ann", set(ONE)),
        Refusal::AccountNotFound
    );
}

#[test]
fn a_few_sessions_are_remembered() {
    let mut world = World::unlimited();
    let all: Vec<Caller> = (0..6).map(|_| opened(&mut world, None)).collect();
    assert_eq!(world.account("ann").limits.sessions.len(), 5);
    assert_eq!(
        world.refuses(&all[0], "ann", set(ONE)),
        Refusal::TokenInvalid
    );
    world.does(&all[1], "ann", set(ONE));
    world.pass(LIFE);
    opened(&mut world, None);
    assert_eq!(world.account("ann").limits.sessions.len(), 1);
}

#[test]
fn a_handle_is_taken_once() {
    let mut world = World::unlimited();
    let ann = opened(&mut world, None);
    world.does(&ann, "ann", take());
    assert_eq!(world.refuses(&ann, "ann", take()), Refusal::TokenInvalid);
    world.does(&ann, "ann", set(ONE));
    let late = opened(&mut world, None);
    world.pass(LIFE);
    assert_eq!(world.refuses(&late, "ann", take()), Refusal::TokenInvalid);
    assert_eq!(
        world.refuses(&own("ann"), "ann", take()),
        Refusal::PermissionDenied
    );
}

#[test]
fn only_services_open_sessions_and_register_whom_they_speak_of() {
    let mut world = World::unlimited();
    for caller in [own("ann"), own("bob"), elsewhere(own("ann"))] {
        for user in ["ann", "nobody"] {
            let refusal = world.refuses(&caller, user, open(None));
            let denied = [Refusal::PermissionDenied, Refusal::AccountNotFound];
            assert!(denied.contains(&refusal), "{user} {refusal:?}");
        }
    }
    assert!(world.accounts.is_empty());
    opened(&mut world, None);
    assert!(world.account("ann").phones.is_empty());
    world.policy.accounts.register = crate::policy::Registration::Explicit;
    let refusal = world.refuses(&service(), "bob", open(None));
    assert_eq!(refusal, Refusal::AccountNotFound);
}

#[test]
fn what_is_asked_of_tokens_is_not_asked_of_sessions_but_limits_are() {
    let mut world = World::new();
    world.policy.self_service.fresh_token_seconds = 60;
    world.policy.self_service.required_scope = "phone".into();
    let ann = opened(&mut world, None);
    world.does(&ann, "ann", set(ONE));
    let refusal = world.refuses(&ann, "ann", resend_next());
    assert_eq!(refusal, limited(Limit::CoolDown, 60));
}

#[test]
fn the_proof_is_told_step_by_step() {
    let mut world = World::new();
    let ann = opened(&mut world, None);
    let proof = |world: &World, caller: &Caller| {
        let account = world.account("ann");
        account.proof(caller, &world.policy, &world.keys, world.now)
    };
    let none = proof(&world, &ann).expect("must be told");
    assert_eq!((none.open, none.proven), (None, None));
    world.does(&ann, "ann", set(ONE));
    let asked = proof(&world, &ann).expect("must be told");
    let code = asked.open.expect("must be open");
    assert_eq!(code.challenge, world.challenge("ann").id);
    assert_eq!(asked.resend_after, Duration::from_secs(60));
    assert_eq!(
        proof(&world, &own("ann")).expect("must be told").open,
        Some(code)
    );
    let right = verify(&world);
    world.does(&ann, "ann", right);
    let done = proof(&world, &ann).expect("must be told");
    assert_eq!(
        (done.open, done.proven),
        (None, Some(world.primary("ann").id))
    );
    assert!(matches!(
        world.primary("ann").state,
        PhoneState::Verified { .. }
    ));
    // Another session is for another proof, although the number is proven.
    let second = opened(&mut world, None);
    assert_eq!(proof(&world, &second).expect("must be told").proven, None);
    world.pass(LIFE);
    assert_eq!(proof(&world, &ann), Err(Refusal::TokenInvalid));
}
