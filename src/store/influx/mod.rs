//! The store that is an InfluxDB 2: line protocol of our own, several requests in flight, nothing
//! passed in the journal before InfluxDB has it (or has refused it for ever).
//!
//! ```text
//! follower ─▶ batch (≤ batch_lines, or LINGER) ─▶ flights (≤ in_flight) ─▶ commit, in order
//! ```
//! Sending twice is harmless: a point is known by its series and time.

mod aside;
mod ask;
mod client;
mod flights;
mod line;
mod send;
mod standing;

pub use ask::Asker;
pub use line::Lines;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use self::{aside::Aside, client::Writer, flights::Flights, send::Sender, standing::Standing};
use crate::{
    decode::Decoded,
    follow::Follower,
    settings,
    telemetry::{Counters, Readiness},
};

/// How long the first line of a batch waits for company.
const LINGER: Duration = Duration::from_millis(500);
/// How long requests under way may take to end when the daemon stops.
const LAND_WITHIN: Duration = Duration::from_secs(3);

/// Lines on their way into one request.
#[derive(Debug, Default)]
struct Batch {
    lines: Lines,
    /// How many of the lines are readings; the others are points about ourselves.
    readings: u64,
    /// What the journal's reader may pass once these lines and all before them are written.
    upto: Option<u64>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.upto.is_none()
    }
}

/// Writes what `follower` brings, and `points` about alerts and ourselves, until the input closes.
///
/// Stopping loses nothing: what was not committed is still in the journal.
pub async fn run(
    mut follower: Follower,
    mut points: mpsc::Receiver<Lines>,
    settings: settings::Influx,
    data_dir: PathBuf,
    counters: Counters,
    readiness: Readiness,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let aside = Arc::new(Aside::new(&data_dir));
    let standing = Arc::new(Standing::new(readiness));
    let sender = Sender { writer: Writer::new(&settings)?, aside, counters, standing };
    let limit = usize::try_from(settings.batch_lines.max(1)).unwrap_or(usize::MAX);
    let mut flights = Flights::new(sender, settings.in_flight);
    let mut open = true;
    'running: while open {
        let mut batch = Batch::default();
        let mut deadline = None;
        while open && batch.lines.len() < limit {
            if !batch.is_empty() {
                deadline.get_or_insert_with(|| Instant::now() + LINGER);
            }
            tokio::select! {
                decoded = follower.next() => match decoded {
                    Some(decoded) => {
                        if take(&decoded, &mut batch, limit, &mut flights, &stop).await.is_none() {
                            break 'running;
                        }
                    }
                    None => open = false,
                },
                Some(more) = points.recv() => batch.lines.append(&more),
                upto = flights.landed() => follower.commit(upto),
                () = until(deadline) => break,
            }
        }
        if flights.launch(batch, &stop).await.is_none() {
            break;
        }
        if let Some(upto) = flights.settled() {
            follower.commit(upto);
        }
    }
    timeout_at(Instant::now() + LAND_WITHIN, flights.land()).await.ok();
    if let Some(upto) = flights.settled() {
        follower.commit(upto);
    }
    Ok(())
}

/// Renders one group; what fills a request on the way is sent at once. `None` when told to stop
/// before all of it had a place: nothing behind it may be committed then.
async fn take(
    decoded: &Decoded,
    batch: &mut Batch,
    limit: usize,
    flights: &mut Flights,
    stop: &CancellationToken,
) -> Option<()> {
    for reading in &decoded.readings {
        let Some(device) = decoded.registry.device(reading.device) else { continue };
        batch.lines.reading(device, decoded.samples_of(reading), reading.at);
        batch.readings += 1;
        if batch.lines.len() >= limit {
            flights.launch(std::mem::take(batch), stop).await?;
        }
    }
    batch.upto = Some(decoded.group);
    Some(())
}

/// For ever while there is no deadline.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
