//! What decoding costs: `cargo bench --bench decode`. One message a count.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot set itself up has nothing to say")]

use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use waystation::{
    decode::{Annotations, Contract, Decoder, again},
    device::{MetricKind, Profile},
    journal::{Condition, Message, Messages, Source},
    reading::Timestamp,
    registry::Registry,
};

const NOW: i64 = 1_767_225_600_000;
const GROUP: u32 = 1000;
const SHAPES: [&str; 4] = ["smallest", "typical", "batch_of_10", "refused"];

fn main() {
    divan::main();
}

fn registry(devices: u32) -> Arc<Registry> {
    let metrics = [
        ("temp_c", MetricKind::Number, Some([-40.0, 60.0])),
        ("product_temp_c", MetricKind::Number, Some([-40.0, 60.0])),
        ("door_open", MetricKind::State, None),
        ("compressor_on", MetricKind::State, None),
        ("power_w", MetricKind::Number, Some([0.0, 5000.0])),
        ("items_out_total", MetricKind::Counter, None),
    ];
    let profile = Arc::new(Profile::sample("fridge", &metrics).unwrap());
    let paths: Vec<String> = (0..devices).map(path).collect();
    Arc::new(Registry::sample(paths.iter().map(|path| (path.as_str(), &profile))))
}

fn path(device: u32) -> String {
    format!("putuo/station-{}/fridge-{}", device / 12, device % 12)
}

/// A group in which devices take turns, each message new.
fn group(shape: &str, devices: u32, round: u32) -> Messages {
    let mut messages = Messages::default();
    for index in 0..GROUP {
        let topic = format!("waystation/v1/{}/telemetry", path(index % devices));
        let seq = round * GROUP + index;
        let at = NOW - 300;
        let payload = match shape {
            "smallest" => r#"{"temp_c": 4.1}"#.to_owned(),
            "typical" => format!(
                r#"{{"boot":17,"seq":{seq},"at":{at},"readings":[{{"dt":0,"temp_c":4.1,"door_open":false}}]}}"#
            ),
            "batch_of_10" => {
                let reading = r#"{"dt":-60000,"temp_c":4.1,"door_open":false}"#;
                let readings = [reading; 10].join(",");
                format!(r#"{{"boot":17,"seq":{seq},"at":{at},"readings":[{readings}]}}"#)
            }
            _ => r#"{"temp_c": "warm"}"#.to_owned(),
        };
        messages.push(&Message {
            source: Source::Listen,
            received: Timestamp(NOW),
            retained: false,
            condition: Condition::Whole,
            topic: topic.as_bytes(),
            sender: b"",
            payload: payload.as_bytes(),
        });
    }
    messages
}

#[divan::bench(args = SHAPES)]
fn for_the_first_time(bencher: Bencher, shape: &str) {
    let registry = registry(720);
    let mut decoder = Decoder::default();
    let mut round = 0;
    bencher
        .counter(ItemsCount::new(GROUP))
        .with_inputs(|| {
            round += 1;
            group(shape, 720, round)
        })
        .bench_local_refs(|messages| decoder.decode(1, messages, &registry));
}

#[divan::bench(args = SHAPES)]
fn again_from_the_journal(bencher: Bencher, shape: &str) {
    let (registry, contract) = (registry(720), Contract::default());
    let messages = group(shape, 720, 1);
    bencher
        .counter(ItemsCount::new(GROUP))
        .bench(|| again(&contract, 1, &messages, &registry, &Annotations::default()));
}
