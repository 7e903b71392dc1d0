//! Who may do what.

use ringback_core::policy::Registration;
use serde_json::json;

use super::user::{answer, send};
use super::{Answer, Api, Kind, Question, User};
use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::at_each_api! {
    nobody_enters_without_a_token,
    users_act_only_on_themselves,
    another_organisation_is_not_there,
    the_same_organisation_without_the_right,
    those_with_the_right_may,
}

/// An id that no number has.
const NO_ID: &str = "01940000-0000-7000-8000-000000000000";

fn refusal(answer: Answer) -> super::Refused {
    answer.outcome().expect_err("not refused")
}

async fn nobody_enters_without_a_token(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    ann.proven(&number).await;
    let before = app.database.dump().await;
    let token = |name: &str, value: serde_json::Value| {
        let mut claims = api.claims("ann", "acme", app.now());
        claims[name] = value;
        app.token(claims)
    };
    let whole = ann.token();
    let (front, signature) = whole.rsplit_once('.').expect("three parts");
    let reversed: String = signature.chars().rev().collect();
    let invalid = [
        token("exp", (app.now() - 31).into()),
        token("iss", "https://evil.example".into()),
        token("aud", "somebody".into()),
        format!("{front}.{reversed}"),
        format!("{front}."),
        "nonsense".to_owned(),
    ];
    let question = Question::of(&number);
    let mut calls = Vec::new();
    for user in ["ann", "nobody"] {
        calls.extend(api.own(user, &question, NO_ID));
        calls.extend(api.naming(user, &number, NO_ID));
    }
    let (mut invalid_looks, mut missing_looks) = (Vec::new(), Vec::new());
    for call in calls {
        for token in &invalid {
            let refused = refusal(answer(&app, &call, Some(token)).await);
            assert_eq!(refused.kind, Kind::Token);
            invalid_looks.push(refused.look());
        }
        let refused = refusal(answer(&app, &call, None).await);
        assert_eq!(refused.kind, Kind::Token);
        missing_looks.push(refused.look());
    }
    invalid_looks.dedup();
    missing_looks.dedup();
    assert_eq!((invalid_looks.len(), missing_looks.len()), (1, 1));
    assert_eq!(invalid_looks[0].0, 401);
    // Zitadel and ReachFive publish words of their own for a token that is not there at all.
    let alike = api == Api::Frontegg;
    assert_eq!(invalid_looks == missing_looks, alike);
    assert_eq!(app.database.dump().await, before);
}

async fn users_act_only_on_themselves(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, bob) = (User::new(&app, api, "ann"), User::new(&app, api, "bob"));
    let (anns, bobs) = (app.number(), app.number());
    ann.proven(&anns).await;
    bob.proven(&bobs).await;
    let (before, sent) = (app.database.dump().await, app.sent().await);
    let id = ann.id_of(&anns).await;
    let mut calls = api.naming("ann", &app.number(), &id);
    calls.extend((api == Api::Zitadel).then(|| api.read("ann")));
    for call in calls {
        let refused = bob.send(call).await.expect_err("not his");
        assert_eq!(refused.kind, Kind::NoUser, "{refused:?}");
    }
    assert_eq!(app.database.dump().await, before);
    match api {
        Api::Zitadel => {}
        // What an environment token may name, a user's may not: the headers are ignored.
        Api::Frontegg => {
            let read = api.read("bob").with("frontegg-user-id", "ann");
            let shown = bob.send(read).await.expect("his own");
            assert_eq!(api.held(&shown), [(bobs, true)]);
            let remove = api
                .remove("bob", &anns, &id)
                .with("frontegg-user-id", "ann");
            let refused = bob.send(remove).await.expect_err("not his");
            assert_eq!(refused.kind, Kind::NoNumber);
        }
        // Nobody's number is his, whoever holds it.
        Api::ReachFive => {
            let refused = bob.remove(&anns).await.expect_err("not his");
            assert_eq!(refused.kind, Kind::NoNumber);
        }
    }
    assert_eq!(ann.held().await.expect("read"), [(anns, true)]);
    assert_eq!(app.sent().await, sent);
}

async fn another_organisation_is_not_there(api: Api, database: Database) {
    let explicit = TestApp::start_with(database.another().await, |config| {
        config.accounts.register = Registration::Explicit;
    });
    for (app, register) in [
        (TestApp::start(database).await, Registration::OnFirstToken),
        (explicit.await, Registration::Explicit),
    ] {
        let (ann, number) = (User::new(&app, api, "ann"), app.number());
        let add = json!({"userId": "ann", "organization": {"orgId": "acme"}});
        Wire::Json.ok(&app, "AddHumanUser", &app.admin(), add).await;
        ann.proven(&number).await;
        let id = ann.id_of(&number).await;
        let (before, fresh) = (app.database.dump().await, app.number());
        let naming = |user: &str| {
            let mut calls = api.naming(user, &fresh, &id);
            calls.extend((api == Api::Zitadel).then(|| api.read(user)));
            calls
        };
        let stranger = User::new(&app, api, "eve").of("other").token();
        let colleague = User::new(&app, api, "eve").token();
        for token in [stranger, colleague, app.manager("other")] {
            for (there, unknown) in naming("ann").into_iter().zip(naming("nobody")) {
                let there = refusal(answer(&app, &there, Some(&token)).await);
                let unknown = refusal(answer(&app, &unknown, Some(&token)).await);
                assert_eq!(there.kind, Kind::NoUser, "{there:?}");
                assert_eq!(there.look(), unknown.look());
            }
        }
        if api == Api::Frontegg {
            named_in_headers(&app, &id, register).await;
        }
        assert_eq!(app.database.dump().await, before);
        assert_eq!(ann.held().await.expect("read"), [(number, true)]);
    }
}

/// Frontegg's back ends name a user, and a tenant, in headers. In a tenant that is not the user's there is
/// no such user.
async fn named_in_headers(app: &TestApp, id: &str, register: Registration) {
    let api = Api::Frontegg;
    let question = Question::of(&app.number());
    let named = |user: &str| {
        let mut calls = vec![
            api.submit(user, &question, "123456"),
            api.read(user),
            api.remove(user, "", id),
            api.confirm_removal(id, "x", "123456"),
        ];
        // A number that is set or announced may bring a user into being who was not there.
        if register == Registration::Explicit {
            calls.push(api.set(user, &question.number));
            calls.extend(api.resends(user, &question.number));
        }
        calls.extend(api.naming(user, &app.number(), id));
        let in_tenant = |call: super::Call| {
            let call = call.with("frontegg-tenant-id", "other");
            call.with("frontegg-user-id", user)
        };
        calls.into_iter().map(in_tenant).collect::<Vec<_>>()
    };
    let token = app.admin();
    for (there, unknown) in named("ann").into_iter().zip(named("nobody")) {
        let there = answer(app, &there, Some(&token)).await;
        let unknown = answer(app, &unknown, Some(&token)).await;
        assert_eq!((there.status, &there.body), (unknown.status, &unknown.body));
        let names = |answer: &Answer| -> Vec<String> {
            answer.headers.keys().map(ToString::to_string).collect()
        };
        assert_eq!(names(&there), names(&unknown));
    }
}

async fn the_same_organisation_without_the_right(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    ann.proven(&number).await;
    let id = ann.id_of(&number).await;
    let before = app.database.dump().await;
    let mut reader = api.claims("eve", "acme", app.now());
    reader["permissions"] = json!(["user.read", "user.delete"]);
    let reader = app.token(reader);
    for call in api.naming("ann", &app.number(), &id) {
        let refused = send(&app, &call, &reader).await.expect_err("no right");
        assert_eq!(refused.kind, Kind::Denied, "{refused:?}");
    }
    assert_eq!(app.database.dump().await, before);
}

/// What the calls that name a user do for a manager of the user's organisation, and for an owner of all.
async fn those_with_the_right_may(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    for (id, token) in [("ann", app.manager("acme")), ("bob", app.admin())] {
        let (user, number) = (User::new(&app, api, id), app.number());
        let act = async |call: super::Call| send(&app, &call, &token).await.expect("allowed");
        match api {
            Api::Zitadel => {
                let question = user.set(&app.number()).await.expect("set");
                act(api.set(id, &number)).await;
                app.seconds(60);
                act(api.resends(id, &number).remove(0)).await;
                let code = app.code(&number).await;
                act(api.submit(id, &question, &code)).await;
                assert_eq!(api.held(&act(api.read(id)).await), [(number, true)]);
                act(api.remove(id, "", "")).await;
                assert_eq!(user.held().await.expect("read"), []);
            }
            Api::Frontegg => {
                let own = app.number();
                user.proven(&own).await;
                let mut calls = api.naming(id, &number, NO_ID);
                act(calls.remove(0)).await;
                let held = user.held().await.expect("read");
                assert_eq!(held, [(own.clone(), true), (number.clone(), true)]);
                let phone = user.id_of(&number).await;
                act(api.naming(id, &number, &phone).remove(1)).await;
                assert_eq!(user.held().await.expect("read"), [(own, true)]);
            }
            Api::ReachFive => {
                let question = user.set(&number).await.expect("set");
                let code = app.code(&number).await;
                app.seconds(60);
                act(api.naming(id, "", "").remove(0)).await;
                assert_eq!(app.letters(&number).await.len(), 2);
                assert_eq!(app.code(&number).await, code);
                user.submit(&question, &code).await.expect("verified");
            }
        }
    }
}
