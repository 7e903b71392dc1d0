//! `ringback unlock`, on the database and against a running server, and the same call by hand.

use serde_json::json;

use super::harness::{Program, Server, Setup, admin, end_user, number};
use crate::database::Database;

crate::on_both! {
    a_locked_user_guesses_again_after_each_way_of_unlocking,
    what_cannot_be_unlocked_is_said,
}

/// Two wrong codes in a row lock, and nothing waits.
fn strict(database: &Database) -> Setup {
    Setup::new(&database.url)
        .with("limits.free_failures", 1)
        .with("limits.longest_wait_seconds", 0)
        .with("limits.lock_at_failures", 2)
}

/// Registers a user and locks them out; says the right code.
async fn locked(server: &Server, user: &str, n: usize) -> String {
    let code = server.register(user, &number(n)).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for code in [wrong, wrong, &code] {
        assert_eq!(server.verify(user, code).await.status, 400);
    }
    code
}

async fn a_locked_user_guesses_again_after_each_way_of_unlocking(database: Database) {
    let setup = strict(&database);
    let server = Server::start(&setup).await;
    let token = admin();
    let by_command: [&[&str]; 3] = [
        &["unlock", "--user", "user-0"],
        &["unlock", "--user", "user-1", "--org", "default"],
        &[
            "unlock",
            "--user",
            "user-2",
            "--url",
            &server.base,
            "--token",
            &token,
        ],
    ];
    for (n, arguments) in by_command.into_iter().enumerate() {
        let user = format!("user-{n}");
        let code = locked(&server, &user, n).await;
        // The server's address stands for the configuration.
        let setup = (n < 2).then_some(&setup);
        let ended = Program::start(arguments, setup).end().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.errors);
        assert!(ended.output.contains(&user), "{}", ended.output);
        assert_eq!(server.verify(&user, &code).await.status, 200);
    }
    let code = locked(&server, "user-3", 3).await;
    let path = "/v2/users/user-3/phone/unlock";
    let refused = server.post(path, &end_user("user-3"), json!({})).await;
    assert_eq!(refused.status, 403, "not by themselves: {refused:?}");
    assert_eq!(server.post(path, &token, json!({})).await.status, 200);
    assert_eq!(server.verify("user-3", &code).await.status, 200);
    assert_eq!(database.events(&["account.unlocked"]).await, 4);
    assert_eq!(database.events(&["ringback unlock"]).await, 2);
}

async fn what_cannot_be_unlocked_is_said(database: Database) {
    let setup = strict(&database);
    let server = Server::start(&setup).await;
    locked(&server, "ann", 0).await;
    let nobody = Program::start(&["unlock", "--user", "nobody"], Some(&setup));
    nobody.end().await.refuses(&["nobody", "account not found"]);
    let elsewhere = ["unlock", "--user", "ann", "--org", "other"];
    let elsewhere = Program::start(&elsewhere, Some(&setup)).end().await;
    elsewhere.refuses(&["ann", "account not found"]);
    let own = end_user("ann");
    let arguments = [
        "unlock",
        "--user",
        "ann",
        "--url",
        &server.base,
        "--token",
        &own,
    ];
    let own = Program::start(&arguments, None).end().await;
    own.refuses(&["403", "permission denied"]);
    assert_eq!(database.events(&["account.unlocked"]).await, 0);
}
