//! Zitadel's requests as commands: which account, what to do with it.

mod profile;

use ringback_core::account::ProfileChange;
use ringback_core::command::{PhoneChange, SetPhone};
use ringback_core::{Action, Change, Delivery, Guess, Refusal, Verification, Which};

use super::rules::{always_true, email, length, length_if_given, required, unsupported, within};
use super::unkept::Unkept;
use crate::api::shared::Asked;
use crate::proto::zitadel::object::v2::{Organization, organization::Org};
use crate::proto::zitadel::user::v2::{
    AddHumanUserRequest, CreateUserRequest, DeleteUserRequest, RemovePhoneRequest,
    ResendPhoneCodeRequest, SetHumanEmail, SetHumanPhone, SetHumanProfile, SetPhoneRequest,
    UpdateHumanUserRequest, UpdateUserRequest, VerifyPhoneRequest, add_human_user_request as add,
    create_user_request as create, resend_phone_code_request::Verification as ResendArm,
    set_human_email, set_human_phone, set_phone_request, update_user_request as update,
};

use profile::{check_profile_parts, checked_profile, new_profile};

pub(super) fn set_phone(request: SetPhoneRequest) -> Result<Asked, Refusal> {
    use set_phone_request::Verification as Arm;
    length("SetPhoneRequest.UserId", &request.user_id)?;
    length("SetPhoneRequest.Phone", &request.phone)?;
    let verification = match request.verification {
        None | Some(Arm::SendCode(_)) => Verification::Code(Delivery::Send),
        Some(Arm::ReturnCode(_)) => Verification::Code(Delivery::Return),
        Some(Arm::IsVerified(value)) => {
            always_true("SetPhoneRequest.IsVerified", value)?;
            Verification::Trusted
        }
    };
    Ok(Asked {
        account: request.user_id,
        action: Action::Change(Change::Set(SetPhone {
            number: request.phone.into(),
            verification,
        })),
    })
}

pub(super) fn resend(request: ResendPhoneCodeRequest) -> Result<Asked, Refusal> {
    length("ResendPhoneCodeRequest.UserId", &request.user_id)?;
    Ok(Asked {
        account: request.user_id,
        action: Action::Change(Change::Resend {
            which: Which::Primary,
            delivery: match request.verification {
                None | Some(ResendArm::SendCode(_)) => Delivery::Send,
                Some(ResendArm::ReturnCode(_)) => Delivery::Return,
            },
        }),
    })
}

pub(super) fn verify(request: VerifyPhoneRequest) -> Result<Asked, Refusal> {
    length("VerifyPhoneRequest.UserId", &request.user_id)?;
    let field = "VerifyPhoneRequest.VerificationCode";
    length(field, &request.verification_code)?;
    Ok(Asked {
        account: request.user_id,
        action: Action::Change(Change::Verify {
            which: Which::Primary,
            guess: Guess(request.verification_code),
        }),
    })
}

pub(super) fn remove(request: RemovePhoneRequest) -> Result<Asked, Refusal> {
    length("RemovePhoneRequest.UserId", &request.user_id)?;
    Ok(Asked {
        account: request.user_id,
        action: Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    })
}

pub(super) fn delete(request: DeleteUserRequest) -> Result<Asked, Refusal> {
    length("DeleteUserRequest.UserId", &request.user_id)?;
    Ok(Asked {
        account: request.user_id,
        action: Action::Delete,
    })
}

/// `fresh_id` names a user whom the request leaves unnamed.
pub(super) fn add_human(
    request: AddHumanUserRequest,
    unkept: &mut Unkept,
    fresh_id: impl FnOnce() -> String,
) -> Result<Asked, Refusal> {
    let at = |field: &str| format!("AddHumanUserRequest.{field}");
    length_if_given(&at("UserId"), request.user_id.as_ref())?;
    length_if_given(&at("Username"), request.username.as_ref())?;
    let profile = request.profile.map(checked_profile).transpose();
    let profile = within(&at("Profile"), profile)?;
    let email = request.email;
    let address = email
        .map(|email| address(email, "email", unkept))
        .transpose();
    let address = within(&at("Email"), address)?;
    let phone = within(&at("Phone"), first_phone(request.phone))?;
    let organization = within(&at("Organization"), organization(request.organization))?;
    unkept.part_if(!request.metadata.is_empty(), "metadata")?;
    match request.password_type {
        None => {}
        Some(add::PasswordType::Password(_)) => unkept.part("password")?,
        Some(add::PasswordType::HashedPassword(_)) => unkept.part("hashedPassword")?,
    }
    unkept.part_if(!request.idp_links.is_empty(), "idpLinks")?;
    unkept.part_if(request.totp_secret.is_some(), "totpSecret")?;
    Ok(Asked {
        account: request.user_id.unwrap_or_else(fresh_id),
        action: Action::Register {
            organization,
            profile: Box::new(new_profile(request.username, profile, address)),
            phone,
        },
    })
}

/// `fresh_id` names a user whom the request leaves unnamed.
pub(super) fn create_user(
    request: CreateUserRequest,
    unkept: &mut Unkept,
    fresh_id: impl FnOnce() -> String,
) -> Result<Asked, Refusal> {
    let field = "CreateUserRequest.OrganizationId";
    length(field, &request.organization_id)?;
    let field = "CreateUserRequest.UserId";
    length_if_given(field, request.user_id.as_ref())?;
    let field = "CreateUserRequest.Username";
    length_if_given(field, request.username.as_ref())?;
    let human = match request.user_type {
        Some(create::UserType::Human(human)) => human,
        Some(create::UserType::Machine(_)) => return Err(unsupported("machine")),
        None => return Err(required("CreateUserRequest.UserType")),
    };
    let parts = within("CreateUserRequest.Human", new_human(human, unkept));
    let (profile, address, phone) = parts?;
    let organization = request.organization_id;
    Ok(Asked {
        account: request.user_id.unwrap_or_else(fresh_id),
        action: Action::Register {
            organization: (!organization.is_empty()).then_some(organization),
            profile: Box::new(new_profile(request.username, profile, address)),
            phone,
        },
    })
}

type NewHuman = (
    Option<SetHumanProfile>,
    Option<(String, bool)>,
    Option<SetPhone>,
);

fn new_human(human: create::Human, unkept: &mut Unkept) -> Result<NewHuman, Refusal> {
    let at = |field: &str| format!("CreateUserRequest_Human.{field}");
    let profile = within(
        &at("Profile"),
        human.profile.map(checked_profile).transpose(),
    )?;
    let email = human.email;
    let address = email
        .map(|email| address(email, "human.email", unkept))
        .transpose();
    let address = within(&at("Email"), address)?;
    let phone = within(&at("Phone"), first_phone(human.phone))?;
    match human.password_type {
        None => {}
        Some(create::human::PasswordType::Password(_)) => unkept.part("human.password")?,
        Some(create::human::PasswordType::HashedPassword(_)) => {
            unkept.part("human.hashedPassword")?;
        }
    }
    unkept.part_if(!human.idp_links.is_empty(), "human.idpLinks")?;
    unkept.part_if(human.totp_secret.is_some(), "human.totpSecret")?;
    unkept.part_if(!human.metadata.is_empty(), "human.metadata")?;
    Ok((profile, address, phone))
}

/// Whether an empty number, which asks for removal, comes with a way to prove it.
pub(super) fn verifies_removal(request: &UpdateUserRequest) -> bool {
    let Some(update::UserType::Human(human)) = &request.user_type else {
        return false;
    };
    human
        .phone
        .as_ref()
        .is_some_and(|phone| phone.phone.is_empty() && phone.verification.is_some())
}

pub(super) fn update_user(
    request: UpdateUserRequest,
    unkept: &mut Unkept,
) -> Result<Asked, Refusal> {
    length("UpdateUserRequest.UserId", &request.user_id)?;
    let field = "UpdateUserRequest.Username";
    length_if_given(field, request.username.as_ref())?;
    let human = match request.user_type {
        Some(update::UserType::Human(human)) => human,
        Some(update::UserType::Machine(_)) => return Err(unsupported("machine")),
        None => update::Human::default(),
    };
    let (mut profile, phone) = within("UpdateUserRequest.Human", human_change(human, unkept))?;
    profile.username = request.username;
    Ok(Asked {
        account: request.user_id,
        action: Action::Change(Change::Update {
            profile: Box::new(profile),
            phone,
        }),
    })
}

fn human_change(
    human: update::Human,
    unkept: &mut Unkept,
) -> Result<(ProfileChange, PhoneChange), Refusal> {
    let at = |field: &str| format!("UpdateUserRequest_Human.{field}");
    let profile = human.profile.unwrap_or_default();
    within(&at("Profile"), check_profile_parts(&profile))?;
    let email = human
        .email
        .map(|email| address(email, "human.email", unkept))
        .transpose();
    let email = within(&at("Email"), email)?;
    let phone = match human.phone {
        None => PhoneChange::Keep,
        Some(phone) if phone.phone.is_empty() && phone.verification.is_none() => {
            PhoneChange::Remove
        }
        Some(phone) => PhoneChange::Set(within(&at("Phone"), set_human_phone(phone))?),
    };
    unkept.part_if(human.password.is_some(), "human.password")?;
    let change = ProfileChange {
        username: None,
        given_name: profile.given_name,
        family_name: profile.family_name,
        nick_name: profile.nick_name,
        display_name: profile.display_name,
        preferred_language: profile.preferred_language,
        gender: profile.gender,
        email,
    };
    Ok((change, phone))
}

pub(super) fn update_human(
    request: UpdateHumanUserRequest,
    unkept: &mut Unkept,
) -> Result<Asked, Refusal> {
    let at = |field: &str| format!("UpdateHumanUserRequest.{field}");
    length(&at("UserId"), &request.user_id)?;
    length_if_given(&at("Username"), request.username.as_ref())?;
    let profile = request.profile.map(checked_profile).transpose();
    let profile = within(&at("Profile"), profile)?;
    let email = request
        .email
        .map(|email| address(email, "email", unkept))
        .transpose();
    let mut change = ProfileChange {
        username: request.username,
        email: within(&at("Email"), email)?,
        ..ProfileChange::default()
    };
    if let Some(profile) = profile {
        change.given_name = Some(profile.given_name);
        change.family_name = Some(profile.family_name);
        change.nick_name = profile.nick_name;
        change.display_name = profile.display_name;
        change.preferred_language = profile.preferred_language;
        change.gender = profile.gender;
    }
    let phone = match request.phone {
        None => PhoneChange::Keep,
        Some(phone) => PhoneChange::Set(within(&at("Phone"), set_human_phone(phone))?),
    };
    unkept.part_if(request.password.is_some(), "password")?;
    Ok(Asked {
        account: request.user_id,
        action: Action::Change(Change::Update {
            profile: Box::new(change),
            phone,
        }),
    })
}

fn organization(organization: Option<Organization>) -> Result<Option<String>, Refusal> {
    match organization.and_then(|organization| organization.org) {
        None => Ok(None),
        Some(Org::OrgId(id)) => {
            length("Organization.OrgId", &id)?;
            Ok(Some(id))
        }
        Some(Org::OrgDomain(_)) => Err(unsupported("organization.orgDomain")),
    }
}

/// `name` is the field as the JSON spells it. Nothing here sends e-mail, so no code can go out or come back.
fn address(
    wanted: SetHumanEmail,
    name: &str,
    unkept: &mut Unkept,
) -> Result<(String, bool), Refusal> {
    use set_human_email::Verification as Arm;
    email("SetHumanEmail.Email", &wanted.email)?;
    match wanted.verification {
        None => Ok((wanted.email, false)),
        Some(Arm::IsVerified(value)) => {
            always_true("SetHumanEmail.IsVerified", value)?;
            Ok((wanted.email, true))
        }
        Some(Arm::SendCode(_)) => {
            unkept.part(&format!("{name}.sendCode"))?;
            Ok((wanted.email, false))
        }
        Some(Arm::ReturnCode(_)) => {
            unkept.part(&format!("{name}.returnCode"))?;
            Ok((wanted.email, false))
        }
    }
}

/// The number of a user that comes to be; an empty one is none, as in Zitadel, unless it comes with a way
/// to prove it.
fn first_phone(phone: Option<SetHumanPhone>) -> Result<Option<SetPhone>, Refusal> {
    phone
        .filter(|phone| !phone.phone.is_empty() || phone.verification.is_some())
        .map(set_human_phone)
        .transpose()
}

fn set_human_phone(phone: SetHumanPhone) -> Result<SetPhone, Refusal> {
    use set_human_phone::Verification as Arm;
    length("SetHumanPhone.Phone", &phone.phone)?;
    let verification = match phone.verification {
        None | Some(Arm::SendCode(_)) => Verification::Code(Delivery::Send),
        Some(Arm::ReturnCode(_)) => Verification::Code(Delivery::Return),
        Some(Arm::IsVerified(value)) => {
            always_true("SetHumanPhone.IsVerified", value)?;
            Verification::Trusted
        }
    };
    Ok(SetPhone {
        number: phone.phone.into(),
        verification,
    })
}

#[cfg(test)]
mod tests;
