//! Receipts of any provider: where they say what became of a message, and what that means.

use std::collections::BTreeMap;

use super::settings::{HttpReceiptSettings, Signed};
use super::told::{Place, Proof, Signature, Wrong};
use crate::class::{Class, is_code};
use crate::{Arrival, Receipt, ReceiptError, ReceiptRequest};

/// What a receipt is that does not say it.
const MISSING: &str = "it has nothing where it should say what became of the message";

/// What is said of a state that means nothing.
const UNLISTED: &str = "which receipt.values does not list";

/// How receipts are read.
#[derive(Clone)]
pub(super) struct Receipts {
    status: Place,
    values: Listed<Meaning>,
    error: Option<Place>,
    errors: Listed<Class>,
    proof: Proof,
}

/// What is listed of texts: of whole ones, and with a star at the end of those that begin so.
#[derive(Clone)]
struct Listed<T> {
    whole: BTreeMap<String, T>,
    /// The longest comes first.
    beginnings: Vec<(String, T)>,
}

impl<T: Copy> Listed<T> {
    fn of(listed: impl Iterator<Item = (String, T)>) -> Listed<T> {
        let (mut whole, mut beginnings) = (BTreeMap::new(), Vec::new());
        for (text, meaning) in listed {
            match text.strip_suffix('*') {
                Some(begin) => beginnings.push((begin.to_owned(), meaning)),
                None => {
                    whole.insert(text, meaning);
                }
            }
        }
        beginnings.sort_by_key(|(begin, _)| std::cmp::Reverse(begin.len()));
        Listed { whole, beginnings }
    }

    /// Nothing is said of an empty text, unless it is listed.
    fn get(&self, text: &str) -> Option<T> {
        let mut beginnings = self.beginnings.iter();
        let begins =
            |(begin, _): &&(String, T)| !text.is_empty() && text.starts_with(begin.as_str());
        let whole = self.whole.get(text).copied();
        whole.or_else(|| beginnings.find(begins).map(|(_, meaning)| *meaning))
    }
}

#[derive(Clone, Copy)]
enum Meaning {
    OnTheWay,
    Delivered,
    Undelivered(Option<Class>),
}

impl Receipts {
    /// The error says which key is wrong, and what with it.
    pub(super) fn parse(own: &HttpReceiptSettings) -> Result<Receipts, Wrong> {
        let wrong = |key: &str, says: String| (format!("receipt.{key}"), says);
        let mut values = Vec::new();
        for (state, meaning) in &own.values {
            let meaning = Meaning::parse(meaning).ok_or_else(|| {
                let names = Class::lost_names();
                let says = "a meaning that is none of on_the_way, delivered, undelivered, or undelivered: and one of";
                wrong("values", format!("gives {state} {says} {names}"))
            })?;
            values.push((state.clone(), meaning));
        }
        if !values
            .iter()
            .any(|(_, meaning)| matches!(meaning, Meaning::Delivered))
        {
            let says =
                "must say which state means delivered, such as { delivered = \"delivered\" }";
            return Err(wrong("values", says.into()));
        }
        let mut errors = Vec::new();
        for (code, name) in &own.errors {
            let class = Class::lost(name).ok_or_else(|| {
                let names = Class::lost_names();
                let says = format!("gives {code} a meaning that is none of {names}");
                wrong("errors", says)
            })?;
            errors.push((code.clone(), class));
        }
        let status = Place::parse("receipt.status", &own.status)?;
        let error = match own.error.as_str() {
            "" => None,
            error => Some(Place::parse("receipt.error", error)?),
        };
        if own.signed == Signed::HmacSha256 {
            for (key, place) in [("status", Some(&status)), ("error", error.as_ref())] {
                if place.is_some_and(|place| !place.is_of_body()) {
                    let says = "must be in the body: hmac_sha256 does not sign the query";
                    return Err(wrong(key, says.into()));
                }
            }
        }
        Ok(Receipts {
            status,
            values: Listed::of(values.into_iter()),
            error,
            errors: Listed::of(errors.into_iter()),
            proof: Proof::parse(&Signature::of_receipts(own))?,
        })
    }

    pub(super) fn read(&self, request: &ReceiptRequest<'_>) -> Result<Receipt, ReceiptError> {
        self.proof.check(request)?;
        // Empty where there is nothing to say yet, such as null.
        let status = self.status.find(request, MISSING)?.unwrap_or_default();
        let code = match &self.error {
            Some(place) => place.find(request, MISSING).unwrap_or_default(),
            None => None,
        };
        let says = match code
            .as_deref()
            .or(Some(&status))
            .filter(|code| is_code(code))
        {
            Some(code) => format!("the receipt says {code}"),
            None => String::new(),
        };
        let class = code.and_then(|code| self.errors.get(&code));
        let arrived = |arrival| Receipt {
            arrival,
            reason: String::new(),
            once: None,
        };
        Ok(match self.values.get(&status) {
            Some(Meaning::Delivered) => arrived(Arrival::Delivered),
            Some(Meaning::Undelivered(own)) => class.or(own).unwrap_or(Class::Phone).receipt(&says),
            Some(Meaning::OnTheWay) => arrived(Arrival::OnTheWay),
            None if status.is_empty() => arrived(Arrival::OnTheWay),
            None => Receipt {
                reason: match is_code(&status) {
                    true => format!("the receipt says {status}, {UNLISTED}"),
                    false => format!("the receipt says something {UNLISTED}"),
                },
                ..arrived(Arrival::OnTheWay)
            },
        })
    }
}

impl Meaning {
    fn parse(text: &str) -> Option<Meaning> {
        match text {
            "on_the_way" => Some(Meaning::OnTheWay),
            "delivered" => Some(Meaning::Delivered),
            "undelivered" => Some(Meaning::Undelivered(None)),
            other => {
                let class = Class::lost(other.strip_prefix("undelivered:")?)?;
                Some(Meaning::Undelivered(Some(class)))
            }
        }
    }
}
