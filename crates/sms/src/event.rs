//! What a provider tells over its own line, without being asked by HTTP.

use ringback_core::Number;
use tokio::sync::oneshot;

use crate::{Keyword, Receipt};

/// What a provider tells over its own line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderEvent {
    /// What became of a message.
    Receipt {
        /// What the provider calls the message: [`crate::Report::reference`].
        reference: String,
        /// What it says.
        receipt: Receipt,
    },
    /// The owner of a number asks for no more messages or for them again, by a word such as STOP or START.
    Keyword {
        /// Whose.
        number: Number,
        /// What is asked for.
        keyword: Keyword,
    },
}

/// An event that the provider keeps until it is told that somebody has noted it. One that is dropped before comes
/// again.
#[derive(Debug)]
pub struct UnackedEvent {
    /// What it says.
    pub event: ProviderEvent,
    noted: oneshot::Sender<()>,
}

impl UnackedEvent {
    /// With what is heard when it is noted, or when it never will be.
    pub(crate) fn new(event: ProviderEvent) -> (UnackedEvent, oneshot::Receiver<()>) {
        let (noted, heard) = oneshot::channel();
        (UnackedEvent { event, noted }, heard)
    }

    /// The provider need not tell it again.
    pub fn noted(self) {
        // When the line was lost meanwhile, it does.
        let _ = self.noted.send(());
    }
}
