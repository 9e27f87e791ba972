//! One decoded group, many who want it. Nobody here is waited for.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{Follower, follower::Again};
use crate::{
    decode::{Annotations, Decoded},
    journal::{Journal, Messages},
    registry::Registry,
};

/// Where decoded groups go. Followers are made before the stage runs.
#[derive(Debug)]
pub struct Fanout {
    journal: Journal,
    registry: watch::Receiver<Arc<Registry>>,
    again: Again,
    followers: Vec<mpsc::Sender<Arc<Decoded>>>,
    live: Vec<mpsc::Sender<Arc<Decoded>>>,
    /// The newest group that is decoded. Told after the queues, so that whoever finds its queue
    /// empty and this beyond its position knows that it was passed over.
    newest: watch::Sender<u64>,
}

impl Fanout {
    /// `again` decodes a group once more from what was noted the first time, for those who lag.
    pub fn new(
        journal: Journal,
        registry: watch::Receiver<Arc<Registry>>,
        again: impl Fn(u64, &Messages, &Arc<Registry>, &Annotations) -> Decoded + Send + Sync + 'static,
    ) -> Self {
        let newest = watch::Sender::new(journal.committed(super::DECODE));
        let again = Again(Arc::new(again));
        Self { journal, registry, again, followers: Vec::new(), live: Vec::new(), newest }
    }

    /// Brings every group behind `position`, in order. `queue`: groups that may wait for it;
    /// beyond that it reads the journal.
    pub fn follower(&mut self, reader: &'static str, position: u64, queue: usize) -> Follower {
        let (sender, receiver) = mpsc::channel(queue);
        self.followers.push(sender);
        Follower::new(
            reader,
            position,
            receiver,
            self.newest.subscribe(),
            self.journal.clone(),
            self.registry.clone(),
            self.again.clone(),
        )
    }

    /// Brings groups as they are decoded, and misses those it has no room for.
    pub fn live(&mut self, queue: usize) -> mpsc::Receiver<Arc<Decoded>> {
        let (sender, receiver) = mpsc::channel(queue);
        self.live.push(sender);
        receiver
    }

    pub(super) fn send(&self, number: u64, decoded: &Arc<Decoded>) {
        for queue in self.followers.iter().chain(&self.live) {
            // Full: the follower finds it in the journal. Closed: it has ended.
            queue.try_send(Arc::clone(decoded)).ok();
        }
        self.newest.send_replace(number);
    }

    /// Groups up to `number` are nowhere to be had.
    pub(super) fn skip(&self, number: u64) {
        self.newest.send_replace(number);
    }
}
