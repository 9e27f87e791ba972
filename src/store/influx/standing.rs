//! Whether InfluxDB takes what it is given: known to all requests together, and said when it
//! changes, not once a request.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time};
use tracing::{info, warn};

use crate::telemetry::Readiness;

const PART: &str = "store";

#[derive(Debug)]
pub(super) struct Standing {
    readiness: Readiness,
    /// What was said last, while there is trouble.
    said: Mutex<Option<String>>,
    better: Notify,
}

impl Standing {
    pub(super) fn new(readiness: Readiness) -> Self {
        Self { readiness, said: Mutex::default(), better: Notify::new() }
    }

    pub(super) fn trouble(&self, reason: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_deref() != Some(reason) {
            warn!("{reason}; readings wait in the journal");
            self.readiness.trouble(PART, format!("{reason}; readings wait in the journal"));
            *said = Some(reason.to_owned());
        }
    }

    pub(super) fn well(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.take().is_some() {
            info!("InfluxDB takes readings again");
            self.readiness.well(PART);
            self.better.notify_waiters();
        }
    }

    /// Waits for `pause`, or until another request went through.
    pub(super) async fn pause(&self, pause: Duration) {
        time::timeout(pause, self.better.notified()).await.ok();
    }
}
