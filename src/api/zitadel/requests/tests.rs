//! Requests become commands, or are refused by field.

use ringback_core::{account::Profile, policy};

use super::*;
use crate::proto::zitadel::user::v2::{
    HashedPassword, IdpLink, Metadata, Password, ReturnEmailVerificationCode,
    ReturnPhoneVerificationCode, SendEmailVerificationCode, SendPhoneVerificationCode,
    SetMetadataEntry, SetPassword,
};

mod unkept;
mod updates;

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

fn update_of(human: update::Human) -> UpdateUserRequest {
    UpdateUserRequest {
        user_id: "ann".into(),
        username: None,
        user_type: Some(update::UserType::Human(human)),
    }
}
