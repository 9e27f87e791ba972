//! One session, from the broker's consent to its end. Whatever waits, the broker hears from us.
//!
//! ```text
//! socket ─▶ frames ─▶ batch ─▶ handing over (waits for memory, then for the queue) ─▶ deliveries
//!    ▲                  │ identifiers                                                     │
//!    └──── output ◀─ acknowledgements ◀────────────────── durable ────────────────────────┘
//! ```
//! While a batch waits to be handed over nothing is read: the broker feels it and keeps its
//! messages. Pings and acknowledgements go on.

use std::{future::poll_fn, pin::Pin, time::Duration};

use bytes::BytesMut;
use rumqttc::SubscribeReasonCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::oneshot,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::{
    Client,
    acknowledgements::{Acknowledgements, Dropped, Ready},
    backoff::STEADY,
    greeting::{self, SUBSCRIBE_ID},
    loss::Loss,
    pace::Pace,
};
use crate::{
    decode::Code,
    ingest::{
        Batch, Delivery, Origin,
        frame::{Frame, Frames, Oversized, Packet, Publish, QoS},
    },
    journal::Source,
};

/// Written and not yet taken by the broker: beyond this, messages down wait in their queue.
const OUTPUT_MAX: usize = 64 << 10;
/// Acknowledgements of all identifiers there are: a broker that takes none is read no further.
const OUTPUT_FULL: usize = 256 << 10;
/// How long a stop waits for what is on its way to the disk.
const FAREWELL: Duration = Duration::from_secs(2);
/// A refused subscription is asked for again this often: the broker's rules may have been mended.
const ASK_AGAIN: Duration = Duration::from_mins(1);
const PINGREQ: [u8; 2] = [0xc0, 0];
const DISCONNECT: [u8; 2] = [0xe0, 0];

/// How a session ended without a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// We were told to stop.
    Stopped,
    /// Nobody takes deliveries any more.
    NobodyTakes,
}

/// Resolves to whether the delivery was taken.
type Handing = Pin<Box<dyn Future<Output = bool> + Send>>;

pub(super) struct Session<'a, S> {
    client: &'a mut Client,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    frames: Frames,
    output: BytesMut,
    acknowledgements: Acknowledgements,
    handing: Option<Handing>,
    pace: Pace,
    /// No read before this.
    pause: Option<Instant>,
    tick: Interval,
    began: Instant,
    /// When the broker was last heard; only counts while we read.
    heard: Instant,
    /// When it last took what we wrote, or there was nothing to take.
    wrote: Instant,
    /// When the subscription was last asked for.
    asked: Instant,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    pub(super) fn new(client: &'a mut Client, stream: S, frames: Frames) -> Self {
        let now = Instant::now();
        // Half the keep-alive: one ping may be late without the broker giving us up.
        let every = (client.settings.keep_alive / 2).max(Duration::from_millis(100));
        let mut tick = interval_at(now + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (reader, writer) = tokio::io::split(stream);
        let output = client.downward.again();
        Self {
            client,
            reader,
            writer,
            frames,
            output,
            acknowledgements: Acknowledgements::default(),
            handing: None,
            pace: Pace::new(now),
            pause: None,
            tick,
            began: now,
            heard: now,
            wrote: now,
            asked: now,
        }
    }

    /// Takes messages until the connection, the queue behind or the daemon ends.
    pub(super) async fn hold(mut self) -> Result<End, Loss> {
        if self.client.is_subscribed() {
            self.settle();
        } else {
            self.subscribe()?;
        }
        self.take_frames()?;
        loop {
            let paused_until = self.pause.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = self.client.stop.cancelled() => return self.leave().await,
                ready = poll_fn(|context| self.acknowledgements.poll(context)) => match ready {
                    Ok(ready) => self.acknowledge(&ready),
                    Err(Dropped) => return Ok(End::NobodyTakes),
                },
                written = self.writer.write_buf(&mut self.output), if !self.output.is_empty() => {
                    self.written(written?)?;
                }
                _ = self.tick.tick() => self.tick()?,
                taken = handed_over(&mut self.handing), if self.handing.is_some() => {
                    self.handing = None;
                    self.heard = Instant::now();
                    if !taken {
                        return Ok(End::NobodyTakes);
                    }
                }
                packet = self.client.downward.next(), if self.may_publish() => {
                    self.output.extend_from_slice(&packet);
                }
                () = sleep_until(paused_until), if self.pause.is_some() => self.pause = None,
                read = self.frames.read_from(&mut self.reader),
                    if !self.is_held_back() && self.pause.is_none() => self.read(read?)?,
            }
        }
    }

    fn may_publish(&self) -> bool {
        self.client.downward.has_room() && self.output.len() < OUTPUT_MAX
    }

    /// Whether the disk, or a broker that does not take our acknowledgements, keeps us from reading.
    fn is_held_back(&self) -> bool {
        self.handing.is_some() || self.output.len() >= OUTPUT_FULL
    }

    fn read(&mut self, bytes: usize) -> Result<(), Loss> {
        if bytes == 0 {
            // A broker that ends a session sends whole packets; a network does not care.
            return Err(if self.frames.is_partial() { Loss::Torn } else { Loss::Closed(None) });
        }
        self.heard = Instant::now();
        self.take_frames()
    }

    /// Everything whole that was read becomes one delivery.
    fn take_frames(&mut self) -> Result<(), Loss> {
        let Client { limits, clock, counters, .. } = &*self.client;
        let budgets = &limits.budgets;
        // A broker does not say who published.
        let from = Origin { source: Source::Subscribe, sender: &[], now: clock.now() };
        let (mut batch, mut answers) = (Batch::default(), Vec::new());
        while let Some(frame) = self.frames.next()? {
            match frame {
                Frame::Publish(Publish { qos: QoS::ExactlyOnce, .. })
                | Frame::Oversized(Oversized { qos: QoS::ExactlyOnce, .. }) => {
                    return Err(Loss::protocol("it sent a message with QoS 2, we asked for 1"));
                }
                Frame::Publish(publish) => batch.publish(&publish, publish.retain, from, budgets),
                Frame::Oversized(large) => batch.oversized(&large, large.retain, from, budgets),
                Frame::Malformed(malformed) => batch.malformed(&malformed, from, budgets),
                Frame::Other(packet) => answers.push(packet),
            }
        }
        counters.received(Source::Subscribe, batch.received);
        if batch.over_budget > 0 {
            counters.rejected(Code::OverBudget, batch.over_budget);
        }
        self.pause = self.pace.read(batch.received, Instant::now());
        self.client.paused.set(self.pause.is_some());
        self.hand_over(batch)?;
        answers.into_iter().try_for_each(|answer| self.take_answer(answer))
    }

    fn hand_over(&mut self, batch: Batch) -> Result<(), Loss> {
        let Batch { messages, pubacks, .. } = batch;
        if messages.is_empty() {
            self.acknowledgements.expect(None, pubacks);
        } else {
            let (durable, signalled) = oneshot::channel();
            self.acknowledgements.expect(Some(signalled), pubacks);
            let limits = self.client.limits.clone();
            let deliveries = self.client.deliveries.clone();
            self.handing = Some(Box::pin(async move {
                let held = limits.hold(messages.as_bytes().len()).await;
                deliveries.send(Delivery { messages, durable, held }).await.is_ok()
            }));
        }
        if self.acknowledgements.is_beyond_limit() {
            return Err(Loss::protocol("it has more messages open than there are identifiers"));
        }
        Ok(())
    }

    fn take_answer(&mut self, packet: Packet) -> Result<(), Loss> {
        match packet {
            Packet::PingResp => Ok(()),
            Packet::PubAck(answer) => {
                self.client.downward.acknowledged(answer.pkid);
                Ok(())
            }
            Packet::SubAck(answer) if answer.pkid == SUBSCRIBE_ID => {
                self.subscribed(&answer.return_codes)
            }
            other => Err(Loss::protocol(format!("it sent what no broker sends now: {other:?}"))),
        }
    }

    fn subscribe(&mut self) -> Result<(), Loss> {
        self.asked = Instant::now();
        greeting::subscribe(&greeting::filters(&self.client.settings.prefix), &mut self.output)
    }

    fn subscribed(&mut self, codes: &[SubscribeReasonCode]) -> Result<(), Loss> {
        let filters = greeting::filters(&self.client.settings.prefix);
        if codes.len() != filters.len() {
            return Err(Loss::protocol("its SUBACK does not fit our SUBSCRIBE"));
        }
        let refused = |code: &SubscribeReasonCode| *code == SubscribeReasonCode::Failure;
        let filters = filters.into_iter().zip(codes);
        self.client.refused =
            Some(filters.filter(|(_, code)| refused(code)).map(|(filter, _)| filter).collect());
        self.settle();
        Ok(())
    }

    /// Says how the session stands. After a fight over the client id a good start proves nothing.
    fn settle(&mut self) {
        let steady = self.began.elapsed() >= STEADY;
        if steady || !self.client.backoff.in_fight() {
            self.client.say_how_it_stands();
        }
    }

    fn acknowledge(&mut self, ready: &Ready) {
        self.output.extend_from_slice(&ready.pubacks);
        self.client.counters.acknowledged(Source::Subscribe, ready.messages());
    }

    fn written(&mut self, bytes: usize) -> Result<(), Loss> {
        self.wrote = Instant::now();
        if self.output.len() + bytes >= OUTPUT_FULL {
            self.heard = self.wrote;
        }
        if bytes == 0 { Err(Loss::Closed(None)) } else { Ok(()) }
    }

    /// Every half of the keep-alive: is the broker there? It should know that we are.
    fn tick(&mut self) -> Result<(), Loss> {
        let limit = self.client.settings.keep_alive;
        let now = Instant::now();
        if self.output.is_empty() {
            self.wrote = now;
        }
        let unheard = if self.is_held_back() { now } else { self.heard };
        if now - self.wrote.min(unheard) >= limit.max(self.tick.period() * 2) {
            return Err(Loss::Silent(limit));
        }
        self.output.extend_from_slice(&PINGREQ);
        if self.client.has_refusals() && now - self.asked >= ASK_AGAIN {
            self.subscribe()?;
        }
        if self.client.is_subscribed() {
            self.settle();
        }
        Ok(())
    }

    /// Acknowledges what reaches the disk in time, and says good-bye. The rest comes again.
    async fn leave(mut self) -> Result<End, Loss> {
        self.handing = None;
        let farewell = async {
            while !self.acknowledgements.is_empty() {
                match poll_fn(|context| self.acknowledgements.poll(context)).await {
                    Ok(ready) => self.acknowledge(&ready),
                    Err(Dropped) => break,
                }
            }
        };
        timeout(FAREWELL, farewell).await.ok();
        self.output.extend_from_slice(&DISCONNECT);
        let last_words = async {
            self.writer.write_all_buf(&mut self.output).await?;
            self.writer.shutdown().await
        };
        // If it does not take them it will bring the messages again, which we know how to take.
        timeout(FAREWELL, last_words).await.ok();
        Ok(End::Stopped)
    }
}

async fn handed_over(handing: &mut Option<Handing>) -> bool {
    match handing {
        Some(handing) => handing.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
