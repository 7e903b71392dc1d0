//! What a round of posts does, and what comes of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ringback_core::Time;
use ringback_sms::Posted;
use ringback_store::{Backlog, EventRecord, Parked, Turn};

use crate::config::EndpointSection;

/// Beyond so many events that wait to be tried again, no others are taken up.
pub(super) const MOST_PARKED: u32 = 2_000;
/// The shortest and the longest pause after failures.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// An event that is to be posted.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) event: EventRecord,
    /// What is known of it where it was parked.
    pub(super) parked: Option<Parked>,
}

/// What became of it.
pub(super) enum Outcome {
    Taken,
    Failed {
        posted: Posted,
    },
    /// One of the account before it failed, or there was no time.
    Skipped,
}

/// What a round does.
pub(super) struct Plan {
    /// By account.
    pub(super) posts: Vec<Vec<Post>>,
    /// What waits behind others of its account.
    pub(super) behind: Vec<Parked>,
    /// Where the cursor is then.
    pub(super) position: i64,
    pub(super) more: bool,
}

impl Plan {
    /// What is posted now, and what is parked at once behind others of its account.
    pub(super) fn of(section: &EndpointSection, turn: &Turn, untold: Backlog, now: Time) -> Plan {
        let Backlog { parked, next, end } = untold;
        let full = parked.len() >= MOST_PARKED as usize;
        let mut posts: Vec<Vec<Post>> = Vec::new();
        // By account: where its posts are, if any of them may go out now.
        let mut accounts: HashMap<(String, String), Option<usize>> = HashMap::new();
        for one in parked {
            let account = account_of(&one.event);
            let place = accounts.entry(account).or_insert_with(|| {
                let due = one.due_at.is_some_and(|due| due <= now);
                due.then(|| {
                    posts.push(Vec::new());
                    posts.len() - 1
                })
            });
            if let Some(place) = place {
                posts[*place].push(Post {
                    event: one.event.clone(),
                    parked: Some(one),
                });
            }
        }
        let held: HashSet<_> = accounts.keys().cloned().collect();
        let (mut behind, mut position) = (Vec::new(), turn.position());
        let next = if full { Vec::new() } else { next };
        let more = next.last().is_some_and(|last| last.position < end);
        for event in next {
            position = event.position;
            if !section.wants(&event.kind, &event.organization) {
                continue;
            }
            let account = account_of(&event);
            if held.contains(&account) {
                behind.push(parked_at(
                    event,
                    now,
                    "an event of the account before it waits",
                ));
                continue;
            }
            let place = accounts.entry(account).or_insert_with(|| {
                posts.push(Vec::new());
                Some(posts.len() - 1)
            });
            if let Some(place) = place {
                posts[*place].push(Post {
                    event,
                    parked: None,
                });
            }
        }
        Plan {
            posts,
            behind,
            position,
            more,
        }
    }
}

impl Outcome {
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Outcome::Taken | Outcome::Skipped => None,
            Outcome::Failed { posted } => Some(match posted {
                Posted::Taken => String::new(),
                Posted::Refused { status, .. } => format!("it answers {status}"),
                Posted::Unanswered(why) => why.clone(),
            }),
        }
    }

    /// Whether such a failure says more of the endpoint than of the event.
    fn is_of_endpoint(&self) -> bool {
        match self {
            Outcome::Taken | Outcome::Skipped => false,
            Outcome::Failed { posted } => match posted {
                Posted::Taken => false,
                Posted::Refused { status, .. } => matches!(
                    status,
                    300..=399 | 401 | 403 | 404 | 405 | 407 | 410 | 429 | 502..=504
                ),
                Posted::Unanswered(_) => true,
            },
        }
    }
}

/// Whether the endpoint is down: it took nothing, for a reason of its own or of what is new to it for several accounts.
/// And how long it asks to be left alone.
pub(super) fn judge(outcomes: &[(Post, Outcome)]) -> (bool, Duration) {
    let (mut taken, mut own, mut accounts) = (false, true, HashSet::new());
    let (mut failed, mut longest) = (false, Duration::ZERO);
    for (post, outcome) in outcomes {
        match outcome {
            Outcome::Taken => taken = true,
            Outcome::Skipped => {}
            Outcome::Failed { posted } => {
                failed = true;
                own &= outcome.is_of_endpoint();
                if post.parked.is_none() {
                    accounts.insert(account_of(&post.event));
                }
                if let Posted::Refused { after, .. } = posted {
                    longest = longest.max(*after);
                }
            }
        }
    }
    let down = failed && !taken && (own || accounts.len() > 1);
    (down, longest)
}

fn account_of(event: &EventRecord) -> (String, String) {
    (event.organization.clone(), event.account.clone())
}

pub(super) fn parked_at(event: EventRecord, now: Time, reason: &str) -> Parked {
    Parked {
        event,
        attempts: 0,
        due_at: Some(now),
        since: now,
        reason: reason.to_owned(),
    }
}

/// How long to wait after so many failures: doubling.
pub(super) fn pause(failures: u32) -> Duration {
    let (shortest, longest) = PAUSES;
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(20));
    shortest.saturating_mul(doubled).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(user: &str, is_parked: bool) -> Post {
        let event = EventRecord {
            position: 1,
            id: "e".into(),
            account: user.into(),
            organization: "acme".into(),
            sequence: 1,
            at: Time(1),
            actor: user.into(),
            kind: "phone.verified".into(),
            cause: None,
            number_pseudonym: None,
            mask: None,
            count: 1,
            detail: None,
            salt: None,
            commitment: String::new(),
            previous: String::new(),
            hash: String::new(),
        };
        let parked = is_parked.then(|| parked_at(event.clone(), Time(1), "why"));
        Post { event, parked }
    }

    fn refused(status: u16) -> Outcome {
        let after = Duration::from_secs(u64::from(status == 429) * 7);
        Outcome::Failed {
            posted: Posted::Refused { status, after },
        }
    }

    fn unanswered() -> Outcome {
        Outcome::Failed {
            posted: Posted::Unanswered("no connection".into()),
        }
    }

    #[test]
    fn an_endpoint_is_down_when_it_is_not_for_one_event() {
        let (new, parked) = (|user| post(user, false), |user| post(user, true));
        let down = |outcomes: Vec<(Post, Outcome)>| judge(&outcomes).0;
        assert!(!down(vec![]));
        assert!(down(vec![(new("ann"), unanswered())]));
        assert!(down(vec![
            (new("ann"), refused(503)),
            (new("ann"), Outcome::Skipped)
        ]));
        assert!(down(vec![
            (parked("ann"), refused(401)),
            (new("bob"), unanswered())
        ]));
        assert!(down(vec![
            (new("ann"), refused(500)),
            (new("bob"), refused(500))
        ]));
        // One event, or one account, or what was not taken before.
        assert!(!down(vec![(new("ann"), refused(500))]));
        assert!(!down(vec![
            (new("ann"), refused(400)),
            (new("ann"), Outcome::Skipped)
        ]));
        assert!(!down(vec![
            (parked("ann"), refused(500)),
            (parked("bob"), refused(500))
        ]));
        // Others are taken.
        let others = vec![
            (new("ann"), unanswered()),
            (new("bob"), refused(500)),
            (new("cleo"), Outcome::Taken),
        ];
        assert!(!down(others));
        let asks = [(new("ann"), refused(429)), (new("bob"), refused(503))];
        assert_eq!(judge(&asks), (true, Duration::from_secs(7)));
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let pauses = [1, 2, 3, 9, 10, 1_000].map(|failures| pause(failures).as_secs());
        assert_eq!(pauses, [1, 2, 4, 256, 300, 300]);
    }
}
