//! Tells devices what was refused, on their `rejected` topic, through every door that is open.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    decode::{Decoded, Rejection, ReplyLimit, rejected_reply},
    ingest::Doors,
};

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
                doors.publish(&topic, &rejected_reply(rejection));
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
