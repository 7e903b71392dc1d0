//! The order in which events go on record: of one account as they happened, of all about as they happened.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::entity::events;

/// What ends a life of an account; the next event of the same id counts from 1 again.
const DELETED: &str = "account.deleted";

/// Puts events in order. All that wait of each account must be among them.
pub(super) fn in_order(rows: Vec<events::Model>) -> Vec<events::Model> {
    let mut accounts: HashMap<(String, String), Vec<events::Model>> = HashMap::new();
    for row in rows {
        let account = (row.organization_id.clone(), row.user_id.clone());
        accounts.entry(account).or_default().push(row);
    }
    let mut all = Vec::new();
    for (_, rows) in accounts {
        // No event comes before one that its account's order puts before it, whatever the clocks said.
        let mut latest = i64::MIN;
        for row in of_account(rows) {
            latest = latest.max(row.at);
            all.push((latest, row));
        }
    }
    // Stable, so that what happened at one time stays as it is within an account.
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, row)| row).collect()
}

/// One account's events: those that it counts by their count, the others by when they happened.
fn of_account(mut rows: Vec<events::Model>) -> Vec<events::Model> {
    if rows.len() < 2 {
        return rows;
    }
    rows.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
    let (counted, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.sequence > 0);
    let mut others = others.into_iter().peekable();
    let mut all = Vec::new();
    for row in counted_in_order(counted) {
        while let Some(other) = others.next_if(|other| other.at < row.at) {
            all.push(other);
        }
        all.push(row);
    }
    all.extend(others);
    all
}

/// Events that an account counts, which come in the order of time. The same id may have been deleted and come back
/// meanwhile, once or several times: then the same counts occur again.
fn counted_in_order(mut rows: Vec<events::Model>) -> Vec<events::Model> {
    rows.sort_by_key(|row| row.sequence);
    let distinct = rows.windows(2).all(|two| two[0].sequence < two[1].sequence);
    if distinct && rows.iter().all(|row| row.kind != DELETED) {
        return rows;
    }
    // Stable: what happened at one time stays in the order of the count.
    rows.sort_by_key(|row| row.at);
    let born = rows.iter().filter(|row| row.sequence == 1);
    let born = born.map(|row| row.at).min().unwrap_or(i64::MAX);
    let mut next = rows.first().map_or(1, |row| row.sequence);
    let mut left: BTreeMap<i64, VecDeque<events::Model>> = BTreeMap::new();
    for row in rows {
        left.entry(row.sequence).or_default().push_back(row);
    }
    // A clock that was late may have put a later one first, of a life that ends here.
    let goes_on = |left: &BTreeMap<i64, VecDeque<events::Model>>, before: i64| {
        let before = left.get(&before).and_then(|rows| rows.front());
        before.is_some_and(|row| row.kind != DELETED && row.at < born)
    };
    while goes_on(&left, next - 1) {
        next -= 1;
    }
    let mut all = Vec::new();
    while !left.is_empty() {
        let found = match left.contains_key(&next) {
            true => Some(next),
            // Something is missing: whatever happened first.
            false => left
                .iter()
                .filter_map(|(sequence, rows)| Some((rows.front()?.at, *sequence)))
                .min()
                .map(|(_, sequence)| sequence),
        };
        let Some(sequence) = found else {
            break;
        };
        let Some(rows) = left.get_mut(&sequence) else {
            break;
        };
        if let Some(row) = rows.pop_front() {
            next = match row.kind == DELETED {
                true => 1,
                false => sequence + 1,
            };
            all.push(row);
        }
        if rows.is_empty() {
            left.remove(&sequence);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user: &str, sequence: i64, at: i64, kind: &str) -> events::Model {
        events::Model {
            // Ids of one millisecond are in no order.
            id: format!("{:03}", (sequence * 7 + at * 31) % 997),
            user_id: user.into(),
            organization_id: "acme".into(),
            sequence,
            at,
            actor: user.into(),
            kind: kind.into(),
            cause: None,
            number_pseudonym: None,
            number_mask: None,
            count: 1,
            detail: None,
        }
    }

    /// User, count and time of each, in order.
    fn ordered(rows: Vec<events::Model>) -> Vec<String> {
        let rows = in_order(rows);
        let shown = |row: events::Model| format!("{}{}@{}", row.user_id, row.sequence, row.at);
        rows.into_iter().map(shown).collect()
    }

    #[test]
    fn an_accounts_count_goes_before_clocks() {
        let rows = vec![
            event("a", 3, 10, "k"),
            event("a", 1, 20, "k"),
            event("b", 1, 15, "k"),
            event("a", 2, 20, "k"),
            event("b", 2, 25, "k"),
        ];
        assert_eq!(ordered(rows), ["b1@15", "a1@20", "a2@20", "a3@10", "b2@25"]);
    }

    #[test]
    fn what_does_not_count_goes_by_time() {
        let rows = vec![
            event("a", 0, 15, "message.taken"),
            event("a", 7, 10, "k"),
            event("a", 8, 20, "k"),
            event("a", 0, 20, "message.delivered"),
            event("a", 0, 30, "message.delivered"),
        ];
        assert_eq!(ordered(rows), ["a7@10", "a0@15", "a8@20", "a0@20", "a0@30"]);
    }

    #[test]
    fn lives_of_one_id_follow_each_other() {
        let rows = || {
            vec![
                event("a", 6, 10, "k"),
                event("a", 7, 11, DELETED),
                event("a", 1, 12, "account.registered"),
                event("a", 2, 12, "k"),
                event("a", 3, 13, DELETED),
                event("a", 1, 14, "account.registered"),
            ]
        };
        let expected = ["a6@10", "a7@11", "a1@12", "a2@12", "a3@13", "a1@14"];
        for turn in 0..6 {
            let mut rows = rows();
            rows.rotate_left(turn);
            assert_eq!(ordered(rows), expected, "{turn}");
        }
        // The end of a life of which the beginning is on record already, by a clock that is late.
        let rows = vec![
            event("a", 7, 10, "k"),
            event("a", 8, 9, DELETED),
            event("a", 1, 12, "account.registered"),
        ];
        assert_eq!(ordered(rows), ["a7@10", "a8@9", "a1@12"]);
        // The beginning of a life has the counts before the end of another.
        let rows = vec![
            event("a", 3, 10, DELETED),
            event("a", 1, 12, "account.registered"),
            event("a", 2, 13, "k"),
        ];
        assert_eq!(ordered(rows), ["a3@10", "a1@12", "a2@13"]);
        // All at one time.
        let rows = vec![
            event("a", 3, 10, DELETED),
            event("a", 2, 10, "k"),
            event("a", 1, 10, "account.registered"),
        ];
        assert_eq!(ordered(rows), ["a1@10", "a2@10", "a3@10"]);
    }

    #[test]
    fn nothing_is_lost_where_counts_are_missing() {
        let rows = vec![
            event("a", 9, 10, "k"),
            event("a", 4, 5, DELETED),
            event("a", 2, 20, "k"),
            event("a", 2, 30, "k"),
        ];
        assert_eq!(ordered(rows), ["a4@5", "a9@10", "a2@20", "a2@30"]);
    }
}
