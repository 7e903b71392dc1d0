//! PgBouncer between the program and PostgreSQL: it works, or it is refused at start with what to do.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database as Connection, Statement};
use tempfile::TempDir;

use super::cluster::{as_postgres, free_port, give_to_postgres};
use super::load::{Ask, Load, client, list};
use crate::database::Database;
use crate::process::harness::{Program, Server, Setup, until};

/// How long a start may take to be refused.
const REFUSED: Duration = Duration::from_secs(5);
/// The first version whose transaction mode keeps prepared statements.
const KEEPS_STATEMENTS: (u32, u32) = (1, 21);
/// Flows through a pooler that fits.
const FLOWS: usize = 10_000;
/// Clients that share them.
const CLIENTS: usize = 8;

/// A pooler of its own before the test's server. It ends with this value.
struct Pooler {
    url: String,
    process: Child,
    _directory: TempDir,
}

impl Pooler {
    /// With as few settings as it starts with: what it refuses by default it refuses here.
    async fn start(database: &Database, mode: &str, more: &str) -> Pooler {
        let (before, after) = database.url.split_once('@').expect("a user");
        let (server, name) = after.split_once('/').expect("a database");
        let (host, server_port) = server.split_once(':').expect("a port");
        let sockets = std::env::var("RINGBACK_TEST_POSTGRES_SOCKET")
            .expect("RINGBACK_TEST_POSTGRES_SOCKET names no directory: run scripts/test");
        let directory = tempfile::tempdir_in(sockets).expect("a temporary directory");
        let users = directory.path().join("users.txt");
        let port = free_port();
        let settings = format!(
            "[databases]\n\
             * = host={host} port={server_port}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = trust\n\
             auth_file = {}\n\
             pool_mode = {mode}\n\
             {more}\n",
            users.display()
        );
        let file = directory.path().join("pgbouncer.ini");
        fs::write(&file, settings).expect("writing the settings");
        fs::write(&users, "\"postgres\" \"\"\n").expect("writing the users");
        for path in [directory.path(), &file, &users] {
            give_to_postgres(path);
        }
        let mut process = as_postgres(&program())
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starting pgbouncer");
        until("a pooler", async || {
            let ended = process.try_wait().expect("asking for the child");
            assert!(ended.is_none(), "pgbouncer ended");
            let reached = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            reached.is_ok().then_some(())
        })
        .await;
        Pooler {
            url: format!("{before}@127.0.0.1:{port}/{name}"),
            process,
            _directory: directory,
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where PgBouncer is: in `RINGBACK_TEST_PGBOUNCER`, where Debian has it, or on PATH.
fn program() -> PathBuf {
    let debian = PathBuf::from("/usr/sbin/pgbouncer");
    match std::env::var_os("RINGBACK_TEST_PGBOUNCER") {
        Some(path) => path.into(),
        None if debian.exists() => debian,
        None => "pgbouncer".into(),
    }
}

/// Major and minor version, as `PgBouncer 1.18.0`.
fn version() -> (u32, u32) {
    let output = Command::new(program()).arg("--version").output();
    let output = output.expect("pgbouncer: scripts/test installs it").stdout;
    let text = String::from_utf8_lossy(&output);
    let version = text.split_whitespace().nth(1).expect("a version");
    let mut parts = version.split('.').map(|part| part.parse());
    let mut part = || parts.next().expect("a part").expect("a number");
    (part(), part())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_mode_works_or_is_refused_on_postgres() {
    let database = Database::postgres().await;
    let keeps = version() >= KEEPS_STATEMENTS;
    let pooler = Pooler::start(&database, "transaction", "").await;
    let setup = Setup::new(&pooler.url);
    if keeps {
        // As POSTGRESQL.md says of a role; this database is the test's alone.
        let (_, name) = database.url.rsplit_once('/').expect("a database");
        let plans = format!("ALTER DATABASE {name} SET enable_seqscan = off");
        database.execute(&plans).await;
        works(Server::start(&setup).await, &database.url, FLOWS).await;
        finds_by_index(&database).await;
        return;
    }
    for _ in 0..3 {
        let began = Instant::now();
        let ended = setup.run("serve").await;
        assert!(began.elapsed() < REFUSED, "{:?}", began.elapsed());
        ended.refuses(&[
            "database.url",
            "transaction",
            "PgBouncer 1.21",
            "max_prepared_statements",
            "session mode",
        ]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_mode_that_keeps_no_statements_is_refused_on_postgres() {
    if version() < KEEPS_STATEMENTS {
        // The setting is not known; the test above has shown the refusal.
        return;
    }
    let database = Database::postgres().await;
    let pooler = Pooler::start(&database, "transaction", "max_prepared_statements = 0").await;
    let began = Instant::now();
    let ended = Setup::new(&pooler.url).run("serve").await;
    assert!(began.elapsed() < REFUSED, "{:?}", began.elapsed());
    ended.refuses(&["transaction", "max_prepared_statements"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_mode_works_on_postgres() {
    let database = Database::postgres().await;
    let pooler = Pooler::start(&database, "session", "").await;
    let program = Program::start(&["serve"], Some(&Setup::new(&pooler.url)));
    works(Server::serving(program).await, &database.url, 300).await;
}

/// Asserts that flows work without an error.
async fn works(server: Server, url: &str, flows: usize) {
    let writes = Load::start(&server.base, Ask::Register, CLIENTS, 0);
    let mut seen = 0;
    while seen < flows {
        until("more flows", async || {
            (writes.served() > seen).then_some(())
        })
        .await;
        seen = writes.served();
    }
    let answer = list(&client(), &server.base).await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let calls = writes.end().await;
    for call in &calls.0 {
        assert!(call.served(), "{call:?}");
    }
    calls.are_kept(url).await;
}

/// Asserts that what so many flows looked for was found by an index, except for the few lists.
async fn finds_by_index(database: &Database) {
    let connection = Connection::connect(&database.url)
        .await
        .expect("the test's database");
    let sql = "SELECT sum(seq_scan)::bigint, sum(idx_scan)::bigint FROM pg_stat_user_tables \
               WHERE relname IN ('accounts', 'account_names', 'phone_numbers', 'budgets')";
    let statement = || Statement::from_string(connection.get_database_backend(), sql);
    // The server's counters come a little later.
    let whole = until("counters of scans", async || {
        let row = connection.query_one_raw(statement()).await.expect("a row");
        let scans: (i64, i64) = row
            .expect("a row")
            .try_get_many_by_index()
            .expect("numbers");
        (scans.1 > i64::try_from(FLOWS).expect("a few")).then_some(scans.0)
    })
    .await;
    connection.close().await.expect("closing");
    assert!(whole < 100, "{whole} scans of whole tables");
}
