//! The contract says what is served.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::*;

const ALL: [Service; 6] = [
    ("ringback.admin.v1.AdminService", told),
    ("ringback.audit.v1.AuditService", told),
    ("ringback.guard.v1.GuardService", told),
    ("ringback.sms.v1.MessageService", told),
    ("zitadel.user.v2.UserService", told),
    ("ringback.phone.v1.PhoneService", told),
];

fn told(_: &str) -> RpcTold {
    let refused = tonic::Status::invalid_argument("refused");
    RpcTold {
        example: json!({ "userId": "ann", "phone": "+41791234567" }),
        refusals: vec![("refused".to_owned(), refused)],
        headers: &[],
        details: &["google.rpc.RetryInfo"],
    }
}

fn whole() -> Value {
    document(&ALL, &[])
}

fn set_phone() -> Value {
    whole()["paths"]["/v2/users/{userId}/phone"]["post"].clone()
}

fn body(message: &str) -> Value {
    whole()["components"]["schemas"][message].clone()
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
    let user = &operation["parameters"][0];
    assert_eq!(
        (&user["name"], &user["required"]),
        (&json!("userId"), &json!(true))
    );
    assert_eq!(user["example"], "ann");
    assert_eq!(user["schema"]["maxLength"], 200);
    let content = &operation["requestBody"]["content"]["application/json"];
    assert_eq!(
        content["schema"]["$ref"],
        "#/components/schemas/zitadel.user.v2.SetPhoneRequest.Body"
    );
    assert_eq!(content["example"], json!({ "phone": "+41791234567" }));
    assert_eq!(operation["requestBody"]["required"], true);
    let told: Vec<_> = members(&operation["responses"]).keys().cloned().collect();
    assert_eq!(told, ["200", "400", "405", "408", "413", "415", "503"]);
    let wrong = &operation["responses"]["405"];
    assert_eq!(wrong["headers"]["allow"]["required"], true);
    assert_eq!(
        wrong["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/zitadel.user.v2.UserService.Refusal"
    );
}

#[test]
fn requests_say_what_must_be_and_what_may_be() {
    let set = body("zitadel.user.v2.SetPhoneRequest.Body");
    assert_eq!(set["required"], json!(["phone"]));
    let phone = &set["properties"]["phone"];
    assert_eq!(
        (&phone["minLength"], &phone["maxLength"]),
        (&json!(1), &json!(200))
    );
    assert!(
        set["properties"].get("userId").is_none(),
        "the path says it"
    );
    let arms = set["oneOf"].as_array().unwrap();
    let titles: Vec<_> = arms
        .iter()
        .map(|arm| arm["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        titles,
        ["sendCode", "returnCode", "isVerified", "no verification"]
    );
    assert_eq!(arms[2]["properties"]["isVerified"]["const"], true);
    assert_eq!(arms[2]["properties"]["sendCode"]["type"], "null");
    let list = body("zitadel.object.v2.ListQuery");
    let limit = &list["properties"]["limit"]["anyOf"];
    assert_eq!(limit[0]["maximum"], 1_000);
    assert_eq!(limit[2]["type"], "null");
    let create = body("zitadel.user.v2.CreateUserRequest");
    assert_eq!(
        create["oneOf"].as_array().map(Vec::len),
        Some(2),
        "one of them must be"
    );
    let search = body("ringback.phone.v1.SearchPhonesRequest");
    assert_eq!(search["properties"]["userIds"]["maxItems"], 1_000);
}

#[test]
fn answers_are_as_they_are_written() {
    let details = body("zitadel.object.v2.Details");
    assert_eq!(details["properties"]["sequence"]["type"], "string");
    assert_eq!(details["properties"]["changeDate"]["format"], "date-time");
    assert_eq!(
        body("zitadel.user.v2.UserState")["enum"][1],
        "USER_STATE_ACTIVE"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let found = document.pointer(target.strip_prefix('#').unwrap());
                    assert!(found.is_some_and(Value::is_object), "{target}");
                }
                members.values().for_each(|value| walk(value, document));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, document)),
            _ => {}
        }
    }
    let document = whole();
    walk(&document, &document);
}

#[test]
fn only_what_is_served_is_told() {
    let document = document(&ALL[ALL.len() - 1..], &[]);
    assert!(document["paths"].get("/v2/phones/search").is_some());
    assert!(document["paths"].get("/v2/users/human").is_none());
    let tags = document["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0]["name"], "PhoneService");
    let schemas = members(&document["components"]["schemas"]);
    assert!(
        schemas.keys().all(|name| !name.starts_with("zitadel.")),
        "{schemas:?}"
    );
}

#[test]
fn an_unknown_name_may_be_given_where_it_is_passed_over_and_nowhere_else() {
    /// Every name of an enumeration that a message takes: a body around it, and whether it stands in a list.
    fn names(
        message: &MessageDescriptor,
        around: &dyn Fn(Value) -> Value,
        within: &[String],
        found: &mut Vec<(FieldDescriptor, Value)>,
    ) {
        if within.iter().any(|name| name == message.full_name()) {
            return;
        }
        let within = [within, &[message.full_name().to_owned()]].concat();
        for field in message.fields() {
            let name = field.json_name().to_owned();
            let body = |value| {
                let value = if field.is_list() {
                    json!([value])
                } else {
                    value
                };
                around(json!({ name.as_str(): value }))
            };
            match field.kind() {
                Kind::Enum(_) => found.push((field.clone(), body(json!("OF_A_LATER_VERSION")))),
                Kind::Message(message) => names(&message, &body, &within, found),
                _ => {}
            }
        }
    }
    let document = whole();
    let schemas = &document["components"]["schemas"];
    let pool = crate::proto::pool();
    let mut passed_over = 0;
    let mut refused = 0;
    for (service, _) in ALL {
        let service = pool.get_service_by_name(service).unwrap();
        for rpc in service.methods() {
            let mut found = Vec::new();
            names(&rpc.input(), &|body| body, &[], &mut found);
            for (field, body) in found {
                let whole = field.parent_message().full_name().to_owned();
                let schema = [whole.clone(), format!("{whole}.Body")]
                    .into_iter()
                    .find_map(|name| schemas.get(&name))
                    .unwrap_or_else(|| panic!("{whole}"));
                let told = schema["properties"][field.json_name()].to_string();
                let may = told.contains("is passed over");
                let body = body.to_string();
                let read = crate::http::json::parse(&rpc.input(), body.as_bytes());
                assert_eq!(may, read.is_ok(), "{body}: {told}");
                *(if may { &mut passed_over } else { &mut refused }) += 1;
            }
        }
    }
    assert!(passed_over > 0 && refused > 0, "{passed_over}, {refused}");
}
