//! Reads: one account, lists of accounts, pages of numbers. They take no lock and join no lane.

use std::sync::Arc;

use ringback_core::rights::Scope;
use ringback_core::{Account, Id, Refusal};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::{accounts, phone_numbers};
use crate::fault::Fault;
use crate::lane::phones_of;
use crate::lookup::Lookup;
use crate::query::{
    AccountFilter, AccountPage, AccountQuery, AccountSort, PhoneListPage, PhoneListQuery,
    PhonePage, PhoneQuery, PhoneRow, PhoneSort, TextMatch, TextPlace,
};
use crate::{Store, lane_of, rows};
use tokio::sync::{mpsc, oneshot};

impl Store {
    /// One account, whole. Whoever asks for it at the same time may get the same one.
    pub async fn find_account(&self, id: &str) -> Result<Option<Arc<Account>>, Refusal> {
        // PostgreSQL cannot even be asked for such a text, so no account has it.
        if id.contains('\0') {
            return Ok(None);
        }
        let (reply, answer) = oneshot::channel();
        let lookup = Lookup {
            id: id.to_owned(),
            reply,
        };
        match self.lookups[lane_of(id, self.lookups.len())].try_send(lookup) {
            Ok(()) => answer.await.unwrap_or(Err(Refusal::Unavailable)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Refusal::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Refusal::Unavailable),
        }
    }

    /// Accounts that a filter describes, with their number in all.
    pub async fn list_accounts(&self, query: &AccountQuery) -> Result<AccountPage, Refusal> {
        self.list_accounts_or_fault(query)
            .await
            .map_err(|fault| fault.report("listing accounts"))
    }

    async fn list_accounts_or_fault(&self, query: &AccountQuery) -> Result<AccountPage, Fault> {
        let shared = &self.shared;
        let order = if query.ascending {
            Order::Asc
        } else {
            Order::Desc
        };
        let column = match query.sort {
            AccountSort::CreatedAt => accounts::Column::CreatedAt,
            AccountSort::Username => accounts::Column::Username,
            AccountSort::GivenName => accounts::Column::GivenName,
            AccountSort::FamilyName => accounts::Column::FamilyName,
            AccountSort::NickName => accounts::Column::NickName,
            AccountSort::DisplayName => accounts::Column::DisplayName,
            AccountSort::Email => accounts::Column::Email,
        };
        let wanted = accounts::Entity::find()
            .filter(within(
                &query.scope,
                accounts::Column::UserId,
                accounts::Column::OrganizationId,
            ))
            .filter(account_condition(&query.filter));
        let total = wanted.clone().count(&shared.reader).await?;
        let found = wanted
            .order_by(column, order.clone())
            .order_by(accounts::Column::UserId, order)
            .offset(query.offset)
            .limit(u64::from(query.limit))
            .all(&shared.reader)
            .await?;
        let ids = found.iter().map(|row| row.user_id.as_str());
        let mut phones = phones_of(shared, &shared.reader, ids).await?;
        let accounts = found
            .into_iter()
            .map(|row| {
                let phones = phones.remove(&row.user_id).unwrap_or_default();
                rows::account(row, phones)
            })
            .collect::<Result<_, _>>()?;
        Ok(AccountPage { accounts, total })
    }

    /// A page of numbers.
    pub async fn search_phones(&self, query: &PhoneQuery) -> Result<PhonePage, Refusal> {
        self.search_phones_or_fault(query)
            .await
            .map_err(|fault| fault.report("searching numbers"))
    }

    async fn search_phones_or_fault(&self, query: &PhoneQuery) -> Result<PhonePage, Fault> {
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
            .all(&self.shared.reader)
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
}

fn without_nul(texts: &[String]) -> impl Iterator<Item = &String> {
    texts.iter().filter(|text| !text.contains('\0'))
}

/// What a scope means for a table with a user and an organisation.
fn within<C: ColumnTrait>(scope: &Scope, user: C, its_organization: C) -> Condition {
    match scope {
        Scope::Everywhere => Condition::all(),
        Scope::Organization(organization) => {
            Condition::all().add(equal(its_organization, organization))
        }
        Scope::Own {
            account,
            organization,
        } => Condition::all()
            .add(equal(user, account))
            .add(equal(its_organization, organization)),
    }
}

fn equal(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    match text.contains('\0') {
        true => never(),
        false => column.eq(text),
    }
}

fn account_condition(filter: &AccountFilter) -> Condition {
    use accounts::Column;
    let on = |column: Column, text: &TextMatch| {
        Condition::all().add(matching(Expr::col((accounts::Entity, column)), text))
    };
    match filter {
        // Said aloud, because a condition without parts would vanish from what it is a part of.
        AccountFilter::All(all) if all.is_empty() => Condition::all().add(always()),
        AccountFilter::All(all) => all
            .iter()
            .fold(Condition::all(), |c, one| c.add(account_condition(one))),
        AccountFilter::Any(any) if any.is_empty() => Condition::all().add(never()),
        AccountFilter::Any(any) => any
            .iter()
            .fold(Condition::any(), |c, one| c.add(account_condition(one))),
        AccountFilter::Not(inner) => Condition::all().add(account_condition(inner)).not(),
        AccountFilter::Ids(ids) => Condition::all().add(Column::UserId.is_in(without_nul(ids))),
        AccountFilter::Organization(organization) => {
            Condition::all().add(equal(Column::OrganizationId, organization))
        }
        AccountFilter::Phone(text) => {
            use phone_numbers::{Column as Phone, Entity as Phones};
            let mut held = Query::select();
            held.expr(Expr::value(1))
                .from(Phones)
                .and_where(
                    Expr::col((Phones, Phone::UserId)).equals((accounts::Entity, Column::UserId)),
                )
                .and_where(Expr::col((Phones, Phone::PrimaryNumber)).eq(true))
                .and_where(matching(Expr::col((Phones, Phone::Number)), text));
            Condition::all().add(Expr::exists(held))
        }
        AccountFilter::Username(text) => on(Column::Username, text),
        AccountFilter::GivenName(text) => on(Column::GivenName, text),
        AccountFilter::FamilyName(text) => on(Column::FamilyName, text),
        AccountFilter::NickName(text) => on(Column::NickName, text),
        AccountFilter::DisplayName(text) => on(Column::DisplayName, text),
        AccountFilter::Email(text) => on(Column::Email, text),
    }
}

/// A condition on one column. SQLite's LIKE ignores case whatever is asked, so what must respect it is
/// compared as parts of the text; both databases know `substr` and `length`, and `replace` finds.
fn matching(column: SimpleExpr, wanted: &TextMatch) -> SimpleExpr {
    let TextMatch {
        text,
        place,
        ignore_case,
    } = wanted;
    // No stored text holds a NUL, and PostgreSQL cannot be asked for one.
    if text.contains('\0') {
        return never();
    }
    let (column, text) = match ignore_case {
        true => folded(column, text),
        false => (column, text.clone()),
    };
    // 32 bits, because PostgreSQL's substr takes no more.
    let length = i32::try_from(text.chars().count()).unwrap_or(i32::MAX);
    let part =
        |from: SimpleExpr| call("substr", [column.clone(), from, length.into()]).eq(text.clone());
    match place {
        _ if text.is_empty() && *place != TextPlace::Whole => always(),
        TextPlace::Whole => column.eq(text),
        TextPlace::Start => part(1.into()),
        TextPlace::Inside => {
            let without = call("replace", [column.clone(), text.into(), "".into()]);
            without.ne(column)
        }
        TextPlace::End => {
            let all = call("length", [column.clone()]);
            all.clone().gte(length).and(part(all.sub(length).add(1)))
        }
    }
}

/// A call of a function that both databases know.
fn call<const N: usize>(function: &'static str, arguments: [SimpleExpr; N]) -> SimpleExpr {
    Func::cust(function).args(arguments).into()
}

fn always() -> SimpleExpr {
    Expr::value(1).eq(Expr::value(1))
}

fn never() -> SimpleExpr {
    Expr::value(1).eq(Expr::value(0))
}

/// Letters beyond ASCII whose case is ignored in one text: each costs a call in the statement.
const MOST_FOLDED: usize = 24;

/// A column and a text without the difference of case. Here the databases' `lower` knows ASCII only
/// (SQLite always, PostgreSQL for the byte order that our columns have), so the other letters that the text
/// holds, and no others matter, are brought to their small form one by one.
fn folded(column: SimpleExpr, text: &str) -> (SimpleExpr, String) {
    let mut column = SimpleExpr::from(Func::lower(column));
    let text: String = text.chars().map(small).collect();
    let mut letters: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
    letters.sort_unstable();
    letters.dedup();
    let pairs = letters.into_iter().filter_map(|letter| {
        let capital = single(letter.to_uppercase()).filter(|capital| *capital != letter)?;
        Some((capital, letter))
    });
    for (capital, letter) in pairs.take(MOST_FOLDED) {
        let (capital, letter) = (capital.to_string(), letter.to_string());
        column = call("replace", [column, capital.into(), letter.into()]);
    }
    (column, text)
}

/// The small form of a letter that has one of the same length.
fn small(letter: char) -> char {
    single(letter.to_lowercase()).unwrap_or(letter)
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

impl Store {
    /// Numbers, with their number in all.
    pub async fn list_phones(&self, query: &PhoneListQuery) -> Result<PhoneListPage, Refusal> {
        self.list_phones_or_fault(query)
            .await
            .map_err(|fault| fault.report("listing numbers"))
    }

    async fn list_phones_or_fault(&self, query: &PhoneListQuery) -> Result<PhoneListPage, Fault> {
        use phone_numbers::Column;
        let mut wanted = within(&query.scope, Column::UserId, Column::OrganizationId)
            .add(Column::Pending.is_null());
        if let Some(accounts) = &query.accounts {
            wanted = wanted.add(Column::UserId.is_in(without_nul(accounts)));
        }
        if let Some(number) = &query.number {
            wanted = wanted.add(Column::Number.eq(number.as_str()));
        }
        let wanted = phone_numbers::Entity::find().filter(wanted);
        let total = wanted.clone().count(&self.shared.reader).await?;
        let order = || match query.ascending {
            true => Order::Asc,
            false => Order::Desc,
        };
        // Names of numbers are in the order in which they were given.
        let ordered = match query.sort {
            PhoneSort::Added => wanted,
            PhoneSort::Account => wanted.order_by(Column::UserId, order()),
            PhoneSort::Number => wanted.order_by(Column::Number, order()),
        };
        let found = ordered
            .order_by(Column::Id, order())
            .offset(query.offset)
            .limit(u64::from(query.limit))
            .all(&self.shared.reader)
            .await?;
        let phones = found.into_iter().map(phone_row).collect::<Result<_, _>>()?;
        Ok(PhoneListPage { phones, total })
    }
}

fn phone_row(row: phone_numbers::Model) -> Result<PhoneRow, Fault> {
    Ok(PhoneRow {
        account: row.user_id.clone(),
        organization: row.organization_id.clone(),
        primary: row.primary_number,
        phone: rows::phone(row)?,
    })
}
