//! One connection that its owner works through, made when it is needed and thrown away when it failed.

use crate::dial::{Purpose, SharedDialer};
use crate::fault::Fault;
use crate::session::Session;

/// A connection, or none yet.
///
/// A piece of work takes the connection out ([`Line::take`]), works on it for as long as its limit allows
/// ([`Taken::within`]) and gives it back ([`Line::done`], [`Line::read`]). When the limit ran out, or whoever
/// waits went away, the connection is dropped without talking to it and the next piece of work gets a new one.
pub(crate) struct Line {
    dialer: SharedDialer,
    purpose: Purpose,
    idle: Option<Taken>,
    /// Which share of organisations' budgets whoever works through it uses first.
    pub(crate) share: u32,
}

/// A connection that somebody works on.
pub(crate) struct Taken {
    pub(crate) session: Session,
    dialer: SharedDialer,
    purpose: Purpose,
    /// When it was made.
    pub(crate) epoch: u64,
    /// Nothing was done on it yet: who fails on it fails for good.
    fresh: bool,
}

impl Line {
    pub(crate) fn new(dialer: SharedDialer, purpose: Purpose) -> Line {
        Line {
            dialer,
            purpose,
            idle: None,
            share: 0,
        }
    }

    /// The connection, or a new one if there is none that can still be used.
    pub(crate) async fn take(&mut self) -> Result<Taken, Fault> {
        self.dialer.still_there()?;
        let epoch = self.dialer.health.epoch();
        if let Some(taken) = self.idle.take().filter(|taken| taken.epoch == epoch) {
            return Ok(taken);
        }
        Ok(Taken {
            session: self.dialer.dial(self.purpose).await?,
            dialer: self.dialer.clone(),
            purpose: self.purpose,
            epoch,
            fresh: true,
        })
    }

    /// Ends a piece of work, and hands on what came of it. After a fault that the connection may be the reason
    /// for, it is thrown away with all that were made in its time.
    pub(crate) fn done<T>(&mut self, mut taken: Taken, done: Result<T, Fault>) -> Result<T, Fault> {
        match &done {
            Err(Fault::Unavailable(_)) => self.dialer.health.lost(taken.epoch),
            // It may still be at work.
            Err(Fault::TooSlow(_)) => {}
            Ok(_) | Err(Fault::Conflict(_) | Fault::Busy(_) | Fault::Failed(_)) => {
                taken.fresh = false;
                self.idle = Some(taken);
            }
        }
        done
    }

    /// Ends a piece of work that changes nothing. `None`: the connection had died, ask once more on a new one.
    pub(crate) fn read<T>(
        &mut self,
        taken: Taken,
        done: Result<T, Fault>,
    ) -> Option<Result<T, Fault>> {
        let fresh = taken.fresh;
        match self.done(taken, done) {
            Err(Fault::Unavailable(reason)) if !fresh => {
                tracing::debug!(reason, "asking once more on a new connection");
                None
            }
            done => Some(done),
        }
    }

    /// Says something to the database, so that an idle connection that died is noticed before it is needed,
    /// and so that whatever sits between does not forget it.
    pub(crate) async fn keep_alive(&mut self) {
        use sea_orm::ConnectionTrait;
        let Some(taken) = self.idle.take() else {
            return;
        };
        let asked = async {
            taken.session.execute_unprepared("SELECT 1").await?;
            Ok(())
        };
        let asked = taken.within(asked).await;
        if let Err(fault) = self.done(taken, asked) {
            tracing::debug!(%fault, "an idle connection to the database had died");
        }
    }
}

impl Taken {
    /// Waits for work on this connection, as long as what it is for may take.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let limit = self.dialer.limit(self.purpose);
        let done = match tokio::time::timeout(limit, work).await {
            Ok(done) => done,
            Err(_) => Err(Fault::TooSlow(format!("not done within {limit:?}"))),
        };
        match (done, self.purpose) {
            // A list may be slow without the database being away; what is found by keys may not.
            (Err(Fault::TooSlow(reason)), Purpose::Keys) => Err(Fault::Unavailable(reason)),
            (done, _) => done,
        }
    }
}
