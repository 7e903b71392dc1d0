//! A bind that is kept: connected, bound, served, and begun anew when it breaks.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt};
use ringback_core::delivery::Verdict;
use rusmpp::pdus::{BindTransceiver, BindTransmitter, DeliverSm, DeliverSmResp};
use rusmpp::types::COctetString;
use rusmpp::values::InterfaceVersion;
use rusmpp::{Command, CommandStatus, Pdu};
use rusmppc::error::Error;
use rusmppc::{Client, ConnectionBuilder, Event};
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::patient::{Gate, LONGEST_COMMAND, Patient, drive};
use super::tls::{Tls, dial};
use super::{SmppSettings, incoming, status, unreachable};
use crate::{Report, UnackedEvent};

/// The pause before a bind is tried again; it doubles each time up to the longest. Up to half of it is left out
/// by chance, so that those who lost their lines together do not come back together.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A bind that held for so long is tried again at once when it breaks.
const PROVEN: Duration = Duration::from_secs(10);
/// How long the provider may take for what nobody waits for: the goodbye, and taking our answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a bind stands.
#[derive(Clone)]
pub(super) enum State {
    /// It is being made.
    Connecting,
    /// It takes messages.
    Bound(Arc<Line>),
    /// It could not be made; what that means for messages.
    Down(Report),
}

/// A session with the provider.
pub(super) struct Line {
    pub(super) client: Client,
    /// How many submits may be without an answer; closed when the line is lost.
    pub(super) window: Arc<Semaphore>,
}

/// What comes over a line.
pub(super) struct Events {
    stream: Box<dyn Stream<Item = Event> + Send + Unpin>,
    gate: Arc<Gate>,
}

/// What keeps one bind.
pub(super) struct Link {
    pub(super) index: usize,
    pub(super) settings: Arc<SmppSettings>,
    pub(super) timeout: Duration,
    pub(super) tls: Option<Tls>,
    pub(super) states: watch::Sender<Vec<State>>,
    pub(super) told: mpsc::Sender<UnackedEvent>,
    /// Whether somebody listens to what is told.
    pub(super) heard: watch::Receiver<bool>,
}

impl Link {
    /// Keeps the bind until told to stop (`true`, or the sender is gone).
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let place = self.settings.place();
        let mut failures = 0;
        loop {
            self.set(State::Connecting);
            let opened = tokio::select! {
                opened = open(&self.settings, self.tls.as_ref(), self.timeout) => opened,
                () = stopped(&mut stop) => return,
            };
            let pause = match opened {
                Ok((client, events)) => {
                    info!(place, bind = self.index, "bound");
                    let since = Instant::now();
                    let Some(reason) = self.serve(client, events, &mut stop).await else {
                        return;
                    };
                    warn!(place, bind = self.index, reason, "the line was lost");
                    if since.elapsed() >= PROVEN {
                        failures = 0;
                        continue;
                    }
                    failures += 1;
                    self.set(State::Down(unreachable(reason)));
                    pause(failures)
                }
                Err(report) => {
                    failures += 1;
                    let reason = report.reason.clone();
                    warn!(place, bind = self.index, reason, "cannot bind");
                    let needs_operator = matches!(
                        report.verdict,
                        Verdict::Unable { fault } if fault.needs_operator()
                    );
                    self.set(State::Down(report));
                    // Some providers lock an account that fails too often.
                    if needs_operator {
                        LONGEST_PAUSE
                    } else {
                        pause(failures)
                    }
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    fn set(&self, state: State) {
        self.states.send_modify(|states| states[self.index] = state);
    }

    /// Until the line is lost, which it says why, or until told to stop.
    async fn serve(
        &self,
        client: Client,
        mut events: Events,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<String> {
        let line = Arc::new(Line {
            client: client.clone(),
            window: Arc::new(Semaphore::new(self.settings.window)),
        });
        self.set(State::Bound(line.clone()));
        let mut noting = FuturesUnordered::new();
        let reason = loop {
            let done = tokio::select! {
                biased;
                event = events.stream.next() => match event {
                    Some(Event::Incoming(command)) => match command.pdu() {
                        Some(Pdu::DeliverSm(deliver)) => {
                            let number = command.sequence_number();
                            match self.take(deliver) {
                                Ok(noted) => {
                                    noting.push(noted.map(move |noted| (number, noted.is_ok())));
                                    Ok(())
                                }
                                Err(status) => answer_deliver(&client, number, status).await,
                            }
                        }
                        _ => answer(&client, &command).await,
                    },
                    Some(Event::Error(error)) => Err(in_words(&error)),
                    None => Err("the line is closed".to_owned()),
                },
                () = events.gate.full() => {
                    events.gate.open();
                    Ok(())
                }
                Some((number, noted)) = noting.next(), if !noting.is_empty() => {
                    let status = if noted { CommandStatus::EsmeRok } else { NOT_NOW };
                    answer_deliver(&client, number, status).await
                }
                () = stopped(stop) => break None,
            };
            if let Err(reason) = done {
                break Some(reason);
            }
        };
        line.window.close();
        if reason.is_none() {
            self.set(State::Down(unreachable("the binds are ended")));
            let _ = timeout(PATIENCE, client.unbind()).await;
        }
        let _ = timeout(PATIENCE, client.close()).await;
        reason
    }

    /// Hands on what a deliver_sm says: it is answered when somebody has noted it. Else how it is answered at once.
    fn take(&self, deliver: &DeliverSm) -> Result<oneshot::Receiver<()>, CommandStatus> {
        let Some(event) = incoming::read(deliver, self.settings.hex_ids) else {
            return Err(CommandStatus::EsmeRok);
        };
        if !*self.heard.borrow() {
            return Err(NOT_NOW);
        }
        let (told, noted) = UnackedEvent::new(event);
        match self.told.try_send(told) {
            Ok(()) => Ok(noted),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(NOT_NOW),
            Err(mpsc::error::TrySendError::Full(_)) => Err(CommandStatus::EsmeRmsgqful),
        }
    }
}

/// "A temporary error of the receiving application": the provider keeps what it told, and tells it again.
const NOT_NOW: CommandStatus = CommandStatus::EsmeRxTAppn;

async fn answer_deliver(client: &Client, number: u32, status: CommandStatus) -> Result<(), String> {
    let client = client.status(status);
    patiently(client.deliver_sm_resp(number, DeliverSmResp::default())).await
}

/// Answers what else the provider sends by itself. An error ends the line.
async fn answer(client: &Client, command: &Command) -> Result<(), String> {
    let number = command.sequence_number();
    patiently(async {
        match command.pdu() {
            _ if u32::from(command.id()) == UNBIND => {
                let _ = client.unbind_resp(number).await;
                Err(Error::ConnectionClosedByPeer)
            }
            // Answers that came too late, or to nothing; and what wants no answer.
            _ if u32::from(command.id()) & RESPONSE != 0 => Ok(()),
            Some(Pdu::AlertNotification(_)) => Ok(()),
            _ => {
                let client = client.status(CommandStatus::EsmeRinvcmdid);
                client.generic_nack(number).await
            }
        }
    })
    .await
}

async fn patiently(answering: impl Future<Output = Result<(), Error>>) -> Result<(), String> {
    match timeout(PATIENCE, answering).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(in_words(&error)),
        Err(_) => Err("it does not take our answers".to_owned()),
    }
}

/// The command_id of unbind, and the bit of all answers.
const UNBIND: u32 = 0x06;
const RESPONSE: u32 = 0x8000_0000;

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // When the sender is gone, nobody is left who could use the bind.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A new session; the error is what it means for messages that it cannot be made.
pub(super) async fn open(
    settings: &SmppSettings,
    tls: Option<&Tls>,
    patience: Duration,
) -> Result<(Client, Events), Report> {
    let opening = async {
        let stream = dial(settings, tls).await;
        let stream = stream.map_err(|cause| unreachable(format!("no connection: {cause}")))?;
        let (stream, gate) = Patient::new(stream);
        let (client, stream, connection) = ConnectionBuilder::new()
            .disable_interface_version_check()
            .max_command_length(LONGEST_COMMAND)
            .enquire_link_interval(Duration::from_secs(settings.enquire_link_seconds))
            .enquire_link_response_timeout(patience)
            // Whoever sends has a time for all of it.
            .no_response_timeout()
            .no_spawn()
            .connected(stream);
        run(drive(connection, gate.clone(), settings.window));
        let stream = Box::new(stream);
        let events = Events { stream, gate };
        match bind(settings, &client).await {
            Ok(()) => Ok((client, events)),
            Err(Error::UnexpectedResponse { response }) => Err(status::bind_refused(&response)),
            Err(error) => Err(unreachable(format!(
                "no answer to the bind: {}",
                in_words(&error)
            ))),
        }
    };
    // A connection, TLS and the bind, each of which may take as long as an answer.
    match timeout(3 * patience, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(unreachable(format!("not bound within {:?}", 3 * patience))),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "ends with the line, or when nobody holds its client any more"
)]
fn run(line: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(line);
}

async fn bind(settings: &SmppSettings, client: &Client) -> Result<(), Error> {
    // The configuration was checked: what is too long here would not have come so far.
    let system_id: COctetString<1, 16> = settings.system_id.parse().unwrap_or_default();
    let password = settings.password.expose_secret();
    let password: COctetString<1, 9> = password.parse().unwrap_or_default();
    let system_type: COctetString<1, 13> = settings.system_type.parse().unwrap_or_default();
    let version = InterfaceVersion::Smpp3_4;
    if settings.bind == super::Bind::Transceiver {
        let bind = BindTransceiver::builder()
            .system_id(system_id)
            .password(password)
            .system_type(system_type)
            .interface_version(version);
        client.bind_transceiver(bind.build()).await?;
    } else {
        let bind = BindTransmitter::builder()
            .system_id(system_id)
            .password(password)
            .system_type(system_type)
            .interface_version(version);
        client.bind_transmitter(bind.build()).await?;
    }
    Ok(())
}

/// What broke a line. The library's own words may hold what was sent.
pub(super) fn in_words(error: &Error) -> String {
    match error {
        Error::Connect(error) | Error::Io(error) => error.to_string(),
        Error::ConnectionClosed => "the line is closed".to_owned(),
        Error::ConnectionClosedByPeer => "the provider ended it".to_owned(),
        Error::Encode(_) => "something cannot be written as SMPP".to_owned(),
        Error::Decode(_) => "the provider sent what is no SMPP".to_owned(),
        Error::EnquireLinkTimeout { timeout } => {
            format!("no answer to enquire_link within {timeout:?}")
        }
        Error::ResponseTimeout { timeout, .. } => format!("no answer within {timeout:?}"),
        Error::UnexpectedResponse { response } => status::name(response.status()),
        _ => "unknown".to_owned(),
    }
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE);
    // The standard library seeds each of these by chance.
    let chance = RandomState::new().hash_one(failures) % 512;
    whole / 1_024 * u32::try_from(1_024 - chance).unwrap_or(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_with_chance_in_them() {
        for (failures, longest) in [
            (1, 1),
            (2, 2),
            (3, 4),
            (6, 32),
            (7, 60),
            (30, 60),
            (u32::MAX, 60),
        ] {
            let longest = Duration::from_secs(longest);
            let pauses: Vec<_> = (0..50).map(|_| pause(failures)).collect();
            assert!(
                pauses
                    .iter()
                    .all(|pause| *pause <= longest && *pause >= longest * 49 / 100)
            );
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{failures}");
        }
    }
}
