//! The whole program: built from a configuration, a clock and a generator, run on a listener.

use std::future::Future;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rand::Rng;
use ringback_core::{Number, Time};
use ringback_sms::{Inbox, Route};
use ringback_store::{Rules, Settings, Source, Store};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api;
use crate::auth::{Auth, Clock};
use crate::config::{Api, Config, ServerSection};
use crate::console;
use crate::http::{GRACE, Installed, Readiness, Server, Services, serve};
use crate::tls::{self, Tls};
use crate::worker::{Callbacks, Delivery, DeliverySettings, Endpoint, Recorder, endpoints, routes};

/// How often it is written down what a process without a worker has counted.
const TALLY_EVERY: Duration = Duration::from_secs(15);
/// How often processes tell each other what the guard has counted.
const EXCHANGE_EVERY: Duration = Duration::from_secs(1);

/// The program's own clock and generator. Nothing else reads either.
pub fn source() -> Source {
    Source {
        now: Arc::new(now),
        seed: Arc::new(|| {
            let mut seed = [0; 32];
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that owns a generator"
            )]
            rand::rng().fill_bytes(&mut seed);
            seed
        }),
    }
}

fn now() -> Time {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    let now = SystemTime::now();
    // A clock before 1970 is a machine that has not been told the time; so be it.
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The program, ready to run.
pub struct App {
    /// What is remembered.
    pub store: Store,
    /// Every API, on one port.
    pub server: Server,
    /// What the port says of itself.
    pub readiness: Readiness,
    /// The port's certificate, unless it speaks in the clear.
    pub tls: Option<Tls>,
    /// Who delivers.
    pub delivery: Delivery,
    /// Who puts events on record.
    pub recorder: Recorder,
    /// Who is told of events.
    pub endpoints: Vec<Endpoint>,
    /// Messages to look at, while the inbox route is on.
    pub inbox: Option<Inbox>,
    /// How connections are bounded.
    pub bounds: ServerSection,
}

impl App {
    /// Connects, brings the tables up to date and sets up every API. Nothing listens and nothing is sent
    /// before [`App::run`].
    pub async fn build(config: &Config, source: Source) -> anyhow::Result<App> {
        let readiness = Readiness::default();
        App::build_on(config, source, Tables::Migrate, readiness).await
    }

    /// The same, on tables that are dealt with in this way. `readiness` is told when it has started.
    pub async fn build_on(
        config: &Config,
        source: Source,
        tables: Tables,
        readiness: Readiness,
    ) -> anyhow::Result<App> {
        App::build_with(config, source, tables, readiness, None).await
    }

    /// The same with a page for whoever tries it out, which shows this token.
    pub async fn build_with(
        config: &Config,
        source: Source,
        tables: Tables,
        readiness: Readiness,
        trial_token: Option<String>,
    ) -> anyhow::Result<App> {
        config.check()?;
        tell_test_numbers(config);
        let tls = Tls::open(&config.tls)?;
        // Off the path of the first request; it takes tens of milliseconds.
        let clock = source.now.clone();
        if tables == Tables::AsTheyAre && ringback_store::inspect(&settings(config)).await?.missing
        {
            anyhow::bail!("database.url: there is no database yet: run `ringback migrate`");
        }
        let store = open(config, source).await?;
        tables.make_ready(&store).await?;
        // What cannot be read now is read in a second; the store has said why.
        let _ = store.exchange_guard().await;
        let (routes, inbox) = routes(config)?;
        let mut apis = apis(config);
        let auth = auth(config, &mut apis, clock)?;
        let delivery = delivery(config, &store, routes.clone())?;
        let services = Services {
            store: store.clone(),
            auth: Arc::new(auth),
            inbox: inbox.clone(),
            routes: routes.into(),
            resting: delivery.resting(),
            settings: config.settings().into(),
            trial_token,
        };
        let server = Server::open(&services, &readiness, apis, config).await;
        readiness.start(store.clone());
        let recorder = Recorder::new(store.clone(), &config.audit);
        let endpoints = endpoints(config, &store)?;
        Ok(App {
            store,
            server,
            readiness,
            tls,
            delivery,
            recorder,
            endpoints,
            inbox,
            bounds: config.server.clone(),
        })
    }

    /// Serves `listener`, and delivers unless `worker` is false, until `shutdown` ends; then drains where that is
    /// asked for, and finishes what runs. The certificate is read again at each SIGHUP.
    pub async fn run(
        self,
        listener: TcpListener,
        worker: bool,
        shutdown: impl Future<Output = Stop>,
    ) {
        let (stop, stopped) = watch::channel(false);
        let recording = stopped.clone();
        let store = self.store;
        let counts = store.clone();
        let guarding = guard(store.clone(), stopped.clone());
        let delivery = async move {
            match worker {
                true => self.delivery.run(stopped).await,
                false => tally(counts, stopped).await,
            }
        };
        let telling = self.endpoints.into_iter().filter(|_| worker);
        let telling = telling.map(|endpoint| endpoint.run(recording.clone()));
        let telling = futures::future::join_all(telling);
        let recording = self.recorder.run(recording.clone());
        let renewing = tls::renew(self.tls.clone());
        let seconds = self.bounds.drain_seconds;
        let drained = async move {
            let stop = shutdown.await;
            self.readiness.leave();
            if stop == Stop::Drained && seconds > 0 {
                tracing::info!(seconds, "not ready any more; requests are still taken");
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            tracing::info!(seconds = GRACE.as_secs(), "finishing what runs");
        };
        let serving = async move {
            let answer = move |request| self.server.clone().answer(request);
            serve(listener, self.tls, self.bounds, answer, drained).await;
            // The worker stops after the listener: what requests still accepted may go out.
            let _ = stop.send(true);
        };
        let working = async { tokio::join!(serving, delivery, guarding, recording, telling) };
        tokio::select! {
            _ = working => {}
            () = renewing => {}
        }
        store.close().await;
    }
}

/// Writes down what a process without a worker has counted.
async fn tally(store: Store, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TALLY_EVERY) => {
                // What cannot be written down is lost; the store has said why.
                let _ = store.tally().await;
            }
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Writes down what the guard has counted here, and reads what it has elsewhere; at the end all of it.
async fn guard(store: Store, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            // What cannot be written down now is written down later; the store has said why.
            () = tokio::time::sleep(EXCHANGE_EVERY) => {
                let _ = store.exchange_guard().await;
            }
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    let _ = store.leave_guard().await;
}

/// Says that there are numbers for tests: nobody shall forget them.
fn tell_test_numbers(config: &Config) {
    for (number, section) in &config.test_numbers {
        let number = Number::from_stored(number.clone()).masked();
        let until = &section.until;
        tracing::warn!(number, until, "a number for tests is on: its code is fixed");
    }
}

/// What is served for a configuration. To take an API away, delete its folder, its line in `src/api.rs` and its
/// line here; what then has no use any more is in CONTRIBUTING.
pub fn apis(config: &Config) -> Vec<Installed> {
    type Install = fn(&Config) -> Installed;
    let named = |api| config.apis.contains(&api);
    let all: &[(bool, Install)] = &[
        (named(Api::Zitadel), api::zitadel::install),
        (named(Api::Ringback), api::ringback::install),
        (named(Api::Frontegg), api::frontegg::install),
        (named(Api::ReachFive), api::reachfive::install),
        (config.sms.has_inbox(), api::inbox::install),
        (config.sms.hears(), api::receipts::install),
        (true, console::install),
    ];
    let served = all.iter().filter(|(is_served, _)| *is_served);
    served.map(|(_, install)| install(config)).collect()
}

/// Who reads tokens, for a configuration and what these APIs give out.
pub fn auth(config: &Config, apis: &mut [Installed], clock: Clock) -> anyhow::Result<Auth> {
    let auth = Auth::new(&config.auth, &config.accounts.default_organization, clock)?;
    let own = apis
        .iter_mut()
        .flat_map(|api| std::mem::take(&mut api.issuers));
    Ok(auth.with_own(own.collect()))
}

/// What a start does about the database's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// Brings them up to date.
    Migrate,
    /// Fails unless they are; needs no right to make any.
    AsTheyAre,
}

impl Tables {
    /// Does so.
    pub async fn make_ready(self, store: &Store) -> anyhow::Result<()> {
        match self {
            Tables::Migrate => store.migrate().await?,
            Tables::AsTheyAre => store.require_tables().await?,
        }
        Ok(())
    }
}

/// Opens the database of a configuration. The tables may be missing or old.
pub async fn open(config: &Config, source: Source) -> anyhow::Result<Store> {
    let rules = Rules {
        policies: config.policies(),
        keys: config.keys()?,
    };
    Store::open(&settings(config), rules, source)
        .await
        .context("database.url")
}

/// Brings the tables up to date. Needs no secrets, so whoever only migrates need not hold them.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    ringback_store::migrate(&settings(config))
        .await
        .context("database.url")
}

/// The database of a configuration, as the store takes it.
pub fn settings(config: &Config) -> Settings {
    Settings {
        url: config.database.url.expose_secret().to_owned(),
        lanes: config.database.lanes,
        lane_bound: config.database.lane_bound,
        batch: config.database.batch,
        readers: config.database.readers,
        timeout: Duration::from_secs(config.database.timeout_seconds),
        list_timeout: Duration::from_secs(config.database.list_seconds),
        lists_per_organization: config.database.lists_per_organization,
        keep_messages: config.sms.keep(),
    }
}

/// Who delivers, for a configuration.
pub fn delivery(config: &Config, store: &Store, routes: Vec<Route>) -> anyhow::Result<Delivery> {
    let (texts, settings) = (config.texts()?, DeliverySettings::default());
    let url = Some(&config.server.public_url).filter(|url| !url.is_empty());
    let callbacks = url.map(|url| Callbacks::new(url));
    Ok(Delivery::new(
        store.clone(),
        routes,
        texts,
        callbacks,
        settings,
    ))
}

/// How the process shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Requests are taken until whoever sends them had time to notice (`server.drain_seconds`).
    Drained,
    /// No more requests are taken.
    AtOnce,
}

/// Listens for the signals that end the process, from now on; the future ends when one came: SIGTERM, or
/// SIGINT from somebody who waits for it. A second signal ends the process the hard way. SIGHUP asks for
/// something else, but when it comes because the terminal was closed, nobody is there any more.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = Stop>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let terminal = || std::io::stderr().is_terminal();
    let was_terminal = terminal();
    Ok(async move {
        let stop = loop {
            tokio::select! {
                _ = terminate.recv() => break Stop::Drained,
                _ = interrupt.recv() => break Stop::AtOnce,
                _ = hangup.recv() => if was_terminal && !terminal() { break Stop::AtOnce },
            }
        };
        tracing::info!("stopping");
        #[expect(
            clippy::disallowed_methods,
            reason = "waits for impatience beside everything else"
        )]
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
        stop
    })
}
