//! Brings one batch to its end: sends it until every line is written or set aside.

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio::time;
use tracing::{error, info, warn};

use super::{
    client::{Outcome, Writer},
    line::Lines,
};
use crate::telemetry::{Counters, Readiness};

const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_LONGEST: Duration = Duration::from_secs(15);
/// A partial refusal of more lines than this is counted as a whole; fewer are looked for one by one.
const SEARCH_MAX: usize = 16;
const PART: &str = "store";

/// What all batches share.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub writer: Writer,
    pub aside: Arc<super::aside::Aside>,
    pub counters: Counters,
    pub readiness: Readiness,
}

impl Sender {
    /// Returns when nothing of `lines` is left to do: how many were set aside.
    pub(super) async fn deliver(&self, lines: Lines) -> u64 {
        let mut refused = 0;
        let mut pieces = vec![lines];
        let mut pause = PAUSE_FIRST;
        let mut troubled = false;
        while let Some(piece) = pieces.pop() {
            match self.writer.write(&piece).await {
                Outcome::Written => {
                    self.well(&mut troubled);
                    pause = PAUSE_FIRST;
                }
                Outcome::Unavailable { reason } => {
                    self.trouble(&mut troubled, &reason);
                    pieces.push(piece);
                    let jitter = rand::rng().random_range(0.5..1.0);
                    time::sleep(pause.mul_f64(jitter)).await;
                    pause = (pause * 2).min(PAUSE_LONGEST);
                }
                Outcome::PartlyRefused { dropped, reason } => {
                    self.well(&mut troubled);
                    refused += self.search(&piece, dropped, &reason, &mut pieces);
                }
                Outcome::Refused { reason } => {
                    self.well(&mut troubled);
                    refused += self.search(&piece, 1, &reason, &mut pieces);
                }
                Outcome::TooLarge => {
                    refused += self.search(&piece, 1, "one line alone is too large", &mut pieces);
                }
            }
        }
        refused
    }

    /// Halves a batch that holds a bad line; sets a bad line that stands alone aside. What is sent
    /// twice on the way is written once, for a point is known by its series and time.
    fn search(&self, piece: &Lines, bad: usize, reason: &str, pieces: &mut Vec<Lines>) -> u64 {
        match piece.halves() {
            Some((first, second)) if bad <= SEARCH_MAX => {
                pieces.extend([second, first]);
                0
            }
            _ => {
                let lines = u64::try_from(bad.min(piece.len())).unwrap_or(u64::MAX);
                error!(lines, "InfluxDB refused for ever, set aside: {reason}");
                self.counters.store_refused(lines);
                self.aside.keep(piece, reason);
                lines
            }
        }
    }

    fn trouble(&self, troubled: &mut bool, reason: &str) {
        if !std::mem::replace(troubled, true) {
            warn!("{reason}; readings wait in the journal");
        }
        self.readiness.trouble(PART, format!("{reason}; readings wait in the journal"));
    }

    fn well(&self, troubled: &mut bool) {
        if std::mem::replace(troubled, false) {
            info!("InfluxDB takes readings again");
        }
        self.readiness.well(PART);
    }
}
