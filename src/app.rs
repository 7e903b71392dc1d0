//! The whole program: built from a configuration, a clock and a generator, run on a listener.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::Router;
use rand::Rng;
use ringback_core::{Time, number};
use ringback_sms::{Inbox, Route, Webhook, WebhookSettings};
use ringback_store::{Rules, Settings, Source, Store};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::auth::Auth;
use crate::config::{Config, RouteName};
use crate::delivery::{Delivery, DeliverySettings};
use crate::doors::{self, House};
use crate::messages::Texts;
use crate::serve::{GRACE, serve};

/// How long a receiver of webhooks may take.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// The program's own clock and generator. Nothing else reads either.
pub fn source() -> Source {
    Source {
        now: Arc::new(now),
        seed: Arc::new(|| {
            let mut seed = [0; 32];
            #[expect(clippy::disallowed_methods, reason = "the one place that owns a generator")]
            rand::rng().fill_bytes(&mut seed);
            seed
        }),
    }
}

fn now() -> Time {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    let now = SystemTime::now();
    // A clock before 1970 is a machine that has not been told the time; so be it.
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The program, ready to run.
pub struct App {
    /// What is remembered.
    pub store: Store,
    /// Every door.
    pub router: Router,
    /// Who delivers.
    pub delivery: Delivery,
    /// Messages to look at, while the inbox route is on.
    pub inbox: Option<Inbox>,
}

impl App {
    /// Connects, brings the tables up to date and opens the doors. Nothing listens and nothing is sent
    /// before [`App::run`].
    pub async fn build(config: &Config, source: Source) -> anyhow::Result<App> {
        config.check()?;
        // Off the path of the first request; it takes tens of milliseconds.
        number::warm_up();
        let clock = source.now.clone();
        let store = open(config, source).await?;
        store.migrate().await?;
        let auth = Auth::new(&config.auth, &config.accounts.default_organization, clock)?;
        let (routes, inbox) = routes(config)?;
        let delivery = delivery(config, &store, routes);
        let router = doors::router(House {
            store: store.clone(),
            auth: Arc::new(auth),
            inbox: inbox.clone(),
            cors: config.cors.clone(),
        })
        .await;
        Ok(App {
            store,
            router,
            delivery,
            inbox,
        })
    }

    /// Serves `listener`, and delivers unless `worker` is false, until `shutdown` ends; then finishes what
    /// runs.
    pub async fn run(self, listener: TcpListener, worker: bool, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let delivery = async move {
            if worker {
                self.delivery.run(stopped).await;
            }
        };
        let serving = async move {
            serve(listener, self.router, shutdown).await;
            // The worker stops after the doors: what they still accepted may go out.
            let _ = stop.send(true);
        };
        tokio::join!(serving, delivery);
    }
}

/// Opens the database of a configuration. The tables may be missing or old.
pub async fn open(config: &Config, source: Source) -> anyhow::Result<Store> {
    let rules = Rules {
        policy: config.policy(),
        keys: config.keys()?,
    };
    Store::open(&settings(config), rules, source).await.context("database.url")
}

/// Brings the tables up to date. Needs no secrets, so whoever only migrates need not hold them.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    ringback_store::migrate(&settings(config)).await.context("database.url")
}

fn settings(config: &Config) -> Settings {
    Settings {
        url: config.database.url.expose_secret().to_owned(),
        lanes: config.database.lanes,
        lane_bound: config.database.lane_bound,
        batch: config.database.batch,
        readers: config.database.readers,
    }
}

/// The routes of a configuration, and the inbox when it is one of them.
pub fn routes(config: &Config) -> anyhow::Result<(Vec<Route>, Option<Inbox>)> {
    let mut inbox = None;
    let mut routes = Vec::new();
    for name in &config.sms.routes {
        routes.push(match name {
            RouteName::Inbox => {
                Route::Inbox(inbox.get_or_insert_with(Inbox::default).clone())
            }
            RouteName::Webhook => {
                let webhook = &config.sms.webhook;
                let secrets = webhook.secrets.iter().map(|s| s.expose_secret().to_owned());
                let settings = WebhookSettings {
                    url: webhook.url.clone(),
                    secrets: secrets.collect(),
                    timeout: WEBHOOK_TIMEOUT,
                    allow_insecure: webhook.allow_insecure,
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

/// Ends when the process is asked to: SIGTERM or SIGINT. A second signal ends it the hard way.
pub async fn asked_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(seconds = GRACE.as_secs(), "stopping: finishing what runs");
    #[expect(clippy::disallowed_methods, reason = "waits for impatience beside everything else")]
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(())
}
