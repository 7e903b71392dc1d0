//! This program once more, as a process of its own: what it serves there takes nothing from who measures.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::process::Process;

/// A subcommand that serves, and prints where as its first line.
pub(crate) struct Aside {
    child: Child,
    /// Where it serves.
    pub(crate) address: SocketAddr,
}

impl Aside {
    /// Starts it on a port that is free.
    pub(crate) async fn start(arguments: &[&str]) -> anyhow::Result<Aside> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let said = child.stdout.take().context("it has no output")?;
        let line = BufReader::new(said).lines().next_line().await?;
        let line = line.with_context(|| format!("{arguments:?} does not start"))?;
        Ok(Aside {
            child,
            address: line.parse()?,
        })
    }

    /// The process, for its processor time and memory.
    pub(crate) fn process(&self) -> Option<Process> {
        self.child.id().map(Process::new)
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}
