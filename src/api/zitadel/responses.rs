//! Accounts and replies as Zitadel's messages.

use ringback_core::{Account, Phone, Profile, Reply, Time};

use crate::proto::zitadel::object::v2::Details;
use crate::proto::zitadel::user::v2::{
    HumanEmail, HumanPhone, HumanProfile, HumanUser, User, UserState, user,
};

pub(super) fn timestamp(time: Time) -> prost_types::Timestamp {
    const SECOND: i64 = 1_000_000;
    prost_types::Timestamp {
        seconds: time.0.div_euclid(SECOND),
        nanos: i32::try_from(time.0.rem_euclid(SECOND) * 1_000).unwrap_or_default(),
    }
}

pub(super) fn details(reply: &Reply) -> Details {
    Details {
        sequence: reply.account.sequence,
        change_date: Some(timestamp(reply.account.changed_at)),
        resource_owner: reply.account.organization.clone(),
        creation_date: Some(timestamp(reply.account.created_at)),
    }
}

pub(super) fn account_details(account: &Account) -> Details {
    Details {
        sequence: account.sequence,
        change_date: Some(timestamp(account.changed_at)),
        resource_owner: account.organization.clone(),
        creation_date: Some(timestamp(account.created_at)),
    }
}

/// The code in the clear, when the caller asked for it and may have it.
pub(super) fn code(reply: &Reply) -> Option<String> {
    reply.code.as_ref().map(|code| code.reveal().to_owned())
}

pub(super) fn user(account: &Account) -> User {
    let username = &account.profile.username;
    User {
        user_id: account.id.clone(),
        state: UserState::Active.into(),
        username: username.clone(),
        login_names: vec![username.clone()],
        preferred_login_name: username.clone(),
        details: Some(account_details(account)),
        r#type: Some(user::Type::Human(human(account))),
    }
}

/// The members that repeat the user's own stay empty, as in Zitadel.
fn human(account: &Account) -> HumanUser {
    let profile = &account.profile;
    HumanUser {
        profile: Some(wire_profile(profile)),
        email: Some(HumanEmail {
            email: profile.email.clone(),
            is_verified: profile.email_verified,
        }),
        // Present also without a number: clients of Zitadel read it without asking.
        phone: Some(account.primary_phone().map(wire_phone).unwrap_or_default()),
        ..HumanUser::default()
    }
}

fn wire_phone(phone: &Phone) -> HumanPhone {
    HumanPhone {
        phone: phone.number.as_str().to_owned(),
        is_verified: phone.verified(),
    }
}

fn wire_profile(profile: &Profile) -> HumanProfile {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    HumanProfile {
        given_name: profile.given_name.clone(),
        family_name: profile.family_name.clone(),
        nick_name: given(&profile.nick_name),
        display_name: given(&profile.display_name),
        preferred_language: given(&profile.preferred_language),
        gender: (profile.gender != 0).then_some(profile.gender),
        avatar_url: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use ringback_core::account::AccountLimits;

    use super::*;

    #[test]
    fn times_before_1970_count_forwards() {
        let stamp = |micros| {
            let stamp = timestamp(Time(micros));
            (stamp.seconds, stamp.nanos)
        };
        assert_eq!(stamp(1_700_000_000_123_456), (1_700_000_000, 123_456_000));
        assert_eq!(stamp(-1), (-1, 999_999_000));
    }

    #[test]
    fn a_user_without_a_number_has_an_empty_phone() {
        let account = Account {
            id: "ann".into(),
            organization: "acme".into(),
            sequence: 3,
            created_at: Time(1_000_000),
            changed_at: Time(2_000_000),
            profile: Profile {
                username: "ann@example.com".into(),
                given_name: "Ann".into(),
                ..Profile::default()
            },
            phones: Vec::new(),
            primary: None,
            challenges: Vec::new(),
            limits: AccountLimits::default(),
        };
        let user = user(&account);
        assert_eq!(user.state, UserState::Active as i32);
        assert_eq!(user.login_names, ["ann@example.com"]);
        let details = user.details.unwrap();
        assert_eq!(
            (details.sequence, details.resource_owner.as_str()),
            (3, "acme")
        );
        assert_eq!(details.creation_date.unwrap().seconds, 1);
        assert_eq!(details.change_date.unwrap().seconds, 2);
        let Some(user::Type::Human(human)) = user.r#type else {
            panic!("a human");
        };
        assert_eq!(human.phone, Some(HumanPhone::default()));
        assert_eq!(human.profile.unwrap().nick_name, None);
    }
}
