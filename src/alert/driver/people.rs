//! What people say, and what time alone does to alerts that they know of.

use tokio::time::Instant;
use tracing::{info, warn};

use super::{Driver, FORGET_EVERY, LOOK_AGAIN};
use crate::{
    alert::{Alert, Record, ledger::Command, remind},
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
        let found = record.samples(&device.profile).unwrap_or_default();
        let done: Vec<_> = record.cells().collect();
        let now = self.clock.now();
        let outcome = self.engine.record(&record.path, &done, record.at, &found, now);
        let Some(outcome) = outcome else { return false };
        info!(device = record.path, kind = record.kind, by = record.by, "work recorded");
        self.show(&record);
        self.write_down(Some(record), outcome).await;
        true
    }

    /// Records that rules did not ask for when they were made: a rule may be newer than the work.
    pub(super) async fn recall(&mut self) {
        let records = loop {
            match self.ledger.last_records().await {
                Ok(records) => break records,
                Err(unavailable) => self.wait(&unavailable).await,
            }
        };
        let now = self.clock.now();
        for record in records {
            self.show(&record);
            let done: Vec<_> = record.cells().collect();
            if done.is_empty() {
                continue;
            }
            if let Some(outcome) = self.engine.record(&record.path, &done, record.at, &[], now) {
                self.tell(outcome).await;
            }
        }
    }

    /// What has no electronics shows what was found by hand.
    fn show(&self, record: &Record) {
        let registry = self.engine.registry();
        let Some(device) = registry.find(&record.path).filter(|d| d.profile.by_hand) else {
            return;
        };
        let found = record.samples(&device.profile).unwrap_or_default();
        let at = record.at;
        let metric = |s: Sample| live::Metric { metric: s.metric, value: s.value, at };
        self.live.restore(device.slot, found.into_iter().map(metric));
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
