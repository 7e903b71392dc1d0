//! temporary
#![expect(clippy::disallowed_methods, reason = "tests spawn tasks to race them")]
mod app;
mod database;
mod flows;
mod lists;
mod refusals;
mod rights;
mod wire;
