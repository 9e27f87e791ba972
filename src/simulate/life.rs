//! The life of one simulated device: when it speaks next, and what it says. No clock, no network.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::{Map, Value, json};

use super::{
    behaviour::{Behaviour, Behaviours},
    metric::{Here, Memory, look},
};
use crate::reading::Timestamp;

/// What a device publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The topic's last level: `telemetry`, `birth`.
    pub kind: &'static str,
    pub payload: Vec<u8>,
    pub retain: bool,
}

/// One device.
#[derive(Debug)]
pub struct Life {
    behaviours: Arc<Behaviours>,
    memories: BTreeMap<String, Memory>,
    rng: Pcg64Mcg,
    here: Here,
    every: Duration,
    next_report: Timestamp,
    faults: Vec<FaultTimes>,
    boot: u64,
    seq: u64,
    born: bool,
}

/// When a fault begins next, and when it ends if it is on.
#[derive(Debug, Clone, Copy)]
struct FaultTimes {
    begins: Timestamp,
    ends: Option<Timestamp>,
}

impl Life {
    pub fn new(
        behaviours: Arc<Behaviours>,
        seed: u64,
        every: Duration,
        here: Here,
        start: Timestamp,
    ) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let memories = behaviours.metrics.iter();
        let memories = memories
            .map(|(name, behaviour)| (name.clone(), Memory::new(behaviour, start, here, &mut rng)))
            .collect();
        let faults = behaviours.faults.iter();
        let faults = faults
            .map(|fault| FaultTimes { begins: start + wait(fault.every, &mut rng), ends: None })
            .collect();
        // Devices switched on together would all speak in the same moment for ever.
        let next_report =
            start + every.mul_f64(rng.random_range(0.0..1.0)).min(FIRST_REPORT_WITHIN);
        Self {
            boot: rng.random_range(1..1000),
            behaviours,
            memories,
            rng,
            here,
            every,
            next_report,
            faults,
            seq: 0,
            born: false,
        }
    }

    /// When it speaks next.
    pub fn next(&self) -> Timestamp {
        let changes = self.memories.values().filter_map(Memory::next_change);
        let faults = self.faults.iter().map(|fault| fault.ends.unwrap_or(fault.begins));
        changes.chain(faults).fold(self.next_report, Timestamp::min)
    }

    /// Makes the named fault begin at `at`.
    pub fn break_at(&mut self, fault: &str, at: Timestamp) -> bool {
        let place = self.behaviours.faults.iter().position(|known| known.id == fault);
        let Some(times) = place.and_then(|place| self.faults.get_mut(place)) else { return false };
        times.begins = at;
        true
    }

    /// What it says at `now`, of which it tells the time as `at`.
    pub fn speak(&mut self, now: Timestamp, at: Timestamp) -> Vec<Outgoing> {
        self.turn_faults(now);
        let metrics = self.metrics(now);
        self.next_report = self.next_report.max(now);
        while self.next_report <= now {
            self.next_report = self.next_report + self.every.max(Duration::from_millis(1));
        }
        if self.active().any(|fault| fault.silent) {
            return Vec::new();
        }
        let mut said = Vec::new();
        if !self.born {
            self.born = true;
            said.push(self.birth());
        }
        self.seq += 1;
        let mut reading = metrics;
        reading.insert("dt".to_owned(), json!(0));
        let body = json!({"boot": self.boot, "seq": self.seq, "at": at.0, "readings": [reading]});
        said.push(Outgoing {
            kind: "telemetry",
            payload: body.to_string().into_bytes(),
            retain: false,
        });
        said
    }

    fn birth(&self) -> Outgoing {
        let body = json!({
            "model": "simulated", "firmware": env!("CARGO_PKG_VERSION"), "boot": self.boot,
            "reports_every_s": self.every.as_secs(),
        });
        Outgoing { kind: "birth", payload: body.to_string().into_bytes(), retain: true }
    }

    fn turn_faults(&mut self, now: Timestamp) {
        for (times, fault) in self.faults.iter_mut().zip(&self.behaviours.faults) {
            match times.ends {
                None if times.begins <= now => {
                    times.ends = Some(times.begins + fault.lasts);
                    for (name, more) in &fault.grow {
                        self.memories.get_mut(name).into_iter().for_each(|m| m.grow(*more));
                    }
                }
                Some(ends) if ends <= now => {
                    times.begins = ends + wait(fault.every, &mut self.rng);
                    times.ends = None;
                }
                _ => {}
            }
        }
    }

    fn active(&self) -> impl Iterator<Item = &super::behaviour::Fault> {
        let both = self.faults.iter().zip(&self.behaviours.faults);
        both.filter(|(times, _)| times.ends.is_some()).map(|(_, fault)| fault)
    }

    fn metrics(&mut self, now: Timestamp) -> Map<String, Value> {
        let mut said = Map::new();
        // What is made of others comes behind them: first plain metrics, then what follows one,
        // then differences.
        for round in 0..3 {
            for (name, behaviour) in &self.behaviours.metrics {
                if round_of(behaviour) != round {
                    continue;
                }
                let Some(memory) = self.memories.get_mut(name) else { continue };
                let of = |other: &str| said.get(other).and_then(number);
                let value = look(behaviour, memory, now, self.here, &mut self.rng, of);
                if let Some(value) = value {
                    said.insert(name.clone(), value);
                }
            }
        }
        for fault in self.active() {
            said.extend(fault.set.iter().map(|(name, value)| (name.clone(), value.clone())));
            for (name, more) in &fault.add {
                let raised = said.get(name).and_then(Value::as_f64).map(|value| value + more);
                if let Some(raised) = raised {
                    said.insert(name.clone(), json!((raised * 100.0).round() / 100.0));
                }
            }
        }
        said
    }
}

const FIRST_REPORT_WITHIN: Duration = Duration::from_secs(20);

fn round_of(behaviour: &Behaviour) -> u8 {
    match behaviour {
        Behaviour::Trails { .. }
        | Behaviour::Counts { .. }
        | Behaviour::While { .. }
        | Behaviour::Place { .. } => 1,
        Behaviour::Difference { .. } => 2,
        _ => 0,
    }
}

/// A truth counts as 1.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|is| f64::from(u8::from(is))))
}

/// Between half and one and a half of `every`.
fn wait(every: Duration, rng: &mut Pcg64Mcg) -> Duration {
    every.mul_f64(rng.random_range(0.5..1.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Here = Here { offset: 8, position: [31.2, 121.4] };

    const FRIDGE: &str = "
        temp_c = { wave = { mean = 4.0, swing = 0.5 } }
        door_open = { moments = { per_hour = 6, for = '20s' } }
        [[faults]]
        id = 'door_left_open'
        every = '3d'
        for = '45m'
        set = { door_open = true }
        add = { temp_c = 6.0 }
    ";

    fn fridge(seed: u64) -> Life {
        let table: toml::Table = FRIDGE.parse().unwrap();
        let behaviours = Arc::new(Behaviours::from_table(&table).unwrap());
        Life::new(behaviours, seed, Duration::from_mins(1), HERE, Timestamp(0))
    }

    fn said(life: &mut Life, until: Timestamp) -> Vec<(Timestamp, Outgoing)> {
        let mut all = Vec::new();
        while life.next() < until {
            let now = life.next();
            all.extend(life.speak(now, now).into_iter().map(|outgoing| (now, outgoing)));
        }
        all
    }

    #[test]
    fn the_same_seed_gives_the_same_messages() {
        let until = Timestamp(6 * 3_600_000);
        assert_eq!(said(&mut fridge(7), until), said(&mut fridge(7), until));
        assert_ne!(said(&mut fridge(7), until), said(&mut fridge(8), until));
    }

    #[test]
    fn it_reports_every_minute_and_when_the_door_moves() {
        let all = said(&mut fridge(7), Timestamp(3_600_000));
        assert!((60..100).contains(&all.len()), "{}", all.len());
        assert_eq!(all[0].1.kind, "birth");
        let first: Value = serde_json::from_slice(&all[1].1.payload).unwrap();
        assert_eq!(first["seq"], json!(1));
        assert_eq!(first["readings"][0]["dt"], json!(0));
    }

    #[test]
    fn a_count_grows_with_each_opening() {
        let table = "open = { moments = { per_hour = 60, for = '6s' } }\n\
                     granted_total = { counts = { metric = 'open' } }";
        let behaviours = Arc::new(Behaviours::from_table(&table.parse().unwrap()).unwrap());
        let mut life = Life::new(behaviours, 7, Duration::from_mins(1), HERE, Timestamp(0));
        let (mut opened, mut was) = (0.0, false);
        for (_, outgoing) in said(&mut life, Timestamp(3_600_000)).iter().skip(1) {
            let body: Value = serde_json::from_slice(&outgoing.payload).unwrap();
            let open = body["readings"][0]["open"].as_bool().unwrap();
            opened += f64::from(u8::from(open && !was));
            was = open;
            assert_eq!(body["readings"][0]["granted_total"].as_f64(), Some(opened));
        }
        assert!(opened > 10.0);
    }

    #[test]
    fn a_fault_changes_what_it_says_while_it_lasts() {
        let mut life = fridge(7);
        assert!(life.break_at("door_left_open", Timestamp(60_000)));
        assert!(!life.break_at("nothing_known", Timestamp(0)));
        let all = said(&mut life, Timestamp(40 * 60_000));
        let warm = all.iter().filter(|(at, outgoing)| {
            let body: Value = serde_json::from_slice(&outgoing.payload).unwrap();
            at.0 > 60_000
                && outgoing.kind == "telemetry"
                && body["readings"][0]["temp_c"].as_f64() < Some(9.0)
        });
        assert_eq!(warm.count(), 0);
    }
}
