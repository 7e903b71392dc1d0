//! The real program as a process of its own: raced, killed, stopped, searched for leaks, started wrongly.

mod configuration;
mod crash;
mod data_directory;
mod delivery;
mod erase;
mod events;
mod guard;
pub mod harness;
mod inbound;
mod leaks;
mod moving;
mod once;
mod probes;
mod races;
pub mod receiver;
mod refused;
mod stops;
mod tls;
mod tokens;
mod unlock;
mod workers;
