//! The whole program: built from a configuration, a clock and a generator, run on a listener.

use std::future::Future;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rand::Rng;
use ringback_core::Time;
use ringback_sms::{Inbox, Route, Webhook, WebhookSettings};
use ringback_store::{Rules, Settings, Source, Store};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api::inbox::{self, Page};
use crate::api::{frontegg, reachfive, ringback, zitadel};
use crate::auth::{Auth, Clock};
use crate::config::{Api, Config, RouteName, ServerSection, web_address};
use crate::http::{GRACE, Installed, Server, Services, serve};
use crate::tls::{self, Tls};
use crate::worker::{Delivery, DeliverySettings, Texts};

/// How long a receiver of webhooks may take.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// The port's certificate, unless it speaks in the clear.
    pub tls: Option<Tls>,
    /// Who delivers.
    pub delivery: Delivery,
    /// Messages to look at, while the inbox route is on.
    pub inbox: Option<Inbox>,
    /// How connections are bounded.
    pub bounds: ServerSection,
}

impl App {
    /// Connects, brings the tables up to date and sets up every API. Nothing listens and nothing is sent
    /// before [`App::run`].
    pub async fn build(config: &Config, source: Source) -> anyhow::Result<App> {
        App::build_on(config, source, Tables::Migrate).await
    }

    /// The same, on tables that are dealt with in this way.
    pub async fn build_on(config: &Config, source: Source, tables: Tables) -> anyhow::Result<App> {
        App::build_with(config, source, tables, None).await
    }

    /// The same with a page for whoever tries it out.
    pub async fn build_with(
        config: &Config,
        source: Source,
        tables: Tables,
        page: Option<Page>,
    ) -> anyhow::Result<App> {
        config.check()?;
        let tls = Tls::open(&config.tls)?;
        // Off the path of the first request; it takes tens of milliseconds.
        let clock = source.now.clone();
        if tables == Tables::AsTheyAre && ringback_store::inspect(&settings(config)).await?.missing
        {
            anyhow::bail!("database.url: there is no database yet: run `ringback migrate`");
        }
        let store = open(config, source).await?;
        tables.make_ready(&store).await?;
        let (routes, inbox) = routes(config)?;
        let mut apis = apis(config);
        apis.extend(inbox.clone().map(|inbox| inbox::install(inbox, page)));
        let auth = auth(config, &mut apis, clock)?;
        let delivery = delivery(config, &store, routes);
        let services = Services {
            store: store.clone(),
            auth: Arc::new(auth),
        };
        let server = Server::open(&services, apis, config).await;
        Ok(App {
            store,
            server,
            tls,
            delivery,
            inbox,
            bounds: config.server.clone(),
        })
    }

    /// Serves `listener`, and delivers unless `worker` is false, until `shutdown` ends; then finishes what
    /// runs. The certificate is read again at each SIGHUP.
    pub async fn run(
        self,
        listener: TcpListener,
        worker: bool,
        shutdown: impl Future<Output = ()>,
    ) {
        let (stop, stopped) = watch::channel(false);
        let store = self.store;
        let delivery = async move {
            if worker {
                self.delivery.run(stopped).await;
            }
        };
        let renewing = tls::renew(self.tls.clone());
        let serving = async move {
            let answer = move |request| self.server.clone().answer(request);
            serve(listener, self.tls, self.bounds, answer, shutdown).await;
            // The worker stops after the listener: what requests still accepted may go out.
            let _ = stop.send(true);
        };
        let working = async { tokio::join!(serving, delivery) };
        tokio::select! {
            _ = working => {}
            () = renewing => {}
        }
        store.close().await;
    }
}

/// What is served for each API that a configuration names. To take one away, delete its folder, its line in
/// `src/api.rs` and its line here.
pub fn apis(config: &Config) -> Vec<Installed> {
    type Install = fn(&Config) -> Installed;
    let all: [(Api, Install); 4] = [
        (Api::Zitadel, zitadel::install),
        (Api::Ringback, ringback::install),
        (Api::Frontegg, frontegg::install),
        (Api::ReachFive, reachfive::install),
    ];
    let served = all.into_iter().filter(|(api, _)| config.apis.contains(api));
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
    }
}

/// The routes of a configuration, and the inbox when it is one of them.
pub fn routes(config: &Config) -> anyhow::Result<(Vec<Route>, Option<Inbox>)> {
    let mut inbox = None;
    let mut routes = Vec::new();
    for name in &config.sms.routes {
        routes.push(match name {
            RouteName::Inbox => Route::Inbox(inbox.get_or_insert_with(Inbox::default).clone()),
            RouteName::Webhook => {
                let webhook = &config.sms.webhook;
                let secrets = webhook.secrets.iter().map(|s| s.expose_secret().to_owned());
                let url = web_address(&webhook.url, webhook.allow_insecure);
                let settings = WebhookSettings {
                    url: url.context("sms.webhook.url")?,
                    secrets: secrets.collect(),
                    timeout: WEBHOOK_TIMEOUT,
                };
                Route::Webhook(Webhook::new(settings).context("sms.webhook")?)
            }
        });
    }
    Ok((routes, inbox))
}

/// Who delivers, for a configuration.
pub fn delivery(config: &Config, store: &Store, routes: Vec<Route>) -> Delivery {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let texts = Texts {
        service_name: config.messages.service_name.clone(),
        domain: some(&config.messages.domain),
        android_hash: some(&config.messages.android_hash),
    };
    Delivery::new(store.clone(), routes, texts, DeliverySettings::default())
}

/// Listens for the signals that end the process, from now on; the future ends when one came: SIGTERM or
/// SIGINT. A second signal ends the process the hard way. SIGHUP asks for something else, but when it comes
/// because the terminal was closed, nobody is there any more.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let terminal = || std::io::stderr().is_terminal();
    let was_terminal = terminal();
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => if was_terminal && !terminal() { break },
            }
        }
        tracing::info!(seconds = GRACE.as_secs(), "stopping: finishing what runs");
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
    })
}
