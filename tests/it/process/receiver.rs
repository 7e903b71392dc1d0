//! A receiver of webhooks that answers, or takes messages and never says a word.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A receiver on a free port. It ends with this value.
pub struct Receiver {
    /// Where messages go.
    pub url: String,
    post: Post,
    task: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Post {
    answers: watch::Sender<bool>,
    /// 0 for 204, or for 200 where the answer holds something.
    status: Arc<AtomicU16>,
    /// What the answer holds.
    says: Arc<Mutex<String>>,
    /// Milliseconds from the message to the answer.
    delay: Arc<AtomicU64>,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// A message that came in, answered or not.
#[derive(Clone, Debug)]
pub struct Taken {
    /// `webhook-id`.
    pub id: String,
    /// Where it shall go.
    pub to: String,
    /// What it carries.
    pub code: String,
    /// Where it shall be told what became of it.
    pub receipts: String,
}

impl Receiver {
    /// Starts one that takes messages and never answers.
    pub async fn silent() -> Receiver {
        let post = Post::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/sms", axum::routing::post(take))
            .with_state(post.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving");
        });
        Receiver {
            url: format!("http://{address}/sms"),
            post,
            task,
        }
    }

    /// Starts one that answers.
    pub async fn answering() -> Receiver {
        let receiver = Receiver::silent().await;
        receiver.answer();
        receiver
    }

    /// Starts one that answers so.
    pub async fn refusing(status: u16) -> Receiver {
        let receiver = Receiver::answering().await;
        receiver.refuse(status);
        receiver
    }

    /// From now on it answers so; 0 for 204.
    pub fn refuse(&self, status: u16) {
        self.post.status.store(status, Ordering::Relaxed);
    }

    /// From now on its answers hold this.
    pub fn say(&self, body: &Value) {
        *self.post.says.lock().expect("no panic while locked") = body.to_string();
    }

    /// From now on it takes so long to answer.
    pub fn delay(&self, delay: Duration) {
        let milliseconds = delay.as_millis().try_into().expect("a short delay");
        self.post.delay.store(milliseconds, Ordering::Relaxed);
    }

    /// From now on messages are answered, and so are those that still wait for it.
    pub fn answer(&self) {
        self.post.answers.send_replace(true);
    }

    /// What has come in by now, oldest first.
    pub fn taken(&self) -> Vec<Taken> {
        self.post
            .taken
            .lock()
            .expect("no panic while locked")
            .clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(post): State<Post>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let body: Value = serde_json::from_str(&body).expect("messages are JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = headers["webhook-id"].to_str().expect("an id").to_owned();
    let taken = Taken {
        id,
        to: text(&body["to"]),
        code: text(&body["code"]),
        receipts: text(&body["receipts"]),
    };
    post.taken
        .lock()
        .expect("no panic while locked")
        .push(taken);
    let mut answers = post.answers.subscribe();
    // The sender lives as long as the receiver, and the caller waits no longer than that.
    let _ = answers.wait_for(|answers| *answers).await;
    let delay = Duration::from_millis(post.delay.load(Ordering::Relaxed));
    tokio::time::sleep(delay).await;
    let status = post.status.load(Ordering::Relaxed);
    let says = post.says.lock().expect("no panic while locked").clone();
    let usual = match says.is_empty() {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::OK,
    };
    (StatusCode::from_u16(status).unwrap_or(usual), says)
}
