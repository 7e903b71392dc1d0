//! Numbers: many spellings of one.

use ringback::config::{OrganizationSection, OwnNumbers};
use ringback_core::number::NumberKind;

use super::{Api, Kind, User};
use crate::app::TestApp;
use crate::database::Database;
use crate::flows::SPELLINGS;

crate::at_each_api! {
    spellings_of_a_number_are_one_number,
    a_national_number_needs_a_region,
    an_organisation_has_a_region_and_kinds_of_its_own,
    a_code_is_read_in_every_script,
    no_code_goes_to_a_kind_of_number_that_is_not_served,
}

const NUMBER: &str = "+41791234567";

async fn spellings_of_a_number_are_one_number(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.limits.cool_down_seconds = vec![];
        config.limits.sends_per_number = vec![];
    });
    let app = app.await;
    for (index, spelling) in SPELLINGS.iter().enumerate() {
        let user = User::new(&app, api, &format!("ann-{index}"));
        let question = user.set(spelling).await.expect("set");
        let held = |verified| [(NUMBER.to_owned(), verified)];
        assert_eq!(
            user.held().await.expect("read"),
            held(false),
            "{spelling:?}"
        );
        let code = app.code(NUMBER).await;

        // The same number again, spelt otherwise.
        let again = user.set(NUMBER).await;
        match api {
            Api::Zitadel => {
                let refused = again.expect_err("no other number");
                assert_eq!(refused.kind, Kind::NumberUnchanged, "{spelling:?}");
            }
            // One that is not verified gets its code again.
            Api::Frontegg | Api::ReachFive => {
                again.expect("sent again");
                assert_eq!(app.code(NUMBER).await, code);
            }
        }
        // ReachFive's client hands in the number as it was typed.
        user.submit(&question, &code).await.expect("verified");
        assert_eq!(user.held().await.expect("read"), held(true), "{spelling:?}");
    }
}

async fn a_national_number_needs_a_region(api: Api, database: Database) {
    let swiss = TestApp::start_with(database.another().await, |config| {
        config.numbers.default_region = "CH".into();
    });
    let (none, swiss) = (TestApp::start(database).await, swiss.await);
    let refused = User::new(&none, api, "ann").set("079 123 45 67").await;
    let refused = refused.expect_err("which country?");
    assert_eq!(refused.kind, Kind::NumberInvalid);
    assert!(refused.look().2.contains("not in international form"));
    assert_eq!(none.database.dump().await, "", "nothing is kept");

    let ann = User::new(&swiss, api, "ann");
    let question = ann.set("079 123 45 67").await.expect("set");
    let code = swiss.code(NUMBER).await;
    ann.submit(&question, &code).await.expect("verified");
    let held = ann.held().await.expect("read");
    assert_eq!(held, [(NUMBER.to_owned(), true)]);
}

async fn an_organisation_has_a_region_and_kinds_of_its_own(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| {
        let own = OrganizationSection {
            numbers: OwnNumbers {
                default_region: Some("CH".into()),
                kinds: Some(vec![NumberKind::FixedLine]),
            },
            ..OrganizationSection::default()
        };
        config.organizations.insert("acme".into(), own);
    });
    let app = app.await;
    let (ann, other) = (
        User::new(&app, api, "ann"),
        User::new(&app, api, "ann").of("other"),
    );
    let question = ann.set("021 234 56 78").await.expect("set");
    let code = app.code("+41212345678").await;
    ann.submit(&question, &code).await.expect("verified");
    let refused = ann.set(NUMBER).await.expect_err("not served here");
    assert_eq!(refused.kind, Kind::NumberInvalid);
    // Everybody else has the usual ones.
    let refused = other
        .set("021 234 56 78")
        .await
        .expect_err("which country?");
    assert_eq!(refused.kind, Kind::NumberInvalid);
    let question = other.set(NUMBER).await.expect("set");
    let code = app.code(NUMBER).await;
    other.submit(&question, &code).await.expect("verified");
}

async fn a_code_is_read_in_every_script(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    // Arabic-Indic, Devanagari, full-width and Adlam.
    for (index, zero) in [0x0660, 0x0966, 0xFF10, 0x1E950].into_iter().enumerate() {
        let (user, number) = (User::new(&app, api, &format!("ann-{index}")), app.number());
        let question = user.set(&number).await.expect("set");
        let code = app.code(&number).await;
        let digits = code.bytes().map(|digit| zero + u32::from(digit - b'0'));
        let digits: Vec<char> = digits.filter_map(char::from_u32).collect();
        let (left, right) = digits.split_at(3);
        let (left, right) = (String::from_iter(left), String::from_iter(right));
        let typed = format!("\u{200e}{left}\u{200b} – {right}\u{feff}");
        user.submit(&question, &typed).await.expect("verified");
        assert_eq!(user.held().await.expect("read"), [(number, true)]);
    }
}

async fn no_code_goes_to_a_kind_of_number_that_is_not_served(api: Api, database: Database) {
    let fixed = TestApp::start_with(database.another().await, |config| {
        config.numbers.kinds.push(NumberKind::FixedLine);
    });
    let (mobile, fixed) = (TestApp::start(database).await, fixed.await);
    for (number, kind) in [
        ("+41900123456", "premium-rate"),
        ("+41212345678", "fixed-line"),
    ] {
        let refused = User::new(&mobile, api, "ann").set(number).await;
        let refused = refused.expect_err("not served");
        assert_eq!(refused.kind, Kind::NumberInvalid);
        let told = format!("no codes are sent to {kind} numbers");
        assert!(refused.look().2.contains(&told), "{:?}", refused.look());
    }
    assert_eq!(mobile.database.dump().await, "", "nothing is kept");

    let ann = User::new(&fixed, api, "ann");
    let question = ann.set("+41 21 234 56 78").await.expect("set");
    let code = fixed.code("+41212345678").await;
    ann.submit(&question, &code).await.expect("verified");
}
