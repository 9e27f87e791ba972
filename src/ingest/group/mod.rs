//! Gathers what connections deliver into groups: one append and one fsync, then the acknowledgements.
//!
//! A message that comes alone is appended at once. Where they trickle, a group waits until
//! `GATHER` after the one before it. A wait that brings nothing (devices that send no more before
//! they are acknowledged) makes the next one shorter; a group that is large enough never waits.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::bail;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};
use tracing::{info, warn};

use super::Delivery;
use crate::{
    journal::{AppendError, Journal, Messages},
    telemetry::Counters,
};

/// One millisecond below what we promise (5 ms): timers are that coarse.
const GATHER: Duration = Duration::from_millis(4);
/// Waits shorter than this are not worth a timer.
const GATHER_MIN: Duration = Duration::from_millis(1);
/// A group of so many messages has paid for its fsync.
const ENOUGH: u32 = 64;
/// A group takes no more deliveries beyond this.
const GROUP_BYTES: usize = 1 << 20;
/// After so many groups that did not wait, waiting is tried again.
const TRY_AGAIN: u32 = 64;
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Where groups go: the journal, or a test's fake.
pub trait Append {
    /// The group's number, once it is on disk.
    fn append(
        &self,
        messages: Arc<Messages>,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;
}

impl Append for Journal {
    async fn append(&self, messages: Arc<Messages>) -> Result<u64, AppendError> {
        self.append(messages).await
    }
}

/// Appends, then signals, then hands on: whoever sent a message keeps it until we have it on disk.
///
/// Ends when `deliveries` closes. While the journal cannot append nothing is acknowledged; the
/// journal says why. Whoever takes `groups` may be slow: it finds what it missed in the journal.
pub async fn run<A: From<(u64, Arc<Messages>)>>(
    mut deliveries: mpsc::Receiver<Delivery>,
    journal: impl Append,
    groups: mpsc::Sender<A>,
    counters: Counters,
) -> anyhow::Result<()> {
    let mut pace = Pace::default();
    while let Some(group) = gather(&mut deliveries, &mut pace).await {
        let messages = Arc::new(group.messages);
        let Some(number) = append(&journal, &messages, &deliveries).await? else {
            warn!(
                messages = messages.len(),
                "stopped before the journal took them; not acknowledged"
            );
            return Ok(());
        };
        counters.journaled(u64::from(messages.len()));
        for (durable, _held) in group.waiting {
            // The connection may be gone; its device or broker will deliver again.
            durable.send(()).ok();
        }
        groups.try_send(A::from((number, messages))).ok();
    }
    Ok(())
}

/// Deliveries that will share one fsync.
#[derive(Default)]
struct Group {
    messages: Messages,
    waiting: Vec<(tokio::sync::oneshot::Sender<()>, super::Held)>,
}

impl Group {
    fn push(&mut self, delivery: Delivery) {
        if self.messages.is_empty() {
            self.messages = delivery.messages;
        } else {
            self.messages.append(&delivery.messages);
        }
        self.waiting.push((delivery.durable, delivery.held));
    }

    fn is_full(&self) -> bool {
        self.messages.as_bytes().len() >= GROUP_BYTES
    }
}

async fn gather(deliveries: &mut mpsc::Receiver<Delivery>, pace: &mut Pace) -> Option<Group> {
    let mut group = Group::default();
    group.push(deliveries.recv().await?);
    drain(deliveries, &mut group);
    let before = group.waiting.len();
    if let Some(until) = pace.wait_until(Instant::now(), group.messages.len()) {
        while !group.is_full()
            && group.messages.len() < ENOUGH
            && let Ok(Some(delivery)) = timeout_at(until, deliveries.recv()).await
        {
            group.push(delivery);
        }
        drain(deliveries, &mut group);
        pace.waited(group.waiting.len() > before);
    }
    pace.appends(Instant::now());
    Some(group)
}

fn drain(deliveries: &mut mpsc::Receiver<Delivery>, group: &mut Group) {
    while !group.is_full()
        && let Ok(delivery) = deliveries.try_recv()
    {
        group.push(delivery);
    }
}

/// `None`: nobody delivers any more and the journal still cannot append.
async fn append(
    journal: &impl Append,
    messages: &Arc<Messages>,
    deliveries: &mpsc::Receiver<Delivery>,
) -> anyhow::Result<Option<u64>> {
    let mut pause = RETRY_MIN;
    loop {
        match journal.append(Arc::clone(messages)).await {
            Ok(number) => {
                if pause > RETRY_MIN {
                    info!("the journal takes messages again");
                }
                return Ok(Some(number));
            }
            Err(AppendError::Closed) => bail!(AppendError::Closed),
            Err(_) if deliveries.is_closed() => return Ok(None),
            Err(error) if pause == RETRY_MIN => warn!("nothing is acknowledged meanwhile: {error}"),
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// Whether the next group should wait for more.
#[derive(Debug, Default)]
struct Pace {
    /// When the group before began to be appended.
    last: Option<Instant>,
    patience: Duration,
    unwaited: u32,
}

impl Pace {
    /// Until when a group of so many messages waits, if it does.
    fn wait_until(&mut self, now: Instant, messages: u32) -> Option<Instant> {
        let Some(last) = self.last.filter(|last| now < *last + GATHER) else {
            self.patience = GATHER;
            return None;
        };
        if messages >= ENOUGH {
            return None;
        }
        self.unwaited += 1;
        if self.patience < GATHER_MIN && self.unwaited >= TRY_AGAIN {
            self.patience = GATHER_MIN;
        }
        let until = last + self.patience;
        (self.patience >= GATHER_MIN && now < until).then_some(until)
    }

    fn waited(&mut self, brought_more: bool) {
        self.unwaited = 0;
        self.patience =
            if brought_more { (self.patience * 2).min(GATHER) } else { self.patience / 2 };
    }

    fn appends(&mut self, now: Instant) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests;
