//! Limits: each refuses before anything is sent, says when to come back, and keeps its word.

use ringback::config::Config;
use ringback_core::guard::{Mode, Reason};
use ringback_core::limit::{Amount, Limit, Window};

use super::{Api, Kind, Refused, User, another};
use crate::app::TestApp;
use crate::database::Database;

crate::at_each_api! {
    a_pause_ends_when_it_said,
    a_pause_is_one_account_s_own,
    what_others_filled_is_not_told,
    too_many_for_one_number,
    too_many_for_one_account,
    too_many_numbers_set,
    many_wrong_guesses_slow_an_account_down,
    a_verified_number_starts_anew,
    too_many_at_one_address,
    an_organization_sends_no_more_in_a_day,
    an_organization_spends_no_more_in_a_day,
    numbers_that_do_not_answer_are_held_back,
}

fn limited<T: std::fmt::Debug>(answer: Result<T, Refused>, limit: Limit, seconds: u64) {
    let refused = answer.expect_err("limited");
    let met = (refused.kind, refused.retry_after);
    assert_eq!(met, (Kind::Limited(limit), Some(seconds)), "{refused:?}");
}

async fn a_pause_ends_when_it_said(api: Api, database: Database) {
    // Four codes to one number are more than one account may send it in ten minutes.
    let app = TestApp::start_with(database, |config| config.limits.sends_per_number = vec![]).await;
    let app = &app;
    for way in api.ways() {
        let user = User::new(app, api, &format!("ann-{way}"));
        let question = user.set(&app.number()).await.expect("set");
        let resend = async || user.resend_by(way, &question).await;
        for pause in [60, 120, 240] {
            let sent = app.sent().await;
            limited(resend().await, Limit::CoolDown, pause);
            app.seconds(pause - 1);
            limited(resend().await, Limit::CoolDown, 1);
            assert_eq!(app.sent().await, sent, "a refusal sends nothing");
            app.seconds(1);
            resend().await.expect("after the pause");
            assert_eq!(app.sent().await, sent + 1);
        }
    }
}

async fn a_pause_is_one_account_s_own(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, bob) = (User::new(&app, api, "ann"), User::new(&app, api, "bob"));
    let number = app.number();
    let question = ann.set(&number).await.expect("set");
    limited(ann.resend(&question).await, Limit::CoolDown, 60);
    bob.set(&number).await.expect("another account");
    assert_eq!(app.letters(&number).await.len(), 2);
}

async fn what_others_filled_is_not_told(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let number = app.number();
    let ids = ["a", "b", "c", "d"];
    for id in ids {
        User::new(&app, api, id).set(&number).await.expect("set");
    }
    // The fifth is kept for whoever holds the number verified.
    let eve = User::new(&app, api, "eve");
    limited(eve.set(&number).await, Limit::Others, 600);
    assert_eq!(app.database.count("accounts").await, 4, "nobody came to be");
    assert_eq!(app.sent().await, 4);
    app.seconds(600);
    eve.set(&number).await.expect("after the wait");
}

async fn too_many_for_one_number(api: Api, database: Database) {
    let app = unlimited(database, |config| {
        config.limits.sends_per_number = vec![Window {
            count: 6,
            seconds: 600,
        }];
    })
    .await;
    let (ann, bob) = (User::new(&app, api, "ann"), User::new(&app, api, "bob"));
    let number = app.number();
    let question = ann.set(&number).await.expect("set");
    for _ in 0..2 {
        ann.resend(&question).await.expect("sent again");
    }
    for (seconds, later) in [(600, 599), (1, 1)] {
        limited(ann.resend(&question).await, Limit::NumberSends, seconds);
        assert_eq!(app.letters(&number).await.len(), 3);
        app.seconds(later);
    }
    bob.set(&number).await.expect("another account");
    for _ in 0..3 {
        ann.resend(&question).await.expect("as often again");
    }
    limited(ann.resend(&question).await, Limit::NumberSends, 600);
}

async fn too_many_for_one_account(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| config.numbers.most_per_account = 100).await;
    let ann = User::new(&app, api, "ann");
    for _ in 0..5 {
        ann.set(&app.number()).await.expect("set");
    }
    let held = ann.held().await.expect("read");
    for (seconds, later) in [(600, 599), (1, 1)] {
        limited(ann.set(&app.number()).await, Limit::AccountSends, seconds);
        app.seconds(later);
    }
    assert_eq!(ann.held().await.expect("read"), held);
    let number = app.number();
    ann.set(&number).await.expect("one more");
    assert_eq!(app.letters(&number).await.len(), 1);
    for _ in 0..4 {
        ann.set(&app.number()).await.expect("one more");
    }
    limited(ann.set(&app.number()).await, Limit::AccountSends, 600);
    let bob = User::new(&app, api, "bob");
    bob.set(&app.number()).await.expect("another account");
}

async fn too_many_numbers_set(api: Api, database: Database) {
    let app = unlimited(database, |_| {}).await;
    let ann = User::new(&app, api, "ann");
    for _ in 0..25 {
        ann.set(&app.number()).await.expect("set");
    }
    let (held, sent) = (ann.held().await.expect("read"), app.sent().await);
    for (seconds, later) in [(86_400, 86_399), (1, 1)] {
        limited(ann.set(&app.number()).await, Limit::AccountSets, seconds);
        app.seconds(later);
    }
    assert_eq!(ann.held().await.expect("read"), held);
    assert_eq!(app.sent().await, sent);
    ann.set(&app.number()).await.expect("one more");
}

/// Without limits for messages, but for those that a test sets.
async fn unlimited(database: Database, change: impl FnOnce(&mut Config)) -> TestApp {
    let app = TestApp::start_with(database, |config| {
        config.limits.cool_down_seconds = vec![];
        config.limits.sends_per_account = vec![];
        config.limits.sends_per_number = vec![];
        // Where numbers are added they are all kept.
        config.numbers.most_per_account = 100;
        change(config);
    });
    app.await
}

async fn many_wrong_guesses_slow_an_account_down(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| config.codes.guesses = 10).await;
    let ann = User::new(&app, api, "ann");
    let number = app.number();
    let question = ann.set(&number).await.expect("set");
    let code = app.code(&number).await;
    for _ in 0..5 {
        ann.refused(&question, another(&code)).await;
    }
    // The right one waits as well, and a caller who waits is told so.
    let waits = async |seconds| {
        limited(
            ann.submit(&question, &code).await,
            Limit::WrongCodes,
            seconds,
        );
    };
    waits(1).await;
    app.seconds(1);
    // Each one more doubles the wait.
    ann.refused(&question, another(&code)).await;
    waits(2).await;
    app.seconds(1);
    waits(1).await;
    // Nobody else waits.
    let bob = User::new(&app, api, "bob");
    bob.proven(&number).await;
    app.seconds(1);
    ann.submit(&question, &code)
        .await
        .expect("after two seconds");
}

async fn a_verified_number_starts_anew(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| config.limits.sends_per_number = vec![]).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    for _ in 0..2 {
        ann.proven(&number).await;
        ann.remove(&number).await.expect("removed");
        assert_eq!(ann.held().await.expect("read"), []);
    }
}

async fn too_many_at_one_address(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| {
        let window = |count| {
            vec![Window {
                count,
                seconds: 3_600,
            }]
        };
        config.limits.sends_per_address = window(10);
        config.limits.verifications_per_address = window(3);
    });
    let app = app.await;
    let mut last = None;
    for n in 0..10 {
        let user = User::new(&app, api, &format!("user-{n}"));
        let number = app.number();
        let question = user.set(&number).await.expect("set");
        last = Some((user, number, question));
    }
    let eve = User::new(&app, api, "eve");
    limited(eve.set(&app.number()).await, Limit::AddressSends, 3_600);
    assert_eq!(app.sent().await, 10);
    let (user, number, question) = last.expect("is the tenth");
    let code = app.code(&number).await;
    for _ in 0..3 {
        user.refused(&question, another(&code)).await;
    }
    limited(
        user.submit(&question, &code).await,
        Limit::AddressVerifications,
        3_600,
    );
    app.seconds(3_600);
    eve.set(&app.number()).await.expect("an hour later");
}

async fn an_organization_sends_no_more_in_a_day(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.limits.sends_per_organization_per_day = 5;
    });
    let app = app.await;
    for n in 0..5 {
        let user = User::new(&app, api, &format!("user-{n}"));
        user.set(&app.number()).await.expect("set");
    }
    let eve = User::new(&app, api, "eve");
    // Of the day, and of what was left of the hour.
    limited(
        eve.set(&app.number()).await,
        Limit::OrganizationSends,
        25 * 3_600,
    );
    let other = User::new(&app, api, "eve").of("other");
    other
        .set(&app.number())
        .await
        .expect("another organisation");
    app.seconds(25 * 3_600);
    eve.set(&app.number()).await.expect("a day later");
}

async fn an_organization_spends_no_more_in_a_day(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.limits.spend_per_organization_per_day = Amount(50_000);
        let route = config.sms.routes.values_mut().next().expect("a route");
        route.common.cost_per_segment = "0.0075".into();
    });
    let app = app.await;
    // Six are 0.045; a seventh would be 0.0525.
    for n in 0..6 {
        let user = User::new(&app, api, &format!("ann-{n}"));
        user.set(&app.number()).await.expect("room for it");
    }
    let eve = User::new(&app, api, "eve");
    let refused = eve.set(&app.number()).await.expect_err("too dear");
    assert_eq!(refused.kind, Kind::Limited(Limit::OrganizationSpend));
    assert_eq!(app.sent().await, 6);
    app.seconds(refused.retry_after.expect("says when"));
    eve.set(&app.number()).await.expect("a day later");
}

async fn numbers_that_do_not_answer_are_held_back(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.guard.mode = Mode::Enforce;
        config.guard.deny_countries = ["LI".to_owned()].into();
        config.guard.prefix_sends = 4;
    });
    let app = app.await;
    let number = |n: u32| format!("+4179123{:04}", 1_000 + n);
    for n in 0..4 {
        let user = User::new(&app, api, &format!("ann-{n}"));
        user.set(&number(n)).await.expect("not too many yet");
    }
    let eve = User::new(&app, api, "eve");
    for _ in 0..3 {
        let refused = eve.set(&number(9)).await;
        limited(refused, Limit::Guard(Reason::Prefix), 3_600);
    }
    let events = app.database.count("events WHERE kind = 'guard.refused'");
    assert_eq!(events.await, 1, "once a minute");
    let denied = eve.set("+423660123456").await.expect_err("denied");
    assert_eq!((denied.kind, denied.retry_after), (Kind::Guarded, None));
    assert_eq!(app.sent().await, 4);
    app.seconds(3_600);
    eve.set(&number(9)).await.expect("an hour later");
}
