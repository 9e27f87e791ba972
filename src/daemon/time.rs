//! Tells devices without a clock what time it is, every minute, on `{prefix}/time`.
//!
//! Never retained: an old time is worse than none. Whoever subscribes straight to us hears it at once;
//! behind a broker, which does not tell us who subscribes, within the minute, and when our session
//! with it begins.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, ingest::Doors};

const EVERY: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells it until `stop`.
pub(super) async fn run(
    doors: Doors,
    prefix: String,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: Option<Instant> = None;
    let mut was_up = false;
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        let is_up = doors.has_session();
        let begins = is_up && !was_up;
        was_up = is_up;
        if begins || told.is_none_or(|told| told.elapsed() >= EVERY) {
            doors.tell_time(&prefix, clock.now());
            told = Some(Instant::now());
        }
    }
    Ok(())
}
