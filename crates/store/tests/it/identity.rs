//! An account is an organisation and a user id, in every table and statement.

use std::time::Duration;

use futures::future::join_all;
use ringback_core::rights::Scope;
use ringback_core::{Action, Caller, Refusal, Time};
use ringback_store::{AccountQuery, Store};

use crate::lists::all;
use crate::requests::*;
use crate::world::World;

on_both!(
    one_id_in_several_organisations_is_as_many_accounts,
    commands_about_one_id_are_decided_each_on_its_own_account,
    who_acts_everywhere_names_the_organisation_where_several_have_the_id,
    messages_carry_the_code_of_their_own_account,
    a_deleted_account_is_remembered_and_then_forgotten,
    an_id_that_thousands_have_costs_no_more,
);

const PLACES: [&str; 3] = ["acme", "other", "third"];

/// A service that may do everything, in one organisation.
fn there(organization: &str) -> Caller {
    service().acting_in(Some(organization)).expect("may")
}

async fn three(world: &World) -> Store {
    let store = world.store().await;
    for (n, organization) in (1..).zip(PLACES) {
        let caller = there(organization);
        let made = act(&store, &caller, "ann", named(organization)).await;
        assert!(made.is_ok(), "{made:?}");
        let set = act(&store, &caller, "ann", set(&number(n), TRUSTED)).await;
        assert!(set.is_ok(), "{set:?}");
    }
    store
}

async fn number_in(store: &Store, organization: &str) -> Option<String> {
    let account = store.read(&there(organization), "ann").await.ok()?;
    let phone = account.primary_phone()?;
    Some(phone.number.as_str().to_owned())
}

async fn one_id_in_several_organisations_is_as_many_accounts(world: &World) {
    let store = three(world).await;
    for (n, organization) in (1..).zip(PLACES) {
        let found = number_in(&store, organization).await;
        assert_eq!(found.as_deref(), Some(number(n).as_str()));
        let query = AccountQuery {
            scope: Scope::Organization(organization.into()),
            ..all()
        };
        let page = store
            .list_accounts(&service(), &query)
            .await
            .expect("must list");
        assert_eq!(page.total, 1);
        assert_eq!(page.accounts[0].profile.username, organization);
        assert_eq!(page.accounts[0].phones.len(), 1);
    }
    let all = store
        .list_accounts(&service(), &all())
        .await
        .expect("must list");
    assert_eq!(all.total, 3);
    assert!(all.accounts.iter().all(|account| account.phones.len() == 1));

    let gone = act(&store, &there("other"), "ann", Action::Delete).await;
    assert!(gone.is_ok(), "{gone:?}");
    let numbers = [number(1), number(3)].map(|number| Some(number.as_str().to_owned()));
    assert_eq!(number_in(&store, "acme").await, numbers[0]);
    assert_eq!(number_in(&store, "other").await, None);
    assert_eq!(number_in(&store, "third").await, numbers[1]);
    let names = "SELECT organization_id FROM account_names ORDER BY organization_id";
    assert_eq!(world.texts(names).await, ["acme", "third"]);
}

async fn commands_about_one_id_are_decided_each_on_its_own_account(world: &World) {
    let store = three(world).await;
    // All in one batch, in whichever order.
    let renames = (0..60).map(|n| {
        let organization = PLACES[n % 3];
        let name = format!("{organization} {n}");
        act(&store, &there(organization), "ann", rename(&name))
    });
    for renamed in join_all(renames).await {
        let account = renamed.expect("must rename").account;
        assert!(account.profile.username.starts_with(&account.organization));
    }
    for organization in PLACES {
        let account = store
            .read(&there(organization), "ann")
            .await
            .expect("there");
        assert!(account.profile.username.starts_with(organization));
        assert_eq!(account.sequence, 23);
    }
    let strangers = own("ann");
    let here = store.read(&strangers, "ann").await.expect("is at home");
    assert_eq!(here.organization, "acme");
}

async fn who_acts_everywhere_names_the_organisation_where_several_have_the_id(world: &World) {
    let store = three(world).await;
    let ambiguous = Err(Refusal::AccountAmbiguous);
    let read = store.read(&service(), "ann").await;
    assert_eq!(read.map(|_| ()), ambiguous);
    let renamed = act(&store, &service(), "ann", rename("x")).await;
    assert_eq!(renamed.map(|_| ()), ambiguous);
    for organization in ["acme", "third"] {
        let gone = act(&store, &there(organization), "ann", Action::Delete).await;
        assert!(gone.is_ok(), "{gone:?}");
    }
    let renamed = act(&store, &service(), "ann", rename("x")).await;
    let account = renamed.expect("only one is left").account;
    assert_eq!(account.organization, "other");
    let found = store.read(&service(), "ann").await.expect("the same");
    assert_eq!(*found, account);
}

async fn messages_carry_the_code_of_their_own_account(world: &World) {
    let store = world.store().await;
    let mut codes = Vec::new();
    for (n, organization) in (1..).zip(PLACES) {
        let caller = there(organization);
        let made = act(&store, &caller, "ann", named("")).await;
        assert!(made.is_ok(), "{made:?}");
        let sent = act(&store, &caller, "ann", set(&number(n), SEND)).await;
        assert!(sent.is_ok(), "{sent:?}");
        let account = store.read(&caller, "ann").await.expect("is there");
        let code = account.challenges[0]
            .code(&world.rules.keys)
            .expect("a code");
        codes.push((organization.to_owned(), code.reveal().to_owned()));
    }
    let claimed = store.claim("", 10, Duration::from_secs(60)).await;
    let claimed = claimed.expect("must claim").into_iter().map(|claimed| {
        let code = claimed.code.expect("a code").reveal().to_owned();
        (claimed.message.organization, code)
    });
    let mut claimed: Vec<_> = claimed.collect();
    claimed.sort();
    assert_eq!(claimed, codes);
}

/// A user of `acme` by a token that was issued now.
fn signed_in(now: Time) -> Caller {
    Caller {
        issued_at: Some(now),
        ..own("ann")
    }
}

async fn a_deleted_account_is_remembered_and_then_forgotten(world: &World) {
    let store = world.store().await;
    let before = signed_in(world.now());
    let made = act(&store, &before, "ann", set(&number(1), SEND)).await;
    assert!(made.is_ok(), "{made:?}");
    does(&store, "ann", Action::Delete).await;
    let rows = "SELECT count(*) FROM deleted_accounts";
    assert_eq!(world.count(rows).await, 1);
    let named_nowhere = "SELECT pseudonym FROM deleted_accounts WHERE pseudonym LIKE '%ann%'";
    assert_eq!(world.texts(named_nowhere).await, [""; 0]);

    world.pass(3_600);
    let back = act(&store, &before, "ann", set(&number(1), SEND)).await;
    assert_eq!(back.map(|_| ()), Err(Refusal::AccountNotFound));
    // Another process knows it, too.
    let other = world.store().await;
    let back = act(&other, &own("ann"), "ann", set(&number(1), SEND)).await;
    assert_eq!(back.map(|_| ()), Err(Refusal::AccountNotFound));
    let again = signed_in(world.now());
    let back = act(&other, &again, "ann", set(&number(2), TRUSTED)).await;
    assert_eq!(back.map(|_| ()), Err(Refusal::PermissionDenied));
    let back = act(&other, &again, "ann", set(&number(2), SEND)).await;
    assert!(back.is_ok(), "{back:?}");
    assert_eq!(world.count(rows).await, 0);

    // Deleted again, registered by a service, deleted a third time: each leaves one row at most.
    does(&store, "ann", Action::Delete).await;
    does(&store, "ann", named("")).await;
    assert_eq!(world.count(rows).await, 0);
    does(&store, "ann", Action::Delete).await;
    assert_eq!(world.count(rows).await, 1);
    world.pass(2_592_000 - 1);
    store.purge().await.expect("must purge");
    assert_eq!(world.count(rows).await, 1);
    world.pass(1);
    store.purge().await.expect("must purge");
    assert_eq!(world.count(rows).await, 0);
}

async fn an_id_that_thousands_have_costs_no_more(world: &World) {
    let store = three(world).await;
    let series = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)";
    world
        .run_sql(&format!(
            "{series} INSERT INTO accounts (user_id, organization_id, sequence, created_at, changed_at, \
             username, given_name, family_name, nick_name, display_name, preferred_language, gender, \
             email, email_verified, challenges, limits) \
             SELECT 'ann', 'tenant ' || i, 1, i, i, '', '', '', '', '', '', 0, '', false, \
             'cannot be read', '{{}}' FROM n"
        ))
        .await;
    // None of the others is read, or it would fail; two are enough to know that there are several.
    let read = store.read(&there("acme"), "ann").await;
    assert!(read.is_ok(), "{read:?}");
    let renamed = act(&store, &there("other"), "ann", rename("x")).await;
    assert!(renamed.is_ok(), "{renamed:?}");
    let read = store.read(&service(), "ann").await;
    assert_eq!(read.map(|_| ()), Err(Refusal::AccountAmbiguous));
}
