//! Tells devices what was refused, on their `rejected` topic, through every door that is open.

use std::sync::Arc;

use rumqttc::QoS;
use tokio::sync::mpsc;

use crate::{
    decode::{Decoded, Rejection, ReplyLimit, rejected_reply},
    ingest::{listen, subscribe},
};

/// The ways down to devices.
#[derive(Debug, Default)]
pub(super) struct Doors {
    pub listen: Option<listen::Downward>,
    pub subscribe: Option<subscribe::Downward>,
}

impl Doors {
    pub(super) fn any(&self) -> bool {
        self.listen.is_some() || self.subscribe.is_some()
    }

    /// At most once: a device that is not there has other troubles.
    fn publish(&self, topic: &str, body: Vec<u8>) {
        if let Some(subscribe) = &self.subscribe {
            subscribe.publish(topic, body.clone(), false, QoS::AtMostOnce);
        }
        if let Some(listen) = &self.listen {
            listen.publish(topic, body, false, QoS::AtMostOnce);
        }
    }
}

/// Replies until the stream ends; it may miss some of it.
pub(super) async fn run(
    mut decoded: mpsc::Receiver<Arc<Decoded>>,
    doors: Doors,
    prefix: String,
) -> anyhow::Result<()> {
    let mut limit = ReplyLimit::default();
    while let Some(group) = decoded.recv().await {
        for rejection in &group.rejections {
            let Some(topic) = topic(&group, rejection, &prefix) else { continue };
            if limit.admits(&topic, rejection.received) {
                doors.publish(&topic, rejected_reply(rejection));
            }
        }
    }
    Ok(())
}

/// Only a registered device is told: nobody else has a topic of its own.
fn topic(group: &Decoded, rejection: &Rejection, prefix: &str) -> Option<String> {
    let device = group.registry.device(rejection.device?)?;
    Some(format!("{prefix}/{}/rejected", device.path))
}
