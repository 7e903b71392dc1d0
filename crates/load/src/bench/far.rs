//! A database that is a millisecond away, each way.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Instant;

use anyhow::Context;

use crate::aside::Aside;
use crate::run::Latency;
use crate::seed::SeedDatabase;

/// How far, each way.
const MILLISECONDS: &str = "1";
/// Where PostgreSQL listens if its address does not say.
const USUAL_PORT: u16 = 5432;
/// Round trips that are measured.
const ROUND_TRIPS: usize = 300;

/// The network in between, for any database of one server.
pub(super) struct Far(Aside);

impl Far {
    /// Starts the network before the server of this address.
    pub(super) async fn before(postgres: &str) -> anyhow::Result<Far> {
        let to = host(postgres)?.to_string();
        let arguments = ["delay", "--to", &to, "--milliseconds", MILLISECONDS];
        Aside::start(&arguments).await.map(Far)
    }

    /// The address of a database over the network.
    pub(super) fn url(&self, database: &str) -> anyhow::Result<String> {
        moved(database, self.0.address)
    }

    /// What a question and its answer take over the network, when neither is any work.
    pub(super) async fn round_trip(&self, database: &str) -> anyhow::Result<Latency> {
        let mut database = SeedDatabase::open(&self.url(database)?).await?;
        let mut samples = Vec::with_capacity(ROUND_TRIPS);
        for _ in 0..ROUND_TRIPS {
            let began = Instant::now();
            database.execute("SELECT 1").await?;
            samples.push(u32::try_from(began.elapsed().as_micros())?);
        }
        database.close().await?;
        Ok(Latency::of(samples))
    }

    /// Ends it.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.0.stop().await
    }
}

/// The address in parts: what is before the host, the host with its port, and what is behind.
fn parts(url: &str) -> anyhow::Result<(&str, &str, &str)> {
    let scheme = url.find("://");
    let start = scheme.context("--postgres is no address such as postgres://…")? + 3;
    let end = url[start..]
        .find(['/', '?'])
        .map_or(url.len(), |at| start + at);
    let host = url[start..end]
        .rfind('@')
        .map_or(start, |at| start + at + 1);
    Ok((&url[..host], &url[host..end], &url[end..]))
}

/// Where the server listens.
fn host(url: &str) -> anyhow::Result<SocketAddr> {
    let (_, host, _) = parts(url)?;
    let all = host
        .to_socket_addrs()
        .or_else(|_| (host, USUAL_PORT).to_socket_addrs());
    let first = all.ok().and_then(|mut all| all.next());
    first.with_context(|| format!("--postgres: there is no host {host:?}"))
}

/// The same database at another host.
fn moved(url: &str, to: SocketAddr) -> anyhow::Result<String> {
    let (front, _, back) = parts(url)?;
    Ok(format!("{front}{to}{back}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_an_address_moves() {
        let to = "127.0.0.1:7".parse().unwrap();
        for (url, at, there) in [
            (
                "postgres://u:p@127.0.0.1:6/d",
                "127.0.0.1:6",
                "postgres://u:p@127.0.0.1:7/d",
            ),
            (
                "postgres://127.0.0.1/d?x=a@b",
                "127.0.0.1:5432",
                "postgres://127.0.0.1:7/d?x=a@b",
            ),
            (
                "postgresql://u@[::1]:6",
                "[::1]:6",
                "postgresql://u@127.0.0.1:7",
            ),
        ] {
            assert_eq!(host(url).unwrap(), at.parse().unwrap(), "{url}");
            assert_eq!(moved(url, to).unwrap(), there);
        }
        assert!(host("ringback.db").is_err());
    }
}
