//! `ringback check --token`: what a token is worth, in words.

use super::harness::{Program, Setup, admin, end_user};

fn setup() -> Setup {
    Setup::new("sqlite:unused.db")
}

async fn told(setup: &Setup, token: &str) -> super::harness::Ended {
    let arguments = ["check", "--token", token];
    Program::start(&arguments, Some(setup)).end().await
}

#[tokio::test]
async fn a_token_is_told_by_what_it_may() {
    let ended = told(&setup(), &admin()).await;
    assert!(ended.status.success(), "{}", ended.errors);
    for text in [
        "the token is accepted",
        "user: \"operator\"",
        "organisation: \"default\"",
        "may in every organisation: user.read user.write user.delete",
    ] {
        assert!(ended.output.contains(text), "not {text}: {}", ended.output);
    }
}

#[tokio::test]
async fn a_token_from_standard_input_is_read_too() {
    let setup = setup();
    // A launcher that hands the token on.
    let script = format!("exec \"$@\" <<'END'\n{}\nEND", end_user("ann"));
    let launcher = ["sh", "-c", &script, "sh"];
    let arguments = ["check", "--token", "-"];
    let ended = Program::start_through(&launcher, &arguments, Some(&setup))
        .end()
        .await;
    assert!(
        ended.output.contains("act on the own account"),
        "{}",
        ended.errors
    );
}

#[tokio::test]
async fn a_refused_token_is_told_by_why() {
    let token = end_user("ann");
    let other = setup().with(
        "auth.issuers.main.audiences",
        serde_json::json!(["somebody"]),
    );
    let ended = told(&other, &token).await;
    ended.refuses(&["refused", "\"ringback\"", "\"somebody\""]);
    assert!(!ended.errors.contains(&token));
}

#[tokio::test]
async fn two_issuers_without_a_word_of_whose_users_are_whose_are_refused() {
    let second = |setup: Setup| {
        setup
            .with("auth.issuers.second.issuer", "https://second.example.com")
            .with(
                "auth.issuers.second.audiences",
                serde_json::json!(["ringback"]),
            )
            .with(
                "auth.issuers.second.algorithms",
                serde_json::json!(["HS256"]),
            )
            .with(
                "auth.issuers.second.secret",
                "what only the second issuer and we may know",
            )
    };
    for subcommand in ["serve", "check"] {
        let ended = second(setup()).run(subcommand).await;
        let names = [
            "auth.issuers.main.organization",
            "auth.issuers.second.organization",
        ];
        ended.refuses(&[names[0], names[1], "organization_claim"]);
    }
    let claims = second(setup())
        .with("auth.issuers.main.organization_claim", "org_id")
        .with("auth.issuers.second.organization_claim", "tenant");
    let ended = claims.run("check").await;
    assert!(
        ended.output.contains("issuers main and second"),
        "{}",
        ended.output
    );
}
