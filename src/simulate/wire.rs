//! The MQTT connections of simulated devices: each has its own, as a real one would, with a last
//! will, unless they are too many; what cannot be sent waits in a bounded buffer.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, Outgoing as Sent, Packet, QoS, Transport,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time,
};
use tokio_util::sync::CancellationToken;

use super::{Spoken, lines::Lines};

/// Messages a connection keeps while it cannot send.
const BUFFER: usize = 1_000;
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// What is still under way at the end may be acknowledged for so long.
const LAST_WORDS: Duration = Duration::from_secs(3);
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Where devices publish.
#[derive(Debug, Clone)]
pub struct Target {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    pub username: String,
    pub password: String,
    pub prefix: String,
}

impl Target {
    /// Reads `mqtt://host:port` or `mqtts://host:port`.
    pub fn parse(url: &str, prefix: &str) -> anyhow::Result<Self> {
        let (scheme, rest) = url.split_once("://").context(
            "expected an address such as mqtt://127.0.0.1:1883, found no \"://\" in --to",
        )?;
        let tls = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            other => bail!("expected mqtt:// or mqtts://, found {other}://"),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => {
                (host, port.parse().with_context(|| format!("{port:?} is not a port"))?)
            }
            None => (rest, if tls { 8883 } else { 1883 }),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            username: String::new(),
            password: String::new(),
            prefix: prefix.to_owned(),
        })
    }
}

/// What has become of the messages so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub published: AtomicU64,
    pub acknowledged: AtomicU64,
    /// A device's buffer was full.
    pub dropped: AtomicU64,
    pub connections: AtomicU64,
    pub connection_errors: AtomicU64,
}

impl Tally {
    /// `published 1200, acknowledged 1198, 240 connections made`
    pub fn says(&self) -> String {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut text = format!(
            "published {}, acknowledged {}, {} connections made",
            read(&self.published),
            read(&self.acknowledged),
            read(&self.connections)
        );
        for (count, what) in
            [(read(&self.connection_errors), "connection errors"), (read(&self.dropped), "dropped")]
        {
            if count > 0 {
                text += ", ";
                text += &count.to_string();
                text += " ";
                text += what;
            }
        }
        text
    }
}

/// All connections; one is made when the first of its devices speaks.
#[derive(Debug)]
pub(super) struct Wires {
    target: Target,
    lines: Lines,
    tally: Arc<Tally>,
    stop: CancellationToken,
    /// By the path of the device that speaks.
    devices: HashMap<Arc<str>, mpsc::Sender<Spoken>>,
    /// By client id.
    connections: HashMap<String, mpsc::Sender<Spoken>>,
    tasks: JoinSet<()>,
}

impl Wires {
    pub(super) fn new(
        target: Target,
        lines: Lines,
        tally: Arc<Tally>,
        stop: CancellationToken,
    ) -> Self {
        let (devices, connections) = (HashMap::new(), HashMap::new());
        Self { target, lines, tally, stop, devices, connections, tasks: JoinSet::new() }
    }

    pub(super) fn publish(&mut self, spoken: Spoken) {
        let path = Arc::clone(&spoken.path);
        if !self.devices.contains_key(&path) {
            let sender = self.connect(&path);
            self.devices.insert(Arc::clone(&path), sender);
        }
        let sent = self.devices.get(&path).map(|sender| sender.try_send(spoken));
        let count = match sent {
            Some(Ok(())) => &self.tally.published,
            _ => &self.tally.dropped,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// The device's connection, made anew if it is the first on it.
    fn connect(&mut self, path: &str) -> mpsc::Sender<Spoken> {
        let client = self.lines.client(path);
        if let Some(known) = self.connections.get(&client) {
            return known.clone();
        }
        let (sender, messages) = mpsc::channel(BUFFER);
        let mut options = options(&self.target, &client);
        if self.lines == Lines::OneEach {
            let will = format!("{}/{path}/status", self.target.prefix);
            let lost = LastWill::new(will, r#"{"state":"lost"}"#, QoS::AtLeastOnce, true);
            options.set_last_will(lost);
        }
        let prefix = self.target.prefix.clone();
        let (tally, stop) = (Arc::clone(&self.tally), self.stop.clone());
        self.tasks.spawn(connection(options, prefix, messages, tally, stop));
        self.connections.insert(client, sender.clone());
        sender
    }

    /// Lets every connection send what it has and say goodbye.
    pub(super) async fn close(mut self) {
        self.devices.clear();
        self.connections.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        time::timeout(CLOSE_WITHIN, all).await.ok();
        self.tasks.shutdown().await;
    }
}

fn options(target: &Target, client: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client, target.host.clone(), target.port);
    options.set_keep_alive(Duration::from_mins(1)).set_clean_session(true);
    if !target.username.is_empty() {
        options.set_credentials(target.username.clone(), target.password.clone());
    }
    if target.tls {
        options.set_transport(Transport::tls_with_config(rumqttc::TlsConfiguration::Native));
    }
    options
}

/// One connection: publishes what comes, counts what is acknowledged, reconnects.
///
/// Polling goes on beside publishing: a poll that is dropped while it connects would begin anew.
async fn connection(
    options: MqttOptions,
    prefix: String,
    messages: mpsc::Receiver<Spoken>,
    tally: Arc<Tally>,
    stop: CancellationToken,
) {
    let (client, mut events) = AsyncClient::new(options, 10);
    events.network_options.set_tcp_nodelay(true);
    let (acknowledged, acknowledgements) = watch::channel(0);
    tokio::join!(
        poll(events, acknowledged, &tally, &stop),
        publish(client, prefix, messages, acknowledgements)
    );
}

/// Publishes until there is no more, waits for what is not acknowledged yet, and says goodbye.
async fn publish(
    client: AsyncClient,
    prefix: String,
    mut messages: mpsc::Receiver<Spoken>,
    mut acknowledgements: watch::Receiver<u64>,
) {
    let mut published = 0;
    while let Some(spoken) = messages.recv().await {
        let Spoken { path, outgoing } = spoken;
        let topic = format!("{prefix}/{path}/{}", outgoing.kind);
        let sent = client.publish(topic, QoS::AtLeastOnce, outgoing.retain, outgoing.payload);
        if sent.await.is_ok() {
            published += 1;
        }
    }
    let all = acknowledgements.wait_for(|acknowledged| *acknowledged >= published);
    time::timeout(LAST_WORDS, all).await.ok();
    client.try_disconnect().ok();
}

/// Keeps the connection going and counts; ends after the goodbye, or when there is no use in trying.
async fn poll(
    mut events: EventLoop,
    acknowledged: watch::Sender<u64>,
    tally: &Tally,
    stop: &CancellationToken,
) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                acknowledged.send_modify(|count| *count += 1);
                tally.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                tally.connections.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Event::Outgoing(Sent::Disconnect)) => return,
            Ok(_) => {}
            Err(_) if stop.is_cancelled() => return,
            Err(_) => {
                tally.connection_errors.fetch_add(1, Ordering::Relaxed);
                stop.run_until_cancelled(time::sleep(RECONNECT_AFTER)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_or_refused_in_plain_words() {
        let target = Target::parse("mqtt://127.0.0.1:1884", "waystation/v1").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.tls), ("127.0.0.1", 1884, false));
        assert_eq!(Target::parse("mqtts://broker", "p").unwrap().port, 8883);
        for (url, error) in [
            ("127.0.0.1", "found no \"://\""),
            ("http://x", "expected mqtt:// or mqtts://, found http://"),
            ("mqtt://x:y", "\"y\" is not a port"),
        ] {
            let found = format!("{:#}", Target::parse(url, "p").unwrap_err());
            assert!(found.contains(error), "{found}");
        }
    }
}
