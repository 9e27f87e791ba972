//! One simulated metric as time goes on. Chance comes from the device's own generator, so that the
//! same seed gives the same life.

use std::{collections::VecDeque, f64::consts::TAU, time::Duration};

use rand::Rng;
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};

use super::{
    behaviour::{Axis, Behaviour},
    day::busyness,
};
use crate::reading::Timestamp;

/// Where a device stands, as far as its metrics depend on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Here {
    /// Hours its station's time is ahead of UTC.
    pub offset: i64,
    /// Of its station, WGS-84 latitude and longitude.
    pub position: [f64; 2],
}

/// What a metric remembers between two looks at it.
#[derive(Debug)]
pub(super) enum Memory {
    Nothing,
    Phase(f64),
    Moment {
        until: Option<Timestamp>,
        next: Timestamp,
    },
    Count {
        value: f64,
        next: Timestamp,
    },
    Seen {
        value: f64,
        was: bool,
    },
    Past(VecDeque<(Timestamp, f64)>),
    Level(f64),
    /// How far from the station's position.
    Strayed(f64),
}

impl Memory {
    pub(super) fn new(
        behaviour: &Behaviour,
        start: Timestamp,
        here: Here,
        rng: &mut Pcg64Mcg,
    ) -> Self {
        let offset = here.offset;
        match behaviour {
            Behaviour::Wave { .. } | Behaviour::Drains { .. } => Self::Phase(rng.random()),
            Behaviour::Moments { per_hour, .. } => {
                Self::Moment { until: None, next: arrival(start, *per_hour, offset, rng) }
            }
            Behaviour::Grows { per_hour, .. } => {
                Self::Count { value: 0.0, next: arrival(start, *per_hour, offset, rng) }
            }
            Behaviour::Counts { .. } => Self::Seen { value: 0.0, was: false },
            Behaviour::Trails { .. } => Self::Past(VecDeque::new()),
            Behaviour::Wanders { low, high, .. } => Self::Level(((low + high) / 2.0).round()),
            Behaviour::Place { .. } => Self::Strayed(0.0),
            Behaviour::Steady(_)
            | Behaviour::Difference { .. }
            | Behaviour::Daily { .. }
            | Behaviour::While { .. } => Self::Nothing,
        }
    }

    /// A counter grows at once.
    pub(super) fn grow(&mut self, more: f64) {
        if let Self::Count { value, .. } = self {
            *value += more;
        }
    }

    /// When this metric changes in a way that a device reports at once.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        match self {
            Self::Moment { until, next } => Some(until.unwrap_or(*next)),
            _ => None,
        }
    }
}

/// What the metric is at `now`. `of` gives what another metric of the device is at the same time.
pub(super) fn look(
    behaviour: &Behaviour,
    memory: &mut Memory,
    now: Timestamp,
    here: Here,
    rng: &mut Pcg64Mcg,
    of: impl Fn(&str) -> Option<f64>,
) -> Option<Value> {
    let offset = here.offset;
    match (behaviour, memory) {
        (Behaviour::Steady(value), _) => Some(value.clone()),
        (Behaviour::Wave { mean, swing, period, noise, by_day, round }, Memory::Phase(phase)) => {
            let turn = since_epoch(now) / period.as_secs_f64().max(1.0) + *phase;
            let chance = rng.random_range(-1.0..=1.0) * noise;
            let day = by_day * busyness(now, offset) / 2.0;
            Some(json!(rounded(mean + swing * (turn * TAU).sin() + chance + day, *round)))
        }
        (Behaviour::Drains { from, to, over }, Memory::Phase(phase)) => {
            let gone = (since_epoch(now) / over.as_secs_f64().max(1.0) + *phase).fract();
            Some(json!(rounded(from + (to - from) * gone, 0.1)))
        }
        (Behaviour::Moments { per_hour, lasts }, Memory::Moment { until, next }) => {
            Some(json!(moment(*per_hour, *lasts, until, next, now, offset, rng)))
        }
        (Behaviour::Grows { per_hour, step }, Memory::Count { value, next }) => {
            while *next <= now {
                *value += step;
                *next = arrival(*next, *per_hour, offset, rng);
            }
            Some(json!(rounded(*value, step.min(1.0))))
        }
        (Behaviour::Counts { metric }, Memory::Seen { value, was }) => {
            let is = of(metric)? > 0.5;
            if is && !std::mem::replace(was, is) {
                *value += 1.0;
            }
            *was = is;
            Some(json!(*value))
        }
        (Behaviour::Trails { metric, by }, Memory::Past(past)) => {
            past.push_back((now, of(metric)?));
            while past.get(1).is_some_and(|(at, _)| *at <= now - *by) {
                past.pop_front();
            }
            past.front().map(|(_, value)| json!(value))
        }
        (Behaviour::Difference { of: more, and: less }, _) => {
            Some(json!((of(more)? - of(less)?).max(0.0)))
        }
        (Behaviour::Wanders { low, high, step }, Memory::Level(level)) => {
            *level = (*level + rng.random_range(-step..=*step)).round().clamp(*low, *high);
            Some(json!(*level))
        }
        (Behaviour::Daily { at }, _) => last_daily(at, now).map(|at| json!(at.0)),
        (Behaviour::While { metric, mean, noise }, _) => {
            let chance = rng.random_range(-1.0..=1.0) * noise;
            let going = of(metric)? > 0.5;
            Some(json!(if going { rounded((mean + chance).max(0.0), 0.1) } else { 0.0 }))
        }
        (Behaviour::Place { axis, moves_with, strays }, Memory::Strayed(by)) => {
            let moves = of(moves_with)? > 0.5;
            let step = if moves { rng.random_range(-0.2..=0.2) * strays } else { 0.0 };
            *by = (*by + step).clamp(-strays.abs(), strays.abs());
            let [lat, lon] = here.position;
            Some(json!(rounded(if *axis == Axis::Lat { lat } else { lon } + *by, 0.00001)))
        }
        _ => None,
    }
}

fn moment(
    per_hour: f64,
    lasts: Duration,
    until: &mut Option<Timestamp>,
    next: &mut Timestamp,
    now: Timestamp,
    offset: i64,
    rng: &mut Pcg64Mcg,
) -> bool {
    while let Some(change) = Some(until.unwrap_or(*next)).filter(|change| *change <= now) {
        match until.take() {
            None => *until = Some(change + lasts.max(Duration::from_millis(1))),
            Some(_) => *next = arrival(change, per_hour, offset, rng),
        }
    }
    until.is_some()
}

/// The next of events that come `per_hour` times in an average hour, by chance.
fn arrival(after: Timestamp, per_hour: f64, offset: i64, rng: &mut Pcg64Mcg) -> Timestamp {
    let rate = per_hour * busyness(after, offset);
    let hours = if rate > 0.0 { -rng.random_range(f64::EPSILON..1.0).ln() / rate } else { 24.0 };
    let pause = Duration::from_secs_f64((hours * 3600.0).clamp(1.0, 30.0 * 86_400.0));
    after + pause
}

fn last_daily(at: &str, now: Timestamp) -> Option<Timestamp> {
    const DAY_MS: i64 = 86_400_000;
    let (hours, minutes) = at.split_once(':')?;
    let since_midnight: i64 =
        (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?) * 60_000;
    let today = now.0.div_euclid(DAY_MS) * DAY_MS + since_midnight;
    Some(Timestamp(if today <= now.0 { today } else { today - DAY_MS }))
}

fn since_epoch(now: Timestamp) -> f64 {
    now.since(Timestamp(0)).as_secs_f64()
}

fn rounded(value: f64, to: f64) -> f64 {
    if to <= 0.0 {
        return value;
    }
    // Dividing by a whole number gives the decimal nearest to what people would write.
    let steps = (value / to).round();
    let per_one = (1.0 / to).round();
    if per_one >= 1.0 { steps / per_one } else { steps * to }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const HERE: Here = Here { offset: 8, position: [39.0, 117.0] };

    fn behaviour(text: &str) -> Behaviour {
        toml::from_str::<std::collections::BTreeMap<String, Behaviour>>(text)
            .unwrap()
            .remove("m")
            .unwrap()
    }

    /// A day of the metric, looked at every minute.
    fn day(text: &str) -> Vec<Value> {
        let behaviour = behaviour(text);
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut memory = Memory::new(&behaviour, Timestamp(0), HERE, &mut rng);
        let minutes = (0..24 * 60).map(|minute| Timestamp(minute * 60_000));
        minutes
            .filter_map(|now| look(&behaviour, &mut memory, now, HERE, &mut rng, |_| Some(5.0)))
            .collect()
    }

    #[test]
    fn a_wave_stays_in_its_bounds_and_is_rounded() {
        let seen = day("m = { wave = { mean = 4.0, swing = 0.5, noise = 0.1 } }");
        assert!(seen.iter().all(|value| (3.4..=4.6).contains(&value.as_f64().unwrap())));
        assert!(seen.iter().all(|value| value.to_string().len() <= 3), "{:?}", &seen[..5]);
    }

    #[test]
    fn moments_come_about_as_often_as_said() {
        let seen = day("m = { moments = { per_hour = 6, for = '60s' } }");
        let opened = seen.iter().filter(|value| **value == json!(true)).count();
        assert!((70..220).contains(&opened), "{opened} minutes of a day");
    }

    #[test]
    fn a_counter_never_falls() {
        let seen = day("m = { grows = { per_hour = 13 } }");
        let numbers: Vec<f64> = seen.iter().map(|value| value.as_f64().unwrap()).collect();
        assert!(numbers.is_sorted());
        assert!((200.0..430.0).contains(numbers.last().unwrap()), "{:?}", numbers.last());
    }

    #[test]
    fn a_vehicle_is_near_its_station_and_moves_while_it_drives() {
        let driving = day("m = { place = { axis = 'lon', moves_with = 'x', strays = 0.02 } }");
        let all: Vec<f64> = driving.iter().map(|value| value.as_f64().unwrap()).collect();
        assert!(all.iter().all(|lon| (116.98..=117.02).contains(lon)));
        assert!(
            all.windows(2).filter(|pair| pair[0].to_bits() != pair[1].to_bits()).count() > 1000
        );
        let speeds = day("m = { while = { metric = 'x', mean = 26, noise = 14 } }");
        assert!(speeds.iter().all(|kmh| (12.0..=40.0).contains(&kmh.as_f64().unwrap())));
    }

    #[test]
    fn daily_is_the_last_time_it_was_that_time() {
        assert_eq!(last_daily("03:30", Timestamp(4 * HOUR)), Some(Timestamp(12_600_000)));
        assert_eq!(
            last_daily("03:30", Timestamp(3 * HOUR)),
            Some(Timestamp(12_600_000 - 24 * HOUR))
        );
    }
}
