//! SQLite on a disk that takes no more for a while: what was answered with success is there, and nothing
//! else, and nobody has to start the program again.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};

use super::load::{client, comes_back, complaints, goes_away, register, tells_one_outage};
use crate::database::Database;
use crate::process::harness::{Program, Server, Setup, admin, number, until};
use crate::process::receiver::Receiver;

/// Starts the program so that a write beyond the largest size of a file fails, as on a full disk. What it
/// prints is written by another process, whose files may grow.
const TAKES_ERRORS: [&str; 3] = [
    "sh",
    "-c",
    "trap '' XFSZ; mkfifo log; cat log & exec \"$0\" \"$@\" >log 2>&1",
];

/// The largest size of a file on a disk that takes nothing: no commit fits into it.
const NOTHING: u64 = 4_096;

/// What is answered when a user is registered who is there.
const EXISTS: u16 = 400;

/// A server whose files can be kept from growing, and what it has acknowledged.
pub(super) struct Disk {
    pub(super) server: Server,
    setup: Setup,
    launcher: Vec<String>,
    /// The log that commits are appended to.
    log: PathBuf,
    /// Users that were registered, and are not deleted, with their numbers.
    users: BTreeMap<String, String>,
    /// How many names and numbers were used.
    used: usize,
}

impl Disk {
    async fn start(database: &Database) -> Disk {
        Disk::start_with(Setup::new(&database.url), &database.url, &TAKES_ERRORS).await
    }

    pub(super) async fn start_with(setup: Setup, url: &str, launcher: &[&str]) -> Disk {
        let file = url.strip_prefix("sqlite:").expect("SQLite");
        Disk {
            server: Server::serving(Program::start_through(launcher, &["serve"], Some(&setup)))
                .await,
            setup,
            launcher: launcher.iter().copied().map(str::to_owned).collect(),
            log: PathBuf::from(format!("{file}-wal")),
            users: BTreeMap::new(),
            used: 0,
        }
    }

    /// From now on nothing can be written.
    fn cap(&self) {
        self.limit(&format!("{NOTHING}:"));
    }

    /// From now on no file grows beyond what the log has now: the next commit fails. If a new log is begun
    /// then, it has room.
    fn cap_log(&self) {
        let size = fs::metadata(&self.log).expect("the log").len();
        self.limit(&format!("{size}:"));
    }

    /// Files may grow again.
    fn lift(&self) {
        self.limit("unlimited:");
    }

    fn limit(&self, size: &str) {
        let mut command = Command::new("prlimit");
        command.arg(format!("--fsize={size}"));
        command.arg(format!("--pid={}", self.server.program.id()));
        assert!(command.status().expect("prlimit").success());
    }

    /// Registers a new user; says what came back.
    pub(super) async fn register(&mut self) -> u16 {
        let (user, number) = (format!("user-{}", self.used), number(self.used));
        let answer = register(&client(), &self.server.base, &user, self.used).await;
        self.used += 1;
        let status = answer.expect("an answer").status;
        if status == 200 {
            self.users.insert(user, number);
        }
        status
    }

    /// Registers the first user once more; says what came back.
    async fn register_again(&self) -> u16 {
        let (user, _) = self.users.first_key_value().expect("a user");
        let answer = register(&client(), &self.server.base, user, self.used).await;
        answer.expect("an answer").status
    }

    /// Deletes a user; says what came back.
    async fn delete(&mut self, user: &str) -> u16 {
        let path = format!("/v2/users/{user}");
        let (server, token) = (&self.server, admin());
        let answer = server.call(Method::DELETE, &path, &token, Value::Null);
        let status = answer.await.status;
        if status == 200 {
            self.users.remove(user);
        }
        status
    }

    /// After a fault: every kind of write works, and all users are there, before and after a restart.
    pub(super) async fn works(mut self) {
        assert_eq!(self.register().await, 200, "a write after the fault");
        assert_eq!(
            self.register_again().await,
            EXISTS,
            "a refusal that rolls back"
        );
        assert_eq!(self.register().await, 200);
        assert_eq!(self.register().await, 200);
        comes_back(&self.server).await;
        self.holds().await;
        self.restart().await;
        assert_eq!(self.register().await, 200, "a write after a restart");
        self.holds().await;
    }

    async fn restart(&mut self) {
        self.server.program.signal("TERM");
        let ended = self.server.program.exit().await;
        assert_eq!(ended.code(), Some(0), "{}", self.server.program.printed());
        let launcher: Vec<&str> = self.launcher.iter().map(String::as_str).collect();
        let program = Program::start_through(&launcher, &["serve"], Some(&self.setup));
        self.server = Server::serving(program).await;
    }

    /// Asserts that the users that were acknowledged are there, and no others of those that were tried.
    async fn holds(&self) {
        for n in 0..self.used {
            let user = format!("user-{n}");
            let path = format!("/v2/users/{user}");
            let answer = self.server.get(&path, &admin()).await;
            match self.users.get(&user) {
                Some(number) => {
                    assert_eq!(answer.status, 200, "{user} is lost");
                    let phone = &answer.body["user"]["human"]["phone"]["phone"];
                    assert_eq!(phone, number.as_str(), "{user}");
                }
                None => assert_eq!(answer.status, 404, "{user} was never acknowledged"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_loses_nothing_on_sqlite() {
    let database = Database::sqlite().await;
    let mut disk = Disk::start(&database).await;
    assert_eq!(disk.register().await, 200);
    disk.cap();
    assert_eq!(disk.register().await, 503);
    disk.lift();
    disk.works().await;
}

/// The log may be all that stands in the way: what it holds is copied into the database, and it begins anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_grow_makes_room_by_itself_on_sqlite() {
    let database = Database::sqlite().await;
    let mut disk = Disk::start(&database).await;
    for _ in 0..20 {
        assert_eq!(disk.register().await, 200);
    }
    disk.cap_log();
    let (mut served, mut refused) = (0, 0);
    // Until both were seen: on a slow machine the log may be copied before it is full.
    while served + refused < 20 || (refused == 0 && served < 400) {
        match disk.register().await {
            503 => refused += 1,
            _ => served += 1,
        }
        comes_back(&disk.server).await;
    }
    assert!(
        served > 0 && refused > 0,
        "{served} served, {refused} refused"
    );
    disk.lift();
    disk.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_failed_commits_lose_nothing_on_sqlite() {
    let database = Database::sqlite().await;
    let mut disk = Disk::start(&database).await;
    assert_eq!(disk.register().await, 200);
    disk.cap();
    for _ in 0..25 {
        assert_eq!(disk.register().await, 503);
    }
    goes_away(&disk.server).await;
    disk.lift();
    comes_back(&disk.server).await;
    tells_one_outage(&disk.server.program.printed());
    disk.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_readiness_loses_nothing_on_sqlite() {
    let database = Database::sqlite().await;
    let mut disk = Disk::start(&database).await;
    assert_eq!(disk.register().await, 200);
    for _ in 0..2 {
        disk.cap();
        goes_away(&disk.server).await;
        disk.lift();
        assert_eq!(disk.register().await, 200);
        comes_back(&disk.server).await;
    }
    disk.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_settlement_loses_nothing_on_sqlite() {
    let database = Database::sqlite().await;
    let receiver = Receiver::silent().await;
    let setup = Setup::new(&database.url).with_webhook(&receiver.url);
    let mut disk = Disk::start_with(setup, &database.url, &TAKES_ERRORS).await;
    let body = json!({"userId": "ann", "phone": {"phone": number(900_000)}});
    let answer = disk.server.post("/v2/users/human", &admin(), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(disk.register().await, 200);
    until("a message on its way", async || {
        (!receiver.taken().is_empty()).then_some(())
    })
    .await;

    // The message was claimed, and what became of it cannot be written down.
    disk.cap();
    receiver.answer();
    until("a settlement that failed", async || {
        (!complaints(&disk.server.program.printed()).is_empty()).then_some(())
    })
    .await;
    disk.lift();
    disk.works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_deletion_loses_nothing_on_sqlite() {
    let database = Database::sqlite().await;
    let mut disk = Disk::start(&database).await;
    for _ in 0..3 {
        assert_eq!(disk.register().await, 200);
    }
    disk.cap();
    assert_eq!(disk.delete("user-1").await, 503);
    disk.lift();
    assert_eq!(disk.delete("user-2").await, 200);
    disk.works().await;
}

/// Whatever is asked for and whenever the disk is full: what was answered with success is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_mix_keeps_what_was_acknowledged_on_sqlite() {
    for seed in 0..4 {
        let database = Database::sqlite().await;
        let mut disk = Disk::start(&database).await;
        let mut dice = StdRng::seed_from_u64(seed);
        let mut capped = false;
        assert_eq!(disk.register().await, 200);
        let mut story = Vec::new();
        for _ in 0..80 {
            let step = dice.random_range(0..10);
            story.push(step);
            let (status, expected) = match step {
                0..4 => (disk.register().await, 200),
                4 | 5 => (disk.register_again().await, EXISTS),
                6 => {
                    let which = dice.random_range(0..disk.users.len());
                    let user = disk.users.keys().nth(which).expect("a user").clone();
                    // One must remain to be registered again.
                    match disk.users.len() {
                        1 => continue,
                        _ => (disk.delete(&user).await, 200),
                    }
                }
                7 => {
                    match capped {
                        true => goes_away(&disk.server).await,
                        false => comes_back(&disk.server).await,
                    }
                    continue;
                }
                8 => {
                    disk.cap();
                    capped = true;
                    continue;
                }
                _ => {
                    disk.lift();
                    capped = false;
                    continue;
                }
            };
            assert!(
                status == expected || capped && status == 503,
                "{status}, seed {seed}: {story:?}"
            );
        }
        disk.lift();
        disk.works().await;
    }
}
