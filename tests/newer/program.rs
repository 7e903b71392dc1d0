//! A newer ringback, for tests of upgrades: the whole program, with one more step of the tables.

use std::process::ExitCode;

use ringback_store::{LaterStep, take_later_steps};

/// Tables grow as `CONTRIBUTING.md` says: what the older version does not know has a default or may be absent.
const STEPS: [LaterStep; 1] = [LaterStep {
    name: "m9999_later",
    statements: &[
        "ALTER TABLE accounts ADD COLUMN later text",
        "ALTER TABLE phone_numbers ADD COLUMN later bigint NOT NULL DEFAULT 0",
        "CREATE TABLE later (id text NOT NULL PRIMARY KEY, user_id text)",
        "CREATE INDEX later_user ON later (user_id)",
    ],
}];

fn main() -> ExitCode {
    take_later_steps(&STEPS);
    ringback::cli::main()
}
