//! PostgreSQL servers of a test's own, which it may stop, freeze and replace.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use sea_orm::{ConnectionTrait, Database as Connection, Statement};
use tempfile::TempDir;

use crate::process::harness::until;

/// What the servers need not do: survive the end of the machine, or listen on more than one address.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "shared_buffers=32MB",
    "wal_keep_size=256MB",
    "timezone=UTC",
];

/// A way to stop a server.
#[derive(Clone, Copy)]
pub enum Stop {
    /// Connections are closed, what is written is sent to standbys: `pg_ctl stop -m fast`.
    Fast,
    /// As a crash: `pg_ctl stop -m immediate`.
    Immediate,
}

/// A server with its data. It ends with this value.
pub struct Cluster {
    /// Such as `127.0.0.1:21234`.
    pub address: String,
    directory: TempDir,
    process: Option<Child>,
}

impl Cluster {
    /// A new server, which runs.
    pub async fn start() -> Cluster {
        let mut cluster = Cluster::empty();
        let mut command = as_postgres(&program("initdb"));
        command
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync"])
            .arg("--pgdata")
            .arg(cluster.data());
        succeed(&mut command);
        cluster.run().await;
        cluster
    }

    /// A server that follows this one, and runs.
    pub async fn standby(&self) -> Cluster {
        let mut standby = Cluster::empty();
        let mut command = as_postgres(&program("pg_basebackup"));
        command
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .args(["--username=postgres", "--host=127.0.0.1"])
            .args(["--port", port(&self.address)])
            .arg("--pgdata")
            .arg(standby.data());
        succeed(&mut command);
        standby.run().await;
        standby
    }

    fn empty() -> Cluster {
        // The directory must be one that the user postgres reaches, and that goes with the tests.
        let sockets = std::env::var("RINGBACK_TEST_POSTGRES_SOCKET")
            .expect("RINGBACK_TEST_POSTGRES_SOCKET names no directory: run scripts/test");
        let directory = tempfile::tempdir_in(sockets).expect("a temporary directory");
        give_to_postgres(directory.path());
        Cluster {
            address: format!("127.0.0.1:{}", free_port()),
            directory,
            process: None,
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts it where it was, and waits until it accepts connections.
    pub async fn run(&mut self) {
        self.spawn();
        self.accepting().await;
    }

    /// Starts it where it was.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"))
            .expect("a file for output");
        let mut command = as_postgres(&program("postgres"));
        command
            .arg("-D")
            .arg(self.data())
            .args(["-p", port(&self.address)])
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the file for output"))
            .stderr(log);
        self.process = Some(command.spawn().expect("starting postgres"));
    }

    /// Waits until it accepts connections.
    pub async fn accepting(&mut self) {
        let ready = program("pg_isready");
        until("a server of PostgreSQL", async || {
            let process = self.process.as_mut().expect("it was started");
            let ended = process.try_wait().expect("asking for the child");
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "ended: {}", log());
            let mut command = Command::new(&ready);
            command.args(["-q", "-h", "127.0.0.1", "-p", port(&self.address)]);
            let status = command.status().expect("pg_isready");
            status.success().then_some(())
        })
        .await;
    }

    /// Stops it, and waits until it has stopped.
    pub async fn stop(&mut self, how: Stop) {
        let mut process = self.process.take().expect("it was started");
        let name = match how {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        signal(name, &[process.id()]);
        until("the end of PostgreSQL", async || {
            process.try_wait().expect("asking for the child")
        })
        .await;
    }

    /// Stops all its processes where they are: nothing is closed and nothing is answered.
    pub fn freeze(&self) {
        // Its first process before the others, so that it starts no new ones.
        signal("STOP", &self.process_ids()[..1]);
        signal("STOP", &self.process_ids());
    }

    /// Lets its processes go on.
    pub fn thaw(&self) {
        signal("CONT", &self.process_ids());
    }

    /// Its processes, the first one first.
    fn process_ids(&self) -> Vec<u32> {
        let first = self.process.as_ref().expect("it was started").id();
        [first].into_iter().chain(children(first)).collect()
    }

    /// At its next start it only follows `primary`.
    pub fn follow(&self, primary: &Cluster) {
        let setting = format!(
            "primary_conninfo = 'user=postgres host=127.0.0.1 port={}'\n",
            port(&primary.address)
        );
        let file = self.data().join("postgresql.auto.conf");
        let settings = fs::read_to_string(&file).expect("settings") + &setting;
        fs::write(&file, settings).expect("writing settings");
        let signal = self.data().join("standby.signal");
        fs::write(&signal, "").expect("writing a signal");
        give_to_postgres(&signal);
    }

    /// The address of a database on it, as `database.url` takes it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address)
    }

    /// Runs statements one by one, on the database `postgres`.
    pub async fn execute(&self, statements: &[&str]) {
        self.execute_on("postgres", statements).await;
    }

    /// Runs statements one by one.
    pub async fn execute_on(&self, database: &str, statements: &[&str]) {
        let connection = Connection::connect(self.url(database))
            .await
            .expect("the test's server");
        for sql in statements {
            connection
                .execute_unprepared(sql)
                .await
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        connection.close().await.expect("closing");
    }

    /// Acknowledges from now on only what a standby has too, and waits until there is one.
    pub async fn acknowledge_with_standby(&self) {
        self.execute(&[
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        ])
        .await;
        until("a standby that keeps up", async || {
            let connection = Connection::connect(self.url("postgres")).await.ok()?;
            let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
            let statement = Statement::from_string(connection.get_database_backend(), sql);
            let row = connection.query_one_raw(statement).await.ok()??;
            connection.close().await.ok()?;
            (row.try_get_by_index::<i64>(0).ok()? == 1).then_some(())
        })
        .await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let first = process.id();
        let all: Vec<u32> = [first].into_iter().chain(children(first)).collect();
        // What is frozen would not hear. Those that end meanwhile are not missed.
        let _ = send("CONT", &all);
        let _ = send("QUIT", &all[..1]);
        let _ = process.wait();
    }
}

/// The newest server program of that name; Debian keeps them off PATH.
pub fn program(name: &str) -> PathBuf {
    let version = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin").join(name).exists())
        .max_by_key(version);
    newest.map_or_else(|| name.into(), |path| path.join("bin").join(name))
}

/// A command that runs as the user postgres if we are root, because neither PostgreSQL nor PgBouncer runs as
/// root, and that ends with the thread that started it.
pub fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=QUIT").current_dir("/");
    if let Some((user, group)) = postgres() {
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"))
            .arg("--clear-groups");
    }
    command.arg(program);
    command
}

/// Lets the user postgres have a file, if servers run as that user.
pub fn give_to_postgres(path: &Path) {
    if let Some((user, group)) = postgres() {
        chown(path, Some(user), Some(group)).expect("giving a file to postgres");
    }
}

/// Numbers of the user postgres and of its group, if we are root.
fn postgres() -> Option<(u32, u32)> {
    // Whose process this is.
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    root.then(|| {
        let users = fs::read_to_string("/etc/passwd").expect("users");
        let user = users.lines().find(|line| line.starts_with("postgres:"));
        let mut parts = user.expect("a user postgres").split(':').skip(2);
        let mut number = || parts.next()?.parse().ok();
        (number().expect("a user"), number().expect("a group"))
    })
}

/// A port that nothing serves on, below the range that outgoing connections use: it stays free while a
/// server is stopped.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).expect("a small number");
    loop {
        let port = 10_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').expect("an address with a port").1
}

/// The processes that a process started and that still run.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("processes");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

/// The process that started a process, as `/proc` says it behind the name in parentheses.
fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(") ")?;
    after.split(' ').nth(1)?.parse().ok()
}

fn signal(name: &str, processes: &[u32]) {
    assert!(send(name, processes), "sending {name} to {processes:?}");
}

/// Sends a signal; says whether all processes were there.
fn send(name: &str, processes: &[u32]) -> bool {
    let ids: Vec<String> = processes.iter().map(u32::to_string).collect();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("kill -{name} {}", ids.join(" "))]);
    command.stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().expect("a command");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}
