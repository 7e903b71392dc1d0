//! What became of a message, and why none goes out, in words.

use ringback_core::command::SetPhone;
use ringback_core::delivery::{Attempt, State, Verdict};
use ringback_core::limit::Limit;
use ringback_core::rights::Scope;
use ringback_core::{Caller, Change, Command, Delivery, Refusal, Time, Verification, Which};
use ringback_store::{MessageQuery, MessageRecord, Rules, Store};

/// So many of something, in words: "1 event", "2 events".
pub fn counted(count: impl Into<i128>, what: &str) -> String {
    match count.into() {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

fn seconds(seconds: u64) -> String {
    counted(seconds, "second")
}

/// Why the user would get no code who asked for one now, if so: a sentence. It is decided as if the user asked, and
/// nothing of it is kept. Who it is: the one of the query, or the one whom the newest message `found` was for.
///
/// # Errors
/// [`Refusal::Unavailable`] when the database is away.
pub async fn blocked(
    store: &Store,
    caller: &Caller,
    query: &MessageQuery,
    found: &[MessageRecord],
) -> Result<Option<String>, Refusal> {
    let number = query.number.as_ref();
    let place = match &query.scope {
        Scope::Organization(organization) | Scope::Own { organization, .. } => organization,
        Scope::Everywhere => &caller.organization,
    };
    let (organization, user) = match (found.first(), &query.account) {
        _ if query.account.is_none() && number.is_none() => return Ok(None),
        (Some(newest), _) => (&newest.organization, &newest.account),
        (None, Some(user)) => (place, user),
        (None, None) => return Ok(None),
    };
    let caller = Caller {
        spoken_for: true,
        ..Caller::new(user.as_str(), organization.as_str())
    };
    let resend = Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Send,
    };
    let set = number.map(|number| {
        Change::Set(SetPhone {
            number: number.as_str().into(),
            verification: Verification::Code(Delivery::Send),
        })
    });
    for change in set.into_iter().chain([resend]) {
        let command = Command {
            caller: caller.clone(),
            account: user.clone(),
            action: change.into(),
        };
        match store.would(&command).await? {
            Err(Refusal::Limited {
                limit: held,
                retry_after,
            }) => {
                let whole = retry_after.as_millis().div_ceil(1_000);
                let left = seconds(u64::try_from(whole).unwrap_or(u64::MAX));
                let why = limit(held);
                return Ok(Some(format!(
                    "No code goes out to this user for another {left}: {why}."
                )));
            }
            Err(
                refusal @ (Refusal::NumberKindNotServed(_)
                | Refusal::NumberOptedOut
                | Refusal::Guarded(_)),
            ) => {
                return Ok(Some(format!("No code goes out to this number: {refusal}.")));
            }
            // The user has it already: whether another code may go out to it is asked next.
            Err(Refusal::PhoneUnchanged) => {}
            Ok(_) | Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// What a limit has a code wait for, in plain words, and the limit's own name.
pub fn limit(limit: Limit) -> String {
    format!("{} ({})", in_words(limit), limit.code())
}

fn in_words(limit: Limit) -> &'static str {
    match limit {
        Limit::CoolDown => "there is a pause after each message to the number",
        Limit::NumberSends => "the number has got as many messages as one number gets",
        Limit::Others => "a limit is reached that does not depend on this user alone",
        Limit::AccountSends => "the user has got as many messages as one user gets",
        Limit::AccountSets => "the user has set as many numbers as one user may",
        Limit::AccountChanges => "the user has changed as much as one user may",
        Limit::AddressSends => "as many codes went out to the user's address as one address gets",
        Limit::AddressVerifications => {
            "as many codes came in from the user's address as one may send"
        }
        Limit::OrganizationSends => "the organisation has sent as many messages as it may in a day",
        Limit::CountrySends => {
            "the organisation has sent as many messages to this country as it may in a day"
        }
        Limit::OrganizationSpend => {
            "the organisation's messages have cost as much as they may in a day"
        }
        Limit::Guard(_) => "the guard holds back codes to such numbers, or from the user's address",
        Limit::Guesses => {
            "every guess of the code was wrong, and a new one is made when it has ended"
        }
        Limit::WrongCodes => "too many wrong codes came in",
    }
}

/// Where a message stands at `now`, and why: a sentence or two for whoever asks why nothing came.
pub fn story(message: &MessageRecord, rules: &Rules, now: Time) -> String {
    let last = message.trail.last();
    let route = message.route.as_deref().unwrap_or("none");
    let why = last.map(reason).unwrap_or_default();
    match message.state {
        State::Queued if message.under_way_until(now).is_some() => {
            format!("The route {route} is being asked.{why}")
        }
        State::Queued => match (message.due_at, last.filter(|last| last.n > 0)) {
            (Some(due), _) if message.expires_at <= now => format!(
                "It is too late for it: it waited {} for the route {route} and nobody took it up. \
                 Is a worker running?{why}",
                seconds(now.since(due.min(message.created_at)).as_secs())
            ),
            (Some(due), None) if due <= now => {
                let waited = now.since(due).as_secs();
                let time = seconds(waited);
                match (message.route.is_some(), waited) {
                    (false, _) => format!(
                        "No route was found for it yet; it has waited for {time}. Is a worker running?"
                    ),
                    (true, 0..=10) => format!("It is on its way to the route {route}."),
                    (true, _) => format!(
                        "It has waited for the route {route} for {time}. Is a worker running?"
                    ),
                }
            }
            (Some(due), None) => format!(
                "It waits for room in the limits of its number: it goes out in {}.",
                seconds(due.since(now).as_secs())
            ),
            (Some(due), Some(_)) => match due.since(now).as_secs() {
                0 => format!("It is tried again over the route {route} now.{why}"),
                wait => format!(
                    "It is tried again over the route {route} in {}.{why}",
                    seconds(wait)
                ),
            },
            (None, _) => "It waits.".to_owned(),
        },
        State::Handed => {
            // It has come to its end where no receipt is awaited.
            let receipt = match message.ended_at {
                Some(_) => "The route does not tell whether it arrived.",
                None => "No receipt has said yet whether it arrived.",
            };
            format!(
                "The route {route} has it. {receipt}{}",
                twice(message, rules)
            )
        }
        State::Delivered => {
            let twice = twice(message, rules);
            format!("It has arrived, says the route {route}.{twice}")
        }
        State::Undelivered => format!("The route {route} had it, and it did not arrive.{why}"),
        State::Expired => format!("No route took it before it was too late.{why}"),
        State::Superseded => {
            let asked = message.trail.attempts().iter().any(|one| one.n > 0);
            let when = if asked {
                "before it could go out again"
            } else {
                "before it went out"
            };
            format!(
                "Its code was no longer of use {when}: it was used or replaced, or the number was removed."
            )
        }
        State::Refused => format!("The number gets no messages.{why}"),
        State::Failed if unanswered(message) => {
            format!(
                "No route says that it took it, but one never answered, so it may have come.{why}"
            )
        }
        State::Failed => format!("No route could take it.{why}"),
    }
}

fn reason(last: &Attempt) -> String {
    let times = match last.times {
        0 | 1 => String::new(),
        times => format!(", {times} times"),
    };
    match last.reason.is_empty() {
        true => String::new(),
        false if last.route.is_empty() => format!(" {}.", capital(&last.reason)),
        false => format!(" {}{times}: {}.", last.route, last.reason),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

fn unanswered(message: &MessageRecord) -> bool {
    let mut attempts = message.trail.attempts().iter();
    attempts.any(|attempt| attempt.verdict == Verdict::Unknown)
}

/// Whether it may have come more than once.
fn twice(message: &MessageRecord, rules: &Rules) -> &'static str {
    let routes = &rules.policies.of(&message.organization).routes;
    match message.trail.may_have_come_twice(routes) {
        true => " An earlier attempt was never answered, so it may have come twice.",
        false => "",
    }
}

/// What stands for the fault of an attempt; empty if there was none.
pub fn fault(verdict: Verdict) -> String {
    let name = match verdict {
        Verdict::NotNow { fault, .. } | Verdict::Unable { fault } => serde_json::to_value(fault),
        Verdict::Never { fault } => serde_json::to_value(fault),
        Verdict::Taken | Verdict::Unknown | Verdict::Skipped => return String::new(),
    };
    let name = name.ok();
    name.as_ref()
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
