//! The limits both doors share: memory for what is not yet on disk, and what one device may send.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Budgets;
use crate::settings;

/// Cloneable; all connections of all doors draw on the same.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Payload bytes of one message at most.
    pub max_message: usize,
    pub budgets: Arc<Budgets>,
    memory: Arc<Semaphore>,
    memory_max: u32,
    /// For what connections keep between two reads: half as much again.
    kept: Arc<Semaphore>,
}

/// Bytes of the shared memory, given back when dropped.
#[derive(Debug, Default)]
pub struct Held {
    permit: Option<OwnedSemaphorePermit>,
}

impl Limits {
    /// `prefix`: the first levels of every topic.
    pub fn new(settings: &settings::Ingest, prefix: &str) -> Self {
        let memory_max = u32::try_from(settings.max_in_flight.0).unwrap_or(u32::MAX);
        Self {
            max_message: settings.max_message.as_usize(),
            budgets: Arc::new(Budgets::new(settings.device_rate, settings.device_burst, prefix)),
            memory: Arc::new(Semaphore::new(usize::try_from(memory_max).unwrap_or(usize::MAX))),
            memory_max,
            kept: Arc::new(Semaphore::new(usize::try_from(memory_max / 2).unwrap_or(usize::MAX))),
        }
    }

    /// Waits until `bytes` more may be taken from devices. Call it before reading on; a connection
    /// that waits here stops reading, and its peer feels it. More than all there is counts as all.
    pub async fn hold(&self, bytes: usize) -> Held {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.memory_max);
        // It fails only when the semaphore is closed, which nobody does.
        Held { permit: Arc::clone(&self.memory).acquire_many_owned(bytes).await.ok() }
    }
}

impl Limits {
    /// Makes `held` be `bytes` that a connection keeps between two reads, such as a packet that has
    /// not come whole. `false` where there is no room for more: nobody waits for this memory, as
    /// those who have it may be waiting for bytes that never come.
    pub fn cover(&self, held: &mut Held, bytes: usize) -> bool {
        let more = bytes.saturating_sub(held.bytes());
        if more == 0 {
            held.keep(bytes);
            return true;
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.kept).try_acquire_many_owned(more) else { return false };
        match &mut held.permit {
            Some(permit) => permit.merge(more),
            None => held.permit = Some(more),
        }
        true
    }
}

impl Held {
    fn bytes(&self) -> usize {
        self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Keeps `bytes` of it and gives back the rest.
    pub fn keep(&mut self, bytes: usize) {
        let Some(permit) = &mut self.permit else { return };
        let spare = permit.num_permits().saturating_sub(bytes);
        drop(permit.split(spare));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::ByteSize;

    #[tokio::test(start_paused = true)]
    async fn memory_is_waited_for_and_given_back() {
        let settings =
            settings::Ingest { max_in_flight: ByteSize(100), ..settings::Ingest::default() };
        let limits = Limits::new(&settings, "waystation/v1");
        let first = limits.hold(60).await;
        let second = tokio::time::timeout(Duration::from_secs(1), limits.hold(60));
        assert!(second.await.is_err(), "60 of the 40 that are left");
        drop(first);
        let mut most = limits.hold(90).await;
        most.keep(40);
        limits.hold(60).await;
        drop(most);
        limits.hold(1000).await;
    }

    #[test]
    fn what_is_kept_between_reads_has_a_limit_that_nobody_waits_for() {
        let settings =
            settings::Ingest { max_in_flight: ByteSize(100), ..settings::Ingest::default() };
        let limits = Limits::new(&settings, "waystation/v1");
        let (mut one, mut two) = (Held::default(), Held::default());
        assert!(limits.cover(&mut one, 30) && limits.cover(&mut two, 20));
        assert!(!limits.cover(&mut two, 21), "half of 100 is taken");
        assert!(limits.cover(&mut one, 10) && limits.cover(&mut two, 40));
        drop(two);
        assert!(limits.cover(&mut one, 50) && limits.cover(&mut one, 0));
    }
}
