//! Numbers: many spellings of one, and which of them are taken.

use ringback_core::number::Validation;
use serde_json::json;
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    spellings_of_a_number_are_one_number,
    a_national_number_needs_a_region,
    validation_says_how_much_a_number_must_prove,
}

pub const SPELLINGS: [&str; 10] = [
    "+41 79 123 45 67",
    "0041791234567",
    "tel:+41-79-123-45-67",
    "＋４１７９１２３４５６７",
    "+٤١٧٩١٢٣٤٥٦٧",
    "\u{202a}+41 79 123 45 67",
    "\u{feff}+41791234567",
    "[+41] 79–123–45–67",
    "+𞥔𞥑𞥗𞥙𞥑𞥒𞥓𞥔𞥕𞥖𞥗",
    "tel:0791234567;phone-context=+41",
];

async fn spellings_of_a_number_are_one_number(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    for wire in Wire::ALL {
        for (index, spelling) in SPELLINGS.iter().enumerate() {
            let user = format!("{}-{index}", wire.name());
            let set = |phone: &str| json!({"userId": user, "phone": phone, "isVerified": true});
            wire.ok(
                &app,
                "SetPhone",
                &app.user(&user, "acme"),
                json!({
                    "userId": user, "phone": app.number(),
                }),
            )
            .await;
            wire.ok(&app, "SetPhone", &admin, set(spelling)).await;
            let held = wire
                .ok(&app, "GetUserByID", &admin, json!({"userId": user}))
                .await;
            assert_eq!(
                held["user"]["human"]["phone"]["phone"], "+41791234567",
                "{spelling:?}"
            );
            let same = wire
                .refused(&app, "SetPhone", &admin, set("+41791234567"))
                .await;
            assert_eq!(
                same.message, "Phone not changed (COMMAND-Uch5e)",
                "{spelling:?}"
            );
        }
        let found = wire
            .ok(&app, "SearchPhones", &admin, json!({"phone": SPELLINGS[1]}))
            .await;
        let found = found["phones"].as_array().expect("numbers").iter();
        let ours = found.filter(|phone| {
            phone["userId"]
                .as_str()
                .is_some_and(|id| id.starts_with(&format!("{}-", wire.name())))
        });
        assert!(ours.count() >= SPELLINGS.len(), "{wire:?}");
    }
}

async fn a_national_number_needs_a_region(database: Database) {
    let swiss = TestApp::start_with(database.another().await, |config| {
        config.numbers.default_region = "CH".into();
    });
    let (none, swiss) = (TestApp::start(database).await, swiss.await);
    for wire in Wire::ALL {
        let user = wire.name();
        let body = json!({"userId": user, "phone": "079 123 45 67"});
        let refused = wire
            .refused(&none, "SetPhone", &none.user(user, "acme"), body.clone())
            .await;
        assert_eq!(refused.code, Code::InvalidArgument);
        assert_eq!(
            refused.message,
            "Phone is invalid: the phone number is not in international form: begin with + and \
             the country code, such as +41791234567 (PHONE-so0wa)"
        );
        let body = json!({"userId": user, "phone": "079 123 45 67", "isVerified": true});
        let boss =
            swiss.token(json!({"sub": user, "org_id": "acme", "permissions": ["user.write"]}));
        wire.ok(&swiss, "SetPhone", &boss, body).await;
        let held = wire
            .ok(&swiss, "GetUserByID", &boss, json!({"userId": user}))
            .await;
        assert_eq!(held["user"]["human"]["phone"]["phone"], "+41791234567");
    }
}

async fn validation_says_how_much_a_number_must_prove(database: Database) {
    // (number, taken when valid, when possible, when e164)
    let table = [
        ("+41791234567", true, true, true),
        // The length fits Switzerland, but no such number exists.
        ("+41111111111", false, true, true),
        ("+1234567890", false, false, true),
        ("+999123456789", false, false, true),
        ("+123456", false, false, false),
        ("+1234567890123456", false, false, false),
        ("+41 79 123 45 67;ext=5", false, false, false),
        ("PhoneNumber", false, false, false),
        ("+41 79 CALL NOW", false, false, false),
    ];
    for (rule, validation) in [Validation::Valid, Validation::Possible, Validation::E164]
        .into_iter()
        .enumerate()
    {
        let app = TestApp::start_with(database.another().await, |config| {
            config.numbers.validation = validation;
        });
        let app = app.await;
        for (number, valid, possible, e164) in table {
            let taken = [valid, possible, e164][rule];
            let body = json!({"userId": number, "phone": number});
            let answer = Wire::Grpc
                .call(&app, "SetPhone", &app.user(number, "acme"), body)
                .await;
            match answer {
                Ok(_) => assert!(taken, "{number} was taken with {validation:?}"),
                Err(refused) => {
                    assert!(
                        !taken,
                        "{number} was refused with {validation:?}: {refused:?}"
                    );
                    assert_eq!(refused.id(), "PHONE-so0wa");
                }
            }
        }
    }
}
