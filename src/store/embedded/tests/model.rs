//! Any samples in any order, flushed, folded and crashed at any moment, answer as a plain map would.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    store::embedded::entry::DAY,
    store::{Datum, HourlyQuery, windows_of},
};

const FIRST: Day = 20_000;
const METRICS: [&str; 3] = ["temp_c", "door_open", "mode"];
const WORDS: [&str; 3] = ["cool", "heat", "fan"];

#[derive(Debug, Clone)]
enum Step {
    Group(Vec<(u32, usize, i64, i32)>),
    Flush,
    Fold(Day),
    /// The process dies; what the store had not committed comes again from the journal.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few distinct times, so that the same point is written twice; three days, ends of hours.
    let time = prop_oneof![
        (0_i64..72, -1_i64..2).prop_map(|(hour, ms)| hour * 3_600_000 + ms),
        (0_i64..72 * 6).prop_map(|minutes| minutes * 600_000 + 123),
    ];
    let sample = (0_u32..3, 0_usize..3, time, -50_i32..300);
    let step = prop_oneof![
        6 => prop::collection::vec(sample, 0..20).prop_map(Step::Group),
        2 => Just(Step::Flush),
        1 => (FIRST - 1..FIRST + 4).prop_map(Step::Fold),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 0..25)
}

fn value(metric: usize, number: i32) -> Value {
    let word = WORDS[usize::try_from(number.unsigned_abs()).unwrap() % 3];
    match (metric, number) {
        (_, ..-45) => Value::Number(f64::from(number) / 7.0),
        (0, _) => Value::Number(f64::from(number) / 10.0),
        (1, _) => Value::State(number % 2 == 0),
        _ => Value::Word(Symbol::intern(word).unwrap()),
    }
}

type Model = BTreeMap<(u32, usize), BTreeMap<i64, Datum>>;

fn datum(value: Value) -> Datum {
    match value {
        Value::Number(number) => Datum::Number(number),
        Value::State(state) => Datum::State(state),
        Value::Word(word) => Datum::Word(word.as_str().into()),
    }
}

struct Run {
    dir: tempfile::TempDir,
    worked: Option<Worked>,
    registry: Arc<Registry>,
    journal: Vec<Arc<Decoded>>,
    model: Model,
}

impl Run {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let worked = Some(Worked::open(dir.path()));
        Self { dir, worked, registry: registry(), journal: Vec::new(), model: Model::new() }
    }

    fn worked(&mut self) -> &mut Worked {
        self.worked.as_mut().unwrap()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Group(samples) => self.group(samples),
            Step::Flush => drop(self.worked().flush()),
            Step::Fold(day) => self.worked().fold(*day),
            Step::Crash => {
                self.worked = None;
                let mut worked = Worked::open(self.dir.path());
                // The journal may hand over what the store has already.
                for group in &self.journal {
                    worked.keeper.take(Arc::clone(group), Timestamp(0));
                }
                self.worked = Some(worked);
            }
        }
    }

    fn group(&mut self, samples: &[(u32, usize, i64, i32)]) {
        let start = i64::from(FIRST) * DAY;
        let samples: Vec<_> = samples
            .iter()
            .map(|(device, metric, at, number)| {
                (*device, *metric, start + at, value(*metric, *number))
            })
            .collect();
        for (device, metric, at, value) in &samples {
            self.model.entry((*device, *metric)).or_default().insert(*at, datum(*value));
        }
        let named: Vec<_> = samples
            .iter()
            .map(|(d, metric, at, value)| (*d, METRICS[*metric], *at, *value))
            .collect();
        let number = u64::try_from(self.journal.len()).unwrap() + 1;
        let group = group(number, &self.registry, &named);
        self.journal.push(Arc::clone(&group));
        self.worked().keeper.take(group, Timestamp(0));
    }

    fn model_points(&self, device: u32, metric: usize, from: i64, to: i64) -> Vec<Point> {
        let series = self.model.get(&(device, metric)).cloned().unwrap_or_default();
        let inside = series.into_iter().filter(|(at, _)| (from..to).contains(at));
        inside.map(|(at, value)| Point { at: Timestamp(at), value }).collect()
    }

    fn check(&mut self, from: i64, to: i64) -> Result<(), TestCaseError> {
        let start = i64::from(FIRST) * DAY;
        let (from, to) = (start + from, start + to);
        for device in 0..3 {
            for (metric, name) in METRICS.into_iter().enumerate() {
                let expected = self.model_points(device, metric, from, to);
                prop_assert_eq!(&self.worked().points(device, name, from, to), &expected);
                for hours in [1, 5, 24] {
                    let window = Duration::from_hours(hours);
                    let windows = self.worked().windows(device, name, (from, to), window);
                    same(&windows, &windows_of(expected.clone(), window))?;
                }
            }
            self.check_latest(device)?;
        }
        self.check_hourly(from, to)
    }

    fn check_latest(&mut self, device: u32) -> Result<(), TestCaseError> {
        let latest = self.worked().store.0.latest(&path(device)).unwrap();
        for (metric, name) in METRICS.into_iter().enumerate() {
            let newest = self.model.get(&(device, metric)).and_then(BTreeMap::last_key_value);
            let newest = newest.map(|(at, value)| (Timestamp(*at), value.clone()));
            let found = latest.iter().find(|latest| latest.metric.as_ref() == name);
            prop_assert_eq!(found.map(|latest| (latest.at, latest.value.clone())), newest);
        }
        Ok(())
    }

    fn check_hourly(&mut self, from: i64, to: i64) -> Result<(), TestCaseError> {
        let query = HourlyQuery {
            paths: (0..3).map(path).collect(),
            profile: "fridge".to_owned(),
            metric: METRICS[0].to_owned(),
            from: Timestamp(from),
            to: Timestamp(to),
        };
        let hours = self.worked().store.0.hourly(&query).unwrap();
        for (device, hours) in (0..3).zip(hours) {
            let points = self.model_points(device, 0, from, to);
            same(&hours, &windows_of(points, Duration::from_hours(1)))?;
        }
        Ok(())
    }
}

/// Equal, but for the last digits of a mean, which depend on the order of adding up.
fn same(found: &[Window], expected: &[Window]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let mean = match (found.mean, expected.mean) {
            (Some(a), Some(b)) if (a - b).abs() < 1e-9 * b.abs().max(1.0) => expected.mean,
            (mean, _) => mean,
        };
        prop_assert_eq!(&Window { mean, ..found.clone() }, expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn answers_are_those_of_a_plain_map(
        steps in steps(),
        ends in (-1_i64..73, -1_i64..73, 0_i64..2),
    ) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
        }
        let (a, b, ms) = ends;
        run.check(a.min(b) * 3_600_000 + ms, a.max(b) * 3_600_000 + 1 + ms)?;
        run.step(&Step::Crash);
        run.check(-DAY, 4 * DAY)?;
    }
}
