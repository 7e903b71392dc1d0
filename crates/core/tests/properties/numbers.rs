//! What holds for the numbers of every account: how they come, and how they go.

use std::collections::BTreeSet;

use ringback_core::challenge::Purpose;
use ringback_core::{Action, Challenge, Change, Phone, Which};

use crate::always;
use crate::story::{NEXT, primary};

#[test]
fn a_proven_number_goes_only_as_its_owner_wishes() {
    always(|| {
        |turn| {
            let Some(before) = turn.before else { return };
            let proven = before.phones.iter().filter(|phone| phone.verified());
            let stays = |phone: &&Phone| {
                let after = turn.after.as_ref().and_then(|after| after.phone(phone.id));
                after == Some(*phone)
            };
            let gone: Vec<_> = proven.filter(|phone| !stays(phone)).collect();
            if gone.is_empty() || turn.deleted() {
                return;
            }
            assert!(turn.decision.result.is_ok());
            let primary_only = gone.iter().all(|phone| before.primary == Some(phone.id));
            let after = turn.after.as_ref().and_then(primary);
            let is_named = |phone: &Phone| Some(&phone.number) == turn.named().as_ref();
            match &turn.command.action {
                Action::Change(Change::Set(_)) | Action::Change(Change::Update { .. }) => {
                    let old = |phone: &&Phone| before.primary == Some(phone.id);
                    assert!(gone.iter().all(|phone| old(phone) || is_named(phone)));
                }
                Action::Change(Change::Remove {
                    which: Which::Primary,
                }) => assert!(primary_only),
                Action::Change(Change::Remove {
                    which: Which::Number(number),
                }) => {
                    let named = |phone: &&Phone| phone.number.as_str() == number.0;
                    assert!(gone.iter().all(named));
                }
                Action::Change(Change::Replace { .. }) => {
                    assert!(primary_only);
                    assert!(after.is_some_and(|phone| phone.verified() && is_named(phone)));
                }
                Action::Change(Change::Verify { .. }) => {
                    assert!(primary_only);
                    let next = before.phones.iter().find(|phone| phone.state == NEXT);
                    let next = next.map(|phone| phone.id);
                    let (_, question, right) = turn.compared().expect("must be compared");
                    assert!(right && Some(question.phone) == next);
                    assert!(after.is_some_and(|phone| phone.verified() && Some(phone.id) == next));
                }
                Action::Change(Change::ConfirmRemoval { phone, .. }) => {
                    assert!(gone.iter().all(|gone| gone.id == *phone));
                    let (_, question, right) = turn.compared().expect("must be compared");
                    assert!(right && question.purpose == Purpose::Remove);
                    assert_eq!(question.phone, *phone);
                }
                Action::Change(Change::Remove {
                    which: Which::Phone(phone),
                }) => {
                    assert!(turn.serves() && gone.iter().all(|gone| gone.id == *phone));
                }
                other => panic!("{other:?} took {gone:?}"),
            }
        }
    });
}

#[test]
fn a_pending_number_is_the_accounts_once_it_is_proven_or_added() {
    always(|| {
        |turn| {
            let before = turn.before.iter().flat_map(|account| &account.phones);
            for phone in before.filter(|phone| phone.pending()) {
                let after = turn.after.as_ref().and_then(|after| after.phone(phone.id));
                let Some(after) = after.filter(|after| !after.pending()) else {
                    continue;
                };
                let added = matches!(turn.command.action, Action::Change(Change::Add { .. }))
                    && turn.named().as_ref() == Some(&phone.number);
                let proven = turn.compared().is_some_and(|(_, question, right)| {
                    right && question.phone == phone.id && question.purpose == Purpose::Verify
                });
                assert!(added || proven && after.verified());
            }
        }
    });
}

#[test]
fn accounts_are_whole() {
    always(|| {
        |turn| {
            let Some(account) = turn.after else { return };
            assert_eq!(account.primary.is_some(), primary(account).is_some());
            let numbers: BTreeSet<_> = account.phones.iter().map(|phone| &phone.number).collect();
            assert_eq!(numbers.len(), account.phones.len());
            assert!(primary(account).is_none_or(|phone| !phone.pending()));
            let next = account.phones.iter().filter(|phone| phone.state == NEXT);
            let next = next.count();
            assert!(next == 0 || primary(account).is_some_and(Phone::verified));
            assert!(next <= 1);
            assert!(numbers.len() - next <= turn.policy().numbers.most_per_account);
            for (index, challenge) in account.challenges.iter().enumerate() {
                let same = |other: &Challenge| {
                    (other.phone, other.purpose) == (challenge.phone, challenge.purpose)
                };
                assert!(!account.challenges[..index].iter().any(same));
                let phone = account.phone(challenge.phone).expect("must be held");
                assert!(challenge.purpose == Purpose::Remove || !phone.verified());
            }
        }
    });
}
