//! The whole program from outside, on both databases. `scripts/test` starts what it needs.
#![expect(clippy::disallowed_methods, reason = "tests spawn tasks to race them")]

mod apis;
mod app;
mod database;
mod doors;
mod flows;
mod frontegg;
mod house;
mod lists;
mod outages;
mod phones;
mod process;
mod reachfive;
mod refusals;
mod rights;
mod tls;
mod wire;
