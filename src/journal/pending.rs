//! What may wait for the next transaction: how far readers are, the decoder's state, annotations.
//!
//! None of it is worth an fsync of its own: after a crash a reader that committed too little does
//! some work again, and the decoder starts again from its last checkpoint, which is always whole.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, params};
use tokio::sync::watch;

use super::annotation;
use crate::decode::Annotations;

/// The reader whose position is that of the decoder's state.
pub(super) const DECODE: &str = "decode";

/// What the writer's thread and everybody else look at together.
#[derive(Debug)]
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    /// The newest group that is durable.
    pub last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// How far each reader has got, on disk or not.
    upto: BTreeMap<&'static str, u64>,
    changed: bool,
    /// Of groups whose annotations are not on disk yet.
    notes: BTreeMap<u64, Annotations>,
    /// Rows of the decoder's state, as of `checkpoint`.
    state: BTreeMap<String, Vec<u8>>,
    checkpoint: u64,
}

/// What one transaction takes along.
#[derive(Debug, Default)]
pub(super) struct Lazy {
    pub upto: BTreeMap<&'static str, u64>,
    notes: Vec<(u64, Vec<u8>)>,
    state: BTreeMap<String, Vec<u8>>,
    checkpoint: u64,
    /// Whether it is for this transaction, or only says how far readers are.
    due: bool,
}

impl Shared {
    pub(super) fn new(upto: BTreeMap<&'static str, u64>, last: u64) -> Self {
        let checkpoint = upto.get(DECODE).copied().unwrap_or(0);
        let waiting = Waiting { upto, checkpoint, ..Waiting::default() };
        Self { waiting: Mutex::new(waiting), last: watch::Sender::new(last) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader only goes forward, and never past what there is.
    pub(super) fn commit(&self, reader: &str, upto: u64) {
        let last = *self.last.borrow();
        let mut waiting = self.waiting();
        if let Some(before) = waiting.upto.get_mut(reader)
            && upto.min(last) > *before
        {
            *before = upto.min(last);
            waiting.changed = true;
        }
    }

    pub(super) fn committed(&self, reader: &str) -> u64 {
        self.waiting().upto.get(reader).copied().unwrap_or(0)
    }

    pub(super) fn annotate(&self, group: u64, annotations: Annotations) {
        if !annotations.is_empty() {
            self.waiting().notes.insert(group, annotations);
        }
    }

    pub(super) fn save_state(&self, rows: Vec<(String, Vec<u8>)>, upto: u64) {
        let mut waiting = self.waiting();
        waiting.state.extend(rows);
        waiting.checkpoint = waiting.checkpoint.max(upto);
        if let Some(before) = waiting.upto.get_mut(DECODE) {
            *before = upto.max(*before);
        }
        waiting.changed = true;
    }

    /// Annotations that are not on disk yet, from group `from` on.
    pub(super) fn notes(&self, from: u64) -> BTreeMap<u64, Annotations> {
        self.waiting().notes.range(from..).map(|(group, notes)| (*group, notes.clone())).collect()
    }

    pub(super) fn readers(&self) -> BTreeMap<&'static str, u64> {
        self.waiting().upto.clone()
    }

    /// Numbers go on behind `number`: whoever had everything up to `last` has nothing to read.
    pub(super) fn leap(&self, last: u64, number: u64) {
        let mut waiting = self.waiting();
        let waiting = &mut *waiting;
        for upto in waiting.upto.values_mut().chain([&mut waiting.checkpoint]) {
            if *upto >= last {
                *upto = number;
            }
        }
        waiting.changed = true;
    }

    pub(super) fn has_changes(&self) -> bool {
        self.waiting().changed
    }

    /// What waits for a transaction, if it is `due` for this one.
    pub(super) fn take(&self, due: bool) -> Lazy {
        let mut waiting = self.waiting();
        if !due {
            return Lazy { upto: waiting.upto.clone(), ..Lazy::default() };
        }
        waiting.changed = false;
        let covered = waiting.notes.range(..=waiting.checkpoint);
        Lazy {
            upto: waiting.upto.clone(),
            notes: covered.map(|(group, notes)| (*group, annotation::write(notes))).collect(),
            checkpoint: waiting.checkpoint,
            state: std::mem::take(&mut waiting.state),
            due,
        }
    }

    /// `lazy` is on disk: readers find its annotations there from now on.
    pub(super) fn written(&self, lazy: &Lazy) {
        if !lazy.due {
            return;
        }
        let mut waiting = self.waiting();
        waiting.notes = waiting.notes.split_off(&lazy.checkpoint.saturating_add(1));
    }

    /// `lazy` is not on disk: it waits on, under what came since.
    pub(super) fn put_back(&self, lazy: Lazy) {
        if !lazy.due {
            return;
        }
        let mut waiting = self.waiting();
        let newer = std::mem::replace(&mut waiting.state, lazy.state);
        waiting.state.extend(newer);
        waiting.changed = true;
    }
}

impl Lazy {
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.due {
            return Ok(());
        }
        let mut reader = connection.prepare_cached(
            "INSERT INTO readers VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET upto = ?2 WHERE upto <> ?2",
        )?;
        for (name, upto) in &self.upto {
            reader.execute(params![name, upto])?;
        }
        let mut note = connection.prepare_cached("REPLACE INTO annotations VALUES (?1, ?2)")?;
        for (group, notes) in &self.notes {
            note.execute(params![group, notes])?;
        }
        let mut row = connection.prepare_cached("REPLACE INTO device_state VALUES (?1, ?2)")?;
        for (path, state) in &self.state {
            row.execute(params![path, state])?;
        }
        Ok(())
    }

    /// What every reader has passed; with no readers, everything. Nothing where their commits do not
    /// become durable together with what is done about it.
    pub(super) fn passed(&self) -> u64 {
        if self.due { self.slowest().map_or(u64::MAX, |(_, upto)| upto) } else { 0 }
    }

    pub(super) fn slowest(&self) -> Option<(&'static str, u64)> {
        let all = self.upto.iter().map(|(name, upto)| (*name, *upto));
        all.min_by_key(|(_, upto)| *upto)
    }
}
