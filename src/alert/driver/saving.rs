//! Checkpoints: a few rows at a time, so that a transition never waits long behind them.

use std::time::Duration;

use tokio::time::Instant;

use super::{Driver, Groups, PART};
use crate::{alert::ledger::Checkpoint, reading::Slot};

const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
/// Checkpoints take no more than one in so many parts of our time.
const CHECKPOINT_SHARE: u32 = 50;
/// Rows in one transaction: what a transition may have to wait for.
const ROWS_AT_ONCE: usize = 500;

/// A checkpoint under way: the position it will stand for, the rows still to be saved.
#[derive(Debug)]
pub(super) struct Saving {
    pub(super) saved: u64,
    pub(super) position: u64,
    pub(super) rows: Vec<Slot>,
    pub(super) under_way: bool,
    pub(super) took: Duration,
    pub(super) next: Instant,
}

impl Saving {
    pub(super) fn new() -> Self {
        Self {
            saved: 0,
            position: 0,
            rows: Vec::new(),
            under_way: false,
            took: Duration::ZERO,
            next: Instant::now() + CHECKPOINT_EVERY,
        }
    }
}

impl Driver {
    /// Brings the checkpoint forward by some rows, if one is due.
    pub(super) async fn save_some(&mut self, groups: &impl Groups) {
        let began = Instant::now();
        if !self.saving.under_way {
            if began < self.saving.next || self.engine.position() == self.saving.saved {
                return;
            }
            self.begin_saving();
        }
        let left = self.saving.rows.len().saturating_sub(ROWS_AT_ONCE);
        let slots = self.saving.rows.split_off(left);
        let rows = self.engine.rows(&slots);
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

    pub(super) async fn save_all(&mut self, groups: &impl Groups) {
        let mut rows = self.engine.take_dirty();
        rows.append(&mut self.saving.rows);
        self.begin_saving();
        self.saving.rows = rows;
        while self.saving.under_way {
            self.save_some(groups).await;
        }
    }

    pub(super) async fn checkpoint(&mut self, position: u64) {
        let (now, base) = (self.engine.now(), self.engine.base());
        let checkpoint = Checkpoint { position, now, base };
        while let Err(unavailable) = self.ledger.checkpoint(checkpoint).await {
            self.wait(&unavailable).await;
        }
        self.readiness.well(PART);
        self.saving.saved = position;
    }
}
