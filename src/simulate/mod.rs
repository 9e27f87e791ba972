//! Publishes as the devices of a registry would: by their profiles' `[simulate]`, through real MQTT
//! connections, so that a daemon, a broker or a dashboard can be tried without a station.
//!
//! ```text
//! registry ─▶ Town (pure: who speaks next, and what) ─▶ run (the clock) ─▶ Wires (a connection a device)
//! ```

mod behaviour;
mod day;
mod invent;
mod life;
mod lines;
mod metric;
mod town;
mod wire;

pub use behaviour::{Axis, Behaviour, Behaviours, Fault};
pub use invent::{Invented, invent, read, write};
pub use life::{Life, Outgoing};
pub use metric::Here;
pub use town::{Spoken, Town};
pub use wire::{Tally, Target};

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, reading::Timestamp, registry::Registry};

/// How to simulate.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// How many times faster than real time the stations live.
    pub speed: f64,
    /// Connections at most. Where the devices are more, those of a station share one.
    pub connections: usize,
    /// The time in the town at the start, on which day and night and much else depend; without it
    /// the beginning of this hour, so that runs of one hour are alike.
    pub start: Option<Timestamp>,
    /// Faults to make: how long after the start (of real time), of the first device with this
    /// profile, and which.
    pub staged: Vec<(Duration, &'static str, &'static str)>,
}

/// Lives the town until `stop`. `show` is called about once a second and at the end.
pub async fn run(
    registry: &Registry,
    plan: Plan,
    target: Target,
    clock: &Clock,
    stop: CancellationToken,
    mut show: impl FnMut(&Tally),
) -> anyhow::Result<Arc<Tally>> {
    let opened = clock.now();
    let born = plan.start.unwrap_or(beginning_of_hour(opened));
    let mut town = Town::new(registry, plan.seed, born)?;
    for (after, profile, fault) in &plan.staged {
        town.break_first(profile, fault, born + after.mul_f64(plan.speed));
    }
    let tally = Arc::new(Tally::default());
    let lines = lines::Lines::fitting(registry, plan.connections);
    let mut wires = wire::Wires::new(target, lines, Arc::clone(&tally), stop.clone());
    let started = Instant::now();
    let mut shown = started;
    while let Some(next) = town.next() {
        let due = started + next.since(born).div_f64(plan.speed);
        if stop.run_until_cancelled(tokio::time::sleep_until(due)).await.is_none() {
            break;
        }
        let real = opened + next.since(born).div_f64(plan.speed);
        for spoken in town.speak(real) {
            wires.publish(spoken);
        }
        if shown.elapsed() >= Duration::from_secs(1) {
            shown = Instant::now();
            show(&tally);
        }
    }
    wires.close().await;
    show(&tally);
    Ok(tally)
}

fn beginning_of_hour(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - at.0.rem_euclid(3_600_000))
}
