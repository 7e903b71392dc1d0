//! Opt-outs: numbers whose owners have told a route to stop, by pseudonym.

use std::collections::BTreeMap;
use std::time::Duration;

use ringback_core::{Number, Refusal, Time};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryTrait, Statement};

use crate::Store;
use crate::entity::opt_outs;
use crate::fault::Fault;
use crate::settle::Settlement;

/// How long it is believed when a provider says so, who keeps the list itself and hears of the end of it: then a
/// message tries again.
const BELIEVED: Duration = Duration::from_secs(600);

/// Routes by the pseudonym of the number that has told them to stop.
pub(crate) type OptedOut = BTreeMap<String, Vec<String>>;

/// As far as it is believed now.
pub(crate) fn believed(rows: Vec<opt_outs::Model>, now: impl Fn() -> Time) -> OptedOut {
    let mut opted_out = OptedOut::new();
    if rows.is_empty() {
        return opted_out;
    }
    let now = now();
    let holds = |row: &opt_outs::Model| row.until_at.is_none_or(|until| until > now.0);
    for row in rows.into_iter().filter(holds) {
        opted_out.entry(row.pseudonym).or_default().push(row.route);
    }
    opted_out
}

impl Store {
    /// The owner of a number has told a route to stop (STOP in a message to it): no message goes over that route
    /// until [`Store::opted_in`].
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn opted_out(&self, number: &Number, route: &str) -> Result<(), Refusal> {
        let health = &self.shared.dialer.health;
        let row = self.opt_out(number, route, None);
        let noted = self.change(self.note_opt_outs(vec![row]), &[]).await;
        noted.map_err(|fault| health.report(&fault, "noting an opt-out"))?;
        count(route, "stop");
        Ok(())
    }

    /// The owner of a number takes messages over a route again (START in a message to it).
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn opted_in(&self, number: &Number, route: &str) -> Result<(), Refusal> {
        use opt_outs::Column;
        let gone = opt_outs::Entity::delete_many()
            .filter(Column::Pseudonym.eq(self.shared.rules.keys.pseudonym(number)))
            .filter(Column::Route.eq(route))
            .build(self.shared.sql.backend);
        let health = &self.shared.dialer.health;
        let done = self.change(gone, &[]).await;
        done.map_err(|fault| health.report(&fault, "noting the end of an opt-out"))?;
        count(route, "start");
        Ok(())
    }

    /// A provider has refused a message, because the number's owner has told it to stop.
    pub(crate) async fn told_opted_out(&self, number: &Number, route: &str) -> Result<(), Fault> {
        let row = self.opt_out(number, route, Some(self.now() + BELIEVED));
        self.change(self.note_opt_outs(vec![row]), &[]).await?;
        count(route, "provider");
        Ok(())
    }

    /// Notes what providers have said of these messages.
    pub(crate) async fn note_refused_by_stop(
        &self,
        settlements: &[Settlement],
    ) -> Result<(), Fault> {
        let until = self.now() + BELIEVED;
        let mut rows: Vec<_> = settlements
            .iter()
            .filter_map(|settlement| {
                let route = settlement.trail.newly_opted_out()?;
                Some(self.opt_out(&settlement.message.number, route, Some(until)))
            })
            .collect();
        // One statement touches no row twice.
        rows.sort_by(|a, b| (&a.pseudonym, &a.route).cmp(&(&b.pseudonym, &b.route)));
        rows.dedup_by(|a, b| (&a.pseudonym, &a.route) == (&b.pseudonym, &b.route));
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            count(&row.route, "provider");
        }
        self.change(self.note_opt_outs(rows), &[]).await?;
        Ok(())
    }

    /// The routes that the owner of a number has told to stop.
    pub(crate) async fn opted_out_of(&self, number: &Number) -> Result<Vec<String>, Refusal> {
        let pseudonym = self.shared.rules.keys.pseudonym(number);
        let find = opt_outs::Entity::find().filter(opt_outs::Column::Pseudonym.eq(&pseudonym));
        let rows = self.ask(&find).await?;
        Ok(believed(rows, || self.now())
            .remove(&pseudonym)
            .unwrap_or_default())
    }

    fn opt_out(&self, number: &Number, route: &str, until: Option<Time>) -> opt_outs::Model {
        opt_outs::Model {
            pseudonym: self.shared.rules.keys.pseudonym(number),
            route: route.to_owned(),
            at: self.now().0,
            until_at: until.map(|until| until.0),
        }
    }

    /// What the owner said in person stands against what a provider says.
    fn note_opt_outs(&self, rows: Vec<opt_outs::Model>) -> Statement {
        use opt_outs::Column;
        let until = "CASE WHEN opt_outs.until_at IS NULL THEN NULL ELSE excluded.until_at END";
        let mut known = OnConflict::columns([Column::Pseudonym, Column::Route]);
        known
            .value(Column::UntilAt, Expr::cust(until))
            .value(Column::At, Expr::cust("excluded.at"));
        let rows = rows.into_iter().map(opt_outs::ActiveModel::from);
        opt_outs::Entity::insert_many(rows)
            .on_conflict(known)
            .build(self.shared.sql.backend)
    }
}

fn count(route: &str, said: &'static str) {
    metrics::counter!("ringback_opt_outs_total", "route" => route.to_owned(), "said" => said)
        .increment(1);
}
