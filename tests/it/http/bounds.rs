//! What clients hold without asking for anything has an end: connections, bodies, memory, open files.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::database::Database;
use crate::process::harness::{Program, Server, Setup, admin, number, until};

crate::on_both! {
    silent_clients_cost_little_and_are_gone_within_30_s,
    connections_of_one_address_are_capped,
    a_quiet_http_2_connection_gets_a_goaway,
    a_connection_between_two_requests_is_kept,
    running_out_of_open_files_heals_and_is_said_once,
}

/// Kibibytes of memory that a process holds.
fn memory(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id()));
    let status = status.expect("the process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.expect("VmRSS").split_whitespace();
    words
        .skip(1)
        .find_map(|word| word.parse().ok())
        .expect("a count")
}

/// A connection that has sent this.
async fn connection(server: &Server, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("a connection");
    stream.write_all(sent).await.expect("sent");
    stream
}

/// Reads until the other side closes. Whether it did so in time.
async fn ends(stream: &mut TcpStream, within: Duration) -> bool {
    let mut buffer = [0; 4096];
    let read = async { while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {} };
    timeout(within, read).await.is_ok()
}

async fn silent_clients_cost_little_and_are_gone_within_30_s(database: Database) {
    let server = Server::start(&Setup::new(&database.url)).await;
    server.register("ann", &number(1)).await;
    let before = memory(&server.program);
    let started = Instant::now();
    let mut held = Vec::new();
    for n in 0..500 {
        let sent: &[u8] = match n % 4 {
            0 => b"",
            1 => b"PRI * HTTP/2.0\r\n\r\nS",
            2 => b"GET /healthz HTTP/1.1\r\nhost: a",
            _ => b"G",
        };
        held.push(connection(&server, sent).await);
    }
    let half = |path: &str, token: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{\"a\":"
        )
    };
    for n in 0..300 {
        let path = match n % 3 {
            0 => "/v2/users/ann/phone",
            1 => "/zitadel.user.v2.UserService/SetPhone",
            _ => "/auth/vendor",
        };
        held.push(connection(&server, half(path, &admin()).as_bytes()).await);
    }
    let mut most = 0;
    let watch = async {
        loop {
            let seen = server.get("/v2/users/ann", &admin()).await;
            assert_eq!(seen.status, 200);
            most = most.max(memory(&server.program));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let all_end = async {
        for stream in &mut held {
            let left = Duration::from_secs(30).saturating_sub(started.elapsed());
            assert!(ends(stream, left).await, "still open after 30 s");
        }
    };
    tokio::select! {
        () = watch => {}
        () = all_end => {}
    }
    let more = most.saturating_sub(before);
    assert!(
        more <= 20 * 1024,
        "{more} KiB for 800 clients that ask for nothing"
    );
}

async fn connections_of_one_address_are_capped(database: Database) {
    let setup = Setup::new(&database.url).with("server.connections_per_address", 5);
    let server = Server::start(&setup).await;
    // The client of the harness holds one.
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connection(&server, b"G").await);
    }
    let mut more = connection(&server, b"").await;
    assert!(ends(&mut more, Duration::from_secs(5)).await);
    assert_eq!(server.get("/healthz", "").await.status, 200);
    held.clear();
    until("room", async || {
        let mut again = connection(&server, b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut first = [0; 12];
        let answered = again.read_exact(&mut first).await.is_ok();
        answered.then(|| assert_eq!(&first, b"HTTP/1.1 200"))
    })
    .await;
    let printed = server.program.printed();
    assert_eq!(
        printed.matches("server.connections_per_address").count(),
        1,
        "{printed}"
    );
}

const GOAWAY: u8 = 7;
const PING: u8 = 6;

/// The next frame of an HTTP/2 connection: its kind, its flags and its payload.
async fn frame(stream: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], payload))
}

async fn a_quiet_http_2_connection_gets_a_goaway(database: Database) {
    let setup = Setup::new(&database.url).with("server.idle_seconds", 10);
    let server = Server::start(&setup).await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings].concat();
    let mut stream = connection(&server, &preface).await;
    let told = async {
        let mut told = false;
        while let Some((kind, flags, payload)) = frame(&mut stream).await {
            told |= kind == GOAWAY;
            if kind == PING && flags & 1 == 0 {
                let answer = [&[0, 0, 8, PING, 1, 0, 0, 0, 0], &payload[..]].concat();
                stream.write_all(&answer).await.expect("sent");
            }
        }
        told
    };
    let told = timeout(Duration::from_secs(30), told).await;
    assert_eq!(told, Ok(true), "a GOAWAY, then the end");
}

async fn a_connection_between_two_requests_is_kept(database: Database) {
    let server = Server::start(&Setup::new(&database.url)).await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut stream = connection(&server, request).await;
    let mut buffer = [0; 4096];
    assert!(stream.read(&mut buffer).await.expect("an answer") > 0);
    // Longer than a head may take.
    tokio::time::sleep(Duration::from_secs(12)).await;
    stream.write_all(request).await.expect("sent");
    assert!(stream.read(&mut buffer).await.expect("an answer") > 0);
}

async fn running_out_of_open_files_heals_and_is_said_once(database: Database) {
    let setup = Setup::new(&database.url);
    let program = Program::start_through(&["prlimit", "--nofile=100"], &["serve"], Some(&setup));
    let server = Server::serving(program).await;
    let mut held = Vec::new();
    for _ in 0..150 {
        held.push(connection(&server, b"").await);
    }
    until("the limit", async || {
        let printed = server.program.printed();
        printed.contains("cannot accept connections").then_some(())
    })
    .await;
    // Silent clients go by themselves, whoever holds them.
    let body = json!({"userId": "ann", "phone": {"phone": number(1), "returnCode": {}}});
    let path = "/v2/users/human";
    let added = until("an answer", async || {
        let answer = server
            .try_call(Method::POST, path, &admin(), body.clone())
            .await;
        answer.ok().filter(|answer| answer.status == 200)
    });
    assert_ne!(added.await.body, Value::Null);
    let printed = server.program.printed();
    assert_eq!(
        printed.matches("cannot accept connections").count(),
        1,
        "{printed}"
    );
    drop(held);
}
