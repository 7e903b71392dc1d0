//! What was decided is what is found again, to the last field.

use ringback_core::account::ProfileChange;
use ringback_core::command::PhoneChange;
use ringback_core::refusal::CodeFailure;
use ringback_core::{
    Action, Budgets, Caller, Change, Command, Decision, Delivery, Id, Moment, Phone, PhoneState,
    Profile, Refusal, Reply, Slot, Time, Which, decide,
};
use ringback_store::{AccountFilter, AccountQuery, AccountSort, Store};

use crate::requests::*;
use crate::world::{World, seed};

on_both!(
    what_is_decided_is_found_again,
    several_numbers_are_found_in_order,
    texts_that_look_like_something_else_stay_texts,
    times_and_counters_of_any_size_are_kept,
    refusals_leave_nothing,
    a_deleted_account_is_gone_and_can_come_back,
    events_are_numbered_without_gaps,
    the_record_of_a_sent_code_names_its_message,
    a_nul_reaches_no_row,
);

/// The core beside the store: the same commands at the same moments must give the same account.
struct Mirror<'a> {
    world: &'a World,
    store: Store,
    slot: Slot,
    budgets: Budgets,
    turns: u64,
}

impl Mirror<'_> {
    async fn act(&mut self, caller: &Caller, action: Action) -> Result<Reply, Refusal> {
        let command = Command {
            caller: caller.clone(),
            account: "zoë".into(),
            action,
        };
        let rules = &self.world.rules;
        let numbers = &rules.policies.default.numbers;
        let held = self.slot.account.iter().flat_map(|account| &account.phones);
        let named = command.number(numbers);
        let known = held.map(|phone| &phone.number).chain(&named);
        for name in command.budgets("acme", known, &rules.policies.default, &rules.keys) {
            self.budgets.entry(name).or_default();
        }
        let at = Moment {
            now: self.world.now(),
            seed: seed(self.turns),
            policies: &rules.policies,
            keys: &rules.keys,
            conversion: None,
            guard: None,
            share: 0,
        };
        self.turns += 1;
        let Decision { result, .. } = decide(&mut self.slot, &mut self.budgets, &command, &at);
        let stored = self.store.execute(command, None).await;
        assert_eq!(stored, result);
        let found = self.store.find_account("zoë").await.expect("must read");
        assert_eq!(found.as_deref(), self.slot.account.as_ref());
        stored
    }
}

async fn what_is_decided_is_found_again(world: &World) {
    let mut mirror = Mirror {
        world,
        store: world.store().await,
        slot: Slot::empty("acme"),
        budgets: Budgets::new(),
        turns: 0,
    };
    let profile = Profile {
        username: "zoë@例え.jp".into(),
        given_name: "Zoë \"Z\" \\ 'O'".into(),
        family_name: "Ωmega\n\t\u{1}\u{7f}".into(),
        nick_name: "👩‍🚀".into(),
        display_name: "نور".into(),
        preferred_language: "de-CH".into(),
        gender: -7,
        email: "zoë@example.org".into(),
        email_verified: true,
    };
    let first = Some(set_phone(&number(1), SEND));
    let registered = mirror.act(&service(), register(profile, first)).await;
    assert_eq!(registered.expect("must register").account.sequence, 3);
    world.pass(3);
    for _ in 0..2 {
        let refused = mirror.act(&own("zoë"), guess("000000")).await;
        assert!(failed(&refused, CodeFailure::Wrong));
    }
    world.pass(61);
    let again = Action::Change(Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Send,
    });
    mirror
        .act(&own("zoë"), again)
        .await
        .expect("must send again");
    world.pass(500);
    let returned = Action::Change(Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Return,
    });
    let code = mirror
        .act(&service(), returned)
        .await
        .expect("must return")
        .code;
    let code = code.expect("a code").reveal().to_owned();
    mirror
        .act(&own("zoë"), guess(&code))
        .await
        .expect("must verify");
    world.pass(1);
    let change = Action::Change(Change::Update {
        profile: Box::new(ProfileChange {
            nick_name: Some("Ж".into()),
            gender: Some(i32::MAX),
            email: Some(("new@example.org".into(), false)),
            ..ProfileChange::default()
        }),
        phone: PhoneChange::Set(set_phone(&number(2), TRUSTED)),
    });
    mirror.act(&service(), change).await.expect("must change");
    mirror
        .act(
            &own("zoë"),
            Action::Change(Change::Remove {
                which: Which::Primary,
            }),
        )
        .await
        .expect("must remove");
    mirror
        .act(&own("zoë"), set(&number(3), SEND))
        .await
        .expect("must set");
    let account = mirror.slot.account.expect("is there");
    assert_eq!(account.phones.len(), 1);
    assert_eq!(account.challenges.len(), 1);
}

async fn several_numbers_are_found_in_order(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    let mut expected = Vec::new();
    for n in [1, 2, 3] {
        world.pass(1);
        does(&store, "ann", set(&number(n), TRUSTED)).await;
        let account = store.find_account("ann").await.expect("must read");
        expected.push(
            account
                .expect("is there")
                .primary_phone()
                .expect("is there")
                .clone(),
        );
        // No command leaves a second number yet, so this one is put aside and brought back.
        world
            .run_sql("UPDATE phone_numbers SET user_id = 'aside', primary_number = false")
            .await;
    }
    world
        .run_sql("UPDATE phone_numbers SET user_id = 'ann'")
        .await;
    let last = expected[2].id;
    world
        .run_sql(&format!(
            "UPDATE phone_numbers SET primary_number = true WHERE id = '{last}'"
        ))
        .await;
    let account = store
        .find_account("ann")
        .await
        .expect("must read")
        .expect("is there");
    assert_eq!(account.phones, expected);
    assert_eq!(account.primary, Some(last));

    does(
        &store,
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    )
    .await;
    let account = store
        .find_account("ann")
        .await
        .expect("must read")
        .expect("is there");
    assert_eq!(account.phones, expected[..2]);
    assert_eq!(account.primary, None);
}

async fn texts_that_look_like_something_else_stay_texts(world: &World) {
    let store = world.store().await;
    for (n, text) in ["007", "1e3", "true", "null", "[1]", "\\u0041", " ", "'; --"]
        .iter()
        .enumerate()
    {
        let profile = Profile {
            username: (*text).into(),
            given_name: (*text).into(),
            email: (*text).into(),
            ..Profile::default()
        };
        let id = format!("{n}{text}");
        does(&store, &id, register(profile.clone(), None)).await;
        does(&store, &id, set(&number(n as u32), TRUSTED)).await;
        let found = store
            .find_account(&id)
            .await
            .expect("must read")
            .expect("is there");
        assert_eq!(found.profile, profile);
        does(&store, &id, rename("2e2")).await;
        let found = store
            .find_account(&id)
            .await
            .expect("must read")
            .expect("is there");
        assert_eq!(found.profile.username, "2e2");
        assert_eq!(found.id, id);
    }
}

async fn times_and_counters_of_any_size_are_kept(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), TRUSTED)).await;
    // Beyond 2^53 a floating-point number would lose the last digits.
    for time in [-1, (1 << 53) + 1, i64::MAX - 3] {
        world
            .run_sql(&format!(
                "UPDATE accounts SET created_at = {time}, sequence = {}",
                i64::MAX - 5
            ))
            .await;
        world
            .run_sql(&format!("UPDATE phone_numbers SET verified_at = {time}"))
            .await;
        does(&store, "ann", rename(&format!("at {time}"))).await;
        let account = store
            .find_account("ann")
            .await
            .expect("must read")
            .expect("is there");
        assert_eq!(account.created_at, Time(time));
        assert_eq!(account.sequence, i64::MAX as u64 - 4);
        let phone: &Phone = account.primary_phone().expect("is there");
        assert_eq!(phone.state, PhoneState::Verified { at: Time(time) });
    }
    let events = world
        .texts("SELECT CAST(sequence AS TEXT) FROM events")
        .await;
    assert_eq!(
        events
            .iter()
            .filter(|text| **text == (i64::MAX - 4).to_string())
            .count(),
        3
    );
}

async fn refusals_leave_nothing(world: &World) {
    let store = world.store().await;
    let refused = act(&store, &own("ann"), "bob", named("")).await;
    assert_eq!(refused, Err(Refusal::PermissionDenied));
    let refused = act(&store, &service(), "bob", set(&number(1), RETURN)).await;
    assert_eq!(refused, Err(Refusal::AccountNotFound));
    assert_eq!(store.find_account("bob").await, Ok(None));
    for table in ["accounts", "phone_numbers", "budgets", "messages", "events"] {
        assert_eq!(
            world.count(&format!("SELECT count(*) FROM {table}")).await,
            0,
            "{table}"
        );
    }
}

async fn a_deleted_account_is_gone_and_can_come_back(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("first")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    does(&store, "ann", Action::Delete).await;
    assert_eq!(store.find_account("ann").await, Ok(None));
    assert_eq!(world.count("SELECT count(*) FROM phone_numbers").await, 0);
    let refused = act(&store, &service(), "ann", rename("x")).await;
    assert_eq!(refused, Err(Refusal::AccountNotFound));
    does(&store, "ann", named("second")).await;
    // Deleted and registered anew within one batch.
    let both = futures::future::join(
        act(&store, &service(), "ann", Action::Delete),
        act(&store, &service(), "ann", named("third")),
    );
    let (gone, back) = both.await;
    assert!(gone.is_ok() && back.is_ok_and(|reply| reply.account.sequence == 1));
    let found = store
        .find_account("ann")
        .await
        .expect("must read")
        .expect("is there");
    assert_eq!(found.profile.username, "third");
}

async fn events_are_numbered_without_gaps(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    let code = code_for(&store, "ann", &number(1)).await;
    let results = futures::future::join_all((0..7).map(|n| {
        let action = match n {
            3 => guess(&wrong(&code)),
            5 => guess(&code),
            _ => rename(&format!("name {n}")),
        };
        act(&store, &own("ann"), "ann", action)
    }));
    assert_eq!(
        results.await.iter().filter(|result| result.is_ok()).count(),
        6
    );
    let rows = world
        .texts(
            "SELECT sequence || ' ' || kind || ' ' || actor || ' ' || coalesce(cause, '-') || ' ' \
             || coalesce(number_mask, '-') FROM events WHERE user_id = 'ann' ORDER BY sequence",
        )
        .await;
    let mask = number(1).masked();
    let expected = [
        "1 account.registered service - -".to_owned(),
        format!("2 phone.set service - {mask}"),
        format!("3 phone.code_returned service - {mask}"),
        "4 account.profile_changed ann - -".into(),
        "5 account.profile_changed ann - -".into(),
        "6 account.profile_changed ann - -".into(),
        format!("7 phone.verification_failed ann wrong {mask}"),
        "8 account.profile_changed ann - -".into(),
        format!("9 phone.verified ann - {mask}"),
        "10 account.profile_changed ann - -".into(),
    ];
    assert_eq!(rows, expected);
    let pseudonyms = world
        .texts("SELECT DISTINCT number_pseudonym FROM events WHERE number_pseudonym IS NOT NULL")
        .await;
    assert_eq!(pseudonyms, [world.rules.keys.pseudonym(&number(1))]);
}

async fn the_record_of_a_sent_code_names_its_message(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let message = world.texts("SELECT id FROM messages").await.concat();
    let prefix = world.rules.keys.prefix_pseudonym("+4179000");
    let details = "SELECT kind || ' ' || detail FROM events WHERE detail IS NOT NULL";
    assert_eq!(
        world.texts(details).await,
        [format!(
            r#"phone.code_sent {{"message":"{message}","country":"CH","kind":"mobile","prefix":"{prefix}"}}"#
        )]
    );
}

async fn a_nul_reaches_no_row(world: &World) {
    let store = world.store().await;
    let refused = act(&store, &service(), "a\0b", named("")).await;
    assert_eq!(refused, Err(Refusal::AccountNotFound));
    assert_eq!(store.find_account("a\0b").await, Ok(None));
    // The APIs refuse it by name; were one to forget, nothing may be cut short in silence.
    let results = futures::future::join_all([
        act(&store, &service(), "ann", named("good")),
        act(&store, &service(), "bob", named("a\0b")),
        act(&store, &service(), "cat", named("a\\u0000b")),
    ]);
    let results = results.await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!(results[1], Err(Refusal::Internal));
    assert_eq!(store.find_account("bob").await, Ok(None));
    let page = store
        .list_accounts(
            &service(),
            &AccountQuery {
                scope: ringback_core::rights::Scope::Organization("ac\0me".into()),
                filter: AccountFilter::Any(vec![
                    AccountFilter::Ids(vec!["a\0".into()]),
                    AccountFilter::Organization("\0".into()),
                ]),
                sort: AccountSort::CreatedAt,
                ascending: true,
                offset: 0,
                limit: 10,
            },
        )
        .await
        .expect("must list");
    assert_eq!(page.total, 0);
    assert!(Id::parse("\0").is_none());
}
