//! Requests that change numbers, as commands: which account, what to do with it.

use ringback_core::command::Which;
use ringback_core::moment::Id;
use ringback_core::number::NumberRules;
use ringback_core::{Action, Delivery, Number, Refusal, Verification};

use super::rules::{invalid, length};
use crate::proto::ringback::phone::v1::{
    AddUserPhoneRequest, ChangeUserPhoneRequest, ConfirmUserPhoneRemovalRequest,
    PreverifyUserPhoneRequest, RemoveUserPhoneRequest, RequestUserPhoneRemovalRequest,
    ResendUserPhoneChangeRequest, SetPrimaryUserPhoneRequest, UnlockUserRequest,
    VerifyUserPhoneRequest, add_user_phone_request::Verification as Arm,
    verify_user_phone_request::Subject,
};

/// What a request asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Wish {
    pub(super) account: String,
    pub(super) action: Action,
}

impl Wish {
    fn new(account: String, action: Action) -> Result<Wish, Refusal> {
        length("user_id", &account, 1)?;
        Ok(Wish { account, action })
    }
}

pub(super) fn add(request: AddUserPhoneRequest, rules: &NumberRules) -> Result<Wish, Refusal> {
    length("phone", &request.phone, 1)?;
    let verification = match request.verification {
        None | Some(Arm::SendCode(_)) => Some(Verification::Code(Delivery::Send)),
        Some(Arm::ReturnCode(_)) => Some(Verification::Code(Delivery::Return)),
        Some(Arm::IsVerified(true)) => Some(Verification::Trusted),
        Some(Arm::IsVerified(false)) => {
            let rule = "must be true; to prove the number another time, choose later";
            return Err(invalid("is_verified", rule));
        }
        Some(Arm::Later(_)) => None,
    };
    let action = Action::AddPhone {
        number: Number::parse(&request.phone, rules),
        verification,
    };
    Wish::new(request.user_id, action)
}

pub(super) fn preverify(
    request: PreverifyUserPhoneRequest,
    rules: &NumberRules,
) -> Result<Wish, Refusal> {
    length("phone", &request.phone, 1)?;
    let number = Number::parse(&request.phone, rules);
    Wish::new(request.user_id, Action::PreverifyPhone { number })
}

pub(super) fn verify(
    request: VerifyUserPhoneRequest,
    rules: &NumberRules,
) -> Result<Wish, Refusal> {
    let which = match request.subject {
        None => return Err(invalid("challenge_id", "is missing; give it, or phone")),
        Some(Subject::ChallengeId(text)) => Which::Challenge(id("challenge_id", &text)?),
        Some(Subject::Phone(text)) => {
            length("phone", &text, 1)?;
            Which::Number(Number::parse(&text, rules))
        }
    };
    let code = code(request.verification_code)?;
    Wish::new(request.user_id, Action::ConfirmPhone { which, code })
}

pub(super) fn request_removal(request: RequestUserPhoneRemovalRequest) -> Result<Wish, Refusal> {
    let phone = id("phone_id", &request.phone_id)?;
    Wish::new(request.user_id, Action::RequestRemoval { phone })
}

pub(super) fn confirm_removal(request: ConfirmUserPhoneRemovalRequest) -> Result<Wish, Refusal> {
    let action = Action::ConfirmRemoval {
        phone: id("phone_id", &request.phone_id)?,
        challenge: id("challenge_id", &request.challenge_id)?,
        code: code(request.verification_code)?,
    };
    Wish::new(request.user_id, action)
}

pub(super) fn remove(request: RemoveUserPhoneRequest) -> Result<Wish, Refusal> {
    let phone = id("phone_id", &request.phone_id)?;
    Wish::new(request.user_id, Action::DropPhone { phone })
}

pub(super) fn change(
    request: ChangeUserPhoneRequest,
    rules: &NumberRules,
) -> Result<Wish, Refusal> {
    length("phone", &request.phone, 1)?;
    let number = Number::parse(&request.phone, rules);
    Wish::new(request.user_id, Action::ChangePhone { number })
}

pub(super) fn resend_change(request: ResendUserPhoneChangeRequest) -> Result<Wish, Refusal> {
    Wish::new(request.user_id, Action::ResendChange)
}

pub(super) fn make_primary(request: SetPrimaryUserPhoneRequest) -> Result<Wish, Refusal> {
    let phone = id("phone_id", &request.phone_id)?;
    Wish::new(request.user_id, Action::MakePrimary { phone })
}

pub(super) fn unlock(request: UnlockUserRequest) -> Result<Wish, Refusal> {
    Wish::new(request.user_id, Action::Unlock)
}

fn id(field: &str, text: &str) -> Result<Id, Refusal> {
    Id::parse(text).ok_or_else(|| invalid(field, "must be an id as a response gave it"))
}

/// Whether it is a code is the core's to say; what is longer than any is none.
fn code(text: String) -> Result<String, Refusal> {
    if !(1..=20).contains(&text.chars().count()) {
        return Err(invalid("verification_code", "must have 1 to 20 characters"));
    }
    Ok(text)
}
