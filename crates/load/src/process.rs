//! What a process has used up, as /proc tells it.

use std::time::Duration;

use anyhow::{Context, bail};

/// Ticks of processor time in a second: what Linux shows to programs, whatever the kernel counts in.
const TICKS: u64 = 100;

/// A process of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn new(pid: u32) -> Process {
        Process(pid)
    }

    /// The process that asks.
    pub(crate) fn own() -> Process {
        Process(std::process::id())
    }

    /// Processor time of all its threads so far.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let text = self.read("stat")?;
        let ticks =
            ticks(&text).with_context(|| format!("/proc/{}/stat is not understood", self.0))?;
        Ok(Duration::from_millis(ticks * 1_000 / TICKS))
    }

    /// The most memory that it ever had, in MiB.
    pub(crate) fn peak_memory(self) -> anyhow::Result<f64> {
        self.memory("VmHWM:")
    }

    /// The memory that it has, in MiB.
    pub(crate) fn memory_now(self) -> anyhow::Result<f64> {
        self.memory("VmRSS:")
    }

    /// How many files and sockets it may have open.
    pub(crate) fn most_files(self) -> anyhow::Result<u64> {
        let text = self.read("limits")?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().next());
        let soft = soft.context("the limit of open files is not told")?;
        Ok(soft.parse().unwrap_or(u64::MAX))
    }

    fn memory(self, name: &str) -> anyhow::Result<f64> {
        let text = self.read("status")?;
        let kilobytes = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|line| line.split_whitespace().next())
            .and_then(|word| word.parse::<f64>().ok());
        let Some(kilobytes) = kilobytes else {
            bail!("/proc/{}/status has no {name}", self.0);
        };
        Ok(kilobytes / 1024.0)
    }

    fn read(self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
    }
}

/// User and system time out of a `stat` line (proc(5): fields 14 and 15). The name in the second field
/// may hold anything, so counting begins behind its last bracket.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 99 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("nothing"), None);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let own = Process::own();
        let (now, peak) = (own.memory_now().unwrap(), own.peak_memory().unwrap());
        assert!(now > 0.5 && peak >= now * 0.9, "{now} {peak}");
        assert!(own.most_files().unwrap() > 10);
        assert!(own.cpu().is_ok());
    }
}
