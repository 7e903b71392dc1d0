//! Starts the program, speaks to it, and ends it however the test ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{EncodingKey, Header};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api;

/// The secret that tests sign their tokens with.
pub const TOKEN_SECRET: &str = "what only the issuer and we may know";

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Looks at a condition until it holds. A wait that has an end, for what other processes do.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Keys that derive codes, and pseudonyms: the same in every setup, so that processes can share a database.
pub fn secrets() -> [String; 2] {
    [7, 9].map(|byte: u8| STANDARD.encode([byte; 32]))
}

/// What a configuration file will say, key by key.
#[derive(Clone)]
pub struct Setup {
    keys: BTreeMap<String, Value>,
    variables: BTreeMap<String, String>,
}

impl Setup {
    /// A complete configuration with the inbox as its route.
    pub fn new(database_url: &str) -> Setup {
        let [code_key, pseudonym_key] = secrets();
        let setup = Setup {
            keys: BTreeMap::new(),
            variables: BTreeMap::new(),
        };
        setup
            .with(
                "apis",
                json!(["zitadel", "ringback", "frontegg", "reachfive"]),
            )
            .with("server.listen", "127.0.0.1:0")
            .with("server.drain_seconds", 0)
            .with("database.url", database_url)
            .with("secrets.code_keys.1", code_key)
            .with("secrets.pseudonym_key", pseudonym_key)
            .with("auth.issuers.main.issuer", "https://login.example.com")
            .with("auth.issuers.main.audiences", json!(["ringback"]))
            .with("auth.issuers.main.algorithms", json!(["HS256"]))
            .with("auth.issuers.main.secret", TOKEN_SECRET)
            .with("sms.routes.inbox.type", "inbox")
            // Everybody comes from this machine.
            .with("limits.sends_per_address", json!([]))
            .with("limits.verifications_per_address", json!([]))
            .with("metrics.listen", "")
    }

    /// The same with another value.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Setup {
        self.keys.insert(key.to_owned(), value.into());
        self
    }

    /// The same without that key and those below it.
    pub fn without(mut self, key: &str) -> Setup {
        let below = format!("{key}.");
        self.keys
            .retain(|name, _| name != key && !name.starts_with(&below));
        self
    }

    /// The same with a variable in the environment.
    pub fn with_variable(mut self, name: &str, value: &str) -> Setup {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same, sending to a receiver of webhooks.
    pub fn with_webhook(self, url: &str) -> Setup {
        self.without("sms.routes.inbox").with_route("relay", url)
    }

    /// The same with one more route to a receiver of webhooks.
    pub fn with_route(self, name: &str, url: &str) -> Setup {
        let key = |key: &str| format!("sms.routes.{name}.{key}");
        let secret = format!("whsec_{}", STANDARD.encode([3; 32]));
        self.with(&key("type"), "webhook")
            .with(&key("url"), url)
            .with(&key("secrets"), json!([secret]))
            .with(&key("allow_insecure"), true)
    }

    fn write(&self, path: &Path) {
        // Lists, texts, numbers and booleans read the same in TOML as in JSON.
        let lines = self
            .keys
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"));
        fs::write(path, lines.collect::<String>()).expect("writing the configuration");
    }

    /// Runs a subcommand with this configuration to its end.
    pub async fn run(&self, subcommand: &str) -> Ended {
        self.run_with(&[subcommand]).await
    }

    /// The same with more arguments.
    pub async fn run_with(&self, arguments: &[&str]) -> Ended {
        Program::start(arguments, Some(self)).end().await
    }
}

/// How a program ended.
pub struct Ended {
    /// As the shell sees it.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Ended {
    /// Asserts that it failed, says each of these, and hides what it shall not tell.
    #[track_caller]
    pub fn refuses(&self, says: &[&str]) {
        assert_eq!(
            self.status.code(),
            Some(1),
            "{}{}",
            self.output,
            self.errors
        );
        for text in says {
            assert!(self.errors.contains(text), "not {text}: {}", self.errors);
        }
        for secret in secrets()
            .iter()
            .map(String::as_str)
            .chain([TOKEN_SECRET, "hunter2"])
        {
            assert!(!self.errors.contains(secret) && !self.output.contains(secret));
        }
    }
}

/// Runs the program with these arguments to its end.
pub async fn run(arguments: &[&str]) -> Ended {
    Program::start(arguments, None).end().await
}

/// A running program. It ends with this value.
pub struct Program {
    child: Child,
    directory: TempDir,
}

impl Program {
    /// Starts `ringback ARGUMENTS [--config FILE]`.
    pub fn start(arguments: &[&str], setup: Option<&Setup>) -> Program {
        Program::start_through(&[], arguments, setup)
    }

    /// The same through a launcher, a command that becomes the one after it, such as `env`.
    pub fn start_through(launcher: &[&str], arguments: &[&str], setup: Option<&Setup>) -> Program {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let words = [launcher, &[env!("CARGO_BIN_EXE_ringback")], arguments].concat();
        Program::start_command(&words, directory, setup)
    }

    /// The newer program that is made for tests of upgrades, with one more step of the tables.
    pub fn start_newer(arguments: &[&str], setup: &Setup) -> Program {
        let ringback = Path::new(env!("CARGO_BIN_EXE_ringback"));
        let newer = ringback.with_file_name("examples").join("newer");
        assert!(newer.exists(), "cargo build --example newer makes it");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let words = [&[newer.to_str().expect("a path in UTF-8")], arguments].concat();
        Program::start_command(&words, directory, Some(setup))
    }

    fn start_command(words: &[&str], directory: TempDir, setup: Option<&Setup>) -> Program {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        // What whoever runs the tests has set for their own ringback is not meant here.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RINGBACK_") {
                command.env_remove(name);
            }
        }
        if let Some(setup) = setup {
            let file = directory.path().join("ringback.toml");
            setup.write(&file);
            command.arg("--config").arg(file).envs(&setup.variables);
        }
        let paper = |name| File::create(directory.path().join(name)).expect("a file for output");
        let child = command
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(paper("output"))
            .stderr(paper("errors"))
            .spawn()
            .expect("starting ringback");
        Program { child, directory }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).expect("what the program printed")
    }

    /// Everything that it has printed by now, on either stream.
    pub fn printed(&self) -> String {
        self.read("output") + &self.read("errors")
    }

    /// Waits for a text in what it prints.
    pub async fn says(&mut self, text: &str) {
        until(text, async || {
            assert!(self.running(), "ended without {text}: {}", self.printed());
            self.printed().contains(text).then_some(())
        })
        .await;
    }

    /// Whether it still runs.
    pub fn running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("asking for the child")
            .is_none()
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status();
        assert!(sent.expect("a shell").success());
    }

    /// Waits until it ends of itself.
    pub async fn end(mut self) -> Ended {
        let status = self.exit().await;
        Ended {
            status,
            output: self.read("output"),
            errors: self.read("errors"),
        }
    }

    /// Waits until it ends of itself.
    pub async fn exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the end of ringback", async || {
            child.try_wait().expect("asking for the child")
        })
        .await
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("killing");
        self.child.wait().expect("burying");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that serves.
pub struct Server {
    /// The process.
    pub program: Program,
    /// Such as `http://127.0.0.1:41234`.
    pub base: String,
    client: Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; null when it is no JSON.
    pub body: Value,
}

impl Server {
    /// `ringback serve` with this configuration.
    pub async fn start(setup: &Setup) -> Server {
        Server::start_with(&["serve"], setup).await
    }

    /// `ringback serve` with more arguments.
    pub async fn start_with(arguments: &[&str], setup: &Setup) -> Server {
        Server::serving(Program::start(arguments, Some(setup))).await
    }

    /// A `ringback serve` that was started, once it serves.
    pub async fn serving(mut program: Program) -> Server {
        let base = until("the address that serve listens on", async || {
            assert!(program.running(), "ended: {}", program.printed());
            let printed = program.printed();
            let (_, after) = printed.split_once("\"address\":\"")?;
            let (address, _) = after.split_once('"')?;
            Some(format!("http://{address}"))
        })
        .await;
        Server::ready(program, base).await
    }

    /// `ringback dev` on a free port.
    pub async fn dev(data: &Path, database_url: Option<&str>) -> Server {
        let path = data.to_str().expect("a path in UTF-8");
        let mut arguments = vec!["dev", "--listen", "127.0.0.1:0", "--data-dir", path];
        arguments.extend(database_url.iter().flat_map(|url| ["--database-url", url]));
        let before = dev_json(data);
        let mut program = Program::start(&arguments, None);
        let base = until("dev.json", async || {
            assert!(program.running(), "ended: {}", program.printed());
            let now = dev_json(data)?;
            // What the last start wrote is still there until this one is ready.
            (Some(&now) != before.as_ref()).then_some(now["baseUrl"].as_str()?.to_owned())
        })
        .await;
        Server::ready(program, base).await
    }

    async fn ready(program: Program, base: String) -> Server {
        let client = Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            .build()
            .expect("a client");
        let mut server = Server {
            program,
            base,
            client,
        };
        until("readiness", async || {
            assert!(
                server.program.running(),
                "ended: {}",
                server.program.printed()
            );
            let answer = server
                .client
                .get(format!("{}/readyz", server.base))
                .send()
                .await;
            answer.ok().filter(|answer| answer.status() == 200)
        })
        .await;
        server
    }

    /// Such as `127.0.0.1:41234`.
    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// One call over JSON that must be answered.
    pub async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let answer = self.try_call(method, path, token, body).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error:?}\n{}", self.program.printed()))
    }

    /// One call over JSON.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
    ) -> reqwest::Result<Answer> {
        call(&self.client, &self.base, method, path, token, body).await
    }

    /// A call of any API that must be answered.
    pub async fn send(&self, call: &api::Call, token: &str) -> api::Answer {
        let answer = call.send(&self.client, &self.base, Some(token)).await;
        answer.unwrap_or_else(|error| panic!("{call:?}: {error:?}\n{}", self.program.printed()))
    }

    /// A `POST`.
    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, body).await
    }

    /// A `GET`.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, Value::Null).await
    }

    /// Registers a user whose code is returned, and says the code.
    pub async fn register(&self, user: &str, number: &str) -> String {
        let body = json!({"userId": user, "phone": {"phone": number, "returnCode": {}}});
        let answer = self.post("/v2/users/human", &admin(), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["phoneCode"]
            .as_str()
            .expect("a code")
            .to_owned()
    }

    /// Submits a code.
    pub async fn verify(&self, user: &str, code: &str) -> Answer {
        let path = format!("/v2/users/{user}/phone/verify");
        self.post(&path, &admin(), json!({"verificationCode": code}))
            .await
    }

    /// The messages to a number, newest first.
    pub async fn inbox(&self, number: &str) -> Vec<Value> {
        let path = format!("/dev/inbox?to={}", number.replace('+', "%2B"));
        let answer = self.get(&path, "").await;
        answer.body["messages"]
            .as_array()
            .expect("messages")
            .clone()
    }
}

/// One call over JSON; a body that is cut short is an error.
pub async fn call(
    client: &Client,
    base: &str,
    method: Method,
    path: &str,
    token: &str,
    body: Value,
) -> reqwest::Result<Answer> {
    let mut request = client.request(method, format!("{base}{path}"));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await?;
    let status = response.status().as_u16();
    let bytes = response.bytes().await?;
    Ok(Answer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    })
}

/// `DIR/dev.json`, when it is there.
pub fn dev_json(data: &Path) -> Option<Value> {
    let text = fs::read_to_string(data.join("dev.json")).ok()?;
    Some(serde_json::from_str(&text).expect("dev.json is JSON"))
}

/// A directory that does not exist yet, in one that goes with the test.
pub fn fresh_data() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    (directory, data)
}

/// A token of a caller that may do everything.
pub fn admin() -> String {
    token("operator", &["IAM_OWNER"])
}

/// A token of an end user, which every API takes.
pub fn end_user(user: &str) -> String {
    token(user, &[])
}

fn token(user: &str, roles: &[&str]) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let claims = json!({
        "iss": "https://login.example.com",
        "aud": "ringback",
        "sub": user,
        "roles": roles,
        "scope": "full_write",
        "iat": now.as_secs(),
        "exp": now.as_secs() + 3_600,
    });
    let key = EncodingKey::from_secret(TOKEN_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a token")
}

/// A number that can exist, different for each `n` below a million.
pub fn number(n: usize) -> String {
    assert!(n < 1_000_000);
    format!("+4179{:07}", 1_000_000 + n)
}
