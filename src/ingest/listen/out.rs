//! What one connection has still to be told: PUBACKs whose messages are not yet on disk, and bytes
//! that are ready to go.

use std::{collections::VecDeque, io};

use bytes::{Buf, BytesMut};
use tokio::{net::TcpStream, sync::oneshot, time::Instant};

use super::downward::Down;
use crate::ingest::frame::{Packet, QoS};
use rumqttc::mqttbytes::v4;

/// A client is not read from while it owes us the reading of so much.
const BYTES_MAX: usize = 64 << 10;
const BATCHES_MAX: usize = 64;
/// A buffer larger than this is given back when it has run empty.
const KEEP: usize = 1 << 10;
const PACKET_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Out {
    waiting: VecDeque<Waiting>,
    /// Bytes of PUBACKs in `waiting`.
    owed: usize,
    bytes: BytesMut,
    packet_id: u16,
    /// Since when nothing of `bytes` went.
    stuck_since: Option<Instant>,
}

/// PUBACKs in order of arrival, to go when their messages are on disk.
#[derive(Debug)]
struct Waiting {
    /// `None`: nothing of it had to go to disk.
    durable: Option<oneshot::Receiver<()>>,
    pubacks: Vec<u8>,
}

/// Whoever writes the journal is gone; the message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotDurable;

impl Out {
    pub(super) fn push(&mut self, durable: Option<oneshot::Receiver<()>>, pubacks: Vec<u8>) {
        if pubacks.is_empty() {
            return;
        }
        self.owed += pubacks.len();
        self.waiting.push_back(Waiting { durable, pubacks });
    }

    pub(super) fn send(&mut self, packet: &Packet) {
        // It fails on packets over the limit; ours are small, and `Downward` checks its own.
        packet.write(&mut self.bytes, PACKET_MAX).ok();
    }

    pub(super) fn publish(&mut self, down: &Down) {
        let mut publish =
            v4::Publish::new(&down.message.topic, down.qos, &down.message.payload[..]);
        publish.retain = down.retained;
        if down.qos != QoS::AtMostOnce {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            publish.pkid = self.packet_id;
        }
        self.send(&Packet::Publish(publish));
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn has_bytes(&self) -> bool {
        !self.bytes.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < BATCHES_MAX && self.owed + self.bytes.len() < BYTES_MAX
    }

    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.bytes.is_empty()
    }

    /// Waits until the oldest messages are on disk, then makes ready every PUBACK that may go now.
    /// Says how many. Losing the future loses nothing.
    pub(super) async fn durable(&mut self) -> Result<u64, NotDurable> {
        if let Some(durable) = self.waiting.front_mut().and_then(|first| first.durable.as_mut()) {
            if durable.is_terminated() {
                return Err(NotDurable);
            }
            durable.await.map_err(|_| NotDurable)?;
        }
        let mut pubacks = self.ready_next();
        while self.waiting.front_mut().is_some_and(Waiting::is_durable) {
            pubacks += self.ready_next();
        }
        Ok(u64::try_from(pubacks).unwrap_or(u64::MAX))
    }

    fn ready_next(&mut self) -> usize {
        let Some(first) = self.waiting.pop_front() else { return 0 };
        self.owed -= first.pubacks.len();
        self.bytes.extend_from_slice(&first.pubacks);
        first.pubacks.len() / 4
    }

    /// Writes what the socket takes now.
    pub(super) fn write_to(&mut self, stream: &TcpStream, now: Instant) -> io::Result<()> {
        match stream.try_write(&self.bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                self.bytes.advance(written);
                self.stuck_since = None;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if self.bytes.is_empty() {
            if self.bytes.capacity() > KEEP {
                self.bytes = BytesMut::new();
            }
        } else {
            self.stuck_since.get_or_insert(now);
        }
        Ok(())
    }

    /// Since when the client has taken nothing of what is ready for it.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since
    }
}

impl Waiting {
    fn is_durable(&mut self) -> bool {
        self.durable.as_mut().is_none_or(|durable| durable.try_recv().is_ok())
    }
}
