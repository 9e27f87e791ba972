//! Stage: decoded groups in, the store's file out. Flushes and tidying run beside it, one at a time.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{task::JoinSet, time};

use super::{Embedded, keeper::Keeper};
use crate::{
    clock::Clock,
    decode::Decoded,
    follow::Follower,
    settings,
    telemetry::{Counters, Readiness},
};

/// How often to look whether something is due though nothing came.
const TICK: Duration = Duration::from_secs(1);

/// Groups to be stored, in order and without gaps.
pub trait Feed: Send {
    /// The next group; `None` when there will be none. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Option<Arc<Decoded>>> + Send;
    /// Everything up to group `upto` is on disk.
    fn commit(&self, upto: u64);
}

impl Feed for Follower {
    fn next(&mut self) -> impl Future<Output = Option<Arc<Decoded>>> + Send {
        self.next()
    }

    fn commit(&self, upto: u64) {
        self.commit(upto);
    }
}

/// When memory goes to disk.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub age: Duration,
    pub samples: usize,
    /// So many messages may the journal have to keep for us.
    pub messages: u64,
    /// How long readings are kept.
    pub retention: Duration,
}

impl Limits {
    pub fn of(settings: &settings::Settings) -> Self {
        Self {
            age: Duration::from_mins(65),
            // 16 bytes each and room for growing, twice while a flush is under way.
            samples: 1_000_000,
            // A quarter of the journal if a message takes 256 bytes in it.
            messages: settings.journal.max_bytes.0 / 4 / 256,
            retention: settings.store.retention,
        }
    }
}

/// Stores what `feed` brings until it ends; then flushes what is in memory.
pub async fn run(
    mut feed: impl Feed,
    store: Embedded,
    limits: Limits,
    clock: Clock,
    counters: Counters,
    readiness: Readiness,
) -> anyhow::Result<()> {
    let mut keeper = Keeper::new(store, limits, counters, readiness)?;
    feed.commit(keeper.position());
    let mut jobs = JoinSet::new();
    let mut ticks = time::interval(TICK);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(done) = jobs.join_next() => {
                let done = done.context("a job of the store failed")?;
                keeper.done(done, clock.now()).into_iter().for_each(|upto| feed.commit(upto));
            }
            next = feed.next(), if keeper.has_room() => match next {
                Some(decoded) => keeper.take(decoded, clock.now()),
                None => break,
            },
            _ = ticks.tick() => {}
        }
        if jobs.is_empty()
            && let Some(job) = keeper.due(clock.now())
        {
            jobs.spawn_blocking(move || job.run());
        }
    }
    while let Some(done) = jobs.join_next().await {
        let done = done.context("a job of the store failed")?;
        keeper.done(done, clock.now()).into_iter().for_each(|upto| feed.commit(upto));
    }
    while let Some(job) = keeper.last_flush() {
        jobs.spawn_blocking(move || job.run());
        let Some(done) = jobs.join_next().await else { break };
        let done = done.context("the last flush of the store failed")?;
        let Some(upto) = keeper.done(done, clock.now()) else { break };
        feed.commit(upto);
    }
    Ok(())
}
