//! What is asked of users who change something by themselves.

use super::*;
use crate::Id;
use crate::policy::Removal;

/// Ann, with a token that was issued so long ago, with these scopes.
fn ann(world: &World, age: u64, scopes: &[&str]) -> Caller {
    Caller {
        issued_at: Some(Time(world.now.0 - age as i64 * 1_000_000)),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..own("ann")
    }
}

fn remove_number() -> Action {
    Action::Change(Change::Remove {
        which: Which::Number(ONE.into()),
    })
}

/// What users do with a number that they have.
fn changes(world: &World) -> Vec<Action> {
    let phone = world.primary("ann").id;
    vec![
        set(TWO),
        update(PhoneChange::Keep),
        update_by(TWO, SEND),
        update(PhoneChange::Remove),
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
        remove_number(),
        Action::Change(Change::RequestRemoval { phone }),
        Action::Change(Change::MakePrimary { phone }),
    ]
}

fn with_ann(change: impl FnOnce(&mut World)) -> World {
    let mut world = World::unlimited().with_verified("ann", ONE);
    change(&mut world);
    world
}

#[test]
fn a_token_too_old_changes_nothing() {
    let world = with_ann(|world| world.policy.self_service.fresh_token_seconds = 300);
    for action in changes(&world) {
        for caller in [ann(&world, 300, &[]), own("ann")] {
            let refusal = world.clone().refuses(&caller, "ann", action.clone());
            assert_eq!(refusal, Refusal::TokenStale, "{action:?}");
        }
        let young = ann(&world, 299, &[]);
        world.clone().does(&young, "ann", action);
    }
    // Nor does it bring an account into being.
    let mut world = world;
    world.accounts.clear();
    let refusal = world.refuses(&ann(&world, 300, &[]), "ann", set(ONE));
    assert_eq!(refusal, Refusal::TokenStale);
    world.does(&ann(&world, 0, &[]), "ann", set(ONE));
}

#[test]
fn the_scope_is_asked_for() {
    let world = with_ann(|world| world.policy.self_service.required_scope = "phone".into());
    for action in changes(&world) {
        let other = ann(&world, 0, &["phones", "openid"]);
        let refusal = world.clone().refuses(&other, "ann", action.clone());
        assert_eq!(refusal, Refusal::ScopeMissing("phone".into()), "{action:?}");
        let caller = ann(&world, 0, &["openid", "phone"]);
        world.clone().does(&caller, "ann", action);
    }
}

#[test]
fn a_removal_is_confirmed_where_that_is_asked_for() {
    let world = with_ann(|world| world.policy.self_service.removal = Removal::Confirmed);
    for action in [
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
        remove_number(),
        update(PhoneChange::Remove),
    ] {
        let refusal = world.clone().refuses(&own("ann"), "ann", action.clone());
        assert_eq!(refusal, Refusal::RemovalUnconfirmed, "{action:?}");
    }
    let mut world = world;
    let phone = world.primary("ann").id;
    let asked = world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::RequestRemoval { phone }),
    );
    let challenge: Id = asked.challenge.expect("a challenge");
    let code = world.code("ann");
    let confirm = Action::Change(Change::ConfirmRemoval {
        phone,
        challenge,
        guess: Guess(code),
    });
    world.does(&own("ann"), "ann", confirm);
    assert_eq!(world.account("ann").primary, None);
}

#[test]
fn services_are_asked_for_nothing() {
    let world = with_ann(|world| {
        world.policy.self_service.fresh_token_seconds = 1;
        world.policy.self_service.required_scope = "phone".into();
        world.policy.self_service.removal = Removal::Confirmed;
    });
    let writer = own("ann").with_rights(Rights {
        write: true,
        ..Rights::NONE
    });
    let spoken_for = Caller {
        spoken_for: true,
        ..own("ann")
    };
    for action in changes(&world) {
        for caller in [service(), everywhere(), writer.clone(), spoken_for.clone()] {
            world.clone().does(&caller, "ann", action.clone());
        }
    }
}

#[test]
fn strangers_are_told_nothing_of_it() {
    let mut world = with_ann(|world| world.policy.self_service.fresh_token_seconds = 300);
    for action in changes(&world) {
        for user in ["ann", "nobody"] {
            let refusal = world.refuses(&own("bob"), user, action.clone());
            assert_eq!(refusal, Refusal::AccountNotFound);
        }
    }
}
