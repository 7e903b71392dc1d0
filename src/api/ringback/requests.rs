//! Requests that change numbers, as commands: which account, what to do with it.

use ringback_core::moment::Id;
use ringback_core::{Action, Change, Delivery, Guess, Refusal, Verification, Which};

use super::rules::{invalid, length};
use crate::api::shared::Asked;
use crate::proto::ringback::phone::v1::{
    AddUserPhoneRequest, ChangeUserPhoneRequest, ConfirmUserPhoneRemovalRequest,
    PreverifyUserPhoneRequest, RemoveUserPhoneRequest, RequestUserPhoneRemovalRequest,
    ResendUserPhoneChangeRequest, SetPrimaryUserPhoneRequest, UnlockUserRequest,
    VerifyUserPhoneRequest, add_user_phone_request::Verification as Arm,
    verify_user_phone_request::Subject,
};

/// `message` is the request's name in `proto/`.
fn asked(message: &str, account: String, action: Action) -> Result<Asked, Refusal> {
    length(message, "user_id", &account)?;
    Ok(Asked { account, action })
}

pub(super) fn add(request: AddUserPhoneRequest) -> Result<Asked, Refusal> {
    length("AddUserPhoneRequest", "phone", &request.phone)?;
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
    let action = Action::Change(Change::Add {
        number: request.phone.into(),
        verification,
    });
    asked("AddUserPhoneRequest", request.user_id, action)
}

pub(super) fn preverify(request: PreverifyUserPhoneRequest) -> Result<Asked, Refusal> {
    length("PreverifyUserPhoneRequest", "phone", &request.phone)?;
    let number = request.phone.into();
    asked(
        "PreverifyUserPhoneRequest",
        request.user_id,
        Action::Change(Change::Preverify { number }),
    )
}

pub(super) fn verify(request: VerifyUserPhoneRequest) -> Result<Asked, Refusal> {
    let which = match request.subject {
        None => return Err(invalid("challenge_id", "is missing; give it, or phone")),
        Some(Subject::ChallengeId(text)) => Which::Challenge(id("challenge_id", &text)?),
        Some(Subject::Phone(text)) => {
            length("VerifyUserPhoneRequest", "phone", &text)?;
            Which::Number(text.into())
        }
    };
    let code = code("VerifyUserPhoneRequest", request.verification_code)?;
    asked(
        "VerifyUserPhoneRequest",
        request.user_id,
        Action::Change(Change::Verify {
            which,
            guess: Guess(code),
        }),
    )
}

pub(super) fn request_removal(request: RequestUserPhoneRemovalRequest) -> Result<Asked, Refusal> {
    let phone = id("phone_id", &request.phone_id)?;
    asked(
        "RequestUserPhoneRemovalRequest",
        request.user_id,
        Action::Change(Change::RequestRemoval { phone }),
    )
}

pub(super) fn confirm_removal(request: ConfirmUserPhoneRemovalRequest) -> Result<Asked, Refusal> {
    let action = Action::Change(Change::ConfirmRemoval {
        phone: id("phone_id", &request.phone_id)?,
        challenge: id("challenge_id", &request.challenge_id)?,
        guess: Guess(code(
            "ConfirmUserPhoneRemovalRequest",
            request.verification_code,
        )?),
    });
    asked("ConfirmUserPhoneRemovalRequest", request.user_id, action)
}

pub(super) fn remove(request: RemoveUserPhoneRequest) -> Result<Asked, Refusal> {
    let phone = id("phone_id", &request.phone_id)?;
    asked(
        "RemoveUserPhoneRequest",
        request.user_id,
        Action::Change(Change::Remove {
            which: Which::Phone(phone),
        }),
    )
}

pub(super) fn change(request: ChangeUserPhoneRequest) -> Result<Asked, Refusal> {
    length("ChangeUserPhoneRequest", "phone", &request.phone)?;
    let number = request.phone.into();
    asked(
        "ChangeUserPhoneRequest",
        request.user_id,
        Action::Change(Change::Replace { number }),
    )
}

pub(super) fn resend_change(request: ResendUserPhoneChangeRequest) -> Result<Asked, Refusal> {
    asked(
        "ResendUserPhoneChangeRequest",
        request.user_id,
        Action::Change(Change::Resend {
            which: Which::Next,
            delivery: Delivery::Send,
        }),
    )
}

pub(super) fn make_primary(request: SetPrimaryUserPhoneRequest) -> Result<Asked, Refusal> {
    let phone = id("phone_id", &request.phone_id)?;
    asked(
        "SetPrimaryUserPhoneRequest",
        request.user_id,
        Action::Change(Change::MakePrimary { phone }),
    )
}

pub(super) fn unlock(request: UnlockUserRequest) -> Result<Asked, Refusal> {
    asked(
        "UnlockUserRequest",
        request.user_id,
        Action::Change(Change::Unlock),
    )
}

fn id(field: &str, text: &str) -> Result<Id, Refusal> {
    Id::parse(text).ok_or_else(|| invalid(field, "must be an id as a response gave it"))
}

/// Whether it is a code is the core's to say; what is longer than any is none.
fn code(message: &str, text: String) -> Result<String, Refusal> {
    length(message, "verification_code", &text)?;
    Ok(text)
}
