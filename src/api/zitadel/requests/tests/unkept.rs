//! What is not kept is refused, or left out and named.

use super::*;

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
