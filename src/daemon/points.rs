//! Alerts as points beside the readings in InfluxDB: measurement `alert`, told from the ledger's own
//! record, so that an InfluxDB that was away misses none; and how we ourselves are, as `waystation`.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    alert::{Kind, Ledger, Transition},
    clock::Clock,
    reading::{Symbol, Timestamp, Value},
    store::influx::Lines,
    telemetry::health::Health,
};

const LOOK_EVERY: Duration = Duration::from_secs(2);
const AT_ONCE: u32 = 500;
/// After a start transitions this young are told again: the same point twice is one.
const AGAIN: Duration = Duration::from_hours(24);

/// Sends points until `stop`. A full queue is waited for: the ledger keeps what comes next.
pub(super) async fn run(
    ledger: Ledger,
    mut health: watch::Receiver<Health>,
    points: mpsc::Sender<Lines>,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut every = time::interval(LOOK_EVERY);
    let again = clock.now() - AGAIN;
    let mut told = 0;
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        let transitions = match ledger.transitions(told, AT_ONCE).await {
            Ok(transitions) => transitions,
            // The ledger keeps them: told when it answers again.
            Err(unavailable) => {
                warn!("{unavailable}; points about alerts wait");
                continue;
            }
        };
        let mut lines = Lines::default();
        for (number, transition) in &transitions {
            told = *number;
            if transition.at >= again && transition.kind != Kind::Repeated {
                alert(transition, &mut lines);
            }
        }
        if health.has_changed().unwrap_or(false) {
            ourselves(&health.borrow_and_update(), &mut lines);
        }
        if lines.is_empty() {
            continue;
        }
        match stop.run_until_cancelled(points.send(lines)).await {
            Some(Ok(())) => {}
            // The store has ended, or we are to end.
            _ => break,
        }
    }
    Ok(())
}

fn alert(transition: &Transition, lines: &mut Lines) {
    let Ok(state) = Symbol::intern(transition.alert.state.as_str()) else { return };
    let alert = &transition.alert;
    let tags = [
        ("district", alert.district.as_str()),
        ("station", alert.station.as_str()),
        ("device", alert.device.as_str()),
        ("rule", alert.rule.as_str()),
        ("severity", alert.severity.as_str()),
    ];
    lines.point("alert", &tags, [("state", Value::Word(state))], transition.at);
}

fn ourselves(health: &Health, lines: &mut Lines) {
    let at: Timestamp = health.figures.at;
    let fields = health.fields().into_iter().map(|(name, value)| (name, Value::Number(value)));
    lines.point("waystation", &[], fields, at);
}
