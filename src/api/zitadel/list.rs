//! ListUsers: conditions, order and page as a query of accounts.

use std::sync::LazyLock;

use ringback_core::Refusal;
use ringback_core::rights::Scope;
use ringback_store::{AccountFilter, AccountQuery, AccountSort, TextMatch, TextPlace};

use super::rules::{defined, invalid, length, required, unsupported, within};
use crate::proto::rules;
use crate::proto::zitadel::object::v2::TextQueryMethod;
use crate::proto::zitadel::user::v2::{
    ListUsersRequest, SearchQuery, Type, UserFieldName, UserState, search_query::Query,
};

const USUAL_PAGE: u32 = 100;
static LARGEST_PAGE: LazyLock<usize> =
    LazyLock::new(|| rules::most("zitadel.object.v2.ListQuery.limit"));
/// How deep "and", "or" and "not" may be nested; Zitadel's figure.
const DEEPEST: u32 = 20;
/// How many conditions one request may hold: enough for every client, too few to keep a database busy.
static MOST_CONDITIONS: LazyLock<usize> =
    LazyLock::new(|| rules::most("zitadel.user.v2.ListUsersRequest.queries"));
/// How many ids and addresses they may name together: as many as a page has room for.
static MOST_IDS: LazyLock<usize> =
    LazyLock::new(|| rules::most("zitadel.user.v2.InUserIDQuery.user_ids"));

/// What the request asks for, within what the caller may see.
pub(super) fn query(request: ListUsersRequest, scope: Scope) -> Result<AccountQuery, Refusal> {
    let page = request.query.unwrap_or_default();
    if page.limit as usize > *LARGEST_PAGE {
        let limit = invalid(
            "ListQuery.Limit",
            format!("value must be less than or equal to {}", *LARGEST_PAGE),
        );
        return within("ListUsersRequest.Query", Err(limit));
    }
    let column = defined("ListUsersRequest.SortingColumn", request.sorting_column)?;
    let mut reading = Reading::default();
    let filter = AccountFilter::All(reading.all("ListUsersRequest", request.queries, 0)?);
    Ok(AccountQuery {
        scope,
        filter,
        sort: sort(column),
        ascending: page.asc,
        // What no database can pass over, it cannot hold either.
        offset: page.offset.min(i64::MAX.unsigned_abs()),
        limit: if page.limit == 0 {
            USUAL_PAGE
        } else {
            page.limit
        },
    })
}

fn sort(column: UserFieldName) -> AccountSort {
    match column {
        // All users are active humans, so these two order nothing.
        UserFieldName::State | UserFieldName::Type => AccountSort::CreatedAt,
        UserFieldName::Unspecified | UserFieldName::CreationDate => AccountSort::CreatedAt,
        UserFieldName::UserName => AccountSort::Username,
        UserFieldName::FirstName => AccountSort::GivenName,
        UserFieldName::LastName => AccountSort::FamilyName,
        UserFieldName::NickName => AccountSort::NickName,
        UserFieldName::DisplayName => AccountSort::DisplayName,
        UserFieldName::Email => AccountSort::Email,
    }
}

fn everything() -> AccountFilter {
    AccountFilter::All(Vec::new())
}

fn nothing() -> AccountFilter {
    AccountFilter::Any(Vec::new())
}

/// Counts what it reads, so that a small request cannot ask for much work.
#[derive(Default)]
struct Reading {
    conditions: usize,
    ids: usize,
}

impl Reading {
    fn all(
        &mut self,
        message: &str,
        queries: Vec<SearchQuery>,
        depth: u32,
    ) -> Result<Vec<AccountFilter>, Refusal> {
        queries
            .into_iter()
            .enumerate()
            .map(|(index, query)| {
                let field = format!("{message}.Queries[{index}]");
                within(&field, self.one(query, depth))
            })
            .collect()
    }

    fn one(&mut self, query: SearchQuery, depth: u32) -> Result<AccountFilter, Refusal> {
        if depth > DEEPEST {
            let rule = format!("conditions must not be nested more than {DEEPEST} deep");
            return Err(invalid("SearchQuery.Query", rule));
        }
        self.count()?;
        let query = query.query.ok_or_else(|| required("SearchQuery.Query"))?;
        match query {
            Query::InUserIdsQuery(q) => {
                self.name(q.user_ids.len(), "InUserIDQuery.UserIds")?;
                for (index, id) in q.user_ids.iter().enumerate() {
                    length(&format!("InUserIDQuery.UserIds[{index}]"), id)?;
                }
                Ok(AccountFilter::Ids(q.user_ids))
            }
            Query::PhoneQuery(q) => {
                text("PhoneQuery.Number", q.number, q.method).map(AccountFilter::Phone)
            }
            Query::OrganizationIdQuery(q) => {
                let field = "OrganizationIdQuery.OrganizationId";
                length(field, &q.organization_id)?;
                Ok(AccountFilter::Organization(q.organization_id))
            }
            Query::OrQuery(q) => self
                .all("OrQuery", q.queries, depth + 1)
                .map(AccountFilter::Any),
            Query::AndQuery(q) => self
                .all("AndQuery", q.queries, depth + 1)
                .map(AccountFilter::All),
            Query::NotQuery(q) => {
                let inner = q.query.ok_or_else(|| required("NotQuery.Query"))?;
                let inner = within("NotQuery.Query", self.one(*inner, depth + 1))?;
                Ok(AccountFilter::Not(Box::new(inner)))
            }
            Query::UserNameQuery(q) => {
                text("UserNameQuery.UserName", q.user_name, q.method).map(AccountFilter::Username)
            }
            // The username is the one name that a user logs in with.
            Query::LoginNameQuery(q) => text("LoginNameQuery.LoginName", q.login_name, q.method)
                .map(AccountFilter::Username),
            Query::FirstNameQuery(q) => text("FirstNameQuery.FirstName", q.first_name, q.method)
                .map(AccountFilter::GivenName),
            Query::LastNameQuery(q) => {
                text("LastNameQuery.LastName", q.last_name, q.method).map(AccountFilter::FamilyName)
            }
            Query::NickNameQuery(q) => {
                text("NickNameQuery.NickName", q.nick_name, q.method).map(AccountFilter::NickName)
            }
            Query::DisplayNameQuery(q) => {
                text("DisplayNameQuery.DisplayName", q.display_name, q.method)
                    .map(AccountFilter::DisplayName)
            }
            Query::EmailQuery(q) => {
                text("EmailQuery.EmailAddress", q.email_address, q.method).map(AccountFilter::Email)
            }
            Query::InUserEmailsQuery(q) => {
                self.name(q.user_emails.len(), "InUserEmailsQuery.UserEmails")?;
                for email in &q.user_emails {
                    length("InUserEmailsQuery.UserEmails", email)?;
                }
                Ok(AccountFilter::Emails(q.user_emails))
            }
            Query::StateQuery(q) => match defined("StateQuery.State", q.state)? {
                UserState::Active => Ok(everything()),
                UserState::Unspecified
                | UserState::Inactive
                | UserState::Deleted
                | UserState::Locked
                | UserState::Initial => Ok(nothing()),
            },
            Query::TypeQuery(q) => match defined("TypeQuery.Type", q.r#type)? {
                Type::Unspecified | Type::Human => Ok(everything()),
                Type::Machine => Ok(nothing()),
            },
            Query::MetadataKeyFilter(_) => Err(unsupported("metadataKeyFilter")),
            Query::MetadataValueFilter(_) => Err(unsupported("metadataValueFilter")),
        }
    }

    /// So many ids or addresses, which are found by an index.
    fn name(&mut self, more: usize, field: &str) -> Result<(), Refusal> {
        self.ids = self.ids.saturating_add(more);
        if self.ids > *MOST_IDS {
            let rule = format!("a request must not name more than {} ids", *MOST_IDS);
            return Err(invalid(field, rule));
        }
        Ok(())
    }

    /// One more condition, before anything is made of it.
    fn count(&mut self) -> Result<(), Refusal> {
        self.conditions = self.conditions.saturating_add(1);
        if self.conditions > *MOST_CONDITIONS {
            let rule = format!(
                "a request must not hold more than {} conditions",
                *MOST_CONDITIONS
            );
            return Err(invalid("SearchQuery.Query", rule));
        }
        Ok(())
    }
}

fn text(field: &str, text: String, method: i32) -> Result<TextMatch, Refusal> {
    use TextQueryMethod as Method;
    length(field, &text)?;
    let message = field.split('.').next().unwrap_or(field);
    let (place, ignore_case) = match defined(&format!("{message}.Method"), method)? {
        Method::Equals => (TextPlace::Whole, false),
        Method::EqualsIgnoreCase => (TextPlace::Whole, true),
        Method::StartsWith => (TextPlace::Start, false),
        Method::StartsWithIgnoreCase => (TextPlace::Start, true),
        Method::Contains => (TextPlace::Inside, false),
        Method::ContainsIgnoreCase => (TextPlace::Inside, true),
        Method::EndsWith => (TextPlace::End, false),
        Method::EndsWithIgnoreCase => (TextPlace::End, true),
    };
    Ok(TextMatch {
        text,
        place,
        ignore_case,
    })
}

#[cfg(test)]
mod tests;
