//! Where each call is, who carries it out, and what the contract says of it.

use std::sync::Arc;

use axum::http::Method;
use axum::routing::any;

use super::errors::{method_not_allowed, unknown};
use super::vendor::{self, Vendors};
use super::{
    Frontegg, ask_removal, contract, create, create_verified, list_v1, list_v2, own, preverify,
    remove, remove_at_once, verify,
};
use crate::http::Services;
use crate::http::contract::Paths;

/// Where a Frontegg host and where Frontegg's browser client look for the numbers, and how the contract tells
/// the two apart.
const ROOTS: [(&str, &str); 2] = [
    ("/identity/resources/users/phone-numbers", ""),
    (
        "/frontegg/identity/resources/users/phone-numbers",
        "_browser",
    ),
];
pub(super) const NUMBERS: &str = "/v1";
pub(super) const NUMBERS_V2: &str = "/v2";
const PREVERIFY: &str = "/v1/preverify";
const VERIFY: &str = "/v1/verify";
const OWN: &str = "/v1/me";
const NUMBER: &str = "/v1/{id}";
const REMOVAL: &str = "/v1/{id}/delete/verify";
const SERVICE_NUMBERS: &str = "/v1/vendor/{user}";
const SERVICE_NUMBER: &str = "/v1/vendor/{user}/{id}";
const VENDOR_TOKEN: [(&str, &str); 2] = [("/auth/vendor", ""), ("/auth/vendor/", "_slash")];
/// What else a client may take for Frontegg's: answered in its form.
const ELSEWHERE: [&str; 4] = [
    "/identity/resources",
    "/identity/resources/{*rest}",
    "/frontegg",
    "/frontegg/{*rest}",
];

pub(super) fn all(services: &Services, vendors: Option<Vendors>) -> Paths {
    let mut paths = Paths::new(contract::about);
    for (root, name) in ROOTS {
        let at = |path: &str| format!("{root}{path}");
        paths = paths
            .named(name)
            .route(Method::POST, &at(NUMBERS), create, contract::create)
            .route(Method::GET, &at(NUMBERS), list_v1, contract::list_v1)
            .route(Method::GET, &at(NUMBERS_V2), list_v2, contract::list_v2)
            .route(Method::POST, &at(PREVERIFY), preverify, contract::preverify)
            .route(Method::POST, &at(VERIFY), verify, contract::verify)
            .route(Method::GET, &at(OWN), own, contract::own_numbers)
            .route(
                Method::DELETE,
                &at(NUMBER),
                ask_removal,
                contract::ask_removal,
            )
            .route(Method::POST, &at(REMOVAL), remove, contract::remove)
            .route(
                Method::POST,
                &at(SERVICE_NUMBERS),
                create_verified,
                contract::create_verified,
            )
            .route(
                Method::DELETE,
                &at(SERVICE_NUMBER),
                remove_at_once,
                contract::remove_at_once,
            );
    }
    for (path, name) in VENDOR_TOKEN {
        let token = contract::vendor_token;
        paths = paths
            .named(name)
            .route(Method::POST, path, vendor::answer, token);
    }
    let api = Frontegg {
        store: services.store.clone(),
        auth: services.auth.clone(),
        vendors: vendors.map(Arc::new),
    };
    paths.map(|router| {
        ELSEWHERE
            .into_iter()
            .fold(router, |router, path| router.route(path, any(unknown)))
            .method_not_allowed_fallback(method_not_allowed)
            .with_state(api)
    })
}
