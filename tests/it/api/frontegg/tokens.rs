//! An `otcToken` is for one user, one number, one purpose and one time.

use serde_json::Value;

use super::Client;
use crate::api::another;
use crate::app::TestApp;
use crate::database::Database;

crate::on_both! {
    a_token_of_another_user_is_useless,
    a_token_for_another_purpose_or_number_is_useless,
    a_token_dies_with_its_challenge,
    a_tampered_token_is_useless,
    guesses_at_a_removal_are_counted,
}

async fn a_token_of_another_user_is_useless(database: Database) {
    let app = TestApp::start(database).await;
    let (ann, bob) = (Client::user(&app, "ann"), Client::user(&app, "bob"));
    let manager = Client::new(&app, &app.manager("acme"));
    let same_name = Client::new(&app, &app.user("ann", "umbrella"));
    let number = app.number();
    let token = ann.create(&number).await;
    let code = app.code(&number).await;
    bob.holds(&app.number()).await;
    let (anns, bobs) = (ann.numbers().await, bob.numbers().await);
    bob.submit(&token, &code).await.wrong_code();
    manager.submit(&token, &code).await.wrong_code();
    same_name.submit(&token, &code).await.refused(404);
    assert_eq!((ann.numbers().await, bob.numbers().await), (anns, bobs));

    ann.submit(&token, &code).await.ok(200);
    let id = ann.numbers().await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let token = ann.ask_removal(&id).await;
    let code = app.code(&number).await;
    bob.confirm_removal(&id, &token, &code).await.wrong_code();
    manager
        .confirm_removal(&id, &token, &code)
        .await
        .wrong_code();
    assert_eq!(ann.numbers().await.len(), 1);
    ann.confirm_removal(&id, &token, &code).await.ok(200);
}

async fn a_token_for_another_purpose_or_number_is_useless(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    let number = app.number();
    let id = ann.holds(&number).await;
    let other_number = app.number();
    let other = ann.holds(&other_number).await;
    let removal = ann.ask_removal(&id).await;
    let removal_code = app.code(&number).await;
    let unproven = app.number();
    let proof = ann.create(&unproven).await;
    let proof_code = app.code(&unproven).await;
    let before = ann.numbers().await;

    ann.submit(&removal, &removal_code).await.wrong_code();
    ann.confirm_removal(&id, &proof, &proof_code)
        .await
        .wrong_code();
    ann.confirm_removal(&other, &removal, &removal_code)
        .await
        .wrong_code();
    // The right token with the code of another question.
    ann.submit(&proof, &removal_code).await.wrong_code();
    ann.confirm_removal(&id, &removal, &proof_code)
        .await
        .wrong_code();
    assert_eq!(ann.numbers().await, before);
    ann.confirm_removal(&id, &removal, &removal_code)
        .await
        .ok(200);
    ann.submit(&proof, &proof_code).await.ok(200);
    assert_eq!(ann.numbers().await.len(), 2);
}

async fn a_token_dies_with_its_challenge(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    // Twice.
    let number = app.number();
    let token = ann.create(&number).await;
    let code = app.code(&number).await;
    ann.submit(&token, &code).await.ok(200);
    ann.submit(&token, &code).await.wrong_code();
    let id = ann.numbers().await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let token = ann.ask_removal(&id).await;
    let code = app.code(&number).await;
    ann.confirm_removal(&id, &token, &code).await.ok(200);
    let again = ann.holds(&number).await;
    ann.confirm_removal(&again, &token, &code)
        .await
        .wrong_code();
    ann.confirm_removal(&id, &token, &code).await.refused(404);

    // Too late.
    let late = app.number();
    let token = ann.create(&late).await;
    let code = app.code(&late).await;
    app.seconds(600);
    ann.submit(&token, &code).await.wrong_code();

    // Replaced by a newer one.
    let token = ann.preverify(&late).await;
    let code = app.code(&late).await;
    app.seconds(500);
    let newer = ann.preverify(&late).await;
    let newer_code = app.code(&late).await;
    assert_ne!(token, newer);
    ann.submit(&token, &code).await.wrong_code();
    ann.submit(&token, &newer_code).await.wrong_code();
    assert_eq!(ann.numbers().await.len(), 2);
    ann.submit(&newer, &newer_code).await.ok(200);

    // Its number is gone.
    let gone = app.number();
    let token = ann.create(&gone).await;
    let code = app.code(&gone).await;
    let id = ann.numbers().await[2]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let admin = Client::new(&app, &app.admin());
    admin.delete(&format!("/v1/vendor/ann/{id}")).await.ok(200);
    ann.submit(&token, &code).await.wrong_code();
    assert_eq!(ann.numbers().await.len(), 2);
}

async fn a_tampered_token_is_useless(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    let number = app.number();
    let token = ann.create(&number).await;
    let code = app.code(&number).await;
    let before: Vec<Value> = ann.numbers().await;
    for at in [0, 30, 50, token.len() - 2] {
        let mut tampered = token.clone();
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        tampered.replace_range(at..=at, other);
        ann.submit(&tampered, &code).await.wrong_code();
    }
    for made_up in [
        "x",
        "null",
        &token[1..],
        &format!("{token}AAAA"),
        &"A".repeat(100_000),
    ] {
        ann.submit(made_up, &code).await.wrong_code();
    }
    assert_eq!(ann.numbers().await, before);
    ann.submit(&token, &code).await.ok(200);
}

async fn guesses_at_a_removal_are_counted(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    let number = app.number();
    let id = ann.holds(&number).await;
    let token = ann.ask_removal(&id).await;
    let code = app.code(&number).await;
    for _ in 0..5 {
        let guess = another(&code);
        ann.confirm_removal(&id, &token, guess).await.wrong_code();
    }
    ann.confirm_removal(&id, &token, &code).await.wrong_code();
    app.seconds(60);
    // To ask again brings no new guesses.
    let limited = ann.delete(&format!("/v1/{id}")).await;
    limited.refused(429);
    assert_eq!(limited.headers["retry-after"], "540");
    ann.confirm_removal(&id, &token, &code).await.wrong_code();
    assert_eq!(ann.numbers().await.len(), 1);
}
