//! A real Chromium, driven over WebDriver: Debian's packages chromium and chromium-driver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How an element is named on the wire.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long a page may take to become what a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keys without a character.
pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";
pub const CONTROL: &str = "\u{e009}";

/// How often chromedriver is started: it takes any port of `::1` and then the same one of 127.0.0.1, and ends where
/// another test has that.
const STARTS: usize = 10;

/// One browser with one window, gone with this value.
pub struct Browser {
    session: String,
    http: reqwest::Client,
    driver: Child,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A running chromedriver, and its port.
async fn driver() -> (Child, String) {
    for _ in 0..STARTS {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver must be installed: apt-get install chromium chromium-driver");
        let output = driver.stdout.take().expect("piped");
        let (tell, told) = tokio::sync::oneshot::channel();
        // To its end: a driver that nobody listens to may end.
        std::thread::spawn(move || {
            let mut tell = Some(tell);
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let port = line.split_once("started successfully on port ");
                if let Some(((_, port), tell)) = port.zip(tell.take_if(|_| port.is_some())) {
                    let _ = tell.send(port.trim_end_matches('.').to_owned());
                }
            }
        });
        if let Ok(port) = told.await {
            return (driver, port);
        }
        let _ = driver.kill();
        let _ = driver.wait();
    }
    panic!("chromedriver ended {STARTS} times without saying its port");
}

impl Browser {
    /// A window of 1280 × 900 pixels that asks for English.
    pub async fn start() -> Browser {
        let (driver, port) = driver().await;
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        // Over a pipe, so that the browser ends with its driver, however that ends.
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--remote-debugging-pipe",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-proxy-server",
            "--window-size=1280,900",
            "--lang=en",
        ];
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": args },
            "timeouts": { "script": 30_000, "pageLoad": 30_000 },
        });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let driver_url = format!("http://127.0.0.1:{port}/session");
        let made = send(http.post(&driver_url).json(&body))
            .await
            .expect("a session");
        let id = made["sessionId"].as_str().expect("an id");
        Browser {
            session: format!("{driver_url}/{id}"),
            http,
            driver,
        }
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        send(
            self.http
                .post(format!("{}{path}", self.session))
                .json(&body),
        )
        .await
    }

    /// A command of the browser's own protocol.
    pub async fn chromium(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("/goog/cdp/execute", body).await.expect(command)
    }

    /// The colours that pages are asked for: `light` or `dark`.
    pub async fn colours(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let media = json!({ "features": [feature] });
        self.chromium("Emulation.setEmulatedMedia", media).await;
    }

    /// The window's width in pixels.
    pub async fn width(&self, width: u32) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.chromium("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    /// Whether pages may run scripts.
    pub async fn scripts(&self, run: bool) {
        let off = json!({ "value": !run });
        self.chromium("Emulation.setScriptExecutionDisabled", off)
            .await;
    }

    /// Opens a page and waits until it is loaded.
    pub async fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await.expect(url);
    }

    pub async fn reload(&self) {
        self.post("/refresh", json!({})).await.expect("a page");
    }

    /// Runs the body of a function in the page, and says what it returns.
    pub async fn run(&self, script: &str, arguments: Value) -> Value {
        let body = json!({ "script": script, "args": arguments });
        self.post("/execute/sync", body).await.expect(script)
    }

    /// The same, of an expression.
    pub async fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}"), json!([])).await
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let started = Instant::now();
        loop {
            let body = json!({ "script": format!("return !!({expression})"), "args": [] });
            // While a page makes way for another there is nothing to ask.
            let now = self.post("/execute/sync", body).await;
            if now == Ok(Value::Bool(true)) {
                return;
            }
            if started.elapsed() > PATIENCE {
                let page = self.value("document.body?.innerText").await;
                panic!("never came: {expression}: {now:?}\n{page}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The only element of a selector, once it is there.
    pub async fn find(&self, css: &str) -> Element<'_> {
        self.until(&format!("document.querySelector({})", json!(css)))
            .await;
        let body = json!({ "using": "css selector", "value": css });
        let found = self.post("/element", body).await.expect(css);
        let id = found[ELEMENT].as_str().expect("an id").to_owned();
        Element { browser: self, id }
    }

    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        let path = format!("/element/{}/click", element.id);
        self.post(&path, json!({})).await.expect(css);
    }

    /// Types into an element, after what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        let path = format!("/element/{}/value", element.id);
        self.post(&path, json!({ "text": text })).await.expect(css);
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub async fn keys(&self, keys: &str) {
        let press = |key: char| {
            let key = key.to_string();
            [
                json!({ "type": "keyDown", "value": key }),
                json!({ "type": "keyUp", "value": key }),
            ]
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        self.act(actions).await;
    }

    /// Presses a key while Control is held.
    pub async fn control(&self, key: &str) {
        let down = |key: &str| json!({ "type": "keyDown", "value": key });
        let up = |key: &str| json!({ "type": "keyUp", "value": key });
        self.act(vec![down(CONTROL), down(key), up(key), up(CONTROL)])
            .await;
    }

    async fn act(&self, actions: Vec<Value>) {
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        let body = json!({ "actions": [keyboard] });
        self.post("/actions", body).await.expect("keys");
    }

    /// What is to be read in the page.
    pub async fn text(&self) -> String {
        let text = self.value("document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Where the focus is: the id of an element, or the name of its kind.
    pub async fn focus(&self) -> String {
        let focus = self
            .value("document.activeElement.id || document.activeElement.localName")
            .await;
        focus.as_str().unwrap_or_default().to_owned()
    }

    /// What axe-core finds wrong with the page, in both colour schemes.
    pub async fn axe(&self, state: &str) {
        let place = std::env::var("RINGBACK_TEST_AXE").unwrap_or_else(|_| AXE.to_owned());
        let axe = std::fs::read_to_string(&place);
        let axe =
            axe.unwrap_or_else(|_| panic!("{place}: axe-core must be there: scripts/test gets it"));
        for scheme in ["light", "dark"] {
            self.colours(scheme).await;
            self.run(&axe, json!([])).await;
            let ask = "const done = arguments[0];
                axe.run(document, { resultTypes: ['violations'] }).then((found) => done(
                  found.violations.map((one) => one.id + ': ' + one.nodes.map((n) => n.html + n.failureSummary))));";
            let body = json!({ "script": ask, "args": [] });
            let found = self.post("/execute/async", body).await.expect("axe runs");
            assert_eq!(found, json!([]), "{state}, {scheme}");
        }
        self.colours("light").await;
    }

    /// [`Browser::axe`] at the widths of a desk, of the same at 200 % and of a telephone, where nothing is to be
    /// scrolled sideways.
    pub async fn axe_at_widths(&self, state: &str) {
        for width in [1280, 640, 360] {
            self.width(width).await;
            let wider = self
                .value("document.documentElement.scrollWidth - window.innerWidth")
                .await;
            assert!(
                wider.as_i64().is_some_and(|wider| wider <= 0),
                "{state} at {width}: {wider}"
            );
            self.axe(&format!("{state} at {width}")).await;
        }
        self.width(1280).await;
    }

    /// Writes what the window shows into the folder that `RINGBACK_TEST_PICTURES` names, for people.
    pub async fn picture(&self, name: &str) {
        let Ok(folder) = std::env::var("RINGBACK_TEST_PICTURES") else {
            return;
        };
        use base64::Engine;
        for (width, scheme) in [
            (360, "light"),
            (360, "dark"),
            (640, "light"),
            (1280, "light"),
            (1280, "dark"),
        ] {
            self.width(width).await;
            self.colours(scheme).await;
            let taken = send(self.http.get(format!("{}/screenshot", self.session))).await;
            let taken = taken.expect("a picture");
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(taken.as_str().expect("a text"));
            let path = format!("{folder}/{name}-{width}-{scheme}.png");
            std::fs::write(path, bytes.expect("a picture")).expect("a folder");
        }
        self.width(1280).await;
        self.colours("light").await;
    }
}

/// Where `scripts/test` puts it.
const AXE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/target/tools/axe-4.14.1/node_modules/axe-core/axe.min.js"
);

/// An element of a page.
pub struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Element<'_> {
    /// A property of it.
    pub async fn property(&self, name: &str) -> Value {
        let element = json!({ ELEMENT: self.id });
        let script = "return arguments[0][arguments[1]]";
        self.browser.run(script, json!([element, name])).await
    }
}

/// What WebDriver answers.
async fn send(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let ok = answer.status().is_success();
    let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
    match ok {
        true => Ok(answer["value"].take()),
        false => Err(answer["value"].to_string()),
    }
}
