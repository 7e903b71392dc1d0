//! The table of rights: every call of every API and wire, by everybody who may come.

use ringback::config::{Config, VendorClient};
use serde_json::{Value, json};
use tonic::Code;

use super::issuers::{SECOND, second};
use super::state_in;
use crate::api::{Api, Call, answer};
use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    everybody_meets_what_the_table_says,
}

/// Who comes, about an account of the organisation `acme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Without a token.
    Nobody,
    /// The account's user.
    Own,
    /// The same, with a token that is too old to change something.
    Stale,
    /// Another user of the organisation.
    Other,
    /// With one right in the organisation.
    Reads,
    Writes,
    Deletes,
    /// With a role of another organisation.
    Elsewhere,
    /// Of another organisation, with the same id.
    Same,
    /// Of another issuer, with the same subject.
    Second,
    /// A back end with an environment token.
    Vendor,
    /// The account's user, by a session.
    Session,
}

/// What they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meets {
    /// Nothing in the way; the call may fail for another reason.
    Done,
    /// 401
    Token,
    /// 403
    Denied,
    /// 404, as for an id that nobody has.
    Unseen,
}

use Meets::{Denied, Done, Token, Unseen};
use Who::{
    Deletes, Elsewhere, Nobody, Other, Own, Reads, Same, Second, Session, Stale, Vendor, Writes,
};

/// What a call does with an account that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Shows it.
    Look,
    /// Shows how far the proof of its number has come.
    Follow,
    /// Changes it in a way that is the user's own, too.
    Change,
    /// The same, and makes an account of a user who has none.
    Set,
    /// As `Change`, to prove the number that is set.
    Prove,
    /// As `Set`, of the number that is to be proven.
    Begin,
    /// Takes the caller's word for the number, or tells the code.
    Vouch,
    /// Is for services, also where there is such an account.
    Unlock,
    /// Is for services, whoever's account it is.
    Serve,
    /// Deletes it.
    Delete,
    /// Brings one into being in the organisation, for a user who has none.
    Register,
}

const CALLERS: [Who; 12] = [
    Nobody, Own, Stale, Other, Reads, Writes, Deletes, Elsewhere, Same, Second, Vendor, Session,
];

/// One row for each kind of call, one column for each of [`CALLERS`].
#[rustfmt::skip]
const TABLE: [(Kind, [Meets; 12]); 11] = [
    // Same and Second have the same id in another organisation, and may do there what users may.
    //                Nobody Own     Stale   Other   Reads   Writes  Deletes Elsewhere Same    Second  Vendor Session
    (Kind::Look,     [Token, Done,   Done,   Unseen, Done,   Denied, Unseen, Unseen,   Unseen, Unseen, Done,  Denied]),
    (Kind::Follow,   [Token, Done,   Done,   Unseen, Done,   Denied, Unseen, Unseen,   Unseen, Unseen, Done,  Done]),
    (Kind::Change,   [Token, Done,   Token,  Unseen, Denied, Done,   Unseen, Unseen,   Unseen, Unseen, Done,  Denied]),
    (Kind::Prove,    [Token, Done,   Token,  Unseen, Denied, Done,   Unseen, Unseen,   Unseen, Unseen, Done,  Done]),
    (Kind::Set,      [Token, Done,   Token,  Unseen, Denied, Done,   Unseen, Unseen,   Done,   Done,   Done,  Denied]),
    (Kind::Begin,    [Token, Done,   Token,  Unseen, Denied, Done,   Unseen, Unseen,   Done,   Done,   Done,  Done]),
    (Kind::Vouch,    [Token, Denied, Denied, Unseen, Denied, Done,   Unseen, Unseen,   Denied, Denied, Done,  Denied]),
    (Kind::Unlock,   [Token, Denied, Denied, Unseen, Denied, Done,   Unseen, Unseen,   Unseen, Unseen, Done,  Denied]),
    (Kind::Serve,    [Token, Denied, Denied, Unseen, Denied, Done,   Unseen, Unseen,   Denied, Denied, Done,  Denied]),
    (Kind::Delete,   [Token, Denied, Denied, Unseen, Denied, Denied, Done,   Unseen,   Unseen, Unseen, Done,  Denied]),
    // Names nobody who is there.
    (Kind::Register, [Token, Denied, Denied, Denied, Denied, Done,   Denied, Denied,   Denied, Denied, Done,  Denied]),
];

/// The calls of Zitadel's and of ringback's own service, of which each goes over every wire.
/// `id` is that of a number that the user has.
fn rpcs(number: &str, id: &str) -> Vec<(Kind, &'static str, Value)> {
    let (phone, code) = (json!({"phone": number}), "000000");
    let held = json!({"phoneId": id});
    let returned = json!({"phone": number, "returnCode": {}});
    let verified = json!({"phone": number, "isVerified": true});
    vec![
        (Kind::Look, "GetUserByID", json!({})),
        (Kind::Look, "ListUserPhones", json!({})),
        (Kind::Look, "ExportUser", json!({})),
        (Kind::Look, "GetUserPhoneStatus", json!({})),
        (Kind::Follow, "GetVerification", json!({})),
        (Kind::Begin, "SetPhone", phone.clone()),
        (Kind::Prove, "ResendPhoneCode", json!({"sendCode": {}})),
        (
            Kind::Prove,
            "VerifyPhone",
            json!({"verificationCode": code}),
        ),
        (Kind::Change, "RemovePhone", json!({})),
        (Kind::Set, "UpdateUser", json!({"human": {"phone": phone}})),
        (Kind::Change, "UpdateUser", json!({"username": "x"})),
        (Kind::Change, "UpdateUser", json!({"human": {"phone": {}}})),
        (Kind::Set, "AddUserPhone", phone.clone()),
        (Kind::Set, "PreverifyUserPhone", phone.clone()),
        (
            Kind::Prove,
            "VerifyUserPhone",
            json!({"phone": number, "verificationCode": code}),
        ),
        (Kind::Begin, "ChangeUserPhone", phone),
        (Kind::Prove, "ResendUserPhoneChange", json!({})),
        (Kind::Change, "SetPrimaryUserPhone", held.clone()),
        (Kind::Change, "RequestUserPhoneRemoval", held.clone()),
        (
            Kind::Change,
            "ConfirmUserPhoneRemoval",
            json!({"phoneId": id, "challengeId": id, "verificationCode": code}),
        ),
        (Kind::Unlock, "RemoveUserPhone", held),
        (Kind::Unlock, "UnlockUser", json!({})),
        (Kind::Vouch, "SetPhone", returned),
        (Kind::Vouch, "SetPhone", verified.clone()),
        (Kind::Vouch, "UpdateHumanUser", json!({"phone": verified})),
        (Kind::Vouch, "AddUserPhone", verified),
        (Kind::Delete, "DeleteUser", json!({})),
        (Kind::Delete, "EraseUser", json!({})),
        (
            Kind::Register,
            "AddHumanUser",
            json!({"organization": {"orgId": "acme"}}),
        ),
        (
            Kind::Register,
            "CreateUser",
            json!({"organizationId": "acme", "human": {}}),
        ),
    ]
}

/// The calls of the vendors' APIs that name a user, and whose user is the token's: the latter say nothing
/// about others.
/// `id` and `held` are those of a number that the user has.
fn calls(api: Api, user: &str, number: &str, (id, held): (&str, &str)) -> Vec<(Kind, bool, Call)> {
    let naming = api.naming(user, number, id).into_iter();
    let kinds = match api {
        // Sent again in one way, set, submitted, removed.
        Api::Zitadel => &[Kind::Prove, Kind::Begin, Kind::Prove, Kind::Change][..],
        Api::Frontegg => &[Kind::Vouch, Kind::Unlock],
        Api::ReachFive => &[Kind::Serve],
    };
    let naming = kinds
        .iter()
        .zip(naming)
        .map(|(kind, call)| (*kind, true, call));
    let own = match api {
        // Its own calls name the user, too.
        Api::Zitadel => Vec::new(),
        // Those of back ends come last: one of them removes the number.
        Api::Frontegg | Api::ReachFive => vec![
            (Kind::Look, false, api.read(user)),
            (Kind::Change, false, api.set(user, number)),
            (Kind::Change, false, api.remove(user, held, id)),
        ],
    };
    own.into_iter().chain(naming).collect()
}

/// What a caller meets at a call of this kind.
fn expected(kind: Kind, who: Who) -> Meets {
    let row = TABLE.iter().find(|(row, _)| *row == kind).expect("a row");
    let column = CALLERS.iter().position(|caller| *caller == who);
    row.1[column.expect("a column")]
}

fn configured(config: &mut Config) {
    second(config);
    config.self_service.fresh_token_seconds = 300;
    config.verify.enabled = true;
    let client = VendorClient {
        client_id: "backend".into(),
        secret: SECRET.into(),
    };
    config.vendor.clients.insert("one".into(), client);
}

const SECRET: &str = "what only the back end and we may know";

/// Everybody's token but nobody's. `user` is the account's.
async fn token(app: &TestApp, who: Who, user: &str) -> Option<String> {
    let claims = |sub: &str, more: Value| {
        let mut all =
            json!({"sub": sub, "org_id": "acme", "scope": "full_write", "iat": app.now()});
        for (name, value) in more.as_object().expect("claims") {
            all[name] = value.clone();
        }
        Some(app.token(all))
    };
    let elsewhere = json!({"urn:zitadel:iam:org:project:roles": {"ORG_OWNER": {"other": "x"}}});
    match who {
        Nobody => None,
        Own => claims(user, json!({})),
        Stale => claims(user, json!({"iat": app.now() - 300})),
        Other => claims("eve", json!({})),
        Reads => claims("svc", json!({"permissions": ["user.read"]})),
        Writes => claims("svc", json!({"permissions": ["user.write"]})),
        Deletes => claims("svc", json!({"permissions": ["user.delete"]})),
        Elsewhere => claims("eve", elsewhere),
        Same => claims(user, json!({"org_id": "other"})),
        Second => claims(user, json!({"iss": SECOND, "permissions": ["user.write"]})),
        Session => {
            let opens = json!({"userId": user, "organizationId": "acme"});
            let admin = app.admin();
            let made = Wire::Grpc
                .ok(app, "CreateVerificationSession", &admin, opens)
                .await;
            Some(made["token"].as_str().expect("a token").to_owned())
        }
        Vendor => {
            let body = json!({"clientId": "backend", "secret": SECRET});
            let request = app.http.post(app.url("/auth/vendor")).json(&body);
            let given: Value = request
                .send()
                .await
                .expect("an answer")
                .json()
                .await
                .expect("JSON");
            Some(given["token"].as_str().expect("a token").to_owned())
        }
    }
}

/// A user of `acme` with a verified number: what Frontegg calls that number, and the number.
async fn registered(app: &TestApp, user: &str) -> (String, String) {
    let number = app.number();
    let add = json!({
        "userId": user, "organization": {"orgId": "acme"},
        "phone": {"phone": number, "isVerified": true},
    });
    Wire::Grpc.ok(app, "AddHumanUser", &app.admin(), add).await;
    let me = json!({"userId": user});
    let listed = Wire::Grpc.ok(app, "ListUserPhones", &app.admin(), me).await;
    let id = listed["phones"][0]["id"].as_str();
    (id.expect("an id").to_owned(), number)
}

async fn over_wire(
    app: &TestApp,
    wire: Wire,
    rpc: &str,
    token: Option<&str>,
    body: Value,
) -> Meets {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer
        .iter()
        .map(|bearer| ("authorization", bearer.as_str()))
        .collect();
    match wire.call_with(app, rpc, &headers, body).await {
        Ok(_) => Done,
        Err(refused) => match refused.code {
            Code::Unauthenticated => Token,
            Code::PermissionDenied => Denied,
            Code::NotFound => Unseen,
            _ => Done,
        },
    }
}

async fn at_vendors(app: &TestApp, call: &Call, token: Option<&str>) -> Meets {
    match answer(app, call, token).await.status {
        401 => Token,
        403 => Denied,
        404 => Unseen,
        _ => Done,
    }
}

async fn everybody_meets_what_the_table_says(database: Database) {
    let app = TestApp::start_with(database, configured).await;
    let mut users = (0..).map(|n| format!("user-{n}"));
    let mut fresh = || users.next().expect("a name");
    let vendor = token(&app, Vendor, "").await;
    let token = async |who, user: &str| match who {
        Vendor => vendor.clone(),
        _ => token(&app, who, user).await,
    };
    for who in CALLERS {
        for (row, _) in rpcs("", "").iter().enumerate() {
            let user = fresh();
            let (id, _) = registered(&app, &user).await;
            let (kind, rpc, body) = rpcs(&app.number(), &id).swap_remove(row);
            let token = token(who, &user).await;
            let mut body = body;
            body["userId"] = user.as_str().into();
            for wire in Wire::ALL {
                if kind == Kind::Register {
                    body["userId"] = fresh().into();
                }
                if kind == Kind::Delete && expected(kind, who) == Done && wire != Wire::Grpc {
                    registered(&app, &user).await;
                }
                let met = over_wire(&app, wire, rpc, token.as_deref(), body.clone()).await;
                let meant = expected(kind, who);
                assert_eq!(met, meant, "{who:?} {wire:?} {rpc} {body}");
            }
            if [Same, Second].contains(&who) {
                let shown = state_in(&app, "acme", &user).await;
                assert_eq!(shown["user"]["details"]["sequence"], "3", "{rpc}: {shown}");
            }
        }
        for api in Api::ALL {
            for row in 0..calls(api, "", "", ("", "")).len() {
                let user = fresh();
                let (id, held) = registered(&app, &user).await;
                let token = token(who, &user).await;
                let mut all = calls(api, &user, &app.number(), (&id, &held));
                let (kind, names, call) = all.swap_remove(row);
                if !names && ![Nobody, Own, Stale].contains(&who) {
                    continue;
                }
                let met = at_vendors(&app, &call, token.as_deref()).await;
                assert_eq!(met, expected(kind, who), "{who:?} {call:?}");
            }
        }
    }
}
