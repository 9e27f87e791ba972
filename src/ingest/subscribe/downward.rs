//! The way back to devices: what others want published through the session.

use bytes::BytesMut;
use rumqttc::mqttbytes::{self, QoS, v4};
use tokio::sync::mpsc;

/// Messages that wait for the session at most; more are dropped.
const QUEUE: usize = 1024;
/// A message down is small: a refusal, a command.
const PAYLOAD_MAX: usize = 64 << 10;

/// Publishes through the session. Never waits.
#[derive(Debug, Clone)]
pub struct Downward(mpsc::Sender<Outgoing>);

/// The session's end of the queue.
#[derive(Debug)]
pub struct Outbound(mpsc::Receiver<Outgoing>);

#[derive(Debug)]
struct Outgoing {
    topic: String,
    payload: Vec<u8>,
    retain: bool,
}

/// Whether a message was taken or let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what is dropped must be counted"]
pub enum Taken {
    Queued,
    /// The queue is full (the broker is away), or the message is too large or its topic is none.
    Dropped,
}

/// Both ends of the queue.
pub fn downward() -> (Downward, Outbound) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Downward(sender), Outbound(receiver))
}

impl Downward {
    /// Publishes at `QoS` 0, now or never.
    pub fn publish(&self, topic: &str, payload: &[u8], retain: bool) -> Taken {
        if topic.is_empty() || topic.contains(['+', '#', '\0']) || payload.len() > PAYLOAD_MAX {
            return Taken::Dropped;
        }
        let outgoing = Outgoing { topic: topic.to_owned(), payload: payload.to_vec(), retain };
        self.0.try_send(outgoing).map_or(Taken::Dropped, |()| Taken::Queued)
    }
}

impl Outbound {
    /// Writes the next message; pending for ever once nobody can publish any more.
    pub(super) async fn next(&mut self) -> BytesMut {
        loop {
            let Some(outgoing) = self.0.recv().await else { std::future::pending().await };
            if let Ok(packet) = outgoing.packet() {
                return packet;
            }
        }
    }

    /// Lets go of what waited while there was no session: it is too old to be of use.
    pub(super) fn forget(&mut self) {
        while self.0.try_recv().is_ok() {}
    }
}

impl Outgoing {
    fn packet(self) -> Result<BytesMut, mqttbytes::Error> {
        let mut publish = v4::Publish::new(self.topic, QoS::AtMostOnce, self.payload);
        publish.retain = self.retain;
        let mut packet = BytesMut::new();
        publish.write(&mut packet)?;
        Ok(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_queued_is_written_in_order_and_what_does_not_fit_is_dropped() {
        let (downward, mut outbound) = downward();
        for number in 0..QUEUE {
            let payload = number.to_string();
            assert_eq!(downward.publish("a/b", payload.as_bytes(), false), Taken::Queued);
        }
        assert_eq!(downward.publish("a/b", b"one more", false), Taken::Dropped);
        for number in 0..QUEUE {
            let mut packet = outbound.next().await;
            let Ok(v4::Packet::Publish(publish)) = v4::Packet::read(&mut packet, 1000) else {
                panic!("not a PUBLISH")
            };
            assert_eq!((publish.topic.as_str(), publish.qos), ("a/b", QoS::AtMostOnce));
            assert_eq!(publish.payload, number.to_string());
        }
    }

    #[test]
    fn what_no_broker_would_take_is_dropped_here() {
        let (downward, _outbound) = downward();
        for topic in ["", "a/+", "#", "a\0b"] {
            assert_eq!(downward.publish(topic, b"", false), Taken::Dropped, "{topic:?}");
        }
        assert_eq!(downward.publish("a", &vec![0; PAYLOAD_MAX + 1], true), Taken::Dropped);
    }
}
