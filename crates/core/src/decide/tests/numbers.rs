//! Several numbers: added, asked beforehand, changed and made primary.

mod answers;
mod changes;
mod kinds;
mod opt_outs;
mod removal;
mod rules;
mod test_numbers;

use super::*;
use crate::Id;
use crate::account::Pending;
use crate::challenge::Purpose;
use crate::command::Which;
use crate::event::MessageKind;
use crate::limit::Window;
use crate::number::NumberError;

const THREE: &str = "+41791234569";
const JOINS: PhoneState = PhoneState::Pending(Pending::Joins);
const REPLACES: PhoneState = PhoneState::Pending(Pending::Replaces);

fn add(number: &str) -> Action {
    add_by(number, SEND)
}

fn add_by(number: &str, verification: impl Into<Option<Verification>>) -> Action {
    Action::Change(Change::Add {
        number: number.into(),
        verification: verification.into(),
    })
}

fn preverify(number: &str) -> Action {
    let number = number.into();
    Action::Change(Change::Preverify { number })
}

fn change(number: &str) -> Action {
    let number = number.into();
    Action::Change(Change::Replace { number })
}

fn confirm(which: Which, code: &str) -> Action {
    let code = code.into();
    Action::Change(Change::Verify {
        which,
        guess: Guess(code),
    })
}

fn of(number: &str) -> Which {
    Which::Number(number.into())
}

/// Number `n` of many.
fn filler(n: usize) -> String {
    format!("+4179000000{n}")
}

impl World {
    fn find_held(&self, user: &str, number: &str) -> Option<&Phone> {
        let mut phones = self.account(user).phones.iter();
        phones.find(|phone| phone.number.as_str() == number)
    }

    fn phone_of(&self, user: &str, number: &str) -> &Phone {
        self.find_held(user, number).expect("must be held")
    }

    fn state(&self, user: &str, number: &str) -> Option<PhoneState> {
        self.find_held(user, number).map(|phone| phone.state)
    }

    fn primary_is(&self, user: &str, number: &str) -> bool {
        self.primary(user).number.as_str() == number
    }

    /// The challenge about a number that an answer verifies, or removes.
    fn challenge_about(&self, user: &str, number: &str, purpose: Purpose) -> &Challenge {
        let phone = self.phone_of(user, number).id;
        let mut challenges = self.account(user).challenges.iter();
        challenges
            .find(|challenge| challenge.phone == phone && challenge.purpose == purpose)
            .expect("must be asked")
    }

    fn code_for(&self, user: &str, number: &str, purpose: Purpose) -> String {
        let code = self.challenge_about(user, number, purpose).code(&self.keys);
        code.expect("its key must be there").reveal().to_owned()
    }

    /// The user submits the right code for a number.
    fn proves(&mut self, user: &str, number: &str) -> Decision {
        let code = self.code_for(user, number, Purpose::Verify);
        let decision = self.act(&own(user), user, confirm(of(number), &code));
        assert!(decision.result.is_ok(), "{decision:?}");
        assert!(self.phone_of(user, number).verified());
        decision
    }

    /// Does what must be refused as a wrong code, and leave every number and every other account as it was.
    fn misses(&mut self, user: &str, action: Action) -> CodeFailure {
        let before = self.accounts.clone();
        let decision = self.act(&own(user), user, action);
        let Err(Refusal::CodeRefused(failure)) = decision.result else {
            panic!("must be a refused code: {decision:?}")
        };
        assert_eq!(decision.messages, []);
        for (id, before) in before {
            let after = self.account(&id);
            assert_eq!(after.phones, before.phones);
            assert_eq!(after.primary, before.primary);
            assert!(id == user || *after == before);
        }
        failure
    }

    /// A user with `count` verified numbers, the first of them primary.
    fn with_fillers(mut self, user: &str, count: usize) -> World {
        self.does(&service(), user, register(None));
        for n in 0..count {
            let trusted = add_by(&filler(n), Verification::Trusted);
            self.does(&service(), user, trusted);
        }
        self
    }

    /// A user whose verified number ONE is to be replaced by TWO.
    fn announced() -> World {
        let mut world = World::unlimited().with_verified("ann", ONE);
        world.does(&own("ann"), "ann", change(TWO));
        assert_eq!(world.state("ann", TWO), Some(REPLACES));
        world
    }
}

#[test]
fn the_first_number_becomes_primary_and_later_ones_do_not() {
    let mut world = World::unlimited();
    let first = world.act(&own("ann"), "ann", add(ONE));
    assert_eq!(
        kinds(&first),
        [
            EventKind::Registered,
            EventKind::PhoneAdded,
            EventKind::CodeSent
        ]
    );
    let second = world.act(&own("ann"), "ann", add(TWO));
    assert_eq!(kinds(&second), [EventKind::PhoneAdded, EventKind::CodeSent]);
    assert_eq!(world.account("ann").phones.len(), 2);
    assert!(world.primary_is("ann", ONE));
    world.proves("ann", TWO);
    assert!(world.primary_is("ann", ONE));
    for (decision, number) in [(first, ONE), (second, TWO)] {
        let reply = decision.result.expect("must succeed");
        assert_eq!(reply.phone, Some(world.phone_of("ann", number).id));
        let [message] = decision.messages.as_slice() else {
            panic!("must be one message: {:?}", decision.messages)
        };
        let challenge = reply.challenge.expect("must be asked");
        assert_eq!(message.kind, MessageKind::Code { challenge });
        assert_eq!(message.number.as_str(), number);
    }
}

#[test]
fn a_number_is_added_asked_by_message_by_reply_trusted_or_later() {
    let at = World::new().now;
    let verified = PhoneState::Verified { at };
    for (verification, event, state) in [
        (
            Some(SEND),
            Some(EventKind::CodeSent),
            PhoneState::Unverified,
        ),
        (
            Some(RETURN),
            Some(EventKind::CodeReturned),
            PhoneState::Unverified,
        ),
        (
            Some(Verification::Trusted),
            Some(EventKind::PhoneVerified),
            verified,
        ),
        (None, None, PhoneState::Unverified),
    ] {
        let mut world = World::new().with_verified("ann", ONE);
        let decision = world.act(&service(), "ann", add_by(TWO, verification));
        let added = std::iter::once(EventKind::PhoneAdded).chain(event);
        assert_eq!(kinds(&decision), added.collect::<Vec<_>>());
        assert_eq!(world.state("ann", TWO), Some(state));
        assert_eq!(world.state("ann", ONE), Some(verified));
        let sent = usize::from(verification == Some(SEND));
        assert_eq!(decision.messages.len(), sent);
        let reply = decision.result.expect("must succeed");
        assert_eq!(reply.phone, Some(world.phone_of("ann", TWO).id));
        let asks = matches!(verification, Some(Verification::Code(_)));
        assert_eq!(reply.challenge.is_some(), asks);
        let code = (verification == Some(RETURN)).then(|| world.code("ann"));
        assert_eq!(reply.code.map(|code| code.reveal().to_owned()), code);
        assert_eq!(world.account("ann").challenges.len(), usize::from(asks));
    }
}

#[test]
fn no_user_has_the_code_of_an_added_number_returned_or_is_trusted() {
    let mut world = World::new().with_verified("ann", ONE);
    world.does(&own("ann"), "ann", preverify(THREE));
    for verification in [RETURN, Verification::Trusted] {
        for number in [ONE, TWO, THREE] {
            for user in ["ann", "new"] {
                let refusal = world.refuses(&own(user), user, add_by(number, verification));
                assert_eq!(refusal, Refusal::PermissionDenied);
            }
        }
    }
    assert!(!world.accounts.contains_key("new"));
}

#[test]
fn a_verified_number_is_not_added_again() {
    let mut world = World::new().with_verified("ann", ONE);
    for verification in [Some(SEND), Some(RETURN), Some(Verification::Trusted), None] {
        let refusal = world.refuses(&service(), "ann", add_by(ONE, verification));
        assert_eq!(refusal, Refusal::PhoneUnchanged);
    }
}

#[test]
fn an_unverified_number_added_again_has_its_code_repeated() {
    let mut world = World::unlimited();
    let first = world.does(&own("ann"), "ann", add(ONE));
    let decision = world.act(&own("ann"), "ann", add(ONE));
    assert_eq!(kinds(&decision), [EventKind::CodeSent]);
    let again = decision.result.expect("must succeed");
    assert_eq!(
        (again.phone, again.challenge),
        (first.phone, first.challenge)
    );
    let returned = world.does(&service(), "ann", add_by(ONE, RETURN));
    let code = returned.code.expect("must be returned");
    assert_eq!(code.reveal(), world.code("ann"));
    let decision = world.act(&own("ann"), "ann", add_by(ONE, None));
    assert_eq!((kinds(&decision), decision.messages), (vec![], vec![]));
    let trusted = world.act(&service(), "ann", add_by(ONE, Verification::Trusted));
    assert_eq!(kinds(&trusted), [EventKind::PhoneVerified]);
    assert_eq!(world.account("ann").phones.len(), 1);
    assert_eq!(world.account("ann").challenges, []);
}

#[test]
fn a_pending_number_that_is_added_is_the_accounts() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    for ask in [preverify(TWO), change(TWO)] {
        let mut world = world.clone();
        world.does(&own("ann"), "ann", ask);
        let challenge = world.challenge_about("ann", TWO, Purpose::Verify).clone();
        let decision = world.act(&own("ann"), "ann", add_by(TWO, None));
        assert_eq!(kinds(&decision), [EventKind::PhoneAdded]);
        assert_eq!(world.state("ann", TWO), Some(PhoneState::Unverified));
        assert_eq!(
            *world.challenge_about("ann", TWO, Purpose::Verify),
            challenge
        );
        world.proves("ann", TWO);
        assert!(world.primary_is("ann", ONE));
    }
    world.does(
        &service(),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    world.does(&own("ann"), "ann", preverify(TWO));
    world.does(&own("ann"), "ann", add(TWO));
    assert!(world.primary_is("ann", TWO));
}

#[test]
fn an_account_has_room_for_so_many_numbers() {
    let mut world = World::unlimited().with_fillers("ann", 4);
    world.does(&own("ann"), "ann", add(ONE));
    for action in [add(TWO), add_by(TWO, None), preverify(TWO)] {
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::TooManyNumbers);
    }
    let refusal = world.refuses(&service(), "ann", add_by(TWO, Verification::Trusted));
    assert_eq!(refusal, Refusal::TooManyNumbers);
    // What is there already needs no more room.
    world.does(&own("ann"), "ann", add(ONE));
    world.does(&own("ann"), "ann", preverify(ONE));
}

#[test]
fn a_number_that_waits_to_join_takes_room() {
    let mut world = World::unlimited().with_fillers("ann", 4);
    world.does(&own("ann"), "ann", preverify(ONE));
    for action in [add(TWO), preverify(TWO)] {
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::TooManyNumbers);
    }
    world.does(&own("ann"), "ann", preverify(ONE));
    world.does(&own("ann"), "ann", add_by(ONE, None));
}

#[test]
fn the_next_number_takes_no_room_until_it_is_to_stay_beside_the_others() {
    let mut world = World::unlimited().with_fillers("ann", 5);
    world.does(&own("ann"), "ann", change(ONE));
    for action in [add(ONE), add_by(ONE, None), preverify(ONE)] {
        let refusal = world.refuses(&own("ann"), "ann", action);
        assert_eq!(refusal, Refusal::TooManyNumbers);
    }
    world.proves("ann", ONE);
    assert_eq!(world.account("ann").phones.len(), 5);
    assert_eq!(world.find_held("ann", &filler(0)), None);
}

#[test]
fn the_room_of_a_number_that_can_no_longer_be_proven_is_taken_only_once() {
    for takes in [add(TWO), add_by(TWO, None), preverify(TWO)] {
        let mut world = World::unlimited().with_fillers("ann", 4);
        world.does(&own("ann"), "ann", preverify(ONE));
        world.pass(300);
        world.does(&own("ann"), "ann", change(TWO));
        world.pass(300);
        world.does(&own("ann"), "ann", takes);
        assert_eq!(world.account("ann").phones.len(), 5);
        let refusal = world.refuses(&own("ann"), "ann", preverify(ONE));
        assert_eq!(refusal, Refusal::TooManyNumbers);
    }
}

#[test]
fn a_number_asked_beforehand_joins_once_it_is_proven() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    let decision = world.act(&own("ann"), "ann", preverify(TWO));
    assert_eq!(
        kinds(&decision),
        [EventKind::PhonePending, EventKind::CodeSent]
    );
    let [message] = decision.messages.as_slice() else {
        panic!("must be one message: {:?}", decision.messages)
    };
    assert_eq!(message.number.as_str(), TWO);
    let reply = decision.result.expect("must succeed");
    assert_eq!(reply.challenge, Some(world.challenge("ann").id));
    assert_eq!(world.state("ann", TWO), Some(JOINS));
    let decision = world.proves("ann", TWO);
    assert_eq!(kinds(&decision), [EventKind::PhoneVerified]);
    assert_eq!(decision.messages, []);
    assert!(world.primary_is("ann", ONE));
    assert_eq!(world.account("ann").challenges, []);
}

#[test]
fn a_number_asked_beforehand_becomes_primary_where_there_is_none() {
    let mut world = World::unlimited();
    let decision = world.act(&own("ann"), "ann", preverify(ONE));
    assert_eq!(
        kinds(&decision),
        [
            EventKind::Registered,
            EventKind::PhonePending,
            EventKind::CodeSent
        ]
    );
    assert_eq!(world.account("ann").primary, None);
    let refusal = world.refuses(
        &own("ann"),
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    );
    assert_eq!(refusal, Refusal::PhoneNotFound);
    world.proves("ann", ONE);
    assert!(world.primary_is("ann", ONE));
}

#[test]
fn asked_again_beforehand_a_number_has_its_code_repeated_and_stays_what_it_is() {
    for (first, state) in [(add(ONE), PhoneState::Unverified), (preverify(ONE), JOINS)] {
        let mut world = World::unlimited();
        let first = world.does(&own("ann"), "ann", first);
        let primary = world.account("ann").primary;
        let decision = world.act(&own("ann"), "ann", preverify(ONE));
        assert_eq!(kinds(&decision), [EventKind::CodeSent]);
        let again = decision.result.expect("must succeed");
        assert_eq!(again.challenge, first.challenge);
        assert_eq!(world.state("ann", ONE), Some(state));
        assert_eq!(world.account("ann").primary, primary);
    }
}

#[test]
fn a_verified_number_is_not_asked_beforehand() {
    let mut world = World::new().with_verified("ann", ONE);
    let refusal = world.refuses(&own("ann"), "ann", preverify(ONE));
    assert_eq!(refusal, Refusal::PhoneUnchanged);
}

#[test]
fn a_pending_number_that_was_never_proven_is_forgotten() {
    let mut world = World::unlimited().with_fillers("ann", 4);
    world.does(&own("ann"), "ann", preverify(ONE));
    let end = world
        .challenge_about("ann", ONE, Purpose::Verify)
        .expires_at;
    // Asking to remove it does not keep it.
    world.pass(300);
    let phone = world.phone_of("ann", ONE).id;
    world.does(
        &own("ann"),
        "ann",
        Action::Change(Change::RequestRemoval { phone }),
    );
    world.now = end - MICROSECOND;
    let refusal = world.refuses(&own("ann"), "ann", add(TWO));
    assert_eq!(refusal, Refusal::TooManyNumbers);
    world.now = end;
    world.does(&own("ann"), "ann", add(TWO));
    assert_eq!(world.find_held("ann", ONE), None);
    let challenges = &world.account("ann").challenges;
    assert!(challenges.iter().all(|challenge| challenge.phone != phone));
    assert_eq!(world.account("ann").phones.len(), 5);
}

#[test]
fn an_unverified_number_is_never_forgotten() {
    let mut world = World::unlimited();
    world.does(&own("ann"), "ann", add(ONE));
    world.does(&own("ann"), "ann", add(TWO));
    world.pass(86_400);
    world.does(&own("ann"), "ann", add(THREE));
    assert_eq!(world.account("ann").phones.len(), 3);
}

#[test]
fn a_pending_number_asked_again_after_its_time_waits_anew() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    let first = world.does(&own("ann"), "ann", preverify(TWO));
    world.pass(600);
    let again = world.does(&own("ann"), "ann", preverify(TWO));
    assert_eq!(again.phone, first.phone);
    assert_ne!(again.challenge, first.challenge);
    world.does(&own("ann"), "ann", add(THREE));
    world.proves("ann", TWO);
}

#[test]
fn only_a_proven_number_is_made_primary() {
    let mut world = World::announced();
    world.does(&own("ann"), "ann", add(THREE));
    for number in [TWO, THREE] {
        let phone = world.phone_of("ann", number).id;
        for caller in [own("ann"), service()] {
            let refusal = world.refuses(
                &caller,
                "ann",
                Action::Change(Change::MakePrimary { phone }),
            );
            assert_eq!(refusal, Refusal::PhoneUnverified);
        }
    }
    let phone = world.name_of_nothing();
    let refusal = world.refuses(
        &own("ann"),
        "ann",
        Action::Change(Change::MakePrimary { phone }),
    );
    assert_eq!(refusal, Refusal::PhoneNotFound);
}

#[test]
fn another_number_is_made_primary_once() {
    let mut world = World::unlimited().with_verified("ann", ONE);
    world.does(&service(), "ann", add_by(TWO, Verification::Trusted));
    let phone = world.phone_of("ann", TWO).id;
    let decision = world.act(
        &own("ann"),
        "ann",
        Action::Change(Change::MakePrimary { phone }),
    );
    assert_eq!(kinds(&decision), [EventKind::PrimaryChanged]);
    assert_eq!(decision.messages, []);
    assert!(world.primary_is("ann", TWO));
    assert!(world.phone_of("ann", ONE).verified());
    let before = world.account("ann").clone();
    let decision = world.act(
        &own("ann"),
        "ann",
        Action::Change(Change::MakePrimary { phone }),
    );
    assert_eq!(decision.result.map(|reply| reply.phone), Ok(Some(phone)));
    assert_eq!(decision.events, []);
    assert_eq!(*world.account("ann"), before);
}

impl World {
    /// A name that nothing has.
    fn name_of_nothing(&self) -> Id {
        Id::parse("00000000-0000-7000-8000-00000000ffff").expect("is an id")
    }
}
