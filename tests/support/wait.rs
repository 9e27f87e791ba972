//! Waiting for a condition, with a deadline instead of a guess.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Returns once `condition` holds; panics, naming `what`, when it does not within `limit`.
#[track_caller]
pub fn until(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> bool,
) -> impl Future<Output = ()> {
    until_async(what, limit, async move || condition())
}

/// As [`until`], for a condition that must ask somebody.
#[track_caller]
pub fn until_async(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + limit;
        while !condition().await {
            assert!(Instant::now() < deadline, "{caller}: not within {limit:?}: {what}");
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Returns once what `read` gives contains `words`; panics with what it gave last otherwise.
#[track_caller]
pub fn until_said(
    words: &str,
    limit: Duration,
    mut read: impl FnMut() -> String,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + limit;
        loop {
            let text = read();
            if text.contains(words) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{caller}: no {words:?} within {limit:?} in: {text}"
            );
            sleep(LOOK_EVERY).await;
        }
    }
}
