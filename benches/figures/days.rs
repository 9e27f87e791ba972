//! Simulated days of 60 stations, straight to the store: every device as its profile has it, each
//! with a clock of its own.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use waystation::{
    clock::Hand,
    decode::Decoded,
    device::Profile,
    reading::{Kind, MessageId, PlacedBy, Reading, Sample, Slot, Symbol, Timestamp, Value},
    registry::{Device, Registry},
    rule::Text,
    store::embedded::Feed,
};

pub(crate) const STATIONS: u32 = 60;
/// Devices that only the map of 200 series needs: more counters of people.
pub(crate) const MORE_PEOPLE: u32 = 140;
pub(crate) const START: i64 = 1_767_225_600_000;
pub(crate) const MINUTE: i64 = 60_000;

/// One group a simulated minute; waits at the end until what is over is folded.
pub(crate) struct Simulated {
    dir: std::path::PathBuf,
    hand: Hand,
    registry: Arc<Registry>,
    devices: Vec<Simulation>,
    random: Pcg64Mcg,
    minute: i64,
    minutes: i64,
    pub(crate) points: Arc<Mutex<u64>>,
    pub(crate) making: Arc<Mutex<Duration>>,
}

struct Simulation {
    slot: Slot,
    behaves: Behaviour,
    every: i64,
    offset: i64,
    drift: i64,
    state: [f64; 8],
}

#[derive(Clone, Copy)]
enum Behaviour {
    Fridge,
    People,
    Aed,
    Banks,
    Door,
}

impl Simulated {
    pub(crate) fn new(dir: &Path, days: i64, hand: Hand) -> Self {
        let mut paths = Vec::new();
        for station in 0..STATIONS {
            for (name, behaves, every) in [
                ("fridge", Behaviour::Fridge, 1),
                ("people", Behaviour::People, 1),
                ("aed", Behaviour::Aed, 15),
                ("banks", Behaviour::Banks, 5),
                ("door", Behaviour::Door, 5),
            ] {
                paths.push((format!("putuo/s{station}/{name}"), behaves, every));
            }
        }
        let more = (0..MORE_PEOPLE).map(|n| format!("putuo/more/people-{n}"));
        paths.extend(more.map(|path| (path, Behaviour::People, 5)));
        let mut random = Pcg64Mcg::seed_from_u64(7);
        let simulation =
            |(slot, (_, behaves, every)): (u32, &(String, Behaviour, i64))| Simulation {
                slot: Slot(slot),
                behaves: *behaves,
                every: *every,
                offset: random.random_range(0..MINUTE),
                drift: random.random_range(-3..3),
                state: [4.0, 0.0, 60.0, 22.0, 45.0, 8.0, 0.0, 0.0],
            };
        let devices = (0..).zip(&paths).map(simulation).collect();
        let paths: Vec<String> = paths.into_iter().map(|(path, ..)| path).collect();
        Self {
            dir: dir.to_owned(),
            hand,
            registry: Arc::new(registry(&paths)),
            devices,
            random,
            minute: 0,
            minutes: days * 1440,
            points: Arc::default(),
            making: Arc::default(),
        }
    }

    fn group(&mut self) -> Decoded {
        let mut decoded = Decoded {
            group: u64::try_from(self.minute).unwrap() + 1,
            registry: Arc::clone(&self.registry),
            ..Decoded::default()
        };
        let start = START + self.minute * MINUTE;
        for device in &mut self.devices {
            let first = u32::try_from(decoded.samples.len()).unwrap();
            device.sample(self.minute, &mut self.random, &mut decoded.samples);
            let last = u32::try_from(decoded.samples.len()).unwrap();
            if first == last {
                continue;
            }
            // Its own clock: a slow drift and some milliseconds of waking up.
            let at = start + device.offset + device.drift * self.minute / 60;
            let at = Timestamp(at + self.random.random_range(0..40));
            decoded.messages += 1;
            decoded.readings.push(Reading {
                device: device.slot,
                message: MessageId { group: decoded.group, index: decoded.messages },
                kind: Kind::Telemetry,
                at,
                placed_by: PlacedBy::Device,
                claimed: Some(at),
                received: at,
                backfill: false,
                samples: first..last,
            });
        }
        decoded.received = Timestamp(start + MINUTE);
        self.minute += 1;
        decoded
    }

    fn unfolded(&self) -> i64 {
        let today = ((START / MINUTE + self.minutes - 1) / 1440) << 47;
        let db = rusqlite::Connection::open(self.dir.join("store.sqlite")).unwrap();
        db.query_row("SELECT count(*) FROM parts WHERE id < ?", [today], |row| row.get(0)).unwrap()
    }
}

impl Feed for Simulated {
    async fn next(&mut self) -> Option<Arc<Decoded>> {
        if self.minute < self.minutes {
            let began = Instant::now();
            let decoded = self.group();
            self.hand.set(decoded.received);
            *self.points.lock().unwrap() += u64::try_from(decoded.samples.len()).unwrap();
            *self.making.lock().unwrap() += began.elapsed();
            return Some(Arc::new(decoded));
        }
        while self.unfolded() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    fn commit(&self, _: u64) {}
}

impl Simulation {
    fn sample(&mut self, minute: i64, random: &mut Pcg64Mcg, samples: &mut Vec<Sample>) {
        let busy = 0.5 - 0.5 * ((minute % 1440) as f64 / 1440.0 * std::f64::consts::TAU).cos();
        let due = minute % self.every == self.offset % self.every;
        let s = &mut self.state;
        match self.behaves {
            Behaviour::Fridge => fridge(s, busy, random, samples),
            Behaviour::Door => door(s, busy, due, minute, random, samples),
            Behaviour::People if due => people(s, busy, random, samples),
            Behaviour::Aed if due => aed(s, minute, random, samples),
            Behaviour::Banks if due => banks(s, random, samples),
            _ => {}
        }
    }
}

fn push(samples: &mut Vec<Sample>, name: &str, value: Value) {
    samples.push(Sample { metric: Symbol::intern(name).unwrap(), value });
}

fn tenths(value: f64) -> Value {
    Value::Number((value * 10.0).round() / 10.0)
}

fn whole(value: f64) -> Value {
    Value::Number(value.round())
}

fn fridge(s: &mut [f64; 8], busy: f64, random: &mut Pcg64Mcg, samples: &mut Vec<Sample>) {
    let cooling = s[1] > 0.5;
    s[0] += if cooling { -0.12 } else { 0.06 } + random.random_range(-0.08..0.08);
    if s[0] > 5.0 {
        s[1] = 1.0;
    } else if s[0] < 3.2 {
        s[1] = 0.0;
    }
    s[5] += (s[0] - s[5]) * 0.05;
    let door = random.random_bool(0.05 * busy);
    if door {
        s[0] += 0.3;
        s[2] = if s[2] < 2.0 { 100.0 } else { s[2] - 1.0 };
    }
    let power = if cooling { random.random_range(82.0..86.0) } else { 1.2 };
    push(samples, "temp_c", tenths(s[0]));
    push(samples, "product_temp_c", tenths(s[5]));
    push(samples, "door_open", Value::State(door));
    push(samples, "compressor_on", Value::State(cooling));
    push(samples, "power_w", tenths(power));
    push(samples, "mains_ok", Value::State(true));
    push(samples, "stock_pct", whole(s[2]));
}

fn people(s: &mut [f64; 8], busy: f64, random: &mut Pcg64Mcg, samples: &mut Vec<Sample>) {
    let came = if random.random_bool(0.25 * busy) { 1.0 } else { 0.0 };
    let went = if s[7] > 0.0 && random.random_bool(0.2) { 1.0 } else { 0.0 };
    s[6] += came;
    s[7] += came - went;
    push(samples, "in_total", whole(s[6]));
    push(samples, "out_total", whole(s[6] - s[7]));
    push(samples, "occupancy", whole(s[7]));
}

fn aed(s: &mut [f64; 8], minute: i64, random: &mut Pcg64Mcg, samples: &mut Vec<Sample>) {
    s[3] += random.random_range(-0.2..0.2);
    s[4] += random.random_range(-0.5..0.5);
    push(samples, "ready", Value::State(true));
    push(samples, "selftest_ok", Value::State(true));
    push(samples, "battery_pct", whole(97.0 - minute as f64 / 20_000.0));
    push(samples, "cabinet_open", Value::State(false));
    push(samples, "device_present", Value::State(true));
    push(samples, "cabinet_temp_c", tenths(s[3]));
    push(samples, "cabinet_humidity_pct", whole(s[4]));
}

fn banks(s: &mut [f64; 8], random: &mut Pcg64Mcg, samples: &mut Vec<Sample>) {
    s[5] = (s[5] + f64::from(random.random_range(-1..=1))).clamp(0.0, 12.0);
    s[3] += random.random_range(-0.3..0.3);
    push(samples, "slots_total", whole(12.0));
    push(samples, "available", whole(s[5]));
    push(samples, "empty", whole(12.0 - s[5]));
    push(samples, "faulty", whole(0.0));
    push(samples, "temp_max_c", tenths(s[3] + 6.0));
}

fn door(
    s: &mut [f64; 8],
    busy: f64,
    due: bool,
    minute: i64,
    random: &mut Pcg64Mcg,
    samples: &mut Vec<Sample>,
) {
    let moved = random.random_bool(0.15 * busy);
    if moved || due {
        push(samples, "open", Value::State(moved));
        push(samples, "locked", Value::State(!moved));
    }
    if due {
        s[6] += if moved { 1.0 } else { 0.0 };
        push(samples, "granted_total", whole(s[6]));
        push(samples, "battery_pct", whole(88.0 - minute as f64 / 9_000.0));
    }
}

fn registry(paths: &[String]) -> Registry {
    let profile = Arc::new(Profile {
        id: "any".to_owned(),
        name: Text::default(),
        facility: String::new(),
        reports_every: Duration::from_mins(1),
        ..Profile::default()
    });
    let device = |(slot, path): (u32, &String)| {
        Some(Device {
            slot: Slot(slot),
            path: path.as_str().into(),
            station: 0,
            profile: Arc::clone(&profile),
            reports_every: Duration::from_mins(1),
            rules: Arc::new([]),
            dates: Arc::default(),
        })
    };
    Registry::new(Vec::new(), Vec::new(), (0..).zip(paths).map(device).collect())
}
