//! What a verb has to say beside the account's state.

use crate::account::Account;
use crate::code::Code;
use crate::command::{CodeTimes, Reply};
use crate::moment::Id;

/// A reply without its account.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) phone: Option<Id>,
    pub(super) challenge: Option<Id>,
    pub(super) code: Option<Code>,
    pub(super) times: Option<CodeTimes>,
}

impl Outcome {
    pub(super) fn reply(self, account: Account) -> Reply {
        let Outcome {
            phone,
            challenge,
            code,
            times,
        } = self;
        Reply {
            account,
            phone,
            challenge,
            code,
            times,
        }
    }
}

/// About one number.
pub(super) fn reply_about(phone: Id) -> Outcome {
    Outcome {
        phone: Some(phone),
        ..Outcome::default()
    }
}
