//! The only place that reads the wall clock. Logic takes the time as an argument; stages take a [`Clock`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::reading::Timestamp;

/// Where a stage gets the time from: the system, or a test's hand.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

/// Sets the time a manual [`Clock`] shows.
#[derive(Debug, Clone)]
pub struct Hand(Arc<AtomicI64>);

impl Clock {
    pub fn system() -> Self {
        Self(Source::System)
    }

    pub fn manual(start: Timestamp) -> (Self, Hand) {
        let time = Arc::new(AtomicI64::new(start.0));
        (Self(Source::Manual(Arc::clone(&time))), Hand(time))
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Manual(time) => Timestamp(time.load(Ordering::SeqCst)),
        }
    }
}

impl Hand {
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

fn system_now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place that may")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or_else(
        |before| i64::try_from(before.duration().as_millis()).map(|ms| -ms),
        |since| i64::try_from(since.as_millis()),
    );
    Timestamp(millis.unwrap_or(i64::MAX))
}
