//! Receipts of any provider: where they say what became of a message, and what that means.

use std::collections::BTreeMap;

use super::settings::HttpReceiptSettings;
use super::told::{Place, Proof, Signature, Wrong};
use crate::class::{Class, is_code};
use crate::{Arrival, Receipt, ReceiptError, ReceiptRequest};

/// Stands for every state that is not listed.
const OTHERS: &str = "*";

/// What a receipt is that does not say it.
const MISSING: &str = "it has nothing where it should say what became of the message";

/// How receipts are read.
#[derive(Clone)]
pub(super) struct Receipts {
    status: Place,
    values: BTreeMap<String, Meaning>,
    error: Option<Place>,
    errors: BTreeMap<String, Class>,
    proof: Proof,
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
        let mut values = BTreeMap::new();
        for (state, meaning) in &own.values {
            let meaning = Meaning::parse(meaning).ok_or_else(|| {
                let names = Class::lost_names();
                let says = "a meaning that is none of on_the_way, delivered, undelivered, or undelivered: and one of";
                wrong("values", format!("gives {state} {says} {names}"))
            })?;
            values.insert(state.clone(), meaning);
        }
        if !values
            .values()
            .any(|meaning| matches!(meaning, Meaning::Delivered))
        {
            let says =
                "must say which state means delivered, such as { delivered = \"delivered\" }";
            return Err(wrong("values", says.into()));
        }
        let mut errors = BTreeMap::new();
        for (code, name) in &own.errors {
            let class = Class::lost(name).ok_or_else(|| {
                let names = Class::lost_names();
                let says = format!("gives {code} a meaning that is none of {names}");
                wrong("errors", says)
            })?;
            errors.insert(code.clone(), class);
        }
        Ok(Receipts {
            status: Place::parse("receipt.status", &own.status)?,
            values,
            error: match own.error.as_str() {
                "" => None,
                error => Some(Place::parse("receipt.error", error)?),
            },
            errors,
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
        let class = code.and_then(|code| self.errors.get(&code).copied());
        let arrived = |arrival| Receipt {
            arrival,
            reason: String::new(),
            once: None,
        };
        let others = self.values.get(OTHERS).filter(|_| !status.is_empty());
        let meaning = self.values.get(&status).or(others);
        Ok(match meaning {
            Some(Meaning::Delivered) => arrived(Arrival::Delivered),
            Some(Meaning::Undelivered(own)) => {
                class.or(*own).unwrap_or(Class::Phone).receipt(&says)
            }
            Some(Meaning::OnTheWay) | None => arrived(Arrival::OnTheWay),
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
