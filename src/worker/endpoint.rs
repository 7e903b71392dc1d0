//! Telling an endpoint of events: signed posts, at least once, each account's events in order.

mod plan;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use metrics::{counter, gauge};
use ringback_sms::{Hook, Posted};
use ringback_store::{EventRecord, Parked, Progress, Store, Turn};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::config::{Config, EndpointSection};
use crate::events::as_data;
use plan::{MOST_PARKED, Outcome, Plan, Post, judge, parked_at, pause};

/// Events that are looked at at once.
const PAGE: u32 = 200;
/// Events of which an endpoint that was down is told first.
const PROBE: u32 = 10;
/// After this time a round posts nothing more; what it has not come to is parked.
const ROUND: Duration = Duration::from_secs(15);
/// How long a process has the turn: longer than a round and the post that ends it.
const LEASE: Duration = Duration::from_secs(60);
/// How often a process without the turn asks for it.
const ASK: Duration = Duration::from_secs(5);
/// How long until it is looked for events again although none of this process went on record.
const POLL: Duration = Duration::from_secs(1);
/// How often it is measured how far behind an endpoint is.
const MEASURE: Duration = Duration::from_secs(10);

/// Tells one endpoint. Any number of processes may have one for it.
#[derive(Clone)]
pub struct Endpoint {
    name: Arc<str>,
    store: Store,
    section: Arc<EndpointSection>,
    hook: Hook,
}

/// Everybody who is told, for a configuration.
///
/// # Errors
/// What is wrong with an endpoint's keys.
pub fn endpoints(config: &Config, store: &Store) -> anyhow::Result<Vec<Endpoint>> {
    let all = config.events.endpoints.iter().map(|(name, section)| {
        let hook = section.hook();
        let hook = hook.map_err(|error| anyhow::anyhow!("events.endpoints.{name}: {error}"))?;
        Ok(Endpoint {
            name: name.as_str().into(),
            store: store.clone(),
            section: Arc::new(section.clone()),
            hook,
        })
    });
    all.collect()
}

/// What came of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
    /// Whether the endpoint took nothing, so that the fault is its own.
    down: bool,
    /// How long it asks to be left alone.
    after: Duration,
    /// Whether there is more to tell at once.
    more: bool,
}

impl Endpoint {
    /// Works until told to stop (`true`, or the sender is gone).
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let owner = self.store.fresh_id();
        let mut turn: Option<Turn> = None;
        let mut failures = 0;
        let (mut next_measure, mut full) = (Instant::now(), false);
        while !*shutdown.borrow() {
            let begun = Instant::now();
            let pause = match self.turn(turn.take(), &owner).await {
                None => ASK,
                Some(mine) => {
                    let most = if failures > 0 { PROBE } else { PAGE };
                    let (kept, round) = self.round(mine, most).await;
                    turn = kept;
                    failures = if round.down { failures + 1 } else { 0 };
                    match (round.down, round.more) {
                        (true, _) => round.after.max(pause(failures)),
                        (false, true) => Duration::ZERO,
                        (false, false) => POLL,
                    }
                }
            };
            // Also during a long pause: that is when somebody wants to know.
            loop {
                if Instant::now() >= next_measure {
                    let parked = self.measure().await.unwrap_or(0);
                    if parked >= u64::from(MOST_PARKED) && !full {
                        let endpoint = &*self.name;
                        tracing::warn!(
                            endpoint,
                            parked,
                            "an endpoint refuses so many events that it is told no new ones"
                        );
                    }
                    full = parked >= u64::from(MOST_PARKED);
                    next_measure = Instant::now() + MEASURE;
                }
                tokio::select! {
                    () = sleep_until(begun + pause) => break,
                    () = sleep_until(next_measure) => {}
                    _ = shutdown.wait_for(|stop| *stop) => break,
                }
            }
        }
        if let Some(turn) = turn {
            self.store.give_back_turn(turn).await;
        }
    }

    async fn turn(&self, turn: Option<Turn>, owner: &str) -> Option<Turn> {
        let half = self.store.now() + LEASE / 2;
        match turn {
            Some(turn) if turn.ends_at() > half => Some(turn),
            // What is wrong with the database the store has said.
            _ => self.store.take_turn(&self.name, owner, LEASE).await.ok()?,
        }
    }

    /// Posts what there is to tell, and writes down what came of it.
    async fn round(&self, turn: Turn, most: u32) -> (Option<Turn>, Round) {
        let nothing = Round::default();
        let untold = self.store.untold(&turn, (MOST_PARKED, most)).await;
        let Some(untold) = untold.ok().flatten() else {
            return (None, nothing);
        };
        let now = self.store.now();
        let Plan {
            posts,
            behind,
            position,
            more,
        } = Plan::of(&self.section, &turn, untold, now);
        let mut told = Progress {
            position,
            parked: behind,
            ..Progress::default()
        };
        let idle = posts.is_empty() && told.parked.is_empty() && position == turn.position();
        if idle {
            return (Some(turn), nothing);
        }
        let outcomes = self.post_all(posts).await;
        let (down, after) = judge(&outcomes);
        if down {
            let why = outcomes.iter().find_map(|(_, outcome)| outcome.reason());
            let endpoint = &*self.name;
            let why = why.unwrap_or_default();
            tracing::warn!(endpoint, why, "an endpoint takes no events; they wait");
            return (
                Some(turn),
                Round {
                    down,
                    after,
                    more: false,
                },
            );
        }
        for (post, outcome) in outcomes {
            self.note(post, outcome, &mut told);
        }
        let kept = self.store.told(turn, &told, LEASE).await.ok().flatten();
        (kept, Round { down, after, more })
    }

    /// Each account's posts one after the other, up to the first that fails; accounts beside each other.
    async fn post_all(&self, posts: Vec<Vec<Post>>) -> Vec<(Post, Outcome)> {
        let until = Instant::now() + ROUND;
        let accounts = posts.into_iter().map(|posts| async move {
            let mut outcomes = Vec::with_capacity(posts.len());
            let mut goes_on = true;
            for post in posts {
                goes_on &= Instant::now() < until;
                let outcome = match goes_on {
                    true => self.post(&post.event).await,
                    false => Outcome::Skipped,
                };
                goes_on &= matches!(outcome, Outcome::Taken);
                outcomes.push((post, outcome));
            }
            outcomes
        });
        futures::stream::iter(accounts)
            .buffer_unordered(self.section.in_flight())
            .flat_map(futures::stream::iter)
            .collect()
            .await
    }

    async fn post(&self, event: &EventRecord) -> Outcome {
        let body = json!({
            "type": event.kind,
            "timestamp": crate::api::shared::timestamp(event.at).to_string(),
            "data": as_data(event),
        });
        let posted = self
            .hook
            .post(&event.id, self.store.now(), body.to_string())
            .await;
        let result = match &posted {
            Posted::Taken => "taken",
            Posted::Refused { .. } => "refused",
            Posted::Unanswered(_) => "unanswered",
        };
        let endpoint = self.name.to_string();
        counter!("ringback_endpoint_posts_total", "endpoint" => endpoint, "result" => result)
            .increment(1);
        match posted {
            Posted::Taken => Outcome::Taken,
            posted => Outcome::Failed { posted },
        }
    }

    /// Notes what becomes of an event that was posted or not.
    fn note(&self, post: Post, outcome: Outcome, told: &mut Progress) {
        let now = self.store.now();
        let Post { event, parked } = post;
        let reason = outcome.reason();
        match (outcome, parked) {
            (Outcome::Taken, None) | (Outcome::Skipped, Some(_)) => {}
            (Outcome::Taken, Some(parked)) => told.taken.push(parked.event.position),
            (Outcome::Skipped, None) => {
                told.parked.push(parked_at(
                    event,
                    now,
                    "an event of the account before it waits",
                ));
            }
            (Outcome::Failed { posted }, parked) => {
                let reason = reason.unwrap_or_default();
                let is_new = parked.is_none();
                let mut parked = parked.unwrap_or_else(|| parked_at(event, now, ""));
                parked.attempts += 1;
                parked.reason = reason;
                let asked = match posted {
                    Posted::Refused { after, .. } => after,
                    Posted::Taken | Posted::Unanswered(_) => Duration::ZERO,
                };
                let wait = asked.max(pause(parked.attempts));
                let gives_up = now.since(parked.since) >= self.section.give_up();
                parked.due_at = (!gives_up).then(|| now + wait);
                self.tell(&parked, gives_up);
                match is_new {
                    true => told.parked.push(parked),
                    false => told.again.push(parked),
                }
            }
        }
    }

    fn tell(&self, parked: &Parked, gives_up: bool) {
        let (endpoint, event) = (&*self.name, &parked.event.id);
        let (attempts, why) = (parked.attempts, &*parked.reason);
        match gives_up {
            true => tracing::error!(
                endpoint,
                event,
                attempts,
                why,
                "an event was given up; `ringback events redeliver` tells it again"
            ),
            false => tracing::warn!(endpoint, event, attempts, why, "an event was not taken"),
        }
    }

    /// How far behind the endpoint is. Says how many events wait because it refuses them.
    async fn measure(&self) -> Option<u64> {
        let state = self.store.endpoint_state(&self.name).await.ok()?;
        let count = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let now = self.store.now();
        let age = state.oldest.map_or(Duration::ZERO, |at| now.since(at));
        let endpoint = || self.name.to_string();
        gauge!("ringback_endpoint_behind", "endpoint" => endpoint()).set(count(state.behind));
        gauge!("ringback_endpoint_parked", "endpoint" => endpoint()).set(count(state.parked));
        gauge!("ringback_endpoint_given_up", "endpoint" => endpoint()).set(count(state.given_up));
        gauge!("ringback_endpoint_oldest_seconds", "endpoint" => endpoint()).set(age.as_secs_f64());
        Some(state.parked)
    }
}
