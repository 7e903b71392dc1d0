//! What waits for routes: how fast a pile of messages goes out, and what a country waits beside another one's route
//! that hangs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::fixture::people;
use crate::ids::{self, Ids};
use crate::process::Process;
use crate::report::{Table, two, whole};
use crate::request::{Protocol, Request};
use crate::run::{Latency, each_once};
use crate::scenario::Scenario;
use crate::seed::SeedDatabase;
use crate::server::Setup;
use crate::stub::Stub;

/// History is kept, as by default.
const KEEP: u64 = 86_400;
/// A pile that is not gone by then never will be.
const LONGEST: Duration = Duration::from_secs(180);

/// A pile that went out over one route, which answers at once.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Drain {
    /// Messages that waited.
    pub(crate) queued: u64,
    /// What the route allows in a second, if it says.
    pub(crate) pace: Option<u64>,
    /// Posts that came.
    pub(crate) posted: u64,
    /// Those of them that were there before.
    pub(crate) repeated: u64,
    /// From the first post to the last, in seconds.
    pub(crate) seconds: f64,
    /// From the start of the worker to the last settled row, in seconds.
    pub(crate) settled_in: f64,
    /// Processor time of the server for it all, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Memory of the server before, and the most that it had.
    pub(crate) idle_mib: f64,
    pub(crate) peak_mib: f64,
}

impl Drain {
    pub(crate) fn per_second(&self) -> f64 {
        self.posted as f64 / self.seconds.max(0.001)
    }

    /// Messages that did not come exactly once.
    pub(crate) fn faults(&self) -> u64 {
        self.queued.abs_diff(self.posted - self.repeated) + self.repeated
    }

    pub(crate) fn titles() -> Table {
        Table::new(&[
            "database",
            "queued",
            "pace",
            "per second",
            "seconds",
            "settled in",
            "server CPU s/1,000",
            "idle MiB",
            "peak MiB",
            "repeated",
        ])
    }

    pub(crate) fn row(&self, table: &mut Table, database: &str) {
        table.row([
            database.to_owned(),
            whole(self.queued as f64),
            self.pace
                .map_or_else(|| "–".to_owned(), |pace| whole(pace as f64)),
            whole(self.per_second()),
            two(self.seconds),
            two(self.settled_in),
            format!("{:.3}", self.cpu_seconds * 1_000.0 / self.queued as f64),
            format!("{:.1}", self.idle_mib),
            format!("{:.1}", self.peak_mib),
            self.repeated.to_string(),
        ]);
    }
}

/// Puts `queued` messages into the database while nobody delivers, and then lets a server deliver them: each carries
/// the code of a user of its own.
pub(crate) async fn drain(setup: Setup, queued: u64, pace: Option<u64>) -> anyhow::Result<Drain> {
    let stub = Stub::start(true).await?;
    let per_second = pace
        .map(|pace| format!("per_second = {pace}"))
        .unwrap_or_default();
    let setup = setup
        .keeping(KEEP)
        .with_routes(&stub.route("stub", &per_second));
    let server = setup.start_with(&["--no-worker"]).await?;
    let fresh = people(&setup.database, Scenario::Send, queued, 0).await?;
    let target = server.target(Protocol::Grpc)?;
    each_once(target.endpoint, Scenario::Send, fresh).await?;
    server.stop().await?;
    let waiting = "SELECT count(*) FROM messages WHERE due_at IS NOT NULL";
    let mut database = SeedDatabase::open(&setup.database).await?;
    database.settle().await?;
    let waits = database.count(waiting).await?;
    if stub.count() > 0 || u64::try_from(waits)? != queued {
        bail!("{waits} of {queued} messages wait");
    }

    let began = Instant::now();
    let server = setup.start().await?;
    let process = server.target(Protocol::Grpc)?.process;
    let mut last = 0;
    while last < queued && began.elapsed() < LONGEST {
        sleep(Duration::from_millis(10)).await;
        last = stub.count() as u64;
    }
    while database.count(waiting).await? > 0 && began.elapsed() < LONGEST {
        sleep(Duration::from_millis(10)).await;
    }
    let settled_in = began.elapsed().as_secs_f64();
    let taken = stub.take();
    let times = taken.posts.iter().map(|(_, at)| *at);
    let seconds = match (times.clone().min(), times.max()) {
        (Some(first), Some(last)) => (last - first).as_secs_f64(),
        _ => 0.0,
    };
    let cpu = process.map(Process::cpu).transpose()?.unwrap_or_default();
    let found = Drain {
        queued,
        pace,
        posted: taken.posts.len() as u64,
        repeated: taken.repeated() as u64,
        seconds,
        settled_in,
        cpu_seconds: cpu.as_secs_f64(),
        idle_mib: server.idle_mib,
        peak_mib: process
            .map(Process::peak_memory)
            .transpose()?
            .unwrap_or_default(),
    };
    server.stop().await?;
    database.close().await?;
    Ok(found)
}

/// From the request of a user of one country until its message is at the route, alone and while the route of another
/// country hangs with messages before it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Beside {
    pub(crate) alone: Latency,
    pub(crate) beside: Latency,
    /// Messages of the other country that wait meanwhile.
    pub(crate) held_back: u64,
    /// Messages that did not come exactly once.
    pub(crate) faults: u64,
}

impl Beside {
    /// p99 beside the route that hangs against that alone.
    pub(crate) fn ratio(&self) -> f64 {
        self.beside.p99 / self.alone.p99
    }

    pub(crate) fn titles() -> Table {
        Table::new(&[
            "database",
            "what",
            "p50 ms",
            "p99 ms",
            "max ms",
            "held back",
        ])
    }

    pub(crate) fn rows(&self, table: &mut Table, database: &str) {
        for (name, latency, held_back) in [
            ("alone", &self.alone, 0),
            ("beside a route that hangs", &self.beside, self.held_back),
        ] {
            table.row([
                database.to_owned(),
                name.to_owned(),
                two(latency.p50),
                two(latency.p99),
                two(latency.max),
                whole(held_back as f64),
            ]);
        }
    }
}

/// Messages of the country whose route hangs: more than may be under way.
const HELD_BACK: u64 = 1_000;

/// Sends `messages` one after the other, twice: alone and beside the route that hangs.
pub(crate) async fn beside(setup: Setup, messages: u64) -> anyhow::Result<Beside> {
    let working = Stub::start(true).await?;
    let hanging = Stub::start(false).await?;
    let routes = [
        working.route("working", "countries = [\"CH\"]"),
        hanging.route("hanging", "countries = [\"FR\"]\ntimeout_seconds = 10"),
        "[sms.order]\ndefault = [\"working\", \"hanging\"]\n".to_owned(),
    ];
    let setup = setup.with_routes(&routes.concat());
    let server = setup.start().await?;
    let all = people(&setup.database, Scenario::Send, 2 * messages + HELD_BACK, 0).await?;
    let target = server.target(Protocol::Grpc)?;
    let endpoint = Arc::new(target.endpoint);
    let (mut connection, driver) = Connection::open(endpoint).await?;
    let middle = all.start + messages;
    let measuring = async {
        let (alone, mut faults) = one_by_one(&mut connection, &working, all.start..middle).await?;
        for n in 0..HELD_BACK {
            let user = ids::user(all.end - 1 - n);
            let number = format!("+336{:08}", 12_300_000 + n);
            let request = Request::SetSent {
                user: &user,
                number: &number,
            };
            if let Err(miss) = connection.call(request).await {
                bail!("a message of the other country: {miss:?}");
            }
        }
        let until = Instant::now() + Duration::from_secs(20);
        while hanging.count() == 0 && Instant::now() < until {
            sleep(Duration::from_millis(5)).await;
        }
        let next = middle..middle + messages;
        let (beside, more) = one_by_one(&mut connection, &working, next).await?;
        faults += more;
        let reached = hanging.count() as u64;
        if reached == 0 || reached == HELD_BACK {
            bail!("{reached} of {HELD_BACK} messages are at the route that hangs");
        }
        Ok(Beside {
            alone,
            beside,
            held_back: HELD_BACK,
            faults,
        })
    };
    let found = tokio::select! {
        found = measuring => found?,
        () = driver => bail!("the server closed the connection"),
    };
    server.stop().await?;
    Ok(found)
}

/// What was done before leaves events that go on record by and by, which takes from the database what the first messages
/// would need.
const UNTIL_ON_RECORD: Duration = Duration::from_secs(3);

/// How long each message takes from its request to the route, and how many did not come exactly once.
async fn one_by_one(
    connection: &mut Connection,
    stub: &Stub,
    users: std::ops::Range<u64>,
) -> anyhow::Result<(Latency, u64)> {
    sleep(UNTIL_ON_RECORD).await;
    drop(stub.take());
    let wanted = (users.end - users.start) as usize;
    let ids = Ids::new(users.clone(), 0);
    let mut asked = HashMap::new();
    for n in users {
        asked.insert(ids::number(n), Instant::now());
        if let Err(miss) = Scenario::Send
            .once(connection, &ids, &mut String::new())
            .await
        {
            bail!("a message: {miss:?}");
        }
    }
    let until = Instant::now() + Duration::from_secs(20);
    while stub.count() < wanted && Instant::now() < until {
        sleep(Duration::from_millis(5)).await;
    }
    let taken = stub.take();
    let waited = taken.posts.iter().filter_map(|(to, at)| {
        let since = asked.get(to)?;
        u32::try_from(at.saturating_duration_since(*since).as_micros()).ok()
    });
    let faults = wanted.abs_diff(taken.posts.len()) + taken.repeated();
    Ok((Latency::of(waited.collect()), faults as u64))
}
