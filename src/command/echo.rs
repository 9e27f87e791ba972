//! The echo of a heartbeat, for devices that take us for dead without it.

use crate::{
    decode::{Decoded, Heartbeat},
    device::EchoBody,
    ingest::time,
    reading::Timestamp,
};

/// What goes back, and to which device. A heartbeat so old that the next one must be there by now
/// gets nothing: while we catch up with a backlog, only what still helps is sent.
pub(super) fn echoes(group: &Decoded, now: Timestamp) -> Vec<(String, Vec<u8>)> {
    let echo = |heartbeat: &Heartbeat| {
        let device = group.registry.device(heartbeat.device)?;
        let echo = device.profile.talk.echo?;
        let body = match echo.sends {
            EchoBody::Same => heartbeat.body.to_vec(),
            EchoBody::Time => time(now),
        };
        (now.since(heartbeat.received) < echo.every).then(|| (device.path.to_string(), body))
    };
    group.heartbeats.iter().filter_map(echo).collect()
}
