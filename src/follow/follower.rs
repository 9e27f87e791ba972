//! One who follows: from its queue while it keeps up, from the journal when it does not.

use std::{collections::VecDeque, fmt, sync::Arc};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tracing::error;

use super::{READ_BYTES, RETRY_AFTER};
use crate::{
    decode::{Annotations, Decoded},
    journal::{Group, Journal, Messages, ReadError},
    registry::Registry,
};

type Decoding = dyn Fn(u64, &Messages, &Arc<Registry>, &Annotations) -> Decoded + Send + Sync;

/// Decodes a group once more, without the decoder's memory.
#[derive(Clone)]
pub(super) struct Again(pub Arc<Decoding>);

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Again")
    }
}

/// Gives every group once, in order, whatever the queue had room for.
///
/// Only numbers decide: what is next comes from the queue if it is there, else from the journal,
/// never beyond what was decoded for the first time.
#[derive(Debug)]
pub struct Follower {
    reader: &'static str,
    position: u64,
    queue: mpsc::Receiver<Arc<Decoded>>,
    /// Taken from the queue, but there are groups before it.
    held: Option<Arc<Decoded>>,
    newest: watch::Receiver<u64>,
    /// Read from the journal, not decoded again yet.
    behind: VecDeque<Group>,
    /// The read under way, and the last group of its range; it outlives a `next` nobody waits for.
    reading: JoinSet<(u64, Result<Vec<Group>, ReadError>)>,
    retry_at: Option<Instant>,
    journal: Journal,
    registry: watch::Receiver<Arc<Registry>>,
    again: Again,
}

impl Follower {
    pub(super) fn new(
        reader: &'static str,
        position: u64,
        queue: mpsc::Receiver<Arc<Decoded>>,
        newest: watch::Receiver<u64>,
        journal: Journal,
        registry: watch::Receiver<Arc<Registry>>,
        again: Again,
    ) -> Self {
        Self {
            reader,
            position,
            queue,
            held: None,
            newest,
            behind: VecDeque::new(),
            reading: JoinSet::new(),
            retry_at: None,
            journal,
            registry,
            again,
        }
    }

    /// The next group; `None` when the input has closed and what was queued without a gap is given.
    /// One that lags gets `None` at once: the rest waits in the journal. May be cancelled.
    pub async fn next(&mut self) -> Option<Arc<Decoded>> {
        loop {
            // Before the queue: what was decoded by now and is not queued was passed over.
            let newest = *self.newest.borrow_and_update();
            if let Some(decoded) = self.queued() {
                self.position = decoded.group;
                return Some(decoded);
            }
            let known = self.held.as_ref().map_or(newest, |held| held.group - 1);
            if known <= self.position {
                self.wait().await?;
                continue;
            }
            if self.queue.is_closed() {
                return None;
            }
            match self.behind.pop_front() {
                Some(group) => return Some(self.decode_again(&group)),
                None => self.read(known).await,
            }
        }
    }

    /// `upto` and all before it are not needed again.
    pub fn commit(&self, upto: u64) {
        self.journal.commit(self.reader, upto);
    }

    /// The last group given, or where it began.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Groups of the journal that were not given yet.
    pub fn lag(&self) -> u64 {
        self.journal.last().saturating_sub(self.position)
    }

    /// The next group if the queue has it. One further ahead is held back, older ones go.
    fn queued(&mut self) -> Option<Arc<Decoded>> {
        loop {
            if self.held.is_none() {
                self.held = self.queue.try_recv().ok();
            }
            let held = self.held.as_ref()?.group;
            if held > self.position + 1 {
                return None;
            }
            let taken = self.held.take();
            if held == self.position + 1 {
                return taken;
            }
        }
    }

    /// Until something new is decoded; `None` when there will be nothing.
    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            biased;
            decoded = self.queue.recv() => {
                self.held = Some(decoded?);
                Some(())
            }
            Ok(()) = self.newest.changed() => Some(()),
        }
    }

    fn decode_again(&mut self, group: &Group) -> Arc<Decoded> {
        let registry = Arc::clone(&self.registry.borrow());
        self.position = group.number;
        Arc::new((self.again.0)(group.number, &group.messages, &registry, &group.annotations))
    }

    /// Fills `behind` with what comes next, up to group `upto`.
    async fn read(&mut self, upto: u64) {
        if let Some(at) = self.retry_at {
            sleep_until(at).await;
            self.retry_at = None;
        }
        if self.reading.is_empty() {
            let (journal, from) = (self.journal.clone(), self.position + 1);
            self.reading
                .spawn(async move { (upto, journal.read_upto(from, upto, READ_BYTES).await) });
        }
        match self.reading.join_next().await {
            Some(Ok((upto, Ok(groups)))) if groups.is_empty() => self.position = upto,
            Some(Ok((_, Ok(groups)))) => self.behind = groups.into(),
            Some(Ok((_, Err(unreadable)))) => {
                error!(reader = self.reader, "{unreadable}; trying again");
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
            }
            Some(Err(_)) | None => self.retry_at = Some(Instant::now() + RETRY_AFTER),
        }
    }
}
