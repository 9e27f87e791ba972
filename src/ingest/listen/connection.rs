//! One connected client, from CONNACK to the end.
//!
//! ```text
//! readable ─▶ room (memory, a place in the queue) ─▶ read ─▶ Batch ─▶ Delivery ─▶ group
//!    PUBACKs ◀─ Out ◀──────────────────────── durable ──────────────────────────────┘
//! ```
//! One task, one loop. Where there is no room it does not read, and TCP makes the client feel it.

use std::{future::pending, io, sync::Arc};

use futures_util::FutureExt;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Door, device::Filter, downward::Down, greeting::Client, inward::Step, out::Out};
use crate::ingest::{
    Delivery, Held, Limits,
    frame::{Frames, Packet},
};
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode};

/// Every connection may keep so much without asking.
const KEPT_FREE: usize = 4 << 10;

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It said goodbye: its will is void.
    Goodbye,
    /// The socket closed or failed.
    Lost,
    /// Nothing came for one and a half times its keep-alive.
    Silent,
    /// It does not read what we write.
    Stuck,
    /// It broke the protocol.
    Protocol,
    /// A packet it began did not come whole in time.
    Unfinished,
    /// There was no memory for the packet it began.
    Crowded,
    TakenOver,
    /// We stop.
    Stopped,
}

impl From<Ended> for &'static str {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Goodbye => "goodbye",
            Ended::Lost => "lost",
            Ended::Silent => "silent",
            Ended::Stuck => "stuck",
            Ended::Protocol => "protocol",
            Ended::Unfinished => "unfinished",
            Ended::Crowded => "crowded",
            Ended::TakenOver => "taken_over",
            Ended::Stopped => "stopped",
        }
    }
}

pub(super) struct Connection {
    pub door: Arc<Door>,
    pub client: Client,
    pub number: u64,
    pub stream: TcpStream,
    pub frames: Frames,
    pub out: Out,
    pub inbox: Option<(mpsc::Sender<Down>, mpsc::Receiver<Down>)>,
    pub filters: Vec<Filter>,
    heard: Instant,
    /// Memory for what `frames` holds between two reads.
    kept: Held,
    /// Since when a packet has begun and is not whole.
    begun: Option<Instant>,
    /// Reading is over; it ends so once what is on disk is acknowledged, or at that time.
    closing: Option<(Ended, Instant)>,
}

/// Leave to read: memory for what comes, and a place for it in the queue to the group.
struct Room<'a> {
    held: Held,
    place: mpsc::Permit<'a, Delivery>,
}

impl Connection {
    pub(super) fn new(
        door: Arc<Door>,
        client: Client,
        number: u64,
        stream: TcpStream,
        frames: Frames,
    ) -> Self {
        Self {
            door,
            client,
            number,
            stream,
            frames,
            out: Out::default(),
            inbox: None,
            filters: Vec::new(),
            heard: Instant::now(),
            kept: Held::default(),
            begun: None,
            closing: None,
        }
    }

    /// Runs until the client goes or has to. `go`: it was taken over, or we stop.
    pub(super) async fn run(&mut self, go: &CancellationToken) -> Ended {
        let tick = sleep_until(self.next_tick());
        tokio::pin!(tick);
        self.out.send(&Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)));
        // What came together with CONNECT.
        let mut more = self.frames.is_partial();
        loop {
            match self.turn(go, tick.as_mut(), &mut more).await {
                Ok(()) => {}
                Err(ended) => return ended,
            }
            if let Some((ended, _)) = self.closing
                && self.out.is_done()
            {
                return ended;
            }
        }
    }

    async fn turn(
        &mut self,
        go: &CancellationToken,
        mut tick: std::pin::Pin<&mut Sleep>,
        more: &mut bool,
    ) -> Result<(), Ended> {
        let reads = self.closing.is_none() && self.out.has_room();
        let door = Arc::clone(&self.door);
        let cost = self.cost_of_a_read();
        tokio::select! {
            biased;
            () = go.cancelled(), if self.closing.is_none() => self.asked_to_go(tick),
            durable = self.out.durable(), if self.out.is_waiting() => {
                let pubacks = durable.map_err(|_| Ended::Stopped)?;
                door.acknowledged(pubacks);
                self.write()
            }
            _ = self.stream.writable(), if self.out.has_bytes() => self.write(),
            down = next(&mut self.inbox), if self.out.has_room() => {
                if !down.is_late(|| door.clock.now()) {
                    self.out.publish(&down);
                }
                self.write()
            }
            room = room(&self.stream, &door, cost, *more), if reads => {
                let room = room.map_err(|_| Ended::Lost)?;
                let read = !std::mem::take(more);
                self.read(room, read, tick)
            }
            () = tick.as_mut() => self.look_round(tick),
        }
    }

    fn asked_to_go(&mut self, tick: std::pin::Pin<&mut Sleep>) -> Result<(), Ended> {
        if self.door.stop.is_cancelled() {
            self.close(Ended::Stopped, tick);
            return Ok(());
        }
        Err(Ended::TakenOver)
    }

    fn close(&mut self, ended: Ended, tick: std::pin::Pin<&mut Sleep>) {
        let until = Instant::now() + self.door.patience.drain;
        self.closing = Some((ended, until));
        tick.reset(until);
    }

    fn write(&mut self) -> Result<(), Ended> {
        if !self.out.has_bytes() {
            return Ok(());
        }
        self.out.write_to(&self.stream, Instant::now()).map_err(|_| Ended::Lost)
    }

    /// Reads once, unless `frames` holds bytes nobody looked at, and hands on what came.
    fn read(
        &mut self,
        mut room: Room<'_>,
        from_socket: bool,
        tick: std::pin::Pin<&mut Sleep>,
    ) -> Result<(), Ended> {
        if from_socket {
            match self.frames.read_with(|buffer| self.stream.try_read_buf(buffer)) {
                Ok(0) => return Err(Ended::Lost),
                Ok(_) => self.heard = Instant::now(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Ended::Lost),
            }
        }
        let (batch, step) = self.take_in();
        self.look_at_rest(batch.received > 0)?;
        let durable = (!batch.messages.is_empty()).then(|| {
            let (durable, signal) = oneshot::channel();
            room.held.keep(batch.messages.as_bytes().len());
            room.place.send(Delivery { messages: batch.messages, durable, held: room.held });
            signal
        });
        self.out.push(durable, batch.pubacks);
        match step {
            Step::On => {}
            Step::Close => self.close(Ended::Protocol, tick),
            Step::Goodbye => return Err(Ended::Goodbye),
        }
        self.write()
    }

    /// What is left in the buffer has memory of its own and a time to become whole. `progress`: a
    /// packet came whole just now.
    fn look_at_rest(&mut self, progress: bool) -> Result<(), Ended> {
        if progress || !self.frames.is_partial() {
            self.begun = None;
        }
        if self.frames.is_partial() {
            self.begun.get_or_insert_with(Instant::now);
        }
        if cover(&self.door.limits, &mut self.kept, &mut self.frames) {
            Ok(())
        } else {
            Err(Ended::Crowded)
        }
    }

    /// Now and then: is the client still there, does it read, is there memory to give back?
    fn look_round(&mut self, tick: std::pin::Pin<&mut Sleep>) -> Result<(), Ended> {
        let now = Instant::now();
        let patience = &self.door.patience;
        if let Some((ended, _)) = self.closing {
            return Err(ended);
        }
        if now >= self.heard + self.client.silence {
            // What it sent while we had no room to read is not silence.
            if self.stream.readable().now_or_never().is_none() {
                return Err(Ended::Silent);
            }
            self.heard = now;
        }
        if self.out.stuck_since().is_some_and(|since| now >= since + patience.stuck) {
            return Err(Ended::Stuck);
        }
        if self.begun.is_some_and(|begun| now >= begun + patience.unfinished) {
            return Err(Ended::Unfinished);
        }
        if now >= self.heard + patience.round {
            self.frames.release();
            self.look_at_rest(false)?;
        }
        tick.reset(self.next_tick());
        Ok(())
    }

    fn next_tick(&self) -> Instant {
        let round = Instant::now() + self.door.patience.round;
        let silent = self.heard + self.client.silence;
        if silent > Instant::now() { silent.min(round) } else { round }
    }

    /// The memory that one read may come to: every message of it is kept with its sender.
    fn cost_of_a_read(&self) -> usize {
        let per_message = 24 + self.client.name.len();
        let smallest_packet = 7;
        self.frames.wants() * (1 + per_message / smallest_packet)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for filter in &self.filters {
            self.door.downward.unsubscribe(filter, self.number);
        }
    }
}

/// Finds room for what a connection keeps between two reads, or lets it keep less; a little is free.
pub(super) fn cover(limits: &Limits, kept: &mut Held, frames: &mut Frames) -> bool {
    if limits.cover(kept, frames.capacity().saturating_sub(KEPT_FREE)) {
        return true;
    }
    frames.shrink();
    limits.cover(kept, frames.capacity().saturating_sub(KEPT_FREE))
}

async fn next(inbox: &mut Option<(mpsc::Sender<Down>, mpsc::Receiver<Down>)>) -> Down {
    let Some((_, queue)) = inbox else { return pending().await };
    match queue.recv().await {
        Some(down) => down,
        None => pending().await,
    }
}

/// Waits until there is something to read, then until there is room for it. No buffer is held
/// meanwhile: an idle connection costs none.
async fn room<'a>(
    stream: &TcpStream,
    door: &'a Door,
    cost: usize,
    more: bool,
) -> io::Result<Room<'a>> {
    if !more {
        stream.readable().await?;
    }
    let held = door.limits.hold(cost).await;
    // It fails when the group is gone, and then nothing can be read any more.
    let place = door.deliveries.reserve().await.map_err(io::Error::other)?;
    Ok(Room { held, place })
}
