//! The MQTT connections of simulated devices: each has its own, as a real one would, with a last
//! will; what cannot be sent waits in a bounded buffer.

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
use tokio::{sync::mpsc, task::JoinSet, time};
use tokio_util::sync::CancellationToken;

use super::Spoken;

/// Messages a device keeps while it cannot send.
const BUFFER: usize = 1_000;
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

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
    pub connected: AtomicU64,
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
            read(&self.connected)
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

/// All connections; a device's is made when it first speaks.
#[derive(Debug)]
pub(super) struct Wires {
    target: Target,
    tally: Arc<Tally>,
    stop: CancellationToken,
    devices: HashMap<Arc<str>, mpsc::Sender<Spoken>>,
    tasks: JoinSet<()>,
}

impl Wires {
    pub(super) fn new(target: Target, tally: Arc<Tally>, stop: CancellationToken) -> Self {
        Self { target, tally, stop, devices: HashMap::new(), tasks: JoinSet::new() }
    }

    pub(super) fn publish(&mut self, spoken: Spoken) {
        let path = Arc::clone(&spoken.path);
        if !self.devices.contains_key(&path) {
            let (sender, messages) = mpsc::channel(BUFFER);
            let options = options(&self.target, &path);
            let prefix = self.target.prefix.clone();
            let (tally, stop) = (Arc::clone(&self.tally), self.stop.clone());
            self.tasks.spawn(connection(options, prefix, messages, tally, stop));
            self.devices.insert(Arc::clone(&path), sender);
        }
        let sent = self.devices.get(&path).map(|sender| sender.try_send(spoken));
        let count = match sent {
            Some(Ok(())) => &self.tally.published,
            _ => &self.tally.dropped,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets every connection send what it has and say goodbye.
    pub(super) async fn close(mut self) {
        self.devices.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        time::timeout(CLOSE_WITHIN, all).await.ok();
        self.tasks.shutdown().await;
    }
}

fn options(target: &Target, path: &str) -> MqttOptions {
    let id = path.replace('/', ".");
    let mut options = MqttOptions::new(id, target.host.clone(), target.port);
    options.set_keep_alive(Duration::from_mins(1)).set_clean_session(true);
    let will = format!("{}/{path}/status", target.prefix);
    options.set_last_will(LastWill::new(will, r#"{"state":"lost"}"#, QoS::AtLeastOnce, true));
    if !target.username.is_empty() {
        options.set_credentials(target.username.clone(), target.password.clone());
    }
    if target.tls {
        options.set_transport(Transport::tls_with_config(rumqttc::TlsConfiguration::Native));
    }
    options
}

/// One device's connection: publishes what comes, counts what is acknowledged, reconnects.
async fn connection(
    options: MqttOptions,
    prefix: String,
    mut messages: mpsc::Receiver<Spoken>,
    tally: Arc<Tally>,
    stop: CancellationToken,
) {
    let (client, mut events) = AsyncClient::new(options, 10);
    events.network_options.set_tcp_nodelay(true);
    let mut waiting = 0_u64;
    let mut open = true;
    loop {
        tokio::select! {
            event = events.poll() => {
                if watch(event, &mut waiting, &tally, &stop).await { break }
            }
            // The client's own queue must have room, or publishing would wait for the poll above.
            spoken = messages.recv(), if open && waiting < 8 => match spoken {
                Some(spoken) => {
                    waiting += 1;
                    let topic = format!("{prefix}/{}/{}", spoken.path, spoken.outgoing.kind);
                    let retain = spoken.outgoing.retain;
                    client.try_publish(topic, QoS::AtLeastOnce, retain, spoken.outgoing.payload).ok();
                }
                None => open = false,
            },
        }
        if !open && waiting == 0 {
            client.try_disconnect().ok();
            drain(&mut events).await;
            break;
        }
    }
}

/// Counts one event; true when there is no use in going on.
async fn watch(
    event: Result<Event, rumqttc::ConnectionError>,
    waiting: &mut u64,
    tally: &Tally,
    stop: &CancellationToken,
) -> bool {
    match event {
        Ok(Event::Incoming(Packet::PubAck(_))) => {
            *waiting = waiting.saturating_sub(1);
            tally.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Event::Incoming(Packet::ConnAck(_))) => {
            tally.connected.fetch_add(1, Ordering::Relaxed);
        }
        Ok(_) => {}
        Err(_) => {
            tally.connection_errors.fetch_add(1, Ordering::Relaxed);
            if stop.is_cancelled() {
                return true;
            }
            stop.run_until_cancelled(time::sleep(Duration::from_secs(1))).await;
        }
    }
    false
}

async fn drain(events: &mut EventLoop) {
    while let Ok(event) = events.poll().await {
        if matches!(event, Event::Outgoing(Sent::Disconnect)) {
            break;
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
