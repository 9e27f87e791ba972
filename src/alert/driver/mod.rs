//! The stage: groups, time and commands in; transitions, notices and news out.

mod people;
mod saving;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tracing::{error, warn};

use self::saving::Saving;
use super::{
    Engine, Happening, Ledger, Outcome, Reason, Record, Standing, Transition, ledger::Unavailable,
    pulse::Pulse,
};
use crate::{
    clock::Clock,
    decode::Decoded,
    follow::Follower,
    live::Live,
    reading::Timestamp,
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
/// Between looks for alerts that are old enough to go.
const FORGET_EVERY: Duration = Duration::from_hours(1);
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
    let keep = settings.keep;
    let mut driver = Driver::new(engine, ledger, clock, live, counters, readiness, keep);
    driver.restore(start).await?;
    driver.recall().await;
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
                driver.recall().await;
            }
            Ok(()) = input.changed() => driver.hear_of(*input.borrow_and_update()),
            Some(command) = commands.recv() => driver.obey(command).await,
            () = sleep_until(wake) => {}
        }
        driver.look_at_clock().await;
        driver.let_time_pass(groups.lag()).await;
        driver.remind().await;
        driver.forget_some().await;
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
    /// When open alerts are looked at again, for what time alone does to them.
    remind_next: Instant,
    /// How long alerts that are over are kept, and when it is next looked for older ones.
    keep: Duration,
    forget_next: Instant,
}

impl Driver {
    fn new(
        engine: Engine,
        ledger: Ledger,
        clock: Clock,
        live: Live,
        counters: Counters,
        readiness: Readiness,
        keep: Duration,
    ) -> Self {
        let pulse = Pulse::new(clock.now(), Instant::now());
        let (remind_next, forget_next) = (Instant::now(), Instant::now() + FORGET_EVERY);
        Self {
            engine,
            ledger,
            clock,
            live,
            counters,
            readiness,
            pulse,
            saving: Saving::new(),
            remind_next,
            keep,
            forget_next,
        }
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

    async fn look_at_clock(&mut self) {
        let Some(jump) = self.pulse.beat(self.clock.now(), Instant::now()) else { return };
        let seconds = jump / 1000;
        warn!(seconds, "the clock was set; timers of alerts keep what they have left");
        self.engine.shift(jump);
        // Rows say by which clock they were written: this is all that must be on disk now.
        self.checkpoint(self.saving.saved).await;
    }

    async fn tell(&mut self, outcome: Outcome) {
        if !outcome.happenings.is_empty() {
            self.write_down(None, outcome).await;
        }
    }

    /// Records what happened, then lets others hear of it. What cannot be written is tried again:
    /// nobody is told what a crash could take back.
    async fn write_down(&mut self, work: Option<Record>, outcome: Outcome) {
        let rows = self.engine.rows(&outcome.devices);
        let transitions = loop {
            let (happenings, rows) = (outcome.happenings.clone(), rows.clone());
            match self.ledger.record_with(work.clone(), happenings, rows).await {
                Ok(transitions) => break transitions,
                Err(unavailable) => self.wait(&unavailable).await,
            }
        };
        self.told(&transitions);
    }

    fn told(&self, transitions: &[Transition]) {
        self.readiness.well(PART);
        for transition in transitions {
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
        let open = self.ledger.among_open(|alert| Some((alert.severity, alert.state)));
        for severity in SEVERITIES {
            for state in [Standing::Firing, Standing::Acknowledged] {
                let count = open.iter().filter(|alert| **alert == (severity, state)).count();
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                self.counters.alerts(severity, state.as_str(), count);
            }
        }
    }
}

const SEVERITIES: [Severity; 4] =
    [Severity::Info, Severity::Minor, Severity::Major, Severity::Critical];

#[cfg(test)]
mod tests;
