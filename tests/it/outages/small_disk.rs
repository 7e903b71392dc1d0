//! SQLite on a disk that is small, and full: whether others fill it, or its own log does.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::load::{Ask, Load, comes_back, goes_away, ready};
use super::sqlite_faults::Disk;
use crate::process::harness::{Program, Server, Setup, until};

/// Callers at once, where it is many that write.
const CLIENTS: usize = 8;
/// How long nothing may be written while there is room to be made.
const STANDSTILL: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// A small file system that only this holder and those who enter it see. It goes with this value.
struct Small {
    holder: Child,
    directory: PathBuf,
}

impl Small {
    /// `None` where one may not mount.
    async fn mount(directory: &Path, size: &str) -> Option<Small> {
        let script = "mount -t tmpfs -o size=$1 tmpfs \"$0\" && echo mounted >\"$0.done\" && exec sleep infinity";
        let mut holder = Command::new("setpriv")
            .args(["--pdeathsig=KILL", "unshare", "--mount"])
            .args(["sh", "-c", script])
            .arg(directory)
            .arg(size)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("setpriv");
        let done = directory.with_extension("done");
        let mounted = until("a mount or its refusal", async || {
            let ended = holder.try_wait().expect("asking for the child").is_some();
            (ended || done.exists()).then_some(!ended)
        })
        .await;
        let directory = directory.to_owned();
        mounted.then_some(Small { holder, directory })
    }

    /// A file inside, as one finds it from outside.
    fn inside(&self, name: &str) -> PathBuf {
        let path = self.directory.join(name);
        let root = format!("/proc/{}/root", self.holder.id());
        Path::new(&root).join(path.strip_prefix("/").expect("an absolute path"))
    }

    /// Fills it up.
    fn fill(&self) {
        let mut options = File::options();
        let ballast = options
            .create(true)
            .append(true)
            .open(self.inside("ballast"));
        let mut ballast = ballast.expect("a ballast file");
        while ballast.write(&[0; 4096]).is_ok_and(|count| count > 0) {}
    }

    /// The files and their sizes, for a test that fails.
    fn listing(&self) -> String {
        let all = fs::read_dir(self.inside("")).expect("reading the directory");
        let all = all.map(|entry| {
            let entry = entry.expect("an entry");
            let size = entry.metadata().map_or(0, |file| file.len());
            format!("{} {size}\n", entry.file_name().display())
        });
        all.collect()
    }

    /// Frees what [`Small::fill`] took.
    fn free(&self) {
        fs::remove_file(self.inside("ballast")).expect("removing the ballast");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_on_sqlite() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path().join("small");
    fs::create_dir(&place).expect("a directory");
    let Some(small) = Small::mount(&place, "4m").await else {
        println!("a_full_disk_loses_nothing_on_sqlite skipped: mounting is not allowed here");
        return;
    };
    let url = format!("sqlite:{}", place.join("ringback.db").display());
    let holder = small.holder.id().to_string();
    let launcher = ["nsenter", "--mount", "--target", &holder];
    let mut disk = Disk::start_with(Setup::new(&url), &url, &launcher).await;
    for _ in 0..5 {
        assert_eq!(disk.register().await, 200);
    }
    for _ in 0..2 {
        for _ in 0..2 {
            // What a failure has freed is taken as well. What the log has may still be written over.
            small.fill();
            let mut tries = 0;
            while disk.register().await != 503 {
                tries += 1;
                assert!(tries < 2_000, "the disk is full, and takes everything");
            }
        }
        goes_away(&disk.server).await;
        small.free();
        assert_eq!(disk.register().await, 200);
        assert_eq!(disk.register().await, 200);
        comes_back(&disk.server).await;
    }
    disk.works().await;
}

/// A log that takes up the whole of a small disk, although little is in the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_fills_the_disk_makes_room_by_itself_on_sqlite() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path().join("small");
    fs::create_dir(&place).expect("a directory");
    let Some(small) = Small::mount(&place, "20m").await else {
        println!(
            "a_log_that_fills_the_disk_makes_room_by_itself_on_sqlite skipped: mounting is not \
             allowed here"
        );
        return;
    };
    let url = format!("sqlite:{}", place.join("ringback.db").display());
    let holder = small.holder.id().to_string();
    let launcher = ["nsenter", "--mount", "--target", &holder];
    let setup = Setup::new(&url).with("log.level", "info,ringback_store=debug");
    let program = Program::start_through(&launcher, &["serve"], Some(&setup));
    let server = Server::serving(program).await;
    let served = async |load: &Load, more: usize| {
        let enough = load.served() + more;
        let (mut last, mut since) = (0, Instant::now());
        while load.served() < enough {
            assert!(
                since.elapsed() < STANDSTILL,
                "nothing is written after {last}: {} {}",
                small.listing(),
                server.program.printed()
            );
            if load.served() > last {
                (last, since) = (load.served(), Instant::now());
            }
            tokio::time::sleep(LOOK).await;
        }
    };

    // Several times what fits into the log.
    let load = Load::start(&server.base, Ask::Register, CLIENTS, 0);
    served(&load, 3_000).await;
    // Somebody else takes what is left, and gives it back.
    until("to be seen as away", async || {
        small.fill();
        (!ready(&server).await).then_some(())
    })
    .await;
    small.free();
    served(&load, 500).await;
    comes_back(&server).await;
    let calls = load.end().await;
    for call in &calls.0 {
        assert!(matches!(call.status, Some(200 | 503)), "{call:?}");
    }
    let copy = directory.path().join("copy.db");
    let arguments = ["backup", copy.to_str().expect("a path in UTF-8")];
    let copied = Program::start_through(&launcher, &arguments, Some(&setup));
    assert!(copied.end().await.status.success(), "a copy");
    calls.are_kept(&format!("sqlite:{}", copy.display())).await;
}
