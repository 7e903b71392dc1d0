//! What providers tell, however it is told: of messages that they took, and what people write back.

use std::time::Duration;

use metrics::counter;
use ringback_core::delivery::{Arrival, State};
use ringback_core::{Id, Number, Refusal};
use ringback_sms::{Keyword, Receipt};
use ringback_store::{Noted, Store};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

/// A receipt may be here before it is written down that the route took the message. It waits so long for that.
const EARLY: Duration = Duration::from_secs(2);
/// How often it is looked whether it was.
const LOOK: Duration = Duration::from_millis(50);

/// Notes what a route says of one attempt of a message. What is known already, or is about a message that is not
/// kept any more, is of no interest.
///
/// # Errors
/// [`Refusal::Unavailable`]: it is to be told again, as the database is away or the route is still being asked.
pub async fn note_receipt(
    store: &Store,
    route: &str,
    (message, attempt): (Id, u32),
    receipt: &Receipt,
) -> Result<(), Refusal> {
    let reason = &receipt.reason;
    let until = Instant::now() + EARLY;
    let noted = loop {
        let (told, patient) = ((route, attempt), Instant::now() < until);
        let noted = store.note_receipt(message, told, receipt.arrival, reason, patient);
        match noted.await? {
            Noted::TooEarly if patient => sleep(LOOK).await,
            noted => break noted,
        }
    };
    match noted {
        Noted::TooEarly => {
            debug!(route, message_id = %message, "receipt before the answer");
            return Err(Refusal::Unavailable);
        }
        Noted::Stands(State::Queued) => {
            info!(route, message_id = %message, reason, "message not delivered: tried over another route");
        }
        Noted::Stands(State::Undelivered) => {
            warn!(route, message_id = %message, reason, "message not delivered")
        }
        Noted::Stands(state) => {
            let state = state.code();
            debug!(route, message_id = %message, state, reason, "receipt noted");
        }
        // Somebody has to list it, or nobody learns what becomes of messages.
        Noted::Nothing if receipt.arrival == Arrival::OnTheWay && !reason.is_empty() => {
            info!(route, message_id = %message, reason, "receipt not understood");
        }
        Noted::Nothing => debug!(route, message_id = %message, "receipt says nothing new"),
    }
    let result = match receipt.arrival {
        Arrival::OnTheWay => "on_the_way",
        Arrival::Delivered => "delivered",
        Arrival::Undelivered(_) => "undelivered",
    };
    count_receipt(route, result);
    Ok(())
}

/// Notes that the owner of a number asks to be left alone by a route, or no longer to be.
///
/// # Errors
/// [`Refusal::Unavailable`]: it is to be told again.
pub async fn note_keyword(
    store: &Store,
    route: &str,
    number: &Number,
    keyword: Keyword,
) -> Result<(), Refusal> {
    let word = match keyword {
        Keyword::Stop => "stop",
        Keyword::Start => "start",
    };
    match keyword {
        Keyword::Stop => store.opted_out(number, route).await?,
        Keyword::Start => store.opted_in(number, route).await?,
    }
    info!(route, word, from = number.masked(), "a number's owner asks");
    Ok(())
}

/// Counts a receipt of a route, by what came of it.
pub fn count_receipt(route: &str, result: &'static str) {
    counter!("ringback_receipts_total", "route" => route.to_owned(), "result" => result)
        .increment(1);
}
