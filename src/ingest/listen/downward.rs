//! The way down: what others publish to the devices connected here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::device::{self, Filter, Leaf, TIME};
use crate::{ingest::frame::QoS, reading::Timestamp, telemetry::Counters};

/// Messages that wait for one connection at most; more are dropped and counted.
const QUEUE_MAX: usize = 32;
const PAYLOAD_MAX: usize = 256 << 10;
/// Retained messages kept for devices that are not here at most.
const RETAINED_MAX: usize = 250_000;

/// Publishes to connected devices. Never blocks; what finds no room is dropped and counted.
#[derive(Debug, Clone)]
pub struct Downward {
    prefix: Arc<str>,
    routes: Arc<Mutex<Routes>>,
    arrivals: Arc<Notify>,
    counters: Counters,
}

/// A message on its way to one connection.
#[derive(Debug, Clone)]
pub(super) struct Down {
    pub message: Arc<Message>,
    pub qos: QoS,
    /// It was kept for this device, not published just now.
    pub retained: bool,
}

#[derive(Debug)]
pub(super) struct Message {
    pub topic: String,
    pub payload: Bytes,
    qos: QoS,
    leaf: &'static str,
    /// Worth nothing after this.
    until: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Routes {
    subscribed: HashMap<String, Vec<Subscription>>,
    /// Those who want the time, by connection.
    clockless: HashMap<u64, Subscription>,
    retained: HashMap<String, Vec<Arc<Message>>>,
    retained_count: usize,
}

#[derive(Debug)]
struct Subscription {
    connection: u64,
    leaf: Leaf,
    qos: QoS,
    queue: mpsc::Sender<Down>,
}

impl Downward {
    pub fn new(prefix: &str, counters: Counters) -> Self {
        let (routes, arrivals) = (Arc::default(), Arc::default());
        Self { prefix: prefix.into(), routes, arrivals, counters }
    }

    /// Publishes to `{prefix}/{district}/{station}/{device}/{command|config|rejected|echo}`. A
    /// retained one is kept for those who subscribe later; an empty payload ends that. Without a
    /// subscriber it goes nowhere, as in MQTT.
    pub fn publish(&self, topic: &str, payload: impl Into<Bytes>, retain: bool, qos: QoS) {
        let Some((device, message)) = self.message(topic, payload.into(), qos, None) else {
            self.counters.downward_dropped(1);
            return;
        };
        let mut routes = self.lock();
        let mut dropped = routes.send(&device, &message);
        if retain {
            dropped += routes.keep(&device, message);
        }
        drop(routes);
        if dropped > 0 {
            self.counters.downward_dropped(dropped);
        }
    }

    /// Whether anybody here gets what is published to `topic`.
    pub fn has_listener(&self, topic: &str) -> bool {
        let Some((device, leaf)) = self.place(topic) else { return false };
        self.lock().newest(&device, leaf).is_some()
    }

    /// Sends to the one that subscribed last, and not after `until`; `false` when nobody is there
    /// or has room.
    pub fn send_once(&self, topic: &str, payload: impl Into<Bytes>, until: Timestamp) -> bool {
        let message = self.message(topic, payload.into(), QoS::AtLeastOnce, Some(until));
        let Some((device, message)) = message else { return false };
        let routes = self.lock();
        let newest = routes.newest(&device, message.leaf);
        newest.is_some_and(|subscription| subscription.send(&message, false))
    }

    /// Tells all who asked for it what time it is.
    pub fn tell_time(&self, body: impl Into<Bytes>) {
        let message = self.time(body.into());
        for subscription in self.lock().clockless.values() {
            // Who has no room for it gets the next one.
            subscription.send(&message, false);
        }
    }

    /// Waits until somebody comes to listen to what devices are told.
    pub async fn arrival(&self) {
        self.arrivals.notified().await;
    }

    fn place(&self, topic: &str) -> Option<(String, &'static str)> {
        match device::filter(topic, &self.prefix)? {
            Filter { device, leaf: Leaf::One(leaf) } if leaf != TIME => Some((device, leaf)),
            _ => None,
        }
    }

    fn message(
        &self,
        topic: &str,
        payload: Bytes,
        qos: QoS,
        until: Option<Timestamp>,
    ) -> Option<(String, Arc<Message>)> {
        let place = self.place(topic).filter(|_| payload.len() <= PAYLOAD_MAX);
        let (device, leaf) = place?;
        let topic = topic.to_owned();
        Some((device, Arc::new(Message { topic, payload, qos, leaf, until })))
    }

    fn time(&self, payload: Bytes) -> Arc<Message> {
        let topic = format!("{}/{TIME}", self.prefix);
        Arc::new(Message { topic, payload, qos: QoS::AtMostOnce, leaf: TIME, until: None })
    }

    pub(super) fn queue() -> (mpsc::Sender<Down>, mpsc::Receiver<Down>) {
        mpsc::channel(QUEUE_MAX)
    }

    /// From now on `connection` gets the time, and at once what it is `now`.
    pub(super) fn subscribe_to_time(
        &self,
        connection: u64,
        queue: &mpsc::Sender<Down>,
        now: impl Into<Bytes>,
    ) {
        let (leaf, qos) = (Leaf::One(TIME), QoS::AtMostOnce);
        let subscription = Subscription { connection, leaf, qos, queue: queue.clone() };
        subscription.send(&self.time(now.into()), false);
        self.lock().clockless.insert(connection, subscription);
    }

    /// From now on `connection` gets what `filter` says, and first what was kept for it.
    pub(super) fn subscribe(
        &self,
        filter: &Filter,
        qos: QoS,
        connection: u64,
        queue: &mpsc::Sender<Down>,
    ) {
        let mut routes = self.lock();
        let queue = queue.clone();
        let subscription = Subscription { connection, leaf: filter.leaf, qos, queue };
        let kept = routes.retained.get(&filter.device).map_or(&[][..], Vec::as_slice);
        let matching = kept.iter().filter(|message| filter.leaf.matches(message.leaf));
        let dropped = matching.filter(|message| !subscription.send(message, true)).count();
        let others = routes.subscribed.entry(filter.device.clone()).or_default();
        others.retain(|other| other.connection != connection || other.leaf != filter.leaf);
        others.push(subscription);
        drop(routes);
        self.arrivals.notify_one();
        if dropped > 0 {
            self.counters.downward_dropped(u64::try_from(dropped).unwrap_or(u64::MAX));
        }
    }

    pub(super) fn unsubscribe(&self, filter: &Filter, connection: u64) {
        let mut routes = self.lock();
        if filter.is_time() {
            routes.clockless.remove(&connection);
            return;
        }
        let Some(subscriptions) = routes.subscribed.get_mut(&filter.device) else { return };
        subscriptions.retain(|one| one.connection != connection || one.leaf != filter.leaf);
        if subscriptions.is_empty() {
            routes.subscribed.remove(&filter.device);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Down {
    /// Whether it must not be sent any more.
    pub(super) fn is_late(&self, now: impl FnOnce() -> Timestamp) -> bool {
        self.message.until.is_some_and(|until| now() >= until)
    }
}

impl Routes {
    fn newest(&self, device: &str, leaf: &str) -> Option<&Subscription> {
        let all = self.subscribed.get(device)?;
        all.iter().rev().find(|subscription| subscription.leaf.matches(leaf))
    }

    /// How many found no room. A connection with overlapping subscriptions gets the message once.
    fn send(&self, device: &str, message: &Arc<Message>) -> u64 {
        let subscriptions = self.subscribed.get(device).map_or(&[][..], Vec::as_slice);
        let (mut sent, mut dropped) = (Vec::new(), 0);
        for subscription in subscriptions {
            if !subscription.leaf.matches(message.leaf) || sent.contains(&subscription.connection) {
                continue;
            }
            sent.push(subscription.connection);
            dropped += u64::from(!subscription.send(message, false));
        }
        dropped
    }

    fn keep(&mut self, device: &str, message: Arc<Message>) -> u64 {
        let kept = self.retained.entry(device.to_owned()).or_default();
        let before = kept.len();
        kept.retain(|old| old.leaf != message.leaf);
        self.retained_count -= before - kept.len();
        let full = self.retained_count >= RETAINED_MAX;
        if !message.payload.is_empty() && !full {
            kept.push(message);
            self.retained_count += 1;
            return 0;
        }
        if kept.is_empty() {
            self.retained.remove(device);
        }
        u64::from(full && !message.payload.is_empty())
    }
}

impl Subscription {
    fn send(&self, message: &Arc<Message>, retained: bool) -> bool {
        let qos = if self.qos == QoS::AtMostOnce { self.qos } else { message.qos };
        self.queue.try_send(Down { message: Arc::clone(message), qos, retained }).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "w/v1/p/s/x/config";

    fn filter(topic: &str) -> Filter {
        device::filter(topic, "w/v1").unwrap()
    }

    fn payloads(queue: &mut mpsc::Receiver<Down>) -> Vec<(Bytes, bool)> {
        let next =
            || queue.try_recv().ok().map(|down| (down.message.payload.clone(), down.retained));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_message_reaches_whoever_subscribed_to_it_once() {
        let downward = Downward::new("w/v1", Counters::default());
        let (queue, mut inbox) = Downward::queue();
        for topic in [TOPIC, "w/v1/p/s/x/+", "w/v1/p/s/x/command", TOPIC] {
            downward.subscribe(&filter(topic), QoS::AtLeastOnce, 1, &queue);
        }
        downward.publish(TOPIC, "1", false, QoS::AtMostOnce);
        downward.publish("w/v1/p/s/other/config", "2", false, QoS::AtMostOnce);
        assert_eq!(payloads(&mut inbox), [(Bytes::from("1"), false)]);
        for topic in [TOPIC, "w/v1/p/s/x/+", "w/v1/p/s/x/command"] {
            downward.unsubscribe(&filter(topic), 1);
        }
        downward.publish(TOPIC, "3", false, QoS::AtMostOnce);
        assert_eq!(payloads(&mut inbox), []);
        assert!(downward.lock().subscribed.is_empty());
    }

    #[test]
    fn a_retained_message_waits_for_its_device_until_it_is_replaced_or_emptied() {
        let downward = Downward::new("w/v1", Counters::default());
        let (queue, mut inbox) = Downward::queue();
        let come = |queue| downward.subscribe(&filter(TOPIC), QoS::AtMostOnce, 1, queue);
        downward.publish(TOPIC, "1", true, QoS::AtLeastOnce);
        downward.publish(TOPIC, "2", true, QoS::AtLeastOnce);
        come(&queue);
        assert_eq!(payloads(&mut inbox), [(Bytes::from("2"), true)]);
        downward.publish(TOPIC, "", true, QoS::AtLeastOnce);
        payloads(&mut inbox);
        come(&queue);
        assert_eq!(payloads(&mut inbox), []);
        assert_eq!(downward.lock().retained_count, 0);
        assert!(downward.lock().retained.is_empty());
    }

    #[test]
    fn what_goes_once_goes_to_one_and_says_when_it_cannot() {
        let downward = Downward::new("w/v1", Counters::default());
        let topic = "w/v1/p/s/x/command";
        let (gateway, mut first) = Downward::queue();
        let (device, mut second) = Downward::queue();
        assert!(!downward.has_listener(topic));
        assert!(!downward.send_once(topic, "0", Timestamp(5)), "nobody is there");
        downward.subscribe(&filter("w/v1/p/s/x/+"), QoS::AtLeastOnce, 1, &gateway);
        downward.subscribe(&filter(topic), QoS::AtLeastOnce, 2, &device);
        assert!(downward.has_listener(topic) && !downward.has_listener("w/v1/p/s/y/command"));
        assert!(downward.send_once(topic, "1", Timestamp(5)));
        assert_eq!(payloads(&mut first), []);
        let down = second.try_recv().unwrap();
        assert!(!down.is_late(|| Timestamp(4)) && down.is_late(|| Timestamp(5)));
        for _ in 0..QUEUE_MAX {
            assert!(downward.send_once(topic, "2", Timestamp(5)));
        }
        assert!(!downward.send_once(topic, "3", Timestamp(5)), "there is no room");
    }

    #[test]
    fn the_time_is_told_at_once_and_to_all_who_asked() {
        let downward = Downward::new("w/v1", Counters::default());
        let (queue, mut inbox) = Downward::queue();
        downward.tell_time("nobody");
        downward.subscribe_to_time(1, &queue, "1");
        downward.subscribe_to_time(1, &queue, "2");
        downward.tell_time("3");
        downward.unsubscribe(&filter("w/v1/time"), 1);
        downward.tell_time("4");
        let told = payloads(&mut inbox);
        assert_eq!(told, ["1", "2", "3"].map(|body| (Bytes::from(body), false)));
    }

    #[test]
    fn a_device_that_takes_nothing_costs_a_bounded_queue() {
        let counters = Counters::default();
        let downward = Downward::new("w/v1", counters.clone());
        let (queue, inbox) = Downward::queue();
        downward.subscribe(&filter(TOPIC), QoS::AtMostOnce, 1, &queue);
        for _ in 0..100 {
            downward.publish(TOPIC, "1", false, QoS::AtMostOnce);
        }
        downward.publish("w/v1/p/s/x/telemetry", "not downward", false, QoS::AtMostOnce);
        assert_eq!(inbox.len(), QUEUE_MAX);
        let page = counters.render().unwrap();
        assert!(page.contains("waystation_downward_dropped_messages_total 69"), "{page}");
    }
}
