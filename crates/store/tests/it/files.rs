//! The files of an SQLite database: who may read them, how large they stay, and their copy.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringback_store::{BackupError, Settings, backup};

use crate::requests::*;
use crate::world::{Kind, World, run};

mod on_sqlite {
    use super::*;

    #[test]
    fn a_log_at_rest_is_cut_to_nothing() {
        run(Kind::Sqlite, 1, super::a_log_at_rest_is_cut_to_nothing);
    }

    #[test]
    fn files_are_the_owners_alone() {
        run(Kind::Sqlite, 1, super::files_are_the_owners_alone);
    }

    #[test]
    fn what_was_deleted_is_not_in_the_file() {
        run(Kind::Sqlite, 1, super::what_was_deleted_is_not_in_the_file);
    }

    #[test]
    fn a_file_that_was_taken_away_takes_no_writes() {
        run(
            Kind::Sqlite,
            1,
            super::a_file_that_was_taken_away_takes_no_writes,
        );
    }

    #[test]
    fn a_store_that_closes_leaves_nothing_in_the_log() {
        run(
            Kind::Sqlite,
            1,
            super::a_store_that_closes_leaves_nothing_in_the_log,
        );
    }

    #[test]
    fn a_backup_is_whole() {
        run(Kind::Sqlite, 1, super::a_backup_is_whole);
    }
}

fn file(world: &World, suffix: &str) -> PathBuf {
    let path = world.url.strip_prefix("sqlite:").expect("a file");
    PathBuf::from(format!("{path}{suffix}"))
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |found| found.len())
}

async fn cut(world: &World) {
    for _ in 0..600 {
        if size(&file(world, "-wal")) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the log stays at {} bytes", size(&file(world, "-wal")));
}

async fn a_log_at_rest_is_cut_to_nothing(world: &World) {
    let store = world.store().await;
    for n in 0..50 {
        does(&store, &format!("user {n}"), named("")).await;
    }
    assert!(size(&file(world, "-wal")) > 0);
    cut(world).await;
    // And again, after it was begun anew.
    does(&store, "one more", named("")).await;
    cut(world).await;
}

async fn files_are_the_owners_alone(world: &World) {
    // One that an older version made readable for others.
    std::fs::write(file(world, ""), "").expect("must write");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(file(world, ""), open).expect("must set");
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    for suffix in ["", "-wal", "-shm"] {
        let found = std::fs::metadata(file(world, suffix)).expect(suffix);
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{suffix}");
    }
}

async fn what_was_deleted_is_not_in_the_file(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(4_711), TRUSTED)).await;
    does(&store, "bob", named("")).await;
    let holds = |text: &str| {
        let all = std::fs::read(file(world, "")).expect("must read");
        all.windows(text.len()).any(|part| part == text.as_bytes())
    };
    cut(world).await;
    assert!(holds(number(4_711).as_str()));
    does(&store, "ann", ringback_core::Action::Delete).await;
    world.run_sql("DELETE FROM messages").await;
    cut(world).await;
    assert!(!holds(number(4_711).as_str()));
}

async fn a_backup_is_whole(world: &World) {
    let store = world.store().await;
    for n in 0..20 {
        does(&store, &format!("user {n}"), named("")).await;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let to = directory.path().join("copy.db");
    let copying = backup(&world.settings, &to);
    let going_on = does(&store, "meanwhile", named(""));
    let (copied, _) = futures::future::join(copying, going_on).await;
    copied.expect("must copy");
    let found = std::fs::metadata(&to).expect("a copy");
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let settings = Settings {
        url: format!("sqlite:{}", to.display()),
        ..world.settings.clone()
    };
    let copy = world.store_with(&settings).await;
    for n in 0..20 {
        let found = copy.find_account(&format!("user {n}")).await;
        assert!(found.expect("must read").is_some(), "{n}");
    }
    does(&copy, "the copy", named("")).await;

    let again = backup(&world.settings, &to).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    let nowhere = backup(&world.settings, &directory.path().join("no/such/copy.db")).await;
    assert!(
        matches!(nowhere, Err(BackupError::Failed { .. })),
        "{nowhere:?}"
    );
    let mut rest = std::fs::read_dir(directory.path()).expect("a directory");
    let left = |entry: std::io::Result<std::fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .ends_with("partial")
    };
    assert!(!rest.any(left));
}

/// What goes on being written to a file that was taken away is lost with the process.
async fn a_file_that_was_taken_away_takes_no_writes(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    for suffixes in [vec!["-wal"], vec![""], vec!["", "-wal", "-shm"]] {
        let away = |suffix: &str| file(world, &format!("{suffix}.away"));
        for suffix in &suffixes {
            std::fs::rename(file(world, suffix), away(suffix)).expect("must move");
        }
        for n in 0..3 {
            let refused = act(&store, &service(), &format!("lost {n}"), named("")).await;
            assert_eq!(refused, Err(ringback_core::Refusal::Unavailable));
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(store.ping().await.is_err());
        assert!(suffixes.iter().all(|suffix| !file(world, suffix).exists()));
        for suffix in &suffixes {
            std::fs::rename(away(suffix), file(world, suffix)).expect("must move back");
        }
        does(&store, &format!("back {}", suffixes.concat()), named("")).await;
    }
}

async fn a_store_that_closes_leaves_nothing_in_the_log(world: &World) {
    let store = world.store().await;
    for n in 0..20 {
        does(&store, &format!("user {n}"), named("")).await;
    }
    store.close().await;
    assert_eq!(size(&file(world, "-wal")), 0);
}
