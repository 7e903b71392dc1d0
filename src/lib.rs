//! ringback: phone numbers of users, proven. This package speaks: it turns requests of many wires into
//! commands, and messages into sends. `ringback-core` decides, `ringback-store` remembers and
//! `ringback-sms` delivers. `docs/ARCHITECTURE.md` shows the house.

pub mod app;
pub mod auth;
pub mod cli;
pub mod code_times;
pub mod commands;
pub mod config;
pub mod delivery;
pub mod dev;
pub mod doors;
pub mod messages;
pub mod proto;
pub mod serve;
pub mod telemetry;
pub mod tls;
