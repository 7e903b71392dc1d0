//! Which lists may run: how many at once, of one organisation and of one caller, and over which connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringback_core::Caller;
use ringback_core::rights::Scope;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::dial::{Purpose, SharedDialer};
use crate::fault::Fault;
use crate::line::Line;
use crate::share::who;

/// How many may wait for each one of an organisation that runs. Quick ones, of a millisecond or a few, are all
/// done within the time that anybody waits.
const WAITING: usize = 128;

/// Who may run a list now, and over which connection.
pub(crate) struct Lists {
    dialer: SharedDialer,
    idle: Mutex<Vec<Line>>,
    all: Arc<Semaphore>,
    organizations: Places,
    callers: Places,
}

/// A list that may run: its connection, and what it takes up of what may run at once.
pub(crate) struct Admitted<'a> {
    lists: &'a Lists,
    line: Option<Line>,
    _places: [Option<OwnedSemaphorePermit>; 3],
}

impl Admitted<'_> {
    pub(crate) fn line(&mut self) -> &mut Line {
        let lists = self.lists;
        self.line.get_or_insert_with(|| {
            let idle = lists.idle().pop();
            idle.unwrap_or_else(|| Line::new(lists.dialer.clone(), Purpose::Lists))
        })
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.lists.idle().extend(self.line.take());
    }
}

impl Lists {
    /// `most` at once, of one organisation `each`, and of one caller half as many.
    pub(crate) fn new(dialer: SharedDialer, most: usize, each: usize) -> Lists {
        let each = each.max(1);
        let bound = each * (WAITING + 1);
        Lists {
            dialer,
            idle: Mutex::default(),
            all: Arc::new(Semaphore::new(most.max(1))),
            organizations: Places::new(each, bound),
            callers: Places::new((each / 2).max(1), bound),
        }
    }

    /// Waits until the caller, the list's organisation, and the database have room for one more. A list whose
    /// caller goes away is ended, and its connection with it.
    pub(crate) async fn enter(
        &self,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Admitted<'_>, Fault> {
        // The list itself may take as long as it may take.
        let patience = self.dialer.limits.list / 2;
        let room = tokio::time::timeout(patience, self.room(caller, scope)).await;
        room.ok()
            .flatten()
            .ok_or_else(|| Fault::Busy("more lists are asked for than can run at once".to_owned()))
    }

    /// Waiting, making a connection and asking once more: all of it together has a limit, too.
    pub(crate) async fn bounded<T>(
        &self,
        list: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let limit = self.dialer.limits.list * 3 / 2;
        match tokio::time::timeout(limit, list).await {
            Ok(done) => done,
            Err(_) => Err(Fault::TooSlow(format!("not done within {limit:?}"))),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Line>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room; none when too many wait already. First for the caller's own, so that what waits for an
    /// organisation is of many callers.
    async fn room(&self, caller: &Caller, scope: &Scope) -> Option<Admitted<'_>> {
        let of_caller = self.callers.take(&who(caller)).await?;
        let of_organization = match scope {
            Scope::Organization(organization) => {
                Some(self.organizations.take(&[organization]).await?)
            }
            // Whoever has rights everywhere shares with nobody, and a user's own numbers take up nothing of
            // what the organisation's services may ask for.
            Scope::Everywhere | Scope::Own { .. } => None,
        };
        let connection = self.all.clone().acquire_owned().await.ok()?;
        Some(Admitted {
            lists: self,
            line: None,
            _places: [Some(of_caller), of_organization, Some(connection)],
        })
    }
}

/// So many places for each of many, who are known by their names.
struct Places {
    each: usize,
    /// Who may have a place or wait for one.
    bound: usize,
    taken: Mutex<HashMap<Vec<String>, Arc<Semaphore>>>,
}

impl Places {
    fn new(each: usize, bound: usize) -> Places {
        Places {
            each,
            bound,
            taken: Mutex::default(),
        }
    }

    /// Waits for a place; none when too many wait already.
    async fn take(&self, name: &[&str]) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever has no list running or waiting needs no entry.
            taken.retain(|_, places| Arc::strong_count(places) > 1);
            let name = name.iter().map(|part| (*part).to_owned()).collect();
            let places = taken.entry(name);
            places
                .or_insert_with(|| Arc::new(Semaphore::new(self.each)))
                .clone()
        };
        // Those who run or wait hold one each, beside the table's and this one.
        if Arc::strong_count(&places) > self.bound + 2 {
            return None;
        }
        places.acquire_owned().await.ok()
    }
}
