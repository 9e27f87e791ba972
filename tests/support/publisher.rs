//! Publishes at `QoS` 1 over any number of connections and keeps book of what was acknowledged.
//!
//! Message `n` counts as acknowledged when its PUBACK came on the connection it was last sent on;
//! what was not is sent again after a reconnect, as a device would. Stands on rumqttc's codec, not
//! on its client: that one does not say which message a PUBACK belongs to across reconnects.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::BytesMut;
use rumqttc::mqttbytes::{
    self, QoS,
    v4::{Connect, Login, Packet, Publish},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// What to publish and how fast.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `host:port`.
    pub address: String,
    pub client_id: String,
    /// User name and password, where the server wants them.
    pub login: Option<(String, String)>,
    /// Messages a second; 0 = as fast as the window allows.
    pub rate: u32,
    /// Messages sent and not yet acknowledged, at most.
    pub window: usize,
    /// Messages in all; `u64::MAX` = until told to stop.
    pub count: u64,
}

impl Plan {
    pub fn new(address: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            client_id: client_id.into(),
            login: None,
            rate: 0,
            window: 500,
            count: u64::MAX,
        }
    }
}

/// Makes message `n`: its topic and its payload.
pub type Make = Arc<dyn Fn(u64) -> (String, Vec<u8>) + Send + Sync>;

/// A publisher at work; gone when dropped.
#[derive(Debug)]
pub struct Publisher {
    acknowledged: Arc<Mutex<BTreeSet<u64>>>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Publisher {
    pub fn start(plan: Plan, make: Make) -> Self {
        let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let mut work = Work {
            plan,
            make,
            next: 0,
            open: BTreeMap::new(),
            acknowledged: Arc::clone(&acknowledged),
        };
        let stopped = stop.clone();
        task.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = work.publish_all() => {}
            }
        });
        Self { acknowledged, stop, task }
    }

    /// The messages acknowledged so far, by number.
    pub fn acknowledged(&self) -> BTreeSet<u64> {
        self.acknowledged.lock().unwrap().clone()
    }

    pub fn acknowledged_count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until all of the plan is acknowledged.
    pub async fn finished(&mut self, limit: Duration) {
        let done = timeout(limit, self.task.join_next()).await;
        assert!(done.is_ok(), "only {} acknowledged within {limit:?}", self.acknowledged_count());
    }

    /// Stops in the middle of whatever it does; the messages that were acknowledged.
    pub async fn stop(mut self) -> BTreeSet<u64> {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
        self.acknowledged()
    }
}

struct Work {
    plan: Plan,
    make: Make,
    next: u64,
    /// Sent and not yet acknowledged: packet identifier to message.
    open: BTreeMap<u16, u64>,
    acknowledged: Arc<Mutex<BTreeSet<u64>>>,
}

impl Work {
    async fn publish_all(&mut self) {
        while self.next < self.plan.count || !self.open.is_empty() {
            if self.publish().await.is_none() {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// One connection, until it breaks or all is done.
    async fn publish(&mut self) -> Option<()> {
        let mut socket = TcpStream::connect(&self.plan.address).await.ok()?;
        socket.set_nodelay(true).ok()?;
        let mut input = BytesMut::with_capacity(16 * 1024);
        self.greet(&mut socket, &mut input).await?;
        let mut output = BytesMut::new();
        // In the order they were sent at first: identifiers begin anew after 65 535.
        let mut again: Vec<_> = self.open.iter().map(|(&pkid, &number)| (number, pkid)).collect();
        again.sort_unstable();
        for (number, pkid) in again {
            self.write(pkid, number, true, &mut output)?;
        }
        let started = Instant::now();
        let first = self.next;
        let mut tick = interval(Duration::from_millis(5));
        while self.next < self.plan.count || !self.open.is_empty() {
            self.fill(started, first, &mut output)?;
            socket.write_all(&output.split()).await.ok()?;
            tokio::select! {
                read = socket.read_buf(&mut input) => {
                    (read.ok()? > 0).then_some(())?;
                    self.take_acknowledgements(&mut input)?;
                }
                _ = tick.tick() => {}
            }
        }
        Some(())
    }

    async fn greet(&self, socket: &mut TcpStream, input: &mut BytesMut) -> Option<()> {
        let mut connect = Connect::new(self.plan.client_id.clone());
        connect.keep_alive = 60;
        connect.login = self.plan.login.clone().map(|(name, word)| Login::new(name, word));
        let mut output = BytesMut::new();
        connect.write(&mut output).ok()?;
        socket.write_all(&output).await.ok()?;
        let answer = timeout(Duration::from_secs(5), read_packet(socket, input)).await.ok()??;
        matches!(answer, Packet::ConnAck(ack) if ack.code == rumqttc::ConnectReturnCode::Success)
            .then_some(())
    }

    /// Writes as many new messages as window and rate allow now.
    fn fill(&mut self, started: Instant, first: u64, output: &mut BytesMut) -> Option<()> {
        let due = if self.plan.rate == 0 {
            u64::MAX
        } else {
            let millis = u64::try_from(started.elapsed().as_millis()).unwrap();
            first + millis * u64::from(self.plan.rate) / 1000
        };
        while self.open.len() < self.plan.window && self.next < due.min(self.plan.count) {
            let pkid = u16::try_from(self.next % 65_535).unwrap() + 1;
            self.write(pkid, self.next, false, output)?;
            self.open.insert(pkid, self.next);
            self.next += 1;
        }
        Some(())
    }

    fn write(&self, pkid: u16, number: u64, dup: bool, output: &mut BytesMut) -> Option<()> {
        let (topic, payload) = (self.make)(number);
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = pkid;
        publish.dup = dup;
        publish.write(output).ok().map(drop)
    }

    fn take_acknowledgements(&mut self, input: &mut BytesMut) -> Option<()> {
        loop {
            match Packet::read(input, 1 << 20) {
                Ok(Packet::PubAck(ack)) => {
                    let number = self.open.remove(&ack.pkid).expect("a PUBACK of what was sent");
                    self.acknowledged.lock().unwrap().insert(number);
                }
                Ok(_) => {}
                Err(mqttbytes::Error::InsufficientBytes(_)) => return Some(()),
                Err(_) => return None,
            }
        }
    }
}

async fn read_packet(socket: &mut TcpStream, input: &mut BytesMut) -> Option<Packet> {
    loop {
        match Packet::read(input, 1 << 20) {
            Err(mqttbytes::Error::InsufficientBytes(_)) => {
                (socket.read_buf(input).await.ok()? > 0).then_some(())?;
            }
            outcome => return outcome.ok(),
        }
    }
}
