//! Brings one batch to its end: sends it until every line is written or set aside.

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio::time;
use tracing::error;

use super::{
    aside::Aside,
    client::{Outcome, Writer},
    line::Lines,
    standing::Standing,
};
use crate::telemetry::Counters;

const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_LONGEST: Duration = Duration::from_secs(15);
/// The client hands on no headers, so that a `Retry-After` is not known to us.
const PAUSE_BUSY: Duration = Duration::from_secs(3);

/// What all batches share.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub writer: Writer,
    pub aside: Arc<Aside>,
    pub counters: Counters,
    pub standing: Arc<Standing>,
}

impl Sender {
    /// Returns when nothing of `lines` is left to do: how many were set aside.
    ///
    /// Nothing counts as written but what was answered with 204: an InfluxDB that refuses lines of
    /// one shard has not waited for the others.
    pub(super) async fn deliver(&self, lines: Lines) -> u64 {
        let mut refused = 0;
        let mut pieces = vec![lines];
        let mut pause = PAUSE_FIRST;
        while let Some(piece) = pieces.pop() {
            let outcome = self.writer.write(&piece).await;
            match outcome {
                Outcome::Unavailable { .. } | Outcome::Busy { .. } => {}
                _ => {
                    self.standing.well();
                    pause = PAUSE_FIRST;
                }
            }
            match outcome {
                Outcome::Written => {}
                Outcome::Unavailable { reason } => {
                    pieces.push(piece);
                    self.standing.trouble(&reason);
                    self.standing.pause(jittered(pause)).await;
                    pause = (pause * 2).min(PAUSE_LONGEST);
                }
                Outcome::Busy { reason } => {
                    pieces.push(piece);
                    self.standing.trouble(&reason);
                    time::sleep(jittered(pause.max(PAUSE_BUSY))).await;
                    pause = (pause * 2).min(PAUSE_LONGEST);
                }
                Outcome::PartlyRefused { dropped, reason } if dropped >= piece.len() => {
                    refused += self.set_aside(&piece, &reason);
                }
                // Lines of one series stand or fall together: side by side they are found at once.
                Outcome::PartlyRefused { reason, .. } => {
                    refused += self.search(&piece.by_series(), &reason, &mut pieces);
                }
                Outcome::Refused { reason } => refused += self.search(&piece, &reason, &mut pieces),
                Outcome::TooLarge => {
                    refused += self.search(&piece, "one line alone is too large", &mut pieces);
                }
            }
        }
        refused
    }

    /// Halves a batch that holds a bad line; sets a bad line that stands alone aside. What is sent
    /// twice on the way is written once, for a point is known by its series and time.
    fn search(&self, piece: &Lines, reason: &str, pieces: &mut Vec<Lines>) -> u64 {
        let Some((first, second)) = piece.halves() else {
            return self.set_aside(piece, reason);
        };
        pieces.extend([second, first]);
        0
    }

    fn set_aside(&self, piece: &Lines, reason: &str) -> u64 {
        let lines = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        error!(lines, "InfluxDB refused for ever, set aside in refused-lines.txt: {reason}");
        self.counters.store_refused(lines);
        self.aside.keep(piece, reason);
        lines
    }
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..1.0))
}
