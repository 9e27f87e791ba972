//! Rubbish without end: the vectors' payloads, mutated. `WAYSTATION_FUZZ_INPUTS` says how many.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_pcg::Pcg64Mcg;

use super::{NEW_YEAR, PREFIX, message, registry, vectors};
use crate::{
    decode::{Contract, Decoder, again},
    journal::Messages,
};

const INPUTS: usize = 200_000;
const GROUP: usize = 64;
/// Pieces that parsers trip over.
const PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"NaN",
    b"-",
    b"1e400",
    b"-1e-400",
    b"9223372036854775808",
    b"0",
    b"\"temp_c\":",
    b"\"readings\":[",
    b"\"at\":",
    b"\"seq\":",
    b"\"boot\":",
    b"\"dt\":",
    b"\xff",
    b"\xc3",
    b"\x00",
    b"\xbf",
    b"\x9f",
    b"\xa1",
    b"\x7f",
    b"\xfb",
    b"\xd9\xd9\xf7",
    b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\"card_no\":",
];

fn mutate(payload: &mut Vec<u8>, random: &mut Pcg64Mcg) {
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=payload.len());
        match random.random_range(0..6) {
            0 if at < payload.len() => payload[at] = random.random(),
            1 if at < payload.len() => payload[at] ^= 1 << random.random_range(0..8),
            2 => payload.truncate(at),
            3 => {
                let end = random.random_range(at..=payload.len());
                let part = payload[at..end].to_vec();
                payload.splice(at..at, part);
            }
            4 => {
                let end = random.random_range(at..=payload.len());
                payload.drain(at..end);
            }
            _ => {
                let piece = PIECES.choose(random).copied().unwrap_or_default();
                payload.splice(at..at, piece.iter().copied());
            }
        }
    }
    payload.truncate(4096);
}

#[test]
fn decoding_never_panics_and_decodes_again_the_same() {
    let inputs = std::env::var("WAYSTATION_FUZZ_INPUTS").ok().and_then(|n| n.parse().ok());
    let inputs: usize = inputs.unwrap_or(INPUTS);
    let seeds: Vec<Vec<u8>> = vectors::all().iter().map(vectors::Vector::payload_of_it).collect();
    let mut random = Pcg64Mcg::seed_from_u64(17);
    let (mut decoder, registry) = (Decoder::default(), registry());
    let kinds = ["telemetry", "telemetry", "telemetry", "telemetry", "event", "birth", "status"];
    let topics: Vec<_> = kinds.iter().map(|kind| format!("{PREFIX}fridge-1/{kind}")).collect();
    let (mut readings, mut rejections) = (0, 0);
    for group in 0..inputs.div_ceil(GROUP) {
        let mut messages = Messages::default();
        for _ in 0..GROUP {
            let mut payload = seeds.choose(&mut random).cloned().unwrap_or_default();
            mutate(&mut payload, &mut random);
            let topic = topics.choose(&mut random).map_or("", String::as_str);
            messages.push(&message(topic.as_bytes(), &payload, NEW_YEAR));
        }
        let number = u64::try_from(group).unwrap();
        let (decoded, annotations) = decoder.decode(number, &messages, &registry);
        if group % 64 == 0 {
            let second = again(&Contract::default(), number, &messages, &registry, &annotations);
            assert_eq!(format!("{decoded:?}"), format!("{second:?}"));
        }
        assert!(decoded.readings.iter().all(|reading| !decoded.samples_of(reading).is_empty()));
        readings += decoded.readings.len();
        rejections += decoded.rejections.len();
    }
    assert!(readings > inputs / 50 && rejections > inputs / 5, "{readings} and {rejections}");
}
