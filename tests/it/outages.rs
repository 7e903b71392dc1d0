//! The real program while its database fails, falls silent, moves or changes: what was acknowledged stays,
//! nobody waits without end, and nobody has to start it again.

mod cluster;
mod failover;
mod files;
mod forwarder;
pub mod load;
mod pooler;
mod silence;
#[cfg(target_os = "linux")]
mod small_disk;
#[cfg(target_os = "linux")]
mod sqlite_faults;
mod upgrade;
