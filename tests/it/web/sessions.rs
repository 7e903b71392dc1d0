//! Sessions over the API: opened, used once, told of, come back from.

use ringback::config::Config;
use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    a_session_proves_one_number_and_comes_back_with_a_result,
    a_success_that_is_raced_for_happens_once,
    only_allowed_addresses_are_returned_to,
    results_are_checked_by_whoever_may_read,
    nobody_opens_sessions_where_they_are_off,
    a_new_user_is_registered_by_the_session,
}

/// With sessions, and one address to return to.
pub(super) fn configured(config: &mut Config) {
    config.verify.enabled = true;
    config.verify.return_urls = vec!["https://app.example.com/settings".into()];
}

pub(super) async fn open(app: &TestApp, body: Value) -> Value {
    let mut body = body;
    body["organizationId"] = "acme".into();
    let admin = app.admin();
    Wire::Grpc
        .ok(app, "CreateVerificationSession", &admin, body)
        .await
}

/// A text of an answer.
pub(super) fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_default()
}

async fn a_session_proves_one_number_and_comes_back_with_a_result(database: Database) {
    let app = TestApp::start_with(database, configured).await;
    for wire in Wire::ALL {
        let user = format!("ann-{}", wire.name());
        let me = || json!({"userId": user});
        let back = "https://app.example.com/settings/phone?tab=2";
        let opened = open(
            &app,
            json!({"userId": user, "returnUrl": back, "language": "de"}),
        )
        .await;
        let token = text(&opened, "token");
        let url = text(&opened, "url");
        assert!(url.starts_with(&app.url("/verify?h=")), "{url}");
        assert!(url.ends_with(&format!("&lang=de#{token}")), "{url}");

        let asked = wire.ok(&app, "GetVerification", token, me()).await;
        assert_eq!(asked["step"], "VERIFICATION_STEP_NUMBER");
        assert_eq!(
            (text(&asked, "returnUrl"), text(&asked, "language")),
            (back, "de")
        );
        let number = app.number();
        let body = json!({"userId": user, "phone": number});
        let sent = wire.ok(&app, "ChangeUserPhone", token, body).await;
        let asked = wire.ok(&app, "GetVerification", token, me()).await;
        assert_eq!(asked["step"], "VERIFICATION_STEP_CODE");
        assert_eq!(asked["challengeId"], sent["challengeId"]);
        assert_eq!(asked["resendAfter"], "60s");
        assert_eq!(
            (&asked["codeLength"], &asked["codeIsNumeric"]),
            (&json!(6), &json!(true))
        );
        let hint = text(&asked, "phoneHint");
        assert!(
            hint.ends_with(&number[number.len() - 2..]) && hint.len() < 14,
            "{hint}"
        );

        let code = app.code(&number).await;
        let body = json!({
            "userId": user, "challengeId": sent["challengeId"], "verificationCode": code,
        });
        wire.ok(&app, "VerifyUserPhone", token, body).await;
        let done = wire.ok(&app, "GetVerification", token, me()).await;
        assert_eq!(done["step"], "VERIFICATION_STEP_VERIFIED");
        let url = text(&done, "returnUrl");
        let (before, result) = url.split_once("&ringback_result=").expect("a result");
        assert_eq!(before, back);

        // Nothing more, but to be told the same again.
        for (rpc, body) in [
            (
                "ChangeUserPhone",
                json!({"userId": user, "phone": app.number()}),
            ),
            ("SetPhone", json!({"userId": user, "phone": app.number()})),
            ("ResendUserPhoneChange", me()),
        ] {
            let refused = wire.refused(&app, rpc, token, body).await;
            assert_eq!(refused.code, Code::Unauthenticated, "{rpc}: {refused:?}");
        }

        let check = json!({"result": result});
        let checked = wire
            .ok(&app, "CheckVerificationResult", &app.admin(), check)
            .await;
        assert_eq!(checked["userId"], user.as_str());
        assert_eq!(checked["phone"], number.as_str());
        assert_eq!(checked["isVerified"], true);
        assert_eq!(checked["sessionId"], opened["sessionId"]);
    }
    let late = open(&app, json!({"userId": "late"})).await;
    app.seconds(1_800 + 31);
    let number = json!({"userId": "late", "phone": app.number()});
    let refused = Wire::Grpc
        .refused(&app, "ChangeUserPhone", text(&late, "token"), number)
        .await;
    assert_eq!(refused.code, Code::Unauthenticated);
}

async fn a_success_that_is_raced_for_happens_once(database: Database) {
    let app = TestApp::start_with(database, configured).await;
    let opened = open(&app, json!({"userId": "ann"})).await;
    let token = text(&opened, "token");
    let number = app.number();
    let body = json!({"userId": "ann", "phone": number});
    let sent = Wire::Grpc.ok(&app, "ChangeUserPhone", token, body).await;
    let code = app.code(&number).await;
    let right = json!({
        "userId": "ann", "challengeId": sent["challengeId"], "verificationCode": code,
    });
    let other = json!({"userId": "ann", "phone": app.number()});
    // Whoever holds the token and sets another number at the same moment comes before the success, or not at all.
    let answers = futures::future::join_all((0..8).map(|n| match n % 2 {
        0 => Wire::Grpc.call(&app, "VerifyUserPhone", token, right.clone()),
        _ => Wire::Grpc.call(&app, "SetPhone", token, other.clone()),
    }))
    .await;
    let verified = answers
        .iter()
        .step_by(2)
        .filter(|answer| answer.is_ok())
        .count();
    assert!(verified <= 1, "{answers:?}");
    let listed = json!({"userId": "ann"});
    let listed = Wire::Grpc
        .ok(&app, "ListUserPhones", &app.admin(), listed)
        .await;
    let phones = listed["phones"].as_array().expect("numbers");
    assert_eq!(phones.len(), 1, "{listed}");
    // If it succeeded, the proven number is the one that stands.
    assert_eq!(phones[0]["isVerified"] == true, verified == 1, "{listed}");
    let after = Wire::Grpc.call(
        &app,
        "SetPhone",
        token,
        json!({"userId": "ann", "phone": app.number()}),
    );
    let after = after.await.map_err(|refused| refused.code);
    assert_eq!(
        after == Err(Code::Unauthenticated),
        verified == 1,
        "{after:?}"
    );
}

async fn only_allowed_addresses_are_returned_to(database: Database) {
    let app = TestApp::start_with(database, configured).await;
    for url in [
        "https://app.example.com/",
        "https://app.example.com/settings-of-others",
        "https://app.example.com/settings/../x",
        "https://evil.example/settings",
        "https://app.example.com@evil.example/settings",
        "//evil.example",
        "javascript:alert(1)",
    ] {
        let body = json!({"userId": "ann", "organizationId": "acme", "returnUrl": url});
        let refused = Wire::Grpc
            .refused(&app, "CreateVerificationSession", &app.admin(), body)
            .await;
        assert_eq!(refused.code, Code::InvalidArgument, "{url}: {refused:?}");
    }
    for body in [
        json!({"userId": "ann", "phone": "no number"}),
        json!({"userId": "ann", "language": "de; drop"}),
        json!({"userId": ""}),
    ] {
        let refused = Wire::Grpc
            .refused(&app, "CreateVerificationSession", &app.admin(), body)
            .await;
        assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    }
    for token in [
        app.user("ann", "acme"),
        app.reader("acme"),
        text(&open(&app, json!({"userId": "ann"})).await, "token").to_owned(),
    ] {
        let body = json!({"userId": "ann"});
        let refused = Wire::Grpc
            .refused(&app, "CreateVerificationSession", &token, body)
            .await;
        assert_eq!(refused.code, Code::PermissionDenied, "{refused:?}");
    }
}

async fn results_are_checked_by_whoever_may_read(database: Database) {
    let app = TestApp::start_with(database, configured).await;
    let number = app.number();
    let verified = json!({
        "userId": "ann", "organization": {"orgId": "acme"}, "phone": {"phone": number, "isVerified": true},
    });
    Wire::Grpc
        .ok(&app, "AddHumanUser", &app.admin(), verified)
        .await;
    let body =
        json!({"userId": "ann", "phone": number, "returnUrl": "https://app.example.com/settings"});
    let opened = open(&app, body).await;
    let token = text(&opened, "token");
    let me = || json!({"userId": "ann"});
    // It is for this number alone, which is proven already.
    let other = json!({"userId": "ann", "phone": app.number()});
    let refused = Wire::Grpc
        .refused(&app, "ChangeUserPhone", token, other)
        .await;
    assert_eq!(refused.code, Code::PermissionDenied);
    let same = json!({"userId": "ann", "phone": number});
    Wire::Grpc.ok(&app, "ChangeUserPhone", token, same).await;
    let done = Wire::Grpc.ok(&app, "GetVerification", token, me()).await;
    let result = text(&done, "returnUrl")
        .split_once("ringback_result=")
        .expect("a result")
        .1;
    let check = |result: &str| json!({"result": result});
    let wrong = [
        (app.reader("other"), result, Code::PermissionDenied),
        (app.user("bob", "acme"), result, Code::NotFound),
        (app.reader("acme"), "a.b.c", Code::InvalidArgument),
        (app.reader("acme"), token, Code::InvalidArgument),
        (result.to_owned(), result, Code::Unauthenticated),
    ];
    for (caller, result, code) in wrong {
        let refused = Wire::Grpc
            .refused(&app, "CheckVerificationResult", &caller, check(result))
            .await;
        assert_eq!(refused.code, code, "{refused:?}");
    }
    let reader = app.reader("acme");
    let told = Wire::Grpc
        .ok(&app, "CheckVerificationResult", &reader, check(result))
        .await;
    assert_eq!(
        (&told["phone"], &told["isVerified"]),
        (&json!(number), &json!(true))
    );
    Wire::Grpc.ok(&app, "RemovePhone", &app.admin(), me()).await;
    let told = Wire::Grpc
        .ok(&app, "CheckVerificationResult", &reader, check(result))
        .await;
    assert!(
        told.get("phone").is_none() && told.get("isVerified").is_none(),
        "{told}"
    );
    app.seconds(300);
    let refused = Wire::Grpc
        .refused(&app, "CheckVerificationResult", &reader, check(result))
        .await;
    assert_eq!(refused.code, Code::InvalidArgument);
}

async fn nobody_opens_sessions_where_they_are_off(database: Database) {
    let app = TestApp::start(database).await;
    let body = json!({"userId": "ann", "organizationId": "acme"});
    let refused = Wire::Grpc
        .refused(&app, "CreateVerificationSession", &app.admin(), body)
        .await;
    assert_eq!(refused.code, Code::InvalidArgument);
    for path in ["/verify", "/verify?h=x"] {
        let answer = app.http.get(app.url(path)).send().await.expect("an answer");
        assert_eq!(answer.status(), 404);
    }
    // The widget is for users' own tokens, too.
    let widget = app
        .http
        .get(app.url("/ringback-verify.js"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(widget.status(), 200);
    let tag = widget.headers()["etag"].clone();
    assert_eq!(widget.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        widget.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    let again = app
        .http
        .get(app.url("/ringback-verify.js"))
        .header("if-none-match", tag);
    assert_eq!(again.send().await.expect("an answer").status(), 304);
    for (lang, expected) in [("de-CH,en", "de"), ("xx", "en"), ("ar", "ar")] {
        let url = app.url(&format!("/ringback-verify/texts?lang={lang}"));
        let words: Value = app
            .http
            .get(url)
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        assert_eq!(words["lang"], expected);
        assert!(words["words"]["send"].is_string());
    }
}

async fn a_new_user_is_registered_by_the_session(database: Database) {
    let app = TestApp::start_with(database, configured).await;
    open(&app, json!({"userId": "new"})).await;
    let me = json!({"userId": "new"});
    let shown = Wire::Grpc.ok(&app, "GetUserByID", &app.admin(), me).await;
    assert_eq!(shown["user"]["details"]["resourceOwner"], "acme");
}
