//! `listen` and `group` over a disk that a test can hold up.

use std::{
    future::Future,
    io::Write,
    sync::{Mutex, MutexGuard},
};

use tokio::{net::TcpSocket, sync::watch};

use super::{super::*, Condition};
use crate::{
    ingest::{group, listen::users},
    journal::{AppendError, Messages},
    reading::Timestamp,
    settings::ByteSize,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// With a deadline, so that a test that waits for nothing fails.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(20 * SECOND, future).await.expect("it did not come")
}

#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) topic: String,
    pub(super) sender: String,
    pub(super) payload: Vec<u8>,
    pub(super) condition: Condition,
    pub(super) retained: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Disk {
    state: Arc<Mutex<State>>,
    open: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct State {
    kept: Vec<Kept>,
    asked: usize,
    largest: usize,
    groups: u64,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn hold(&self) {
        self.open.send_replace(false);
    }

    pub(super) fn release(&self) {
        self.open.send_replace(true);
    }

    pub(super) fn kept(&self) -> Vec<Kept> {
        self.state().kept.clone()
    }

    pub(super) fn payloads(&self) -> Vec<String> {
        let text = |it: &Kept| String::from_utf8_lossy(&it.payload).into_owned();
        self.state().kept.iter().map(text).collect()
    }

    pub(super) fn asked(&self) -> usize {
        self.state().asked
    }

    /// Bytes of the largest group.
    pub(super) fn largest(&self) -> usize {
        self.state().largest
    }
}

impl group::Append for Disk {
    async fn append(&self, messages: Arc<Messages>) -> Result<u64, AppendError> {
        self.state().asked += 1;
        self.open.subscribe().wait_for(|open| *open).await.map_err(|_| AppendError::Closed)?;
        let mut state = self.state();
        state.largest = state.largest.max(messages.as_bytes().len());
        state.kept.extend(messages.iter().map(|message| Kept {
            topic: String::from_utf8_lossy(message.topic).into_owned(),
            sender: String::from_utf8_lossy(message.sender).into_owned(),
            payload: message.payload.to_vec(),
            condition: message.condition,
            retained: message.retained,
        }));
        state.groups += 1;
        Ok(state.groups)
    }
}

#[derive(Debug)]
pub(super) struct Setup {
    pub(super) patience: Patience,
    pub(super) users: Option<(&'static str, &'static str)>,
    pub(super) burst: u32,
    pub(super) max_in_flight: u64,
    pub(super) max_connections: u32,
    pub(super) send_buffer: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Rig {
    pub(super) address: SocketAddr,
    pub(super) disk: Disk,
    pub(super) downward: Downward,
    pub(super) counters: Counters,
    pub(super) stop: CancellationToken,
    pub(super) small_buffers: bool,
    stages: JoinSet<()>,
}

struct Appended;

impl From<(u64, Arc<Messages>)> for Appended {
    fn from(_: (u64, Arc<Messages>)) -> Self {
        Self
    }
}

impl Rig {
    pub(super) fn start() -> Self {
        Self::with(|_| ())
    }

    pub(super) fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup {
            patience: Patience { drain: 10 * SECOND, ..Patience::default() },
            users: None,
            burst: 1_000_000,
            max_in_flight: 64 << 20,
            max_connections: 100,
            send_buffer: None,
        };
        change(&mut setup);
        Self::of(&setup)
    }

    fn of(setup: &Setup) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(size) = setup.send_buffer {
            socket.set_send_buffer_size(size).unwrap();
        }
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();

        let disk = Disk { state: Arc::default(), open: Arc::new(watch::Sender::new(true)) };
        let counters = Counters::default();
        let downward = Downward::new("waystation/v1", counters.clone());
        let (deliveries, input) = mpsc::channel(256);
        let (groups, _) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let door = Door {
            prefix: "waystation/v1".to_owned(),
            gate: Gate { users: setup.users.map(users), anonymous: setup.users.is_none() },
            patience: setup.patience.clone(),
            limits: Limits::new(&limits(setup), "waystation/v1"),
            deliveries,
            downward: downward.clone(),
            clients: Clients::default(),
            clock: Clock::manual(Timestamp(1_767_225_600_000)).0,
            counters: counters.clone(),
            stop: stop.clone(),
        };
        let mut stages = JoinSet::new();
        stages.spawn(accept(listener, Arc::new(door), setup.max_connections, Readiness::default()));
        let appends = group::run::<Appended>(input, disk.clone(), groups, counters.clone());
        stages.spawn(async { appends.await.unwrap() });
        let small_buffers = setup.send_buffer.is_some();
        Self { address, disk, downward, counters, stop, small_buffers, stages }
    }

    /// Waits until it is so.
    pub(super) async fn until(&self, so: impl Fn(&Disk) -> bool) {
        soon(async {
            while !so(&self.disk) {
                sleep(SECOND / 200).await;
            }
        })
        .await;
    }

    /// Waits until nobody can connect any more.
    pub(super) async fn until_refused(&mut self) {
        soon(async {
            while TcpStream::connect(self.address).await.is_ok() {
                sleep(SECOND / 200).await;
            }
        })
        .await;
    }

    pub(super) async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = soon(self.stages.join_next()).await {
            ended.unwrap();
        }
    }
}

fn limits(setup: &Setup) -> settings::Ingest {
    settings::Ingest {
        max_in_flight: ByteSize(setup.max_in_flight),
        device_burst: setup.burst,
        ..settings::Ingest::default()
    }
}

fn users((name, password): (&str, &str)) -> Users {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "{}", users::tests::line(name, password)).unwrap();
    Users::load(file.path()).unwrap()
}
