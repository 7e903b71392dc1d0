//! Delivery: a lane for each route, and one for messages that wait for a route that is not there.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use ringback_core::Refusal;
use ringback_core::delivery::State;
use ringback_sms::Route;
use ringback_sms::texts::Texts;
use ringback_store::{Claimed, Settled, Settlement, Store, Waiting};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::callbacks::Callbacks;
use super::carrier::{Carrier, note_lost, skipped, tell};
use super::hearing::Hearing;
use super::lane::Lane;
use super::planner::Planner;
use crate::config::NO_ROUTE;
use crate::resting::Resting;

/// How often rows that say nothing any more are deleted.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked at what waits, and for messages of routes that are gone from the configuration.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// How long whoever finds a route for a message may take.
const PLAN_LEASE: Duration = Duration::from_secs(10);
/// Rounds after which [`Delivery::run_once`] leaves what still waits for later.
const MOST_ROUNDS: usize = 16;

/// How much at once, and how often.
#[derive(Clone, Copy, Debug)]
pub struct DeliverySettings {
    /// How many messages one claim takes at most.
    pub batch: usize,
    /// How long until it is looked for messages again although no commit of this process said so: for messages
    /// that other processes left, and for those whose pause is over.
    pub poll: Duration,
}

impl Default for DeliverySettings {
    fn default() -> DeliverySettings {
        DeliverySettings {
            batch: 100,
            poll: Duration::from_secs(1),
        }
    }
}

/// Carries messages to the routes. Any number of these may work on one database.
#[derive(Clone)]
pub struct Delivery {
    store: Store,
    lanes: Vec<Lane>,
    planner: Arc<Planner>,
    settings: DeliverySettings,
}

impl Delivery {
    /// The rules of the store say which of `routes` carries which message. `callbacks`: where routes shall tell
    /// what became of messages.
    pub fn new(
        store: Store,
        routes: Vec<Route>,
        texts: Texts,
        callbacks: Option<Callbacks>,
        settings: DeliverySettings,
    ) -> Delivery {
        let names = routes.iter().map(|route| &*route.name);
        let rules = store.rules();
        let planner = Arc::new(Planner::new(rules.policies.clone(), names));
        let callbacks = callbacks.map(|callbacks| (callbacks, rules.keys.clone()));
        let lanes = routes.into_iter().map(|route| Lane {
            store: store.clone(),
            carrier: Arc::new(Carrier {
                route,
                texts: texts.clone(),
                planner: planner.clone(),
                callbacks: callbacks.clone(),
            }),
            settings,
        });
        Delivery {
            lanes: lanes.collect(),
            store,
            planner,
            settings,
        }
    }

    /// Which routes are left alone.
    pub fn resting(&self) -> Resting {
        self.planner.resting.clone()
    }

    /// Claims, sends and settles until nothing more is due. Says how many messages it claimed.
    pub async fn run_once(&self) -> Result<usize, Refusal> {
        let mut all = 0;
        for _ in 0..MOST_ROUNDS {
            let mut round = self.replan_all().await?;
            for lane in &self.lanes {
                round += lane.run_once().await?;
            }
            all += round;
            if round == 0 {
                break;
            }
        }
        Ok(all)
    }

    /// Works until told to stop (`true`, or the sender is gone); then claims nothing more, finishes what is
    /// under way, settles it and returns.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let mut running = JoinSet::new();
        for lane in &self.lanes {
            running.spawn(lane.clone().run(shutdown.clone()));
            let route = &lane.carrier.route;
            if let Some(events) = route.provider.events() {
                let hearing = Hearing::new(self.store.clone(), route.name.clone());
                running.spawn(hearing.run(events, shutdown.clone()));
            }
        }
        running.spawn(self.keep_tidy(shutdown));
        while running.join_next().await.is_some() {}
    }

    /// Finds routes for messages that wait for none or for one that is gone, and deletes what says nothing any
    /// more.
    async fn keep_tidy(self, mut shutdown: watch::Receiver<bool>) {
        let (mut next_sweep, mut next_purge) = (Instant::now(), Instant::now() + PURGE_EVERY);
        while !*shutdown.borrow() {
            let now = Instant::now();
            if now >= next_sweep {
                // What cannot be done now is done next time; the store has said why.
                let _ = self.replan_all().await;
                let _ = self.store.tally().await;
                next_sweep = now + SWEEP_EVERY;
            }
            if now >= next_purge {
                // A full batch of what can go leaves more behind: that goes with the next turns.
                let purged = self.store.purge().await.unwrap_or(0);
                let pause = if purged > 0 {
                    self.settings.poll
                } else {
                    PURGE_EVERY
                };
                next_purge = Instant::now() + pause;
            }
            tokio::select! {
                () = self.store.wait_for_messages("") => next_sweep = Instant::now(),
                () = sleep_until(next_sweep.min(next_purge)) => {}
                _ = shutdown.wait_for(|stop| *stop) => {}
            }
        }
    }

    async fn replan_all(&self) -> Result<usize, Refusal> {
        let known = |name: &String| {
            self.lanes
                .iter()
                .any(|lane| *lane.carrier.route.name == **name)
        };
        let mut planned = 0;
        let waiting = self.store.waiting().await?;
        self.measure(&waiting);
        for name in waiting.into_iter().map(|waiting| waiting.route) {
            if known(&name) {
                continue;
            }
            loop {
                let claimed = self
                    .store
                    .claim(&name, self.settings.batch, PLAN_LEASE)
                    .await?;
                let Some(last) = claimed.len().checked_sub(1) else {
                    break;
                };
                planned += last + 1;
                let settled: Vec<_> = claimed.into_iter().map(|one| self.replan(one)).collect();
                self.store.settle(&settled).await?;
            }
        }
        Ok(planned)
    }

    /// Says how many messages wait, and for how long; nothing waits for a route that is not among them.
    fn measure(&self, waiting: &[Waiting]) {
        let now = self.store.now();
        let names = self.lanes.iter().map(|lane| &*lane.carrier.route.name);
        for name in names.chain([""]) {
            let found = waiting.iter().find(|waiting| waiting.route == name);
            let count = found.map_or(0, |found| found.count);
            let age = found.map_or(Duration::ZERO, |found| now.since(found.oldest));
            let route = if name.is_empty() { NO_ROUTE } else { name };
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            gauge!("ringback_messages_waiting", "route" => route.to_owned()).set(f64::from(count));
            gauge!("ringback_messages_oldest_seconds", "route" => route.to_owned())
                .set(age.as_secs_f64());
        }
    }

    fn replan(&self, claimed: Claimed) -> Settlement {
        let now = self.store.now();
        let mut trail = note_lost(&claimed, now);
        let Claimed {
            message, attempt, ..
        } = claimed;
        let route = message.route.clone().unwrap_or_default();
        let reason = match &message.route {
            Some(_) => "the route is no longer in the configuration",
            None => "it waits for a route",
        };
        let outcome = self.planner.plan(&message, &trail, false, now);
        let reason = match &outcome {
            Settled::Ended(State::Failed) => "no route serves this number",
            Settled::Ended(_) | Settled::Handed | Settled::Waits { .. } => reason,
        };
        tell(&message, &route, attempt, &outcome, reason);
        trail.add(skipped(attempt, &route, now, reason));
        Settlement {
            message,
            attempt,
            trail,
            outcome,
            country: None,
        }
    }
}
