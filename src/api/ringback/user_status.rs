//! How a user's numbers stand: open codes, and what keeps the next code or guess back.

use std::time::Duration;

use ringback_core::account::{Pending, PhoneState};
use ringback_core::challenge::{Challenge, Purpose};
use ringback_core::limit::{Guessing, Times, Window};
use ringback_core::{Account, Caller, Change, Command, Delivery, Phone, Refusal, Time, Which};
use ringback_store::Store;
use tonic::Request;

use super::responses::{details_of, number, whole_seconds};
use super::rules;
use crate::api::shared::{caller, timestamp};
use crate::proto::ringback::phone::v1::{
    GetUserPhoneStatusRequest, GetUserPhoneStatusResponse, OpenCode, PhoneStatus, UsedLimit,
};
use crate::story;

/// For so many numbers it is found out what the next code would meet; nobody waits for more at once.
const ASKED: usize = 10;

/// What the user waits for.
pub(super) async fn look(
    store: &Store,
    request: Request<GetUserPhoneStatusRequest>,
) -> Result<GetUserPhoneStatusResponse, Refusal> {
    let caller = caller(&request)?;
    let id = request.into_inner().user_id;
    rules::length("GetUserPhoneStatusRequest", "user_id", &id)?;
    let account = store.read(&caller, &id).await?;
    let now = store.now();
    let mut phones: Vec<PhoneStatus> = Vec::new();
    for phone in &account.phones {
        let mut status = status(store, &account, phone, now);
        if !phone.verified() && phones.len() < ASKED {
            add_next(&mut status, store, &account, phone).await?;
        }
        phones.push(status);
    }
    // The primary number first; the others stay in their order.
    phones.sort_by_key(|one| !one.phone.as_ref().is_some_and(|phone| phone.is_primary));
    Ok(GetUserPhoneStatusResponse {
        details: Some(details_of(&account)),
        phones,
        limits: used(store, &account, now),
    })
}

fn status(store: &Store, account: &Account, phone: &Phone, now: Time) -> PhoneStatus {
    let rules = store.rules();
    let limits = &rules.policies.of(&account.organization).limits;
    let pseudonym = rules.keys.pseudonym(&phone.number);
    let failures = account.limits.of_number(&pseudonym).failures;
    let guessing = failures.guessing(limits, now);
    let code = |purpose| {
        let mut all = account.challenges.iter();
        let found = all.find(|one| one.phone == phone.id && one.purpose == purpose);
        found.filter(|one| one.expires_at > now).map(open_code)
    };
    let primary = account.primary == Some(phone.id);
    PhoneStatus {
        phone: Some(number(&account.id, &account.organization, phone, primary)),
        code: code(Purpose::Verify),
        removal_code: code(Purpose::Remove),
        wrong_codes: failures.count,
        is_locked: guessing == Guessing::Locked,
        guess_after: match guessing {
            Guessing::Waits(wait) => Some(whole_seconds(wait)),
            Guessing::Open | Guessing::Locked => None,
        },
        resend_after: None,
        blocked: String::new(),
        replaces_primary: phone.state == PhoneState::Pending(Pending::Replaces),
    }
}

fn open_code(challenge: &Challenge) -> OpenCode {
    OpenCode {
        challenge_id: challenge.id.to_string(),
        expiration_date: Some(timestamp(challenge.expires_at)),
        guesses_left: challenge.guesses_left.into(),
        sends: challenge.sends,
    }
}

/// Adds what the next code for the number would meet. It is decided as if the user asked, and nothing of it is kept.
async fn add_next(
    status: &mut PhoneStatus,
    store: &Store,
    account: &Account,
    phone: &Phone,
) -> Result<(), Refusal> {
    let resend = Change::Resend {
        which: Which::Phone(phone.id),
        delivery: Delivery::Send,
    };
    let command = Command {
        caller: Caller {
            spoken_for: true,
            ..Caller::new(account.id.as_str(), account.organization.as_str())
        },
        account: account.id.clone(),
        action: resend.into(),
    };
    match store.would(&command).await? {
        Err(Refusal::Limited { limit, retry_after }) => {
            status.resend_after = Some(whole_seconds(retry_after));
            status.blocked = sentence(&story::limit(limit));
        }
        // Nobody has asked for a code of it yet.
        Ok(_) | Err(Refusal::CodeAbsent) => {}
        Err(refusal) => status.blocked = sentence(&refusal.to_string()),
    }
    Ok(())
}

fn sentence(why: &str) -> String {
    format!("No code goes out to this number: {why}.")
}

fn used(store: &Store, account: &Account, now: Time) -> Vec<UsedLimit> {
    let limits = &store.rules().policies.of(&account.organization).limits;
    let all: [(&str, &Times, &[Window]); 3] = [
        (
            "sends_per_account",
            &account.limits.sent,
            &limits.sends_per_account,
        ),
        (
            "sets_per_account",
            &account.limits.set,
            &limits.sets_per_account,
        ),
        (
            "changes_per_account",
            &account.limits.changed,
            &limits.changes_per_account,
        ),
    ];
    let each = all.into_iter().flat_map(|(name, times, windows)| {
        windows.iter().map(move |window| UsedLimit {
            limit: name.to_owned(),
            used: times.within(*window, now),
            most: window.count,
            within: Some(whole_seconds(Duration::from_secs(window.seconds))),
        })
    });
    each.collect()
}
