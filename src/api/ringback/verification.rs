//! Proving a number on a page: sessions, what a page needs to know, and results.

mod assets;
mod contract;
mod forms;
mod page;
mod returns;
mod service;
mod texts;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};

use crate::auth::OwnIssuer;
use crate::config::Config;
use crate::http::{RpcService, Services};
use page::Page;
use service::Verifications;
use texts::Texts;
use tokens::Tokens;

/// What sessions and their page go by.
pub(super) struct Settings {
    /// Whether there are any.
    enabled: bool,
    /// What the page's address begins with.
    base: String,
    /// Where the page may return to.
    returns: Vec<String>,
    /// How long a session lives.
    life: Duration,
    /// Whose page it is.
    service_name: String,
    /// The languages of who asks for none that there is.
    language: String,
}

impl Settings {
    pub(super) fn of(config: &Config) -> Arc<Settings> {
        Arc::new(Settings {
            enabled: config.verify.enabled,
            base: config.base_url(),
            returns: config.verify.return_urls.clone(),
            life: Duration::from_secs(config.verify.session_seconds),
            service_name: config.messages.service_name.clone(),
            language: config.messages.language.clone(),
        })
    }
}

/// Who issues the tokens of sessions. Without keys, as where somebody only looks at a configuration, nobody.
pub(super) fn issuer(config: &Config) -> Option<OwnIssuer> {
    let keys = config.keys().ok().filter(|_| config.verify.enabled)?;
    Some(Tokens::of(&keys).issuer())
}

/// The service.
pub(super) fn service(settings: &Arc<Settings>, services: &Services) -> RpcService {
    Verifications::service(services.store.clone(), settings.clone())
}

/// The widget's files, and the page where it is on.
pub(super) fn pages(settings: &Arc<Settings>, services: &Services) -> Router {
    let texts = Arc::new(Texts::new(&settings.language));
    let widget = assets::router(&texts);
    if !settings.enabled {
        return widget;
    }
    let page = Page {
        store: services.store.clone(),
        auth: services.auth.clone(),
        settings: settings.clone(),
        texts,
    };
    let router = Router::new()
        .route("/verify", get(page::show).post(forms::submit))
        .route("/verify/taken", post(forms::taken));
    widget.merge(router.with_state(page))
}
