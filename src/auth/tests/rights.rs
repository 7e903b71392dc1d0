//! Tests of what tokens allow, and where.

use ringback_core::rights::Rights;

use super::*;
use crate::config::Permission;

const READ: Rights = Rights {
    read: true,
    ..Rights::NONE
};
const WRITE: Rights = Rights {
    write: true,
    ..Rights::NONE
};
const LISTED: &str = "urn:zitadel:iam:org:project:roles";

/// One issuer with these settings, and others beside it.
fn auth_of(
    change: impl FnOnce(&mut IssuerSection),
    others: &[(&str, IssuerSection)],
) -> Result<Auth, ConfigError> {
    let mut config = Config::load(None, []).unwrap();
    let mut issuer = with_secret();
    change(&mut issuer);
    config.auth.issuers.insert("main".into(), issuer);
    for (name, other) in others {
        config.auth.issuers.insert((*name).into(), other.clone());
    }
    Auth::new(&config.auth, "default", Hands::new().clock())
}

fn with(change: impl FnOnce(&mut IssuerSection)) -> Auth {
    auth_of(change, &[]).unwrap()
}

/// An issuer whose tokens a test does not make.
fn other(organization: &str) -> IssuerSection {
    IssuerSection {
        issuer: "https://other.example.com".into(),
        organization: organization.into(),
        ..with_secret()
    }
}

/// A token's rights in its own organisation, in `acme`, and in every one.
async fn rights(auth: &Auth, more: Value) -> (Rights, Rights, Rights) {
    let caller = ask_with(auth, more).await.unwrap();
    let (home, acme) = (caller.rights_at(&caller.home), caller.rights_at("acme"));
    (home, acme, caller.everywhere)
}

#[tokio::test]
async fn rights_come_from_permissions_and_roles() {
    let auth = with(|_| ());
    let (none, all) = (Rights::NONE, Rights::ALL);
    let users = Rights {
        read_messages: false,
        write_messages: false,
        read_guard: false,
        write_guard: false,
        read_audit: false,
        ..all
    };
    for (more, here, everywhere) in [
        (json!({"permissions": ["user.read"]}), READ, none),
        (json!({"roles": ["ORG_OWNER"]}), all, none),
        (json!({"roles": ["ORG_USER_MANAGER"]}), users, none),
        (json!({"roles": ["IAM_OWNER"]}), all, all),
        (
            json!({"roles": ["unknown"], "permissions": ["user", "read", "*"]}),
            none,
            none,
        ),
        (
            json!({"roles": ["not IAM_OWNER"], "permissions": ["no user.read"]}),
            none,
            none,
        ),
        (
            json!({"roles": "IAM_OWNER", "permissions": {"user.read": true}}),
            none,
            none,
        ),
        (
            json!({"permissions": ["IAM_OWNER"], "scope": "IAM_OWNER"}),
            none,
            none,
        ),
        // Only this service makes tokens for back ends.
        (
            json!({"type": "vendor", "scopes": ["user.read"]}),
            none,
            none,
        ),
    ] {
        let (home, _, all) = rights(&auth, more.clone()).await;
        assert_eq!((home, all), (here, everywhere), "{more}");
    }
}

#[tokio::test]
async fn a_permission_beside_a_role_that_holds_everywhere_stays_where_it_is() {
    let mut config = Config::load(None, []).unwrap();
    config.auth.issuers.insert("main".into(), with_secret());
    let reads = vec![Permission::Read];
    config.auth.roles.insert("AUDITOR".into(), reads);
    config.auth.everywhere_roles.push("AUDITOR".into());
    let auth = Auth::new(&config.auth, "default", Hands::new().clock()).unwrap();
    let more = json!({"roles": ["AUDITOR"], "permissions": ["user.write"]});
    let caller = ask_with(&auth, more).await.unwrap();
    assert_eq!(caller.everywhere, READ);
    assert_eq!(caller.rights_at("default"), READ.or(WRITE));
    assert_eq!(caller.rights_at("acme"), READ);
}

#[tokio::test]
async fn a_scope_in_an_end_users_token_grants_nothing_unless_the_issuer_says_so() {
    let (plain, granting) = (with(|_| ()), with(|issuer| issuer.scopes_grant = true));
    for more in [
        json!({"scope": "openid user.read"}),
        json!({"scope": ["user.read"]}),
        json!({"scopes": ["openid", "user.read"]}),
        json!({"scopes": "user.read"}),
    ] {
        let none = (Rights::NONE, Rights::NONE, Rights::NONE);
        assert_eq!(rights(&plain, more.clone()).await, none, "{more}");
        assert_eq!(rights(&granting, more.clone()).await.0, READ, "{more}");
    }
    let caller = ask_with(&plain, json!({"scope": "a b", "scopes": ["c"]})).await;
    assert_eq!(*caller.unwrap().scopes, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_listed_role_counts_only_where_it_is_listed() {
    let (none, all) = (Rights::NONE, Rights::ALL);
    let home = |issuer: &mut IssuerSection| issuer.home_organizations = vec!["hq".into()];
    for (auth, more, expected) in [
        (
            with(|_| ()),
            json!({LISTED: {"ORG_OWNER": {"acme": "x"}}}),
            (none, all, none),
        ),
        (
            with(|_| ()),
            json!({LISTED: {"ORG_OWNER": {"default": "x"}}}),
            (all, none, none),
        ),
        (
            with(|_| ()),
            json!({LISTED: {"ORG_OWNER": {}}}),
            (none, none, none),
        ),
        // Not everywhere, wherever it was given, unless the configuration says where is home.
        (
            with(|_| ()),
            json!({LISTED: {"IAM_OWNER": {"acme": "x"}}}),
            (none, all, none),
        ),
        (
            with(home),
            json!({LISTED: {"IAM_OWNER": {"acme": "x"}}}),
            (none, all, none),
        ),
        (
            with(home),
            json!({LISTED: {"IAM_OWNER": {"hq": "x", "acme": "x"}}}),
            (all, all, all),
        ),
        (
            with(home),
            json!({LISTED: {"ORG_OWNER": {"hq": "x"}}}),
            (none, none, none),
        ),
        (
            with(|issuer| {
                home(issuer);
                issuer.everywhere = Some(false);
            }),
            json!({LISTED: {"IAM_OWNER": {"hq": "x"}}}),
            (none, none, none),
        ),
    ] {
        assert_eq!(rights(&auth, more.clone()).await, expected, "{more}");
    }
}

#[tokio::test]
async fn roles_are_found_where_the_issuer_says() {
    let all = Rights::ALL;
    for (claim, more) in [
        ("groups", json!({"groups": ["ORG_OWNER"]})),
        (
            "realm_access.roles",
            json!({"realm_access": {"roles": ["ORG_OWNER"]}}),
        ),
        (
            "https://acme.example/roles",
            json!({"https://acme.example/roles": ["ORG_OWNER"]}),
        ),
        (
            "apps.my.app.roles",
            json!({"apps": {"my.app": {"roles": ["ORG_OWNER"]}}}),
        ),
        // By its literal name first.
        (
            "a.b",
            json!({"a.b": ["ORG_OWNER"], "a": {"b": ["IAM_OWNER"]}}),
        ),
        (
            "urn:zitadel:iam:org:project:7:roles",
            json!({"urn:zitadel:iam:org:project:7:roles": {"ORG_OWNER": {"default": "x"}}}),
        ),
    ] {
        let auth = with(|issuer| issuer.roles_claim = claim.into());
        let found = rights(&auth, more).await;
        assert_eq!(found, (all, Rights::NONE, Rights::NONE), "{claim}");
        let usual = rights(&auth, json!({"roles": ["ORG_OWNER"]})).await;
        assert_eq!(usual.0, Rights::NONE, "{claim} instead of roles");
    }
}

#[tokio::test]
async fn an_issuer_grants_no_more_than_it_may() {
    let owner = json!({"roles": ["IAM_OWNER"], "permissions": ["user.delete"]});
    let (none, all) = (Rights::NONE, Rights::ALL);
    let reads = with(|issuer| issuer.may_grant = Some(vec![Permission::Read]));
    assert_eq!(rights(&reads, owner.clone()).await, (READ, READ, READ));
    let here = with(|issuer| issuer.everywhere = Some(false));
    assert_eq!(rights(&here, owner.clone()).await, (all, none, none));
    let nothing = with(|issuer| issuer.may_grant = Some(vec![]));
    assert_eq!(rights(&nothing, owner.clone()).await, (none, none, none));
    // Beside another one it has to be said.
    let organization = |issuer: &mut IssuerSection| issuer.organization = "acme".into();
    let beside = auth_of(organization, &[("other", other("theirs"))]).unwrap();
    assert_eq!(rights(&beside, owner.clone()).await, (none, none, none));
    let said = |issuer: &mut IssuerSection| {
        organization(issuer);
        issuer.may_grant = Some(vec![Permission::Read, Permission::Write]);
    };
    let beside = auth_of(said, &[("other", other("theirs"))]).unwrap();
    let found = rights(&beside, owner).await;
    assert_eq!(found, (READ.or(WRITE), READ.or(WRITE), none));
}

#[tokio::test]
async fn an_issuer_of_one_organisation_gives_roles_in_no_other() {
    let said = |issuer: &mut IssuerSection| {
        issuer.organization = "ours".into();
        issuer.may_grant = Some(vec![Permission::Read]);
    };
    let auth = auth_of(said, &[("other", other("acme"))]).unwrap();
    let more =
        json!({"org_id": "acme", LISTED: {"ORG_OWNER": {"acme": "x", "third": "x", "ours": "x"}}});
    let caller = ask_with(&auth, more).await.unwrap();
    assert_eq!(caller.home, "ours", "its claim is not read");
    let found = ["ours", "acme", "third"].map(|name| caller.rights_at(name));
    assert_eq!(found, [READ, Rights::NONE, Rights::NONE]);
}

#[tokio::test]
async fn nobody_comes_from_an_organisation_of_another_issuer() {
    let said = |issuer: &mut IssuerSection| {
        issuer.organization_claim = "company.id".into();
        issuer.may_grant = Some(vec![Permission::Read]);
    };
    let auth = auth_of(said, &[("other", other("acme"))]).unwrap();
    let home = async |more: Value| ask_with(&auth, more).await.map(|caller| caller.home);
    let invalid = Err(Refusal::TokenInvalid);
    assert_eq!(home(json!({"company": {"id": "x"}})).await, Ok("x".into()));
    assert_eq!(home(json!({"company": {"id": "acme"}})).await, invalid);
    assert_eq!(home(json!({"org_id": "x"})).await, Ok("default".into()));
    let more = json!({"company": {"id": "x"}, LISTED: {"ORG_OWNER": {"acme": "x", "x": "x"}}});
    let caller = ask_with(&auth, more).await.unwrap();
    assert_eq!(caller.rights_at("acme"), Rights::NONE);
    assert_eq!(caller.rights_at("x"), READ);
    // Whose users are those of the default organisation must not be open.
    for organization in ["", "default"] {
        let auth = auth_of(said, &[("other", other(organization))]).unwrap();
        let unnamed = ask_with(&auth, json!({})).await;
        assert_eq!(unnamed, Err(Refusal::TokenInvalid), "{organization}");
    }
}

#[tokio::test]
async fn the_organisation_is_the_first_found() {
    let auth = auth(with_secret(), &Hands::new());
    let zitadel = "urn:zitadel:iam:user:resourceowner:id";
    for (more, expected) in [
        (json!({}), Ok("default")),
        (json!({"org_id": "c"}), Ok("c")),
        (json!({"org_id": "c", "tenantId": "b"}), Ok("b")),
        (
            json!({"org_id": "c", "tenantId": "b", zitadel: "a"}),
            Ok("a"),
        ),
        (json!({"org_id": "c", "tenantId": ""}), Ok("c")),
        (
            json!({"org_id": "x".repeat(201)}),
            Err(Refusal::TokenInvalid),
        ),
        (
            json!({"tenantId": 7, "org_id": "c"}),
            Err(Refusal::TokenInvalid),
        ),
    ] {
        let organization = ask_with(&auth, more.clone())
            .await
            .map(|caller| caller.organization);
        assert_eq!(organization, expected.map(str::to_owned), "{more}");
    }
}

#[tokio::test]
async fn an_audience_is_asked_for_unless_the_issuer_says_otherwise() {
    let auth = with(|issuer| {
        issuer.audiences.clear();
        issuer.audience_required = Some(false);
    });
    for audience in [json!(null), json!("somebody"), json!(["a", "b"])] {
        assert!(ask_with(&auth, json!({"aud": audience})).await.is_ok());
    }
    // Those that are listed are asked for all the same.
    let auth = with(|issuer| issuer.audience_required = Some(false));
    let refused = ask_with(&auth, json!({"aud": "somebody"})).await;
    assert_eq!(refused, Err(Refusal::TokenInvalid));
}

#[tokio::test]
async fn only_those_with_a_right_elsewhere_choose_the_organisation() {
    let auth = auth(with_secret(), &Hands::new());
    let acting = async |more: Value, named: &str| {
        let mut said = claims(json!({"org_id": "acme"}));
        for (name, value) in more.as_object().unwrap() {
            said[name] = value.clone();
        }
        let token = hmac(Algorithm::HS256, SECRET.as_bytes(), &said);
        let bearer = format!("Bearer {token}");
        let headers = headers(&[("authorization", &bearer), ("x-zitadel-orgid", named)]);
        let caller = auth.caller(&headers).await?;
        Ok((
            caller.organization.clone(),
            caller.rights_at(&caller.organization),
        ))
    };
    let all = Rights::ALL;
    let (root, owner) = (
        json!({"roles": ["IAM_OWNER"]}),
        json!({"roles": ["ORG_OWNER"]}),
    );
    assert_eq!(
        acting(root.clone(), "other").await,
        Ok(("other".into(), all))
    );
    assert_eq!(
        acting(owner.clone(), "acme").await,
        Ok(("acme".into(), all))
    );
    assert_eq!(acting(owner.clone(), "").await, Ok(("acme".into(), all)));
    let denied = Err(Refusal::OrganizationDenied);
    assert_eq!(acting(owner, "other").await, denied);
    assert_eq!(acting(root.clone(), &"x".repeat(201)).await, denied);
    assert_eq!(acting(root, "é").await, denied);
    // Another right in each.
    let both = json!({"permissions": ["user.read"], LISTED: {"ORG_OWNER": {"other": "x"}}});
    assert_eq!(
        acting(both.clone(), "acme").await,
        Ok(("acme".into(), READ))
    );
    assert_eq!(
        acting(both.clone(), "other").await,
        Ok(("other".into(), all))
    );
    assert_eq!(acting(both, "third").await, denied);
}
