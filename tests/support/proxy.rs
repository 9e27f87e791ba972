//! A wire that can be cut: a TCP proxy in the test's own process.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// What the wire does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Passes,
    /// Nothing moves, nothing closes: a peer that has gone without a word.
    Stalls,
}

#[derive(Debug)]
struct State {
    wire: watch::Sender<Wire>,
    /// Connections of an earlier generation than this are cut.
    generation: watch::Sender<u64>,
    /// Bytes that may still pass before the cut, by direction; negative = no cut planned.
    budget: [AtomicI64; 2],
    connections: AtomicU64,
}

/// The proxy; everything ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub async fn start(target_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            wire: watch::Sender::new(Wire::Passes),
            generation: watch::Sender::new(0),
            budget: [AtomicI64::new(-1), AtomicI64::new(-1)],
            connections: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target_port, Arc::clone(&state)));
        Self { address, state, _tasks: tasks }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts all connections now.
    pub fn cut(&self) {
        self.state.generation.send_modify(|generation| *generation += 1);
    }

    /// Cuts all connections once `bytes` more have gone in `direction`; the last packet is torn.
    pub fn cut_after(&self, direction: Direction, bytes: u32) {
        self.state.budget[index(direction)].store(i64::from(bytes), Ordering::SeqCst);
    }

    /// Whether the cut that was planned has happened.
    pub fn has_cut(&self, direction: Direction) -> bool {
        self.state.budget[index(direction)].load(Ordering::SeqCst) < 0
    }

    pub fn stall(&self) {
        self.state.wire.send_replace(Wire::Stalls);
    }

    pub fn pass(&self) {
        self.state.wire.send_replace(Wire::Passes);
    }

    /// Connections taken so far.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, target_port: u16, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(join(client, target_port, Arc::clone(&state)));
    }
}

/// Carries one connection until either end closes it or the wire is cut.
async fn join(client: TcpStream, target_port: u16, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", target_port)).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let mut cut = state.generation.subscribe();
    tokio::select! {
        _ = cut.changed() => {}
        _ = carry(client_in, server_out, Direction::ToServer, &state) => {}
        _ = carry(server_in, client_out, Direction::ToClient, &state) => {}
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    direction: Direction,
    state: &State,
) -> io::Result<()> {
    let mut wire = state.wire.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        wire.wait_for(|wire| *wire == Wire::Passes).await.map_err(io::Error::other)?;
        let (pass, last) = allowed(&state.budget[index(direction)], count);
        to.write_all(&buffer[..pass]).await?;
        if last {
            state.generation.send_modify(|generation| *generation += 1);
        }
        if last || count == 0 {
            return Ok(());
        }
    }
}

/// How many of `count` bytes may pass, and whether they are the last.
fn allowed(budget: &AtomicI64, count: usize) -> (usize, bool) {
    let wanted = i64::try_from(count).unwrap();
    let left = budget.load(Ordering::SeqCst);
    if left < 0 {
        return (count, false);
    }
    if left > wanted {
        budget.store(left - wanted, Ordering::SeqCst);
        return (count, false);
    }
    budget.store(-1, Ordering::SeqCst);
    (usize::try_from(left).unwrap(), true)
}

fn index(direction: Direction) -> usize {
    match direction {
        Direction::ToServer => 0,
        Direction::ToClient => 1,
    }
}
