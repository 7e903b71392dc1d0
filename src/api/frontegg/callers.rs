//! Who calls, and whom a service acts for.

use axum::http::HeaderMap;
use ringback_core::rights::{Right, Rights};
use ringback_core::{Caller, Refusal};

use super::{Frontegg, token};
use crate::auth::ID_CHARACTERS;

/// Whom a service acts as, and where.
pub(super) const USER: &str = "frontegg-user-id";
pub(super) const TENANT: &str = "frontegg-tenant-id";

impl Frontegg {
    /// The user that a self-service route is about, as somebody who acts for themselves.
    ///
    /// A token whose rights hold everywhere stands for a back end, not for a user, so it must name one;
    /// what it then does is what that user may do, with that user's limits. The headers of everybody else
    /// are ignored, as Frontegg documents: their token says who they are.
    pub(super) async fn user(&self, headers: &HeaderMap, right: Right) -> Result<Caller, Refusal> {
        let caller = token::caller(&self.auth, headers).await?;
        if !caller.everywhere.any() {
            return Ok(caller);
        }
        if !caller.everywhere.holds(right) {
            return Err(Refusal::PermissionDenied);
        }
        let user = named(headers, USER)?.ok_or_else(|| Refusal::FieldInvalid {
            field: USER.into(),
            rule: "header should not be empty: an environment token must say whom it acts as"
                .into(),
        })?;
        let organization = match named(headers, TENANT)? {
            Some(tenant) => tenant,
            None => match self.store.read(&caller, &user).await {
                Ok(account) => account.organization.clone(),
                Err(Refusal::AccountNotFound) => caller.organization,
                Err(refusal) => return Err(refusal),
            },
        };
        Ok(Caller {
            language: caller.language,
            spoken_for: true,
            ..Caller::new(user, organization)
        })
    }

    /// The caller of a management route: with the tenant's header, a token whose rights hold everywhere
    /// acts in that tenant only.
    pub(super) async fn service(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let caller = token::caller(&self.auth, headers).await?;
        let rights = caller.everywhere;
        if !rights.any() {
            return Ok(caller);
        }
        let Some(organization) = named(headers, TENANT)? else {
            return Ok(caller);
        };
        let there = Caller {
            everywhere: Rights::NONE,
            organization,
            ..caller
        };
        Ok(there.with_rights(rights))
    }
}

/// The id in a header; `None` when it is absent or empty.
fn named(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(value.as_bytes()).unwrap_or("\0").trim();
    if text.chars().count() > ID_CHARACTERS || text.chars().any(char::is_control) {
        return Err(Refusal::FieldInvalid {
            field: name.into(),
            rule: format!("header must be an id of at most {ID_CHARACTERS} printable characters"),
        });
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}
