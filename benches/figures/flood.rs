//! A publisher that costs little, so that what is measured is the other side: messages encoded
//! beforehand, large writes, PUBACKs counted by their bytes. A thread a connection.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use waystation::clock::Clock;

use super::{
    fleet::{Fleet, Template},
    support::wait,
};

/// Bytes in one write, about.
const WRITE: usize = 64 << 10;
const PUBACK: usize = 4;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) fleet: Fleet,
    pub(crate) connections: u32,
    /// Messages of all connections sent and not yet acknowledged, at most.
    pub(crate) window: u64,
    /// Messages a second over all connections; 0 = flat out.
    pub(crate) rate: u64,
    /// Messages of all connections; `u64::MAX` = until it is dropped.
    pub(crate) messages: u64,
}

/// A publisher at work; told to stop when dropped.
#[derive(Debug)]
pub(crate) struct Flood {
    plan: Plan,
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
    started: Instant,
}

impl Flood {
    pub(crate) fn start(plan: Plan) -> Self {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        // Greeted one after the other, so that the clock starts when all are connected.
        let lines: Vec<Line> =
            (0..plan.connections).map(|number| Line::open(&plan, number)).collect();
        let started = Instant::now();
        let run = |mut line: Line| {
            let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
            thread::spawn(move || line.run(started, &acknowledged, &stop))
        };
        let threads = lines.into_iter().map(run).collect();
        Self { plan, acknowledged, stop, threads, started }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until all is acknowledged; how long that took from the first message on.
    pub(crate) async fn finished(&self, limit: Duration) -> Duration {
        let all = self.messages();
        let what = format!("{all} messages are acknowledged");
        wait::until(&what, limit, || {
            assert!(
                self.acknowledged() == all || self.threads.iter().any(|line| !line.is_finished()),
                "the publisher broke off at {} of {all}",
                self.acknowledged()
            );
            self.acknowledged() == all
        })
        .await;
        self.started.elapsed()
    }

    /// Messages it will send: as many on each connection.
    pub(crate) fn messages(&self) -> u64 {
        let connections = u64::from(self.plan.connections);
        self.plan.messages / connections * connections
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// One connection and the devices that speak through it, in turn.
struct Line {
    socket: TcpStream,
    templates: Vec<Template>,
    base: i64,
    count: u64,
    rate: f64,
    window: u64,
    sent: u64,
    acknowledged: u64,
    /// Bytes of a PUBACK that is not whole yet.
    partial: usize,
}

impl Line {
    fn open(plan: &Plan, number: u32) -> Self {
        let devices = (number..plan.fleet.devices()).step_by(plan.connections as usize);
        let connections = u64::from(plan.connections);
        let count = if plan.messages == u64::MAX { u64::MAX } else { plan.messages / connections };
        let socket = greet(&plan.address, &format!("publisher-{number}")).unwrap();
        let patience =
            if plan.rate == 0 { Duration::from_secs(30) } else { Duration::from_millis(4) };
        socket.set_read_timeout(Some(patience)).unwrap();
        Self {
            socket,
            templates: devices.map(|device| plan.fleet.template(device)).collect(),
            base: Clock::system().now().0,
            count,
            rate: plan.rate as f64 / connections as f64,
            window: (plan.window / connections).clamp(16, 60_000),
            sent: 0,
            acknowledged: 0,
            partial: 0,
        }
    }

    fn run(&mut self, started: Instant, total: &AtomicU64, stop: &AtomicBool) {
        let mut output = Vec::with_capacity(2 * WRITE);
        let mut input = vec![0; WRITE];
        while self.acknowledged < self.count && !stop.load(Ordering::Relaxed) {
            let due = self.due(started.elapsed());
            self.fill(due, &mut output);
            if self.socket.write_all(&output).is_err() {
                return;
            }
            output.clear();
            // Flat out it reads only when it may not write; else in between.
            let room = self.window - (self.sent - self.acknowledged) >= self.window / 4;
            if self.rate == 0.0 && room && self.sent < self.count {
                continue;
            }
            match self.read(&mut input) {
                Ok(new) => total.fetch_add(new, Ordering::Relaxed),
                Err(_) => return,
            };
        }
    }

    fn due(&self, elapsed: Duration) -> u64 {
        if self.rate == 0.0 {
            return self.count;
        }
        ((elapsed.as_secs_f64() * self.rate) as u64).min(self.count)
    }

    fn fill(&mut self, due: u64, output: &mut Vec<u8>) {
        let devices = self.templates.len() as u64;
        let end = due.min(self.acknowledged + self.window);
        while self.sent < end && output.len() < WRITE {
            let (device, round) = (self.sent % devices, self.sent / devices);
            let packet_id = u16::try_from(self.sent % 65_535).unwrap() + 1;
            // A millisecond after its message before: no two of a device share their time.
            let at = self.base + i64::try_from(round).unwrap();
            self.templates[device as usize].write(packet_id, round, at, output);
            self.sent += 1;
        }
    }

    /// Counts the PUBACKs of one read.
    fn read(&mut self, input: &mut [u8]) -> io::Result<u64> {
        let read = match self.socket.read(input) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let first = (PUBACK - self.partial) % PUBACK;
        let heads = input[..read].iter().skip(first).step_by(PUBACK);
        assert!(heads.copied().all(|head| head == 0x40), "something else than a PUBACK came");
        let new = ((self.partial + read) / PUBACK) as u64;
        self.partial = (self.partial + read) % PUBACK;
        self.acknowledged += new;
        Ok(new)
    }
}

/// Connects as `client_id`.
pub(crate) fn greet(address: &str, client_id: &str) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let id = client_id.as_bytes();
    let length = |bytes: usize| u8::try_from(bytes).unwrap();
    let mut connect = vec![0x10, length(12 + id.len())];
    connect.extend_from_slice(b"\x00\x04MQTT\x04\x02\x00\x00\x00");
    connect.push(length(id.len()));
    connect.extend_from_slice(id);
    socket.write_all(&connect)?;
    let mut answer = [0; 4];
    socket.read_exact(&mut answer)?;
    assert_eq!(answer, [0x20, 2, 0, 0], "CONNACK");
    Ok(socket)
}
