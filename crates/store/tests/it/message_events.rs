//! What became of messages is on record: once, with what changed the message, and without its number.

use std::time::Duration;

use ringback_core::delivery::{Arrival, Attempt, Lost, NumberFault, RouteFault, State, Verdict};
use ringback_store::{Claimed, Noted, Settled, Settlement, Store};

use crate::requests::*;
use crate::world::World;

on_both!(
    what_became_of_a_message_is_on_record_whether_it_is_kept_or_not,
    a_message_that_waits_leaves_nothing,
    who_lost_the_claim_puts_nothing_on_record,
    receipts_are_on_record_once,
    what_gives_back_is_on_record_with_it,
    what_was_too_late_is_on_record,
);

const LEASE: Duration = Duration::from_secs(30);
const UNABLE: Verdict = Verdict::Unable {
    fault: RouteFault::Auth,
};

async fn sent(store: &Store, n: u32) -> Claimed {
    let user = format!("user {n}");
    does(store, &user, named("")).await;
    does(store, &user, set(&number(n), SEND)).await;
    let claimed = store.claim("a", 10, LEASE).await.expect("must claim");
    let mut own = claimed
        .into_iter()
        .filter(|one| one.message.account == user);
    own.next().expect("it waits")
}

fn settlement(claimed: &Claimed, verdict: Verdict, reason: &str, outcome: Settled) -> Settlement {
    let mut trail = claimed.trail.clone();
    trail.add(Attempt {
        n: claimed.attempt,
        route: "a".into(),
        at: claimed.message.created_at,
        ms: 1,
        times: 1,
        verdict,
        reason: reason.into(),
        reference: None,
        handed: false,
        segments: 0,
        cost: 0,
    });
    Settlement {
        message: claimed.message.clone(),
        attempt: claimed.attempt,
        trail,
        outcome,
        country: None,
    }
}

async fn settle(store: &Store, settlements: &[Settlement]) {
    store.settle(settlements).await.expect("must settle");
}

/// Every event of a message: kind, what comes before it, its number's mask, and the rest.
async fn told(world: &World) -> Vec<String> {
    world
        .texts(
            "SELECT user_id || ' ' || kind || ' ' || CAST(sequence AS TEXT) || ' ' || actor || number_mask \
             FROM events WHERE kind LIKE 'message.%' ORDER BY id",
        )
        .await
}

async fn details(world: &World) -> Vec<serde_json::Value> {
    let details = world
        .texts("SELECT detail FROM events WHERE kind LIKE 'message.%' ORDER BY id")
        .await;
    let details = details.iter();
    details
        .map(|text| serde_json::from_str(text).expect("JSON"))
        .collect()
}

async fn what_became_of_a_message_is_on_record_whether_it_is_kept_or_not(world: &World) {
    for keep in [3_600, 0] {
        let mut settings = world.settings.clone();
        settings.keep_messages = Duration::from_secs(keep);
        let store = world.store_with_routes_and(&["a"], settings).await;
        for table in [
            "events",
            "messages",
            "accounts",
            "account_names",
            "phone_numbers",
            "budgets",
        ] {
            world.run_sql(&format!("DELETE FROM {table}")).await;
        }
        let mut all = Vec::new();
        for n in 1..=4 {
            all.push(sent(&store, n).await);
            world.pass(1);
        }
        let never = Verdict::Never {
            fault: NumberFault::Landline,
        };
        settle(
            &store,
            &[
                settlement(&all[0], Verdict::Taken, "", Settled::Handed),
                settlement(&all[1], never, "no texts", Settled::Ended(State::Refused)),
                settlement(
                    &all[2],
                    Verdict::Unknown,
                    "",
                    Settled::Ended(State::Expired),
                ),
                settlement(
                    &all[3],
                    Verdict::Skipped,
                    "",
                    Settled::Ended(State::Superseded),
                ),
            ],
        )
        .await;
        let mut found = told(world).await;
        found.sort();
        let mask = number(1).masked();
        assert_eq!(found[0], format!("user 1 message.taken 0 {mask}"), "{keep}");
        let kinds: Vec<_> = found
            .iter()
            .filter_map(|line| line.split(' ').nth(2))
            .collect();
        let expected = [
            "message.taken",
            "message.failed",
            "message.given_up",
            "message.given_up",
        ];
        assert_eq!(kinds, expected, "{keep}");
        let details = details(world).await;
        let of = |message: &Claimed| {
            let id = message.message.id.to_string();
            let mut found = details.iter().filter(|detail| detail["message"] == *id);
            found.next().expect("it is on record").clone()
        };
        let id = |message: &Claimed| message.message.id.to_string();
        let taken = serde_json::json!({"message": id(&all[0]), "route": "a", "country": "CH"});
        assert_eq!(of(&all[0]), taken);
        assert_eq!(of(&all[1])["reason"], "no texts");
        assert_eq!(of(&all[2])["reason"], "it was too late");
        assert_eq!(of(&all[3])["reason"], "its code was no longer of use");
        let whole = "SELECT count(*) FROM events WHERE kind LIKE 'message.%' AND (detail LIKE '%+41%' OR number_mask LIKE '%0001%')";
        assert_eq!(world.count(whole).await, 0);
    }
}

async fn a_message_that_waits_leaves_nothing(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    let (waits, ends) = (sent(&store, 1).await, sent(&store, 2).await);
    let later = Settled::Waits {
        route: "a".into(),
        at: world.now() + Duration::from_secs(5),
    };
    // Beside one that ends, in one write.
    let both = [
        settlement(&waits, UNABLE, "", later),
        settlement(&ends, Verdict::Taken, "", Settled::Handed),
    ];
    settle(&store, &both).await;
    let found = told(world).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("user 2 message.taken"), "{found:?}");
    let waiting = "SELECT count(*) FROM messages WHERE due_at IS NOT NULL";
    assert_eq!(world.count(waiting).await, 1);
}

async fn who_lost_the_claim_puts_nothing_on_record(world: &World) {
    for keep in [3_600, 0] {
        let mut settings = world.settings.clone();
        settings.keep_messages = Duration::from_secs(keep);
        let store = world.store_with_routes_and(&["a"], settings).await;
        world.run_sql("DELETE FROM events").await;
        let n = u32::try_from(keep).expect("small") + 1;
        let lost = sent(&store, n).await;
        world.pass(31);
        let again = store.claim("a", 10, LEASE).await.expect("must claim");
        assert_eq!(again.len(), 1);
        settle(
            &store,
            &[settlement(&lost, Verdict::Taken, "", Settled::Handed)],
        )
        .await;
        settle(
            &store,
            &[settlement(&lost, UNABLE, "", Settled::Ended(State::Failed))],
        )
        .await;
        assert_eq!(told(world).await, [""; 0], "{keep}");
        let settled = settlement(&again[0], Verdict::Taken, "", Settled::Handed);
        for _ in 0..2 {
            settle(&store, std::slice::from_ref(&settled)).await;
        }
        // The second time it is written again where it is kept, as nobody has claimed it since.
        let found = told(world).await;
        assert!((1..=2).contains(&found.len()), "{found:?}");
    }
}

async fn receipts_are_on_record_once(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    let (one, two) = (sent(&store, 1).await, sent(&store, 2).await);
    let handed = [&one, &two].map(|one| settlement(one, Verdict::Taken, "", Settled::Handed));
    settle(&store, &handed).await;
    world.run_sql("DELETE FROM events").await;
    let arrivals = [Arrival::OnTheWay, Arrival::Delivered, Arrival::Delivered];
    for arrival in arrivals {
        let noted = store
            .note_receipt(one.message.id, ("a", 1), arrival, "", true)
            .await;
        noted.expect("must note");
    }
    // It waits for the other route: nothing is known yet.
    let lost = Arrival::Undelivered(Lost::Phone);
    let noted = store
        .note_receipt(two.message.id, ("a", 1), lost, "", true)
        .await;
    assert_eq!(noted, Ok(Noted::Stands(State::Queued)));
    let found = told(world).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("user 1 message.delivered 0 +"),
        "{found:?}"
    );
    let expected =
        serde_json::json!({"message": one.message.id.to_string(), "route": "a", "country": "CH"});
    assert_eq!(details(world).await, [expected]);

    world.run_sql("DELETE FROM events").await;
    let again = store.claim("b", 10, LEASE).await.expect("must claim");
    let mut handed = settlement(&again[0], Verdict::Taken, "", Settled::Handed);
    handed.trail = {
        let mut trail = again[0].trail.clone();
        let mut attempt = handed.trail.last().expect("one").clone();
        attempt.route = "b".into();
        trail.add(attempt);
        trail
    };
    settle(&store, &[handed]).await;
    let never = Arrival::Undelivered(Lost::Number(NumberFault::Landline));
    for _ in 0..2 {
        let noted = store
            .note_receipt(two.message.id, ("b", again[0].attempt), never, "", true)
            .await;
        noted.expect("must note");
    }
    let kinds = "SELECT kind FROM events WHERE kind LIKE 'message.%' ORDER BY kind";
    assert_eq!(
        world.texts(kinds).await,
        ["message.failed", "message.taken"]
    );
    let failed = "SELECT detail FROM events WHERE kind = 'message.failed'";
    let failed = world.texts(failed).await.remove(0);
    assert!(failed.contains(r#""route":"b""#), "{failed}");
    assert!(
        failed.contains("taken, and not delivered: the number takes no texts"),
        "{failed}"
    );
    // Late, and its number is gone: what is known of it is enough.
    let late = store
        .note_receipt(two.message.id, ("a", 1), Arrival::Delivered, "", true)
        .await;
    assert_eq!(late, Ok(Noted::Stands(State::Delivered)));
    let delivered = "SELECT number_mask FROM events WHERE kind = 'message.delivered'";
    assert_eq!(world.texts(delivered).await, [number(2).masked()]);
}

async fn what_gives_back_is_on_record_with_it(world: &World) {
    for keep in [3_600, 0] {
        let mut settings = world.settings.clone();
        settings.keep_messages = Duration::from_secs(keep);
        let store = world.store_with_routes_and(&["a"], settings).await;
        world.run_sql("DELETE FROM events").await;
        let n = u32::try_from(keep).expect("small") + 1;
        let (one, two) = (sent(&store, n).await, sent(&store, n + 1).await);
        let failed = [&one, &two]
            .map(|one| settlement(one, UNABLE, "they refuse us", Settled::Ended(State::Failed)));
        settle(&store, &failed).await;
        let found = told(world).await;
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found.iter().all(|line| line.contains("message.failed 0 ")),
            "{found:?}"
        );
        assert!(
            details(world)
                .await
                .iter()
                .all(|detail| detail["reason"] == "they refuse us")
        );
    }
}

async fn what_was_too_late_is_on_record(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    let _ = sent(&store, 1).await;
    world.pass(601);
    let claimed = store.claim("a", 10, LEASE).await.expect("must claim");
    assert!(claimed.is_empty());
    let found = told(world).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("user 1 message.given_up 0 +"),
        "{found:?}"
    );
}
