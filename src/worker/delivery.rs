//! The worker: claims the messages that wait in the outbox, sends them all at once, and settles each.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use ringback_core::{Code, Message, MessageKind, Refusal, Time};
use ringback_sms::{Route, Sent, Sms};
use ringback_store::{Claimed, Settled, Settlement, Store};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

use super::messages::{Content, Texts, text};

/// The pause after the first failed attempt; it doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause of our own; a route may ask for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What a lease adds to the time that the routes may take: room for writing down how it went.
const LEASE_MARGIN: Duration = Duration::from_secs(10);
/// The database is asked for more at most this often, so that what is claimed and what is settled is
/// grouped under load. Nobody waits for it: a message that comes alone is claimed at once.
const TURN: Duration = Duration::from_millis(10);
/// How often rows that say nothing any more are deleted.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// The route's name in the metric for a message that no route had the last word on.
const NO_ROUTE: &str = "none";

/// How much at once, and how often.
#[derive(Clone, Copy, Debug)]
pub struct DeliverySettings {
    /// How many messages one claim takes at most.
    pub batch: usize,
    /// How many messages may be under way at the same time.
    pub in_flight: usize,
    /// How long until the outbox is looked at again although no commit of this process said so: for
    /// messages that other processes left, and for those whose pause is over.
    pub poll: Duration,
}

impl Default for DeliverySettings {
    fn default() -> DeliverySettings {
        DeliverySettings {
            batch: 100,
            in_flight: 256,
            poll: Duration::from_secs(1),
        }
    }
}

/// Carries messages from the outbox to the routes. Any number of these may work on one database.
#[derive(Clone)]
pub struct Delivery {
    store: Store,
    carrier: Arc<Carrier>,
    settings: DeliverySettings,
    lease: Duration,
}

impl Delivery {
    /// `routes`: the first one sends; when it cannot now, the next one is tried at once.
    pub fn new(
        store: Store,
        routes: Vec<Route>,
        texts: Texts,
        settings: DeliverySettings,
    ) -> Delivery {
        Delivery {
            store,
            lease: lease(&routes),
            carrier: Arc::new(Carrier { routes, texts }),
            settings,
        }
    }

    /// One round: claims a batch, sends it, settles it. Says how many messages it claimed.
    pub async fn run_once(&self) -> Result<usize, Refusal> {
        let mut work = Work::default();
        let claimed = self.claim(&mut work, self.settings.batch).await?;
        let mut failure = None;
        while work.next().await {
            // What could not be settled is settled together with the next ones.
            failure = self.settle(&mut work).await.err();
        }
        failure.map_or(Ok(claimed), Err)
    }

    /// Works until told to stop (`true`, or the sender is gone); then claims nothing more, finishes what is
    /// under way, settles it and returns.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut work = Work::default();
        // Whether messages may be waiting.
        let mut look = true;
        let mut stopping = false;
        let mut next_poll = Instant::now() + self.settings.poll;
        let mut next_purge = Instant::now() + PURGE_EVERY;
        loop {
            let turn = Instant::now();
            stopping |= *shutdown.borrow();

            work.collect();
            let settled = self.settle(&mut work).await.ok();
            if stopping && work.sending.is_empty() {
                if settled.is_none() {
                    warn!(
                        messages = work.finished.len(),
                        "stopped before it could be noted that messages were sent: they may be sent again"
                    );
                }
                return;
            }
            if look && !stopping && self.room(&work) > 0 {
                let most = self.room(&work).min(self.settings.batch);
                let claimed = self.claim(&mut work, most).await.ok();
                look = claimed.is_some_and(|claimed| claimed > 0);
            }
            if turn >= next_purge && !stopping {
                // A full batch of what can go leaves more behind: that goes with the next turns.
                let purged = self.store.purge().await.unwrap_or(0);
                let pause = if purged > 0 {
                    self.settings.poll
                } else {
                    PURGE_EVERY
                };
                next_purge = Instant::now() + pause;
            }
            if !look || stopping || self.room(&work) == 0 {
                tokio::select! {
                    _ = work.next(), if !work.sending.is_empty() => {}
                    () = self.store.wait_for_messages(), if !look && !stopping => look = true,
                    () = sleep_until(next_poll) => {
                        look = true;
                        next_poll = Instant::now() + self.settings.poll;
                    }
                    _ = shutdown.wait_for(|stop| *stop), if !stopping => stopping = true,
                }
            }
            if !stopping {
                sleep_until(turn + TURN).await;
            }
        }
    }

    fn room(&self, work: &Work) -> usize {
        self.settings.in_flight.saturating_sub(work.len())
    }

    /// Claims messages and starts to send each of them at once: none waits for another one's route.
    async fn claim(&self, work: &mut Work, most: usize) -> Result<usize, Refusal> {
        let claimed = self.store.claim(most, self.lease).await?;
        let count = claimed.len();
        for claimed in claimed {
            let (store, carrier) = (self.store.clone(), Arc::clone(&self.carrier));
            work.sending
                .spawn(async move { carrier.deliver(claimed, || store.now()).await });
        }
        Ok(count)
    }

    /// Settles what has finished, in one call. What cannot be settled now stays for the next time.
    async fn settle(&self, work: &mut Work) -> Result<(), Refusal> {
        if work.finished.is_empty() {
            return Ok(());
        }
        self.store.settle(&work.finished).await?;
        work.finished.clear();
        Ok(())
    }
}

/// How long a claimed message is ours: longer than all routes may take.
fn lease(routes: &[Route]) -> Duration {
    routes.iter().map(Route::patience).sum::<Duration>() + LEASE_MARGIN
}

/// The messages that are claimed and not settled.
#[derive(Default)]
struct Work {
    sending: JoinSet<Settlement>,
    finished: Vec<Settlement>,
}

impl Work {
    fn len(&self) -> usize {
        self.sending.len() + self.finished.len()
    }

    /// Waits until a message was sent or not; false when none is under way.
    async fn next(&mut self) -> bool {
        let Some(joined) = self.sending.join_next().await else {
            return false;
        };
        self.keep(joined);
        self.collect();
        true
    }

    /// Takes along what has finished by now.
    fn collect(&mut self) {
        while let Some(joined) = self.sending.try_join_next() {
            self.keep(joined);
        }
    }

    fn keep(&mut self, joined: Result<Settlement, JoinError>) {
        match joined {
            Ok(settlement) => self.finished.push(settlement),
            // Its lease runs out and the message is claimed again.
            Err(error) => error!(panicked = error.is_panic(), "sending a message broke off"),
        }
    }
}

/// Writes messages and hands them to the routes; knows nothing of the outbox.
struct Carrier {
    routes: Vec<Route>,
    texts: Texts,
}

impl Carrier {
    /// Tries once to bring a message out, and says what shall become of its row.
    async fn deliver(&self, claimed: Claimed, now: impl Fn() -> Time) -> Settlement {
        let Claimed {
            message,
            code,
            attempt,
        } = claimed;
        let id = message.id;
        let outcome = match self.write(&message, code, now()) {
            Some(sms) => self.send(&sms, attempt, now).await,
            None => {
                count(NO_ROUTE, "dropped");
                warn!(%id, "message dropped: the key that its code is derived with is gone");
                Settled::Done
            }
        };
        Settlement {
            message: id,
            attempt,
            outcome,
        }
    }

    /// `None` for a message that shall carry a code and has none.
    fn write(&self, message: &Message, code: Option<Code>, now: Time) -> Option<Sms> {
        let content = match (message.kind, &code) {
            (MessageKind::Code { .. }, Some(code)) => Content::Code {
                code: code.reveal(),
                minutes_left: minutes(message.expires_at.since(now)),
            },
            (MessageKind::RemovalCode { .. }, Some(code)) => Content::RemovalCode {
                code: code.reveal(),
                minutes_left: minutes(message.expires_at.since(now)),
            },
            (MessageKind::Code { .. } | MessageKind::RemovalCode { .. }, None) => return None,
            (MessageKind::Replaced, _) => Content::Replaced,
            (MessageKind::Removed, _) => Content::Removed,
        };
        Some(Sms {
            id: message.id.to_string(),
            to: message.number.clone(),
            text: text(content, &self.texts),
            code,
            kind: message.kind.code(),
            language: message.language.clone(),
            expires_at: message.expires_at,
        })
    }

    async fn send(&self, sms: &Sms, attempt: u32, now: impl Fn() -> Time) -> Settled {
        let (id, kind, to) = (&sms.id, sms.kind, sms.to.masked());
        let mut asked: Option<Duration> = None;
        for route in &self.routes {
            let sent = route.send(sms, now()).await;
            let route = route.name();
            count(route, sent.code());
            match sent {
                Sent::Sent => {
                    debug!(%id, kind, to, route, attempt, "message sent");
                    return Settled::Done;
                }
                Sent::Refused { reason } => {
                    warn!(%id, kind, to, route, attempt, reason, "message refused");
                    return Settled::Done;
                }
                Sent::Retry { reason, after } => {
                    debug!(%id, kind, to, route, attempt, reason, "message not sent yet");
                    // The first route that is ready again decides when it is worth another try.
                    let after = after.unwrap_or_default();
                    asked = Some(asked.map_or(after, |asked| asked.min(after)));
                }
            }
        }
        let settled = again(attempt, asked.unwrap_or_default(), now(), sms.expires_at);
        match settled {
            Settled::Retry { .. } => {
                info!(%id, kind, to, attempt, "message not sent: no route took it, it is tried again");
            }
            Settled::Done => {
                count(NO_ROUTE, "expired");
                warn!(%id, kind, to, attempt, "message given up: no route took it in time");
            }
        }
        settled
    }
}

fn count(route: &'static str, result: &'static str) {
    counter!("ringback_messages_total", "route" => route, "result" => result).increment(1);
}

/// Whole minutes, to the nearest, and never none.
fn minutes(left: Duration) -> u64 {
    ((left.as_secs() + 30) / 60).max(1)
}

/// What becomes of a message that no route took: another try while it is of use, else nothing.
fn again(attempt: u32, asked: Duration, now: Time, expires_at: Time) -> Settled {
    let at = now + pause(attempt).max(asked);
    if at < expires_at {
        Settled::Retry { at }
    } else {
        Settled::Done
    }
}

/// How long to wait after an attempt, the first being 1.
fn pause(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests;
