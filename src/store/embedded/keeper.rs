//! What the stage knows: when to flush, what is under way, what went wrong. Its jobs touch the disk,
//! it does not.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tracing::{info, warn};

use super::{
    Embedded, Inner, Limits, Writer, disk,
    entry::{Day, NameId},
    flush, fold,
    memory::Table,
    sweep,
    tidy::{Task, Tidy},
};
use crate::{
    decode::Decoded,
    reading::Timestamp,
    telemetry::{Counters, Readiness},
};

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_mins(1);
const CLOCK_SET_BACK: Duration = Duration::from_mins(1);
const PART: &str = "store";

pub(super) struct Keeper {
    store: Arc<Inner>,
    limits: Limits,
    counters: Counters,
    readiness: Readiness,
    tidy: Tidy,
    position: u64,
    /// A group that needs a table of its own registry.
    waiting: Option<Arc<Decoded>>,
    /// Frozen and not yet on disk.
    unwritten: Option<Arc<Table>>,
    retry: Option<(Timestamp, Duration)>,
    tidy_is_next: bool,
}

/// A piece of blocking work.
pub(super) struct Job {
    store: Arc<Inner>,
    work: Work,
}

enum Work {
    Flush { table: Arc<Table>, names: Vec<(NameId, Arc<str>)> },
    Tidy(Task),
}

/// How a job ended.
pub(super) enum Done {
    Flushed { upto: u64, days: Vec<Day>, names: Option<NameId> },
    Folded { day: Day, upto: Option<u32> },
    Swept { more: bool },
    FlushFailed { reason: String },
    TidyFailed { reason: String },
}

impl Keeper {
    pub(super) fn new(
        store: Embedded,
        limits: Limits,
        counters: Counters,
        readiness: Readiness,
    ) -> anyhow::Result<Self> {
        let store = store.0;
        let with_parts = disk::days_with_parts(&store.writer().db)?;
        let tidy = Tidy::new(limits.retention, with_parts);
        let position = store.position;
        let (waiting, unwritten, retry, tidy_is_next) = (None, None, None, false);
        Ok(Self {
            store,
            limits,
            counters,
            readiness,
            tidy,
            position,
            waiting,
            unwritten,
            retry,
            tidy_is_next,
        })
    }

    /// The last group known to be on disk.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.is_none() && self.store.memory().active().samples < self.limits.samples
    }

    pub(super) fn take(&mut self, decoded: Arc<Decoded>, now: Timestamp) {
        if decoded.group <= self.position {
            return;
        }
        let mut memory = self.store.memory_mut();
        if !memory.fits(&decoded) {
            self.waiting = Some(decoded);
            return;
        }
        let refused = memory.take(&decoded, now);
        drop(memory);
        self.store.taken.store(decoded.group, Ordering::Release);
        if refused > 0 {
            self.counters.store_refused(refused);
            warn!(refused, "samples placed before 1970 or after 2149 are not stored");
        }
        self.counters.stored(u64::try_from(decoded.readings.len()).unwrap_or(0));
    }

    /// The next job, if one is due. The one before must be done.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<Job> {
        if let Some((at, pause)) = self.retry
            && now < at
            && at.since(now) <= pause
        {
            return None;
        }
        let flush = self.unwritten.is_some() || self.flush_is_due(now);
        // They take turns: in a flood a flush is always due, and days must be folded all the same.
        if flush && !std::mem::replace(&mut self.tidy_is_next, flush) {
            return Some(self.flush(now));
        }
        self.tidy_is_next = false;
        if let Some(task) = self.tidy.next(now) {
            return Some(Job { store: Arc::clone(&self.store), work: Work::Tidy(task) });
        }
        flush.then(|| self.flush(now))
    }

    /// Flushes what is left, when nothing more will come.
    pub(super) fn last_flush(&mut self) -> Option<Job> {
        let left = self.unwritten.is_some() || self.store.memory().active().since.is_some();
        (left || self.waiting.is_some()).then(|| self.flush(Timestamp::default()))
    }

    /// Notes how a job ended; tells up to which group all is on disk now.
    pub(super) fn done(&mut self, done: Done, now: Timestamp) -> Option<u64> {
        match done {
            Done::Flushed { upto, days, names } => {
                let mut memory = self.store.memory_mut();
                memory.thaw();
                if let Some(last) = names {
                    memory.names.mark_saved(usize::from(last) + 1);
                }
                drop(memory);
                self.tidy.flushed(&days);
                self.recovered();
                (self.unwritten, self.position) = (None, upto);
                return Some(upto);
            }
            Done::Folded { day, upto } => self.tidy.folded(day, upto),
            Done::Swept { more } => self.tidy.swept(more),
            Done::FlushFailed { reason } => self.stumbled(&reason, now),
            Done::TidyFailed { reason } => {
                warn!(reason, "cannot tidy the store; trying again in a quarter of an hour");
                self.tidy.failed(now);
            }
        }
        None
    }

    fn flush_is_due(&self, now: Timestamp) -> bool {
        let memory = self.store.memory();
        let active = memory.active();
        self.waiting.is_some()
            || active.samples >= self.limits.samples
            || active.messages >= self.limits.messages
            || active.since.is_some_and(|since| {
                // A clock set back must not keep the table in memory until it is there again.
                now.since(since) >= self.limits.age || since.since(now) > CLOCK_SET_BACK
            })
    }

    fn flush(&mut self, now: Timestamp) -> Job {
        let table = match &self.unwritten {
            Some(table) => Arc::clone(table),
            None => self.store.memory_mut().freeze(),
        };
        self.unwritten = Some(Arc::clone(&table));
        // The names of the frozen table are all known now; those of the waiting group come after.
        let names = self.store.memory().names.unsaved();
        if let Some(waiting) = self.waiting.take() {
            self.take(waiting, now);
        }
        Job { store: Arc::clone(&self.store), work: Work::Flush { table, names } }
    }

    fn stumbled(&mut self, reason: &str, now: Timestamp) {
        let pause = self.retry.map_or(RETRY_FIRST, |(_, pause)| (pause * 2).min(RETRY_LONGEST));
        let file = self.store.file.display();
        if self.retry.is_none() {
            warn!(reason, %file, "cannot write to the store; readings wait in the journal");
        }
        self.retry = Some((now + pause, pause));
        let why = format!(
            "cannot write to {file} ({reason}): readings wait in the journal; make room on the disk, or mend it"
        );
        self.readiness.trouble(PART, why);
    }

    fn recovered(&mut self) {
        if self.retry.take().is_some() {
            info!("the store takes readings again");
        }
        self.readiness.well(PART);
    }
}

impl Job {
    pub(super) fn run(self) -> Done {
        let mut writer = self.store.writer();
        let Writer { db, ids } = &mut *writer;
        match self.work {
            Work::Flush { table, names } => match flush::flush(db, ids, &table, &names) {
                Ok(days) => {
                    let names = names.last().map(|(last, _)| *last);
                    Done::Flushed { upto: table.upto, days, names }
                }
                Err(error) => Done::FlushFailed { reason: disk::why(&self.store.file, &error) },
            },
            Work::Tidy(Task::Fold { day, after }) => {
                match fold::step(db, &self.store.damage, day, after) {
                    Ok(upto) => Done::Folded { day, upto },
                    Err(error) => Done::TidyFailed { reason: error.to_string() },
                }
            }
            Work::Tidy(Task::Sweep { keep_from }) => match sweep::step(db, keep_from) {
                Ok(more) => Done::Swept { more },
                Err(error) => Done::TidyFailed { reason: error.to_string() },
            },
        }
    }
}
