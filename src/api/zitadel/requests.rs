//! Zitadel's requests as commands: which account, what to do with it.

use ringback_core::account::Profile;
use ringback_core::command::{PhoneChange, ProfileChange, SetPhone};
use ringback_core::number::NumberRules;
use ringback_core::{Action, Delivery, Number, Refusal, Verification};

use super::rules::{
    TEXT, TEXT_OR_NONE, always_true, defined, email, length, length_if_given, required,
    unsupported, within,
};
use crate::proto::zitadel::object::v2::{Organization, organization::Org};
use crate::proto::zitadel::user::v2::{
    AddHumanUserRequest, CreateUserRequest, DeleteUserRequest, Gender, RemovePhoneRequest,
    ResendPhoneCodeRequest, SetHumanEmail, SetHumanPhone, SetHumanProfile, SetPassword,
    SetPhoneRequest, UpdateHumanUserRequest, UpdateUserRequest, VerifyPhoneRequest,
    add_human_user_request as add, create_user_request as create,
    resend_phone_code_request::Verification as ResendArm, set_human_email, set_human_phone,
    set_phone_request, update_user_request as update,
};

/// What a request asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Wish {
    pub(super) account: String,
    pub(super) action: Action,
}

pub(super) fn set_phone(request: SetPhoneRequest, rules: &NumberRules) -> Result<Wish, Refusal> {
    use set_phone_request::Verification as Arm;
    length("SetPhoneRequest.UserId", &request.user_id, TEXT)?;
    length("SetPhoneRequest.Phone", &request.phone, TEXT)?;
    let verification = match request.verification {
        None | Some(Arm::SendCode(_)) => Verification::Code(Delivery::Send),
        Some(Arm::ReturnCode(_)) => Verification::Code(Delivery::Return),
        Some(Arm::IsVerified(value)) => {
            always_true("SetPhoneRequest.IsVerified", value)?;
            Verification::Trusted
        }
    };
    Ok(Wish {
        account: request.user_id,
        action: Action::Change(Change::Set(SetPhone {
            number: Number::parse(&request.phone, rules),
            verification,
        })),
    })
}

pub(super) fn resend(request: ResendPhoneCodeRequest) -> Result<Wish, Refusal> {
    length("ResendPhoneCodeRequest.UserId", &request.user_id, TEXT)?;
    Ok(Wish {
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

pub(super) fn verify(request: VerifyPhoneRequest) -> Result<Wish, Refusal> {
    length("VerifyPhoneRequest.UserId", &request.user_id, TEXT)?;
    let field = "VerifyPhoneRequest.VerificationCode";
    length(field, &request.verification_code, 1..=20)?;
    Ok(Wish {
        account: request.user_id,
        action: Action::Change(Change::Verify {
            which: Which::Primary,
            guess: Guess(request.verification_code),
        }),
    })
}

pub(super) fn remove(request: RemovePhoneRequest) -> Result<Wish, Refusal> {
    length("RemovePhoneRequest.UserId", &request.user_id, TEXT)?;
    Ok(Wish {
        account: request.user_id,
        action: Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    })
}

pub(super) fn delete(request: DeleteUserRequest) -> Result<Wish, Refusal> {
    length("DeleteUserRequest.UserId", &request.user_id, TEXT)?;
    Ok(Wish {
        account: request.user_id,
        action: Action::Delete,
    })
}

/// `fresh_id` names a user whom the request leaves unnamed.
pub(super) fn add_human(
    request: AddHumanUserRequest,
    rules: &NumberRules,
    fresh_id: impl FnOnce() -> String,
) -> Result<Wish, Refusal> {
    let at = |field: &str| format!("AddHumanUserRequest.{field}");
    length_if_given(&at("UserId"), request.user_id.as_ref(), TEXT)?;
    length_if_given(&at("Username"), request.username.as_ref(), TEXT)?;
    let profile = request.profile.map(checked_profile).transpose();
    let profile = within(&at("Profile"), profile)?;
    let address = request
        .email
        .map(|email| address(email, "email"))
        .transpose();
    let address = within(&at("Email"), address)?;
    let phone = within(&at("Phone"), first_phone(request.phone, rules))?;
    let organization = within(&at("Organization"), organization(request.organization))?;
    if !request.metadata.is_empty() {
        return Err(unsupported("metadata"));
    }
    match request.password_type {
        None => {}
        Some(add::PasswordType::Password(_)) => return Err(unsupported("password")),
        Some(add::PasswordType::HashedPassword(_)) => return Err(unsupported("hashedPassword")),
    }
    if !request.idp_links.is_empty() {
        return Err(unsupported("idpLinks"));
    }
    if request.totp_secret.is_some() {
        return Err(unsupported("totpSecret"));
    }
    Ok(Wish {
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
    rules: &NumberRules,
    fresh_id: impl FnOnce() -> String,
) -> Result<Wish, Refusal> {
    let field = "CreateUserRequest.OrganizationId";
    length(field, &request.organization_id, TEXT_OR_NONE)?;
    let field = "CreateUserRequest.UserId";
    length_if_given(field, request.user_id.as_ref(), TEXT)?;
    let field = "CreateUserRequest.Username";
    length_if_given(field, request.username.as_ref(), TEXT)?;
    let human = match request.user_type {
        Some(create::UserType::Human(human)) => human,
        Some(create::UserType::Machine(_)) => return Err(unsupported("machine")),
        None => return Err(required("CreateUserRequest.UserType")),
    };
    let parts = within("CreateUserRequest.Human", new_human(human, rules));
    let (profile, address, phone) = parts?;
    let organization = request.organization_id;
    Ok(Wish {
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

fn new_human(human: create::Human, rules: &NumberRules) -> Result<NewHuman, Refusal> {
    let at = |field: &str| format!("CreateUserRequest_Human.{field}");
    let profile = within(
        &at("Profile"),
        human.profile.map(checked_profile).transpose(),
    )?;
    let address = human
        .email
        .map(|email| address(email, "human.email"))
        .transpose();
    let address = within(&at("Email"), address)?;
    let phone = within(&at("Phone"), first_phone(human.phone, rules))?;
    match human.password_type {
        None => {}
        Some(create::human::PasswordType::Password(_)) => {
            return Err(unsupported("human.password"));
        }
        Some(create::human::PasswordType::HashedPassword(_)) => {
            return Err(unsupported("human.hashedPassword"));
        }
    }
    if !human.idp_links.is_empty() {
        return Err(unsupported("human.idpLinks"));
    }
    if human.totp_secret.is_some() {
        return Err(unsupported("human.totpSecret"));
    }
    if !human.metadata.is_empty() {
        return Err(unsupported("human.metadata"));
    }
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
    rules: &NumberRules,
) -> Result<Wish, Refusal> {
    length("UpdateUserRequest.UserId", &request.user_id, TEXT)?;
    let field = "UpdateUserRequest.Username";
    length_if_given(field, request.username.as_ref(), TEXT)?;
    let human = match request.user_type {
        Some(update::UserType::Human(human)) => human,
        Some(update::UserType::Machine(_)) => return Err(unsupported("machine")),
        None => update::Human::default(),
    };
    let (mut profile, phone) = within("UpdateUserRequest.Human", human_change(human, rules))?;
    profile.username = request.username;
    Ok(Wish {
        account: request.user_id,
        action: Action::Change(Change::Update {
            profile: Box::new(profile),
            phone,
        }),
    })
}

fn human_change(
    human: update::Human,
    rules: &NumberRules,
) -> Result<(ProfileChange, PhoneChange), Refusal> {
    let at = |field: &str| format!("UpdateUserRequest_Human.{field}");
    let profile = human.profile.unwrap_or_default();
    within(&at("Profile"), check_profile_parts(&profile))?;
    let email = human
        .email
        .map(|email| address(email, "human.email"))
        .transpose();
    let email = within(&at("Email"), email)?;
    let phone = match human.phone {
        None => PhoneChange::Keep,
        Some(phone) if phone.phone.is_empty() && phone.verification.is_none() => {
            PhoneChange::Remove
        }
        Some(phone) => PhoneChange::Set(within(&at("Phone"), set_human_phone(phone, rules))?),
    };
    no_password(human.password.as_ref(), "human.password")?;
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
    rules: &NumberRules,
) -> Result<Wish, Refusal> {
    let at = |field: &str| format!("UpdateHumanUserRequest.{field}");
    length(&at("UserId"), &request.user_id, TEXT)?;
    length_if_given(&at("Username"), request.username.as_ref(), TEXT)?;
    let profile = request.profile.map(checked_profile).transpose();
    let profile = within(&at("Profile"), profile)?;
    let email = request
        .email
        .map(|email| address(email, "email"))
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
        Some(phone) => PhoneChange::Set(within(&at("Phone"), set_human_phone(phone, rules))?),
    };
    no_password(request.password.as_ref(), "password")?;
    Ok(Wish {
        account: request.user_id,
        action: Action::Change(Change::Update {
            profile: Box::new(change),
            phone,
        }),
    })
}

fn no_password(password: Option<&SetPassword>, name: &str) -> Result<(), Refusal> {
    password.map_or(Ok(()), |_| Err(unsupported(name)))
}

fn organization(organization: Option<Organization>) -> Result<Option<String>, Refusal> {
    match organization.and_then(|organization| organization.org) {
        None => Ok(None),
        Some(Org::OrgId(id)) => {
            length("Organization.OrgId", &id, TEXT)?;
            Ok(Some(id))
        }
        Some(Org::OrgDomain(_)) => Err(unsupported("organization.orgDomain")),
    }
}

/// `name` is the field as the JSON spells it. Nothing here sends e-mail, so no code can go out or come back.
fn address(wanted: SetHumanEmail, name: &str) -> Result<(String, bool), Refusal> {
    use set_human_email::Verification as Arm;
    email("SetHumanEmail.Email", &wanted.email)?;
    match wanted.verification {
        None => Ok((wanted.email, false)),
        Some(Arm::IsVerified(value)) => {
            always_true("SetHumanEmail.IsVerified", value)?;
            Ok((wanted.email, true))
        }
        Some(Arm::SendCode(_)) => Err(unsupported(&format!("{name}.sendCode"))),
        Some(Arm::ReturnCode(_)) => Err(unsupported(&format!("{name}.returnCode"))),
    }
}

/// The number of a user that comes to be; an empty one is none, as in Zitadel, unless it comes with a way
/// to prove it.
fn first_phone(
    phone: Option<SetHumanPhone>,
    rules: &NumberRules,
) -> Result<Option<SetPhone>, Refusal> {
    phone
        .filter(|phone| !phone.phone.is_empty() || phone.verification.is_some())
        .map(|phone| set_human_phone(phone, rules))
        .transpose()
}

fn set_human_phone(phone: SetHumanPhone, rules: &NumberRules) -> Result<SetPhone, Refusal> {
    use set_human_phone::Verification as Arm;
    length("SetHumanPhone.Phone", &phone.phone, TEXT_OR_NONE)?;
    let verification = match phone.verification {
        None | Some(Arm::SendCode(_)) => Verification::Code(Delivery::Send),
        Some(Arm::ReturnCode(_)) => Verification::Code(Delivery::Return),
        Some(Arm::IsVerified(value)) => {
            always_true("SetHumanPhone.IsVerified", value)?;
            Verification::Trusted
        }
    };
    Ok(SetPhone {
        number: Number::parse(&phone.phone, rules),
        verification,
    })
}

fn checked_profile(profile: SetHumanProfile) -> Result<SetHumanProfile, Refusal> {
    length("SetHumanProfile.GivenName", &profile.given_name, TEXT)?;
    length("SetHumanProfile.FamilyName", &profile.family_name, TEXT)?;
    let optional = OptionalParts {
        message: "SetHumanProfile",
        nick_name: profile.nick_name.as_ref(),
        display_name: profile.display_name.as_ref(),
        preferred_language: profile.preferred_language.as_ref(),
        gender: profile.gender,
    };
    optional.check().map(|()| profile)
}

fn check_profile_parts(profile: &update::human::Profile) -> Result<(), Refusal> {
    let at = |field: &str| format!("UpdateUserRequest_Human_Profile.{field}");
    length_if_given(&at("GivenName"), profile.given_name.as_ref(), TEXT)?;
    length_if_given(&at("FamilyName"), profile.family_name.as_ref(), TEXT)?;
    let optional = OptionalParts {
        message: "UpdateUserRequest_Human_Profile",
        nick_name: profile.nick_name.as_ref(),
        display_name: profile.display_name.as_ref(),
        preferred_language: profile.preferred_language.as_ref(),
        gender: profile.gender,
    };
    optional.check()
}

/// What two messages have in common.
struct OptionalParts<'a> {
    message: &'static str,
    nick_name: Option<&'a String>,
    display_name: Option<&'a String>,
    preferred_language: Option<&'a String>,
    gender: Option<i32>,
}

impl OptionalParts<'_> {
    fn check(&self) -> Result<(), Refusal> {
        let at = |field: &str| format!("{}.{field}", self.message);
        length_if_given(&at("NickName"), self.nick_name, TEXT_OR_NONE)?;
        length_if_given(&at("DisplayName"), self.display_name, TEXT_OR_NONE)?;
        let field = at("PreferredLanguage");
        length_if_given(&field, self.preferred_language, 0..=10)?;
        self.gender.map_or(Ok(()), |gender| {
            defined::<Gender>(&at("Gender"), gender).map(|_| ())
        })
    }
}

/// Where nothing else is said, the e-mail address is the name to log in with and the two names are the one
/// to show.
fn new_profile(
    username: Option<String>,
    profile: Option<SetHumanProfile>,
    address: Option<(String, bool)>,
) -> Profile {
    let profile = profile.unwrap_or_default();
    let (email, email_verified) = address.unwrap_or_default();
    let full_name = || format!("{} {}", profile.given_name, profile.family_name);
    let display_name = profile
        .display_name
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| full_name().trim().to_owned());
    Profile {
        username: username.unwrap_or_else(|| email.clone()),
        display_name,
        given_name: profile.given_name,
        family_name: profile.family_name,
        nick_name: profile.nick_name.unwrap_or_default(),
        preferred_language: profile.preferred_language.unwrap_or_default(),
        gender: profile.gender.unwrap_or_default(),
        email,
        email_verified,
    }
}

#[cfg(test)]
mod tests;
