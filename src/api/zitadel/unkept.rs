//! Parts of requests that are for a login and not kept here: refused by name, or left out and named.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use ringback_core::{Refusal, policy};
use tonic::Response;
use tonic::metadata::MetadataValue;

use super::rules::unsupported;
use crate::api::shared::IGNORED;

/// The kinds of parts that the log has told of.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What one request holds of them.
#[derive(Debug)]
pub(super) struct Unkept {
    rule: policy::Unkept,
    left_out: Vec<String>,
}

impl Unkept {
    pub(super) fn new(rule: policy::Unkept) -> Unkept {
        Unkept {
            rule,
            left_out: Vec::new(),
        }
    }

    /// The request holds this part, named as the JSON spells it.
    pub(super) fn part(&mut self, name: &str) -> Result<(), Refusal> {
        match self.rule {
            policy::Unkept::Refuse => Err(unsupported(name)),
            policy::Unkept::Ignore => {
                self.left_out.push(name.to_owned());
                let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
                if told.insert(name.to_owned()) {
                    tracing::info!(part = name, "left out of a request: it is not kept here");
                }
                Ok(())
            }
        }
    }

    /// The same when there is one.
    pub(super) fn part_if(&mut self, is_there: bool, name: &str) -> Result<(), Refusal> {
        match is_there {
            true => self.part(name),
            false => Ok(()),
        }
    }

    /// The response, with what was left out of its request.
    pub(super) fn named<T>(self, mut response: Response<T>) -> Response<T> {
        let names = self.left_out.join(", ");
        if let Ok(names) = MetadataValue::try_from(names)
            && !names.is_empty()
        {
            response.metadata_mut().insert(IGNORED, names);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_refused_or_named() {
        let mut refuses = Unkept::new(policy::Unkept::Refuse);
        assert_eq!(refuses.part("password"), Err(unsupported("password")));
        assert_eq!(refuses.part_if(false, "metadata"), Ok(()));
        let mut ignores = Unkept::new(policy::Unkept::Ignore);
        for name in ["password", "metadata"] {
            assert_eq!(ignores.part(name), Ok(()));
        }
        let response = ignores.named(Response::new(()));
        let named = response.metadata().get(IGNORED).map(|names| names.to_str());
        assert_eq!(named.and_then(Result::ok), Some("password, metadata"));
        let none = Unkept::new(policy::Unkept::Ignore).named(Response::new(()));
        assert!(none.metadata().is_empty());
    }
}
