//! Updates of users become commands, or are refused by field.

use super::*;

fn phone_update(phone: Option<SetHumanPhone>) -> UpdateUserRequest {
    update_of(update::Human {
        phone,
        ..update::Human::default()
    })
}

#[test]
fn an_update_keeps_sets_or_removes_the_number() {
    let change = |phone| match update_user(phone_update(phone), &mut refuse())
        .unwrap()
        .action
    {
        Action::Change(Change::Update { phone, .. }) => phone,
        other => panic!("not an update: {other:?}"),
    };
    assert_eq!(change(None), PhoneChange::Keep);
    assert_eq!(change(Some(SetHumanPhone::default())), PhoneChange::Remove);
    assert_eq!(
        change(Some(trusted_phone())),
        PhoneChange::Set(SetPhone {
            number: NUMBER.into(),
            verification: Verification::Trusted
        })
    );
}

#[test]
fn a_removal_cannot_be_verified() {
    let empty = SetHumanPhone {
        phone: String::new(),
        verification: Some(set_human_phone::Verification::SendCode(
            SendPhoneVerificationCode {},
        )),
    };
    assert!(verifies_removal(&phone_update(Some(empty))));
    assert!(!verifies_removal(&phone_update(Some(
        SetHumanPhone::default()
    ))));
    assert!(!verifies_removal(&phone_update(Some(trusted_phone()))));
    assert!(!verifies_removal(&phone_update(None)));
    assert!(!verifies_removal(&UpdateUserRequest::default()));
}

#[test]
fn an_update_changes_only_what_it_names() {
    let mut request = update_of(update::Human {
        profile: Some(update::human::Profile {
            nick_name: Some(String::new()),
            gender: Some(1),
            ..update::human::Profile::default()
        }),
        email: Some(mail(None)),
        ..update::Human::default()
    });
    request.username = Some("annie".into());
    let expected = ProfileChange {
        username: Some("annie".into()),
        nick_name: Some(String::new()),
        gender: Some(1),
        email: Some(("ann@example.com".into(), false)),
        ..ProfileChange::default()
    };
    assert_eq!(
        update_user(request, &mut refuse()).unwrap().action,
        Action::Change(Change::Update {
            profile: Box::new(expected),
            phone: PhoneChange::Keep
        })
    );
    let whole = UpdateHumanUserRequest {
        user_id: "ann".into(),
        profile: Some(profile()),
        phone: Some(SetHumanPhone::default()),
        ..UpdateHumanUserRequest::default()
    };
    let Action::Change(Change::Update { profile, phone }) =
        update_human(whole, &mut refuse()).unwrap().action
    else {
        panic!("not an update");
    };
    assert_eq!(profile.given_name.as_deref(), Some("Ann"));
    assert_eq!(profile.nick_name, None);
    // This method cannot remove: an empty number is a bad one.
    assert_eq!(
        phone,
        PhoneChange::Set(SetPhone {
            number: "".into(),
            verification: Verification::Code(Delivery::Send)
        })
    );
}

#[test]
fn inner_fields_are_named_with_their_path() {
    let long = update_of(update::Human {
        profile: Some(update::human::Profile {
            given_name: Some(String::new()),
            ..update::human::Profile::default()
        }),
        ..update::Human::default()
    });
    let caused = "embedded message failed validation | caused by:";
    assert_eq!(
        said(update_user(long, &mut refuse())),
        format!(
            "invalid UpdateUserRequest.Human: {caused} invalid UpdateUserRequest_Human.Profile: {caused} \
             invalid UpdateUserRequest_Human_Profile.GivenName: value length must be between 1 and 200 \
             runes, inclusive"
        )
    );
    let checked = |change: fn(&mut SetHumanProfile)| {
        let mut profile = profile();
        change(&mut profile);
        said(checked_profile(profile))
    };
    assert_eq!(
        checked(|p| p.preferred_language = Some("x".repeat(11))),
        "invalid SetHumanProfile.PreferredLanguage: value length must be at most 10 runes"
    );
    assert_eq!(
        checked(|p| p.gender = Some(9)),
        "invalid SetHumanProfile.Gender: value must be one of the defined enum values"
    );
    assert!(checked(|p| p.family_name.clear()).starts_with("invalid SetHumanProfile.FamilyName"));
    let unverified = SetHumanPhone {
        phone: NUMBER.into(),
        verification: Some(set_human_phone::Verification::IsVerified(false)),
    };
    assert_eq!(
        said(set_human_phone(unverified)),
        "invalid SetHumanPhone.IsVerified: value must equal true"
    );
    let bad = SetHumanEmail {
        email: "ann".into(),
        verification: None,
    };
    assert_eq!(
        said(address(bad, "email", &mut refuse())),
        "invalid SetHumanEmail.Email: value must be a valid email address"
    );
}
