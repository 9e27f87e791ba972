//! Messages back to back in one buffer: what a connection hands over, what a group holds on disk.
//!
//! ```text
//! message = flags:u8  received:i64le  topic:len+bytes  sender:len+bytes  payload:len+bytes  [size:varint]
//! flags   = bit 0 retained · bit 1 from listen (else subscribe) · bits 2-3 0 whole, 1 oversized, 2 malformed, 3 over budget
//! len     = varint (LEB128)
//! ```
//! `size` stands behind an oversized message, whose payload is its head alone, and as the number
//! of dropped messages behind one over its device's budget.

use crate::reading::Timestamp;

/// Which door a message came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Subscribe,
    Listen,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Listen => "listen",
        }
    }
}

impl From<Source> for &'static str {
    fn from(word: Source) -> Self {
        word.as_str()
    }
}

/// Whether the message came as the protocol wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Whole,
    /// Over the limit: only the first bytes of the payload were kept, of `size` in all.
    Oversized {
        size: u64,
    },
    /// A PUBLISH the codec refuses (a topic that is not UTF-8): kept so that it can be shown.
    Malformed,
    /// Stands for `dropped` messages that a device sent beyond its budget; no payload.
    OverBudget {
        dropped: u64,
    },
}

/// One message as it came, judged by nobody yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    pub source: Source,
    pub received: Timestamp,
    pub retained: bool,
    pub condition: Condition,
    pub topic: &'a [u8],
    /// Who published it, where we know (`listen`: the user name, else the client id); else empty.
    pub sender: &'a [u8],
    pub payload: &'a [u8],
}

/// Messages in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages {
    bytes: Vec<u8>,
    count: u32,
}

/// The buffer does not hold what its count promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message {index} of a group cannot be read back")]
pub struct Garbled {
    pub index: u32,
}

const RETAINED: u8 = 1;
const LISTEN: u8 = 1 << 1;
const OVERSIZED: u8 = 1 << 2;
const MALFORMED: u8 = 2 << 2;
const OVER_BUDGET: u8 = 3 << 2;
const CONDITION: u8 = 3 << 2;

impl Messages {
    /// Room for so many bytes of messages at once.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), count: 0 }
    }

    pub fn push(&mut self, message: &Message<'_>) {
        let mut flags = if message.retained { RETAINED } else { 0 };
        flags |= if message.source == Source::Listen { LISTEN } else { 0 };
        flags |= match message.condition {
            Condition::Whole => 0,
            Condition::Oversized { .. } => OVERSIZED,
            Condition::Malformed => MALFORMED,
            Condition::OverBudget { .. } => OVER_BUDGET,
        };
        self.bytes.push(flags);
        self.bytes.extend_from_slice(&message.received.0.to_le_bytes());
        for part in [message.topic, message.sender, message.payload] {
            push_varint(&mut self.bytes, u64::try_from(part.len()).unwrap_or(u64::MAX));
            self.bytes.extend_from_slice(part);
        }
        if let Condition::Oversized { size: count } | Condition::OverBudget { dropped: count } =
            message.condition
        {
            push_varint(&mut self.bytes, count);
        }
        self.count += 1;
    }

    /// Puts `other` behind what is here.
    pub fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.count += other.count;
    }

    pub fn len(&self) -> u32 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The encoded form, as the journal compresses it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Takes back what [`Self::as_bytes`] gave, after checking every message of it.
    pub fn from_bytes(bytes: Vec<u8>, count: u32) -> Result<Self, Garbled> {
        let mut rest = bytes.as_slice();
        for index in 0..count {
            read(&mut rest).ok_or(Garbled { index })?;
        }
        if rest.is_empty() { Ok(Self { bytes, count }) } else { Err(Garbled { index: count }) }
    }

    pub fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || read(&mut rest))
    }
}

fn read<'a>(rest: &mut &'a [u8]) -> Option<Message<'a>> {
    let (&flags, after) = rest.split_first()?;
    let (received, after) = after.split_first_chunk::<8>()?;
    *rest = after;
    let topic = read_part(rest)?;
    let sender = read_part(rest)?;
    let payload = read_part(rest)?;
    let condition = match flags & CONDITION {
        OVERSIZED => Condition::Oversized { size: read_varint(rest)? },
        MALFORMED => Condition::Malformed,
        OVER_BUDGET => Condition::OverBudget { dropped: read_varint(rest)? },
        _ => Condition::Whole,
    };
    Some(Message {
        source: if flags & LISTEN != 0 { Source::Listen } else { Source::Subscribe },
        received: Timestamp(i64::from_le_bytes(*received)),
        retained: flags & RETAINED != 0,
        condition,
        topic,
        sender,
        payload,
    })
}

fn read_part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(read_varint(rest)?).ok()?;
    let (part, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(part)
}

pub(super) fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

pub(super) fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_pushed_is_read_back(
            parts in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>(), any::<i64>(), 0_u8..4, any::<bool>()), 0..20)
        ) {
            let mut messages = Messages::default();
            let made: Vec<_> = parts.iter().map(|(topic, payload, at, condition, flag)| Message {
                source: if *flag { Source::Listen } else { Source::Subscribe },
                received: Timestamp(*at),
                retained: *flag,
                condition: match condition {
                    0 => Condition::Whole,
                    1 => Condition::Oversized { size: at.unsigned_abs() },
                    2 => Condition::Malformed,
                    _ => Condition::OverBudget { dropped: at.unsigned_abs() },
                },
                topic, sender: b"somebody", payload,
            }).collect();
            for message in &made { messages.push(message); }
            let read = Messages::from_bytes(messages.as_bytes().to_vec(), messages.len()).unwrap();
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), made);
        }

        #[test]
        fn rubbish_is_an_error_not_a_panic(bytes in any::<Vec<u8>>(), count in 0_u32..10) {
            Messages::from_bytes(bytes, count).ok();
        }
    }
}
