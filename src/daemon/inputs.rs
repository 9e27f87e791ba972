//! Whether anything can come in at all: while it cannot, nobody's silence means anything.

use std::time::Duration;

use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

use crate::{alert::Input, clock::Clock, telemetry::Readiness};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Parts without which messages do not come in, or are not taken.
const DOORS: [&str; 3] = ["subscribe", "listen", "journal"];

/// Watches the doors' readiness until `stop`.
pub(super) async fn run(
    input: watch::Sender<Input>,
    readiness: Readiness,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut every = time::interval(LOOK_EVERY);
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        let troubles = readiness.troubles();
        let down = DOORS.iter().any(|door| troubles.contains_key(door));
        let since = clock.now();
        input.send_if_modified(|input| match (&input, down) {
            (Input::Up, true) => {
                *input = Input::Down { since };
                true
            }
            (Input::Down { .. }, false) => {
                *input = Input::Up;
                true
            }
            _ => false,
        });
    }
    Ok(())
}
