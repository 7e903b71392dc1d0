//! Requests become commands, or are refused by field.

use ringback_core::{account::Profile, policy};

use super::*;
use crate::proto::zitadel::user::v2::{
    HashedPassword, IdpLink, Metadata, Password, ReturnEmailVerificationCode,
    ReturnPhoneVerificationCode, SendEmailVerificationCode, SendPhoneVerificationCode,
    SetMetadataEntry, SetPassword,
};

const NUMBER: &str = "+41 79 123 45 67";

/// What is not kept is refused.
fn refuse() -> Unkept {
    Unkept::new(policy::Unkept::Refuse)
}

fn fresh() -> String {
    "fresh".into()
}

fn said<T>(result: Result<T, Refusal>) -> String {
    match result.map(|_| ()) {
        Err(Refusal::FieldInvalid { field, rule }) => format!("invalid {field}: {rule}"),
        other => panic!("not about a field: {other:?}"),
    }
}

fn refused<T>(result: Result<T, Refusal>) -> String {
    match result.map(|_| ()) {
        Err(Refusal::Unsupported { what }) => what,
        other => panic!("not about something unsupported: {other:?}"),
    }
}

fn set(verification: Option<set_phone_request::Verification>) -> Result<Asked, Refusal> {
    let request = SetPhoneRequest {
        user_id: "ann".into(),
        phone: NUMBER.into(),
        verification,
    };
    set_phone(request)
}

#[test]
fn every_arm_of_set_phone_is_a_verification() {
    use set_phone_request::Verification as Arm;
    let arms = [
        (None, Verification::Code(Delivery::Send)),
        (
            Some(Arm::SendCode(SendPhoneVerificationCode {})),
            Verification::Code(Delivery::Send),
        ),
        (
            Some(Arm::ReturnCode(ReturnPhoneVerificationCode {})),
            Verification::Code(Delivery::Return),
        ),
        (Some(Arm::IsVerified(true)), Verification::Trusted),
    ];
    for (arm, verification) in arms {
        let expected = Asked {
            account: "ann".into(),
            action: Action::Change(Change::Set(SetPhone {
                number: NUMBER.into(),
                verification,
            })),
        };
        assert_eq!(set(arm), Ok(expected));
    }
    assert_eq!(
        said(set(Some(Arm::IsVerified(false)))),
        "invalid SetPhoneRequest.IsVerified: value must equal true"
    );
}

#[test]
fn lengths_of_set_phone_count_characters() {
    let ask = |user_id: &str, phone: &str| {
        let request = SetPhoneRequest {
            user_id: user_id.into(),
            phone: phone.into(),
            verification: None,
        };
        set_phone(request)
    };
    let rule = "value length must be between 1 and 200 runes, inclusive";
    assert!(ask(&"é".repeat(200), NUMBER).is_ok());
    assert_eq!(
        said(ask(&"é".repeat(201), NUMBER)),
        format!("invalid SetPhoneRequest.UserId: {rule}")
    );
    assert!(ask("ann", &"é".repeat(200)).is_ok());
    assert_eq!(
        said(ask("ann", &"é".repeat(201))),
        format!("invalid SetPhoneRequest.Phone: {rule}")
    );
    assert_eq!(
        said(ask("ann", "")),
        format!("invalid SetPhoneRequest.Phone: {rule}")
    );
}

#[test]
fn a_bad_number_is_for_the_core_to_refuse() {
    let request = SetPhoneRequest {
        user_id: "ann".into(),
        phone: "079 123 45 67".into(),
        verification: None,
    };
    let request = set_phone(request).unwrap();
    let Action::Change(Change::Set(set)) = request.action else {
        panic!("not a number");
    };
    assert_eq!(set.number, "079 123 45 67".into());
}

#[test]
fn the_other_phone_methods() {
    let user_id = || "ann".to_owned();
    let resend = |verification| {
        let request = ResendPhoneCodeRequest {
            user_id: user_id(),
            verification,
        };
        resend(request).unwrap().action
    };
    assert_eq!(
        resend(None),
        Action::Change(Change::Resend {
            which: Which::Primary,
            delivery: Delivery::Send
        })
    );
    let returned = Some(ResendArm::ReturnCode(ReturnPhoneVerificationCode {}));
    assert_eq!(
        resend(returned),
        Action::Change(Change::Resend {
            which: Which::Primary,
            delivery: Delivery::Return
        })
    );

    let verify = |code: &str| {
        verify(VerifyPhoneRequest {
            user_id: user_id(),
            verification_code: code.into(),
        })
    };
    let code = "é".repeat(20);
    assert_eq!(
        verify(&code).unwrap().action,
        Action::Change(Change::Verify {
            which: Which::Primary,
            guess: Guess(code.clone())
        })
    );
    for bad in [String::new(), format!("{code}é")] {
        assert_eq!(
            said(verify(&bad)),
            "invalid VerifyPhoneRequest.VerificationCode: value length must be between 1 and 20 runes, \
             inclusive"
        );
    }

    let gone = remove(RemovePhoneRequest { user_id: user_id() }).unwrap();
    assert_eq!(
        gone.action,
        Action::Change(Change::Remove {
            which: Which::Primary
        })
    );
    let gone = delete(DeleteUserRequest { user_id: user_id() }).unwrap();
    assert_eq!((gone.account, gone.action), (user_id(), Action::Delete));
    assert!(
        said(remove(RemovePhoneRequest::default()))
            .starts_with("invalid RemovePhoneRequest.UserId")
    );
    assert!(
        said(delete(DeleteUserRequest::default())).starts_with("invalid DeleteUserRequest.UserId")
    );
}

fn profile() -> SetHumanProfile {
    SetHumanProfile {
        given_name: "Ann".into(),
        family_name: "Lee".into(),
        ..SetHumanProfile::default()
    }
}

fn mail(verification: Option<set_human_email::Verification>) -> SetHumanEmail {
    SetHumanEmail {
        email: "ann@example.com".into(),
        verification,
    }
}

fn trusted_phone() -> SetHumanPhone {
    SetHumanPhone {
        phone: NUMBER.into(),
        verification: Some(set_human_phone::Verification::IsVerified(true)),
    }
}

#[test]
fn a_human_is_added_with_what_is_given() {
    let request = AddHumanUserRequest {
        profile: Some(profile()),
        email: Some(mail(Some(set_human_email::Verification::IsVerified(true)))),
        phone: Some(trusted_phone()),
        organization: Some(Organization {
            org: Some(Org::OrgId("acme".into())),
        }),
        ..AddHumanUserRequest::default()
    };
    let expected = Profile {
        username: "ann@example.com".into(),
        given_name: "Ann".into(),
        family_name: "Lee".into(),
        display_name: "Ann Lee".into(),
        email: "ann@example.com".into(),
        email_verified: true,
        ..Profile::default()
    };
    let request = add_human(request, &mut refuse(), fresh).unwrap();
    assert_eq!(request.account, "fresh");
    assert_eq!(
        request.action,
        Action::Register {
            organization: Some("acme".into()),
            profile: Box::new(expected),
            phone: Some(SetPhone {
                number: NUMBER.into(),
                verification: Verification::Trusted
            }),
        }
    );
}

#[test]
fn a_user_needs_no_more_than_to_be_a_human() {
    let bare = CreateUserRequest {
        user_id: Some("ann".into()),
        user_type: Some(create::UserType::Human(create::Human {
            phone: Some(SetHumanPhone::default()),
            ..create::Human::default()
        })),
        ..CreateUserRequest::default()
    };
    let request = create_user(bare, &mut refuse(), fresh).unwrap();
    assert_eq!(request.account, "ann");
    assert_eq!(
        request.action,
        Action::Register {
            organization: None,
            profile: Box::default(),
            phone: None
        }
    );
    assert_eq!(
        said(create_user(
            CreateUserRequest::default(),
            &mut refuse(),
            fresh
        )),
        "invalid CreateUserRequest.UserType: value is required"
    );
}

#[test]
fn an_empty_first_number_with_a_verification_is_not_dropped() {
    let request = AddHumanUserRequest {
        phone: Some(SetHumanPhone {
            phone: String::new(),
            verification: trusted_phone().verification,
        }),
        ..AddHumanUserRequest::default()
    };
    let request = add_human(request, &mut refuse(), fresh).unwrap();
    let Action::Register {
        phone: Some(phone), ..
    } = request.action
    else {
        panic!("no number");
    };
    assert_eq!(phone.number, "".into());
}

#[test]
fn what_is_not_kept_is_refused_as_the_json_spells_it() {
    let add = |change: fn(&mut AddHumanUserRequest)| {
        let mut request = AddHumanUserRequest::default();
        change(&mut request);
        refused(add_human(request, &mut refuse(), fresh))
    };
    use set_human_email::Verification as EmailArm;
    assert_eq!(
        add(|r| r.metadata = vec![SetMetadataEntry::default()]),
        "metadata"
    );
    assert_eq!(
        add(|r| r.password_type = Some(add::PasswordType::Password(Password::default()))),
        "password"
    );
    assert_eq!(
        add(|r| {
            r.password_type = Some(add::PasswordType::HashedPassword(HashedPassword::default()));
        }),
        "hashedPassword"
    );
    assert_eq!(add(|r| r.idp_links = vec![IdpLink::default()]), "idpLinks");
    assert_eq!(add(|r| r.totp_secret = Some(String::new())), "totpSecret");
    assert_eq!(
        add(|r| {
            r.organization = Some(Organization {
                org: Some(Org::OrgDomain("example.com".into())),
            });
        }),
        "organization.orgDomain"
    );
    let send = || EmailArm::SendCode(SendEmailVerificationCode::default());
    assert_eq!(
        refused(add_human(
            AddHumanUserRequest {
                email: Some(mail(Some(send()))),
                ..AddHumanUserRequest::default()
            },
            &mut refuse(),
            fresh
        )),
        "email.sendCode"
    );

    let create = |change: fn(&mut create::Human)| {
        let mut human = create::Human::default();
        change(&mut human);
        let request = CreateUserRequest {
            user_type: Some(create::UserType::Human(human)),
            ..CreateUserRequest::default()
        };
        refused(create_user(request, &mut refuse(), fresh))
    };
    use create::human::PasswordType;
    assert_eq!(
        create(|h| h.password_type = Some(PasswordType::Password(Password::default()))),
        "human.password"
    );
    assert_eq!(
        create(|h| h.password_type = Some(PasswordType::HashedPassword(HashedPassword::default()))),
        "human.hashedPassword"
    );
    assert_eq!(
        create(|h| h.idp_links = vec![IdpLink::default()]),
        "human.idpLinks"
    );
    assert_eq!(
        create(|h| h.totp_secret = Some("x".into())),
        "human.totpSecret"
    );
    assert_eq!(
        create(|h| h.metadata = vec![Metadata::default()]),
        "human.metadata"
    );
    assert_eq!(
        create(|h| {
            h.email = Some(mail(Some(EmailArm::ReturnCode(
                ReturnEmailVerificationCode {},
            ))));
        }),
        "human.email.returnCode"
    );
    let machine = CreateUserRequest {
        user_type: Some(create::UserType::Machine(create::Machine::default())),
        ..CreateUserRequest::default()
    };
    assert_eq!(
        refused(create_user(machine, &mut refuse(), fresh)),
        "machine"
    );
    let machine = UpdateUserRequest {
        user_id: "ann".into(),
        user_type: Some(update::UserType::Machine(update::Machine::default())),
        ..UpdateUserRequest::default()
    };
    assert_eq!(refused(update_user(machine, &mut refuse())), "machine");
    let password = UpdateHumanUserRequest {
        user_id: "ann".into(),
        password: Some(SetPassword::default()),
        ..UpdateHumanUserRequest::default()
    };
    assert_eq!(refused(update_human(password, &mut refuse())), "password");
    let password = update_of(update::Human {
        password: Some(SetPassword::default()),
        ..update::Human::default()
    });
    assert_eq!(
        refused(update_user(password, &mut refuse())),
        "human.password"
    );
}

fn update_of(human: update::Human) -> UpdateUserRequest {
    UpdateUserRequest {
        user_id: "ann".into(),
        username: None,
        user_type: Some(update::UserType::Human(human)),
    }
}

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
