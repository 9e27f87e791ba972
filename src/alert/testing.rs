//! A small town for tests: one station whose devices have the rules a test needs.

use std::{fmt::Write, sync::Arc, time::Duration};

use super::{Engine, Happening, Outcome, model::Reason};
use crate::{
    decode::{Birth, Code, Decoded, Gap, Presence, PresenceState, Rejection},
    device::{MetricKind, Profile},
    reading::{Kind, MessageId, PlacedBy, Reading, Sample, Slot, Symbol, Timestamp, Value},
    registry::{Device, District, Opens, Registry, Station},
    rule::{Condition, Rule, Severity, Silence, Text},
};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

pub(crate) fn minute(minute: f64) -> Timestamp {
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "small")]
    Timestamp(1_800_000_000_000 + (minute * 60_000.0) as i64)
}

pub(crate) fn symbol(name: &str) -> Symbol {
    Symbol::intern(name).unwrap()
}

pub(crate) fn rule(id: &str, when: Condition) -> Rule {
    let text = |en: &str, zh: &str| Text { en: en.into(), zh: zh.into() };
    Rule {
        id: symbol(id),
        severity: Severity::Major,
        when,
        unless: None,
        hold: Duration::ZERO,
        readings: 1,
        clear_after: Duration::ZERO,
        latched: false,
        on_backfill: false,
        says: text("Fridge at {t} °C", "冰箱温度 {t} °C"),
        cure: text("Look at it.", "查看。"),
        bring: vec!["thermometer".into()],
        repeat: Duration::ZERO,
    }
}

pub(crate) fn warm() -> Condition {
    Condition::Above { metric: symbol("t"), limit: 8.0, clear: 7.0 }
}

pub(crate) fn is(metric: &str, state: bool) -> Condition {
    Condition::Is { metric: symbol(metric), value: crate::rule::Wanted::State(state) }
}

pub(crate) fn silent() -> Condition {
    Condition::AbsentFor { metric: None, within: Silence::ByInterval }
}

/// Warm for half an hour, and good again for a quarter.
pub(crate) fn too_warm() -> Rule {
    Rule { hold: MINUTE * 30, clear_after: MINUTE * 15, ..rule("too_warm", warm()) }
}

/// `devices` fridges with these rules; those named in `gone` were removed.
pub(crate) fn town_without(rules: &[Rule], devices: u32, gone: &[u32]) -> Arc<Registry> {
    let profile = Arc::new(Profile {
        id: "fridge".into(),
        name: Text::default(),
        facility: "cold_food".into(),
        reports_every: MINUTE,
        rules: rules.to_vec(),
        ..Profile::default()
    });
    let rules: Arc<[Rule]> = rules.into();
    let device = |slot| Device {
        slot: Slot(slot),
        path: format!("putuo/s1/d{slot}").into(),
        station: 0,
        profile: Arc::clone(&profile),
        reports_every: MINUTE,
        rules: Arc::clone(&rules),
        dates: Arc::default(),
    };
    let district = District {
        id: "putuo".into(),
        name: Text::default(),
        time_zone: jiff::tz::TimeZone::UTC,
        time_zone_name: "UTC".into(),
        closed: crate::registry::Days::default(),
    };
    let station = Station {
        id: "s1".into(),
        district: 0,
        name: Text::default(),
        position: None,
        capacity: None,
        opens: Opens::Always,
        closed: crate::registry::Days::default(),
        moves: false,
        address: None,
        phone: None,
        master: None,
        devices: (0..devices).map(Slot).collect(),
    };
    let device = |slot| (!gone.contains(&slot)).then(|| device(slot));
    Arc::new(Registry::new(vec![district], vec![station], (0..devices).map(device).collect()))
}

/// A type of device whose metrics are `name=number`, `=counter` or `=state`.
pub(crate) fn profile(id: &str, metrics: &str, rules: Vec<Rule>) -> Arc<Profile> {
    let metrics: Vec<_> = metrics
        .split_whitespace()
        .map(|text| {
            let (name, kind) = text.split_once('=').unwrap();
            let kind = match kind {
                "counter" => MetricKind::Counter,
                "state" => MetricKind::State,
                "time" => MetricKind::Time,
                _ => MetricKind::Number,
            };
            (name, kind, None)
        })
        .collect();
    let derived = id == crate::device::STATION;
    Arc::new(Profile { rules, derived, ..Profile::sample(id, &metrics).unwrap() })
}

/// The same registry, with dates for `d0`.
pub(crate) fn with_dates(registry: Registry, dates: &[(&str, f64)]) -> Registry {
    let dates: Arc<[_]> = dates.iter().map(|(name, at)| (symbol(name), minute(*at))).collect();
    let mut devices: Vec<_> = registry.devices().cloned().map(Some).collect();
    devices[0].as_mut().unwrap().dates = dates;
    Registry::new(registry.districts, registry.stations, devices)
}

/// One station with these devices, `d0` first.
pub(crate) fn station(devices: &[&Arc<Profile>]) -> Registry {
    let paths: Vec<_> = (0..devices.len()).map(|n| format!("putuo/s1/d{n}")).collect();
    Registry::sample(paths.iter().map(String::as_str).zip(devices.iter().copied()))
}

pub(crate) fn town(rules: &[Rule], devices: u32) -> Arc<Registry> {
    town_without(rules, devices, &[])
}

/// A group of one reading a call, written as `t=8.5 door=true`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Group(pub(crate) Decoded);

impl Group {
    pub(crate) fn new(group: u64) -> Self {
        Self(Decoded { group, ..Decoded::default() })
    }

    pub(crate) fn reading(mut self, device: u32, received: f64, metrics: &str) -> Self {
        self.push(device, received, received, false, metrics);
        self
    }

    pub(crate) fn late(mut self, device: u32, received: f64, at: f64, metrics: &str) -> Self {
        self.push(device, received, at, true, metrics);
        self
    }

    pub(crate) fn says(mut self, device: u32, received: f64, state: PresenceState) -> Self {
        let sleeps = (state == PresenceState::Sleeping).then_some(MINUTE * 60);
        let message = self.message(received);
        let (device, received) = (Slot(device), minute(received));
        let retained = false;
        self.0.presence.push(Presence { device, message, received, state, sleeps, retained });
        self
    }

    pub(crate) fn event(mut self, device: u32, received: f64, metrics: &str) -> Self {
        self.push(device, received, received, false, metrics);
        self.0.readings.last_mut().unwrap().kind = Kind::Event;
        self
    }

    /// A message that held nothing but a value that cannot be.
    pub(crate) fn refused(mut self, device: u32, received: f64) -> Self {
        let message = self.message(received);
        self.0.rejections.push(Rejection {
            code: Code::Implausible,
            message,
            received: minute(received),
            device: Some(Slot(device)),
            topic: String::new(),
            path: "/t".into(),
            found: "999".into(),
            expected: String::new(),
            size: 9,
            head: String::new(),
        });
        self
    }

    pub(crate) fn born(mut self, device: u32, received: f64, boot: Option<u64>) -> Self {
        let message = self.message(received);
        self.0.births.push(Birth {
            device: Slot(device),
            message,
            received: minute(received),
            profile: None,
            model: None,
            firmware: None,
            serial: None,
            boot,
            reports_every: None,
            config: None,
            retained: false,
        });
        self
    }

    pub(crate) fn misses(mut self, device: u32, received: f64, missing: u64) -> Self {
        self.message(received);
        self.0.gaps.push(Gap { device: Slot(device), boot: 1, seq: 9, missing });
        self
    }

    fn message(&mut self, received: f64) -> MessageId {
        let message = MessageId { group: self.0.group, index: self.0.messages };
        self.0.messages += 1;
        self.0.received = self.0.received.max(minute(received));
        message
    }

    fn push(&mut self, device: u32, received: f64, at: f64, backfill: bool, metrics: &str) {
        let message = self.message(received);
        let start = u32::try_from(self.0.samples.len()).unwrap();
        self.0.samples.extend(metrics.split_whitespace().map(sample));
        self.0.readings.push(Reading {
            device: Slot(device),
            message,
            kind: Kind::Telemetry,
            at: minute(at),
            placed_by: PlacedBy::Device,
            claimed: Some(minute(at)),
            received: minute(received),
            backfill,
            samples: start..u32::try_from(self.0.samples.len()).unwrap(),
        });
    }
}

fn sample(text: &str) -> Sample {
    let (name, value) = text.split_once('=').unwrap();
    let value = match value {
        "true" => Value::State(true),
        "false" => Value::State(false),
        number => Value::Number(number.parse().unwrap()),
    };
    Sample { metric: symbol(name), value }
}

/// Writes down what happened: `31 firing too_warm d0` a line, minutes since the start.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    pub(crate) lines: String,
    names: std::collections::HashMap<String, String>,
}

impl Diary {
    pub(crate) fn note(&mut self, outcome: Outcome) -> Outcome {
        for happening in &outcome.happenings {
            match happening {
                Happening::Raised { alert, .. } => {
                    let name = format!("{} {}", alert.rule, alert.device);
                    let late = if alert.says.en.contains("offline") { " late" } else { "" };
                    self.line(alert.since, &format!("firing {name}{late}"));
                    self.names.insert(alert.id.clone(), name);
                }
                Happening::Resolved { id, at, reason } => {
                    let name = self.names.get(id).cloned().unwrap_or_default();
                    let why = match reason {
                        None => "",
                        Some(Reason::Removed) => " removed",
                        Some(Reason::Confirmed { .. }) => " confirmed",
                    };
                    self.line(*at, &format!("resolved {name}{why}"));
                }
            }
        }
        outcome
    }

    fn line(&mut self, at: Timestamp, what: &str) {
        let tenths = (at.0 - minute(0.0).0) / 6_000;
        let tenth = if tenths % 10 == 0 { String::new() } else { format!(".{}", tenths % 10) };
        writeln!(self.lines, "{}{tenth} {what}", tenths / 10).unwrap();
    }
}

/// Plays lines `minute device metrics` (or a word of presence), with a tick every minute up to
/// `until`, and compares what happened. A raised alert is noted by when its breach began.
#[track_caller]
pub(crate) fn check(rules: &[Rule], timeline: &str, until: u32, expected: &str) {
    check_in(town(rules, 3), timeline, until, expected);
}

/// The same for devices of several profiles; `d0` is the first of them.
#[track_caller]
pub(crate) fn check_in(registry: Arc<Registry>, timeline: &str, until: u32, expected: &str) {
    let mut engine = Engine::new(registry, minute(0.0), Duration::ZERO);
    let mut diary = Diary::default();
    let mut clock = 0;
    for (group, line) in (1..).zip(timeline.lines().map(str::trim).filter(|l| !l.is_empty())) {
        let mut words = line.splitn(3, ' ');
        let at: f64 = words.next().unwrap().parse().unwrap();
        let device = words.next().unwrap().trim_start_matches('d').parse().unwrap();
        while f64::from(clock) < at {
            diary.note(engine.tick(minute(f64::from(clock))));
            clock += 1;
        }
        let group = Group::new(group);
        let group = match words.next().unwrap_or_default() {
            "lost" => group.says(device, at, PresenceState::Lost),
            "online" => group.says(device, at, PresenceState::Online),
            "sleeping" => group.says(device, at, PresenceState::Sleeping),
            "refused" => group.refused(device, at),
            boot if boot.starts_with("boot=") => group.born(device, at, boot[5..].parse().ok()),
            gap if gap.starts_with("missing=") => {
                group.misses(device, at, gap[8..].parse().unwrap())
            }
            event if event.starts_with("event ") => group.event(device, at, &event[6..]),
            late if late.starts_with("late@") => {
                let (then, metrics) = late[5..].split_once(' ').unwrap();
                group.late(device, at, then.parse().unwrap(), metrics)
            }
            metrics => group.reading(device, at, metrics),
        };
        diary.note(engine.apply(&group.0, minute(at)));
    }
    for at in clock..=until {
        diary.note(engine.tick(minute(f64::from(at))));
    }
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(diary.lines.lines().collect::<Vec<_>>(), expected, "timeline {timeline}");
}

/// One reading a minute, from `from` on.
pub(crate) fn minutes(from: u32, to: u32, device: u32, metrics: &str) -> String {
    let lines: Vec<_> = (from..=to).map(|m| format!("{m} d{device} {metrics}\n")).collect();
    lines.concat()
}
