//! Calls that are carried out once: whoever comes first has the call, and leaves its answer for those after.

use std::cell::Cell;
use std::time::Duration;

use futures::FutureExt;
use ringback_core::{Refusal, Time};
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::Store;
use crate::fault::Fault;

tokio::task_local! {
    /// Whether a command of this call was refused and has cost something all the same.
    static COST: Cell<bool>;
}

/// Does a call, and says whether a refusal of it has cost something ([`Refusal::costs`]). What the call does in
/// other tasks is not seen.
pub async fn with_cost<F: Future>(call: F) -> (F::Output, bool) {
    let told = call.map(|done| (done, COST.with(Cell::get)));
    COST.scope(Cell::new(false), told).await
}

/// Notes what a refusal has cost, where somebody wants to know.
pub(crate) fn note_cost(refusal: &Refusal) {
    if refusal.costs() {
        // Most calls have no key.
        let _ = COST.try_with(|cost| cost.set(true));
    }
}

/// What is known of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: whoever asked has it now, under this claim, for as long as its lease.
    Nothing {
        /// What [`Store::leave_answer`] asks for.
        claim: String,
    },
    /// Somebody else carries it out.
    UnderWay,
    /// It was another request that came under this name.
    Another,
    /// What it was answered, as it was left.
    Answered(String),
}

impl Store {
    /// Looks up a call by its name, and takes it unless somebody else has. `request` tells one request from another
    /// under the same name. Whoever takes a call and tells nothing for `lease` loses it to the next.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn take_call(
        &self,
        call: &str,
        request: &str,
        lease: Duration,
    ) -> Result<Known, Refusal> {
        const TAKE: &str = "INSERT INTO idempotency (call, request, claim, until_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (call) DO UPDATE SET request = excluded.request, claim = excluded.claim, \
             until_at = excluded.until_at, answer = NULL WHERE idempotency.until_at <= $5 RETURNING claim";
        const LOOK: &str = "SELECT request, answer FROM idempotency WHERE call = $1";
        let (now, claim) = (self.now(), self.fresh_id());
        let take = self.call(
            TAKE,
            vec![
                call.into(),
                request.into(),
                claim.clone().into(),
                (now + lease).0.into(),
                now.0.into(),
            ],
        );
        let look = self.call(LOOK, vec![call.into()]);
        let taking = async {
            let mut line = self.once.lock().await;
            let taken = line.take().await?;
            let session = &taken.session;
            let asking = async {
                if session.query_one_raw(take).await?.is_some() {
                    return Ok((Known::Nothing { claim }, true));
                }
                let Some(row) = session.query_one_raw(look).await? else {
                    // It was removed just now; whoever asks again gets it.
                    return Ok((Known::UnderWay, false));
                };
                let (told, answer): (String, Option<String>) = row.try_get_many_by_index()?;
                let known = match answer {
                    _ if told != request => Known::Another,
                    Some(answer) => Known::Answered(answer),
                    None => Known::UnderWay,
                };
                Ok((known, false))
            };
            let (epoch, known) = (taken.epoch, taken.within(asking).await);
            if let Err(fault) = &known {
                self.shared.failed(fault);
            }
            let (known, wrote) = line.done(taken, known)?;
            if wrote {
                self.shared.wrote(epoch, 1, &[]);
            }
            Ok::<_, Fault>(known)
        };
        let health = &self.shared.dialer.health;
        taking
            .await
            .map_err(|fault| health.report(&fault, "looking up an idempotency key"))
    }

    /// Leaves the answer to a call for those who come until then; with `None` the next one carries it out again.
    /// Counts only under a claim that still holds.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn leave_answer(
        &self,
        call: &str,
        claim: &str,
        answer: Option<(String, Time)>,
    ) -> Result<(), Refusal> {
        const LEAVE: &str =
            "UPDATE idempotency SET answer = $3, until_at = $4 WHERE call = $1 AND claim = $2";
        const FORGET: &str = "DELETE FROM idempotency WHERE call = $1 AND claim = $2";
        let mut values: Vec<Value> = vec![call.into(), claim.into()];
        let statement = match answer {
            Some((answer, until)) => {
                values.push(answer.into());
                values.push(until.0.into());
                self.call(LEAVE, values)
            }
            None => self.call(FORGET, values),
        };
        let health = &self.shared.dialer.health;
        let left = self.change_over(&self.once, statement, &[]).await;
        left.map_err(|fault| health.report(&fault, "noting an answer"))?;
        Ok(())
    }

    fn call(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.shared.sql.backend, sql, values)
    }
}
