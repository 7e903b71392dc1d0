//! When a code ends and when the next may be asked for: on every reply that a code was sent with.

use super::user::answer;
use super::{Api, User};
use crate::app::TestApp;
use crate::database::Database;

crate::at_each_api! {
    replies_say_when_the_code_ends_and_the_next_may_be_asked_for,
}

const EXPIRES_AT: &str = "ringback-code-expires-at";
const RESEND_AFTER: &str = "ringback-resend-after";

async fn replies_say_when_the_code_ends_and_the_next_may_be_asked_for(
    api: Api,
    database: Database,
) {
    let app = TestApp::start(database).await;
    let ann = User::new(&app, api, "ann");
    let number = app.number();
    let ends = app.now() + 600;
    let times = async |call, token: &str| {
        let told = answer(&app, &call, Some(token)).await;
        assert!((200..300).contains(&told.status), "{told:?}");
        let header = |name| told.headers.get(name)?.to_str().ok().map(str::to_owned);
        (header(EXPIRES_AT), header(RESEND_AFTER))
    };
    let expected = |seconds: &str| {
        let ends = prost_types::Timestamp {
            seconds: ends,
            nanos: 0,
        };
        (Some(ends.to_string()), Some(seconds.to_owned()))
    };
    let set = times(api.set("ann", &number), &ann.token()).await;
    assert_eq!(set, expected("60"));
    app.seconds(60);
    let resend = api.resends("ann", &number).remove(0);
    assert_eq!(times(resend, &ann.token()).await, expected("120"));
    // What sends no code says no times.
    assert_eq!(times(api.read("ann"), &ann.token()).await, (None, None));
}
