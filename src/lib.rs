//! ringback: phone numbers of users, proven. This package speaks: it turns requests of many wires into
//! commands, and messages into sends. `ringback-core` decides, `ringback-store` remembers and
//! `ringback-sms` delivers. `docs/ARCHITECTURE.md` shows what is where.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod dev;
pub mod events;
pub mod http;
pub mod moving;
pub mod proto;
pub mod receipts;
pub mod resting;
pub mod story;
pub mod telemetry;
pub mod tls;
pub mod worker;
