//! An API's own paths: what carries each operation out, and what the contract says of it, in one place.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::routing::{MethodFilter, on};
use http::Method;

use super::{About, Operation};
use crate::http::once::Worded;

/// An operation at its place.
pub(in crate::http) struct Entry {
    pub(in crate::http) method: Method,
    pub(in crate::http) path: String,
    /// After the operation's id.
    pub(in crate::http) suffix: &'static str,
    pub(in crate::http) about: fn() -> About,
    pub(in crate::http) operation: fn() -> Operation,
}

/// An API's own paths: a router, and what the contract says of every route in it.
pub struct Paths<S = ()> {
    about: fn() -> About,
    prefix: &'static str,
    suffix: &'static str,
    router: Router<S>,
    entries: Vec<Entry>,
}

impl<S: Clone + Send + Sync + 'static> Paths<S> {
    /// None yet.
    pub fn new(about: fn() -> About) -> Paths<S> {
        Paths {
            about,
            prefix: "",
            suffix: "",
            router: Router::new(),
            entries: Vec::new(),
        }
    }

    /// None yet, of a router that is nested below `prefix`.
    pub fn below(prefix: &'static str, about: fn() -> About) -> Paths<S> {
        let paths = Paths::new(about);
        Paths { prefix, ..paths }
    }

    /// From here on the ids of operations end so, to tell a second place of the same operation from the first.
    pub fn named(self, suffix: &'static str) -> Paths<S> {
        Paths { suffix, ..self }
    }

    /// One operation, carried out and told.
    pub fn route<H, T>(
        mut self,
        method: Method,
        path: &str,
        handler: H,
        operation: fn() -> Operation,
    ) -> Paths<S>
    where
        H: Handler<T, S>,
        T: 'static,
    {
        // Routes are written down here, and every method that they name is known.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let about = self.about;
        let word = from_fn(move |request: Request, next: Next| async move {
            match request.extensions().get::<Worded>() {
                Some(Worded(refusal)) => (about().words.refusal)(refusal),
                None => next.run(request).await,
            }
        });
        self.router = self.router.route(path, on(filter, handler).layer(word));
        self.entries.push(Entry {
            method,
            path: format!("{}{path}", self.prefix),
            suffix: self.suffix,
            about: self.about,
            operation,
        });
        self
    }

    /// The same with another router: nested, with its state, with what answers the rest.
    pub fn map<R>(self, change: impl FnOnce(Router<S>) -> Router<R>) -> Paths<R> {
        Paths {
            about: self.about,
            prefix: self.prefix,
            suffix: self.suffix,
            router: change(self.router),
            entries: self.entries,
        }
    }

    /// Both.
    pub fn merge(mut self, other: Paths<S>) -> Paths<S> {
        self.entries.extend(other.entries);
        Paths {
            router: self.router.merge(other.router),
            ..self
        }
    }

    pub(in crate::http) fn into_parts(self) -> (Router<S>, Vec<Entry>) {
        (self.router, self.entries)
    }
}
