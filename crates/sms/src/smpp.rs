//! SMPP 3.4: messages over binds that are kept to a provider's message centre.

mod incoming;
mod link;
mod mend;
mod parts;
mod patient;
mod settings;
mod status;
mod tls;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringback_core::Time;
use ringback_core::delivery::{RouteFault, Verdict};
use rusmpp::pdus::SubmitSm;
use rusmpp::{CommandId, CommandStatus};
use rusmppc::error::Error;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{Report, RouteError, Sms, UnackedEvent};
use link::{Line, Link, State};
pub use settings::{Bind, HexIds, LongMessages, SmppSettings};
use tls::Tls;

/// What is told and not read yet; the provider keeps what does not fit.
const EVENTS: usize = 1_000;
/// How long binds may take to end.
const GOODBYE: Duration = Duration::from_secs(5);

/// A route over SMPP. Its clones share their binds; when the last one is dropped, the binds end.
#[derive(Clone)]
pub struct Smpp(Arc<Inner>);

struct Inner {
    settings: Arc<SmppSettings>,
    /// How long a whole attempt may take.
    timeout: Duration,
    tls: Option<Tls>,
    /// How each bind stands.
    states: watch::Sender<Vec<State>>,
    /// Tells the parts of one message from those of the next.
    reference: AtomicU8,
    begun: AtomicBool,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    told: mpsc::Sender<UnackedEvent>,
    events: Mutex<Option<mpsc::Receiver<UnackedEvent>>>,
    heard: watch::Sender<bool>,
}

/// What became of the keyword for a place in a window.
enum Place {
    Free(Arc<Line>, OwnedSemaphorePermit),
    Full(Arc<Line>),
    Connecting,
    Down(Report),
}

impl Smpp {
    /// Connects to nobody yet: the binds are made when something is sent, or what it tells is asked for. `timeout`:
    /// how long a whole attempt may take.
    ///
    /// # Errors
    /// [`RouteError::Setting`] with the first key that is wrong.
    pub fn new(settings: &SmppSettings, timeout: Duration) -> Result<Smpp, RouteError> {
        settings.check()?;
        let tls = Tls::new(settings)?;
        let (told, events) = mpsc::channel(EVENTS);
        Ok(Smpp(Arc::new(Inner {
            states: watch::Sender::new(vec![State::Connecting; settings.binds]),
            tls,
            settings: Arc::new(settings.clone()),
            timeout,
            reference: AtomicU8::new(0),
            begun: AtomicBool::new(false),
            stop: watch::Sender::new(false),
            tasks: Mutex::default(),
            told,
            events: Mutex::new(Some(events)),
            heard: watch::Sender::new(false),
        })))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    pub(crate) fn sends_receipts(&self) -> bool {
        self.0.settings.hears_receipts()
    }

    /// What the provider tells by itself, for one reader: the first who asks. It holds 1,000; what comes while it
    /// is full stays with the provider, which sends it again. What comes before anybody asks is lost.
    pub(crate) fn events(&self) -> Option<mpsc::Receiver<UnackedEvent>> {
        let events = self.0.events.lock();
        let events = events.unwrap_or_else(PoisonError::into_inner).take()?;
        self.0.heard.send_replace(true);
        self.begin();
        Some(events)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "close() waits for them, and they end when the last Smpp is dropped"
    )]
    fn begin(&self) {
        let inner = &self.0;
        if inner.begun.swap(true, Ordering::AcqRel) || *inner.stop.borrow() {
            return;
        }
        let links = (0..inner.settings.binds).map(|index| Link {
            index,
            settings: inner.settings.clone(),
            timeout: inner.timeout,
            tls: inner.tls.clone(),
            states: inner.states.clone(),
            told: inner.told.clone(),
            heard: inner.heard.subscribe(),
        });
        let tasks = links.map(|link| tokio::spawn(link.run(inner.stop.subscribe())));
        let mut running = inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        running.extend(tasks);
    }

    /// Ends the binds, each with an unbind. What is sent from now on is not taken.
    pub(crate) async fn close(&self) {
        self.0.stop.send_replace(true);
        let tasks = {
            let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            let _ = timeout(GOODBYE, task).await;
        }
    }

    /// One session of its own, begun and ended.
    pub(crate) async fn check(&self) -> Result<(), RouteError> {
        let (settings, patience) = (&self.0.settings, self.0.timeout);
        let report = match link::open(settings, self.0.tls.as_ref(), patience).await {
            Ok((client, _events)) => {
                let _ = timeout(patience, client.unbind()).await;
                let _ = timeout(patience, client.close()).await;
                return Ok(());
            }
            Err(report) => report,
        };
        let (place, cause) = (settings.place(), report.reason);
        match report.verdict {
            Verdict::Unable { .. } => Err(RouteError::Refused { place, cause }),
            _ => Err(RouteError::Unreachable { place, cause }),
        }
    }

    pub(crate) async fn send(&self, sms: &Sms, now: Time) -> Report {
        self.begin();
        let settings = &*self.0.settings;
        let reference = self.0.reference.fetch_add(1, Ordering::Relaxed);
        let submits = match parts::submits(settings, sms, now, reference) {
            Ok(submits) => submits,
            Err(report) => return report,
        };
        let begun = Instant::now();
        // An answer may take as long as getting so far.
        let (line, _place) = match self.place(begun + self.0.timeout / 2).await {
            Ok(place) => place,
            Err(report) => return report,
        };
        let mut id = None;
        for (at, submit) in submits.into_iter().enumerate() {
            match self
                .submit(&line, submit, at > 0, begun + self.0.timeout)
                .await
            {
                Ok(answered) => id = answered,
                Err(report) => return report,
            }
        }
        Report::taken(id)
    }

    /// The id that the provider gave, if any. `before`: whether it has parts of the message.
    async fn submit(
        &self,
        line: &Line,
        submit: SubmitSm,
        before: bool,
        until: Instant,
    ) -> Result<Option<String>, Report> {
        if !before && (line.window.is_closed() || line.client.is_closed()) {
            return Err(unreachable("the line was lost just before"));
        }
        let answer = timeout_at(until, line.client.submit_sm(submit)).await;
        let Ok(answer) = answer else {
            let reason = format!("no answer within {:?}", self.0.timeout);
            return Err(Report::failed(Verdict::Unknown, reason));
        };
        let hex_ids = self.0.settings.hex_ids;
        match answer {
            Ok(answer) => Ok(incoming::answer_reference(
                answer.message_id().as_str(),
                hex_ids,
            )),
            Err(Error::UnexpectedResponse { response }) => {
                let status = response.status();
                // Some leave out what else an answer has.
                if status == CommandStatus::EsmeRok && response.id() == CommandId::SubmitSmResp {
                    return Ok(None);
                }
                Err(status::submit_refused(&response, before))
            }
            Err(error @ Error::Encode(_)) => {
                let fault = RouteFault::Protocol;
                Err(Report::failed(
                    Verdict::Unable { fault },
                    link::in_words(&error),
                ))
            }
            Err(error) => {
                let reason = format!("the line broke: {}", link::in_words(&error));
                Err(Report::failed(Verdict::Unknown, reason))
            }
        }
    }

    /// A place in the window of the bind that has most room.
    async fn place(&self, until: Instant) -> Result<(Arc<Line>, OwnedSemaphorePermit), Report> {
        let mut states = self.0.states.subscribe();
        loop {
            let place = choose(&states.borrow_and_update());
            let waiting = async {
                match place {
                    Place::Free(line, permit) => Some(Ok((line, permit))),
                    Place::Down(report) => Some(Err(report)),
                    Place::Full(line) => tokio::select! {
                        permit = line.window.clone().acquire_owned() => {
                            permit.ok().map(|permit| Ok((line, permit)))
                        }
                        _ = states.changed() => None,
                    },
                    Place::Connecting => {
                        let _ = states.changed().await;
                        None
                    }
                }
            };
            match timeout_at(until, waiting).await {
                Ok(Some(found)) => return found,
                Ok(None) => {}
                Err(_) => return Err(too_late(&choose(&states.borrow()))),
            }
        }
    }
}

fn choose(states: &[State]) -> Place {
    let bound = states.iter().filter_map(|state| match state {
        State::Bound(line) if !line.window.is_closed() => Some(line),
        _ => None,
    });
    let roomiest = bound.max_by_key(|line| line.window.available_permits());
    if let Some(line) = roomiest {
        return match line.window.clone().try_acquire_owned() {
            Ok(permit) => Place::Free(line.clone(), permit),
            Err(_) => Place::Full(line.clone()),
        };
    }
    let down = states.iter().map(|state| match state {
        State::Down(report) => Some(report.clone()),
        State::Connecting | State::Bound(_) => None,
    });
    match down.collect::<Option<Vec<Report>>>() {
        Some(reports) => match reports.into_iter().next() {
            Some(report) => Place::Down(report),
            None => Place::Down(unreachable("it has no binds")),
        },
        None => Place::Connecting,
    }
}

fn too_late(place: &Place) -> Report {
    match place {
        Place::Full(_) | Place::Free(..) => {
            let (fault, after) = (RouteFault::Throttled, 0);
            let reason = "as many messages as it may have at once wait for its answers";
            Report::failed(Verdict::NotNow { fault, after }, reason)
        }
        Place::Connecting => unreachable("it is not bound yet"),
        Place::Down(report) => report.clone(),
    }
}

fn unreachable(reason: impl Into<String>) -> Report {
    let (fault, after) = (RouteFault::Unreachable, 0);
    Report::failed(Verdict::NotNow { fault, after }, reason)
}

#[cfg(test)]
mod tests;
