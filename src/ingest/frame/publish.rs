//! PUBLISH: read where it lies, passed over when it is too large, kept as a refusal when it is forbidden.

use super::{Header, QoS};

/// As much of a refused payload as people are shown.
const HEAD_MAX: usize = 256;

/// A PUBLISH as the protocol wants it; the topic is UTF-8 without wildcards or NUL, and not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    pub dup: bool,
    pub qos: QoS,
    pub retain: bool,
    pub topic: &'a [u8],
    /// There unless it is at most once.
    pub packet_id: Option<u16>,
    pub payload: &'a [u8],
}

/// A PUBLISH over the limit, all of which has gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oversized<'a> {
    pub topic: &'a [u8],
    pub packet_id: Option<u16>,
    pub qos: QoS,
    pub retain: bool,
    /// The first bytes of the payload, at most 256.
    pub head: &'a [u8],
    /// Of the whole payload.
    pub size: u64,
}

/// A PUBLISH that the protocol forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed<'a> {
    pub why: &'static str,
    /// As far as it could be read.
    pub topic: &'a [u8],
    /// There when it can be acknowledged.
    pub packet_id: Option<u16>,
    pub retain: bool,
    pub payload: &'a [u8],
}

/// Reads the body of a PUBLISH: topic, packet identifier, payload.
pub(super) fn read(first: u8, body: &[u8]) -> Result<Publish<'_>, Malformed<'_>> {
    let retain = first & 1 != 0;
    let refuse = |why, topic, packet_id, payload| {
        Err(Malformed { why, topic, packet_id, retain, payload: head(payload) })
    };
    let Some((topic, after)) = split_topic(body) else {
        return refuse("the topic does not fit into the packet", &[], None, body);
    };
    let Some(qos) = qos(first) else {
        return refuse("the quality of service is 3", topic, None, after);
    };
    let (packet_id, payload) = match (qos, after.split_first_chunk::<2>()) {
        (QoS::AtMostOnce, _) => (None, after),
        (_, Some((&[0, 0], payload))) => {
            return refuse("the packet identifier is 0", topic, None, payload);
        }
        (_, Some((id, payload))) => (Some(u16::from_be_bytes(*id)), payload),
        (_, None) => return refuse("there is no packet identifier", topic, None, after),
    };
    if !is_plain(topic)
        && let Err(why) = check_topic(topic)
    {
        return refuse(why, topic, packet_id, payload);
    }
    Ok(Publish { dup: first & 8 != 0, qos, retain, topic, packet_id, payload })
}

fn head(payload: &[u8]) -> &[u8] {
    payload.get(..HEAD_MAX).unwrap_or(payload)
}

fn split_topic(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = body.split_first_chunk::<2>()?;
    after.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn qos(first: u8) -> Option<QoS> {
    match first >> 1 & 3 {
        0 => Some(QoS::AtMostOnce),
        1 => Some(QoS::AtLeastOnce),
        2 => Some(QoS::ExactlyOnce),
        _ => None,
    }
}

/// Whether nothing in the topic needs a closer look. No branches, so that it runs 16 bytes at a time.
fn is_plain(topic: &[u8]) -> bool {
    let doubtful = |byte: u8| u8::from(byte >= 0x80 || byte == 0 || byte == b'+' || byte == b'#');
    !topic.is_empty() && topic.iter().fold(0, |found, &byte| found | doubtful(byte)) == 0
}

fn check_topic(topic: &[u8]) -> Result<(), &'static str> {
    if topic.is_empty() {
        return Err("the topic is empty");
    }
    if topic.contains(&0) {
        return Err("the topic contains NUL");
    }
    if topic.iter().any(|byte| matches!(byte, b'+' | b'#')) {
        return Err("the topic contains a wildcard");
    }
    std::str::from_utf8(topic).map(|_| ()).map_err(|_| "the topic is not UTF-8")
}

/// A PUBLISH over the limit, while its body goes by.
#[derive(Debug)]
pub(super) struct Skipped {
    first: u8,
    /// The body as far as it is kept: topic, packet identifier, head of the payload.
    kept: Vec<u8>,
    size: u64,
    /// Bytes of the packet that are still to go by.
    left: usize,
    handed_out: bool,
}

pub(super) enum Begun {
    NotYet,
    Fits,
    Over(Skipped),
}

impl Skipped {
    /// Looks at a PUBLISH whose body is over `max_payload`: how much of it is payload?
    pub(super) fn begin(bytes: &[u8], header: Header, max_payload: usize) -> Begun {
        let body = bytes.get(header.length..).unwrap_or_default();
        let Some(length) = body.first_chunk::<2>() else { return Begun::NotYet };
        let topic = usize::from(u16::from_be_bytes(*length));
        let id = if qos(header.first) == Some(QoS::AtMostOnce) { 0 } else { 2 };
        let payload = header.body.saturating_sub(2 + topic + id);
        if payload <= max_payload {
            return Begun::Fits;
        }
        let Some(kept) = body.get(..2 + topic + id + payload.min(HEAD_MAX)) else {
            return Begun::NotYet;
        };
        Begun::Over(Self {
            first: header.first,
            kept: kept.to_vec(),
            size: u64::try_from(payload).unwrap_or(u64::MAX),
            left: header.length + header.body,
            handed_out: false,
        })
    }

    /// How many of the `here` bytes in the buffer belong to it and go.
    pub(super) fn pass(&mut self, here: usize) -> usize {
        let gone = self.left.min(here);
        self.left -= gone;
        gone
    }

    pub(super) fn is_past(&self) -> bool {
        self.left == 0
    }

    pub(super) fn is_handed_out(&self) -> bool {
        self.handed_out
    }

    pub(super) fn hand_out(&mut self) -> Result<Oversized<'_>, Malformed<'_>> {
        self.handed_out = true;
        let Publish { qos, retain, topic, packet_id, payload, .. } = read(self.first, &self.kept)?;
        Ok(Oversized { topic, packet_id, qos, retain, head: payload, size: self.size })
    }
}
