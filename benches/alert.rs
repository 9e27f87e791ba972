//! What judging costs with the shipped fridge's rules: `cargo bench --bench alert`. One reading a
//! count; `memory` shows what 120 000 devices take after one report of each.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot set itself up has nothing to say")]

use std::{sync::Arc, time::Duration};

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use waystation::{
    alert::Engine,
    decode::Decoded,
    device,
    reading::{Kind, MessageId, PlacedBy, Reading, Sample, Slot, Symbol, Timestamp, Value},
    registry::{Device, Opens, Registry, Station},
    rule::{Rule, Text},
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const START: Timestamp = Timestamp(1_767_225_600_000);
const GROUP: u32 = 1000;

fn main() {
    divan::main();
}

/// Fridges, twelve a station, that share their rules as a loaded registry does.
fn registry(devices: u32) -> Arc<Registry> {
    let catalog = device::load(None).unwrap();
    let profile = catalog.get("fridge").unwrap();
    let rules: Arc<[Rule]> = profile.rules.as_slice().into();
    let stations = (0..devices.div_ceil(12)).map(|number| Station {
        id: format!("s{number}"),
        district: 0,
        name: Text::default(),
        position: None,
        capacity: None,
        opens: Opens::Always,
        closed: waystation::registry::Days::default(),
        moves: false,
        address: None,
        phone: None,
        master: None,
        devices: Vec::new(),
    });
    let devices = (0..devices).map(|number| {
        Some(Device {
            slot: Slot(number),
            path: format!("d/s{}/f{}", number / 12, number % 12).into(),
            station: number / 12,
            profile: Arc::clone(profile),
            reports_every: profile.reports_every,
            rules: Arc::clone(&rules),
            dates: Arc::default(),
        })
    });
    Arc::new(Registry::new(Vec::new(), stations.collect(), devices.collect()))
}

/// A group in which devices take turns: temperatures that are all right, mostly.
fn group(number: u64, devices: u32) -> Decoded {
    let received = START + Duration::from_millis(number * 10);
    let first = u32::try_from(number).unwrap() * GROUP;
    let metrics = ["temp_c", "door_open", "compressor_on"].map(|m| Symbol::intern(m).unwrap());
    let mut decoded = Decoded { group: number, messages: GROUP, received, ..Decoded::default() };
    for index in 0..GROUP {
        let start = u32::try_from(decoded.samples.len()).unwrap();
        let warm = if index % 100 == 0 { 9.0 } else { 4.0 };
        let values = [Value::Number(warm + f64::from(index % 7) / 10.0), Value::State(false)];
        let samples = metrics.into_iter().zip(values);
        decoded.samples.extend(samples.map(|(metric, value)| Sample { metric, value }));
        decoded.readings.push(Reading {
            device: Slot((first + index) % devices),
            message: MessageId { group: number, index },
            kind: Kind::Telemetry,
            at: received,
            placed_by: PlacedBy::Receipt,
            claimed: None,
            received,
            backfill: false,
            samples: start..u32::try_from(decoded.samples.len()).unwrap(),
        });
    }
    decoded
}

#[divan::bench(args = [1000, 120_000])]
fn reading(bencher: Bencher<'_, '_>, devices: u32) {
    let mut engine = Engine::new(registry(devices), START, Duration::from_mins(2));
    let mut number = 0;
    bencher
        .counter(ItemsCount::new(GROUP))
        .with_inputs(|| {
            number += 1;
            group(number, devices)
        })
        .bench_local_refs(|decoded| engine.apply(decoded, decoded.received));
}

/// Nothing is due: what a tick costs beside that.
#[divan::bench(args = [1000, 120_000])]
fn tick(bencher: Bencher<'_, '_>, devices: u32) {
    let mut engine = Engine::new(registry(devices), START, Duration::from_mins(2));
    bencher.bench_local(|| engine.tick(START));
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn memory(bencher: Bencher<'_, '_>) {
    let registry = registry(120_000);
    let groups: Vec<_> = (1..=120).map(|number| group(number, 120_000)).collect();
    bencher.bench_local(|| {
        let mut engine = Engine::new(Arc::clone(&registry), START, Duration::from_mins(2));
        for group in &groups {
            engine.apply(group, group.received);
        }
        engine
    });
}
