//! After a start: puts back what the store remembers, so that a device that reports once a day is
//! shown with what it said last. Delays nothing and never takes the place of anything newer.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::{
    journal::Journal,
    live::{Live, Metric},
    reading::{Symbol, Value},
    registry::{Device, Registry},
    store::{Datum, Latest, Newest, Of, Store},
};

/// Stations asked about at once: what the answer holds stays small.
const STATIONS_AT_ONCE: usize = 50;
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// Asks `store` once now, and once more when it has all that was in the `journal` at the start.
pub(super) async fn run(
    store: Store,
    registry: watch::Receiver<Arc<Registry>>,
    live: Live,
    journal: Journal,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let journal_last = journal.last();
    let has_all = || taken(&store, &journal) >= journal_last;
    let remember = async {
        loop {
            let is_all = has_all();
            let registry = Arc::clone(&registry.borrow());
            all(&store, &registry, &live).await;
            if is_all {
                return;
            }
            while !has_all() {
                time::sleep(RETRY_FIRST).await;
            }
        }
    };
    stop.run_until_cancelled(remember).await;
    stop.cancelled().await;
    Ok(())
}

/// The last group the store can be asked about.
fn taken(store: &Store, journal: &Journal) -> u64 {
    match store {
        Store::Embedded(store) => store.taken(),
        Store::Influx(_) => journal.committed(super::STORE),
    }
}

async fn all(store: &Store, registry: &Registry, live: &Live) {
    let mut values = 0;
    for stations in registry.stations.chunks(STATIONS_AT_ONCE) {
        let slots = stations.iter().flat_map(|station| &station.devices);
        let devices = slots.filter_map(|slot| registry.device(*slot));
        let asked = devices
            .map(|device| Of { path: device.path.to_string(), profile: device.profile.id.clone() });
        for Newest { path, latest } in patiently(store, asked.collect()).await {
            let Some(device) = registry.find(&path) else { continue };
            if let Some(metric) = metric(device, &latest) {
                live.restore(device.slot, [metric]);
                values += 1;
            }
        }
    }
    info!(values, "the latest values are back from the store");
}

/// What the store answers as soon as it does. That it does not is said by those who write to it.
async fn patiently(store: &Store, devices: Vec<Of>) -> Vec<Newest> {
    let mut pause = RETRY_FIRST;
    loop {
        match store.latest_of(devices.clone()).await {
            Ok(newest) => return newest,
            Err(error) => debug!("the latest values wait: {error}"),
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_LONGEST);
    }
}

/// `None` for what the device's profile does not know any more.
fn metric(device: &Device, latest: &Latest) -> Option<Metric> {
    let value = match &latest.value {
        Datum::Number(number) => Value::Number(*number),
        Datum::State(state) => Value::State(*state),
        Datum::Word(word) => Value::Word(Symbol::known(word)?),
    };
    let metric = device.profile.metric(&latest.metric)?.symbol;
    Some(Metric { metric, value, at: latest.at })
}
