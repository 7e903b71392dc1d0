//! Limits: which one it was, and when to come back. That they end then is in `api`.

use ringback::config::{Config, Network, RouteSection};
use ringback_core::guard::Mode;
use ringback_core::limit::{Amount, Window};
use serde_json::json;

use super::row;
use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    too_soon,
    too_many_for_one_number_or_account,
    a_returned_code_spends_nothing,
    too_many_at_one_address,
    too_many_of_one_organization,
    what_the_guard_holds_back,
    whom_a_proxy_speaks_for,
}

async fn too_soon(database: Database) {
    let app = TestApp::start(database).await;
    let (app, admin) = (&app, app.admin());
    row("limited_cool_down", async |wire, user| {
        let (token, number) = (app.user(user, "acme"), app.number());
        wire.ok(
            app,
            "SetPhone",
            &token,
            json!({"userId": user, "phone": number}),
        )
        .await;
        wire.refused(app, "ResendPhoneCode", &token, json!({"userId": user}))
            .await
    })
    .await;
    // Five wrong guesses: the user gets no new code, a service gets one, and its first guess waits a second.
    let five_wrong = async |wire: Wire, user: &str| {
        let (token, number) = (app.user(user, "acme"), app.number());
        let set = json!({"userId": user, "phone": number});
        wire.ok(app, "SetPhone", &token, set).await;
        let code = app.code(&number).await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let submit = json!({"userId": user, "verificationCode": wrong});
        for _ in 0..5 {
            wire.refused(app, "VerifyPhone", &token, submit.clone())
                .await;
        }
        (token, submit)
    };
    row("limited_guesses", async |wire, user| {
        let (token, _) = five_wrong(wire, user).await;
        let resend = json!({"userId": user});
        wire.refused(app, "ResendPhoneCode", &token, resend).await
    })
    .await;
    row("limited_wrong_codes", async |wire, user| {
        let (token, submit) = five_wrong(wire, user).await;
        let resend = json!({"userId": user, "returnCode": {}});
        wire.ok(app, "ResendPhoneCode", &admin, resend).await;
        wire.refused(app, "VerifyPhone", &token, submit).await
    })
    .await;
}

async fn too_many_for_one_number_or_account(database: Database) {
    let usual = TestApp::start(database.another().await).await;
    row("limited_sends_per_account", async |wire, user| {
        let token = usual.user(user, "acme");
        for _ in 0..5 {
            let set = json!({"userId": user, "phone": usual.number()});
            wire.ok(&usual, "SetPhone", &token, set).await;
        }
        let set = json!({"userId": user, "phone": usual.number()});
        wire.refused(&usual, "SetPhone", &token, set).await
    })
    .await;

    let app = TestApp::start_with(database, |config| {
        config.limits.cool_down_seconds = vec![];
        config.limits.sends_per_account = vec![];
        config.limits.sends_per_number = vec![Window {
            count: 6,
            seconds: 600,
        }];
        config.limits.changes_per_account = vec![Window {
            count: 30,
            seconds: 3_600,
        }];
    });
    let app = app.await;
    row("limited_sends_per_number", async |wire, user| {
        let (token, number) = (app.user(user, "acme"), app.number());
        wire.ok(
            &app,
            "SetPhone",
            &token,
            json!({"userId": user, "phone": number}),
        )
        .await;
        for _ in 0..2 {
            wire.ok(&app, "ResendPhoneCode", &token, json!({"userId": user}))
                .await;
        }
        wire.refused(&app, "ResendPhoneCode", &token, json!({"userId": user}))
            .await
    })
    .await;
    row("limited_by_others", async |wire, user| {
        let number = app.number();
        for index in 0.. {
            let user = format!("{user}-{index}");
            let set = json!({"userId": user, "phone": number});
            match wire
                .call(&app, "SetPhone", &app.user(&user, "acme"), set)
                .await
            {
                // A quarter of six, rounded down, is not for them.
                Ok(_) => assert!(index < 5),
                Err(refused) => return refused,
            }
        }
        unreachable!("the sixth is refused")
    })
    .await;
    row("limited_changes_per_account", async |wire, user| {
        let token = app.user(user, "acme");
        let set = json!({"userId": user, "phone": app.number()});
        wire.ok(&app, "SetPhone", &token, set).await;
        for n in 0..29 {
            let update = json!({"userId": user, "human": {"profile": {"givenName": n.to_string(), "familyName": "x"}}});
            wire.ok(&app, "UpdateUser", &token, update).await;
        }
        let remove = json!({"userId": user});
        wire.refused(&app, "RemovePhone", &token, remove).await
    })
    .await;
    row("limited_sets_per_account", async |wire, user| {
        let token = app.user(user, "acme");
        for _ in 0..25 {
            let set = json!({"userId": user, "phone": app.number()});
            wire.ok(&app, "SetPhone", &token, set).await;
        }
        let set = json!({"userId": user, "phone": app.number()});
        wire.refused(&app, "SetPhone", &token, set).await
    })
    .await;
}

async fn a_returned_code_spends_nothing(database: Database) {
    let app = TestApp::start(database).await;
    let (admin, number) = (app.admin(), app.number());
    let set = json!({"userId": "root", "phone": number, "returnCode": {}});
    Wire::Grpc.ok(&app, "SetPhone", &admin, set).await;
    for _ in 0..30 {
        let again = json!({"userId": "root", "returnCode": {}});
        Wire::Grpc.ok(&app, "ResendPhoneCode", &admin, again).await;
    }
    Wire::Grpc
        .ok(&app, "ResendPhoneCode", &admin, json!({"userId": "root"}))
        .await;
    assert_eq!(app.sent().await, 1);
}

/// As the default file has it.
fn count_addresses(config: &mut Config) {
    let window = |count| {
        vec![Window {
            count,
            seconds: 3_600,
        }]
    };
    config.limits.sends_per_address = window(10);
    config.limits.verifications_per_address = window(60);
}

/// The code of a new user's number.
async fn returned(app: &TestApp, wire: Wire, user: &str) -> String {
    let add = json!({
        "userId": user, "organization": {"orgId": "acme"}, "phone": {"phone": app.number(), "returnCode": {}},
    });
    let reply = wire.ok(app, "AddHumanUser", &app.admin(), add).await;
    reply["phoneCode"].as_str().expect("a code").to_owned()
}

async fn too_many_at_one_address(database: Database) {
    let app = TestApp::start_with(database, count_addresses).await;
    row("limited_sends_per_address", async |wire, user| {
        for n in 0..10 {
            let user = format!("{user}-{n}");
            let set = json!({"userId": user, "phone": app.number()});
            wire.ok(&app, "SetPhone", &app.user(&user, "acme"), set)
                .await;
        }
        // A service at the same address is not counted, nor is what it asks for.
        let set = json!({"userId": format!("{user}-0"), "phone": app.number(), "sendCode": {}});
        wire.ok(&app, "SetPhone", &app.admin(), set).await;
        let sent = app.sent().await;
        let set = json!({"userId": "eve", "phone": app.number()});
        let refused = wire
            .refused(&app, "SetPhone", &app.user("eve", "other"), set)
            .await;
        assert_eq!(app.sent().await, sent);
        app.seconds(3_600);
        refused
    })
    .await;
    row("limited_verifications_per_address", async |wire, user| {
        app.seconds(3_600);
        for n in 0..12 {
            let user = format!("{user}-{n}");
            let (token, me) = (app.user(&user, "acme"), json!({"userId": user}));
            let code = returned(&app, wire, &user).await;
            let wrong = if code == "000000" { "000001" } else { "000000" };
            let mut submit = me;
            submit["verificationCode"] = wrong.into();
            for _ in 0..5 {
                wire.refused(&app, "VerifyPhone", &token, submit.clone())
                    .await;
            }
        }
        let code = returned(&app, wire, user).await;
        let right = json!({"userId": user, "verificationCode": code});
        let token = app.user(user, "acme");
        let refused = wire.refused(&app, "VerifyPhone", &token, right).await;
        app.seconds(3_600);
        refused
    })
    .await;
}

async fn too_many_of_one_organization(database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.limits.sends_per_organization_per_day = 7;
        config.limits.sends_per_country_per_day = [("DE".to_owned(), 2)].into();
        config.limits.spend_per_organization_per_day = Amount(1_000_000);
        let route = config.sms.routes.values_mut().next().expect("a route");
        route.common.cost_per_segment = "0.2".into();
        let dear = RouteSection {
            common: route.common.clone(),
            provider: route.provider.clone(),
        };
        route.common.cost_per_segment = "0.01".into();
        config.sms.routes.insert("dear".into(), dear);
        let cheap = config.sms.routes.keys().find(|name| *name != "dear");
        let default = vec![cheap.expect("a route").clone()];
        config.sms.order = [
            ("default".to_owned(), default),
            ("AT".to_owned(), vec!["dear".to_owned()]),
        ]
        .into();
    });
    let app = app.await;
    for (name, most) in [
        ("limited_sends_per_organization", 7),
        ("limited_sends_per_country", 2),
        ("limited_spend_per_organization", 5),
    ] {
        row(name, async |wire, user| {
            let number = |n: u32| match most {
                7 => app.number(),
                5 => format!("+43664{:07}", 1_000_000 + n),
                _ => format!("+49151{:08}", 10_000_000 + n),
            };
            // A whole hour, so that all are told to wait for as long.
            for n in 0..most {
                let user = format!("{user}-{n}");
                let set = json!({"userId": user, "phone": number(n)});
                let token = app.user(&user, &format!("org-{}", wire.name()));
                wire.ok(&app, "SetPhone", &token, set).await;
            }
            let set = json!({"userId": user, "phone": number(most)});
            let token = app.user(user, &format!("org-{}", wire.name()));
            let refused = wire.refused(&app, "SetPhone", &token, set).await;
            app.seconds(25 * 3_600);
            refused
        })
        .await;
    }
}

async fn what_the_guard_holds_back(database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.guard.mode = Mode::Enforce;
        config.guard.deny_countries = ["LI".to_owned()].into();
        config.guard.prefix_sends = 3;
    });
    let app = app.await;
    row("guarded", async |wire, user| {
        let set = json!({"userId": user, "phone": "+423660123456"});
        let token = app.user(user, "acme");
        wire.refused(&app, "SetPhone", &token, set).await
    })
    .await;
    assert_eq!(
        (app.sent().await, app.database.count("accounts").await),
        (0, 0)
    );
    row("limited_guard", async |wire, user| {
        let nth = Wire::ALL.iter().position(|one| *one == wire);
        let first = 1_000 + 10 * u32::try_from(nth.expect("a wire")).expect("few");
        let number = |n: u32| format!("+4179123{:04}", first + n);
        let organization = format!("org-{}", wire.name());
        for n in 0..3 {
            let user = format!("{user}-{n}");
            let set = json!({"userId": user, "phone": number(n)});
            let token = app.user(&user, &organization);
            wire.ok(&app, "SetPhone", &token, set).await;
        }
        let set = json!({"userId": user, "phone": number(3)});
        let token = app.user(user, &organization);
        wire.refused(&app, "SetPhone", &token, set).await
    })
    .await;
}

async fn whom_a_proxy_speaks_for(database: Database) {
    let behind = TestApp::start_with(database.another().await, |config| {
        count_addresses(config);
        config.server.trusted_proxies = vec![Network::parse("127.0.0.0/8").expect("a network")];
    });
    let (behind, open) = (
        behind.await,
        TestApp::start_with(database, count_addresses).await,
    );
    for (app, is_believed) in [(&behind, true), (&open, false)] {
        let mut users = 0;
        for wire in Wire::ALL {
            app.seconds(3_600);
            let mut send = async |header: &'static str, from: &str| {
                users += 1;
                let user = format!("user-{users}");
                let token = format!("Bearer {}", app.user(&user, "acme"));
                let headers = [("authorization", token.as_str()), (header, from)];
                let set = json!({"userId": user, "phone": app.number()});
                wire.call_with(app, "SetPhone", &headers, set).await.is_ok()
            };
            // What is forged in front of what the proxy adds counts for nothing, nor does our own name for it.
            for n in 0..10 {
                let from = format!("198.51.100.{n}, 203.0.113.1");
                assert!(send("x-forwarded-for", &from).await, "{wire:?}");
            }
            assert!(!send("x-forwarded-for", "203.0.113.1").await, "{wire:?}");
            assert!(!send("x-forwarded-for", "1.2.3.4, ::ffff:203.0.113.1").await);
            let others = send("x-forwarded-for", "203.0.113.2").await;
            assert_eq!(others, is_believed, "{wire:?}");
            // A proxy that does not say for whom it asks may ask for everybody.
            let proxy = send("ringback-client-address", "203.0.113.9").await;
            assert_eq!(proxy, is_believed, "{wire:?}");
            if is_believed {
                for host in 1..=10 {
                    let from = format!("2001:db8:0:{host}::1");
                    assert!(send("x-forwarded-for", &from).await);
                }
                for host in 0..10 {
                    let from = format!("2001:db8:1:1:{host}::1");
                    assert!(send("x-forwarded-for", &from).await);
                }
                assert!(!send("x-forwarded-for", "2001:db8:1:1::99").await);
            }
        }
    }
}
