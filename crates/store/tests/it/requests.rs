//! Callers and the commands that tests send.

use ringback_core::account::ProfileChange;
use ringback_core::command::{PhoneChange, SetPhone};
use ringback_core::refusal::CodeFailure;
use ringback_core::rights::Rights;
use ringback_core::{
    Account, Action, Caller, Change, Command, Delivery, Guess, Number, Profile, Refusal, Reply,
    Verification, Which,
};
use ringback_store::Store;
use std::sync::Arc;

pub const SEND: Verification = Verification::Code(Delivery::Send);
pub const RETURN: Verification = Verification::Code(Delivery::Return);
pub const TRUSTED: Verification = Verification::Trusted;

/// A service that may do everything everywhere.
pub fn service() -> Caller {
    Caller {
        everywhere: Rights::ALL,
        ..Caller::new("service", "acme")
    }
}

/// Another such service.
pub fn service_named(name: &str) -> Caller {
    Caller {
        user: name.into(),
        ..service()
    }
}

/// A user without rights over others.
pub fn own(user: &str) -> Caller {
    Caller {
        language: "de".into(),
        ..Caller::new(user, "acme")
    }
}

/// What a service that may do everything sees of an account.
pub trait FindAccount {
    async fn find_account(&self, id: &str) -> Result<Option<Arc<Account>>, Refusal>;
}

impl FindAccount for Store {
    async fn find_account(&self, id: &str) -> Result<Option<Arc<Account>>, Refusal> {
        match self.read(&service(), id).await {
            Ok(account) => Ok(Some(account)),
            Err(Refusal::AccountNotFound) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

pub fn number(n: u32) -> Number {
    Number::from_stored(format!("+4179{n:07}"))
}

pub fn set_phone(number: &Number, verification: Verification) -> SetPhone {
    SetPhone {
        number: number.as_str().into(),
        verification,
    }
}

pub fn set(number: &Number, verification: Verification) -> Action {
    Action::Change(Change::Set(set_phone(number, verification)))
}

pub fn guess(code: &str) -> Action {
    Action::Change(Change::Verify {
        which: Which::Primary,
        guess: Guess(code.into()),
    })
}

pub fn register(profile: Profile, phone: Option<SetPhone>) -> Action {
    Action::Register {
        organization: None,
        profile: Box::new(profile),
        phone,
    }
}

pub fn named(username: &str) -> Action {
    let profile = Profile {
        username: username.into(),
        ..Profile::default()
    };
    register(profile, None)
}

pub fn rename(username: &str) -> Action {
    Action::Change(Change::Update {
        profile: Box::new(ProfileChange {
            username: Some(username.into()),
            ..ProfileChange::default()
        }),
        phone: PhoneChange::Keep,
    })
}

pub fn command(caller: &Caller, account: &str, action: Action) -> Command {
    Command {
        caller: caller.clone(),
        account: account.into(),
        action,
    }
}

/// What it is given is copied, so that many can be made in a loop and awaited together.
pub fn act(
    store: &Store,
    caller: &Caller,
    account: &str,
    action: Action,
) -> impl Future<Output = Result<Reply, Refusal>> + use<> {
    let (store, command) = (store.clone(), command(caller, account, action));
    async move { store.execute(command, None).await }
}

/// As the service, and it must succeed.
pub fn does(store: &Store, account: &str, action: Action) -> impl Future<Output = Reply> + use<> {
    let doing = act(store, &service(), account, action);
    async move { doing.await.expect("must succeed") }
}

/// Sets a number with its code returned, and says the code.
pub async fn code_for(store: &Store, account: &str, number: &Number) -> String {
    let reply = does(store, account, set(number, RETURN)).await;
    reply.code.expect("a code").reveal().to_owned()
}

/// A code of the right form that is not the right one.
pub fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &code[..code.len() - 1])
}

pub fn failed(result: &Result<Reply, Refusal>, failure: CodeFailure) -> bool {
    *result == Err(Refusal::CodeRefused(failure))
}
