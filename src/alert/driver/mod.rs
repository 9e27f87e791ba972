//! The stage: groups, time and commands in; transitions, notices and news out.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    Engine, Happening, Ledger, Outcome, Reason,
    ledger::{Checkpoint, Command, Unavailable},
    pulse::Pulse,
};
use crate::{
    clock::Clock,
    decode::Decoded,
    follow::Follower,
    live::Live,
    reading::{Slot, Timestamp},
    registry::Registry,
    rule::Severity,
    settings,
    telemetry::{Counters, Readiness},
};

/// Our part of `/readyz`.
const PART: &str = "alert";
/// A message that is on its way to us may still say that a timer need not ring.
const SLACK: Duration = Duration::from_millis(250);
/// Between looks at clock and timers, when nothing comes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
/// Checkpoints take no more than one in so many parts of our time.
const CHECKPOINT_SHARE: u32 = 50;
/// Rows in one transaction: what a transition may have to wait for.
const ROWS_AT_ONCE: usize = 500;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whether anything can come in at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Up,
    Down { since: Timestamp },
}

/// Where groups come from: the journal's follower, or a test.
pub trait Groups: Send {
    /// In order, without gaps; `None` when there will be no more. May be cancelled.
    fn next(&mut self) -> impl Future<Output = Option<Arc<Decoded>>> + Send;
    /// `upto` and all before it are not needed again.
    fn commit(&self, upto: u64);
    /// Groups that were not given yet.
    fn lag(&self) -> u64;
}

impl Groups for Follower {
    async fn next(&mut self) -> Option<Arc<Decoded>> {
        Self::next(self).await
    }

    fn commit(&self, upto: u64) {
        Self::commit(self, upto);
    }

    fn lag(&self) -> u64 {
        Self::lag(self)
    }
}

/// Judges what comes until `groups` ends.
#[expect(clippy::too_many_arguments, reason = "the signature is the documentation")]
pub async fn run(
    mut groups: impl Groups,
    ledger: Ledger,
    mut registry: watch::Receiver<Arc<Registry>>,
    settings: settings::Alert,
    clock: Clock,
    mut input: watch::Receiver<Input>,
    live: Live,
    counters: Counters,
    readiness: Readiness,
) -> anyhow::Result<()> {
    let mut commands = ledger.take_commands().unwrap_or_else(|| mpsc::channel(1).1);
    let registered = Arc::clone(&registry.borrow_and_update());
    let start = clock.now();
    let engine = Engine::new(registered, start, settings.startup_grace);
    let pulse = Pulse::new(start, Instant::now());
    let mut driver = Driver::new(engine, ledger, clock, live, counters, readiness, pulse);
    driver.restore(start).await?;
    if matches!(*input.borrow_and_update(), Input::Down { .. }) {
        driver.engine.input_lost();
    }
    loop {
        let wake = driver.wake_at();
        tokio::select! {
            group = groups.next() => {
                let Some(group) = group else { break };
                driver.look_at_clock().await;
                driver.judge(&group).await;
            }
            Ok(()) = registry.changed() => {
                let registered = Arc::clone(&registry.borrow_and_update());
                driver.reload(registered).await;
            }
            Ok(()) = input.changed() => driver.hear_of(*input.borrow_and_update()),
            Some(command) = commands.recv() => driver.confirm(command).await,
            () = sleep_until(wake) => {}
        }
        driver.look_at_clock().await;
        driver.let_time_pass(groups.lag()).await;
        driver.save_some(&groups).await;
    }
    driver.save_all(&groups).await;
    Ok(())
}

#[derive(Debug)]
struct Driver {
    engine: Engine,
    ledger: Ledger,
    clock: Clock,
    live: Live,
    counters: Counters,
    readiness: Readiness,
    pulse: Pulse,
    saving: Saving,
}

/// A checkpoint under way: the position it will stand for, the rows still to be saved.
#[derive(Debug)]
struct Saving {
    saved: u64,
    position: u64,
    rows: Vec<Slot>,
    under_way: bool,
    took: Duration,
    next: Instant,
}

impl Driver {
    fn new(
        engine: Engine,
        ledger: Ledger,
        clock: Clock,
        live: Live,
        counters: Counters,
        readiness: Readiness,
        pulse: Pulse,
    ) -> Self {
        let saving = Saving {
            saved: 0,
            position: 0,
            rows: Vec::new(),
            under_way: false,
            took: Duration::ZERO,
            next: Instant::now() + CHECKPOINT_EVERY,
        };
        Self { engine, ledger, clock, live, counters, readiness, pulse, saving }
    }

    async fn restore(&mut self, start: Timestamp) -> anyhow::Result<()> {
        let (orphans, unreadable) = self.engine.restore(self.ledger.restore().await?);
        self.saving.saved = self.engine.position();
        for row in unreadable {
            warn!("{row}; its rules start anew");
        }
        self.engine.wake_up(start);
        let removed = |id| Happening::Resolved { id, at: start, reason: Some(Reason::Removed) };
        let happenings = orphans.into_iter().map(removed).collect();
        self.tell(Outcome { happenings, devices: Vec::new() }).await;
        self.count();
        Ok(())
    }

    async fn judge(&mut self, group: &Decoded) {
        let outcome = self.engine.apply(group, self.clock.now());
        self.tell(outcome).await;
    }

    /// While we lag, time is what the groups say; else what the clock says.
    async fn let_time_pass(&mut self, lag: u64) {
        let now = if lag == 0 { self.clock.now() } else { self.engine.now() };
        let outcome = self.engine.tick(now - SLACK);
        self.tell(outcome).await;
    }

    async fn reload(&mut self, registry: Arc<Registry>) {
        let outcome = self.engine.reload(registry, self.clock.now());
        self.tell(outcome).await;
    }

    fn hear_of(&mut self, input: Input) {
        match input {
            Input::Up => self.engine.input_back(self.clock.now()),
            Input::Down { .. } => self.engine.input_lost(),
        }
    }

    async fn confirm(&mut self, command: Command) {
        let Command { alert, by, done } = command;
        let outcome = self.engine.confirm(&alert.path(), &alert.id, &by, self.clock.now());
        let found = outcome.is_some();
        if let Some(outcome) = outcome {
            info!(alert = alert.id, rule = alert.rule, by, "alert confirmed");
            self.tell(outcome).await;
        }
        // Whoever asked may have gone.
        done.send(found).ok();
    }

    async fn look_at_clock(&mut self) {
        let Some(jump) = self.pulse.beat(self.clock.now(), Instant::now()) else { return };
        let seconds = jump / 1000;
        warn!(seconds, "the clock was set; timers of alerts keep what they have left");
        self.engine.shift(jump);
        // Rows say by which clock they were written: this is all that must be on disk now.
        self.checkpoint(self.saving.saved).await;
    }

    /// Records what happened, then lets others hear of it. What cannot be written is tried again:
    /// nobody is told what a crash could take back.
    async fn tell(&mut self, outcome: Outcome) {
        if outcome.happenings.is_empty() {
            return;
        }
        let rows: Vec<_> =
            outcome.devices.iter().filter_map(|slot| self.engine.row(*slot)).collect();
        let transitions = loop {
            match self.ledger.record(outcome.happenings.clone(), rows.clone()).await {
                Ok(transitions) => break transitions,
                Err(unavailable) => self.wait(&unavailable).await,
            }
        };
        self.readiness.well(PART);
        for transition in &transitions {
            self.live.announce_alert(&transition.alert.path(), &transition.alert);
        }
        self.count_open();
    }

    async fn wait(&self, unavailable: &Unavailable) {
        if !self.readiness.troubles().contains_key(PART) {
            error!("{unavailable}; alerts wait until it does");
        }
        let cure = "see that the disk has room and data_dir is writable";
        self.readiness.trouble(PART, format!("{unavailable} ({cure})"));
        sleep(RETRY_AFTER).await;
    }

    fn wake_at(&self) -> Instant {
        if self.saving.under_way {
            return Instant::now();
        }
        let due = self.engine.next_timer().map(|due| (due + SLACK).since(self.clock.now()));
        Instant::now() + due.unwrap_or(LOOK_AGAIN).clamp(Duration::from_millis(1), LOOK_AGAIN)
    }

    /// Brings the checkpoint forward by some rows, if one is due.
    async fn save_some(&mut self, groups: &impl Groups) {
        let began = Instant::now();
        if !self.saving.under_way {
            if began < self.saving.next || self.engine.position() == self.saving.saved {
                return;
            }
            self.begin_saving();
        }
        let left = self.saving.rows.len().saturating_sub(ROWS_AT_ONCE);
        let slots = self.saving.rows.split_off(left);
        let rows: Vec<_> = slots.into_iter().filter_map(|slot| self.engine.row(slot)).collect();
        while let Err(unavailable) = self.ledger.save(rows.clone()).await {
            self.wait(&unavailable).await;
        }
        if self.saving.rows.is_empty() {
            self.checkpoint(self.saving.position).await;
            groups.commit(self.saving.position);
            self.count();
            self.saving.under_way = false;
        }
        self.saving.took += began.elapsed();
        let pause = (self.saving.took * CHECKPOINT_SHARE).max(CHECKPOINT_EVERY);
        self.saving.next = Instant::now() + pause.min(CHECKPOINT_EVERY * 12);
    }

    fn begin_saving(&mut self) {
        self.saving.under_way = true;
        self.saving.position = self.engine.position();
        self.saving.rows = self.engine.take_dirty();
        self.saving.took = Duration::ZERO;
    }

    async fn save_all(&mut self, groups: &impl Groups) {
        let mut rows = self.engine.take_dirty();
        rows.append(&mut self.saving.rows);
        self.begin_saving();
        self.saving.rows = rows;
        while self.saving.under_way {
            self.save_some(groups).await;
        }
    }

    async fn checkpoint(&mut self, position: u64) {
        let (now, base) = (self.engine.now(), self.engine.base());
        let checkpoint = Checkpoint { position, now, base };
        while let Err(unavailable) = self.ledger.checkpoint(checkpoint).await {
            self.wait(&unavailable).await;
        }
        self.readiness.well(PART);
        self.saving.saved = position;
    }

    fn count(&self) {
        let mut pending = [0; SEVERITIES.len()];
        for severity in self.engine.pending() {
            for (count, _) in pending.iter_mut().zip(SEVERITIES).filter(|(_, s)| *s == severity) {
                *count += 1;
            }
        }
        for (severity, count) in SEVERITIES.into_iter().zip(pending) {
            self.counters.alerts(severity, "pending", count);
        }
        self.count_open();
    }

    fn count_open(&self) {
        let open = self.ledger.open_alerts();
        for severity in SEVERITIES {
            let count = open.iter().filter(|alert| alert.severity == severity).count();
            self.counters.alerts(severity, "firing", u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
}

const SEVERITIES: [Severity; 4] =
    [Severity::Info, Severity::Minor, Severity::Major, Severity::Critical];

#[cfg(test)]
mod tests;
