//! Who a user is, as Zitadel's messages say it.

use ringback_core::Refusal;
use ringback_core::account::Profile;

use crate::api::zitadel::rules::{defined, length, length_if_given};
use crate::proto::zitadel::user::v2::{Gender, SetHumanProfile, update_user_request as update};

pub(super) fn checked_profile(profile: SetHumanProfile) -> Result<SetHumanProfile, Refusal> {
    length("SetHumanProfile.GivenName", &profile.given_name)?;
    length("SetHumanProfile.FamilyName", &profile.family_name)?;
    let optional = OptionalParts {
        message: "SetHumanProfile",
        nick_name: profile.nick_name.as_ref(),
        display_name: profile.display_name.as_ref(),
        preferred_language: profile.preferred_language.as_ref(),
        gender: profile.gender,
    };
    optional.check().map(|()| profile)
}

pub(super) fn check_profile_parts(profile: &update::human::Profile) -> Result<(), Refusal> {
    let at = |field: &str| format!("UpdateUserRequest_Human_Profile.{field}");
    length_if_given(&at("GivenName"), profile.given_name.as_ref())?;
    length_if_given(&at("FamilyName"), profile.family_name.as_ref())?;
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
        length_if_given(&at("NickName"), self.nick_name)?;
        length_if_given(&at("DisplayName"), self.display_name)?;
        let field = at("PreferredLanguage");
        length_if_given(&field, self.preferred_language)?;
        self.gender.map_or(Ok(()), |gender| {
            defined::<Gender>(&at("Gender"), gender).map(|_| ())
        })
    }
}

/// Where nothing else is said, the e-mail address is the name to log in with and the two names are the one
/// to show.
pub(super) fn new_profile(
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
