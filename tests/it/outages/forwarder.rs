//! What lies between the program and PostgreSQL: it forwards, falls silent, refuses and leads elsewhere.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long the forwarder tries to reach what it leads to.
const REACH: Duration = Duration::from_secs(5);

/// An address that leads to another. It ends with this value, and all connections with it.
pub struct Forwarder {
    /// Such as `127.0.0.1:41234`.
    pub address: String,
    road: watch::Sender<Road>,
    task: JoinHandle<()>,
}

/// What holds for connections, which are counted as they come.
#[derive(Clone)]
struct Road {
    /// Where new ones lead.
    target: String,
    /// What becomes of new ones.
    entry: Entry,
    /// Those before this one deliver nothing any more, in either direction.
    silent: u64,
    /// Those before this one are closed.
    closed: u64,
    /// How many there were.
    count: u64,
}

/// What becomes of a new connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// It leads to the target.
    Open,
    /// It is accepted and delivers nothing.
    Silent,
    /// It is closed at once.
    Refused,
}

impl Forwarder {
    /// An address that leads to `target`.
    pub async fn to(target: &str) -> Forwarder {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (road, seen) = watch::channel(Road {
            target: target.to_owned(),
            entry: Entry::Open,
            silent: 0,
            closed: 0,
            count: 0,
        });
        let task = tokio::spawn(accept(listener, road.clone(), seen));
        Forwarder {
            address,
            road,
            task,
        }
    }

    /// An address that leads to the server of a database.
    pub async fn to_server_of(url: &str) -> Forwarder {
        let (_, address, _) = parts(url);
        Forwarder::to(address).await
    }

    /// The address of a database, through here.
    pub fn url(&self, url: &str) -> String {
        let (before, _, after) = parts(url);
        format!("{before}@{}/{after}", self.address)
    }

    /// Connections that are established deliver nothing from now on and stay open; new ones work.
    pub fn silence_established(&self) {
        self.road.send_modify(|road| road.silent = road.count);
    }

    /// New connections are accepted, and deliver nothing either.
    pub fn silence_new(&self) {
        self.road.send_modify(|road| road.entry = Entry::Silent);
    }

    /// New connections are closed at once.
    pub fn refuse(&self) {
        self.road.send_modify(|road| road.entry = Entry::Refused);
    }

    /// New connections work.
    pub fn open(&self) {
        self.road.send_modify(|road| road.entry = Entry::Open);
    }

    /// Closes every connection that is established.
    pub fn close_established(&self) {
        self.road.send_modify(|road| road.closed = road.count);
    }

    /// New connections lead there; those that are established go on.
    pub fn lead_to(&self, target: &str) {
        self.road
            .send_modify(|road| road.target = target.to_owned());
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is before the host of an address, the host with its port, and the database.
fn parts(url: &str) -> (&str, &str, &str) {
    let (before, rest) = url.split_once('@').expect("an address with a user");
    let (address, after) = rest.split_once('/').expect("an address with a database");
    (before, address, after)
}

async fn accept(listener: TcpListener, road: watch::Sender<Road>, seen: watch::Receiver<Road>) {
    // The connections end with the task that accepts them.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let mut number = 0;
        road.send_modify(|road| {
            number = road.count;
            road.count += 1;
        });
        connections.spawn(serve(client, number, seen.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection until either side closes it, or the road does.
async fn serve(client: TcpStream, number: u64, mut road: watch::Receiver<Road>) {
    let Road { target, entry, .. } = road.borrow().clone();
    let mut closing = road.clone();
    let passing = async {
        match entry {
            Entry::Refused => return,
            Entry::Silent => std::future::pending().await,
            Entry::Open => {}
        }
        let server = tokio::time::timeout(REACH, TcpStream::connect(&target)).await;
        let Ok(Ok(server)) = server else { return };
        // Small packets at once, as without a forwarder.
        for stream in [&client, &server] {
            if stream.set_nodelay(true).is_err() {
                return;
            }
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let mut back = road.clone();
        tokio::select! {
            () = pump(from_client, to_server, number, &mut road) => {}
            () = pump(from_server, to_client, number, &mut back) => {}
        }
    };
    tokio::select! {
        () = passing => {}
        _ = closing.wait_for(|road| number < road.closed) => {}
    }
}

/// Carries what comes, while the connection is not silent.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: u64,
    road: &mut watch::Receiver<Road>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        // What came while it was silent, or just before, does not arrive.
        if road.wait_for(|road| number >= road.silent).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
