//! The inbox: messages that a developer reads instead of a phone.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringback_core::{Number, Time};
use serde::Serialize;

use crate::{Sms, rfc3339};

/// How many messages are kept.
const KEPT: usize = 1_000;
/// How many messages are shown at once.
const SHOWN: usize = 50;

/// Messages in memory, the newest 1,000. A clone shows and takes the same messages.
#[derive(Clone, Default)]
pub struct Inbox {
    shelf: Arc<Mutex<Shelf>>,
}

/// A message as it is shown.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxMessage {
    /// The message's name.
    pub id: String,
    /// Where it would have gone.
    pub to: Number,
    /// What it says.
    pub text: String,
    /// The code that it carries; `null` in a notice.
    pub code: Option<String>,
    /// When it was sent, in RFC 3339.
    pub sent_at: String,
}

#[derive(Default)]
struct Shelf {
    /// Oldest first.
    messages: VecDeque<InboxMessage>,
    /// The ids of `messages`.
    ids: HashSet<String>,
    received: u64,
}

impl Inbox {
    /// Takes a message in; one whose id is here already came a second time and is left out.
    pub(crate) fn add(&self, sms: &Sms, now: Time) {
        let mut shelf = self.shelf();
        if !shelf.ids.insert(sms.id.clone()) {
            return;
        }
        shelf.received += 1;
        shelf.messages.push_back(InboxMessage {
            id: sms.id.clone(),
            to: sms.to.clone(),
            text: sms.text.clone(),
            code: sms.code.as_ref().map(|code| code.reveal().to_owned()),
            sent_at: rfc3339(now),
        });
        if shelf.messages.len() > KEPT
            && let Some(oldest) = shelf.messages.pop_front()
        {
            shelf.ids.remove(&oldest.id);
        }
    }

    /// The messages to a number, or all: newest first, at most 50.
    pub fn messages(&self, to: Option<&Number>) -> Vec<InboxMessage> {
        self.shelf()
            .messages
            .iter()
            .rev()
            .filter(|message| to.is_none_or(|to| message.to == *to))
            .take(SHOWN)
            .cloned()
            .collect()
    }

    /// How many different messages have come in, those included that are no longer kept.
    pub fn received(&self) -> u64 {
        self.shelf().received
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sms(id: usize, to: &str) -> Sms {
        Sms {
            id: format!("m{id}"),
            to: Number::from_stored(to),
            text: format!("text {id}"),
            code: None,
            kind: "removed",
            language: String::new(),
            expires_at: Time(0),
        }
    }

    fn ids(messages: &[InboxMessage]) -> Vec<&str> {
        messages.iter().map(|message| message.id.as_str()).collect()
    }

    #[test]
    fn newest_first_by_number_and_shared_by_clones() {
        let inbox = Inbox::default();
        let other = inbox.clone();
        inbox.add(&sms(1, "+41791234567"), Time(0));
        other.add(&sms(2, "+41791234568"), Time(1_000_000));
        inbox.add(&sms(3, "+41791234567"), Time(2_000_000));
        assert_eq!(ids(&inbox.messages(None)), ["m3", "m2", "m1"]);
        let one = Number::from_stored("+41791234567");
        assert_eq!(ids(&other.messages(Some(&one))), ["m3", "m1"]);
    }

    #[test]
    fn the_same_message_is_kept_once() {
        let inbox = Inbox::default();
        inbox.add(&sms(1, "+41791234567"), Time(0));
        inbox.add(&sms(1, "+41791234567"), Time(1));
        assert_eq!(inbox.messages(None).len(), 1);
        assert_eq!(inbox.received(), 1);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let inbox = Inbox::default();
        for id in 0..KEPT + 5 {
            inbox.add(&sms(id, "+41791234567"), Time(0));
        }
        assert_eq!(inbox.messages(None).len(), SHOWN);
        assert_eq!(inbox.received(), 1_005);
        let shelf = inbox.shelf();
        assert_eq!((shelf.messages.len(), shelf.ids.len()), (KEPT, KEPT));
        assert_eq!(shelf.messages[0].id, "m5");
    }

    #[test]
    fn it_is_shown_in_the_wire_form() {
        let inbox = Inbox::default();
        inbox.add(&sms(1, "+41791234567"), Time(1_700_000_000_000_000));
        let shown = serde_json::to_value(inbox.messages(None)).expect("a list");
        let expected = serde_json::json!([{
            "id": "m1",
            "to": "+41791234567",
            "text": "text 1",
            "code": null,
            "sentAt": "2023-11-14T22:13:20Z",
        }]);
        assert_eq!(shown, expected);
    }
}
