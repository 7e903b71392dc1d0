//! Lists: accounts and numbers that a condition describes. They join no lane, and few run at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ringback_core::rights::Scope;
use ringback_core::{Id, Refusal};
use sea_orm::sea_query::{Condition, Order};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::dial::{Purpose, SharedDialer};
use crate::entity::{account_names, accounts, phone_numbers};
use crate::fault::Fault;
use crate::line::Line;
use crate::load::Key;
use crate::matching::{account_condition, needs_names, never, within, without_nul};
use crate::query::{
    AccountPage, AccountQuery, AccountSort, PhoneListPage, PhoneListQuery, PhonePage, PhoneQuery,
    PhoneRow, PhoneSort,
};
use crate::session::Session;
use crate::sql::Wanted;
use crate::{Shared, Store, rows};

/// Who may run a list now, and over which connection.
pub(crate) struct Lists {
    dialer: SharedDialer,
    idle: Mutex<Vec<Line>>,
    all: Arc<Semaphore>,
    each: usize,
    organizations: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A list that may run: its connection, and what it takes up of what may run at once.
struct Turn<'a> {
    lists: &'a Lists,
    line: Option<Line>,
    _organization: OwnedSemaphorePermit,
    _connection: OwnedSemaphorePermit,
}

impl Turn<'_> {
    fn line(&mut self) -> &mut Line {
        let lists = self.lists;
        self.line.get_or_insert_with(|| {
            let idle = lists.idle().pop();
            idle.unwrap_or_else(|| Line::new(lists.dialer.clone(), Purpose::Lists))
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.lists.idle().extend(self.line.take());
    }
}

/// How many may wait for each one that runs.
const WAITING: usize = 16;

impl Lists {
    /// `most` at once, and of one organisation `each`.
    pub(crate) fn new(dialer: SharedDialer, most: usize, each: usize) -> Lists {
        Lists {
            dialer,
            idle: Mutex::default(),
            all: Arc::new(Semaphore::new(most.max(1))),
            each: each.max(1),
            organizations: Mutex::default(),
        }
    }

    /// Waits until the list's organisation, and the database, have room for one more. A list whose caller
    /// goes away is ended, and its connection with it.
    async fn enter(&self, scope: &Scope) -> Result<Turn<'_>, Fault> {
        // The list itself may take as long as it may take.
        let patience = self.dialer.limits.list / 2;
        let room = tokio::time::timeout(patience, self.room(scope)).await;
        room.ok()
            .flatten()
            .ok_or_else(|| Fault::Busy("more lists are asked for than can run at once".to_owned()))
    }

    /// Waiting, making a connection and asking once more: all of it together has a limit, too.
    async fn bounded<T>(&self, list: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let limit = self.dialer.limits.list * 3 / 2;
        match tokio::time::timeout(limit, list).await {
            Ok(done) => done,
            Err(_) => Err(Fault::TooSlow(format!("not done within {limit:?}"))),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Line>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room; none when too many wait already.
    async fn room(&self, scope: &Scope) -> Option<Turn<'_>> {
        let organization = match scope {
            Scope::Everywhere => "everywhere".to_owned(),
            Scope::Organization(organization) => format!("of {organization}"),
            // A user's own numbers take up nothing of what the organisation's services may ask for.
            Scope::Own {
                account,
                organization,
            } => format!("own {organization} {account}"),
        };
        let places = {
            let organizations = self.organizations.lock();
            let mut organizations = organizations.unwrap_or_else(PoisonError::into_inner);
            // Whoever has no list running or waiting needs no entry.
            organizations.retain(|_, places| Arc::strong_count(places) > 1);
            let places = organizations.entry(organization);
            places
                .or_insert_with(|| Arc::new(Semaphore::new(self.each)))
                .clone()
        };
        // Those who run or wait hold one each, beside the table's and this one.
        if Arc::strong_count(&places) > self.each * (WAITING + 1) + 2 {
            return None;
        }
        Some(Turn {
            lists: self,
            line: None,
            _organization: places.acquire_owned().await.ok()?,
            _connection: self.all.clone().acquire_owned().await.ok()?,
        })
    }
}

impl Store {
    /// Accounts that a filter describes, with their number in all.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] when too many lists run, [`Refusal::DeadlineExceeded`] for one that takes too
    /// long, [`Refusal::Unavailable`] while the database is away.
    pub async fn list_accounts(&self, query: &AccountQuery) -> Result<AccountPage, Refusal> {
        let health = &self.shared.dialer.health;
        let page = async {
            let mut turn = self.lists.enter(&query.scope).await?;
            loop {
                let taken = turn.line().take().await?;
                let page = accounts_page(&self.shared, &taken.session, query);
                let page = taken.within(page).await;
                if let Some(page) = turn.line().read(taken, page) {
                    return page;
                }
            }
        };
        self.lists
            .bounded(page)
            .await
            .map_err(|fault: Fault| health.report(&fault, "listing accounts"))
    }

    /// A page of numbers. Errors as of [`Store::list_accounts`].
    pub async fn search_phones(&self, query: &PhoneQuery) -> Result<PhonePage, Refusal> {
        let health = &self.shared.dialer.health;
        let page = async {
            let mut turn = self.lists.enter(&query.scope).await?;
            loop {
                let taken = turn.line().take().await?;
                let page = taken.within(phones_found(&taken.session, query)).await;
                if let Some(page) = turn.line().read(taken, page) {
                    return page;
                }
            }
        };
        self.lists
            .bounded(page)
            .await
            .map_err(|fault: Fault| health.report(&fault, "searching numbers"))
    }

    /// Numbers, with their number in all. Errors as of [`Store::list_accounts`].
    pub async fn list_phones(&self, query: &PhoneListQuery) -> Result<PhoneListPage, Refusal> {
        let health = &self.shared.dialer.health;
        let page = async {
            let mut turn = self.lists.enter(&query.scope).await?;
            loop {
                let taken = turn.line().take().await?;
                let page = taken.within(phones_page(&taken.session, query)).await;
                if let Some(page) = turn.line().read(taken, page) {
                    return page;
                }
            }
        };
        self.lists
            .bounded(page)
            .await
            .map_err(|fault: Fault| health.report(&fault, "listing numbers"))
    }
}

fn order(ascending: bool) -> Order {
    match ascending {
        true => Order::Asc,
        false => Order::Desc,
    }
}

/// The folded name that accounts are sorted by, unless it is by time.
fn sorted_by(sort: AccountSort) -> Option<account_names::Column> {
    match sort {
        AccountSort::CreatedAt => None,
        AccountSort::Username => Some(account_names::Column::Username),
        AccountSort::GivenName => Some(account_names::Column::GivenName),
        AccountSort::FamilyName => Some(account_names::Column::FamilyName),
        AccountSort::NickName => Some(account_names::Column::NickName),
        AccountSort::DisplayName => Some(account_names::Column::DisplayName),
        AccountSort::Email => Some(account_names::Column::Email),
    }
}

/// Puts the folded names beside the accounts.
fn with_names(accounts: Select<accounts::Entity>) -> Select<accounts::Entity> {
    let same = accounts::Entity::belongs_to(account_names::Entity)
        .from((accounts::Column::UserId, accounts::Column::OrganizationId))
        .to((
            account_names::Column::UserId,
            account_names::Column::OrganizationId,
        ))
        .into();
    accounts.join(JoinType::InnerJoin, same)
}

async fn accounts_page(
    shared: &Shared,
    session: &Session,
    query: &AccountQuery,
) -> Result<AccountPage, Fault> {
    let wanted = accounts::Entity::find()
        .filter(within(
            &query.scope,
            accounts::Column::UserId,
            accounts::Column::OrganizationId,
        ))
        .filter(account_condition(shared.sql.backend, &query.filter));
    let compares = needs_names(&query.filter);
    let counted = match compares {
        true => with_names(wanted.clone()),
        false => wanted.clone(),
    };
    let total = counted.count(session).await?;
    let sort = sorted_by(query.sort);
    let listed = match compares || sort.is_some() {
        true => with_names(wanted),
        false => wanted,
    };
    let listed = match sort {
        Some(column) => listed.order_by(column, order(query.ascending)),
        None => listed.order_by(accounts::Column::CreatedAt, order(query.ascending)),
    };
    let found = listed
        .order_by(accounts::Column::UserId, order(query.ascending))
        .order_by(accounts::Column::OrganizationId, order(query.ascending))
        .offset(query.offset)
        .limit(u64::from(query.limit))
        .all(session)
        .await?;
    let keys = found
        .iter()
        .map(|row| (row.organization_id.as_str(), row.user_id.as_str()));
    let wanted = Wanted {
        exact: keys.collect(),
        ..Wanted::default()
    };
    let mut phones: HashMap<Key, Vec<phone_numbers::Model>> = HashMap::new();
    for row in session.query_all_raw(shared.sql.phones(&wanted)?).await? {
        let phone =
            <phone_numbers::Model as sea_orm::FromQueryResult>::from_query_result(&row, "")?;
        let key = Key {
            organization: phone.organization_id.clone(),
            id: phone.user_id.clone(),
        };
        phones.entry(key).or_default().push(phone);
    }
    let accounts = found
        .into_iter()
        .map(|row| {
            let key = Key {
                organization: row.organization_id.clone(),
                id: row.user_id.clone(),
            };
            let phones = phones.remove(&key).unwrap_or_default();
            rows::account(row, phones)
        })
        .collect::<Result<_, _>>()?;
    Ok(AccountPage { accounts, total })
}

async fn phones_found(session: &Session, query: &PhoneQuery) -> Result<PhonePage, Fault> {
    use phone_numbers::Column;
    let mut wanted = within(&query.scope, Column::UserId, Column::OrganizationId);
    if !query.accounts.is_empty() {
        wanted = wanted.add(Column::UserId.is_in(without_nul(&query.accounts)));
    }
    if let Some(number) = &query.number {
        wanted = wanted.add(Column::Number.eq(number.as_str()));
    }
    if let Some(prefix) = &query.prefix {
        // The colon follows the nine, so this is the range of what begins so, and an index serves it.
        wanted = match prefix.contains('\0') {
            true => wanted.add(never()),
            false => wanted
                .add(Column::Number.gte(prefix))
                .add(Column::Number.lt(format!("{prefix}:"))),
        };
    }
    wanted = match query.verified {
        None => wanted,
        Some(true) => wanted.add(Column::VerifiedAt.is_not_null()),
        Some(false) => wanted.add(Column::VerifiedAt.is_null()),
    };
    if let Some(after) = query.after {
        wanted = wanted.add(Column::Id.gt(after.to_string()));
    }
    let most = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut found = phone_numbers::Entity::find()
        .filter(wanted)
        .order_by_asc(Column::Id)
        .limit(u64::from(query.limit) + 1)
        .all(session)
        .await?;
    let more = found.len() > most;
    found.truncate(most);
    let phones = found
        .into_iter()
        .map(phone_row)
        .collect::<Result<Vec<_>, _>>()?;
    let last: Option<Id> = phones.last().map(|row| row.phone.id);
    Ok(PhonePage {
        next: last.filter(|_| more),
        phones,
    })
}

async fn phones_page(session: &Session, query: &PhoneListQuery) -> Result<PhoneListPage, Fault> {
    use phone_numbers::Column;
    let mut wanted: Condition =
        within(&query.scope, Column::UserId, Column::OrganizationId).add(Column::Pending.is_null());
    if let Some(accounts) = &query.accounts {
        wanted = wanted.add(Column::UserId.is_in(without_nul(accounts)));
    }
    if let Some(number) = &query.number {
        wanted = wanted.add(Column::Number.eq(number.as_str()));
    }
    let wanted = phone_numbers::Entity::find().filter(wanted);
    let total = wanted.clone().count(session).await?;
    let order = || order(query.ascending);
    // Ids of numbers are in the order in which they were given.
    let ordered = match query.sort {
        PhoneSort::Added => wanted,
        PhoneSort::Account => wanted.order_by(Column::UserId, order()),
        PhoneSort::Number => wanted.order_by(Column::Number, order()),
    };
    let found = ordered
        .order_by(Column::Id, order())
        .offset(query.offset)
        .limit(u64::from(query.limit))
        .all(session)
        .await?;
    let phones = found.into_iter().map(phone_row).collect::<Result<_, _>>()?;
    Ok(PhoneListPage { phones, total })
}

fn phone_row(row: phone_numbers::Model) -> Result<PhoneRow, Fault> {
    Ok(PhoneRow {
        account: row.user_id.clone(),
        organization: row.organization_id.clone(),
        primary: row.primary_number,
        phone: rows::phone(row)?,
    })
}
