//! Devices connect straight here: the PUBACK a device gets means "on Waystation's disk".
//!
//! MQTT 3.1.1, quality of service 0 and 1. Sessions are not kept: a client that comes back
//! subscribes again (CONNACK says so). A last will is journaled as a message of its client, except
//! when it is we who stop. A message to another device's topic is taken and acknowledged like any
//! other; decoding refuses it by [`crate::journal::Message::sender`].

mod clients;
mod connection;
mod device;
mod downward;
mod greeting;
mod inward;
mod out;
mod users;

pub use downward::Downward;

pub(in crate::ingest) use device::TIME;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    Batch, Delivery, Held, Limits, Origin,
    frame::{Frames, Packet, Publish, QoS},
};
use crate::{
    clock::Clock,
    decode::Code,
    journal::Source,
    settings,
    telemetry::{Counters, Readiness},
};
use clients::{Clients, Will};
use connection::{Connection, Ended};
use greeting::{Client, Gate, Refused};
use rumqttc::mqttbytes::v4::ConnAck;
use users::Users;

const PART: &str = "listen";
/// After an `accept` that failed for want of something (file descriptors, memory).
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// For a client to take the answer that it may not come in.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long we wait for clients.
#[derive(Debug, Clone)]
struct Patience {
    /// From the connection to its whole CONNECT.
    greeting: Duration,
    /// A client that reads nothing of what is ready for it.
    stuck: Duration,
    /// A packet that has begun, for all of it.
    unfinished: Duration,
    /// A connection that ends, for what is on its way to the disk.
    drain: Duration,
    /// Between two looks at an idle connection.
    round: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(10),
            stuck: Duration::from_secs(20),
            unfinished: Duration::from_mins(2),
            drain: Duration::from_secs(3),
            round: Duration::from_secs(20),
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Door {
    prefix: String,
    gate: Gate,
    patience: Patience,
    limits: Limits,
    deliveries: mpsc::Sender<Delivery>,
    downward: Downward,
    clients: Clients,
    clock: Clock,
    counters: Counters,
    stop: CancellationToken,
}

/// Accepts clients until `stop`; then acknowledges what is on disk, closes, and ends.
#[expect(clippy::too_many_arguments, reason = "the signature of a stage is its documentation")]
pub async fn run(
    listener: TcpListener,
    settings: settings::Listen,
    limits: Limits,
    prefix: String,
    deliveries: mpsc::Sender<Delivery>,
    downward: Downward,
    clock: Clock,
    counters: Counters,
    readiness: Readiness,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("cannot tell the address of listen.mqtt")?;
    let gate = gate(&settings, address)?;
    let door = Arc::new(Door {
        prefix,
        gate,
        patience: Patience::default(),
        limits,
        deliveries,
        downward,
        clients: Clients::default(),
        clock,
        counters,
        stop,
    });
    accept(listener, door, settings.max_connections, readiness).await;
    Ok(())
}

fn gate(settings: &settings::Listen, address: SocketAddr) -> anyhow::Result<Gate> {
    let users = settings.users_file.as_deref().map(Users::load).transpose()?;
    let anonymous = settings.allow_anonymous || address.ip().is_loopback();
    if users.is_none() && !anonymous {
        warn!(%address, "no client can come in: set listen.users_file, or listen.allow_anonymous");
    }
    Ok(Gate { users, anonymous })
}

async fn accept(listener: TcpListener, door: Arc<Door>, most: u32, readiness: Readiness) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut connections = JoinSet::new();
    let mut unnamed = 0_u64;
    loop {
        tokio::select! {
            () = door.stop.cancelled() => break,
            Some(ended) = connections.join_next() => said(ended),
            accepted = listener.accept() => match accepted {
                Ok(_) if connections.len() >= most => door.counters.connection_refused("full"),
                Ok((stream, peer)) => {
                    readiness.well(PART);
                    unnamed += 1;
                    connections.spawn(serve(stream, peer, Arc::clone(&door), unnamed));
                }
                Err(error) => {
                    readiness.trouble(PART, format!("cannot accept connections: {error}"));
                    sleep(ACCEPT_AGAIN).await;
                }
            },
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        said(ended);
    }
}

/// A panic in one connection is a bug of ours, but no reason to cut off the other devices.
fn said(ended: Result<(), tokio::task::JoinError>) {
    if let Err(panic) = ended {
        tracing::error!("a connection of listen failed: {panic}");
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, door: Arc<Door>, unnamed: u64) {
    stream.set_nodelay(true).ok();
    let mut frames = Frames::new(door.limits.max_message);
    let greeted = tokio::select! {
        () = door.stop.cancelled() => Err(Refused::Stopped),
        greeted = timeout(door.patience.greeting, greet(&stream, &mut frames, &door, unnamed)) => {
            greeted.unwrap_or(Err(Refused::Slow))
        }
    };
    match greeted {
        Ok(client) => stay(stream, frames, client, door).await,
        Err(refused) => {
            debug!(%peer, "a client was not let in: {}", <&str>::from(refused));
            door.counters.connection_refused(refused);
            refuse(stream, refused).await;
        }
    }
}

async fn greet(
    stream: &TcpStream,
    frames: &mut Frames,
    door: &Door,
    unnamed: u64,
) -> Result<Client, Refused> {
    let mut kept = Held::default();
    loop {
        if frames.next_kind().is_some_and(|kind| kind != greeting::CONNECT) {
            return Err(Refused::NotConnect);
        }
        if let Some(connect) = greeting::first(frames.next())? {
            return door.gate.judge(connect, format!("unnamed-{unnamed}"));
        }
        stream.readable().await.map_err(|_| Refused::Lost)?;
        match frames.read_with(|buffer| stream.try_read_buf(buffer)) {
            Ok(0) => return Err(Refused::Lost),
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                return Err(Refused::Lost);
            }
            Ok(_) | Err(_) => {}
        }
        if !connection::cover(&door.limits, &mut kept, frames) {
            return Err(Refused::Crowded);
        }
    }
}

/// Tells the client, then waits a moment for it to close: a socket closed with unread bytes in it
/// would take the answer back.
async fn refuse(mut stream: TcpStream, refused: Refused) {
    let Some(code) = refused.code() else { return };
    let mut answer = bytes::BytesMut::new();
    let connack = Packet::ConnAck(ConnAck::new(code, false));
    if connack.write(&mut answer, 16).is_err() || stream.write_all(&answer).await.is_err() {
        return;
    }
    stream.shutdown().await.ok();
    timeout(FAREWELL, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await.ok();
}

/// From CONNACK to the last will.
async fn stay(stream: TcpStream, frames: Frames, client: Client, door: Arc<Door>) {
    let go = door.stop.child_token();
    let id = client.id.clone();
    let entered = door.clients.enter(&id, client.will.clone(), go.clone());
    door.counters.connections(door.clients.count());
    let ended = match entered.left_behind {
        Some(will) if !door.publish(&will, &go).await => Ended::TakenOver,
        _ => {
            let number = entered.number;
            Connection::new(Arc::clone(&door), client, number, stream, frames).run(&go).await
        }
    };
    let will = door.clients.leave(&id, entered.number);
    door.counters.connections(door.clients.count());
    door.counters.connection_ended(ended);
    debug!(client = id, "a client is gone: {}", <&str>::from(ended));
    if let Some(will) = will
        && !matches!(ended, Ended::Goodbye | Ended::Stopped)
    {
        door.publish(&will, &door.stop).await;
    }
}

impl Door {
    /// Journals a last will as a message of its client; `false` if it was told to stop before.
    async fn publish(&self, will: &Will, go: &CancellationToken) -> bool {
        let (topic, payload) = (will.topic.as_bytes(), &will.payload[..]);
        let sender = will.sender.as_bytes();
        let from = Origin { source: Source::Listen, sender, now: self.clock.now() };
        let (qos, packet_id) = (QoS::AtMostOnce, None);
        let publish = Publish { dup: false, qos, retain: false, topic, packet_id, payload };
        let mut batch = Batch::default();
        batch.publish(&publish, false, from, &self.limits.budgets);
        self.received(&batch);
        if batch.messages.is_empty() {
            return true;
        }
        let (durable, _) = oneshot::channel();
        let send = async {
            let held = self.limits.hold(batch.messages.as_bytes().len()).await;
            let delivery = Delivery { messages: batch.messages, durable, held };
            self.deliveries.send(delivery).await.is_ok()
        };
        go.run_until_cancelled(send).await.unwrap_or(false)
    }

    fn received(&self, batch: &Batch) {
        if batch.received > 0 {
            self.counters.received(Source::Listen, batch.received);
        }
        if batch.over_budget > 0 {
            self.counters.rejected(Code::OverBudget, batch.over_budget);
        }
    }

    fn acknowledged(&self, pubacks: u64) {
        self.counters.acknowledged(Source::Listen, pubacks);
    }
}

#[cfg(test)]
mod tests;
