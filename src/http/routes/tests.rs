//! Paths and what they mean.

use super::*;

fn all() -> Routes {
    let names: Vec<String> = proto::pool()
        .services()
        .map(|service| service.full_name().to_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Routes::parse(proto::pool(), &names).unwrap()
}

fn found(method: Method, path: &str) -> Option<(String, Vec<String>)> {
    match all().find(&method, path) {
        Found::Binding(binding, values) => Some((
            binding.rpc.uri.path().rsplit('/').next()?.to_owned(),
            values.into_iter().map(str::to_owned).collect(),
        )),
        Found::OtherMethods(_) | Found::Nothing => None,
    }
}

fn meets(method: Method, path: &str, rpc: &str, values: &[&str]) {
    let (name, bound) = found(method, path).unwrap();
    assert_eq!(
        (name.as_str(), bound),
        (rpc, values.iter().map(|v| (*v).to_owned()).collect())
    );
}

#[test]
fn every_rule_of_ours_parses_and_every_method_has_one() {
    let routes = all();
    assert_eq!(routes.rules.len(), routes.rpcs.len());
    assert_eq!(routes.rpcs.len(), 30);
}

#[test]
fn templates_match_with_literals_after_variables() {
    meets(Method::POST, "/v2/users/u1/phone", "SetPhone", &["u1"]);
    meets(
        Method::POST,
        "/v2/users/u1/phone/resend",
        "ResendPhoneCode",
        &["u1"],
    );
    meets(
        Method::POST,
        "/v2/users/u1/phone/verify",
        "VerifyPhone",
        &["u1"],
    );
    meets(Method::DELETE, "/v2/users/u1/phone", "RemovePhone", &["u1"]);
    meets(Method::GET, "/v2/users/u1/phone", "ListUserPhones", &["u1"]);
    meets(Method::GET, "/v2/users/u%201", "GetUserByID", &["u%201"]);
    meets(Method::POST, "/v2/phones/search", "SearchPhones", &[]);
    meets(Method::POST, "/v2/users", "ListUsers", &[]);
}

#[test]
fn a_path_that_is_spelt_out_has_its_own_methods_only() {
    let routes = all();
    let methods = |path: &str| match routes.find(&Method::OPTIONS, path) {
        Found::OtherMethods(methods) => methods.into_iter().map(Method::as_str).collect(),
        Found::Binding(..) | Found::Nothing => Vec::new(),
    };
    assert_eq!(methods("/v2/users/u1/phones/preverify"), ["POST"]);
    let id = "/v2/users/u1/phones/0190a5d2-0000-7000-8000-000000000001";
    assert_eq!(methods(id), ["DELETE"]);
    assert_eq!(methods("/v2/users/new"), ["POST"]);
    // As much is spelt out of the one as of the other.
    let mut both = methods("/v2/users/human/phone");
    both.sort_unstable();
    assert_eq!(both, ["DELETE", "GET", "POST", "PUT"]);
}

#[test]
fn a_literal_wins_over_a_variable_but_not_over_the_method() {
    meets(Method::POST, "/v2/users/human", "AddHumanUser", &[]);
    meets(Method::POST, "/v2/users/new", "CreateUser", &[]);
    meets(
        Method::PUT,
        "/v2/users/human/u1",
        "UpdateHumanUser",
        &["u1"],
    );
    // A user may be called "human": only the method tells the two apart.
    meets(Method::GET, "/v2/users/human", "GetUserByID", &["human"]);
    meets(
        Method::POST,
        "/v2/users/human/phone",
        "SetPhone",
        &["human"],
    );
}

#[test]
fn other_paths_and_empty_segments_are_nothing() {
    for path in [
        "/",
        "/v2",
        "/v2/users/",
        "/v2/users//phone",
        "/v2/users/u1/phone/",
        "/v2/users/u1/phone/other",
        "v2/users",
    ] {
        assert!(
            matches!(all().find(&Method::POST, path), Found::Nothing),
            "{path}"
        );
    }
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let routes = all();
    let Found::OtherMethods(methods) = routes.find(&Method::PUT, "/v2/users/u1") else {
        panic!("expected other methods");
    };
    let mut methods: Vec<_> = methods.into_iter().map(Method::as_str).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["DELETE", "GET", "PATCH"]);
}

#[test]
fn services_are_told_from_paths() {
    let routes = all();
    assert!(matches!(
        routes.service_of("/zitadel.user.v2.UserService/SetPhone"),
        Some(Known::Rpc(_))
    ));
    assert!(matches!(
        routes.service_of("/zitadel.user.v2.UserService/SetEmail"),
        Some(Known::NoSuchRpc)
    ));
    assert!(routes.service_of("/other.Service/SetPhone").is_none());
    assert!(routes.service_of("/v2/users").is_none());
}
