//! A lane: takes the messages that batches hand over for one route, claims those that wait for it, sends them all at
//! once, and settles each. No lane waits for another one's route.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ringback_core::Refusal;
use ringback_core::delivery::{RouteFault, Verdict};
use ringback_store::{Claimed, Direct, Place, Settlement, Store};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{error, warn};

use super::carrier::Carrier;
use super::delivery::DeliverySettings;
use super::pace::Pace;

/// What a lease adds to the time that the route may take: room for writing down how it went.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// The database is asked for more at most this often, so that what is claimed and what is settled is
/// grouped under load. Nobody waits for it: a message that comes alone is claimed at once.
const TURN: Duration = Duration::from_millis(10);

/// A process that stops waits no longer for what routes answer: whoever stops it kills it soon after.
const LONGEST_STOP: Duration = Duration::from_secs(20);

/// Messages that may wait to be settled before no more are sent: some turns of a busy route.
const BEHIND: usize = 512;

/// Carries the messages of one route. Any number of these may work on one database.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) store: Store,
    pub(super) carrier: Arc<Carrier>,
    pub(super) settings: DeliverySettings,
}

impl Lane {
    /// One round: claims a batch, sends it, settles it. Says how many messages it claimed.
    pub(super) async fn run_once(&self) -> Result<usize, Refusal> {
        let mut work = self.work();
        let most = self.settings.batch.min(self.in_flight());
        let places = work.places(most);
        let claimed = self.claim(places.len()).await?;
        let count = claimed.len();
        for claimed in claimed.into_iter().zip(places) {
            self.start(&mut work, claimed);
        }
        let mut failure = None;
        while work.next().await {
            // What could not be settled is settled together with the next ones.
            failure = match self.store.settle(&work.finished).await {
                Ok(()) => {
                    work.finished.clear();
                    None
                }
                Err(refusal) => Some(refusal),
            };
        }
        failure.map_or(Ok(count), Err)
    }

    /// Works until told to stop (`true`, or the sender is gone); then claims nothing more, finishes what is
    /// under way, settles it, ends what the route keeps open and returns.
    pub(super) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let route = &*self.carrier.route.name;
        let mut work = self.work();
        let mut direct = self
            .store
            .hand_over(route, work.places.clone(), self.lease());
        // Whether messages may be waiting, and whether more of them are than there was room for.
        let (mut look, mut piled) = (true, true);
        let mut stopping = false;
        let mut stop_by = None;
        let mut next_poll = Instant::now() + self.settings.poll;
        loop {
            let turn = Instant::now();
            stopping |= *shutdown.borrow();

            work.collect();
            let settled = self.settle(&mut work, &mut direct).await;
            if stopping {
                direct.offer(false);
                let by = *stop_by.get_or_insert(turn + LONGEST_STOP);
                let late = turn >= by && !work.sending.is_empty();
                if late {
                    warn!(
                        route,
                        messages = work.sending.len(),
                        "stopped before the route answered: they may be sent again"
                    );
                }
                // Whatever still has a place is being sent, or about to be handed over.
                if late || (work.sending.is_empty() && work.places_taken() == 0) {
                    if !settled {
                        warn!(
                            route,
                            messages = work.finished.len(),
                            "stopped before it could be noted that messages were sent: they may be sent again"
                        );
                    }
                    self.carrier.route.provider.close().await;
                    return;
                }
            }
            let room = work.room(turn).min(self.settings.batch);
            let places = work.places(if look && !stopping { room } else { 0 });
            if !places.is_empty() {
                let claiming = self.claim(places.len());
                let claimed = self.beside(claiming, &mut work, &mut direct).await;
                let claimed = claimed.unwrap_or_default();
                (look, piled) = (!claimed.is_empty(), claimed.len() == places.len());
                for claimed in claimed.into_iter().zip(places) {
                    self.start(&mut work, claimed);
                }
            }
            // What waits goes first, and a pace is kept.
            let room = work.room(turn);
            direct.offer(!stopping && !piled && !work.is_behind() && work.pace.next().is_none());
            if !look || stopping || room == 0 {
                let full = work.places.available_permits() == 0 || work.is_behind();
                let paced = work.pace.next().filter(|_| look && !full);
                let next_look = paced.map_or(next_poll, |paced| paced.min(next_poll));
                let next_look = match stopping {
                    true => turn + TURN,
                    false => next_look,
                };
                tokio::select! {
                    _ = work.next(), if !work.sending.is_empty() => {}
                    Some(handed) = direct.next() => self.start(&mut work, handed),
                    () = self.store.wait_for_messages(route), if !look && !stopping => look = true,
                    () = sleep_until(next_look) => {
                        if Instant::now() >= next_poll {
                            look = true;
                            next_poll = Instant::now() + self.settings.poll;
                        }
                    }
                    _ = shutdown.wait_for(|stop| *stop), if !stopping => stopping = true,
                }
            }
            // What is handed over meanwhile goes out at once.
            while !stopping && let Ok(Some(handed)) = timeout_at(turn + TURN, direct.next()).await {
                self.start(&mut work, handed);
            }
        }
    }

    fn work(&self) -> Work {
        Work {
            most: self.in_flight(),
            places: Arc::new(Semaphore::new(self.in_flight())),
            sending: JoinSet::new(),
            finished: Vec::new(),
            pace: Pace::new(self.carrier.route.per_second, Instant::now()),
        }
    }

    fn in_flight(&self) -> usize {
        self.carrier.route.max_in_flight.max(1)
    }

    fn lease(&self) -> Duration {
        self.carrier.route.provider.timeout() + LEASE_MARGIN
    }

    async fn claim(&self, most: usize) -> Result<Vec<Claimed>, Refusal> {
        let route = &self.carrier.route.name;
        self.store.claim(route, most, self.lease()).await
    }

    /// Waits for something to be done, and starts to send what is handed over meanwhile.
    async fn beside<T>(
        &self,
        work: impl Future<Output = T>,
        sending: &mut Work,
        direct: &mut Direct,
    ) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(handed) = direct.next() => self.start(sending, handed),
            }
        }
    }

    fn start(&self, work: &mut Work, (claimed, place): (Claimed, Place)) {
        work.pace.take(1, Instant::now());
        work.sending.spawn(deliver(self.clone(), claimed, place));
    }

    /// Settles what has finished, in one call, and says whether it could. What cannot be settled now stays for the
    /// next time.
    async fn settle(&self, work: &mut Work, direct: &mut Direct) -> bool {
        let finished = std::mem::take(&mut work.finished);
        if finished.is_empty() {
            return true;
        }
        let settling = self.store.settle(&finished);
        let settled = self.beside(settling, work, direct).await.is_ok();
        if !settled {
            work.finished.splice(0..0, finished);
        }
        settled
    }
}

async fn deliver(lane: Lane, claimed: Claimed, _place: Place) -> Settlement {
    lane.carrier.deliver(claimed, || lane.store.now()).await
}

/// The messages that are claimed and not settled.
struct Work {
    most: usize,
    /// One for each message that may be under way besides those that are.
    places: Arc<Semaphore>,
    sending: JoinSet<Settlement>,
    finished: Vec<Settlement>,
    pace: Pace,
}

impl Work {
    /// How many messages more may be on their way.
    fn room(&mut self, now: Instant) -> usize {
        let free = match self.is_behind() {
            true => 0,
            false => self.places.available_permits(),
        };
        self.pace.room(free, now)
    }

    /// Whether so many wait to be settled that no more should come.
    fn is_behind(&self) -> bool {
        self.finished.len() >= self.most.max(BEHIND)
    }

    /// Places for up to so many messages more.
    fn places(&self, most: usize) -> Vec<Place> {
        let place = |_| self.places.clone().try_acquire_owned().ok();
        (0..most).map_while(place).collect()
    }

    fn places_taken(&self) -> usize {
        self.most.saturating_sub(self.places.available_permits())
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
            Ok(settlement) => {
                let last = settlement.trail.last().map(|last| last.verdict);
                let throttled = RouteFault::Throttled;
                if matches!(last, Some(Verdict::NotNow { fault, .. }) if fault == throttled) {
                    self.pace.slow_down(Instant::now());
                }
                self.finished.push(settlement);
            }
            // Its lease runs out and the message is claimed again.
            Err(error) => error!(panicked = error.is_panic(), "sending a message broke off"),
        }
    }
}
