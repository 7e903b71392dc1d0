//! Where each call is, who carries it out, and what the contract says of it.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;

use super::{ReachFive, config, contract, credentials, send, update, user_send, userinfo, verify};
use crate::config::ReachFiveSection;
use crate::http::Services;
use crate::http::contract::Paths;

/// What an end user's client calls.
const IDENTITY: &str = "/identity/v1";
const CONFIG: &str = "/config";
const USERINFO: &str = "/userinfo";
const VERIFY: &str = "/verify-phone-number";
const UPDATE: &str = "/update-phone-number";
const SEND: &str = "/send-phone-number-verification";
const CREDENTIALS: &str = "/mfa/credentials";
const CREDENTIAL: &str = "/mfa/credentials/phone-numbers";
const CREDENTIAL_VERIFY: &str = "/mfa/credentials/phone-numbers/verify";

/// What a back end calls.
const MANAGEMENT: &str = "/api/v2";
const USER_SEND: &str = "/users/{user_id}/verify-phone-number";

pub(super) fn all(services: &Services, section: ReachFiveSection) -> Paths {
    let own = Paths::below(IDENTITY, contract::about)
        .route(Method::GET, CONFIG, config, contract::config)
        .route(Method::GET, USERINFO, userinfo, contract::userinfo)
        .route(Method::POST, VERIFY, verify, contract::verify)
        .route(Method::POST, UPDATE, update, contract::update)
        .route(Method::POST, SEND, send, contract::send)
        .route(
            Method::GET,
            CREDENTIALS,
            credentials::list,
            contract::credentials,
        )
        .route(
            Method::POST,
            CREDENTIAL,
            credentials::start,
            contract::start,
        )
        .route(
            Method::DELETE,
            CREDENTIAL,
            credentials::delete,
            contract::delete_credential,
        )
        .route(
            Method::POST,
            CREDENTIAL_VERIFY,
            credentials::verify,
            contract::verify_credential,
        );
    let management = Paths::below(MANAGEMENT, contract::about).route(
        Method::POST,
        USER_SEND,
        user_send,
        contract::user_send,
    );
    let api = ReachFive {
        store: services.store.clone(),
        auth: services.auth.clone(),
        section: Arc::new(section),
    };
    let nested = |prefix, router| Router::new().nest_service(prefix, api.closed(router));
    own.map(|router| nested(IDENTITY, router))
        .merge(management.map(|router| nested(MANAGEMENT, router)))
}
