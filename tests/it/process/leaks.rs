//! A thousand flows, and then a search for everything that must not be written down.

use std::collections::HashSet;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use futures::StreamExt;
use serde_json::{Value, json};

use super::harness::{Server, Setup, TOKEN_SECRET, admin, end_user, number, secrets, until};
use crate::api::{Api, Call, Question};
use crate::database::Database;

/// What a flow knew that nobody else may know.
#[derive(Default)]
struct Secrets {
    codes: HashSet<String>,
    tokens: HashSet<String>,
    numbers: HashSet<String>,
}

async fn nothing_leaks(database: Database) {
    const FLOWS: usize = 1_000;
    // Ten digits, so that no time and no count looks like a code by chance.
    let setup = Setup::new(&database.url)
        .with("codes.length", 10)
        .with("verify.enabled", true)
        .with("log.level", "error")
        .with_variable(
            "RINGBACK_LOG",
            "info,ringback=trace,ringback_core=trace,ringback_store=trace,ringback_sms=trace",
        );
    let server = Arc::new(Server::start(&setup).await);
    let flows = (0..FLOWS).map(|n| flow(server.clone(), n));
    let all: Vec<Secrets> = futures::stream::iter(flows)
        .buffer_unordered(16)
        .collect()
        .await;
    let mut all = all.into_iter().fold(Secrets::default(), |mut all, one| {
        all.codes.extend(one.codes);
        all.tokens.extend(one.tokens);
        all.numbers.extend(one.numbers);
        all
    });
    assert!(all.codes.len() >= 3 * FLOWS, "{}", all.codes.len());
    // A token of each user, and for each third one three `otcToken`s.
    assert!(all.tokens.len() >= 2 * FLOWS - 1, "{}", all.tokens.len());
    refusals(&server, &mut all).await;
    until("no message that waits", async || {
        (database.count("messages WHERE due_at IS NOT NULL").await == 0).then_some(())
    })
    .await;

    let mut server = Arc::into_inner(server).expect("every flow has ended");
    server.program.signal("TERM");
    assert!(server.program.exit().await.success());
    let log = server.program.printed();
    assert!(
        log.lines().count() > 2 * FLOWS,
        "the log was on: {}",
        log.lines().count()
    );
    assert!(log.contains("+4179•••••"), "the log shows masks");
    all.search("the log", &log, true);

    let dump = database.dump().await;
    assert!(dump.lines().count() > 4 * FLOWS);
    all.search("the database", &dump, false);
    let elsewhere = |line: &&str| !line.starts_with("phone_numbers ");
    let elsewhere: String = dump
        .lines()
        .filter(elsewhere)
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(elsewhere.contains("events ") && elsewhere.contains("budgets "));
    all.search("events, budgets and accounts", &elsewhere, true);
}

/// One user's whole story, with a slip in each place where one can happen. Users take turns at the APIs.
async fn flow(server: Arc<Server>, n: usize) -> Secrets {
    let api = Api::ALL[n % Api::ALL.len()];
    let (user, first, next) = (format!("user-{n}"), number(n), number(500_000 + n));
    let token = end_user(&user);
    let mut story = Story {
        server: &server,
        token: &token,
        known: Secrets::default(),
    };
    story.call(&api.set(&user, "+41 79 000"), 400).await;
    story.asks(api, &user, &first).await;
    match api {
        // Once more with a code that is returned, and a notice to the number that goes.
        Api::Zitadel => {
            let body = json!({"phone": next, "returnCode": {}});
            let path = format!("/v2/users/{user}/phone");
            let answer = server.post(&path, &admin(), body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let returned = answer.body["verificationCode"].as_str().expect("a code");
            story.known.codes.insert(returned.to_owned());
            story.opens(&user, &number(950_000 + n)).await;
        }
        // Once more with a number that is announced, and a removal with a code of its own.
        Api::Frontegg => {
            let mut announce = api.resends(&user, &next);
            let reply = story.call(&announce.remove(0), 200).await;
            story.knows(&reply);
            let shown = story.call(&api.read(&user), 200).await;
            let id = shown[0]["id"].as_str().expect("an id");
            let reply = story.call(&api.remove(&user, &first, id), 200).await;
            story.knows(&reply);
            let code = story.code(&first, 2).await;
            let otc = reply["otcToken"].as_str().expect("a token");
            for (guess, status) in [(story.wrong(&code), 400), (code, 200)] {
                story
                    .call(&api.confirm_removal(id, otc, &guess), status)
                    .await;
            }
            let code = story.code(&next, 1).await;
            story.known.codes.insert(code);
        }
        // Once more for the number that is to replace the first one.
        Api::ReachFive => story.asks(api, &user, &next).await,
    }
    story.call(&api.read(&user), 200).await;
    let mut known = story.known;
    known.numbers.extend([first, next]);
    known.tokens.insert(token);
    known
}

/// What a user sends, and what becomes known on the way.
struct Story<'a> {
    server: &'a Server,
    token: &'a str,
    known: Secrets,
}

impl Story<'_> {
    async fn call(&self, call: &Call, status: u16) -> Value {
        let answer = self.server.send(call, self.token).await;
        assert_eq!(answer.status, status, "{answer:?}");
        answer.json()
    }

    /// An `otcToken` that was handed out opens what its code is for.
    fn knows(&mut self, reply: &Value) {
        let token = reply["otcToken"].as_str().expect("a token");
        self.known.tokens.insert(token.to_owned());
    }

    /// The newest of so many messages to a number.
    async fn code(&self, number: &str, count: usize) -> String {
        let messages = until("a message", async || {
            let messages = self.server.inbox(number).await;
            (messages.len() >= count).then_some(messages)
        })
        .await;
        let code = messages[0]["code"].as_str().expect("a code").to_owned();
        assert_eq!(code.len(), 10);
        let text = messages[0]["text"].as_str().expect("a text");
        assert!(text.contains(&code));
        code
    }

    /// By a session for one number, from the address of its page.
    async fn opens(&mut self, user: &str, number: &str) {
        let path = format!("/v2/users/{user}/verification_sessions");
        let body = json!({"phone": number});
        let opened = self.server.post(&path, &admin(), body).await;
        let url = opened.body["url"].as_str().expect("an address");
        let (before, token) = url.split_once('#').expect("a token");
        let (_, handle) = before.split_once("?h=").expect("a handle");
        let page = self.server.get(&format!("/verify?h={handle}"), token).await;
        assert_eq!(page.status, 200, "{page:?}");
        let change = format!("/v2/users/{user}/phone/change");
        let body = json!({"phone": number});
        let sent = self.server.post(&change, token, body).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        let code = self.code(number, 1).await;
        self.wrong(&code);
        let tokens = [handle, token].map(str::to_owned);
        self.known.tokens.extend(tokens);
        self.known.numbers.insert(number.to_owned());
    }

    /// Each digit one more, so that wrong guesses differ as codes do and can be searched for as well.
    fn wrong(&mut self, code: &str) -> String {
        let next_digit = |c: char| char::from(b'0' + (c as u8 - b'0' + 1) % 10);
        let wrong: String = code.chars().map(next_digit).collect();
        self.known.codes.extend([code.to_owned(), wrong.clone()]);
        wrong
    }

    /// Sets a number and verifies it.
    async fn asks(&mut self, api: Api, user: &str, number: &str) {
        let answer = self.server.send(&api.set(user, number), self.token).await;
        let reply = answer.outcome().expect("set");
        let question = Question::read(number, &reply);
        if api == Api::Frontegg {
            self.knows(&reply);
        }
        let code = self.code(number, 1).await;
        let done = if api == Api::ReachFive { 204 } else { 200 };
        let wrong = self.wrong(&code);
        for (guess, status) in [(&wrong, 400), (&code, done), (&code, 400)] {
            self.call(&api.submit(user, &question, guess), status).await;
        }
    }
}

/// Requests that are turned away, each carrying something that must not be repeated.
async fn refusals(server: &Server, known: &mut Secrets) {
    let forged = {
        let token = end_user("mallory");
        let (front, _) = token.rsplit_once('.').expect("a JWT");
        format!("{front}.c2lnbmVkIGJ5IG5vYm9keSBhdCBhbGwgYW5kIGZvciBub3RoaW5n")
    };
    let opaque = "opaque-token-that-nobody-issued".to_owned();
    for token in [&forged, &opaque] {
        let answer = server.get("/v2/users/user-1", token).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    // In places that a log line likes to show: a wrong body, a query, a search.
    let (number, impossible) = (number(900_000), "+4179000000001234".to_owned());
    let token = admin();
    let phone = "/v2/users/user-1/phone";
    for (path, body, status) in [
        (phone, json!({"phone": impossible}), 400),
        (phone, json!({"phone": {"is": number}}), 400),
        ("/v2/users/nobody/phone", json!({"phone": number}), 404),
        ("/v2/phones/search", json!({"phone": number}), 200),
        ("/v2/phones/search", json!({"phone": impossible}), 400),
        (
            "/v2/users?phone=%2B41799000000",
            json!({"queries": number}),
            400,
        ),
        (
            "/v2/phones/search",
            json!({"pageToken": "cGFnZS1vZi1ub3RoaW5n"}),
            400,
        ),
    ] {
        let answer = server.post(path, &token, body).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    for api in [Api::Frontegg, Api::ReachFive] {
        let (user, guess) = (end_user("user-1"), "4815162342");
        let otc = "an-otcToken-that-nobody-gave".to_owned();
        let question = Question {
            number: impossible.clone(),
            otc: Some(otc.clone()),
        };
        let mut calls = api.resends("user-1", &impossible);
        calls.push(api.submit("user-1", &question, guess));
        calls.push(api.set("user-1", &impossible));
        for call in calls {
            let answer = server.send(&call, &user).await;
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        known.codes.insert(guess.to_owned());
        known.tokens.extend([user, otc]);
    }
    known.tokens.extend([forged, opaque, token]);
    known
        .numbers
        .extend([number, impossible, "+41799000000".to_owned()]);
}

impl Secrets {
    fn search(&self, place: &str, text: &str, numbers: bool) {
        let found = self.find(text, numbers);
        assert!(found.is_empty(), "{place} holds {found:?}");
    }

    /// What of it a text holds.
    fn find(&self, text: &str, numbers: bool) -> Vec<&str> {
        let words: HashSet<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
        let codes = self.codes.iter().map(String::as_str);
        let codes = codes.filter(|code| words.contains(code));
        let tokens: Vec<&str> = self.tokens.iter().map(String::as_str).collect();
        // Of a token the signature: its head is the same in all, its body is readable anyway.
        let signatures = tokens.iter().map(|token| token.rsplit('.').next());
        let signatures = AhoCorasick::new(signatures.flatten()).expect("few and short texts");
        // One may be the end of another.
        let repeated = signatures.find_overlapping_iter(text);
        let repeated: HashSet<usize> = repeated.map(|one| one.pattern().as_usize()).collect();
        let tokens = tokens.iter().enumerate();
        let tokens = tokens.filter_map(|(at, token)| repeated.contains(&at).then_some(*token));
        // As E.164, and without its country.
        let shown = |number: &&str| words.contains(&number[1..]) || words.contains(&number[3..]);
        let numbers = self.numbers.iter().map(String::as_str).filter(|_| numbers);
        let mut found: Vec<&str> = codes.chain(tokens).chain(numbers.filter(shown)).collect();
        let keys = secrets();
        if keys.iter().any(|key| text.contains(key)) || text.contains(TOKEN_SECRET) {
            found.push("a key of ours");
        }
        found
    }
}

#[test]
fn the_search_finds_what_it_is_for() {
    let one = |text: &str| HashSet::from([text.to_owned()]);
    let secrets = Secrets {
        codes: one("0123456789"),
        tokens: one("head.body.signature"),
        numbers: one("+41790000001"),
    };
    let [code_key, _] = super::harness::secrets();
    for leak in [
        "{\"code\":\"0123456789\"}",
        "0123456789 is your code",
        "Bearer head.body.signature",
        "to=+41790000001",
        "to=%2B41790000001",
        "national 790000001",
        &code_key,
    ] {
        assert_eq!(secrets.find(leak, true).len(), 1, "{leak}");
    }
    for fine in ["at 1700000123456789", "+4179•••••01", "head.body.other"] {
        assert!(secrets.find(fine, true).is_empty(), "{fine}");
    }
}

crate::on_both!(nothing_leaks);
