//! What one read of a connection comes to: messages for the journal, and the PUBACKs they will get.

use super::{
    Budgets,
    frame::{Malformed, Oversized, Publish},
};
use crate::{
    journal::{Condition, Message, Messages, Source},
    reading::Timestamp,
};

/// How a PUBACK begins; the packet identifier follows.
const PUBACK: [u8; 2] = [0x40, 2];

/// Who sent, and when we read it. `now` is read once for everything one read brought.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub source: Source,
    pub sender: &'a [u8],
    pub now: Timestamp,
}

/// In order of arrival.
#[derive(Debug, Default)]
pub struct Batch {
    pub messages: Messages,
    /// PUBACKs as they go over the wire, to be written once `messages` are on disk.
    pub pubacks: Vec<u8>,
    /// Messages taken, whatever became of them.
    pub received: u64,
    /// Messages beyond their device's budget: acknowledged, not journaled.
    pub over_budget: u64,
}

impl Batch {
    /// `retained`: the retain flag. From a broker it means an old message that it kept; a device that
    /// speaks straight to us set it by mistake, and decoding says so.
    pub fn publish(
        &mut self,
        publish: &Publish<'_>,
        retained: bool,
        from: Origin<'_>,
        budgets: &Budgets,
    ) {
        let message = Message {
            retained,
            payload: publish.payload,
            ..from.message(publish.topic, Condition::Whole)
        };
        self.push(&message, publish.packet_id, budgets);
    }

    pub fn oversized(
        &mut self,
        oversized: &Oversized<'_>,
        retained: bool,
        from: Origin<'_>,
        budgets: &Budgets,
    ) {
        let condition = Condition::Oversized { size: oversized.size };
        let message = Message {
            retained,
            payload: oversized.head,
            ..from.message(oversized.topic, condition)
        };
        self.push(&message, oversized.packet_id, budgets);
    }

    pub fn malformed(&mut self, malformed: &Malformed<'_>, from: Origin<'_>, budgets: &Budgets) {
        let message = Message {
            payload: malformed.payload,
            ..from.message(malformed.topic, Condition::Malformed)
        };
        self.push(&message, malformed.packet_id, budgets);
    }

    /// How many of the messages wait for an acknowledgement.
    pub fn acknowledges(&self) -> u64 {
        u64::try_from(self.pubacks.len() / 4).unwrap_or(u64::MAX)
    }

    fn push(&mut self, message: &Message<'_>, packet_id: Option<u16>, budgets: &Budgets) {
        self.received += 1;
        let verdict = budgets.take(message.topic, message.received);
        if let Some(dropped) = verdict.report {
            let condition = Condition::OverBudget { dropped };
            self.messages.push(&Message { condition, payload: &[], ..*message });
        }
        if verdict.passes {
            self.messages.push(message);
        } else {
            self.over_budget += 1;
        }
        if let Some(id) = packet_id {
            self.pubacks.extend_from_slice(&PUBACK);
            self.pubacks.extend_from_slice(&id.to_be_bytes());
        }
    }
}

impl<'a> Origin<'a> {
    pub fn message(self, topic: &'a [u8], condition: Condition) -> Message<'a> {
        Message {
            source: self.source,
            received: self.now,
            retained: false,
            condition,
            topic,
            sender: self.sender,
            payload: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::frame::QoS;

    #[test]
    fn every_message_is_acknowledged_in_order_but_those_beyond_the_budget_are_only_counted() {
        let budgets = Budgets::new(1.0, 2, "w/v1");
        let from = Origin { source: Source::Listen, sender: b"a/b/c", now: Timestamp(1_000_000) };
        let mut batch = Batch::default();
        for id in 1..=5 {
            let (topic, payload) = (&b"w/v1/a/b/c/telemetry"[..], &b"{}"[..]);
            let (qos, packet_id) = (QoS::AtLeastOnce, Some(id));
            let publish = Publish { dup: false, qos, retain: false, topic, packet_id, payload };
            batch.publish(&publish, false, from, &budgets);
        }
        let kept: Vec<_> = batch.messages.iter().map(|message| message.condition).collect();
        let reported = Condition::OverBudget { dropped: 1 };
        assert_eq!(kept, [Condition::Whole, Condition::Whole, reported]);
        assert_eq!((batch.received, batch.over_budget, batch.acknowledges()), (5, 3, 5));
        let ids: Vec<_> = batch.pubacks.chunks(4).map(|puback| puback[3]).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5]);
    }
}
