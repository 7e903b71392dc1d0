//! The guard over processes: learnt from each other, kept over an end and a kill, seen and lifted by `ringback guard`.

use serde_json::json;

use super::harness::{Program, Server, Setup, admin, end_user, number, until};
use crate::database::Database;

crate::on_both! {
    two_processes_hold_back_what_either_has_seen,
    the_command_shows_lets_pass_and_plays_again,
}

/// Three codes to numbers that begin alike are enough.
fn enforcing(database: &Database) -> Setup {
    Setup::new(&database.url)
        .with("guard.mode", "enforce")
        .with("guard.prefix_sends", 3)
}

/// Whether a new user is sent a code at one of the numbers that begin alike.
async fn sends(server: &Server, n: usize) -> bool {
    let user = format!("user-{n}");
    let path = format!("/v2/users/{user}/phone");
    let body = json!({"phone": number(n)});
    let answer = server.post(&path, &end_user(&user), body).await;
    match answer.status {
        200 => true,
        429 => {
            let told = answer.body["message"].as_str().unwrap_or_default();
            assert!(told.contains("held back"), "{answer:?}");
            false
        }
        _ => panic!("{answer:?}"),
    }
}

/// Waits until a server sends what it held back before. Each look is a user of its own.
async fn until_it_sends(server: &Server, users: &mut std::ops::RangeFrom<usize>) {
    until("a change of mind", async || {
        let user = users.next().expect("no end");
        sends(server, user).await.then_some(())
    })
    .await;
}

async fn two_processes_hold_back_what_either_has_seen(database: Database) {
    let setup = enforcing(&database);
    let one = Server::start(&setup).await;
    let two = Server::start(&setup).await;
    let mut users = 0..;
    for _ in 0..3 {
        assert!(sends(&one, users.next().expect("no end")).await);
    }
    assert!(!sends(&one, users.next().expect("no end")).await);
    // The other has sent none.
    until("the other to know of it", async || {
        let answer = two.get("/v2/guard/status?heldOnly=true", &admin()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["standings"][0]["prefix"]
            .is_string()
            .then_some(())
    })
    .await;
    assert!(!sends(&two, users.next().expect("no end")).await);
    // Killed, it has lost nothing that the other knows; ended in order, nothing at all.
    drop((one, two));
    let again = Server::start(&setup).await;
    assert!(!sends(&again, users.next().expect("no end")).await);
}

async fn the_command_shows_lets_pass_and_plays_again(database: Database) {
    let setup = enforcing(&database);
    let server = Server::start(&setup).await;
    let run = async |arguments: &[&str]| {
        let ended = Program::start(arguments, Some(&setup)).end().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.errors);
        ended.output
    };
    let nothing = run(&["guard", "status"]).await;
    assert!(nothing.contains("nothing is held back"), "{nothing}");
    let mut users = 0..;
    for _ in 0..3 {
        assert!(sends(&server, users.next().expect("no end")).await);
    }
    assert!(!sends(&server, users.next().expect("no end")).await);
    let written = async || {
        let all = run(&["guard", "status", "--held"]).await;
        all.contains("held back (prefix) since 20").then_some(all)
    };
    let shown = until("the command to see it", written).await;
    let whole = number(0);
    let prefix = &whole[..whole.len() - 4];
    for part in [
        "the guard enforces its rules\norganisation default:",
        prefix,
        "3 sent, 0 answered",
        " until 20",
    ] {
        assert!(shown.contains(part), "no {part}: {shown}");
    }
    assert!(!shown.contains(&whole), "{shown}");
    let told = run(&["guard", "allow", "--prefix", prefix, "--for", "2h"]).await;
    assert!(
        told.contains(prefix) && told.contains("pass until 20"),
        "{told}"
    );
    until_it_sends(&server, &mut users).await;
    let shown = run(&["guard", "status"]).await;
    assert!(shown.contains("let pass until 20"), "{shown}");
    // By rules that let more pass nothing would have been stopped; the one that was refused would have been sent.
    let lax = enforcing(&database).with("guard.prefix_sends", 50);
    let replay = async || {
        let ended = Program::start(&["guard", "replay"], Some(&lax)).end().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.errors);
        // What was done is on record a moment later.
        let complete = ended.output.contains("codes sent: 4");
        complete.then_some(ended.output)
    };
    let replayed = until("the record of what was sent", replay).await;
    for part in [
        "would have been stopped: 0; handed in of them: 0",
        "of which would have been sent: ",
    ] {
        assert!(replayed.contains(part), "no {part}: {replayed}");
    }
    let strict = enforcing(&database).with("guard.deny_countries", json!(["CH"]));
    let strict = Program::start(&["guard", "replay"], Some(&strict))
        .end()
        .await;
    for part in [
        "would have been stopped: 4; handed in of them: 0",
        "country CH: 4",
    ] {
        assert!(strict.output.contains(part), "no {part}: {}", strict.output);
    }
    for (arguments, says) in [
        (&["guard", "allow"][..], "--country"),
        (&["guard", "allow", "--country", "UK"], "two letters"),
        (&["guard", "allow", "--prefix", "4179"], "a plus"),
        (&["guard", "allow", "--country", "CH", "--for", "1w"], "24h"),
        (&["guard", "replay", "--from", "yesterday"], "RFC 3339"),
        (
            &["guard", "allow", "--country", "CH", "--org", "nobody"],
            "there is no user of nobody",
        ),
    ] {
        let ended = Program::start(arguments, Some(&setup)).end().await;
        assert_ne!(ended.status.code(), Some(0));
        assert!(ended.errors.contains(says), "{}", ended.errors);
    }
}
