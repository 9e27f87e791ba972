//! What the log and `/readyz` hear of the session: once for each thing that is wrong.

use tracing::{debug, error, info, warn};

use crate::telemetry::Readiness;

const PART: &str = "subscribe";

#[derive(Debug)]
pub(super) struct Report {
    readiness: Readiness,
    said: Option<String>,
}

impl Report {
    /// Until there is a session the daemon is not ready.
    pub(super) fn new(readiness: Readiness, broker: &str) -> Self {
        readiness.trouble(PART, format!("not yet connected to the broker {broker}"));
        Self { readiness, said: None }
    }

    /// Nothing is lost: the broker keeps what comes meanwhile.
    pub(super) fn trouble(&mut self, what: String) {
        if self.is_new(&what) {
            warn!("{what}");
        }
        self.readiness.trouble(PART, what);
    }

    /// A person must do something.
    pub(super) fn needs_a_person(&mut self, what: String) {
        if self.is_new(&what) {
            error!("{what}");
        }
        self.readiness.trouble(PART, what);
    }

    pub(super) fn well(&mut self, what: &str) {
        if self.is_new(what) {
            info!("{what}");
        }
        self.readiness.well(PART);
    }

    fn is_new(&mut self, what: &str) -> bool {
        if self.said.as_deref() == Some(what) {
            debug!("still: {what}");
            return false;
        }
        self.said = Some(what.to_owned());
        true
    }
}
