//! A user is forgotten, and nothing of it is left in any byte.

use std::time::Duration;

use ringback_core::delivery::{Attempt, NumberFault, RouteFault, State, Verdict};
use ringback_core::rights::Rights;
use ringback_core::{
    Caller, Change, Delivery, Guess, Number, Profile, Refusal, Time, Verification, Which,
};
use ringback_store::{Settled, Settlement, Store};

use crate::requests::*;
use crate::world::World;

on_both!(
    no_byte_tells_of_who_was_erased,
    what_others_have_stays,
    erasing_again_looks_again,
    only_who_may_delete_erases,
    all_that_is_kept_is_shown,
);

const LEASE: Duration = Duration::from_secs(30);
/// Names that stand nowhere else.
const USER: &str = "usr-qx7vkz";
const NAMES: [&str; 6] = [
    "Qvarnlund",
    "Zebedaia",
    "qvx-nick",
    "Zebedaia Q.",
    "qvx-login",
    "qvx@example.org",
];
const NUMBERS: [&str; 3] = ["+41781553311", "+41781553322", "+41781553333"];

fn numbers() -> [Number; 3] {
    NUMBERS.map(Number::from_stored)
}

fn profile() -> Profile {
    let [family, given, nick, display, username, email] = NAMES.map(str::to_owned);
    Profile {
        username,
        given_name: given,
        family_name: family,
        nick_name: nick,
        display_name: display,
        email,
        ..Profile::default()
    }
}

/// All that tells of the user: id, names, and numbers as they are written in their country, too.
fn traces() -> Vec<String> {
    let names = NAMES
        .map(str::to_owned)
        .into_iter()
        .chain([USER.to_owned()]);
    let numbers = NUMBERS.iter().flat_map(|number| {
        [
            number.trim_start_matches("+41").to_owned(),
            Number::from_stored(*number).masked(),
        ]
    });
    names.chain(numbers).collect()
}

fn found(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// How many events there are of which this is true, on record or about to be.
async fn on_record(world: &World, condition: &str) -> usize {
    let mut all = 0;
    for table in ["events", "journal"] {
        all += world
            .database
            .count(&format!("{table} WHERE {condition}"))
            .await;
    }
    all
}

/// Fails with what stands around a trace.
#[track_caller]
fn holds_none(bytes: &[u8]) {
    for trace in traces() {
        let length = trace.len();
        let mut windows = bytes.windows(length);
        if let Some(at) = windows.position(|window| window == trace.as_bytes()) {
            let around = &bytes[at.saturating_sub(200)..(at + 200).min(bytes.len())];
            let around = String::from_utf8_lossy(around).into_owned();
            panic!("{trace} is left at {at} of {}: {around:?}", bytes.len());
        }
    }
}

/// Settles what waits for a route.
async fn settle(store: &Store, verdict: Verdict, outcome: fn(Time) -> Settled) {
    for claimed in store.claim("a", 10, LEASE).await.expect("must claim") {
        let mut trail = claimed.trail;
        trail.add(Attempt {
            n: claimed.attempt,
            route: "a".into(),
            at: store.now(),
            ms: 1,
            times: 1,
            verdict,
            reason: "because".into(),
            reference: Some("ref-1".into()),
            handed: false,
            segments: 1,
            cost: 0,
        });
        let settlement = Settlement {
            message: claimed.message,
            attempt: claimed.attempt,
            trail,
            outcome: outcome(store.now()),
            country: None,
        };
        store.settle(&[settlement]).await.expect("must settle");
    }
}

/// Traces of every sort.
async fn plant(world: &World, store: &Store) {
    let [one, two, three] = numbers();
    let user = own(USER);
    does(
        store,
        USER,
        register(profile(), Some(set_phone(&one, SEND))),
    )
    .await;
    // Sent, and wrong guesses.
    settle(store, Verdict::Taken, |_| Settled::Ended(State::Handed)).await;
    let refused = act(store, &user, USER, guess("000000")).await;
    assert!(refused.is_err());
    let resend = Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Return,
    };
    let code = does(store, USER, resend.into()).await.code;
    let code = code.expect("a code").reveal().to_owned();
    act(store, &user, USER, guess(&code))
        .await
        .expect("must verify");
    // Some of it is on record by now, the rest waits.
    store.sequence().await.expect("must put on record");
    // A second number, whose message fails for good, and a third that is removed.
    let add = |number: &Number, verification| {
        Change::Add {
            number: number.as_str().into(),
            verification: Some(verification),
        }
        .into()
    };
    does(store, USER, add(&two, SEND)).await;
    let never = Verdict::Never {
        fault: NumberFault::Invalid,
    };
    settle(store, never, |_| Settled::Ended(State::Refused)).await;
    does(store, USER, add(&three, Verification::Trusted)).await;
    let which = Which::Number(three.as_str().into());
    does(store, USER, Change::Remove { which }.into()).await;
    // The notice of the removal is tried and waits; a code is not taken up at all.
    let unable = Verdict::Unable {
        fault: RouteFault::Auth,
    };
    settle(store, unable, |at| Settled::Waits {
        route: "a".into(),
        at,
    })
    .await;
    world.pass(120);
    let resend = Change::Resend {
        which: Which::Number(two.as_str().into()),
        delivery: Delivery::Send,
    };
    does(store, USER, resend.into()).await;
    let verify = Change::Verify {
        which: Which::Number(two.as_str().into()),
        guess: Guess("000000".into()),
    };
    assert!(act(store, &user, USER, verify.into()).await.is_err());
    store.opted_out(&two, "b").await.expect("must note");
    // What the user did to another account.
    let manager = user.with_rights(Rights::ALL);
    does(store, "bob", named("bob")).await;
    act(store, &manager, "bob", rename("bobby"))
        .await
        .expect("must rename");
}

async fn no_byte_tells_of_who_was_erased(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    for n in 0..200 {
        does(
            &store,
            &format!("user {n}"),
            register(Profile::default(), Some(set_phone(&number(n), SEND))),
        )
        .await;
    }
    plant(world, &store).await;
    let before = world.database.bytes();
    for trace in traces() {
        assert!(found(&before, &trace), "{trace} is not planted");
    }
    assert_eq!(
        world
            .database
            .count("messages WHERE number_pseudonym IS NULL AND due_at IS NULL")
            .await,
        0
    );
    let erased = store
        .erase(&service(), USER, None)
        .await
        .expect("must erase");
    assert!(erased.was_there);
    assert_eq!(
        (erased.organization.as_str(), erased.at),
        ("acme", world.now())
    );
    holds_none(&world.database.bytes());
    let keys = &world.rules.keys;
    for number in numbers() {
        let rows = format!("budgets WHERE pseudonym = '{}'", keys.pseudonym(&number));
        assert_eq!(world.database.count(&rows).await, 0);
    }
    // What is on record stays, and so does the opt-out of its number.
    let record = "user_id LIKE 'erased-%'";
    assert!(on_record(world, record).await > 8);
    let one = format!("{record} AND kind = 'account.erased' AND actor = 'service'");
    assert_eq!(on_record(world, &one).await, 1);
    let own = format!("{record} AND actor = user_id");
    assert!(
        on_record(world, &own).await > 0,
        "the same name for who did it"
    );
    for _ in 0..10 {
        store.sequence().await.expect("must put on record");
    }
    let verified = store.verify_events().await.expect("must verify");
    assert!(verified.wrong.is_none(), "{:?}", verified.wrong);
    assert_eq!(
        on_record(world, "user_id = 'bob' AND actor LIKE 'erased-%'").await,
        1
    );
    assert_eq!(world.database.count("opt_outs").await, 1);
    assert_eq!(world.database.count("deleted_accounts").await, 1);
    // A token from before does not bring the user back.
    let old = Caller {
        issued_at: Some(world.now()),
        ..own_of(USER)
    };
    world.pass(1);
    let set = act(&store, &old, USER, set(&number(900), SEND)).await;
    assert_eq!(set.map(|_| ()), Err(Refusal::AccountNotFound));
}

fn own_of(user: &str) -> Caller {
    own(user)
}

async fn what_others_have_stays(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    let shared = number(1);
    for user in ["ann", "bob"] {
        does(&store, user, register(profile(), None)).await;
        does(&store, user, set(&shared, SEND)).await;
        settle(&store, Verdict::Taken, |_| Settled::Ended(State::Handed)).await;
        world.pass(120);
    }
    let other = service().acting_in(Some("other")).expect("may");
    act(&store, &other, "ann", named("ann of other"))
        .await
        .expect("must register");
    act(&store, &other, "ann", set(&number(2), SEND))
        .await
        .expect("must set");
    let pseudonym = world.rules.keys.pseudonym(&shared);
    let here = service().acting_in(Some("acme")).expect("may");
    store.erase(&here, "ann", None).await.expect("must erase");
    assert_eq!(
        world
            .database
            .count(&format!("budgets WHERE pseudonym = '{pseudonym}'"))
            .await,
        1
    );
    assert_eq!(
        world.database.count("messages WHERE user_id = 'bob'").await,
        1
    );
    assert_eq!(
        world.database.count("messages WHERE user_id = 'ann'").await,
        1
    );
    assert_eq!(
        on_record(world, "user_id = 'ann' AND organization_id = 'other'").await,
        3
    );
    assert_eq!(
        on_record(world, "user_id = 'ann' AND organization_id = 'acme'").await,
        0
    );
    assert!(store.read(&other, "ann").await.is_ok());
    store.erase(&here, "bob", None).await.expect("must erase");
    assert_eq!(
        world
            .database
            .count(&format!("budgets WHERE pseudonym = '{pseudonym}'"))
            .await,
        0
    );
}

async fn erasing_again_looks_again(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    let never = store
        .erase(&service(), USER, None)
        .await
        .expect("must look");
    assert!(!never.was_there);
    assert_eq!(world.database.count("deleted_accounts").await, 0);
    // Killed after the account went, or deleted before anybody asked for more.
    plant(world, &store).await;
    does(&store, USER, ringback_core::Action::Delete).await;
    assert!(found(&world.database.bytes(), USER));
    let erased = store
        .erase(&service(), USER, None)
        .await
        .expect("must erase");
    assert!(!erased.was_there);
    holds_none(&world.database.bytes());
    for number in numbers() {
        let pseudonym = world.rules.keys.pseudonym(&number);
        assert_eq!(
            world
                .database
                .count(&format!("budgets WHERE pseudonym = '{pseudonym}'"))
                .await,
            0
        );
    }
    let events = on_record(world, "1 = 1").await;
    store
        .erase(&service(), USER, None)
        .await
        .expect("must look");
    assert_eq!(on_record(world, "1 = 1").await, events);
    // Whoever comes anew under the id is somebody else.
    does(&store, USER, named("")).await;
    assert_eq!(world.database.sequences(USER).await, [1]);
}

async fn only_who_may_delete_erases(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    let with = |rights| Caller::new("service", "acme").with_rights(rights);
    let writes = with(Rights {
        write: true,
        read: true,
        ..Rights::NONE
    });
    let deletes = with(Rights {
        delete: true,
        ..Rights::NONE
    });
    let elsewhere = Caller::new("service", "other").with_rights(Rights::ALL);
    for (caller, user, refusal) in [
        (own("ann"), "ann", Refusal::PermissionDenied),
        (writes.clone(), "ann", Refusal::PermissionDenied),
        (own("bob"), "ann", Refusal::AccountNotFound),
        // Nobody learns whether there is such a user.
        (own("bob"), "nobody", Refusal::AccountNotFound),
        (own("bob"), "bob", Refusal::AccountNotFound),
        (writes, "nobody", Refusal::AccountNotFound),
    ] {
        let refused = store.erase(&caller, user, None).await;
        assert_eq!(refused, Err(refusal), "{caller:?}");
    }
    let looked = store
        .erase(&elsewhere, "ann", None)
        .await
        .expect("looks in its own");
    assert_eq!(
        (looked.organization.as_str(), looked.was_there),
        ("other", false)
    );
    assert!(
        store
            .erase(&deletes, "ann", None)
            .await
            .expect("must erase")
            .was_there
    );
    assert_eq!(store.find_account("ann").await, Ok(None));
}

async fn all_that_is_kept_is_shown(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    plant(world, &store).await;
    for caller in [service(), own(USER)] {
        let kept = store.kept_of(&caller, USER, None).await.expect("must read");
        assert_eq!(kept.account.profile.email, "qvx@example.org");
        assert_eq!(kept.account.phones.len(), 2);
        assert!(!kept.account.challenges.is_empty());
        assert_eq!(kept.messages.len(), world.database.count("messages").await);
        let mut sequences: Vec<i64> = kept
            .events
            .iter()
            .map(|event| event.sequence.cast_signed())
            .filter(|sequence| *sequence > 0)
            .collect();
        sequences.sort_unstable();
        assert_eq!(sequences, world.database.sequences(USER).await);
        assert_eq!(kept.next, None);
        let ids = kept.events.iter().map(|event| event.id);
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        let rest = store.kept_of(&caller, USER, Some(ids[2])).await;
        let rest = rest.expect("must read");
        let later = kept.events.iter().filter(|event| event.id > ids[2]);
        assert!(rest.events.iter().eq(later));
        assert!(rest.messages.is_empty());
    }
    let other = store.kept_of(&own("bob"), USER, None).await;
    assert_eq!(other.map(|_| ()), Err(Refusal::AccountNotFound));
}
