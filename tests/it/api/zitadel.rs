//! Zitadel's phone calls as its own users try them: on users that code written for Zitadel has made, with
//! addresses to confirm and metadata, which ringback leaves out.

use ringback::config::Config;
use ringback_core::policy::Unkept;
use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    phones_of_provisioned_users,
}

const ORGANIZATION: &str = "acme";

/// Which call makes a user.
#[derive(Clone, Copy, Debug)]
enum Maker {
    AddHumanUser,
    CreateUser,
}

/// A user that was made.
struct Made {
    id: String,
    /// The code of the number, where it was asked for.
    code: Option<String>,
}

impl Maker {
    async fn make(self, app: &TestApp, wire: Wire, name: &str, phone: Option<Value>) -> Made {
        let email = format!("{name}-{}-{self:?}@example.com", wire.name());
        let mut human = json!({
            "profile": {
                "givenName": "Ann", "familyName": "Example", "nickName": "Ann", "preferredLanguage": "nl",
                "gender": "GENDER_FEMALE",
            },
            "email": {"email": email, "returnCode": {}},
            "metadata": [{"key": "plan", "value": "Z29sZA=="}],
        });
        if let Some(phone) = phone {
            human["phone"] = phone;
        }
        let (rpc, id, body) = match self {
            Maker::AddHumanUser => {
                human["organization"] = json!({"orgId": ORGANIZATION});
                ("AddHumanUser", "userId", human)
            }
            Maker::CreateUser => {
                let body = json!({"organizationId": ORGANIZATION, "human": human});
                ("CreateUser", "id", body)
            }
        };
        let reply = wire.ok(app, rpc, &app.admin(), body).await;
        assert!(reply.get("emailCode").is_none(), "{reply}");
        let text = |name: &str| reply[name].as_str().map(str::to_owned);
        Made {
            id: text(id).unwrap_or_else(|| panic!("no id: {reply}")),
            code: text("phoneCode"),
        }
    }
}

/// Who calls.
#[derive(Clone, Copy, Debug)]
enum Caller {
    /// May do everything.
    Admin,
    /// One of the users, an end user.
    OtherUser,
    /// May do everything in another organisation.
    OtherOrganization,
    /// May read in this one.
    Reader,
}

/// What comes back.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// `details` of the change.
    Done,
    /// The same and a code.
    Returned,
    /// A status and its id; none where the request itself is wrong.
    Refused(Code, &'static str),
}

/// One call, in the order of the table.
type Case = (&'static str, &'static str, Caller, Value, Expected);

/// The calls, for users of each kind.
fn cases(app: &TestApp, people: &People) -> Vec<Case> {
    use Caller::{Admin, OtherOrganization, OtherUser, Reader};
    use Expected::{Done, Refused, Returned};
    const SET: &str = "SetPhone";
    const RESEND: &str = "ResendPhoneCode";
    const VERIFY: &str = "VerifyPhone";
    const REMOVE: &str = "RemovePhone";
    let People {
        returned,
        verified,
        bare,
        other,
        proving,
    } = people;
    let set = |more: Value| with(json!({"userId": returned.id, "phone": app.number()}), more);
    let resend = |user: &Made, more: Value| with(json!({"userId": user.id}), more);
    let verify = |user: &str, code: &str| json!({"userId": user, "verificationCode": code});
    let remove = |user: &Made| json!({"userId": user.id});
    let code = proving.code.as_deref().expect("a code");
    let no_code = Refused(Code::FailedPrecondition, "PHONE-5xrra88eq8");
    let no_user = Refused(Code::NotFound, "COMMAND-ieJ2e");
    let no_phone = Refused(Code::FailedPrecondition, "COMMAND-ieJ2e");
    let malformed = Refused(Code::InvalidArgument, "");
    vec![
        ("nothing chosen", SET, Admin, set(json!({})), Done),
        (
            "send the code",
            SET,
            Admin,
            set(json!({"sendCode": {}})),
            Done,
        ),
        (
            "return the code",
            SET,
            Admin,
            set(json!({"returnCode": {}})),
            Returned,
        ),
        (
            "verified",
            SET,
            Admin,
            set(json!({"isVerified": true})),
            Done,
        ),
        (
            "not verified",
            SET,
            Admin,
            set(json!({"isVerified": false})),
            malformed,
        ),
        ("nobody", RESEND, Admin, json!({"userId": "xxx"}), no_user),
        (
            "verified already",
            RESEND,
            Admin,
            resend(verified, json!({})),
            no_code,
        ),
        (
            "never a number",
            RESEND,
            Admin,
            resend(bare, json!({})),
            no_code,
        ),
        (
            "sent after returned",
            RESEND,
            Admin,
            resend(other, json!({"sendCode": {}})),
            Done,
        ),
        (
            "returned after sent",
            RESEND,
            Admin,
            resend(other, json!({"returnCode": {}})),
            Returned,
        ),
        (
            "a wrong code",
            VERIFY,
            Admin,
            verify(&proving.id, "xxx"),
            Refused(Code::InvalidArgument, "COMMAND-eis9R"),
        ),
        (
            "somebody's code",
            VERIFY,
            Admin,
            verify("xxx", code),
            no_user,
        ),
        ("the code", VERIFY, Admin, verify(&proving.id, code), Done),
        ("another user", REMOVE, OtherUser, remove(proving), no_user),
        (
            "another organisation",
            REMOVE,
            OtherOrganization,
            remove(proving),
            no_user,
        ),
        (
            "no right to",
            REMOVE,
            Reader,
            remove(proving),
            Refused(Code::PermissionDenied, "AUTH-AWfge"),
        ),
        ("a number", REMOVE, Admin, remove(proving), Done),
        ("once more", REMOVE, Admin, remove(proving), no_phone),
        ("never a number", REMOVE, Admin, remove(bare), no_phone),
        ("no id", REMOVE, Admin, json!({}), malformed),
    ]
}

fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    body
}

/// A user of each kind.
struct People {
    /// Has a number whose code was returned.
    returned: Made,
    verified: Made,
    /// Has no number.
    bare: Made,
    /// As the first one; also calls.
    other: Made,
    /// As the first one; proves the number.
    proving: Made,
}

impl People {
    async fn make(app: &TestApp, wire: Wire, maker: Maker) -> People {
        let phone = |way: Value| Some(with(json!({"phone": app.number()}), way));
        let returned = || phone(json!({"returnCode": {}}));
        let verified = phone(json!({"isVerified": true}));
        People {
            returned: maker.make(app, wire, "returned", returned()).await,
            verified: maker.make(app, wire, "verified", verified).await,
            bare: maker.make(app, wire, "bare", None).await,
            other: maker.make(app, wire, "other", returned()).await,
            proving: maker.make(app, wire, "proving", returned()).await,
        }
    }
}

async fn phones_of_provisioned_users(database: Database) {
    let ignore = |config: &mut Config| config.accounts.unkept = Unkept::Ignore;
    let app = TestApp::start_with(database, ignore).await;
    for wire in Wire::ALL {
        for maker in [Maker::AddHumanUser, Maker::CreateUser] {
            let people = People::make(&app, wire, maker).await;
            for (name, rpc, caller, body, expected) in cases(&app, &people) {
                if wire == Wire::Json && body.get("userId").is_none() {
                    // A path without an id is another path.
                    continue;
                }
                let token = match caller {
                    Caller::Admin => app.admin(),
                    Caller::OtherUser => app.user(&people.other.id, ORGANIZATION),
                    Caller::OtherOrganization => app.manager("other"),
                    Caller::Reader => app.reader(ORGANIZATION),
                };
                let place = format!("{wire:?} {maker:?} {rpc}: {name}");
                match (wire.call(&app, rpc, &token, body).await, expected) {
                    (Ok(reply), Expected::Done) => is_done(&place, &reply, false),
                    (Ok(reply), Expected::Returned) => is_done(&place, &reply, true),
                    (Err(failure), Expected::Refused(code, id)) => {
                        assert_eq!((failure.code, failure.id()), (code, id), "{place}");
                    }
                    (outcome, _) => panic!("{place}: {outcome:?}"),
                }
            }
        }
    }
}

/// A change of a user of [`ORGANIZATION`], made now.
#[track_caller]
fn is_done(place: &str, reply: &Value, returned: bool) {
    let details = &reply["details"];
    assert_eq!(details["resourceOwner"], ORGANIZATION, "{place}: {reply}");
    let sequence = details["sequence"]
        .as_str()
        .and_then(|text| text.parse().ok());
    assert!(sequence > Some(0_u64), "{place}: {reply}");
    // Where the test's clock stands.
    assert_eq!(
        details["changeDate"], "2027-01-15T08:00:00Z",
        "{place}: {reply}"
    );
    let code = reply["verificationCode"].as_str().unwrap_or_default();
    assert_eq!(code.len() == 6, returned, "{place}: {reply}");
}
