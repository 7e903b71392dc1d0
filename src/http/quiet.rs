//! Whether something runs on a connection, and since when nothing does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How quiet a connection is. Clones are about the same one.
#[derive(Clone, Debug)]
pub(super) struct Quiet(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    running: usize,
    /// When the last request ended, or the connection began.
    since: Instant,
    /// When the first byte came after that.
    bytes: Option<Instant>,
}

/// Something that runs, as long as this is kept.
pub(super) struct Running(Quiet);

impl Quiet {
    pub(super) fn new() -> Quiet {
        Quiet(Arc::new(Mutex::new(State {
            running: 0,
            since: Instant::now(),
            bytes: None,
        })))
    }

    /// Something runs from now on.
    pub(super) fn running(&self) -> Running {
        self.with(|state| {
            state.running += 1;
            state.bytes = None;
        });
        Running(self.clone())
    }

    /// Bytes came: while nothing runs, of the next request's head.
    pub(super) fn bytes_came(&self) {
        self.with(|state| {
            if state.running == 0 {
                state.bytes.get_or_insert_with(Instant::now);
            }
        });
    }

    /// Ends when nothing has run for `idle`, or a head has not become a request within `head` of its first
    /// byte.
    pub(super) async fn for_long(&self, idle: Duration, head: Option<Duration>) {
        loop {
            let now = Instant::now();
            let end = self.with(|state| match (state.running, state.bytes, head) {
                (0, Some(bytes), Some(head)) => bytes + head,
                (0, _, _) => state.since + idle,
                (_, _, _) => now + idle,
            });
            if end <= now {
                return;
            }
            // A head may begin meanwhile, whose time is shorter.
            sleep_until(end.min(now + head.unwrap_or(idle))).await;
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.running -= 1;
            state.since = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);
    const HEAD: Option<Duration> = Some(Duration::from_secs(10));

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_may_run_for_as_long_as_that() {
        let quiet = Quiet::new();
        let start = Instant::now();
        quiet.for_long(IDLE, None).await;
        assert_eq!(start.elapsed(), IDLE);
        let running = quiet.running();
        assert!(
            timeout(seconds(600), quiet.for_long(IDLE, HEAD))
                .await
                .is_err()
        );
        drop(running);
        let start = Instant::now();
        quiet.for_long(IDLE, HEAD).await;
        assert_eq!(start.elapsed(), IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_less_time_from_its_first_byte_on() {
        let quiet = Quiet::new();
        let start = Instant::now();
        let slow = async {
            sleep(seconds(25)).await;
            loop {
                quiet.bytes_came();
                sleep(seconds(1)).await;
            }
        };
        tokio::select! {
            _ = slow => {}
            () = quiet.for_long(IDLE, HEAD) => {}
        }
        let took = start.elapsed().as_secs();
        assert!((35..=45).contains(&took), "{took}");
    }
}
