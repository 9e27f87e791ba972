//! Rubbish without end on the way every message takes: a stream of packets in chunks of any size,
//! cut by `Frames`, gathered in a `Batch`, decoded. `WAYSTATION_FUZZ_INPUTS` says how many messages.
//!
//! Payloads are those of `devices/vectors`, mutated. (What decoding alone makes of them, and that it
//! makes the same of them again, is the business of `decode`'s own test of this kind.)

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot go on fails the test"
)]

use std::{fs, path::Path, sync::Arc};

use bytes::BytesMut;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_pcg::Pcg64Mcg;
use rumqttc::mqttbytes::v4;
use waystation::{
    check,
    decode::Decoder,
    ingest::{
        Batch, Budgets, Origin,
        frame::{Frame, Frames, QoS},
    },
    journal::{Messages, Source},
    reading::Timestamp,
    registry::Registry,
};

const INPUTS: usize = 100_000;
/// Messages of one stream.
const STREAM: usize = 16;
const MAX_MESSAGE: usize = 2048;
/// What `Frames` may hold, whatever comes: a read, what grew from it, and the largest packet.
const BUFFER_MAX: usize = 1 << 20;
/// What a message in a `Batch` takes besides its own bytes.
const OVERHEAD: usize = 64;
/// 2026-01-01T00:00:00Z
const NEW_YEAR: Timestamp = Timestamp(1_767_225_600_000);
const PREFIX: &str = "waystation/v1";
const TOPICS: [&str; 8] = [
    "waystation/v1/putuo/shuxinwan/fridge-1/telemetry",
    "waystation/v1/putuo/shuxinwan/fridge-1/telemetry",
    "waystation/v1/putuo/shuxinwan/fridge-1/event",
    "waystation/v1/putuo/shuxinwan/fridge-1/birth",
    "waystation/v1/putuo/shuxinwan/fridge-1/status",
    "waystation/v1/putuo/shuxinwan/nobody/telemetry",
    "waystation/v1/普陀/telemetry",
    "x",
];

struct Fuzz {
    random: Pcg64Mcg,
    seeds: Vec<Vec<u8>>,
    registry: Arc<Registry>,
    decoder: Decoder,
    budgets: Budgets,
    groups: u64,
}

/// What a stream came to.
#[derive(Debug, Default)]
struct Seen {
    messages: Messages,
    received: u64,
    others: usize,
    broken: bool,
}

#[test]
fn fuzzed_payloads_in_sound_packets_are_all_taken_and_decoded() {
    let mut fuzz = Fuzz::new(1);
    let (mut readings, mut rejections) = (0, 0);
    for _ in 0..inputs().div_ceil(STREAM) {
        let packets: Vec<_> = (0..STREAM).map(|_| fuzz.packet()).collect();
        let seen = fuzz.read(&packets.concat());
        assert!(!seen.broken, "sound packets keep the stream in step");
        assert_eq!(seen.received, u64::try_from(STREAM).unwrap(), "no message hides another");
        let (read, refused) = fuzz.decode(&seen);
        readings += read;
        rejections += refused;
    }
    assert!(readings > inputs() / 100, "only {readings} readings");
    assert!(rejections > inputs() / 5, "only {rejections} rejections");
}

#[test]
fn fuzzed_streams_end_or_go_on_and_never_panic() {
    let mut fuzz = Fuzz::new(2);
    let (mut broken, mut received, mut others) = (0, 0, 0);
    let streams = inputs().div_ceil(STREAM);
    for _ in 0..streams {
        let mut stream: Vec<_> = (0..STREAM).flat_map(|_| fuzz.any_packet()).collect();
        fuzz.mutate(&mut stream);
        let seen = fuzz.read(&stream);
        fuzz.decode(&seen);
        broken += usize::from(seen.broken);
        received += seen.received;
        others += seen.others;
    }
    assert!(broken > streams / 20 && broken < streams, "{broken} of {streams} broke");
    assert!(received > u64::try_from(inputs() / 4).unwrap() && others > streams / 4);
}

fn inputs() -> usize {
    std::env::var("WAYSTATION_FUZZ_INPUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(INPUTS)
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let loaded = check::check(&root.join("config"), std::iter::empty()).unwrap();
        Self {
            random: Pcg64Mcg::seed_from_u64(seed),
            seeds: seeds(&root.join("devices/vectors")),
            registry: Arc::new(loaded.registry),
            decoder: Decoder::default(),
            budgets: Budgets::new(1e9, u32::MAX, PREFIX),
            groups: 0,
        }
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let random = &mut self.random;
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..=bytes.len());
            let end = random.random_range(at..=bytes.len()).min(at + 200);
            match random.random_range(0..5) {
                0 if at < bytes.len() => bytes[at] = random.random(),
                1 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
                2 => bytes.truncate(at.max(bytes.len() / 2)),
                3 => {
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => drop(bytes.drain(at..end)),
            }
        }
    }

    /// A PUBLISH as the protocol wants it; one in 50 is over the limit.
    fn packet(&mut self) -> Vec<u8> {
        let mut payload = self.seeds.choose(&mut self.random).unwrap().clone();
        if self.random.random_ratio(7, 8) {
            self.mutate(&mut payload);
        }
        if self.random.random_ratio(1, 50) {
            payload.resize(MAX_MESSAGE + self.random.random_range(1..4000), b'x');
        }
        let topic = *TOPICS.choose(&mut self.random).unwrap();
        let qos = if self.random.random() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let mut publish = v4::Publish::new(topic, qos, payload);
        (publish.pkid, publish.dup) =
            (self.random.random_range(1..=u16::MAX), self.random.random());
        publish.retain = self.random.random();
        let mut bytes = BytesMut::new();
        publish.write(&mut bytes).unwrap();
        bytes.to_vec()
    }

    /// Any packet there is, a PUBLISH mostly; sometimes one that no codec would write.
    fn any_packet(&mut self) -> Vec<u8> {
        match self.random.random_range(0..10) {
            0 => vec![0xc0, 0],
            1 => {
                let length = self.random.random_range(0..100_u8);
                let body = (0..length).map(|_| self.random.random::<u8>());
                let body: Vec<u8> = body.collect();
                [vec![self.random.random(), length], body].concat()
            }
            2 => {
                let [high, low] = self.random.random::<u16>().to_be_bytes();
                vec![0x40, 2, high, low]
            }
            _ => self.packet(),
        }
    }

    /// Reads a stream as a connection does, in chunks of any size.
    fn read(&mut self, stream: &[u8]) -> Seen {
        let (mut frames, mut seen) = (Frames::new(MAX_MESSAGE), Seen::default());
        let from = Origin { source: Source::Listen, sender: b"gateway", now: NEW_YEAR };
        let largest = *[1, 7, 100, 5000, 100_000].choose(&mut self.random).unwrap();
        let mut rest = stream;
        while !rest.is_empty() && !seen.broken {
            let length = self.random.random_range(1..=largest).min(rest.len());
            let (chunk, after) = rest.split_at(length);
            rest = after;
            frames.feed(chunk);
            let mut batch = Batch::default();
            seen.broken = !take(&mut frames, &mut batch, &mut seen.others, from, &self.budgets);
            assert!(frames.capacity() <= BUFFER_MAX, "{} bytes", frames.capacity());
            seen.received += batch.received;
            seen.messages.append(&batch.messages);
        }
        let count = usize::try_from(seen.messages.len()).unwrap();
        let most = stream.len() + count * OVERHEAD;
        assert!(seen.messages.as_bytes().len() <= most, "{} of {most}", stream.len());
        seen
    }

    /// What the messages came to: readings and rejections.
    fn decode(&mut self, seen: &Seen) -> (usize, usize) {
        self.groups += 1;
        let (decoded, _) = self.decoder.decode(self.groups, &seen.messages, &self.registry);
        assert_eq!(decoded.messages, seen.messages.len());
        assert!(decoded.readings.iter().all(|reading| !decoded.samples_of(reading).is_empty()));
        (decoded.readings.len(), decoded.rejections.len())
    }
}

/// Everything whole that was fed; `false`: the stream cannot be read on.
fn take(
    frames: &mut Frames,
    batch: &mut Batch,
    others: &mut usize,
    from: Origin<'_>,
    budgets: &Budgets,
) -> bool {
    loop {
        match frames.next() {
            Ok(None) => return true,
            Ok(Some(Frame::Publish(publish))) => {
                batch.publish(&publish, publish.retain, from, budgets);
            }
            Ok(Some(Frame::Oversized(large))) => {
                batch.oversized(&large, large.retain, from, budgets);
            }
            Ok(Some(Frame::Malformed(malformed))) => batch.malformed(&malformed, from, budgets),
            Ok(Some(Frame::Other(_))) => *others += 1,
            Err(_) => return false,
        }
    }
}

/// Payloads of all vectors.
fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let vectors = files.flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap()
    });
    vectors.map(|vector| payload(&vector)).collect()
}

fn payload(vector: &serde_json::Value) -> Vec<u8> {
    match vector["payload_hex"].as_str() {
        Some(hex) => {
            let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(digits).collect()
        }
        None => vector["payload"].as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}
