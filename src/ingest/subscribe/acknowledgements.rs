//! What the broker still waits to hear: PUBACKs in arrival order, each once its message is on disk.
//!
//! The queue belongs to one connection and goes with it: an acknowledgement of a connection that is
//! gone has nowhere to go, so it can never hit another message that has the same identifier now.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::oneshot;

const PUBACK_LENGTH: usize = 4;
/// MQTT has 65 535 packet identifiers: a broker cannot have more messages open.
const MOST: usize = 65_535 * PUBACK_LENGTH;

/// The deliveries of one connection, oldest first.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    waiting: VecDeque<Waiting>,
    /// Bytes of all PUBACKs in `waiting`.
    open: usize,
}

#[derive(Debug)]
struct Waiting {
    disk: Disk,
    pubacks: Vec<u8>,
}

#[derive(Debug)]
enum Disk {
    Awaited(oneshot::Receiver<()>),
    /// On disk, or nothing of it had to be.
    Done,
    Never,
}

/// A delivery was dropped without reaching the disk: whoever writes has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped;

/// PUBACKs ready to be written.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) pubacks: Vec<u8>,
}

impl Ready {
    pub(super) fn messages(&self) -> u64 {
        u64::try_from(self.pubacks.len() / PUBACK_LENGTH).unwrap_or(u64::MAX)
    }
}

impl Acknowledgements {
    /// Remembers to write `pubacks` once `durable` is signalled; at once, in its turn, without.
    pub(super) fn expect(&mut self, durable: Option<oneshot::Receiver<()>>, pubacks: Vec<u8>) {
        self.open += pubacks.len();
        if !pubacks.is_empty() {
            let disk = durable.map_or(Disk::Done, Disk::Awaited);
            self.waiting.push_back(Waiting { disk, pubacks });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// More is open than the protocol has identifiers: the broker repeats them.
    pub(super) fn is_beyond_limit(&self) -> bool {
        self.open > MOST
    }

    /// Takes from the front all that is on disk; pending when the front is not.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Ready, Dropped>> {
        let mut ready = Ready::default();
        while let Some(front) = self.waiting.front_mut() {
            match front.poll(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Dropped)) if ready.pubacks.is_empty() => {
                    return Poll::Ready(Err(Dropped));
                }
                _ => break,
            }
            self.open -= front.pubacks.len();
            if ready.pubacks.is_empty() {
                ready.pubacks = std::mem::take(&mut front.pubacks);
            } else {
                ready.pubacks.extend_from_slice(&front.pubacks);
            }
            self.waiting.pop_front();
        }
        if ready.pubacks.is_empty() { Poll::Pending } else { Poll::Ready(Ok(ready)) }
    }
}

impl Waiting {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        if let Disk::Awaited(durable) = &mut self.disk {
            let outcome = std::task::ready!(Pin::new(durable).poll(context));
            self.disk = if outcome.is_ok() { Disk::Done } else { Disk::Never };
        }
        Poll::Ready(if matches!(self.disk, Disk::Never) { Err(Dropped) } else { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    fn pubacks(ids: &[u16]) -> Vec<u8> {
        ids.iter().flat_map(|id| [[0x40, 2], id.to_be_bytes()]).flatten().collect()
    }

    fn poll(queue: &mut Acknowledgements) -> Poll<Result<Vec<u16>, Dropped>> {
        let mut context = Context::from_waker(Waker::noop());
        queue.poll(&mut context).map_ok(|ready| {
            let ids =
                ready.pubacks.chunks(4).map(|puback| u16::from_be_bytes([puback[2], puback[3]]));
            ids.collect()
        })
    }

    proptest! {
        /// Deliveries become durable in any order; what is written is always the longest run from
        /// the oldest on that is durable, in arrival order, and nothing twice.
        #[test]
        fn acknowledgements_keep_arrival_order_and_never_run_ahead_of_the_disk(
            sizes in prop::collection::vec(0_usize..4, 1..20),
            order in prop::collection::vec(any::<prop::sample::Index>(), 20),
        ) {
            let mut queue = Acknowledgements::default();
            let (mut next, mut deliveries) = (0_u16, Vec::new());
            for size in sizes {
                let (durable, signalled) = oneshot::channel();
                let ids: Vec<_> = (next..).take(size).collect();
                next += u16::try_from(size).unwrap();
                queue.expect(Some(signalled), pubacks(&ids));
                deliveries.push((Some(durable), ids));
            }
            let mut written = Vec::new();
            for pick in order {
                let open: Vec<_> = (0..deliveries.len()).filter(|at| deliveries[*at].0.is_some()).collect();
                if let Some(at) = (!open.is_empty()).then(|| open[pick.index(open.len())]) {
                    deliveries[at].0.take().unwrap().send(()).ok();
                }
                while let Poll::Ready(ids) = poll(&mut queue) {
                    written.extend(ids.unwrap());
                }
                let durable: Vec<_> = deliveries
                    .iter()
                    .take_while(|(durable, ids)| durable.is_none() || ids.is_empty())
                    .flat_map(|(_, ids)| ids.clone())
                    .collect();
                prop_assert_eq!(&written, &durable);
            }
        }
    }

    #[test]
    fn what_needs_no_disk_waits_its_turn() {
        let mut queue = Acknowledgements::default();
        let (durable, signalled) = oneshot::channel();
        queue.expect(Some(signalled), pubacks(&[1, 2]));
        queue.expect(None, pubacks(&[3]));
        assert_eq!(poll(&mut queue), Poll::Pending);
        durable.send(()).unwrap();
        assert_eq!(poll(&mut queue), Poll::Ready(Ok(vec![1, 2, 3])));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_delivery_that_was_dropped_is_never_acknowledged_nor_what_came_behind_it() {
        let mut queue = Acknowledgements::default();
        let [(first, one), (second, two), (third, three)] =
            std::array::from_fn(|_| oneshot::channel());
        for (signalled, id) in [(one, 1), (two, 2), (three, 3)] {
            queue.expect(Some(signalled), pubacks(&[id]));
        }
        first.send(()).unwrap();
        drop(second);
        third.send(()).unwrap();
        assert_eq!(poll(&mut queue), Poll::Ready(Ok(vec![1])));
        assert_eq!(poll(&mut queue), Poll::Ready(Err(Dropped)));
    }

    #[test]
    fn more_identifiers_than_there_are_is_noticed() {
        let mut queue = Acknowledgements::default();
        let (_durable, signalled) = oneshot::channel();
        queue.expect(Some(signalled), pubacks(&(1..=65_535).collect::<Vec<_>>()));
        assert!(!queue.is_beyond_limit());
        queue.expect(None, pubacks(&[1]));
        assert!(queue.is_beyond_limit());
    }
}
