//! What providers tell of messages that they took, noted with the message; however it was told.

use metrics::counter;
use ringback_core::delivery::{Arrival, State};
use ringback_core::{Id, Refusal};
use ringback_sms::Receipt;
use ringback_store::Store;
use tracing::{debug, info, warn};

/// Notes what a route says of one attempt of a message. What is known already, or is about a message that is not
/// kept any more, is of no interest.
///
/// # Errors
/// [`Refusal::Unavailable`]: it is to be told again.
pub async fn note_receipt(
    store: &Store,
    route: &str,
    (message, attempt): (Id, u32),
    receipt: &Receipt,
) -> Result<(), Refusal> {
    let reason = &receipt.reason;
    let noted = store
        .note_receipt(message, attempt, receipt.arrival)
        .await?;
    match noted {
        Some(State::Queued) => {
            info!(route, %message, reason, "message not delivered: tried over another route");
        }
        Some(State::Undelivered) => warn!(route, %message, reason, "message not delivered"),
        Some(state) => {
            let state = state.code();
            debug!(route, %message, state, reason, "receipt noted");
        }
        None => debug!(route, %message, "receipt says nothing new"),
    }
    let result = match receipt.arrival {
        Arrival::OnTheWay => "on_the_way",
        Arrival::Delivered => "delivered",
        Arrival::Undelivered(_) => "undelivered",
    };
    count_receipt(route, result);
    Ok(())
}

/// Counts a receipt of a route, by what came of it.
pub fn count_receipt(route: &str, result: &'static str) {
    counter!("ringback_receipts_total", "route" => route.to_owned(), "result" => result)
        .increment(1);
}
