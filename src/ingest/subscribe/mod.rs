//! A session with the user's broker: MQTT 3.1.1, persistent, `QoS` 1, one connection after another.
//!
//! ```text
//! wait ◀───────────── loss ─────────────┬──────────────┐
//!   └▶ connect (TCP, TLS) ─▶ greet (CONNECT) ─▶ session ─▶ stop
//! ```
//! We subscribe where the broker kept no session, and once after each start: the prefix may have
//! changed. Not at every reconnect, because a broker answers each SUBSCRIBE with all retained
//! messages of all devices.

mod acknowledgements;
mod backoff;
mod broker;
mod downward;
mod greeting;
mod loss;
mod pace;
mod report;
mod session;
mod socket;
mod wire;

pub use broker::{BadBroker, Broker};
pub use downward::{Downward, Outbound, downward};

use std::time::Duration;

use anyhow::Context as _;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    backoff::{Attempt, Backoff},
    loss::Loss,
    report::Report,
    session::{End, Session},
    socket::Paused,
};
use super::{Delivery, Limits, frame::Frames};
use crate::{
    clock::Clock,
    settings,
    telemetry::{Counters, Readiness},
};

/// TCP, TLS and CONNACK together.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Takes messages from the broker until `stop`, over as many connections as it needs.
#[expect(clippy::too_many_arguments, reason = "the signature shows all a stage touches")]
pub async fn run(
    settings: settings::Subscribe,
    limits: Limits,
    deliveries: mpsc::Sender<Delivery>,
    downward: Outbound,
    clock: Clock,
    counters: Counters,
    readiness: Readiness,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let broker: Broker = settings.broker.parse().context("subscribe.broker")?;
    let report = Report::new(readiness, &broker.to_string());
    let backoff = Backoff::default();
    let (refused, paused) = (None, Paused::default());
    let mut client = Client {
        broker,
        settings,
        limits,
        deliveries,
        downward,
        clock,
        counters,
        report,
        stop,
        backoff,
        refused,
        paused,
    };
    client.run().await;
    Ok(())
}

/// What outlives a connection.
struct Client {
    broker: Broker,
    settings: settings::Subscribe,
    limits: Limits,
    deliveries: mpsc::Sender<Delivery>,
    downward: Outbound,
    clock: Clock,
    counters: Counters,
    report: Report,
    stop: CancellationToken,
    backoff: Backoff,
    /// The filters the broker's session refuses; nothing while it holds no subscription of ours.
    refused: Option<Vec<String>>,
    /// Whether the connection is read in pauses.
    paused: Paused,
}

impl Client {
    async fn run(&mut self) {
        loop {
            let (attempt, loss) = match self.connect_and_hold().await {
                Ok(End::Stopped | End::NobodyTakes) => return,
                Err(lost) => lost,
            };
            let wait = self.backoff.after(attempt, rand::random());
            self.say_what_is_wrong(&loss);
            let stop = self.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn connect_and_hold(&mut self) -> Result<End, (Attempt, Loss)> {
        let stop = self.stop.clone();
        let greeted = tokio::select! {
            () = stop.cancelled() => return Ok(End::Stopped),
            greeted = timeout(CONNECT_LIMIT, self.connect()) => greeted,
        };
        let no_answer = || Loss::NoAnswer(CONNECT_LIMIT);
        let greeted = greeted.unwrap_or_else(|_| Err(no_answer()));
        let (stream, frames, session_present) = greeted.map_err(|loss| (Attempt::Failed, loss))?;
        if !session_present {
            self.refused = None;
        }
        let began = Instant::now();
        self.downward.set_up(true);
        let held = Session::new(self, stream, frames).hold().await;
        self.downward.set_up(false);
        held.map_err(|loss| {
            let lasted = began.elapsed();
            match loss {
                Loss::Closed(_) => (Attempt::Closed { lasted }, loss),
                _ => (Attempt::GivenUp { lasted }, loss),
            }
        })
    }

    async fn connect(&self) -> Result<(Box<dyn wire::Stream>, Frames, bool), Loss> {
        let connect = greeting::connect_packet(&self.settings).await?;
        self.paused.set(false);
        let ca_file = self.settings.ca_file.as_deref();
        let mut stream = wire::connect(&self.broker, ca_file, &self.paused).await?;
        let mut frames = Frames::new(self.limits.max_message);
        let session_present = greeting::greet(&mut stream, &mut frames, &connect).await?;
        Ok((stream, frames, session_present))
    }

    fn is_subscribed(&self) -> bool {
        self.refused.is_some()
    }

    fn has_refusals(&self) -> bool {
        self.refused.as_ref().is_some_and(|refused| !refused.is_empty())
    }

    fn say_what_is_wrong(&mut self, loss: &Loss) {
        let Self { broker, settings, .. } = self;
        if self.backoff.in_fight() {
            let client_id = &settings.client_id;
            self.report.needs_a_person(format!(
                "another client uses client id {client_id:?} on the broker {broker}: it closed our session \
                 again and again right after granting it; set subscribe.client_id to one of its own"
            ));
        } else if loss.needs_a_person() {
            self.report.needs_a_person(format!("no session with the broker {broker}: {loss}"));
        } else {
            self.report.trouble(format!("no session with the broker {broker}: {loss}"));
        }
    }

    fn say_how_it_stands(&mut self) {
        let broker = &self.broker;
        match self.refused.as_deref() {
            None => {}
            Some([]) => self.report.well(&format!("the session with the broker {broker} is up")),
            Some(refused) => self.report.needs_a_person(format!(
                "the broker {broker} refuses the subscription to {}: let {} read it in the broker's rules",
                refused.join(", "),
                self.settings.client_id,
            )),
        }
    }
}
