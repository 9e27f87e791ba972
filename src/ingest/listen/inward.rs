//! What a connected client sends, packet by packet.

use rumqttc::mqttbytes::v4::{
    SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode, UnsubAck, Unsubscribe,
};

use super::{
    connection::Connection,
    device::{self, Filter},
    downward::Downward,
};
use crate::{
    ingest::{
        self, Batch, Origin,
        frame::{Frame, Packet, QoS},
    },
    journal::{Messages, Source},
    reading::Timestamp,
};

/// Subscriptions of one connection at most (a gateway has some for every device behind it).
const FILTERS_MAX: usize = 1024;

/// Whether to read on after a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    On,
    /// It broke the protocol: acknowledge what came before, then close.
    Close,
    Goodbye,
}

impl Connection {
    /// Everything that has come, until a packet that ends the connection.
    pub(super) fn take_in(&mut self) -> (Batch, Step) {
        let now = self.door.clock.now();
        let messages = Messages::with_capacity(self.frames.waiting() * 5 / 4);
        let mut batch = Batch { messages, ..Batch::default() };
        let step = loop {
            match self.take_one(&mut batch, now) {
                Some(Step::On) => {}
                Some(step) => break step,
                None => break Step::On,
            }
        };
        self.frames.settle();
        self.door.received(&batch);
        (batch, step)
    }

    /// `None`: no whole packet is left.
    fn take_one(&mut self, batch: &mut Batch, now: Timestamp) -> Option<Step> {
        let sender = self.client.name.as_bytes();
        let from = Origin { source: Source::Listen, sender, now };
        let budgets = &self.door.limits.budgets;
        Some(match self.frames.next() {
            Ok(None) => return None,
            Ok(Some(Frame::Publish(publish))) if publish.qos != QoS::ExactlyOnce => {
                batch.publish(&publish, publish.retain, from, budgets);
                Step::On
            }
            Ok(Some(Frame::Oversized(oversized))) if oversized.qos != QoS::ExactlyOnce => {
                batch.oversized(&oversized, oversized.retain, from, budgets);
                Step::On
            }
            Ok(Some(Frame::Malformed(malformed))) => {
                batch.malformed(&malformed, from, budgets);
                Step::Close
            }
            Ok(Some(Frame::Other(packet))) => self.answer(packet),
            Ok(Some(Frame::Publish(_) | Frame::Oversized(_))) | Err(_) => Step::Close,
        })
    }

    fn answer(&mut self, packet: Packet) -> Step {
        match packet {
            Packet::PingReq => self.out.send(&Packet::PingResp),
            Packet::Subscribe(subscribe) => self.subscribe(&subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(&unsubscribe),
            // Of what went down at QoS 1: nobody waits for it.
            Packet::PubAck(_) => {}
            Packet::Disconnect => return Step::Goodbye,
            _ => return Step::Close,
        }
        Step::On
    }

    fn subscribe(&mut self, subscribe: &Subscribe) {
        let code = |granted: Option<QoS>| {
            granted.map_or(SubscribeReasonCode::Failure, SubscribeReasonCode::Success)
        };
        let wanted: Vec<_> = subscribe.filters.iter().map(|one| self.admit(one)).collect();
        let codes = wanted.iter().map(|admitted| code(admitted.as_ref().map(|(_, qos)| *qos)));
        self.out.send(&Packet::SubAck(SubAck::new(subscribe.pkid, codes.collect())));
        for (filter, qos) in wanted.into_iter().flatten() {
            let (queue, _) = self.inbox.get_or_insert_with(Downward::queue);
            if filter.is_time() {
                let now = ingest::time(self.door.clock.now());
                self.door.downward.subscribe_to_time(self.number, queue, now);
            } else {
                self.door.downward.subscribe(&filter, qos, self.number, queue);
            }
            if !self.filters.contains(&filter) {
                self.filters.push(filter);
            }
        }
    }

    /// The filter, if this client may have it, and the quality of service it gets.
    fn admit(&self, wanted: &SubscribeFilter) -> Option<(Filter, QoS)> {
        let filter = device::filter(&wanted.path, &self.door.prefix)?;
        let own = self.client.device.as_ref().is_none_or(|own| *own == filter.device);
        let own = own || filter.is_time();
        let room = self.filters.len() < FILTERS_MAX;
        let qos = if wanted.qos == QoS::AtMostOnce { wanted.qos } else { QoS::AtLeastOnce };
        (own && room).then_some((filter, qos))
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe) {
        for topic in &unsubscribe.topics {
            let Some(filter) = device::filter(topic, &self.door.prefix) else { continue };
            self.door.downward.unsubscribe(&filter, self.number);
            self.filters.retain(|one| *one != filter);
        }
        self.out.send(&Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
    }
}
