//! Accounts that are brought over from elsewhere, and read in order.

use futures::future::join_all;
use ringback_core::account::Pending;
use ringback_core::{Account, Action, Id, PhoneState, Profile, Time};
use ringback_store::{Imported, Incoming, IncomingPhone, IncomingState, Store};

use crate::requests::*;
use crate::world::{START, World};

on_both!(
    what_is_brought_over_is_as_it_was,
    what_is_there_is_left_alone,
    an_import_can_be_started_again,
    a_deleted_user_is_not_brought_back,
    an_id_that_is_taken_is_given_anew,
    a_dry_run_writes_nothing,
    accounts_are_read_in_order,
    who_is_registered_meanwhile_is_left_alone,
);

const THEN: Time = Time(START.0 - 1_000_000_000);

fn phone(n: u32, state: IncomingState) -> IncomingPhone {
    IncomingPhone {
        id: Some(Id::new(THEN, [n as u8; 10])),
        number: number(n),
        state,
        created_at: Some(THEN),
        changed_at: Some(Time(THEN.0 + 1)),
    }
}

fn user(id: &str, phones: Vec<IncomingPhone>) -> Incoming {
    Incoming {
        organization: "acme".into(),
        id: id.into(),
        profile: Profile {
            given_name: "Ann".into(),
            ..Profile::default()
        },
        sequence: Some(7),
        created_at: Some(THEN),
        changed_at: Some(Time(THEN.0 + 2)),
        primary: (!phones.is_empty()).then_some(0),
        phones,
    }
}

fn ann() -> Incoming {
    let verified = IncomingState::Verified(Some(Time(THEN.0 + 1)));
    let phones = vec![
        phone(1, verified),
        phone(2, IncomingState::Unverified),
        phone(3, IncomingState::Pending(Pending::Replaces)),
    ];
    user("ann", phones)
}

async fn import(store: &Store, incoming: &[Incoming]) -> Vec<Imported> {
    store.import(incoming, false).await.expect("must import")
}

async fn whole(store: &Store) -> Vec<Account> {
    let mut accounts = store.accounts(None);
    let mut all = Vec::new();
    loop {
        let page = accounts.next(2).await.expect("must read");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

async fn what_is_brought_over_is_as_it_was(world: &World) {
    let store = world.store().await;
    assert_eq!(import(&store, &[ann()]).await, [Imported::Added]);
    let account = store.find_account("ann").await.expect("can be read");
    let account = account.expect("is there");
    assert_eq!((account.sequence, account.created_at), (7, THEN));
    assert_eq!(account.changed_at, Time(THEN.0 + 2));
    assert_eq!(account.profile.username, "ann", "for want of another name");
    let states: Vec<PhoneState> = account.phones.iter().map(|phone| phone.state).collect();
    let expected = [
        PhoneState::Verified {
            at: Time(THEN.0 + 1),
        },
        PhoneState::Unverified,
        PhoneState::Pending(Pending::Replaces),
    ];
    assert_eq!(states, expected);
    let incoming = ann();
    for (told, phone) in incoming.phones.iter().zip(&account.phones) {
        assert_eq!((told.id, &told.number), (Some(phone.id), &phone.number));
        assert_eq!(
            (told.created_at, told.changed_at),
            (Some(phone.created_at), Some(phone.changed_at))
        );
    }
    assert_eq!(account.primary, incoming.phones[0].id);
    // It is an account like any other.
    let set = act(&store, &own("ann"), "ann", set(&number(4), SEND)).await;
    assert_eq!(set.expect("must set").account.sequence, 9);
}

async fn what_is_there_is_left_alone(world: &World) {
    let store = world.store().await;
    let made = act(
        &store,
        &service(),
        "ann",
        register(Profile::default(), None),
    )
    .await;
    made.expect("must register");
    let bob = user("bob", vec![phone(5, IncomingState::Unverified)]);
    let told = import(&store, &[ann(), bob.clone(), bob.clone()]).await;
    assert_eq!(told, [Imported::Differs, Imported::Added, Imported::Equal]);
    let account = store.find_account("ann").await.expect("can be read");
    assert!(account.expect("is there").phones.is_empty());
    for other in [
        Incoming {
            sequence: Some(8),
            ..bob.clone()
        },
        Incoming {
            created_at: Some(START),
            ..bob.clone()
        },
        Incoming {
            primary: None,
            ..bob.clone()
        },
        Incoming {
            phones: Vec::new(),
            primary: None,
            ..bob.clone()
        },
        Incoming {
            profile: Profile::default(),
            ..bob.clone()
        },
        user("bob", vec![phone(6, IncomingState::Unverified)]),
        user("bob", vec![phone(5, IncomingState::Verified(None))]),
    ] {
        assert_eq!(import(&store, &[other]).await, [Imported::Differs]);
    }
    // What is not told is not compared.
    let mut less = bob;
    (less.sequence, less.created_at, less.changed_at) = (None, None, None);
    less.phones[0].id = None;
    less.phones[0].created_at = None;
    assert_eq!(import(&store, &[less]).await, [Imported::Equal]);
    // The same id in another organisation is somebody else.
    let other = Incoming {
        organization: "other".into(),
        ..user("bob", vec![phone(7, IncomingState::Unverified)])
    };
    assert_eq!(import(&store, &[other]).await, [Imported::Added]);
}

async fn an_import_can_be_started_again(world: &World) {
    let store = world.store().await;
    let all: Vec<Incoming> = (0..40)
        .map(|n| {
            user(
                &format!("user-{n}"),
                vec![phone(n, IncomingState::Verified(None))],
            )
        })
        .collect();
    assert_eq!(import(&store, &all[..25]).await, [Imported::Added; 25]);
    let before = whole(&store).await;
    world.pass(60);
    let told = import(&store, &all).await;
    assert_eq!(told[..25], [Imported::Equal; 25]);
    assert_eq!(told[25..], [Imported::Added; 15]);
    let after = whole(&store).await;
    assert_eq!(after.len(), 40);
    assert!(before.iter().all(|account| after.contains(account)));
    assert_eq!(import(&store, &all).await, [Imported::Equal; 40]);
}

async fn a_deleted_user_is_not_brought_back(world: &World) {
    let store = world.store().await;
    import(&store, &[ann()]).await;
    act(&store, &service(), "ann", Action::Delete)
        .await
        .expect("must delete");
    assert_eq!(import(&store, &[ann()]).await, [Imported::Deleted]);
    assert_eq!(store.find_account("ann").await, Ok(None));
    world.pass(2_592_000);
    assert_eq!(import(&store, &[ann()]).await, [Imported::Added]);
}

async fn an_id_that_is_taken_is_given_anew(world: &World) {
    let store = world.store().await;
    let verified = IncomingState::Verified(None);
    let (one, two) = (
        user("ann", vec![phone(1, verified)]),
        user("bob", vec![phone(1, verified)]),
    );
    let third = user("cleo", vec![phone(1, verified)]);
    assert_eq!(
        import(&store, &[one, two.clone()]).await,
        [Imported::Added; 2]
    );
    assert_eq!(
        import(&store, &[two, third]).await,
        [Imported::Equal, Imported::Added]
    );
    let all = whole(&store).await;
    let mut ids: Vec<Id> = all.iter().map(|account| account.phones[0].id).collect();
    assert_eq!(ids[0], Id::new(THEN, [1; 10]));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(
        all.iter()
            .all(|account| account.primary == Some(account.phones[0].id))
    );
}

async fn a_dry_run_writes_nothing(world: &World) {
    let store = world.store().await;
    let told = store.import(&[ann()], true).await;
    assert_eq!(told.expect("must look"), [Imported::Added]);
    assert_eq!(whole(&store).await, []);
}

async fn accounts_are_read_in_order(world: &World) {
    let store = world.store().await;
    let places = ["acme", "Zeta", "other"];
    let ids = ["ann", "Ann", "ä", "user-10", "user-9", "~"];
    let mut all = Vec::new();
    for (n, organization) in (0..).zip(places) {
        for (m, id) in (0..).zip(ids) {
            all.push(Incoming {
                organization: organization.into(),
                ..user(id, vec![phone(n * 10 + m, IncomingState::Unverified)])
            });
        }
    }
    import(&store, &all).await;
    all.sort_by(|a, b| (&a.id, &a.organization).cmp(&(&b.id, &b.organization)));
    let names = |read: &[Account]| -> Vec<(String, String)> {
        read.iter()
            .map(|one| (one.id.clone(), one.organization.clone()))
            .collect()
    };
    let expected: Vec<_> = all
        .into_iter()
        .map(|one| (one.id, one.organization))
        .collect();
    assert_eq!(names(&whole(&store).await), expected);
    let mut one = store.accounts(Some("Zeta"));
    let read = one.next(100).await.expect("must read");
    let expected: Vec<_> = expected
        .into_iter()
        .filter(|(_, place)| place == "Zeta")
        .collect();
    assert_eq!(names(&read), expected);
    assert_eq!(one.next(100).await, Ok(Vec::new()));
}

async fn who_is_registered_meanwhile_is_left_alone(world: &World) {
    let (store, other) = (world.store().await, world.store().await);
    let all: Vec<Incoming> = (0..50)
        .map(|n| user(&format!("user-{n}"), Vec::new()))
        .collect();
    let registering = (0..50).map(|n| {
        let other = &other;
        async move {
            let id = format!("user-{n}");
            act(other, &service(), &id, register(Profile::default(), None)).await
        }
    });
    let (told, registered) = tokio::join!(store.import(&all, false), join_all(registering));
    let told = told.expect("must import");
    for (n, (told, registered)) in told.iter().zip(&registered).enumerate() {
        assert_eq!(
            *told == Imported::Added,
            registered.is_err(),
            "user-{n}: {told:?}, {registered:?}"
        );
    }
    assert_eq!(whole(&store).await.len(), 50);
}
