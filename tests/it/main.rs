//! The whole program from outside, on both databases. `scripts/test` starts what it needs.
#![expect(clippy::disallowed_methods, reason = "tests spawn tasks to race them")]

mod admin;
mod api;
mod apis;
mod app;
mod browser;
mod console;
mod database;
mod flows;
mod fuzz;
mod guard;
mod http;
mod lists;
mod outages;
mod process;
mod refusals;
mod rights;
mod structure;
mod web;
