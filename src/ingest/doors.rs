//! The ways down to devices, through every door that is open.

use serde_json::json;

use super::{frame::QoS, listen, subscribe};
use crate::reading::Timestamp;

/// By which way a device can be reached now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is connected here and listens.
    Listen,
    /// The session with the broker is up.
    Subscribe,
}

#[derive(Debug, Clone, Default)]
pub struct Doors {
    pub listen: Option<listen::Downward>,
    pub subscribe: Option<subscribe::Downward>,
}

impl Doors {
    pub fn any(&self) -> bool {
        self.listen.is_some() || self.subscribe.is_some()
    }

    /// At most once, not retained: a device that is not there has other troubles.
    pub fn publish(&self, topic: &str, body: &[u8]) {
        if let Some(subscribe) = &self.subscribe {
            subscribe.publish(topic, body.to_vec(), false, QoS::AtMostOnce);
        }
        if let Some(listen) = &self.listen {
            listen.publish(topic, body.to_vec(), false, QoS::AtMostOnce);
        }
    }

    /// Kept here for a device that comes later.
    pub fn keep(&self, topic: &str, body: &[u8]) {
        if let Some(listen) = &self.listen {
            listen.publish(topic, body.to_vec(), true, QoS::AtLeastOnce);
        }
    }

    /// Kept by the broker for a device that comes later; `false` when there is no room for it now.
    pub fn keep_at_broker(&self, topic: &str, body: &[u8]) -> bool {
        let retained = |door: &subscribe::Downward| {
            door.try_publish(topic, body.to_vec(), true, QoS::AtLeastOnce)
        };
        self.subscribe.as_ref().is_none_or(retained)
    }

    /// How to reach whoever listens to `topic`. A broker does not say who listens: `is_here` says
    /// whether the device gave a sign of life.
    pub fn way(&self, topic: &str, is_here: impl FnOnce() -> bool) -> Option<Way> {
        if self.listen.as_ref().is_some_and(|listen| listen.has_listener(topic)) {
            return Some(Way::Listen);
        }
        (self.has_session() && is_here()).then_some(Way::Subscribe)
    }

    /// Sends once and not after `until`; `false` when it certainly went nowhere.
    pub fn send_once(&self, way: Way, topic: &str, body: Vec<u8>, until: Timestamp) -> bool {
        match way {
            Way::Listen => {
                self.listen.as_ref().is_some_and(|door| door.send_once(topic, body, until))
            }
            Way::Subscribe => self
                .subscribe
                .as_ref()
                .is_some_and(|door| door.send_once(topic, body, QoS::AtLeastOnce, until)),
        }
    }

    /// Whether there is a session with the broker.
    pub fn has_session(&self) -> bool {
        self.subscribe.as_ref().is_some_and(subscribe::Downward::is_up)
    }

    /// Tells everybody what time it is. Not retained, and worth nothing a moment later.
    pub fn tell_time(&self, prefix: &str, now: Timestamp) {
        let (topic, body) = (format!("{prefix}/{}", listen::TIME), time(now));
        if let Some(subscribe) = self.subscribe.as_ref().filter(|door| door.is_up()) {
            let until = now.plus_millis(1000);
            subscribe.send_once(&topic, body.clone(), QoS::AtMostOnce, until);
        }
        if let Some(listen) = &self.listen {
            listen.tell_time(body);
        }
    }

    /// Waits until a device that may have commands waiting comes to listen here.
    pub async fn arrival(&self) {
        match &self.listen {
            Some(listen) => listen.arrival().await,
            None => std::future::pending().await,
        }
    }
}

/// `{"now": ms since 1970}`
pub fn time(now: Timestamp) -> Vec<u8> {
    json!({ "now": now }).to_string().into_bytes()
}
