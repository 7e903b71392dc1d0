//! The inbox: messages that a developer reads instead of a phone.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringback_core::{Number, Time};
use serde::Serialize;
use tokio::sync::Notify;

use crate::{Sms, rfc3339};

/// How many messages are kept.
const KEPT: usize = 1_000;
/// How many messages are shown at once.
const SHOWN: usize = 50;

/// Messages in memory, the newest 1,000. A clone shows and takes the same messages.
#[derive(Clone, Default)]
pub struct Inbox {
    shelf: Arc<Mutex<Shelf>>,
    came: Arc<Notify>,
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
        drop(shelf);
        self.came.notify_waiters();
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

    /// Those of them that came after the one with this id, or all when it is not kept; waits for one until
    /// `gone` ends.
    pub async fn next_messages(
        &self,
        to: Option<&Number>,
        after: Option<&str>,
        gone: impl Future<Output = ()>,
    ) -> Vec<InboxMessage> {
        let newer = || {
            let mut messages = self.messages(to);
            let seen = messages
                .iter()
                .position(|one| Some(one.id.as_str()) == after);
            messages.truncate(seen.unwrap_or(messages.len()));
            messages
        };
        let mut gone = std::pin::pin!(gone);
        loop {
            // Whoever is told to look again begins to listen before they look.
            let came = self.came.notified();
            let messages = newer();
            if !messages.is_empty() {
                return messages;
            }
            tokio::select! {
                () = came => {}
                () = &mut gone => return messages,
            }
        }
    }

    /// Forgets the messages to a number.
    pub fn forget(&self, to: &Number) {
        let mut shelf = self.shelf();
        let Shelf { messages, ids, .. } = &mut *shelf;
        messages.retain(|message| {
            let kept = message.to != *to;
            if !kept {
                ids.remove(&message.id);
            }
            kept
        });
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
            text_language: "en".into(),
            code: None,
            kind: "removed",
            language: String::new(),
            expires_at: Time(0),
            sender: None,
            callback: None,
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

    #[tokio::test]
    async fn whoever_waits_is_told_of_the_next_message() {
        let inbox = Inbox::default();
        let to = Number::from_stored("+41791234567");
        inbox.add(&sms(1, "+41791234567"), Time(0));
        let never = std::future::pending;
        assert_eq!(
            ids(&inbox.next_messages(Some(&to), None, never()).await),
            ["m1"]
        );
        assert_eq!(
            ids(&inbox.next_messages(None, Some("m0"), never()).await),
            ["m1"]
        );
        let gone = std::future::ready(());
        assert!(
            inbox
                .next_messages(Some(&to), Some("m1"), gone)
                .await
                .is_empty()
        );
        let adding = async {
            tokio::task::yield_now().await;
            inbox.add(&sms(2, "+41791234568"), Time(0));
            tokio::task::yield_now().await;
            inbox.add(&sms(3, "+41791234567"), Time(0));
        };
        let waiting = inbox.next_messages(Some(&to), Some("m1"), never());
        let (messages, ()) = tokio::join!(waiting, adding);
        assert_eq!(ids(&messages), ["m3"]);
    }

    #[test]
    fn it_is_emptied_by_number() {
        let inbox = Inbox::default();
        inbox.add(&sms(1, "+41791234567"), Time(0));
        inbox.add(&sms(2, "+41791234568"), Time(0));
        inbox.forget(&Number::from_stored("+41791234567"));
        assert_eq!(ids(&inbox.messages(None)), ["m2"]);
        assert_eq!(inbox.shelf().ids.len(), 1);
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
