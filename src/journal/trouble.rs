//! Says once what is wrong with the journal, and once that it is over.

use std::time::{Duration, Instant};

use tracing::{error, info};

use super::AppendError;
use crate::telemetry::{Counters, Readiness};

const PART: &str = "journal";
/// Without an append to prove it, a trouble is over when nothing failed for this long.
const QUIET: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Trouble {
    readiness: Readiness,
    counters: Counters,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    Full,
    Dropping { messages: u64 },
    Unavailable { since: Instant },
}

impl Trouble {
    pub(super) fn new(readiness: Readiness, counters: Counters) -> Self {
        Self { readiness, counters, state: State::Well }
    }

    pub(super) fn any(&self) -> bool {
        self.state != State::Well
    }

    pub(super) fn full(&mut self, why: &AppendError) {
        if self.state != State::Full {
            error!("{why}; publishers wait, nothing is lost, it goes on by itself");
        }
        self.readiness.trouble(PART, format!("{why}; publishers wait, nothing is lost"));
        self.state = State::Full;
    }

    pub(super) fn dropped(&mut self, messages: u64) {
        self.counters.journal_dropped(messages);
        let before = if let State::Dropping { messages } = self.state {
            messages
        } else {
            error!("the journal is full and drops its oldest messages (journal.when_full)");
            0
        };
        let messages = before + messages;
        let says = format!("the journal is full: {messages} of its oldest messages were dropped");
        self.readiness.trouble(PART, says);
        self.state = State::Dropping { messages };
    }

    pub(super) fn unavailable(&mut self, reason: &str) {
        if !matches!(self.state, State::Unavailable { .. }) {
            error!("cannot write the journal: {reason}; nothing is acknowledged until it can");
        }
        let says = format!("cannot write the journal: {reason}; publishers wait, nothing is lost");
        self.readiness.trouble(PART, says);
        self.state = State::Unavailable { since: Instant::now() };
    }

    /// A group was written; `relaxed` when there is room well below the limit.
    pub(super) fn appended(&mut self, relaxed: bool) {
        match self.state {
            State::Well => {}
            State::Dropping { .. } if !relaxed => {}
            _ => self.over(),
        }
    }

    /// Something was written, but no group.
    pub(super) fn wrote(&mut self, relaxed: bool) {
        match self.state {
            State::Full | State::Dropping { .. } if relaxed => self.over(),
            State::Unavailable { since } if since.elapsed() >= QUIET => self.over(),
            _ => {}
        }
    }

    fn over(&mut self) {
        if let State::Dropping { messages } = self.state {
            error!(messages, "the journal has room again; these messages were dropped");
        } else {
            info!("the journal takes messages again");
        }
        self.readiness.well(PART);
        self.state = State::Well;
    }
}
