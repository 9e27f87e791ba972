//! How the host and we ourselves fare: looked at every few seconds, published as gauges, kept as a
//! snapshot for the store, and judged for alerts about ourselves.

mod gauges;
mod host;
mod judge;

pub use host::{Host, Probe};
pub use judge::{Limits, Trouble, judge};

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use tokio::{sync::watch, task, time};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Counters;
use crate::{clock::Clock, reading::Timestamp};

const EVERY: Duration = Duration::from_secs(10);

/// What other parts of the daemon say of themselves at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parts {
    pub journal_bytes: u64,
    pub journal_max_bytes: u64,
    pub readers: Vec<Behind>,
    pub outbox: Outbox,
    pub inputs: Vec<Input>,
}

/// A reader of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Behind {
    pub reader: &'static str,
    pub messages: u64,
    /// When it was up to date for the last time; `None` while it is.
    pub since: Option<Timestamp>,
}

/// Notices that wait to be sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outbox {
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
}

/// A door that messages come in by.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    pub name: &'static str,
    /// Since when it is down; `None` while it is up.
    pub down_since: Option<Timestamp>,
}

/// Everything [`judge()`] looks at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    pub at: Timestamp,
    pub host: Host,
    pub parts: Parts,
}

/// The last look.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    pub figures: Figures,
    /// The worst first.
    pub troubles: Vec<Trouble>,
}

impl Health {
    /// Fields of the measurement `waystation`, numbers all; what could not be measured is left out.
    pub fn fields(&self) -> Vec<(&'static str, f64)> {
        gauges::fields(&self.figures)
    }
}

/// Looks every few seconds until it is told to stop. `parts` must answer at once.
pub async fn run(
    data_dir: PathBuf,
    limits: Limits,
    parts: impl Fn() -> Parts + Send + 'static,
    counters: Counters,
    clock: Clock,
    health: watch::Sender<Health>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let gauges = gauges::Gauges::register(&counters);
    let mut probe = Probe::new(data_dir);
    let mut every = time::interval(EVERY);
    every.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = every.tick() => {}
        }
        let (back, host) = look(probe).await?;
        probe = back;
        let figures = Figures { at: clock.now(), host, parts: parts() };
        gauges.publish(&figures);
        health.send_modify(|health| *health = next(health, figures, &limits));
    }
}

/// A disk that hangs holds up this look, not the runtime.
async fn look(mut probe: Probe) -> anyhow::Result<(Probe, Host)> {
    let looked = task::spawn_blocking(move || {
        let host = probe.look();
        (probe, host)
    });
    looked.await.context("cannot look at the host")
}

fn next(before: &Health, figures: Figures, limits: &Limits) -> Health {
    let troubles = judge(&figures, limits, &before.troubles);
    let has = |list: &[Trouble], id: &str| list.iter().any(|trouble| trouble.id == id);
    for trouble in troubles.iter().filter(|trouble| !has(&before.troubles, trouble.id)) {
        error!(trouble = trouble.id, "{}: {}", trouble.says.en, trouble.cure.en);
    }
    for trouble in before.troubles.iter().filter(|trouble| !has(&troubles, trouble.id)) {
        info!(trouble = trouble.id, "over: {}", trouble.says.en);
    }
    Health { figures, troubles }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_host_is_looked_at_until_the_stop() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, _hand) = Clock::manual(Timestamp(1000));
        let (health, mut seen) = watch::channel(Health::default());
        let (counters, stop) = (Counters::default(), CancellationToken::new());
        let parts = || Parts { journal_bytes: 90, journal_max_bytes: 100, ..Parts::default() };
        let path = folder.path().to_owned();
        let limits = Limits::default();
        let running = run(path, limits, parts, counters.clone(), clock, health, stop.clone());
        let looking = async {
            seen.wait_for(|health| health.figures.at == Timestamp(1000)).await.unwrap();
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(running, looking);
        ended.unwrap();
        let health = seen.borrow().clone();
        assert!(health.troubles.iter().any(|trouble| trouble.id == "journal_filling"));
        assert!(health.figures.host.memory_total > 0);
        assert!(health.fields().contains(&("journal_bytes", 90.0)));
        let page = counters.render().unwrap();
        assert!(page.contains("waystation_host_memory_total_bytes "), "{page}");
    }
}
