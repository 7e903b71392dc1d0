//! The contract says what is served.

use super::*;

const ALL: [&str; 2] = [
    "zitadel.user.v2.UserService",
    "ringback.phone.v1.PhoneService",
];

fn whole() -> Value {
    document(&ALL)
}

fn set_phone() -> Value {
    whole()["paths"]["/v2/users/{userId}/phone"]["post"].clone()
}

#[test]
fn every_rule_is_an_operation_with_its_own_id() {
    let document = whole();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), Routes::of_services(&ALL).rules().len());
    assert!(ids.contains(&"PhoneService_ListUserPhones".to_owned()));
}

#[test]
fn an_operation_has_path_body_answers_and_comments() {
    let operation = set_phone();
    assert_eq!(operation["operationId"], "UserService_SetPhone");
    assert_eq!(operation["summary"], "Set the phone number");
    assert!(
        operation["description"]
            .as_str()
            .unwrap()
            .starts_with("Replaces the user's primary number at once.")
    );
    assert_eq!(operation["parameters"][0]["name"], "userId");
    assert_eq!(operation["parameters"][0]["required"], true);
    assert_eq!(
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/zitadel.user.v2.SetPhoneRequest.Body"
    );
    assert!(operation["responses"]["200"].is_object());
    assert_eq!(
        operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/google.rpc.Status"
    );
}

#[test]
fn schemas_follow_the_json_form() {
    let document = whole();
    let schemas = &document["components"]["schemas"];
    let details = &schemas["zitadel.object.v2.Details"]["properties"];
    assert_eq!(details["sequence"]["type"], "string");
    assert_eq!(details["changeDate"]["format"], "date-time");
    let body = &schemas["zitadel.user.v2.SetPhoneRequest.Body"]["properties"];
    assert!(body.get("userId").is_none());
    let arm = body["isVerified"]["description"].as_str().unwrap();
    assert!(
        arm.contains("At most one of sendCode, returnCode, isVerified."),
        "{arm}"
    );
    assert_eq!(
        schemas["zitadel.user.v2.UserState"]["enum"][1],
        "USER_STATE_ACTIVE"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, schemas: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let name = target.strip_prefix("#/components/schemas/").unwrap();
                    assert!(schemas[name].is_object(), "{name}");
                }
                members.values().for_each(|value| walk(value, schemas));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, schemas)),
            _ => {}
        }
    }
    let document = whole();
    walk(&document, &document["components"]["schemas"]);
}

#[test]
fn only_what_is_served_is_told() {
    let document = document(&["ringback.phone.v1.PhoneService"]);
    assert!(document["paths"].get("/v2/phones/search").is_some());
    assert!(document["paths"].get("/v2/users/human").is_none());
    let tags = document["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0]["name"], "PhoneService");
}
