//! The journal against a real file.

mod basics;
mod crash;
mod damage;
mod limits;
mod model;

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::{
    reading::Timestamp,
    settings::{ByteSize, WhenFull},
};

/// A journal in a directory of its own.
struct Bench {
    dir: TempDir,
    settings: settings::Journal,
    counters: Counters,
    readiness: Readiness,
}

const READERS: [&str; 2] = ["store", "alert"];

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            settings: settings::Journal::default(),
            counters: Counters::default(),
            readiness: Readiness::default(),
        }
    }

    fn bounded(max_bytes: ByteSize, when_full: WhenFull) -> Self {
        Self { settings: settings::Journal { max_bytes, when_full }, ..Self::new() }
    }

    fn open(&self) -> Journal {
        self.try_open(&READERS).unwrap()
    }

    fn try_open(&self, readers: &[&'static str]) -> Result<Journal, OpenError> {
        let Self { dir, settings, counters, readiness } = self;
        Journal::open(dir.path(), settings, readers, counters.clone(), readiness.clone())
    }

    fn shows(&self, line: &str) -> bool {
        self.counters.render().unwrap().lines().any(|shown| shown == line)
    }
}

/// `count` messages that do not compress; those of different seeds differ.
fn messages(seed: u64, count: u32, size: usize) -> Arc<Messages> {
    use rand::{RngCore, SeedableRng};
    let mut random = rand_pcg::Pcg64::seed_from_u64(seed);
    let mut messages = Messages::default();
    for index in 0..count {
        let mut payload = vec![0; size];
        random.fill_bytes(&mut payload);
        messages.push(&Message {
            source: Source::Listen,
            received: Timestamp(i64::from(index)),
            retained: false,
            condition: Condition::Whole,
            topic: b"waystation/v1/putuo/shuxinwan/fridge-1/telemetry",
            sender: b"",
            payload: &payload,
        });
    }
    Arc::new(messages)
}

/// Runs `what` where the writer runs; fails if it panics there.
async fn on_the_writer(journal: &Journal, what: impl FnOnce(&Connection) + Send + 'static) {
    let what = Box::new(what);
    journal.ask(|done| Command::Do { what, done }).await.unwrap();
}

/// All that can be read from `from` on, a little at a time.
async fn read_all(journal: &Journal, from: u64) -> Vec<Group> {
    let mut all: Vec<Group> = Vec::new();
    loop {
        let next = all.last().map_or(from, |group| group.number + 1);
        let groups = journal.read(next, 100).await.unwrap();
        if groups.is_empty() {
            return all;
        }
        all.extend(groups);
    }
}

fn numbers(groups: &[Group]) -> Vec<u64> {
    groups.iter().map(|group| group.number).collect()
}
