//! What is not told: whether somebody else has a number.

use serde_json::Value;

use super::{Answer, Api, Question, User, another, answer};
use crate::app::TestApp;
use crate::database::Database;

crate::at_each_api! {
    a_number_of_somebody_else_looks_like_nobodys,
}

const KNOWN: &str = "+41791234567";
const UNKNOWN: &str = "+41791234568";

/// What a body is made of: every name, and every value that is not one's own.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, value)| (name.clone(), shape(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        // Ids, numbers and times: as long as each other.
        Value::String(text) if text.contains(|c: char| c.is_ascii_digit()) => text.len().into(),
        other => other.clone(),
    }
}

fn look(answer: &Answer, user: &User<'_>) -> (u16, Vec<String>, Value) {
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort_unstable();
    let own = answer.json().to_string().replace(&user.id, "user");
    let own = serde_json::from_str(&own).expect("JSON");
    (answer.status, names, shape(&own))
}

async fn a_number_of_somebody_else_looks_like_nobodys(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    User::new(&app, api, "ann").proven(KNOWN).await;
    app.seconds(3_600);
    let (bob, eve) = (User::new(&app, api, "bob"), User::new(&app, api, "eve"));
    let pairs = [(&bob, KNOWN), (&eve, UNKNOWN)];
    let mut looks = Vec::new();
    for (user, number) in pairs {
        let call = api.set(&user.id, number);
        looks.push(look(&answer(&app, &call, Some(&user.token())).await, user));
    }
    assert!((200..300).contains(&looks[0].0), "{looks:?}");
    assert_eq!(looks[0], looks[1]);
    // Nor do the pause, another code and a wrong one.
    for way in api.ways() {
        for seconds in [0, 61] {
            app.seconds(seconds);
            let mut looks = Vec::new();
            for (user, number) in pairs {
                let call = api.resends(&user.id, number).remove(way);
                looks.push(look(&answer(&app, &call, Some(&user.token())).await, user));
            }
            assert_eq!(looks[0], looks[1], "{way} after {seconds} s");
        }
        app.seconds(300);
    }
    let mut looks = Vec::new();
    for (user, number) in pairs {
        let asked = Question {
            number: number.to_owned(),
            otc: None,
        };
        let question = user.resend(&asked).await.expect("sent again");
        let code = app.code(number).await;
        looks.push(user.refused(&question, another(&code)).await.look());
        app.seconds(300);
    }
    assert_eq!(looks[0], looks[1]);
}
