//! Users with several numbers: added, announced, changed once proven, removed once confirmed.

use ringback::config::Config;
use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::{Failure, Wire};

mod refusals;

crate::on_both! {
    a_user_keeps_several_numbers,
    a_proven_number_stays_until_the_next_one_is_proven,
    a_number_goes_only_with_its_code_or_a_service,
    a_number_that_is_never_proven_never_joins,
    two_users_prove_one_number_each_for_themselves,
    a_service_is_trusted_and_a_user_is_not,
    replies_say_when_the_code_ends,
    a_service_gets_a_fresh_code_and_unlocks,
}

/// A program without pauses, so that a test can send as it likes.
async fn start(database: &Database) -> TestApp {
    let unlimited = |config: &mut Config| {
        config.limits.cool_down_seconds = Vec::new();
        config.limits.sends_per_account = Vec::new();
        config.limits.sends_per_number = Vec::new();
    };
    TestApp::start_with(database.another().await, unlimited).await
}

/// One user at one wire.
struct User<'a> {
    app: &'a TestApp,
    wire: Wire,
    id: String,
    token: String,
}

impl<'a> User<'a> {
    fn new(app: &'a TestApp, wire: Wire, name: &str) -> User<'a> {
        let id = format!("{name}-{}", wire.name());
        let token = app.user(&id, "acme");
        User {
            app,
            wire,
            id,
            token,
        }
    }

    fn body(&self, mut body: Value) -> Value {
        body["userId"] = self.id.as_str().into();
        body
    }

    async fn does(&self, rpc: &str, body: Value) -> Value {
        self.wire
            .ok(self.app, rpc, &self.token, self.body(body))
            .await
    }

    async fn fails(&self, rpc: &str, body: Value) -> Failure {
        self.wire
            .refused(self.app, rpc, &self.token, self.body(body))
            .await
    }

    /// What a service gets for a call about this user.
    async fn service(&self, rpc: &str, body: Value) -> Value {
        let token = self.app.manager("acme");
        self.wire.ok(self.app, rpc, &token, self.body(body)).await
    }

    /// Every number: itself, and whether it is verified, primary and pending.
    async fn numbers(&self) -> Vec<(String, bool, bool, bool)> {
        let list = self.does("ListUserPhones", json!({})).await;
        let is = |phone: &Value, what: &str| phone[what].as_bool().unwrap_or_default();
        let phones = list["phones"].as_array().into_iter().flatten();
        phones
            .map(|phone| {
                let number = text(phone, "phone");
                let is = |what| is(phone, what);
                (number, is("isVerified"), is("isPrimary"), is("isPending"))
            })
            .collect()
    }

    /// Adds a number and proves it, and says its id.
    async fn add_proven(&self, number: &str) -> String {
        let added = self.does("AddUserPhone", json!({"phone": number})).await;
        let code = self.app.code(number).await;
        let answer = json!({"challengeId": added["challengeId"], "verificationCode": code});
        let proven = self.does("VerifyUserPhone", answer).await;
        assert_eq!(proven["phoneId"], added["phoneId"]);
        text(&added, "phoneId")
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
        .to_owned()
}

fn wrong(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

async fn a_user_keeps_several_numbers(database: Database) {
    let app = start(&database).await;
    for wire in Wire::ALL {
        let ann = User::new(&app, wire, "ann");
        let (first, second) = (app.number(), app.number());

        let added = ann.does("AddUserPhone", json!({"phone": first})).await;
        assert_eq!(added["details"]["organizationId"], "acme");
        assert_ne!(text(&added["details"], "sequence"), "0");
        assert!(added["verificationCode"].is_null());
        assert_eq!(ann.numbers().await, [(first.clone(), false, true, false)]);
        let code = app.code(&first).await;
        let body = json!({"phone": first, "verificationCode": wrong(&code)});
        let refused = ann.fails("VerifyUserPhone", body).await;
        assert_eq!(
            (refused.code, refused.id()),
            (Code::InvalidArgument, "CODE_REFUSED")
        );
        let body = json!({"challengeId": added["challengeId"], "verificationCode": code});
        ann.does("VerifyUserPhone", body.clone()).await;
        let refused = ann.fails("VerifyUserPhone", body).await;
        assert_eq!(refused.id(), "CODE_REFUSED", "a code verifies once");

        // One that is proven another time: no code goes out before it is asked for.
        let body = json!({"phone": second, "later": {}});
        let later = ann.does("AddUserPhone", body).await;
        assert!(later["challengeId"].is_null(), "{later}");
        assert!(app.letters(&second).await.is_empty());
        let asked = ann
            .does("PreverifyUserPhone", json!({"phone": second}))
            .await;
        assert_eq!(asked["phoneId"], later["phoneId"]);
        let refused = ann
            .fails("SetPrimaryUserPhone", json!({"phoneId": later["phoneId"]}))
            .await;
        assert_eq!(refused.id(), "PHONE_UNVERIFIED");
        let code = app.code(&second).await;
        let body = json!({"phone": second, "verificationCode": code});
        ann.does("VerifyUserPhone", body).await;
        assert_eq!(
            ann.numbers().await,
            [
                (first.clone(), true, true, false),
                (second.clone(), true, false, false)
            ]
        );

        ann.does("SetPrimaryUserPhone", json!({"phoneId": later["phoneId"]}))
            .await;
        assert_eq!(
            ann.numbers().await,
            [
                (second.clone(), true, true, false),
                (first, true, false, false)
            ]
        );
        let user = ann.does("GetUserByID", json!({})).await;
        assert_eq!(
            user["user"]["human"]["phone"],
            json!({"phone": second, "isVerified": true}),
            "Zitadel's phone is the primary number"
        );
    }
}

async fn a_proven_number_stays_until_the_next_one_is_proven(database: Database) {
    let app = start(&database).await;
    for wire in Wire::ALL {
        let ann = User::new(&app, wire, "ann");
        let (typo, old, never, next) = (app.number(), app.number(), app.number(), app.number());

        // What is not proven is replaced at once.
        ann.does("ChangeUserPhone", json!({"phone": typo})).await;
        let changed = ann.does("ChangeUserPhone", json!({"phone": old})).await;
        assert_eq!(ann.numbers().await, [(old.clone(), false, true, false)]);
        let code = app.code(&old).await;
        let body = json!({"challengeId": changed["challengeId"], "verificationCode": code});
        ann.does("VerifyUserPhone", body).await;

        // What is proven stays, and only the last announcement counts.
        ann.does("ChangeUserPhone", json!({"phone": never})).await;
        let lost = app.code(&never).await;
        let changed = ann.does("ChangeUserPhone", json!({"phone": next})).await;
        assert_eq!(
            ann.numbers().await,
            [
                (old.clone(), true, true, false),
                (next.clone(), false, false, true)
            ]
        );
        let body = json!({"phone": never, "verificationCode": lost});
        assert_eq!(
            ann.fails("VerifyUserPhone", body).await.id(),
            "CODE_REFUSED"
        );

        let code = app.code(&next).await;
        let again = ann.does("ResendUserPhoneChange", json!({})).await;
        assert_eq!(again["challengeId"], changed["challengeId"]);
        assert_eq!(app.code(&next).await, code, "a resend repeats the code");
        let body = json!({"challengeId": changed["challengeId"], "verificationCode": code});
        ann.does("VerifyUserPhone", body).await;
        assert_eq!(ann.numbers().await, [(next.clone(), true, true, false)]);
        let told = &app.letters(&old).await[0];
        assert_eq!(
            told.code, None,
            "the old number learns that it was replaced"
        );
        assert_eq!(
            ann.fails("ResendUserPhoneChange", json!({})).await.id(),
            "CODE_ABSENT"
        );
    }
}

async fn a_number_goes_only_with_its_code_or_a_service(database: Database) {
    let app = start(&database).await;
    for wire in Wire::ALL {
        let ann = User::new(&app, wire, "ann");
        let (kept, gone) = (app.number(), app.number());
        let kept_id = ann.add_proven(&kept).await;
        let gone_id = ann.add_proven(&gone).await;

        let refused = ann
            .fails("RemoveUserPhone", json!({"phoneId": gone_id}))
            .await;
        assert_eq!(refused.code, Code::PermissionDenied, "not without its code");
        let body = json!({"phoneId": gone_id});
        let asked = ann.does("RequestUserPhoneRemoval", body).await;
        let challenge = text(&asked, "challengeId");
        let code = app.code(&gone).await;
        let confirm = |phone: &str, challenge: &str, code: &str| json!({"phoneId": phone, "challengeId": challenge, "verificationCode": code});
        let other = "0190a5d2-0000-7000-8000-000000000001";
        for body in [
            confirm(&gone_id, &challenge, wrong(&code)),
            confirm(&gone_id, other, &code),
            confirm(&kept_id, &challenge, &code),
        ] {
            let refused = ann.fails("ConfirmUserPhoneRemoval", body).await;
            assert_eq!(refused.id(), "CODE_REFUSED");
        }
        let body = json!({"challengeId": challenge, "verificationCode": code});
        let refused = ann.fails("VerifyUserPhone", body).await;
        assert_eq!(refused.id(), "CODE_REFUSED", "its purpose is another");
        assert_eq!(ann.numbers().await.len(), 2, "a request removes nothing");

        ann.does(
            "ConfirmUserPhoneRemoval",
            confirm(&gone_id, &challenge, &code),
        )
        .await;
        assert_eq!(ann.numbers().await, [(kept.clone(), true, true, false)]);
        let refused = ann
            .fails("RequestUserPhoneRemoval", json!({"phoneId": gone_id}))
            .await;
        assert_eq!(
            (refused.code, refused.id()),
            (Code::FailedPrecondition, "PHONE_NOT_FOUND")
        );

        ann.service("RemoveUserPhone", json!({"phoneId": kept_id}))
            .await;
        assert_eq!(ann.numbers().await, []);
    }
}

async fn a_number_that_is_never_proven_never_joins(database: Database) {
    let app = start(&database).await;
    for wire in Wire::ALL {
        let ann = User::new(&app, wire, "ann");
        let (own, wanted) = (app.number(), app.number());
        ann.add_proven(&own).await;
        let asked = ann
            .does("PreverifyUserPhone", json!({"phone": wanted}))
            .await;
        assert_eq!(
            ann.numbers().await,
            [
                (own.clone(), true, true, false),
                (wanted.clone(), false, false, true)
            ]
        );
        let code = app.code(&wanted).await;
        app.seconds(601);
        // The token has not ended, the code has.
        let body = json!({"challengeId": asked["challengeId"], "verificationCode": code});
        let late = ann.fails("VerifyUserPhone", body).await;
        assert_eq!(late.id(), "CODE_REFUSED");

        let asked = ann
            .does("PreverifyUserPhone", json!({"phone": wanted}))
            .await;
        let code = app.code(&wanted).await;
        let body = json!({"challengeId": asked["challengeId"], "verificationCode": code});
        ann.does("VerifyUserPhone", body).await;
        assert_eq!(
            ann.numbers().await,
            [(own, true, true, false), (wanted, true, false, false)]
        );
    }
}

async fn two_users_prove_one_number_each_for_themselves(database: Database) {
    let app = start(&database).await;
    for wire in Wire::ALL {
        let (ann, bob) = (User::new(&app, wire, "ann"), User::new(&app, wire, "bob"));
        let shared = app.number();
        ann.add_proven(&app.number()).await;
        bob.add_proven(&app.number()).await;
        let change = json!({"phone": shared});
        let anns = ann.does("ChangeUserPhone", change.clone()).await;
        let anns_code = app.code(&shared).await;
        let bobs = bob.does("ChangeUserPhone", change).await;
        let bobs_code = app.code(&shared).await;

        let before = ann.numbers().await;
        let body = json!({"challengeId": anns["challengeId"], "verificationCode": anns_code});
        let refused = bob.fails("VerifyUserPhone", body).await;
        assert_eq!(refused.id(), "CODE_REFUSED", "a challenge is its user's");
        let body = json!({"challengeId": bobs["challengeId"], "verificationCode": bobs_code});
        bob.does("VerifyUserPhone", body).await;
        assert_eq!(bob.numbers().await, [(shared.clone(), true, true, false)]);
        assert_eq!(ann.numbers().await, before, "the other user is as before");
    }
}

async fn a_service_is_trusted_and_a_user_is_not(database: Database) {
    let app = start(&database).await;
    for wire in Wire::ALL {
        let ann = User::new(&app, wire, "ann");
        ann.add_proven(&app.number()).await;
        for arm in ["returnCode", "isVerified"] {
            let value = if arm == "isVerified" {
                json!(true)
            } else {
                json!({})
            };
            let body = json!({"phone": app.number(), arm: value});
            let refused = ann.fails("AddUserPhone", body).await;
            assert_eq!(refused.code, Code::PermissionDenied, "{arm}");
        }
        assert_eq!(ann.numbers().await.len(), 1);

        let (returned, trusted) = (app.number(), app.number());
        let body = json!({"phone": returned, "returnCode": {}});
        let added = ann.service("AddUserPhone", body).await;
        assert!(
            app.letters(&returned).await.is_empty(),
            "a returned code is not sent"
        );
        let body = json!({
            "challengeId": added["challengeId"], "verificationCode": added["verificationCode"],
        });
        ann.service("VerifyUserPhone", body).await;
        let body = json!({"phone": trusted, "isVerified": true});
        ann.service("AddUserPhone", body).await;
        let proven = ann
            .numbers()
            .await
            .into_iter()
            .filter(|(_, proven, ..)| *proven);
        assert_eq!(proven.count(), 3);
    }
}

async fn replies_say_when_the_code_ends(database: Database) {
    let app = TestApp::start(database).await;
    for wire in Wire::ALL {
        let ann = User::new(&app, wire, "ann");
        let phone = app.number();
        let ends = prost_types::Timestamp {
            seconds: app.now() + 600,
            nanos: 0,
        };
        let told = ann.does("AddUserPhone", json!({"phone": phone})).await;
        assert_eq!(told["codeExpiresAt"], ends.to_string(), "{told}");
        assert_eq!(told["resendAfter"], "60s");
        app.seconds(60);
        let told = ann
            .does("PreverifyUserPhone", json!({"phone": phone}))
            .await;
        assert_eq!(told["codeExpiresAt"], ends.to_string(), "{told}");
        assert_eq!(told["resendAfter"], "120s");
        let later = json!({"phone": app.number(), "later": {}});
        let told = ann.does("AddUserPhone", later).await;
        assert_eq!(told["codeExpiresAt"], Value::Null, "{told}");
    }
}

async fn a_service_gets_a_fresh_code_and_unlocks(database: Database) {
    let app = TestApp::start(database).await;
    for wire in Wire::ALL {
        let ann = User::new(&app, wire, "ann");
        let phone = app.number();
        ann.does("SetPhone", json!({"phone": phone})).await;
        let code = app.code(&phone).await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        for _ in 0..5 {
            let refused = ann.fails("VerifyPhone", json!({"verificationCode": wrong}));
            assert_eq!(refused.await.code, Code::InvalidArgument);
        }
        // The code is spent; a service has another one made, and lets the user guess at once.
        let fresh = ann
            .service("ResendPhoneCode", json!({"returnCode": {}}))
            .await;
        let body = json!({"verificationCode": fresh["verificationCode"]});
        let waits = ann.fails("VerifyPhone", body.clone()).await;
        assert_eq!(waits.code, Code::ResourceExhausted);
        let refused = ann.fails("UnlockUser", json!({})).await;
        assert_eq!(refused.code, Code::PermissionDenied);
        let unlocked = ann.service("UnlockUser", json!({})).await;
        assert!(unlocked["details"]["sequence"].is_string(), "{unlocked}");
        ann.does("VerifyPhone", body).await;
    }
}
