//! A fresh database, a clock that tests set, a seeded generator, and any number of stores on them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use ringback_core::delivery::{RouteRules, Routes};
use ringback_core::{Keys, Policies, Time};
use ringback_store::{Rules, Settings, Source, Store};
use ringback_testing::Database;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Connection, DatabaseConnection,
    DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};

pub const START: Time = Time(1_700_000_000_000_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// What one test has to itself.
pub struct World {
    pub kind: Kind,
    pub url: String,
    pub settings: Settings,
    pub rules: Rules,
    pub source: Source,
    now: Arc<AtomicI64>,
    /// How many commands each batch had, in order; only where everything runs on one thread.
    pub batches: Arc<Batches>,
    /// Which calls of the clock panic, counted from now on.
    panics: Arc<Mutex<BTreeMap<u64, ()>>>,
    pub database: Database,
}

/// Runs a behaviour on a database that exists only for it.
pub fn run<F: AsyncFnOnce(&World)>(kind: Kind, threads: usize, behaviour: F) {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    let runtime = builder.enable_all().build().expect("a runtime");
    let batches = Arc::new(Batches::default());
    let recorder = BatchRecorder(batches.clone());
    let _guard = metrics::set_default_local_recorder(&recorder);
    runtime.block_on(async {
        let database = match kind {
            Kind::Sqlite => Database::sqlite().await,
            Kind::Postgres => Database::postgres().await,
        };
        behaviour(&World::new(kind, database, batches)).await;
    });
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Connection::connect(options).await.expect("must connect")
}

impl World {
    fn new(kind: Kind, database: Database, batches: Arc<Batches>) -> World {
        let url = database.url.clone();
        let now = Arc::new(AtomicI64::new(START.0));
        let panics = Arc::new(Mutex::new(BTreeMap::new()));
        let seeds = AtomicU64::new(0);
        let source = Source {
            now: {
                let (now, panics) = (now.clone(), panics.clone());
                Arc::new(move || {
                    tick(&panics);
                    Time(now.load(Ordering::SeqCst))
                })
            },
            seed: Arc::new(move || seed(seeds.fetch_add(1, Ordering::SeqCst))),
        };
        let settings = Settings {
            url: url.clone(),
            lanes: 0,
            lane_bound: 1_024,
            batch: 64,
            readers: 3,
            timeout: Duration::from_secs(5),
            list_timeout: Duration::from_secs(5),
            lists_per_organization: 2,
            keep_messages: Duration::ZERO,
        };
        let rules = Rules {
            policies: Policies::default(),
            keys: Keys::for_tests(),
        };
        World {
            kind,
            url,
            settings,
            rules,
            source,
            now,
            batches,
            panics,
            database,
        }
    }

    /// A store with tables. A second one is what a second process would have.
    pub async fn store(&self) -> Store {
        self.store_with(&self.settings).await
    }

    /// A store with one lane.
    pub async fn single_lane(&self) -> Store {
        let settings = Settings {
            lanes: 1,
            ..self.settings.clone()
        };
        self.store_with(&settings).await
    }

    pub async fn store_with(&self, settings: &Settings) -> Store {
        let store = self.open(settings).await;
        store.migrate().await.expect("must migrate");
        store
    }

    /// A store that keeps what became of messages for an hour, over these routes in their order.
    pub async fn store_with_routes(&self, names: &[&str]) -> Store {
        let settings = Settings {
            keep_messages: Duration::from_secs(3_600),
            ..self.settings.clone()
        };
        self.store_with_routes_and(names, settings).await
    }

    /// The same with these settings.
    pub async fn store_with_routes_and(&self, names: &[&str], settings: Settings) -> Store {
        let routes = Routes {
            rules: names
                .iter()
                .map(|name| ((*name).to_owned(), RouteRules::default()))
                .collect(),
            default: names.iter().map(|name| (*name).to_owned()).collect(),
            by_country: BTreeMap::new(),
            ..Routes::default()
        };
        let mut rules = self.rules.clone();
        rules.policies.default.routes = routes;
        let store = Store::open(&settings, rules, self.source.clone()).await;
        let store = store.expect("must open");
        store.migrate().await.expect("must migrate");
        store
    }

    /// A store under other rules than the usual ones.
    pub async fn store_under(&self, rules: &Rules) -> Store {
        let store = Store::open(&self.settings, rules.clone(), self.source.clone()).await;
        let store = store.expect("must open");
        store.migrate().await.expect("must migrate");
        store
    }

    /// A store as it is before its tables are made.
    pub async fn open(&self, settings: &Settings) -> Store {
        Store::open(settings, self.rules.clone(), self.source.clone())
            .await
            .expect("must open")
    }

    pub fn now(&self) -> Time {
        Time(self.now.load(Ordering::SeqCst))
    }

    pub fn pass(&self, seconds: u64) {
        let span = Duration::from_secs(seconds).as_micros() as i64;
        self.now.fetch_add(span, Ordering::SeqCst);
    }

    /// Makes these calls of the clock panic: 1 is the next one.
    pub fn panic_at(&self, calls: &[u64]) {
        *self.panics.lock().expect("not poisoned") = calls.iter().map(|n| (*n, ())).collect();
    }

    fn backend(&self) -> DbBackend {
        match self.kind {
            Kind::Sqlite => DbBackend::Sqlite,
            Kind::Postgres => DbBackend::Postgres,
        }
    }

    /// A connection past the store.
    pub async fn outside(&self) -> DatabaseConnection {
        connect(&self.url).await
    }

    pub async fn run_sql(&self, sql: &str) {
        self.outside()
            .await
            .execute_unprepared(sql)
            .await
            .expect(sql);
    }

    /// The first column of a query, as text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let statement = Statement::from_string(self.backend(), sql);
        let rows = self.outside().await.query_all_raw(statement).await;
        let rows = rows.expect(sql);
        rows.iter()
            .map(|row| row.try_get_by_index(0).expect(sql))
            .collect()
    }

    /// The only number of a query.
    pub async fn count(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.backend(), sql);
        let row = self.outside().await.query_one_raw(statement).await;
        let row = row.expect(sql).expect(sql);
        row.try_get_by_index(0).expect(sql)
    }

    /// Holds up every write until it is dropped or rolled back.
    pub async fn hold_up(&self) -> DatabaseTransaction {
        let transaction = self
            .outside()
            .await
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
            .expect("must begin");
        if self.kind == Kind::Postgres {
            transaction
                .execute_unprepared("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE")
                .await
                .expect("must lock");
        }
        transaction
    }
}

fn tick(panics: &Mutex<BTreeMap<u64, ()>>) {
    let mut panics = panics.lock().expect("not poisoned");
    let later: BTreeMap<u64, ()> = panics.keys().map(|n| (n - 1, ())).collect();
    let hit = later.contains_key(&0);
    *panics = later.into_iter().filter(|(n, ())| *n > 0).collect();
    // Given back first, so that the panic does not poison it.
    drop(panics);
    if hit {
        panic!("the clock was told to panic");
    }
}

/// The seed of the n-th moment.
pub fn seed(n: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&n.to_be_bytes());
    // Ids take ten bytes of a hash of this, so that it need not look random.
    seed
}

/// How many commands each batch had.
#[derive(Default)]
pub struct Batches(Mutex<Vec<usize>>);

impl Batches {
    pub fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

impl HistogramFn for Batches {
    fn record(&self, value: f64) {
        self.0.lock().expect("not poisoned").push(value as usize);
    }
}

struct BatchRecorder(Arc<Batches>);

impl Recorder for BatchRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match key.name() {
            "ringback_batch_commands" => Histogram::from_arc(self.0.clone()),
            _ => Histogram::noop(),
        }
    }
}
