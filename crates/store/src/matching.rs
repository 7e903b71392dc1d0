//! Conditions of lists, as SQL that means the same on both databases.

use ringback_core::rights::Scope;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, DbBackend};

use crate::entity::{account_names, accounts, phone_numbers};
use crate::fold::fold;
use crate::query::{AccountFilter, TextMatch, TextPlace};

/// What a scope means for a table with a user and an organisation.
pub(crate) fn within<C: ColumnTrait>(scope: &Scope, user: C, its_organization: C) -> Condition {
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

pub(crate) fn without_nul(texts: &[String]) -> impl Iterator<Item = &String> {
    texts.iter().filter(|text| !text.contains('\0'))
}

fn equal(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    match text.contains('\0') {
        true => never(),
        false => column.eq(text),
    }
}

/// Whether a filter compares names without regard to case, for which it needs the folded ones.
pub(crate) fn needs_names(filter: &AccountFilter) -> bool {
    match filter {
        AccountFilter::All(filters) | AccountFilter::Any(filters) => {
            filters.iter().any(needs_names)
        }
        AccountFilter::Not(inner) => needs_names(inner),
        AccountFilter::Ids(_)
        | AccountFilter::Organization(_)
        | AccountFilter::Phone(_)
        | AccountFilter::Emails(_) => false,
        AccountFilter::Username(text)
        | AccountFilter::GivenName(text)
        | AccountFilter::FamilyName(text)
        | AccountFilter::NickName(text)
        | AccountFilter::DisplayName(text)
        | AccountFilter::Email(text) => text.ignore_case,
    }
}

pub(crate) fn account_condition(backend: DbBackend, filter: &AccountFilter) -> Condition {
    use account_names::Column as Folded;
    use accounts::Column;
    let on = |column: Column, folded: Folded, text: &TextMatch| {
        let condition = match text.ignore_case {
            false => matching(backend, Expr::col((accounts::Entity, column)), text),
            true => {
                let text = TextMatch {
                    text: fold(&text.text),
                    ..text.clone()
                };
                matching(backend, Expr::col((account_names::Entity, folded)), &text)
            }
        };
        Condition::all().add(condition)
    };
    match filter {
        // Said aloud, because a condition without parts would vanish from what it is a part of.
        AccountFilter::All(all) if all.is_empty() => Condition::all().add(always()),
        AccountFilter::All(all) => all.iter().fold(Condition::all(), |c, one| {
            c.add(account_condition(backend, one))
        }),
        AccountFilter::Any(any) if any.is_empty() => Condition::all().add(never()),
        AccountFilter::Any(any) => any.iter().fold(Condition::any(), |c, one| {
            c.add(account_condition(backend, one))
        }),
        AccountFilter::Not(inner) => Condition::all()
            .add(account_condition(backend, inner))
            .not(),
        AccountFilter::Ids(ids) => Condition::all().add(Column::UserId.is_in(without_nul(ids))),
        AccountFilter::Emails(emails) => {
            Condition::all().add(Column::Email.is_in(without_nul(emails)))
        }
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
                .and_where(matching(backend, Expr::col((Phones, Phone::Number)), text));
            Condition::all().add(Expr::exists(held))
        }
        AccountFilter::Username(text) => on(Column::Username, Folded::Username, text),
        AccountFilter::GivenName(text) => on(Column::GivenName, Folded::GivenName, text),
        AccountFilter::FamilyName(text) => on(Column::FamilyName, Folded::FamilyName, text),
        AccountFilter::NickName(text) => on(Column::NickName, Folded::NickName, text),
        AccountFilter::DisplayName(text) => on(Column::DisplayName, Folded::DisplayName, text),
        AccountFilter::Email(text) => on(Column::Email, Folded::Email, text),
    }
}

/// A condition on one column, letter by letter: SQLite's LIKE ignores case whatever is asked, so texts are
/// compared by their parts.
fn matching(backend: DbBackend, column: SimpleExpr, wanted: &TextMatch) -> SimpleExpr {
    let TextMatch { text, place, .. } = wanted;
    // No stored text holds a NUL, and PostgreSQL cannot be asked for one.
    if text.contains('\0') {
        return never();
    }
    let text = text.clone();
    // 32 bits, because PostgreSQL's substr takes no more.
    let length = i32::try_from(text.chars().count()).unwrap_or(i32::MAX);
    let part =
        |from: SimpleExpr| call("substr", [column.clone(), from, length.into()]).eq(text.clone());
    match place {
        _ if text.is_empty() && *place != TextPlace::Whole => always(),
        TextPlace::Whole => column.eq(text),
        TextPlace::Start => part(1.into()),
        TextPlace::Inside => {
            let position = match backend {
                DbBackend::Postgres => "strpos",
                _ => "instr",
            };
            call(position, [column, text.into()]).gt(0)
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

pub(crate) fn never() -> SimpleExpr {
    Expr::value(1).eq(Expr::value(0))
}
