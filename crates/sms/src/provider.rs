//! Who takes messages.

use std::time::Duration;

use ringback_core::Time;
use tokio::sync::mpsc;

use crate::{
    Http, Inbound, Inbox, Receipt, ReceiptError, ReceiptRequest, Report, RouteError, Smpp, Sms,
    Twilio, UnackedEvent, Vonage, Webhook,
};

/// Who takes messages.
#[derive(Clone)]
pub enum Provider {
    /// Kept in memory, to be read by a developer.
    Inbox(Inbox),
    /// Posted to an address of the operator's.
    Webhook(Webhook),
    /// Any provider's HTTP interface, by a recipe.
    Http(Http),
    /// Twilio's Messages API.
    Twilio(Twilio),
    /// Vonage's Messages API.
    Vonage(Vonage),
    /// Submitted to a message centre over SMPP.
    Smpp(Smpp),
}

impl Provider {
    /// The longest that [`Provider::send`] takes.
    pub fn timeout(&self) -> Duration {
        match self {
            Provider::Inbox(_) => Duration::ZERO,
            Provider::Webhook(webhook) => webhook.timeout(),
            Provider::Http(http) => http.timeout(),
            Provider::Twilio(twilio) => twilio.timeout(),
            Provider::Vonage(vonage) => vonage.timeout(),
            Provider::Smpp(smpp) => smpp.timeout(),
        }
    }

    /// Whether it tells a repeated message by its id, and brings it out once.
    pub fn tells_repeats(&self) -> bool {
        match self {
            Provider::Inbox(_) | Provider::Webhook(_) => true,
            Provider::Http(http) => http.tells_repeats(),
            Provider::Twilio(_) | Provider::Vonage(_) | Provider::Smpp(_) => false,
        }
    }

    /// Tries once to send. `now` is what the receiver is told as the time of the attempt.
    pub async fn send(&self, sms: &Sms, now: Time) -> Report {
        match self {
            Provider::Inbox(inbox) => {
                inbox.add(sms, now);
                Report::taken(None)
            }
            Provider::Webhook(webhook) => webhook.send(sms, now).await,
            Provider::Http(http) => http.send(sms, now).await,
            Provider::Twilio(twilio) => twilio.send(sms, now).await,
            Provider::Vonage(vonage) => vonage.send(sms, now).await,
            // Larger than all others, and each message under way would have room for it.
            Provider::Smpp(smpp) => Box::pin(smpp.send(sms, now)).await,
        }
    }

    /// Whether the other end can be reached, and knows us where it has a way to say so. Sends nothing.
    pub async fn check(&self) -> Result<(), RouteError> {
        match self {
            Provider::Inbox(_) => Ok(()),
            Provider::Webhook(webhook) => webhook.check().await,
            Provider::Http(http) => http.check().await,
            Provider::Twilio(twilio) => twilio.check().await,
            Provider::Vonage(vonage) => vonage.check().await,
            Provider::Smpp(smpp) => smpp.check().await,
        }
    }

    /// Whether it tells later what became of a message, when it was given an address for that.
    pub fn sends_receipts(&self) -> bool {
        match self {
            Provider::Inbox(_) | Provider::Smpp(_) => false,
            Provider::Webhook(webhook) => webhook.sends_receipts(),
            Provider::Http(http) => http.sends_receipts(),
            Provider::Twilio(twilio) => twilio.sends_receipts(),
            Provider::Vonage(vonage) => vonage.sends_receipts(),
        }
    }

    /// Reads what it tells. `now` bounds the age of what is signed with a time.
    ///
    /// # Errors
    /// When it is not from this provider, or makes no sense.
    pub fn read_receipt(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Receipt, ReceiptError> {
        match self {
            Provider::Inbox(_) | Provider::Smpp(_) => Err(ReceiptError::NoReceipts),
            Provider::Webhook(webhook) => webhook.read_receipt(request, now),
            Provider::Http(http) => http.read_receipt(request),
            Provider::Twilio(twilio) => twilio.read_receipt(request),
            Provider::Vonage(vonage) => vonage.read_receipt(request, now),
        }
    }

    /// Whether it passes on by HTTP what people write back, signed.
    pub fn sends_inbound(&self) -> bool {
        match self {
            Provider::Inbox(_) | Provider::Smpp(_) => false,
            Provider::Http(http) => http.sends_inbound(),
            // Known by the same secret.
            Provider::Webhook(_) | Provider::Twilio(_) | Provider::Vonage(_) => {
                self.sends_receipts()
            }
        }
    }

    /// Reads what somebody wrote back. `now` bounds the age of what is signed with a time.
    ///
    /// # Errors
    /// When it is not from this provider, or makes no sense.
    pub fn read_inbound(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Inbound, ReceiptError> {
        match self {
            Provider::Inbox(_) | Provider::Smpp(_) => Err(ReceiptError::NoInbound),
            Provider::Webhook(webhook) => webhook.read_inbound(request, now),
            Provider::Http(http) => http.read_inbound(request),
            Provider::Twilio(twilio) => twilio.read_inbound(request),
            Provider::Vonage(vonage) => vonage.read_inbound(request, now),
        }
    }

    /// What the provider tells over its own line, for the one reader who asks first: receipts by
    /// [`Report::reference`], and who asks for no more messages. `None` when another one reads, or when it tells
    /// nothing in this way. Must be called on a runtime.
    ///
    /// A receipt may come before [`Provider::send`] has returned the reference that it names.
    pub fn events(&self) -> Option<mpsc::Receiver<UnackedEvent>> {
        self.smpp()?.events()
    }

    /// Whether receipts come by [`Provider::events`].
    pub fn tells_by_reference(&self) -> bool {
        self.smpp().is_some_and(Smpp::sends_receipts)
    }

    /// Ends what is kept open to the provider. To be called when nothing is sent any more.
    pub async fn close(&self) {
        if let Some(smpp) = self.smpp() {
            smpp.close().await;
        }
    }

    /// The one kind of provider that keeps a line of its own.
    fn smpp(&self) -> Option<&Smpp> {
        match self {
            Provider::Inbox(_)
            | Provider::Webhook(_)
            | Provider::Http(_)
            | Provider::Twilio(_)
            | Provider::Vonage(_) => None,
            Provider::Smpp(smpp) => Some(smpp),
        }
    }

    /// What was told was written down: a repeat of it, by [`Receipt::once`] or [`Inbound::once`], is refused from now
    /// on.
    pub fn noted(&self, once: Option<&str>) {
        if let (Provider::Vonage(vonage), Some(id)) = (self, once) {
            vonage.noted(id);
        }
    }
}
