//! Decodes each group once and hands it to whoever follows.
//!
//! ```text
//!            appended (may skip when full)          ┌─▶ Follower "store"   a queue each; one that is full
//!  ingest ──────────────────────────────▶ decode ───┼─▶ Follower "alert"   is passed over, and its follower
//!                              ▲                    │                      reads the journal instead
//!  journal ────────────────────┘                    └─▶ live               misses what it has no room for
//! ```
//! The journal has every group, so no queue here must hold anything up. The decoder's memory is
//! saved with its position now and then; after a crash it goes on from there and decides the same.

mod fanout;
mod follower;

pub use fanout::Fanout;
pub use follower::Follower;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    sync::{mpsc, watch},
    task,
    time::{Instant, sleep, sleep_until},
};
use tracing::{error, info};

use crate::{
    decode::{Annotations, Code, Decoded},
    derive::Deriver,
    journal::{Group, Journal, Messages, ReadError},
    registry::Registry,
    telemetry::Counters,
};

/// The journal's reader that stands for the decoder's memory.
pub const DECODE: &str = "decode";

/// The memory is saved this long after the first group it does not cover, or after so many messages.
const SAVE_AFTER: Duration = Duration::from_secs(10);
const SAVE_MESSAGES: u32 = 200_000;
/// A group that did not come by the queue in this time is read from the journal.
const MISSED_AFTER: Duration = Duration::from_millis(50);
/// Messages read from the journal at once.
const READ_BYTES: usize = 1 << 20;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A group that is durable.
#[derive(Debug, Clone)]
pub struct Appended {
    pub number: u64,
    pub messages: Arc<Messages>,
}

impl From<(u64, Arc<Messages>)> for Appended {
    fn from((number, messages): (u64, Arc<Messages>)) -> Self {
        Self { number, messages }
    }
}

/// How messages become readings: decoding and deriving, or a test's fake.
pub trait Decode: Send + 'static {
    fn decode(
        &mut self,
        group: u64,
        messages: &Messages,
        registry: &Arc<Registry>,
    ) -> (Decoded, Annotations);

    /// Rows of the memory that changed since it was last asked.
    fn changed_state(&mut self, registry: &Registry) -> Vec<(String, Vec<u8>)>;

    fn restore(&mut self, rows: Vec<(String, Vec<u8>)>, registry: &Registry);
}

impl Decode for Deriver {
    fn decode(
        &mut self,
        group: u64,
        messages: &Messages,
        registry: &Arc<Registry>,
    ) -> (Decoded, Annotations) {
        self.decode(group, messages, registry)
    }

    fn changed_state(&mut self, registry: &Registry) -> Vec<(String, Vec<u8>)> {
        self.changed_state(registry)
    }

    fn restore(&mut self, rows: Vec<(String, Vec<u8>)>, registry: &Registry) {
        self.restore(rows, registry);
    }
}

/// Goes on from where the decoder's memory was saved; ends when `appended` closes.
pub async fn run<D: Decode>(
    mut appended: mpsc::Receiver<Appended>,
    journal: Journal,
    mut decoder: D,
    registry: watch::Receiver<Arc<Registry>>,
    fanout: Fanout,
    counters: Counters,
) -> anyhow::Result<()> {
    let rows = journal.load_state().await.context("what the decoder remembers is lost")?;
    decoder.restore(rows, &registry.borrow());
    let position = journal.committed(DECODE);
    let mut last = journal.watch_last();
    let mut stage = Stage { journal, decoder, registry, fanout, counters, position, unsaved: None };
    stage.catch_up(stage.journal.last(), &appended).await;
    loop {
        tokio::select! {
            biased;
            group = appended.recv() => {
                let Some(group) = group else { break };
                if !stage.catch_up(group.number.saturating_sub(1), &appended).await {
                    break;
                }
                stage.take(group.number, &group.messages);
            }
            () = missed(&mut last, stage.position) => {
                let upto = *last.borrow();
                stage.catch_up(upto, &appended).await;
            }
            () = due(stage.unsaved.as_ref()) => stage.save(),
        }
    }
    stage.save();
    Ok(())
}

struct Stage<D> {
    journal: Journal,
    decoder: D,
    registry: watch::Receiver<Arc<Registry>>,
    fanout: Fanout,
    counters: Counters,
    /// The newest group that is decoded.
    position: u64,
    unsaved: Option<Unsaved>,
}

struct Unsaved {
    due: Instant,
    messages: u32,
}

impl<D: Decode> Stage<D> {
    /// Decodes what the queue did not bring, from the journal. `false`: stopped before it was there.
    async fn catch_up(&mut self, upto: u64, appended: &mpsc::Receiver<Appended>) -> bool {
        let behind = upto.saturating_sub(self.position);
        if behind > 1000 {
            info!(groups = behind, "decoding what the journal holds");
        }
        while self.position < upto {
            if appended.is_closed() {
                return false;
            }
            let read = self.journal.read_upto(self.position + 1, upto, READ_BYTES).await;
            let Some(groups) = readable(read).await else { continue };
            if groups.is_empty() {
                self.skip_to(upto);
            }
            for Group { number, messages, .. } in groups {
                self.take(number, &messages);
                task::yield_now().await;
            }
        }
        true
    }

    /// Each group once, whoever brings it.
    fn take(&mut self, number: u64, messages: &Messages) {
        if number <= self.position {
            return;
        }
        let registry = Arc::clone(&self.registry.borrow());
        let (decoded, annotations) = self.decoder.decode(number, messages, &registry);
        self.count(&decoded);
        self.journal.annotate(number, annotations);
        self.position = number;
        self.fanout.send(number, &Arc::new(decoded));
        self.note_unsaved(messages.len());
    }

    /// Dropped or damaged groups: they are said by the journal.
    fn skip_to(&mut self, number: u64) {
        self.position = number;
        self.fanout.skip(number);
        self.note_unsaved(0);
    }

    fn note_unsaved(&mut self, messages: u32) {
        let unsaved = self
            .unsaved
            .get_or_insert_with(|| Unsaved { due: Instant::now() + SAVE_AFTER, messages: 0 });
        unsaved.messages = unsaved.messages.saturating_add(messages);
        if unsaved.messages >= SAVE_MESSAGES || Instant::now() >= unsaved.due {
            self.save();
        }
    }

    fn save(&mut self) {
        if self.unsaved.take().is_some() {
            let rows = self.decoder.changed_state(&self.registry.borrow());
            self.journal.save_state(rows, self.position);
        }
    }

    fn count(&self, decoded: &Decoded) {
        self.counters.repeats(u64::from(decoded.repeats));
        self.counters.gaps(decoded.gaps.iter().map(|gap| gap.missing).sum());
        for rejection in &decoded.rejections {
            // Ingest has counted those, each message; here one stands for many.
            if rejection.code != Code::OverBudget {
                self.counters.rejected(rejection.code.as_str(), 1);
            }
        }
    }
}

/// The journal has a group beyond `position` and the queue does not bring it.
async fn missed(last: &mut watch::Receiver<u64>, position: u64) {
    if last.wait_for(|last| *last > position).await.is_err() {
        std::future::pending::<()>().await;
    }
    sleep(MISSED_AFTER).await;
}

async fn due(unsaved: Option<&Unsaved>) {
    match unsaved {
        Some(unsaved) => sleep_until(unsaved.due).await,
        None => std::future::pending().await,
    }
}

/// `None`, after a while: try again.
async fn readable(read: Result<Vec<Group>, ReadError>) -> Option<Vec<Group>> {
    match read {
        Ok(groups) => Some(groups),
        Err(unreadable) => {
            error!("{unreadable}; trying again");
            sleep(RETRY_AFTER).await;
            None
        }
    }
}

#[cfg(test)]
mod tests;
