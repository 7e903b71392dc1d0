//! How messages with codes went: counted in memory, written down from time to time, and read for the order of routes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use ringback_core::delivery::{
    Conversion, HourOf, NO_COUNTRY, Prefer, State, Tally, Verdict, has_fallen, hour_of,
};
use ringback_core::{Id, Message, MessageKind, Number, Policies, Refusal, Time};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryTrait, Statement};

use crate::Store;
use crate::entity::{conversion, messages};
use crate::load::Key;
use crate::sample::Sample;
use crate::settle::Settlement;

/// A message counts as sent so long after a route took it: its reader needs a while to hand in the code.
const LATER: Duration = Duration::from_secs(120);
/// Codes handed in that are remembered and looked up at once; of more, each stands for several.
const LOOKED_UP: usize = 500;
/// Hours that rows are kept, and how many of them say what is usual.
const KEPT: i64 = 8 * 24;
const WEEK: i64 = 7 * 24;
/// The hours that are held against the week.
const LATELY: i64 = 3;

/// A time (an hour, or a minute, since 1970), a route and a country.
type Place = (i64, String, String);
type Tallies = HashMap<Place, Tally>;

/// What this process has counted, and what all of them have written down.
#[derive(Default)]
pub(crate) struct Conversions {
    counted: Mutex<Counted>,
    known: RwLock<Arc<Conversion>>,
}

struct Counted {
    /// By the minute in which a route took them.
    sent: HashMap<Place, u64>,
    /// By the hour, at once.
    tallies: Tallies,
    handed_in: Sample<HandedIn>,
}

impl Default for Counted {
    fn default() -> Self {
        Counted {
            sent: HashMap::new(),
            tallies: HashMap::new(),
            handed_in: Sample::of(LOOKED_UP),
        }
    }
}

/// A code that proved a number.
struct HandedIn {
    account: Key,
    challenge: Id,
    number: Number,
    hour: i64,
}

impl Conversions {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How routes have done lately.
    pub(crate) fn known(&self) -> Arc<Conversion> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// A code was handed in.
    pub(crate) fn proven(&self, account: Key, (challenge, number): (Id, Number), now: Time) {
        self.counted().handed_in.pass(|| HandedIn {
            account,
            challenge,
            number,
            hour: hour_of(now),
        });
    }

    /// Routes took some of these messages.
    pub(crate) fn settled(&self, settlements: &[Settlement], now: Time) {
        let minute = now.0.div_euclid(60_000_000);
        for settlement in settlements {
            let Settlement { message, trail, .. } = settlement;
            let last = trail.last().filter(|last| last.verdict == Verdict::Taken);
            let Some(last) = last.filter(|last| last.cost > 0 || has_code(message)) else {
                continue;
            };
            let known = settlement.country.clone();
            let country = known.unwrap_or_else(|| country(&message.number));
            let (mut counted, route) = (self.counted(), last.route.clone());
            if last.cost > 0 {
                let key = (hour_of(now), route.clone(), country.clone());
                let tally = counted.tallies.entry(key).or_default();
                tally.cost = tally.cost.saturating_add(last.cost);
            }
            if has_code(message) {
                let sent = counted.sent.entry((minute, route, country));
                *sent.or_default() += 1;
            }
        }
    }

    /// A receipt came for a message to this number.
    pub(crate) fn heard(&self, route: &str, number: &Number, state: State, now: Time) {
        let mut counted = self.counted();
        let key = (hour_of(now), route.to_owned(), country(number));
        match state {
            State::Delivered => counted.tallies.entry(key).or_default().delivered += 1,
            State::Undelivered => counted.tallies.entry(key).or_default().undelivered += 1,
            State::Queued
            | State::Handed
            | State::Expired
            | State::Superseded
            | State::Refused
            | State::Failed => {}
        }
    }
}

fn has_code(message: &Message) -> bool {
    matches!(message.kind, MessageKind::Code { .. })
}

fn country(number: &Number) -> String {
    number.country().unwrap_or_else(|| NO_COUNTRY.to_owned())
}

/// Whether some organisation's routes are ordered by how they do.
pub(crate) fn prefers_conversion(policies: &Policies) -> bool {
    let mut all = policies.by_organization.values().chain([&policies.default]);
    all.any(|policy| policy.routes.prefer == Prefer::Conversion)
}

impl Store {
    /// Writes down what this process has counted, and reads what all have: to be called every few seconds.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]; what was counted since the last time is lost then, as it is statistics.
    pub async fn tally(&self) -> Result<(), Refusal> {
        let now = self.now();
        let (mut tallies, (handed_in, each)) = self.take_counted(now);
        for (key, count) in self.routes_of(handed_in, each).await? {
            let tally = tallies.entry(key).or_default();
            tally.verified += count;
        }
        let health = &self.shared.dialer.health;
        if !tallies.is_empty() {
            let written = self.change(self.add_tallies(tallies), &[]).await;
            written.map_err(|fault| health.report(&fault, "counting messages"))?;
        }
        self.read_tallies(now).await
    }

    /// What is ripe of what was counted.
    fn take_counted(&self, now: Time) -> (Tallies, (Vec<HandedIn>, usize)) {
        let ripe = (now - LATER).0.div_euclid(60_000_000);
        let mut counted = self.shared.conversions.counted();
        let sent = std::mem::take(&mut counted.sent);
        let (taken, kept): (HashMap<_, _>, HashMap<_, _>) = sent
            .into_iter()
            .partition(|((minute, ..), _)| *minute <= ripe);
        counted.sent = kept;
        let mut tallies = std::mem::take(&mut counted.tallies);
        for ((minute, route, country), count) in taken {
            let key = (minute.div_euclid(60), route, country);
            tallies.entry(key).or_default().sent += count;
        }
        (tallies, counted.handed_in.take())
    }

    /// The routes that had brought the codes that were handed in, each of which stands for `each`.
    async fn routes_of(
        &self,
        handed_in: Vec<HandedIn>,
        each: usize,
    ) -> Result<Vec<(Place, u64)>, Refusal> {
        use messages::Column;
        if handed_in.is_empty() || self.shared.keep.is_zero() {
            return Ok(Vec::new());
        }
        let organizations: BTreeSet<_> = handed_in
            .iter()
            .map(|one| one.account.organization.as_str())
            .collect();
        let users: BTreeSet<_> = handed_in
            .iter()
            .map(|one| one.account.id.as_str())
            .collect();
        let challenges = handed_in.iter().map(|one| one.challenge.to_string());
        let find = messages::Entity::find()
            .filter(Column::OrganizationId.is_in(organizations))
            .filter(Column::UserId.is_in(users))
            .filter(Column::ChallengeId.is_in(challenges))
            .filter(Column::DueAt.is_null());
        // Of several messages with the same code the last one that a route took.
        let mut routes: HashMap<String, (String, String)> = HashMap::new();
        for row in self.ask(&find).await? {
            let had = matches!(
                State::from_code(&row.state),
                Some(State::Handed | State::Delivered | State::Undelivered)
            );
            if let (true, Some(challenge)) = (had, row.challenge_id) {
                let last = routes.entry(challenge).or_default();
                *last = last.clone().max((row.id, row.route));
            }
        }
        let found = handed_in.into_iter().filter_map(|one| {
            let (_, route) = routes.get(&one.challenge.to_string())?;
            Some(((one.hour, route.clone(), country(&one.number)), each as u64))
        });
        Ok(found.collect())
    }

    fn add_tallies(&self, tallies: Tallies) -> Statement {
        use conversion::Column;
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut rows: Vec<_> = tallies
            .into_iter()
            .map(|((hour, route, country), tally)| conversion::Model {
                hour,
                route,
                country,
                sent: count(tally.sent),
                delivered: count(tally.delivered),
                undelivered: count(tally.undelivered),
                verified: count(tally.verified),
                cost: count(tally.cost),
            })
            .collect();
        // In one order, so that two processes cannot wait for each other.
        rows.sort_by(|a, b| (a.hour, &a.route, &a.country).cmp(&(b.hour, &b.route, &b.country)));
        let mut known = OnConflict::columns([Column::Hour, Column::Route, Column::Country]);
        for (column, name) in [
            (Column::Sent, "sent"),
            (Column::Delivered, "delivered"),
            (Column::Undelivered, "undelivered"),
            (Column::Verified, "verified"),
            (Column::Cost, "cost"),
        ] {
            known.value(
                column,
                Expr::cust(format!("conversion.{name} + excluded.{name}")),
            );
        }
        conversion::Entity::insert_many(rows.into_iter().map(conversion::ActiveModel::from))
            .on_conflict(known)
            .build(self.shared.sql.backend)
    }

    /// How messages with codes went within so many hours, the present one included, as far as it is written down.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn conversion_since(&self, hours: u32) -> Result<Vec<HourOf>, Refusal> {
        let first = hour_of(self.now()) - i64::from(hours);
        let find = conversion::Entity::find().filter(conversion::Column::Hour.gt(first));
        let rows = self.ask(&find).await?;
        Ok(rows.into_iter().map(hour_row).collect())
    }

    /// Reads the last week: what orders routes, what metrics show, and whether a country has fallen.
    async fn read_tallies(&self, now: Time) -> Result<(), Refusal> {
        let this_hour = hour_of(now);
        let find = conversion::Entity::find().filter(conversion::Column::Hour.gt(this_hour - WEEK));
        let rows = self.ask(&find).await?;
        let hours: Vec<HourOf> = rows.into_iter().map(hour_row).collect();
        let mut by_country: HashMap<String, (Tally, Tally)> = HashMap::new();
        for one in &hours {
            let (lately, week) = by_country.entry(one.country.clone()).or_default();
            match one.hour > this_hour - LATELY {
                true => *lately = lately.and(one.tally),
                false => *week = week.and(one.tally),
            }
        }
        for (country, (lately, week)) in by_country {
            let fallen = has_fallen(lately, week);
            if fallen {
                tracing::warn!(country, "fewer codes than usual are handed in");
            }
            metrics::gauge!("ringback_conversion_fallen", "country" => country)
                .set(f64::from(u8::from(fallen)));
        }
        let known = Conversion::of(hours, now);
        for (route, country, tally) in known.all() {
            if let Some(share) = tally.conversion() {
                let labels = [("route", route.to_owned()), ("country", country.to_owned())];
                metrics::gauge!("ringback_conversion_ratio", &labels).set(share);
            }
        }
        let place = self.shared.conversions.known.write();
        *place.unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        Ok(())
    }

    /// Deletes what is too old to say anything.
    pub(crate) fn old_tallies(&self, now: Time) -> Statement {
        conversion::Entity::delete_many()
            .filter(conversion::Column::Hour.lt(hour_of(now) - KEPT))
            .build(self.shared.sql.backend)
    }
}

fn hour_row(row: conversion::Model) -> HourOf {
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    HourOf {
        hour: row.hour,
        route: row.route,
        country: row.country,
        tally: Tally {
            sent: count(row.sent),
            delivered: count(row.delivered),
            undelivered: count(row.undelivered),
            verified: count(row.verified),
            cost: count(row.cost),
        },
    }
}
