//! The real program on a port of its own, with a clock and a generator that the test sets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Method};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use ringback::app::App;
use ringback::config::{Api, Config, IssuerSection, Permission};
use ringback::http::{Server, serve};
use ringback::worker::Delivery;
use ringback_core::{Id, Number, Time};
use ringback_sms::Inbox;
use ringback_store::{Source, Store};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use crate::database::Database;

/// Whether a preflight lets these headers be sent.
pub fn lets_send(preflight: &HeaderMap, names: &[&str]) {
    let listed = preflight["access-control-allow-headers"].to_str();
    let listed: Vec<&str> = listed.expect("a text").split(',').map(str::trim).collect();
    for name in names {
        assert!(listed.contains(name), "{name} is not in {listed:?}");
    }
}

/// Where every test's clock begins: 2027-01-15T08:00:00Z.
pub const START: i64 = 1_800_000_000;

const ISSUER: &str = "https://login.example.com";
const SECRET: &str = "a secret of more than 32 characters";

/// A running program, gone with this value. Its worker does not run: see [`TestApp::deliver`].
pub struct TestApp {
    pub address: SocketAddr,
    /// gRPC over HTTP/2 with prior knowledge.
    pub channel: Channel,
    /// HTTP/1.1.
    pub http: reqwest::Client,
    pub database: Database,
    inbox: Inbox,
    store: Store,
    delivery: Delivery,
    clock: Arc<AtomicI64>,
    numbers: AtomicU32,
    stop: Option<oneshot::Sender<()>>,
}

/// A message as `GET /dev/inbox` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub to: String,
    pub text: String,
    pub code: Option<String>,
}

impl TestApp {
    pub async fn start(database: Database) -> TestApp {
        TestApp::start_with(database, |_| {}).await
    }

    /// Starts with a configuration that differs from the usual one.
    pub async fn start_with(database: Database, change: impl FnOnce(&mut Config)) -> TestApp {
        TestApp::start_in_process(database, change).await.0
    }

    /// The same, and the server that answers without a network.
    pub async fn start_in_process(
        database: Database,
        change: impl FnOnce(&mut Config),
    ) -> (TestApp, Server) {
        let mut config = configuration(&database.url);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        config.server.listen = address;
        change(&mut config);
        let clock = Arc::new(AtomicI64::new(START * 1_000_000));
        let app = App::build(&config, source(clock.clone()))
            .await
            .expect("a program");
        let (stop, stopped) = oneshot::channel::<()>();
        let server = app.server.clone();
        tokio::spawn(async move {
            let answer = move |request| app.server.clone().answer(request);
            serve(listener, app.tls, app.bounds, answer, async {
                drop(stopped.await)
            })
            .await;
        });
        let made = TestApp {
            address,
            channel: Endpoint::from_shared(format!("http://{address}"))
                .expect("an endpoint")
                .connect_lazy(),
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            database,
            inbox: app.inbox.expect("the inbox route is on"),
            store: app.store,
            delivery: app.delivery,
            clock,
            numbers: AtomicU32::new(0),
            stop: Some(stop),
        };
        (made, server)
    }

    /// What stands in the address of a receipt.
    pub fn receipt_token(&self, message: Id, attempt: u32) -> Vec<u8> {
        self.store
            .rules()
            .keys
            .receipt_token(message, attempt)
            .to_vec()
    }

    /// Puts what happened on record.
    pub async fn record(&self) {
        while self.store.sequence().await.expect("must record").more {}
    }

    /// The owner of a number has told a route to stop.
    pub async fn opted_out(&self, number: &str, route: &str) {
        let number = Number::from_stored(number);
        self.store.opted_out(&number, route).await.expect("noted");
    }

    /// And takes messages over it again.
    pub async fn opted_in(&self, number: &str, route: &str) {
        let number = Number::from_stored(number);
        self.store.opted_in(&number, route).await.expect("noted");
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn advance(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).expect("a span that a clock can hold");
        self.clock.fetch_add(micros, Ordering::SeqCst);
    }

    /// The time that the clock shows, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst) / 1_000_000
    }

    pub fn seconds(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// What a page of another site is told before it calls a path.
    pub async fn preflight(&self, path: &str) -> HeaderMap {
        let ask = self
            .http
            .request(Method::OPTIONS, self.url(path))
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        ask.send().await.expect("an answer").headers().clone()
    }

    /// Sends the messages that are due now.
    pub async fn deliver(&self) {
        while self.delivery.run_once().await.expect("a round of delivery") > 0 {}
    }

    /// Writes down what was counted of messages.
    pub async fn tally(&self) {
        self.store.tally().await.expect("written");
    }

    /// Delivers, then shows the messages to a number, newest first.
    pub async fn letters(&self, to: &str) -> Vec<Letter> {
        self.deliver().await;
        let all = self.inbox.messages(None).into_iter().map(|message| Letter {
            to: message.to.as_str().to_owned(),
            text: message.text,
            code: message.code,
        });
        all.filter(|letter| letter.to == to).collect()
    }

    /// The newest code that was sent to a number.
    pub async fn code(&self, to: &str) -> String {
        let letters = self.letters(to).await;
        let newest = letters.into_iter().find_map(|letter| letter.code);
        newest.unwrap_or_else(|| panic!("no code was sent to {to}"))
    }

    /// How many messages have gone out in all.
    pub async fn sent(&self) -> u64 {
        self.deliver().await;
        self.inbox.received()
    }

    /// A number that no other call of this test gave.
    pub fn number(&self) -> String {
        format!(
            "+4179{:07}",
            3_000_000 + self.numbers.fetch_add(1, Ordering::SeqCst)
        )
    }

    /// A token with these claims; those that a token must have are filled in.
    pub fn token(&self, claims: Value) -> String {
        let now = self.clock.load(Ordering::SeqCst) / 1_000_000;
        let mut all = json!({"iss": ISSUER, "aud": "ringback", "exp": now + 3_600});
        for (name, value) in claims.as_object().expect("claims") {
            all[name] = value.clone();
        }
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &all, &key).expect("a token")
    }

    /// May do everything, everywhere.
    pub fn admin(&self) -> String {
        self.token(json!({"sub": "root", "roles": ["IAM_OWNER"]}))
    }

    /// May do everything in one organisation.
    pub fn manager(&self, organization: &str) -> String {
        self.token(json!({"sub": "boss", "org_id": organization, "roles": ["ORG_USER_MANAGER"]}))
    }

    /// May read, and nothing else, in one organisation.
    pub fn reader(&self, organization: &str) -> String {
        let permissions = ["user.read"];
        self.token(json!({"sub": "eve", "org_id": organization, "permissions": permissions}))
    }

    /// An end user.
    pub fn user(&self, id: &str, organization: &str) -> String {
        self.token(json!({"sub": id, "org_id": organization}))
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn configuration(url: &str) -> Config {
    let variables = [
        ("RINGBACK_DATABASE__URL", url),
        // 32 bytes of 'k' and of 'p'.
        (
            "RINGBACK_SECRETS__CODE_KEYS__1",
            "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
        ),
        ("RINGBACK_SMS__ROUTES__INBOX__TYPE", "inbox"),
        (
            "RINGBACK_SECRETS__PSEUDONYM_KEY",
            "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA=",
        ),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut config = Config::load(None, variables).expect("a configuration");
    config.apis = Api::ALL.to_vec();
    config.messages.service_name = "Acme".into();
    // Every user of a test comes from here.
    config.limits.sends_per_address = Vec::new();
    config.limits.verifications_per_address = Vec::new();
    config.cors.allowed_origins = vec!["https://app.example.com".into()];
    config.auth.issuers.insert("main".into(), issuer());
    config
}

/// The issuer of [`TestApp::token`].
pub fn issuer() -> IssuerSection {
    IssuerSection {
        issuer: ISSUER.into(),
        audiences: vec!["ringback".into()],
        algorithms: vec![Algorithm::HS256],
        secret: SECRET.into(),
        ..IssuerSection::default()
    }
}

/// Adds an issuer beside the one of [`TestApp::token`], which keeps its rights and names organisations in
/// `org_id`.
pub fn add_issuer(config: &mut Config, name: &str, other: IssuerSection) {
    let main = config.auth.issuers.get_mut("main").expect("the usual one");
    main.organization_claim = "org_id".into();
    main.may_grant = Some(vec![
        Permission::Read,
        Permission::Write,
        Permission::Delete,
    ]);
    main.everywhere = Some(true);
    config.auth.issuers.insert(name.into(), other);
}

const AWAY: &str = "https://away.example";

/// An issuer whose keys should be at `url`.
pub fn issuer_away(url: String) -> IssuerSection {
    IssuerSection {
        issuer: AWAY.into(),
        secret: "".into(),
        algorithms: vec![Algorithm::RS256],
        jwks_url: url,
        organization: "away".into(),
        ..issuer()
    }
}

/// A token of [`issuer_away`] with these claims, signed by nobody: the question is whose keys would tell.
pub fn token_away(mut claims: Value) -> String {
    claims["iss"] = AWAY.into();
    claims["aud"] = "ringback".into();
    claims["exp"] = 4_000_000_000_u64.into();
    let head = json!({"alg": "RS256", "kid": "1", "typ": "JWT"});
    let parts = [head, claims, json!("x")];
    parts
        .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".")
}

/// A clock that stands still until it is set, and the same random bytes in every run.
fn source(clock: Arc<AtomicI64>) -> Source {
    let generator = Mutex::new(StdRng::seed_from_u64(1));
    Source {
        now: Arc::new(move || Time(clock.load(Ordering::SeqCst))),
        seed: Arc::new(move || {
            let mut seed = [0; 32];
            generator
                .lock()
                .expect("no draw panics")
                .fill_bytes(&mut seed);
            seed
        }),
    }
}
