//! Twilio's codes, in answers and in receipts: whose fault each is.

use ringback_core::delivery::{NumberFault, RouteFault};

use crate::class::Class;

/// `None` for a code that says nothing of whose fault it is.
pub(super) fn class(code: u32) -> Option<Class> {
    let number = |fault| Some(Class::Number(fault));
    let route = |fault| Some(Class::Route(fault));
    match code {
        21211 | 21217 | 21401 | 21604 | 30005 => number(NumberFault::Invalid),
        21614 | 21635 | 30006 => number(NumberFault::Landline),
        21610 => number(NumberFault::OptedOut),
        20003 | 20005 | 10001 => route(RouteFault::Auth),
        30002 => route(RouteFault::Credit),
        14107 | 20429 | 21611 | 30001 | 30022 | 30023 | 30027 => route(RouteFault::Throttled),
        // 30004 says blocked, landline and stopped in one: no reason to give the number up. 30450 and 60410 are
        // guards against fraud, 21219 and 21608 trial accounts.
        21408 | 21612 | 30004 | 30450 | 60410 | 21219 | 21608 => route(RouteFault::Region),
        21212 | 21603 | 21606 | 21659 | 21703 | 21704 | 30018 | 30024 | 30032 | 30034 => {
            route(RouteFault::Sender)
        }
        21617 | 21618 | 30007 | 30038 => route(RouteFault::Content),
        30003 | 30008 | 30036 => Some(Class::Phone),
        // The carrier gave no answer, and Twilio does not ask it again.
        30410 => Some(Class::Unknown),
        _ => None,
    }
}

/// What an operator may not know of a code.
pub(super) fn hint(code: u32) -> &'static str {
    match code {
        21219 | 21608 => " (the account is in trial)",
        30450 | 60410 => " (held back as fraud)",
        30036 => " (it expired)",
        _ => "",
    }
}
