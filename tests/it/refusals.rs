//! Every reason to be refused, as a gRPC status, as a JSON body and as a Connect error.

mod faults;
mod limits;
mod malformed;
mod own;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ringback_core::Refusal;
use ringback_core::guard::Reason;
use ringback_core::limit::Limit;
use ringback_core::number::{NumberError, NumberKind};
use ringback_core::refusal::CodeFailure;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::{Failure, Wire};

crate::on_both! {
    who_asks,
    whose_account,
    which_number,
    which_code,
    what_form,
    what_is_not_kept,
}

/// One reason, met over every wire by a user of its own: three snapshots in one file, and the other
/// wires must say the same.
async fn row(name: &str, meet: impl AsyncFn(Wire, &str) -> Failure) {
    let mut failures = Vec::new();
    for wire in Wire::ALL {
        failures.push(meet(wire, &format!("{name}-{}", wire.name())).await);
    }
    for failure in &failures[1..] {
        assert_eq!(
            failure.said(),
            failures[0].said(),
            "{name} over {:?}",
            failure.wire
        );
    }
    let by = |wire| {
        failures
            .iter()
            .find(|failure| failure.wire == wire)
            .expect("a wire")
    };
    assert_eq!(
        by(Wire::ConnectProto).shown(),
        by(Wire::ConnectJson).shown(),
        "{name}"
    );
    let shown = json!({
        "grpc": by(Wire::Grpc).shown(),
        "json": by(Wire::Json).shown(),
        "connect": by(Wire::ConnectJson).shown(),
    });
    snapshot(name, &shown);
}

fn snapshot(name: &str, shown: &Value) {
    harmless(name, &shown.to_string());
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_json_snapshot!(format!("refused_{name}"), shown);
    });
}

/// Holds no token, and no whole number but the one that a text gives as an example.
pub fn harmless(name: &str, text: &str) {
    assert!(!text.contains("eyJ"), "{name} holds a token");
    let text = text
        .replace("such as +41791234567", "")
        .replace("found 2097157 bytes, the limit is: 1048576 bytes", "");
    let digits = text
        .split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .max();
    assert!(
        digits.is_none_or(|longest| longest < 6),
        "{name} holds a number or a code: {text}"
    );
}

#[test]
fn every_refusal_has_a_snapshot() {
    let limited = |limit| Refusal::Limited {
        limit,
        retry_after: Duration::from_secs(1),
    };
    let number = Refusal::NumberInvalid;
    let all = [
        Refusal::TokenMissing,
        Refusal::TokenMalformed,
        Refusal::TokenInvalid,
        Refusal::IssuerUnavailable,
        Refusal::OrganizationDenied,
        Refusal::PermissionDenied,
        Refusal::TokenStale,
        Refusal::ScopeMissing(String::new()),
        Refusal::RemovalUnconfirmed,
        Refusal::AccountNotFound,
        Refusal::AccountExists,
        Refusal::AccountAmbiguous,
        Refusal::PhoneNotFound,
        Refusal::PhoneUnchanged,
        Refusal::TooManyNumbers,
        Refusal::PhoneUnverified,
        number(NumberError::Empty),
        number(NumberError::Extension),
        number(NumberError::Malformed),
        number(NumberError::NotInternational),
        number(NumberError::Length),
        number(NumberError::Nonexistent),
        number(NumberError::TestOver),
        Refusal::NumberKindNotServed(NumberKind::PremiumRate),
        Refusal::NumberOptedOut,
        Refusal::Guarded(Reason::Country),
        Refusal::CodeAbsent,
        Refusal::CodeRefused(CodeFailure::Wrong),
        limited(Limit::CoolDown),
        limited(Limit::NumberSends),
        limited(Limit::AccountSends),
        limited(Limit::AccountSets),
        limited(Limit::AddressSends),
        limited(Limit::AddressVerifications),
        limited(Limit::OrganizationSends),
        limited(Limit::CountrySends),
        limited(Limit::OrganizationSpend),
        limited(Limit::Guard(Reason::Prefix)),
        limited(Limit::Guesses),
        Refusal::FieldInvalid {
            field: String::new(),
            rule: String::new(),
        },
        Refusal::Unsupported {
            what: String::new(),
        },
        Refusal::UnderWay,
        Refusal::Overloaded,
        Refusal::DeadlineExceeded,
        Refusal::Unavailable,
        Refusal::Internal,
    ];
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    let mut kinds = BTreeSet::new();
    for refusal in all {
        kinds.insert(refusal.code());
        let Some(name) = row_of(&refusal) else {
            continue;
        };
        let file = snapshots.join(format!("refused_{name}.snap"));
        let text = std::fs::read_to_string(&file).expect(name);
        harmless(name, &text);
    }
    assert_eq!(kinds.len(), 36);
}

/// Which row meets a refusal; a new one does not compile until it has one.
fn row_of(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal {
        Refusal::TokenMissing => "token_missing",
        Refusal::TokenMalformed => "token_malformed",
        Refusal::TokenInvalid => "token_invalid",
        Refusal::IssuerUnavailable => "issuer_unavailable",
        Refusal::OrganizationDenied => "organization_denied",
        Refusal::PermissionDenied => "permission_denied",
        Refusal::TokenStale => "token_stale",
        Refusal::ScopeMissing(_) => "scope_missing",
        Refusal::RemovalUnconfirmed => "removal_unconfirmed",
        Refusal::AccountNotFound => "account_not_found",
        Refusal::AccountExists => "account_exists",
        Refusal::AccountAmbiguous => "account_ambiguous",
        Refusal::PhoneNotFound => "phone_not_found",
        Refusal::PhoneUnchanged => "phone_unchanged",
        // Through these APIs an account has one number, which the next one replaces.
        Refusal::TooManyNumbers | Refusal::PhoneUnverified => return None,
        Refusal::NumberInvalid(NumberError::Empty) => "number_empty",
        Refusal::NumberInvalid(NumberError::Extension) => "number_extension",
        Refusal::NumberInvalid(NumberError::Malformed) => "number_malformed",
        Refusal::NumberInvalid(NumberError::NotInternational) => "number_not_international",
        Refusal::NumberInvalid(NumberError::Length) => "number_length",
        Refusal::NumberInvalid(NumberError::Nonexistent) => "number_nonexistent",
        // Its text is that of the others with another reason.
        Refusal::NumberInvalid(NumberError::TestOver) => return None,
        Refusal::NumberKindNotServed(_) => "number_kind_not_served",
        Refusal::NumberOptedOut => "number_opted_out",
        Refusal::Guarded(_) => "guarded",
        Refusal::CodeAbsent => "code_absent",
        Refusal::CodeRefused(_) => "code_refused",
        Refusal::Limited {
            limit: Limit::CoolDown,
            ..
        } => "limited_cool_down",
        Refusal::Limited {
            limit: Limit::NumberSends,
            ..
        } => "limited_sends_per_number",
        Refusal::Limited {
            limit: Limit::AccountSends,
            ..
        } => "limited_sends_per_account",
        Refusal::Limited {
            limit: Limit::AccountSets,
            ..
        } => "limited_sets_per_account",
        Refusal::Limited {
            limit: Limit::Guesses,
            ..
        } => "limited_guesses",
        Refusal::Limited {
            limit: Limit::Others,
            ..
        } => "limited_by_others",
        Refusal::Limited {
            limit: Limit::AccountChanges,
            ..
        } => "limited_changes_per_account",
        Refusal::Limited {
            limit: Limit::WrongCodes,
            ..
        } => "limited_wrong_codes",
        Refusal::Limited {
            limit: Limit::AddressSends,
            ..
        } => "limited_sends_per_address",
        Refusal::Limited {
            limit: Limit::AddressVerifications,
            ..
        } => "limited_verifications_per_address",
        Refusal::Limited {
            limit: Limit::OrganizationSends,
            ..
        } => "limited_sends_per_organization",
        Refusal::Limited {
            limit: Limit::CountrySends,
            ..
        } => "limited_sends_per_country",
        Refusal::Limited {
            limit: Limit::OrganizationSpend,
            ..
        } => "limited_spend_per_organization",
        Refusal::Limited {
            limit: Limit::Guard(_),
            ..
        } => "limited_guard",
        Refusal::FieldInvalid { .. } => "phone_too_long",
        Refusal::Unsupported { .. } => "unsupported_password",
        // Somebody else has to hold the key for seconds; its words are with the others of each API.
        Refusal::UnderWay => return None,
        Refusal::Overloaded => "overloaded",
        Refusal::DeadlineExceeded => "deadline_exceeded",
        Refusal::Unavailable => "unavailable",
        Refusal::Internal => "internal",
    })
}

async fn who_asks(database: Database) {
    let app = TestApp::start(database).await;
    let app = &app;
    let set = |user: &str| json!({"userId": user, "phone": "+41791234567"});
    row("token_missing", async |wire, user| {
        wire.call_with(app, "SetPhone", &[], set(user))
            .await
            .expect_err("no token")
    })
    .await;

    // ringback's own service says it in its own words, on whichever wire.
    for rpc in ["ListUserPhones", "SearchPhones"] {
        row("token_missing_for_phones", async |wire, user| {
            let body = if rpc == "SearchPhones" {
                json!({})
            } else {
                json!({"userId": user})
            };
            wire.call_with(app, rpc, &[], body)
                .await
                .expect_err("no token")
        })
        .await;
    }

    let token = app.user("ann", "acme");
    let malformed = ["Basic YW5uOmFubg==".into(), "Bearer".into(), token.clone()];
    for header in &malformed {
        row("token_malformed", async |wire, user| {
            let headers = [("authorization", header.as_str())];
            wire.call_with(app, "SetPhone", &headers, set(user))
                .await
                .expect_err("no bearer")
        })
        .await;
    }

    let (head, signature) = token.rsplit_once('.').expect("three parts");
    let invalid = [
        "nonsense".to_owned(),
        head.to_owned(),
        format!("{head}."),
        format!("{head}.{}", signature.chars().rev().collect::<String>()),
        app.token(json!({"sub": "ann", "exp": 1_700_000_000})),
        app.token(json!({"sub": "ann", "iss": "https://evil.example"})),
        app.token(json!({"sub": "ann", "aud": "somebody"})),
        app.token(json!({"sub": ""})),
        // alg: none
        format!(
            "eyJhbGciOiJub25lIn0.{}.",
            head.split('.').nth(1).expect("claims")
        ),
    ];
    for token in &invalid {
        row("token_invalid", async |wire, user| {
            wire.refused(app, "SetPhone", token, set(user)).await
        })
        .await;
    }

    let manager = app.manager("acme");
    row("organization_denied", async |wire, user| {
        let bearer = format!("Bearer {manager}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-zitadel-orgid", "other"),
        ];
        wire.call_with(app, "SetPhone", &headers, set(user))
            .await
            .expect_err("not allowed")
    })
    .await;
}

async fn whose_account(database: Database) {
    let app = TestApp::start(database).await;
    let (app, admin) = (&app, app.admin());
    row("account_not_found", async |wire, user| {
        wire.refused(
            app,
            "SetPhone",
            &admin,
            json!({"userId": user, "phone": app.number()}),
        )
        .await
    })
    .await;
    for (name, rpc, body) in [
        ("account_not_found_to_read", "GetUserByID", json!({})),
        (
            "account_not_found_to_change",
            "UpdateUser",
            json!({"username": "x"}),
        ),
        ("account_not_found_to_delete", "DeleteUser", json!({})),
        ("account_not_found_to_list", "ListUserPhones", json!({})),
    ] {
        row(name, async |wire, user| {
            let mut body = body.clone();
            body["userId"] = user.into();
            wire.refused(app, rpc, &admin, body).await
        })
        .await;
    }
    row("account_exists", async |wire, user| {
        let add = json!({"userId": user});
        wire.ok(app, "AddHumanUser", &admin, add.clone()).await;
        wire.refused(app, "AddHumanUser", &admin, add).await
    })
    .await;
    row("account_ambiguous", async |wire, user| {
        for organization in ["acme", "other"] {
            let add = json!({"userId": user, "organization": {"orgId": organization}});
            wire.ok(app, "AddHumanUser", &admin, add).await;
        }
        let set = json!({"userId": user, "phone": app.number()});
        wire.refused(app, "SetPhone", &admin, set).await
    })
    .await;
    row("permission_denied", async |wire, user| {
        let add = json!({"userId": user, "organization": {"orgId": "acme"}});
        wire.ok(app, "AddHumanUser", &admin, add).await;
        let set = json!({"userId": user, "phone": app.number()});
        wire.refused(app, "SetPhone", &app.reader("acme"), set)
            .await
    })
    .await;
}

async fn which_number(database: Database) {
    let app = TestApp::start(database).await;
    let (app, admin) = (&app, app.admin());
    for (name, phone) in [
        ("number_empty", " \u{200b}"),
        ("number_extension", "+41 79 123 45 67 ;ext=5"),
        ("number_malformed", "PhoneNumber"),
        ("number_not_international", "079 123 45 67"),
        ("number_length", "+4179"),
        ("number_nonexistent", "+41111111111"),
        ("number_kind_not_served", "+41900123456"),
    ] {
        row(name, async |wire, user| {
            let set = json!({"userId": user, "phone": phone});
            wire.refused(app, "SetPhone", &app.user(user, "acme"), set)
                .await
        })
        .await;
    }
    row("number_opted_out", async |wire, user| {
        let number = app.number();
        app.opted_out(&number, "inbox").await;
        let set = json!({"userId": user, "phone": number});
        wire.refused(app, "SetPhone", &app.user(user, "acme"), set)
            .await
    })
    .await;
    for proven in [json!({}), json!({"isVerified": true})] {
        row("phone_unchanged", async |wire, user| {
            let user = format!("{user}-{}", proven["isVerified"]);
            wire.ok(app, "AddHumanUser", &admin, json!({"userId": user}))
                .await;
            let mut set = proven.clone();
            set["userId"] = user.as_str().into();
            set["phone"] = app.number().into();
            wire.ok(app, "SetPhone", &admin, set.clone()).await;
            wire.refused(app, "SetPhone", &admin, set).await
        })
        .await;
    }
    for rpc in ["RemovePhone", "UpdateUser"] {
        row("phone_not_found", async |wire, user| {
            let user = format!("{user}-{rpc}");
            wire.ok(app, "AddHumanUser", &admin, json!({"userId": user}))
                .await;
            let mut body = json!({"userId": user});
            if rpc == "UpdateUser" {
                body["human"] = json!({"phone": {}});
            }
            wire.refused(app, rpc, &admin, body).await
        })
        .await;
    }
    for arm in ["sendCode", "returnCode", "isVerified"] {
        row("removal_verified", async |wire, user| {
            let value = if arm == "isVerified" {
                json!(true)
            } else {
                json!({})
            };
            let body = json!({"userId": user, "human": {"phone": {arm: value}}});
            wire.refused(app, "UpdateUser", &admin, body).await
        })
        .await;
    }
}

async fn which_code(database: Database) {
    let app = TestApp::start(database).await;
    let (app, admin) = (&app, app.admin());
    for proven in [false, true] {
        row("code_absent", async |wire, user| {
            let user = format!("{user}-{proven}");
            wire.ok(app, "AddHumanUser", &admin, json!({"userId": user}))
                .await;
            if proven {
                let set = json!({"userId": user, "phone": app.number(), "isVerified": true});
                wire.ok(app, "SetPhone", &admin, set).await;
            }
            wire.refused(app, "ResendPhoneCode", &admin, json!({"userId": user}))
                .await
        })
        .await;
    }
    // Whatever is wrong with a code, one answer.
    for cause in [
        "shape", "absent", "unset", "wrong", "verified", "spent", "expired",
    ] {
        row("code_refused", async |wire, user| {
            let user = format!("{user}-{cause}");
            wire.ok(app, "AddHumanUser", &admin, json!({"userId": user}))
                .await;
            let submit = |code: &str| json!({"userId": user, "verificationCode": code});
            if cause == "unset" {
                return wire
                    .refused(app, "VerifyPhone", &admin, submit("123456"))
                    .await;
            }
            let set = json!({"userId": user, "phone": app.number(), "returnCode": {}});
            let reply = wire.ok(app, "SetPhone", &admin, set).await;
            let code = reply["verificationCode"].as_str().expect("a code");
            let wrong = if code == "000000" { "000001" } else { "000000" };
            let guess = match cause {
                "shape" => "12345",
                "wrong" => wrong,
                "absent" => {
                    wire.ok(app, "RemovePhone", &admin, json!({"userId": user}))
                        .await;
                    code
                }
                "verified" => {
                    wire.ok(app, "VerifyPhone", &admin, submit(code)).await;
                    code
                }
                "spent" => {
                    for _ in 0..5 {
                        wire.refused(app, "VerifyPhone", &admin, submit(wrong))
                            .await;
                    }
                    code
                }
                _ => {
                    app.seconds(600);
                    code
                }
            };
            wire.refused(app, "VerifyPhone", &admin, submit(guess))
                .await
        })
        .await;
    }
}

async fn what_form(database: Database) {
    let app = TestApp::start(database).await;
    let (app, admin) = (&app, app.admin());
    // Rules are told before it is told whether the user exists.
    let long = "é".repeat(201);
    let digits = "1".repeat(21);
    let human = |phone: Value| json!({"human": {"phone": phone}});
    for (name, rpc, body) in [
        ("phone_too_short", "SetPhone", json!({"phone": ""})),
        ("phone_too_long", "SetPhone", json!({"phone": long})),
        (
            "not_verified",
            "SetPhone",
            json!({"phone": "+1", "isVerified": false}),
        ),
        ("code_too_short", "VerifyPhone", json!({})),
        (
            "code_too_long",
            "VerifyPhone",
            json!({"verificationCode": digits}),
        ),
        (
            "nested_not_verified",
            "AddHumanUser",
            json!({"phone": {"phone": "+1", "isVerified": false}}),
        ),
        (
            "nested_phone_too_long",
            "UpdateHumanUser",
            json!({"phone": {"phone": long}}),
        ),
        (
            "created_not_verified",
            "CreateUser",
            human(json!({"phone": "+1", "isVerified": false})),
        ),
        (
            "updated_phone_too_long",
            "UpdateUser",
            human(json!({"phone": long})),
        ),
        (
            "email_invalid",
            "UpdateHumanUser",
            json!({"email": {"email": "nobody"}}),
        ),
        ("username_too_long", "UpdateUser", json!({"username": long})),
        ("user_type_missing", "CreateUser", json!({})),
    ] {
        row(name, async |wire, user| {
            let mut body = body.clone();
            body["userId"] = user.into();
            wire.refused(app, rpc, &admin, body).await
        })
        .await;
    }
    row("user_id_too_long", async |wire, _| {
        wire.refused(
            app,
            "SetPhone",
            &admin,
            json!({"userId": long, "phone": "+1"}),
        )
        .await
    })
    .await;
    // 200 characters are enough for an id, and their bytes do not count.
    for wire in Wire::ALL {
        let user = "é".repeat(200);
        let set = json!({"userId": user, "phone": "é".repeat(200)});
        let refused = wire
            .refused(app, "SetPhone", &app.user(&user, "acme"), set)
            .await;
        assert_eq!(refused.id(), "PHONE-so0wa", "{refused:?}");
        if wire != Wire::Json {
            let refused = wire.refused(app, "RemovePhone", &admin, json!({})).await;
            assert_eq!(
                refused.message,
                "invalid RemovePhoneRequest.UserId: value length must be between 1 and 200 runes, \
                 inclusive"
            );
        }
    }
}

async fn what_is_not_kept(database: Database) {
    let app = TestApp::start(database).await;
    let (app, admin) = (&app, app.admin());
    let password = json!({"password": {"password": "Secret-1!"}});
    let table = [
        ("password", "AddHumanUser", password.clone()),
        (
            "hashedPassword",
            "AddHumanUser",
            json!({"hashedPassword": {"hash": "$2a$"}}),
        ),
        (
            "idpLinks",
            "AddHumanUser",
            json!({"idpLinks": [{"idpId": "i", "userId": "u", "userName": "n"}]}),
        ),
        (
            "metadata",
            "AddHumanUser",
            json!({"metadata": [{"key": "k", "value": "dg=="}]}),
        ),
        ("totpSecret", "AddHumanUser", json!({"totpSecret": "T"})),
        (
            "organization.orgDomain",
            "AddHumanUser",
            json!({"organization": {"orgDomain": "d"}}),
        ),
        (
            "email.returnCode",
            "AddHumanUser",
            json!({"email": {"email": "a@b", "returnCode": {}}}),
        ),
        ("machine", "CreateUser", json!({"machine": {"name": "m"}})),
        (
            "human.password",
            "CreateUser",
            json!({"human": password.clone()}),
        ),
        ("machine", "UpdateUser", json!({"machine": {"name": "m"}})),
        (
            "human.password",
            "UpdateUser",
            json!({"human": {"password": password.clone()}}),
        ),
        ("password", "UpdateHumanUser", json!({"password": password})),
    ];
    for (index, (what, rpc, body)) in table.into_iter().enumerate() {
        let meet = async |wire: Wire, user: &str| {
            let mut body = body.clone();
            body["userId"] = user.into();
            let refused = wire.refused(app, rpc, &admin, body).await;
            assert_eq!(
                refused.message,
                format!("{what} is not supported; leave it out (RINGBACK-unsupported)"),
                "{rpc}"
            );
            let user = json!({"userId": user});
            assert_eq!(
                wire.refused(app, "GetUserByID", &admin, user).await.id(),
                "QUERY-Dfbg2"
            );
            refused
        };
        if index == 0 {
            row("unsupported_password", meet).await;
        } else {
            meet(Wire::Grpc, &format!("u{index}")).await;
        }
    }
}
