//! What is seeded is what the store reads, on both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringback_core::command::{Action, Change, Delivery, SetPhone, Verification};
use ringback_core::number::NumberRules;
use ringback_core::rights::Rights;
use ringback_core::{Caller, Command, Keys, Number, Policies, Time};
use ringback_store::{Rules, Settings, Source, Store};
use ringback_testing::Database;

use super::*;
use crate::ids;

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test);
}

async fn opened(url: &str) -> Store {
    let settings = Settings {
        url: url.to_owned(),
        lanes: 0,
        lane_bound: 16,
        batch: 16,
        readers: 1,
        timeout: std::time::Duration::from_secs(5),
        list_timeout: std::time::Duration::from_secs(5),
        lists_per_organization: 1,
        keep_messages: std::time::Duration::ZERO,
    };
    let rules = Rules {
        policies: Policies::default(),
        keys: Keys::for_tests(),
    };
    let turn = AtomicU64::new(0);
    let source = Source {
        now: Arc::new(|| Time(1_800_000_000_000_000)),
        seed: Arc::new(move || {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&turn.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            seed
        }),
    };
    let store = Store::open(&settings, rules, source).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn check(url: &str) {
    let store = opened(url).await;
    let mut database = SeedDatabase::open(url).await.unwrap();
    database.seed(0..10, SeedWith::Number).await.unwrap();
    // Again, and further: what is there stays, what is missing comes.
    database.seed(5..12, SeedWith::Number).await.unwrap();
    database.seed_once(12).await.unwrap();
    let fresh = ids::fresh(3);
    database
        .seed(fresh.clone(), SeedWith::Nothing)
        .await
        .unwrap();
    database.settle().await.unwrap();
    for (table, rows) in [("accounts", 15), ("phone_numbers", 12), ("events", 15)] {
        let count = database
            .count(&format!("SELECT count(*) FROM {table}"))
            .await;
        assert_eq!(count.unwrap(), rows, "{table}");
    }

    let service = Caller::new("load", "default").with_rights(Rights::ALL);
    for n in 0..12 {
        let account = store.read(&service, &ids::user(n)).await.unwrap();
        let phone = account.primary_phone().expect("a number");
        assert_eq!(phone.number.as_str(), ids::number(n));
        assert_eq!(phone.verified(), ids::is_verified(n));
        assert!(Number::parse(phone.number.as_str(), &NumberRules::default()).is_ok());
    }

    let user = ids::user(fresh.start);
    let account = store.read(&service, &user).await.unwrap();
    assert!(account.phones.is_empty());
    // The store can go on from here.
    let number = ids::number(fresh.start).into();
    let command = Command {
        caller: service,
        account: user,
        action: Action::Change(Change::Set(SetPhone {
            number,
            verification: Verification::Code(Delivery::Return),
        })),
    };
    let reply = store.execute(command, None).await.unwrap();
    assert_eq!(reply.account.sequence, account.sequence + 2);
    assert!(reply.code.is_some());
    database.close().await.unwrap();
}

#[test]
fn the_store_reads_what_was_seeded_on_sqlite() {
    block_on(async { check(&Database::sqlite().await.url).await });
}

#[test]
fn the_store_reads_what_was_seeded_on_postgres() {
    block_on(async { check(&Database::postgres().await.url).await });
}
