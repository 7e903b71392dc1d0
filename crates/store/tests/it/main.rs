//! The store on both databases: every behaviour is written once and runs on SQLite and on PostgreSQL.

/// Makes two tests of each behaviour. With `threads`, its tasks run on several.
macro_rules! on_both {
    (threads: $threads:expr; $($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test]
            fn $name() {
                crate::world::run(crate::world::Kind::Sqlite, $threads, super::$name);
            })+
        }
        mod on_postgres {
            $(#[test]
            fn $name() {
                crate::world::run(crate::world::Kind::Postgres, $threads, super::$name);
            })+
        }
    };
    ($($name:ident),+ $(,)?) => {
        on_both!(threads: 1; $($name),+);
    };
}

mod accounts;
mod away;
mod conversion;
mod direct;
mod erase;
mod fairness;
mod faults;
mod files;
mod give_back;
mod guard;
mod history;
mod idempotency;
mod identity;
mod journal;
mod lanes;
mod lists;
mod matches;
mod message_events;
mod messages;
mod model;
mod moving;
mod numbers;
mod opening;
mod opt_outs;
mod pages;
mod races;
mod readiness;
mod requests;
mod tidy;
mod upgrade;
mod world;
