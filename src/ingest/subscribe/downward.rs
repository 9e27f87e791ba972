//! The way back to devices: what others want published through the session.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use tokio::sync::mpsc;

use super::greeting::SUBSCRIBE_ID;
use crate::{clock::Clock, ingest::frame::QoS, reading::Timestamp, telemetry::Counters};

/// Messages that wait for the session at most; more are dropped.
const QUEUE_MAX: usize = 1024;
/// Messages of `QoS` 1 that the broker has not acknowledged, at most; more wait in the queue.
const OPEN_MAX: usize = 64;
const PAYLOAD_MAX: usize = 256 << 10;
const TOPIC_MAX: usize = 1024;

/// Publishes through the broker. Never blocks; what finds no room is dropped and counted.
#[derive(Debug, Clone)]
pub struct Downward {
    queue: mpsc::Sender<Outgoing>,
    is_up: Arc<AtomicBool>,
    counters: Counters,
}

/// The session's end of the queue. It outlives connections.
#[derive(Debug)]
pub struct Outbound {
    queue: mpsc::Receiver<Outgoing>,
    open: BTreeMap<u16, Outgoing>,
    last_id: u16,
    is_up: Arc<AtomicBool>,
    clock: Clock,
    counters: Counters,
}

#[derive(Debug)]
struct Outgoing {
    topic: String,
    payload: Bytes,
    retain: bool,
    qos: QoS,
    /// Sent once at most, and not after this: a connection that ends takes it along.
    until: Option<Timestamp>,
}

/// Both ends of the queue.
pub fn downward(clock: Clock, counters: Counters) -> (Downward, Outbound) {
    let (sender, queue) = mpsc::channel(QUEUE_MAX);
    let is_up = Arc::<AtomicBool>::default();
    let outbound = Outbound {
        queue,
        open: BTreeMap::new(),
        last_id: SUBSCRIBE_ID,
        is_up: Arc::clone(&is_up),
        clock,
        counters: counters.clone(),
    };
    (Downward { queue: sender, is_up, counters }, outbound)
}

impl Downward {
    /// With `QoS` 1 it is sent again after a reconnect until the broker has it; 2 counts as 1.
    pub fn publish(&self, topic: &str, payload: impl Into<Bytes>, retain: bool, qos: QoS) {
        if !self.try_publish(topic, payload, retain, qos) {
            self.counters.downward_dropped(1);
        }
    }

    /// As [`Self::publish`]; `false` when there is no room for it now.
    pub fn try_publish(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        retain: bool,
        qos: QoS,
    ) -> bool {
        let qos = if qos == QoS::ExactlyOnce { QoS::AtLeastOnce } else { qos };
        let (topic, payload) = (topic.to_owned(), payload.into());
        self.put(Outgoing { topic, payload, retain, qos, until: None })
    }

    /// Sent over one connection at most and not after `until`. MQTT would have what was not
    /// acknowledged sent again over the next connection; who must not do a thing twice is better
    /// served by us not doing so.
    pub fn send_once(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        qos: QoS,
        until: Timestamp,
    ) -> bool {
        let (topic, payload) = (topic.to_owned(), payload.into());
        self.put(Outgoing { topic, payload, retain: false, qos, until: Some(until) })
    }

    /// Whether the broker has granted a session and it has not ended.
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    fn put(&self, outgoing: Outgoing) -> bool {
        let topic = outgoing.topic.as_str();
        let plain = !topic.is_empty() && !topic.contains(['+', '#', '\0']);
        let fits = topic.len() <= TOPIC_MAX && outgoing.payload.len() <= PAYLOAD_MAX;
        plain && fits && self.queue.try_send(outgoing).is_ok()
    }
}

impl Outbound {
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < OPEN_MAX
    }

    pub(super) fn set_up(&self, up: bool) {
        self.is_up.store(up, Ordering::Relaxed);
    }

    /// The next message as it goes over the wire; pending for ever once nobody can publish.
    pub(super) async fn next(&mut self) -> BytesMut {
        let outgoing = loop {
            let Some(outgoing) = self.queue.recv().await else { std::future::pending().await };
            if outgoing.until.is_none_or(|until| self.clock.now() < until) {
                break outgoing;
            }
            self.counters.downward_dropped(1);
        };
        if outgoing.qos == QoS::AtMostOnce {
            return outgoing.packet(0, false);
        }
        let id = self.free_id();
        let packet = outgoing.packet(id, false);
        self.open.insert(id, outgoing);
        packet
    }

    /// What the last connection left open.
    pub(super) fn again(&mut self) -> BytesMut {
        self.open.retain(|_, outgoing| outgoing.until.is_none());
        let mut packets = BytesMut::new();
        for (id, outgoing) in &self.open {
            packets.extend_from_slice(&outgoing.packet(*id, true));
        }
        packets
    }

    pub(super) fn acknowledged(&mut self, id: u16) {
        self.open.remove(&id);
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(SUBSCRIBE_ID + 1);
            if !self.open.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

impl Outgoing {
    fn packet(&self, id: u16, again: bool) -> BytesMut {
        let mut publish =
            v4::Publish::from_bytes(self.topic.as_str(), self.qos, self.payload.clone());
        publish.retain = self.retain;
        publish.pkid = id;
        publish.dup = again;
        let mut packet = BytesMut::new();
        // The codec refuses what is over 256 MiB, and an identifier of 0 with QoS 1: neither is here.
        publish.write(&mut packet).map_or_else(|_| BytesMut::new(), |_| packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(packet: &mut BytesMut) -> v4::Publish {
        match v4::Packet::read(packet, 1 << 20) {
            Ok(v4::Packet::Publish(publish)) => publish,
            other => panic!("{other:?}"),
        }
    }

    fn dropped(counters: &Counters) -> bool {
        !counters.render().unwrap().contains("waystation_downward_dropped_messages_total 0\n")
    }

    #[tokio::test]
    async fn what_was_queued_is_written_in_order_and_what_does_not_fit_is_counted() {
        let counters = Counters::default();
        let (downward, mut outbound) = downward(Clock::system(), counters.clone());
        for number in 0..QUEUE_MAX {
            downward.publish("a/b", number.to_string(), false, QoS::AtMostOnce);
        }
        assert!(!dropped(&counters), "{}", counters.render().unwrap());
        downward.publish("a/b", "one more", false, QoS::AtMostOnce);
        assert!(dropped(&counters));
        for number in 0..QUEUE_MAX {
            let publish = read(&mut outbound.next().await);
            assert_eq!((publish.topic.as_str(), publish.qos), ("a/b", QoS::AtMostOnce));
            assert_eq!(publish.payload, number.to_string());
        }
    }

    #[test]
    fn what_no_broker_would_take_is_dropped_here() {
        let large = vec![0; PAYLOAD_MAX + 1];
        for (topic, payload) in
            [("", &[][..]), ("a/+", &[]), ("#", &[]), ("a\0b", &[]), ("a", &large)]
        {
            let counters = Counters::default();
            let (downward, _outbound) = downward(Clock::system(), counters.clone());
            downward.publish(topic, payload.to_vec(), true, QoS::AtLeastOnce);
            assert!(dropped(&counters), "{topic:?}");
        }
    }

    #[tokio::test]
    async fn qos_1_is_sent_again_until_it_is_acknowledged() {
        let (downward, mut outbound) = downward(Clock::system(), Counters::default());
        for payload in ["first", "second"] {
            downward.publish("a", payload, true, QoS::AtLeastOnce);
        }
        let first = read(&mut outbound.next().await);
        let second = read(&mut outbound.next().await);
        assert!(!first.dup && first.retain && first.pkid != second.pkid);
        outbound.acknowledged(first.pkid);
        let mut again = outbound.again();
        assert_eq!(read(&mut again), v4::Publish { dup: true, ..second.clone() });
        assert!(again.is_empty());
        outbound.acknowledged(second.pkid);
        assert!(outbound.again().is_empty());
    }

    #[tokio::test]
    async fn identifiers_are_never_used_twice_at_once() {
        let (downward, mut outbound) = downward(Clock::system(), Counters::default());
        downward.publish("a", "stays", false, QoS::AtLeastOnce);
        let stays = read(&mut outbound.next().await).pkid;
        for _ in 0..70_000 {
            downward.publish("a", "goes", false, QoS::AtLeastOnce);
            let id = read(&mut outbound.next().await).pkid;
            assert!(id > SUBSCRIBE_ID && id != stays, "{id}");
            outbound.acknowledged(id);
        }
    }

    #[tokio::test]
    async fn what_goes_once_does_not_go_late_nor_over_the_next_connection() {
        let (clock, hand) = Clock::manual(Timestamp(0));
        let (downward, mut outbound) = downward(clock, Counters::default());
        let send = |body: &'static str, until: i64| {
            assert!(downward.send_once("a", body, QoS::AtLeastOnce, Timestamp(until)));
        };
        send("late", 10);
        send("in time", 11);
        downward.publish("a", "again", false, QoS::AtLeastOnce);
        hand.set(Timestamp(10));
        assert_eq!(read(&mut outbound.next().await).payload, "in time");
        assert_eq!(read(&mut outbound.next().await).payload, "again");
        let mut again = outbound.again();
        assert_eq!(read(&mut again).payload, "again");
        assert!(again.is_empty(), "the command is not sent anew");
    }
}
