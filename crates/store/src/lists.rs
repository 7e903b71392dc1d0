//! Lists: accounts and numbers that a condition describes. They join no lane, and few run at once.

use std::collections::HashMap;

use ringback_core::{Caller, Id, Refusal};
use sea_orm::sea_query::{Condition, Order};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use crate::entity::{account_names, accounts, phone_numbers};
use crate::fault::Fault;
use crate::load::Key;
use crate::matching::{account_condition, needs_names, never, within, without_nul};
use crate::query::{
    AccountPage, AccountQuery, AccountSort, PhoneListPage, PhoneListQuery, PhonePage, PhoneQuery,
    PhoneRow, PhoneSort,
};
use crate::session::Session;
use crate::sql::Wanted;
use crate::{Shared, Store, rows};

impl Store {
    /// Accounts that a filter describes, with their number in all, in this caller's share of what may run at
    /// once.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] when too many lists run, [`Refusal::DeadlineExceeded`] for one that takes too
    /// long, [`Refusal::Unavailable`] while the database is away.
    pub async fn list_accounts(
        &self,
        caller: &Caller,
        query: &AccountQuery,
    ) -> Result<AccountPage, Refusal> {
        let health = &self.shared.dialer.health;
        let page = async {
            let mut admitted = self.lists.enter(caller, &query.scope).await?;
            loop {
                let taken = admitted.line().take().await?;
                let page = accounts_page(&self.shared, &taken.session, query);
                let page = taken.within(taken.session.at_one_moment(page)).await;
                if let Some(page) = admitted.line().read(taken, page) {
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
    pub async fn search_phones(
        &self,
        caller: &Caller,
        query: &PhoneQuery,
    ) -> Result<PhonePage, Refusal> {
        let health = &self.shared.dialer.health;
        let page = async {
            let mut admitted = self.lists.enter(caller, &query.scope).await?;
            loop {
                let taken = admitted.line().take().await?;
                let page = taken.within(phones_found(&taken.session, query)).await;
                if let Some(page) = admitted.line().read(taken, page) {
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
    pub async fn list_phones(
        &self,
        caller: &Caller,
        query: &PhoneListQuery,
    ) -> Result<PhoneListPage, Refusal> {
        let health = &self.shared.dialer.health;
        let page = async {
            let mut admitted = self.lists.enter(caller, &query.scope).await?;
            loop {
                let taken = admitted.line().take().await?;
                let page = phones_page(&taken.session, query);
                let page = taken.within(taken.session.at_one_moment(page)).await;
                if let Some(page) = admitted.line().read(taken, page) {
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
