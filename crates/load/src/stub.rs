//! A provider of messages on this machine: takes what is posted to it, and answers at once or not at all.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A receiver of webhooks. It ends with this value.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    task: JoinHandle<()>,
}

/// What has come in.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Where each went, and when.
    pub(crate) posts: Vec<(String, Instant)>,
    ids: HashSet<String>,
}

impl Taken {
    /// Messages that came more than once, counted each time but the first.
    pub(crate) fn repeated(&self) -> usize {
        self.posts.len() - self.ids.len()
    }
}

impl Stub {
    /// Starts one that answers 204, or one that never answers.
    pub(crate) async fn start(answers: bool) -> anyhow::Result<Stub> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let taken = Arc::new(Mutex::new(Taken::default()));
        #[expect(clippy::disallowed_methods, reason = "it ends with the stub")]
        let task = tokio::spawn(serve(listener, taken.clone(), answers));
        Ok(Stub {
            address,
            taken,
            task,
        })
    }

    /// The route that leads to it, as a section of a file.
    pub(crate) fn route(&self, name: &str, more: &str) -> String {
        // 32 bytes of 3, in base64.
        let secret = "whsec_AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
        format!(
            "[sms.routes.{name}]\ntype = \"webhook\"\nurl = \"http://{}/sms\"\nsecrets = [\"{secret}\"]\n\
             allow_insecure = true\n{more}\n",
            self.address
        )
    }

    /// How many have come in by now.
    pub(crate) fn count(&self) -> usize {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .posts
            .len()
    }

    /// What has come in by now; it is not kept here any more.
    pub(crate) fn take(&self) -> Taken {
        std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, taken: Arc<Mutex<Taken>>, answers: bool) {
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream.set_nodelay(true));
        let taken = taken.clone();
        let answer = service_fn(move |request| answer(request, taken.clone(), answers));
        // Whoever goes away has had what there was for them.
        #[expect(clippy::disallowed_methods, reason = "it ends with its connection")]
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            drop(
                connection
                    .serve_connection(TokioIo::new(stream), answer)
                    .await,
            );
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    taken: Arc<Mutex<Taken>>,
    answers: bool,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let at = Instant::now();
    let id = request.headers().get("webhook-id").cloned();
    let body = request.into_body().collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let to = message["to"].as_str().unwrap_or_default().to_owned();
    let id = id.and_then(|id| id.to_str().ok().map(str::to_owned));
    {
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.posts.push((to, at));
        taken.ids.extend(id);
    }
    if !answers {
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
