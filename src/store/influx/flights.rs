//! Requests under way: several at once, settled in the order in which they were launched.

use std::collections::VecDeque;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Batch, send::Sender};

/// Batches on their way.
#[derive(Debug)]
pub(super) struct Flights {
    sender: Sender,
    most: usize,
    tasks: JoinSet<u64>,
    /// In order of launch: its number, what may be passed behind it, whether it is done.
    order: VecDeque<Flight>,
    next: u64,
    settled: Option<u64>,
}

#[derive(Debug)]
struct Flight {
    number: u64,
    upto: Option<u64>,
    done: bool,
}

impl Flights {
    pub(super) fn new(sender: Sender, most: u32) -> Self {
        Self {
            sender,
            most: usize::try_from(most.max(1)).unwrap_or(1),
            tasks: JoinSet::new(),
            order: VecDeque::new(),
            next: 0,
            settled: None,
        }
    }

    /// Sends a batch, waiting for a place; `None` when told to stop before there was one.
    pub(super) async fn launch(&mut self, batch: Batch, stop: &CancellationToken) -> Option<()> {
        while self.tasks.len() >= self.most {
            stop.run_until_cancelled(self.one_ends()).await?;
        }
        let number = self.next;
        self.next += 1;
        self.order.push_back(Flight { number, upto: batch.upto, done: batch.lines.is_empty() });
        if !batch.lines.is_empty() {
            let sender = self.sender.clone();
            self.tasks.spawn(async move {
                let refused = sender.deliver(batch.lines).await;
                sender.counters.stored(batch.readings.saturating_sub(refused));
                number
            });
        }
        self.settle();
        Some(())
    }

    /// Waits until one more may be passed in the journal, and says up to where; never ends while
    /// nothing is under way.
    pub(super) async fn landed(&mut self) -> u64 {
        loop {
            if let Some(upto) = self.settled.take() {
                return upto;
            }
            if self.tasks.is_empty() {
                std::future::pending::<()>().await;
            }
            self.one_ends().await;
        }
    }

    /// What has landed since it was last asked.
    pub(super) fn settled(&mut self) -> Option<u64> {
        self.settled.take()
    }

    /// Waits for all that are under way.
    pub(super) async fn land(&mut self) {
        while !self.tasks.is_empty() {
            self.one_ends().await;
        }
    }

    async fn one_ends(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(number)) => {
                for flight in self.order.iter_mut().filter(|flight| flight.number == number) {
                    flight.done = true;
                }
            }
            // A broken invariant ends this stage too; what was under way is still in the journal.
            Some(Err(ended)) => {
                if let Ok(panic) = ended.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
            None => {}
        }
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(flight) = self.order.pop_front_if(|flight| flight.done) {
            self.settled = flight.upto.or(self.settled);
        }
    }
}
