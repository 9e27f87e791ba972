//! What people say, and what time alone does to alerts that they know of.

use tokio::time::Instant;
use tracing::{info, warn};

use super::{Driver, FORGET_EVERY, LOOK_AGAIN};
use crate::{
    alert::{Alert, Outcome, Record, ledger::Command, remind},
    live,
    reading::Sample,
};

impl Driver {
    /// Whoever asked may have gone when there is an answer.
    pub(super) async fn obey(&mut self, command: Command) {
        match command {
            Command::Confirm { alert, by, done } => {
                done.send(self.confirm(&alert, &by).await).ok();
            }
            Command::Enter { record, done } => {
                done.send(self.enter(*record).await).ok();
            }
        }
    }

    async fn confirm(&mut self, alert: &Alert, by: &str) -> bool {
        let outcome = self.engine.confirm(&alert.path(), &alert.id, by, self.clock.now());
        let Some(outcome) = outcome else { return false };
        info!(alert = alert.id, rule = alert.rule, by, "alert confirmed");
        self.tell(outcome).await;
        true
    }

    /// Work that was done: its record, what rules remember of it and what came of it are one
    /// transaction.
    async fn enter(&mut self, record: Record) -> bool {
        let registry = self.engine.registry();
        let Some(device) = registry.find(&record.path) else { return false };
        let (slot, at) = (device.slot, record.at);
        let samples = record.samples(&device.profile).unwrap_or_default();
        info!(device = record.path, kind = record.kind, by = record.by, "work recorded");
        let mut outcome = Outcome::default();
        if !outcome.devices.contains(&slot) {
            outcome.devices.push(slot);
        }
        self.write_down(Some(record), outcome).await;
        let metric = |s: Sample| live::Metric { metric: s.metric, value: s.value, at };
        self.live.restore(slot, samples.into_iter().map(metric));
        true
    }

    /// At most once a second: there may be many alerts, and groups come by the thousand.
    pub(super) async fn remind(&mut self) {
        if Instant::now() < self.remind_next {
            return;
        }
        self.remind_next = Instant::now() + LOOK_AGAIN;
        let now = self.clock.now();
        let registry = self.engine.registry();
        let repeat = |alert: &Alert| {
            let device = registry.find(&alert.path())?;
            Some(device.rules.iter().find(|rule| rule.id.as_str() == alert.rule)?.repeat)
        };
        let due = |alert: &Alert| remind::due(alert, repeat(alert).unwrap_or_default(), now);
        let handlings = self.ledger.among_open(due);
        if handlings.is_empty() {
            return;
        }
        match self.ledger.handle(handlings).await {
            Ok(transitions) => self.told(&transitions),
            Err(unavailable) => self.wait(&unavailable).await,
        }
    }

    /// Old alerts go, a few at a time.
    pub(super) async fn forget_some(&mut self) {
        if Instant::now() < self.forget_next {
            return;
        }
        let more = match self.ledger.forget(self.clock.now() - self.keep).await {
            Ok(more) => more,
            Err(unavailable) => {
                warn!("{unavailable}; old alerts stay a while longer");
                false
            }
        };
        self.forget_next = Instant::now() + if more { LOOK_AGAIN } else { FORGET_EVERY };
    }
}
