//! Callers that go on while something goes wrong, what became of each call, and how the program calls itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use sea_orm::{ConnectionTrait, Database as Connection, Statement};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::process::harness::{Answer, Server, admin, call, number, until};

/// How long a caller that was refused lets pass before it calls again.
const PACE: Duration = Duration::from_millis(20);
/// How long a caller waits: longer than any call may take, so that one that takes too long is seen.
const PATIENCE: Duration = Duration::from_secs(40);
/// Numbers that each load keeps for itself.
const SHARE: usize = 100_000;

/// Warnings and errors that one outage may leave in the log.
pub const MOST_COMPLAINTS: usize = 10;

/// What callers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One more user, each.
    Register,
    /// The first user of the load that registers.
    Read,
    /// Users.
    List,
}

/// One call, and what became of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The user that is registered or read; empty for lists.
    pub user: String,
    /// What came back, if anything.
    pub status: Option<u16>,
    /// When it was sent.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
}

impl Call {
    /// When the answer came.
    pub fn ended(&self) -> Instant {
        self.began + self.took
    }

    /// Whether it was answered with success.
    pub fn served(&self) -> bool {
        self.status == Some(200)
    }
}

/// Callers, each with one call at a time.
pub struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    callers: JoinSet<Vec<Call>>,
}

impl Load {
    /// Starts `callers`. Loads of one database that register differ in `round`.
    pub fn start(base: &str, ask: Ask, callers: usize, round: usize) -> Load {
        let (stop, served) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let mut running = JoinSet::new();
        for caller in 0..callers {
            let (base, stop, served) = (base.to_owned(), stop.clone(), served.clone());
            running.spawn(async move {
                let client = client();
                let mut calls = Vec::new();
                for turn in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let one = turn * callers + caller;
                    assert!(one < SHARE, "more calls than numbers");
                    let made = make(&client, &base, ask, round * SHARE + one).await;
                    if made.served() {
                        served.fetch_add(1, Ordering::SeqCst);
                    } else {
                        tokio::time::sleep(PACE).await;
                    }
                    calls.push(made);
                }
                calls
            });
        }
        Load {
            stop,
            served,
            callers: running,
        }
    }

    /// How many calls were served by now.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    /// Lets every caller finish its call, and says what became of all.
    pub async fn end(self) -> Calls {
        self.stop.store(true, Ordering::SeqCst);
        Calls(
            self.callers
                .join_all()
                .await
                .into_iter()
                .flatten()
                .collect(),
        )
    }
}

/// What became of the calls of a load.
pub struct Calls(pub Vec<Call>);

impl Calls {
    /// Asserts that no call took longer.
    #[track_caller]
    pub fn are_answered_within(&self, longest: Duration) {
        let slow = self.0.iter().max_by_key(|call| call.took);
        let slow = slow.expect("at least one call");
        assert!(slow.took < longest, "it took too long: {slow:?}");
    }

    /// Asserts that what was answered at this time or later was served, and that there was some of it.
    #[track_caller]
    pub fn are_served_from(&self, whole: Instant) {
        let later: Vec<&Call> = self.0.iter().filter(|call| call.ended() >= whole).collect();
        assert!(!later.is_empty(), "nobody asked any more");
        for call in later {
            assert!(
                call.served(),
                "{:?} after all was whole: {call:?}",
                call.ended() - whole
            );
        }
    }

    /// Users that were registered or read with success.
    pub fn acknowledged(&self) -> impl Iterator<Item = &str> {
        let of_one = |call: &&Call| call.served() && !call.user.is_empty();
        let served = self.0.iter().filter(of_one);
        served.map(|call| call.user.as_str())
    }

    /// The first call after this time that was answered with success, and when.
    pub fn first_served_after(&self, time: Instant) -> Option<Instant> {
        let served = self.0.iter().filter(|call| call.served());
        served.map(Call::ended).filter(|ended| *ended > time).min()
    }

    /// Asserts that every acknowledged user is in this database.
    pub async fn are_kept(&self, url: &str) {
        let kept = users(url).await;
        let lost: Vec<&str> = self
            .acknowledged()
            .filter(|user| !kept.contains(*user))
            .collect();
        assert!(
            lost.is_empty(),
            "{} of {} acknowledged users are lost: {lost:?}",
            lost.len(),
            self.acknowledged().count()
        );
    }
}

/// A client with connections of its own.
pub fn client() -> Client {
    Client::builder()
        .no_proxy()
        .retry(reqwest::retry::never())
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

async fn make(client: &Client, base: &str, ask: Ask, n: usize) -> Call {
    let user = match ask {
        Ask::Register => format!("load-{n}"),
        Ask::Read => "load-0".to_owned(),
        Ask::List => String::new(),
    };
    let began = Instant::now();
    let answer = match ask {
        Ask::Register => register(client, base, &user, n).await,
        Ask::Read => {
            let path = format!("/v2/users/{user}");
            call(client, base, Method::GET, &path, &admin(), Value::Null).await
        }
        Ask::List => list(client, base).await,
    };
    Call {
        user,
        status: answer.ok().map(|answer| answer.status),
        began,
        took: began.elapsed(),
    }
}

/// Registers a user, with a number whose code is returned and not sent.
pub async fn register(
    client: &Client,
    base: &str,
    user: &str,
    n: usize,
) -> reqwest::Result<Answer> {
    let body = json!({"userId": user, "phone": {"phone": number(n), "returnCode": {}}});
    call(
        client,
        base,
        Method::POST,
        "/v2/users/human",
        &admin(),
        body,
    )
    .await
}

/// Lists a few users.
pub async fn list(client: &Client, base: &str) -> reqwest::Result<Answer> {
    let body = json!({"query": {"limit": 5}});
    call(client, base, Method::POST, "/v2/users", &admin(), body).await
}

/// The ids of the users that a database holds.
pub async fn users(url: &str) -> HashSet<String> {
    let connection = Connection::connect(url).await.expect("the test's database");
    let sql = "SELECT user_id FROM accounts";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect("rows");
    connection.close().await.expect("closing");
    rows.iter()
        .map(|row| row.try_get_by_index(0).expect("an id"))
        .collect()
}

/// Whether `/readyz` says that it is ready.
pub async fn ready(server: &Server) -> bool {
    server.get("/readyz", "").await.status == 200
}

/// Whether gRPC's health service says that it serves.
pub async fn healthy(server: &Server) -> bool {
    let endpoint = Endpoint::from_shared(server.base.clone()).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let answer = HealthClient::new(channel).check(request).await;
    answer.expect("a state").into_inner().status() == ServingStatus::Serving
}

/// Asserts that it says everywhere that it cannot serve.
pub async fn is_away(server: &Server) {
    assert!(!ready(server).await, "/readyz of one that cannot write");
    assert!(
        !healthy(server).await,
        "the health of one that cannot write"
    );
}

/// Waits until it says that it cannot serve: an answer stands for a moment.
pub async fn goes_away(server: &Server) {
    until("to be seen as away", async || {
        (!ready(server).await).then_some(())
    })
    .await;
    is_away(server).await;
}

/// Waits until it says that it can serve.
pub async fn comes_back(server: &Server) {
    until("readiness", async || ready(server).await.then_some(())).await;
    assert!(healthy(server).await, "the health of one that is ready");
}

/// Lines of the log that are warnings or errors.
pub fn complaints(printed: &str) -> Vec<&str> {
    let levels = ["\"level\":\"WARN\"", "\"level\":\"ERROR\""];
    let complains = |line: &&str| levels.iter().any(|level| line.contains(level));
    printed.lines().filter(complains).collect()
}

/// Asserts what the log says of one outage: that it began, that it ended, once each, and not much more.
#[track_caller]
pub fn tells_one_outage(printed: &str) {
    for (text, level) in [
        ("the database is away", "WARN"),
        ("the database can be reached again", "INFO"),
    ] {
        let said: Vec<&str> = printed.lines().filter(|line| line.contains(text)).collect();
        assert_eq!(said.len(), 1, "{text}: {printed}");
        assert!(
            said[0].contains(&format!("\"level\":\"{level}\"")),
            "{said:?}"
        );
    }
    let complaints = complaints(printed);
    assert!(complaints.len() <= MOST_COMPLAINTS, "{complaints:#?}");
}
