//! Cuts a stream of MQTT 3.1.1 bytes into packets. A PUBLISH is borrowed, not copied.
//!
//! ```text
//! socket ──read_from──▶ buffer ──next──▶ Publish · Oversized · Malformed · Other (rumqttc's codec)
//! ```
//! A PUBLISH over the limit is not buffered: its body is thrown away as it arrives, then it is
//! handed out as [`Oversized`]. One that the protocol forbids leaves the stream in step, so the
//! caller can acknowledge or close as its side of the protocol wants. [`Broken`] ends a connection.

mod publish;

pub use publish::{Malformed, Oversized, Publish};
pub use rumqttc::mqttbytes::{QoS, v4::Packet};

use std::io;

use bytes::{Buf, BytesMut};
use rumqttc::mqttbytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use publish::{Begun, Skipped};

/// What an idle connection reserves; a busy one grows towards [`READ_MAX`].
const READ_MIN: usize = 1 << 10;
const READ_MAX: usize = 128 << 10;
/// Packets other than PUBLISH (CONNECT with a last will is the largest) at most.
const OTHER_MAX: usize = 80 << 10;
const PUBLISH: u8 = 3;

/// One packet, or what is left of one.
#[derive(Debug)]
pub enum Frame<'a> {
    Publish(Publish<'a>),
    Oversized(Oversized<'a>),
    Malformed(Malformed<'a>),
    Other(Packet),
}

/// The stream cannot be read on: the connection must be closed.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the length of a packet is longer than four bytes")]
    Length,
    #[error("a packet of type {kind} has {size} bytes, more than {OTHER_MAX}")]
    TooLong { kind: u8, size: usize },
    #[error("a packet of type {kind} cannot be read: {source}")]
    Packet { kind: u8, source: mqttbytes::Error },
}

/// The read buffer of one connection.
#[derive(Debug)]
pub struct Frames {
    buffer: BytesMut,
    /// Bytes at the front of `buffer` that were handed out.
    taken: usize,
    /// How much the next read makes room for.
    want: usize,
    max_payload: usize,
    skipped: Option<Skipped>,
}

/// First byte, length of the fixed header, length of what follows it.
#[derive(Debug, Clone, Copy)]
struct Header {
    first: u8,
    length: usize,
    body: usize,
}

impl Frames {
    /// `max_payload`: bytes of payload that one PUBLISH may carry.
    pub fn new(max_payload: usize) -> Self {
        Self { buffer: BytesMut::new(), taken: 0, want: READ_MIN, max_payload, skipped: None }
    }

    /// Reads what there is, up to 128 KiB. `Ok(0)`: the peer closed. Losing the future loses nothing.
    pub async fn read_from<R: AsyncRead + Unpin>(&mut self, io: &mut R) -> io::Result<usize> {
        let room = self.make_room();
        let read = io.read_buf(&mut self.buffer).await?;
        self.learn(room, read);
        Ok(read)
    }

    /// The same for a socket that said it is readable: `read` fills the buffer it is given.
    pub fn read_with(
        &mut self,
        read: impl FnOnce(&mut BytesMut) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let room = self.make_room();
        let read = read(&mut self.buffer)?;
        self.learn(room, read);
        Ok(read)
    }

    /// Bytes the next read makes room for.
    pub fn wants(&self) -> usize {
        self.want
    }

    /// A read that filled its room is followed by a larger one, and the other way round.
    fn learn(&mut self, room: usize, read: usize) {
        if read == room {
            self.want = (self.want * 4).min(READ_MAX);
        } else if read < self.want / 8 {
            self.want = (self.want / 2).max(READ_MIN);
        }
    }

    /// Takes bytes that were read elsewhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.make_room();
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives the buffer back while nothing is in it; the next read takes a small one.
    pub fn release(&mut self) {
        if self.rest().is_empty() {
            self.buffer = BytesMut::new();
            self.taken = 0;
            self.want = READ_MIN;
        }
    }

    /// Whether a packet has begun that is not whole yet.
    pub fn is_partial(&self) -> bool {
        self.skipped.as_ref().is_some_and(|skipped| !skipped.is_handed_out())
            || !self.rest().is_empty()
    }

    /// The type of the next packet, as soon as its first byte is there.
    pub fn next_kind(&self) -> Option<u8> {
        self.rest().first().map(|first| first >> 4)
    }

    /// Bytes that were read and not yet handed out.
    pub fn waiting(&self) -> usize {
        self.rest().len()
    }

    /// After a small read: gives the buffer back if nothing is in it. It costs an allocation a read
    /// and nothing while the connection is idle.
    pub fn settle(&mut self) {
        if self.want <= 4 * READ_MIN && self.rest().is_empty() {
            self.buffer = BytesMut::new();
            self.taken = 0;
        }
    }

    /// Keeps no more memory than what is in it needs.
    pub fn shrink(&mut self) {
        self.buffer = BytesMut::from(self.rest());
        self.taken = 0;
        self.want = READ_MIN;
    }

    /// Bytes of memory it holds now.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The next packet; `None` until more is read.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, Broken> {
        if self.skips() {
            return Ok(self.skip_on());
        }
        let Some(header) = Header::read(self.rest())? else { return Ok(None) };
        if header.kind() != PUBLISH {
            return self.other(header);
        }
        if header.body > self.max_payload {
            match Skipped::begin(self.rest(), header, self.max_payload) {
                Begun::Fits => {}
                Begun::NotYet => return Ok(None),
                Begun::Over(skipped) => {
                    self.skipped = Some(skipped);
                    return Ok(self.skip_on());
                }
            }
        }
        Ok(self.publish(header))
    }

    fn publish(&mut self, header: Header) -> Option<Frame<'_>> {
        let rest = self.buffer.get(self.taken..)?;
        let body = rest.get(header.length..header.length + header.body)?;
        self.taken += header.length + header.body;
        Some(publish::read(header.first, body).map_or_else(Frame::Malformed, Frame::Publish))
    }

    fn skips(&mut self) -> bool {
        self.skipped.take_if(|skipped| skipped.is_handed_out());
        self.skipped.is_some()
    }

    /// Lets the body of an oversized PUBLISH go by; hands it out once the last byte has passed.
    fn skip_on(&mut self) -> Option<Frame<'_>> {
        let here = self.buffer.len() - self.taken;
        let skipped = self.skipped.as_mut()?;
        self.taken += skipped.pass(here);
        if !skipped.is_past() {
            return None;
        }
        Some(skipped.hand_out().map_or_else(Frame::Malformed, Frame::Oversized))
    }

    fn other(&mut self, header: Header) -> Result<Option<Frame<'_>>, Broken> {
        let (kind, size) = (header.kind(), header.length + header.body);
        if size > OTHER_MAX {
            return Err(Broken::TooLong { kind, size });
        }
        let Some(packet) = self.rest().get(..size) else { return Ok(None) };
        // A copy, so that the packet does not keep the read buffer alive; these are few.
        let packet = Packet::read(&mut BytesMut::from(packet), OTHER_MAX);
        self.taken += size;
        packet
            .map(|packet| Some(Frame::Other(packet)))
            .map_err(|source| Broken::Packet { kind, source })
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Moves what is left to the front. A buffer that grew for a flood is given back after it.
    fn make_room(&mut self) -> usize {
        let left = self.buffer.len() - self.taken;
        if left == 0 && self.buffer.capacity() > self.want * 4 {
            self.buffer = BytesMut::new();
        } else if self.taken > 0 {
            self.buffer.copy_within(self.taken.., 0);
            self.buffer.truncate(left);
        }
        self.taken = 0;
        if self.buffer.capacity() - self.buffer.len() < self.want {
            self.buffer.reserve(self.want);
        }
        self.buffer.capacity() - self.buffer.len()
    }
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Option<Self>, Broken> {
        let mut rest = bytes;
        if rest.len() < 2 {
            return Ok(None);
        }
        let first = rest.get_u8();
        let mut body = 0;
        for digit in 0..4 {
            let Some((&byte, after)) = rest.split_first() else { return Ok(None) };
            rest = after;
            body |= usize::from(byte & 0x7f) << (7 * digit);
            if byte & 0x80 == 0 {
                return Ok(Some(Self { first, length: 2 + digit, body }));
            }
        }
        Err(Broken::Length)
    }

    fn kind(self) -> u8 {
        self.first >> 4
    }
}

#[cfg(test)]
mod tests;
